"""The Gaussian process of a search is BoTorch's: same evidence, same parameters, same predictions."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from botorch.acquisition import LogExpectedImprovement
from botorch.models import SingleTaskGP
from gpytorch.kernels import ScaleKernel
from gpytorch.mlls import ExactMarginalLogLikelihood
from gpytorch.priors import GammaPrior, LogNormalPrior

from hrsnn.optimisation.embedding import Embedding
from hrsnn.optimisation.kernel import WassersteinMatern, matern, matern_slope
from hrsnn.optimisation.process import Independent, Observed, Parameters, Process, fitted
from hrsnn.optimisation.space import Law, Scalar, Space

SPACE = Space((Law("tau", mean=(5.0, 100.0)), Law("v", mean=(1.0, 4.0), family="lognormal"), Scalar("x", 0.0, 1.0)))


def observed(n: int = 40, *, noise: float | None = None, nu: float = 2.5) -> Observed:
    embedding = Embedding(SPACE)
    x = embedding(torch.as_tensor(np.random.default_rng(0).random((n, 5))))
    values = 3 + 2 * x[:, 0] - x[:, embedding.groups[1].start].square()
    values = values + 0.2 * torch.as_tensor(np.random.default_rng(1).standard_normal(n))
    return Observed(x, embedding.groups, values, None if noise is None else torch.full_like(values, noise), nu)


def of_botorch(seen: Observed, parameters: Parameters) -> SingleTaskGP:
    """The same model; its constant mean is the most likely one."""
    covariance = ScaleKernel(WassersteinMatern(seen.groups, seen.nu), outputscale_prior=GammaPrior(2.0, 1.0)).double()
    noise = None if seen.noise is None else seen.noise_of(parameters)[:, None]
    model = SingleTaskGP(
        seen.points, seen.standardised[:, None], noise, covar_module=covariance, outcome_transform=None
    )
    covariance.base_kernel.length = torch.as_tensor(parameters.lengths)
    covariance.outputscale = parameters.variance
    if seen.noise is None:
        model.likelihood.noise_covar.register_prior("noise_prior", LogNormalPrior(6.0, 3.0), "noise")
        model.likelihood.noise_covar.raw_noise_constraint.lower_bound.fill_(1e-7)
        model.likelihood.noise = parameters.noise
    matrix = covariance(seen.points).to_dense() + torch.diag(seen.noise_of(parameters))
    inverse = torch.linalg.inv(matrix)
    model.mean_module.constant.data = (inverse @ seen.standardised).sum() / inverse.sum()
    return model


def density(seen: Observed, parameters: Parameters) -> float:
    model = of_botorch(seen, parameters)
    model.train()
    mll = ExactMarginalLogLikelihood(model.likelihood, model)
    return float(mll(model(seen.points), seen.standardised).detach()) * len(seen.values)


@pytest.mark.parametrize("noise", [None, 0.04])
@pytest.mark.parametrize("nu", [0.5, 1.5, 2.5, 2.0])
def test_the_fit_is_where_the_density_of_botorch_is_largest(noise: float | None, nu: float) -> None:
    seen = observed(noise=noise, nu=nu)
    best = fitted(seen)
    at_best = density(seen, best)
    for k in range(len(best.lengths)):
        for factor in (0.8, 1.25):
            lengths = best.lengths.copy()
            lengths[k] *= factor
            assert density(seen, best._replace(lengths=lengths)) < at_best + 1e-3
    for factor in (0.8, 1.25):
        assert density(seen, best._replace(variance=best.variance * factor)) < at_best + 1e-3
        if noise is None:
            assert density(seen, best._replace(noise=best.noise * factor)) < at_best + 1e-3


@pytest.mark.parametrize("noise", [None, 0.04])
def test_predictions_are_those_of_botorch(noise: float | None) -> None:
    seen = observed(noise=noise)
    parameters = Parameters(np.array([1.5, 2.0, 3.0]), 0.8, 0.02)
    new = Embedding(SPACE)(torch.rand(7, 1, 5, dtype=torch.float64))
    ours, theirs = Process(seen, parameters).posterior(new), of_botorch(seen, parameters).posterior(new)
    torch.testing.assert_close((ours.mean - seen.centre) / seen.spread, theirs.mean, rtol=1e-6, atol=1e-8)
    torch.testing.assert_close(ours.variance / seen.spread**2, theirs.variance, rtol=1e-5, atol=1e-8)


def test_what_is_expected_changes_no_expectation_and_takes_doubt_away() -> None:
    seen = observed()
    process = Process(seen, fitted(seen))
    new = Embedding(SPACE)(torch.rand(3, 5, dtype=torch.float64))
    after = process.as_expected(new)
    spread = float(process.posterior(seen.points).mean.std())
    assert float((after.posterior(new).mean - process.posterior(new).mean).abs().max()) < 0.05 * spread
    assert bool((after.posterior(new).variance < process.posterior(new).variance).all())
    both = Independent([process, process]).as_expected(new)
    assert both.num_outputs == 2
    assert both.posterior(new).mean.shape == (3, 2)


def test_acquisition_functions_of_botorch_take_it_and_are_climbed() -> None:
    seen = observed()
    gained = LogExpectedImprovement(Process(seen, fitted(seen)), best_f=float(seen.values.max()))
    x = torch.rand(4, 1, 5, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(gained(Embedding(SPACE)(x)).sum(), x)
    step = 1e-5
    moved = x.detach().clone()
    moved[0, 0, 0] += step
    rise = (gained(Embedding(SPACE)(moved))[0] - gained(Embedding(SPACE)(x))[0]) / step
    assert float(slope[0, 0, 0]) == pytest.approx(float(rise), rel=1e-3)


@pytest.mark.parametrize("nu", [0.5, 1.5, 2.5, 3.2])
def test_the_slope_is_the_derivative_by_the_squared_distance(nu: float) -> None:
    square = torch.tensor([0.3, 1.0, 4.0], dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(matern(square.sqrt(), nu).sum(), square)
    torch.testing.assert_close(matern_slope(square.detach().sqrt(), nu), slope)


def test_values_that_are_all_the_same_are_fitted() -> None:
    seen = observed()
    flat = Observed(seen.points, seen.groups, torch.ones_like(seen.values), None, 2.5)
    found = Process(flat, fitted(flat)).posterior(seen.points)
    assert bool(torch.isfinite(found.mean).all())
    assert math.isclose(float(found.mean[0]), 1.0)
