"""Short-term dynamics of synapses: what a spike uses, and what it leaves (`reference`)."""

from __future__ import annotations

from typing import Any

import numpy as np

from hrsnn.engine.cpu.compiled import by_presence, inlined
from hrsnn.engine.cpu.decay import decay
from hrsnn.engine.cpu.parts import LANES
from hrsnn.engine.reference import LONG_AGO

_L, _SHIFT = np.uint64(LANES), np.uint64(LANES.bit_length() - 1)


def _two(units: Any, room: Any) -> Any:
    for number in range(units.size):
        room[2 * number] = 2 * units[number]
        room[2 * number + 1] = 2 * units[number] + 1
    return room[: 2 * units.size]


# (units, room): the rows of units, where signs are mixed two each, its positive and its negative synapses.
rows_of = by_presence(1, lambda units, room: units, _two)


@inlined
def use_row(s: Any, weight: Any, row: Any, begin: Any, end: Any, t: Any) -> None:
    """What the synapses `begin` to `end` of `row` deliver at step t, into `effect`."""
    n_steps = np.int32(min(t - s.last[row], LONG_AGO))
    for k in range(begin, end):
        s.effect[k - begin] = _used(s, k, weight[k], n_steps)
    s.last[row] = t


@inlined
def use_tiles(s: Any, d: Any, row: Any, begin: Any, size: Any, t: Any, tile: Any) -> None:
    """`use_row` for plastic synapses, whose weights stand in the tiles `d`."""
    n_steps = np.int32(min(t - s.last[row], LONG_AGO))
    for number in range(size >> _SHIFT):
        for lane in range(_L):
            k = number * _L + lane
            s.effect[k] = _used(s, begin + k, d[number * tile + lane], n_steps)
    s.last[row] = t


@inlined
def _used(s: Any, k: Any, m: Any, n_steps: Any) -> Any:
    one = type(m)(1)
    u = s.use[k] + s.u[k] * (one - s.use[k]) * decay(n_steps, s.rate_fac[k], s)
    r = one + (s.r[k] - one) * decay(n_steps, s.rate_rec[k], s)
    s.u[k], s.r[k] = u, r * (one - u)
    return m * u * r
