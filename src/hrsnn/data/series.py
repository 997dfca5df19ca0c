"""Recorded time series that have a name."""

from __future__ import annotations

from pathlib import Path

from hrsnn._checks import require
from hrsnn.data.dataset import Series
from hrsnn.data.readers.csv import csv_series

_WIND_ROWS = 50_530
_WIND_HOURS = slice(3_619, 3_619 + 6 * 928)  # the longest stretch without a missing row, from a full hour on


def google_stock(directory: Path, *, column: str = "Open") -> Series:
    """Daily price of the Google share, 2012 to 2016, from `directory/google_stock/Google_Stock_Price_Train.csv`.

    One value per trading day: `dt` is 1 day of trade. In this much copied file `Close` before the split of 2014 is not
    on the scale of the other columns; `Open` is sound.
    """
    path = directory / "google_stock" / "Google_Stock_Price_Train.csv"
    return csv_series(path, [column], dt=1.0, name="google-stock", thousands=",")


def wind(directory: Path) -> Series:
    """Hourly means of the wind speed (m/s) at a turbine, from `directory`/wind/T1.csv; `dt` is 1 hour.

    928 hours from 30 January 2018, 15:00: the longest stretch in which none of the ten-minute values is missing.
    """
    path = directory / "wind" / "T1.csv"
    column = "Wind Speed (m/s)"
    speed = csv_series(path, [column], encoding="latin-1").values
    require(len(speed) == _WIND_ROWS, "wind", "T1.csv", f"must have {_WIND_ROWS} rows", len(speed))
    return Series(speed[_WIND_HOURS].reshape(-1, 6, 1).mean(axis=1), 1.0, "wind", (column,))
