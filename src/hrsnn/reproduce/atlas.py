"""The atlas: where heterogeneity pays. Networks of every cell, scored, and the document that follows from the scores.

Nothing is chosen by what is seen here: networks and readouts are those of the configs, the penalty of each readout is
chosen on validation data, and test parts are scored once. docs/how-to/reproduce.md describes the document;
`hrsnn.report.atlas` draws it and says what to make of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from hrsnn import tasks
from hrsnn.arms import Arm, steps_of
from hrsnn.classification import accuracies, fit, simulated
from hrsnn.data.dataset import Splits
from hrsnn.encode.duration import stretch
from hrsnn.evaluation import Label
from hrsnn.metrics import NEGLIGIBLE
from hrsnn.network import Network
from hrsnn.outcome import plain_values
from hrsnn.readout import ReadoutSpec, units_read
from hrsnn.reproduce.atlas_tasks import CASES, World, world_of
from hrsnn.reproduce.conditions import CONDITIONS, KINDS, Condition, Kind, Networks, sharing
from hrsnn.reproduce.measurements import coalition_spec, rows_of_share
from hrsnn.reproduce.scales import AtlasScale, Order
from hrsnn.reproduce.store import Measuring, document_head, measured
from hrsnn.reproduce.units import Values, coalition_name
from hrsnn.reproduce.verdict import judge, surviving_holm
from hrsnn.spec import NetworkSpec
from hrsnn.spikes import Spikes
from hrsnn.vocabulary import ATLAS, higher_is_better
from hrsnn.work.unit import Unit

N_LEAST = 5  # pairs of a cell that may be certain: fewer agree by chance too often
ALPHA = 0.05  # of all cells together, Holm 1979 (Scandinavian Journal of Statistics 6, 65)
_EDITION = 1  # of what units measure: raised when it changes, so that older files are no units any more
_TAU_FILTER_MS = 200.0  # of the final state: the 30 ms of method.md 7.1 leave nothing of a word after 50 ms of silence

# -- networks ----------------------------------------------------------------------------------------------------------


def spec_of(spec: NetworkSpec, networks: Networks, kind: Kind) -> NetworkSpec:
    """`spec` with the spreads of a kind alone, under what sets `networks` apart."""
    changes: dict[str, Any] = {"gain": kind.gain, "n_neurons": max(1, round(networks.size * spec.n_neurons))}
    for sign in ("excitatory", "inhibitory"):
        population = getattr(spec, sign)
        law = replace(population.tau_mem_ms, mean=networks.tau * population.tau_mem_ms.mean)
        changes[sign] = population.model_copy(update={"tau_mem_ms": law})
    weights = {name: networks.drive * getattr(spec.input, name) for name in ("weight_excitatory", "weight_inhibitory")}
    changes["input"] = spec.input.model_copy(update=weights)
    return coalition_spec(spec.model_copy(update=changes), coalition_name(kind.spread))


def network_of(world: World, networks: Networks, kind: Kind, seed: int) -> Network:
    """A network of a kind as it is scored."""
    spec, data = spec_of(world.spec, networks, kind), world.task.train
    rule = spec.input.model_copy(update={"calibrate": networks.calibrated or spec.input.calibrate})
    return Arm(kind.name, spec, steps_of(rule, world.learner if kind.learned else None, data, seed=seed)).made(seed)


# -- scores ------------------------------------------------------------------------------------------------------------


def scores_of(network: Network, world: World, conditions: Sequence[Condition], seed: int) -> Values:
    """Name of a condition -> score and spikes per neuron and sample, of all conditions that share the network."""
    if isinstance(world.task, Splits):
        return _classified(network, world.task, world.readout, conditions, seed)
    outcome = tasks.evaluate_network(network, world.task, world.readout, label=Label(seed=seed)).outcome
    spikes = outcome.costs["spikes_per_neuron"]
    return {one.name: {"score": outcome.metrics[one.metric], "spikes": spikes} for one in conditions}


def _classified(
    network: Network, task: Splits, readout: ReadoutSpec, conditions: Sequence[Condition], seed: int
) -> Values:
    """Each part is simulated once, and the test part once more for each speed."""
    ways = {name: _readout(readout, name) for name in dict.fromkeys(one.readout for one in conditions)}

    def seen(spikes: Spikes) -> tuple[dict[str, Any], float]:
        windows, counts = simulated(network, spikes, list(ways.values()))
        return dict(zip(ways, windows, strict=True)), float(counts.mean())

    parts = {part: seen(getattr(task, part).spikes)[0] for part in ("train", "validation")}
    at_speed = {speed: seen(_test_at(task, speed)) for speed in dict.fromkeys(one.speed for one in conditions)}
    units, fitted, found = units_read(network, readout), {}, {}
    for one in conditions:
        if (one.readout, one.share) not in fitted:
            rows = {part: rows_of_share(getattr(task, part), one.share, seed) for part in parts}
            windows = {part: of_ways[one.readout][rows[part]] for part, of_ways in parts.items()}
            less = replace(task, **{part: getattr(task, part).select(rows[part]) for part in parts})
            choice = fit(windows, less, ways[one.readout], units=units, seed=seed)
            fitted[one.readout, one.share] = choice.readout
        windows_of_test, spikes = at_speed[one.speed]
        predictions = fitted[one.readout, one.share].classes(windows_of_test[one.readout])
        found[one.name] = {"score": accuracies(predictions, task)[one.metric], "spikes": spikes}
    return found


def _readout(readout: ReadoutSpec, name: str) -> ReadoutSpec:
    if name == "bins":
        return readout
    filtered = {"features": "filtered", "tau_filter_ms": _TAU_FILTER_MS} if name == "filtered" else {}
    return readout.model_copy(update={"n_bins": [1], **filtered})


def _test_at(task: Splits, speed: float) -> Spikes:
    """The test part at another speed than the one that all recordings were brought to; the silence after it stays."""
    if speed == 1:
        return task.test.spikes
    assert task.stretched is not None
    duration_ms, tail_ms = task.stretched
    return stretch(task.test.spikes, duration_ms=duration_ms / speed, tail_ms=tail_ms)


# -- units -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Atlas:
    """The units of the atlas: one network of one kind each, with the scores of all conditions that share it."""

    scale: AtlasScale
    conditions: tuple[Condition, ...] = CONDITIONS
    data_dir: Path | None = None

    def work(self, out: Path) -> Measuring:
        """The units, kept in `out`/units."""
        return Measuring(out / "units", self.plan, self.facts, self.measure)

    def plan(self) -> list[Unit]:
        """Seed by seed, so that a run that was stopped has all cells."""
        each = [(networks, kind) for networks, some in sharing(self.conditions).items() for kind in _kinds(some)]
        return [
            Unit("atlas", seed, (networks.name, kind.name))
            for seed in range(self.scale.n_seeds)
            for networks, kind in each
        ]

    def facts(self, unit: Unit) -> Any:
        networks, kind, conditions = self._of(unit)
        world = self._world(networks)
        spec = spec_of(world.spec, networks, kind).to_dict()
        readout, learner = (table.model_dump(mode="json") for table in (world.readout, world.learner))
        asked = [asdict(one) | {"group": "", "label": "", "when": ""} for one in conditions]
        taught = learner if kind.learned else None
        return [_EDITION, self.scale.sizes(), spec, readout, taught, asked, world.digest]

    def measure(self, unit: Unit) -> Values:
        """Name of a condition -> its score, and spikes per neuron and sample of the test part (of a series: value)."""
        networks, kind, conditions = self._of(unit)
        world = self._world(networks)
        return scores_of(network_of(world, networks, kind, unit.seed), world, conditions, unit.seed)

    def _world(self, networks: Networks) -> World:
        return world_of(networks.case, self.scale, self.data_dir)

    def _of(self, unit: Unit) -> tuple[Networks, Kind, list[Condition]]:
        name, kind = unit.options[0], KINDS[unit.options[1]]
        networks, some = next(pair for pair in sharing(self.conditions).items() if pair[0].name == name)
        return networks, kind, [one for one in some if kind in one.kinds()]


def _kinds(conditions: Sequence[Condition]) -> list[Kind]:
    return [kind for kind in KINDS.values() if any(kind in one.kinds() for one in conditions)]


# -- document ----------------------------------------------------------------------------------------------------------


def atlas_document(order: Order) -> dict[str, Any]:
    """Measure what `out`/units lacks; the document of atlas.json. Conditions whose data are missing are left out.

    Raises `RunError` when a unit fails or a file cannot be written; finished units are kept.
    """
    scale: AtlasScale = order.sizes
    there, left_out = order.described(
        scale.cases or CASES, lambda case: world_of(case, scale, order.data_dir).task.description
    )
    conditions = tuple(one for one in CONDITIONS if one.of.case in there)
    atlas = Atlas(scale, conditions, order.data_dir)
    values = measured(atlas.work(order.out), order.say, n_jobs=order.n_jobs, executor=order.executor)
    return document_of(atlas, values, command=order.command, tasks=there, left_out=left_out)


def document_of(
    atlas: Atlas,
    values: Mapping[str, Values],
    *,
    command: str,
    tasks: Mapping[str, str],
    left_out: Mapping[str, str],
) -> dict[str, Any]:
    """The document from the values of all units; `tasks` has a line on each task, `left_out` why one is missing."""
    raw: dict[str, dict[str, Any]] = {
        one.name: {kind.name: {"score": [], "spikes": []} for kind in one.kinds()} for one in atlas.conditions
    }
    for unit in atlas.plan():
        for condition, found in values[unit.name].items():
            for name, value in found.items():
                raw[condition][unit.options[1]][name].append(value)
    named = ("group", "label", "when", "metric")
    return followed(
        {
            **document_head(ATLAS.text, atlas.scale, command),
            "title": "Where heterogeneity pays",
            "tasks": dict(tasks),
            "left_out": dict(left_out),
            "kinds": [{**asdict(kind), "spread": list(kind.spread)} for kind in KINDS.values()],
            "conditions": [
                {"name": one.name, "case": one.of.case, **{name: getattr(one, name) for name in named}}
                for one in atlas.conditions
            ],
            "raw": raw,
        }
    )


def followed(document: Mapping[str, Any]) -> dict[str, Any]:
    """The document with everything that follows from its raw scores made anew; nothing is measured.

    A cell is better or worse than its twin where the t-test of its pairs survives Holm's correction for all cells with
    `N_LEAST` pairs or more; else nothing is shown. `shown` is the effect with its 95 % t-interval, better being above
    zero: points of accuracy, or per cent of the twin's error. Errors that differ by less than a thousandth are equal. A
    cell in which all pairs are equal has "no answer" (the readout takes nothing from the networks) and is not counted.
    """
    cells = [
        _cell(condition, kind, document["raw"][condition["name"]])
        for condition in document["conditions"]
        for kind in document["kinds"]
        if kind["twin"] and kind["name"] in document["raw"][condition["name"]]
    ]
    p_values = [cell["p"] if cell["answers"] and cell["n"] >= N_LEAST else None for cell in cells]
    for cell, survives in zip(cells, surviving_holm(p_values, ALPHA), strict=True):
        cell["survives_holm"] = survives
        shown = "not shown" if not survives else "better" if cell["shown"]["effect"] > 0 else "worse"
        cell["verdict"] = shown if cell["answers"] else "no answer"
    counts = {
        "n_cells": sum(cell["answers"] for cell in cells),
        "n_alone": sum(p is not None and p < ALPHA for p in p_values),
        "n_surviving_holm": sum(cell["survives_holm"] for cell in cells),
    }
    made: dict[str, Any] = plain_values({**document, "alpha": ALPHA, "cells": cells, **counts})
    return made


def _cell(condition: Mapping[str, Any], kind: Mapping[str, Any], raw: Mapping[str, Any]) -> dict[str, Any]:
    ours, theirs = raw[kind["name"]], raw[kind["twin"]]
    higher = higher_is_better(condition["metric"])
    pairs = list(zip(ours["score"], theirs["score"], strict=True))
    if not higher:
        pairs = [(b, b) if abs(a - b) < NEGLIGIBLE * max(a, b) else (a, b) for a, b in pairs]
    found = judge(pairs, "above" if higher else "below")
    unit = 100.0 if higher else -100.0 / found.mean_b if found.mean_b else 0.0
    spent = np.mean(ours["spikes"]), np.mean(theirs["spikes"])
    return {
        "condition": condition["name"], "kind": kind["name"], "n": found.n, "answers": any(a != b for a, b in pairs),
        "mean": found.mean_a,
        "twin": found.mean_b, "effect": found.effect, "ci95": found.ci95, "d_z": found.d_z, "p": found.p,
        "shown": {
            "effect": unit * (found.effect or 0.0),
            "ci95": None if found.ci95 is None else sorted(unit * end for end in found.ci95),
        },
        "spikes_ratio": spent[0] / spent[1] if spent[1] > 0 else None,
    }  # fmt: skip
