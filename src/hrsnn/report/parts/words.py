"""Sentences, numbers and names as people read them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

Kind = Literal["gain", "loss", "none", "open", "plain"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One sentence; `kind` says what it is: a gain, a loss, nothing measurable, no interval, or a plain statement."""

    kind: Kind
    text: str


def quantity(value: float | None) -> str:
    """A count or cost for people: three digits, thousands separated, a dash where there is none.

    >>> quantity(12345.6), quantity(11.234), quantity(0.012345), quantity(None)
    ('12,346', '11.2', '0.0123', '–')
    """
    if value is None:
        return "–"
    if abs(value) >= 1e9 or 0 < abs(value) < 1e-4:
        return f"{value:.3g}"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


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


def told(value: float | None) -> str:
    """A number for people, three digits, with a real minus.

    >>> told(-0.02345), told(None)
    ('−0.0234', '–')
    """
    return quantity(value).replace("-", "−")


def with_sign(value: float) -> str:
    """
    >>> with_sign(0.5), with_sign(-0.5), with_sign(0)
    ('+0.5', '−0.5', '0')
    """
    return f"+{told(value)}" if value > 0 else told(value)


def within(ends: tuple[float, float] | Sequence[float] | None, written: Callable[[float], str] = told) -> str:
    """An interval in brackets, "" where there is none.

    >>> within((-1.0, 2.5))
    '[−1, 2.5]'
    """
    return "" if ends is None else f"[{', '.join(map(written, ends))}]"


def told_interval(written: Callable[..., list[str]], ends: tuple[float, float] | None) -> str:
    return "no interval" if ends is None else f"95 % interval [{', '.join(written(*ends))}]"


def _decimals(values: Sequence[float]) -> int:
    return next((d for d in range(3, 9) if all(v == 0 or round(v, d) != 0 for v in values)), 9)
