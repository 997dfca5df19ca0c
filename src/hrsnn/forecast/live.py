"""Forecasts of what has not been seen: a trained network goes on from values that are no part of its task."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrsnn._checks import require
from hrsnn.forecast.drives import NetworkDrive
from hrsnn.forecast.running import free_run, start_at
from hrsnn.forecast.task import ForecastTask
from hrsnn.network import Network
from hrsnn.readout import Readout, ReadoutSpec


def continued(
    network: Network, readout: Readout, task: ForecastTask, values: NDArray[np.float64], *, seed: int = 0
) -> NDArray[np.float64]:
    """The free-running forecast (n_horizon, D) of what follows `values` (T, D), as from a start of the task.

    The last `n_warmup` of the values drive the network before. `seed` is that of the evaluation, for Poisson spikes.
    Raises `InputError` for fewer values, and for a readout that does not belong to the code of the task.
    """
    drive, spec, transform = _drive(network, readout, task, seed), task.spec, task.transform
    n_least = max(spec.n_warmup, transform.n_past)
    rule = f"must be at least {n_least}, which drive a network before it forecasts"
    require(len(values) >= n_least, "forecast", "values", rule, len(values))
    start = start_at(drive, np.array([len(values)]), values, transform.shown(values), transform, spec.n_warmup)
    forecast: NDArray[np.float64] = free_run(drive, readout, start, transform, task.limits, spec.n_horizon).values[0]
    return forecast


def followed(
    network: Network, readout: Readout, task: ForecastTask, rows: Iterable[NDArray[np.float64]], *, seed: int = 0
) -> Iterator[NDArray[np.float64]]:
    """For each of `rows` (D,), as it comes, the forecast (D,) of the one after it; none before `n_warmup` have come.

    The network goes on from row to row, in constant memory. Raises `InputError` as `continued` does.
    """
    drive, transform = _drive(network, readout, task, seed), task.transform
    n_least = max(task.spec.n_warmup, transform.n_past)
    past: deque[NDArray[np.float64]] = deque(maxlen=transform.n_past)
    memory: Any = None
    for k, row in enumerate(rows, start=1):
        past.append(row)
        known = np.array(past)
        shown = transform.shown(known)[-1:] if k < transform.n_past else transform.last_shown(known[None])
        features, memory = drive.run(shown[None], memory)
        drive.forget()
        if k >= n_least:
            following = transform.following(known[None], readout.outputs(features))
            yield np.clip(following, *task.limits.around(known[-1:]))[0]


def _drive(network: Network, readout: Readout, task: ForecastTask, seed: int) -> NetworkDrive:
    require(readout.grid == task.grid, "forecast", "readout", f"must belong to {task.grid}", readout.grid)
    return NetworkDrive(network, task, ReadoutSpec(features="filtered", tau_filter_ms=readout.tau_filter_ms), seed)
