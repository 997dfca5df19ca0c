"""Events of sensors, and events made from signals by level crossing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hrsnn._checks import as_array, check_all, check_column, listed, real_array, real_number, require, whole_number
from hrsnn.encode.rates import check_finite
from hrsnn.spikes import Spikes

_N_PIXELS = 32  # of a pooled grid along its longer side, at most


def pool_events(
    times_ms: Sequence[ArrayLike],
    x: Sequence[ArrayLike],
    y: Sequence[ArrayLike],
    polarity: Sequence[ArrayLike],
    *,
    n_steps: int,
    dt_ms: float,
    sensor: tuple[int, int] | None = None,
    grid: tuple[int, int] | None = None,
    late: str = "error",
) -> Spikes:
    """Events of an event camera on a coarser grid of pixels and of time (method.md 6.3).

    times_ms, x, y, polarity  one sequence per recording; 0 <= x < width, 0 <= y < height, polarity 0 or 1, or -1 or 1
    sensor                    (height, width); None: as far as the events reach, so give it where several calls must
                              have the same units
    grid                      (height, width) after pooling, which must divide the sensor evenly; None: of square cells,
                              as small as leaves at most 32 of them along the longer side
    late                      events after the last step: "error" or "drop"

    Unit = (polarity * grid height + row) * grid width + column. Several events of a unit in one step become one.

    >>> at = {"sensor": (8, 8), "grid": (2, 2), "n_steps": 1, "dt_ms": 1.0}
    >>> pool_events([[0.0, 0.5]], [[0, 5]], [[0, 7]], [[0, 1]], **at).unit.tolist()
    [0, 7]
    """
    owner = "pool_events"
    sensor = None if sensor is None else _shape(owner, "sensor", sensor)
    grid = None if grid is None else _shape(owner, "grid", grid)
    times_ms, x, y, polarity = (
        listed(owner, name, given)
        for name, given in (("times_ms", times_ms), ("x", x), ("y", y), ("polarity", polarity))
    )
    n = len(times_ms)
    for name, given in (("x", x), ("y", y), ("polarity", polarity)):
        require(len(given) == n, owner, name, f"must have {n} recordings", len(given))
    sizes = [as_array(owner, "times_ms", times).size for times in times_ms]
    columns = [
        check_pixels(f"{owner}, recording {sample}", *given, length=size, sensor=sensor)
        for sample, (size, *given) in enumerate(zip(sizes, x, y, polarity, strict=True))
    ]
    none = np.zeros(0, np.int64)  # of which there may be no recording, and no event
    px, py, on = (np.concatenate([none, *(column[k] for column in columns)]) for k in range(3))
    unit, n_units = pooled_units(owner, px, py, on, sensor=sensor, grid=grid)
    units = np.split(unit, np.cumsum(sizes)[:-1]) if n else []
    return Spikes.from_times(times_ms, units, n_units=n_units, n_steps=n_steps, dt_ms=dt_ms, late=late)


def check_pixels(
    owner: str, x: ArrayLike, y: ArrayLike, polarity: ArrayLike, *, length: int, sensor: tuple[int, int] | None
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """x, y and polarity of events, checked; polarity, which may come as -1 and 1, as 0 and 1."""
    height, width = sensor or (None, None)
    px, py = (
        check_column(
            owner, name, given, dtype=np.int64, length=length, at_least=0, at_most=None if size is None else size - 1
        )
        for name, given, size in (("x", x, width), ("y", y, height))
    )
    on = check_column(owner, "polarity", polarity, dtype=np.int64, length=length, at_least=-1, at_most=1)
    if on.min(initial=0) < 0:
        check_all(owner, "polarity", "must be 0 or 1, or -1 or 1", on, on != 0)
    return px, py, np.maximum(on, 0)


def pooled_units(
    owner: str,
    x: NDArray[np.int64],
    y: NDArray[np.int64],
    on: NDArray[np.int64] | None,
    *,
    sensor: tuple[int, int] | None = None,
    grid: tuple[int, int] | None = None,
) -> tuple[NDArray[np.int64], int]:
    """Units of events after pooling, and how many units there are; half as many without polarity."""
    height, width = sensor or (int(y.max(initial=0)) + 1, int(x.max(initial=0)) + 1)
    if grid is None:
        cell = -(-max(height, width) // _N_PIXELS)
        cell_height = cell_width = cell
        rows, columns = -(-height // cell), -(-width // cell)
    else:
        rows, columns = grid
        if sensor is None:  # the outermost pixels may have no event
            cell_height, cell_width = -(-height // rows), -(-width // columns)
            ok = -(-height // cell_height) == rows and -(-width // cell_width) == columns
        else:
            cell_height, cell_width = max(1, height // rows), max(1, width // columns)
            ok = height % rows == 0 and width % columns == 0
        reach = "the sensor" if sensor else "a sensor as large as the events reach,"
        require(ok, owner, "grid", f"must divide {reach} {(height, width)}", tuple(grid))
    unit = (y // cell_height) * columns + x // cell_width
    return (unit, rows * columns) if on is None else (on * rows * columns + unit, 2 * rows * columns)


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
    n_samples, _, n = x.shape
    rasters = [crossings(signal, signal[0], np.zeros(n), threshold) for signal in x]
    return Spikes.from_dense(np.stack(rasters) if n_samples else np.zeros((0, x.shape[1], 2 * n)), dt_ms=dt_ms)


def crossings(
    signal: NDArray[np.float64], start: NDArray[np.float64], level: NDArray[np.float64], threshold: float
) -> NDArray[np.bool_]:
    """UP and DOWN spikes of `level_crossing`, bool (n_steps, 2 n_variables), of one `signal` (n_steps, n_variables).

    The reference is `start + threshold * level`; `level`, in whole thresholds so that no rounding adds up, is brought
    to the end of the signal.
    """
    n = signal.shape[1]
    raster = np.empty((len(signal), 2 * n), dtype=bool)
    for fires, now in zip(raster, signal, strict=True):
        with np.errstate(over="ignore"):  # infinitely many thresholds away is away
            away = (now - start) / threshold - level
        up, down = away >= 1.0 - 1e-9, away <= -1.0 + 1e-9
        fires[:n], fires[n:] = up, down
        level += up
        level -= down
    return raster
