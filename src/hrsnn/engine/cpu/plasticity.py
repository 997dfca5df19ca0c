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

from hrsnn.engine.cpu.compiled import jit, power_of_two, prefetch
from hrsnn.engine.cpu.parts import HISTORY, LANES

_L = np.uint64(LANES)
_SHIFT = np.uint64(LANES.bit_length() - 1)
_HISTORY = np.uint64(HISTORY)

# Offsets of the fields in a tile.
_W_MAX, _A_PLUS, _A_MINUS = (np.uint64(n * LANES) for n in range(1, 4))
_RATE_PLUS, _RATE_MINUS, _X, _Y = (np.uint64(n * LANES) for n in range(4, 8))


@jit
def _tile(shared: Any, frozen: Any) -> Any:
    """Entries of a tile."""
    if shared is None:
        return np.uint64(8 * LANES) if frozen is None else np.uint64(9 * LANES)
    return np.uint64(4 * LANES) if frozen is None else np.uint64(5 * LANES)


@jit
def decay(n_steps: Any, rate: Any, rule: Any) -> Any:
    """2**(-n_steps rate); the same operations as `reference.decay`."""
    z = max(-(type(rate)(n_steps) * rate), rule.lowest)
    whole = np.floor(z)
    fraction = z - whole
    value = rule.polynomial[-1]
    for k in range(len(rule.polynomial) - 2, -1, -1):
        value = value * fraction + rule.polynomial[k]
    return value * power_of_two(whole)


# -- one synapse -----------------------------------------------------------------------------------------------------


@jit
def _changed(d: Any, k: Any, up: Any, down: Any, tile: Any, soft_bound: Any, frozen: Any) -> Any:
    """The weight at `k` after the change, clipped; frozen: the sum of changes."""
    m, w_max = d[k], d[k + _W_MAX]
    if soft_bound is not None:
        share = m / w_max if w_max > 0 else type(m)(0)
        if soft_bound == 1:
            up *= type(m)(1) - share
            down *= share
        else:
            up *= type(m)(math.pow(type(m)(1) - share, soft_bound))
            down *= type(m)(math.pow(share, soft_bound))
    if frozen is None:
        return min(max(m + (up - down), type(m)(0)), w_max)
    return d[k + tile - _L] + (up - down)


@jit
def _place_of_change(k: Any, tile: Any, frozen: Any) -> Any:
    return k if frozen is None else k + tile - _L


# -- one row ---------------------------------------------------------------------------------------------------------


@jit
def _look_up(post: Any, spikes: Any, h: Any, s: Any) -> None:
    """The last two spikes of the target of each synapse, and whether it spikes now."""
    for k in range(np.uint64(post.size)):
        j = np.uint64(post[k])
        s.last[k] = h.recent[np.uint64(2) * j]
        s.before[k] = h.recent[np.uint64(2) * j + np.uint64(1)]
        s.now[k] = spikes[j]


@jit
def _list_earlier(post: Any, seen: Any, h: Any, s: Any) -> Any:
    """List the spikes after `seen` but the last of each target: synapse and place in the history, latest first.

    Without branches on single spikes: every entry is written, and counted when it is one.
    """
    n = np.int64(0)
    for k in range(np.uint64(post.size)):
        s.lane[n] = k
        n += np.int64(s.before[k] > seen)
    end = np.uint64(n)
    for e in range(end):
        s.place[e] = np.uint64(post[np.uint64(s.lane[e])]) * _HISTORY + np.uint64(1)
    begin = np.uint64(0)
    while begin < end:
        more = end
        for e in range(begin, end):
            earlier = s.place[e] + np.uint32(1)
            s.lane[more] = s.lane[e]
            s.place[more] = earlier
            more += np.uint64(h.earlier[np.uint64(earlier)] > seen)
        begin, end = end, more
    return end


@jit
def _replay_earlier(d: Any, n: Any, unit: int, last: Any, shared: Any, h: Any, s: Any, rule: Any) -> None:
    """Replay the listed spikes, from the end of the list: for every synapse in the order of time."""
    tile = _tile(shared, rule.frozen)
    for e in range(n):
        place = np.uint64(s.place[e])
        step = h.earlier[place]
        k = np.uint64(s.lane[e])
        k = (k >> _SHIFT) * tile + (k & (_L - np.uint64(1)))
        s.lane[e] = k
        s.since[e] = np.int32(step - last)
        if shared is None:
            s.rate[e] = d[k + _RATE_PLUS]
            s.since[n + e] = np.int32(step - h.earlier[place + np.uint64(1)])
            s.rate[n + e] = d[k + _RATE_MINUS]
    if shared is None:
        for e in range(n + n):
            s.since[e] = decay(s.since[e], s.rate[e], rule)
    else:
        for e in range(n):
            s.since[e] = decay(s.since[e], shared.rate_plus, rule)
    for back in range(n):
        e = n - np.uint64(1) - back
        k = np.uint64(s.lane[e])
        x = (d[k + _X] if shared is None else shared.x[unit]) * s.since[e]
        up, none = d[k + _A_PLUS] * x, type(x)(0)
        to = _place_of_change(k, tile, rule.frozen)
        d[to] = _changed(d, k, up, none, tile, rule.soft_bound, rule.frozen)
        if shared is None:
            d[k + _Y] = rule.keep * (d[k + _Y] * s.since[n + e]) + type(x)(1)


@jit
def _replay_last(d: Any, n_tiles: Any, unit: int, seen: Any, last: Any, shared: Any, s: Any, rule: Any) -> None:
    """Replay the last spike of each target where it is after `seen`."""
    tile = _tile(shared, rule.frozen)
    for number in range(n_tiles):
        for lane in range(_L):
            k, q = number * tile + lane, number * _L + lane
            step = s.last[q]
            is_new = step > seen
            if shared is None:
                x = d[k + _X] * decay(np.int32(step - last), d[k + _RATE_PLUS], rule)
                y = rule.keep * (d[k + _Y] * decay(np.int32(step - s.before[q]), d[k + _RATE_MINUS], rule)) + type(x)(1)
                d[k + _Y] = y if is_new else d[k + _Y]
            else:
                x = shared.x[unit] * decay(np.int32(step - last), shared.rate_plus, rule)
            up, none = d[k + _A_PLUS] * x, type(x)(0)
            to = _place_of_change(k, tile, rule.frozen)
            d[to] = _changed(d, k, up, none, tile, rule.soft_bound, rule.frozen) if is_new else d[to]


@jit
def _replay(d: Any, post: Any, unit: int, y: Any, spikes: Any, q: Any) -> None:
    """Bring a row up to date with all spikes in the history."""
    h, s, seen, last = q.history, q.scratch, y.seen[unit], y.last[unit]
    _look_up(post, spikes, h, s)
    n_earlier = _list_earlier(post, seen, h, s)
    _replay_earlier(d, n_earlier, unit, last, y.shared, h, s, q.rule)
    _replay_last(d, np.uint64(post.size) >> _SHIFT, unit, seen, last, y.shared, s, q.rule)


@jit
def _add_row(d: Any, target: Any, current: Any, sign: Any, tile: Any) -> None:
    for number in range(np.uint64(target.size) >> _SHIFT):
        for lane in range(_L):
            current[np.uint64(target[number * _L + lane])] += sign * d[number * tile + lane]


@jit
def _apply_step(d: Any, n_tiles: Any, unit: int, last: Any, shared: Any, s: Any, rule: Any, t: Any) -> None:
    """The change of step t, in which the presynaptic unit spikes and some targets may."""
    tile = _tile(shared, rule.frozen)
    if shared is not None:
        x_shared = shared.x[unit] * decay(np.int32(t - last), shared.rate_plus, rule)
        shared.x[unit] = rule.keep * x_shared + type(x_shared)(1)
    for number in range(n_tiles):
        for lane in range(_L):
            k, q = number * tile + lane, number * _L + lane
            is_now = s.now[q] != 0
            if shared is None:
                x = d[k + _X] * decay(np.int32(t - last), d[k + _RATE_PLUS], rule)
                y = d[k + _Y] * decay(np.int32(t - s.last[q]), d[k + _RATE_MINUS], rule)
                d[k + _X] = rule.keep * x + type(x)(1)
            else:
                x = x_shared
                y = s.since[q]
            up = d[k + _A_PLUS] * x if is_now else type(x)(0)
            down = d[k + _A_MINUS] * y
            to = _place_of_change(k, tile, rule.frozen)
            d[to] = _changed(d, k, up, down, tile, rule.soft_bound, rule.frozen)
            if shared is None:
                d[k + _Y] = rule.keep * y + type(x)(1) if is_now else d[k + _Y]


@jit
def _look_up_traces(post: Any, shared: Any, s: Any, rule: Any, t: Any) -> None:
    """The shared traces of the targets at step t, into `since`."""
    if shared is not None:
        for k in range(np.uint64(post.size)):
            s.rate[k] = shared.y[np.uint64(post[k])]
        for k in range(np.uint64(post.size)):
            s.since[k] = s.rate[k] * decay(np.int32(t - s.last[k]), shared.rate_minus, rule)


@jit
def _ask_for(y: Any, unit: int, tile: Any) -> None:
    line = np.uint64(16)
    begin, end = np.uint64(y.ptr[unit]), np.uint64(y.ptr[unit + 1])
    for k in range(begin * tile, end * tile, line):
        prefetch(y.data, k)
    for k in range(begin * _L, end * _L, line + line):
        prefetch(y.post, k)


# -- from the loop over time -----------------------------------------------------------------------------------------


@jit
def visit(y: Any, exc: Any, inh: Any, units: Any, spikes: Any, q: Any, t: Any) -> None:
    """Deliver the spikes of `units` at step t and learn from them; `spikes` marks the neurons that spike now."""
    tile = _tile(y.shared, q.rule.frozen)
    for number in range(units.size):
        if number + 1 < units.size:
            _ask_for(y, units[number + 1], tile)
        unit = units[number]
        begin, end = np.uint64(y.ptr[unit]), np.uint64(y.ptr[unit + 1])
        if begin == end:
            continue
        d, post = y.data[begin * tile : end * tile], y.post[begin * _L : end * _L]
        _replay(d, post, unit, y, spikes, q)
        target = y.target[begin * _L : end * _L]
        if inh is None:
            _add_row(d, target, exc, y.sign[unit], tile)
        else:
            _add_row(d, target, exc if y.sign[unit] > 0 else inh, y.sign[unit], tile)
        _look_up_traces(post, y.shared, q.scratch, q.rule, t)
        _apply_step(d, end - begin, unit, y.last[unit], y.shared, q.scratch, q.rule, t)
        y.seen[unit] = t
        y.last[unit] = t


@jit
def note(recurrent: Any, inputs: Any, fired: Any, q: Any, t: Any) -> bool:
    """Enter the spikes of step t into the history and the shared traces; true when the history of a neuron is full."""
    h = q.history
    is_full = False
    for j in fired:
        last = h.recent[2 * j]
        _raise_trace(recurrent, j, t - last, q.rule)
        _raise_trace(inputs, j, t - last, q.rule)
        h.recent[2 * j + 1] = last
        h.recent[2 * j] = t
        first = np.uint64(j) * _HISTORY
        for k in range(HISTORY - 1, 0, -1):
            h.earlier[first + np.uint64(k)] = h.earlier[first + np.uint64(k - 1)]
        h.earlier[first] = t
        h.n_unread[j] += 1
        is_full |= h.n_unread[j] == HISTORY - 1
    if is_full:
        for j in range(h.n_unread.size):
            h.n_unread[j] = 0
    return is_full


@jit
def _raise_trace(shared: Any, j: int, n_steps: Any, rule: Any) -> None:
    if shared is not None:
        trace = shared.y[j] * decay(n_steps, shared.rate_minus, rule)
        shared.y[j] = rule.keep * trace + type(trace)(1)


@jit
def bring_up_to_date(y: Any, spikes: Any, q: Any, t: Any) -> None:
    """Replay what rows have not seen up to and with step t."""
    tile = _tile(y.shared, q.rule.frozen)
    for unit in range(y.seen.size):
        begin, end = np.uint64(y.ptr[unit]), np.uint64(y.ptr[unit + 1])
        if begin < end:
            _replay(y.data[begin * tile : end * tile], y.post[begin * _L : end * _L], unit, y, spikes, q)
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
    for k in range(h.recent.size):
        h.recent[k] = -1
    for k in range(h.earlier.size):
        h.earlier[k] = -1
    for j in range(h.n_unread.size):
        h.n_unread[j] = 0
