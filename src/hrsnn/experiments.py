"""A run as units of work: which arms, controls and seeds; what one of them does; what all of them say together."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from hrsnn import tasks
from hrsnn._checks import require
from hrsnn.arms import Arm, Calibrate, CutRecurrence, Learn, Step, pruning
from hrsnn.config import Config
from hrsnn.data.dataset import Splits
from hrsnn.engine import Record, simulate
from hrsnn.evaluation import Evaluation, Label
from hrsnn.forecast import ForecastTask
from hrsnn.metrics import interval_of_errors, interval_of_mean, interval_of_positive, interval_of_share, paired_interval
from hrsnn.network import Network
from hrsnn.outcome import Outcome, plain_values
from hrsnn.progress import Progress, ProgressEvent, no_progress
from hrsnn.pruning.document import course_of
from hrsnn.pruning.drive import excerpt, rates_on
from hrsnn.pruning.schedule import Snapshot, Trajectory
from hrsnn.readout import Readout
from hrsnn.spikes import Spikes
from hrsnn.tasks import Task
from hrsnn.vocabulary import CONTROL_ARMS, COSTS, METRICS, Control, kind_of
from hrsnn.work.unit import Unit

_N_HISTOGRAM_BINS = 40
_N_RASTER_SPIKES = 20_000
_RATIO_OF_RATES = (0.67, 1.5)  # pruned over dense; outside a comparison is one of rates


@dataclass(frozen=True, slots=True)
class UnitResult:
    """A finished unit: its outcome, what the report draws, and the trained things (None for controls without).

    `chain` is what brings new recordings to the task, for the trained things to predict.
    """

    outcome: Outcome
    details: dict[str, Any]
    network: Network | None
    readout: Readout | None
    chain: dict[str, Any] | None = None


def plan(config: Config) -> list[Unit]:
    """All units of the run, seed by seed, so that an interrupted run has whole comparisons."""
    task = config.task
    units = []
    for seed in range(task.seed, task.seed + task.n_seeds):
        units += [Unit(arm, seed) for arm in task.arms]
        for control in task.controls:
            if control in CONTROL_ARMS:
                units.append(Unit(CONTROL_ARMS[control], seed))
            elif control == "no-recurrence" or config.learn is not None:  # not learned: untrained is the arm itself
                units.append(Unit(task.arms[-1], seed, ("control", control)))
        if config.prune is not None:
            units += [Unit(task.arms[-1], seed, ("pruned", method)) for method in config.prune.methods]
    return list(dict.fromkeys(units))  # a name that was given twice is done once


def describe_task(config: Config, data_dir: Path | None = None) -> str:
    """One line for people about the data of a run."""
    return tasks.describe(tasks.shared_task(config.task, data_dir))


def run_unit(
    config: Config, unit: Unit, *, data_dir: Path | None = None, progress: Progress = no_progress
) -> UnitResult:
    """Do one unit of work. The result depends on config and unit alone, not on threads or what ran before."""
    started = time.perf_counter()
    with threadpool_limits(1):
        task = tasks.shared_task(config.task, data_dir)
        _check_grid(config, data_dir)
        control = _control_of(unit)
        if control is not None:
            evaluation = tasks.evaluate_control(
                control, task, config.readout, seed=unit.seed, n_neurons=config.network.n_neurons
            )
            network = None
        else:
            evaluation, network = _evaluate_arm(config, unit, task, progress)
    outcome = replace(evaluation.outcome, wall_s=time.perf_counter() - started)
    return UnitResult(outcome, plain_values(evaluation.details), network, evaluation.readout, tasks.chain_of(task))


def _check_grid(config: Config, data_dir: Path | None) -> None:
    """A config that was resolved for other data says so in one sentence."""
    grid = dict(zip(("n_inputs", "dt_ms"), tasks.input_grid(config.task, data_dir), strict=True))
    for name, needed in grid.items():
        given = getattr(config.network, name)
        remedy = "leave it out of the config to take it from the task"
        require(given == needed, "network", name, f"must be {needed:g}, that of the task", given, remedy=remedy)


def _control_of(unit: Unit) -> Control | None:
    return next((control for control, arm in CONTROL_ARMS.items() if arm == unit.kind), None)


def _evaluate_arm(config: Config, unit: Unit, task: Task, progress: Progress) -> tuple[Evaluation, Network]:
    """Make the arm of the unit and evaluate it; the details hold what the report draws."""
    course, ways = _Course(progress), list[Trajectory]()
    label = Label.of(unit)
    arm = _arm_of(config, label, task, progress, course, ways.append)
    stages = list(arm.walk(unit.seed))
    network = stages[-1]
    before = stages[-2] if arm.steps and isinstance(arm.steps[-1], Learn) else network
    evaluation = tasks.evaluate_network(network, task, config.readout, label=label, progress=progress)
    details = evaluation.details
    details["learning"] = course.to_dict()
    for way in ways:
        details["pruning"] = _told_of(way, excerpt(_spikes_of(task)))
        warnings = (*evaluation.outcome.warnings, *_warnings_of(details["pruning"]))
        evaluation = replace(evaluation, outcome=replace(evaluation.outcome, warnings=warnings))
    details["histograms"] = _histograms(before, network, details.pop("rate_hz"))
    if isinstance(task, Splits) and label.stage == "trained" and unit.seed == config.task.seed:
        details["raster"] = _raster(network, task)
    return evaluation, network


def _arm_of(
    config: Config,
    label: Label,
    task: Task,
    progress: Progress,
    course: Progress,
    on_way: Callable[[Trajectory], object],
) -> Arm:
    """The arm of a label: drawn, calibrated, pruned before it learns, taught; a control leaves out one thing.

    course   is told how it learns last; `on_way`: how it was pruned
    """
    steps: list[Step] = [CutRecurrence()] if label.method == "no-recurrence" else []
    rule, seed = config.network.input, label.seed
    if rule.calibrate:
        steps.append(Calibrate(task.train, rule, seed))
    learning = None if config.learn is None else Learn(config.learn, task.train, seed, progress)
    if config.prune is not None and label.stage == "pruned" and label.method is not None:
        n, train = config.prune.n_iterations, _spikes_of(task)

        def on_snapshot(snapshot: Snapshot) -> None:
            progress(ProgressEvent("pruning", snapshot.index, n))

        steps.append(
            pruning(
                label.method, config.prune, train, learning=learning, seed=seed, on_snapshot=on_snapshot, on_end=on_way
            )
        )
    if learning is not None and label.method != "untrained":
        steps.append(replace(learning, progress=course))
    return Arm(label.arm, config.network.arm(label.arm), tuple(steps))


def _spikes_of(task: Task) -> Spikes:
    """Those of the training part."""
    return task.train if isinstance(task, ForecastTask) else task.train.spikes


def _told_of(way: Trajectory, looked_at: Spikes) -> dict[str, Any]:
    """The way of a pruned network as plain values, with rates before and after it on `looked_at`, before it learns."""
    rates_hz = [
        float(rates_on(snapshot.network, looked_at).mean()) for snapshot in (way.snapshots[0], way.snapshots[-1])
    ]
    on_data = {
        "n_recordings": looked_at.n_samples, "dense_rate_hz": rates_hz[0], "pruned_rate_hz": rates_hz[1],
        "ratio": rates_hz[1] / rates_hz[0] if rates_hz[0] else None,
    }  # fmt: skip
    return {"stopped": way.stopped, "on_data": on_data, **course_of(way)}


def _warnings_of(way_there: dict[str, Any]) -> list[str]:
    ratio, (low, high) = way_there["on_data"]["ratio"], _RATIO_OF_RATES
    found = [f"pruning: {way_there['stopped']}"] if way_there["stopped"] else []
    if ratio is not None and not low <= ratio <= high:
        found.append(f"pruning: before learning it fires {ratio:.2g} times as much as the dense one on the data")
    return found


class _Course:
    """Passes progress on and keeps about fifty points of the course of learning."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._events: list[ProgressEvent] = []

    def __call__(self, event: ProgressEvent) -> None:
        if event.done == event.total or event.done % max(1, event.total // 50) == 0:
            self._events.append(event)
        self._progress(event)

    def to_dict(self) -> dict[str, list[float | None]]:
        return {
            "sample": [event.done for event in self._events],
            "spikes_per_neuron": [event.spikes_per_neuron for event in self._events],
            "silent_share": [event.silent_share for event in self._events],
        }


# -- material of the report ------------------------------------------------------------------------------------------


def _histograms(before: Network, after: Network, rate_hz: NDArray[Any]) -> dict[str, Any]:
    excitatory = before.neurons.sign > 0
    columns: dict[str, NDArray[Any]] = {
        "tau_mem_ms_excitatory": before.neurons.tau_mem_ms[excitatory],
        "tau_mem_ms_inhibitory": before.neurons.tau_mem_ms[~excitatory],
        "v_th": before.neurons.v_th,
        "a_plus": before.inputs.a_plus,
        "tau_plus_ms": before.inputs.tau_plus_ms,
        "rate_hz": rate_hz,
    }
    found = {name: _histogram(values, [values]) for name, values in columns.items() if values.size}
    for table in ("recurrent", "inputs"):
        weights = [np.abs(getattr(network, table).weight) for network in (before, after)]
        if weights[0].size:
            stem = "weight_recurrent" if table == "recurrent" else "weight_input"
            found[f"{stem}_before"] = _histogram(weights[0], weights)
            found[f"{stem}_after"] = _histogram(weights[1], weights)
    return found


def _histogram(values: NDArray[Any], sharing_edges: Sequence[NDArray[Any]]) -> dict[str, Any]:
    together = np.concatenate(sharing_edges).astype(float)
    edges = np.histogram_bin_edges(together, bins=_N_HISTOGRAM_BINS)
    return {"edges": edges, "counts": np.histogram(values.astype(float), bins=edges)[0]}


def _raster(network: Network, task: Splits) -> dict[str, Any]:
    """Input and spikes of the first test recording; excitatory neurons first, each group by rising time constant."""
    sample = task.test.spikes.select([0])
    spikes = simulate(network, sample, record=Record(spikes=True)).spikes
    assert spikes is not None
    order = np.lexsort((network.neurons.tau_mem_ms, network.neurons.sign < 0))
    row = np.empty(network.n_neurons, dtype=np.int64)
    row[order] = np.arange(network.n_neurons)
    shown = slice(None, None, 1 + spikes.n_events // _N_RASTER_SPIKES)
    return {
        "time_ms": spikes.step[shown] * spikes.dt_ms,
        "unit": row[spikes.unit[shown]],
        "n_neurons": network.n_neurons,
        "n_excitatory": network.n_excitatory,
        "duration_ms": sample.n_steps * sample.dt_ms,
        "label": task.class_names[task.test.labels[0]],
        "input_time_ms": sample.step * sample.dt_ms,
        "input_unit": sample.unit,
        "n_inputs": sample.n_units,
    }


# -- all units together ----------------------------------------------------------------------------------------------


def summarise(
    config: Config, results: Sequence[tuple[Outcome, dict[str, Any]]], *, data_dir: Path | None = None
) -> dict[str, Any]:
    """The document of results.json without its head: outcomes, means over seeds, paired comparisons.

    docs/reference/run-directory.md describes it.
    """
    results = sorted(results, key=lambda result: result[0].sort_key)
    groups: dict[str, list[tuple[Outcome, dict[str, Any]]]] = defaultdict(list)
    for outcome, details in results:
        groups[outcome.label].append((outcome, details))
    task = tasks.shared_task(config.task, data_dir)
    facts = {"description": tasks.describe(task)}
    if isinstance(task, Splits):
        facts |= {"licence": task.licence, "source": task.source}
    return {
        "task": config.task.name,
        "data": facts,
        "outcomes": [outcome.to_dict() for outcome, _ in results],
        "summary": [_summary(group) for group in groups.values()],
        "comparisons": _comparisons(config, groups),
    }


def _summary(group: list[tuple[Outcome, dict[str, Any]]]) -> dict[str, Any]:
    outcomes = [outcome for outcome, _ in group]
    first = outcomes[0]
    scores = [_scores(details) for _, details in group]

    def spread(values: list[Any], interval: Callable[[Any], list[float] | None] = _cost_interval) -> dict[str, Any]:
        known = np.array([v for v in values if v is not None], dtype=float)
        if known.size == 0:
            return {"mean": None, "sd": None, "ci95": None}
        sd = float(known.std(ddof=1)) if known.size > 1 else None
        return {"mean": float(known.mean()), "sd": sd, "ci95": interval(known)}

    costs: dict[str, Any] = {}
    for name, value in first.costs.items():
        if isinstance(value, dict):
            costs[name] = {key: spread([o.costs[name][key] for o in outcomes]) for key in value}
        else:
            costs[name] = spread(
                [o.costs[name] for o in outcomes],
                _share_interval if name in COSTS and COSTS[name].is_share else _cost_interval,
            )
    return {
        "arm": first.arm,
        "stage": first.stage,
        "method": first.method,
        "n_seeds": len(outcomes),
        "metrics": {
            name: spread([o.metrics.get(name) for o in outcomes], _interval_of_metric(name, scores))
            for name in first.metrics
        },
        "costs": costs,
    }


def _interval_of_metric(name: str, scores: list[dict[str, NDArray[np.float64]]]) -> Callable[[Any], list[float] | None]:
    """An interval that stays where the metric can be: errors above 0, shares and prediction times within their bounds.

    Shares and times are resampled over seeds and test recordings (or starts); without those the t-interval is cut.
    """
    if kind_of(name) == "error":
        return interval_of_positive
    of_seeds = [seed[name] for seed in scores if name in seed]
    if len(of_seeds) == len(scores) and len({v.size for v in of_seeds}) == 1 and np.isfinite(of_seeds).all():
        whole = interval_of_share if kind_of(name) == "share" else paired_interval
        return lambda _: whole(np.array(of_seeds))
    if kind_of(name) in ("share", "time"):
        return lambda known: _cut(interval_of_mean(known), 0.0, 1.0 if kind_of(name) == "share" else np.inf)
    return interval_of_mean


def _cost_interval(known: NDArray[np.float64]) -> list[float] | None:
    """Costs are counts and shares of them; none is negative."""
    if known.min() < 0:  # a file made by hand
        return interval_of_mean(known)
    return interval_of_positive(known)


def _share_interval(known: NDArray[np.float64]) -> list[float] | None:
    return _cut(_cost_interval(known), 0.0, 1.0)


def _cut(interval: list[float] | None, low: float, high: float) -> list[float] | None:
    return None if interval is None else [min(max(bound, low), high) for bound in interval]


def _comparisons(config: Config, groups: dict[str, list[tuple[Outcome, dict[str, Any]]]]) -> list[dict[str, Any]]:
    """The last arm against every other arm and control, the arms against the first, pruned networks, each paired."""
    reference: str = config.task.arms[-1]
    pruned = _pruned_labels(config)
    pairs = [(reference, label) for label in groups if label != reference and label not in pruned]
    pairs += [(str(arm), str(config.task.arms[0])) for arm in config.task.arms[1:-1]]
    pairs += [(label, reference) for label in pruned]
    pairs += [(label, f"{reference}/control/no-recurrence") for label in pruned]
    pairs += [(label, other) for label in pruned[:1] for other in pruned[1:]]
    return [row for a, b in pairs if a in groups and b in groups for row in _compared(a, b, groups[a], groups[b])]


def _compared(
    a: str, b: str, of_a: list[tuple[Outcome, dict[str, Any]]], of_b: list[tuple[Outcome, dict[str, Any]]]
) -> list[dict[str, Any]]:
    """One row per score that both have; none for one and the same network under two names."""
    by_seed = [{o.seed: (o, _scores(details), _cut_share(details)) for o, details in group} for group in (of_a, of_b)]
    seeds = sorted(by_seed[0].keys() & by_seed[1].keys())
    units = [(by_seed[0][seed], by_seed[1][seed]) for seed in seeds]
    hashes = [(x.network.get("hash"), y.network.get("hash")) for (x, *_), (y, *_) in units]
    if hashes and all(x is not None and x == y for x, y in hashes):
        return []
    found = []
    for metric in units[0][0][1] if units else ():
        if not all(metric in y for _, (_, y, _) in units):
            continue
        pair = [np.array([unit[k][1][metric] for unit in units]) for k in (0, 1)]
        difference = pair[0] - pair[1]
        known = bool(np.isfinite(difference).all())
        interval = None
        if known and kind_of(metric) == "error":
            favoured = _favoured_by_limits(difference, [(x, y) for (*_, x), (*_, y) in units])
            interval = interval_of_errors(pair[0], pair[1], favoured)
        elif known:
            interval = paired_interval(difference)
        diff = float(difference.mean()) if known else None
        found.append({"a": a, "b": b, "metric": metric, "diff": diff, "ci95": interval, "n_pairs": len(seeds)})
    return found


def _favoured_by_limits(
    difference: NDArray[np.float64], cut: list[tuple[NDArray[Any] | float, NDArray[Any] | float]]
) -> NDArray[np.bool_]:
    """Where the arm with the smaller error ran away and was cut: it may owe that to the limits of forecasts."""
    ran_a, ran_b = (np.array([np.broadcast_to(pair[k], difference.shape[1:]) > 0 for pair in cut]) for k in (0, 1))
    return np.asarray(np.where(difference < 0, ran_a, ran_b) & (difference != 0))


def _cut_share(details: dict[str, Any]) -> NDArray[np.float64] | float:
    """Per start of a forecast, the share of values that were cut to the limits."""
    return np.asarray(details.get("by_start", {}).get("cut", 0.0), dtype=float)


def _pruned_labels(config: Config) -> list[str]:
    """The names of pruned networks in comparisons, in the order of the config."""
    methods = config.prune.methods if config.prune is not None else []
    return list(dict.fromkeys(f"{config.task.arms[-1]}/pruned/{method}" for method in methods))


def _scores(details: dict[str, Any]) -> dict[str, NDArray[np.float64]]:
    """Per test recording, or per start of a forecast, the scores that comparisons are made of."""
    if "predictions" in details:
        right = np.asarray(details["predictions"]) == np.asarray(details["labels"])
        scores = {"accuracy": right.astype(float)}
        for part in ("seen", "unseen"):
            rows = np.asarray(details.get(part, []), dtype=bool)
            if rows.any():
                scores[f"accuracy_{part}"] = right[rows].astype(float)
        return scores
    by_start = details.get("by_start", {})
    compared = (metric.name for metric in METRICS.values() if metric.compared)
    return {name: np.asarray(by_start[name], dtype=float) for name in compared if name in by_start}
