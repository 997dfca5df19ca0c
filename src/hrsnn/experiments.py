"""A run as units of work: which arms, controls and seeds, and what one of them does."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from hrsnn import tasks
from hrsnn._checks import require
from hrsnn.arms import Arm, Learn, OnEnd, steps_of
from hrsnn.config import Config
from hrsnn.controls import control_arm, evaluate_control
from hrsnn.evaluation import Evaluation, Label
from hrsnn.network import Network
from hrsnn.outcome import plain_values
from hrsnn.progress import Progress, ProgressEvent, no_progress
from hrsnn.pruning.document import told_of
from hrsnn.pruning.schedule import Snapshot, Trajectory
from hrsnn.run_directory import UnitResult
from hrsnn.spec import NetworkSpec
from hrsnn.spikes import Spikes
from hrsnn.tasks import Task
from hrsnn.vocabulary import CONTROLS
from hrsnn.work.unit import Unit

_N_HISTOGRAM_BINS = 40


def plan(config: Config) -> list[Unit]:
    """All units of the run, seed by seed, so that an interrupted run has whole comparisons."""
    task = config.task
    units = []
    for seed in range(task.seed, task.seed + task.n_seeds):
        units += [Unit(arm, seed) for arm in task.arms]
        for name in task.controls:
            if CONTROLS[name].arm:
                units.append(Unit(CONTROLS[name].arm, seed))
            elif name != "untrained" or config.learn is not None:  # not learned: untrained is the arm itself
                units.append(Unit(task.arms[-1], seed, ("control", name)))
        if config.prune is not None:
            units += [Unit(task.arms[-1], seed, ("pruned", method)) for method in config.prune.methods]
    return list(dict.fromkeys(units))  # a name that was given twice is done once


def describe_task(config: Config, data_dir: Path | None = None) -> str:
    """One line for people about the data of a run."""
    return tasks.shared_task(config.task, data_dir).description


def data_digest(config: Config, data_dir: Path | None = None) -> str:
    """What the data of a run are, whatever file they come from."""
    return tasks.shared_task(config.task, data_dir).digest


def run_unit(
    config: Config,
    unit: Unit,
    *,
    data_dir: Path | None = None,
    progress: Progress = no_progress,
    checkpoint: Path | None = None,
) -> UnitResult:
    """Do one unit of work. The result depends on config and unit alone, not on threads or what ran before.

    checkpoint   a file in which learning may keep how far it is, and goes on from
    """
    started = time.perf_counter()
    config = config.of_arm(unit.kind)
    with threadpool_limits(1):
        task = tasks.shared_task(config.task, data_dir)
        _check_grid(config.network, task)
        tasks.check_readout(task, config.readout)
        control = next((c.name for c in CONTROLS.values() if c.arm == unit.kind), None)
        if control is not None:
            n, network = config.network.n_neurons, None
            evaluation = evaluate_control(control, task, config.readout, seed=unit.seed, n_features=n)
        else:
            evaluation, network = _evaluate_arm(config, unit, task, progress, checkpoint)
    outcome = replace(evaluation.outcome, wall_s=time.perf_counter() - started)
    return UnitResult(outcome, plain_values(evaluation.details), network, evaluation.readout, task.chain_facts)


def _check_grid(network: NetworkSpec, task: Task) -> None:
    """A config that was resolved for other data says so in one sentence."""
    for name in ("n_inputs", "dt_ms"):
        given, needed = getattr(network, name), getattr(task, name)
        remedy = "leave it out of the config to take it from the task"
        require(given == needed, "network", name, f"must be {needed:g}, that of the task", given, remedy=remedy)


def _evaluate_arm(
    config: Config, unit: Unit, task: Task, progress: Progress, checkpoint: Path | None
) -> tuple[Evaluation, Network]:  # fmt: skip
    """Make the arm of the unit and evaluate it; the details hold what the report draws."""
    course, ways, label = _Course(progress), list[tuple[Trajectory, Spikes]](), Label.of(unit)
    arm = _arm_of(config, label, task, progress, course, lambda *way: ways.append(way), checkpoint)
    *before, network = arm.walk(unit.seed)
    drawn = label.stage == "trained" and unit.seed == config.task.seed
    evaluation = tasks.evaluate_network(network, task, config.readout, label=label, drawn=drawn, progress=progress)
    details = evaluation.details
    details["learning"] = course.to_dict()
    for way in ways:
        details["pruning"], more = told_of(*way)
        warnings = (*evaluation.outcome.warnings, *more)
        evaluation = replace(evaluation, outcome=replace(evaluation.outcome, warnings=warnings))
    unlearned = before[-1] if arm.steps and isinstance(arm.steps[-1], Learn) else network
    details["histograms"] = _histograms(unlearned, network, details.pop("rate_hz"))
    return evaluation, network


def _arm_of(
    config: Config,
    label: Label,
    task: Task,
    progress: Progress,
    course: Progress,
    on_way: OnEnd,
    checkpoint: Path | None,
) -> Arm:
    """The arm of a label: drawn, calibrated, pruned before it learns, taught; a control leaves out one thing.

    course   is told how it learns last; `on_way`: how it was pruned
    """
    n_iterations = 1 if config.prune is None else config.prune.n_iterations

    def on_snapshot(snapshot: Snapshot) -> None:
        progress(ProgressEvent("pruning", snapshot.index, n_iterations))

    steps = steps_of(
        config.network.input, config.learn, task.train, seed=label.seed,
        validation=tasks.validation_of(task),
        pruned_by=label.method if label.stage == "pruned" else None, table=config.prune,
        progress=progress, course=course, on_snapshot=on_snapshot, on_end=on_way,
        checkpoint=checkpoint,
    )  # fmt: skip
    arm = Arm(label.arm, config.network.arm(label.arm), steps)
    return arm if label.stage != "control" else control_arm(str(label.method), arm)


class _Course:
    """Passes progress on and keeps about fifty points of the course of learning."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._events: list[ProgressEvent] = []

    def __call__(self, event: ProgressEvent) -> None:
        last = self._events[-1].done if self._events else 0
        is_scored = event.score is not None  # told once an epoch
        if is_scored or event.done == event.total or event.done - last >= max(1, event.total // 50):
            self._events.append(event)
        self._progress(event)

    def to_dict(self) -> dict[str, list[float | None]]:
        return {
            "sample": [event.done for event in self._events],
            "spikes_per_neuron": [event.spikes_per_neuron for event in self._events],
            "silent_share": [event.silent_share for event in self._events],
            "loss": [event.loss for event in self._events],
            "score": [event.score for event in self._events],
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
