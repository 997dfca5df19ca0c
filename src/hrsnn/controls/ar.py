"""A linear autoregression whose order Akaike's criterion chooses."""

from __future__ import annotations

from hrsnn.evaluation import Evaluation, Label
from hrsnn.forecast import ForecastTask, LagDrive, forecast_by, order_of, without_noise
from hrsnn.readout import ReadoutSpec


def on_series(task: ForecastTask, readout: ReadoutSpec, *, label: Label, n_features: int) -> Evaluation:
    return forecast_by(LagDrive(task, order_of(task)), task, without_noise(readout), label=label)
