"""One simulation as every engine sees it: a network, its input, where samples start, and where results go."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from hrsnn.engine.coefficients import Coefficients, Floats, filter_factor
from hrsnn.engine.record import Record, Recording, State
from hrsnn.engine.reference import Drive, Live, Trains
from hrsnn.spikes import Spikes


@dataclass(frozen=True, slots=True)
class Job:
    """`state` None: start from `v_init`, without currents. `current`: (n_samples, n_steps, N), analogue input."""

    c: Coefficients
    spikes: Spikes
    record: Record
    state: State | None
    factor: Any
    results: Results
    current: Floats | None = None

    @classmethod
    def of(
        cls, c: Coefficients, spikes: Spikes, record: Record, state: State | None = None, current: Floats | None = None
    ) -> Job:
        factor = filter_factor(spikes.dt_ms, record.tau_filter_ms, c.dtype)
        start = None if state is None else state.outputs
        results = Results(c, spikes, record, start)
        return cls(c, spikes, replace(record, spikes=results.needs_spikes), state, factor, results, current)

    def drive(self, sample: int) -> Drive:
        events = slice(self.spikes.sample_ptr[sample], self.spikes.sample_ptr[sample + 1])
        current = None if self.current is None else self.current[sample]
        return Drive(self.spikes.step[events], self.spikes.unit[events], self.spikes.n_steps, current)

    def start(self, sample: int) -> Live:
        """A fresh copy of the state the sample starts from."""
        state, row = (initial_state(self.c), 0) if self.state is None else (self.state, sample)
        return live_of(state, row, self.c)


def live_of(state: State, row: int, c: Coefficients) -> Live:
    """A fresh copy of a row of a state, in the precision of the engine."""
    return Live(**{name: np.array(column[row], dtype=dtype_of(name, c)) for name, column in state.columns().items()})


def dtype_of(name: str, c: Coefficients) -> np.dtype[Any]:
    """The type of an array of a `State`: steps are counted, all else is in the precision of the engine."""
    return np.dtype(np.int32) if name == "refractory" or name.endswith("since") else c.dtype


def state_shapes(n_samples: int, c: Coefficients) -> dict[str, tuple[int, ...]]:
    """The shape of every array of a `State`; what a network has no use for is not there."""
    row, ring = (n_samples, c.n_neurons), (n_samples, c.n_pending, c.n_neurons)
    shapes: dict[str, tuple[int, ...]] = dict.fromkeys(("v", "current_exc", "current_inh", "refractory"), row)
    shapes |= {"pending_exc": ring, "pending_inh": ring, "filtered": row}
    if c.neurons.adapt is not None:
        shapes["adaptation"] = row
    if c.outputs is not None:
        shapes["outputs"] = n_samples, c.outputs.alpha.size
    for name, table in (("recurrent", c.recurrent), ("inputs", c.inputs)):
        if table.short_term is not None:
            of_synapses, of_units = (n_samples, len(table)), (n_samples, table.n_pre)
            shapes |= {f"{name}_u": of_synapses, f"{name}_r": of_synapses, f"{name}_since": of_units}
    return shapes


def empty_state(n_samples: int, c: Coefficients) -> State:
    return State(**{n: np.zeros(s, dtype=dtype_of(n, c)) for n, s in state_shapes(n_samples, c).items()})


def copy_of(state: State) -> State:
    return State(**{name: np.array(column) for name, column in state.columns().items()})


def initial_state(c: Coefficients) -> State:
    """The state of one sample before its first step."""
    state = empty_state(1, c)
    state.v[0] = c.neurons.v_init
    for available in (state.recurrent_r, state.inputs_r):
        if available is not None:
            available[:] = 1
    return state


class Results:
    """Collects what samples leave, in any order, into one `Recording`. Engines may write into the arrays."""

    def __init__(self, c: Coefficients, spikes: Spikes, record: Record, outputs: Floats | None = None) -> None:
        """`outputs`: potentials of output units at the start of each sample; None: 0."""
        self._c, self._spikes, self._record, self._outputs = c, spikes, record, outputs
        reads = c.outputs is not None and (record.state or record.outputs is not None)
        self.needs_spikes = record.spikes or reads
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
            for name, column in self.state.columns().items():
                column[sample] = getattr(live, name)

    def recording(self) -> Recording:
        outputs = self._read()
        return Recording(
            counts=self.counts,
            filtered=self.filtered,
            spikes=self._joined() if self._record.spikes else None,
            state=self.state,
            v=self.v,
            outputs=outputs,
        )

    def _read(self) -> Floats | None:
        """The potentials of the output units, from the spikes."""
        read, every = self._c.outputs, self._record.outputs
        if read is None or not (self._record.state or every is not None):
            return None
        kept = []
        for sample, (step, unit) in enumerate(self.events):
            y = np.zeros_like(read.alpha) if self._outputs is None else self._outputs[sample].copy()
            kept.append(read.run(y, step, unit, self._spikes.n_steps, every or self._spikes.n_steps))
            if self.state is not None and self.state.outputs is not None:
                self.state.outputs[sample] = y
        if every is None:
            return None
        return np.array(kept, self._c.dtype).reshape(len(kept), self._spikes.n_steps // every, read.alpha.size)

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
