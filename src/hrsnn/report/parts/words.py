"""Sentences, numbers and names as people read them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["gain", "loss", "none", "open", "plain"]
Ends = Sequence[Any] | None
Written = Callable[..., list[str]]


@dataclass(frozen=True, slots=True)
class Finding:
    """One sentence; `kind` says what it is: a gain, a loss, nothing measurable, no interval, or a plain statement."""

    kind: Kind
    text: str


def quantity(value: float | None) -> str:
    """A number for people: three digits, thousands separated, a real minus, a dash where there is none.

    >>> quantity(12345.6), quantity(11.234), quantity(-0.012345), quantity(None)
    ('12,346', '11.2', '−0.0123', '–')
    """
    if value is None:
        return "–"
    form = ",.0f" if 100 <= abs(value) < 1e9 else ".3g"
    return f"{value:{form}}".replace("-", "−")


def with_sign(value: float) -> str:
    """
    >>> with_sign(0.5), with_sign(-0.5), with_sign(0)
    ('+0.5', '−0.5', '0')
    """
    return f"+{quantity(value)}" if value > 0 else quantity(value)


def signed(*values: float) -> list[str]:
    """Differences with a sign, and so many decimals that none but zero is shown as zero.

    >>> signed(0.031, -0.0004)
    ['+0.0310', '−0.0004']
    """
    decimals = _decimals(values)
    return [("+" if v > 0 else "−" if v < 0 else "") + f"{abs(v):.{decimals}f}" for v in values]


def plain(*values: float) -> list[str]:
    """Values with so many decimals (at least 3) that none but zero is shown as zero.

    >>> plain(0.5, -0.0004)
    ['0.5000', '−0.0004']
    """
    return [f"{v:.{_decimals(values)}f}".replace("-", "−") for v in values]


def _decimals(values: Sequence[float]) -> int:
    return next((d for d in range(3, 9) if all(v == 0 or round(v, d) != 0 for v in values)), 9)


def within(ends: Ends, written: Callable[[Any], str] = quantity) -> str:
    """An interval in brackets, "" where there is none.

    >>> within((-1.0, 2.5))
    '[−1, 2.5]'
    """
    return "" if ends is None else f"[{', '.join(map(written, ends))}]"


def with_interval(written: Written, value: float, ends: Ends) -> str:
    """A number with its interval, where it has one, both with as many decimals.

    >>> with_interval(plain, 0.5, (0.25, 0.75)), with_interval(signed, 0.5, None)
    ('0.500 [0.250, 0.750]', '+0.500')
    """
    text, *both = written(value, *(ends or ()))
    return f"{text} {within(both or None, str)}".rstrip()


def told_interval(written: Written, ends: Ends) -> str:
    return "no interval" if ends is None else f"95 % interval [{', '.join(written(*ends))}]"


def listed(names: Sequence[str]) -> str:
    """Names in a sentence.

    >>> listed(["a", "b", "c"])
    'a, b and c'
    """
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def plural(n: int, word: str) -> str:
    """
    >>> plural(1, "seed"), plural(3, "seed")
    ('1 seed', '3 seeds')
    """
    return f"{n} {word}" if n == 1 else f"{n} {word}s"


def capital(words: str) -> str:
    return words[:1].upper() + words[1:]
