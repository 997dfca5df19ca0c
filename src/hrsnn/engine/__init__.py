"""Simulation of a network: `simulate` without and `simulate_stdp` with plasticity, on one of two engines.

The engines give the same bits per dtype, whatever the number of threads: "reference" is the definition in NumPy, "cpu"
the compiled event-driven kernels.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from typing import Literal

import numpy as np
from numpy.typing import DTypeLike, NDArray

from hrsnn._checks import check_all, require
from hrsnn.engine import reference
from hrsnn.engine.coefficients import Coefficients, coefficients, filter_factor
from hrsnn.engine.record import Record, Recording, State
from hrsnn.engine.reference import Drive, Live, Magnitudes, Trains
from hrsnn.network import Network, SynapseTable
from hrsnn.spikes import Spikes

__all__ = ["Record", "Recording", "State", "simulate", "simulate_stdp"]

Backend = Literal["auto", "cpu", "reference"]
Progress = Callable[[int, NDArray[np.int64]], None]
_Run = Callable[[Magnitudes, Drive, Live], Trains]


def simulate(
    network: Network,
    spikes: Spikes,
    *,
    record: Record = Record(),  # noqa: B008 - frozen
    state: State | None = None,
    backend: Backend = "auto",
    dtype: DTypeLike = np.float32,
    n_threads: int = 1,
) -> Recording:
    """Run every sample of `spikes` through `network` with fixed weights; samples are independent.

    network    N neurons and n_inputs input channels
    spikes     input, `n_units == network.n_inputs`, `dt_ms == network.dt_ms`
    record     what to keep
    state      where each sample starts, one row per sample, as a run with `Record(state=True)` leaves it; None starts
               every sample from `v_init`, without currents
    backend    "cpu", "reference", or "auto": "cpu" where numba can be imported, else "reference" with a warning
    dtype      float32 or float64, of all arithmetic
    n_threads  samples are spread over this many threads; the result does not depend on it

    Returns a `Recording`. Raises `InputError` where shapes, steps of time or options do not fit.
    The equations are MATH.md 2.3, in the order listed in `hrsnn.engine.reference`.

    >>> from hrsnn.spec import NetworkSpec
    >>> from hrsnn.wiring import build
    >>> network = build(NetworkSpec(n_neurons=20, n_inputs=4), seed=0)
    >>> spikes = Spikes.from_times([[0.0, 3.2], []], [[1, 2], []], n_units=4, n_steps=50, dt_ms=1.0)
    >>> recording = simulate(network, spikes, record=Record(n_bins=5, filtered_every=25), backend="reference")
    >>> recording.counts.shape, recording.filtered.shape
    ((2, 5, 20), (2, 2, 20))
    """
    c = _checked("simulate", network, spikes, record, dtype)
    require(n_threads >= 1, "simulate", "n_threads", "must be >= 1", n_threads)
    if state is not None:
        _check_state(state, spikes.n_samples, c)
    run = _runner(c, record, network.dt_ms, _engine("simulate", backend), plastic=False)
    weights = _magnitudes(network, c)
    results = _Results(c, spikes, record)

    def run_sample(sample: int) -> None:
        live = _start(c, state, sample)
        results.put(sample, run(weights, _drive(spikes, sample), live), live)

    if n_threads == 1:
        for sample in range(spikes.n_samples):
            run_sample(sample)
    else:
        with ThreadPoolExecutor(n_threads) as pool:
            list(pool.map(run_sample, range(spikes.n_samples)))
    return results.recording()


def simulate_stdp(
    network: Network,
    spikes: Spikes,
    *,
    record: Record = Record(),  # noqa: B008 - frozen
    backend: Backend = "auto",
    dtype: DTypeLike = np.float32,
    progress: Progress | None = None,
) -> tuple[Network, Recording]:
    """Run the samples of `spikes` in order while STDP changes recurrent and input weights (MATH.md 4.2).

    Weights go from sample to sample; every sample starts from `v_init`, without currents, with empty traces. With
    `network.rule.normalise` incoming weights are scaled back to their first sums after each sample (MATH.md 4.5).

    progress   called after each sample with its index and its spike counts, shape (N,), int64; what it raises ends the
               run

    Other arguments as in `simulate`. Returns the network with the new weights and the `Recording`. Raises `InputError`
    as `simulate` does, and if a weight is beyond its `w_max`.

    >>> from hrsnn.spec import NetworkSpec
    >>> from hrsnn.wiring import build
    >>> network = build(NetworkSpec(n_neurons=20, n_inputs=4), seed=0)
    >>> spikes = Spikes.empty(3, n_units=4, n_steps=50, dt_ms=1.0)
    >>> trained, recording = simulate_stdp(network, spikes, backend="reference")
    >>> trained.n_neurons, recording.spike_counts.shape
    (20, (3, 20))
    """
    c = _checked("simulate_stdp", network, spikes, record, dtype)
    for name in ("recurrent", "inputs"):
        table: SynapseTable = getattr(network, name)
        size = np.abs(table.weight)
        check_all("simulate_stdp", f"|{name}.weight|", "must be <= w_max at the start", size, size <= table.w_max)
    run = _runner(c, record, network.dt_ms, _engine("simulate_stdp", backend), plastic=True)
    weights = _magnitudes(network, c)
    normalise = _normaliser(c, weights) if network.rule.normalise else None
    results = _Results(c, spikes, record)
    for sample in range(spikes.n_samples):
        live = _start(c, None, sample)
        trains = run(weights, _drive(spikes, sample), live)
        results.put(sample, trains, live)
        if normalise is not None:
            normalise()
        if progress is not None:
            progress(sample, trains.counts.sum(axis=0, dtype=np.int64))
    recurrent = weights[0] * network.neurons.sign[network.recurrent.pre()] + 0.0  # + 0.0 turns -0.0 into 0.0
    return network.with_weights(recurrent, inputs=weights[1]), results.recording()


# -- checks ----------------------------------------------------------------------------------------------------------


def _checked(owner: str, network: Network, spikes: Spikes, record: Record, dtype: DTypeLike) -> Coefficients:
    known = np.dtype(dtype) in (np.float32, np.float64)
    require(known, owner, "dtype", "must be float32 or float64", np.dtype(dtype).name)
    rule = f"must have as many units as the network has input channels, {network.n_inputs}"
    require(spikes.n_units == network.n_inputs, owner, "spikes", rule, f"n_units = {spikes.n_units}")
    rule = f"must have the network's step of time, dt_ms = {network.dt_ms!r}"
    remedy = "bin the events to the step of the network, or build the network for this step"
    require(spikes.dt_ms == network.dt_ms, owner, "spikes", rule, f"dt_ms = {spikes.dt_ms!r}", remedy=remedy)
    rule = f"must be <= n_steps of the spikes, {spikes.n_steps}"
    require(record.n_bins <= spikes.n_steps, owner, "record.n_bins", rule, record.n_bins)
    return coefficients(network, dtype)


def _check_state(state: State, n_samples: int, c: Coefficients) -> None:
    for name, shape in _state_shapes(n_samples, c).items():
        found = np.shape(getattr(state, name))
        require(found == shape, "simulate", f"state.{name}", f"must have shape {shape}", f"shape {found}")
    steps = np.ravel(state.refractory)
    check_all("simulate", "state.refractory", "must be >= 0", steps, steps >= 0)


def _state_shapes(n_samples: int, c: Coefficients) -> dict[str, tuple[int, ...]]:
    row, ring = (n_samples, c.n_neurons), (n_samples, c.n_pending, c.n_neurons)
    return {f.name: ring if f.name.startswith("pending") else row for f in fields(State)}


# -- engines ---------------------------------------------------------------------------------------------------------

_warned_about_numba = False


def _engine(owner: str, backend: str) -> str:
    """The engine to use, "cpu" or "reference"."""
    require(backend in ("auto", "cpu", "reference"), owner, "backend", "must be auto, cpu or reference", backend)
    if backend != "auto":
        return backend
    try:
        import numba  # noqa: F401
    except ImportError as why:
        global _warned_about_numba
        if not _warned_about_numba:
            _warned_about_numba = True
            message = f"numba cannot be imported ({why}); using the slow reference engine, which gives the same numbers"
            warnings.warn(message, RuntimeWarning, stacklevel=3)
        return "reference"
    return "cpu"


def _runner(c: Coefficients, record: Record, dt_ms: float, engine: str, *, plastic: bool) -> _Run:
    """A function that runs one sample, moving `Live` to its end and, if `plastic`, changing the magnitudes."""
    factor = filter_factor(dt_ms, record.tau_filter_ms, c.dtype)
    if engine == "reference":
        return lambda weights, drive, live: reference.run(c, weights, drive, live, record, factor, plastic)
    from hrsnn.engine import event_cpu

    bound = event_cpu.Engine(c, plastic=plastic)
    return lambda weights, drive, live: bound.run(weights, drive, live, record, factor)


def _drive(spikes: Spikes, sample: int) -> Drive:
    events = slice(spikes.sample_ptr[sample], spikes.sample_ptr[sample + 1])
    return Drive(spikes.step[events], spikes.unit[events], spikes.n_steps)


def _magnitudes(network: Network, c: Coefficients) -> Magnitudes:
    return np.abs(network.recurrent.weight).astype(c.dtype), np.abs(network.inputs.weight).astype(c.dtype)


def _start(c: Coefficients, state: State | None, sample: int) -> Live:
    """A fresh copy of the state a sample starts from."""
    if state is not None:
        rows = {f.name: getattr(state, f.name)[sample] for f in fields(State)}
    else:
        shapes = _state_shapes(1, c)
        rows = {name: np.zeros(shape[1:]) for name, shape in shapes.items()}
        rows["v"] = c.neurons.v_init
    dtypes = {name: np.int32 if name == "refractory" else c.dtype for name in rows}
    return Live(**{name: np.array(row, dtype=dtypes[name]) for name, row in rows.items()})


def _normaliser(c: Coefficients, weights: Magnitudes) -> Callable[[], None]:
    """A function that scales incoming excitatory recurrent and input magnitudes back to their sums of now, in place."""
    excitatory = np.flatnonzero(c.recurrent.sign[c.recurrent.pre()] > 0)
    parts = []
    for table, m, chosen in ((c.recurrent, weights[0], excitatory), (c.inputs, weights[1], slice(None))):
        post, w_max = table.post[chosen], table.w_max[chosen]
        parts.append((m, chosen, post, w_max, reference.incoming(m[chosen], post, c.n_neurons)))

    def normalise() -> None:
        for m, chosen, post, w_max, first in parts:
            m[chosen] = reference.normalised(m[chosen], post, first, w_max)

    return normalise


# -- results ---------------------------------------------------------------------------------------------------------


class _Results:
    """Collects what samples leave, in any order, into one `Recording`."""

    def __init__(self, c: Coefficients, spikes: Spikes, record: Record) -> None:
        self._spikes, self._record = spikes, record
        n, n_samples = c.n_neurons, spikes.n_samples
        self._counts = np.zeros((n_samples, record.n_bins, n), dtype=np.int32)
        every = record.filtered_every
        self._filtered = None if every is None else np.zeros((n_samples, spikes.n_steps // every, n), dtype=c.dtype)
        nothing = np.zeros(0, dtype=np.int32)
        self._events = [(nothing, nothing)] * n_samples
        self._state = _empty_state(n_samples, c) if record.state else None

    def put(self, sample: int, trains: Trains, live: Live) -> None:
        self._counts[sample] = trains.counts
        if self._filtered is not None:
            self._filtered[sample] = trains.filtered
        if trains.step is not None and trains.unit is not None:
            self._events[sample] = (trains.step, trains.unit)
        if self._state is not None:
            for f in fields(State):
                getattr(self._state, f.name)[sample] = getattr(live, f.name)

    def recording(self) -> Recording:
        return Recording(
            counts=self._counts,
            filtered=self._filtered,
            spikes=self._joined() if self._record.spikes else None,
            state=self._state,
        )

    def _joined(self) -> Spikes:
        sizes = [step.size for step, _ in self._events]
        none = [np.zeros(0, dtype=np.int32)]  # so that no sample at all can be joined as well
        return Spikes(
            sample_ptr=np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)]),
            step=np.concatenate(none + [step for step, _ in self._events]),
            unit=np.concatenate(none + [unit for _, unit in self._events]),
            n_units=self._counts.shape[2],
            n_steps=self._spikes.n_steps,
            dt_ms=self._spikes.dt_ms,
        )


def _empty_state(n_samples: int, c: Coefficients) -> State:
    shapes = _state_shapes(n_samples, c)
    return State(**{n: np.zeros(s, dtype=np.int32 if n == "refractory" else c.dtype) for n, s in shapes.items()})
