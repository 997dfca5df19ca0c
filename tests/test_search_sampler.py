"""The sampler: what it asks follows from seed and finished trials; noise, infeasible trials, two objectives."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import optuna
import pytest
import torch

from hrsnn._checks import InputError
from hrsnn.distributions import Constant, Gamma, wasserstein2
from hrsnn.optimisation.sampler import REPLICATES, LawSampler, distributions, half_ranked
from hrsnn.optimisation.space import Law, Scalar, Space, constants

SPACE = Space((Law("tau", mean=(5.0, 100.0)), Scalar("scale", 0.1, 10.0, log=True)))
BEST = {"tau": Gamma(30.0, 4.0), "scale": Constant(2.0)}
optuna.logging.set_verbosity(optuna.logging.ERROR)


def loss(trial: optuna.Trial) -> float:
    """Squared distance of the laws from the best ones, over those of the box."""
    params = {name: trial.suggest_float(name, d.low, d.high, log=d.log) for name, d in distributions(SPACE).items()}  # type: ignore[attr-defined]
    found = constants(SPACE.values(params))
    return sum(wasserstein2(found[name], law) ** 2 / law.mean**2 for name, law in BEST.items())


def study_of(sampler: LawSampler, storage: Any = None, **options: Any) -> optuna.Study:
    return optuna.create_study(sampler=sampler, storage=storage, study_name="s", load_if_exists=True, **options)


def sampler(**options: Any) -> LawSampler:
    return LawSampler(SPACE, **{"seed": 3, "n_startup": 6, **options})


def asked(study: optuna.Study) -> list[dict[str, float]]:
    return [trial.params for trial in study.get_trials(deepcopy=False)]


def test_it_finds_the_best_laws() -> None:
    study = study_of(sampler())
    study.optimize(loss, n_trials=18)
    assert study.best_value < 0.03
    assert min(t.value for t in study.trials[:6] if t.value is not None) > 5 * study.best_value


def test_what_is_asked_follows_from_seed_and_finished_trials() -> None:
    """Whoever goes on with another sampler object, from another process, asks for the same points."""
    whole = study_of(sampler())
    whole.optimize(loss, n_trials=10)
    storage = optuna.storages.InMemoryStorage()
    for n in (4, 3, 3):
        study_of(sampler(), storage).optimize(loss, n_trials=n)
    assert asked(study_of(sampler(), storage)) == asked(whole)
    other = study_of(sampler(seed=4))
    other.optimize(loss, n_trials=10)
    assert asked(other)[0] != asked(whole)[0]


def test_trials_that_run_are_not_asked_for_again() -> None:
    study = study_of(sampler())
    study.optimize(loss, n_trials=8)
    open_trials = [study.ask(distributions(SPACE)) for _ in range(3)]
    points = [[math.log(value) for value in trial.params.values()] for trial in open_trials]
    gaps = [np.abs(np.subtract(a, b)).max() for k, a in enumerate(points) for b in points[:k]]
    assert min(gaps) > 0.02


@pytest.mark.parametrize("options", [{"acquisition": "ei"}, {"kernel": "raw"}, {"nu": 1.5, "log": False}])
def test_other_modes_work_as_well(options: dict[str, Any]) -> None:
    study = study_of(sampler(**options))
    study.optimize(loss, n_trials=10)
    assert study.best_value < min(t.value for t in study.trials[:6] if t.value is not None)


def test_replicates_go_to_the_incumbent_and_tell_the_noise() -> None:
    """Every fourth trial repeats the best expected point, until it has as many seeds as are allowed."""
    rng = np.random.default_rng(0)

    def noisy(trial: optuna.Trial) -> float:
        values = (loss(trial) + rng.normal(0, 0.3, 2)).tolist()
        trial.set_user_attr(REPLICATES, values)
        return float(np.mean(values))

    study = study_of(sampler(max_replicates=6))
    study.optimize(noisy, n_trials=12)
    points = [tuple(params.values()) for params in asked(study)]
    repeated = {point for point in points if points.count(point) > 1}
    assert repeated
    assert max(points.count(point) for point in repeated) <= 3  # of two seeds each


def test_infeasible_trials_teach_where_not_to_go() -> None:
    """Half of the box is forbidden, with the unconstrained optimum in it: later trials stay out of it."""

    def limited(trial: optuna.Trial) -> float:
        value = loss(trial)
        trial.set_constraint("weak", 1.0 if trial.params["scale"] > 1.0 else -1.0)
        return value

    study = study_of(sampler(n_startup=8))
    study.optimize(limited, n_trials=18)
    later = [params["scale"] > 1.0 for params in asked(study)[10:]]
    assert np.mean(later) < 0.4
    feasible = [t.value for t in study.trials if t.params["scale"] <= 1.0 and t.value is not None]
    assert min(feasible) < 0.35  # 0.25 on the edge


def test_trials_that_fail_teach_where_not_to_go() -> None:
    """All that lies near the best laws fails: what is asked for there once is not asked for again and again."""

    def failing(trial: optuna.Trial) -> float:
        value = loss(trial)
        if trial.params["scale"] > 1.0:
            raise ZeroDivisionError
        return value

    study = study_of(sampler(n_startup=8))
    study.optimize(failing, n_trials=18, catch=ZeroDivisionError)
    assert np.mean([params["scale"] > 1.0 for params in asked(study)[10:]]) < 0.4


def test_a_small_feasible_part_is_found() -> None:
    """A fiftieth of the box: how far trials are beyond their limits leads there."""

    def limited(trial: optuna.Trial) -> float:
        value = loss(trial)
        trial.set_constraint("far", value - 0.1)
        return value

    study = study_of(sampler(n_startup=8))
    study.optimize(limited, n_trials=20)
    first = next(t.number for t in study.trials if all(v <= 0 for v in t.constraints.values()))
    assert 8 <= first < 16
    at_random = study_of(optuna.samplers.RandomSampler(seed=0))
    at_random.optimize(loss, n_trials=200)
    assert np.mean([t.value < 0.1 for t in at_random.trials]) < 0.03


def test_values_that_are_the_same_stay_the_same() -> None:
    ranked = half_ranked(torch.tensor([0.1, 0.1, 0.1, 0.5, 0.6, 0.7, 0.8]))
    assert ranked[0] == ranked[1] == ranked[2] < ranked[3]


def test_one_replicate_tells_no_noise() -> None:
    """Two equal values of one point do not make all others exact."""

    def stepped(trial: optuna.Trial) -> float:
        trial.set_user_attr("replicates", [0.5, 0.5] if trial.number == 0 else [loss(trial)])
        return loss(trial)

    study = study_of(sampler())
    study.optimize(stepped, n_trials=8)
    assert bool(sampler()._seen(study).noise.isnan().all())


def test_two_objectives_spread_over_the_front() -> None:
    def both(trial: optuna.Trial) -> tuple[float, float]:
        value = loss(trial)
        return value, trial.params["scale"]

    study = study_of(sampler(), directions=["minimize", "minimize"])
    study.optimize(both, n_trials=12)
    assert len(study.best_trials) >= 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"acquisition": "ucb"}, "`acquisition` of `LawSampler` must be log-ei or ei, got ucb"),
        ({"kernel": "rbf"}, "`kernel` of `LawSampler` must be laws or raw, got rbf"),
        ({"seed": -1}, "`seed` of `LawSampler` must be a whole number >= 0"),
        ({"max_replicates": 0}, "`max_replicates` of `LawSampler` must be a whole number >= 1"),
    ],
)
def test_options_that_are_none(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as told:
        sampler(**options)
    assert message in str(told.value)


def test_a_parameter_outside_the_space_is_told() -> None:
    study = study_of(sampler())
    with pytest.raises(InputError, match=r"must hold every parameter that is asked for: tau.mean.*got other"):
        study.ask().suggest_float("other", 0, 1)


def test_the_best_is_what_is_expected_to_be_and_not_the_luckiest() -> None:
    own = LawSampler(Space((Scalar("x", 0.0, 1.0),)), n_startup=10)
    rng, x = np.random.default_rng(0), np.linspace(0.0, 1.0, 40)
    off, promised = [], []  # of what is expected, and of the luckiest
    for _ in range(20):
        study = study_of(own, direction="maximize")
        values = -np.square(x - 0.7) + 0.1 * rng.standard_normal(40)
        for at, value in zip(x, values, strict=True):
            study.add_trial(optuna.trial.create_trial(params={"x": at}, distributions=own._distributions, value=value))
        found = own.best(study)
        assert found is not None
        off.append((abs(found[0].params["x"] - 0.7), abs(x[int(values.argmax())] - 0.7)))
        promised.append((found[1], values.max()))  # no point has a value above 0
    expected, luckiest = np.mean(off, axis=0)
    assert expected < 0.75 * luckiest
    expected, luckiest = np.mean(promised, axis=0)
    assert abs(expected) < 0.3 * luckiest


def test_there_is_no_best_where_nothing_is_feasible() -> None:
    own = sampler()
    assert own.best(study_of(own)) is None


def test_a_search_begins_with_what_its_space_begins_with() -> None:
    law, number = Law("tau", mean=(5.0, 50.0)), Scalar("x", 0.0, 1.0)
    space = Space((law, number), (("x", 0.25), ("tau.mean", 20.0), ("tau.cv", 3.0)))
    study = study_of(LawSampler(space))
    assert study.ask(distributions(space)).params == {"tau.mean": 20.0, "tau.cv": 1.0, "x": 0.25}
    other = study_of(LawSampler(Space((law, number))))
    assert other.ask(distributions(space)).params != {"tau.mean": 20.0, "tau.cv": 1.0, "x": 0.25}
    assert study.ask(distributions(space)).params == other.ask(distributions(space)).params
    with pytest.raises(
        InputError, match=r"`start` of `Space` must have a number for each of tau\.mean, tau\.cv, x, got x"
    ):
        Space((law, number), (("x", 0.25),))
    with pytest.raises(InputError, match=r"`start of tau\.cv` of `Space` must be a finite number"):
        Space((law, number), (("x", 0.25), ("tau.mean", 20.0), ("tau.cv", "wide")))  # type: ignore[arg-type]
