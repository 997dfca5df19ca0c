"""Documents as they are read: tables of JSON values, any of which may be null or absent; what is there is checked.

Texts are kept as they are: escaping belongs to whoever shows them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hrsnn._checks import FileError, InputError, require

Range = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Part:
    """One table of the document in the file `owner`; empty where it was left out. What is unknown is None.

    Every look at it raises `InputError` when something of another form stands there, `FileError` with the remedy where
    there is a `remedy`.
    """

    values: Mapping[str, Any]
    owner: str = "document"
    path: str = ""
    remedy: str = ""

    def __post_init__(self) -> None:
        self._require(isinstance(self.values, Mapping), self.path or "the document", "must be a table", self.values)

    def part(self, name: str) -> Part:
        """The table `name` within."""
        value = self.values.get(name)
        return Part({} if value is None else value, self.owner, self._path(name), self.remedy)

    def parts(self, name: str) -> list[Part]:
        """The tables in the list `name`."""
        each = enumerate(self.items(name))
        return [Part(value, self.owner, self._path(f"{name}[{k}]"), self.remedy) for k, value in each]

    def items(self, name: str) -> list[Any]:
        """The list `name`, empty where there is none."""
        value = self.values.get(name)
        self.check(value is None or isinstance(value, list), name, "must be a list")
        return value or []

    def text(self, name: str, default: str | None = "") -> str | None:
        """A text, `default` where it is null or empty."""
        value = self.values.get(name)
        self.check(value is None or isinstance(value, str), name, "must be a text")
        return value or default

    def number(self, name: str) -> float | None:
        return number(self.values.get(name))

    def whole(self, name: str) -> int:
        """A count, 0 where it is not known."""
        return max(0, int(self.number(name) or 0))

    def numbers(self, name: str) -> list[float | None]:
        """A list of numbers, empty where there is none."""
        return [number(item) for item in self.items(name)]

    def known(self) -> dict[str, float]:
        """Every number of the table by its name."""
        return {str(name): known for name, value in self.values.items() if (known := number(value)) is not None}

    def columns(self, *names: str) -> list[tuple[float | None, ...]]:
        """Lists side by side, row by row; one that was left out is None in every row."""
        lists = [self.numbers(name) for name in names]
        n = max(map(len, lists))
        for name, column in zip(names, lists, strict=True):
            self.check(len(column) in (0, n), name, f"must have {n} values, as many as those beside it")
        return list(zip(*(column or [None] * n for column in lists), strict=True))

    def pairs(self, x: str, y: str) -> list[tuple[float, float]]:
        """Two lists side by side, without pairs of which a half is unknown."""
        return [(a, b) for a, b in self.columns(x, y) if a is not None and b is not None]

    def interval(self, name: str = "ci95") -> Range | None:
        """Two rising numbers, None where one of them is not known."""
        ends = self.numbers(name)
        self.check(len(ends) in (0, 2), name, "must be null or two numbers")
        if not ends or ends[0] is None or ends[1] is None:
            return None
        self.check(ends[0] <= ends[1], name, "must rise")
        return ends[0], ends[1]

    def check(self, ok: object, name: str, rule: str) -> None:
        value = self.values.get(name)
        shown = f"a list of {len(value)}" if isinstance(value, list) and len(value) > 4 else value
        self._require(ok, self._path(name), rule, shown)

    def _path(self, name: str) -> str:
        return f"{self.path}.{name}" if self.path else name

    def _require(self, ok: object, path: str, rule: str, value: Any) -> None:
        try:
            require(ok, self.owner, path, rule, value, remedy=self.remedy)
        except InputError as error:
            raise FileError(str(error)) if self.remedy else error from None


def number(value: Any) -> float | None:
    """`value` as a finite float, or None.

    >>> number(3), number(True), number("3"), number(float("nan"))
    (3.0, None, None, None)
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:  # an integer beyond every float
        return None
