"""Searches in memory, by laws and by samplers of Optuna that know none: what comparisons are made with."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any

import optuna

from hrsnn._checks import did_you_mean, require
from hrsnn.optimisation.objective import Objective
from hrsnn.optimisation.sampler import LawSampler, distributions
from hrsnn.optimisation.space import Space
from hrsnn.optimisation.study import FIRST_SEED, is_feasible, tell

METHODS: Mapping[str, Callable[[Space, int, int], optuna.samplers.BaseSampler]] = {
    "laws": lambda space, n_startup, seed: LawSampler(space, n_startup=n_startup, seed=seed, max_replicates=4),
    "tpe": lambda space, n_startup, seed: optuna.samplers.TPESampler(n_startup_trials=n_startup, seed=seed),
    "sobol": lambda space, n_startup, seed: optuna.samplers.QMCSampler(seed=seed),
}


def searched(
    space: Space, objective: Objective, method: str, *, n_trials: int, n_startup: int, seed: int
) -> dict[str, Any]:
    """One search, of one objective and one seed for each trial; its trials in order, and its best point.

    method     a key of `METHODS`; of `n_startup` points before the first model
    Returns `values` (of the objective), `feasible` and `points` (the number of the first trial of the same point), a
    list each; `params` of the feasible point that the method recommends and the value that is `expected` of it, both
    None where none is: by laws that with the best expected value, else that with the best value.

    Networks of trials have seeds from `FIRST_SEED` (1 + seed) on: those below `FIRST_SEED` are fresh.
    """
    remedy, known = did_you_mean(method, METHODS), ", ".join(METHODS)
    require(method in METHODS, "searched", "method", f"must be one of {known}", method, remedy=remedy)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    space = Space(space.parts)  # where the others begin
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        sampler = METHODS[method](space, n_startup, seed)
        study = optuna.create_study(direction="maximize", sampler=sampler)
        for number in range(n_trials):
            asked = study.ask(distributions(space))
            told = objective(space.values(asked.params), FIRST_SEED * (1 + seed) + number)
            trial = study.get_trials(deepcopy=False)[number]
            tell(study, trial, {"replicates": [told.objectives], "limits": told.limits, "facts": told.facts})
    trials = study.get_trials(deepcopy=False)
    if isinstance(sampler, LawSampler):
        best, expected = sampler.best(study) or (None, None)
    else:
        best = max(filter(is_feasible, trials), key=lambda trial: float(trial.values[0]), default=None)
        expected = None if best is None else best.values[0]
    params = [trial.params for trial in trials]
    return {
        "values": [trial.values[0] for trial in trials],
        "feasible": [is_feasible(trial) for trial in trials],
        "points": [params.index(one) for one in params],
        "params": None if best is None else best.params,
        "expected": expected,
    }
