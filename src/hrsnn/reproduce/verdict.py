"""The rule that turns raw pairs into a verdict. It knows nothing about what was measured.

A test has one pair (a, b) of numbers per seed. Its effect is the mean of a - b, with the 95 % t-interval over seeds; a
claim puts it above zero, below zero, or at zero.

| the claim says | the test supports it          | speaks against it              | else: not shown              |
|----------------|-------------------------------|--------------------------------|------------------------------|
| above          | the interval is above 0       | the interval is below 0        | the interval holds 0         |
| below          | the interval is below 0       | the interval is above 0        | the interval holds 0         |
| same           | the interval is inside +-m    | the interval is outside +-m    | it crosses a bound           |

The margin m is 10 % of the mean of |b|. A condition holds when all its tests support it. A claim holds when all its
conditions hold, holds only when some do, and does not hold when none does: what is not shown does not hold, and how
large an effect the interval leaves room for is told beside it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import stats

from hrsnn._checks import require
from hrsnn.metrics import interval_of_mean

Side = Literal["above", "below", "same"]
Reading = Literal["supports", "against", "not shown"]
Verdict = Literal["holds", "holds only when", "does not hold"]

LEVEL = 0.95
MARGIN = 0.1  # of the mean of |b|: what counts as the same


@dataclass(frozen=True, slots=True)
class Judged:
    """What `judge` finds.

    n           pairs
    effect      mean of a - b; None without a pair
    ci95        its t-interval; None for fewer than two pairs
    sd          standard deviation of a - b (n - 1); None for fewer than two pairs
    d_z         effect over it; None where the differences do not differ
    mean_a, mean_b
    margin      m of a claim of sameness, else None
    p           below 0.05 exactly where the reading is not "not shown": two-sided for a side, for sameness that of
                the two one-sided tests of being inside the margin or of being beyond it; None without an interval
    reading     whether it supports the claim
    """

    n: int
    effect: float | None = None
    ci95: list[float] | None = None
    sd: float | None = None
    d_z: float | None = None
    mean_a: float | None = None
    mean_b: float | None = None
    margin: float | None = None
    p: float | None = None
    reading: Reading = "not shown"


def judge(pairs: Sequence[Sequence[float]], side: Side) -> Judged:
    """The effect of `pairs` (n, 2), its interval, and whether it lies where the claim puts it.

    >>> found = judge([[1.2, 1.0], [1.5, 1.1], [1.4, 1.1]], "above")
    >>> round(found.effect, 3), [round(bound, 3) for bound in found.ci95], found.reading
    (0.3, [0.052, 0.548], 'supports')
    """
    require(side in ("above", "below", "same"), "judge", "side", "must be above, below or same", side)
    values = np.asarray(pairs, dtype=float).reshape(-1, 2)
    difference = values[:, 0] - values[:, 1]
    n = len(values)
    if n == 0:
        return Judged(0)
    effect, (mean_a, mean_b) = float(difference.mean()), values.mean(axis=0).tolist()
    margin = MARGIN * float(np.abs(values[:, 1]).mean()) if side == "same" else None
    interval = interval_of_mean(difference, LEVEL)
    if interval is None:
        return Judged(n, effect, mean_a=mean_a, mean_b=mean_b, margin=margin)
    sd, rounding = float(difference.std(ddof=1)), 1e-12 * float(np.abs(values).max())
    if sd <= rounding:  # equal differences
        sd, effect = 0.0, effect if abs(effect) > rounding else 0.0
        interval = [effect, effect]
    low, high = interval
    return Judged(
        n=n, effect=effect, ci95=interval, sd=sd, d_z=effect / sd if sd > 0 else None, mean_a=mean_a,
        mean_b=mean_b, margin=margin, p=_p(effect, sd, n, margin), reading=_reading(low, high, side, margin or 0.0),
    )  # fmt: skip


def _reading(low: float, high: float, side: Side, margin: float) -> Reading:
    if side == "same":
        inside, outside = -margin < low and high < margin, high < -margin or low > margin
        return "supports" if inside else "against" if outside else "not shown"
    above, below = low > 0, high < 0
    if above or below:
        return "supports" if above == (side == "above") else "against"
    return "not shown"


def _p(effect: float, sd: float, n: int, margin: float | None) -> float:
    def tail(distance: float) -> float:
        """Chance of a mean this far beyond, under no effect there."""
        if sd == 0:
            return 0.0 if distance > 0 else 1.0
        return float(stats.t.sf(distance / (sd / np.sqrt(n)), n - 1))

    if margin is None:
        return min(1.0, 2 * tail(abs(effect)))
    inside = max(tail(effect + margin), tail(margin - effect))
    return min(1.0, 2 * min(inside, tail(abs(effect) - margin)))


def verdict_of(conditions: Mapping[str, bool]) -> tuple[Verdict, tuple[str, ...]]:
    """The verdict on a claim from whether it holds under each of its conditions, and those under which it does.

    >>> verdict_of({"with noise": True, "without": False})
    ('holds only when', ('with noise',))
    """
    require(len(conditions) >= 1, "verdict_of", "conditions", "must hold at least one", "none")
    holding = tuple(name for name, holds in conditions.items() if holds)
    if len(holding) == len(conditions):
        return "holds", holding
    return ("holds only when" if holding else "does not hold"), holding


def surviving_holm(p_values: Sequence[float | None], alpha: float = 0.05) -> list[bool]:
    """Which of many tests are significant after Holm's correction for all of them together; None never is.

    >>> surviving_holm([0.001, 0.03, 0.04])
    [True, False, False]
    """
    known = [k for k, p in enumerate(p_values) if p is not None]
    order = sorted(known, key=lambda k: p_values[k] or 0.0)
    kept = [False] * len(p_values)
    for rank, k in enumerate(order):
        if (p_values[k] or 0.0) > alpha / (len(known) - rank):
            break
        kept[k] = True
    return kept
