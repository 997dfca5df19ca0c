"""Recordings of values, one variable or several, as spikes: level, local deviation and changes of each variable."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hrsnn._checks import InputError, check_all, listed, real_array, real_number, require, time_step, whole_number
from hrsnn.encode.events import level_crossing
from hrsnn.encode.rates import PopulationCode, check_finite
from hrsnn.spikes import STEPS_END, Spikes

_BATCH = 32  # recordings encoded at a time
_TAILS = (0.5, 99.5)  # percentiles of the training part that are the ends of a range: a stray value does not set it
_N_FIT = 200_000  # values per variable that percentiles are taken of; more are thinned out evenly
_LARGEST = 1e100
_FLOOR = 1e-3  # of the local deviation, in units of the deviation of the whole training part


@dataclass(frozen=True, slots=True)
class ValueCode:
    """How a recording of values becomes spikes; ranges are fitted on training recordings and then fixed.

    Each variable is told by three kinds of units, in this order, so that neighbouring units tell of one variable:

    level       `n_per_range` units with Gaussian tuning to its value, on the range `lows` to `highs` (`PopulationCode`)
    deviation   as many, tuned to the logarithm of its standard deviation over the last `n_local` values: the envelope
                of what oscillates about zero, such as muscle potentials, and the roughness of everything else
    changes     two, UP and DOWN, that spike whenever the level has moved by `threshold` of its range

    n_average   neighbouring values averaged to one frame, so that long recordings stay short
    n_hold      steps of dt_ms for which each frame is shown, so that short ones last
    f_max_hz    highest rate of a tuned unit
    What lies beyond a range is shown at its end. No randomness.

    >>> waves = [np.sin(np.arange(50) / 3), np.cos(np.arange(50) / 5)]
    >>> code = ValueCode.fit(waves)
    >>> code.encode(waves).grid, code.n_units
    ((34, 500, 1.0), 34)
    """

    lows: tuple[float, ...]
    highs: tuple[float, ...]
    deviation_lows: tuple[float, ...]
    deviation_highs: tuple[float, ...]
    floors: tuple[float, ...]
    n_per_range: int = 16
    n_local: int = 5
    n_average: int = 1
    n_hold: int = 10
    threshold: float = 0.1
    f_max_hz: float = 100.0
    dt_ms: float = 1.0

    def __post_init__(self) -> None:
        n = 0
        for name in ("lows", "highs", "deviation_lows", "deviation_highs", "floors"):
            values = tuple(real_array("ValueCode", name, getattr(self, name)).reshape(-1).tolist())
            n = n or len(values)
            ok = len(values) == n and n > 0 and all(map(math.isfinite, values))
            require(ok, "ValueCode", name, "must hold one finite number per variable", list(values))
            object.__setattr__(self, name, values)
        for name in ("n_local", "n_average", "n_hold"):
            value = whole_number("ValueCode", name, getattr(self, name), at_least=1, below=STEPS_END)
            object.__setattr__(self, name, value)
        check_all("ValueCode", "floors", "must be > 0", np.array(self.floors), np.array(self.floors) > 0)
        object.__setattr__(self, "threshold", real_number("ValueCode", "threshold", self.threshold, above=0))
        object.__setattr__(self, "dt_ms", time_step("ValueCode", self.dt_ms))
        n_per_range = whole_number("ValueCode", "n_per_range", self.n_per_range, at_least=2, below=STEPS_END)
        object.__setattr__(self, "n_per_range", n_per_range)
        object.__setattr__(self, "f_max_hz", real_number("ValueCode", "f_max_hz", self.f_max_hz, above=0))
        self._population  # noqa: B018 - its own checks hold for the ranges, the rate and the step

    @classmethod
    def fit(cls, recordings: Sequence[ArrayLike], *, dt_ms: float = 1.0, n_target_steps: int = 500) -> Self:
        """The code whose ranges are those of `recordings`, arrays of shape (T,) or (T, D): the training part, no more.

        The longest of them lasts about `n_target_steps` steps, from two thirds of it to one and a third. Few variables
        get more units each, 64 divided by their number, at least 4 and at most 16 per range.
        """
        values = [_recording(k, x, None) for k, x in enumerate(listed("ValueCode.fit", "recordings", recordings))]
        n_target_steps = whole_number("ValueCode.fit", "n_target_steps", n_target_steps, at_least=1, below=STEPS_END)
        require(len(values) > 0, "ValueCode.fit", "recordings", "must hold at least one", "none")
        n = values[0].shape[1]
        for k, x in enumerate(values):
            require(x.shape[1] == n, "ValueCode.fit", "recordings", f"must all have {n} variables", x.shape[1],
                    place=f"in recording {k}")  # fmt: skip
        longest = max(map(len, values))
        n_average = max(1, round(longest / n_target_steps))
        n_hold = max(1, round(n_target_steps * n_average / longest))
        n_local = max(3, round(longest / 25))
        every = max(1, sum(map(len, values)) // _N_FIT)
        pooled = np.concatenate(values)[::every]
        spread = pooled.std(axis=0)
        floors = np.where(spread > 0, _FLOOR * spread, 1.0)
        deviations = np.concatenate([_log_deviation(x, n_local, floors) for x in values])[::every]
        (low, high), (quiet, loud) = _range(pooled), _range(deviations)
        return cls(
            tuple(low), tuple(high), tuple(quiet), tuple(loud), tuple(floors),
            n_per_range=int(np.clip(64 // n, 4, 16)), n_local=n_local, n_average=n_average, n_hold=n_hold, dt_ms=dt_ms,
        )  # fmt: skip

    @property
    def n_variables(self) -> int:
        return len(self.lows)

    @property
    def n_units(self) -> int:
        return self.n_variables * self._n_per_variable

    def n_steps_of(self, n_values: int) -> int:
        """Steps that a recording of so many values lasts."""
        return -(-n_values // self.n_average) * self.n_hold

    def encode(self, recordings: Sequence[ArrayLike], *, n_steps: int | None = None) -> Spikes:
        """Spikes of `recordings`, arrays of shape (T,) or (T, D) of finite numbers, D variables each.

        The grid holds the longest, or `n_steps`: what is later is left out, shorter recordings end in silence.
        """
        given = listed("ValueCode", "recordings", recordings)
        values = [_recording(k, x, self.n_variables) for k, x in enumerate(given)]
        require(len(values) > 0, "ValueCode", "recordings", "must hold at least one recording", "none")
        n_steps = max(self.n_steps_of(len(x)) for x in values) if n_steps is None else n_steps
        parts = [self._batch(values[k : k + _BATCH], n_steps) for k in range(0, len(values), _BATCH)]
        return Spikes.join(parts)

    def to_dict(self) -> dict[str, Any]:
        return {f.name: list(v) if isinstance(v := getattr(self, f.name), tuple) else v for f in fields(self)}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """The inverse of `to_dict`."""
        given: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in values.items()}
        try:
            return cls(**given)
        except TypeError as error:
            raise InputError(f"not a `ValueCode`: {error}") from error

    @property
    def _n_per_variable(self) -> int:
        return 2 * self.n_per_range + 2

    @property
    def _population(self) -> PopulationCode:
        """Level and deviation of each variable as variables of a `PopulationCode`."""
        lows, highs = (
            [end for pair in zip(level, deviation, strict=True) for end in pair]
            for level, deviation in ((self.lows, self.deviation_lows), (self.highs, self.deviation_highs))
        )
        return PopulationCode(
            tuple(lows), tuple(highs), self.n_per_range, self.f_max_hz, self.n_hold * self.dt_ms, self.dt_ms
        )

    def _batch(self, values: Sequence[NDArray[np.float64]], n_steps: int) -> Spikes:
        """The spikes of a few recordings; frames after the end of one, which fill it up to the longest, are silent."""
        n_frames_kept = -(-n_steps // self.n_hold)
        frames = [self._frames(x)[:n_frames_kept] for x in values]
        length = max(map(len, frames))
        padded = np.stack([np.pad(x, ((0, length - len(x)), (0, 0)), mode="edge") for x in frames])
        tuned, _ = self._population.encode(padded)
        scale = np.array(self.highs) - np.array(self.lows)
        changes = level_crossing(padded[:, :, ::2] / scale, threshold=self.threshold, dt_ms=self.dt_ms)
        n, per_range = self.n_variables, 2 * self.n_per_range
        unit = np.concatenate([
            tuned.unit + 2 * (tuned.unit // per_range),
            (changes.unit % n) * self._n_per_variable + per_range + changes.unit // n,
        ])  # fmt: skip
        sample = np.concatenate([tuned.sample_of_event(), changes.sample_of_event()])
        step = np.concatenate([tuned.step.astype(np.int64), changes.step.astype(np.int64) * self.n_hold])
        ends = np.minimum(np.array([len(x) for x in frames]) * self.n_hold, n_steps)
        inside = step < ends[sample]
        keys = np.sort(((sample * n_steps + step) * self.n_units + unit)[inside])
        where, unit = np.divmod(keys, self.n_units)
        sample, step = np.divmod(where, n_steps)
        ptr = np.concatenate([[0], np.cumsum(np.bincount(sample, minlength=len(values)))])
        return Spikes(ptr, step.astype(np.int32), unit.astype(np.int32), self.n_units, n_steps, self.dt_ms)

    def _frames(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Level and log deviation of each variable in turn, within their ranges, float64 (n_frames, 2 n_variables)."""
        both = np.empty((len(x), 2 * self.n_variables))
        both[:, ::2], both[:, 1::2] = x, _log_deviation(x, self.n_local, np.array(self.floors))
        starts = np.arange(0, len(x), self.n_average)
        means = np.add.reduceat(both, starts, axis=0) / np.diff([*starts, len(x)])[:, None]
        code = self._population
        return np.clip(means, code.lows, code.highs)


def _log_deviation(x: NDArray[np.float64], n_local: int, floors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Logarithm of the standard deviation over the last `n_local` values up to each, float64 (T, D)."""
    centred = x - x.mean(axis=0)  # keeps the difference of sums of squares exact enough
    n = np.minimum(np.arange(1, len(x) + 1), n_local)[:, None]
    first, second = (_trailing_sum(y, n_local) / n for y in (centred, centred**2))
    return np.asarray(np.log(np.sqrt(np.maximum(second - first**2, 0.0)) + floors))


def _trailing_sum(x: NDArray[np.float64], n: int) -> NDArray[np.float64]:
    total = np.cumsum(x, axis=0)
    total[n:] -= total[:-n].copy()
    return total


def _range(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Lower and upper end per variable, float64 (2, D); a range without width gets one about its value."""
    low, high = np.percentile(values, _TAILS, axis=0)
    least, most = values.min(axis=0), values.max(axis=0)
    flat = high <= low  # rare spikes on a constant: percentiles miss them, extremes do not
    low, high = np.where(flat, least, low), np.where(flat, most, high)
    constant = high <= low
    width = np.maximum(1.0, np.abs(low))
    return np.stack([np.where(constant, low - width, low), np.where(constant, high + width, high)])


def _recording(index: int, values: ArrayLike, n_variables: int | None) -> NDArray[np.float64]:
    owner = f"ValueCode, recording {index}"
    x = real_array(owner, "recordings", values)
    x = x[:, None] if x.ndim == 1 else x
    require(x.ndim == 2 and x.size > 0, owner, "recordings", "must have shape (T,) or (T, D)", f"shape {x.shape}")
    if n_variables is not None:
        require(x.shape[1] == n_variables, owner, "recordings", f"must have {n_variables} variables", x.shape[1])
    check_finite(owner, "recordings", x)
    largest = float(np.abs(x).max())  # squares are summed
    require(largest <= _LARGEST, owner, "recordings", f"must be at most {_LARGEST:g} in size", largest)
    return x
