"""The stationary covariance: SciPy's solution, closed forms, the leverage identity, what is no stable matrix."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import linalg

from hrsnn._checks import InputError
from hrsnn.prune.covariance import spectral_abscissa, stationary_covariance
from networks import examples


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


def test_of_a_symmetric_matrix() -> None:
    a = stable(np.random.default_rng(1), 60, symmetric=True)
    np.testing.assert_allclose(stationary_covariance(a), -np.linalg.inv(a) / 2, atol=1e-14)


@pytest.mark.parametrize("signed", [False, True])
def test_leverages_of_edges_and_slack_add_up_to_n(signed: bool) -> None:
    """MATH.md 12.2 and check 4 of 17: 40.000 for N = 40."""
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
