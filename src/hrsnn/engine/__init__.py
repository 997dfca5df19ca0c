"""Simulation of a network: `simulate` without and `simulate_stdp` with plasticity, `stream` step by step.

The engines give the same bits per dtype, whatever the number of threads: "reference" is the definition in NumPy, "cpu"
the compiled event-driven kernels, "torch" whole batches on a GPU.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from hrsnn._checks import as_array, as_text, check_all, check_column, real_number, require, whole_number
from hrsnn.engine import engines
from hrsnn.engine.coefficients import Coefficients, coefficients, filter_factor
from hrsnn.engine.engines import Backend
from hrsnn.engine.inputs import checked_current
from hrsnn.engine.job import Job, copy_of, dtype_of, initial_state, state_shapes
from hrsnn.engine.record import Record, Recording, State
from hrsnn.engine.reference import Magnitudes
from hrsnn.engine.streaming import Stream
from hrsnn.network import Network
from hrsnn.spikes import Spikes
from hrsnn.tables import LARGEST

__all__ = ["Record", "Recording", "State", "Stream", "simulate", "simulate_stdp", "stream"]

_THREADS_END = 4097  # more are a mistake, and each takes memory

Progress = Callable[[int, NDArray[np.int64]], None]


def simulate(
    network: Network,
    spikes: Spikes,
    *,
    record: Record = Record(),  # noqa: B008 - frozen
    state: State | None = None,
    current: ArrayLike | None = None,
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
    current    analogue input beside the spikes, (n_samples, n_steps, N) in the unit of `bias`, the potential that it
               would hold a neuron at; None is none
    backend    "cpu", "reference", "torch" (the whole batch at once, on a GPU where torch finds one), or "auto": "cpu"
               where numba can be imported, else "reference" with a warning
    dtype      float32 or float64, of all arithmetic
    n_threads  samples are spread over this many threads; the result does not depend on it

    Returns a `Recording`. Raises `InputError` where shapes, steps of time or options do not fit.
    The equations are method.md 2.3, in the order listed in `hrsnn.engine.reference`.

    >>> from hrsnn.spec import NetworkSpec
    >>> from hrsnn.wiring import build
    >>> network = build(NetworkSpec(n_neurons=20, n_inputs=4), seed=0)
    >>> spikes = Spikes.from_times([[0.0, 3.2], []], [[1, 2], []], n_units=4, n_steps=50, dt_ms=1.0)
    >>> recording = simulate(network, spikes, record=Record(n_bins=5, filtered_every=25), backend="reference")
    >>> recording.counts.shape, recording.filtered.shape
    ((2, 5, 20), (2, 2, 20))
    """
    c = _checked("simulate", network, spikes, record, dtype)
    n_threads = whole_number("simulate", "n_threads", n_threads, at_least=1, below=_THREADS_END)
    if state is not None:
        state = _checked_state("simulate", state, spikes.n_samples, c)
    job = Job.of(c, spikes, record, state, checked_current("simulate", current, _shape(spikes, c), c))
    engines.static("simulate", backend, job, _magnitudes(network, c), n_threads).run(range(spikes.n_samples))
    return job.results.recording()


def simulate_stdp(
    network: Network,
    spikes: Spikes,
    *,
    record: Record = Record(),  # noqa: B008 - frozen
    current: ArrayLike | None = None,
    backend: Backend = "auto",
    dtype: DTypeLike = np.float32,
    batch_size: int | None = None,
    n_threads: int = 1,
    progress: Progress | None = None,
) -> tuple[Network, Recording]:
    """Run the samples of `spikes` in order while STDP changes recurrent and input weights (method.md 4.2).

    Weights go from sample to sample; every sample starts from `v_init`, without currents, with empty traces. With
    `network.rule.normalise` incoming weights are scaled back to their first sums after each sample (method.md 4.5).

    batch_size  None: each sample changes the weights that the next one meets. A number: another algorithm, mini-batch
                STDP. Weights stay while this many samples run, each with its own traces; their changes, not clipped,
                are summed in order, then applied and clipped, then weights are normalised. Soft bounds see the weights
                at the start of the batch
    n_threads   the samples of a batch are spread over this many threads; the result does not depend on it
    progress    called after each sample with its index and its spike counts, shape (N,), int64; what it raises ends
                the run

    Other arguments as in `simulate`; "torch" needs a `batch_size`. Returns the network with the new weights and the
    `Recording`. Raises `InputError` as `simulate` does, and if a weight is beyond its `w_max`.

    >>> from hrsnn.spec import NetworkSpec
    >>> from hrsnn.wiring import build
    >>> network = build(NetworkSpec(n_neurons=20, n_inputs=4), seed=0)
    >>> spikes = Spikes.empty(3, n_units=4, n_steps=50, dt_ms=1.0)
    >>> trained, recording = simulate_stdp(network, spikes, backend="reference")
    >>> trained.n_neurons, recording.spike_counts.shape
    (20, (3, 20))
    """
    c = _checked("simulate_stdp", network, spikes, record, dtype)
    weights = _magnitudes(network, c)
    for name, m, table in zip(("recurrent", "inputs"), weights, (c.recurrent, c.inputs), strict=True):
        check_all("simulate_stdp", f"|{name}.weight|", "must be <= w_max at the start", m, m <= table.w_max)
    if batch_size is not None:
        batch_size = whole_number("simulate_stdp", "batch_size", batch_size, at_least=1)
    n_threads = whole_number("simulate_stdp", "n_threads", n_threads, at_least=1, below=_THREADS_END)
    job = Job.of(c, spikes, record, None, checked_current("simulate_stdp", current, _shape(spikes, c), c))
    tell = _teller(job, progress)
    if batch_size is None:
        plastic = engines.plastic("simulate_stdp", backend, job, weights)
        weights = _learn_one_by_one(plastic, job, network.rule.normalise, tell)
    else:
        frozen = engines.frozen("simulate_stdp", backend, job, weights, n_threads)
        weights = _learn_in_batches(frozen, weights, job, network.rule.normalise, batch_size, tell)
    recurrent, inputs = weights[0] * c.recurrent.signs(), weights[1] * c.inputs.signs()
    if network.dale:  # else the sign of a weight that has become 0 is all that tells what it was
        np.add(recurrent, 0, out=recurrent)  # turns -0.0 into 0.0
    return network.with_weights(recurrent, inputs=inputs), job.results.recording()


def stream(
    network: Network,
    *,
    state: State | None = None,
    backend: Backend = "auto",
    dtype: DTypeLike = np.float32,
    tau_filter_ms: float = 30.0,
) -> Stream:
    """A `Stream`: `network` with fixed weights, to be fed step by step. It gives what `simulate` gives for one sample.

    network        N neurons and n_inputs input channels
    state          where it starts, one sample; None starts from `v_init`, without currents
    backend        "cpu", "reference", or "auto", as in `simulate`; "cpu" compiles here, not at the first step
    dtype          float32 or float64, of all arithmetic
    tau_filter_ms  time constant of the filtered spike trains, as in `Record`

    Raises `InputError` where options or shapes do not fit.

    >>> from hrsnn.spec import NetworkSpec
    >>> from hrsnn.wiring import build
    >>> network = build(NetworkSpec(n_neurons=20, n_inputs=4), seed=0)
    >>> live = stream(network, backend="reference")
    >>> fired = live.step([2, 0])
    >>> onward = stream(network, state=live.state, backend="reference")
    """
    _check_dtype("stream", dtype)
    tau_filter_ms = real_number("stream", "tau_filter_ms", tau_filter_ms, above=0)
    c = coefficients(network, dtype)
    if state is not None:
        state = _checked_state("stream", state, 1, c)
    start = initial_state(c) if state is None else copy_of(state)
    factor = filter_factor(network.dt_ms, tau_filter_ms, c.dtype)
    return Stream(engines.stepper("stream", backend, c, _magnitudes(network, c), factor, start), c, start.outputs)


def _learn_one_by_one(
    engine: engines.Plastic, job: Job, normalises: bool, tell: Callable[[int], None]
) -> Magnitudes:  # fmt: skip
    normalise = engine.normaliser() if normalises else None
    for sample in range(job.spikes.n_samples):
        engine.run(range(sample, sample + 1))
        if normalise is not None:
            normalise()
        tell(sample)
    return engine.magnitudes


def _learn_in_batches(
    engine: engines.Frozen,
    weights: Magnitudes,
    job: Job,
    normalises: bool,
    batch_size: int,
    tell: Callable[[int], None],
) -> Magnitudes:
    normalise = engines.normaliser(job.c, weights) if normalises else None
    for first in range(0, job.spikes.n_samples, batch_size):
        samples = range(first, min(first + batch_size, job.spikes.n_samples))
        totals = np.zeros_like(weights[0]), np.zeros_like(weights[1])
        for sample, changes in zip(samples, engine.changes(weights, samples), strict=True):
            for total, change in zip(totals, changes, strict=True):
                total += change
            tell(sample)
        for m, total, table in zip(weights, totals, (job.c.recurrent, job.c.inputs), strict=True):
            np.clip(m + total, 0, table.w_max, out=m)
        if normalise is not None:
            normalise()
    return weights


def _teller(job: Job, progress: Progress | None) -> Callable[[int], None]:
    """Calls `progress` with the spike counts of a finished sample."""
    if progress is None:
        return lambda sample: None
    require(callable(progress), "simulate_stdp", "progress", "must be a function", progress)
    return lambda sample: progress(sample, job.results.counts[sample].sum(axis=0, dtype=np.int64))


# -- checks ----------------------------------------------------------------------------------------------------------


def _checked(owner: str, network: Network, spikes: Spikes, record: Record, dtype: DTypeLike) -> Coefficients:
    _check_dtype(owner, dtype)
    for name, value, kind in (("network", network, Network), ("spikes", spikes, Spikes), ("record", record, Record)):
        require(isinstance(value, kind), owner, name, f"must be a {kind.__name__}", type(value).__name__)
    rule = f"must have as many units as the network has input channels, {network.n_inputs}"
    require(spikes.n_units == network.n_inputs, owner, "spikes", rule, f"n_units = {spikes.n_units}")
    rule = f"must have the network's step of time, dt_ms = {network.dt_ms!r}"
    remedy = "bin the events to the step of the network, or build the network for this step"
    require(spikes.dt_ms == network.dt_ms, owner, "spikes", rule, f"dt_ms = {spikes.dt_ms!r}", remedy=remedy)
    remedy = "make the network with outputs, or leave it out"
    has = record.outputs is None or network.outputs is not None
    require(has, owner, "record.outputs", "must be None for a network without", record.outputs, remedy=remedy)
    rule = f"must be <= n_steps of the spikes, {spikes.n_steps}"
    require(record.n_bins <= spikes.n_steps, owner, "record.n_bins", rule, record.n_bins)
    return coefficients(network, dtype)


def _check_dtype(owner: str, dtype: DTypeLike) -> None:
    try:
        name = np.dtype(dtype).name
    except (TypeError, ValueError, RecursionError):  # not a name of a type, or a type of torch's own
        name = as_text(dtype)
    require(name in ("float32", "float64"), owner, "dtype", "must be float32 or float64", name)


def _checked_state(owner: str, state: State, n_samples: int, c: Coefficients) -> State:
    """`state` in the types of the engine. A number that does not fit them is told, infinity and NaN among them."""
    require(isinstance(state, State), owner, "state", "must be a State", type(state).__name__)
    columns = {}
    shapes, has = state_shapes(n_samples, c), state.columns()
    for name in sorted(shapes.keys() ^ has.keys()):
        rule = (
            "must be there for this network" if name in shapes else "must be absent, as the network has no use for it"
        )
        require(False, owner, f"state.{name}", rule, "none" if name in shapes else "an array")
    for name, shape in shapes.items():
        given = as_array(owner, f"state.{name}", getattr(state, name))
        require(given.shape == shape, owner, f"state.{name}", f"must have shape {shape}", f"shape {given.shape}")
        limits: dict[str, Any] = {"dtype": c.dtype.type, "at_least": -LARGEST, "at_most": LARGEST}
        if dtype_of(name, c) == np.int32:
            limits = {"dtype": np.int32, "at_least": 0}
        # A copy, which can be written to like every other state: kernels are compiled for one kind of array.
        columns[name] = check_column(owner, f"state.{name}", given.reshape(-1), **limits).reshape(shape).copy()
    return State(**columns)


def _shape(spikes: Spikes, c: Coefficients) -> tuple[int, int, int]:
    """Of analogue input."""
    return spikes.n_samples, spikes.n_steps, c.n_neurons


def _magnitudes(network: Network, c: Coefficients) -> Magnitudes:
    return np.abs(network.recurrent.weight, dtype=c.dtype), np.abs(network.inputs.weight, dtype=c.dtype)
