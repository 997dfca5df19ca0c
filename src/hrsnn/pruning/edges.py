"""Step III of Lyapunov noise pruning: new synapses change how localised the modes of the network are (method.md 12.4).

Symbols: the graph is undirected and without weights, with degrees d_i; its Laplacian has eigenvectors u_k, mu_k. The
inverse participation ratio (IPR) of u is the sum of u_i^4: 1 / N where it is spread evenly, 1 on a single neuron.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from threadpoolctl import threadpool_limits

from hrsnn._checks import among, check_column, did_you_mean, require
from hrsnn.network import Network
from hrsnn.pruning.covariance import product
from hrsnn.pruning.options import LNP, EdgeMode
from hrsnn.pruning.synapses import copied, possible_pairs, with_synapses
from hrsnn.randomness import stream

Array = NDArray[np.float64]
Indices = NDArray[np.int64]
Mask = NDArray[np.bool_]

N_ROUNDS = 2
_PERTURBATION = 2.0  # the norm of what one edge adds to the Laplacian


@dataclass(frozen=True, slots=True, eq=False)
class AddedEdges:
    """What `add_edges` did.

    pre, post              int64 (n_add,), the new synapses
    participation_before   mean IPR of the eigenvectors of the Laplacian; None where it was not measured
    participation_after    the same with the new synapses
    """

    pre: Indices
    post: Indices
    participation_before: float | None
    participation_after: float | None


def add_edges(
    network: Network,
    *,
    n_add: int,
    seed: int,
    mode: EdgeMode = LNP.edges,
    forbidden: tuple[ArrayLike, ArrayLike] | None = None,
    n_rounds: int = N_ROUNDS,
    measure: bool = True,
    n_threads: int = 1,
) -> tuple[Network, AddedEdges]:
    """`network` with `n_add` more recurrent synapses, between neurons two steps apart, and which they are.

    n_add       new synapses, each between a pair of neurons of its own; with mode "none" it does not matter
    seed        of directions and of what the synapses are
    mode        "ipr": pairs that lower the mean IPR most, so that modes become less localised
                "paper": pairs of the largest degrees, which is as published and makes modes more localised
                "min-variance": pairs of the smallest degrees, at least as good as "ipr" where it was measured, and
                without eigenvectors
                "none": no synapses
    forbidden   (pre, post), pairs that must not be joined in either direction, numbered as in `network`: the synapses
                of the graph before it was pruned (method.md 12.4)
    n_rounds    of "ipr"; the pairs of each are found after those of the one before have been added
    measure     whether the participation is told, which takes two decompositions
    n_threads   the result does not depend on it

    Candidates are pairs that have a common neighbour and no synapse, in a direction from a class to a class, excitatory
    or inhibitory, between which there are synapses: a new one is a copy of one of these, drawn at random, with weight,
    delay and plasticity. Of two possible directions one is drawn.

    "paper" and "min-variance" take one pair after the other, of the largest or smallest d_i + d_j, with degrees as they
    are by then; of equals the first. "ipr" ranks all candidates by the first order of the perturbation of all
    eigenvectors by a new edge ij, with b = e_i - e_j:

        change of the sum of IPR = 4 sum_k sum_l (u_k b) (u_l b) (sum_v u_kv^3 u_lv) gap / (gap^2 + 4)

    with gap = mu_k - mu_l, which is b' H b with one matrix H for all pairs. The 4 in the denominator is the square of
    the norm of the perturbation: nearer eigenvalues mix fully, and 1 / gap would promise without bound. In one round a
    neuron is taken once, as long as there are others, because first orders do not add up on one neuron.

    Measured, mean IPR on Erdos-Renyi graphs of method.md 16.9 (N = 200, p = 0.03, 100 new edges, 6 graphs, +- 0.002):
    before 0.052, "paper" 0.069, pairs at random 0.060, "ipr" 0.029 (0.037 in one round, 0.026 in four), "min-variance"
    0.027. On a small-world network of 2000 neurons with 100 synapses each, 1 % more: before 0.0032, "paper" 0.0040,
    "ipr" 0.0028, "min-variance" 0.0024.

    Time of "ipr" and of `measure` grows with N^3: each round and measurement is a decomposition of a symmetric matrix,
    1.3 s for N = 2000 on one core; a round has three products as well. Memory is some six matrices (N, N).

    Raises `InputError` for an unknown mode and for more synapses than there are candidates.

    >>> from hrsnn.spec import NetworkSpec
    >>> from hrsnn.wiring import build
    >>> network = build(NetworkSpec(n_neurons=60, n_inputs=4), seed=0)
    >>> more, told = add_edges(network, n_add=20, seed=0)
    >>> len(more.recurrent) - len(network.recurrent), told.participation_after < told.participation_before
    (20, True)
    """
    owner = "add_edges"
    remedy = did_you_mean(str(mode), get_args(EdgeMode))
    rule = f"must be one of {', '.join(get_args(EdgeMode))}"
    require(among(mode, get_args(EdgeMode)), owner, "mode", rule, mode, remedy=remedy)
    require(n_rounds >= 1, owner, "n_rounds", "must be >= 1", n_rounds)
    if mode == "none":
        nobody = np.empty(0, dtype=np.int64)
        return network, AddedEdges(nobody, nobody, None, None)
    joined = _undirected(network)
    possible = possible_pairs(network)
    pairs = _candidates(owner, joined, possible, forbidden)
    most = int(np.count_nonzero(np.triu(pairs)))
    rule = f"must be in 0..{most}, the pairs two steps apart that may be joined"
    require(0 <= n_add <= most, owner, "n_add", rule, n_add)
    before = after = None
    with threadpool_limits(1):
        if mode == "ipr":
            i, j, before = _delocalising(joined, pairs, n_add, n_rounds, n_threads)
        else:
            i, j = _by_degree(joined.sum(axis=1), pairs, n_add, largest=mode == "paper")
            before = participation(joined) if measure else None
        joined[i, j] = joined[j, i] = True
        after = participation(joined) if measure else None
    rng = stream(seed, "prune.edges")
    pre, post = _directed(possible, i, j, rng)
    added = with_synapses(network, pre, post, copied(network, pre, post, rng))
    return added.with_history(f"{n_add} synapses added, {mode}"), AddedEdges(pre, post, before, after)


def n_possible(network: Network, *, forbidden: tuple[ArrayLike, ArrayLike] | None = None) -> int:
    """How many synapses `add_edges` could add at most."""
    return int(
        np.count_nonzero(np.triu(_candidates("n_possible", _undirected(network), possible_pairs(network), forbidden)))
    )


def participation(joined: Mask) -> float:
    """The mean inverse participation ratio of the eigenvectors of the Laplacian of an undirected graph, bool (N, N).

    >>> round(participation(~np.eye(2, dtype=bool)), 12)  # (1, 1) and (1, -1) over the root of 2
    0.5
    """
    _, vectors = _modes(joined)
    return _mean_ipr(vectors)


# -- which pairs -------------------------------------------------------------------------------------------------------


def _undirected(network: Network) -> Mask:
    """Whether there is a synapse between two different neurons, in any direction and of any weight, (N, N)."""
    n, pre, post = network.n_neurons, network.recurrent.pre(), network.recurrent.post
    joined = np.zeros((n, n), dtype=bool)
    joined[pre, post] = joined[post, pre] = True
    np.fill_diagonal(joined, False)
    return joined


def _candidates(owner: str, joined: Mask, possible: Mask, forbidden: tuple[ArrayLike, ArrayLike] | None) -> Mask:
    """Symmetric, (N, N): two steps apart, and possible in one direction at least."""
    rows = sparse.csr_array(joined, dtype=np.float32)
    two_steps: Any = rows @ rows
    pairs: Mask = two_steps.toarray() > 0
    pairs &= ~joined & (possible | possible.T)
    if forbidden is not None:
        i, j = (
            check_column(owner, "forbidden", ends, dtype=np.int64, at_least=0, at_most=len(joined) - 1)
            for ends in forbidden
        )
        require(i.size == j.size, owner, "forbidden", "must be two arrays of one length", f"{i.size} and {j.size}")
        pairs[i, j] = pairs[j, i] = False
    return pairs


def _by_degree(degree: NDArray[Any], pairs: Mask, n_add: int, *, largest: bool) -> tuple[Indices, Indices]:
    """One pair after the other, of the largest or smallest sum of degrees, which grow with every pair."""
    sign = 1.0 if largest else -1.0
    score, pairs = sign * degree, pairs.copy()
    # The score of the best partner, or more: what it was at most. It is looked up where it would decide.
    best = np.where(pairs.any(axis=1), score.max(), -np.inf)
    chosen: list[tuple[int, int]] = []
    while len(chosen) < n_add:
        i = int(np.argmax(score + best))
        partners = np.where(pairs[i], score, -np.inf)
        j = int(np.argmax(partners))
        if partners[j] < best[i]:
            best[i] = partners[j]
            continue
        chosen.append((i, j))
        pairs[i, j] = pairs[j, i] = False
        for k in (i, j):
            score[k] += sign
            np.maximum(best, score[k], out=best, where=pairs[k])
    return _columns_of(chosen)


def _delocalising(
    joined: Mask, pairs: Mask, n_add: int, n_rounds: int, n_threads: int
) -> tuple[Indices, Indices, float]:
    """The pairs of mode "ipr", and the mean IPR before."""
    joined, pairs = joined.copy(), pairs.copy()
    before = None
    chosen: list[tuple[int, int]] = []
    for n_so_far in np.linspace(0, n_add, n_rounds + 1).round().astype(int)[1:]:
        values, vectors = _modes(joined)
        before = _mean_ipr(vectors) if before is None else before
        gain = np.where(pairs, -_change_of_ipr(values, vectors, n_threads), -np.inf)
        new = _matched(gain, n_so_far - len(chosen))
        for i, j in new:
            joined[i, j] = joined[j, i] = True
            pairs[i, j] = pairs[j, i] = False
        chosen += new
    assert before is not None
    return *_columns_of(chosen), before


def _change_of_ipr(values: Array, vectors: Array, n_threads: int) -> Array:
    """The first order of the change of the mean IPR by a new edge between each pair, (N, N)."""
    gap = values[:, None] - values
    overlap = product((vectors * vectors**2).T, vectors, n_threads=n_threads)
    m = 4 * overlap * gap / (gap**2 + _PERTURBATION**2) / values.size
    h = product(product(vectors, (m + m.T) / 2, n_threads=n_threads), vectors.T, n_threads=n_threads)
    own = np.diagonal(h)
    change: Array = own[:, None] + own - (h + h.T)
    return change


def _matched(gain: Array, n_add: int) -> list[tuple[int, int]]:
    """One pair after the other, of the largest gain; nobody twice, unless nobody is left. -inf is for no pair."""
    free = np.ones(len(gain), dtype=bool)
    best = gain.max(axis=1)  # of those who are free, or more
    chosen: list[tuple[int, int]] = []
    while len(chosen) < n_add:
        i = int(np.argmax(np.where(free, best, -np.inf)))
        partners = np.where(free, gain[i], -np.inf)
        j = int(np.argmax(partners))
        if not free[i] or best[i] == -np.inf:
            free[:] = True
            best = gain.max(axis=1)
        elif partners[j] < best[i]:
            best[i] = partners[j]
        else:
            chosen.append((i, j))
            gain[i, j] = gain[j, i] = -np.inf
            free[[i, j]] = False
    return chosen


def _modes(joined: Mask) -> tuple[Array, Array]:
    """Eigenvalues and eigenvectors, in columns, of the Laplacian."""
    laplacian = np.diag(joined.sum(axis=1, dtype=np.float64)) - joined
    with threadpool_limits(1):
        values, vectors = np.linalg.eigh(laplacian)
    return values, vectors


def _mean_ipr(vectors: Array) -> float:
    squares = vectors**2
    return float(np.einsum("ik,ik->", squares, squares) / len(vectors))


def _columns_of(pairs: list[tuple[int, int]]) -> tuple[Indices, Indices]:
    i, j = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    return i, j


def _directed(possible: Mask, i: Indices, j: Indices, rng: np.random.Generator) -> tuple[Indices, Indices]:
    """Of both directions of each pair one that is possible, at random if both are."""
    there, back = possible[i, j], possible[j, i]
    turned = np.where(there & back, rng.random(i.size) < 0.5, back)
    return np.where(turned, j, i), np.where(turned, i, j)
