"""Your own data: WAV files, an .npz of events or a CSV file in, a `Dataset` or `Series` out; and `split`."""

from __future__ import annotations

import csv
import math
import re
import struct
import warnings
import zipfile
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrsnn._checks import FileError, InputError, check_all, check_column, did_you_mean, real_number, require, time_step
from hrsnn.data.dataset import Dataset, Series, Splits
from hrsnn.encode.audio import AudioCode
from hrsnn.spikes import Spikes, n_steps_of, to_steps


def csv_series(
    path: str | PathLike[str],
    columns: Sequence[str] | None = None,
    *,
    dt: float = 1.0,
    name: str | None = None,
    delimiter: str = ",",
    thousands: str = "",
    header: bool = True,
    encoding: str = "utf-8-sig",
) -> Series:
    """The named columns of a CSV file as a series, one row per value; all columns if none is named.

    dt         time between two rows
    thousands  a character left out of numbers, such as the comma of "1,258.3" in a quoted cell
    header     whether the first row holds names; without it columns are named "1", "2", ...

    Raises `InputError` naming row and column of a cell that is not a finite number.
    """
    path = Path(path)
    try:
        with path.open(newline="", encoding=encoding) as file:
            reader = csv.reader(file, delimiter=delimiter)
            rows = [(reader.line_num, row) for row in reader if row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise FileError(f"{path}: cannot be read as CSV ({error})") from error
    require(len(rows) > header, "csv_series", "path", "must name a file with at least one row of values", str(path))
    names = [cell.strip() for cell in rows[0][1]] if header else [str(k + 1) for k in range(len(rows[0][1]))]
    if header and all(_number(cell, thousands) is not None for cell in names):
        raise InputError(f"{path}: the first row must hold names of columns, got numbers {names}; or say header=False")
    chosen = names if columns is None else list(columns)
    for column in chosen:
        require(
            column in names, "csv_series", "columns", "must be in the file", column, remedy=did_you_mean(column, names)
        )
    where = [names.index(column) for column in chosen]
    values = np.empty((len(rows) - header, len(chosen)))
    for k, (line, row) in enumerate(rows[header:]):
        for variable, (j, column) in enumerate(zip(where, chosen, strict=True)):
            cell = row[j] if j < len(row) else ""
            number = _number(cell, thousands)
            if number is None:
                raise InputError(
                    f'{path}: column "{column}" must hold numbers, got {cell!r} in row {k + 1} (line {line})'
                )
            values[k, variable] = number
    return Series(values, dt, name or path.stem, tuple(chosen))


def wav_folder(
    folder: str | PathLike[str],
    code: AudioCode | None = None,
    *,
    pattern: str | None = None,
    max_ms: float | None = None,
) -> Dataset:
    """The WAV files of a folder as spikes, encoded by `code` (default: `AudioCode()`), in the order of their names.

    The label of a file is the sub-folder it lies in, or, where all lie in the folder itself, its name up to the first
    "_". A `pattern` decides otherwise: a regular expression that matches the start of the name without ".wav", with a
    group `label` and, if wanted, a group `group`, such as the speaker: r"(?P<label>\\d)_(?P<group>[a-z]+)_".
    Classes and groups are numbered in sorted order. Several channels of a file are averaged. The grid holds the longest
    file, or `max_ms`; what is later is left out.
    """
    folder = Path(folder)
    files = sorted(p for p in folder.rglob("*") if p.suffix.lower() == ".wav" and p.is_file())
    if not files:
        raise FileError(f"{folder}: no WAV file in this folder or its sub-folders")
    labels, groups = _names_of(folder, files, pattern)
    signals, rates = zip(*(_read_wav(path) for path in files), strict=True)
    spikes = (code or AudioCode()).encode(signals, rates, duration_ms=max_ms)
    classes, label = np.unique(labels, return_inverse=True)
    group = np.unique(groups, return_inverse=True)[1] if groups else None
    return Dataset(spikes, label, tuple(classes.tolist()), group)


def events_npz(
    path: str | PathLike[str], *, dt_ms: float = 1.0, n_units: int | None = None, max_ms: float | None = None
) -> Dataset:
    """The recordings of an .npz file of events.

    Arrays of the file: `times_ms`, `units` and `sample` (one entry per event; `sample` is the recording, from 0, and
    must not fall; times must not fall within a recording), `labels` (one per recording: whole numbers from 0, or text)
    and, if there, `groups` (whole numbers, one per recording) and `class_names`. `n_units` defaults to the largest unit
    plus 1. The grid holds the last event, or `max_ms`; what is later is left out. A recording may have no event.
    """
    path = Path(path)
    owner = path.name
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays: dict[str, NDArray[Any]] = {name: file[name] for name in file.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise FileError(f"{path}: cannot be read as .npz ({error})") from error
    for name in ("times_ms", "units", "sample", "labels"):
        if name not in arrays:
            raise FileError(f"{path}: the file has no array `{name}`; it has {sorted(arrays)}")
    n = arrays["labels"].size
    require(n >= 1, owner, "labels", "must hold at least one recording", "none")
    time = check_column(owner, "times_ms", arrays["times_ms"], dtype=np.float64, at_least=0)
    unit = check_column(owner, "units", arrays["units"], dtype=np.int64, length=time.size, at_least=0)
    sample = check_column(
        owner, "sample", arrays["sample"], dtype=np.int64, length=time.size, at_least=0, at_most=n - 1
    )
    falls = np.concatenate([[False], np.diff(sample) < 0])[: time.size]
    check_all(owner, "sample", "must not fall", sample, ~falls)
    falls = np.concatenate([[False], (np.diff(time) < 0) & (np.diff(sample) == 0)])[: time.size]
    check_all(owner, "times_ms", "must not fall within a recording", time, ~falls)
    if arrays["labels"].dtype.kind == "U":
        names, labels = np.unique(arrays["labels"], return_inverse=True)
    else:
        labels = check_column(owner, "labels", arrays["labels"], dtype=np.int64, at_least=0)
        names = arrays.get("class_names", np.arange(labels.max(initial=0) + 1).astype(str))
    n_units = int(unit.max(initial=0)) + 1 if n_units is None else n_units
    dt_ms = time_step("events_npz", dt_ms)
    if max_ms is not None:
        n_steps = n_steps_of(real_number("events_npz", "max_ms", max_ms, above=0), dt_ms)
    else:
        n_steps = int(to_steps(arrays["times_ms"], dt_ms).max(initial=0)) + 1
    cuts = np.searchsorted(sample, np.arange(1, n))
    spikes = Spikes.from_times(
        np.split(arrays["times_ms"], cuts),
        np.split(unit, cuts),
        n_units=n_units,
        n_steps=n_steps,
        dt_ms=dt_ms,
        late="drop",
    )
    return Dataset(spikes, labels, tuple(names.tolist()), arrays.get("groups"))


def split(
    dataset: Dataset,
    *,
    seed: int,
    test_share: float = 0.2,
    validation_share: float = 0.2,
    by_groups: bool | None = None,
    name: str = "own",
    licence: str = "not stated",
    source: str = "own recordings",
) -> Splits:
    """`dataset` in three parts with the classes in equal shares.

    Shares are of all recordings. With `by_groups` (default: whenever there are groups) no group lies in two parts;
    whole groups can meet a share only roughly, as the nearest 1/k. Without it the groups are ignored, and left out of
    the parts.
    Raises `InputError` where a class or the groups are too few to divide.
    """
    from sklearn.model_selection import StratifiedGroupKFold, train_test_split

    for field, share in (("test_share", test_share), ("validation_share", validation_share)):
        require(0 < share < 1, "split", field, "must lie between 0 and 1", share)
    require(
        test_share + validation_share < 1, "split", "test_share", "and validation_share must sum to < 1", test_share
    )
    by_groups = dataset.groups is not None if by_groups is None else by_groups
    if by_groups and dataset.groups is None:
        raise InputError("`by_groups` of `split` needs groups, the data set has none")

    def held_out(pool: NDArray[np.intp], share: float) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        if not by_groups:
            rest, out = train_test_split(pool, test_size=share, stratify=dataset.labels[pool], random_state=seed)
            return np.sort(rest), np.sort(out)
        assert dataset.groups is not None
        n_folds = max(2, round(1 / share))
        n_groups = np.unique(dataset.groups[pool]).size
        require(
            n_groups >= n_folds, "split", "groups", f"must be at least {n_folds} for a share of {share:g}", n_groups
        )
        folds = StratifiedGroupKFold(n_folds, shuffle=True, random_state=seed)
        rest, out = next(folds.split(pool, dataset.labels[pool], dataset.groups[pool]))
        return pool[rest], pool[out]

    try:
        rest, test = held_out(np.arange(dataset.n_samples), test_share)
        train, validation = held_out(rest, validation_share / (1 - test_share))
    except InputError:
        raise
    except ValueError as error:  # scikit-learn's own sentence on classes with too few members
        raise InputError(f"`dataset` of `split` cannot be divided: {error}") from error
    whole = dataset if by_groups else Dataset(dataset.spikes, dataset.labels, dataset.class_names)
    return Splits(whole.select(train), whole.select(validation), whole.select(test), name, licence, source)


def _number(cell: str, thousands: str) -> float | None:
    text = cell.strip().replace(thousands, "") if thousands else cell.strip()
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _names_of(folder: Path, files: list[Path], pattern: str | None) -> tuple[list[str], list[str]]:
    """Per file the label, and the group if the pattern names one."""
    if pattern is not None:
        try:
            expression = re.compile(pattern)
        except re.error as error:
            raise InputError(f"`pattern` of `wav_folder` is not a regular expression: {error}") from error
        require("label" in expression.groupindex, "wav_folder", "pattern", "must have a group (?P<label>...)", pattern)
        found = [expression.match(path.stem) for path in files]
        for path, match in zip(files, found, strict=True):
            require(
                match is not None, "wav_folder", "pattern", "must match every name", pattern, place=f"for {path.name}"
            )
        labels = [match["label"] for match in found if match]
        with_groups = "group" in expression.groupindex
        return labels, [match["group"] for match in found if match] if with_groups else []
    inside = [path.parent != folder for path in files]
    if all(inside):
        return [path.parent.name for path in files], []
    stray = files[inside.index(False)]
    require(not any(inside), "wav_folder", "folder", "must hold files or sub-folders, not both", str(stray))
    for path in files:
        ok = "_" in path.stem
        require(
            ok, "wav_folder", "folder", 'must hold names with a label before "_"', path.name, remedy="or give `pattern`"
        )
    return [path.stem.split("_")[0] for path in files], []


def _read_wav(path: Path) -> tuple[NDArray[np.float64], float]:
    """The signal, in [-1, 1] for integer files, and its sampling rate in Hz."""
    from scipy.io import wavfile

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", wavfile.WavFileWarning)
            warnings.filterwarnings("ignore", "Chunk .non-data. not understood", wavfile.WavFileWarning)
            rate, data = wavfile.read(path)
    except (
        OSError,
        ValueError,
        EOFError,
        wavfile.WavFileWarning,
        ArithmeticError,
        UnboundLocalError,
        struct.error,
    ) as error:
        raise FileError(f"{path}: cannot be read as WAV ({error})") from error
    if data.size == 0:
        raise InputError(f"{path}: the recording has no samples")
    signal = data.astype(np.float64)
    if data.dtype == np.uint8:
        signal = (signal - 128.0) / 128.0
    elif data.dtype.kind == "i":
        signal /= -float(np.iinfo(data.dtype).min)
    return (signal.mean(axis=1) if signal.ndim == 2 else signal), float(rate)
