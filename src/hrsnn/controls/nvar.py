"""Nonlinear vector autoregression: the last two values and all their products."""

from __future__ import annotations

from hrsnn.evaluation import Evaluation, Label
from hrsnn.forecast import ForecastTask, NvarDrive, forecast_by, without_noise
from hrsnn.readout import ReadoutSpec


def on_series(task: ForecastTask, readout: ReadoutSpec, *, label: Label, n_features: int) -> Evaluation:
    return forecast_by(NvarDrive(task), task, without_noise(readout), label=label)
