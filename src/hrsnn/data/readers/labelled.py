"""Labelled series: tables of the UCR and UEA archives, CSV with a row per example, arrays, one file per example."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrsnn._checks import FileError, InputError, require
from hrsnn.data.readers.folder import EXAMPLES, TABLES, examples_in, files_in, folder_files, pair_in
from hrsnn.data.readers.npz import holds_values
from hrsnn.data.readers.reader import Found, Layout, Like, Reader, Recording, Wanted

Cells = tuple[int, list[str]]  # number of the line, from 1, and its cells

_LABEL_NAMES = ("label", "labels", "class", "target")
_GROUP_NAMES = ("group", "groups")
_FEW = 8  # a row with fewer values than this is hardly a recording


class Labelled(Reader):
    """Series with a class each: a table of them, a pair of tables for training and test, or a folder of files."""

    kind = "labelled"
    words = {
        "a folder": "of one CSV, TXT or NPY file per example",
        "an .npz": "of labelled values",
        "a .ts, .arff, .tsv or .txt": "of labelled series",
        "a .csv": "of labelled series",
    }
    suffixes = TABLES
    in_folder = f"one of {', '.join(EXAMPLES)}"
    new_suffixes = (*TABLES, ".npy")

    def takes(self, path: Path) -> bool:
        if path.is_dir():
            return bool(files_in(path, (*TABLES, *EXAMPLES)))
        suffix = path.suffix.lower()
        if suffix == ".npz":
            return holds_values(path)
        return suffix != ".csv" or (path.is_file() and is_labelled(path))

    def read(self, path: Path, wanted: Wanted) -> Found:
        if not path.is_dir():
            return _found(path, wanted)
        pair = pair_in(path)
        if pair is not None:
            return _found(pair[0], wanted) + _found(pair[1], wanted)
        listed = folder_files(path, examples_in(path), wanted.group_pattern)
        content = [read_example(file) for file in listed.files]
        return Found(content, listed.labels, listed.groups, listed.parts, listed.group_word)

    def read_new(self, path: Path, like: Like) -> Sequence[Recording]:
        return read_values(path, layout=like.layout, label_column=like.label_column, class_names=like.class_names)


def _found(path: Path, wanted: Wanted) -> Found:
    rule = "is for names of files in a folder; a table has a column `group`, an .npz an array `groups`"
    require(not wanted.group_pattern, "task", "group_pattern", rule, wanted.group_pattern)
    examples = read_labelled(path, label_column=wanted.label_column)
    return Found(
        examples.values, examples.labels, examples.groups, layout="rows", label_column=examples.label_column
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Examples:
    """Recordings of values, float64 (T, D) each, with the text of their class; groups are None where none are told.

    `label_column` is where classes were found in a table of rows: the name of a column, "first" or "last".
    """

    values: list[NDArray[np.float64]]
    labels: list[str]
    groups: list[str] | None = None
    label_column: str = ""
    labelled: bool = True


def read_labelled(path: Path, *, label_column: str = "") -> Examples:
    """The examples in a table: `.ts`, `.arff`, `.npz`, or text with one row per example (`.csv`, `.tsv`, `.txt`).

    Text has one class per row, in the column `label_column`: a name of the first row, "first" or "last". Without it the
    column is the one that is called label, class or target, else the only one of text at either end, else, in rows of
    numbers without names, the first, where it holds a few whole numbers again and again (the form of the UCR archive).
    A column called group tells groups. Cells of NaN at the end of a row end the recording; elsewhere, like "?", they
    are refused with their line.
    """
    examples = _read(path, label_column)
    if not examples.labelled:
        raise InputError(f"{path}: the file tells no classes to learn; it must have some for training")
    require(len(examples.values) > 0, str(path), "task.path", "must hold at least one example", "none")
    return examples


def read_values(
    path: Path, *, layout: Layout, label_column: str = "", class_names: Sequence[str] = ()
) -> list[NDArray[np.float64]]:
    """The recordings of a file without their classes.

    `layout` tells text with a recording per row from files that are one recording each, a row per step of time. Rows
    may come without a class where their names, or `class_names` that are no numbers, tell that it is not there.
    """
    in_rows = path.suffix.lower() in (".csv", ".tsv", ".txt")
    if path.suffix.lower() == ".npy" or (in_rows and layout == "files"):
        return [read_example(path)]
    if in_rows:
        header, rows = _header(_rows(path))
        if label_column in ("first", "last"):
            cell = rows[0][1][0 if label_column == "first" else -1]
            there = _number(cell) is None or any(_number(name) is not None for name in class_names)
        else:
            there = label_column in header
        return _read_rows(path, label_column if there else "none").values
    return _read(path, label_column).values


def read_example(path: Path) -> NDArray[np.float64]:
    """One recording per file: rows are steps of time and columns are channels, float64 (T, D).

    `.npy` of shape (T,) or (T, D), or text; a first row of names is passed over.
    """
    if path.suffix.lower() == ".npy":
        try:
            array = np.load(path, allow_pickle=False)
        except Exception as error:  # NumPy has no one class for what can be wrong with a file
            raise FileError(f"{path}: cannot be read as .npy ({error})") from error
        return _checked(path, array)
    rows = _rows(path)
    if len(rows) > 1 and any(_number(cell) is None for cell in rows[0][1]):
        rows = rows[1:]
    width = len(rows[0][1])
    values = np.empty((len(rows), width))
    for k, (line, cells) in enumerate(rows):
        _require_width(path, line, cells, width)
        values[k] = [_finite(path, line, cell) for cell in cells]
    return values


def is_labelled(path: Path) -> bool:
    """Whether a `.csv` holds an example per row, and not one series. Raises `InputError` where it may be either."""
    try:
        rows = _rows(path)
        if len({len(cells) for _, cells in rows}) != 1:
            return False
        header, rows = _header(rows)
        column = _label_column(path, header, rows, "")
    except InputError:
        return False  # the reader of series says what is wrong with it
    n_values = len(rows[0][1]) - 1
    others = [cell for _, cells in rows[:20] for j, cell in enumerate(cells) if j != column]
    if n_values < 1 or any(_number(cell) is None for cell in others):
        return False
    if n_values >= _FEW:
        return True
    if all(_number(cells[column]) is not None for _, cells in rows) and not _called(header, _LABEL_NAMES):
        return False
    raise InputError(
        f"{path}: there is a column of classes and only {n_values} others; say what a row is, with "
        'task.kind = "labelled" (one recording, its values in order of time) or "series" (one step of time)'
    )


# -- kinds of tables ---------------------------------------------------------------------------------------------------


def _read(path: Path, label_column: str) -> Examples:
    suffix = path.suffix.lower()
    if suffix == ".npz":
        return _read_npz(path)
    if suffix == ".ts":
        return _read_ts(path)
    if suffix == ".arff":
        return _read_arff(path)
    return _read_rows(path, label_column)


def _read_rows(path: Path, label_column: str) -> Examples:
    header, rows = _header(_rows(path))
    if label_column == "none":
        column = -1
    else:
        column = _label_column(path, header, rows, label_column)
    group = header.index(found) if (found := _called(header, _GROUP_NAMES)) else -1
    width = len(header) if header else len(rows[0][1])
    values, labels, groups = [], [], []
    for line, cells in rows:
        _require_width(path, line, cells, width)
        told = [j for j in (column, group) if j >= 0]
        kept = [cell for j, cell in enumerate(cells) if j not in told]
        while kept and kept[-1].lower() in ("", "nan"):
            kept.pop()
        if not kept:
            raise InputError(f"{path}: line {line} holds no value")
        values.append(np.array([[_finite(path, line, cell)] for cell in kept]))
        labels.append(_label(cells[column]) if column >= 0 else "")
        groups.append(cells[group] if group >= 0 else "")
    name = header[column] if header and column >= 0 else {0: "first"}.get(column, "last")
    return Examples(values, labels, groups if group >= 0 else None, name, column >= 0)


def _read_ts(path: Path) -> Examples:
    """The form of sktime and aeon: variables separated by ":", values by ",", the class last."""
    values, labels, labelled, data = [], [], False, False
    for line, text in _lines(path):
        if text.startswith("#"):
            continue
        if not data:
            words = text.lower().split()
            if words[0] == "@timestamps" and words[-1] == "true":
                raise InputError(f"{path}: line {line}: values with time stamps cannot be read; write values alone")
            if words[0] == "@targetlabel" and words[1:2] == ["true"]:
                raise InputError(f"{path}: line {line}: the targets are numbers to predict; classes are needed")
            labelled = labelled or words[:2] == ["@classlabel", "true"]
            data = words[0] == "@data"
            continue
        variables = text.split(":")
        labels.append(_label(variables.pop()) if labelled else "")
        values.append(_variables(path, line, [variable.split(",") for variable in variables]))
    if not data:
        raise FileError(f"{path}: there is no line @data")
    return Examples(values, labels, labelled=labelled)


def _read_arff(path: Path) -> Examples:
    """The form of Weka: values and the class, or one quoted relation of variables, separated by \\n, and the class."""
    values, labels, data = [], [], False
    for line, text in _lines(path):
        if text.startswith("%"):
            continue
        if not data:
            data = text.lower() == "@data"
            continue
        series, _, label = text.rpartition(",")
        series = series.strip().strip("'\"")
        labels.append(_label(label))
        values.append(_variables(path, line, [variable.split(",") for variable in re.split(r"\\n", series)]))
    if not data:
        raise FileError(f"{path}: there is no line @data")
    return Examples(values, labels)


def _read_npz(path: Path) -> Examples:
    """Arrays `values` (n, T) or (n, T, D), `labels` (n,) and, if there, `groups` (n,) and `class_names`."""
    arrays: dict[str, NDArray[Any]] = {}
    try:
        with np.load(path, allow_pickle=False) as file:
            for name in ("values", "labels", "groups", "class_names"):
                if name in file.files:
                    arrays[name] = file[name]
    except Exception as error:  # NumPy and zipfile have no one class for what can be wrong with a file
        raise FileError(f"{path}: cannot be read as .npz ({error})") from error
    if "values" not in arrays:
        raise FileError(f"{path}: the file has no array `values`")
    values = arrays["values"]
    require(values.ndim in (2, 3), path.name, "values", "must have shape (n, T) or (n, T, D)", f"shape {values.shape}")
    recordings = [_checked(path, x, f"recording {k}") for k, x in enumerate(values)]
    for name in ("labels", "groups"):
        if name in arrays:
            ok = arrays[name].shape == (len(values),)
            rule = f"must hold one entry for each of {len(values)} recordings"
            require(ok, path.name, name, rule, f"shape {arrays[name].shape}")
    groups = [str(g) for g in arrays["groups"].tolist()] if "groups" in arrays else None
    labels = [str(label) for label in arrays["labels"].tolist()] if "labels" in arrays else [""] * len(values)
    if "class_names" in arrays and "labels" in arrays:
        names, numbers = arrays["class_names"].astype(str), arrays["labels"]
        ok = numbers.dtype.kind in "iu" and bool(((numbers >= 0) & (numbers < names.size)).all())
        require(ok, path.name, "labels", f"must be numbers of the {names.size} class_names", numbers)
        labels = names[numbers].tolist()
    return Examples(recordings, labels, groups, labelled="labels" in arrays)


# -- rows and cells ----------------------------------------------------------------------------------------------------


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Lines that hold something, numbered from 1."""
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise FileError(f"{path}: cannot be read as text ({error})") from error
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            yield number, line.strip()


def _rows(path: Path) -> list[Cells]:
    lines = list(_lines(path))
    if not lines:
        raise FileError(f"{path}: the file is empty")
    delimiter = next((mark for mark in ("\t", ";", ",") if mark in lines[0][1]), None)
    try:
        if delimiter is None:
            return [(number, line.split()) for number, line in lines]
        cells = [(number, next(csv.reader([line], delimiter=delimiter))) for number, line in lines]
    except csv.Error as error:
        raise FileError(f"{path}: cannot be read as a table ({error})") from error
    return [(number, [cell.strip() for cell in row]) for number, row in cells]


def _header(rows: list[Cells]) -> tuple[list[str], list[Cells]]:
    """The names of the columns, [] where the first row holds none, and the rows below."""
    first = rows[0][1]
    text = [j for j, cell in enumerate(first) if _number(cell, or_nan=True) is None]
    below = rows[1][1] if len(rows) > 1 else []
    counted = len(first) >= _FEW and first == [str(k) for k in range(len(first))]  # names that a program gave
    named = (
        counted
        or len(text) > 1
        or any(
            first[j].lower() in _LABEL_NAMES or (j < len(below) and _number(below[j], or_nan=True) is not None)
            for j in text
        )
    )
    return (first, rows[1:]) if named and below else ([], rows)


def _label_column(path: Path, header: list[str], rows: Sequence[Cells], given: str) -> int:
    width = len(rows[0][1])
    if given in ("first", "last"):
        return 0 if given == "first" else width - 1
    if given:
        known = "must be a name of the first row, or first or last"
        require(given in header, path.name, "task.label_column", known, given)
        return header.index(given)
    if found := _called(header, _LABEL_NAMES):
        return header.index(found)
    text = [
        j for j in dict.fromkeys((0, width - 1)) if all(j < len(c) and _number(c[j], True) is None for _, c in rows)
    ]
    repeated = [j for j in text if _repeats([cells[j] for _, cells in rows])]
    if len(repeated) == 1:
        return repeated[0]
    first = [cells[0] for _, cells in rows]
    whole = all((number := _number(cell)) is not None and number == int(number) for cell in first)
    if not header and not text and whole and width > 1 and _repeats(first):
        return 0
    raise InputError(
        f"{path}: no column of classes was found; name it with task.label_column, or say with "
        'task.kind = "series" that the rows are values in time'
    )


def _repeats(cells: Sequence[str]) -> bool:
    """At least two different texts, most of which come back."""
    return 2 <= len(set(cells)) <= max(2, len(cells) // 2)


def _called(header: Sequence[str], names: Sequence[str]) -> str:
    return next((name for name in header if name.lower() in names), "")


def _require_width(path: Path, line: int, cells: Sequence[str], width: int) -> None:
    if len(cells) != width:
        raise InputError(f"{path}: line {line} has {len(cells)} cells where the first has {width}")


def _variables(path: Path, line: int, variables: Sequence[Sequence[str]]) -> NDArray[np.float64]:
    lengths = {len(variable) for variable in variables}
    if len(lengths) != 1:
        raise InputError(f"{path}: line {line} has variables of different length, {sorted(lengths)}")
    return np.array([[_finite(path, line, cell) for cell in variable] for variable in variables]).T


def _finite(path: Path, line: int, cell: str) -> float:
    number = _number(cell)
    if number is None:
        hint = "missing values must be filled in first" if cell.strip().lower() in ("?", "", "nan") else ""
        if re.fullmatch(r"-?\d+,\d+", cell.strip()):
            hint = "write decimal points"
        raise InputError(f"{path}: line {line} must hold numbers, got {cell[:40]!r}{'; ' if hint else ''}{hint}")
    return number


def _number(cell: str, or_nan: bool = False) -> float | None:
    try:
        value = float(cell)
    except ValueError:
        return 0.0 if or_nan and cell == "" else None
    return value if math.isfinite(value) or or_nan else None


def _label(cell: str) -> str:
    """Text of a class; whole numbers in any form, as "1.0000000e+00" in old archives, are one class."""
    text = cell.strip().strip("'\"")
    number = _number(text)
    return str(int(number)) if number is not None and number == int(number) and abs(number) < 2**53 else text


def _checked(path: Path, values: NDArray[Any], place: str = "") -> NDArray[np.float64]:
    where = f", {place}" if place else ""
    if values.dtype.kind not in "biuf" or values.ndim not in (1, 2) or values.size == 0:
        raise InputError(f"{path}{where}: must hold numbers of shape (T,) or (T, D), got {values.dtype} {values.shape}")
    x = values.astype(np.float64).reshape(len(values), -1)
    bad = np.argwhere(~np.isfinite(x))
    if bad.size:
        step, variable = bad[0].tolist()
        raise InputError(
            f"{path}{where}: values must be finite, got {x[step, variable]} at step {step}, variable {variable}"
        )
    return x
