"""Synapses kept at random, each with its own probability, so that the expected network stays the same (method.md 12.2).

A score per synapse says how much it counts; probabilities are in proportion to it and add up to the number wanted; what
is kept is divided by the probability of having been kept.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from hrsnn._checks import require
from hrsnn.network import Network
from hrsnn.pruning.rounding import rounded
from hrsnn.randomness import stream

Array = NDArray[np.float64]

LEAST_PROBABILITY = 0.02  # p_min, of the mean probability


def check_reachable(owner: str, n_keep: int, n_synapses: int) -> None:
    """Raise `InputError` unless `n_keep` of `n_synapses` can be kept."""
    require(1 <= n_keep <= n_synapses, owner, "n_keep", f"must be in 1..{n_synapses}, the synapses there are", n_keep)


def probabilities_of(score: Array, n_keep: int) -> Array:
    """The probability of keeping each synapse, float64 (E,): rho times its score, in [p_min, 1]; their sum is `n_keep`.

    score    (E,), >= 0
    n_keep   between 1 and E

    Where more are wanted than have a score, those that have one are certain and the others share what is left.

    Departs: p_min is 0.02 of the mean probability, not 0.02. In a step of a schedule, which keeps nearly all, that is
    the same. In one shot to 5 % a floor of 0.02 would give two of five synapses away, whatever they are worth.

    >>> probabilities_of(np.array([1.0, 2.0, 5.0]), 2).round(3).tolist()
    [0.333, 0.667, 1.0]
    """
    least = LEAST_PROBABILITY * n_keep / score.size

    def at(log_rho: float) -> Array:
        clipped: Array = np.clip(np.exp(log_rho) * score, least, 1.0)
        return clipped

    def excess(log_rho: float) -> float:
        return float(at(log_rho).sum()) - n_keep

    positive = score[score > 0]
    n_others = score.size - positive.size
    if positive.size + n_others * least <= n_keep:
        share = (n_keep - positive.size) / n_others if n_others else 1.0
        return np.where(score > 0, 1.0, share)
    low, high = np.log(least / positive.max()) - 1, np.log(1 / positive.min()) + 1
    return at(float(brentq(excess, low, high, xtol=1e-12)) if excess(low) < 0 else low)


def chosen(
    probabilities: Array, n_keep: int, *, seed: int, ends: tuple[NDArray[np.int64], NDArray[np.int64]] | None = None
) -> NDArray[np.bool_]:
    """Which are kept, bool (E,): exactly `n_keep`, each with its probability, which add up to `n_keep`.

    ends   int64 (E,) each, >= 0, of a bipartite graph, numbered apart: each vertex gets its share, the sum of the
           probabilities of its edges, to less than one synapse (dependent rounding, `rounding.rounded`)

    Without `ends` it is systematic sampling in random order (Madow 1949, Ann. Math. Statist. 20:333): the probabilities
    are laid end to end, and what covers one of the points u, u + 1, ... is kept. Independent draws have no exact count,
    and made exact they are no longer unbiased. What errors of rounding leave goes to the highest probabilities, or
    comes from the lowest.
    """
    rng = stream(seed, "prune.noise")
    if ends is None:
        order = rng.permutation(probabilities.size)
        whole = np.floor(np.cumsum(probabilities[order]) + rng.random())
        kept = np.zeros(probabilities.size, dtype=bool)
        kept[order] = np.diff(whole, prepend=0.0) > 0
    else:
        kept = rounded(probabilities, *ends, rng=rng)
    excess = int(np.count_nonzero(kept)) - n_keep
    candidates = np.flatnonzero(kept if excess > 0 else ~kept)
    by_probability = candidates[np.argsort(probabilities[candidates], kind="stable")]
    if excess > 0:
        kept[by_probability[:excess]] = False
    elif excess < 0:
        kept[by_probability[excess:]] = True
    return kept


def rescaled(network: Network, kept: NDArray[np.bool_], probabilities: Array) -> Network:
    """The network of the recurrent synapses `kept` (E,), stronger by 1 / `probabilities` (E,); STDP bounds grow too."""
    pruned = network.keep_synapses(kept)
    gain, table = 1 / probabilities[kept], pruned.recurrent
    weight, w_max = ((column * gain).astype(np.float32) for column in (table.weight, table.w_max))
    return replace(pruned, recurrent=replace(table, weight=weight, w_max=w_max))
