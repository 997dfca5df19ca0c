"""The last value again, over the whole horizon: nothing changes."""

from __future__ import annotations

from hrsnn.evaluation import Evaluation, Label
from hrsnn.forecast import ForecastTask, repeated
from hrsnn.readout import ReadoutSpec


def on_series(task: ForecastTask, readout: ReadoutSpec, *, label: Label, n_features: int) -> Evaluation:
    return repeated(task, 1, label=label)
