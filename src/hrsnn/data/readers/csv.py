"""A CSV file as a `Series`: its delimiter, decimals and names found or given, its dates recognised."""

from __future__ import annotations

import csv
import io
import math
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import numpy as np

from hrsnn._checks import FileError, InputError, among, as_path, did_you_mean, instance, listed, require
from hrsnn.data.dataset import Series
from hrsnn.data.readers.dates import dates_of, told_of_distances
from hrsnn.data.readers.reader import Reader, Wanted

_DELIMITERS = ("\t", ";", "|", ",")  # a comma may be a decimal one where another splits all rows alike
_MISSING = {"", "nan", "na", "n/a", "#n/a", "null", "none", "-", "?", "."}
_N_LOOKED_AT = 50  # rows by which the delimiter is found


class CsvSeries(Reader):
    """One series, a row per step of time."""

    kind = "series"
    words = {"a .csv": "of one series"}
    suffixes = (".csv",)

    def read(self, path: Path, wanted: Wanted) -> Series:
        return csv_series(
            path, list(wanted.variables) or None, dt=wanted.dt or 1.0, name=wanted.name,
            delimiter=wanted.delimiter or None, decimal=wanted.decimal or None, thousands=wanted.thousands,
        )  # fmt: skip


def csv_series(
    path: str | PathLike[str],
    columns: Sequence[str] | None = None,
    *,
    dt: float = 1.0,
    name: str | None = None,
    delimiter: str | None = None,
    decimal: str | None = None,
    thousands: str = "",
    header: bool | None = None,
    encoding: str | None = None,
) -> Series:
    """The named columns of a CSV file as a series, one row per value.

    columns    names of those that are read; None: all, except those of dates and times and an unnamed one that counts
               the rows. Dates must rise then; that they do not lie at equal distances is warned of
    dt         time between two rows
    delimiter  between cells; None: the one of tab, ";", "|", "," that splits all rows alike
    decimal    of numbers, "." or ","; None: a comma where cells are not delimited by commas and no cell has a point;
               marks of thousands are found, too, where a number leaves no other reading, as 1,258.3 or 7,380,500
    thousands  a character left out of numbers, between groups of three digits
    header     whether the first row holds names; without it columns are named "1", "2", ...; None: unless it holds
               numbers, of which is warned
    encoding   None: UTF-8, or UTF-16 where its byte order mark stands; latin-1, with a warning, for what is neither

    Lines of comment, which begin with "#", may stand before the first row; the last of them holds the names where the
    first row has none. Raises `InputError` naming the line of a cell that is not a finite number, of an empty line
    between values, and of a row with more cells than names.
    """
    path = as_path("csv_series", "path", path)
    for option, value in (("delimiter", delimiter), ("decimal", decimal), ("encoding", encoding), ("name", name)):
        if value is not None:
            instance("csv_series", option, value, str)
    instance("csv_series", "thousands", thousands, str)
    ok = delimiter is None or len(delimiter) == 1
    require(ok, "csv_series", "delimiter", "must be one character", delimiter)
    table = _table(path, _text(path, encoding), delimiter, header)
    if columns is not None:
        columns = [columns] if isinstance(columns, str) else listed("csv_series", "columns", columns)
    chosen = table.chosen(columns)
    if decimal is None:
        decimal, thousands = _marks(table, chosen, thousands)
    require(decimal in (".", ","), "csv_series", "decimal", 'must be "." or ","', decimal)
    require(decimal != thousands, "csv_series", "thousands", "must differ from the decimal sign", thousands)
    values = np.empty((len(table.rows), len(chosen)))
    for k, (line, row) in enumerate(table.rows):
        for variable, j in enumerate(chosen):
            number = _number(row[j], decimal, thousands)
            if number is None:
                raise InputError(
                    f'{path}: column "{table.names[j]}" must hold numbers, got {_shown(row[j])} in row {k + 1} '
                    f"(line {line}); {_what_to_do(row[j], columns)}"
                )
            values[k, variable] = number
    return Series(values, dt, name or path.stem, tuple(table.names[j] for j in chosen))


@dataclass(frozen=True, slots=True)
class _Table:
    """Names, and per row the number of its line and as many cells as there are names."""

    path: Path
    names: list[str]
    rows: list[tuple[int, list[str]]]
    delimiter: str

    def cells(self, column: int) -> list[str]:
        return [row[column] for _, row in self.rows]

    def chosen(self, columns: Sequence[str] | None) -> list[int]:
        """The indices of the columns to read."""
        if columns is None:
            dated = self._dated()
            kept = [j for j in range(len(self.names)) if j not in dated]
            for j in kept:
                if not self.names[j]:
                    raise InputError(f"{self.path}: column {j + 1} has no name in the first row; give it one")
            require(kept, "csv_series", "path", "must name a file with a column of numbers", str(self.path))
        else:
            known = sorted(set(self.names))
            for column in columns:
                remedy = did_you_mean(column, known)
                require(among(column, known), "csv_series", "columns", "must be in the file", column, remedy=remedy)
            kept = [self.names.index(column) for column in columns]
            self._warn_of_newest_first(kept)
        for j in kept:
            if self.names.count(self.names[j]) > 1:
                raise InputError(f"{self.path}: the name {_shown(self.names[j])} stands above two columns; change one")
        return kept

    def _dated(self) -> set[int]:
        """Columns of dates, times or, without a name, row numbers; dates must rise."""
        numbers = [all(_number(cell, ".", "") is not None for cell in self.cells(j)) for j in range(len(self.names))]
        counts = {
            j
            for j, name in enumerate(self.names)
            if not name and numbers[j] and (np.diff([float(cell) for cell in self.cells(j)]) == 1).all()
        }
        dates = {j: found for j in range(len(self.names)) if (found := dates_of(self.cells(j))) is not None}
        told = told_of_distances(dates.values(), [line for line, _ in self.rows])
        if told is not None and told.fatal:
            raise InputError(
                f"{self.path}: {told.sentence}; sort the rows, or choose columns (task.forecast.variables)"
            )
        if told is not None:
            warnings.warn(f"{self.path}: {told.sentence}; each row is taken as one step of time", stacklevel=5)
        return counts | set(dates)

    def _warn_of_newest_first(self, kept: Sequence[int]) -> None:
        """Where dates stand beside the chosen columns, the first and the last say whether time runs backwards."""
        ends = [self.rows[0][1], self.rows[-1][1]]
        for j in set(range(len(self.names))) - set(kept):
            dates = dates_of([row[j] for row in ends])
            if dates is not None and dates.falls:
                warnings.warn(
                    f'{self.path}: dates in column "{self.names[j]}" fall from {ends[0][j]} to {ends[1][j]}, so the '
                    "series runs backwards in time; sort the rows", stacklevel=5,
                )  # fmt: skip


def _text(path: Path, encoding: str | None) -> str:
    try:
        raw = path.read_bytes()
        if encoding is not None:
            return raw.decode(encoding)
    except (OSError, ValueError, LookupError) as error:
        raise FileError(f"{path}: cannot be read as CSV ({error})") from error
    try:
        return raw.decode("utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except UnicodeError:
        warnings.warn(f"{path}: not UTF-8, so read as latin-1; `encoding` says otherwise", stacklevel=4)
        return raw.decode("latin-1")


def _table(path: Path, text: str, delimiter: str | None, header: bool | None) -> _Table:
    if "\0" in text:
        raise FileError(f"{path}: cannot be read as CSV (it holds zero bytes; is it UTF-16, or no text at all?)")
    lines = text.splitlines(keepends=True)
    n_skipped, above = 0, ""
    told = re.match(r"sep=(.)\s*$", lines[0]) if lines else None  # how spreadsheets tell the delimiter
    if told:
        n_skipped, delimiter = 1, delimiter or told[1]
    while n_skipped < len(lines) and (lines[n_skipped].startswith("#") or not lines[n_skipped].strip()):
        above = lines[n_skipped].lstrip("#").strip() or above
        n_skipped += 1
    text = "".join(lines[n_skipped:])
    delimiter = delimiter or _delimiter(text)
    rows = [(line + n_skipped, row) for line, row in _rows(path, text, delimiter)]
    while rows and not any(rows[-1][1]):
        rows.pop()
    require(rows, "csv_series", "path", "must name a file with at least one row of values", str(path))
    first = rows[0][1]
    names = [str(k + 1) for k in range(len(first))]
    only_values = all(_is_value(cell) for cell in first)
    if header or (header is None and not only_values):
        names, rows = first, rows[1:]
    elif header is None and above and len(cells := next(csv.reader([above], delimiter=delimiter))) == len(first):
        names = [cell.strip() for cell in cells]
    elif header is None:
        warnings.warn(
            f"{path}: the first row holds no names but {_shown(first)}, so columns are named 1, 2, ...; "
            "header=True takes it for names", stacklevel=4,
        )  # fmt: skip
    require(rows, "csv_series", "path", "must name a file with at least one row of values", str(path))
    return _checked(path, names, rows, delimiter)


def _checked(path: Path, names: list[str], rows: list[tuple[int, list[str]]], delimiter: str) -> _Table:
    """Every row with as many cells as there are names; blank columns at the right end are left out."""
    width = len(names)
    while width > 1 and not names[width - 1] and not any(row[width - 1 : width] != [""] for _, row in rows if row):
        width -= 1
    whole = []
    for line, row in rows:
        if not any(row):
            raise InputError(
                f"{path}: line {line} is empty between values; a value left out would move the others in time: fill it "
                "in, or cut the series there"
            )
        if any(row[width:]):
            raise InputError(
                f"{path}: line {line} has {len(row)} cells, the first row has {width}; is the delimiter "
                f"{_shown(delimiter)}, and are decimal commas in quotes?"
            )
        whole.append((line, row[:width] + [""] * (width - len(row))))
    return _Table(path, names[:width], whole, delimiter)


def _rows(path: Path, text: str, delimiter: str) -> list[tuple[int, list[str]]]:
    """Per row the number of its last line, from 1, and its cells without space around them."""
    try:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
        return [(reader.line_num, [cell.strip() for cell in row]) for row in reader]
    except csv.Error as error:
        raise FileError(f"{path}: cannot be read as CSV ({error})") from error


def _delimiter(text: str) -> str:
    lines = io.StringIO(text, newline="").readlines()[:_N_LOOKED_AT]
    widths = {}
    for delimiter in _DELIMITERS:
        try:
            rows = [[cell.strip() for cell in row] for row in csv.reader(lines, delimiter=delimiter)]
        except csv.Error:
            continue
        # Cells without content at the end of a row are often left behind.
        widths[delimiter] = [max([k + 1 for k, cell in enumerate(row) if cell], default=0) for row in rows if any(row)]
    alike = [d for d, w in widths.items() if w and w[0] > 1 and set(w) == {w[0]}]
    split = [d for d, w in widths.items() if w and w[0] > 1]
    single = [d for d, w in reversed(widths.items()) if set(w) == {1}]
    return (alike or split or single or [","])[0]


_COMMA = re.compile(r"[+-]?\d*,\d+([eE][+-]?\d+)?")
_POINT = re.compile(r"[+-]?\d*\.\d+([eE][+-]?\d+)?")
_THREE = re.compile(r"[+-]?[1-9]\d{0,2},\d{3}")
# Two groups of thousands, or one before another mark: no other reading is left.
_THOUSANDS = {
    mark: re.compile(rf"[+-]?\d{{1,3}}({m}\d{{3}})+({m}\d{{3}}|{d}\d+)")
    for mark, m, d in ((",", ",", r"\."), (".", r"\.", ","))
}


def _marks(table: _Table, chosen: Sequence[int], thousands: str) -> tuple[str, str]:
    """The mark of decimals and that of thousands, as far as the cells tell them without doubt."""
    cells = [cell for j in chosen for cell in table.cells(j)]
    for mark, decimal in ((",", "."), (".", ",")):
        if thousands in ("", mark) and any(_THOUSANDS[mark].fullmatch(cell) for cell in cells):
            return decimal, mark
    with_comma = [cell for cell in cells if _COMMA.fullmatch(cell)]
    if table.delimiter == "," or thousands == "," or not with_comma or any(_POINT.fullmatch(cell) for cell in cells):
        return ".", thousands
    # "1,258" may be 1258, except where cells are delimited as where decimals are commas, and all have three digits.
    if all(_THREE.fullmatch(cell) for cell in with_comma) and (len(with_comma) < len(cells) or len(table.names) == 1):
        line = next(line for line, row in table.rows if any(row[j] == with_comma[0] for j in chosen))
        raise InputError(
            f"{table.path}: {with_comma[0]!r} in line {line} may have a decimal comma or one of thousands; say "
            'decimal="," or thousands=","'
        )
    return ",", thousands


def _number(cell: str, decimal: str, thousands: str) -> float | None:
    text = cell.strip()
    if thousands and thousands in text:
        t, d = re.escape(thousands), re.escape(decimal)
        if not re.fullmatch(rf"[+-]?\d{{1,3}}({t}\d{{3}})+({d}\d*)?([eE][+-]?\d+)?", text):
            return None
        text = text.replace(thousands, "")
    if decimal == ",":
        text = text.replace(".", "_").replace(",", ".")  # a point is no part of a number then
    if "_" in text:  # `float` passes over it between digits
        return None
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _is_value(cell: str) -> bool:
    return not cell or any(_number(cell, decimal, "") is not None for decimal in ".,") or dates_of([cell]) is not None


def _what_to_do(cell: str, columns: Sequence[str] | None) -> str:
    if cell.lower() in _MISSING:
        return "a value is missing: fill it in, or cut the series there"
    if re.fullmatch(r"[+-]?[\d.,]+", cell) and "," in cell:
        return 'say decimal="," or thousands=","'
    others = "name" if columns is None else "leave it out of"
    return f"{others} the columns to forecast: task.forecast.variables, or columns= of csv_series"


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
