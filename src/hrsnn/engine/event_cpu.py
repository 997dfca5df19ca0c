"""The fast engine: event-driven kernels compiled by numba, bit for bit equal to `reference`.

Neurons are advanced in blocks that the compiler turns into vector instructions; synapses are touched only when a unit
spikes. Nothing is allocated in the loop over time. No fast-math, no fused multiply-add: the operations and their order
are those of the reference.

Specialisation. What would cost time in inner loops and is not needed is passed as None (inhibitory currents in delta
mode, delays, plasticity), and numba leaves branches on None out when it compiles. Each combination is compiled when it
is first used and gets a cache file of its own (see `_first_call`).

Numba's disk cache looks at this file only, so everything that is inlined into the kernels stands here.
"""

from __future__ import annotations

import math
import threading
import types as python_types
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numba
import numpy as np
from numba import types
from numba.extending import overload
from numpy.typing import NDArray

from hrsnn.engine.coefficients import Coefficients, Floats, SynapseCoefficients
from hrsnn.engine.record import Record
from hrsnn.engine.reference import Drive, Live, Magnitudes, Trains

_BLOCK = 64  # neurons per block: one cheap test per block finds out whether any of them spiked
_LOG_CHUNK = 1 << 16  # spikes logged between two returns to Python

_jit = numba.njit(nogil=True, error_model="numpy")


# -- what the kernels are given --------------------------------------------------------------------------------------


class _Neurons(NamedTuple):
    alpha: Any
    v_rest: Any
    drive: Any
    v_th: Any
    v_reset: Any
    n_ref: Any
    k_exc: Any
    k_inh: Any
    beta_exc: Any
    beta_inh: Any


class _State(NamedTuple):
    """`exc` and `inh` are flat: the current (N), then the ring of arrivals under way (n_pending * N). Delta: inh None.

    With delays, `offset[d]` is where in `exc` an arrival of delay d belongs at the present step; else it is None.
    """

    v: Any
    exc: Any
    inh: Any
    refractory: Any
    offset: Any


class _Synapses(NamedTuple):
    """`weight` holds magnitudes, `sign` (n_pre) +1.0 or -1.0 by presynaptic unit; `delay` is None when all
    delays of the network are one step."""

    ptr: Any
    post: Any
    weight: Any
    sign: Any
    delay: Any


class _Traces(NamedTuple):
    """Decay rates of the traces, and the traces right after the last spikes.

    Per synapse: everything has length n_synapses; x_now and y_now are None. Per neuron (all rates of a table equal):
    rates are numbers, x is per presynaptic and y per postsynaptic unit; x_now and y_now are scratch of those lengths.
    """

    rate_plus: Any
    rate_minus: Any
    x: Any
    y: Any
    x_now: Any
    y_now: Any


class _Plastic(NamedTuple):
    """Plasticity of one table, with traces either per synapse or per neuron; the other is None.

    Index by target: column j is `column[j]:column[j + 1]` of `synapse` and of `source`, the presynaptic units.
    """

    a_plus: Any
    a_minus: Any
    w_max: Any
    per_synapse: Any
    per_neuron: Any
    column: Any
    synapse: Any
    source: Any


class _Rule(NamedTuple):
    """`keep` is 1 when a spike adds to a trace, 0 when it replaces it; `soft_bound` is 0 without soft bounds."""

    keep: Any
    soft_bound: Any
    zero: Any
    one: Any
    lowest: Any
    polynomial: Any


class _Learning(NamedTuple):
    """`last_*` hold the step of the last spike of a unit, `is_*` mark the units active in the present step."""

    recurrent: _Plastic
    inputs: _Plastic
    last_neuron: Any
    last_input: Any
    is_neuron: Any
    is_input: Any
    rule: _Rule


class _Units(NamedTuple):
    """Units on one side of a table: which spike in the present step, as a list and as marks, and their last step."""

    active: Any
    is_active: Any
    last: Any


# -- neurons ---------------------------------------------------------------------------------------------------------


@_jit
def _advance_block(n: Any, v: Any, exc: Any, inh: Any, refractory: Any, begin: int, end: int) -> Any:
    """Advance neurons begin..end up to the threshold test; true if any of them spikes.

    Written so that it becomes vector code: unsigned indices (no test for indices from the end), loads that do not hang
    on a condition, 32-bit counting, and three loops, as the compiler proves only a few arrays distinct per loop.
    """
    block = range(np.uint64(begin), np.uint64(end))
    if inh is None:
        for j in block:
            v[j] = n.v_rest[j] + n.alpha[j] * (v[j] - n.v_rest[j]) + exc[j] + n.drive[j]
        for j in block:
            exc[j] = 0
    else:
        for j in block:
            held = n.v_rest[j] + n.alpha[j] * (v[j] - n.v_rest[j])
            v[j] = held + n.k_exc[j] * exc[j] + n.k_inh[j] * inh[j] + n.drive[j]
        for j in block:
            exc[j] = n.beta_exc[j] * exc[j]
            inh[j] = n.beta_inh[j] * inh[j]
    n_fired = np.int32(0)
    for j in block:
        clamped, free, reset = refractory[j], v[j], n.v_reset[j]
        vp = reset if clamped > 0 else free
        v[j] = vp
        refractory[j] = clamped - (clamped > 0)
        n_fired += np.int32((vp >= n.v_th[j]) & (clamped <= 1))
    return n_fired > 0


@_jit
def _advance(n: Any, s: Any, fired: Any) -> int:
    """Advance all neurons by one step; the spiking ones are the first `return value` entries of `fired`, ascending."""
    n_neurons = s.v.size
    n_fired = 0
    for begin in range(0, n_neurons, _BLOCK):
        end = min(begin + _BLOCK, n_neurons)
        if _advance_block(n, s.v, s.exc, s.inh, s.refractory, begin, end):
            for j in range(begin, end):
                if s.v[j] >= n.v_th[j] and s.refractory[j] == 0:
                    s.v[j] = n.v_reset[j]
                    s.refractory[j] = n.n_ref[j]
                    fired[n_fired] = j
                    n_fired += 1
    return n_fired


# -- arrivals --------------------------------------------------------------------------------------------------------


@_jit
def _turn_ring(offset: Any, t: int, n_neurons: int) -> None:
    """Point `offset` at the slots of step t; delay d joins at the end of step t + d - 1, delay 1 at once."""
    if offset is not None:
        n_pending = offset.size - 2
        offset[1] = 0
        for d in range(2, offset.size):
            offset[d] = (1 + (t + d - 1) % n_pending) * n_neurons


@_jit
def _join(current: Any, offset: Any, n_neurons: int) -> None:
    """Add the slot of this step to the current and empty it. It is the slot that the longest delay will fill anew."""
    if current is not None and offset is not None:
        slot = np.uint32(offset[offset.size - 1])
        for j in range(np.uint32(n_neurons)):
            current[j] += current[slot + j]
            current[slot + j] = 0


@_jit
def _deliver_row(current: Any, ptr: Any, post: Any, weight: Any, delay: Any, offset: Any, unit: int, sign: Any) -> None:
    for k in range(np.uint32(ptr[unit]), np.uint32(ptr[unit + 1])):
        if delay is None:
            current[np.uint32(post[k])] += sign * weight[k]
        else:
            current[np.uint32(offset[delay[k]] + post[k])] += sign * weight[k]


@_jit
def _deliver(y: Any, exc: Any, inh: Any, offset: Any, units: Any) -> None:
    """Deliver the spikes of `units` one after the other."""
    for unit in units:
        sign = y.sign[unit]
        if inh is None:
            _deliver_row(exc, y.ptr, y.post, y.weight, y.delay, offset, unit, sign)
        else:
            target = exc if sign > 0 else inh
            _deliver_row(target, y.ptr, y.post, y.weight, y.delay, offset, unit, sign)


# -- plasticity ------------------------------------------------------------------------------------------------------


def _power_of_two(exponent: Any) -> Any:
    """2**exponent for a whole `exponent` in floating point, made from its bits; compiled code only."""
    raise TypeError("runs in compiled code only")


@overload(_power_of_two, jit_options={"error_model": "numpy"})
def _compile_power_of_two(exponent: Any) -> Callable[[Any], Any]:
    def single(exponent: Any) -> Any:
        return np.int32((np.int32(exponent) + 127) << 23).view(np.float32)

    def double(exponent: Any) -> Any:
        return np.int64((np.int64(np.int32(exponent)) + 1023) << 52).view(np.float64)

    return single if exponent == types.float32 else double


@_jit
def _decay(n_steps: Any, rate: Any, rule: Any) -> Any:
    """2**(-n_steps rate); the same operations as `reference.decay`."""
    z = max(-(type(rate)(n_steps) * rate), rule.lowest)
    whole = np.floor(z)
    fraction = z - whole
    value = rule.polynomial[-1]
    for i in range(len(rule.polynomial) - 1):
        value = value * fraction + rule.polynomial[len(rule.polynomial) - 2 - i]
    return value * _power_of_two(whole)


@_jit
def _bounded(m: Any, up: Any, down: Any, w_max: Any, soft_bound: Any, rule: Any) -> Any:
    """The magnitude m after potentiation `up` and depression `down`."""
    if soft_bound > 0:
        share = m / w_max if w_max > 0 else rule.zero
        if soft_bound == 1:
            up = up * (rule.one - share)
            down = down * share
        else:
            up = up * type(m)(math.pow(rule.one - share, soft_bound))
            down = down * type(m)(math.pow(share, soft_bound))
    return min(max(m + (up - down), rule.zero), w_max)


@_jit
def _learn_per_synapse(y: Any, p: Any, r: Any, pre: Any, post: Any, rule: Any, t: Any) -> None:
    for i in pre.active:
        since = t - pre.last[i]
        for k in range(np.uint32(y.ptr[i]), np.uint32(y.ptr[i + 1])):
            j = np.uint32(y.post[k])
            x_now = r.x[k] * _decay(since, r.rate_plus[k], rule)
            y_now = r.y[k] * _decay(t - post.last[j], r.rate_minus[k], rule)
            up = p.a_plus[k] * x_now if post.is_active[j] else rule.zero
            y.weight[k] = _bounded(y.weight[k], up, p.a_minus[k] * y_now, p.w_max[k], rule.soft_bound, rule)
            r.x[k] = rule.keep * x_now + rule.one
    for j in post.active:
        since = t - post.last[j]
        for c in range(np.uint32(p.column[j]), np.uint32(p.column[j + 1])):
            s = np.uint32(p.synapse[c])
            source = np.uint32(p.source[c])
            if not pre.is_active[source]:  # where both spiked, the row above has seen to the weight
                up = p.a_plus[s] * (r.x[s] * _decay(t - pre.last[source], r.rate_plus[s], rule))
                y.weight[s] = _bounded(y.weight[s], up, rule.zero, p.w_max[s], rule.soft_bound, rule)
            r.y[s] = rule.keep * (r.y[s] * _decay(since, r.rate_minus[s], rule)) + rule.one


@_jit
def _learn_per_neuron(y: Any, p: Any, r: Any, pre: Any, post: Any, rule: Any, t: Any) -> None:
    """The same numbers as `_learn_per_synapse`, with the traces that are equal kept and computed once."""
    _traces_now(r.x_now, r.x, pre.last, r.rate_plus, rule, t)
    _traces_now(r.y_now, r.y, post.last, r.rate_minus, rule, t)
    for i in pre.active:
        for k in range(np.uint32(y.ptr[i]), np.uint32(y.ptr[i + 1])):
            j = np.uint32(y.post[k])
            up = p.a_plus[k] * r.x_now[i] if post.is_active[j] else rule.zero
            y.weight[k] = _bounded(y.weight[k], up, p.a_minus[k] * r.y_now[j], p.w_max[k], rule.soft_bound, rule)
        r.x[i] = rule.keep * r.x_now[i] + rule.one
    for j in post.active:
        for c in range(np.uint32(p.column[j]), np.uint32(p.column[j + 1])):
            s = np.uint32(p.synapse[c])
            source = np.uint32(p.source[c])
            if not pre.is_active[source]:
                up = p.a_plus[s] * r.x_now[source]
                y.weight[s] = _bounded(y.weight[s], up, rule.zero, p.w_max[s], rule.soft_bound, rule)
        r.y[j] = rule.keep * r.y_now[j] + rule.one


@_jit
def _traces_now(now: Any, trace: Any, last: Any, rate: Any, rule: Any, t: int) -> None:
    for i in range(trace.size):
        now[i] = trace[i] * _decay(t - last[i], rate, rule)


@_jit
def _learn_table(
    y: Any, p: Any, per_synapse: Any, per_neuron: Any, pre: Any, post: Any, rule: Any, t: int
) -> None:  # fmt: skip
    if per_synapse is not None:
        _learn_per_synapse(y, p, per_synapse, pre, post, rule, t)
    if per_neuron is not None:
        _learn_per_neuron(y, p, per_neuron, pre, post, rule, t)


@_jit
def _learn(recurrent: Any, inputs: Any, q: Any, fired: Any, given: Any, t: int) -> None:
    """Change the weights of both tables after a step in which the neurons `fired` and the channels `given` spiked."""
    if fired.size == 0 and given.size == 0:
        return
    for j in fired:
        q.is_neuron[j] = True
    for i in given:
        q.is_input[i] = True
    neurons = _Units(fired, q.is_neuron, q.last_neuron)
    channels = _Units(given, q.is_input, q.last_input)
    a, b = q.recurrent, q.inputs
    _learn_table(recurrent, a, a.per_synapse, a.per_neuron, neurons, neurons, q.rule, t)
    _learn_table(inputs, b, b.per_synapse, b.per_neuron, channels, neurons, q.rule, t)
    for j in fired:
        q.is_neuron[j] = False
        q.last_neuron[j] = t
    for i in given:
        q.is_input[i] = False
        q.last_input[i] = t


# -- record ----------------------------------------------------------------------------------------------------------


@_jit
def _filter(trains: Any, factor: Any, windows: Any, every: int, fired: Any, t: int) -> None:
    for j in range(trains.size):
        trains[j] = factor * trains[j]
    for j in fired:
        trains[j] += type(factor)(1)
    if (t + 1) % every == 0:
        windows[(t + 1) // every - 1] = trains


# -- time ------------------------------------------------------------------------------------------------------------


def _run(
    neurons: Any, state: Any, recurrent: Any, inputs: Any, learning: Any,
    event_step: Any, event_unit: Any, n_steps: int, t: int, event: int,
    counts: Any, trains: Any, factor: Any, windows: Any, every: int, logs: bool, log_step: Any, log_unit: Any,
) -> tuple[int, int, int]:  # fmt: skip
    """Run from step `t`, input event `event`, to the last step, or until the log of spikes might overflow.

    `trains` is empty when nothing is to be filtered. Returns the step and event to go on from, and the number of logged
    spikes.
    """
    n_neurons = state.v.size
    fired_buffer = np.empty(n_neurons, np.int32)
    n_logged = 0
    while t < n_steps:
        if logs and n_logged + n_neurons > log_step.size:
            break
        fired = fired_buffer[: _advance(neurons, state, fired_buffer)]
        first = event
        while event < event_step.size and event_step[event] == t:
            event += 1
        given = event_unit[first:event]
        _turn_ring(state.offset, t, n_neurons)
        _join(state.exc, state.offset, n_neurons)
        _join(state.inh, state.offset, n_neurons)
        _deliver(recurrent, state.exc, state.inh, state.offset, fired)
        _deliver(inputs, state.exc, state.inh, state.offset, given)
        window = t * counts.shape[0] // n_steps
        for j in fired:
            counts[window, j] += 1
        if trains.size > 0:
            _filter(trains, factor, windows, every, fired, t)
        if logs:
            for j in fired:
                log_step[n_logged] = t
                log_unit[n_logged] = j
                n_logged += 1
        if learning is not None:
            _learn(recurrent, inputs, learning, fired, given, t)
        t += 1
    return t, event, n_logged


# -- from Python -----------------------------------------------------------------------------------------------------


class Engine:
    """The reference's `run`, bound to one network: what does not change from sample to sample is put in order once.

    A run with plasticity keeps scratch here, so one `Engine` with `plastic=True` serves one thread at a time.
    """

    def __init__(self, c: Coefficients, *, plastic: bool) -> None:
        self._c = c
        n = c.neurons
        exp = c.synapse == "exp"
        self._neurons = _Neurons(
            n.alpha, n.v_rest, n.drive, n.v_th, n.v_reset, n.n_ref,
            *((n.k_exc, n.k_inh, n.beta_exc, n.beta_inh) if exp else (None, None, None, None)),
        )  # fmt: skip
        self._columns = tuple(_by_target(table, c.n_neurons) for table in (c.recurrent, c.inputs)) if plastic else None

    def run(self, magnitudes: Magnitudes, drive: Drive, live: Live, record: Record, factor: Any) -> Trains:
        """Simulate one sample from `live`, which is moved to its end; with plasticity `magnitudes` change in place."""
        c = self._c
        every = record.filtered_every or drive.n_steps + 1
        filters = record.filtered_every is not None or record.state
        windows = np.empty((drive.n_steps // every, c.n_neurons), dtype=c.dtype)
        counts = np.zeros((record.n_bins, c.n_neurons), dtype=np.int32)
        log = _Log(max(_LOG_CHUNK, c.n_neurons) if record.spikes else 0)
        state = _flat(c, live)
        tables = [_synapses(c, table, m) for table, m in zip((c.recurrent, c.inputs), magnitudes, strict=True)]
        learning = None if self._columns is None else _learning(c, self._columns)
        t = event = 0
        while t < drive.n_steps:
            t, event, n_logged = _call(
                self._neurons, state, *tables, learning,
                drive.step, drive.unit, drive.n_steps, t, event,
                counts, live.filtered if filters else live.filtered[:0], factor, windows, every,
                record.spikes, log.step, log.unit,
            )  # fmt: skip
            log.flush(n_logged)
        _unflatten(c, state, live, drive.n_steps)
        step, unit = log.events() if record.spikes else (None, None)
        return Trains(counts=counts, filtered=windows if record.filtered_every else None, step=step, unit=unit)


class _Log:
    """A buffer for spikes that a kernel fills, and what has been taken out of it."""

    def __init__(self, size: int) -> None:
        self.step = np.empty(size, dtype=np.int32)
        self.unit = np.empty(size, dtype=np.int32)
        self._taken: list[NDArray[np.int32]] = []

    def flush(self, n: int) -> None:
        self._taken.append(np.stack([self.step[:n], self.unit[:n]]))

    def events(self) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        step, unit = np.concatenate(self._taken, axis=1)
        return step, unit


def _synapses(c: Coefficients, table: SynapseCoefficients, m: Floats) -> _Synapses:
    delay = table.delay if c.n_pending else None
    return _Synapses(table.ptr, table.post, m, table.sign.astype(m.dtype), delay)


def _flat(c: Coefficients, live: Live) -> _State:
    def joined(current: Floats, pending: Floats) -> Floats:
        return np.concatenate([current, pending.reshape(-1)])

    exc = joined(live.current_exc, live.pending_exc)
    inh = joined(live.current_inh, live.pending_inh) if c.synapse == "exp" else None
    offset = np.zeros(c.n_pending + 2, dtype=np.int32) if c.n_pending else None
    return _State(live.v, exc, inh, live.refractory, offset)


def _unflatten(c: Coefficients, state: _State, live: Live, n_steps: int) -> None:
    """Back from `_flat`; the ring is put in the order of coming steps."""
    for flat, current, pending in (
        (state.exc, live.current_exc, live.pending_exc),
        (state.inh, live.current_inh, live.pending_inh),
    ):
        if flat is None:
            continue
        current[:] = flat[: c.n_neurons]
        if c.n_pending:
            pending[:] = np.roll(flat[c.n_neurons :].reshape(pending.shape), -(n_steps % c.n_pending), axis=0)


def _by_target(table: SynapseCoefficients, n_neurons: int) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Index of a table by postsynaptic neuron: where columns begin, and synapse and presynaptic unit along them."""
    synapse = np.argsort(table.post, kind="stable").astype(np.int32)
    column = np.concatenate([[0], np.cumsum(np.bincount(table.post, minlength=n_neurons))]).astype(np.int64)
    return column, synapse, table.pre()[synapse]


def _learning(c: Coefficients, columns: tuple[Any, ...]) -> _Learning:
    """Empty traces and the rule."""
    recurrent, inputs = (
        _plastic(c, table, index) for table, index in zip((c.recurrent, c.inputs), columns, strict=True)
    )  # fmt: skip
    number = c.dtype.type
    return _Learning(
        recurrent=recurrent,
        inputs=inputs,
        last_neuron=np.zeros(c.n_neurons, dtype=np.int32),
        last_input=np.zeros(c.inputs.n_pre, dtype=np.int32),
        is_neuron=np.zeros(c.n_neurons, dtype=np.bool_),
        is_input=np.zeros(c.inputs.n_pre, dtype=np.bool_),
        rule=_Rule(
            keep=number(not c.nearest),
            soft_bound=c.soft_bound,
            zero=number(0),
            one=number(1),
            lowest=c.exp2.lowest,
            polynomial=c.exp2.polynomial,
        ),
    )


def _plastic(c: Coefficients, table: SynapseCoefficients, index: tuple[Any, Any, Any]) -> _Plastic:
    def zeros(n: int) -> Floats:
        return np.zeros(n, dtype=c.dtype)

    traces: tuple[_Traces | None, _Traces | None]
    if per_neuron(table):
        plus, minus = (rate[0] if rate.size else c.dtype.type(1) for rate in (table.rate_plus, table.rate_minus))
        n_pre, n_post = table.n_pre, c.n_neurons
        traces = (None, _Traces(plus, minus, zeros(n_pre), zeros(n_post), zeros(n_pre), zeros(n_post)))
    else:
        n = len(table)
        traces = (_Traces(table.rate_plus, table.rate_minus, zeros(n), zeros(n), None, None), None)
    per_synapse, per_unit = traces
    return _Plastic(table.a_plus, table.a_minus, table.w_max, per_synapse, per_unit, *index)


def per_neuron(table: SynapseCoefficients) -> bool:
    """Whether all synapses of a table share their trace time constants, so that traces can be kept per neuron."""
    return all(rate.size == 0 or bool((rate == rate[0]).all()) for rate in (table.rate_plus, table.rate_minus))


# -- compiled on demand ----------------------------------------------------------------------------------------------

_kernels: dict[str, Callable[..., tuple[int, int, int]]] = {}
_kernels_lock = threading.Lock()


def _call(*args: Any) -> tuple[int, int, int]:
    """Call `_run` compiled for what is and what is not None in `args`."""
    key = f"{args[0].alpha.dtype.char}_{_pattern(args)}"
    kernel = _kernels.get(key)
    if kernel is not None:
        return kernel(*args)
    with _kernels_lock:
        if key in _kernels:
            return _kernels[key](*args)
        kernel, result = _first_call(f"_run_{key}", args)
        _kernels[key] = kernel
        return result


def _pattern(value: Any) -> str:
    """One letter per leaf of nested tuples: 0 for None, 1 for arrays, 2 for numbers."""
    if isinstance(value, tuple):
        return "".join(map(_pattern, value))
    return "0" if value is None else "1" if isinstance(value, np.ndarray) else "2"


def _first_call(name: str, args: tuple[Any, ...]) -> tuple[Callable[..., tuple[int, int, int]], tuple[int, int, int]]:
    """Compile `_run` under a name of its own, cached on disk if that works, and call it.

    A name, and with it a cache file, per specialisation: numba lets two processes that store two specialisations of one
    function at the same time overwrite each other's code. Reading or writing the cache comes before the kernel runs, so
    when it fails for whatever reason nothing has changed yet and the call can be made again without a cache.
    """
    function = python_types.FunctionType(_run.__code__, globals(), name)
    function.__qualname__ = name
    try:
        cached = numba.njit(nogil=True, error_model="numpy", cache=True)(function)
        return cached, cached(*args)
    except numba.core.errors.NumbaError:  # the kernel itself is at fault
        raise
    except Exception as trouble:
        plain = numba.njit(nogil=True, error_model="numpy")(function)
        result = plain(*args)
        warnings.warn(
            f"numba's cache cannot be used ({trouble}); compiled code is not kept, so each process compiles it anew. "
            "Set NUMBA_CACHE_DIR to a directory that can be written",
            RuntimeWarning,
            stacklevel=2,
        )
        return plain, result
