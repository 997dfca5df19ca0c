"""Ridge regression from sums of products: data are seen once, in pieces, and never held together.

Symbols: n samples, N features x, D targets y. What is kept is N * N numbers, however long the data are. All targets
and all penalties share one factorisation; every target has the penalty that suits it best. float64 throughout; callers
hold BLAS to one thread, so that the bits do not depend on the number of cores.

Features are centred but keep their relative sizes. A neuron that hardly ever spikes would get a huge weight if every
feature were given unit variance: one spike more in the test part, and the prediction is nowhere.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Penalties per sample, in units of the mean variance of a feature, largest first: of equals the first is chosen.
PENALTIES = np.logspace(1, -12, 14)

Array = NDArray[np.float64]


class Moments:
    """Sums over samples of x, y and their products, about the first sample seen.

    About the first sample, because a feature that never changes then has sums of exactly zero, and because a mean that
    is large against the spread costs no digits.
    """

    def __init__(self, origin: Array, n_targets: int) -> None:
        n = origin.size
        self.origin = origin
        self.n = 0
        self.x, self.y = np.zeros(n), np.zeros(n_targets)
        self.xx, self.xy, self.yy = np.zeros((n, n)), np.zeros((n, n_targets)), np.zeros(n_targets)

    def add(self, x: Array, y: Array) -> None:
        """Take in samples x (n, N) with targets y (n, D)."""
        x = x - self.origin
        self.n += len(x)
        self.x += x.sum(axis=0)
        self.y += y.sum(axis=0)
        self.xx += x.T @ x
        self.xy += x.T @ y
        self.yy += np.square(y).sum(axis=0)

    def __iadd__(self, other: Moments) -> Moments:
        """Take in the samples of `other`, which has the same origin."""
        self.n += other.n
        for name in ("x", "y", "xx", "xy", "yy"):
            total: Array = getattr(self, name)
            total += getattr(other, name)
        return self

    def within(self, frame: Frame) -> tuple[Array, Array, Array]:
        """Means of products of the features and targets as seen in `frame`: (N, N), (N, D), and squares (D,)."""
        mean_x, mean_y = self.x / self.n - frame.mean_x, self.y / self.n - frame.mean_y
        xx = self.xx / self.n
        # E[(x - m)(x - m)'] from sums about the origin, m being the frame's mean, which need not be the samples' own
        xx -= np.outer(self.x / self.n, frame.mean_x)
        xx -= np.outer(frame.mean_x, mean_x)
        xx /= frame.scale**2
        xy = self.xy / self.n - np.outer(self.x / self.n, frame.mean_y) - np.outer(frame.mean_x, mean_y)
        yy = self.yy / self.n - np.square(self.y / self.n) + np.square(mean_y)
        return xx, xy / frame.scale, yy


@dataclass(frozen=True, slots=True)
class Frame:
    """What is taken off features and targets, about the origin of the moments, and what all features are divided by."""

    mean_x: Array
    mean_y: Array
    scale: float

    @classmethod
    def of(cls, moments: Moments) -> Frame:
        mean = moments.x / moments.n
        variance = float(np.mean(np.diagonal(moments.xx) / moments.n - np.square(mean)))
        return cls(mean, moments.y / moments.n, math.sqrt(variance) if variance > 0 else 1.0)


@dataclass(frozen=True, slots=True)
class Ridge:
    """A fitted readout: y = offset + weights' x.

    weights     (N, D), for features as they are
    offset      (D,)
    penalties   (D,), the penalty of each target
    rank        directions along which the features vary, by more than rounding
    """

    weights: Array
    offset: Array
    penalties: Array
    rank: int

    def __call__(self, x: Array) -> Array:
        """Predictions (n, D) for features (n, N)."""
        return np.asarray(x @ self.weights + self.offset)


def fit(training: Moments, validation: Moments) -> Ridge:
    """The ridge readout of all targets: penalties chosen on `validation`, then fitted to both parts together.

    `training` takes in `validation`. Directions along which features vary by less than rounding get no weight, so that
    equal features and features that never change are no trouble.
    """
    frame = Frame.of(training)
    penalties = _best_penalties(_Solver(training, frame), *validation.within(frame))
    training += validation
    frame = Frame.of(training)
    solver = _Solver(training, frame)
    weights = solver.weights(penalties) / frame.scale
    offset = frame.mean_y - (training.origin + frame.mean_x) @ weights
    return Ridge(weights, offset, penalties, int(solver.eigenvalues.size))


class _Solver:
    """Weights for any penalty from the eigenvectors of the covariance of the features."""

    def __init__(self, moments: Moments, frame: Frame) -> None:
        covariance, cross, _ = moments.within(frame)
        eigenvalues, vectors = np.linalg.eigh(covariance)
        rounding = max(moments.n, eigenvalues.size) * np.finfo(np.float64).eps * eigenvalues[-1]
        first = int(np.searchsorted(eigenvalues, max(rounding, 0.0), side="right"))
        self.eigenvalues, self._vectors = eigenvalues[first:], vectors[:, first:]
        self._cross = self._vectors.T @ cross

    def weights(self, penalties: Any) -> Array:
        """Weights (N, D) of features in the frame for one penalty, or for one per target (D,)."""
        return np.asarray(self._vectors @ (self._cross / (self.eigenvalues[:, None] + penalties)))


def _best_penalties(solver: _Solver, xx: Array, xy: Array, yy: Array) -> Array:
    """The penalty with the least squared error for each target, from moments of validation samples."""
    errors = []
    for penalty in PENALTIES:
        weights = solver.weights(penalty)
        errors.append(yy - 2 * np.sum(weights * xy, axis=0) + np.sum(weights * (xx @ weights), axis=0))
    return np.asarray(PENALTIES[np.argmin(errors, axis=0)])
