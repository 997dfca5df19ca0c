"""Classification: a network on recordings with labels, and what controls of it have in common.

Train fits, validation chooses, test is read once, by `_finish`, whatever made the activity.
"""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrsnn._checks import require
from hrsnn.analysis.cost import Costs, count_costs
from hrsnn.augmentation import changed
from hrsnn.data.dataset import Splits
from hrsnn.encode.duration import split_before_last, stretch
from hrsnn.encode.rates import whole_steps
from hrsnn.engine import Record, Recording, simulate
from hrsnn.evaluation import (
    Evaluation,
    Label,
    Validation,
    facts_of_network,
    versions,
    warnings_of_activity,
)
from hrsnn.network import Network
from hrsnn.outcome import Outcome
from hrsnn.progress import Progress, ProgressEvent, no_progress
from hrsnn.randomness import stream
from hrsnn.readout import Choice, Grid, Readout, ReadoutSpec, fit_classifier, merge_bins, units_read
from hrsnn.spikes import Spikes

PARTS = ("train", "validation", "test")
Windows = Mapping[str, NDArray[Any]]  # activity of each part: (n_samples, n_windows, n_units)

_N_RASTER_SPIKES = 20_000
_SAMPLES_AT_A_TIME = 100  # between two progress events of a simulation


def evaluate_network(
    network: Network,
    task: Splits,
    readout: ReadoutSpec,
    *,
    label: Label,
    drawn: bool = False,
    progress: Progress = no_progress,
) -> Evaluation:
    """The readout of `network`'s activity, chosen on validation and scored on the test part once.

    The details of one that is `drawn` hold the spikes of the first test recording.
    """
    started = time.perf_counter()
    check_readout(task, readout)
    task = with_copies(task, readout, label.seed)
    windows: dict[str, NDArray[Any]] = {}
    for part in PARTS:
        (windows[part],), counts = simulated(network, getattr(task, part).spikes, [readout], progress)
    spikes = task.test.spikes
    units = units_read(network, readout)
    per_neuron = counts.mean(axis=0)
    duration_ms = spikes.n_steps * spikes.dt_ms
    evaluation = _evaluate(
        windows, task, readout, units=units, label=label, network=network, started=started,
        costs=lambda fitted: _costs(network, spikes, counts, windows["test"], fitted),
        warnings=warnings_of_activity(per_neuron, duration_ms), progress=progress,
    )  # fmt: skip
    evaluation.details["rate_hz"] = 1000 * per_neuron / duration_ms
    evaluation.details["active_share"] = float(np.mean(per_neuron > 0))
    if drawn:
        evaluation.details["raster"] = _raster(network, task)
    return evaluation


def _costs(
    network: Network, spikes: Spikes, counts: NDArray[np.int64], windows: NDArray[Any], fitted: Readout
) -> Costs:
    """Of a run on `spikes` that gave these counts (n_samples, N) and windows, with the readout."""
    recording = Recording(counts[:, None, :].astype(np.int32), filtered=None, spikes=None, state=None)
    synops_readout = fitted.count_synops(windows)
    return count_costs(network, spikes, recording, synops_readout=synops_readout, readout_bytes=fitted.n_bytes)


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


def validate_network(network: Network, task: Splits, readout: ReadoutSpec, *, seed: int = 0) -> Validation:
    """The readout of `network`'s activity on the validation part, which chose it."""
    check_readout(task, readout)
    task = with_copies(task, readout, seed)
    windows: dict[str, NDArray[Any]] = {}
    for part in ("train", "validation"):
        (windows[part],), counts = simulated(network, getattr(task, part).spikes, [readout])
    choice = fit(windows, task, readout, units=units_read(network, readout), seed=seed)
    spikes = task.validation.spikes
    costs = _costs(network, spikes, counts, windows["validation"], choice.readout).to_dict()
    duration_ms = spikes.n_steps * spikes.dt_ms
    return Validation.of(choice.chosen["validation_accuracy"], counts.mean(axis=0), duration_ms, costs)


def with_copies(task: Splits, readout: ReadoutSpec, seed: int) -> Splits:
    """The task with the changed copies in its training part that its readout is fitted on, drawn by `seed`."""
    train, how = task.train, readout.augment
    if not how.n_copies:
        return task
    rng = stream(seed, "readout.augment")
    copies = [changed(train.spikes, train.labels, how, rng) for _ in range(how.n_copies)]
    rows = np.tile(np.arange(train.n_samples), 1 + how.n_copies)
    groups = None if train.groups is None else train.groups[rows]
    spikes = Spikes.join([train.spikes, *copies])
    return replace(task, train=replace(train, spikes=spikes, labels=train.labels[rows], groups=groups))


def check_readout(task: Splits, readout: ReadoutSpec) -> None:
    """Raises `InputError` for a readout that sees more than recordings have, or cuts it into more bins than steps."""
    n_steps, dt_ms = task.train.spikes.n_steps, task.dt_ms
    n_seen = whole_steps("readout", "last_ms", readout.last_ms, dt_ms) if readout.last_ms else n_steps
    rule = f"must be at most {n_steps * dt_ms:g}, the duration of the recordings"
    require(n_seen <= n_steps, "readout", "last_ms", rule, readout.last_ms)
    rule = f"must be 1..{n_seen} together, the steps {'that are seen' if readout.last_ms else 'of the recordings'}"
    remedy = "give recordings that last longer, or fewer bins"
    ok = readout.n_bins_recorded <= n_seen
    require(ok, "readout", "n_bins", rule, f"{readout.n_bins_recorded} from {readout.n_bins}", remedy=remedy)


@dataclass(frozen=True, slots=True)
class Alternative:
    """A fitted control, what it is beside the alternatives of its readout, and what making its windows costs."""

    choice: Choice
    windows: Windows
    facts: dict[str, int]
    synops: int = 0
    n_bytes: int = 0


def seen_parts(task: Splits, readout: ReadoutSpec) -> dict[str, Spikes]:
    """The input of every part, as much of it as the readout sees: a control sees no more than a network shows."""
    return {part: _before_and_seen(getattr(task, part).spikes, readout)[1] for part in PARTS}


def _before_and_seen(spikes: Spikes, readout: ReadoutSpec) -> tuple[Spikes | None, Spikes]:
    """What comes before the part of the samples that the readout sees, None where it sees all, and that part."""
    return split_before_last(spikes, last_ms=readout.last_ms) if readout.last_ms else (None, spikes)


def pooled_counts(spikes: Spikes, n_bins: int, pool: int) -> NDArray[np.float32]:
    """Counts (n_samples, n_bins, n_units / pool) of pools of neighbouring channels; the last pool may be smaller."""
    counts = spikes.counts(n_bins)
    return np.add.reduceat(counts, np.arange(0, spikes.n_units, pool), axis=2, dtype=np.float32)


def best_of(found: Sequence[Alternative], task: Splits, label: Label, started: float) -> Evaluation:
    """The alternative that validation likes best, scored on the test part."""
    tried = [{**entry, **alternative.facts} for alternative in found for entry in alternative.choice.tried]
    best = max(found, key=lambda alternative: float(alternative.choice.chosen["validation_accuracy"]))
    choice = Choice(best.choice.readout, {**best.choice.chosen, **best.facts}, tried, best.choice.warnings)

    def costs(readout: Readout) -> Costs:
        return Costs(
            n_samples=task.test.spikes.n_samples, n_steps=task.test.spikes.n_steps, n_neurons=0, spikes=0,
            synops_input=best.synops, synops_recurrent=0, synops_readout=readout.count_synops(best.windows["test"]),
            n_nonzero_weights=0, n_possible_weights=0, footprint_bytes=best.n_bytes + readout.n_bytes,
            bytes_synapses=best.n_bytes, bytes_readout=readout.n_bytes,
        )  # fmt: skip

    return _finish(choice, best.windows, task, label=label, costs=costs, started=started)


def activity(network: Network, spikes: Spikes, readout: Readout) -> NDArray[Any]:
    """The activity windows that a fitted readout reads, for new samples, brought to its grid."""
    if readout.grid is None:
        told = "this readout does not tell what it was fitted on: recordings on another grid of time get other classes"
        warnings.warn(f"{told}; fit it again, or give recordings of the same duration and step", stacklevel=4)
    else:
        spikes = on_grid(spikes, readout.grid)
    return windows_read(network, spikes, readout)


def windows_read(network: Network, spikes: Spikes, readout: Readout) -> NDArray[Any]:
    """The activity windows that a fitted readout reads, for samples on its grid."""
    spec = ReadoutSpec(
        features=readout.features, n_bins=[readout.n_bins], tau_filter_ms=readout.tau_filter_ms, last_ms=readout.last_ms
    )  # fmt: skip
    return simulated(network, spikes, [spec])[0][0]


def on_grid(spikes: Spikes, grid: Grid) -> Spikes:
    """`spikes` as the recordings that a readout was fitted on: stretched as they were, else as long as they were.

    Where recordings were not stretched, silence is added at the end or left out, never an event. Stretching looks at
    the last event of each sample alone, and leaves samples that were stretched before as they are. So what is done to
    a sample does not depend on the others, nor on the grid they share.
    Raises `InputError` for an event after the end of the grid, another step of time, or another number of channels.

    >>> spikes = Spikes.from_times([[0.0, 3.0]], [[0, 1]], n_units=2, n_steps=50, dt_ms=1.0)
    >>> on_grid(spikes, Grid(n_units=2, n_steps=10, dt_ms=1.0)).n_steps
    10
    >>> on_grid(spikes, Grid(n_units=2, n_steps=10, dt_ms=1.0, stretched=(8.0, 2.0))).step.tolist()
    [1, 7]
    """
    require(grid.code is None, "predict", "readout", "must tell classes", "a readout of forecasts")
    for name in ("dt_ms", "n_units"):
        fitted, given = getattr(grid, name), getattr(spikes, name)
        rule = f"must be {fitted:g} as in the recordings that the readout was fitted on"
        require(given == fitted, "predict", f"spikes.{name}", rule, given)
    if grid.stretched is not None:
        duration_ms, tail_ms = grid.stretched
        return stretch(spikes, duration_ms=duration_ms, tail_ms=tail_ms)
    late = np.flatnonzero(spikes.step >= grid.n_steps)
    if late.size:
        samples = np.unique(spikes.sample_of_event()[late])
        first = int(samples[0])
        last_step = int(spikes.step[spikes.sample_ptr[first + 1] - 1])
        require(
            False, "predict", "spikes",
            f"must end within {grid.duration_ms:g} ms, the duration that the readout was fitted on",
            f"events up to {last_step * grid.dt_ms:g} ms",
            place=f"in sample {first} ({samples.size} of {spikes.n_samples} samples)",
            remedy=f"cut them with max_ms = {grid.duration_ms:g}, or fit on recordings as long as these",
        )  # fmt: skip
    return replace(spikes, n_steps=grid.n_steps) if spikes.n_steps != grid.n_steps else spikes


def simulated(
    network: Network, spikes: Spikes, readouts: Sequence[ReadoutSpec], progress: Progress = no_progress
) -> tuple[list[NDArray[Any]], NDArray[np.int64]]:
    """Windows as each of `readouts` wants them, and spikes per sample and neuron, all of one simulation.

    Chunk by chunk, to tell how far it is. Where readouts see the end of the samples alone, a first simulation ends
    where that begins, and a second goes on from its state. Spikes are counted over both.
    Raises `InputError` for readouts that see other parts of the samples, or filter with other time constants.
    """
    filters = {readout.tau_filter_ms for readout in readouts if readout.features == "filtered"}
    same = len({readout.last_ms for readout in readouts}) == 1 and len(filters) <= 1
    require(same, "simulated", "readouts", "must share last_ms, and tau_filter_ms of filtered ones", len(readouts))
    record = Record(
        n_bins=math.lcm(*(readout.n_bins_recorded for readout in readouts)),
        filtered_every=spikes.n_steps if filters else None,
        tau_filter_ms=next(iter(filters), readouts[0].tau_filter_ms),
    )
    windows: list[list[NDArray[Any]]] = [[] for _ in readouts]
    counts: list[NDArray[np.int64]] = []
    for start in range(0, spikes.n_samples or 1, _SAMPLES_AT_A_TIME):  # once also for no sample: its shapes are known
        chunk = spikes.select(slice(start, start + _SAMPLES_AT_A_TIME))
        before, seen = _before_and_seen(chunk, readouts[0])
        lead = None if before is None else simulate(network, before, record=Record(state=True))
        recording = simulate(network, seen, record=record, state=None if lead is None else lead.state)
        for readout, found in zip(readouts, windows, strict=True):
            found.append(_windows(recording, readout))
        counts.append(recording.spike_counts + (0 if lead is None else lead.spike_counts))
        if chunk.n_samples == 0:
            break
        share_silent = float(np.mean(counts[-1].sum(axis=0) == 0))
        done = start + chunk.n_samples
        progress(ProgressEvent("simulating", done, spikes.n_samples, float(counts[-1].mean()), share_silent))
    return [np.concatenate(found) for found in windows], np.concatenate(counts)


def _windows(recording: Recording, readout: ReadoutSpec) -> NDArray[Any]:
    """(n_samples, n_windows, n_units): the state, or the counts from which all alternatives can be summed up."""
    if readout.features == "filtered":
        assert recording.filtered is not None
        return recording.filtered
    return merge_bins(recording.counts, readout.n_bins_recorded)


def fit(windows: Windows, task: Splits, readout: ReadoutSpec, *, units: NDArray[np.int64] | None, seed: int) -> Choice:
    return fit_classifier(
        windows["train"], task.train.labels, windows["validation"], task.validation.labels, readout,
        n_classes=len(task.class_names), units=units, seed=seed,
    )  # fmt: skip


def _evaluate(
    windows: Windows,
    task: Splits,
    readout: ReadoutSpec,
    *,
    label: Label,
    costs: Callable[[Readout], Costs],
    started: float,
    units: NDArray[np.int64] | None = None,
    progress: Progress = no_progress,
    **facts: Any,
) -> Evaluation:
    progress(ProgressEvent("fitting", 0, 1))
    choice = fit(windows, task, readout, units=units, seed=label.seed)
    progress(ProgressEvent("fitting", 1, 1))
    return _finish(choice, windows, task, label=label, costs=costs, started=started, **facts)


def _finish(
    choice: Choice,
    windows: Windows,
    task: Splits,
    *,
    label: Label,
    costs: Callable[[Readout], Costs],
    started: float,
    network: Network | None = None,
    warnings: tuple[str, ...] = (),
) -> Evaluation:
    """Read the test part: here, and nowhere else."""
    predictions = choice.readout.classes(windows["test"])
    outcome = Outcome(
        arm=label.arm, stage=label.stage, method=label.method, seed=label.seed,
        metrics=accuracies(predictions, task), costs=costs(choice.readout).to_dict(),
        network=facts_of_network(network), wall_s=time.perf_counter() - started,
        warnings=(*warnings, *choice.warnings), versions=versions(),
    )  # fmt: skip
    details: dict[str, Any] = {
        "labels": task.test.labels.tolist(),
        "predictions": predictions.tolist(),
        "class_names": list(task.class_names),
        "readout": {**choice.chosen, "tried": choice.tried},
    }
    if task.seen is not None and task.unseen is not None:
        details |= {"seen": task.seen.tolist(), "unseen": task.unseen.tolist()}
        details |= {"unseen_groups": list(task.test.groups_called(task.unseen)), "group_word": task.group_word}
    spikes = task.train.spikes
    grid = Grid(spikes.n_units, spikes.n_steps, spikes.dt_ms, stretched=task.stretched)
    return Evaluation(outcome, replace(choice.readout, grid=grid), details)


def accuracies(predictions: NDArray[np.int64], task: Splits) -> dict[str, float]:
    """Accuracy on the test part and, where recordings have speakers, on `Splits.seen` and `Splits.unseen` apart."""
    right = predictions == task.test.labels
    scores = {"accuracy": float(right.mean())}
    for name, rows in (("accuracy_seen", task.seen), ("accuracy_unseen", task.unseen)):
        if rows is not None and rows.any():
            scores[name] = float(right[rows].mean())
    return scores
