"""An echo state network of 100 units on the values themselves."""

from __future__ import annotations

from hrsnn.evaluation import Evaluation, Label
from hrsnn.forecast import EchoStateDrive, ForecastTask, forecast_by, without_noise
from hrsnn.readout import ReadoutSpec


def on_series(task: ForecastTask, readout: ReadoutSpec, *, label: Label, n_features: int) -> Evaluation:
    return forecast_by(EchoStateDrive(task, label.seed), task, without_noise(readout), label=label)
