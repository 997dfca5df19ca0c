"""The loops over samples and time: what is compiled as one piece, and called from Python."""

from __future__ import annotations

from typing import Any, NamedTuple

from hrsnn.engine.cpu.arrivals import deliver, present, turn
from hrsnn.engine.cpu.compiled import inlined
from hrsnn.engine.cpu.neurons import advance
from hrsnn.engine.cpu.plasticity import announce, bring_up_to_date, forget, forget_history, note, turn_page, visit


class Frame(NamedTuple):
    """State of samples between two steps, one row each; one row may stand for all. exc, inh: as in `Body`, flat."""

    v: Any
    exc: Any
    inh: Any
    refractory: Any
    filtered: Any


class Input(NamedTuple):
    """Events of all samples; those of sample s are ptr[s]:ptr[s + 1], sorted by step.

    `now` is room for the channels of one step, (n_inputs,) int32: an array that can be written to, as `Body.fired` is,
    so that what reads the two is compiled once.
    """

    ptr: Any
    step: Any
    unit: Any
    n_steps: Any
    now: Any


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
    neurons: Any, body: Any, recurrent: Any, inputs: Any, trains: Any, factor: Any, channels: Any, n_given: int
) -> Any:  # fmt: skip
    """One step in which the first `n_given` of `channels` spike; returns how many neurons spike, see `Body.fired`.

    -1 when those are not rising channels; then nothing has happened.
    """
    given = channels[:n_given]
    if not _are_rising(given, inputs.ptr.size - 1):
        return -1
    n_fired = _step(neurons, body, recurrent, inputs, given)
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
        for t in range(place.step[0], given.n_steps):
            if _is_full(out, place, body):
                place.step[0] = t
                return
            n_fired = _step(neurons, body, recurrent, inputs, _next_events(given, place, sample, t))
            _record(out, place, body.fired[:n_fired], sample, t, given.n_steps)
            _record_v(out.v, out.v_every, body.v, sample, t)
        _finish(body, out, sample)
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
            forget_history(learning.history)
            forget(plastic_recurrent, learning.rule)
            forget(plastic_inputs, learning.rule)
        for t in range(place.step[0], given.n_steps):
            if _is_full(out, place, body):
                place.step[0] = t
                return
            events = _next_events(given, place, sample, t)
            n_fired = advance(neurons, body)
            fired = body.fired[:n_fired]
            turn(neurons, body)
            exc, inh = present(body.exc, body.base), present(body.inh, body.base)
            announce(fired, learning.history)
            deliver(recurrent, exc, inh, fired)
            visit(plastic_recurrent, exc, inh, fired, learning, t)
            deliver(inputs, exc, inh, events)
            visit(plastic_inputs, exc, inh, events, learning, t)
            is_full = note(plastic_recurrent.shared, plastic_inputs.shared, fired, learning, t)
            if is_full or t == given.n_steps - 1:
                bring_up_to_date(plastic_recurrent, learning, t)
                bring_up_to_date(plastic_inputs, learning, t)
                turn_page(learning.history)
            _record(out, place, fired, sample, t, given.n_steps)
            _record_v(out.v, out.v_every, body.v, sample, t)
        _finish(body, out, sample)
        place.sample[0], place.step[0] = sample + 1, 0


@inlined
def _step(neurons: Any, body: Any, recurrent: Any, inputs: Any, given: Any) -> Any:
    n_fired = advance(neurons, body)
    turn(neurons, body)
    exc, inh = present(body.exc, body.base), present(body.inh, body.base)
    deliver(recurrent, exc, inh, body.fired[:n_fired])
    deliver(inputs, exc, inh, given)
    return n_fired


@inlined
def _are_rising(channels: Any, n_inputs: Any) -> bool:
    before = -1
    for channel in channels:
        if channel <= before or channel >= n_inputs:
            return False
        before = channel
    return True


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
