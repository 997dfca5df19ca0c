"""Step II of Lyapunov noise pruning: neurons that few shortest paths lead through go (method.md 12.3)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hrsnn._checks import require
from hrsnn.graph import betweenness, reachable_from_inputs
from hrsnn.network import Network

N_MIN = 50  # neurons that are left in any case
MOST_EXACT = 10_000  # neurons up to which all shortest paths are followed
N_PIVOTS = 2048  # neurons whose paths are followed in a larger network


@dataclass(frozen=True, slots=True, eq=False)
class NodePruning:
    """What `prune_by_betweenness` did.

    kept            bool (N,)
    betweenness     float64 (N,), in the network of the neurons that an input reaches; 0 for the others
    n_unreachable   neurons that no path of synapses joins to an input
    """

    kept: NDArray[np.bool_]
    betweenness: NDArray[np.float64]
    n_unreachable: int


def prune_by_betweenness(
    network: Network, *, n_keep: int, seed: int = 0, n_threads: int = 1
) -> tuple[Network, NodePruning]:
    """`network` with `n_keep` of its neurons and the synapses between them, and how they were chosen.

    First go neurons that no path leads to from an input, then those of the lowest betweenness; of equals that of the
    lower degree, then that of the lower index. One inhibitory neuron stays where there was one.

    n_keep      neurons to keep, between 50, or all if there are fewer, and N
    seed        of the pivots, in a network of more than 10 000 neurons
    n_threads   the result does not depend on it

    Pivots are no way to save time (method.md 12.3): with 256 of them, on a small-world network of 3000 neurons with 50
    synapses each, the standard error is 31 % of values that differ by 14 %, and of the lowest hundredth an eighth is
    found. All paths of 5000 neurons with 100 synapses each take seconds.

    Raises `InputError` for an `n_keep` out of reach.

    >>> from hrsnn.spec import NetworkSpec
    >>> from hrsnn.wiring import build
    >>> network = build(NetworkSpec(n_neurons=80, n_inputs=10), seed=0)
    >>> pruned, told = prune_by_betweenness(network, n_keep=60)
    >>> pruned.n_neurons, int(told.kept.sum())
    (60, 60)
    """
    owner, n = "prune_by_betweenness", network.n_neurons
    least = min(N_MIN, n)
    require(least <= n_keep <= n, owner, "n_keep", f"must be in {least}..{n}, of a network of {n} neurons", n_keep)
    reachable = reachable_from_inputs(network)
    score = np.zeros(n)
    if reachable.any():
        alive = network.keep_neurons(reachable)
        n_pivots = None if alive.n_neurons <= MOST_EXACT else N_PIVOTS
        score[reachable] = betweenness(alive, n_pivots=n_pivots, seed=seed, n_threads=n_threads)
    rank = np.empty(n)
    rank[np.lexsort((_degree(network), score, reachable))] = np.arange(n)  # the last key counts most; it is stable
    kept = kept_neurons(network, rank, n_keep)
    pruned = network.keep_neurons(kept).with_history(f"neurons by betweenness: {n_keep} of {n}")
    return pruned, NodePruning(kept, score, int(n - np.count_nonzero(reachable)))


def kept_neurons(network: Network, score: NDArray[np.float64], n_keep: int) -> NDArray[np.bool_]:
    """Bool (N,): the `n_keep` of the highest score (N,), an inhibitory one among them where the network has any."""
    kept = highest(score, n_keep)
    inhibitory = network.neurons.sign < 0
    if inhibitory.any() and not (kept & inhibitory).any():
        excitatory = np.flatnonzero(kept)
        kept[excitatory[np.argmin(score[excitatory])]] = False
        kept |= highest(np.where(inhibitory, score, -np.inf), 1)
    return kept


def highest(score: NDArray[np.float64], n: int) -> NDArray[np.bool_]:
    """Bool, the `n` highest scores; of equal ones the first.

    >>> highest(np.array([1.0, 3.0, 2.0, 3.0]), 2).tolist()
    [False, True, False, True]
    """
    mask = np.zeros(score.size, dtype=bool)
    mask[np.argsort(-score, kind="stable")[:n]] = True
    return mask


def _degree(network: Network) -> NDArray[np.int64]:
    """Synapses of weight other than 0 that come to a neuron or go from it, (N,)."""
    table, n = network.recurrent, network.n_neurons
    live = table.weight != 0
    return np.bincount(table.pre()[live], minlength=n) + np.bincount(table.post[live], minlength=n)
