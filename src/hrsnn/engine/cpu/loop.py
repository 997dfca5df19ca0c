"""The loops over samples and time: what is compiled as one piece, and called from Python."""

from __future__ import annotations

from typing import Any, NamedTuple

from hrsnn.engine.cpu.arrivals import deliver, present, turn
from hrsnn.engine.cpu.compiled import by_presence, inlined
from hrsnn.engine.cpu.neurons import advance
from hrsnn.engine.cpu.plasticity import announce, bring_up_to_date, forget, forget_history, note, turn_page, visit


class Dynamics(NamedTuple):
    """Short-term dynamics of a table between two steps, as in `ShortTerm`, one row per sample; all None without."""

    u: Any
    r: Any
    last: Any


class Frame(NamedTuple):
    """State of samples between two steps, one row each; one row may stand for all. exc, inh: as in `Body`, flat.

    `adaptation` is None without adaptive thresholds.
    """

    v: Any
    exc: Any
    inh: Any
    refractory: Any
    filtered: Any
    adaptation: Any
    recurrent: Dynamics
    inputs: Dynamics


class Input(NamedTuple):
    """Events of all samples; those of sample s are ptr[s]:ptr[s + 1], sorted by step.

    `now` is room for the channels of one step, (n_inputs,) int32: an array that can be written to, as `Body.fired` is,
    so that what reads the two is compiled once. `current` is analogue input (n_samples, n_steps, N), or None.
    """

    ptr: Any
    step: Any
    unit: Any
    n_steps: Any
    now: Any
    current: Any


class Output(NamedTuple):
    """What is recorded of all samples. Empty arrays are not filled: `windows`, `trains`, `log_*`, and those of `end`.

    counts    (n_samples, n_bins, N)
    trains    (N,) the filtered spike trains now; `factor` is their decay
    windows   (n_samples, n_windows, N), the filtered trains after `every` steps
    v         None, or (n_samples, n_windows, N), the potentials after `v_every` steps
    log_*     spikes since the last return to Python
    end       state after the last step
    """

    counts: Any
    windows: Any
    every: Any
    trains: Any
    factor: Any
    log_step: Any
    log_unit: Any
    end: Any
    v: Any
    v_every: Any


class Place(NamedTuple):
    """Where a loop is, so that it can return to Python with a full log and go on: arrays (1,)."""

    sample: Any
    step: Any
    event: Any
    n_logged: Any


def step(
    neurons: Any, body: Any, recurrent: Any, inputs: Any, trains: Any, factor: Any, clock: Any, channels: Any,
    n_given: int, current: Any,
) -> Any:  # fmt: skip
    """One step in which the first `n_given` of `channels` spike; returns how many neurons spike, see `Body.fired`.

    -1 when those are not rising channels; then nothing has happened. `clock` counts the steps (1,).
    """
    given = channels[:n_given]
    if not _are_rising(given, channels.size):
        return -1
    n_fired = _step(neurons, body, recurrent, inputs, given, current, clock[0])
    clock[0] += 1
    _filter(trains, factor, body.fired[:n_fired])
    return n_fired


def run_static(
    neurons: Any, body: Any, recurrent: Any, inputs: Any, start: Any, given: Any, out: Any, place: Any, stop: int
) -> None:  # fmt: skip
    """Run samples from `place` up to and without `stop`, or until the log of spikes might overflow."""
    while place.sample[0] < stop:
        sample = place.sample[0]
        if place.step[0] == 0:
            _begin(body, start, out.trains, given, place, sample)
            _load_dynamics(recurrent.short_term, start.recurrent, sample)
            _load_dynamics(inputs.short_term, start.inputs, sample)
        for t in range(place.step[0], given.n_steps):
            if _is_full(out, place, body):
                place.step[0] = t
                return
            current = _current(given.current, sample, t)
            n_fired = _step(neurons, body, recurrent, inputs, _next_events(given, place, sample, t), current, t)
            _record(out, place, body.fired[:n_fired], sample, t, given.n_steps)
            _record_v(out.v, out.v_every, body.v, sample, t)
        _finish(body, out, sample)
        _keep_dynamics(recurrent.short_term, out.end.recurrent, sample)
        _keep_dynamics(inputs.short_term, out.end.inputs, sample)
        place.sample[0], place.step[0] = sample + 1, 0


def run_plastic(
    neurons: Any, body: Any, recurrent: Any, inputs: Any, start: Any, given: Any, out: Any, place: Any, stop: int,
    plastic_recurrent: Any, plastic_inputs: Any, learning: Any,
) -> None:  # fmt: skip
    """`run_static` with plastic synapses beside the fixed ones; a row of a table has either kind."""
    while place.sample[0] < stop:
        sample = place.sample[0]
        if place.step[0] == 0:
            _begin(body, start, out.trains, given, place, sample)
            _load_dynamics(recurrent.short_term, start.recurrent, sample)
            _load_dynamics(plastic_recurrent.short_term, start.recurrent, sample)
            _load_dynamics(inputs.short_term, start.inputs, sample)
            _load_dynamics(plastic_inputs.short_term, start.inputs, sample)
            forget_history(learning.history)
            forget(plastic_recurrent, learning.rule)
            forget(plastic_inputs, learning.rule)
        for t in range(place.step[0], given.n_steps):
            if _is_full(out, place, body):
                place.step[0] = t
                return
            events = _next_events(given, place, sample, t)
            n_fired = advance(neurons, body, _current(given.current, sample, t))
            fired = body.fired[:n_fired]
            turn(neurons, body)
            exc, inh = present(body.exc, body.base), present(body.inh, body.base)
            announce(fired, learning.history)
            deliver(recurrent, exc, inh, fired, t)
            visit(plastic_recurrent, exc, inh, fired, learning, t)
            deliver(inputs, exc, inh, events, t)
            visit(plastic_inputs, exc, inh, events, learning, t)
            is_full = note(plastic_recurrent.shared, plastic_inputs.shared, fired, learning, t)
            if is_full or t == given.n_steps - 1:
                bring_up_to_date(plastic_recurrent, learning, t)
                bring_up_to_date(plastic_inputs, learning, t)
                turn_page(learning.history)
            _record(out, place, fired, sample, t, given.n_steps)
            _record_v(out.v, out.v_every, body.v, sample, t)
        _finish(body, out, sample)
        _keep_dynamics(plastic_recurrent.short_term, out.end.recurrent, sample)
        _keep_dynamics(recurrent.short_term, out.end.recurrent, sample)
        _keep_dynamics(plastic_inputs.short_term, out.end.inputs, sample)
        _keep_dynamics(inputs.short_term, out.end.inputs, sample)
        place.sample[0], place.step[0] = sample + 1, 0


@inlined
def _step(neurons: Any, body: Any, recurrent: Any, inputs: Any, given: Any, current: Any, t: Any) -> Any:
    n_fired = advance(neurons, body, current)
    turn(neurons, body)
    exc, inh = present(body.exc, body.base), present(body.inh, body.base)
    deliver(recurrent, exc, inh, body.fired[:n_fired], t)
    deliver(inputs, exc, inh, given, t)
    return n_fired


@inlined
def _are_rising(channels: Any, n_inputs: Any) -> bool:
    before = -1
    for channel in channels:
        if channel <= before or channel >= n_inputs:
            return False
        before = channel
    return True


# (current, sample, t): the analogue input of step t, None without.
_current = by_presence(0, lambda current, sample, t: None, lambda current, sample, t: current[sample, t])


@inlined
def _next_events(given: Any, place: Any, sample: int, t: int) -> Any:
    """The channels that spike at step t."""
    first = event = place.event[0]
    end = given.ptr[sample + 1]
    while event < end and given.step[event] == t:
        given.now[event - first] = given.unit[event]
        event += 1
    place.event[0] = event
    return given.now[: event - first]


# -- samples ---------------------------------------------------------------------------------------------------------


@inlined
def _begin(body: Any, start: Any, trains: Any, given: Any, place: Any, sample: int) -> None:
    """Put the body into the state that a sample starts from."""
    place.event[0] = given.ptr[sample]
    row = sample if start.v.shape[0] > 1 else 0
    body.base[0] = 0
    _load(body.v, start.v, row)
    _load(body.exc, start.exc, row)
    _load(body.inh, start.inh, row)
    _load(body.refractory, start.refractory, row)
    _load(trains, start.filtered, row)
    _load(body.adaptation, start.adaptation, row)


@inlined
def _load_dynamics(short_term: Any, start: Any, sample: int) -> None:
    if short_term is not None:
        row = sample if start.u.shape[0] > 1 else 0
        for k in range(short_term.u.size):
            short_term.u[k] = start.u[row, k]
            short_term.r[k] = start.r[row, k]
        for k in range(short_term.last.size):
            short_term.last[k] = start.last[row, k]


@inlined
def _keep_dynamics(short_term: Any, end: Any, sample: int) -> None:
    """Of a plastic and a fixed form of a table one has the synapses; the fixed one, kept last, has heard every unit."""
    if short_term is not None and end.u.shape[0] > 0:
        for k in range(short_term.last.size):
            end.last[sample, k] = short_term.last[k]
        for k in range(short_term.u.size):
            end.u[sample, k] = short_term.u[k]
            end.r[sample, k] = short_term.r[k]


@inlined
def _load(column: Any, start: Any, row: int) -> None:
    """What there is no start for begins at zero."""
    if column is not None:
        for k in range(column.size):
            column[k] = start[row, k] if k < start.shape[1] else 0


@inlined
def _finish(body: Any, out: Any, sample: int) -> None:
    """Keep the state after the last step, if that is asked for."""
    if out.end.v.shape[0] > 0:
        _keep(body.v, out.end.v, sample)
        _keep(present(body.exc, body.base), out.end.exc, sample)
        _keep(present(body.inh, body.base), out.end.inh, sample)
        _keep(body.refractory, out.end.refractory, sample)
        _keep(out.trains, out.end.filtered, sample)
        _keep(body.adaptation, out.end.adaptation, sample)


@inlined
def _keep(column: Any, end: Any, row: int) -> None:
    if column is not None:
        for k in range(end.shape[1]):
            end[row, k] = column[k]


# -- record ----------------------------------------------------------------------------------------------------------


@inlined
def _is_full(out: Any, place: Any, body: Any) -> Any:
    return out.log_step.size > 0 and place.n_logged[0] + body.v.size > out.log_step.size


@inlined
def _record(out: Any, place: Any, fired: Any, sample: int, t: int, n_steps: int) -> None:
    window = t * out.counts.shape[1] // n_steps
    for j in fired:
        out.counts[sample, window, j] += 1
    if out.trains.size > 0:
        _filter(out.trains, out.factor, fired)
        if (t + 1) % out.every == 0:
            for j in range(out.trains.size):
                out.windows[sample, (t + 1) // out.every - 1, j] = out.trains[j]
    if out.log_step.size > 0:
        n = place.n_logged[0]
        for j in fired:
            out.log_step[n] = t
            out.log_unit[n] = j
            n += 1
        place.n_logged[0] = n


@inlined
def _record_v(potentials: Any, every: int, v: Any, sample: int, t: int) -> None:
    if potentials is not None and (t + 1) % every == 0:
        for j in range(v.size):
            potentials[sample, (t + 1) // every - 1, j] = v[j]


@inlined
def _filter(trains: Any, factor: Any, fired: Any) -> None:
    for j in range(trains.size):
        trains[j] = factor * trains[j]
    for j in fired:
        trains[j] += type(factor)(1)
