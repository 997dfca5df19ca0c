"""Lyapunov exponents of any map: tangent vectors are carried along a trajectory and made orthonormal again and again.

J_n ... J_1 Q = Q' R after every few steps; ln R_kk added up and divided by the time that passed is the k-th exponent
(Benettin et al. 1980, Meccanica 15:9; Geist, Parlitz and Lauterborn 1990, Prog. Theor. Phys. 83:875).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from hrsnn._checks import RunError, require
from hrsnn.randomness import stream

Matrix = NDArray[np.float64]
TangentMap = Callable[[Matrix, int], Matrix]


@dataclass(frozen=True, slots=True, eq=False)
class QrExponents:
    """The leading k Lyapunov exponents of a map with d rows, per unit of time, and how they were found. float64.

    exponents       (k,), descending; -inf where tangent vectors were lost, because a Jacobian is singular
    standard_error  (k,), by batch means: the measured steps are cut into equal batches, and this is the standard
                    deviation of the batches over the square root of their number. It is honest where a batch is long
                    compared with what the growth remembers
    running         (n_batches, k), the estimate after each batch, in the order of `exponents`: has it converged?
    batch_ends      (n_batches,) int64, measured steps up to the end of each batch
    row_exponents   (d,), the share of each row: mean over time of sum_k Q[i, k]^2 ln R_kk. It adds up to the sum of the
                    exponents
    row_weights     (d,), mean over time of sum_k Q[i, k]^2: 1 when k = d, less where a row has little part in the
                    leading directions, whose share is then small for that reason alone
    conditions      condition number of R in the 1-norm, as LAPACK estimates it, for every measured factorisation
    intervals       int64, the steps before it
    dt              time per step
    n_steps, n_warm_up_steps   measured steps, and the steps before that only turned the vectors
    """

    exponents: Matrix
    standard_error: Matrix
    running: Matrix
    batch_ends: NDArray[np.int64]
    row_exponents: Matrix
    row_weights: Matrix
    conditions: Matrix
    intervals: NDArray[np.int64]
    dt: float
    n_steps: int
    n_warm_up_steps: int


def qr_exponents(
    tangent: TangentMap,
    n_rows: int,
    *,
    n_steps: int,
    k: int | None = None,
    dt: float = 1.0,
    n_warm_up_steps: int = 0,
    interval: int = 5,
    max_condition: float = 1e10,
    n_batches: int = 20,
    seed: int = 0,
) -> QrExponents:
    """The leading `k` Lyapunov exponents of the map that `tangent` linearises.

    tangent     `tangent(q, n)` moves the state of the map on by n steps and returns J_n ... J_1 q, with J the Jacobian
                (not its transpose) of each step. q is (n_rows, k), float64, in Fortran order, and may be overwritten
    n_rows      length of a tangent vector
    n_steps     measured steps, at least one per batch; `n_warm_up_steps` more come before
    k           how many exponents, at most `n_rows`; None is all
    dt          time per step; exponents are per unit of it
    interval    steps between two factorisations, at most. Halved when the condition number of R exceeds
                `max_condition`, and doubled again where that would not exceed it
    seed        of the first Q, a random one

    Raises `InputError` where numbers do not fit, `RunError` if vectors overflow between two factorisations.

    >>> import numpy as np
    >>> cat = np.array([[2.0, 1.0], [1.0, 1.0]])
    >>> def tangent(q, n):
    ...     return np.linalg.matrix_power(cat, n) @ q
    >>> qr_exponents(tangent, 2, n_steps=1000, n_warm_up_steps=50).exponents.round(6).tolist()
    [0.962424, -0.962424]
    """
    owner = "qr_exponents"
    require(n_rows >= 1, owner, "n_rows", "must be >= 1", n_rows)
    k = n_rows if k is None else k
    require(1 <= k <= n_rows, owner, "k", f"must be in 1..{n_rows}, the rows of a tangent vector", k)
    require(np.isfinite(dt) and dt > 0, owner, "dt", "must be > 0", dt)
    require(n_warm_up_steps >= 0, owner, "n_warm_up_steps", "must be >= 0", n_warm_up_steps)
    require(interval >= 1, owner, "interval", "must be >= 1 step", interval)
    require(max_condition > 1, owner, "max_condition", "must be > 1", max_condition)
    require(n_batches >= 2, owner, "n_batches", "must be >= 2, or there is no error bar", n_batches)
    require(n_steps >= n_batches, owner, "n_steps", f"must be >= {n_batches}, the number of batches", n_steps)

    walk = _Walk(tangent, _first_q(n_rows, k, seed), interval, max_condition)
    walk.go(n_warm_up_steps)
    walk.start_log()
    batch_ends = ends_of_batches(n_steps, n_batches)
    growth = np.empty((n_batches, k))  # sum of ln R_kk up to the end of each batch
    for batch, length in enumerate(np.diff(batch_ends, prepend=0)):
        walk.go(int(length))
        growth[batch] = walk.growth
    with np.errstate(invalid="ignore"):  # the error of an exponent of -inf is NaN
        rates = np.diff(growth, axis=0, prepend=0.0) / (np.diff(batch_ends, prepend=0)[:, None] * dt)
        running = growth / (batch_ends[:, None] * dt)
        standard_error = rates.std(axis=0, ddof=1) / np.sqrt(n_batches)
    order = np.argsort(-running[-1], kind="stable")  # the columns are in this order already but for chance
    return QrExponents(
        exponents=running[-1, order],
        standard_error=standard_error[order],
        running=running[:, order],
        batch_ends=batch_ends,
        row_exponents=walk.row_growth / (n_steps * dt),
        row_weights=walk.row_weights / n_steps,
        conditions=np.array(walk.conditions),
        intervals=np.array(walk.intervals, dtype=np.int64),
        dt=dt,
        n_steps=n_steps,
        n_warm_up_steps=n_warm_up_steps,
    )


def ends_of_batches(n_steps: int, n_batches: int) -> NDArray[np.int64]:
    """Steps up to the end of each of `n_batches` parts that differ by one step at most."""
    return np.rint(np.linspace(0, n_steps, n_batches + 1)[1:]).astype(np.int64)


def _first_q(n_rows: int, k: int, seed: int) -> Matrix:
    return factorised(stream(seed, "lyapunov").standard_normal((k, n_rows)).T)[0]


def factorised(a: Matrix) -> tuple[Matrix, Matrix]:
    """Q (n, k) and R (k, k) of `a` = Q R, with diag R >= 0; `a` may be overwritten. Householder's, by LAPACK.

    Cholesky's QR, done twice, takes the same time at n = 3 k and 1.8 times that at n = k, and fails where `a` is badly
    conditioned.
    """
    found: Any = linalg.qr(a, mode="economic", overwrite_a=True, check_finite=False)
    q, r = found
    sign = np.where(np.diagonal(r) < 0, -1.0, 1.0)
    q *= sign
    r *= sign[:, None]
    return q, r


class _Walk:
    """Tangent vectors on their way, and what is added up and logged of them."""

    def __init__(self, tangent: TangentMap, q: Matrix, interval: int, max_condition: float) -> None:
        self._tangent, self._q = tangent, q
        self._interval, self._max_interval, self._max_condition = interval, interval, max_condition
        self.start_log()

    def start_log(self) -> None:
        """Begin to count from here."""
        self.growth = np.zeros(self._q.shape[1])
        self.row_growth = np.zeros(self._q.shape[0])
        self.row_weights = np.zeros(self._q.shape[0])
        self.conditions: list[float] = []
        self.intervals: list[int] = []

    def go(self, n_steps: int) -> None:
        """On by `n_steps`, with a factorisation at the end."""
        while n_steps > 0:
            n = min(self._interval, n_steps)
            n_steps -= n
            a = self._tangent(self._q, n)
            self._q, r = factorised(a)
            diagonal = np.diagonal(r)
            if not np.isfinite(diagonal).all():
                raise RunError(f"tangent vectors overflow within {n} steps: give a smaller `interval` or step of time")
            share = np.square(self._q)
            with np.errstate(divide="ignore", invalid="ignore"):  # ln 0 = -inf is the answer
                logs = np.log(diagonal)
                self.growth += logs
                self.row_growth += share @ logs
            self.row_weights += n * share.sum(axis=1)
            self._note(condition_number(r), n)

    def _note(self, condition: float, n: int) -> None:
        """Log it, and adapt the interval: the condition number of a product is at most the product of those."""
        self.conditions.append(condition)
        self.intervals.append(n)
        if condition > self._max_condition:
            self._interval = max(1, n // 2)
        elif n == self._interval and condition**2 <= self._max_condition:
            self._interval = min(self._max_interval, 2 * n)


def condition_number(r: Matrix) -> float:
    """Condition number of an upper triangular matrix in the 1-norm, estimated by LAPACK; inf if it is singular."""
    reciprocal: Any = linalg.lapack.dtrcon(r)[0]
    return float(1 / reciprocal) if reciprocal > 0 else np.inf
