"""The same readout on the encoded input itself, without a network."""

from __future__ import annotations

import time

from hrsnn.classification import Alternative, best_of, fit, pooled_counts, seen_parts
from hrsnn.data.dataset import Splits
from hrsnn.evaluation import Evaluation, Label
from hrsnn.forecast import ForecastTask, InputDrive, forecast_by
from hrsnn.readout import ReadoutSpec


def on_recordings(task: Splits, readout: ReadoutSpec, *, label: Label, n_features: int) -> Evaluation:
    """Its counts in time bins, of single channels or of pools of neighbours."""
    started = time.perf_counter()
    counted = readout.model_copy(update={"features": "counts"})
    seen = seen_parts(task, counted)
    found = []
    for pool in readout.channel_pools:
        windows = {part: pooled_counts(spikes, counted.n_bins_recorded, pool) for part, spikes in seen.items()}
        choice = fit(windows, task, counted, units=None, seed=label.seed)
        found.append(Alternative(choice, windows, {"pool": pool}))
    return best_of(found, task, label, started)


def on_series(task: ForecastTask, readout: ReadoutSpec, *, label: Label, n_features: int) -> Evaluation:
    return forecast_by(InputDrive(task, readout, label.seed), task, readout, label=label, warnings=task.warnings)
