"""An exact Gaussian process on vectors in groups, fitted on distances that are computed once (method.md 11.4).

The same model as BoTorch's `SingleTaskGP` with a scaled `WassersteinMatern`, which the tests hold it against, and as a
model of BoTorch what acquisition functions work on. Evidence and its gradient are closed forms of the distances within
each group: a fit costs some tens of factorisations and nothing else.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import torch
from botorch.models.model import Model
from numpy.typing import NDArray
from scipy import optimize

from hrsnn.optimisation.kernel import SMALLEST, Tensor, matern, matern_slope

LEAST_NOISE = 1e-6  # variance, of standardised values
_MOST_STEPS = 50
_NOISE = 6.0, 3.0  # of its lognormal prior: its logarithm is likeliest at -3, and -12 is three deviations away


class Parameters(NamedTuple):
    """Of a process on standardised values: a length for each group, variances of the process and of the noise.

    The noise is not looked at where variances of the values are known.
    """

    lengths: NDArray[np.float64]
    variance: float
    noise: float


class Prediction(NamedTuple):
    """Mean and variance, both (..., 1, n_values), in the units of the values."""

    mean: Tensor
    variance: Tensor


@dataclass(frozen=True)
class Observed:
    """What a process is fitted to.

    points   (n, n_entries)
    groups   entries that share a length
    values   (n,)
    noise    (n,), known variances of the values; None where noise is to be found
    nu       smoothness
    """

    points: Tensor
    groups: Sequence[slice]
    values: Tensor
    noise: Tensor | None
    nu: float

    @cached_property
    def centre(self) -> float:
        return float(self.values.mean())

    @cached_property
    def spread(self) -> float:
        return max(float(self.values.std(correction=0)), 1e-12)

    @cached_property
    def standardised(self) -> Tensor:
        return (self.values - self.centre) / self.spread

    def noise_of(self, parameters: Parameters) -> Tensor:
        """Variance of each standardised value."""
        if self.noise is None:
            return torch.full_like(self.values, parameters.noise)
        return (self.noise / self.spread**2).clamp_min(LEAST_NOISE)


def fitted(seen: Observed) -> Parameters:
    """The parameters of largest posterior density, by their evidence, its gradient and L-BFGS-B.

    Priors: of lengths the lognormal law that grows with the root of the number of groups, as distances do (Hvarfner et
    al. 2024, arXiv 2402.02229), of the noise a wide one, since values may be exact or mostly noise, and Gamma(2, 1) of
    the variance.
    """
    n_groups, finds_noise = len(seen.groups), seen.noise is None
    of_groups = torch.stack([_squares(seen.points[:, g], seen.points[:, g]) for g in seen.groups])
    flat, y = of_groups.reshape(n_groups, -1), seen.standardised
    eye = torch.eye(len(y), dtype=torch.float64)
    # Logarithms of lengths, the variance and the noise: a guess, bounds, and of lognormal priors middle and width.
    guess = np.array([math.log(2 * math.sqrt(n_groups))] * n_groups + [0.0] + [-1.5] * finds_noise)
    bounds = [(-4.0, 7.0)] * n_groups + [(-7.0, 7.0)] + [(math.log(LEAST_NOISE), 0.0)] * finds_noise
    middle = np.array([math.log(n_groups) / 2 + math.sqrt(2)] * n_groups + [0.0] + [_NOISE[0]] * finds_noise)
    width = np.array([math.sqrt(3)] * n_groups + [math.inf] + [_NOISE[1]] * finds_noise)

    def loss(x: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        found = _of_logarithms(x, n_groups)
        inverse_square = torch.as_tensor(found.lengths**-2.0)
        distance = (inverse_square @ flat).reshape(len(y), len(y)).clamp_min(SMALLEST).sqrt()
        covariance = found.variance * matern(distance, seen.nu)
        factor, failed = torch.linalg.cholesky_ex(covariance + seen.noise_of(found) * eye)
        if failed:
            return 1e10, np.zeros_like(x)
        precision = torch.cholesky_inverse(factor)
        rest = y - _mean(precision, y)
        weights = precision @ rest
        pull = torch.outer(weights, weights) - precision  # twice the derivative by the covariance
        evidence = -0.5 * float(weights @ rest) - float(factor.diagonal().log().sum())
        of_squares = found.variance * (pull * matern_slope(distance, seen.nu)).reshape(-1)
        gradient = np.empty_like(x)
        gradient[:n_groups] = -(flat @ of_squares * inverse_square).numpy()
        gradient[n_groups] = 0.5 * float((pull * covariance).sum())
        if finds_noise:
            gradient[n_groups + 1] = 0.5 * found.noise * float(pull.diagonal().sum())
        # Densities are those of the parameters, not of their logarithms; Gamma(2, 1) is v exp(-v).
        deviation = (x - middle) / width
        evidence += float(2 * x[n_groups] - found.variance - (0.5 * deviation**2 + x).sum())
        gradient -= deviation / width + 1
        gradient[n_groups] += 2 - found.variance
        return -evidence, -gradient

    best = optimize.minimize(
        loss, guess, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": _MOST_STEPS, "ftol": 1e-6}
    )
    return _of_logarithms(best.x, n_groups)


class Process(Model):
    """Predictions from what was seen, with given parameters: a single-output model of BoTorch.

    Its mean is the best constant where nothing was seen; predictions are of the function, without noise.
    """

    num_outputs = 1
    batch_shape = torch.Size()

    def __init__(self, seen: Observed, parameters: Parameters) -> None:
        super().__init__()
        self.seen, self.parameters = seen, parameters
        lengths = [
            torch.full((g.stop - g.start,), float(v)) for g, v in zip(seen.groups, parameters.lengths, strict=True)
        ]
        self._length = torch.cat(lengths).double()
        self._scaled = seen.points / self._length
        covariance = self._covariance(self._scaled) + torch.diag(seen.noise_of(parameters))
        factor = torch.linalg.cholesky(covariance)
        self._mean = _mean(torch.cholesky_inverse(factor), seen.standardised)
        rest = (seen.standardised - self._mean)[:, None]
        self._weights = torch.cholesky_solve(rest, factor)[:, 0]
        eye = torch.eye(len(covariance), dtype=torch.float64)
        self._whitening = torch.linalg.solve_triangular(factor, eye, upper=False).T

    def posterior(self, X: Tensor, *args: Any, **kwargs: Any) -> Any:
        """`Prediction` at points (..., 1, n_entries), or (n, n_entries)."""
        shared = self._covariance(X / self._length)
        mean = self._mean + shared @ self._weights
        variance = self.parameters.variance - (shared @ self._whitening).square().sum(dim=-1)
        spread = self.seen.spread
        return Prediction(
            (self.seen.centre + spread * mean)[..., None], (spread**2 * variance.clamp_min(1e-12))[..., None]
        )

    def as_expected(self, points: Tensor) -> Process:
        """The process as if these points had given what is expected of them."""
        old = self.seen
        noise = None if old.noise is None else torch.cat([old.noise, old.noise.mean().expand(len(points))])
        values = torch.cat([old.values, self.posterior(points).mean[:, 0]])
        seen = Observed(torch.cat([old.points, points]), old.groups, values, noise, old.nu)
        return Process(seen, self.parameters)

    def _covariance(self, scaled: Tensor) -> Tensor:
        distance = _squares(scaled, self._scaled).clamp_min(SMALLEST).sqrt()
        return self.parameters.variance * matern(distance, self.seen.nu)


class Independent(Model):
    """Processes of several values at the same points."""

    batch_shape = torch.Size()

    def __init__(self, processes: Sequence[Process]) -> None:
        super().__init__()
        self.processes = processes

    @property
    def num_outputs(self) -> int:
        return len(self.processes)

    def posterior(self, X: Tensor, *args: Any, **kwargs: Any) -> Any:
        each = [process.posterior(X) for process in self.processes]
        return Prediction(*(torch.cat(parts, dim=-1) for parts in zip(*each, strict=True)))

    def as_expected(self, points: Tensor) -> Independent:
        return Independent([process.as_expected(points) for process in self.processes])


def _squares(first: Tensor, second: Tensor) -> Tensor:
    """Squared Euclidean distances of rows, (..., n, m)."""
    centre = second.mean(dim=0)
    first, second = first - centre, second - centre
    found = first.square().sum(dim=-1)[..., :, None] + second.square().sum(dim=-1)
    return (found - 2 * first @ second.T).clamp_min(0.0)


def _mean(precision: Tensor, values: Tensor) -> Tensor:
    """The constant that makes the values most likely."""
    return (precision @ values).sum() / precision.sum()


def _of_logarithms(x: NDArray[np.float64], n_groups: int) -> Parameters:
    noise = float(np.exp(x[n_groups + 1])) if len(x) > n_groups + 1 else math.nan
    return Parameters(np.exp(x[:n_groups]), float(np.exp(x[n_groups])), noise)
