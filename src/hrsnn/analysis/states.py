"""Statistics of states: how many dimensions a matrix of states has, and how alike its units are (method.md 8, 9.6).

Symbols: m samples in rows, N units in columns, lambda_1 >= lambda_2 >= ... >= 0 the singular values of the matrix.
States are real numbers of any dtype; all arithmetic is float64, on one thread, so that the bits do not depend on the
number of cores.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from threadpoolctl import threadpool_limits

from hrsnn._checks import require


@dataclass(frozen=True, slots=True)
class SquaredCorrelation:
    """The mean over all pairs of different units of their squared correlation.

    mean          None where fewer than two units vary
    n_units       units that vary
    n_left_out    units that never change, which have no correlation with any other
    """

    mean: float | None
    n_units: int
    n_left_out: int


def state_matrix(owner: str, states: ArrayLike, *, first_row: int = 0) -> NDArray[np.float64]:
    """`states` as float64 (m, N), not copied where it is that already; `InputError` for NaN, infinity, other shapes.

    `owner` is the function that the message names, `first_row` the number of the first sample in what it was given.
    """
    given = np.asarray(states)
    ok = given.ndim == 2 and given.size > 0
    require(ok, owner, "states", "must have shape (samples, units), at least one of each", f"shape {given.shape}")
    require(given.dtype.kind in "biuf", owner, "states", "must be real numbers", f"dtype {given.dtype}")
    matrix = given.astype(np.float64, copy=False)
    bad = ~np.isfinite(matrix)
    if bad.any():
        sample, unit = np.argwhere(bad)[0].tolist()
        place = f"at sample {first_row + sample}, unit {unit} ({int(bad.sum())} of {bad.size} values looked at)"
        remedy = "look for NaN among weights and parameters of the network"
        require(False, owner, "states", "must be finite", float(matrix[sample, unit]), place=place, remedy=remedy)
    return matrix


# -- ranks -------------------------------------------------------------------------------------------------------------


def singular_values(states: ArrayLike) -> NDArray[np.float64]:
    """Singular values of states (m, N), falling, shape (min(m, N),). Nothing is subtracted: method.md 8 takes M itself.

    Raises `InputError` for NaN or infinite states.
    """
    matrix = state_matrix("singular_values", states)
    with threadpool_limits(1):
        return np.asarray(np.linalg.svd(matrix, compute_uv=False))


def effective_rank(states: ArrayLike, share: float = 0.99) -> int:
    """The least r for which the r largest singular values add up to `share` of the sum of all of them.

    The sum of the singular values, not of their squares (method.md 8). A matrix of zeros has rank 0.
    Raises `InputError` for a share outside (0, 1] and for NaN states.

    >>> effective_rank(np.diag([8.0, 1.0, 1.0])), effective_rank(np.diag([8.0, 1.0, 1.0]), share=0.8)
    (3, 1)
    """
    return rank_of_share(singular_values(states), share)


def numerical_rank(states: ArrayLike) -> int:
    """The number of singular values above max(m, N) * epsilon * lambda_1 (method.md 8).

    Epsilon is that of the dtype of `states`: what single precision rounds off is no dimension. Raises `InputError` for
    NaN states.

    >>> numerical_rank([[1.0, 2.0], [2.0, 4.0]])
    1
    """
    given = np.asarray(states)
    return rank_above_rounding(singular_values(given), given.shape, given.dtype)


def entropy_rank(states: ArrayLike) -> float:
    """exp(-sum p ln p) of the shares p_k = lambda_k / sum of lambda; 0 for a matrix of zeros (method.md 8).

    Equal singular values count in full, small ones in part. Raises `InputError` for NaN states.

    >>> round(entropy_rank(np.eye(3)), 9)
    3.0
    """
    return rank_of_entropy(singular_values(states))


def rank_of_share(values: NDArray[np.float64], share: float) -> int:
    """`effective_rank` of a matrix with these singular values, falling."""
    require(0 < share <= 1, "effective_rank", "share", "must lie in (0, 1]", share)
    total = np.cumsum(values)
    if not total[-1] > 0:
        return 0
    # A sum that misses the share by rounding alone has reached it: all of n equal values make up the share 1.
    return int(np.argmax(total >= share * total[-1] * (1 - 1e-12))) + 1


def rank_above_rounding(values: NDArray[np.float64], shape: tuple[int, ...], dtype: np.dtype[Any]) -> int:
    """`numerical_rank` of a matrix of this shape and dtype with these singular values, falling."""
    epsilon = float(np.finfo(dtype if dtype.kind == "f" else np.float64).eps)
    return int(np.count_nonzero(values > max(shape) * epsilon * values[0]))


def rank_of_entropy(values: NDArray[np.float64]) -> float:
    """`entropy_rank` of a matrix with these singular values."""
    total = values.sum()
    if not total > 0:
        return 0.0
    p = values[values > 0] / total
    return float(np.exp(-np.sum(p * np.log(p))))


# -- covariances -------------------------------------------------------------------------------------------------------


def participation_ratio(states: ArrayLike) -> float:
    """1 / J = (sum of lambda)^2 / sum of lambda^2 over the eigenvalues of the covariance of the units (method.md 9.6).

    Between 1 (all variance along one direction) and N (the same variance along every direction): the *larger*, the
    more uniform the spectrum. 0 where nothing varies. Scales with nothing, but a lively unit weighs more than a quiet
    one; standardise the columns first for units of equal weight. Raises `InputError` for NaN states.

    >>> round(participation_ratio([[1, 0], [-1, 0], [0, 1], [0, -1]]), 9)
    2.0
    """
    centred = _centred(state_matrix("participation_ratio", states))
    with threadpool_limits(1):
        m, n = centred.shape
        product = centred.T @ centred if n <= m else centred @ centred.T  # the same eigenvalues but for zeros
    return participation_of(product)


def mean_squared_correlation(states: ArrayLike) -> SquaredCorrelation:
    """The mean of corr(x_n, x_m)^2 over all pairs n != m of units that vary (method.md 9.6, 16.6).

    Correlations, not covariances, because the latter grow with the firing rate. Independent units have an expected
    value of 1 / (m - 1), not 0. Raises `InputError` for NaN states.

    >>> mean_squared_correlation([[0, 1, 5], [1, 0, 5], [0, 1, 5]])
    SquaredCorrelation(mean=1.0, n_units=2, n_left_out=1)
    """
    z = standardised(state_matrix("mean_squared_correlation", states))
    n, n_all = z.shape[1], np.shape(states)[1]
    if n < 2:
        return SquaredCorrelation(None, n, n_all - n)
    with threadpool_limits(1):
        product = z.T @ z if n <= len(z) else z @ z.T  # sums of squares of both are equal
    squares = float(np.sum(np.square(product / len(z))))
    return SquaredCorrelation(max(squares - n, 0.0) / (n * (n - 1)), n, n_all - n)


def participation_of(covariance: NDArray[np.float64]) -> float:
    """`participation_ratio` of states with this covariance (N, N), from trace and sum of squares."""
    squares = float(np.sum(np.square(covariance)))
    return float(np.trace(covariance)) ** 2 / squares if squares > 0 else 0.0


def squared_correlation_of(covariance: NDArray[np.float64]) -> SquaredCorrelation:
    """`mean_squared_correlation` of states with this covariance (N, N).

    Units with less than 1e-9 of the mean variance are left out: what they have is rounding.
    """
    variance = np.diagonal(covariance)
    varies = variance > 1e-9 * variance.mean()
    n = int(np.count_nonzero(varies))
    if n < 2:
        return SquaredCorrelation(None, n, variance.size - n)
    weight = np.where(varies, 1 / np.where(varies, variance, 1.0), 0.0)
    with threadpool_limits(1):
        squares = float(weight @ np.square(covariance) @ weight)
    return SquaredCorrelation(max(squares - n, 0.0) / (n * (n - 1)), n, variance.size - n)


def standardised(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """The columns that vary, with mean 0 and mean square 1."""
    varies = matrix.max(axis=0) > matrix.min(axis=0)  # exact, where a variance would be rounding
    z = _centred(matrix[:, varies])
    z /= np.sqrt(np.mean(np.square(z), axis=0))
    return z


def _centred(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    from_first = matrix - matrix[0]  # columns that never change become exactly 0
    return np.asarray(from_first - from_first.mean(axis=0))
