"""The next point to try, by a Gaussian process on laws, as a sampler of Optuna (method.md 11.4).

Points come from Sobol's sequence first. Then a Gaussian process with `WassersteinMatern` is fitted to all finished
trials, replicates of a point taken together: their mean, and its variance as the noise of that observation. The next
point is where an acquisition function is largest; a trial that is running counts as if it had given what is expected
of it. Everything follows from the seed, the number of the trial and the trials that are finished: a search that was
killed and goes on asks for the same points.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import optuna
import torch
from botorch import fit_gpytorch_mll
from botorch.acquisition import AcquisitionFunction, ExpectedImprovement, LogExpectedImprovement
from botorch.acquisition.multi_objective import ExpectedHypervolumeImprovement
from botorch.exceptions import BotorchWarning
from botorch.models import ModelListGP, SingleTaskGP
from botorch.models.transforms import Standardize
from botorch.optim import optimize_acqf
from botorch.utils.multi_objective import infer_reference_point
from botorch.utils.multi_objective.box_decompositions import FastNondominatedPartitioning
from botorch.utils.multi_objective.pareto import is_non_dominated
from gpytorch.kernels import Kernel, ScaleKernel
from gpytorch.mlls import ExactMarginalLogLikelihood
from gpytorch.priors import GammaPrior
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution, FloatDistribution
from optuna.trial import FrozenTrial, TrialState
from scipy.stats import qmc

from hrsnn._checks import require, whole_number
from hrsnn.optimisation.embedding import Embedding, Tensor
from hrsnn.optimisation.kernel import WassersteinMatern
from hrsnn.optimisation.space import Space

Acquisition = Literal["log-ei", "ei"]

REPLICATES = "replicates"  # user attribute of a trial: one value per seed that its value is the mean of
_LEAST_NOISE = 1e-6  # variance, of standardised values
_RAW, _RESTARTS, _STEPS = 512, 4, 60  # first points of an acquisition's maximum, those climbed from, steps of each


def distributions(space: Space) -> dict[str, BaseDistribution]:
    """The coordinates of a space as Optuna has them.

    >>> from hrsnn.optimisation.space import Scalar
    >>> distributions(Space((Scalar("x", 0.0, 1.0),)))
    {'x': FloatDistribution(high=1.0, log=False, low=0.0, step=None)}
    """
    return {c.name: FloatDistribution(c.low, c.high, log=c.log) for c in space.coordinates}


class LawSampler(optuna.samplers.BaseSampler):
    """Bayesian optimisation over a `Space`; trials have the parameters `distributions(space)`.

    seed            of Sobol's sequence and of all that is drawn
    n_startup       trials before the first model; None is twice the number of coordinates, 10 at least
    acquisition     "log-ei", log expected improvement over the best expected value; "ei" the improvement itself, as
                    the papers have it. Of two objectives expected hypervolume improvement
    nu              smoothness of the kernel
    log             distances are those of the logarithms of laws (`Embedding`)
    kernel          "laws", or "raw": the same on coordinates, each with a length of its own, to tell what laws are for
    max_replicates  of an incumbent; every fourth trial repeats the best expected point that has fewer, for a new seed

    A trial whose value is a mean over seeds tells them in its user attribute `replicates`; a trial repeats another
    when it has its parameters. Trials with a constraint above 0 are infeasible: they teach where not to go.

    Raises `InputError` for options that are none.
    """

    def __init__(
        self,
        space: Space,
        *,
        seed: int = 0,
        n_startup: int | None = None,
        acquisition: Acquisition = "log-ei",
        nu: float = 2.5,
        log: bool = True,
        kernel: Literal["laws", "raw"] = "laws",
        max_replicates: int = 1,
    ) -> None:
        rule = "must be log-ei or ei"
        require(acquisition in ("log-ei", "ei"), "LawSampler", "acquisition", rule, acquisition)
        require(kernel in ("laws", "raw"), "LawSampler", "kernel", "must be laws or raw", kernel)
        self._space, self._distributions = space, distributions(space)
        self._seed = whole_number("LawSampler", "seed", seed, at_least=0)
        n = len(self._distributions)
        n_startup = max(10, 2 * n) if n_startup is None else n_startup
        self._n_startup = whole_number("LawSampler", "n_startup", n_startup, at_least=2)
        self._max_replicates = whole_number("LawSampler", "max_replicates", max_replicates, at_least=1)
        self._acquisition, self._nu, self._kind = acquisition, nu, kernel
        self._embedding = Embedding(space, log=log)
        self._first = qmc.Sobol(n, seed=self._seed).random(1 << math.ceil(math.log2(self._n_startup)))

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        return self._distributions

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        known = ", ".join(self._distributions)
        require(False, "LawSampler", "space", f"must hold every parameter that is asked for: {known}", param_name)

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        trials = study.get_trials(deepcopy=False)
        minimised = [d.name == "MINIMIZE" for d in study.directions]
        seen = _Seen.of(trials, list(self._distributions), self._vector, minimised)
        if trial.number < self._n_startup or seen.n_feasible < 2:
            return self._params(self._sobol(trial.number))
        with _one_thread(), torch.random.fork_rng(), warnings.catch_warnings():
            warnings.simplefilter("ignore", BotorchWarning)
            warnings.simplefilter("ignore", RuntimeWarning)
            torch.manual_seed((self._seed * 1_000_003 + trial.number) % 2**31)
            return self._asked(seen, trial.number)

    def _asked(self, seen: _Seen, number: int) -> dict[str, Any]:
        model = self._fitted(seen)
        if self._max_replicates > 1 and number % 4 == 3 and seen.values.shape[1] == 1:
            expected = model.posterior(seen.points[seen.feasible]).mean[:, 0]
            best = int(torch.nonzero(seen.feasible)[int(expected.argmax()), 0])
            if seen.n_replicates[best] < self._max_replicates and not seen.is_pending(best):
                return dict(seen.params[best])
        acquisition = _AtPoint(self._acquired(model, seen), self._embed)
        bounds = torch.stack([torch.zeros(self._first.shape[1]), torch.ones(self._first.shape[1])]).double()
        point, _ = optimize_acqf(
            acquisition, bounds, q=1, num_restarts=_RESTARTS, raw_samples=_RAW,
            options={"maxiter": _STEPS, "seed": number, "batch_limit": _RESTARTS, "init_batch_limit": _RAW},
        )  # fmt: skip
        return self._params(point[0].numpy())

    # -- the model -----------------------------------------------------------------------------------------------------

    def _fitted(self, seen: _Seen) -> Any:
        models = [
            self._process(seen.points[seen.feasible], half_ranked(values[seen.feasible]), noise[seen.feasible])
            for values, noise in zip(seen.values.T, seen.noise.T, strict=True)
        ]
        return models[0] if len(models) == 1 else ModelListGP(*models)

    def _process(self, x: Tensor, y: Tensor, noise: Tensor) -> SingleTaskGP:
        """Fitted by marginal likelihood; the noise is that of replicates, where there are any."""
        known = bool(torch.isfinite(noise).all())
        transform = Standardize(1)
        spread = y.std().clamp_min(1e-12)
        given = (noise[:, None] / spread**2).clamp_min(_LEAST_NOISE) * spread**2 if known else None
        process = SingleTaskGP(x, y[:, None], given, covar_module=self._covariance(), outcome_transform=transform)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            fit_gpytorch_mll(
                ExactMarginalLogLikelihood(process.likelihood, process),
                optimizer_kwargs={"options": {"maxiter": 75}}, max_attempts=2,
            )  # fmt: skip
        return process

    def _covariance(self) -> Kernel:
        if self._kind == "raw":
            from botorch.models.utils.gpytorch_modules import get_covar_module_with_dim_scaled_prior

            return get_covar_module_with_dim_scaled_prior(ard_num_dims=len(self._distributions))
        return ScaleKernel(
            WassersteinMatern(self._embedding.groups, self._nu), outputscale_prior=GammaPrior(2.0, 1.0)
        ).double()

    # -- what is gained ------------------------------------------------------------------------------------------------

    def _acquired(self, model: Any, seen: _Seen) -> AcquisitionFunction:
        if seen.pending.shape[0]:
            model = _as_expected(model, seen.pending)
        if seen.values.shape[1] > 1:
            front = model.posterior(seen.points[seen.feasible]).mean.detach()
            reference = infer_reference_point(front[is_non_dominated(front)], scale=0.1)
            cells = FastNondominatedPartitioning(reference, Y=front)
            gained: AcquisitionFunction = ExpectedHypervolumeImprovement(model, reference.tolist(), cells)
        else:
            best = model.posterior(seen.points[seen.feasible]).mean.max().detach()
            kind = LogExpectedImprovement if self._acquisition == "log-ei" else ExpectedImprovement
            gained = kind(model, best_f=best)
        if bool(seen.feasible.all()):
            return gained
        logarithmic = seen.values.shape[1] == 1 and self._acquisition == "log-ei"
        return _Feasible(gained, self._feasibility(seen), logarithmic)

    def _feasibility(self, seen: _Seen) -> SingleTaskGP:
        """A process on 1 where a trial was feasible and -1 where not."""
        y = torch.where(seen.feasible, 1.0, -1.0).double()
        return self._process(seen.points, y, torch.full_like(y, 0.05))

    # -- coordinates ---------------------------------------------------------------------------------------------------

    def _sobol(self, number: int) -> NDArray[np.float64]:
        if number < len(self._first):
            return np.asarray(self._first[number])
        return np.asarray(np.random.default_rng([self._seed, number]).random(self._first.shape[1]))

    def _params(self, x: NDArray[np.float64]) -> dict[str, Any]:
        found = {}
        for value, c in zip(np.clip(x, 0.0, 1.0).tolist(), self._space.coordinates, strict=True):
            natural = c.low * (c.high / c.low) ** value if c.log else c.low + (c.high - c.low) * value
            found[c.name] = min(max(natural, c.low), c.high)
        return found

    def _embed(self, x: Tensor) -> Tensor:
        return self._embedding(x) if self._kind == "laws" else x

    def _vector(self, params: Mapping[str, float]) -> list[float]:
        """What the model is shown of a point."""
        found: list[float] = self._embed(torch.tensor(self._unit(params), dtype=torch.float64)).tolist()
        return found

    def _unit(self, params: Mapping[str, float]) -> list[float]:
        return [
            math.log(params[c.name] / c.low) / math.log(c.high / c.low)
            if c.log
            else (params[c.name] - c.low) / (c.high - c.low)
            for c in self._space.coordinates
        ]


@dataclass(frozen=True)
class _Seen:
    """Finished trials by point, larger values better, and the points of those that run.

    points (n, n_entries) as the model is shown them, values (n, m), feasible (n,); noise (n, m), variances of the
    values, NaN where nothing tells
    """

    points: Tensor
    values: Tensor
    noise: Tensor
    feasible: Tensor
    n_replicates: list[int]
    params: Sequence[Mapping[str, float]]
    pending: Tensor

    @classmethod
    def of(
        cls,
        trials: Sequence[FrozenTrial],
        names: list[str],
        vector: Callable[[Mapping[str, float]], list[float]],
        minimised: list[bool],
    ) -> _Seen:
        sign = np.where(minimised, -1.0, 1.0)
        by_point: dict[tuple[float, ...], list[FrozenTrial]] = {}
        running = []
        for trial in trials:
            if not all(name in trial.params for name in names):
                continue
            if trial.state == TrialState.COMPLETE:
                by_point.setdefault(tuple(trial.params[name] for name in names), []).append(trial)
            elif trial.state == TrialState.RUNNING:
                running.append(vector(trial.params))
        draws = [
            [sign * one for trial in group for one in _replicates(trial)] for group in by_point.values()
        ]  # point -> values of its replicates
        values = np.array([np.mean(group, axis=0) for group in draws]).reshape(len(draws), len(sign))
        feasible = [all(v <= 0 for t in group for v in (t.constraints or {}).values()) for group in by_point.values()]
        params = [{name: group[0].params[name] for name in names} for group in by_point.values()]
        points = np.array([vector(p) for p in params])
        n_entries = points.shape[1] if len(points) else 1
        return cls(
            torch.as_tensor(points), torch.as_tensor(values),
            torch.as_tensor(_noise_of(draws, len(sign))), torch.as_tensor(np.array(feasible, dtype=bool)),
            [len(group) for group in draws], params,
            torch.as_tensor(np.array(running, dtype=float).reshape(-1, n_entries)),
        )  # fmt: skip

    @property
    def n_feasible(self) -> int:
        return int(self.feasible.sum())

    def is_pending(self, k: int) -> bool:
        return bool((self.pending - self.points[k]).abs().sum(dim=1).lt(1e-9).any()) if len(self.pending) else False


def half_ranked(values: Tensor) -> Tensor:
    """Values with those below the median put where a normal law has their ranks, as wide as those above it are.

    What is far below tells where not to look, and not by how much: else it would decide the scale of all (Song et al.
    2024, arXiv 2408.11527). What is above stays as it is.

    >>> [round(value, 2) for value in half_ranked(torch.tensor([-1000.0, 1.0, 2.0, 3.0, 4.0])).tolist()]
    [0.35, 1.32, 2.0, 3.0, 4.0]
    """
    middle = values.median()
    above = values[values >= middle]
    spread = (above - middle).square().mean().sqrt()
    if not float(spread) > 0:
        return values
    rank = values.argsort().argsort().to(values)
    quantile = torch.special.ndtri((rank + 0.5) / len(values))
    at_median = quantile[values >= middle].min()
    return torch.where(values < middle, middle + spread * (quantile - at_median), values)


def _replicates(trial: FrozenTrial) -> list[NDArray[np.float64]]:
    """The values of a trial, one (n_objectives,) for each seed."""
    told = trial.user_attrs.get(REPLICATES)
    rows = trial.values if told is None else told
    return [np.atleast_1d(np.asarray(row, dtype=float)) for row in ([rows] if told is None else rows)]


def _noise_of(draws: list[list[NDArray[np.float64]]], n_objectives: int) -> NDArray[np.float64]:
    """Variance of each mean: one pooled variance of a replicate over their number; NaN without replicates."""
    spare = sum(len(group) - 1 for group in draws)
    if not spare:
        return np.full((len(draws), n_objectives), math.nan)
    squares = sum(np.square(np.array(group) - np.mean(group, axis=0)).sum(axis=0) for group in draws)
    pooled = np.asarray(squares) / spare
    return np.array([pooled / len(group) for group in draws])


@contextmanager
def _one_thread() -> Iterator[None]:
    """Matrices are small: more threads would wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _as_expected(model: Any, pending: Tensor) -> Any:
    """The model as if trials that run had given what is expected of them."""
    if isinstance(model, ModelListGP):
        return ModelListGP(*(_as_expected(one, pending) for one in model.models))
    with torch.no_grad():
        expected = model.posterior(pending).mean
        noise = model.likelihood.noise.mean().expand(len(pending), 1) * model.outcome_transform.stdvs.square()[0]
        model.posterior(pending)  # conditioning goes on from a prediction
        return model.condition_on_observations(pending, expected, noise=noise)


class _AtPoint(AcquisitionFunction):
    """What is gained at a point of the unit cube."""

    def __init__(self, gained: AcquisitionFunction, embed: Callable[[Tensor], Tensor]) -> None:
        super().__init__(model=gained.model)
        self._gained, self._embed = gained, embed

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self._gained(self._embed(x))
        return found


class _Feasible(AcquisitionFunction):
    """What is gained times the probability that the point is feasible."""

    def __init__(self, gained: AcquisitionFunction, feasibility: SingleTaskGP, logarithmic: bool) -> None:
        super().__init__(model=gained.model)
        self._gained, self._feasibility, self._logarithmic = gained, feasibility, logarithmic

    def forward(self, x: Tensor) -> Tensor:
        posterior = self._feasibility.posterior(x)
        z = (posterior.mean / posterior.variance.clamp_min(1e-12).sqrt())[..., 0, 0]
        gained = self._gained(x)
        found: Tensor = gained + torch.special.log_ndtr(z) if self._logarithmic else gained * torch.special.ndtr(z)
        return found
