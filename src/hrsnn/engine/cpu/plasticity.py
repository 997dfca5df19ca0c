"""STDP by deferred rows: synapses are brought up to date when their presynaptic unit spikes, and not before.

A postsynaptic spike touches no synapse; it is noted in the history of its neuron. When a unit spikes, the spikes of its
targets since its last visit are replayed along its row, the row is delivered, and the change of the present step is
applied. Rows are streamed in the order of memory and columns are never touched. Potentiation of a synapse between two
spikes of its presynaptic unit needs nothing but the steps of the postsynaptic spikes, so every number is that of
`reference`, bit for bit: the same operations on the same values, only later.

Most of a row is one of two cases, no new spike or one, and is done for all synapses in vectors (`_replay_last`);
earlier spikes are collected in a list whose decays are computed in vectors (`_replay_earlier`).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from hrsnn.engine.cpu.compiled import inlined, jit, prefetch, prefetch_behind
from hrsnn.engine.cpu.decay import decay
from hrsnn.engine.cpu.parts import HISTORY, LANES
from hrsnn.engine.cpu.short_term import rows_of, use_tiles

_L = np.uint64(LANES)
_SHIFT = np.uint64(LANES.bit_length() - 1)
_HISTORY = np.uint64(HISTORY)

_LINE = np.uint64(16)  # entries between two requests for memory: a cache line of single precision
_FAR = 1 << 21  # entries of a table that lies behind the second cache: 8 MB

# Offsets of the fields in a tile.
_W_MAX, _A_PLUS, _A_MINUS = (np.uint64(n * LANES) for n in range(1, 4))
_RATE_PLUS, _RATE_MINUS, _X, _Y = (np.uint64(n * LANES) for n in range(4, 8))


@jit
def _tile(shared: Any, frozen: Any) -> Any:
    """Entries of a tile."""
    if shared is None:
        return np.uint64(8 * LANES) if frozen is None else np.uint64(9 * LANES)
    return np.uint64(4 * LANES) if frozen is None else np.uint64(5 * LANES)


# -- one synapse -----------------------------------------------------------------------------------------------------


@inlined
def _changed(d: Any, k: Any, up: Any, down: Any, tile: Any, linear: Any, soft_bound: Any, frozen: Any) -> Any:
    """The weight at `k` after the change, clipped; frozen: the sum of changes."""
    m, w_max = d[k], d[k + _W_MAX]
    if linear is not None:  # apart from other exponents, whose powers cannot be computed in vectors
        share = m / w_max if w_max > 0 else type(m)(0)
        up *= type(m)(1) - share
        down *= share
    if soft_bound is not None:
        share = m / w_max if w_max > 0 else type(m)(0)
        up *= type(m)(math.pow(type(m)(1) - share, soft_bound))
        down *= type(m)(math.pow(share, soft_bound))
    if frozen is None:
        return min(max(m + (up - down), type(m)(0)), w_max)
    return d[k + tile - _L] + (up - down)


@inlined
def _place_of_change(k: Any, tile: Any, frozen: Any) -> Any:
    return k if frozen is None else k + tile - _L


# -- the last two spikes of a neuron, in one number ------------------------------------------------------------------


@jit
def _packed(last: Any, before: Any) -> Any:
    return (np.int64(before) << np.int64(32)) | np.int64(np.uint32(np.int32(2 * last)))


@jit
def _last(recent: Any) -> Any:
    return np.int32(np.int32(recent) >> np.int32(1))


@jit
def _before(recent: Any) -> Any:
    return np.int32(recent >> np.int64(32))


@jit
def _is_now(recent: Any) -> Any:
    return (np.int32(recent) & np.int32(1)) != 0


# -- one row ---------------------------------------------------------------------------------------------------------


@inlined
def _list_earlier(post: Any, seen: Any, h: Any, s: Any) -> Any:
    """List the spikes after `seen` but the last of each target: `synapse`, `step`, and `before`, the step of the spike
    before; latest first.

    Without branches on single spikes: every entry is written, and counted when it is one.
    """
    n = np.int64(0)
    for k in range(np.uint64(post.size)):
        recent = h.recent[np.uint64(post[k])]
        s.recent[k] = recent
        s.synapse[n] = k
        n += np.int64(_before(recent) > seen)
    begin, end = np.uint64(0), np.uint64(n)
    for e in range(end):
        synapse = np.uint64(s.synapse[e])
        s.place[e] = h.first[np.uint64(post[synapse])] + np.uint32(1)
        s.step[e] = _before(s.recent[synapse])
    while begin < end:
        more = np.int64(end)
        for e in range(begin, end):
            place = np.uint64(s.place[e]) + np.uint64(1)
            step = h.steps[place]
            s.before[e] = step
            s.synapse[more] = s.synapse[e]
            s.place[more] = place
            s.step[more] = step
            more += np.int64(step > seen)
        begin, end = end, np.uint64(more)
    return end


@inlined
def _replay_earlier(d: Any, n: Any, unit: Any, last: Any, shared: Any, s: Any, rule: Any) -> None:
    """Replay the listed spikes, from the end of the list: for every synapse in the order of time."""
    tile = _tile(shared, rule.frozen)
    for e in range(n):
        k = np.uint64(s.synapse[e])
        k += (k >> _SHIFT) * (tile - _L)
        s.synapse[e] = k
        q = _in_block(e)
        s.decays[q] = np.int32(s.step[e] - last)
        if shared is None:
            s.decays[q + _L] = np.int32(s.step[e] - s.before[e])
            s.decays[q + _L + _L] = d[k + _RATE_PLUS]
            s.decays[q + _L + _L + _L] = d[k + _RATE_MINUS]
    for block in range((n + _L - np.uint64(1)) >> _SHIFT):
        for lane in range(_L):
            q = _in_block(block * _L) + lane
            if shared is None:
                s.decays[q] = decay(s.decays[q], s.decays[q + _L + _L], rule)
                s.decays[q + _L] = decay(s.decays[q + _L], s.decays[q + _L + _L + _L], rule)
            else:
                s.decays[q] = decay(s.decays[q], shared.rate_plus, rule)
    for back in range(n):
        e = n - np.uint64(1) - back
        q, k = _in_block(e), np.uint64(s.synapse[e])
        x = (d[k + _X] if shared is None else shared.x[unit]) * s.decays[q]
        up, none = d[k + _A_PLUS] * x, type(x)(0)
        to = _place_of_change(k, tile, rule.frozen)
        d[to] = _changed(d, k, up, none, tile, rule.linear, rule.soft_bound, rule.frozen)
        if shared is None:
            d[k + _Y] = rule.keep * (d[k + _Y] * s.decays[q + _L]) + type(x)(1)


@jit
def _in_block(e: Any) -> Any:
    """Where spike e of the list stands in `Scratch.decays`."""
    return ((e >> _SHIFT) << (_SHIFT + np.uint64(2))) + (e & (_L - np.uint64(1)))


@inlined
def _replay_last(d: Any, n_tiles: Any, unit: Any, seen: Any, last: Any, shared: Any, s: Any, rule: Any) -> None:
    """Replay the last spike of each target where it is after `seen`."""
    tile = _tile(shared, rule.frozen)
    for number in range(n_tiles):
        for lane in range(_L):
            k, q = number * tile + lane, number * _L + lane
            step = _last(s.recent[q])
            is_new = step > seen
            if shared is None:
                x = d[k + _X] * decay(np.int32(step - last), d[k + _RATE_PLUS], rule)
                y = rule.keep * (
                    d[k + _Y] * decay(np.int32(step - _before(s.recent[q])), d[k + _RATE_MINUS], rule)
                ) + type(x)(1)
                d[k + _Y] = y if is_new else d[k + _Y]
            else:
                x = shared.x[unit] * decay(np.int32(step - last), shared.rate_plus, rule)
            up, none = d[k + _A_PLUS] * x, type(x)(0)
            to = _place_of_change(k, tile, rule.frozen)
            d[to] = _changed(d, k, up, none, tile, rule.linear, rule.soft_bound, rule.frozen) if is_new else d[to]


@inlined
def _replay(d: Any, post: Any, unit: Any, y: Any, q: Any) -> None:
    """Bring a row up to date with all spikes in the history."""
    s, seen, last = q.scratch, y.seen[unit], y.last[unit]
    n_earlier = _list_earlier(post, seen, q.history, s)
    _replay_earlier(d, n_earlier, unit, last, y.shared, s, q.rule)
    _replay_last(d, np.uint64(post.size) >> _SHIFT, unit, seen, last, y.shared, s, q.rule)


@inlined
def _add_row(d: Any, target: Any, current: Any, sign: Any, tile: Any) -> None:
    for number in range(np.uint64(target.size) >> _SHIFT):
        for lane in range(_L):
            current[np.uint64(target[number * _L + lane])] += sign * d[number * tile + lane]


@inlined
def _add_used(
    d: Any, target: Any, exc: Any, inh: Any, sign: Any, short_term: Any, unit: Any, begin: Any, t: Any, tile: Any
) -> None:  # fmt: skip
    """Deliver a row whose synapses have short-term dynamics; a function of its own, as those without have none."""
    if short_term is not None:
        use_tiles(short_term, d, unit, begin * _L, np.uint64(target.size), t, tile)
        for k in range(np.uint64(target.size)):
            if inh is None or sign > 0:
                exc[np.uint64(target[k])] += sign * short_term.effect[k]
            else:
                inh[np.uint64(target[k])] += sign * short_term.effect[k]


@inlined
def _apply_step(d: Any, n_tiles: Any, unit: Any, last: Any, shared: Any, s: Any, rule: Any, t: Any) -> None:
    """The change of step t, in which the presynaptic unit spikes and some targets may."""
    tile = _tile(shared, rule.frozen)
    if shared is not None:
        x_shared = shared.x[unit] * decay(np.int32(t - last), shared.rate_plus, rule)
        shared.x[unit] = rule.keep * x_shared + type(x_shared)(1)
    for number in range(n_tiles):
        for lane in range(_L):
            k, q = number * tile + lane, number * _L + lane
            is_now = _is_now(s.recent[q])
            if shared is None:
                x = d[k + _X] * decay(np.int32(t - last), d[k + _RATE_PLUS], rule)
                y = d[k + _Y] * decay(np.int32(t - _last(s.recent[q])), d[k + _RATE_MINUS], rule)
                d[k + _X] = rule.keep * x + type(x)(1)
            else:
                x = x_shared
                y = s.decays[q]
            up = d[k + _A_PLUS] * x if is_now else type(x)(0)
            down = d[k + _A_MINUS] * y
            to = _place_of_change(k, tile, rule.frozen)
            d[to] = _changed(d, k, up, down, tile, rule.linear, rule.soft_bound, rule.frozen)
            if shared is None:
                d[k + _Y] = rule.keep * y + type(x)(1) if is_now else d[k + _Y]


@inlined
def _look_up_traces(post: Any, shared: Any, s: Any, rule: Any, t: Any) -> None:
    """The shared traces of the targets at step t, into `decays`."""
    if shared is not None:
        for k in range(np.uint64(post.size)):
            s.decays[k] = shared.y[np.uint64(post[k])]
        for k in range(np.uint64(post.size)):
            s.decays[k] *= decay(np.int32(t - _last(s.recent[k])), shared.rate_minus, rule)


@inlined
def _ask_for(y: Any, unit: Any, tile: Any) -> None:
    begin, end = np.uint64(y.ptr[unit]), np.uint64(y.ptr[unit + 1])
    if y.data.size > _FAR:
        for k in range(begin * tile, end * tile, _LINE):
            prefetch_behind(y.data, k)
    else:
        for k in range(begin * tile, end * tile, _LINE):
            prefetch(y.data, k)
    for k in range(begin * _L, end * _L, _LINE + _LINE):
        prefetch(y.post, k)


# -- from the loop over time -----------------------------------------------------------------------------------------


@jit
def visit(y: Any, exc: Any, inh: Any, units: Any, q: Any, t: Any) -> None:
    """Deliver the spikes of `units` at step t and learn from them."""
    tile = _tile(y.shared, q.rule.frozen)
    rows = rows_of(units, y.room)
    for number in range(rows.size):
        if number + 1 < rows.size:
            _ask_for(y, rows[number + 1], tile)
        unit = np.int64(rows[number])
        begin, end = np.uint64(y.ptr[unit]), np.uint64(y.ptr[unit + 1])
        if begin == end:
            continue
        d, post = y.data[begin * tile : end * tile], y.post[begin * _L : end * _L]
        _replay(d, post, unit, y, q)
        target = y.target[begin * _L : end * _L]
        if y.short_term is None:
            if inh is None:
                _add_row(d, target, exc, y.sign[unit], tile)
            else:
                _add_row(d, target, exc if y.sign[unit] > 0 else inh, y.sign[unit], tile)
        else:
            _add_used(d, target, exc, inh, y.sign[unit], y.short_term, unit, begin, t, tile)
        _look_up_traces(post, y.shared, q.scratch, q.rule, t)
        _apply_step(d, end - begin, unit, y.last[unit], y.shared, q.scratch, q.rule, t)
        y.seen[unit] = t
        y.last[unit] = t


@jit
def announce(fired: Any, h: Any) -> None:
    """Mark the neurons that spike in the present step."""
    for j in fired:
        h.recent[j] |= np.int64(1)


@jit
def note(recurrent: Any, inputs: Any, fired: Any, q: Any, t: Any) -> bool:
    """Enter the spikes of step t into the history and the shared traces; true when the history of a neuron is full."""
    h = q.history
    is_full = False
    for j in fired:
        last = _last(h.recent[j])
        _raise_trace(recurrent, j, np.int32(t - last), q.rule)
        _raise_trace(inputs, j, np.int32(t - last), q.rule)
        h.recent[j] = _packed(t, last)
        h.first[j] -= np.uint32(1)
        h.steps[np.uint64(h.first[j])] = t
        is_full |= h.first[j] == j * HISTORY
    return is_full


@jit
def _raise_trace(shared: Any, j: int, n_steps: Any, rule: Any) -> None:
    if shared is not None:
        trace = shared.y[j] * decay(n_steps, shared.rate_minus, rule)
        shared.y[j] = rule.keep * trace + type(trace)(1)


@jit
def bring_up_to_date(y: Any, q: Any, t: Any) -> None:
    """Replay what rows have not seen up to and with step t."""
    tile = _tile(y.shared, q.rule.frozen)
    for unit in range(y.seen.size):
        begin, end = np.uint64(y.ptr[unit]), np.uint64(y.ptr[unit + 1])
        if begin < end:
            _replay(y.data[begin * tile : end * tile], y.post[begin * _L : end * _L], unit, y, q)
            y.seen[unit] = t


@jit
def forget(y: Any, rule: Any) -> None:
    """Empty traces, and changes where weights are frozen, before a sample."""
    for unit in range(y.seen.size):
        y.seen[unit] = -1
        y.last[unit] = -1
    _forget_traces(y, y.shared, _tile(y.shared, rule.frozen))
    _forget_changes(y, rule.frozen, _tile(y.shared, rule.frozen))


@jit
def _forget_traces(y: Any, shared: Any, tile: Any) -> None:
    if shared is None:
        _empty(y, tile, _X)
        _empty(y, tile, _Y)
    else:
        for i in range(shared.x.size):
            shared.x[i] = 0
        for j in range(shared.y.size):
            shared.y[j] = 0


@jit
def _forget_changes(y: Any, frozen: Any, tile: Any) -> None:
    if frozen is not None:
        _empty(y, tile, tile - _L)


@jit
def _empty(y: Any, tile: Any, field: Any) -> None:
    for number in range(np.uint64(y.post.size) >> _SHIFT):
        for lane in range(_L):
            y.data[number * tile + field + lane] = 0


@jit
def forget_history(h: Any) -> None:
    """No neuron has spiked yet."""
    for j in range(np.uint64(h.recent.size)):
        h.recent[j] = _packed(-1, -1)
        h.first[j] = j * _HISTORY
        h.steps[j * _HISTORY] = -1
    turn_page(h)


@jit
def turn_page(h: Any) -> None:
    """Keep the latest step of each neuron alone, when all rows have seen the others."""
    for j in range(np.uint64(h.first.size)):
        back = (j + np.uint64(1)) * _HISTORY - np.uint64(1)
        h.steps[back] = h.steps[np.uint64(h.first[j])]
        h.first[j] = back
