"""Statistics of states: closed forms, NumPy's own ranks and covariances, and what must not change them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hrsnn._checks import InputError
from hrsnn.analysis.states import (
    effective_rank,
    entropy_rank,
    mean_squared_correlation,
    numerical_rank,
    participation_ratio,
    singular_values,
)
from networks import examples

ALL = [effective_rank, numerical_rank, entropy_rank, participation_ratio, mean_squared_correlation]


@st.composite
def matrices(draw: st.DrawFn) -> np.ndarray:
    """Random matrices of any rank, with columns that never change and columns twice."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    m, n = draw(st.integers(2, 12)), draw(st.integers(1, 12))
    rank = draw(st.integers(1, min(m, n)))
    matrix = rng.standard_normal((m, rank)) @ rng.standard_normal((rank, n))
    matrix[:, rng.random(n) < 0.2] = rng.normal()
    return matrix[:, rng.integers(0, n, n)]


def test_ranks_by_hand() -> None:
    values = np.diag([5.0, 3.0, 1.0, 1.0])
    assert [effective_rank(values, share) for share in (0.5, 0.51, 0.8, 0.9, 0.99, 1.0)] == [1, 2, 2, 3, 4, 4]
    # The sum of squares would say otherwise: 25 of 36 is more than half, 34 of 36 more than 0.9.
    assert effective_rank(values, 0.9) == 3
    assert numerical_rank(values) == 4
    p = np.array([0.5, 0.3, 0.1, 0.1])
    assert entropy_rank(values) == pytest.approx(np.exp(-np.sum(p * np.log(p))), rel=1e-12)


@pytest.mark.parametrize("n", [1, 7, 100])
def test_equal_singular_values_all_count(n: int) -> None:
    assert effective_rank(np.eye(n), 1.0) == numerical_rank(np.eye(n)) == n
    assert effective_rank(np.eye(n)) == int(np.ceil(0.99 * n - 1e-9))
    assert entropy_rank(np.eye(n)) == pytest.approx(n, rel=1e-12)


def test_rounding_of_single_precision_is_no_dimension() -> None:
    rng = np.random.default_rng(0)
    exact = rng.standard_normal((50, 3)) @ rng.standard_normal((3, 40))
    assert numerical_rank(exact) == numerical_rank(exact.astype(np.float32)) == 3
    assert numerical_rank(exact.astype(np.float32).astype(np.float64)) > 3  # the same numbers, taken for exact ones
    assert numerical_rank(np.array([[1, 2], [2, 4], [3, 6]])) == 1  # whole numbers are exact


@examples(40)
@given(matrices())
def test_ranks_agree_with_numpy_and_do_not_depend_on_order(matrix: np.ndarray) -> None:
    assert numerical_rank(matrix) == np.linalg.matrix_rank(matrix)
    turned = matrix.T[::-1]
    assert effective_rank(turned) == effective_rank(matrix)
    assert entropy_rank(turned) == pytest.approx(entropy_rank(matrix), rel=1e-9, abs=1e-12)
    assert effective_rank(matrix * 1e-6) == effective_rank(matrix) <= min(matrix.shape)
    assert 0 <= entropy_rank(matrix) <= min(matrix.shape) * (1 + 1e-9)


@examples(40)
@given(matrices())
def test_participation_ratio_is_that_of_the_eigenvalues_of_the_covariance(matrix: np.ndarray) -> None:
    found = participation_ratio(matrix)
    eigenvalues = np.linalg.eigvalsh(np.atleast_2d(np.cov(matrix.T, bias=True)))
    if np.ptp(matrix, axis=0).max() == 0:
        assert found == 0
        return
    assert found == pytest.approx(eigenvalues.sum() ** 2 / np.sum(eigenvalues**2), rel=1e-6)
    assert 1 - 1e-9 <= found <= matrix.shape[1] + 1e-9
    assert participation_ratio(3 * matrix + 7) == pytest.approx(found, rel=1e-6)


@examples(40)
@given(matrices())
def test_mean_squared_correlation_is_that_of_numpy(matrix: np.ndarray) -> None:
    varies = np.ptp(matrix, axis=0) > 0
    found = mean_squared_correlation(matrix)
    assert (found.n_units, found.n_left_out) == (varies.sum(), (~varies).sum())
    if varies.sum() < 2:
        assert found.mean is None
        return
    r = np.corrcoef(matrix[:, varies].T)
    assert found.mean == pytest.approx(np.mean(r[~np.eye(len(r), dtype=bool)] ** 2), abs=1e-9)


def test_independent_units_correlate_by_chance_alone() -> None:
    m = 500
    states = np.random.default_rng(0).standard_normal((m, 60))
    assert mean_squared_correlation(states).mean == pytest.approx(1 / (m - 1), rel=0.1)  # of 1770 pairs, SD 3 %
    assert participation_ratio(states) == pytest.approx(1 / (1 / 60 + 1 / m), rel=0.05)  # Marchenko and Pastur


def test_more_units_than_samples() -> None:
    states = np.random.default_rng(1).standard_normal((5, 400))
    r = np.corrcoef(states.T)
    assert mean_squared_correlation(states).mean == pytest.approx(np.mean(r[~np.eye(400, dtype=bool)] ** 2), rel=1e-9)
    assert numerical_rank(states) == 5


def test_nothing_at_all_has_no_dimension() -> None:
    nothing = np.zeros((4, 3))
    assert effective_rank(nothing) == numerical_rank(nothing) == entropy_rank(nothing) == 0
    assert participation_ratio(nothing) == 0
    assert mean_squared_correlation(nothing).mean is None


@pytest.mark.parametrize("function", ALL)
def test_bad_states_are_refused(function: object) -> None:
    states = np.ones((3, 4))
    states[1, 2] = np.nan
    with pytest.raises(InputError, match=r"must be finite, got nan at sample 1, unit 2 \(1 of 12 values looked at\)"):
        function(states)  # type: ignore[operator]
    with pytest.raises(InputError, match=r"must have shape \(samples, units\)"):
        function(np.ones(3))  # type: ignore[operator]
    with pytest.raises(InputError, match="at least one of each"):
        function(np.ones((0, 4)))  # type: ignore[operator]
    with pytest.raises(InputError, match="must be real numbers"):
        function(np.ones((2, 2), dtype=complex))  # type: ignore[operator]


@pytest.mark.parametrize("share", [0.0, -0.1, 1.01, np.nan])
def test_a_share_is_a_share(share: float) -> None:
    with pytest.raises(InputError, match=r"must lie in \(0, 1\]"):
        effective_rank(np.eye(3), share)


def test_singular_values_fall() -> None:
    values = singular_values(np.random.default_rng(2).standard_normal((6, 9)))
    assert values.shape == (6,)
    assert (np.diff(values) <= 0).all()
