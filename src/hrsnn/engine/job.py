"""One simulation as every engine sees it: a network, its input, where samples start, and where results go."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from hrsnn.engine.coefficients import Coefficients, filter_factor
from hrsnn.engine.record import Record, Recording, State
from hrsnn.engine.reference import Drive, Live, Trains
from hrsnn.spikes import Spikes


@dataclass(frozen=True, slots=True)
class Job:
    """`state` None: samples start from `v_init`, without currents."""

    c: Coefficients
    spikes: Spikes
    record: Record
    state: State | None
    factor: Any
    results: Results

    @classmethod
    def of(cls, c: Coefficients, spikes: Spikes, record: Record, state: State | None = None) -> Job:
        factor = filter_factor(spikes.dt_ms, record.tau_filter_ms, c.dtype)
        return cls(c, spikes, record, state, factor, Results(c, spikes, record))

    def drive(self, sample: int) -> Drive:
        events = slice(self.spikes.sample_ptr[sample], self.spikes.sample_ptr[sample + 1])
        return Drive(self.spikes.step[events], self.spikes.unit[events], self.spikes.n_steps)

    def start(self, sample: int) -> Live:
        """A fresh copy of the state the sample starts from."""
        state, row = (initial_state(self.c), 0) if self.state is None else (self.state, sample)
        return live_of(state, row, self.c)


def live_of(state: State, row: int, c: Coefficients) -> Live:
    """A fresh copy of a row of a state, in the precision of the engine."""
    rows = {f.name: getattr(state, f.name)[row] for f in fields(State)}
    dtypes = {name: np.int32 if name == "refractory" else c.dtype for name in rows}
    return Live(**{name: np.array(row, dtype=dtypes[name]) for name, row in rows.items()})


def state_shapes(n_samples: int, c: Coefficients) -> dict[str, tuple[int, ...]]:
    """The shape of every array of a `State`."""
    row, ring = (n_samples, c.n_neurons), (n_samples, c.n_pending, c.n_neurons)
    return {f.name: ring if f.name.startswith("pending") else row for f in fields(State)}


def empty_state(n_samples: int, c: Coefficients) -> State:
    shapes = state_shapes(n_samples, c)
    return State(**{n: np.zeros(s, dtype=np.int32 if n == "refractory" else c.dtype) for n, s in shapes.items()})


def copy_of(state: State) -> State:
    return State(**{f.name: np.array(getattr(state, f.name)) for f in fields(State)})


def initial_state(c: Coefficients) -> State:
    """The state of one sample before its first step."""
    state = empty_state(1, c)
    state.v[0] = c.neurons.v_init
    return state


class Results:
    """Collects what samples leave, in any order, into one `Recording`. Engines may write into the arrays."""

    def __init__(self, c: Coefficients, spikes: Spikes, record: Record) -> None:
        self._spikes, self._record = spikes, record
        n, n_samples = c.n_neurons, spikes.n_samples
        every = record.filtered_every
        nothing = np.zeros(0, dtype=np.int32)
        self.counts = np.zeros((n_samples, record.n_bins, n), dtype=np.int32)
        self.filtered = None if every is None else np.zeros((n_samples, spikes.n_steps // every, n), dtype=c.dtype)
        self.v = None if record.v is None else np.zeros((n_samples, spikes.n_steps // record.v, n), dtype=c.dtype)
        self.state = empty_state(n_samples, c) if record.state else None
        self.events = [(nothing, nothing)] * n_samples  # step and unit of every spike of a sample

    def put(self, sample: int, trains: Trains, live: Live) -> None:
        """Enter one finished sample."""
        self.counts[sample] = trains.counts
        if self.filtered is not None:
            self.filtered[sample] = trains.filtered
        if self.v is not None:
            self.v[sample] = trains.v
        if trains.step is not None and trains.unit is not None:
            self.events[sample] = (trains.step, trains.unit)
        if self.state is not None:
            for f in fields(State):
                getattr(self.state, f.name)[sample] = getattr(live, f.name)

    def recording(self) -> Recording:
        return Recording(
            counts=self.counts,
            filtered=self.filtered,
            spikes=self._joined() if self._record.spikes else None,
            state=self.state,
            v=self.v,
        )

    def _joined(self) -> Spikes:
        none = [np.zeros(0, dtype=np.int32)]  # so that no sample at all can be joined as well
        return Spikes(
            sample_ptr=np.concatenate([[0], np.cumsum([step.size for step, _ in self.events], dtype=np.int64)]),
            step=np.concatenate(none + [step for step, _ in self.events]),
            unit=np.concatenate(none + [unit for _, unit in self.events]),
            n_units=self.counts.shape[2],
            n_steps=self._spikes.n_steps,
            dt_ms=self._spikes.dt_ms,
        )
