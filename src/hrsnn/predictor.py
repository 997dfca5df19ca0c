"""A finished run that predicts: new recordings through its chain, one of its networks and the readout of that."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrsnn import forecast
from hrsnn._checks import FileError, InputError, among, as_path, did_you_mean, require, whole_number
from hrsnn.config import Config, load_config
from hrsnn.data.chain import Chain, EventGrid, Paths
from hrsnn.data.own import csv_series
from hrsnn.encode.audio import AudioCode
from hrsnn.experiments import plan
from hrsnn.forecast import ForecastTask
from hrsnn.network import Network
from hrsnn.network_file import load
from hrsnn.readout import Readout
from hrsnn.run_directory import RunDirectory
from hrsnn.runs import resume_command
from hrsnn.spikes import Spikes
from hrsnn.tasks import chain_from, class_scores
from hrsnn.work.unit import Unit

_FILES_AT_A_TIME = 32
_SAMPLES_AT_A_TIME = 100
_MOST_STEPS = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Prediction:
    """The class of one recording.

    margin  by how much its score is above the next one; infinite where no other class was trained
    scores  of all classes, outputs of the readout; minus infinity for a class without a training recording
    """

    name: str
    class_name: str
    margin: float
    scores: dict[str, float]

    def to_text(self) -> str:
        """Name, class and margin, with tabs between."""
        return f"{self.name}\t{self.class_name}\t{self.margin:.4g}"

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; what is infinite is None."""
        scores = {name: score if np.isfinite(score) else None for name, score in self.scores.items()}
        margin = self.margin if np.isfinite(self.margin) else None
        return {"name": self.name, "class": self.class_name, "margin": margin, "scores": scores}


@dataclass(frozen=True, slots=True)
class Classifier:
    """A trained network with the readout and the chain that belong to it; `name` says which of a run it is."""

    name: str
    network: Network
    readout: Readout
    chain: Chain

    def predict(self, paths: Paths) -> Iterator[Prediction]:
        """The class of every recording in these files and folders, in order, as they are read.

        A few files at a time are in memory. What is in one file does not change what comes out for another.
        Raises `FileError` and `InputError` as `Chain.read` does, when the file and the few beside it are read.
        """
        files = self.chain.files(paths)
        for first in range(0, len(files), _FILES_AT_A_TIME):
            yield from self._of(*self.chain.read(files[first : first + _FILES_AT_A_TIME]))

    def follow(self, lines: Iterable[str]) -> Iterator[Prediction]:
        """The class of every recording in lines of text, each as soon as it has ended: at an empty line, or the end.

        A line is `time_ms channel`, one event, in any order; for a network of labelled series, the values of one step
        of time. Commas do as well as spaces. Raises `InputError` naming the line that is wrong.
        """
        remedy = "give WAV files"
        require(not isinstance(self.chain.code, AudioCode), "predict", "-", "cannot read sound", "lines", remedy=remedy)
        for k, (first, rows) in enumerate(_blocks(lines)):
            yield from self._of([f"recording {k}"], self.chain.encode([self._recording(rows, first)]))

    def _recording(self, rows: list[list[float]], first: int) -> Any:
        if not isinstance(self.chain.code, EventGrid):
            return np.array(rows)
        n_units, dt_ms = self.chain.code.n_units, self.chain.code.dt_ms
        ok = len(rows[0]) == 2
        require(ok, f"line {first}", "event", "must be `time_ms channel`", f"{len(rows[0])} numbers")
        times, channels = (np.array(column) for column in zip(*rows, strict=True))
        late, n_steps = "drop", self.chain.n_steps
        if not self.chain.cut or n_steps is None:
            late, n_steps = "error", min(int(times.max() / dt_ms) + 2, _MOST_STEPS)
        return Spikes.from_times([times], [channels], n_units=n_units, n_steps=n_steps, dt_ms=dt_ms, late=late)

    def _of(self, names: list[str], spikes: Spikes) -> Iterator[Prediction]:
        for first in range(0, spikes.n_samples, _SAMPLES_AT_A_TIME):
            rows = slice(first, first + _SAMPLES_AT_A_TIME)
            found = class_scores(self.network, self.readout, spikes.select(rows))
            for name, scores in zip(names[rows], found, strict=True):
                yield self._prediction(name, scores)

    def _prediction(self, name: str, scores: NDArray[np.float64]) -> Prediction:
        best = int(scores.argmax())
        margin = float(scores[best] - np.delete(scores, best).max(initial=-np.inf))
        by_class = dict(zip(self.chain.class_names, scores.tolist(), strict=True))
        return Prediction(name, self.chain.class_names[best], margin, by_class)


@dataclass(frozen=True, slots=True, eq=False)
class Continuation:
    """What follows a series: `values` (n, D), one column for each of `variable_names`, at its distance in time."""

    name: str
    variable_names: tuple[str, ...]
    values: NDArray[np.float64]

    def to_text(self) -> str:
        """CSV with the names of the variables."""
        return "\n".join([",".join(self.variable_names), *map(_as_row, self.values)])

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {"name": self.name, "variable_names": list(self.variable_names), "values": self.values.tolist()}


@dataclass(frozen=True, slots=True)
class Step:
    """The forecast of the value that follows line `line` of what was read."""

    line: int
    values: dict[str, float]

    def to_text(self) -> str:
        return _as_row(np.array(list(self.values.values())))

    def to_dict(self) -> dict[str, Any]:
        return {"after_line": self.line, "values": self.values}


@dataclass(frozen=True, slots=True)
class Forecaster:
    """A trained network with the readout and the task that belong to it; `name` says which of a run it is."""

    name: str
    network: Network
    readout: Readout
    task: ForecastTask
    seed: int

    def predict(self, paths: Paths) -> Iterator[Continuation]:
        """The free-running forecast after the last row of each CSV file, as long as those of the run.

        The files have the variables of the run by name, and at least as many rows as drive the network before a
        forecast. Raises `FileError` and `InputError` as `csv_series` does, and for fewer rows.
        """
        names, dt = self.task.series.variable_names, self.task.series.dt
        for path in [paths] if isinstance(paths, (str, PathLike)) else paths:
            try:
                series = csv_series(path, names, dt=dt)
                values = forecast.continued(self.network, self.readout, self.task, series.values, seed=self.seed)
            except InputError as error:
                told = str(error)
                raise InputError(told if str(path) in told else f"{path}: {told}") from error
            yield Continuation(str(path), names, values)

    def follow(self, lines: Iterable[str]) -> Iterator[Step]:
        """The forecast of the next value after each line of values, as soon as it is read, in constant memory.

        The first line may hold the names of the variables. Nothing comes before as many lines as drive the network
        before a forecast of the run. Raises `InputError` naming the line that is wrong.
        """
        names = self.task.series.variable_names
        number = 0

        def rows() -> Iterator[NDArray[np.float64]]:
            nonlocal number
            for number, line in enumerate(lines, start=1):
                if not line.strip() or (number == 1 and _cells(line) == list(names)):
                    continue
                row = _row(line, number)
                rule = f"must be {len(names)}, one for each of {', '.join(names)}"
                require(len(row) == len(names), f"line {number}", "values", rule, len(row))
                yield np.array(row)

        for values in forecast.followed(self.network, self.readout, self.task, rows(), seed=self.seed):
            yield Step(number, dict(zip(names, values.tolist(), strict=True)))


def load_run(
    run_dir: str | PathLike[str], *, arm: str | None = None, seed: int | None = None
) -> Classifier | Forecaster:
    """A network of a finished run, ready for new recordings, or for a series to go on from.

    arm   which network: an arm, or as in comparisons `HeNHeS/pruned/lnp`; None is the last arm, trained
    seed  None is the first

    Raises `FileError` where the directory holds no finished run or lacks a file, `InputError` for another arm or seed.
    """
    path = as_path("load_run", "run_dir", run_dir)
    directory = RunDirectory(path)
    config = _config_of(directory)
    unit = _unit_of(config, arm, seed)
    directory.read_unit(unit, config)  # raises where a file is missing or was changed
    files = [path / folder / f"{unit.name}.safetensors" for folder in ("networks", "readouts")]
    name = f"{_label(unit)}, seed {unit.seed}"
    network, readout, chain = load(files[0]), Readout.load(files[1]), _chain_of(directory)
    if isinstance(chain, Chain):
        return Classifier(name, network, readout, chain)
    return Forecaster(name, network, readout, chain, unit.seed)


def _config_of(directory: RunDirectory) -> Config:
    path = directory.path
    if not directory.config_file.is_file():
        raise FileError(f"{path} is not the directory of a run: it holds no {directory.config_file.name}")
    if directory.read_results() is None:
        raise FileError(f"the run in {path} is not finished; finish it with `{resume_command(path)}`")
    return load_config(directory.config_file)


def _unit_of(config: Config, arm: str | None, seed: int | None) -> Unit:
    units = [
        unit for unit in plan(config) if unit.kind in config.task.arms
    ]  # controls without a network predict nothing
    labels = list(dict.fromkeys(_label(unit) for unit in units))
    label = config.task.arms[-1] if arm is None else arm
    rule, remedy = "must be a network of the run", did_you_mean(label, labels)
    require(among(label, labels), "hrsnn predict", "--arm", rule, label, remedy=remedy)
    seeds = [unit.seed for unit in units if _label(unit) == label]
    chosen = seeds[0] if seed is None else whole_number("hrsnn predict", "--seed", seed)
    rule = f"must be one of the run, {', '.join(map(str, seeds))}"
    require(chosen in seeds, "hrsnn predict", "--seed", rule, chosen)
    return next(unit for unit in units if _label(unit) == label and unit.seed == chosen)


def _label(unit: Unit) -> str:
    return "/".join([unit.kind, *unit.options])


def _chain_of(directory: RunDirectory) -> Chain | ForecastTask:
    file = directory.chain_file
    if not file.is_file():
        raise FileError(
            f"{directory.path} holds no {file.name}, which brings new recordings to its network; run its config again"
        )
    try:
        return chain_from(json.loads(file.read_bytes()))
    except (OSError, ValueError, TypeError) as error:  # InputError is a ValueError
        raise FileError(f"{file} cannot be used: {error}") from error


def _blocks(lines: Iterable[str]) -> Iterator[tuple[int, list[list[float]]]]:
    """Rows of numbers between empty lines, each block with the number of its first line, as soon as it has ended."""
    rows: list[list[float]] = []
    first = 1
    for number, line in enumerate(lines, start=1):
        row = _row(line, number)
        if row:
            first = first if rows else number
            width = len(rows[0]) if rows else len(row)
            require(len(row) == width, f"line {number}", "values", f"must be {width} as in line {first}", len(row))
            rows.append(row)
        elif rows:
            yield first, rows
            rows = []
    if rows:
        yield first, rows


def _row(line: str, number: int) -> list[float]:
    cells = _cells(line)
    try:
        row = [float(cell) for cell in cells]
    except ValueError:
        row = [np.nan]
    require(np.isfinite(row).all(), f"line {number}", "values", "must be finite numbers", " ".join(cells))
    return row


def _cells(line: str) -> list[str]:
    return line.replace(",", " ").split()


def _as_row(values: NDArray[np.float64]) -> str:
    return ",".join(f"{value:.10g}" for value in values)
