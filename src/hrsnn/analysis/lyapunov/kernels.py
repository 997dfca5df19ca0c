"""Compiled tangent maps of a network: several steps for a few columns at a time, which stay in the cache meanwhile.

`columns` (k, n_rows) is the transpose of Q. A panel of some of them is turned round, so that a row of Q, the one that a
synapse needs, is contiguous: `panel` (n_state, width) holds potentials and currents, `sent` (n_lags N, width) the
tangent of the spikes of this step and then of the steps before, as far back as delays reach. Row r of the currents
receives `weight[s]` times row `source[s]` of `sent` for s in ptr[r]:ptr[r + 1].
"""

from __future__ import annotations

from typing import Any

from hrsnn.engine.cpu.compiled import inlined


def carry_exp(
    columns: Any, alpha: Any, k_exc: Any, k_inh: Any, beta: Any, ptr: Any, source: Any, weight: Any,
    held: Any, factor: Any, gain: Any, panel: Any, sent: Any,
) -> None:  # fmt: skip
    """Exponential synapses: rows are v, I_exc, I_inh; `beta` (2 N,) is the decay of both currents."""
    n_steps, n = gain.shape
    for first in range(0, columns.shape[0], panel.shape[1]):
        part = columns[first : first + panel.shape[1]]
        width = part.shape[0]
        _load(part, panel, sent, n)
        for t in range(n_steps):
            for j in range(n):
                v, exc, inh, out = panel[j], panel[n + j], panel[2 * n + j], sent[j]
                if held[t, j]:  # v keeps what it has
                    for c in range(width):
                        out[c] = 0.0
                else:
                    a, b_exc, b_inh, r, g = alpha[j], k_exc[j], k_inh[j], factor[t, j], gain[t, j]
                    for c in range(width):
                        vp = a * v[c] + b_exc * exc[c] + b_inh * inh[c]
                        v[c] = r * vp
                        out[c] = g * vp
            for i in range(beta.size):
                current, b = panel[n + i], beta[i]
                for c in range(width):
                    current[c] *= b
                _receive(current, ptr[i], ptr[i + 1], source, weight, sent, width)
            _age(sent, n, width)
        _store(part, panel, sent, n)


def carry_delta(
    columns: Any, alpha: Any, ptr: Any, source: Any, weight: Any, held_next: Any, factor: Any, gain: Any,
    panel: Any, sent: Any,
) -> None:  # fmt: skip
    """Delta synapses: rows are the potential vp of the present step, which becomes that of the next."""
    n_steps, n = gain.shape
    for first in range(0, columns.shape[0], panel.shape[1]):
        part = columns[first : first + panel.shape[1]]
        width = part.shape[0]
        _load(part, panel, sent, n)
        for t in range(n_steps):
            for j in range(n):
                vp, out, g = panel[j], sent[j], gain[t, j]
                r = factor[t, j] if held_next[t, j] else alpha[j] * factor[t, j]
                for c in range(width):
                    out[c] = g * vp[c]
                    vp[c] *= r
            for i in range(n):
                if not held_next[t, i]:  # what arrives at a clamped neuron is lost
                    _receive(panel[i], ptr[i], ptr[i + 1], source, weight, sent, width)
            _age(sent, n, width)
        _store(part, panel, sent, n)


@inlined
def _receive(row: Any, start: Any, stop: Any, source: Any, weight: Any, sent: Any, width: Any) -> None:
    """Four synapses per visit of the row: it is read and written a quarter as often."""
    s = start
    while s + 4 <= stop:
        w0, w1, w2, w3 = weight[s], weight[s + 1], weight[s + 2], weight[s + 3]
        h0, h1, h2, h3 = sent[source[s]], sent[source[s + 1]], sent[source[s + 2]], sent[source[s + 3]]
        for c in range(width):
            row[c] += w0 * h0[c] + w1 * h1[c] + w2 * h2[c] + w3 * h3[c]
        s += 4
    while s < stop:
        w0, h0 = weight[s], sent[source[s]]
        for c in range(width):
            row[c] += w0 * h0[c]
        s += 1


@inlined
def _age(sent: Any, n: Any, width: Any) -> None:
    """What was sent in this step was sent one step before the next; the oldest is forgotten."""
    for row in range(sent.shape[0] - 1, n - 1, -1):
        new, old = sent[row], sent[row - n]
        for c in range(width):
            new[c] = old[c]


@inlined
def _load(part: Any, panel: Any, sent: Any, n: Any) -> None:
    n_state = panel.shape[0]
    _turned(part[:, :n_state], panel)
    _turned(part[:, n_state:], sent[n:])


@inlined
def _store(part: Any, panel: Any, sent: Any, n: Any) -> None:
    n_state = panel.shape[0]
    _turned_back(panel, part[:, :n_state])
    _turned_back(sent[n:], part[:, n_state:])


@inlined
def _turned(part: Any, rows: Any) -> None:
    """rows = part.T, a cache line of `part` at a time."""
    for first in range(0, rows.shape[0], 8):
        for c in range(part.shape[0]):
            for r in range(first, min(first + 8, rows.shape[0])):
                rows[r, c] = part[c, r]


@inlined
def _turned_back(rows: Any, part: Any) -> None:
    """part = rows.T, a cache line of `part` at a time."""
    for first in range(0, rows.shape[0], 8):
        for c in range(part.shape[0]):
            for r in range(first, min(first + 8, rows.shape[0])):
                part[c, r] = rows[r, c]
