"""Figures 6 and 9: searches on the spoken digits, and what they found measured again with fresh seeds.

A unit is one search (or one hand-set arm) with one seed. It depends on its name and on the sizes of the scale alone.
The networks are those of the built-in config, other sizes of the same. What is searched is what `hrsnn search` looks
through; trials are judged on validation data, designs in the end also on the test part, once for each fresh seed.
Memory and efficiency are those of networks before they learn, under the white drive (method.md 9.1).

docs/how-to/reproduce.md describes the documents; `hrsnn.report.searches` draws them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from hrsnn import tasks
from hrsnn._checks import extra
from hrsnn.config import Config, load_config
from hrsnn.evaluation import Label
from hrsnn.metrics import spread
from hrsnn.optimisation.objective import OfNetworks
from hrsnn.outcome import plain_values
from hrsnn.reproduce.scales import Order, SearchScale
from hrsnn.reproduce.store import Measuring, document_head, measured
from hrsnn.reproduce.units import Values
from hrsnn.reproduce.verdict import Side, judge
from hrsnn.vocabulary import OBJECTIVES, SEARCHES
from hrsnn.work.unit import Unit

_EDITION = 1  # of what units measure: raised when it changes, so that older files are no units any more
HAND = "hand"  # the method of a network that was not searched
_WAY = ("objective", "arm", "method", "n_neurons")  # of what is repeated over seeds
_REACHED = 0.9  # of the way from the first feasible trial to the best one


@dataclass(frozen=True, slots=True)
class Way:
    """How a network is found: what for, which arm, and how; "" and `HAND` where it is set by hand."""

    objective: str
    arm: str
    method: str


@dataclass(frozen=True, slots=True)
class Question:
    """Whether way `a` differs from way `b` in a quantity as it is claimed to."""

    a: Way
    b: Way
    quantity: str
    claimed: Side


@dataclass(frozen=True, slots=True)
class Design:
    title: str
    ways: tuple[Way, ...]
    questions: tuple[Question, ...]


_LAWS, _TPE, _SOBOL = (Way("task", "HeNHeS", method) for method in ("laws", "tpe", "sobol"))
_HOMOGENEOUS = Way("task", "HoNHoS", "laws")
_FOUND = {name: Way(name, "HeNHeS", "laws") for name in ("task", "memory", "spikes", "efficiency")}
_BY_HAND = {arm: Way("", arm, HAND) for arm in ("HoNHoS", "HeNHoS", "HoNHeS", "HeNHeS")}
_EFFICIENT, _HAND_SET = _FOUND["efficiency"], _BY_HAND["HeNHeS"]

DESIGNS = {
    "figure6": Design(
        "Figure 6: convergence of the search",
        (_LAWS, _TPE, _SOBOL, _HOMOGENEOUS),
        (
            *(Question(_LAWS, rival, quantity, "above") for rival in (_TPE, _SOBOL) for quantity in ("task", "course")),
            Question(_LAWS, _HOMOGENEOUS, "task", "above"), Question(_LAWS, _HOMOGENEOUS, "pace", "same"),
        ),
    ),
    "figure9": Design(
        "Figure 9: what is found for each objective",
        (*_FOUND.values(), *_BY_HAND.values()),
        (
            Question(_FOUND["task"], _HAND_SET, "accuracy", "above"),
            Question(_FOUND["memory"], _HAND_SET, "memory", "above"),
            Question(_FOUND["spikes"], _HAND_SET, "spikes", "below"),
            Question(_EFFICIENT, _HAND_SET, "efficiency", "above"),
            *(Question(_EFFICIENT, _FOUND[name], "accuracy", "above") for name in ("task", "memory", "spikes")),
            *(Question(_EFFICIENT, _FOUND[name], "spikes", "below") for name in ("task", "memory")),
        ),
    ),
}  # fmt: skip


@lru_cache(maxsize=8)
def config_of(scale: SearchScale, n_neurons: int) -> Config:
    changes = [f"network.n_neurons={n_neurons}", f"learn.n_samples={scale.n_recordings}", "prune=false"]
    return load_config("spoken-digits", changes)


@dataclass(frozen=True, slots=True)
class SearchExperiment:
    """The units of one of `DESIGNS`."""

    name: str
    scale: SearchScale

    def work(self, out: Path) -> Measuring:
        """The units, kept in `out`/units."""
        return Measuring(out / "units", self.plan, self.facts, self.measure)

    def plan(self) -> list[Unit]:
        each = list(product(DESIGNS[self.name].ways, self.scale.n_neurons))
        return [
            Unit("searched", seed, (way.objective or "none", way.arm, way.method, str(n)))
            for seed in range(self.scale.n_seeds)
            for way, n in each
        ]

    def facts(self, unit: Unit) -> Any:
        config = config_of(self.scale, int(unit.options[3]))
        return [_EDITION, self.scale.sizes(), config.model_dump(mode="json")]

    def measure(self, unit: Unit) -> Values:
        """Search, and measure the best point with fresh seeds.

        values, feasible, points   of the trials in their order, as `searched` gives them
        found, expected    laws and numbers that are recommended, and the value that is expected of them; None without a
                           feasible trial, and of networks set by hand {} and None
        fresh              of each fresh seed: objectives on the validation part, and accuracy on the test part
        """
        from hrsnn.optimisation.compared import searched

        objective, arm, method, n_neurons = unit.options
        config, values = config_of(self.scale, int(n_neurons)), dict[str, Any]()
        trials: dict[str, Any] = {"values": [], "feasible": [], "points": [], "params": {}, "expected": None}
        if method != HAND:
            sought = OfNetworks(config, arm, (objective,))
            space, sizes = sought.space(), {"n_trials": self.scale.n_trials, "n_startup": self.scale.n_startup}
            trials = searched(space, sought, method, seed=unit.seed, **sizes)
            values = space.values(trials["params"]) if trials["params"] else {}
        first, found = unit.seed * self.scale.n_fresh, trials.pop("params") is not None
        seeds = range(first, first + self.scale.n_fresh) if found else ()
        told = {name: v if isinstance(v, float) else v.to_toml() for name, v in values.items()} if found else None
        return {**trials, "found": told, "fresh": [self._fresh(config, arm, values, seed) for seed in seeds]}

    def _fresh(self, config: Config, arm: str, values: Mapping[str, Any], seed: int) -> dict[str, float]:
        of = OfNetworks(config, arm, ("task", "memory"))
        task = tasks.shared_task(config.task)
        told = tasks.evaluate_network(of.made(values, seed), task, of.config.readout, label=Label(arm, seed=seed))
        return {**of(values, seed).facts, "accuracy": told.outcome.metrics["accuracy"]}


# -- the document ------------------------------------------------------------------------------------------------------


def searches_document(name: str, order: Order) -> dict[str, Any]:
    """Measure what `out`/units lacks of one of `DESIGNS`; its document.

    Raises `MissingExtraError` without optuna or botorch, `RunError` when a unit fails or a file cannot be written;
    finished units are kept.
    """
    with extra("search", name, "optuna and botorch"):
        import hrsnn.optimisation.compared  # noqa: F401 - asked for before anything is done
    experiment = SearchExperiment(name, order.sizes)
    values = measured(experiment.work(order.out), order.say, n_jobs=order.n_jobs, executor=order.executor)
    return document_of(experiment, values, command=order.command)


def document_of(experiment: SearchExperiment, values: Mapping[str, Values], *, command: str) -> dict[str, Any]:
    """The document from the values of all units."""
    units = []
    for unit in experiment.plan():
        objective, arm, method, n_neurons = unit.options
        names = {"objective": "" if method == HAND else objective, "arm": arm, "method": method}
        units.append({**names, "n_neurons": int(n_neurons), "seed": unit.seed, **values[unit.name]})
    head = document_head(SEARCHES.text, experiment.scale, command)
    return followed({**head, "name": experiment.name, "title": DESIGNS[experiment.name].title, "units": units})


def followed(document: Mapping[str, Any]) -> dict[str, Any]:
    """The document with everything that follows from its raw values made anew; nothing is measured."""
    groups: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
    for unit in document["units"]:
        groups.setdefault(tuple(unit[name] for name in _WAY), []).append(unit)
    ways = [{**dict(zip(_WAY, key, strict=True)), **_way(group)} for key, group in groups.items()]
    plain: dict[str, Any] = plain_values(
        {**document, "ways": ways, "comparisons": _comparisons(DESIGNS[document["name"]], groups)}
    )
    return plain


def _way(units: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Over repeats: the best so far after each trial; the best seen, the same with fresh seeds, and their gap."""
    objective = units[0]["objective"]
    found = dict[str, Any]()
    if objective:
        courses = [best_so_far(unit) for unit in units]
        found["course"] = [spread(at) for at in zip(*courses, strict=True)]
        told = {"seen": [course[-1] for course in courses], "expected": [unit["expected"] for unit in units]}
        fresh = [_mean(unit, objective) for unit in units]
        found |= {name: spread(values) for name, values in (*told.items(), ("fresh", fresh))}
        for name, values in told.items():
            gaps = [None if a is None or b is None else a - b for a, b in zip(values, fresh, strict=True)]
            found[f"gap_of_{name}"] = spread(gaps)
    designs = [{name: quantity(unit, name) for name in ("accuracy", *OBJECTIVES)} for unit in units]
    designs = [{name: value for name, value in one.items() if value is not None} for one in designs]
    known = dict.fromkeys(name for one in designs for name in one)
    return {
        "n": len(units), "designs": designs,
        "quantities": {name: spread([one.get(name) for one in designs]) for name in known}, **found,
    }  # fmt: skip


def _comparisons(design: Design, groups: Mapping[tuple[Any, ...], Sequence[Mapping[str, Any]]]) -> list[dict[str, Any]]:
    """Paired over seeds, for each size of networks."""
    found = []
    for n, question in product(dict.fromkeys(key[-1] for key in groups), design.questions):
        of = [{unit["seed"]: quantity(unit, question.quantity) for unit in groups[*asdict(way).values(), n]}
              for way in (question.a, question.b)]  # fmt: skip
        seeds = [seed for seed in of[0] if of[0][seed] is not None and of[1].get(seed) is not None]
        pairs: Any = [[one[seed] for one in of] for seed in seeds]
        found.append({**asdict(question), "n_neurons": n, "seeds": seeds, "pairs": pairs,
                      **asdict(judge(pairs, question.claimed))})  # fmt: skip
    return found


def quantity(unit: Mapping[str, Any], name: str) -> float | None:
    """What is compared: a quantity with fresh seeds, as people read it, or one of the search.

    course   the best so far, mean over all trials after the first feasible one
    pace     trials until the best so far has come 90 % of its way
    """
    if name in ("course", "pace"):
        known = [value for value in best_so_far(unit) if value is not None]
        if not known:
            return None
        aim = known[0] + _REACHED * (known[-1] - known[0])
        return (
            float(np.mean(known)) if name == "course" else float(next(k for k, v in enumerate(known) if v >= aim) + 1)
        )
    mean = _mean(unit, name)
    return mean if mean is None or name not in OBJECTIVES else OBJECTIVES[name].as_read(mean)


def best_so_far(unit: Mapping[str, Any]) -> list[float | None]:
    """After each trial, of points tried several times by their mean; None before the first feasible one."""
    of_point, found = dict[int, list[float]](), list[float | None]()
    for value, feasible, point in zip(unit["values"], unit["feasible"], unit["points"], strict=True):
        if feasible:
            of_point.setdefault(point, []).append(value)
        found.append(max((float(np.mean(values)) for values in of_point.values()), default=None))
    return found


def _mean(unit: Mapping[str, Any], name: str) -> float | None:
    """Over fresh seeds; None where one of them has no such value."""
    values = [one.get(name) for one in unit["fresh"]]
    return float(np.mean(values)) if values and None not in values else None
