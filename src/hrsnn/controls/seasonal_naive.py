"""The last season again, or the last value where there is no season."""

from __future__ import annotations

from hrsnn.evaluation import Evaluation, Label
from hrsnn.forecast import ForecastTask, repeated
from hrsnn.readout import ReadoutSpec


def on_series(task: ForecastTask, readout: ReadoutSpec, *, label: Label, n_features: int) -> Evaluation:
    period, warnings = task.period or 1, tuple[str, ...]()
    if not task.period:
        told = "no season was found in the training part, so SeasonalNaive repeats the last value"
        warnings = (f"{told}; give task.forecast.period if there is one",)
    evaluation = repeated(task, period, label=label, warnings=warnings)
    evaluation.details["period"] = period
    return evaluation
