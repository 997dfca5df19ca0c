"""Spikes: batches of spike trains as event lists."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hrsnn._checks import (
    among,
    as_array,
    check_all,
    check_column,
    chosen_rows,
    instance,
    listed,
    require,
    time_step,
    whole_number,
)
from hrsnn._shown import Shown

STEPS_END = 2**31  # steps and units are kept in 32 bits


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Spikes(Shown):
    """Spike trains of `n_samples` independent samples on one grid of time.

    sample_ptr  int64 (n_samples + 1,)   events of sample s are `sample_ptr[s]:sample_ptr[s + 1]`
    step        int32 (n_events,)        time step of the event, 0 <= step < n_steps
    unit        int32 (n_events,)        channel or neuron, 0 <= unit < n_units

    Within a sample events are sorted by step, then unit, and no (step, unit) occurs twice; a sample may be empty.
    Raises `InputError` naming the first event that breaks a rule.

    >>> s = Spikes.from_times([[1.0, 3.2], []], [[0, 2], []], n_units=3, n_steps=5, dt_ms=1.0)
    >>> s.n_samples, s.n_events, s.step.tolist()
    (2, 2, [1, 3])
    """

    sample_ptr: NDArray[np.int64]
    step: NDArray[np.int32]
    unit: NDArray[np.int32]
    n_units: int
    n_steps: int
    dt_ms: float

    def __post_init__(self) -> None:
        for name, value in zip(("n_units", "n_steps", "dt_ms"), _grid("Spikes", *self.grid), strict=True):
            object.__setattr__(self, name, value)
        unit = check_column("Spikes", "unit", self.unit, dtype=np.int32, at_least=0, at_most=self.n_units - 1)
        step = check_column(
            "Spikes", "step", self.step, dtype=np.int32, length=unit.size, at_least=0, at_most=self.n_steps - 1
        )  # fmt: skip
        ptr = check_column("Spikes", "sample_ptr", self.sample_ptr, dtype=np.int64)
        ok = ptr.size >= 1 and ptr[0] == 0 and ptr[-1] == step.size and bool((np.diff(ptr) >= 0).all())
        require(ok, "Spikes", "sample_ptr", f"must rise from 0 to the number of events {step.size}", ptr)
        # One number per event that must rise strictly inside a sample tells order and duplicates at once.
        rank = step.astype(np.int64) * self.n_units + unit
        first_of_sample = np.zeros(step.size + 1, dtype=bool)
        first_of_sample[ptr] = True
        rises = np.diff(rank) > 0
        ok = np.concatenate([[True], rises | first_of_sample[1:-1]]) if step.size else np.ones(0, dtype=bool)
        check_all("Spikes", "step", "must be sorted by sample, step, unit without duplicates", step, ok)
        for name, column in (("sample_ptr", ptr), ("step", step), ("unit", unit)):
            object.__setattr__(self, name, column)

    # -- made from -----------------------------------------------------------------------------------------------

    @classmethod
    def from_times(
        cls,
        times_ms: Sequence[ArrayLike],
        units: Sequence[ArrayLike],
        *,
        n_units: int,
        n_steps: int,
        dt_ms: float,
        late: str = "error",
    ) -> Spikes:
        """Bin event times to the grid: one sequence of times (ms) and one of units per sample.

        The step of a time is that of `to_steps`; several events of a unit in one step become one. Events at or after
        `n_steps * dt_ms` are an error, or left out with `late="drop"`. Times need not be sorted; a negative,
        infinite or NaN time is an error, as is a unit out of range or a different number of times and units.
        """
        require(among(late, ("error", "drop")), "Spikes.from_times", "late", 'must be "error" or "drop"', late)
        n_units, n_steps, dt_ms = _grid("Spikes.from_times", n_units, n_steps, dt_ms)
        for name, given in (("times_ms", times_ms), ("units", units)):
            rule = "must be a sequence with one array for each sample"
            require(hasattr(given, "__len__") and hasattr(given, "__iter__"), "Spikes.from_times", name, rule, given)
        require(
            len(times_ms) == len(units), "Spikes.from_times", "units", f"must have {len(times_ms)} samples", len(units)
        )  # fmt: skip
        keys = []
        for sample, (t, u) in enumerate(zip(times_ms, units, strict=True)):
            owner = f"Spikes.from_times, sample {sample}"
            time = as_array(owner, "times_ms", t)
            in_ms = check_column(owner, "times_ms", time, dtype=np.float64, at_least=0)
            unit = check_column(
                owner, "units", u, dtype=np.int64, length=time.size, at_least=0, at_most=n_units - 1
            )  # fmt: skip
            step = to_steps(time, dt_ms)
            inside = step < n_steps
            if late == "error":
                check_all(owner, "times_ms", f"must be < {n_steps * dt_ms:g}, the end of the grid", in_ms, inside)
            keys.append(rising(step[inside] * n_units + unit[inside]))
        return cls._from_keys(keys, n_units, n_steps, dt_ms)

    @classmethod
    def from_dense(cls, raster: ArrayLike, *, dt_ms: float) -> Spikes:
        """From a 0/1 raster of shape `(n_samples, n_steps, n_units)`."""
        dense = as_array("Spikes.from_dense", "raster", raster)
        require(dense.ndim == 3, "Spikes.from_dense", "raster", "must have shape (samples, steps, units)", dense.shape)
        require(dense.dtype.kind in "biuf", "Spikes.from_dense", "raster", "must be 0 or 1", f"dtype {dense.dtype}")
        flat = dense.reshape(-1)
        check_all("Spikes.from_dense", "raster", "must be 0 or 1", flat, (flat == 0) | (flat == 1))
        sample, step, unit = np.nonzero(dense)
        ptr = np.concatenate([[0], np.cumsum(np.bincount(sample, minlength=dense.shape[0]))])
        return cls(ptr, step, unit, dense.shape[2], dense.shape[1], dt_ms)  # type: ignore[arg-type]

    @classmethod
    def empty(cls, n_samples: int, *, n_units: int, n_steps: int, dt_ms: float) -> Spikes:
        """`n_samples` samples without an event."""
        n_samples = whole_number("Spikes.empty", "n_samples", n_samples, at_least=0, below=STEPS_END)
        n_units, n_steps, dt_ms = _grid("Spikes.empty", n_units, n_steps, dt_ms)
        none = np.zeros(0, dtype=np.int32)
        return cls(np.zeros(n_samples + 1, dtype=np.int64), none, none, n_units, n_steps, dt_ms)

    @classmethod
    def join(cls, parts: Sequence[Spikes]) -> Spikes:
        """All samples of `parts` in order; the grids and units must be the same."""
        parts = [instance("Spikes.join", "parts", part, Spikes) for part in listed("Spikes.join", "parts", parts)]
        require(len(parts) > 0, "Spikes.join", "parts", "must hold at least one batch", "none")
        first = parts[0]
        for part in parts:
            require(part.grid == first.grid, "Spikes.join", "parts", f"must share one grid {first.grid}", part.grid)
        sizes = np.concatenate([np.diff(p.sample_ptr) for p in parts])
        return cls(
            np.concatenate([[0], np.cumsum(sizes)]),
            np.concatenate([p.step for p in parts]),
            np.concatenate([p.unit for p in parts]),
            *first.grid,
        )

    @classmethod
    def _from_keys(cls, keys: Sequence[NDArray[np.int64]], n_units: int, n_steps: int, dt_ms: float) -> Spikes:
        """From one sorted array of `step * n_units + unit` per sample."""
        ptr = np.concatenate([[0], np.cumsum([k.size for k in keys], dtype=np.int64)])
        step, unit = np.divmod(np.concatenate([*keys, np.zeros(0, dtype=np.int64)]), n_units)
        return cls(ptr, step, unit, n_units, n_steps, dt_ms)

    # -- looked at -----------------------------------------------------------------------------------------------

    def _glance(self) -> dict[str, object]:
        return {
            "n_samples": self.n_samples, "n_events": self.n_events, "n_units": self.n_units, "n_steps": self.n_steps,
            "dt_ms": self.dt_ms,
        }  # fmt: skip

    @property
    def n_samples(self) -> int:
        return self.sample_ptr.size - 1

    @property
    def n_events(self) -> int:
        return self.step.size

    @property
    def grid(self) -> tuple[int, int, float]:
        """`(n_units, n_steps, dt_ms)`."""
        return self.n_units, self.n_steps, self.dt_ms

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Spikes):
            return NotImplemented
        return self.grid == other.grid and all(
            np.array_equal(getattr(self, name), getattr(other, name)) for name in ("sample_ptr", "step", "unit")
        )

    def sample_of_event(self) -> NDArray[np.int64]:
        """The sample of every event, shape `(n_events,)`."""
        return np.repeat(np.arange(self.n_samples), np.diff(self.sample_ptr))

    def select(self, samples: Any) -> Spikes:
        """The samples with these indices (or this boolean mask, or slice), in this order."""
        chosen = chosen_rows("Spikes.select", "samples", self.n_samples, samples)
        sizes = np.diff(self.sample_ptr)[chosen]
        ptr = np.concatenate([[0], np.cumsum(sizes)])
        events = np.repeat(self.sample_ptr[chosen] - ptr[:-1], sizes) + np.arange(ptr[-1])
        return Spikes(ptr, self.step[events], self.unit[events], *self.grid)

    def counts(self, n_bins: int = 1) -> NDArray[np.int32]:
        """Events per sample, time bin and unit, shape `(n_samples, n_bins, n_units)`, int32.

        Bin of step t is `t * n_bins // n_steps`, so bins differ by at most one step in length.
        """
        n_bins = whole_number("Spikes.counts", "n_bins", n_bins)
        require(1 <= n_bins <= self.n_steps, "Spikes.counts", "n_bins", f"must be 1..{self.n_steps}", n_bins)
        window = (self.sample_of_event() * n_bins + self.step.astype(np.int64) * n_bins // self.n_steps) * self.n_units
        size = self.n_samples * n_bins * self.n_units
        flat = np.bincount(window + self.unit, minlength=size).astype(np.int32)
        return flat.reshape(self.n_samples, n_bins, self.n_units)

    def dense(self) -> NDArray[np.uint8]:
        """The 0/1 raster, shape `(n_samples, n_steps, n_units)`, uint8."""
        raster = np.zeros((self.n_samples, self.n_steps, self.n_units), dtype=np.uint8)
        raster[self.sample_of_event(), self.step, self.unit] = 1
        return raster


def to_steps(times: ArrayLike, dt_ms: float, *, unit_ms: float = 1.0) -> NDArray[np.int64]:
    """The step of each of `times`, in units of `unit_ms`, on a grid of `dt_ms`: floor(time / dt), int64, same shape.

    A time that is a whole number of steps up to the rounding of its own type belongs to that step, not to the one
    before. What counts as rounding is 4 units in the last place of the type the times are given in, so as many
    roundings as it takes to compute a time, at most a quarter of a step. Where half a unit is more than that the type
    cannot tell all steps apart, and the nearest one is right. Whole numbers are exact wherever a step holds a whole
    number of units. Times must be >= 0, and not NaN; those beyond 2^62 steps are put there.

    >>> to_steps(np.array([0.3, 0.7, 0.75], dtype=np.float32), 0.1).tolist()
    [3, 7, 7]
    >>> to_steps(np.array([2999, 3000], dtype=np.uint32), 1.0, unit_ms=0.001).tolist()
    [2, 3]
    """
    given = as_array("to_steps", "times", times)
    require(given.dtype.kind in "biuf", "to_steps", "times", "must be real numbers", f"dtype {given.dtype}")
    per_step = dt_ms / unit_ms
    if given.dtype.kind in "iu" and 1 <= per_step < STEPS_END and abs(per_step - round(per_step)) < 1e-12 * per_step:
        wide = given.astype(np.uint64 if given.dtype.kind == "u" else np.int64)
        return np.minimum(wide // round(per_step), 2**62).astype(np.int64)
    steps, tolerance = _in_steps(given, dt_ms, unit_ms)
    return np.floor(np.minimum(steps + tolerance, 2.0**62)).astype(np.int64)


def n_steps_of(duration_ms: float, dt_ms: float) -> int:
    """The fewest steps of `dt_ms` that hold `duration_ms`; a duration of whole steps up to rounding is those.

    >>> n_steps_of(0.9, 0.3), n_steps_of(1.0, 0.3)
    (3, 4)
    """
    steps, tolerance = _in_steps(np.asarray(duration_ms), dt_ms, 1.0)
    return int(np.ceil(np.minimum(steps - tolerance, 2.0**62)))


def nearest_steps(time_ms: float, dt_ms: float) -> tuple[int, bool]:
    """The number of steps of `dt_ms` nearest to `time_ms`, and whether the two are the same up to rounding.

    >>> nearest_steps(0.9, 0.3), nearest_steps(1.0, 0.3)
    ((3, True), (3, False))
    """
    steps, tolerance = _in_steps(np.asarray(time_ms), dt_ms, 1.0)
    nearest = np.rint(np.minimum(steps, 2.0**62))
    return int(nearest), bool(np.abs(steps - nearest) <= np.maximum(tolerance, 1e-6))


def _in_steps(times: NDArray[Any], dt_ms: float, unit_ms: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Times in steps, and how far each may be from a whole number and still mean it."""
    narrow = times if times.dtype.kind == "f" and times.dtype.itemsize < 8 else times.astype(np.float64)
    with np.errstate(over="ignore", invalid="ignore"):  # infinite where a step is next to nothing
        steps = narrow.astype(np.float64) * unit_ms / dt_ms
        ulp = np.spacing(np.abs(narrow)).astype(np.float64) * unit_ms / dt_ms
    # 1e-9 of a step is for times in double precision that were added up one after the other.
    few = np.minimum(4 * ulp, np.clip(ulp / 2, 0.25, 0.5))
    return steps, np.maximum(few, 1e-9)


def _grid(owner: str, n_units: object, n_steps: object, dt_ms: object) -> tuple[int, int, float]:
    units, steps = (
        whole_number(owner, name, value, at_least=1, below=STEPS_END)
        for name, value in (("n_units", n_units), ("n_steps", n_steps))
    )
    return units, steps, time_step(owner, dt_ms)


def rising(keys: NDArray[np.int64]) -> NDArray[np.int64]:
    """Each of `keys` once, sorted. `np.unique` hashes whole numbers, which takes 60 times as long for many events.

    >>> rising(np.array([3, 1, 3])).tolist()
    [1, 3]
    """
    ordered = np.sort(keys)
    is_new = np.ones(ordered.size, dtype=np.bool_)
    is_new[1:] = ordered[1:] != ordered[:-1]
    return np.asarray(ordered[is_new])
