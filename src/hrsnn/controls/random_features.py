"""The same readout on a static random projection of the input, with as many features as the network has neurons."""

from __future__ import annotations

import time

import numpy as np

from hrsnn.classification import Alternative, best_of, fit, pooled_counts, seen_parts
from hrsnn.data.dataset import Splits
from hrsnn.evaluation import Evaluation, Label
from hrsnn.forecast import ForecastTask, InputDrive, forecast_by
from hrsnn.randomness import stream
from hrsnn.readout import ReadoutSpec


def on_recordings(task: Splits, readout: ReadoutSpec, *, label: Label, n_features: int) -> Evaluation:
    """ReLU(W x): x are the standardised counts of all bins and channels (or pools of them), W is Gaussian.

    `n_features` for each bin, as of the network.
    """
    started = time.perf_counter()
    projected = readout.model_copy(update={"features": "counts", "n_bins": [1]})
    seen = seen_parts(task, projected)
    found = []
    for pool in readout.channel_pools:
        for n_bins in readout.n_bins:
            counts = {part: pooled_counts(spikes, n_bins, pool) for part, spikes in seen.items()}
            x = {part: values.reshape(len(values), -1) for part, values in counts.items()}
            mean, scale = x["train"].mean(axis=0), x["train"].std(axis=0)
            rng = stream(label.seed, "random-features")
            projection = rng.standard_normal((mean.size, n_bins * n_features), dtype=np.float32)
            gain = projection / (np.sqrt(mean.size) * np.where(scale > 0, scale, 1.0))[:, None].astype(np.float32)
            windows = {part: np.maximum((values - mean) @ gain, 0)[:, None, :] for part, values in x.items()}
            choice = fit(windows, task, projected, units=None, seed=label.seed)
            synops = int(np.count_nonzero(x["test"])) * gain.shape[1]
            found.append(Alternative(choice, windows, {"pool": pool, "n_bins": n_bins}, synops, 4 * gain.size))
    return best_of(found, task, label, started)


def on_series(task: ForecastTask, readout: ReadoutSpec, *, label: Label, n_features: int) -> Evaluation:
    drive = InputDrive(task, readout, label.seed, n_random_features=n_features)
    return forecast_by(drive, task, readout, label=label, warnings=task.warnings)
