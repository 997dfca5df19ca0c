"""The compiled loop forwards, with the operations of the engines in their order.

Loops read few arrays each, as the compiler proves only few of them distinct.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from hrsnn._compiled import jit


def run_forward(
    n: Any, rule: Any, recurrent: Any, inputs: Any, events: Any, current: Any, start: Any, end: Any, spikes: Any,
    record: Any, span: Any, samples: Any,
) -> None:  # fmt: skip
    """The steps of `span` for `samples`, from `start` to `end`; `spikes` (T, B, N) may be empty."""
    size, n_samples = n.alpha.size, start.v.shape[0]
    row = size * (2 if rule.is_exp else 1)
    words = np.zeros((size + 7) // 8, np.uint64)
    marks = words.view(np.uint8)
    v, before, rise = np.empty_like(n.alpha), np.empty_like(n.alpha), np.zeros_like(n.alpha)
    refractory, fired, queue = np.zeros(size, np.int32), np.empty(size, np.int64), np.empty((4, 2), np.int64)
    window = np.zeros((rule.n_rows + 1 + max(rule.n_rows, 3)) * row, n.alpha.dtype)
    for b in range(samples[0], samples[1]):
        copy(v, start.v[b])
        refractory[:] = start.refractory[b]
        copy(rise, start.adaptation[b])
        base = 0
        window[:] = 0
        copy(window[: rule.n_rows * row], start.window[b])
        for t in range(span[0], span[1]):
            at = t - span[0]
            copy(before, v)
            _charge(n, rule, v, window[base : base + row])
            if current.size > 0:
                _drive(v, n.to_rest, current[t, b])
            if rule.holds:
                _hold(v, before if rule.subtracts else n.v_reset, refractory)
            if rule.adapts:
                scale(rise, n.rho)
            if record.v.size > 0:
                copy(record.v[at, b], v)
                if record.held.size > 0:
                    _pack(record.held[at, b], refractory)
                if record.adaptation.size > 0:
                    copy(record.adaptation[at, b], rise)
                if record.currents.size > 0:
                    copy(record.currents[at, b], window[base : base + row])
            _mark(n, rule, v, rise, refractory, marks)
            n_fired = collect(words, marks, fired)
            _reset(n, rule, v, rise, refractory, fired[:n_fired])
            if spikes.size > 0:
                _show(spikes[t, b], marks)
            base = _turn(n, rule, window, base, row)
            r = t * n_samples + b
            _deliver(recurrent, window, base, fired, 0, n_fired, events.value[:0], queue, size)
            _deliver(inputs, window, base, events.unit, events.ptr[r], events.ptr[r + 1], events.value, queue, size)
        copy(end.v[b], v)
        end.refractory[b] = refractory
        copy(end.adaptation[b], rise)
        copy(end.window[b], window[base : base + rule.n_rows * row])


@jit
def copy(to: Any, what: Any) -> None:
    for j in range(np.uint64(to.size)):
        to[j] = what[j]


@jit
def scale(what: Any, factor: Any) -> None:
    for j in range(np.uint64(what.size)):
        what[j] = factor[j] * what[j]


@jit
def _charge(n: Any, rule: Any, v: Any, currents: Any) -> None:
    for j in range(np.uint64(v.size)):
        v[j] = n.v_rest[j] + n.alpha[j] * (v[j] - n.v_rest[j])
    if rule.is_exp:
        exc, inh = currents[: v.size], currents[v.size :]
        for j in range(np.uint64(v.size)):
            v[j] = v[j] + n.k_exc[j] * exc[j] + n.k_inh[j] * inh[j]
        for j in range(np.uint64(v.size)):
            v[j] = v[j] + n.drive[j]
    else:
        for j in range(np.uint64(v.size)):
            v[j] = v[j] + currents[j] + n.drive[j]


@jit
def _drive(v: Any, to_rest: Any, current: Any) -> None:
    for j in range(np.uint64(v.size)):
        v[j] = v[j] + to_rest[j] * current[j]


@jit
def _hold(v: Any, kept: Any, refractory: Any) -> None:
    for j in range(np.uint64(v.size)):
        v[j] = kept[j] if refractory[j] > 0 else v[j]


@jit
def _pack(bits: Any, refractory: Any) -> None:
    for k in range(bits.size):
        byte = 0
        for j in range(8 * k, min(8 * k + 8, refractory.size)):
            byte |= (refractory[j] > 0) << (j - 8 * k)
        bits[k] = byte


@jit
def _mark(n: Any, rule: Any, v: Any, rise: Any, refractory: Any, marks: Any) -> None:
    if rule.adapts:
        for j in range(np.uint64(v.size)):
            marks[j] = v[j] >= n.v_th[j] + rise[j]
    else:
        for j in range(np.uint64(v.size)):
            marks[j] = v[j] >= n.v_th[j]
    if rule.holds:
        for j in range(np.uint64(v.size)):
            marks[j] = marks[j] & (refractory[j] == 0)
        for j in range(np.uint64(v.size)):
            refractory[j] = max(refractory[j] - np.int32(1), np.int32(0))


@jit
def collect(words: Any, marks: Any, fired: Any) -> int:
    """Write who is marked to `fired`; eight at a time, as most are not."""
    n_fired = 0
    for word in range(np.uint64(words.size)):
        if words[word] != 0:
            for byte in range(np.uint64(8)):
                j = np.uint64(8) * word + byte
                if marks[j]:
                    fired[n_fired] = j
                    n_fired += 1
    return n_fired


@jit
def _reset(n: Any, rule: Any, v: Any, rise: Any, refractory: Any, fired: Any) -> None:
    for j in fired:
        if not rule.subtracts:
            v[j] = n.v_reset[j]
        elif rule.adapts:
            v[j] = v[j] - ((n.v_th[j] + rise[j]) - n.v_reset[j])
        else:
            v[j] = v[j] - (n.v_th[j] - n.v_reset[j])
        rise[j] = rise[j] + n.adapt[j]
        refractory[j] = n.n_ref[j]


@jit
def _show(spikes: Any, marks: Any) -> None:
    for j in range(np.uint64(spikes.size)):
        spikes[j] = marks[j]


@jit
def _turn(n: Any, rule: Any, window: Any, base: int, row: int) -> int:
    """Let currents decay into the next row, where what arrives then is already; returns where it begins."""
    later = base + row
    if later + rule.n_rows * row > window.size:
        copy(window[: rule.n_rows * row], window[base : base + rule.n_rows * row])
        base, later = 0, row
    last = later + (rule.n_rows - 1) * row
    window[last : last + row] = 0
    if rule.is_exp:
        half = row // 2
        _decay(window[later : later + half], window[base : base + half], n.beta_exc)
        _decay(window[later + half : later + row], window[base + half : base + row], n.beta_inh)
    return later


@jit
def _decay(now: Any, before: Any, beta: Any) -> None:
    for j in range(np.uint64(now.size)):
        now[j] = beta[j] * before[j] + now[j]


@jit
def _deliver(
    table: Any, window: Any, base: int, units: Any, first: int, last: int, values: Any, queue: Any, size: int
) -> None:
    """Add the weights of `units` to the window at `base`, one unit after the other."""
    if not table.is_dense:
        now = window[base:]
        for e in range(first, last):
            i = units[e]
            begin, end = np.uint64(table.ptr[i]), np.uint64(table.ptr[i + 1])
            if values.size > 0:
                for k in range(begin, end):
                    now[np.uint64(table.target[k])] += values[e] * table.weight[k]
            else:
                for k in range(begin, end):
                    now[np.uint64(table.target[k])] += table.weight[k]
        return
    waiting = 0  # runs, of which four are added in one pass, if they have one target
    for e in range(first, last):
        i = units[e]
        for k in range(table.ptr[i], table.ptr[i + 1]):
            begin, to = table.run[k] * size, base + np.int64(table.target[k])
            if values.size > 0:
                add_times(window[to : to + size], table.weight[begin : begin + size], values[e])
                continue
            if waiting == 4 or (waiting > 0 and queue[0, 1] != to):
                _add_runs(window, table.weight, queue, waiting, size)
                waiting = 0
            queue[waiting, 0], queue[waiting, 1] = begin, to
            waiting += 1
    _add_runs(window, table.weight, queue, waiting, size)


@jit
def _add_runs(window: Any, weight: Any, queue: Any, waiting: int, size: int) -> None:
    if waiting == 0:
        return
    now = window[queue[0, 1] : queue[0, 1] + size]
    if waiting == 4:
        a, b, c, d = queue[0, 0], queue[1, 0], queue[2, 0], queue[3, 0]
        _add_four(now, weight[a : a + size], weight[b : b + size], weight[c : c + size], weight[d : d + size])
        return
    for q in range(waiting):
        add(now, weight[queue[q, 0] : queue[q, 0] + size])


@jit
def _add_four(now: Any, a: Any, b: Any, c: Any, d: Any) -> None:
    for j in range(np.uint64(now.size)):
        now[j] = (((now[j] + a[j]) + b[j]) + c[j]) + d[j]


@jit
def add(now: Any, what: Any) -> None:
    for j in range(np.uint64(now.size)):
        now[j] += what[j]


@jit
def add_times(now: Any, what: Any, value: Any) -> None:
    for j in range(np.uint64(now.size)):
        now[j] += value * what[j]
