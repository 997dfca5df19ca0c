"""One step of all neurons: the potential, the threshold, the reset (lines 1 to 4 of `reference`)."""

from __future__ import annotations

from typing import Any

import numpy as np

from hrsnn.engine.cpu.arrivals import present
from hrsnn.engine.cpu.compiled import inlined


@inlined
def advance(n: Any, body: Any) -> Any:
    """Advance all neurons under their present currents; returns how many spike, see `Body.fired`.

    Written so that it becomes vector code: unsigned indices (no test for indices from the end), selections instead of
    branches, and several loops, as the compiler proves only a few arrays distinct per loop.
    """
    _charge(n, body.v, present(body.exc, body.base), present(body.inh, body.base), n.v_rest)
    _mark(n, body.v, body.refractory, body.spikes)
    n_fired = _collected(body.spikes, body.words, body.fired)
    _reset(n, body.v, body.refractory, body.fired[:n_fired])
    return n_fired


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
def _mark(n: Any, v: Any, refractory: Any, spikes: Any) -> None:
    """Clamp, and mark who spikes."""
    everyone = range(np.uint64(v.size))
    if refractory is None:
        for j in everyone:
            spikes[j] = v[j] >= n.v_th[j]
    else:
        for j in everyone:
            v[j] = n.v_reset[j] if refractory[j] > 0 else v[j]
        for j in everyone:
            spikes[j] = (v[j] >= n.v_th[j]) & (refractory[j] <= 1)
        for j in everyone:
            refractory[j] = max(refractory[j] - np.int32(1), np.int32(0))


@inlined
def _reset(n: Any, v: Any, refractory: Any, fired: Any) -> None:
    for j in fired:
        v[j] = n.v_reset[j]
        if refractory is not None:
            refractory[j] = n.n_ref[j]


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
