"""Spikes: batches of spike trains as event lists."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hrsnn._checks import check_all, check_column, require


@dataclass(frozen=True, slots=True, eq=False)
class Spikes:
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
        _check_grid("Spikes", self.n_units, self.n_steps, self.dt_ms)
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

        Step = floor(time / dt_ms); several events of a unit in one step become one. Events at or after
        `n_steps * dt_ms` are an error, or left out with `late="drop"`. Times need not be sorted; a negative,
        infinite or NaN time is an error, as is a unit out of range or a different number of times and units.
        """
        require(late in ("error", "drop"), "Spikes.from_times", "late", 'must be "error" or "drop"', late)
        _check_grid("Spikes.from_times", n_units, n_steps, dt_ms)
        require(
            len(times_ms) == len(units), "Spikes.from_times", "units", f"must have {len(times_ms)} samples", len(units)
        )  # fmt: skip
        keys = []
        for sample, (t, u) in enumerate(zip(times_ms, units, strict=True)):
            owner = f"Spikes.from_times, sample {sample}"
            time = check_column(owner, "times_ms", t, dtype=np.float64, at_least=0)
            unit = check_column(
                owner, "units", u, dtype=np.int64, length=time.size, at_least=0, at_most=n_units - 1
            )  # fmt: skip
            # A time that is a whole number of steps up to rounding belongs to that step, not to the one before.
            step = np.floor(time / dt_ms + 1e-9)
            inside = step < n_steps
            if late == "error":
                check_all(owner, "times_ms", f"must be < {n_steps * dt_ms:g}, the end of the grid", time, inside)
            keys.append(np.unique(step[inside].astype(np.int64) * n_units + unit[inside]))
        return cls._from_keys(keys, n_units, n_steps, dt_ms)

    @classmethod
    def from_dense(cls, raster: ArrayLike, *, dt_ms: float) -> Spikes:
        """From a 0/1 raster of shape `(n_samples, n_steps, n_units)`."""
        dense = np.asarray(raster)
        require(dense.ndim == 3, "Spikes.from_dense", "raster", "must have shape (samples, steps, units)", dense.shape)
        flat = dense.reshape(-1)
        check_all("Spikes.from_dense", "raster", "must be 0 or 1", flat, (flat == 0) | (flat == 1))
        sample, step, unit = np.nonzero(dense)
        ptr = np.concatenate([[0], np.cumsum(np.bincount(sample, minlength=dense.shape[0]))])
        return cls(ptr, step, unit, dense.shape[2], dense.shape[1], dt_ms)  # type: ignore[arg-type]

    @classmethod
    def empty(cls, n_samples: int, *, n_units: int, n_steps: int, dt_ms: float) -> Spikes:
        """`n_samples` samples without an event."""
        return cls._from_keys([np.zeros(0, dtype=np.int64)] * n_samples, n_units, n_steps, dt_ms)

    @classmethod
    def join(cls, parts: Sequence[Spikes]) -> Spikes:
        """All samples of `parts` in order; the grids and units must be the same."""
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
        chosen = np.arange(self.n_samples)[samples].reshape(-1)
        sizes = np.diff(self.sample_ptr)[chosen]
        ptr = np.concatenate([[0], np.cumsum(sizes)])
        events = np.repeat(self.sample_ptr[chosen] - ptr[:-1], sizes) + np.arange(ptr[-1])
        return Spikes(ptr, self.step[events], self.unit[events], *self.grid)

    def counts(self, n_bins: int = 1) -> NDArray[np.int32]:
        """Events per sample, time bin and unit, shape `(n_samples, n_bins, n_units)`, int32.

        Bin of step t is `t * n_bins // n_steps`, so bins differ by at most one step in length.
        """
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


def _check_grid(owner: str, n_units: object, n_steps: object, dt_ms: float) -> None:
    for name, value in (("n_units", n_units), ("n_steps", n_steps)):
        ok = isinstance(value, (int, np.integer)) and not isinstance(value, bool) and value >= 1
        require(ok, owner, name, "must be a whole number >= 1", value)
    require(np.isfinite(dt_ms) and dt_ms > 0, owner, "dt_ms", "must be > 0", dt_ms)
