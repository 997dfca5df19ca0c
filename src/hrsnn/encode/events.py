"""Events of sensors, and events made from signals by level crossing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from hrsnn._checks import as_array, check_column, real_array, real_number, require, whole_number
from hrsnn.encode.rates import check_finite
from hrsnn.spikes import Spikes


def pool_events(
    times_ms: Sequence[ArrayLike],
    x: Sequence[ArrayLike],
    y: Sequence[ArrayLike],
    polarity: Sequence[ArrayLike],
    *,
    n_steps: int,
    dt_ms: float,
    sensor: tuple[int, int] = (128, 128),
    grid: tuple[int, int] = (32, 32),
    late: str = "error",
) -> Spikes:
    """Events of an event camera on a coarser grid of pixels and of time (MATH.md 6.3).

    times_ms, x, y, polarity  one sequence per recording; 0 <= x < width, 0 <= y < height, polarity 0 or 1
    sensor, grid              (height, width) before and after; the sensor must divide evenly
    late                      events after the last step: "error" or "drop"

    Unit = (polarity * grid height + row) * grid width + column. Several events of a unit in one step become one.

    >>> at = {"sensor": (8, 8), "grid": (2, 2), "n_steps": 1, "dt_ms": 1.0}
    >>> pool_events([[0.0, 0.5]], [[0, 5]], [[0, 7]], [[0, 1]], **at).unit.tolist()
    [0, 7]
    """
    owner = "pool_events"
    height, width = _shape(owner, "sensor", sensor)
    rows, columns = _shape(owner, "grid", grid)
    ok = rows >= 1 and columns >= 1 and height % rows == 0 and width % columns == 0
    require(ok, owner, "grid", f"must divide the sensor {tuple(sensor)}", tuple(grid))
    n = len(times_ms)
    for name, given in (("x", x), ("y", y), ("polarity", polarity)):
        require(len(given) == n, owner, name, f"must have {n} recordings", len(given))
    units = []
    for sample in range(n):
        place = f"{owner}, recording {sample}"
        length = as_array(place, "times_ms", times_ms[sample]).size
        px, py, on = (
            check_column(place, name, given[sample], dtype=np.int64, length=length, at_least=0, at_most=most)
            for name, given, most in (("x", x, width - 1), ("y", y, height - 1), ("polarity", polarity, 1))
        )
        units.append((on * rows + py // (height // rows)) * columns + px // (width // columns))
    return Spikes.from_times(times_ms, units, n_units=2 * rows * columns, n_steps=n_steps, dt_ms=dt_ms, late=late)


def _shape(owner: str, name: str, shape: tuple[int, int]) -> tuple[int, int]:
    given = list(as_array(owner, name, shape).reshape(-1))
    require(len(given) == 2, owner, name, "must be (height, width)", shape)
    height, width = (whole_number(owner, name, size, at_least=1) for size in given)
    return height, width


def level_crossing(signals: ArrayLike, *, threshold: float, dt_ms: float) -> Spikes:
    """UP and DOWN spikes whenever a signal has moved by `threshold` from its reference (delta modulation).

    signals    (n_samples, n_steps, n_variables), one value per step of `dt_ms`
    threshold  in the unit of the signal

    The reference starts at the first value and moves by one threshold with every spike, at most once per step. So
    first value + threshold * (UP - DOWN spikes so far) stays within one threshold of a signal that moves less than
    that per step, and catches up with one that jumps. UP of variable d is unit d, DOWN is unit n_variables + d.

    >>> level_crossing([[[0.0], [1.0], [2.0], [0.5]]], threshold=1.0, dt_ms=1.0).unit.tolist()
    [0, 0, 1]
    """
    x = real_array("level_crossing", "signals", signals)
    ok = x.ndim == 3 and x.shape[1] > 0 and x.shape[2] > 0
    require(ok, "level_crossing", "signals", "must have shape (samples, steps, variables)", f"shape {x.shape}")
    check_finite("level_crossing", "signals", x)
    threshold = real_number("level_crossing", "threshold", threshold, above=0)
    n_samples, n_steps, n = x.shape
    raster = np.zeros((n_samples, n_steps, 2 * n), dtype=bool)
    level = np.zeros((n_samples, n))  # whole thresholds, so that no rounding adds up
    for step in range(1, n_steps):
        away = (x[:, step] - x[:, 0]) / threshold - level
        up, down = away >= 1.0 - 1e-9, away <= -1.0 + 1e-9
        raster[:, step, :n], raster[:, step, n:] = up, down
        level += up
        level -= down
    return Spikes.from_dense(raster, dt_ms=dt_ms)
