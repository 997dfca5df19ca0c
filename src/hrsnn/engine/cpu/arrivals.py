"""What spikes bring: currents that decay, arrivals that join them, delivery along fixed synapses."""

from __future__ import annotations

from typing import Any

import numpy as np

from hrsnn.engine.cpu.compiled import inlined, prefetch
from hrsnn.engine.cpu.parts import LANES
from hrsnn.engine.cpu.short_term import rows_of, use_row

_LINE = np.uint64(16)  # entries between two requests for memory: a cache line of single precision
_NEAR = 1 << 17  # synapses that stay close to the core anyway: 768 kB


@inlined
def present(current: Any, base: Any) -> Any:
    """The row of arrivals of the present step and all that follow it."""
    return None if current is None else current[base[0] :]


@inlined
def turn(n: Any, body: Any) -> None:
    """Let currents decay and join what arrives now; the row of the next step becomes the present one.

    Rows of coming steps lie one after the other, so an arrival needs no more than an offset, whatever its delay.
    """
    first, n_neurons = body.base[0], np.uint64(body.v.size)
    next_ = _next_row(body, body.n_under_way)
    _turn(body.exc, first, next_, n.beta_exc, n_neurons, body.n_under_way)
    _turn(body.inh, first, next_, n.beta_inh, n_neurons, body.n_under_way)
    body.base[0] = next_


@inlined
def _next_row(body: Any, n_under_way: Any) -> Any:
    """Where the next row begins; at the front of the buffer when there is no room behind the present one."""
    if n_under_way is None:
        return 0
    row = body.v.size + LANES
    if body.base[0] + (1 + n_under_way[0]) * row > body.exc.size:
        return row
    return body.base[0] + row


@inlined
def _turn(current: Any, first: int, next_: int, beta: Any, n_neurons: Any, n_under_way: Any) -> None:
    if current is None:
        return
    if n_under_way is None:
        _decay(current, beta, n_neurons)
        return
    row = np.int64(n_neurons) + LANES
    if next_ <= first:
        _move_to_front(current, first, n_under_way[0] * row)
    _join(current[next_ - row :], current[next_:], beta, n_neurons)


@inlined
def _decay(current: Any, beta: Any, n_neurons: Any) -> None:
    """Delta synapses: the arrivals of one step do not last."""
    if beta is None:
        for j in range(n_neurons):
            current[j] = 0
    else:
        for j in range(n_neurons):
            current[j] = beta[j] * current[j]


@inlined
def _join(before: Any, now: Any, beta: Any, n_neurons: Any) -> None:
    if beta is not None:
        for j in range(n_neurons):
            now[j] = beta[j] * before[j] + now[j]


@inlined
def _move_to_front(current: Any, first: int, length: int) -> None:
    for k in range(np.uint64(length)):
        current[k] = current[np.uint64(first) + k]
    for k in range(np.uint64(length), np.uint64(current.size)):
        current[k] = 0


@inlined
def deliver(y: Any, exc: Any, inh: Any, units: Any, t: Any) -> None:
    """Deliver the spikes of `units` at step t, one by one; the row after is asked for while one is delivered."""
    is_far = y.target.size > _NEAR
    rows = rows_of(units, y.room)
    for number in range(rows.size):
        if is_far and number + 1 < rows.size:
            _ask_for(y, rows[number + 1])
        row = rows[number]
        begin, end = np.uint64(y.ptr[row]), np.uint64(y.ptr[row + 1])
        if inh is None:
            _transmit(exc, y, y.short_term, row, begin, end, t)
        else:
            _transmit(exc if y.sign[row] > 0 else inh, y, y.short_term, row, begin, end, t)


@inlined
def _transmit(current: Any, y: Any, short_term: Any, row: Any, begin: Any, end: Any, t: Any) -> None:
    if short_term is None:
        _add_row(current, y.target, y.weight, begin, end)
    else:
        use_row(short_term, y.weight, row, begin, end, t)
        for k in range(begin, end):
            current[np.uint64(y.target[k])] += short_term.effect[k - begin]


@inlined
def _add_row(current: Any, target: Any, weight: Any, begin: Any, end: Any) -> None:
    for k in range(begin, end):
        current[np.uint64(target[k])] += weight[k]


@inlined
def _ask_for(y: Any, unit: int) -> None:
    begin, end = np.uint64(y.ptr[unit]), np.uint64(y.ptr[unit + 1])
    for k in range(begin, end, _LINE):
        prefetch(y.weight, k)
    for k in range(begin, end, np.uint64(2) * _LINE):
        prefetch(y.target, k)
