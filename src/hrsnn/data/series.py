"""Recorded time series that have a name."""

from __future__ import annotations

from pathlib import Path

from hrsnn.data.dataset import Series
from hrsnn.data.own import csv_series


def google_stock(directory: Path, *, column: str = "Open") -> Series:
    """Daily price of the Google share, 2012 to 2016, from `directory/google_stock/Google_Stock_Price_Train.csv`.

    One value per trading day: `dt` is 1 day of trade. In this much copied file `Close` before the split of 2014 is not
    on the scale of the other columns; `Open` is sound.
    """
    path = directory / "google_stock" / "Google_Stock_Price_Train.csv"
    return csv_series(path, [column], dt=1.0, name="google-stock", thousands=",")
