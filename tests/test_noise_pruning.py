"""Step I: the Lyapunov matrix against its definition, unbiased sampling, exact counts, what cannot be pruned."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import hrsnn
from hrsnn._checks import InputError
from hrsnn.network import Network
from hrsnn.pruning.covariance import spectral_abscissa, stationary_covariance
from hrsnn.pruning.noise import (
    HURWITZ_MARGIN,
    keep_probabilities,
    linearised,
    lyapunov_matrix,
    prune_by_noise,
)
from hrsnn.pruning.rounding import rounded
from hrsnn.pruning.sampling import LEAST_PROBABILITY, chosen, probabilities_of
from networks import neuron_table, synapse_table


@pytest.fixture(scope="module")
def network() -> Network:
    return hrsnn.build(hrsnn.NetworkSpec(n_neurons=100, n_inputs=5), seed=3)


@pytest.fixture(scope="module")
def exponents(network: Network) -> np.ndarray:
    return np.random.default_rng(0).uniform(-0.2, 0.02, network.n_neurons)


def neighbours(network: Network) -> list[set[int]]:
    found: list[set[int]] = [set() for _ in range(network.n_neurons)]
    for i, j in zip(network.recurrent.pre().tolist(), network.recurrent.post.tolist(), strict=True):
        found[i].add(j)
        found[j].add(i)
    return found


# -- the matrix --------------------------------------------------------------------------------------------------------


def test_harmonic_means_by_definition(network: Network, exponents: np.ndarray) -> None:
    around, table = neighbours(network), network.recurrent
    means = []
    for i, j in zip(table.pre().tolist(), table.post.tolist(), strict=True):
        sizes = [max(abs(exponents[k]), 1e-3) for k in around[i] | around[j]]
        means.append(len(sizes) / sum(1 / size for size in sizes))
    expected = np.sign(table.weight) * means
    expected /= np.bincount(table.post, np.abs(expected), minlength=100).max()
    np.testing.assert_allclose(lyapunov_matrix(network, exponents, mode="hm"), expected, rtol=1e-10)


@pytest.mark.parametrize("mode", ["hm", "literal", "hm*w", "w"])
def test_scale_and_signs(network: Network, exponents: np.ndarray, mode: Any) -> None:
    found = lyapunov_matrix(network, exponents, mode=mode)
    assert np.bincount(network.recurrent.post, np.abs(found), minlength=100).max() == pytest.approx(1)
    np.testing.assert_array_equal(np.sign(found), np.sign(network.recurrent.weight))


def test_modes_differ_as_they_say(network: Network, exponents: np.ndarray) -> None:
    size = np.abs(network.recurrent.weight)
    hm, times_w, w = (np.abs(lyapunov_matrix(network, exponents, mode=m)) for m in ("hm", "hm*w", "w"))  # type: ignore[arg-type]
    for found, expected in ((times_w, hm * size), (w, size)):
        np.testing.assert_allclose(found / found.sum(), expected / expected.sum(), rtol=1e-6)


def test_the_linear_network_is_stable_with_a_margin(network: Network, exponents: np.ndarray) -> None:
    a, shift = linearised(network, 5 * lyapunov_matrix(network, exponents))  # strong: it has to be shifted
    assert shift > 0
    assert spectral_abscissa(a) == pytest.approx(-HURWITZ_MARGIN, abs=1e-8)
    pre, post = network.recurrent.pre(), network.recurrent.post
    np.testing.assert_allclose(a[post, pre], 5 * lyapunov_matrix(network, exponents))


# -- the choice --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("share", [0.05, 0.3, 0.9, 1.0])
def test_probabilities_follow_the_rule_and_add_up(network: Network, exponents: np.ndarray, share: float) -> None:
    n_keep = round(share * len(network.recurrent))
    strength = lyapunov_matrix(network, exponents, mode="hm")
    sigma = stationary_covariance(linearised(network, strength)[0])
    p = keep_probabilities(network, strength, sigma, n_keep=n_keep)
    assert p.sum() == pytest.approx(n_keep)
    least = LEAST_PROBABILITY * share
    assert p.min() >= least * (1 - 1e-3)  # n_keep is a whole number
    assert p.max() <= 1
    i, j = network.recurrent.post, network.recurrent.pre()
    score = np.abs(strength) * (sigma[i, i] + sigma[j, j] - 2 * np.sign(strength) * sigma[i, j])
    free = (p > 1.01 * least) & (p < 1)
    if free.any():
        np.testing.assert_allclose(p[free] / score[free], (p[free] / score[free])[0], rtol=1e-6)


@pytest.mark.parametrize(
    ("score", "n_keep", "expected"),
    [
        ([0, 0, 0, 0], 2, [0.5] * 4),  # nothing counts: all alike
        ([0, 3, 0, 1], 3, [0.5, 1, 0.5, 1]),  # those that count are certain, the others share what is left
        ([2, 3, 1, 1], 4, [1] * 4),
        ([0, 1, 1, 1], 2, [0.01, 1.99 / 3, 1.99 / 3, 1.99 / 3]),  # a fiftieth of the mean, at least
    ],
)
def test_probabilities_by_hand(score: list[float], n_keep: int, expected: list[float]) -> None:
    np.testing.assert_allclose(probabilities_of(np.array(score, dtype=float), n_keep), expected)


def test_sampling_is_unbiased() -> None:
    """Check 6 of method.md 17: E A_sparse = A off the diagonal, E Delta = 0; to 4.5 standard errors, 200 entries."""
    p = probabilities_of(np.random.default_rng(1).uniform(0.1, 1.0, 200), 60)
    n = 10_000
    kept = np.stack([chosen(p, 60, seed=k) for k in range(n)])
    assert (kept.sum(axis=1) == 60).all()
    error = np.sqrt((1 - p) / p / n)
    assert (np.abs(kept.mean(axis=0) / p - 1) <= 4.5 * error + 1e-12).all()


def test_both_ends_get_their_share() -> None:
    """Inclusion probabilities stay, and no vertex is off its expected count by one or more."""
    rng = np.random.default_rng(2)
    pairs = rng.choice(20 * 30, 200, replace=False)
    p, ends = probabilities_of(rng.uniform(0.1, 1.0, 200), 60), divmod(pairs, 30)
    n = 4000
    kept = np.stack([chosen(p, 60, seed=k, ends=ends) for k in range(n)])
    assert (kept.sum(axis=1) == 60).all()
    for end, n_vertices in zip(ends, (20, 30), strict=True):
        counts = np.stack([np.bincount(end, row, minlength=n_vertices) for row in kept])
        assert np.abs(counts - np.bincount(end, p, minlength=n_vertices)).max() < 1
    assert (np.abs(kept.mean(axis=0) - p) <= 4.5 * np.sqrt(p * (1 - p) / n) + 1e-12).all()


@pytest.mark.parametrize(
    ("fractions", "left", "right", "n"),
    [
        ([0.5, 0.5], [0, 0], [0, 1], 1),  # a path
        ([0.3, 0.7], [0, 1], [0, 1], 1),  # two edges that do not touch
        ([1.0, 0.0, 1.0], [0, 0, 1], [0, 1, 1], 2),  # nothing is open
        ([1 / 3] * 9, [0, 0, 0, 1, 1, 1, 2, 2, 2], [0, 1, 2] * 3, 3),  # all sums are whole: a permutation
        ([1.0], [0], [0], 1),
    ],
)
def test_rounding_of_small_graphs(fractions: list[float], left: list[int], right: list[int], n: int) -> None:
    seen = set()
    for seed in range(40):
        rng = np.random.default_rng(seed)
        kept = rounded(np.array(fractions), np.array(left), np.array(right), rng=rng)
        assert kept.sum() == n
        assert (np.bincount(left, kept) <= np.ceil(np.bincount(left, fractions) - 1e-9)).all()
        assert (np.bincount(right, kept) <= np.ceil(np.bincount(right, fractions) - 1e-9)).all()
        seen.add(tuple(kept))
    possible = sum(0 < fraction < 1 for fraction in fractions)
    assert len(seen) == {0: 1, 2: 2, 9: 6}[possible], "every way to round, and no other"


def test_no_neuron_loses_its_inputs_or_outputs_by_chance(network: Network, exponents: np.ndarray) -> None:
    _, told = prune_by_noise(network, exponents, n_keep=len(network.recurrent) // 4, seed=5)
    kind = 2 * network.recurrent.post + (network.recurrent.weight > 0)
    for vertex in (kind, network.recurrent.pre()):
        due = np.bincount(vertex, told.probabilities)
        assert np.abs(np.bincount(vertex, told.kept) - due).max() < 1


def test_noise_of_spikes_favours_busy_neurons(network: Network, exponents: np.ndarray) -> None:
    """With noise on one neuron alone the synapses at it have the largest probabilities for their strength."""
    noise = np.full(100, 1e-3)
    noise[7] = 1.0
    found = {
        name: prune_by_noise(network, exponents, n_keep=40, seed=5, noise=level)[1].probabilities
        for name, level in (("equal", 1.0), ("one", noise))
    }
    at_it = (network.recurrent.pre() == 7) | (network.recurrent.post == 7)
    gain = found["one"] / found["equal"]
    assert np.median(gain[at_it]) > 2 * np.median(gain[~at_it])


def test_equal_probabilities_spare_no_place() -> None:
    """What makes the count exact must not prefer synapses that come first or last."""
    p = np.full(400, 0.1)
    kept = np.mean([chosen(p, 40, seed=k) for k in range(2000)], axis=0)
    first, last = kept[:40].mean(), kept[-40:].mean()
    assert first == pytest.approx(0.1, abs=0.005)  # five standard errors of a mean over 80 000 draws
    assert last == pytest.approx(0.1, abs=0.005)


def test_what_is_kept_is_stronger_by_its_probability(network: Network, exponents: np.ndarray) -> None:
    n_keep = len(network.recurrent) // 4
    pruned, told = prune_by_noise(network, exponents, n_keep=n_keep, seed=5, diagonal="keep")
    before, after, kept = network.recurrent, pruned.recurrent, told.kept
    assert len(after) == n_keep == kept.sum()
    np.testing.assert_allclose(after.weight, before.weight[kept] / told.probabilities[kept], rtol=1e-6)
    np.testing.assert_allclose(after.w_max, before.w_max[kept] / told.probabilities[kept], rtol=1e-6)
    np.testing.assert_array_equal(after.post, before.post[kept])
    assert pruned.neurons == network.neurons
    assert pruned.inputs == network.inputs


def test_the_leak_makes_up_for_chance(network: Network, exponents: np.ndarray) -> None:
    n_keep = len(network.recurrent) // 4
    pruned, told = prune_by_noise(network, exponents, n_keep=n_keep, seed=5, diagonal="adjust")
    strength, n = told.strength, network.n_neurons
    gain = told.kept / told.probabilities
    totals = [
        np.bincount(network.recurrent.post, np.abs(strength) * g, minlength=n) for g in (gain, np.ones_like(gain))
    ]
    np.testing.assert_allclose(told.input_change, totals[0] - totals[1], atol=1e-12)
    leak = -np.diagonal(linearised(network, strength)[0])
    ratio = np.clip((leak + told.input_change) / leak, 0.5, 2)
    np.testing.assert_allclose(network.neurons.tau_mem_ms / pruned.neurons.tau_mem_ms, ratio)


def test_the_same_seed_prunes_the_same(network: Network, exponents: np.ndarray) -> None:
    first, second, other = (
        prune_by_noise(network, exponents, n_keep=200, seed=seed)[0] for seed in (1, 1, 2)
    )  # fmt: skip
    assert first == second
    assert first != other


def test_noise_beats_weights_beats_chance() -> None:
    """Check 7 of method.md 17: three clusters, relative error of random quadratic forms, in the same order."""
    rng = np.random.default_rng(7)
    n, cluster = 150, np.repeat([0, 1, 2], 50)
    same = cluster[:, None] == cluster
    pre, post = np.nonzero((rng.random((n, n)) < np.where(same, 0.3, 0.02)) & ~np.eye(n, dtype=bool))
    weight = rng.lognormal(0, 1, pre.size)
    network = Network(
        neuron_table(n),
        synapse_table(pre, post, n_pre=n, weight=weight, w_max=weight.max()),
        synapse_table([], [], n_pre=1),
        dt_ms=1.0,
    )
    strength = lyapunov_matrix(network, np.ones(n), mode="w")
    a, _ = linearised(network, strength)
    sigma = stationary_covariance(a)
    forms = rng.normal(size=(200, n))

    def error(p: np.ndarray, seed: int) -> float:
        kept = np.random.default_rng(seed).random(p.size) < p
        change = np.zeros((n, n))
        change[network.recurrent.post, network.recurrent.pre()] = strength * (kept / p - 1)
        whole = a - np.diag(np.diagonal(a))
        differences = np.einsum("si,ij,sj->s", forms, change, forms)
        return float(np.sqrt(np.mean(differences**2) / np.mean(np.einsum("si,ij,sj->s", forms, whole, forms) ** 2)))

    n_keep = pre.size // 4
    by_noise = keep_probabilities(network, strength, sigma, n_keep=n_keep)
    by_weight = keep_probabilities(network, strength, np.eye(n), n_keep=n_keep)
    by_chance = np.full(pre.size, n_keep / pre.size)
    errors = [np.mean([error(p, seed) for seed in range(40)]) for p in (by_noise, by_weight, by_chance)]
    assert errors[0] < 1.05 * errors[1], errors
    assert errors[1] < 0.8 * errors[2], errors


# -- what cannot be pruned ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"n_keep": 0}, "n_keep"),
        ({"noise": 0.0}, "`noise`"),
        ({"noise": [1.0, 2.0]}, "`noise`"),
        ({"n_keep": 10**6}, "n_keep"),
        ({"mode": "hm*W"}, "mode"),
        ({"diagonal": "both"}, "diagonal"),
        ({"node_exponents_per_ms": np.zeros(3)}, "length 100"),
        ({"node_exponents_per_ms": np.full(100, np.nan)}, "finite"),
        ({"node_exponents_per_ms": np.zeros(100), "mode": "literal"}, "must not be 0"),
    ],
)
def test_bad_requests(network: Network, exponents: np.ndarray, change: dict[str, Any], words: str) -> None:
    arguments = {"node_exponents_per_ms": exponents, "n_keep": 300, "seed": 0, **change}
    with pytest.raises(InputError, match=words):
        prune_by_noise(network, **arguments)


def test_networks_without_synapses_or_weights(network: Network, exponents: np.ndarray) -> None:
    bare = network.keep_synapses(np.zeros(len(network.recurrent), dtype=bool))
    with pytest.raises(InputError, match="must have recurrent synapses"):
        prune_by_noise(bare, exponents, n_keep=0, seed=0)
    with pytest.raises(InputError, match="weights"):
        prune_by_noise(network.with_weights(0 * network.recurrent.weight), exponents, n_keep=300, seed=0)


def test_without_inhibitory_neurons() -> None:
    spec = hrsnn.NetworkSpec(n_neurons=60, n_inputs=5, excitatory_share=1.0)
    network = hrsnn.build(spec, seed=0)
    pruned, told = prune_by_noise(network, np.full(60, -0.05), n_keep=100, seed=0)
    assert len(pruned.recurrent) == 100
    assert told.abscissa < 0
