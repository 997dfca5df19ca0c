"""Dates and times in text: recognised, and whether they lie at equal distances."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise, product

_DATES = (
    "%Y-%m", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%Y/%m/%d", "%d-%m-%Y", "%d.%m.%y", "%d/%m/%y", "%m/%d/%y",
    "%d %m %Y", "%d %b %Y", "%d-%b-%Y", "%d-%b-%y", "%b %d, %Y", "%B %d, %Y", "%b %Y", "%b-%y",
)  # fmt: skip
_CLOCKS = ("%H:%M", "%H:%M:%S", "%H:%M:%S.%f", "%H.%M.%S", "%I:%M %p", "%I:%M:%S %p")
_DAY_CLOCKS = [f"{day}{between}{clock}" for day, between, clock in product(_DATES, (" ", "T"), _CLOCKS)]


def _signs(text: str) -> str:
    """What separates the parts: `datetime.strptime` is slow, and few forms have the signs of a cell."""
    return re.sub(r"%.|[^\W_]", "", text)


_BY_SIGNS = {
    signs: [form for form in (*_DATES, *_DAY_CLOCKS) if _signs(form) == signs]
    for signs in {_signs(form) for form in (*_DATES, *_DAY_CLOCKS)}
}


@dataclass(frozen=True, slots=True)
class Dates:
    """Readings of one column: more than one where day and month may be either; `clock` for times of the day alone."""

    readings: tuple[tuple[datetime, ...], ...]
    clock: bool

    @property
    def falls(self) -> bool:
        """Whether the last is before the first, however they are read."""
        return not self.clock and all(reading[-1] < reading[0] for reading in self.readings)


@dataclass(frozen=True, slots=True)
class Told:
    """What is wrong with the distances, and whether nothing can be made of the rows as they stand."""

    sentence: str
    fatal: bool


def dates_of(cells: Sequence[str]) -> Dates | None:
    """The cells as dates, or as times of the day, or None where one of them is neither.

    >>> dates_of(["1/2/2012", "1/13/2012"]).readings[0][1].day
    13
    >>> dates_of(["2012", "3.5"]) is None
    True
    """
    if not re.search(r"\d", cells[0]):
        return None
    if re.fullmatch(r"(19|20)\d{6}", cells[0]):
        formats: Iterable[str] = ("%Y%m%d",)
    elif re.fullmatch(r"[+-]?[\d.,]*\d?([eE][+-]?\d+)?", cells[0]) and cells[0].count(".") < 2:
        return None  # a number
    else:
        iso = _read(cells, None)
        if iso is not None:
            return Dates((iso,), clock=False)
        formats = _BY_SIGNS.get(_signs(cells[0]), ())
    found = tuple(reading for form in formats if (reading := _read(cells, form)) is not None)
    if found:
        return Dates(found, clock=False)
    forms = [form for form in _CLOCKS if _signs(form) == _signs(cells[0])]
    clocks = tuple(reading for form in forms if (reading := _read(cells, form)) is not None)
    return Dates(clocks[:1], clock=True) if clocks else None


def told_of_distances(columns: Iterable[Dates], lines: Sequence[int]) -> Told | None:
    """What is to be said of dates that do not rise or lie at unequal distances; `lines` are those of the rows."""
    columns = list(columns)
    days = next((dates.readings for dates in columns if not dates.clock), None)
    if days is None or len(lines) < 2:
        return None
    clock = next((dates.readings[0] for dates in columns if dates.clock), None)
    if clock is not None:
        midnight = datetime(1900, 1, 1)
        days = tuple(tuple(d + (t - midnight) for d, t in zip(reading, clock, strict=True)) for reading in days)
    told = [_told(reading, lines) for reading in days]
    return None if None in told else min((t for t in told if t is not None), key=lambda t: t.fatal)


def _told(times: Sequence[datetime], lines: Sequence[int]) -> Told | None:
    steps = [after - before for before, after in pairwise(times)]
    wrong = next((k for k, step in enumerate(steps) if step <= timedelta(0)), None)
    if wrong is not None:
        what = f"the date in line {lines[wrong + 1]} is not after that of the row before"
        return Told("dates fall: the newest row comes first" if times[-1] < times[0] else what, fatal=True)
    usual = max(set(steps), key=steps.count)
    unequal = [k for k, step in enumerate(steps) if step != usual]
    if not unequal or _whole_months(times):
        return None
    k = unequal[0]
    sentence = (
        f"dates do not lie at equal distances: {usual} in most rows, {steps[k]} before line {lines[k + 1]} "
        f"({len(unequal)} of {len(steps)} distances differ)"
    )
    return Told(sentence, fatal=False)


def _whole_months(times: Sequence[datetime]) -> bool:
    """Whether all are one day of the month, or its last, and one number of months apart."""
    last = all((time + timedelta(days=1)).day == 1 for time in times)
    days = {(time.day if not last else 0, time.time()) for time in times}
    months = [12 * time.year + time.month for time in times]
    return len(days) == 1 and len({after - before for before, after in pairwise(months)}) == 1


def _read(cells: Sequence[str], form: str | None) -> tuple[datetime, ...] | None:
    """All cells in one form, ISO 8601 for None."""
    try:
        read = [datetime.fromisoformat(cell) if form is None else datetime.strptime(cell, form) for cell in cells]
        aware = [time.utcoffset() for time in read]
        if None in aware and any(offset is not None for offset in aware):
            return None
        # In one zone, so that all can be compared.
        return tuple(t if o is None else t.replace(tzinfo=None) - o for t, o in zip(read, aware, strict=True))
    except (ValueError, OverflowError):
        return None
