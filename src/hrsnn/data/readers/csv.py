"""A CSV file as a `Series`."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from os import PathLike
from pathlib import Path

import numpy as np

from hrsnn._checks import FileError, InputError, did_you_mean, require
from hrsnn.data.dataset import Series


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


def _number(cell: str, thousands: str) -> float | None:
    text = cell.strip().replace(thousands, "") if thousands else cell.strip()
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
