"""Tables of text; the template escapes it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self, TypeVar

from hrsnn.report.parts.words import Written, within

_T = TypeVar("_T")
Columns = Mapping[str, Callable[[_T], "Cell | str"]]


@dataclass(frozen=True, slots=True)
class Cell:
    """`note` stands beside the text in a quieter colour: an interval, a control's name."""

    text: str
    note: str = ""

    @classmethod
    def of(cls, written: Written, value: float | None, ends: tuple[float, float] | None = None) -> Self:
        """A number with its interval, as `written` writes both; a dash where there is none.

        >>> from hrsnn.report.parts.words import plain
        >>> Cell.of(plain, 0.5, (0.25, 0.75))
        Cell(text='0.500', note='[0.250, 0.750]')
        """
        if value is None:
            return cls("–")
        text, *both = written(value, *(ends or ()))
        return cls(text, within(both or None, str))


@dataclass(frozen=True, slots=True)
class Table:
    """`n_names`: so many first columns hold names, the others numbers; `title` also stands over folded tables."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    n_names: int = 1
    title: str = ""
    folded: bool = False


def table_of(records: Iterable[_T], columns: Columns[_T], **how: Any) -> Table | None:
    """A row for each record, a column for each function of a record; None without records. `how` is as in `Table`.

    >>> table_of([2, 3], {"n": str, "square": lambda n: Cell(str(n * n), "exactly")}).rows[1]
    (Cell(text='3', note=''), Cell(text='9', note='exactly'))
    """
    each = ((of(record) for of in columns.values()) for record in records)
    rows = tuple(tuple(cell if isinstance(cell, Cell) else Cell(cell) for cell in cells) for cells in each)
    return Table(tuple(columns), rows, **how) if rows else None


def named(values: Mapping[str, Any], name: str, value: str) -> Table | None:
    """Names beside what is known of them, under the heads `name` and `value`; None where nothing is.

    >>> named({"a": 0.1 + 0.2, "b": None}, "name", "value").rows
    ((Cell(text='a', note=''), Cell(text='0.3', note='')),)
    """
    known = [(str(key), as_text(found)) for key, found in values.items() if found is not None]
    return table_of(known, {name: lambda pair: pair[0], value: lambda pair: pair[1]}, n_names=2, title=name)


def as_text(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else "–" if value is None else str(value)
