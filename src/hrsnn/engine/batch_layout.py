"""How the batch engine lays out a network and the state of many samples, for kernels of any kind.

Units are numbered neurons first, then input channels, so both tables of a network become one list of synapses in which
an ascending source is the order of the reference: recurrent by ascending pre, then input. Samples are the last
dimension of every array of state. N neurons, U units, B samples.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrsnn.engine.coefficients import Coefficients, NeuronCoefficients
from hrsnn.engine.record import Record
from hrsnn.engine.reference import Live, Magnitudes, power

Array = Any  # of NumPy; of torch once it has been moved to a device
Indices = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Sums:
    """What one step adds to the currents, as sums over synapses. A sum belongs to one target, sign and delay.

    Sums are sorted by descending number of terms, and terms by rank within their sum: terms `level[k]:level[k + 1]` are
    the k-th terms of the first sums, one each. So a device can add one term to each of many sums at a time, without
    padding, while every single sum is added up in the order of the reference.

    later    (n_sums,)        delay - 1: 0 goes to the current, others to an arrival under way
    target   (n_sums,)        sign * N + post, sign 0 for excitatory currents, 1 for inhibitory ones
    n_terms  (n_sums,)
    level    (n_levels + 1,)
    source   (n_synapses,)    the unit whose spike adds the term
    synapse  (n_synapses,)    the synapse whose weight is the term
    """

    later: Array
    target: Array
    n_terms: Array
    level: Array
    source: Array
    synapse: Array


@dataclass(frozen=True, slots=True)
class Rule:
    """STDP, the columns of shape (n_synapses,).

    pre, post               units
    a_plus, a_minus         amplitudes
    rate_plus, rate_minus   decay of the traces per step in powers of two
    polynomial, halves      2**z as in `Exp2`: constant term first; and 2**-i for i = 0, 1, ... -lowest
    nearest                 traces are set to 1 at a spike, not raised by 1
    """

    pre: Array
    post: Array
    a_plus: Array
    a_minus: Array
    rate_plus: Array
    rate_minus: Array
    polynomial: Array
    halves: Array
    nearest: bool


@dataclass(frozen=True, slots=True)
class Weights:
    """What depends on the magnitudes m, shape (n_synapses,).

    weight                  with its sign
    soft_plus, soft_minus   factors of soft bounds, (1 - m/w_max)^mu and (m/w_max)^mu; 1 without them
    """

    weight: Array
    soft_plus: Array
    soft_minus: Array


@dataclass(frozen=True, slots=True)
class Layout:
    """What does not depend on the magnitudes. Synapses are in the order of the tables, recurrent before input ones.

    neurons   columns (N, 1)
    factor    of the filtered trains, an array without dimensions
    delta     whether synapses are delta, not exponential
    rule      None without plasticity
    """

    neurons: NeuronCoefficients
    factor: Array
    delta: bool
    sums: Sums
    rule: Rule | None


@dataclass(slots=True)
class Samples:
    """The state of B samples.

    v, filtered    (N, B)
    refractory     (N, B) int32
    arrivals       (1 + n_pending, 2 N, B): the currents, then the ring of arrivals under way; excitatory rows first
    last           (U, B) int32, step of the last spike
    x, y, change   (n_synapses, B), traces right after the last spikes, and what STDP would have changed so far; without
                   plasticity n_synapses is 0
    """

    v: Array
    filtered: Array
    refractory: Array
    arrivals: Array
    last: Array
    x: Array
    y: Array
    change: Array


def layout(c: Coefficients, factor: Any, *, learns: bool) -> Layout:
    """The layout of a network."""
    n = c.neurons
    return Layout(
        neurons=replace(n, **{f.name: of[:, None] for f in fields(n) if (of := getattr(n, f.name)) is not None}),
        factor=np.array(factor, dtype=c.dtype),
        delta=c.synapse == "delta",
        sums=_sums(c),
        rule=_rule(c) if learns else None,
    )


def weights(c: Coefficients, magnitudes: Magnitudes, *, learns: bool) -> Weights:
    """The weights that these magnitudes make."""
    m = np.concatenate(magnitudes)
    soft_plus = soft_minus = np.ones_like(m)  # times 1 changes no bit
    if learns and c.soft_bound:
        w_max = _column(c, "w_max")
        share = np.divide(m, w_max, out=np.zeros_like(m), where=w_max > 0)
        soft_plus, soft_minus = power(1 - share, c.soft_bound), power(share, c.soft_bound)
    return Weights(m * _sign(c).astype(c.dtype), soft_plus, soft_minus)


def samples(c: Coefficients, lives: Sequence[Live], *, learns: bool) -> Samples:
    """The samples that are in the states `lives`, which are copied."""

    def stacked(rows: Iterable[NDArray[Any]]) -> NDArray[Any]:
        return np.stack(list(rows), axis=-1)

    def traces() -> NDArray[Any]:
        return np.zeros(((len(c.recurrent) + len(c.inputs)) * learns, len(lives)), dtype=c.dtype)

    return Samples(
        v=stacked(live.v for live in lives),
        filtered=stacked(live.filtered for live in lives),
        refractory=stacked(live.refractory for live in lives),
        arrivals=stacked(map(_joined, lives)),
        last=np.zeros((c.n_neurons + c.inputs.n_pre, len(lives)), dtype=np.int32),
        x=traces(),
        y=traces(),
        change=traces(),
    )


def write_lives(end: Samples, lives: Sequence[Live], n_steps: int) -> None:
    """Move `lives` to where the samples, again in arrays of NumPy, are after `n_steps` steps."""
    n_neurons, n_pending = len(end.v), len(end.arrivals) - 1
    pending = np.roll(end.arrivals[1:], -(n_steps % max(n_pending, 1)), axis=0)  # in the order of coming steps
    for b, live in enumerate(lives):
        live.v[:], live.filtered[:], live.refractory[:] = end.v[:, b], end.filtered[:, b], end.refractory[:, b]
        live.current_exc[:], live.current_inh[:] = np.split(end.arrivals[0, :, b], [n_neurons])
        live.pending_exc[:], live.pending_inh[:] = np.split(pending[:, :, b], [n_neurons], axis=1)


def write_changes(end: Samples, changes: Sequence[Magnitudes]) -> None:
    """Add what STDP would have changed to `changes`."""
    for b, (recurrent, inputs) in enumerate(changes):
        recurrent += end.change[: recurrent.size, b]
        inputs += end.change[recurrent.size :, b]


def bytes_per_sample(c: Coefficients, record: Record, n_steps: int, steps_per_chunk: int, *, learns: bool) -> int:
    """Memory that one sample takes on the device, rounded up generously where temporaries come and go."""
    item = c.dtype.itemsize
    windows = sum(n_steps // every for every in (record.filtered_every, record.v) if every)
    per_neuron = item * (10 + 4 * (1 + c.n_pending) + windows) + 4 * record.n_bins + 2 * steps_per_chunk
    synapses = len(c.recurrent) + len(c.inputs)
    per_synapse = 5 * item if learns else 0  # two traces, the change, and the masks of those that spike
    return c.n_neurons * per_neuron + c.inputs.n_pre * (steps_per_chunk + 5) + synapses * per_synapse


def _sums(c: Coefficients) -> Sums:
    source, post = _units(c)
    inhibits = (_sign(c) < 0) & (c.synapse == "exp")
    n_targets = 2 * c.n_neurons
    key = (_column(c, "delay").astype(np.int64) - 1) * n_targets + inhibits * c.n_neurons + post

    by_key = np.argsort(key, kind="stable")  # keeps the order of the tables within a sum
    keys, first, n_terms = np.unique(key[by_key], return_index=True, return_counts=True)
    longest_first = np.argsort(-n_terms, kind="stable")
    place = np.empty_like(longest_first)
    place[longest_first] = np.arange(keys.size)
    rank = np.arange(key.size) - np.repeat(first, n_terms)
    by_level = by_key[np.lexsort((np.repeat(place, n_terms), rank))]
    return Sums(
        later=(keys[longest_first] // n_targets).astype(np.int32),
        target=(keys[longest_first] % n_targets).astype(np.int32),
        n_terms=n_terms[longest_first].astype(np.int32),
        level=np.concatenate([[0], np.cumsum(np.bincount(rank))]).astype(np.int32),
        source=source[by_level],
        synapse=by_level,
    )


def _rule(c: Coefficients) -> Rule:
    pre, post = _units(c)
    return Rule(
        pre=pre,
        post=post,
        a_plus=_column(c, "a_plus"),
        a_minus=_column(c, "a_minus"),
        rate_plus=_column(c, "rate_plus"),
        rate_minus=_column(c, "rate_minus"),
        polynomial=np.array(c.exp2.polynomial, dtype=c.dtype),
        halves=np.ldexp(c.dtype.type(1), -np.arange(1 - int(c.exp2.lowest))),
        nearest=c.nearest,
    )


def _column(c: Coefficients, name: str) -> NDArray[Any]:
    """A column of both tables."""
    return np.concatenate([getattr(table, name) for table in (c.recurrent, c.inputs)])


def _sign(c: Coefficients) -> NDArray[np.int8]:
    """Sign of every synapse."""
    return np.concatenate([table.signs() for table in (c.recurrent, c.inputs)])


def _units(c: Coefficients) -> tuple[Indices, Indices]:
    """Source and target of every synapse as units."""
    pre = np.concatenate([c.recurrent.pre(), c.inputs.pre() + np.int32(c.n_neurons)])
    return pre, _column(c, "post")


def _joined(live: Live) -> NDArray[Any]:
    """Currents and arrivals under way as (1 + n_pending, 2 N)."""
    exc = np.concatenate([live.current_exc[None], live.pending_exc])
    inh = np.concatenate([live.current_inh[None], live.pending_inh])
    return np.concatenate([exc, inh], axis=1)
