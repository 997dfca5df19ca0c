"""The next point to try, by a Gaussian process on laws, as a sampler of Optuna (method.md 11.4).

Points come from Sobol's sequence first, but for the one that the space begins with, if it does. Then a Gaussian process
with `WassersteinMatern` is fitted to all finished trials, replicates of a point taken together: their mean, and as the
noise of that observation the variance of the mean, from what replicates of all points vary by. The next point is where
an acquisition function is largest; a trial that is running counts as if it had given what is expected of it. Trials
that are infeasible or failed teach another process where not to go; where no trial is feasible yet, that alone leads.
Everything follows from the seed, the number of the trial and the trials that are finished: a search that was killed and
goes on asks for the same points.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import optuna
import torch
from botorch.acquisition import AcquisitionFunction, ExpectedImprovement, LogExpectedImprovement
from botorch.acquisition.multi_objective import ExpectedHypervolumeImprovement
from botorch.exceptions import BotorchWarning
from botorch.optim import optimize_acqf
from botorch.utils.multi_objective import infer_reference_point
from botorch.utils.multi_objective.box_decompositions import FastNondominatedPartitioning
from botorch.utils.multi_objective.pareto import is_non_dominated
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution, FloatDistribution
from optuna.trial import FrozenTrial, TrialState
from scipy.stats import qmc, rankdata

from hrsnn._checks import require, whole_number
from hrsnn.optimisation.embedding import Embedding, Tensor
from hrsnn.optimisation.process import Independent, Observed, Parameters, Process, fitted
from hrsnn.optimisation.space import Space

Acquisition = Literal["log-ei", "ei"]

REPLICATES = "replicates"  # user attribute of a trial: one value per seed that its value is the mean of
_SPARE = 4  # replicates beyond the first of each point, from which on they tell the noise: of one it may be nothing
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
    n_startup       trials before the first model; None is one more than there are coordinates, 6 at least
    acquisition     "log-ei", log expected improvement over the best expected value; "ei" the improvement itself, as
                    the papers have it. Of two objectives expected hypervolume improvement
    nu              smoothness of the kernel
    log             distances are those of the logarithms of laws (`Embedding`)
    kernel          "laws", or "raw": the same on coordinates, each with a length of its own, to tell what laws are for
    max_replicates  of an incumbent; every fourth trial repeats the best expected point that has fewer, for a new seed

    A trial whose value is a mean over seeds tells them in its user attribute `replicates`; a trial repeats another
    when it has its parameters. Trials with a constraint above 0 are infeasible: they teach where not to go, and so do
    those that failed.

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
        self._space, self._coordinates, self._distributions = space, space.coordinates, distributions(space)
        self._seed = whole_number("LawSampler", "seed", seed, at_least=0)
        n = len(self._distributions)
        n_startup = max(6, n + 1) if n_startup is None else n_startup
        self._n_startup = whole_number("LawSampler", "n_startup", n_startup, at_least=2)
        self._max_replicates = whole_number("LawSampler", "max_replicates", max_replicates, at_least=1)
        self._acquisition, self._nu, self._kind = acquisition, nu, kernel
        self._embedding = Embedding(space, log=log)
        self._groups = self._embedding.groups if kernel == "laws" else [slice(k, k + 1) for k in range(n)]
        self._parameters: dict[int, tuple[Any, Parameters]] = {}  # by objective: what they were fitted to, and they
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
        if trial.number == 0 and self._space.start:
            return dict(self._space.start)
        with _quiet():
            seen = self._seen(study)
            enough = seen.n_feasible >= min(2, len(study.directions)) or (not seen.n_feasible and seen.n_infeasible)
            if trial.number < self._n_startup or not enough:
                return self._params(self._sobol(trial.number))
            torch.manual_seed((self._seed * 1_000_003 + trial.number) % 2**31)
            return self._asked(seen, trial.number) if seen.n_feasible else self._likeliest(seen, trial.number)

    def _seen(self, study: optuna.Study) -> _Seen:
        minimised = [d.name == "MINIMIZE" for d in study.directions]
        return _Seen.of(study.get_trials(deepcopy=False), list(self._distributions), self._vectors, minimised)

    def best(self, study: optuna.Study) -> tuple[FrozenTrial, float] | None:
        """The feasible trial with the best expected value, and that value; None where none is, and of two objectives.

        With noise the largest of many values is too large; what is expected of it, from it and its neighbours, is less.
        Without a model (fewer trials than `n_startup`) it is the mean of replicates.
        """
        with _quiet():
            seen = self._seen(study)
            if not seen.n_feasible or seen.n_objectives > 1:
                return None
            feasible = seen.only(seen.feasible)
            expected = feasible.values[:, 0]
            if seen.n_feasible >= self._n_startup:
                expected = self._process(feasible, 0).posterior(feasible.points).mean[:, 0]
        k = int(expected.argmax())
        complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        trial = next(t for t in complete if all(t.params.get(name) == v for name, v in feasible.params[k].items()))
        return trial, float(expected[k]) * (-1 if study.directions[0].name == "MINIMIZE" else 1)

    def _asked(self, seen: _Seen, number: int) -> dict[str, Any]:
        model = self._fitted(seen)
        if self._max_replicates > 1 and number % 4 == 3 and seen.n_objectives == 1:
            expected = model.posterior(seen.points[seen.feasible]).mean[:, 0]
            best = int(torch.nonzero(seen.feasible)[int(expected.argmax()), 0])
            if len(seen.draws[best]) < self._max_replicates and not seen.is_pending(best):
                return dict(seen.params[best])
        return self._best_of(self._acquired(model, seen), number)

    def _likeliest(self, seen: _Seen, number: int) -> dict[str, Any]:
        """The point that is feasible with the largest probability."""
        feasibility = self._feasibility(seen)
        if seen.pending.shape[0]:
            feasibility = feasibility.as_expected(seen.pending)
        return self._best_of(_Feasible(None, feasibility, logarithmic=True), number)

    def _best_of(self, gained: AcquisitionFunction, number: int) -> dict[str, Any]:
        """The point where it is largest."""
        acquisition = _AtPoint(gained, self._embedded)
        bounds = torch.stack([torch.zeros(self._first.shape[1]), torch.ones(self._first.shape[1])]).double()
        point, _ = optimize_acqf(
            acquisition, bounds, q=1, num_restarts=_RESTARTS, raw_samples=_RAW,
            options={"maxiter": _STEPS, "seed": number, "batch_limit": _RESTARTS, "init_batch_limit": _RAW},
        )  # fmt: skip
        return self._params(point[0].numpy())

    # -- the model -----------------------------------------------------------------------------------------------------

    def lengths(self, study: optuna.Study) -> dict[str, float]:
        """The length of each part of the space in the model of the first objective: the shorter, the more it matters.

        In units of the prior's spread of the part; empty before there is a model.
        """
        with _quiet():
            seen = self._seen(study)
            if self._kind == "raw" or seen.n_feasible < self._n_startup:
                return {}
            found = self._process(seen.only(seen.feasible), 0).parameters.lengths
        return {part.name: float(length) for part, length in zip(self._space, found, strict=True)}

    def _fitted(self, seen: _Seen) -> Process | Independent:
        feasible = seen.only(seen.feasible)
        each = [self._process(feasible, k) for k in range(seen.n_objectives)]
        return each[0] if len(each) == 1 else Independent(each)

    def _process(self, seen: _Seen, objective: int) -> Process:
        """On all that was seen; parameters are those of the first of it, at least ten elevenths.

        They are kept, for they follow from what they were fitted to, and so does what is asked after a kill.
        """
        first = seen.first(_refitted_at(len(seen.params)))
        key = (objective, *(draws.tobytes() for draws in first.draws))
        if self._parameters.get(objective, (None, None))[0] != key:
            self._parameters[objective] = key, fitted(self._observed(first, objective))
        return Process(self._observed(seen, objective), self._parameters[objective][1])

    def _observed(self, seen: _Seen, objective: int) -> Observed:
        noise = seen.noise[:, objective]
        known = noise if bool(torch.isfinite(noise).all()) else None
        return Observed(seen.points, self._groups, half_ranked(seen.values[:, objective]), known, self._nu)

    # -- what is gained ------------------------------------------------------------------------------------------------

    def _acquired(self, model: Process | Independent, seen: _Seen) -> AcquisitionFunction:
        if seen.pending.shape[0]:
            model = model.as_expected(seen.pending)
        expected = model.posterior(seen.points[seen.feasible]).mean
        if seen.n_objectives > 1:
            reference = infer_reference_point(expected[is_non_dominated(expected)], scale=0.1)
            cells = FastNondominatedPartitioning(reference, Y=expected)
            gained: AcquisitionFunction = ExpectedHypervolumeImprovement(model, reference.tolist(), cells)
        else:
            kind = LogExpectedImprovement if self._acquisition == "log-ei" else ExpectedImprovement
            gained = kind(model, best_f=expected.max())
        if not seen.n_infeasible:
            return gained
        logarithmic = seen.n_objectives == 1 and self._acquisition == "log-ei"
        return _Feasible(gained, self._feasibility(seen), logarithmic)

    def _feasibility(self, seen: _Seen) -> Process:
        """A process on 1 where a trial was feasible, -0.5 to -1 by its excess where not, and -1 where it failed."""
        y = torch.cat([torch.where(seen.feasible, 1.0, -(1 + seen.excess) / 2), -torch.ones(len(seen.failed)).double()])
        points = torch.cat([seen.points, seen.failed])
        observed = Observed(points, self._groups, y, torch.full_like(y, 0.05), self._nu)
        return Process(observed, fitted(observed))

    # -- coordinates ---------------------------------------------------------------------------------------------------

    def _sobol(self, number: int) -> NDArray[np.float64]:
        if number < len(self._first):
            return np.asarray(self._first[number])
        return np.asarray(np.random.default_rng([self._seed, number]).random(self._first.shape[1]))

    def _params(self, x: NDArray[np.float64]) -> dict[str, Any]:
        found = {}
        for value, c in zip(np.clip(x, 0.0, 1.0).tolist(), self._coordinates, strict=True):
            natural = c.low * (c.high / c.low) ** value if c.log else c.low + (c.high - c.low) * value
            found[c.name] = min(max(natural, c.low), c.high)
        return found

    def _embedded(self, x: Tensor) -> Tensor:
        """What the model is shown of points of the unit cube; raw coordinates in units of their prior's spread too."""
        return self._embedding(x) if self._kind == "laws" else x * math.sqrt(12)

    def _vectors(self, params: Sequence[Mapping[str, float]]) -> Tensor:
        unit = np.array([self._unit(one) for one in params]).reshape(-1, len(self._distributions))
        return self._embedded(torch.as_tensor(unit))

    def _unit(self, params: Mapping[str, float]) -> list[float]:
        return [
            math.log(params[c.name] / c.low) / math.log(c.high / c.low)
            if c.log
            else (params[c.name] - c.low) / (c.high - c.low)
            for c in self._coordinates
        ]


@dataclass(frozen=True)
class _Seen:
    """Finished trials by point, larger values better, and the points of those that run.

    points (n, n_entries) as the model is shown them; draws, n of (n_replicates, n_objectives); excess (n,), 0 where a
    point is feasible, else its rank among those that are not, in (0, 1]; failed, like `points`, those that gave nothing
    """

    points: Tensor
    draws: Sequence[NDArray[np.float64]]
    excess: Tensor
    params: Sequence[Mapping[str, float]]
    pending: Tensor
    failed: Tensor

    @classmethod
    def of(
        cls,
        trials: Sequence[FrozenTrial],
        names: list[str],
        vectors: Callable[[Sequence[Mapping[str, float]]], Tensor],
        minimised: list[bool],
    ) -> _Seen:
        sign = np.where(minimised, -1.0, 1.0)
        by_point: dict[tuple[float, ...], list[FrozenTrial]] = {}
        others: dict[TrialState, list[Mapping[str, float]]] = {TrialState.RUNNING: [], TrialState.FAIL: []}
        for trial in trials:
            if not all(name in trial.params for name in names):
                continue
            if trial.state == TrialState.COMPLETE:
                by_point.setdefault(tuple(trial.params[name] for name in names), []).append(trial)
            elif trial.state in others:
                others[trial.state].append(trial.params)
        draws = [np.array([sign * v for trial in group for v in _replicates(trial)]) for group in by_point.values()]
        params = [{name: group[0].params[name] for name in names} for group in by_point.values()]
        failed = [p for p in others[TrialState.FAIL] if tuple(p[name] for name in names) not in by_point]
        excess = torch.as_tensor(_excess(list(by_point.values())))
        return cls(vectors(params), draws, excess, params, vectors(others[TrialState.RUNNING]), vectors(failed))

    @property
    def feasible(self) -> Tensor:
        """(n,), bool."""
        return self.excess == 0

    @property
    def n_objectives(self) -> int:
        return int(self.draws[0].shape[1])

    @property
    def n_feasible(self) -> int:
        return int(self.feasible.sum())

    @property
    def n_infeasible(self) -> int:
        return len(self.params) - self.n_feasible + len(self.failed)

    @property
    def values(self) -> Tensor:
        """(n, n_objectives), means of replicates."""
        return torch.as_tensor(np.array([draws.mean(axis=0) for draws in self.draws]))

    @property
    def noise(self) -> Tensor:
        """Variances of the means (n, n_objectives), one of a replicate for all; NaN where there are too few for it."""
        numbers = np.array([len(draws) for draws in self.draws])[:, None]
        spare = int((numbers - 1).sum())
        squares = np.sum([np.square(draws - draws.mean(axis=0)).sum(axis=0) for draws in self.draws], axis=0)
        of_one = squares / spare if spare >= _SPARE else math.nan
        return torch.as_tensor(of_one / numbers * np.ones(self.n_objectives))

    def only(self, which: Tensor) -> _Seen:
        kept = torch.nonzero(which)[:, 0].tolist()
        return replace(
            self, points=self.points[which], draws=[self.draws[k] for k in kept], excess=self.excess[which],
            params=[self.params[k] for k in kept],
        )  # fmt: skip

    def first(self, n: int) -> _Seen:
        return self.only(torch.arange(len(self.params)) < n)

    def is_pending(self, k: int) -> bool:
        return bool((self.pending - self.points[k]).abs().sum(dim=1).lt(1e-9).any()) if len(self.pending) else False


def _refitted_at(n: int) -> int:
    """The largest number of points up to `n` at which a model is fitted anew.

    >>> [_refitted_at(n) for n in (5, 19, 20, 21, 22, 100)]
    [5, 19, 20, 20, 22, 94]
    """
    at = 1
    while (after := max(at + 1, int(1.1 * at))) <= n:
        at = after
    return at


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
    rank = torch.as_tensor(rankdata(values.numpy())).to(values)  # from 1; equal values have equal ones
    quantile = torch.special.ndtri((rank - 0.5) / len(values))
    at_median = quantile[values >= middle].min()
    return torch.where(values < middle, middle + spread * (quantile - at_median), values)


def _excess(points: Sequence[Sequence[FrozenTrial]]) -> NDArray[np.float64]:
    """How far beyond their limits the trials of each point are: the worst of its ranks, in (0, 1]; 0 within all."""
    found = np.zeros(len(points))
    of_trials = [[trial.constraints or {} for trial in group] for group in points]
    for name in sorted({name for group in of_trials for limits in group for name in limits}):
        over = np.array([max(limits.get(name, 0.0) for limits in group) for group in of_trials])
        beyond = over > 0
        found[beyond] = np.maximum(found[beyond], rankdata(over[beyond], method="max") / max(beyond.sum(), 1))
    return found


def _replicates(trial: FrozenTrial) -> list[NDArray[np.float64]]:
    """The values of a trial, one (n_objectives,) for each seed."""
    told = trial.user_attrs.get(REPLICATES)
    rows = trial.values if told is None else told
    return [np.atleast_1d(np.asarray(row, dtype=float)) for row in ([rows] if told is None else rows)]


@contextmanager
def _quiet() -> Iterator[None]:
    """One thread, for matrices are small and more would wait; what is drawn and warned of stays inside."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(), warnings.catch_warnings():
            warnings.simplefilter("ignore", BotorchWarning)
            warnings.simplefilter("ignore", RuntimeWarning)
            yield
    finally:
        torch.set_num_threads(before)


class _AtPoint(AcquisitionFunction):
    """What is gained at a point of the unit cube."""

    def __init__(self, gained: AcquisitionFunction, embed: Callable[[Tensor], Tensor]) -> None:
        super().__init__(model=gained.model)
        self._gained, self._embed = gained, embed

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self._gained(self._embed(x))
        return found


class _Feasible(AcquisitionFunction):
    """What is gained times the probability that the point is feasible; without gains that alone."""

    def __init__(self, gained: AcquisitionFunction | None, feasibility: Process, logarithmic: bool) -> None:
        super().__init__(model=feasibility if gained is None else gained.model)
        self._gained, self._feasibility, self._logarithmic = gained, feasibility, logarithmic

    def forward(self, x: Tensor) -> Tensor:
        posterior = self._feasibility.posterior(x)
        z = (posterior.mean / posterior.variance.clamp_min(1e-12).sqrt())[..., 0, 0]
        gained = torch.zeros_like(z) if self._gained is None else self._gained(x)
        found: Tensor = gained + torch.special.log_ndtr(z) if self._logarithmic else gained * torch.special.ndtr(z)
        return found
