"""What each figure and table about pruning compares, and its document: raw values of units, and all that follows.

docs/how-to/reproduce.md describes the document; `hrsnn.report.reproduced` draws it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from hrsnn._checks import FileError
from hrsnn.metrics import spread
from hrsnn.outcome import plain_values
from hrsnn.reproduce import published
from hrsnn.reproduce.pruned import DIGITS, METHODS, PruningExperiment, task_of
from hrsnn.reproduce.scales import Order, PruningScale
from hrsnn.reproduce.store import document_head, measured
from hrsnn.reproduce.units import Values
from hrsnn.reproduce.verdict import Side, judge
from hrsnn.vocabulary import REPRODUCTION, higher_is_better

_N_BINS = 30
_NAMES = ("case", "model", "method")  # of what is repeated over seeds

_WAYS = ("unpruned", "no-recurrence", "activity", "lnp-published", "lnp", "random")
_BRANCHES = ("step-1", "step-2", "steps-12", "steps-123", "steps-124", "steps-1234", "random-1")
_RIVALS = tuple((lnp, rival) for lnp in ("lnp-published", "lnp") for rival in ("activity", "random"))

# The scores that are compared; the first of two methods is claimed to be on their better side.
_COMPARED = {"forecast": ("rmse", "vpt_steps"), "digits": ("accuracy",)}


@dataclass(frozen=True, slots=True)
class Design:
    """A figure or table.

    cases        tasks; None takes the series of the scale
    comparisons  methods (a, b), of which a is claimed to be better
    """

    title: str
    cases: tuple[str, ...] | None
    models: tuple[str, ...]
    methods: tuple[str, ...]
    scored: Literal["way", "end", "none"]
    comparisons: tuple[tuple[str, str], ...] = ()

    def experiment(self, scale: PruningScale, data_dir: Path | None) -> PruningExperiment:
        cases = scale.series if self.cases is None else self.cases
        return PruningExperiment(scale, cases, self.models, self.methods, self.scored, data_dir)


DESIGNS = {
    "figure10": Design(
        "Figure 10: size and error on the way",
        ("lorenz63",), ("HRSNN",), _WAYS, "way", (("unpruned", "no-recurrence"), *_RIVALS),
    ),
    "figure11": Design(
        "Figure 11: time constants before and after",
        ("lorenz63",), ("HRSNN",), ("unpruned", "activity", "lnp-published", "lnp"), "none",
    ),
    "figure12": Design(
        "Figure 12: the four steps, one by one",
        (DIGITS,), ("HRSNN",), ("unpruned", "no-recurrence", *_BRANCHES, "lnp"), "way",
        (
            ("unpruned", "no-recurrence"), ("step-1", "random-1"), ("step-2", "random-1"), ("steps-12", "step-1"),
            ("steps-12", "step-2"), ("steps-123", "steps-12"), ("steps-124", "steps-12"), ("steps-1234", "steps-12"),
            ("steps-1234", "random-1"), ("lnp", "random-1"),
        ),
    ),
    "table5": Design(
        "Table V: forecasts by pruned networks",
        None, ("HRSNN", "CHRSNN"), _WAYS, "end", (("unpruned", "no-recurrence"), *_RIVALS),
    ),
}  # fmt: skip


def pruning_document(name: str, order: Order) -> dict[str, Any]:
    """Measure what `out`/units lacks of one of `DESIGNS`; its document. A task whose data are missing is left out.

    Raises `FileError` where no task is left, `RunError` when a unit fails or a file cannot be written; finished units
    are kept.
    """
    experiment = DESIGNS[name].experiment(order.sizes, order.data_dir)
    there, left_out = order.described(
        experiment.cases, lambda case: task_of(case, "HRSNN", order.sizes, order.data_dir).description
    )
    if not there:
        raise FileError("; ".join(left_out.values()))
    experiment = replace(experiment, cases=tuple(there))
    values = measured(experiment.work(order.out), order.say, n_jobs=order.n_jobs, executor=order.executor)
    return document_of(name, experiment, values, command=order.command, tasks=there, left_out=left_out)


def document_of(
    name: str,
    experiment: PruningExperiment,
    values: Mapping[str, Values],
    *,
    command: str,
    tasks: Mapping[str, str],
    left_out: Mapping[str, str],
) -> dict[str, Any]:
    """The document from the values of all units; `tasks` has a line on each task, `left_out` why one is missing."""
    design = DESIGNS[name]
    units = []
    for unit in experiment.plan():
        of_unit = {k: v for k, v in values[unit.name].items() if k != "tau_mem_ms" or design.scored == "none"}
        units.append({**dict(zip(_NAMES, unit.options, strict=True)), "seed": unit.seed, **of_unit})
    return followed(
        {
            **document_head(REPRODUCTION.text, experiment.scale, command),
            "name": name,
            "title": design.title,
            "tasks": dict(tasks),
            "left_out": dict(left_out),
            "methods": {method: METHODS[method].words for method in design.methods},
            "units": units,
        }
    )


# -- what follows from the raw values ----------------------------------------------------------------------------------


def followed(document: Mapping[str, Any]) -> dict[str, Any]:
    """The document with everything that follows from its raw values made anew; nothing is measured."""
    units = document["units"]
    groups: dict[tuple[str, str, str], list[Mapping[str, Any]]] = {}
    for unit in units:
        groups.setdefault((unit["case"], unit["model"], unit["method"]), []).append(unit)
    names = {key: dict(zip(_NAMES, key, strict=True)) for key in groups}
    stopped = [unit for unit in units if unit["stopped"]]
    found = {
        **document,
        "ways": [{**names[key], **_way(group)} for key, group in groups.items()],
        "rows": [{**names[key], **_row(key, group, groups)} for key, group in groups.items() if group[0]["points"]],
        "comparisons": _comparisons(DESIGNS[document["name"]], groups),
        "time_constants": _time_constants(groups) if "tau_mem_ms" in units[0] else [],
        "stopped": [{**{n: unit[n] for n in (*_NAMES, "seed")}, "why": unit["stopped"]} for unit in stopped],
    }
    plain: dict[str, Any] = plain_values(found)
    return plain


def _spread(values: Sequence[float | None]) -> dict[str, Any]:
    """Over the seeds that have a value, and how many these are."""
    return {"n": sum(value is not None for value in values), **spread(values)}


def _way(group: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Means over seeds: sizes after each iteration, scores after those that were scored."""
    longest = max((unit["course"] for unit in group), key=lambda course: len(course["iteration"]))
    iterations = sorted({point["iteration"] for unit in group for point in unit["points"]})
    points = [[p for unit in group for p in unit["points"] if p["iteration"] == k] for k in iterations]
    return {
        "sizes": {name: longest[name] for name in ("iteration", "n_neurons", "n_synapses")},
        "iteration": iterations,
        "metrics": {
            name: [_spread([p["metrics"][name] for p in some]) for some in points]
            for name in (points[0][0]["metrics"] if points else ())
        },
        "costs": {name: [_spread([_spent(p, name) for p in some]) for some in points] for name in _SPENT},
    }


_SPENT = ("synops_recurrent", "synops")  # recurrent operations per sample, and all of them


def _spent(point: Mapping[str, Any], name: str) -> float:
    costs: Mapping[str, float] = point["costs"]
    return costs[name] if name in costs else sum(costs[f"synops_{kind}"] for kind in ("input", "recurrent", "readout"))


Groups = Mapping[tuple[str, str, str], Sequence[Mapping[str, Any]]]
Ends = dict[int, Mapping[str, Any]]


def _ends(group: Sequence[Mapping[str, Any]]) -> Ends:
    """Seed -> the point at the end of the way, of the seeds whose way has all its points."""
    n = max(len(unit["points"]) for unit in group)
    return {unit["seed"]: unit["points"][-1] for unit in group if len(unit["points"]) == n > 0}


def _row(key: tuple[str, str, str], group: Sequence[Mapping[str, Any]], groups: Groups) -> dict[str, Any]:
    """One line of a table: the end of the way."""
    case, model, method = key
    ends = _ends(group)
    some = list(ends.values())
    dense = _ends(groups[case, model, "unpruned"])
    return {
        "n_neurons": _spread([end["n_neurons"] for end in some])["mean"],
        "n_synapses": _spread([end["n_synapses"] for end in some])["mean"],
        "rate_hz": _spread([end["rate_hz"] for end in some]),
        "metrics": {name: _spread([end["metrics"][name] for end in some]) for name in some[0]["metrics"]},
        "costs": {name: _spread([_spent(end, name) for end in some]) for name in _SPENT},
        "fewer": {name: _fewer(dense, ends, name) for name in _SPENT},
        "published": _published(case, model, method),
    }


def _fewer(dense: Ends, ends: Ends, name: str) -> float | None:
    """How many times more the unpruned networks spend, of means over the same seeds."""
    before, after = (sum(_spent(of[seed], name) for seed in ends if seed in dense) for of in (dense, ends))
    return before / after if after else None


def _published(case: str, model: str, method: str) -> dict[str, Any]:
    scores = published.SCORES.get((method, model), {})
    metrics = {metric: {"mean": m, "sd": sd} for (of, metric), (m, sd) in scores.items() if of == case}
    fewer = published.fewer_operations(method, model) if case != DIGITS else None
    return {"metrics": metrics, "fewer_operations": fewer}


def _comparisons(design: Design, groups: Groups) -> list[dict[str, Any]]:
    """Paired over seeds, at the end of the way."""
    found = []
    for case, model in dict.fromkeys((case, model) for case, model, _ in groups):
        for a, b in design.comparisons:
            ends = [_ends(groups[case, model, method]) for method in (a, b)]
            seeds = sorted(ends[0].keys() & ends[1].keys())
            for metric in _COMPARED["digits" if case == DIGITS else "forecast"]:
                side: Side = "above" if higher_is_better(metric) else "below"
                pairs = [[end[seed]["metrics"][metric] for end in ends] for seed in seeds]
                names = {"case": case, "model": model, "a": a, "b": b, "metric": metric, "claimed": side}
                found.append({**names, "seeds": seeds, "pairs": pairs, **asdict(judge(pairs, side))})
    return found


def _time_constants(groups: Groups) -> list[dict[str, Any]]:
    """Pooled over seeds, by method and sign; all of a sign over the same edges, the last bin open."""
    found = []
    for sign in ("excitatory", "inhibitory"):
        pooled = {key: np.concatenate([unit["tau_mem_ms"][sign] for unit in group]) for key, group in groups.items()}
        edges = np.linspace(0, np.quantile(np.concatenate(list(pooled.values())), 0.99), _N_BINS + 1)
        for (case, model, method), after in pooled.items():
            before = pooled[case, model, "unpruned"]
            counts = [np.histogram(np.minimum(values, edges[-1]), edges)[0] for values in (before, after)]
            found.append(
                {
                    "case": case, "model": model, "method": method, "sign": sign, "n": after.size,
                    "mean_ms": after.mean(), "sd_ms": after.std(ddof=1) if after.size > 1 else None,
                    "median_ms": np.median(after), "edges": edges, "before": counts[0], "after": counts[1],
                }
            )  # fmt: skip
    return found
