"""The stationary covariance: SciPy's solution, closed forms, the leverage identity, an estimate, unstable matrices."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import linalg, sparse

import hrsnn
from hrsnn._checks import InputError
from hrsnn.pruning import noise
from hrsnn.pruning.covariance import sampled_variances, spectral_abscissa, stationary_covariance
from networks import examples, same_bits


def stable(rng: np.random.Generator, n: int, *, symmetric: bool = False, spread: float = 1.0) -> np.ndarray:
    """A random signed matrix, diagonally dominant with rates of decay that differ by up to e**spread."""
    a = rng.normal(size=(n, n)) * (rng.random((n, n)) < 0.3)
    a = np.triu(a, 1) + np.triu(a, 1).T if symmetric else a
    np.fill_diagonal(a, 0)
    np.fill_diagonal(a, -np.abs(a).sum(axis=1) * np.exp(spread * rng.random(n)) - rng.uniform(0.1, 1, n))
    return a


@examples(25)
@given(seed=st.integers(0, 2**32), n=st.sampled_from([1, 2, 7, 40, 120]), spread=st.sampled_from([0.0, 1.0, 5.0]))
def test_it_is_scipys(seed: int, n: int, spread: float) -> None:
    a = stable(np.random.default_rng(seed), n, spread=spread)
    expected = linalg.solve_continuous_lyapunov(a, -np.eye(n))
    found = stationary_covariance(a)
    assert np.abs(found - expected).max() <= 1e-10 * np.abs(expected).max()
    np.testing.assert_array_equal(found, found.T)
    assert np.abs(stationary_covariance(a, noise=3.0) - 9 * found).max() <= 1e-12 * np.abs(found).max()
    own = np.random.default_rng(seed).uniform(0.0, 2.0, n)
    expected = linalg.solve_continuous_lyapunov(a, -np.diag(own**2))
    assert np.abs(stationary_covariance(a, noise=own) - expected).max() <= 1e-10 * np.abs(expected).max()


def test_of_a_symmetric_matrix() -> None:
    a = stable(np.random.default_rng(1), 60, symmetric=True)
    np.testing.assert_allclose(stationary_covariance(a), -np.linalg.inv(a) / 2, atol=1e-14)


@pytest.mark.parametrize("signed", [False, True])
def test_leverages_of_edges_and_slack_add_up_to_n(signed: bool) -> None:
    """method.md 12.2 and check 4 of 17: 40.000 for N = 40."""
    n = 40
    a = stable(np.random.default_rng(2), n, symmetric=True)
    if not signed:
        a = np.abs(a) * (1 - 2 * np.eye(n))
    sigma, variance = stationary_covariance(a), np.diagonal(stationary_covariance(a))
    edges = np.abs(a) * (variance[:, None] + variance - 2 * np.sign(a) * sigma)
    slack = -np.diagonal(a) - (np.abs(a).sum(axis=1) - np.abs(np.diagonal(a)))
    total = 2 * np.triu(edges, 1).sum() + slack @ np.diagonal(-np.linalg.inv(a))
    assert total == pytest.approx(n, abs=1e-9)


def test_nearly_unstable() -> None:
    a = np.array([[-1e-6, 1.0], [0.0, -1.0]])
    expected = linalg.solve_continuous_lyapunov(a, -np.eye(2))
    np.testing.assert_allclose(stationary_covariance(a), expected, rtol=1e-8)


@pytest.mark.parametrize("n", [5, 200])
def test_the_rightmost_eigenvalue(n: int) -> None:
    rng = np.random.default_rng(n)
    a = rng.normal(size=(n, n)) / np.sqrt(n) - np.eye(n)
    assert spectral_abscissa(a) == pytest.approx(np.linalg.eigvals(a).real.max(), abs=1e-8)


@pytest.mark.parametrize(
    ("a", "words"),
    [
        (np.diag([-1.0, 0.5]), "left of 0"),
        (np.zeros((2, 2)), "left of 0"),
        (np.zeros((2, 3)), "square"),
        (np.zeros((0, 0)), "square"),
        ([[np.nan]], "finite"),
    ],
)
def test_what_has_no_covariance(a: object, words: str) -> None:
    with pytest.raises(InputError, match=words):
        stationary_covariance(a)  # type: ignore[arg-type]


def test_noise_is_above_zero() -> None:
    with pytest.raises(InputError, match="noise"):
        stationary_covariance([[-1.0]], noise=0.0)


@pytest.mark.parametrize("n", [30, 700])
def test_threads_do_not_change_a_bit(n: int) -> None:
    a = stable(np.random.default_rng(3), n)
    assert same_bits(*(stationary_covariance(a, n_threads=k) for k in (1, 3)))
    pairs = np.argwhere(a)[:500]
    one, three = (sampled_variances(a, *pairs.T, np.ones(len(pairs)), seed=0, n_probes=32, n_threads=k) for k in (1, 3))
    assert same_bits(one.values, three.values)
    assert same_bits(one.standard_error, three.standard_error)


# -- the estimate ------------------------------------------------------------------------------------------------------


def leaky(seed: int, n: int, degree: int, reach: float) -> np.ndarray:
    """Rates of decay that differ fortyfold and signed synapses, stable by 0.05 per unit of time."""
    rng = np.random.default_rng(seed)
    a = (rng.random((n, n)) < degree / n) * rng.choice([-1.0, 1.0, 1.0, 1.0], n) * reach / degree
    np.fill_diagonal(a, -np.exp(rng.uniform(np.log(0.15), np.log(6), n)))
    return a - np.eye(n) * max(0.0, np.linalg.eigvals(a).real.max() + 0.05)


@pytest.mark.parametrize(("degree", "most"), [(100, 0.02), (5, 0.06)])
def test_the_estimate_is_near_and_says_how_near(degree: int, most: float) -> None:
    """N = 1000 against the covariance itself: the error, that it is the one told, and that it has no side."""
    a = leaky(1, 1000, degree, reach=0.7)
    i, j = np.argwhere(a != 0).T
    sign = np.where(a[i, j] < 0, -1.0, 1.0)
    noise = 1.0 if degree == 100 else np.random.default_rng(4).uniform(0.5, 2.0, 1000)
    sigma = stationary_covariance(a, noise=noise)
    variance = np.diagonal(sigma)
    exact = variance[i] + variance[j] - 2 * sign * sigma[i, j]
    found = sampled_variances(sparse.csr_array(a), i, j, sign, seed=2, noise=noise)
    error = found.values - exact
    assert np.sqrt(np.mean(error[i != j] ** 2) / np.mean(exact[i != j] ** 2)) < most
    assert found.relative_error == pytest.approx(np.sqrt(np.mean(error**2) / np.mean(exact**2)), rel=0.35)
    assert (found.values >= 0).all()
    assert abs(np.mean(error[i != j] / exact[i != j])) < 0.01


def test_more_probes_tell_more() -> None:
    a = leaky(3, 150, 10, reach=0.7)
    i, j = np.argwhere((a != 0) & ~np.eye(150, dtype=bool)).T
    sigma = stationary_covariance(a)
    exact = np.diagonal(sigma)[i] + np.diagonal(sigma)[j] - 2 * sigma[i, j]
    few, many = (
        np.sqrt(np.mean((sampled_variances(a, i, j, np.ones(i.size), seed=0, n_probes=k).values - exact) ** 2))
        for k in (64, 2048)
    )
    assert many < few / 4  # the root of 32 is 5.7, and integration adds a floor


def test_without_synapses_the_estimate_is_exact() -> None:
    rates = np.array([0.2, 1.0, 7.0])
    found = sampled_variances(np.diag(-rates), [0, 0, 1, 2], [1, 2, 2, 2], [1, -1, 1, -1], seed=5, n_probes=32)
    alone = 1 / (2 * rates)
    expected = [alone[0] + alone[1], alone[0] + alone[2], alone[1] + alone[2], 4 * alone[2]]
    np.testing.assert_allclose(found.values, expected, rtol=1e-2)  # what integration leaves
    assert found.relative_error < 1e-3


def test_large_networks_are_pruned_by_the_estimate(monkeypatch: pytest.MonkeyPatch) -> None:
    network = hrsnn.build(hrsnn.NetworkSpec(n_neurons=200, n_inputs=5), seed=0)
    exponents, n_keep = np.random.default_rng(0).uniform(-0.2, 0.02, 200), len(network.recurrent) // 2
    _, exact = noise.prune_by_noise(network, exponents, n_keep=n_keep, seed=1)
    monkeypatch.setattr(noise, "MOST_DENSE", 100)
    (pruned, sampled), (again, _) = (
        noise.prune_by_noise(network, exponents, n_keep=n_keep, seed=1, n_threads=k) for k in (1, 2)
    )
    assert pruned == again
    assert exact.variance_error == 0 < sampled.variance_error < 0.05
    ratio = sampled.probabilities / exact.probabilities
    assert np.std(ratio) < 2 * sampled.variance_error
    assert len(pruned.recurrent) == n_keep


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"a": np.diag([-1.0, 0.5])}, "left of 0"),
        ({"a": sparse.csr_array([[-1.0, np.inf], [0.0, -1.0]])}, "finite"),
        ({"a": sparse.csr_array(np.zeros((2, 3)))}, "square"),
        ({"first": [2]}, "first"),
        ({"second": [0, 1]}, "second"),
        ({"sign": [0.5]}, "sign"),
        ({"n_probes": 40}, "multiple of 16"),
        ({"n_threads": 0}, "n_threads"),
    ],
)
def test_bad_requests(change: dict[str, object], words: str) -> None:
    arguments = {"a": -np.eye(2), "first": [0], "second": [1], "sign": [1], "seed": 0, **change}
    with pytest.raises(InputError, match=words):
        sampled_variances(**arguments)  # type: ignore[arg-type]
