"""Tables of text; the template escapes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Cell:
    """`note` stands beside the text in a quieter colour: an interval, a control's name."""

    text: str
    note: str = ""

    @classmethod
    def of(
        cls, written: Callable[..., list[str]], value: float | None, within: tuple[float, float] | None = None
    ) -> Self:
        """A number with its interval, as `written` writes both; a dash where there is none.

        >>> from hrsnn.report.parts.words import plain
        >>> Cell.of(plain, 0.5, (0.25, 0.75))
        Cell(text='0.500', note='[0.250, 0.750]')
        """
        if value is None:
            return cls("–")
        text, *ends = written(value, *(within or ()))
        return cls(text, f"[{', '.join(ends)}]" if ends else "")


@dataclass(frozen=True, slots=True)
class Table:
    """`n_names`: so many first columns hold names, the others numbers; `title` also stands over folded tables."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    n_names: int = 1
    title: str = ""
    folded: bool = False


def named(values: Mapping[str, Any], columns: tuple[str, str]) -> tuple[Table, ...]:
    """Names beside what is known of them, in no table where nothing is.

    >>> [table.rows for table in named({"a": 0.1 + 0.2, "b": None}, ("name", "value"))]
    [((Cell(text='a', note=''), Cell(text='0.3', note='')),)]
    """
    rows = tuple((Cell(str(name)), Cell(as_text(value))) for name, value in values.items() if value is not None)
    return (Table(columns, rows, n_names=2, title=columns[0]),) if rows else ()


def as_text(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else "–" if value is None else str(value)
