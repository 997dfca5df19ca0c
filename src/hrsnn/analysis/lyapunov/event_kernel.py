"""The network in continuous time, compiled: exact flow from event to event, and what each event does to perturbations.

Symbols: j a neuron, s a time since its clock, t the present, k perturbations that are carried along. With R = 1,

    tau_mem v' = drift - v + exc + inh,    exc' = -exc / tau_exc,    inh' = -inh / tau_inh,    drift = v_rest + bias,

so v(s) = drift + (v - drift) exp(-s/tau_mem) + exc gain(s, tau_mem, tau_exc) + inh gain(s, tau_mem, tau_inh). Every
neuron has a clock of its own and is brought up to date only when something happens to it.

Perturbations, of which there may be none, are the columns of `tangent` (n_rows, k); row r belongs to neuron r modulo N.
First come the potentials, with exponential synapses then exc and inh; the row of the potential of a neuron that is held
at its reset holds the shift of the time at which it fired. Then come the spikes on their way ("flights"), which are
shifts of time as well. Shifts are in units of the membrane time constant of the neuron that fired.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from hrsnn.engine.cpu.compiled import inlined, jit

# What makes a neuron fire: a spike on its way by its number, or one of these. IDLE: nothing arrives at it.
UNMOVED, CROSSING, IDLE = -1, -2, -3
_FAR = 60.0  # time constants after which nothing is left of a transient in double precision
_MOST_STEPS = 200  # a bracket of 60 time constants halved as often is narrower than any spacing of numbers


NEURON = np.dtype([(name, np.float64) for name in (
    "tau_mem", "tau_exc", "tau_inh", "drift", "v_th", "v_reset", "t_ref",
)])  # fmt: skip
SYNAPSE = np.dtype([("delay", np.float64), ("weight", np.float64), ("post", np.int64)])
ARRIVAL = np.dtype([("time", np.float64), ("weight", np.float64), ("post", np.int64)])
STATE = np.dtype([
    ("clock", np.float64), ("v", np.float64), ("exc", np.float64), ("inh", np.float64), ("due", np.float64),
    ("clamped", np.bool_), ("trigger", np.int64),
], align=True)  # fmt: skip
FLIGHT = np.dtype([("start", np.float64), ("due", np.float64), ("synapse", np.int64)])
SPIKE = np.dtype([("time", np.float64), ("unit", np.int64)])


class Equations(NamedTuple):
    """What does not change.

    instant   arrivals that are closer than this count as simultaneous, ms
    neurons   (N,) NEURON
    ptr       (N + 1,) rows of `synapses`, SYNAPSE, which are sorted by delay; weights of 0 are left out
    arrivals  ARRIVAL, those of input spikes, by time
    """

    is_delta: bool
    instant: float
    neurons: Any
    ptr: Any
    synapses: Any
    arrivals: Any


class Live(NamedTuple):
    """What changes, in place.

    states   (N,) STATE: v, exc and inh at the neuron's own `clock`; whether it is held at its reset; `due`, when that
             is over or, if it is not held, when it fires if nothing arrives (may be inf). `trigger` is IDLE between
             events
    flights  (F,) FLIGHT: when the spike was fired, by which synapse it arrives next, and when (`due`; inf if the slot
             is empty). Slot f is one of neuron f modulo N
    log      (L,) SPIKE, spikes since the log was last emptied
    touched  (N,) work space
    count    (4,) spikes in the log, input arrivals that are over, perturbations that were forgotten, neurons touched
    """

    states: Any
    flights: Any
    log: Any
    touched: Any
    count: Any


# -- one neuron between events ---------------------------------------------------------------------------------------


@jit
def gain(s: Any, tau_mem: Any, tau_syn: Any) -> Any:
    """Share of a synaptic current in the potential s later: tau_syn / (tau_syn - tau_mem) (e^(-s/tau_syn) -
    e^(-s/tau_mem)), in the form that neither cancels nor overflows (docs/NUMERICS.md)."""
    x = abs(s / tau_mem - s / tau_syn)
    ratio = 1.0 if x == 0.0 else -math.expm1(-x) / x
    return s / tau_mem * math.exp(-s / max(tau_mem, tau_syn)) * ratio


class Cell(NamedTuple):
    """A neuron with exponential synapses that is not held, at its clock."""

    v: Any
    exc: Any
    inh: Any
    drift: Any
    v_th: Any
    tau_mem: Any
    tau_exc: Any
    tau_inh: Any


@jit
def potential(cell: Any, s: Any) -> Any:
    """v at s."""
    v = cell.drift + (cell.v - cell.drift) * math.exp(-s / cell.tau_mem)
    return v + cell.exc * gain(s, cell.tau_mem, cell.tau_exc) + cell.inh * gain(s, cell.tau_mem, cell.tau_inh)


@jit
def slope(cell: Any, s: Any) -> Any:
    """v' at s. It obeys the equation of v, without drift and driven by the derivatives of the currents; this form keeps
    its sign where drift - v + exc + inh is a small difference of large numbers."""
    at_clock = (cell.drift - cell.v + cell.exc + cell.inh) / cell.tau_mem
    fall = cell.exc / cell.tau_exc * gain(s, cell.tau_mem, cell.tau_exc)
    fall += cell.inh / cell.tau_inh * gain(s, cell.tau_mem, cell.tau_inh)
    return at_clock * math.exp(-s / cell.tau_mem) - fall


@jit
def time_to_threshold(cell: Any) -> Any:
    """The first s >= 0 at which v reaches the threshold if nothing arrives, or inf.

    No crossing is missed, however short. exp(-s/tau_mem) d/ds (v' exp(s/tau_mem)) is a sum of two exponentials, which
    changes sign at most once, at a time in closed form (`_bend`). So v' changes sign at most once before that time and
    at most once after it: v is monotone, or has one maximum or one minimum, on either side.
    """
    if cell.v >= cell.v_th:
        return 0.0
    far = _FAR * max(cell.tau_mem, cell.tau_exc, cell.tau_inh)
    left, slope_left = 0.0, slope(cell, 0.0)
    for right in (min(_bend(cell), far), far):
        slope_right = slope(cell, right)
        if slope_left > 0.0 and slope_right <= 0.0:  # 0: it is too small to be told from it
            summit = _summit(cell, left, right)
            if potential(cell, summit) > cell.v_th:
                return _reach(cell, left, summit)
        elif potential(cell, right) >= cell.v_th:
            return _reach(cell, left, right)
        left, slope_left = right, slope_right
    return np.inf


@jit
def _bend(cell: Any) -> Any:
    """Where exc/tau_exc e^(-s/tau_exc) + inh/tau_inh e^(-s/tau_inh) changes sign; inf if nowhere after the clock."""
    exc, inh = cell.exc / cell.tau_exc, cell.inh / cell.tau_inh
    if exc * inh >= 0.0 or cell.tau_exc == cell.tau_inh:
        return np.inf
    s = math.log(-inh / exc) / (1.0 / cell.tau_inh - 1.0 / cell.tau_exc)
    return s if s > 0.0 else np.inf


@jit
def _summit(cell: Any, left: Any, right: Any) -> Any:
    """Where v is largest between `left`, where it rises, and `right`, where it falls; or any place above the threshold.

    Newton's steps on v', or half the bracket where such a step leaves it. An error of 1e-9 here is one of 1e-18 in v.
    """
    s = left
    for _ in range(_MOST_STEPS):
        rise = slope(cell, s)
        if rise > 0.0:
            left = s
            if potential(cell, s) > cell.v_th:
                return s
        else:
            right = s
        fall = cell.exc / cell.tau_exc * math.exp(-s / cell.tau_exc)
        fall += cell.inh / cell.tau_inh * math.exp(-s / cell.tau_inh)
        curvature = -(rise + fall) / cell.tau_mem
        step = -rise / curvature if curvature != 0.0 else np.inf
        if not left < s + step < right:
            step = 0.5 * (left + right) - s
        s += step
        if abs(step) <= 1e-9 * s:
            break
    return s


@jit
def _reach(cell: Any, left: Any, right: Any) -> Any:
    """The one time between `left`, below the threshold, and `right`, not below it, at which v reaches it, to rounding:
    Newton's steps, or half the bracket where such a step leaves it."""
    s = left
    for _ in range(_MOST_STEPS):
        gap = potential(cell, s) - cell.v_th
        if gap < 0.0:
            left = s
        else:
            right = s
        rise = slope(cell, s)
        step = -gap / rise if rise > 0.0 else np.inf
        if not left <= s + step <= right:
            step = 0.5 * (left + right) - s
        s += step
        if abs(step) <= 4e-16 * s:
            break
    return s


# -- neurons in the network ------------------------------------------------------------------------------------------


@jit
def _bring(net: Any, live: Any, tangent: Any, j: Any, t: Any) -> None:
    """Neuron j and its perturbations to time t."""
    neuron, state, n = net.neurons[j], live.states[j], live.states.size
    s = t - state.clock
    if s == 0.0:
        return
    state.clock = t
    kept = math.exp(-s / neuron.tau_mem)
    if net.is_delta:
        if not state.clamped:
            state.v = neuron.drift + (state.v - neuron.drift) * kept
            for k in range(tangent.shape[1]):
                tangent[j, k] *= kept
        return
    kept_exc, gain_exc = math.exp(-s / neuron.tau_exc), gain(s, neuron.tau_mem, neuron.tau_exc)
    kept_inh, gain_inh = math.exp(-s / neuron.tau_inh), gain(s, neuron.tau_mem, neuron.tau_inh)
    dv, dexc, dinh = tangent[j], tangent[n + j], tangent[2 * n + j]
    if not state.clamped:
        state.v = neuron.drift + (state.v - neuron.drift) * kept + state.exc * gain_exc + state.inh * gain_inh
        for k in range(dv.size):
            dv[k] = dv[k] * kept + dexc[k] * gain_exc + dinh[k] * gain_inh
    state.exc *= kept_exc
    state.inh *= kept_inh
    for k in range(dv.size):
        dexc[k] *= kept_exc
        dinh[k] *= kept_inh


@jit
def _next_spike(net: Any, live: Any, j: Any) -> Any:
    """When neuron j fires if nothing arrives; inf: never."""
    neuron, state = net.neurons[j], live.states[j]
    if not net.is_delta:
        taus = neuron.tau_mem, neuron.tau_exc, neuron.tau_inh
        return state.clock + time_to_threshold(Cell(state.v, state.exc, state.inh, neuron.drift, neuron.v_th, *taus))
    if state.v >= neuron.v_th:
        return state.clock
    if neuron.drift <= neuron.v_th:
        return np.inf
    return state.clock + neuron.tau_mem * math.log((neuron.drift - state.v) / (neuron.drift - neuron.v_th))


# -- events ----------------------------------------------------------------------------------------------------------


@inlined
def _flight_row(net: Any, live: Any, slot: Any) -> Any:
    """The row of the tangent for a slot."""
    n = live.states.size
    return slot + (n if net.is_delta else 3 * n)


@jit
def _empty_slot(net: Any, live: Any, j: Any) -> Any:
    """A slot for the next spike of j. -1: all are taken; -2: j has no synapses and needs none."""
    if net.ptr[j] == net.ptr[j + 1]:
        return -2
    for f in range(j, live.flights.size, live.states.size):
        if live.flights[f].due == np.inf:
            return f
    return -1


@jit
def _shift(net: Any, live: Any, tangent: Any, j: Any, trigger: Any) -> None:
    """Neuron j, brought to the time at which it fires: its perturbation becomes a shift of that time.

    It is -dv / v' where the potential crosses the threshold, and that of its trigger where an arrival lifts it over.
    """
    neuron, state, row = net.neurons[j], live.states[j], tangent[j]
    if trigger == CROSSING:
        rise = neuron.drift - neuron.v_th + state.exc + state.inh  # tau_mem v'
        for k in range(row.size):
            row[k] /= -rise
        return
    live.count[2] += 1
    unit, cause = 0.0, row
    if trigger != UNMOVED:
        unit = net.neurons[trigger % live.states.size].tau_mem / neuron.tau_mem
        cause = tangent[_flight_row(net, live, trigger)]
    for k in range(row.size):
        row[k] = unit * cause[k]


@jit
def _release(net: Any, live: Any, tangent: Any, j: Any) -> None:
    """Neuron j, brought to the end of its refractory period, is let go: dt later, its potential is behind by v' dt."""
    neuron, state = net.neurons[j], live.states[j]
    rise = neuron.drift - neuron.v_reset + state.exc + state.inh  # tau_mem v'
    for k in range(tangent.shape[1]):
        tangent[j, k] *= -rise
    state.clamped = False
    state.due = _next_spike(net, live, j)


@jit
def _fire(net: Any, live: Any, tangent: Any, j: Any, t: Any) -> None:
    """Neuron j, brought to time t and with its shift of time, fires."""
    neuron, state, slot = net.neurons[j], live.states[j], _empty_slot(net, live, j)
    if slot >= 0:
        flight, first, row = live.flights[slot], net.ptr[j], _flight_row(net, live, slot)
        flight.start = t
        flight.synapse = first
        flight.due = t + net.synapses[first].delay
        for k in range(tangent.shape[1]):
            tangent[row, k] = tangent[j, k]
    live.log[live.count[0]].time = t
    live.log[live.count[0]].unit = j
    live.count[0] += 1
    state.v = neuron.v_reset
    state.clamped = True
    state.due = t + neuron.t_ref
    if neuron.t_ref == 0.0:
        _release(net, live, tangent, j)


@jit
def _arrive(net: Any, live: Any, tangent: Any, j: Any, weight: Any, t: Any, flight: Any) -> None:
    """A spike reaches neuron j: a flight or, UNMOVED, one of the input, whose time no perturbation shifts.

    exp: the current jumps by the weight. If it does so dt later, it is larger by weight/tau_syn dt, and the potential
    has missed weight/tau_mem dt of it. delta: the potential jumps. If it does so dt later, it has relaxed the less, by
    weight/tau_mem dt; a neuron that is held misses it.
    """
    neuron, state, n = net.neurons[j], live.states[j], live.states.size
    if state.trigger == IDLE:
        live.touched[live.count[3]] = j
        live.count[3] += 1
        state.trigger = UNMOVED
    _bring(net, live, tangent, j, t)
    if not net.is_delta:
        if weight > 0.0:
            state.exc += weight
        else:
            state.inh += weight
    elif not state.clamped:
        state.v += weight
        if weight > 0.0:
            state.trigger = flight
    if flight == UNMOVED:
        return
    shift = tangent[_flight_row(net, live, flight)]
    jump = weight * net.neurons[flight % n].tau_mem
    if not state.clamped:
        missed = jump / neuron.tau_mem if net.is_delta else -jump / neuron.tau_mem
        for k in range(shift.size):
            tangent[j, k] += missed * shift[k]
    if not net.is_delta:
        row = n + j if weight > 0.0 else 2 * n + j
        later = jump / (neuron.tau_exc if weight > 0.0 else neuron.tau_inh)
        for k in range(shift.size):
            tangent[row, k] += later * shift[k]


@jit
def _deliver(net: Any, live: Any, tangent: Any, t: Any) -> None:
    """Everything that arrives at time t; only then is looked who fires, so the order of arrivals does not matter."""
    n, latest = live.states.size, t + net.instant
    live.count[3] = 0
    while live.count[1] < net.arrivals.size and net.arrivals[live.count[1]].time <= latest:
        arrival = net.arrivals[live.count[1]]
        _arrive(net, live, tangent, arrival.post, arrival.weight, t, UNMOVED)
        live.count[1] += 1
    for f in range(live.flights.size):
        flight = live.flights[f]
        while flight.due <= latest:
            synapse = net.synapses[flight.synapse]
            _arrive(net, live, tangent, synapse.post, synapse.weight, t, f)
            flight.synapse += 1
            flight.due = np.inf
            if flight.synapse < net.ptr[f % n + 1]:
                flight.due = flight.start + net.synapses[flight.synapse].delay
    touched = live.touched[: live.count[3]]
    for j in touched:  # before anyone fires and takes the slot that a trigger has left
        if net.is_delta and live.states[j].v >= net.neurons[j].v_th:
            _shift(net, live, tangent, j, live.states[j].trigger)
    for j in touched:
        state = live.states[j]
        state.trigger = IDLE
        if net.is_delta and state.v >= net.neurons[j].v_th:
            _fire(net, live, tangent, j, t)
        elif not state.clamped:
            state.due = _next_spike(net, live, j)


@jit
def _has_room(net: Any, live: Any, own: Any, own_first: Any) -> Any:
    """Whether the log and the slots for flights can take what the next event may add."""
    n = live.states.size
    if live.count[0] + n > live.log.size:
        return False
    if own_first:
        return live.states[own].clamped or _empty_slot(net, live, own) != -1
    if net.is_delta:
        for j in range(n):
            if _empty_slot(net, live, j) == -1:
                return False
    return True


def advance(net: Any, live: Any, tangent: Any, t_end: Any) -> Any:
    """Run to `t_end`, events at that time included, and bring every neuron there. False: out of room, call again.

    Where times are equal, arrivals come before spikes and before ends of refractory periods.
    """
    n = live.states.size
    while True:
        own = 0
        for j in range(1, n):
            if live.states[j].due < live.states[own].due:
                own = j
        arrival = np.inf
        if live.count[1] < net.arrivals.size:
            arrival = net.arrivals[live.count[1]].time
        for f in range(live.flights.size):
            arrival = min(arrival, live.flights[f].due)
        t = live.states[own].due
        if min(arrival, t) > t_end:
            break
        own_first = t < arrival - net.instant
        if not _has_room(net, live, own, own_first):
            return False
        if not own_first:
            _deliver(net, live, tangent, arrival)
            continue
        trigger = CROSSING if t > live.states[own].clock else UNMOVED  # who starts above threshold fires as it is
        _bring(net, live, tangent, own, t)
        if live.states[own].clamped:
            _release(net, live, tangent, own)
        else:
            _shift(net, live, tangent, own, trigger)
            _fire(net, live, tangent, own, t)
    for j in range(n):
        _bring(net, live, tangent, j, t_end)
    for f in range(live.flights.size):
        if live.flights[f].due == np.inf:
            for k in range(tangent.shape[1]):
                tangent[_flight_row(net, live, f), k] = 0.0
    return True


def forecast(net: Any, live: Any) -> None:
    """Set when every free neuron fires next, after its state was changed from outside."""
    for j in range(live.states.size):
        if not live.states[j].clamped:
            live.states[j].due = _next_spike(net, live, j)
