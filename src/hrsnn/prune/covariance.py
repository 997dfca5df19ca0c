"""The stationary covariance of x' = A x + noise, and whether there is one (MATH.md 12.2)."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import linalg, sparse
from scipy.sparse.linalg import ArpackError, eigs

from hrsnn._checks import RunError, require
from hrsnn.randomness import stream

Matrix = NDArray[np.float64]

_MOST_DOUBLINGS = 60  # the spectral radius of the Cayley transform is then squared 60 times: none below 1 is left
_SMALL = 64  # matrices for which all eigenvalues are as cheap as one


def spectral_abscissa(a: ArrayLike) -> float:
    """The largest real part of the eigenvalues of a matrix (N, N); below 0 the linear system is stable (Hurwitz).

    Found by Arnoldi's method; where that does not converge it is Gershgorin's bound, which is never below it. Raises
    `InputError` for what is not a square matrix of finite numbers.

    >>> round(spectral_abscissa([[-1.0, 2.0], [0.0, -3.0]]), 9)
    -1.0
    """
    matrix = _square("spectral_abscissa", a)
    n = len(matrix)
    if n <= _SMALL:
        return float(np.linalg.eigvals(matrix).real.max())
    start = stream(0, "spectral_abscissa").standard_normal(n)
    try:
        rightmost = eigs(sparse.csr_array(matrix), k=1, which="LR", v0=start, return_eigenvectors=False)
        return float(rightmost[0].real)
    except ArpackError:
        diagonal = np.diagonal(matrix)
        return float((diagonal + np.abs(matrix).sum(axis=1) - np.abs(diagonal)).max())


def stationary_covariance(a: ArrayLike, *, noise: float = 1.0) -> Matrix:
    """Sigma of A Sigma + Sigma A' + noise^2 I = 0, float64 (N, N): the covariance of x' = A x + noise * white noise.

    a       (N, N), Hurwitz: all eigenvalues left of zero
    noise   standard deviation of the noise on every unit

    Doubling (Smith 1968, SIAM J. Appl. Math. 16:198) after a Cayley transform with shift p > 0: with
    C = (A - pI)^-1 (A + pI) and S = 2 p noise^2 (A - pI)^-1 (A - pI)^-T the solution is the sum of C^k S C'^k, of which
    k steps give the first 2^k terms. The shift is the geometric mean of the extreme diagonal entries of A.

    Raises `InputError` for a matrix that is not square, not finite or not Hurwitz.

    >>> stationary_covariance([[-2.0, 0.0], [0.0, -0.5]]).round(12).tolist()
    [[0.25, 0.0], [0.0, 1.0]]
    """
    matrix = _square("stationary_covariance", a)
    require(np.isfinite(noise) and noise > 0, "stationary_covariance", "noise", "must be > 0", noise)
    abscissa = spectral_abscissa(matrix)
    remedy = "shift its diagonal, or weaken the weights"
    require(abscissa < 0, "stationary_covariance", "a", "must have eigenvalues left of 0", abscissa, remedy=remedy)
    size = np.abs(np.diagonal(matrix))
    size = size[size > 0]
    p = float(np.sqrt(size.min() * size.max())) if size.size else -abscissa
    identity = np.eye(len(matrix))
    factors = linalg.lu_factor(matrix - p * identity, check_finite=False)
    inverse = linalg.lu_solve(factors, identity, check_finite=False)
    c = identity + 2 * p * inverse  # (A - pI)^-1 (A + pI)
    sigma: Matrix = 2 * p * noise**2 * (inverse @ inverse.T)
    for _ in range(_MOST_DOUBLINGS):
        more = c @ sigma @ c.T
        sigma += more
        if np.abs(more).max() <= np.finfo(float).eps * np.abs(sigma).max():
            return (sigma + sigma.T) / 2
        c = c @ c
    raise RunError(f"the covariance did not settle: the matrix has an eigenvalue of {abscissa:.3g}, next to 0")


def _square(owner: str, a: ArrayLike) -> Matrix:
    matrix = np.asarray(a, dtype=np.float64)
    ok = matrix.ndim == 2 and matrix.shape[0] == matrix.shape[1] and matrix.size > 0
    require(ok, owner, "a", "must be a square matrix", f"shape {matrix.shape}")
    bad = ~np.isfinite(matrix)
    require(not bad.any(), owner, "a", "must be finite", f"{int(bad.sum())} values that are not")
    return matrix
