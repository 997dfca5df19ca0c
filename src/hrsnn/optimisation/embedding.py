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
from typing import Any

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
        self._log = log
        self._scale = _Scale.of(space.coordinates)
        sorts: dict[Any, list[int]] = {}
        for k, part in enumerate(space):
            if isinstance(part, Law) and part.family == "gamma":
                rule = "must be at most 2 for gamma laws: take lognormal ones"
                require(part.cv[1] <= 2, "Embedding", f"{part.name}.cv", rule, part.cv[1])
            sorts.setdefault(_sort_of(part), []).append(k)
        first = np.cumsum([0, *(len(part.coordinates) for part in space)])
        self._alike = [_Alike.of(space.parts, parts, first) for parts in sorts.values()]
        middle = self._scale(torch.full((len(space.coordinates),), 0.5, dtype=torch.float64))
        sizes = {k: self._entries(one, middle).shape[-1] for one in self._alike for k in one.parts}
        ends = np.cumsum([0, *(sizes[k] for k in range(len(space.parts)))])
        self._groups = [slice(int(ends[k]), int(ends[k + 1])) for k in range(len(space.parts))]
        made = [entry for one in self._alike for k in one.parts for entry in range(ends[k], ends[k + 1])]
        self._order = torch.as_tensor(np.argsort(made))

    @property
    def groups(self) -> Sequence[slice]:
        """Entries of each part of the space, in its order."""
        return self._groups

    def __call__(self, x: Tensor) -> Tensor:
        natural = self._scale(x)
        return torch.cat([self._entries(one, natural).flatten(-2) for one in self._alike], dim=-1)[..., self._order]

    def _entries(self, alike: _Alike, natural: Tensor) -> Tensor:
        """Of all parts of a sort, (..., n_parts, n_entries of each)."""
        part = alike.example
        mean, *shape = (natural[..., columns] for columns in alike.columns)
        if isinstance(part, Scalar):
            return (mean.log() if part.log else mean)[..., None] / alike.prior_sd(part.log)
        if part.family == "free":
            return _free(mean, torch.stack(shape, dim=-1), log=self._log) / alike.prior_sd(self._log)
        family = _family(part.family, part.cv, self._log)
        entries = family.shapes(shape[0])
        if self._log:
            entries = entries + mean.log()[..., None] * torch.as_tensor(family.ones)
        else:
            entries = entries * mean[..., None]
        return entries / alike.prior_sd(self._log)


@dataclass(frozen=True)
class _Scale:
    """All coordinates in their own units, of those in the unit interval: (..., n_coordinates)."""

    is_log: Tensor
    low: Tensor
    width: Tensor
    log_low: Tensor
    log_ratio: Tensor

    @classmethod
    def of(cls, coordinates: Sequence[Coordinate]) -> _Scale:
        logs = [(math.log(c.low), math.log(c.high / c.low)) if c.log else (0.0, 0.0) for c in coordinates]
        numbers = [(c.low, c.high - c.low, *of) for c, of in zip(coordinates, logs, strict=True)]
        return cls(torch.tensor([c.log for c in coordinates]), *torch.tensor(numbers, dtype=torch.float64).T)

    def __call__(self, x: Tensor) -> Tensor:
        return torch.where(self.is_log, torch.exp(self.log_low + self.log_ratio * x), self.low + self.width * x)


@dataclass(frozen=True)
class _Alike:
    """Parts that are embedded together: laws of one family and the same bounds of spread, or numbers of one scale.

    parts     their places in the space
    columns   one (n_parts,) for each coordinate that such a part has: where theirs stand among all coordinates
    bounds    of the mean of each
    """

    example: Law | Scalar
    parts: list[int]
    columns: list[Tensor]
    bounds: list[tuple[float, float]]

    @classmethod
    def of(cls, space: Sequence[Law | Scalar], parts: list[int], first: NDArray[Any]) -> _Alike:
        example = space[parts[0]]
        columns = [torch.as_tensor(first[parts] + k) for k in range(len(example.coordinates))]
        return cls(example, parts, columns, [(c.low, c.high) for c in (space[k].coordinates[0] for k in parts)])

    def prior_sd(self, of_log: bool) -> Tensor:
        uniform_in_log = self.example.coordinates[0].log
        return torch.tensor([[_prior_sd(*pair, uniform_in_log, of_log)] for pair in self.bounds], dtype=torch.float64)


def _sort_of(part: Law | Scalar) -> Any:
    if isinstance(part, Scalar):
        return part.log
    return part.family, None if part.family == "free" else part.cv


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
