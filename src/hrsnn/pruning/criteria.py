"""What Lyapunov noise pruning is held against: criteria that know weights, activity, topology, nothing (method.md 13).

All make a network exactly the size that is asked for. Neurons go first, each with its synapses, but never the last
inhibitory one; what is too many among the synapses that are left goes after them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from threadpoolctl import threadpool_limits

from hrsnn._checks import check_column, require
from hrsnn.network import Network
from hrsnn.pruning.criterion import Criterion, Size, Step
from hrsnn.pruning.drive import rates_under_drive
from hrsnn.pruning.nodes import highest, kept_neurons
from hrsnn.pruning.options import Options
from hrsnn.pruning.sampling import check_reachable, chosen, probabilities_of, rescaled
from hrsnn.pruning.synapses import N_CLASSES, class_of, copied, possible_pairs, with_synapses
from hrsnn.randomness import stream
from hrsnn.tables import SynapseTable

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
Indices = NDArray[np.int64]
Diagnostics = dict[str, Any]

REGROWN_SHARE = 0.3  # zeta of dynamic sparse training
_CANDIDATES_PER_SYNAPSE = 4
_PAIRS_AT_A_TIME = 256


# -- by chance ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Uniform(Criterion):
    """Neurons at random; synapses with one probability p, and 1 / p times their weights."""

    name: ClassVar[str] = "uniform"

    def __call__(self, network: Network, size: Size, step: Step) -> tuple[Network, Diagnostics]:
        pruned, told = _left(self.name, network, size, at_random(network, step))
        return sampled(self.name, pruned, np.ones(len(pruned.recurrent)), size, step), told


@dataclass(frozen=True, slots=True)
class WeightProportional(Criterion):
    """Synapses with p in proportion to |w|, and 1 / p times their weights; neurons of the least strength go.

    The control that noise pruning has to beat; on random graphs it does nearly as well (method.md 17, check 7). The
    strength of a neuron is the sum of |w| over the synapses that come and go.
    """

    name: ClassVar[str] = "weight-proportional"

    def __call__(self, network: Network, size: Size, step: Step) -> tuple[Network, Diagnostics]:
        pruned, told = _left(self.name, network, size, strength(network))
        return sampled(self.name, pruned, _sizes(pruned.recurrent), size, step), told


@dataclass(frozen=True, slots=True)
class RandomGraph(Criterion):
    """A fresh Erdos-Renyi graph between neurons that are drawn at random.

    Synapses are drawn, whole rows of the table, from those of the same class in the network, a class being the signs of
    both ends. Weights of a class are scaled so that a neuron gets as much from it as before, in the mean.
    """

    name: ClassVar[str] = "random"

    def __call__(self, network: Network, size: Size, step: Step) -> tuple[Network, Diagnostics]:
        bare, told = without_neurons(network, size, at_random(network, step))
        kept = np.arange(network.n_neurons)[told.get("neurons", slice(None))]
        rng = stream(step.seed, "prune.random-graph")
        possible = np.flatnonzero(possible_pairs(network)[np.ix_(kept, kept)])
        rule = f"must be in 1..{possible.size}, the pairs of {size.n_neurons} neurons that a synapse can join"
        require(1 <= size.n_synapses <= possible.size, "random", "n_synapses", rule, size.n_synapses)
        pre, post = np.divmod(np.sort(rng.choice(possible, size.n_synapses, replace=False)), size.n_neurons)
        columns = copied(network, kept[pre], kept[post], rng)
        wanted = _mean_inputs(network, *_ends(network), network.recurrent.weight)
        found = _mean_inputs(bare, pre, post, columns["weight"])
        gain = np.divide(wanted, found, out=np.ones(N_CLASSES), where=found > 0)[class_of(bare, pre, post)]
        columns |= {name: columns[name] * gain for name in ("weight", "w_max")}
        recurrent = SynapseTable.from_edges(pre, post, n_pre=size.n_neurons, **columns)
        return recorded(replace(bare, recurrent=recurrent), self.name, size), told


# -- by weight and by activity -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Magnitude(Criterion):
    """The synapses of largest |w| stay as they are; neurons of the least strength go."""

    name: ClassVar[str] = "magnitude"
    by_chance: ClassVar[bool] = False

    def __call__(self, network: Network, size: Size, step: Step) -> tuple[Network, Diagnostics]:
        pruned, told = _left(self.name, network, size, strength(network))
        kept = highest(_sizes(pruned.recurrent), size.n_synapses)
        return recorded(pruned.keep_synapses(kept), self.name, size), told


@dataclass(frozen=True, slots=True)
class Activity(Criterion):
    """The least active neurons go, then synapses of the least |w| times activity of their presynaptic neuron.

    activity   spikes of each neuron, (N,), >= 0, on training data for example; None is rates under the standard drive
    retrain    run before every cut, so that it is a trained network that is cut; it may change weights, not what there
               is. What is cut last is left as it is: all methods learn alike after that
    """

    activity: Callable[[Network], ArrayLike] | None = None
    retrain: Callable[[Network], Network] | None = None
    name: ClassVar[str] = "activity"

    @classmethod
    def of(cls, options: Options) -> Self:
        return cls(options.activity, options.retrain)

    def __call__(self, network: Network, size: Size, step: Step) -> tuple[Network, Diagnostics]:
        network = self._trained(network)
        n = network.n_neurons
        found = self._under_drive(network, step) if self.activity is None else self.activity(network)
        spikes = check_column("Activity", "activity", found, dtype=np.float64, length=n, at_least=0)
        pruned, told = _left(self.name, network, size, spikes)
        of_pre = spikes[told.get("neurons", slice(None))][pruned.recurrent.pre()]
        kept = highest(_sizes(pruned.recurrent) * of_pre, size.n_synapses)
        return recorded(pruned.keep_synapses(kept), self.name, size), told

    def _under_drive(self, network: Network, step: Step) -> Array:
        return rates_under_drive(network, seed=step.seed, rate_hz=step.drive_hz)

    def _trained(self, network: Network) -> Network:
        if self.retrain is None:
            return network
        trained = self.retrain(network)
        before, after = Size.of(network), Size.of(trained)
        require(before == after, "Activity", "retrain", f"must give a network of {before}", str(after))
        return trained


# -- by topology -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Regrowth(Criterion):
    """Pruned by magnitude below the size, then grown back where the topology expects a synapse, by CH3-L3.

    regrown_share   of the synapses asked for, or of those that go where these are fewer, as in a step of a schedule:
                    so many are new. In (0, 1)

    Neurons of the least strength go. A new synapse joins a pair that nothing joins in either direction; its direction
    is drawn, and its row of the table from those of its class. What was pruned may come back. Pairs are first ranked by
    RA-L3, which CH3-L3 is never below, and CH3-L3 decides among the best four times as many as are needed. Where paths
    of length three are too few, what is missing is drawn at random.
    """

    regrown_share: float = REGROWN_SHARE
    name: ClassVar[str] = "regrowth"

    def __post_init__(self) -> None:
        ok = 0 < self.regrown_share < 1
        require(ok, "Regrowth", "regrown_share", "must be in (0, 1)", self.regrown_share)

    def __call__(self, network: Network, size: Size, step: Step) -> tuple[Network, Diagnostics]:
        left, told = _left(self.name, network, size, strength(network))
        n_new = round(self.regrown_share * min(size.n_synapses, len(network.recurrent) - size.n_synapses))
        pruned = left.keep_synapses(highest(_sizes(left.recurrent), size.n_synapses - n_new))
        rng = stream(step.seed, "prune.regrowth")
        pre, post = regrown_pairs(pruned, possible_pairs(left), n_new, rng)
        regrown = with_synapses(pruned, pre, post, copied(left, pre, post, rng))
        return recorded(regrown, self.name, size), {**told, "n_regrown": n_new}


def regrown_pairs(network: Network, possible: Mask, n_new: int, rng: np.random.Generator) -> tuple[Indices, Indices]:
    """Ends (pre, post) of `n_new` synapses that are not there yet, those of the highest CH3-L3 scores.

    possible   (N, N), the ordered pairs that a synapse may join
    """
    joined = _joined(network)
    free = possible & ~joined
    n_free = int(np.count_nonzero(free))
    rule = f"must be <= {n_free}, the pairs that a synapse may still join"
    require(n_new <= n_free, "regrowth", "n_new", rule, n_new)
    around = joined | joined.T
    either = np.triu((free | free.T) & ~around)
    with threadpool_limits(1):  # the same bits whatever the number of cores
        a = around.astype(np.float64)
        passing = 1 / np.sqrt(np.maximum(a.sum(axis=1), 1))
        ra_l3 = a @ (a * np.outer(passing, passing)) @ a
    u, v = np.nonzero(either & (ra_l3 > 0))
    best = np.lexsort((rng.random(u.size), -ra_l3[u, v]))[: _CANDIDATES_PER_SYNAPSE * n_new]
    u, v = u[best], v[best]
    best = np.lexsort((rng.random(u.size), -ch3_l3(around, u, v)))[:n_new]
    u, v = u[best], v[best]
    forward = np.where(free[u, v] & free[v, u], rng.random(u.size) < 0.5, free[u, v])
    pre, post = np.where(forward, u, v), np.where(forward, v, u)
    free[pre, post] = False
    others = rng.choice(np.flatnonzero(free), n_new - u.size, replace=False)
    return np.concatenate([pre, others // network.n_neurons]), np.concatenate([post, others % network.n_neurons])


def ch3_l3(around: Mask, u: Indices, v: Indices) -> Array:
    """The Cannistraci-Hebb score of the pairs (u, v), float64 (n_pairs,): the sum over paths u - z1 - z2 - v of

    1 / sqrt((1 + e_z1)(1 + e_z2)), with e_z the links of z that leave the local community of the pair: those to neurons
    that are neither u nor v nor on a path of length three between them (CH3-L3: Muscoloni, Michieli, Zhang and
    Cannistraci 2022, preprints 202012.0808; for training, Zhang et al. 2024, ICLR).

    around   bool (N, N), symmetric, without a diagonal: who is joined to whom
    u, v     (n_pairs,), not joined to each other

    >>> ch3_l3(np.diag([True] * 3, 1) | np.diag([True] * 3, -1), np.array([0]), np.array([3])).tolist()
    [1.0]
    """
    a = around.astype(np.float32)  # counts are whole numbers and exact; a sum of a thousand paths is so to 1e-6
    degree = a.sum(axis=1)
    scores = np.empty(u.size)
    with threadpool_limits(1):
        for first in range(0, u.size, _PAIRS_AT_A_TIME):
            rows = slice(first, first + _PAIRS_AT_A_TIME)
            at_u, at_v = a[u[rows]], a[v[rows]]
            on_path = (at_u * (at_v @ a) > 0) | (at_v * (at_u @ a) > 0)
            outside = degree - on_path @ a - at_u - at_v
            passing = on_path / np.sqrt(1 + np.maximum(outside, 0))
            scores[rows] = np.einsum("pz,pz->p", (at_u * passing) @ a, at_v * passing)
    return scores


# -- neurons -----------------------------------------------------------------------------------------------------------


def without_neurons(network: Network, size: Size, score: Array) -> tuple[Network, Diagnostics]:
    """The network of the `size.n_neurons` neurons of the highest score, and which they are where some went."""
    rule = f"must be in 1..{network.n_neurons}, of a network of as many"
    require(1 <= size.n_neurons <= network.n_neurons, "prune", "n_neurons", rule, size.n_neurons)
    mask = kept_neurons(network, score, size.n_neurons)
    return (network, {}) if mask.all() else (network.keep_neurons(mask), {"neurons": np.flatnonzero(mask)})


def _left(name: str, network: Network, size: Size, score: Array) -> tuple[Network, Diagnostics]:
    """`without_neurons`, where enough synapses are left."""
    pruned, told = without_neurons(network, size, score)
    check_left(name, pruned, size)
    return pruned, told


def check_left(name: str, network: Network, size: Size, *, n_added: int = 0) -> None:
    """Raise `InputError` unless the network, of the right number of neurons, has the synapses that are asked for.

    n_added   of these are new ones
    """
    most = len(network.recurrent) + n_added
    rule = f"must be in 1..{most}, what there is between the {size.n_neurons} neurons it keeps"
    remedy = "keep more neurons, or fewer synapses"
    require(1 <= size.n_synapses <= most, name, "n_synapses", rule, size.n_synapses, remedy=remedy)


def strength(network: Network) -> Array:
    """The sum of |w| over the recurrent synapses of each neuron, those that come and those that go, float64 (N,)."""
    sizes, (pre, post), n = _sizes(network.recurrent), _ends(network), network.n_neurons
    total: Array = np.bincount(np.concatenate([pre, post]), np.tile(sizes, 2), minlength=n).astype(np.float64)
    return total


def at_random(network: Network, step: Step) -> Array:
    return stream(step.seed, "prune.neurons").random(network.n_neurons)


# -- synapses ----------------------------------------------------------------------------------------------------------


def sampled(name: str, network: Network, score: Array, size: Size, step: Step) -> Network:
    """`size.n_synapses` of the synapses at random, each with p in proportion to its score (E,), its weight over p."""
    check_reachable(name, size.n_synapses, score.size)
    probabilities = probabilities_of(score, size.n_synapses)
    kept = chosen(probabilities, size.n_synapses, seed=step.seed)
    return recorded(rescaled(network, kept, probabilities), name, size)


def recorded(network: Network, name: str, size: Size) -> Network:
    """The network with one more line in its history."""
    return network.with_history(f"pruned by {name} to {size}")


def _sizes(table: SynapseTable) -> Array:
    return np.abs(table.weight.astype(np.float64))


def _ends(network: Network) -> tuple[Indices, Indices]:
    return network.recurrent.pre().astype(np.int64), network.recurrent.post.astype(np.int64)


def _joined(network: Network) -> Mask:
    """Bool (N, N): there is a synapse from the row to the column."""
    joined = np.zeros((network.n_neurons, network.n_neurons), dtype=bool)
    joined[_ends(network)] = True
    return joined


def _mean_inputs(network: Network, pre: Indices, post: Indices, weight: NDArray[Any]) -> Array:
    """The summed |w| that a neuron gets, in the mean over its sign, by class, float64 (4,)."""
    n_inhibitory = network.n_neurons - network.n_excitatory
    n_receivers = np.array([network.n_excitatory, n_inhibitory] * 2)
    total = np.bincount(class_of(network, pre, post), np.abs(weight), minlength=N_CLASSES)
    mean: Array = total / np.maximum(n_receivers, 1)
    return mean
