"""Search points as vectors: squared Euclidean distances are squared 2-Wasserstein distances of laws (method.md 11.3).

A law is its quantile function on nodes of u = Phi(z), each times the root of its weight, and that in coordinates of the
few dimensions which the laws of its family fill; a number is a point mass, one entry. All of it is differentiable, for
acquisition functions are climbed by their gradients.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.polynomial import chebyshev
from numpy.typing import NDArray
from scipy import special, stats

from hrsnn._checks import require
from hrsnn.optimisation.space import N_KNOTS, Coordinate, Law, Scalar, Space

_Z = np.linspace(-8.0, 8.0, 65)
_ROOT_WEIGHT = np.sqrt((_Z[1] - _Z[0]) * np.exp(-0.5 * _Z**2) / math.sqrt(2 * math.pi))
_DEGREE = 24  # of the polynomials in ln cv that quantiles are
_LEFT_OUT = 1e-8  # share of the length of vectors that may lie in dimensions which are left out

Tensor = torch.Tensor


class Embedding:
    """Maps points of the unit cube (..., n_coordinates) to vectors (..., n_entries), one group of entries per part.

    Entries are in units of the prior's standard deviation of the part's mean, its spread over the box. With `log`,
    laws are those of the logarithms of the parameters, which are all positive; numbers searched in ratios are
    logarithms in either case.

    Raises `InputError` for a coefficient of variation of a gamma law beyond 2, where its quantiles are not resolved.
    """

    def __init__(self, space: Space, *, log: bool = True) -> None:
        self._space, self._log = space, log
        self._groups: list[slice] = []
        first = 0
        for part in space:
            if isinstance(part, Law) and part.family == "gamma":
                rule = "must be at most 2 for gamma laws: take lognormal ones"
                require(part.cv[1] <= 2, "Embedding", f"{part.name}.cv", rule, part.cv[1])
            n = self._entries(part, [torch.ones(1, dtype=torch.float64)] * len(part.coordinates)).shape[-1]
            self._groups.append(slice(first, first + n))
            first += n

    @property
    def groups(self) -> Sequence[slice]:
        """Entries of each part of the space, in its order."""
        return self._groups

    def __call__(self, x: Tensor) -> Tensor:
        columns, first = [], 0
        for part in self._space:
            n = len(part.coordinates)
            natural = [_natural(x[..., first + k], c) for k, c in enumerate(part.coordinates)]
            columns.append(self._entries(part, natural))
            first += n
        return torch.cat(columns, dim=-1)

    def _entries(self, part: Law | Scalar, natural: list[Tensor]) -> Tensor:
        mean, *shape = natural
        if isinstance(part, Scalar):
            value = mean.log() if part.log else mean
            return value[..., None] / _prior_sd(part.low, part.high, part.log, part.log)
        if part.family == "free":
            entries = _free(mean, torch.stack(shape, dim=-1), log=self._log)
        else:
            family = _family(part.family, part.cv, self._log)
            entries = family.shapes(shape[0])
            if self._log:
                entries = entries + mean.log()[..., None] * torch.as_tensor(family.ones)
            else:
                entries = entries * mean[..., None]
        return entries / _prior_sd(*part.mean, True, self._log)


def _natural(x: Tensor, of: Coordinate) -> Tensor:
    """A coordinate in its own units, of one in the unit interval."""
    if not of.log:
        return of.low + (of.high - of.low) * x
    return torch.exp(math.log(of.low) + math.log(of.high / of.low) * x)


def _prior_sd(low: float, high: float, uniform_in_log: bool, of_log: bool) -> float:
    """Standard deviation of a number that is uniform between the bounds, or its logarithm is; of it or of that."""
    if uniform_in_log == of_log:
        return (math.log(high / low) if of_log else high - low) / math.sqrt(12)
    ratio = math.log(high / low)
    mean, square = (high - low) / ratio, (high**2 - low**2) / (2 * ratio)
    return math.sqrt(square - mean**2)


# -- families with one shape -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Family:
    """Weighted quantiles of laws of mean 1, or their logarithms, in the dimensions that they fill.

    coefficients   (degree + 1, n_dimensions), of Chebyshev's polynomials in ln cv over its bounds
    ones           (n_dimensions,), what a factor of all quantiles adds to their logarithms
    """

    cv: tuple[float, float]
    coefficients: NDArray[np.float64]
    ones: NDArray[np.float64]

    def shapes(self, cv: Tensor) -> Tensor:
        low, high = (math.log(bound) for bound in self.cv)
        t = ((2 * cv.log() - low - high) / (high - low)).clamp(-1 + 1e-9, 1 - 1e-9)
        basis = torch.cos(torch.arange(_DEGREE + 1, dtype=torch.float64) * torch.arccos(t)[..., None])
        return basis @ torch.as_tensor(self.coefficients)


@lru_cache(maxsize=64)
def _family(name: str, cv: tuple[float, float], log: bool) -> _Family:
    low, high = (math.log(bound) for bound in cv)
    at = chebyshev.chebpts1(_DEGREE + 1)
    quantiles = np.array([_LOG_QUANTILES[name](math.exp(0.5 * (low + high) + 0.5 * (high - low) * t)) for t in at])
    weighted = (quantiles if log else np.exp(quantiles)) * _ROOT_WEIGHT
    filled = np.vstack([weighted, _ROOT_WEIGHT]) if log else weighted
    _, sizes, directions = np.linalg.svd(filled, full_matrices=False)
    kept = directions[sizes > _LEFT_OUT * sizes[0]].T
    return _Family(cv, chebyshev.chebfit(at, weighted @ kept, _DEGREE), _ROOT_WEIGHT @ kept)


def _log_gamma(cv: float) -> NDArray[np.float64]:
    """ln of the quantiles of the gamma law of mean 1 at the nodes, float64 (n_nodes,); both tails to full precision."""
    law = stats.gamma(1 / cv**2, scale=cv**2)
    with np.errstate(divide="ignore"):
        found = np.log(np.where(_Z <= 0, law.ppf(special.ndtr(_Z)), law.isf(special.ndtr(-_Z))))
    # Near 0 the quantile of shape k at level u is (u k Gamma(k))^(1/k) / k, also where that is no number any more.
    k = 1 / cv**2
    tail = (special.log_ndtr(_Z) + math.log(k) + special.gammaln(k)) / k - math.log(k)
    return np.where(tail < -30, tail, found)


def _log_lognormal(cv: float) -> NDArray[np.float64]:
    variance = math.log1p(cv**2)
    return np.asarray(math.sqrt(variance) * _Z - 0.5 * variance)


_LOG_QUANTILES = {"gamma": _log_gamma, "lognormal": _log_lognormal}


# -- free curves -------------------------------------------------------------------------------------------------------


def _free(mean: Tensor, rises: Tensor, *, log: bool) -> Tensor:
    """Straight lines between knots at equal levels: exactly in as many dimensions; of logarithms on all nodes."""
    knots = torch.cat([torch.ones_like(mean)[..., None], 1 + rises.cumsum(dim=-1)], dim=-1)
    knots = knots * (mean / (0.5 * (knots[..., 1:] + knots[..., :-1])).mean(dim=-1))[..., None]
    if not log:
        return knots @ torch.as_tensor(_ROOT_OF_HATS)
    level = special.ndtr(_Z) * (N_KNOTS - 1)
    left = np.minimum(level.astype(int), N_KNOTS - 2)
    share = torch.as_tensor(level - left)
    return ((1 - share) * knots[..., left] + share * knots[..., left + 1]).log() * torch.as_tensor(_ROOT_WEIGHT)


def _hats() -> NDArray[np.float64]:
    """Integrals of the products of the functions that are 1 at one knot, 0 at all others and straight between."""
    gram = np.diag(np.full(N_KNOTS, 4.0)) + np.eye(N_KNOTS, k=1) + np.eye(N_KNOTS, k=-1)
    gram[0, 0] = gram[-1, -1] = 2.0
    return gram / (6 * (N_KNOTS - 1))


_ROOT_OF_HATS = np.linalg.cholesky(_hats())
