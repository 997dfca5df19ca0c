"""Tasks: data with what is compared on them. A classification task is a `Splits`, a forecast a `ForecastTask`."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal, overload

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, Field

from hrsnn import classification, data, forecast
from hrsnn._checks import FileError, among, as_path, instance, require
from hrsnn.data.chain import Chain, EventGrid
from hrsnn.data.dataset import Dataset, Series, Splits
from hrsnn.data.readers import FileKind, Reader, Wanted, reader_of
from hrsnn.data.recordings import load_recordings
from hrsnn.evaluation import Evaluation, Label, Validation
from hrsnn.forecast import ForecastSpec, ForecastTask
from hrsnn.network import Network
from hrsnn.outcome import Outcome
from hrsnn.progress import Progress, no_progress
from hrsnn.readout import Readout, ReadoutSpec
from hrsnn.recommendation import recommended_readout
from hrsnn.spec import PRESETS, Table, known_arm
from hrsnn.spikes import Spikes
from hrsnn.vocabulary import CHAIN, known_control

Task = Splits | ForecastTask
_EVALUATE: Mapping[type[Task], Callable[..., Evaluation]] = {
    Splits: classification.evaluate_network,
    ForecastTask: forecast.evaluate_network,
}
_CONTROLS = ("untrained", "no-recurrence", "input-only", "random-features")  # where nothing else is asked for


class TaskSpec(Table):
    """The table `[task]`: the data, what is compared on them, and the seeds.

    name          a data set of the catalogue, or any name for own data at `path`
    path          "" for the catalogue; else a file or folder of own data (docs/how-to/own-data.md); `~` is home
    kind          what lies there: recordings (sounds), events, labelled (series with a class each) or series (one, to
                  forecast); "auto" looks
    label_column  of a table with an example per row: the column of classes, by name, or first or last
    delimiter, decimal, thousands   marks of a .csv series; "" finds them where they leave no doubt
    group_pattern regular expression, searched in the path of each file below `path`; its named group, of any name,
                  tells who or what a recording came from, and parts are whole groups. A group `label` tells the class
    test_groups, validation_groups   names of the groups that are held out
    test_path     a test part given apart, of the same kind; of a series: its continuation
    arms          networks, of HoNHoS, HeNHoS, HoNHeS, HeNHeS
    controls      of the last arm: untrained, no-recurrence; without a network: input-only, random-features and, for
                  forecasts, persistence, seasonal-naive, ar, esn-100, nvar
    seed, n_seeds   first seed and number of seeds
    dt_ms, n_channels, max_ms   grid of recorded spikes; 0 leaves each to the data set
    stretch_ms, tail_ms   bring every recording to this length, then silence; 0 leaves recordings as they are
    forecast      how a series is encoded, split and forecast
    """

    name: Annotated[str, Field(min_length=1)] = "spoken-digits"
    path: str = ""
    kind: FileKind = "auto"
    label_column: str = ""
    delimiter: str = ""
    decimal: Literal["", ".", ","] = ""
    thousands: str = ""
    group_pattern: str = ""
    test_groups: list[str] = []
    validation_groups: list[str] = []
    test_path: str = ""
    arms: Annotated[list[Annotated[str, AfterValidator(known_arm)]], Field(min_length=1)] = list(PRESETS)
    controls: list[Annotated[str, AfterValidator(known_control)]] = [
        "untrained",
        "no-recurrence",
        "input-only",
        "random-features",
    ]
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
    spec = name if isinstance(name, TaskSpec) else TaskSpec(name=instance("load_task", "name", name, str))
    require(spec.stretch_ms or not spec.tail_ms, "task", "tail_ms", "needs stretch_ms", spec.tail_ms)
    if spec.path:
        return _own(spec)
    for option in ("label_column", "group_pattern", "test_path", "test_groups", "validation_groups"):
        value = getattr(spec, option)
        require(not value, "task", option, "is for own data at task.path", value)
    require(spec.kind == "auto", "task", "kind", "is for own data at task.path", spec.kind)
    loaded = data.load(spec.name, data_dir=data_dir, **_options(spec))
    return _forecast(loaded, spec) if isinstance(loaded, Series) else _with_chain(loaded, spec)


def shared_task(spec: TaskSpec, data_dir: Path | None = None) -> Task:
    """`load_task`, done once per process for the units of a run; files are taken not to change during a run."""
    own = [_place(text) for text in (spec.path, spec.test_path) if text]
    seen = [(path, path.stat().st_mtime_ns) if path.exists() else (path, 0) for path in own]
    place = tuple(seen) or data.data_directory(data_dir)
    # Who is compared, and for which seeds, does not change the data.
    return _shared(spec.model_copy(update={"seed": 0, "n_seeds": 1}).model_dump_json(), data_dir, place)


@lru_cache(maxsize=1)
def _shared(table: str, data_dir: Path | None, place: Any) -> Task:
    """`place` makes another folder, or a file written anew, another task."""
    return load_task(TaskSpec.model_validate_json(table), data_dir=data_dir)


def _place(text: str) -> Path:
    return as_path("task", "path", text).resolve()


def _own(spec: TaskSpec) -> Task:
    """Own data by the kind of what lies at the path; what was encoded before is not encoded again."""
    path = as_path("task", "path", spec.path)
    test_path = as_path("task", "test_path", spec.test_path) if spec.test_path else None
    if test_path is not None and not test_path.exists():
        raise FileError(f"`task.test_path` must name a file or folder that exists, there is no {test_path}")
    given = {f.name: getattr(spec, f.name) for f in fields(Wanted) if hasattr(spec, f.name)}
    wanted = Wanted(**given, variables=spec.forecast.variables, dt=spec.forecast.dt)
    reader = reader_of(path, spec.kind)
    if reader.kind == "series":
        return _own_series(spec, reader, wanted, path, test_path)
    return load_recordings(path, reader, wanted, test_path=test_path)


def _own_series(spec: TaskSpec, reader: Reader, wanted: Wanted, path: Path, test_path: Path | None) -> ForecastTask:
    for option in ("label_column", "group_pattern", "test_groups", "validation_groups"):
        value = getattr(spec, option)
        require(not value, "task", option, f"is for recordings, and {spec.name} is a series", value)
    series = instance(type(reader).__name__, "read", reader.read(path, wanted), Series)
    if test_path is None:
        return _forecast(series, spec)
    after = reader.read(test_path, replace(wanted, variables=series.variable_names, dt=series.dt))
    both = [series.values, instance(type(reader).__name__, "read", after, Series).values]
    whole = replace(series, values=np.concatenate(both))
    forecast = spec.forecast.model_copy(update={"n_train": series.n_steps})
    return _forecast(whole, spec.model_copy(update={"forecast": forecast}))


def _forecast(series: Series, spec: TaskSpec) -> ForecastTask:
    for option in ("dt_ms", "n_channels", "max_ms", "stretch_ms"):
        value = getattr(spec, option)
        require(not value, "task", option, f"is for recordings, and {spec.name} is a series", value)
    return ForecastTask.of(series, spec.forecast)


def _with_chain(splits: Splits, spec: TaskSpec) -> Splits:
    """A data set of the catalogue, stretched where that is wanted, with the chain for new recordings of events."""
    n_units, longest, dt_ms = splits.train.spikes.grid
    n_steps = longest if spec.max_ms or not spec.stretch_ms else None
    chain = Chain(
        EventGrid(n_units, dt_ms), splits.class_names, n_steps, spec.stretch_ms, spec.tail_ms, cut=bool(spec.max_ms)
    )
    if not spec.stretch_ms:
        return replace(splits, chain=chain)

    def of(part: Dataset) -> Dataset:
        return replace(part, spikes=chain.on_grid(part.spikes))

    return replace(splits, train=of(splits.train), validation=of(splits.validation), test=of(splits.test), chain=chain)


def _options(spec: TaskSpec) -> dict[str, Any]:
    """What the loader of a catalogue entry is asked for beyond its defaults."""
    given: dict[str, Any] = {key: getattr(spec, key) for key in ("dt_ms", "n_channels", "max_ms") if getattr(spec, key)}
    entry = next((entry for entry in data.catalogue() if entry.name == spec.name), None)
    if entry is not None and entry.kind == "forecast" and entry.availability == "computed":
        given |= {"n_steps": spec.forecast.n_values, "substeps": spec.forecast.substeps}
        if spec.forecast.dt:
            given["dt"] = spec.forecast.dt
    return given


def chain_from(facts: Mapping[str, Any]) -> Chain | ForecastTask:
    """The inverse of `chain_facts`: of a forecast, the task that ends soon after its training part.

    Raises `InputError` for anything else.
    """
    require(isinstance(facts, Mapping), "chain", "facts", "must be a table", facts)
    rest = dict(facts)
    found = rest.pop("schema", None)
    require(isinstance(found, str) and found == CHAIN.text, "chain", "schema", f"must be {CHAIN.text}", found)
    return ForecastTask.from_chain(rest) if among(rest.get("kind"), ("forecast",)) else Chain.from_dict(rest)


def evaluate(
    network: Network, task: Task, readout: ReadoutSpec | None = None, *, label: Label | None = None
) -> tuple[Outcome, Readout]:
    """Fit a readout on the training part, choose among its alternatives on the validation part, score the test once.

    `readout` is, if not given, the one that is recommended for the task.
    Returns the outcome (metrics, costs, network) and the fitted readout; the network is not changed. What is wrong
    with the network's activity is in `outcome.warnings`, and is warned of as well (`RuntimeWarning`).
    Raises `InputError` when network and task disagree in channels or step of time.
    """
    instance("evaluate", "network", network, Network)
    instance("evaluate", "task", task, Splits, ForecastTask)
    readout = recommended_readout(task) if readout is None else instance("evaluate", "readout", readout, ReadoutSpec)
    evaluation = evaluate_network(network, task, readout, label=label or Label())
    assert evaluation.readout is not None  # a network always has one
    for sentence in evaluation.outcome.warnings:
        warnings.warn(sentence, RuntimeWarning, stacklevel=2)
    return evaluation.outcome, evaluation.readout


def evaluate_network(
    network: Network,
    task: Task,
    readout: ReadoutSpec,
    *,
    label: Label,
    drawn: bool = False,
    progress: Progress = no_progress,
) -> Evaluation:
    """`evaluate`, with what the report draws beside it; of one that is `drawn` also spikes of a test recording."""
    return _EVALUATE[type(task)](network, task, readout, label=label, drawn=drawn, progress=progress)


def check_readout(task: Task, readout: ReadoutSpec) -> None:
    """Raises `InputError` for a readout that the task cannot have: asked before anything is trained."""
    if isinstance(task, ForecastTask):
        forecast.check_readout(readout)
    else:
        classification.check_readout(task, readout)


def validation_of(task: Task) -> Dataset | None:
    """The recordings that choose; a forecast has none apart from its series."""
    return None if isinstance(task, ForecastTask) else task.validation


def validate_network(network: Network, task: Task, readout: ReadoutSpec, *, seed: int = 0) -> Validation:
    """What `network` is worth on the validation part: for choices, which must not see the test part."""
    if isinstance(task, ForecastTask):
        return forecast.validate_network(network, task, readout, seed=seed)
    return classification.validate_network(network, task, readout, seed=seed)


def predict(network: Network, readout: Readout, spikes: Spikes) -> NDArray[np.int64]:
    """The class of every sample of `spikes`, int64 of shape (n_samples,).

    Each sample is brought to the grid that the readout was fitted on, by itself (`hrsnn.classification.on_grid`): what
    else is in `spikes`, and how long their grid is, does not change its class. Raises `InputError` where that cannot be
    done, and where network, readout and spikes do not belong together.
    """
    for name, value, kind in (("network", network, Network), ("readout", readout, Readout), ("spikes", spikes, Spikes)):
        instance("predict", name, value, kind)
    return np.asarray(class_scores(network, readout, spikes).argmax(axis=1))


def class_scores(network: Network, readout: Readout, spikes: Spikes) -> NDArray[np.float64]:
    """The scores behind `predict`, float64 (n_samples, n_classes); those of a sample are the same bits in any batch."""
    windows = classification.activity(network, spikes, readout)
    # One by one: the last bits of a product of matrices depend on their shapes.
    rows = [readout.outputs(windows[k : k + 1]) for k in range(len(windows))]
    return np.concatenate([readout.outputs(windows[:0]), *rows])
