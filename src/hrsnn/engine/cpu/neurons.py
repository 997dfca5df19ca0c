"""One step of all neurons: the potential, the threshold, the reset (lines 1 to 4 of `reference`)."""

from __future__ import annotations

from typing import Any

import numpy as np

from hrsnn.engine.cpu.arrivals import present
from hrsnn.engine.cpu.compiled import inlined


@inlined
def advance(n: Any, body: Any, current: Any) -> Any:
    """Advance all neurons under their present currents; returns how many spike, see `Body.fired`.

    `current` is analogue input (N,) or None. Written so that it becomes vector code: unsigned indices (no test for
    indices from the end), selections instead of branches, and several loops, as the compiler proves only a few arrays
    distinct per loop.
    """
    _hold(body.v, body.held)
    _charge(n, body.v, present(body.exc, body.base), present(body.inh, body.base), n.v_rest)
    _drive(n, body.v, current)
    _clamp(n, body.v, body.refractory, body.held)
    _mark(n, body.v, body.refractory, body.spikes, body.adaptation)
    n_fired = _collected(body.spikes, body.words, body.fired)
    _reset(n, body.v, body.refractory, body.adaptation, body.fired[:n_fired])
    return n_fired


@inlined
def _hold(v: Any, held: Any) -> None:
    if held is not None:
        for j in range(np.uint64(v.size)):
            held[j] = v[j]


@inlined
def _charge(n: Any, v: Any, exc: Any, inh: Any, v_rest: Any) -> None:
    everyone = range(np.uint64(v.size))
    if v_rest is None:
        if inh is None:
            for j in everyone:
                v[j] = n.alpha[j] * v[j] + exc[j]
        else:
            for j in everyone:
                v[j] = n.alpha[j] * v[j] + n.k_exc[j] * exc[j] + n.k_inh[j] * inh[j]
    else:
        for j in everyone:
            v[j] = v_rest[j] + n.alpha[j] * (v[j] - v_rest[j])
        if inh is None:
            for j in everyone:
                v[j] = v[j] + exc[j] + n.drive[j]
        else:
            for j in everyone:
                v[j] = v[j] + n.k_exc[j] * exc[j] + n.k_inh[j] * inh[j] + n.drive[j]


@inlined
def _drive(n: Any, v: Any, current: Any) -> None:
    if current is not None:
        for j in range(np.uint64(v.size)):
            v[j] = v[j] + n.to_rest[j] * current[j]


@inlined
def _clamp(n: Any, v: Any, refractory: Any, held: Any) -> None:
    if refractory is not None:
        if held is None:
            for j in range(np.uint64(v.size)):
                v[j] = n.v_reset[j] if refractory[j] > 0 else v[j]
        else:
            for j in range(np.uint64(v.size)):
                v[j] = held[j] if refractory[j] > 0 else v[j]


@inlined
def _mark(n: Any, v: Any, refractory: Any, spikes: Any, adaptation: Any) -> None:
    """Mark who spikes."""
    everyone = range(np.uint64(v.size))
    if adaptation is not None:
        for j in everyone:
            adaptation[j] = n.rho[j] * adaptation[j]
        for j in everyone:
            spikes[j] = v[j] >= n.v_th[j] + adaptation[j]
        if refractory is not None:
            for j in everyone:
                spikes[j] = spikes[j] & (refractory[j] == 0)
    elif refractory is not None:
        for j in everyone:
            spikes[j] = (v[j] >= n.v_th[j]) & (refractory[j] == 0)
    else:
        for j in everyone:
            spikes[j] = v[j] >= n.v_th[j]
    if refractory is not None:
        for j in everyone:
            refractory[j] = max(refractory[j] - np.int32(1), np.int32(0))


@inlined
def _reset(n: Any, v: Any, refractory: Any, adaptation: Any, fired: Any) -> None:
    for j in fired:
        v[j] = _after(n, n.subtracts, adaptation, v[j], j)
        if adaptation is not None:
            adaptation[j] = adaptation[j] + n.adapt[j]
        if refractory is not None:
            refractory[j] = n.n_ref[j]


@inlined
def _after(n: Any, subtracts: Any, adaptation: Any, v: Any, j: Any) -> Any:
    """The potential after a spike."""
    if subtracts is None:
        return n.v_reset[j]
    if adaptation is None:
        return v - (n.v_th[j] - n.v_reset[j])
    return v - ((n.v_th[j] + adaptation[j]) - n.v_reset[j])


@inlined
def _collected(spikes: Any, words: Any, fired: Any) -> Any:
    """Write the neurons marked in `spikes` to `fired`; returns their number.

    Eight marks are tested at a time, and those eight looked at without a branch: most are empty.
    """
    n_fired = np.int64(0)
    for word in range(np.uint64(words.size)):
        if words[word] != 0:
            for byte in range(np.uint64(8)):
                j = np.uint64(8) * word + byte
                fired[n_fired] = j
                n_fired += np.int64(spikes[j])
    return n_fired
