"""What the kernels are given: named tuples of arrays, made from `Coefficients`. None leaves a mechanism out.

Arrays over neurons that arrivals or spikes are looked up in have `LANES` entries more than there are neurons: rows of
plastic synapses are filled up to whole vectors with synapses that end there.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hrsnn._compiled import compiled
from hrsnn.engine.coefficients import Coefficients, Floats, ShortTermCoefficients, SynapseCoefficients

LANES = 16  # synapses that are updated together: the widest vector of single precision
HISTORY = 64  # spikes of a neuron that are kept for rows that have not seen them
_SPARE_ROWS = 16  # steps between two moves of the arrivals under way to the front of their buffer


class Neurons(NamedTuple):
    """`v_rest` and `drive` are None when all are zero, `n_ref` without refractory periods, the four of the currents in
    delta mode, `adapt` and `rho` without adaptive thresholds; `subtracts` is True with reset by subtraction, else None.
    """

    alpha: Any
    v_th: Any
    v_reset: Any
    v_rest: Any
    drive: Any
    n_ref: Any
    k_exc: Any
    k_inh: Any
    beta_exc: Any
    beta_inh: Any
    to_rest: Any
    adapt: Any
    rho: Any
    subtracts: Any


class Body(NamedTuple):
    """Dynamic state of one sample.

    exc, inh     rows of n_neurons + LANES: the current of the present step, then the arrivals of coming steps; `base`
                 (1,) is where the present row begins. Without delays there is one row. Delta: inh is None
    n_under_way  rows that are in use, the longest delay, (1,); None without delays, which are a tenth faster so
    fired        the neurons that spike in the present step, ascending; `spikes` marks them, `words` is the same memory
    adaptation   what thresholds have risen by; None without
    held         room for potentials that refractory neurons keep; None where they are at their reset
    """

    v: Any
    exc: Any
    inh: Any
    base: Any
    n_under_way: Any
    refractory: Any
    spikes: Any
    words: Any
    fired: Any
    adaptation: Any
    held: Any


class ShortTerm(NamedTuple):
    """Short-term dynamics of the synapses of a table, in its order.

    u, r          state right after the last spike of the presynaptic unit
    last          step of that spike, (n_rows,)
    use           U; rate_rec, rate_fac: decays per step in powers of two
    effect        room for what a row delivers
    lowest, polynomial   as in `Rule`
    """

    u: Any
    r: Any
    last: Any
    use: Any
    rate_rec: Any
    rate_fac: Any
    effect: Any
    lowest: Any
    polynomial: Any


class Rows(NamedTuple):
    """Synapses with fixed weights. `target` counts from the present row of arrivals: later rows are longer delays.

    room         None where all synapses of a unit have one sign. Else a unit has two rows, its positive and
                 its negative synapses, and this is room for the rows of the units that spike
    short_term   None without
    """

    ptr: Any
    target: Any
    weight: Any
    sign: Any
    room: Any
    short_term: Any


class Shared(NamedTuple):
    """Traces of a table whose synapses share their time constants: one per presynaptic unit and one per neuron."""

    rate_plus: Any
    rate_minus: Any
    x: Any
    y: Any


class Tiles(NamedTuple):
    """Plastic synapses, `LANES` to a tile: row i is tiles ptr[i]:ptr[i + 1].

    data         one tile after the other; in a tile one field after the other: weight, w_max, a_plus, a_minus, then,
                 where traces are kept per synapse, rate_plus, rate_minus, x, y, then, where weights are frozen, change
    post         neuron of each synapse; of the synapses that fill up a tile n_neurons + lane
    target       as in `Rows`
    seen         step up to which the spikes of neurons have changed the row, (n_pre,)
    last         step of the last spike of a presynaptic unit, (n_pre,)
    room, short_term   as in `Rows`
    """

    ptr: Any
    post: Any
    target: Any
    data: Any
    sign: Any
    seen: Any
    last: Any
    shared: Any
    room: Any
    short_term: Any


class Rule(NamedTuple):
    """`keep` is 1 when a spike adds to a trace, 0 when it replaces it; `linear` is True with soft bounds of exponent 1,
    `soft_bound` is any other exponent, both are None without soft bounds; `frozen` is True when changes are
    collected and weights stay, else None.
    """

    keep: Any
    linear: Any
    soft_bound: Any
    frozen: Any
    lowest: Any
    polynomial: Any


class History(NamedTuple):
    """The last spikes of every neuron.

    recent     the last two, (n_neurons + LANES,) int64: in the lower half twice the step of the last one, plus one if
               the neuron spikes in the present step; in the upper half the step of the one before
    steps      `HISTORY` per neuron, filled from the back: the latest stands at `first`, (n_neurons + LANES,)
    """

    recent: Any
    steps: Any
    first: Any


class Scratch(NamedTuple):
    """Room for one row of synapses: `recent` per synapse; the others per spike to be replayed, see `_list_earlier`.

    `decays` holds blocks of `LANES` spikes: steps since the last spike of the presynaptic unit and since the spike
    before, then the two rates; the decays take the place of the steps.
    """

    recent: Any
    synapse: Any
    place: Any
    step: Any
    before: Any
    decays: Any


class Learning(NamedTuple):
    rule: Rule
    history: History
    scratch: Scratch


# -- made from coefficients ------------------------------------------------------------------------------------------


def stride(c: Coefficients) -> int:
    """Length of a row of arrivals."""
    return c.n_neurons + LANES


def neurons(c: Coefficients, refractory: bool) -> Neurons:
    n = c.neurons
    resting = not n.v_rest.any() and not n.drive.any()
    exp = c.synapse == "exp"
    of_currents = ("k_exc", "k_inh", "beta_exc", "beta_inh")
    return Neurons(
        n.alpha, n.v_th, n.v_reset,
        None if resting else n.v_rest, None if resting else n.drive,
        n.n_ref if refractory else None,
        **{name: getattr(n, name) if exp else None for name in of_currents},
        to_rest=n.to_rest, adapt=n.adapt, rho=n.rho, subtracts=True if c.subtracts else None,
    )  # fmt: skip


def body(c: Coefficients, refractory: bool) -> Body:
    n, used = c.n_neurons, c.n_pending + 1
    rows = used + max(used, _SPARE_ROWS) if c.n_pending else 1
    spikes = np.zeros(-(-stride(c) // 8) * 8, dtype=np.uint8)
    return Body(
        v=np.empty(n, c.dtype),
        exc=np.zeros(rows * stride(c), c.dtype),
        inh=np.zeros(rows * stride(c), c.dtype) if c.synapse == "exp" else None,
        base=np.zeros(1, np.int64),
        n_under_way=np.array([used]) if c.n_pending else None,
        refractory=np.empty(n, np.int32) if refractory else None,
        spikes=spikes,
        words=spikes.view(np.uint64),
        fired=np.empty(n + 8, np.int32),
        adaptation=None if c.neurons.adapt is None else np.empty(n, c.dtype),
        held=np.empty(n, c.dtype) if c.subtracts and refractory else None,
    )


def rows(c: Coefficients, table: SynapseCoefficients, m: Floats) -> Rows:
    """`table` with magnitudes `m` that do not change."""
    halves = halved(table, ("post", "delay"))
    table, m = halves.table, m[halves.order]
    return Rows(
        table.ptr, _target(c, table.post, table.delay), m * table.signs().astype(m.dtype), table.sign, halves.room,
        short_term(c, table, table.ptr, slice(None)),
    )  # fmt: skip


def with_own_state(table: Rows) -> Rows:
    """The same synapses for another thread: what kernels write to is its own."""
    room, dynamics = table.room, table.short_term
    if dynamics is not None:
        own = {name: getattr(dynamics, name).copy() for name in ("u", "r", "last", "effect")}
        dynamics = dynamics._replace(**own)
    return table._replace(room=None if room is None else room.copy(), short_term=dynamics)


_COLUMNS = ("post", "delay", "a_plus", "a_minus", "w_max", "rate_plus", "rate_minus")


class Halves(NamedTuple):
    """A table whose units have two rows where their synapses have either sign.

    order   of its synapses, those of the given table
    room    as in `Rows`
    """

    table: SynapseCoefficients
    order: Any
    room: Any


def halved(table: SynapseCoefficients, names: tuple[str, ...] = _COLUMNS) -> Halves:
    """`table` as it is where all synapses of a unit have one sign; else with the positive and the negative ones of each
    unit in two rows, one after the other, and these columns in their order."""
    if table.mixed is None:
        return Halves(table, slice(None), None)
    n_pre, order = table.n_pre, np.empty(len(table) + 1, np.int64)
    ptr = np.zeros(2 * n_pre + 1, np.int64)
    _split(table.ptr, table.mixed, order, ptr)
    order = order[:-1]
    sign = np.tile(np.array([1, -1], np.int8), n_pre)
    two = replace(_selected(table, order, ptr, names), sign=sign, mixed=None)
    return Halves(two, order, np.zeros(2 * n_pre, np.int32))


def places(table: SynapseCoefficients, *, in_tiles: bool) -> NDArray[np.int64]:
    """Where the synapses of a table, in its order, stand in the rows that kernels have."""
    halves = halved(table)
    order = np.arange(len(table))[halves.order]
    place = np.empty(len(table), np.int64)
    place[order] = np.flatnonzero(_tiled(halves.table)[1]) if in_tiles else np.arange(len(table))
    return place


def _tiled(table: SynapseCoefficients) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Where the rows of tiles begin, and which entries of the tiles are synapses."""
    length = np.diff(table.ptr)
    ptr = np.concatenate([[0], np.cumsum(-(-length // LANES))])
    filling = np.diff(ptr) * LANES - length
    kinds = np.tile([True, False], table.n_pre)
    return ptr, np.repeat(kinds, np.stack([length, filling], axis=1).reshape(-1))


@compiled
def _split(ptr: Any, mixed: Any, order: Any, ends: Any) -> None:
    """The synapses of each row, the positive ones first, into `order`, which has room for one more; where rows end."""
    k = 0
    for row in range(ptr.size - 1):
        for half in range(2):
            for synapse in range(ptr[row], ptr[row + 1]):
                order[k] = synapse  # written over where it is of the other sign
                k += (mixed[synapse] < 0) == (half == 1)
            ends[2 * row + half + 1] = k


def _selected(
    table: SynapseCoefficients, chosen: Any, ptr: NDArray[np.int64], names: tuple[str, ...]
) -> SynapseCoefficients:
    """The chosen synapses of a table in the columns of these names, whose rows end at `ptr` then."""
    columns = {name: column[chosen] for name in names if (column := getattr(table, name)) is not None}
    law = table.short_term
    if law is not None:
        law = ShortTermCoefficients(law.u[chosen], law.rate_rec[chosen], law.rate_fac[chosen])
    return replace(table, ptr=ptr, short_term=law, **columns)


def short_term(c: Coefficients, table: SynapseCoefficients, ptr: NDArray[np.int64], place: Any) -> ShortTerm | None:
    """The dynamics of `table`, its synapses at `place` among those of rows that end at `ptr`; None without."""
    law = table.short_term
    if law is None:
        return None
    n = int(ptr[-1])

    def filled(column: Floats, otherwise: float) -> Floats:
        whole = np.full(n, otherwise, c.dtype)
        whole[place] = column
        return whole

    return ShortTerm(
        u=np.zeros(n, c.dtype), r=np.ones(n, c.dtype), last=np.zeros(ptr.size - 1, np.int64), use=filled(law.u, 1),
        rate_rec=filled(law.rate_rec, 1), rate_fac=filled(law.rate_fac, 1),
        effect=np.zeros(int(np.diff(ptr).max(initial=0)), c.dtype), lowest=c.exp2.lowest,
        polynomial=c.exp2.polynomial,
    )  # fmt: skip


class PlasticTable:
    """A table in tiles, and where its synapses stand there."""

    def __init__(
        self, c: Coefficients, table: SynapseCoefficients, m: Floats, *, shared_traces: bool, frozen: bool
    ) -> None:  # fmt: skip
        halves = halved(table)
        self._order = halves.order
        table, m = halves.table, m[halves.order]
        n, n_pre = c.n_neurons, table.n_pre
        ptr, self._is_synapse = _tiled(table)

        def filled(column: NDArray[Any]) -> NDArray[Any]:
            whole = np.tile(np.arange(n, n + LANES, dtype=column.dtype), ptr[-1])
            whole[self._is_synapse] = column
            return whole

        post = filled(_narrow(table.post, n + LANES))
        shared = _shared(c, table) if shared_traces else None
        columns = [m, table.w_max, table.a_plus, table.a_minus]
        columns += [table.rate_plus, table.rate_minus] if shared is None else []
        self._data = np.zeros((ptr[-1], 4 + 4 * (shared is None) + frozen, LANES), c.dtype)
        self._column = np.zeros(ptr[-1] * LANES, c.dtype)
        for number, column in enumerate(columns):
            self._put(number, column)
        self.tiles = Tiles(
            ptr, post, filled(_target(c, table.post, table.delay)) if c.n_pending else post,
            self._data.reshape(-1), np.asarray(table.sign).astype(c.dtype),
            np.zeros(n_pre, np.int32), np.zeros(n_pre, np.int32), shared, halves.room,
            short_term(c, table, ptr * LANES, self._is_synapse),
        )  # fmt: skip

    def __getitem__(self, field: int) -> Floats:
        """A field in the order of the table: 0 is the weight, -1 the change where weights are frozen."""
        column: Floats = self._data[:, field].reshape(-1)[self._is_synapse]
        ordered = np.empty_like(column)
        ordered[self._order] = column
        return ordered

    def __setitem__(self, field: int, column: Floats) -> None:
        self._put(field, column[self._order])

    def _put(self, field: int, column: Floats) -> None:
        self._column[self._is_synapse] = column
        self._data[:, field] = self._column.reshape(-1, LANES)


def _shared(c: Coefficients, table: SynapseCoefficients) -> Shared:
    plus, minus = (rate[0] if rate.size else c.dtype.type(1) for rate in (table.rate_plus, table.rate_minus))
    return Shared(plus, minus, np.zeros(table.n_pre, c.dtype), np.zeros(c.n_neurons + LANES, c.dtype))


def learning(c: Coefficients, tables: Iterable[SynapseCoefficients], *, frozen: bool) -> Learning:
    n, longest = c.n_neurons + LANES, max(int(np.diff(table.ptr).max(initial=0)) for table in tables)
    room = -(-longest // LANES) * LANES
    return Learning(
        Rule(
            keep=c.dtype.type(not c.nearest),
            linear=True if c.soft_bound == 1 else None,
            soft_bound=c.soft_bound if c.soft_bound not in (0, 1) else None,
            frozen=True if frozen else None,
            lowest=c.exp2.lowest,
            polynomial=c.exp2.polynomial,
        ),
        History(np.zeros(n, np.int64), np.zeros(n * HISTORY, np.int32), np.zeros(n, np.uint32)),
        Scratch(
            recent=np.zeros(room, np.int64),
            synapse=np.zeros(room * HISTORY, np.uint32),
            place=np.zeros(room * HISTORY, np.uint32),
            step=np.zeros(room * HISTORY, np.int32),
            before=np.zeros(room * HISTORY, np.int32),
            decays=np.zeros(4 * room * HISTORY, c.dtype),
        ),
    )


def without_synapses(table: SynapseCoefficients) -> SynapseCoefficients:
    """`table` with empty rows."""
    return _selected(table, slice(0), np.zeros_like(table.ptr), (*_COLUMNS, "mixed"))


def is_plastic(table: SynapseCoefficients) -> bool:
    """Whether STDP can change any weight of a table."""
    return bool(table.a_plus.any() or table.a_minus.any())


def shares_traces(table: SynapseCoefficients) -> bool:
    """Whether all synapses of a table share their trace time constants, so that traces can be kept per neuron."""
    return all(rate.size == 0 or bool((rate == rate[0]).all()) for rate in (table.rate_plus, table.rate_minus))


def _target(c: Coefficients, post: NDArray[np.int32], delay: NDArray[np.int32]) -> NDArray[Any]:
    if not c.n_pending:
        return _narrow(post, stride(c))
    return _narrow((delay - 1).astype(np.int64) * stride(c) + post, (c.n_pending + 1) * stride(c))


def _narrow(index: NDArray[Any], bound: int) -> NDArray[Any]:
    """The narrowest type that holds all indices below `bound`: less memory to stream."""
    return index.astype(np.uint16 if bound <= 1 << 16 else np.uint32)
