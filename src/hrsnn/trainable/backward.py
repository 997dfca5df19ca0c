"""The compiled loop backwards, from gradients by what comes out of each step to those by all that went in.

`LANES` samples are a chunk, whatever the number of threads. Loops read few arrays each, as in `forward`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from hrsnn._compiled import jit
from hrsnn.trainable.forward import add, add_times, collect, copy, scale
from hrsnn.trainable.lanes import LANES, ROWS, dense_product, dense_row, sparse_product, transpose
from hrsnn.trainable.parts import ADAPT, ALPHA, BETA_EXC, BETA_INH, DRIVE, K_EXC, K_INH, TO_REST, V_TH


def run_backward(
    n: Any, rule: Any, recurrent: Any, inputs: Any, events: Any, current: Any, record: Any, seen: Any, carry: Any,
    gradients: Any, span: Any, chunk: int,
) -> None:  # fmt: skip
    """The steps of `span`, the last first, for one chunk; `seen` (T or 1, B, N) are the gradients by spikes."""
    size, n_samples = n.alpha.size, record.v.shape[1]
    row, first = size * (2 if rule.is_exp else 1), LANES * chunk
    n_lanes = min(LANES, n_samples - first)
    length, room = rule.n_rows * row, 2 * rule.n_rows * row
    zeros = np.zeros((8, size), n.alpha.dtype)
    risen, spiked, by_spike, by_v, free = zeros[0], zeros[1], zeros[2], zeros[3], zeros[4]
    theta = risen if rule.adapts else n.v_th
    words = np.zeros((size + 7) // 8, np.uint64)
    marks = words.view(np.uint8)
    fired = np.empty(size, np.int64)
    window = np.zeros((LANES, room), n.alpha.dtype)
    base = room - length
    window[:, base:] = carry.window[chunk]
    side = np.zeros(room * LANES, n.alpha.dtype)  # the same, samples side by side
    _beside(side, window, base, length)
    back = np.zeros(size * LANES, n.alpha.dtype)
    n_given = inputs.ptr.size - 1 if gradients.spikes.size > 0 else 0
    given_back = np.zeros(n_given * LANES, n.alpha.dtype)
    by_unit, by_channel = np.empty((LANES, size), n.alpha.dtype), np.empty((LANES, n_given), n.alpha.dtype)
    sums = gradients.coefficients[chunk]
    wanted = gradients.wanted
    for t in range(span[1] - 1, span[0] - 1, -1):
        at = t - span[0]
        _hand_back(recurrent, side, base, back, size)
        _apart(by_unit, back, size)
        if n_given > 0:
            _hand_back(inputs, side, base, given_back, size)
            _apart(by_channel, given_back, n_given)
        before = base - row
        if before < 0:
            if rule.n_rows > 1:
                base = _move_to_end(window, side, base, length)
            before = room - length - row if rule.n_rows > 1 else room - row
        for lane in range(n_lanes):
            b = first + lane
            v, now = record.v[at, b], window[lane]
            later, by_current = now[base : base + row], now[before : before + row]
            if rule.adapts:
                _sum(risen, n.v_th, record.adaptation[at, b])
            if rule.holds:
                _unpack(free, record.held[at, b])
            _mark_again(v, theta, free, rule, marks, spiked)
            _sum(by_spike, seen[t if seen.shape[0] > 1 else 0, b], by_unit[lane])
            _through_spike(n, rule, carry, chunk, lane, v, theta, spiked, by_spike, by_v, free, sums, wanted)
            _to_currents(n, rule, carry.free[chunk, lane], later, by_current)
            _add_up(rule, carry.free[chunk, lane], later, record, current, t, at, b, sums, wanted)
            if gradients.current.size > 0:
                _times(gradients.current[t, b], n.to_rest, carry.free[chunk, lane])
            if gradients.recurrent.size > 0:
                n_fired = collect(words, marks, fired)
                _learn(recurrent, gradients.recurrent[chunk], now[base:], fired, 0, n_fired, events.value[:0], size)
            if gradients.inputs.size > 0:
                r = t * n_samples + b
                _learn(
                    inputs, gradients.inputs[chunk], now[base:], events.unit, events.ptr[r], events.ptr[r + 1],
                    events.value, size,
                )  # fmt: skip
            if n_given > 0:
                copy(gradients.spikes[t, b], by_channel[lane])
        base = before
        _beside(side, window, base, row)
    carry.window[chunk] = window[:, base : base + length]


@jit
def _beside(side: Any, window: Any, base: int, length: int) -> None:
    """Put the rows of the samples side by side."""
    width = window.shape[1]
    whole = length - length % LANES
    for j in range(0, whole, LANES):
        transpose(window, base + j, width, side, (base + j) * LANES, np.int64(LANES))
    for j in range(base + whole, base + length):
        for lane in range(LANES):
            side[j * LANES + lane] = window[lane, j]


@jit
def _apart(rows: Any, side: Any, length: int) -> None:
    """The other way: what is side by side as rows of the samples."""
    whole = length - length % LANES
    for j in range(0, whole, LANES):
        transpose(side, j * LANES, np.int64(LANES), rows, j, length)
    for j in range(whole, length):
        for lane in range(LANES):
            rows[lane, j] = side[j * LANES + lane]


@jit
def _move_to_end(window: Any, side: Any, base: int, length: int) -> Any:
    to = window.shape[1] - length
    for lane in range(LANES):
        for j in range(length - 1, -1, -1):
            window[lane, to + j] = window[lane, base + j]
    for j in range(length * LANES - 1, -1, -1):
        side[to * LANES + j] = side[base * LANES + j]
    return to


@jit
def _hand_back(table: Any, side: Any, base: int, out: Any, size: int) -> None:
    """What units get back from their targets: weights times gradients, summed over the synapses of each."""
    if not table.is_dense:
        for i in range(table.ptr.size - 1):
            sparse_product(
                table.weight, table.target, np.int64(table.ptr[i]), np.int64(table.ptr[i + 1]), side, np.int64(base),
                out, np.int64(i),
            )  # fmt: skip
        return
    out[:] = 0
    r = 0
    while r < table.of_run.size:
        place = np.int64(base) + np.int64(table.target_of_run[r])
        if r + ROWS <= table.of_run.size and table.target_of_run[r + ROWS - 1] == table.target_of_run[r]:
            dense_product(table.weight, np.int64(r), np.int64(size), side, place, out, table.of_run)
            r += ROWS
        else:
            dense_row(table.weight, np.int64(r), np.int64(size), side, place, out, table.of_run)
            r += 1


@jit
def _sum(to: Any, a: Any, b: Any) -> None:
    for j in range(np.uint64(to.size)):
        to[j] = a[j] + b[j]


@jit
def _times(to: Any, a: Any, b: Any) -> None:
    for j in range(np.uint64(to.size)):
        to[j] = a[j] * b[j]


@jit
def _add_product(to: Any, a: Any, b: Any) -> None:
    for j in range(np.uint64(to.size)):
        to[j] += a[j] * b[j]


@jit
def _unpack(free: Any, bits: Any) -> None:
    for j in range(np.uint64(free.size)):
        free[j] = 1 - ((bits[j >> np.uint64(3)] >> (j & np.uint64(7))) & 1)


@jit
def _mark_again(v: Any, theta: Any, free: Any, rule: Any, marks: Any, spiked: Any) -> None:
    """The comparison that was made forwards, so the spikes are those, and need not be kept."""
    for j in range(np.uint64(v.size)):
        marks[j] = v[j] >= theta[j]
    if rule.holds:
        for j in range(np.uint64(v.size)):
            marks[j] = marks[j] & (free[j] != 0)
    for j in range(np.uint64(v.size)):
        spiked[j] = marks[j]


@jit
def _through_spike(
    n: Any, rule: Any, carry: Any, chunk: int, lane: int, v: Any, theta: Any, spiked: Any, by_spike: Any, by_v: Any,
    free: Any, sums: Any, wanted: Any,
) -> None:  # fmt: skip
    """From the gradients by what a step leaves to those by what it began with, but for the currents.

    s stands for the spike, u = v - theta; after it v' = v - s (theta - v_reset), or (1 - s) v + s v_reset, and the
    adaptation b' = b + s a. `carry.v` and `carry.adaptation` come in as gradients by v' and b'.
    """
    by_after, by_free = carry.v[chunk, lane], carry.free[chunk, lane]
    everyone = range(np.uint64(v.size))
    if wanted[ALPHA]:  # of the step after this one, which began with v'
        _add_decay(sums[ALPHA], by_free, v, spiked, theta if rule.subtracts else v, n)
    if rule.adapts:
        by_rise = carry.adaptation[chunk, lane]
        for j in everyone:
            by_spike[j] += by_rise[j] * n.adapt[j]
        if wanted[ADAPT]:
            _add_product(sums[ADAPT], by_rise, spiked)
    if rule.subtracts:
        for j in everyone:
            by_spike[j] -= by_after[j] * (theta[j] - n.v_reset[j])
    else:
        for j in everyone:
            by_spike[j] += by_after[j] * (n.v_reset[j] - v[j])
    if rule.is_atan:
        for j in everyone:
            x = rule.slope * (v[j] - theta[j])
            by_spike[j] = by_spike[j] * (rule.height / (rule.one + x * x))
    else:
        for j in everyone:
            x = rule.one + rule.slope * abs(v[j] - theta[j])
            by_spike[j] = by_spike[j] * (rule.height / (x * x))
    if rule.holds:
        scale(by_spike, free)  # from here on it is the gradient by u
    if rule.subtracts:
        for j in everyone:
            by_v[j] = by_after[j] + by_spike[j]
        for j in everyone:
            by_spike[j] = by_spike[j] + spiked[j] * by_after[j]  # by -theta
    else:
        for j in everyone:
            by_v[j] = (rule.one - spiked[j]) * by_after[j] + by_spike[j]
    if wanted[V_TH]:
        total = sums[V_TH]
        for j in everyone:
            total[j] -= by_spike[j]
    if rule.adapts:
        by_rise = carry.adaptation[chunk, lane]
        for j in everyone:
            by_rise[j] = n.rho[j] * (by_rise[j] - by_spike[j])
    if not rule.holds:
        copy(by_free, by_v)
        _times(by_after, n.alpha, by_v)
    else:
        _times(by_free, by_v, free)
        _times(by_after, n.alpha, by_free)
        if rule.subtracts:  # a potential that is held is that of the step before
            for j in everyone:
                by_after[j] = by_after[j] + (rule.one - free[j]) * by_v[j]


@jit
def _add_decay(total: Any, by_free: Any, v: Any, spiked: Any, lowered: Any, n: Any) -> None:
    """By alpha: gradients by the potential times v' - v_rest, v' = v - s (lowered - v_reset)."""
    for j in range(np.uint64(v.size)):
        after = v[j] - spiked[j] * (lowered[j] - n.v_reset[j])
        total[j] += by_free[j] * (after - n.v_rest[j])


@jit
def _to_currents(n: Any, rule: Any, by_free: Any, later: Any, by_current: Any) -> None:
    if rule.is_exp:
        half = by_free.size
        _one_current(by_current[:half], later[:half], n.beta_exc, n.k_exc, by_free)
        _one_current(by_current[half:], later[half:], n.beta_inh, n.k_inh, by_free)
    else:
        copy(by_current, by_free)


@jit
def _one_current(by_current: Any, later: Any, beta: Any, k: Any, by_free: Any) -> None:
    for j in range(np.uint64(by_current.size)):
        by_current[j] = beta[j] * later[j] + k[j] * by_free[j]


@jit
def _add_up(
    rule: Any, by_free: Any, later: Any, record: Any, current: Any, t: int, at: int, b: int, sums: Any, wanted: Any
) -> None:
    """The gradients by coefficients that stand before something in the sum of the potential, and by decays."""
    if wanted[DRIVE]:
        add(sums[DRIVE], by_free)
    if wanted[TO_REST] and current.size > 0:
        _add_product(sums[TO_REST], by_free, current[t, b])
    if record.currents.size > 0:
        half = by_free.size
        exc, inh = record.currents[at, b][:half], record.currents[at, b][half:]
        if wanted[K_EXC]:
            _add_product(sums[K_EXC], by_free, exc)
        if wanted[K_INH]:
            _add_product(sums[K_INH], by_free, inh)
        if wanted[BETA_EXC]:
            _add_product(sums[BETA_EXC], later[:half], exc)
        if wanted[BETA_INH]:
            _add_product(sums[BETA_INH], later[half:], inh)


@jit
def _learn(
    table: Any, gradient: Any, later: Any, units: Any, first: int, last: int, values: Any, size: int
) -> None:  # fmt: skip
    """Add what the targets of `units` have to the gradients of the weights, of synapses that exist alone."""
    for e in range(first, last):
        i = units[e]
        if table.is_dense:
            for k in range(table.ptr[i], table.ptr[i + 1]):
                begin, to = table.run[k] * size, np.int64(table.target[k])
                if values.size > 0:
                    add_times(gradient[begin : begin + size], later[to : to + size], values[e])
                else:
                    add(gradient[begin : begin + size], later[to : to + size])
            continue
        begin, end = np.uint64(table.ptr[i]), np.uint64(table.ptr[i + 1])
        if values.size > 0:
            for k in range(begin, end):
                gradient[k] += values[e] * later[np.uint64(table.target[k])]
        else:
            for k in range(begin, end):
                gradient[k] += later[np.uint64(table.target[k])]
