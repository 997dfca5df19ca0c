"""Tasks: data with what is compared on them. A classification task is a `Splits`, a forecast a `ForecastTask`."""

from __future__ import annotations

import warnings
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal, overload

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from hrsnn import classification, data, forecast
from hrsnn._checks import InputError, require
from hrsnn.data.dataset import Dataset, Series, Splits
from hrsnn.data.own import csv_series, events_npz, split, wav_folder
from hrsnn.encode.audio import AudioCode
from hrsnn.encode.duration import stretch
from hrsnn.evaluation import Evaluation, Label
from hrsnn.forecast import ForecastSpec, ForecastTask
from hrsnn.network import Network
from hrsnn.outcome import Outcome
from hrsnn.readout import Readout, ReadoutSpec
from hrsnn.spec import PRESETS, Preset, Table
from hrsnn.spikes import Spikes
from hrsnn.train import Progress, no_progress

Task = Splits | ForecastTask
Control = Literal["untrained", "no-recurrence", "input-only", "random-features", "persistence", "esn-100", "nvar"]


class TaskSpec(Table):
    """The table `[task]`: the data, what is compared on them, and the seeds.

    name          a data set of the catalogue, or any name for own data at `path`
    path          "" for the catalogue; else a folder of WAV files, an .npz of events or a .csv series
    arms          networks, of HoNHoS, HeNHoS, HoNHeS, HeNHeS
    controls      of the last arm: untrained, no-recurrence; without a network: input-only, random-features and, for
                  forecasts, persistence, esn-100, nvar
    seed, n_seeds   first seed and number of seeds
    dt_ms, n_channels, max_ms   grid of recorded spikes; 0 leaves each to the data set
    stretch_ms, tail_ms   bring every recording to this length, then silence; 0 leaves recordings as they are
    forecast      how a series is encoded, split and forecast
    """

    name: Annotated[str, Field(min_length=1)] = "spoken-digits"
    path: str = ""
    arms: Annotated[list[Preset], Field(min_length=1)] = list(PRESETS)
    controls: list[Control] = ["untrained", "no-recurrence", "input-only", "random-features"]
    seed: Annotated[int, Field(ge=0)] = 0
    n_seeds: Annotated[int, Field(ge=1, le=10_000)] = 5
    dt_ms: Annotated[float, Field(ge=0)] = 0.0
    n_channels: Annotated[int, Field(ge=0)] = 0
    max_ms: Annotated[float, Field(ge=0)] = 0.0
    stretch_ms: Annotated[float, Field(ge=0)] = 0.0
    tail_ms: Annotated[float, Field(ge=0)] = 0.0
    forecast: ForecastSpec = ForecastSpec()


# What a type checker knows about the recordings of the catalogue, and does not about a name of one's own.
_Recordings = Literal["spoken-digits", "hd-spikes", "shd", "delayed-recall", "delayed-match", "digit-pairs"]


@overload
def load_task(name: _Recordings = "spoken-digits", *, data_dir: Path | None = None) -> Splits: ...
@overload
def load_task(name: str | TaskSpec, *, data_dir: Path | None = None) -> Task: ...
def load_task(name: str | TaskSpec = "spoken-digits", *, data_dir: Path | None = None) -> Task:
    """The task of a data set by name, or of a whole `TaskSpec`.

    `data_dir` is where recorded data lie (else $HRSNN_DATA, else the user cache). Raises `InputError` for an unknown
    name and for options that the data set does not have, `FileError` for missing or damaged files.

    >>> task = load_task("spoken-digits")
    >>> task.n_inputs, len(task.class_names)
    (140, 20)
    """
    spec = name if isinstance(name, TaskSpec) else TaskSpec(name=name)
    require(spec.stretch_ms or not spec.tail_ms, "task", "tail_ms", "needs stretch_ms", spec.tail_ms)
    loaded = _own(spec) if spec.path else data.load(spec.name, data_dir=data_dir, **_options(spec))
    if isinstance(loaded, Series):
        for option in ("dt_ms", "n_channels", "max_ms", "stretch_ms"):
            value = getattr(spec, option)
            require(not value, "task", option, f"is for recordings, and {spec.name} is a series", value)
        return ForecastTask.of(loaded, spec.forecast)
    return _stretched(loaded, spec) if spec.stretch_ms else loaded


def shared_task(spec: TaskSpec, data_dir: Path | None = None) -> Task:
    """`load_task`, done once per process for the units of a run; files are taken not to change during a run."""
    own = Path(spec.path).resolve()
    place = (own, own.stat().st_mtime_ns) if spec.path and own.exists() else data.data_directory(data_dir)
    # Who is compared, and for which seeds, does not change the data.
    return _shared(spec.model_copy(update={"seed": 0, "n_seeds": 1}).model_dump_json(), data_dir, place)


@lru_cache(maxsize=1)
def _shared(table: str, data_dir: Path | None, place: Any) -> Task:
    """`place` makes another folder, or a file written anew, another task."""
    return load_task(TaskSpec.model_validate_json(table), data_dir=data_dir)


def _own(spec: TaskSpec) -> Splits | Series:
    """Own data by the kind of the path; recordings are split with a fixed seed, by group where they have groups.

    `n_channels` is the number of filters for sound and of units for events.
    """
    path = Path(spec.path)
    if path.suffix == ".csv":
        return csv_series(path, dt=spec.forecast.dt or 1.0, name=spec.name)
    dataset: Dataset
    if path.suffix == ".npz":
        dataset = events_npz(path, dt_ms=spec.dt_ms or 1.0, n_units=spec.n_channels or None, max_ms=spec.max_ms or None)
    elif path.is_dir():
        code = AudioCode()
        code = replace(code, dt_ms=spec.dt_ms or code.dt_ms, n_channels=spec.n_channels or code.n_channels)
        dataset = wav_folder(path, code, max_ms=spec.max_ms or None)
    else:
        raise InputError(f"`task.path` must be a folder of WAV files, an .npz or a .csv file that exists, got {path}")
    return split(dataset, seed=0, name=spec.name)


def _stretched(splits: Splits, spec: TaskSpec) -> Splits:
    def of(part: Dataset) -> Dataset:
        return replace(part, spikes=stretch(part.spikes, duration_ms=spec.stretch_ms, tail_ms=spec.tail_ms))

    return replace(splits, train=of(splits.train), validation=of(splits.validation), test=of(splits.test))


def _options(spec: TaskSpec) -> dict[str, Any]:
    """What the loader of a catalogue entry is asked for beyond its defaults."""
    given: dict[str, Any] = {key: getattr(spec, key) for key in ("dt_ms", "n_channels", "max_ms") if getattr(spec, key)}
    entry = next((entry for entry in data.catalogue() if entry.name == spec.name), None)
    if entry is not None and entry.kind == "forecast" and entry.availability == "computed":
        given |= {"n_steps": spec.forecast.n_values, "substeps": spec.forecast.substeps}
        if spec.forecast.dt:
            given["dt"] = spec.forecast.dt
    return given


def input_grid(spec: TaskSpec, data_dir: Path | None = None) -> tuple[int, float]:
    """Number of input channels and step of time (ms) that a network for the task must have."""
    task = shared_task(spec, data_dir)
    return task.n_inputs, task.train.dt_ms if isinstance(task, ForecastTask) else task.train.spikes.dt_ms


def describe(task: Task) -> str:
    """One line for people: how much of what."""
    if isinstance(task, ForecastTask):
        return task.description
    n = sum(part.spikes.n_samples for part in (task.train, task.validation, task.test))
    spikes = task.train.spikes
    words = [
        f"{n:,} recordings", f"{len(task.class_names)} classes", f"{spikes.n_units} channels",
        f"{spikes.n_steps} steps of {spikes.dt_ms:g} ms",
    ]  # fmt: skip
    if task.unseen is not None and task.test.groups is not None and task.unseen.any():
        strangers = np.unique(task.test.groups[task.unseen]).tolist()
        words.append(f"speakers {', '.join(map(str, strangers))} unseen in training")
    return " · ".join(words)


def evaluate(
    network: Network, task: Task, readout: ReadoutSpec | None = None, *, label: Label | None = None
) -> tuple[Outcome, Readout]:
    """Fit a readout on the training part, choose among its alternatives on the validation part, score the test once.

    Returns the outcome (metrics, costs, network) and the fitted readout; the network is not changed. What is wrong
    with the network's activity is in `outcome.warnings`, and is warned of as well (`RuntimeWarning`).
    Raises `InputError` when network and task disagree in channels or step of time.
    """
    evaluation = evaluate_network(network, task, readout or ReadoutSpec(), label=label or Label())
    assert evaluation.readout is not None  # a network always has one
    for sentence in evaluation.outcome.warnings:
        warnings.warn(sentence, RuntimeWarning, stacklevel=2)
    return evaluation.outcome, evaluation.readout


def evaluate_network(
    network: Network, task: Task, readout: ReadoutSpec, *, label: Label, progress: Progress = no_progress
) -> Evaluation:
    """`evaluate`, with everything the report draws beside it."""
    if isinstance(task, ForecastTask):
        return forecast.evaluate_network(network, task, readout, label=label, progress=progress)
    return classification.evaluate_network(network, task, readout, label=label, progress=progress)


def evaluate_control(control: Control, task: Task, readout: ReadoutSpec, *, seed: int, n_neurons: int) -> Evaluation:
    """A control without a spiking network; `n_neurons` is the size of the network beside it."""
    label = Label(arm=CONTROL_ARMS[control], seed=seed)
    if isinstance(task, ForecastTask):
        return forecast.evaluate_control(task, readout, label=label, n_features=n_neurons)
    if control == "input-only":
        return classification.evaluate_input_only(task, readout, label=label)
    if control == "random-features":
        return classification.evaluate_random_features(task, readout, n_neurons=n_neurons, label=label)
    raise InputError(f"`task.controls` of {task.name} must not hold {control}: it is a control of forecasts")


CONTROL_ARMS: dict[Control, str] = {
    "input-only": "InputOnly",
    "random-features": "RandomFeatures",
    "persistence": "Persistence",
    "esn-100": "ESN-100",
    "nvar": "NVAR",
}


def predict(network: Network, readout: Readout, spikes: Spikes) -> NDArray[np.int64]:
    """The class of every sample of `spikes`, int64 of shape (n_samples,)."""
    return readout.classes(classification.activity(network, spikes, readout))
