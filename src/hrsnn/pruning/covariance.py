"""The stationary covariance of x' = A x + noise, and whether there is one (method.md 12.2).

Of a few thousand neurons it is computed, of more it is estimated for the pairs that are asked for. The same bits come
out for any number of threads.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import linalg, sparse
from scipy.integrate import solve_ivp
from scipy.sparse.linalg import ArpackError, eigs
from threadpoolctl import threadpool_limits

from hrsnn._checks import RunError, check_all, check_column, require
from hrsnn.randomness import stream

Matrix = NDArray[np.float64]

_MOST_DOUBLINGS = 60  # the spectral radius of the Cayley transform is then squared 60 times: none below 1 is left
_LAST_CHANGE = 1e-7  # the change falls as its square from step to step: the next one would be lost in rounding
_SMALL = 64  # matrices for which all eigenvalues are as cheap as one
_ROWS_AT_A_TIME = 256
_REMEDY = "shift its diagonal, or weaken the weights"

# Of the sampled estimate. What is left after the last moment is a thousandth of the slowest mode.
_PROBES_PER_GROUP = 16
_LEFT_AT_THE_END = 1e-3
_FIRST_MOMENT, _MOMENT_RATIO = 0.25, 1.5  # of the fastest time constant; of successive ends of the pieces of time
_SOLVER_TOLERANCE = 1e-3
_PAIRS_AT_A_TIME = 1024


def spectral_abscissa(a: ArrayLike | sparse.csr_array) -> float:
    """The largest real part of the eigenvalues of a matrix (N, N); below 0 the linear system is stable (Hurwitz).

    Found by Arnoldi's method; where that does not converge it is Gershgorin's bound, which is never below it. Raises
    `InputError` for what is not a square matrix of finite numbers.

    >>> round(spectral_abscissa([[-1.0, 2.0], [0.0, -3.0]]), 9)
    -1.0
    """
    matrix = _checked("spectral_abscissa", a)
    n = matrix.shape[0]
    if n <= _SMALL:
        return float(np.linalg.eigvals(matrix.toarray()).real.max())
    start = stream(0, "spectral_abscissa").standard_normal(n)
    try:
        rightmost = eigs(matrix, k=1, which="LR", v0=start, return_eigenvectors=False)
        return float(rightmost[0].real)
    except ArpackError:
        diagonal = matrix.diagonal()
        return float((diagonal + abs(matrix).sum(axis=1) - np.abs(diagonal)).max())


def stationary_covariance(a: ArrayLike | sparse.csr_array, *, noise: ArrayLike = 1.0, n_threads: int = 1) -> Matrix:
    """Sigma of A Sigma + Sigma A' + diag(noise^2) = 0, float64 (N, N): the covariance of x' = A x + noise.

    a           (N, N), Hurwitz: all eigenvalues left of zero
    noise       standard deviation of the noise, one for all units or (N,), >= 0 and not 0 everywhere
    n_threads   the result does not depend on it

    Doubling (Smith 1968, SIAM J. Appl. Math. 16:198) after a Cayley transform with shift p > 0: with
    C = (A - pI)^-1 (A + pI) and S = 2 p (A - pI)^-1 diag(noise^2) (A - pI)^-T the solution is the sum of C^k S C'^k, of
    which k steps give the first 2^k terms. The shift is the geometric mean of the slowest rate and the largest diagonal
    entry of A. Some seven steps of three products: time grows with N^3, memory is that of seven matrices.

    Raises `InputError` for a matrix that is not square, not finite or not Hurwitz.

    >>> stationary_covariance([[-2.0, 0.0], [0.0, -0.5]]).round(12).tolist()
    [[0.25, 0.0], [0.0, 1.0]]
    """
    owner = "stationary_covariance"
    rows = _checked(owner, a)
    deviation = _noise(owner, noise, rows.shape[0])
    require(n_threads >= 1, owner, "n_threads", "must be >= 1", n_threads)
    with threadpool_limits(1):
        abscissa = spectral_abscissa(rows)
        require(abscissa < 0, owner, "a", "must have eigenvalues left of 0", abscissa, remedy=_REMEDY)
        p = float(np.sqrt(-abscissa * max(np.abs(rows.diagonal()).max(), -abscissa)))
        identity = np.eye(rows.shape[0])
        inverse = linalg.inv(rows.toarray() - p * identity, overwrite_a=True, check_finite=False)
        c = identity + 2 * p * inverse  # (A - pI)^-1 (A + pI)
        driven = inverse * deviation
        sigma: Matrix = 2 * p * product(driven, driven.T, n_threads=n_threads)
        for _ in range(_MOST_DOUBLINGS):
            more = product(product(c, sigma, n_threads=n_threads), c.T, n_threads=n_threads)
            sigma += more
            if np.abs(more).max() <= _LAST_CHANGE * np.abs(sigma).max():
                return (sigma + sigma.T) / 2
            c = product(c, c, n_threads=n_threads)
    raise RunError(f"the covariance did not settle: the matrix has an eigenvalue of {abscissa:.3g}, next to 0")


def product(a: Matrix, b: Matrix, *, n_threads: int = 1) -> Matrix:
    """a @ b, the rows of `a` in blocks over threads.

    Under `threadpool_limits(1)` the bits do not depend on `n_threads`. With threads of its own BLAS has other blocks,
    and other bits, for another number of them.
    """
    found = np.empty((a.shape[0], b.shape[1]))

    def fill(first: int) -> None:
        rows = slice(first, first + _ROWS_AT_A_TIME)
        np.matmul(a[rows], b, out=found[rows])

    with ThreadPoolExecutor(n_threads) as pool:
        list(pool.map(fill, range(0, a.shape[0], _ROWS_AT_A_TIME)))
    return found


# -- an estimate for some pairs ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class SampledVariances:
    """What `sampled_variances` found, float64 (M,).

    values           estimates, >= 0
    standard_error   of each, from groups of 16 probes
    """

    values: Matrix
    standard_error: Matrix

    @property
    def relative_error(self) -> float:
        """The root of the mean square of the standard errors over that of the values."""
        return float(np.sqrt(np.mean(self.standard_error**2) / np.mean(self.values**2)))


def sampled_variances(
    a: ArrayLike | sparse.csr_array,
    first: ArrayLike,
    second: ArrayLike,
    sign: ArrayLike,
    *,
    seed: int,
    noise: ArrayLike = 1.0,
    n_probes: int = 128,
    n_threads: int = 1,
) -> SampledVariances:
    """Var(x_i - s x_j) under x' = A x + noise * white noise for M pairs (i, j), without the whole covariance.

    a               (N, N), Hurwitz; a sparse matrix stays sparse
    first, second   (M,), i and j
    sign            (M,), s: +1 or -1
    noise           as in `stationary_covariance`
    n_probes        kicks, a multiple of 16, at least 32
    n_threads       the result does not depend on it

    Sigma is the integral over time of e^(At) e^(A't), and so is E y y' with y(t) = e^(At) z, where z is a kick of
    random signs: the variance of a difference is its summed square after a kick, in the mean over kicks. What the
    diagonal D of A makes of the same kicks is known in the mean and by number, and the difference is taken off: without
    synapses the estimate is exact. Time is integrated by Gauss-Legendre's rule on pieces that grow in proportion to
    time, y by Runge and Kutta's pair of third and second order.

    The error falls like 1 / sqrt(n_probes) and grows with the length of the rows of D^-1 (A - D). With 128 probes it is
    1 % for small-world networks of 1000 neurons with 100 synapses each, 2 % with 5; integration adds 0.1 %. Time
    grows with synapses times probes over the slowest rate of decay, memory with N times 16 probes times 40 moments per
    thread.

    Raises `InputError` for a matrix that is not square, not finite, not Hurwitz, and for pairs that do not fit.

    >>> found = sampled_variances([[-2.0, 0.0], [0.0, -0.5]], [0, 0], [1, 1], [1, -1], seed=0)
    >>> found.values.round(2).tolist(), found.relative_error < 1e-3
    ([1.25, 1.25], True)
    """
    owner = "sampled_variances"
    matrix = _checked(owner, a)
    n = matrix.shape[0]
    i, j = (
        check_column(owner, name, values, dtype=np.int64, at_least=0, at_most=n - 1)
        for name, values in (("first", first), ("second", second))
    )
    s = check_column(owner, "sign", sign, dtype=np.float64, length=i.size)
    require(i.size == j.size >= 1, owner, "second", "must be as long as `first`, at least 1", f"length {j.size}")
    check_all(owner, "sign", "must be +1 or -1", s, np.abs(s) == 1)
    rule = f"must be a multiple of {_PROBES_PER_GROUP}, at least {2 * _PROBES_PER_GROUP}"
    n_groups, rest = divmod(n_probes, _PROBES_PER_GROUP)
    require(rest == 0 and n_groups >= 2, owner, "n_probes", rule, n_probes)
    require(n_threads >= 1, owner, "n_threads", "must be >= 1", n_threads)
    deviation = _noise(owner, noise, n)[:, None]
    with threadpool_limits(1):
        abscissa = spectral_abscissa(matrix)
        require(abscissa < 0, owner, "a", "must have eigenvalues left of 0", abscissa, remedy=_REMEDY)
        leak = np.maximum(-matrix.diagonal(), -abscissa)  # above 0 whatever a neuron does to itself
        moments = _moments(leak.max(), abscissa)

        def group(k: int) -> Matrix:
            kicks = deviation * (2.0 * stream(seed, "prune.kicks", k).integers(0, 2, (n, _PROBES_PER_GROUP)) - 1)
            after = _responses(matrix, kicks, *moments)
            own = np.einsum("ir,ir->i", after, after).astype(np.float64)
            by_chance = _pair_products(kicks / np.sqrt(_PROBES_PER_GROUP), i, j) / (leak[i] + leak[j])
            known = np.where(i == j, deviation[i, 0] ** 2, 0.0) / (leak[i] + leak[j])
            shared = _pair_products(after, i, j) - by_chance + known
            variance: Matrix = own[i] + own[j] - 2 * s * shared
            return variance

        with ThreadPoolExecutor(n_threads) as pool:
            found = np.stack(list(pool.map(group, range(n_groups))))
    values = np.maximum(found.mean(axis=0), 0.0)
    return SampledVariances(values, found.std(axis=0, ddof=1) / np.sqrt(n_groups))


def _moments(fastest: float, abscissa: float) -> tuple[NDArray[Any], NDArray[Any]]:
    """Moments of time and their weights: two of Gauss and Legendre in each of pieces of growing length."""
    first, last = _FIRST_MOMENT / fastest, np.log(1 / _LEFT_AT_THE_END) / (-2 * abscissa)
    n_pieces = max(1, int(np.ceil(np.log(last / first) / np.log(_MOMENT_RATIO))))
    ends = np.concatenate([[0.0], np.geomspace(first, max(last, first), n_pieces + 1)])
    nodes, weights = np.polynomial.legendre.leggauss(2)
    half = np.diff(ends)[:, None] / 2
    return (ends[:-1, None] + half * (1 + nodes)).ravel(), (half * weights).ravel()


def _responses(matrix: Any, kicks: NDArray[Any], moments: NDArray[Any], weights: NDArray[Any]) -> NDArray[np.float32]:
    """sqrt(weight) e^(At) z at all moments after each kick z, over the root of their number, (N, kicks x moments).

    In single precision: of a value with an error of a hundredth no more is needed, and the pairs take half the time.
    """
    shape = kicks.shape
    solved = solve_ivp(
        lambda _, y: (matrix @ y.reshape(shape)).ravel(), (0.0, moments[-1]), kicks.ravel(), method="RK23",
        t_eval=moments, rtol=_SOLVER_TOLERANCE, atol=_SOLVER_TOLERANCE / 10 * np.abs(kicks).max(),
    )  # fmt: skip
    if not solved.success:
        raise RunError(f"the responses to kicks could not be followed: {solved.message}")
    responses = solved.y * np.sqrt(weights / shape[1])
    single: NDArray[np.float32] = responses.astype(np.float32).reshape(shape[0], -1)
    return single


def _pair_products(rows: NDArray[Any], i: NDArray[np.int64], j: NDArray[np.int64]) -> Matrix:
    """The scalar products of rows i and j, float64 (M,)."""
    found = np.empty(i.size)
    for start in range(0, i.size, _PAIRS_AT_A_TIME):
        some = slice(start, start + _PAIRS_AT_A_TIME)
        found[some] = np.einsum("er,er->e", rows[i[some]], rows[j[some]])
    return found


def _noise(owner: str, noise: ArrayLike, n: int) -> Matrix:
    """Standard deviations (N,)."""
    every = np.broadcast_to(noise, (n,)) if np.ndim(noise) == 0 else noise
    column = check_column(owner, "noise", every, dtype=np.float64, length=n, at_least=0)
    require(bool(column.any()), owner, "noise", "must be > 0 on some unit", 0.0)
    return column


def _checked(owner: str, a: ArrayLike | sparse.csr_array) -> Any:
    """A square matrix of finite numbers, in compressed rows."""
    matrix = a if sparse.issparse(a) else np.asarray(a, dtype=np.float64)
    ok = matrix.ndim == 2 and matrix.shape[0] == matrix.shape[1] >= 1
    require(ok, owner, "a", "must be a square matrix", f"shape {matrix.shape}")
    rows = sparse.csr_array(matrix).astype(np.float64)
    bad = ~np.isfinite(rows.data)
    require(not bad.any(), owner, "a", "must be finite", f"{int(bad.sum())} values that are not")
    return rows
