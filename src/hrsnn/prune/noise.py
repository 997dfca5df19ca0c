"""Step I of Lyapunov noise pruning: synapses are kept at random, each with its own probability (MATH.md 12.2).

Symbols: N neurons, E recurrent synapses; synapse e goes from j = pre(e) to i = post(e). A = -D + L is a linear network
whose noise has the covariance Sigma; l_e is the entry of L for synapse e. A synapse is kept with a probability that
grows with |l_e| Var(x_i -+ x_j), and what is kept becomes stronger by as much as the others are missing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq
from threadpoolctl import threadpool_limits

from hrsnn._checks import check_column, did_you_mean, require
from hrsnn.network import Network
from hrsnn.prune.covariance import spectral_abscissa, stationary_covariance
from hrsnn.randomness import stream

Array = NDArray[np.float64]
MatrixMode = Literal["hm", "literal", "hm*w", "w"]
Diagonal = Literal["adjust", "keep"]

LEAST_EXPONENT_PER_MS = 1e-3  # lambda_min: an exponent nearer to 0 counts as this
LEAST_PROBABILITY = 0.02  # p_min
HURWITZ_MARGIN = 0.05
MOST_SHIFT = 1.0  # of the leak; a network that needs more is too strong to be linearised (MATH.md 12.7)
_MOST_TAU_CHANGE = 2.0  # of a membrane time constant in one step, and its inverse
_ROWS_AT_A_TIME = 512


@dataclass(frozen=True, slots=True, eq=False)
class NoisePruning:
    """What `prune_by_noise` did.

    probabilities   (E,), of keeping each synapse of the network that was given
    kept            bool (E,)
    strength        (E,), l_e: entries of the Lyapunov matrix
    shift           what the leak had to be raised by for the linear network to be stable
    abscissa        largest real part of the eigenvalues of A, after the shift; <= -0.05
    strength_cv     standard deviation over mean of |l_e|: where it is near 0, the exponents have no say and the
                    covariance prunes alone (MATH.md 16.10)
    input_change    (N,), Delta_i: change of the summed strength of the inputs of each neuron, 0 on average
    """

    probabilities: Array
    kept: NDArray[np.bool_]
    strength: Array
    shift: float
    abscissa: float
    strength_cv: float
    input_change: Array


def prune_by_noise(
    network: Network,
    node_exponents_per_ms: ArrayLike,
    *,
    n_keep: int,
    seed: int,
    mode: MatrixMode = "hm",
    diagonal: Diagonal = "adjust",
) -> tuple[Network, NoisePruning]:
    """`network` with exactly `n_keep` of its recurrent synapses, stronger than before, and how they were chosen.

    node_exponents_per_ms   (N,), of `analysis.lyapunov.local_exponents` or shares of a spectrum; "w" does not read them
    n_keep                  synapses to keep, between p_min E, rounded up, and E
    seed                    of the choice
    mode                    what l_e is: "hm", the harmonic mean of the exponents around the synapse; "literal", with
                            their signs; "hm*w", times its weight; "w", its weight alone
    diagonal                "adjust": the leak of a neuron makes up for what its inputs gained or lost by chance, at
                            most twofold; "keep": time constants stay

    Weights are divided by the probability of having been kept, so that the expected linear network is the one before.
    STDP bounds grow with them. Raises `InputError` for a network without recurrent synapses, exponents that do not fit,
    an `n_keep` out of reach, and a network that no shift of the leak below 1 makes stable.
    """
    owner = "prune_by_noise"
    n_synapses = len(network.recurrent)
    least = int(np.ceil(LEAST_PROBABILITY * n_synapses))
    require(n_synapses >= 1, owner, "network", "must have recurrent synapses", "none")
    rule = f"must be in {least}..{n_synapses}: no synapse is kept with a probability below {LEAST_PROBABILITY}"
    require(least <= n_keep <= n_synapses, owner, "n_keep", rule, n_keep)
    require(diagonal in get_args(Diagonal), owner, "diagonal", f"must be one of {_listed(Diagonal)}", diagonal)
    strength = lyapunov_matrix(network, node_exponents_per_ms, mode=mode)
    a, shift = linearised(network, strength)
    require(shift < MOST_SHIFT, owner, "network", f"must need a shift of the leak below {MOST_SHIFT:g}", shift)
    with threadpool_limits(1):
        probabilities = keep_probabilities(network, strength, stationary_covariance(a), n_keep=n_keep)
    kept = chosen(probabilities, n_keep, seed=seed)
    gain = np.where(kept, 1 / probabilities, 0.0)
    pruned = network.keep_synapses(kept)
    recurrent = replace(
        pruned.recurrent,
        weight=pruned.recurrent.weight * gain[kept],
        w_max=pruned.recurrent.w_max * gain[kept],
    )
    post = network.recurrent.post
    input_change = np.bincount(post, np.abs(strength) * (gain - 1), minlength=network.n_neurons).astype(np.float64)
    if diagonal == "adjust":
        leak = -np.diagonal(a)
        factor = np.clip((leak + input_change) / leak, 1 / _MOST_TAU_CHANGE, _MOST_TAU_CHANGE)
        pruned = replace(pruned, neurons=replace(pruned.neurons, tau_mem_ms=network.neurons.tau_mem_ms / factor))
    size = np.abs(strength)
    return replace(pruned, recurrent=recurrent), NoisePruning(
        probabilities=probabilities,
        kept=kept,
        strength=strength,
        shift=shift,
        abscissa=spectral_abscissa(a),
        strength_cv=float(size.std() / size.mean()),
        input_change=input_change,
    )


# -- the linear network ------------------------------------------------------------------------------------------------


def lyapunov_matrix(network: Network, node_exponents_per_ms: ArrayLike, *, mode: MatrixMode = "hm") -> Array:
    """l_e of every recurrent synapse, float64 (E,), scaled so that the largest sum over the inputs of a neuron is 1.

    With exponents lambda of the neurons in the neighbourhoods of both ends (in- and out-neighbours; both ends are among
    them), n in number: "hm" has sign(w) n / sum of 1 / max(|lambda|, 0.001), "literal" has |n / sum of 1 / lambda| with
    the sign of w, "hm*w" the first times |w|, and "w" the weight itself.

    Departs: MATH.md 12.2 recovers the harmonic mean of signed exponents, which is undefined at 0 and explodes where
    signs cancel; "hm" takes sizes. Raises `InputError` for another length or NaN.

    >>> from hrsnn.spec import NetworkSpec
    >>> from hrsnn.wiring import build
    >>> network = build(NetworkSpec(n_neurons=30, n_inputs=4), seed=0)
    >>> l = lyapunov_matrix(network, [-0.05] * 30)
    >>> bool((l * network.recurrent.weight > 0).all()), round(float(abs(l).max() / abs(l).min()), 6)
    (True, 1.0)
    """
    owner = "lyapunov_matrix"
    remedy = did_you_mean(str(mode), get_args(MatrixMode))
    require(mode in get_args(MatrixMode), owner, "mode", f"must be one of {_listed(MatrixMode)}", mode, remedy=remedy)
    n, synapses = network.n_neurons, network.recurrent
    size = np.abs(synapses.weight.astype(np.float64))
    if mode == "w":
        strength = size
    else:
        exponents = check_column(owner, "node_exponents_per_ms", node_exponents_per_ms, dtype=np.float64, length=n)
        if mode == "literal":
            require(bool((exponents != 0).all()), owner, "node_exponents_per_ms", "must not be 0 with literal", 0.0)
            inverse = 1 / exponents
        else:
            inverse = 1 / np.maximum(np.abs(exponents), LEAST_EXPONENT_PER_MS)
        count, total = _over_neighbourhoods(network, inverse)
        with np.errstate(divide="ignore"):
            strength = np.abs(count / total)
        if mode == "hm*w":
            strength = strength * size
    strength = strength * (size > 0)  # a synapse of weight zero is none
    largest = np.bincount(synapses.post, strength, minlength=n).max(initial=0.0)
    ok = np.isfinite(largest) and largest > 0
    require(ok, owner, "network", "must have synapses with weights and a finite harmonic mean", largest)
    signed: Array = np.sign(synapses.weight) * strength / largest
    return signed


def _over_neighbourhoods(network: Network, values: Array) -> tuple[Array, Array]:
    """For every synapse: how many neurons there are in the neighbourhoods of its two ends, and the sum of their values.

    The union is both less the intersection, and intersections are entries of U diag(values) U with the symmetric
    adjacency U.
    """
    n, pre, post = network.n_neurons, network.recurrent.pre(), network.recurrent.post
    u = np.zeros((n, n))
    u[pre, post] = u[post, pre] = 1.0
    count, total = np.empty(pre.size), np.empty(pre.size)
    degree, sums = u.sum(axis=1), u @ values
    for first in range(0, n, _ROWS_AT_A_TIME):
        of_rows = slice(*np.searchsorted(pre, [first, first + _ROWS_AT_A_TIME]))
        i, j = pre[of_rows], post[of_rows]
        rows = u[first : first + _ROWS_AT_A_TIME]
        with threadpool_limits(1):
            shared, of_shared = rows @ u, (rows * values) @ u
        count[of_rows] = degree[i] + degree[j] - shared[i - first, j]
        total[of_rows] = sums[i] + sums[j] - of_shared[i - first, j]
    return count, total


def linearised(network: Network, strength: Array) -> tuple[Array, float]:
    """A = -D + L of MATH.md 12.2, float64 (N, N), and what D was raised by.

    D is 1 / tau_mem over its mean, raised until A is stable with a margin of 0.05. Synapses between the same two
    neurons add up.
    """
    n = network.n_neurons
    rate = 1 / network.neurons.tau_mem_ms
    a = np.zeros((n, n))
    np.add.at(a, (network.recurrent.post, network.recurrent.pre()), strength)
    a[np.diag_indices(n)] -= rate / rate.mean()
    shift = max(0.0, spectral_abscissa(a) + HURWITZ_MARGIN)
    a[np.diag_indices(n)] -= shift
    return a, shift


# -- the choice --------------------------------------------------------------------------------------------------------


def keep_probabilities(network: Network, strength: Array, covariance: Array, *, n_keep: int) -> Array:
    """The probability of keeping each synapse, float64 (E,), in [0.02, 1]; they add up to `n_keep`.

    p_e = rho |l_e| (Sigma_ii + Sigma_jj -+ 2 Sigma_ij), minus for l_e > 0: the variance of x_i - x_j, or of x_i + x_j.
    """
    pre, post = network.recurrent.pre(), network.recurrent.post
    variance = np.diagonal(covariance)
    score = np.abs(strength) * (variance[post] + variance[pre] - 2 * np.sign(strength) * covariance[post, pre])

    def at(log_rho: float) -> Array:
        clipped: Array = np.clip(np.exp(log_rho) * score, LEAST_PROBABILITY, 1.0)
        return clipped

    def excess(log_rho: float) -> float:
        return float(at(log_rho).sum()) - n_keep

    positive = score[score > 0]
    low, high = np.log(LEAST_PROBABILITY / positive.max()) - 1, np.log(1 / positive.min()) + 1
    if excess(high) <= 0:  # all that have a score are kept for certain
        return at(high)
    return at(float(brentq(excess, low, high, xtol=1e-12)) if excess(low) < 0 else low)


def chosen(probabilities: Array, n_keep: int, *, seed: int) -> NDArray[np.bool_]:
    """Which are kept, each at random with its probability, then made exactly `n_keep`.

    Those kept in excess that have the lowest probabilities go, or those missing that have the highest come back.
    """
    kept = stream(seed, "prune.noise").random(probabilities.size) < probabilities
    excess = int(np.count_nonzero(kept)) - n_keep
    candidates = np.flatnonzero(kept if excess > 0 else ~kept)
    order = np.argsort(probabilities[candidates], kind="stable")
    if excess > 0:
        kept[candidates[order[:excess]]] = False
    elif excess < 0:
        kept[candidates[order[excess:]]] = True
    return kept


def _listed(words: object) -> str:
    return ", ".join(get_args(words))
