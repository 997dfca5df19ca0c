"""A search as work: trials are units, a study of Optuna says which come next, and a search that was killed goes on.

A trial is asked for in the study first, then written down, then done by a worker, which leaves a file, then told to the
study. Whatever of this was done before a kill is found again; nothing is done twice. What asks, with its libraries, is
imported by the process that asks: workers start sooner and smaller without it.
"""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import closing
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.trial import FrozenTrial, Trial, TrialState

from hrsnn._checks import RunError, instance, require, whole_number
from hrsnn.distributions import Distribution
from hrsnn.network_file import write_atomically
from hrsnn.optimisation import storage as storages
from hrsnn.optimisation.objective import Objective, Score
from hrsnn.optimisation.space import Law, Space
from hrsnn.outcome import as_json, plain_values
from hrsnn.progress import Progress, clock
from hrsnn.run_directory import versions
from hrsnn.vocabulary import SEARCH
from hrsnn.work.cluster import executor_of, places
from hrsnn.work.loop import Failure, finished
from hrsnn.work.pool import usable_cpus
from hrsnn.work.store import Store, cannot_write, key_of
from hrsnn.work.unit import Unit

STORAGE = "study.db"
FACTS = "facts"  # user attribute of a trial: what was measured beside its objectives
FIRST_SEED = 1_000_000  # of trials: those of runs, which begin at 0, are fresh ones
_CHOOSE = ("optuna", "botorch", "gpytorch", "torch")  # packages that the points follow from
_FAILURES = 5, 10  # in a row, before anything is finished and after: what fails always is not searched on


@dataclass(frozen=True, slots=True)
class Trials:
    """The `Work` of a search.

    path       its directory, absolute: trials in `trials/`, what was asked in `asked/`
    storage    URL of the study, or a path of a journal ending in .log
    n_trials   in all; `n_seeds` of the objective each; `n_at_once`: so many may be begun before one has ended
    versions   of packages, which values and points follow from beside the rest
    """

    path: Path
    space: Space
    objective: Objective
    storage: str = field(repr=False)
    n_trials: int
    n_seeds: int
    n_at_once: int
    seed: int
    max_replicates: int
    versions: Mapping[str, str]

    @property
    def origin(self) -> dict[str, Any]:
        """What the numbers follow from, but how many there are; long parts by their digests."""
        return {
            "schema": SEARCH.text,
            "title": getattr(self.objective, "title", "") or ", ".join(self.objective.names),
            "space": key_of([asdict(part) for part in self.space], *self.space.start),
            "objective": key_of(self.objective.names, self.objective.facts),
            "seed": self.seed, "seeds of a point": self.n_seeds, "replicates": self.max_replicates,
            **{f"version of {name}": found for name, found in self.versions.items()},
        }  # fmt: skip

    @property
    def key(self) -> str:
        return key_of(self.origin)

    def study(self) -> optuna.Study:
        """The study, made where there is none. Raises `InputError` for one of another search, `RunError` for none."""
        names, origin = self.objective.names, tuple(self.origin.items())
        return _study(self.storage, origin, self.space, len(names), self.seed, self.max_replicates)

    # -- what comes next -----------------------------------------------------------------------------------------------

    def plan(self, done: Mapping[str, Any]) -> Sequence[Unit]:
        study = self.study()
        trials = study.get_trials(deepcopy=False)
        for trial in trials:
            unit = _unit(trial.number)
            if trial.state == TrialState.RUNNING and unit.name in done:
                tell(study, trial, done[unit.name])
        open_trials = [t for t in study.get_trials(deepcopy=False) if t.state == TrialState.RUNNING]
        n_asked = len(trials)
        for trial in open_trials:
            self._written(Trial(study, trial._trial_id))
        while len(open_trials) < self.n_at_once and n_asked < self.n_trials:
            asked = study.ask()
            self._written(asked)
            open_trials.append(study.get_trials(deepcopy=False)[asked.number])
            n_asked += 1
        return [_unit(trial.number) for trial in open_trials]

    def _written(self, trial: Trial) -> None:
        """Put the point of a trial that was asked for where its worker reads it.

        A point that stands there is that of the trial: the study may be a new one, for a storage that was lost.
        """
        from hrsnn.optimisation.sampler import distributions

        asked, unit = Store(self.path, "asked"), _unit(trial.number).name
        written = asked.found(unit, key=self.key)
        if written is None:
            params = {name: trial._suggest(name, d) for name, d in distributions(self.space).items()}
            asked.keep(unit, {"key": self.key, "params": params})
            return
        params, kept = written["params"], trial.storage.get_trial(trial._trial_id).params
        for one, law in distributions(self.space).items():
            if one not in kept:
                trial.storage.set_trial_param(trial._trial_id, one, law.to_internal_repr(params[one]), law)
        if any(not math.isclose(value, params[one]) for one, value in kept.items()):
            raise RunError(
                f"trial {trial.number} of the study has another point than {self.path / 'asked'} says: the storage is "
                "of a search in another directory; give that as --out, or this search a storage of its own"
            )

    # -- one trial -----------------------------------------------------------------------------------------------------

    def read(self, unit: Unit) -> dict[str, Any] | None:
        found = Store(self.path, "trials").found(unit.name, key=self.key)
        return None if found is None else found["values"]

    def do(self, unit: Unit, progress: Progress) -> None:
        params = Store(self.path, "asked").read(unit.name, key=self.key)["params"]
        Store(self.path, "trials").once(unit.name, self.key, lambda: self._measured(unit.seed, params))

    def _measured(self, number: int, params: Mapping[str, float]) -> dict[str, Any]:
        started = time.perf_counter()
        values, first = self.space.values(params), FIRST_SEED + number * self.n_seeds
        told: list[Score] = [self.objective(values, seed) for seed in range(first, first + self.n_seeds)]
        for one in told:
            given = list(instance("search", "objective", one, Score).objectives)
            n = len(self.objective.names)
            require(len(given) == n, "search", "objective", f"must give a number for each of its {n} names", given)
            ok = bool(np.isfinite([*given, *one.limits.values()]).all())
            require(ok, "search", "objective", "must give finite numbers", [*given, *one.limits.values()])
        limits = {name: float(np.mean([one.limits[name] for one in told])) for name in told[0].limits}
        facts = {name: float(np.mean([one.facts[name] for one in told])) for name in told[0].facts}
        return {
            "params": dict(params), "replicates": [list(one.objectives) for one in told], "limits": limits,
            "facts": facts, "wall_s": time.perf_counter() - started,
        }  # fmt: skip


def tell(study: optuna.Study, trial: FrozenTrial, values: Mapping[str, Any]) -> None:
    """Finish a trial in the study with what its file says."""
    from hrsnn.optimisation.sampler import REPLICATES

    replicates = values["replicates"]
    open_trial = Trial(study, trial._trial_id)
    one = len(replicates[0]) == 1
    open_trial.set_user_attr(REPLICATES, [row[0] for row in replicates] if one else replicates)
    open_trial.set_user_attr(FACTS, dict(values["facts"]))
    for name, value in values["limits"].items():
        if name not in (trial.constraints or {}):
            open_trial.set_constraint(name, value)
    study.tell(trial.number, np.mean(replicates, axis=0).tolist())


@dataclass(frozen=True, slots=True)
class Searched:
    """A finished search.

    best       laws and numbers of the feasible point with the best expected value, None where none is, and of two
               objectives (`LawSampler.best`)
    document   what `hrsnn search --json` prints
    """

    path: Path
    study: optuna.Study
    best: dict[str, Any] | None
    document: dict[str, Any]


def search(
    space: Space,
    objective: Objective,
    out: Path | str,
    *,
    n_trials: int = 80,
    n_seeds: int = 1,
    max_replicates: int = 1,
    seed: int = 0,
    storage: str | None = None,
    jobs: int | None = None,
    executor: Executor | str | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> Searched:
    """Search `space` for where `objective` is largest; the directory `out` is gone on with if it holds this search.

    n_trials         in all, those that are there among them
    n_seeds          of each point at first; `max_replicates` of the best one, as it is tried again
    storage          URL of a database, or a path ending in .log for a journal on a shared file system; None is a
                     database in `out`. `optuna-dashboard` opens either
    jobs, executor   as of `hrsnn.run`; as many trials at a time as an executor has workers when the search begins

    Raises `InputError` for a directory or storage of another search, or of other versions of packages, `RunError` for a
    storage that cannot be used or is in use, and for an objective that fails from the beginning on.
    """
    counts = {"n_trials": n_trials, "n_seeds": n_seeds, "max_replicates": max_replicates, "jobs": jobs or 1}
    for name, count in counts.items():
        whole_number("search", name, count, at_least=1)
    whole_number("search", "seed", seed, at_least=0)
    instance("search", "space", space, Space)
    out, n_jobs = Path(out), 1 if executor is not None else jobs or usable_cpus()
    where = f"sqlite:///{out.resolve() / STORAGE}" if storage is None else storages.checked(storage)
    try:
        out.mkdir(parents=True, exist_ok=True)
        for folder in ("asked", "trials"):
            (out / folder).mkdir(exist_ok=True)
            Store(out, folder).sweep()
    except OSError as error:
        raise RunError(cannot_write(out, error)) from error
    _study.cache_clear()
    with executor_of(executor, jobs=jobs, say=say) as workers, storages.held(out, where), storages.told(where):
        n_at_once = n_jobs if workers is None else places(workers)
        work = Trials(
            out.resolve(), space, objective, where, n_trials, n_seeds, n_at_once, seed, max_replicates,
            {**versions(), **{name: version(name) for name in _CHOOSE}},
        )  # fmt: skip
        try:
            _carried_out(work, n_jobs, workers, say)
            study = work.study()
            document = document_of(study, work)
            write_atomically(out / SEARCH.file, as_json(document))
            best = document["best"]
            found = None if best is None else space.values(study.trials[best["number"]].params)
        except OSError as error:
            raise RunError(cannot_write(out, error)) from error
    return Searched(out, study, found, document)


def document_of(study: optuna.Study, work: Trials) -> dict[str, Any]:
    """The search as plain JSON values: space, trials in order, the best, and what mattered."""
    from hrsnn.optimisation.sampler import LawSampler

    trials = study.get_trials(deepcopy=False)
    rows = [
        {
            "number": trial.number, "state": trial.state.name.lower(), "values": trial.values, "params": trial.params,
            "limits": dict(trial.constraints or {}), "feasible": is_feasible(trial),
            "facts": trial.user_attrs.get(FACTS, {}),
        }
        for trial in trials
    ]  # fmt: skip
    sampler, n_seeds = LawSampler(work.space, seed=work.seed), work.n_seeds
    best, value = sampler.best(study) or (None, math.nan)
    found = None if best is None else work.space.values(best.params)
    document = {
        "schema": SEARCH.text,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "objectives": list(work.objective.names),
        "name": getattr(work.objective, "title", ""),
        "settings": {
            "n_trials": work.n_trials, "n_seeds": n_seeds, "seed": work.seed, "storage": storages.shown(work.storage),
            **getattr(work.objective, "settings", {}),
        },
        "versions": dict(work.versions),
        "space": [
            {**asdict(p), "kind": type(p).__name__.lower(), **({"prior": p.prior()} if isinstance(p, Law) else {})}
            for p in work.space
        ],
        "trials": rows,
        "best": None if best is None or found is None else {
            "number": best.number, "value": best.values[0], "expected": value,
            "values": {name: v.to_toml() if isinstance(v, Distribution) else v for name, v in found.items()},
        },
        "front": [trial.number for trial in study.best_trials] if len(study.directions) > 1 else [],
        "importance": _importance(study),
        "lengths": sampler.lengths(study),
    }  # fmt: skip
    plain: dict[str, Any] = plain_values(document)
    return plain


def is_feasible(trial: FrozenTrial) -> bool:
    return trial.state == TrialState.COMPLETE and all(value <= 0 for value in (trial.constraints or {}).values())


def _importance(study: optuna.Study) -> dict[str, float]:
    """Shares of the coordinates in what sets the better trials apart (PED-ANOVA); empty where there are too few."""
    if len(study.directions) > 1 or len(study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))) < 10:
        return {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        evaluator = optuna.importance.PedAnovaImportanceEvaluator()
        return dict(optuna.importance.get_param_importances(study, evaluator=evaluator))


def _carried_out(work: Trials, n_jobs: int, workers: Executor | None, say: Callable[[str], None]) -> None:
    study, done = work.study(), dict[str, Any]()
    n_failed, course = 0, _Course(study, work.n_trials)
    with closing(finished(work, done, tell=lambda *_: None, say=say, n_jobs=n_jobs, executor=workers)) as ended:
        for unit, value in ended:
            if isinstance(value, Failure):
                study.tell(unit.seed, state=TrialState.FAIL)
                n_failed += 1
                say(f"trial {unit.seed} failed: {value.message}")
                is_any = any(t.state == TrialState.COMPLETE for t in study.get_trials(deepcopy=False))
                if n_failed >= _FAILURES[is_any]:
                    so_far = f"the last {n_failed} trials failed" if is_any else "every trial failed so far"
                    raise value.error(unit, hint=f"; {so_far}")
                continue
            n_failed = 0
            say(course.line(unit.seed, value))
    work.plan(done)  # what ended last is told


class _Course:
    """How a search goes on, in lines: what a trial gave, the best feasible one so far, time left."""

    def __init__(self, study: optuna.Study, n_trials: int) -> None:
        trials = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        known = [trial.values[0] for trial in trials if is_feasible(trial)]
        self._n_trials, self._n_before, self._n_now = n_trials, len(trials), 0
        self._best, self._begun = max(known, default=None), time.monotonic()

    def line(self, number: int, value: Mapping[str, Any]) -> str:
        means = np.mean(value["replicates"], axis=0)
        bad = [name for name, limit in value["limits"].items() if limit > 0]
        if not bad and len(means) == 1:
            self._best = float(means[0]) if self._best is None else max(self._best, float(means[0]))
        self._n_now += 1
        told = ", ".join(f"{mean:.4g}" for mean in means) + (f" ({', '.join(bad)})" if bad else "")
        told += f", best so far {self._best:.4g}" if self._best is not None and len(means) == 1 else ""
        facts = value["facts"]
        if "spikes" in facts:
            told += f", {-facts['spikes']:.1f} spikes/neuron"
        elif "rate_hz" in facts:
            told += f", {facts['rate_hz']:.1f} Hz"
        to_go = max(0, self._n_trials - self._n_before - self._n_now)
        left_s = (time.monotonic() - self._begun) / self._n_now * to_go
        told += f", {clock(left_s)} left" if to_go else ""
        return f"trial {number + 1} of {self._n_trials}: {told}"


def _unit(number: int) -> Unit:
    return Unit("trial", number)


@lru_cache(maxsize=8)
def _study(
    storage: str, origin: tuple[tuple[str, Any], ...], space: Space, n_objectives: int, seed: int, max_replicates: int
) -> optuna.Study:  # fmt: skip
    from hrsnn.optimisation.sampler import LawSampler

    sampler = LawSampler(space, seed=seed, max_replicates=max_replicates)
    return storages.study(storage, dict(origin), sampler, n_objectives)
