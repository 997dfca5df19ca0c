"""Step I of Lyapunov noise pruning: synapses are kept at random, each with its own probability (method.md 12.2).

Symbols: N neurons, E recurrent synapses; synapse e goes from j = pre(e) to i = post(e). A = -D + L is a linear network
whose noise has the covariance Sigma; l_e is the entry of L for synapse e. A synapse is kept with a probability that
grows with |l_e| Var(x_i -+ x_j), and what is kept becomes stronger by as much as the others are missing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from threadpoolctl import threadpool_limits

from hrsnn._checks import among, check_column, did_you_mean, require
from hrsnn.network import Network
from hrsnn.pruning.covariance import sampled_variances, spectral_abscissa, stationary_covariance
from hrsnn.pruning.options import LNP, Diagonal, MatrixMode
from hrsnn.pruning.sampling import check_reachable, chosen, probabilities_of, rescaled

Array = NDArray[np.float64]

LEAST_EXPONENT_PER_MS = 1e-3  # lambda_min: an exponent nearer to 0 counts as this
HURWITZ_MARGIN = 0.05
MOST_SHIFT = 1.0  # of the leak; a network that needs more is too strong to be linearised (method.md 12.7)
MOST_DENSE = 3000  # neurons up to which the covariance is computed; above, what is needed of it is estimated
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
                    covariance prunes alone (method.md 16.10)
    input_change    (N,), Delta_i: change of the summed strength of the inputs of each neuron, 0 on average
    variance_error  relative standard error of the variances behind the probabilities; 0 where they were computed
    """

    probabilities: Array
    kept: NDArray[np.bool_]
    strength: Array
    shift: float
    abscissa: float
    strength_cv: float
    input_change: Array
    variance_error: float


def prune_by_noise(
    network: Network,
    node_exponents_per_ms: ArrayLike,
    *,
    n_keep: int,
    seed: int,
    mode: MatrixMode = LNP.mode,
    diagonal: Diagonal = LNP.diagonal,
    noise: ArrayLike = 1.0,
    n_threads: int = 1,
) -> tuple[Network, NoisePruning]:
    """`network` with exactly `n_keep` of its recurrent synapses, stronger than before, and how they were chosen.

    node_exponents_per_ms   (N,), of `analysis.lyapunov.local_exponents` or shares of a spectrum; "w" does not read them
    n_keep                  synapses to keep, between 1 and E
    seed                    of the choice
    mode                    what l_e is: "hm", the harmonic mean of the exponents around the synapse; "literal", with
                            their signs; "hm*w", times its weight; "w", its weight alone
    diagonal                "adjust": the leak of a neuron makes up for what its inputs gained or lost by chance, at
                            most twofold; "keep": time constants stay
    noise                   standard deviation of the noise, one for all neurons or (N,). Spikes are shot noise, whose
                            variance is the firing rate: with the root of the rates, synapses that carry many spikes are
                            worth more than those of silent neurons
    n_threads               the result does not depend on it

    Weights are divided by the probability of having been kept, so that the expected linear network is the one before.
    Above 3000 neurons the variances behind the probabilities are estimated (`sampled_variances`), and their error is
    told; the expected network is the same, because weights are divided by the probabilities that were used.

    Of the excitatory inputs of each neuron, of its inhibitory ones and of its outputs the number that it is due stays,
    to less than one: no neuron is cut off by chance, and none gets too much. Departs: the paper draws synapses
    independently. STDP bounds grow with the weights.

    Raises `InputError` for a network without recurrent synapses, exponents that do not fit, an `n_keep` out of reach, a
    noise that is 0, and a network that no shift of the leak below 1 makes stable.
    """
    owner = "prune_by_noise"
    n_synapses = len(network.recurrent)
    require(n_synapses >= 1, owner, "network", "must have recurrent synapses", "none")
    check_reachable(owner, n_keep, n_synapses)
    require(among(diagonal, get_args(Diagonal)), owner, "diagonal", f"must be one of {_listed(Diagonal)}", diagonal)
    strength = lyapunov_matrix(network, node_exponents_per_ms, mode=mode)
    with threadpool_limits(1):
        a, shift = _linear(network, strength)
        require(shift < MOST_SHIFT, owner, "network", f"must need a shift of the leak below {MOST_SHIFT:g}", shift)
        variance, variance_error = edge_variances(network, strength, a, noise=noise, seed=seed, n_threads=n_threads)
        abscissa = spectral_abscissa(a)
    probabilities = probabilities_of(np.abs(strength) * variance, n_keep)
    pre, post = network.recurrent.pre().astype(np.int64), network.recurrent.post.astype(np.int64)
    inputs_of_a_kind = 2 * post + network.excites()
    kept = chosen(probabilities, n_keep, seed=seed, ends=(pre, inputs_of_a_kind))
    pruned = rescaled(network, kept, probabilities)
    gain = np.where(kept, 1 / probabilities, 0.0)
    input_change = np.bincount(post, np.abs(strength) * (gain - 1), minlength=network.n_neurons).astype(np.float64)
    if diagonal == "adjust":
        leak = -a.diagonal()
        factor = np.clip((leak + input_change) / leak, 1 / _MOST_TAU_CHANGE, _MOST_TAU_CHANGE)
        pruned = replace(pruned, neurons=replace(pruned.neurons, tau_mem_ms=network.neurons.tau_mem_ms / factor))
    size = np.abs(strength)
    return pruned, NoisePruning(
        probabilities=probabilities,
        kept=kept,
        strength=strength,
        shift=shift,
        abscissa=abscissa,
        strength_cv=float(size.std() / size.mean()),
        input_change=input_change,
        variance_error=variance_error,
    )


# -- the linear network ------------------------------------------------------------------------------------------------


def lyapunov_matrix(network: Network, node_exponents_per_ms: ArrayLike, *, mode: MatrixMode = LNP.mode) -> Array:
    """l_e of every recurrent synapse, float64 (E,), scaled so that the largest sum over the inputs of a neuron is 1.

    With exponents lambda of the neurons in the neighbourhoods of both ends (in- and out-neighbours; both ends are among
    them), n in number: "hm" has sign(w) n / sum of 1 / max(|lambda|, 0.001), "literal" has |n / sum of 1 / lambda| with
    the sign of w, "hm*w" the first times |w|, and "w" the weight itself.

    Departs: published is the harmonic mean of signed exponents (method.md 12.2), which is undefined at 0 and explodes
    where signs cancel; "hm" takes sizes. Raises `InputError` for another length or NaN.

    >>> from hrsnn.spec import NetworkSpec
    >>> from hrsnn.wiring import build
    >>> network = build(NetworkSpec(n_neurons=30, n_inputs=4), seed=0)
    >>> l = lyapunov_matrix(network, [-0.05] * 30, mode="hm")
    >>> bool((l * network.recurrent.weight > 0).all()), round(float(abs(l).max() / abs(l).min()), 6)
    (True, 1.0)
    """
    owner = "lyapunov_matrix"
    remedy = did_you_mean(str(mode), get_args(MatrixMode))
    require(
        among(mode, get_args(MatrixMode)), owner, "mode", f"must be one of {_listed(MatrixMode)}", mode, remedy=remedy
    )
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
    ends = np.concatenate([pre, post]), np.concatenate([post, pre])
    u: Any = sparse.csr_array((np.ones(2 * pre.size), ends), shape=(n, n))
    u.sum_duplicates()
    u.data[:] = 1.0
    weighted = sparse.diags_array(values) @ u
    count, total = np.empty(pre.size), np.empty(pre.size)
    degree, sums = u.sum(axis=1), u @ values
    for first in range(0, n, _ROWS_AT_A_TIME):
        of_rows = slice(*np.searchsorted(pre, [first, first + _ROWS_AT_A_TIME]))
        i, j = pre[of_rows], post[of_rows]
        rows = u[first : first + _ROWS_AT_A_TIME]
        shared, of_shared = (rows @ u).toarray(), (rows @ weighted).toarray()
        count[of_rows] = degree[i] + degree[j] - shared[i - first, j]
        total[of_rows] = sums[i] + sums[j] - of_shared[i - first, j]
    return count, total


def linearised(network: Network, strength: Array) -> tuple[Array, float]:
    """A = -D + L of method.md 12.2, float64 (N, N), and what D was raised by.

    D is 1 / tau_mem over its mean, raised until A is stable with a margin of 0.05. Synapses between the same two
    neurons add up.
    """
    a, shift = _linear(network, strength)
    return a.toarray(), shift


def _linear(network: Network, strength: Array) -> tuple[sparse.csr_array, float]:
    """`linearised`, in compressed rows."""
    n = network.n_neurons
    rate = 1 / network.neurons.tau_mem_ms
    between = sparse.csr_array((strength, (network.recurrent.post, network.recurrent.pre())), shape=(n, n))
    a = sparse.csr_array(between - sparse.diags_array(rate / rate.mean()))
    shift = max(0.0, spectral_abscissa(a) + HURWITZ_MARGIN)
    return sparse.csr_array(a - shift * sparse.eye_array(n)), shift


# -- the choice --------------------------------------------------------------------------------------------------------


def edge_variances(
    network: Network,
    strength: Array,
    a: sparse.csr_array,
    *,
    seed: int,
    noise: ArrayLike = 1.0,
    n_threads: int = 1,
) -> tuple[Array, float]:
    """Var(x_i - x_j) of every synapse, Var(x_i + x_j) where l_e < 0, float64 (E,), and their relative error.

    In networks of up to 3000 neurons from the whole covariance, with error 0; in larger ones estimated.
    """
    if network.n_neurons <= MOST_DENSE:
        covariance = stationary_covariance(a, noise=noise, n_threads=n_threads)
        return _differences(network, strength, covariance), 0.0
    pre, post = network.recurrent.pre(), network.recurrent.post
    sign = np.where(strength < 0, -1.0, 1.0)
    sampled = sampled_variances(a, post, pre, sign, seed=seed, noise=noise, n_threads=n_threads)
    return sampled.values, sampled.relative_error


def keep_probabilities(network: Network, strength: Array, covariance: Array, *, n_keep: int) -> Array:
    """The probability of keeping each synapse, float64 (E,), at most 1; they add up to `n_keep`.

    p_e = rho |l_e| (Sigma_ii + Sigma_jj -+ 2 Sigma_ij), minus for l_e > 0: the variance of x_i - x_j, or of x_i + x_j.
    """
    return probabilities_of(np.abs(strength) * _differences(network, strength, covariance), n_keep)


def _differences(network: Network, strength: Array, covariance: Array) -> Array:
    pre, post = network.recurrent.pre(), network.recurrent.post
    variance = np.diagonal(covariance)
    differences: Array = variance[post] + variance[pre] - 2 * np.sign(strength) * covariance[post, pre]
    return np.maximum(differences, 0.0)  # rounding


def _listed(words: object) -> str:
    return ", ".join(get_args(words))
