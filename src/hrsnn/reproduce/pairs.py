"""Pairs of numbers (a, b), one per seed, from the values of the units: what the tests of the claims compare."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from hrsnn.analysis.importance import Importance
from hrsnn.reproduce.scales import Scale
from hrsnn.reproduce.units import Values, digit_unit
from hrsnn.work.unit import Unit

Pairs = dict[int, tuple[float, float]]  # seed -> (a, b)


@dataclass(frozen=True)
class Measured:
    """All values of a scale, and the Shapley values made from them."""

    values: Mapping[str, Values]
    scale: Scale
    importance: Importance

    def value(self, unit: Unit, quantity: str) -> float | None:
        value: float | None = self.values[unit.name][quantity]
        return value

    @cached_property
    def maps(self) -> dict[tuple[str, str], NDArray[np.float64]]:
        """(arm, quantity) -> (n_seeds, n_points over length_scale, n_points over weight_scale)."""
        scale = self.scale
        points = range(scale.n_map_points)
        return {
            (arm, quantity): np.array(
                [
                    [[self.values[f"map-s{seed}-{arm}-{i}-{j}"][quantity] for j in points] for i in points]
                    for seed in range(scale.n_map_seeds)
                ],
                dtype=float,
            )
            for arm in ("HoNHoS", "HeNHeS")
            for quantity in ("accuracy", "rank", "active_share", "n_synapses", "rate_hz")
        }


PairsOf = Callable[[Measured], Pairs]
Value = Callable[[Measured, int], "float | None"]  # of a seed


def _by_seed(n_seeds: str, a: Value, b: Value) -> PairsOf:
    """(a, b) of so many seeds as the scale has of the name, but those where one of the two does not exist."""

    def pairs(m: Measured) -> Pairs:
        found = {seed: (a(m, seed), b(m, seed)) for seed in range(getattr(m.scale, n_seeds))}
        return {seed: (x, y) for seed, (x, y) in found.items() if x is not None and y is not None}

    return pairs


def _nothing(m: Measured, seed: int) -> float | None:
    return 0.0


def _under_the_drive(kind: str, arm: str, quantity: str) -> Value:
    return lambda m, seed: m.value(Unit(kind, seed, (arm,)), quantity)


def untrained(quantity: str) -> PairsOf:
    """Heterogeneous against homogeneous neurons before learning, under the white drive."""
    return _by_seed("n_seeds", *(_under_the_drive("untrained", arm, quantity) for arm in ("HeN", "HoN")))


def learned(quantity: str, a: str, b: str) -> PairsOf:
    """Arm `a` against arm `b` after learning, under the white drive."""
    return _by_seed("n_seeds", *(_under_the_drive("learned", arm, quantity) for arm in (a, b)))


def on_digits(quantity: str, a: str, b: str, less: str = "") -> PairsOf:
    """Arm `a` against arm `b` on spoken digits; with `less`, of the difference of two quantities."""

    def value(arm: str) -> Value:
        def of(m: Measured, seed: int) -> float | None:
            unit = digit_unit(seed, arm, m.scale.n_digit_neurons, 1.0)
            found, minus = m.value(unit, quantity), m.value(unit, less) if less else 0.0
            return None if found is None or minus is None else found - minus

        return of

    return _by_seed("n_digit_seeds", value(a), value(b))


def _gain(n_neurons: Callable[[Measured], int], share: float) -> Value:
    """Accuracy of HeNHeS over that of HoNHoS."""

    def of(m: Measured, seed: int) -> float | None:
        units = (digit_unit(seed, arm, n_neurons(m), share) for arm in ("HeNHeS", "HoNHoS"))
        a, b = (m.value(unit, "accuracy") for unit in units)
        return None if a is None or b is None else a - b

    return of


def gain_by_size(size: int, other: int | None) -> PairsOf:
    """The gain at one of the sizes (by place) against that at another, or against none."""

    def at(place: int) -> Value:
        return _gain(lambda m: m.scale.digit_sizes[place], 1.0)

    return _by_seed("n_digit_seeds", at(size), _nothing if other is None else at(other))


def gain_by_share(share: float, other: float | None) -> PairsOf:
    """The gain with a share of the training data against that with another, or against none."""

    def of(part: float) -> Value:
        return _gain(lambda m: m.scale.n_digit_neurons, part)

    return _by_seed("n_digit_seeds", of(share), _nothing if other is None else of(other))


def correlation(x: str, y: str) -> PairsOf:
    """Pearson's correlation of two quantities over the networks of a seed, which differ in their CV alone; b is 0."""

    def of(m: Measured, seed: int) -> float | None:
        columns = [spread_values(m, seed, name) for name in (x, y)]
        if any(value is None for column in columns for value in column):
            return None
        a, b = (np.array(column, dtype=float) for column in columns)
        return float(np.corrcoef(a, b)[0, 1]) if a.std() > 0 and b.std() > 0 else None

    return _by_seed("n_spread_seeds", of, _nothing)


def spread_values(m: Measured, seed: int, quantity: str) -> list[float | None]:
    if quantity == "cv":
        return list(m.scale.spread_cvs)
    return [m.value(Unit("spread", seed, (f"{cv:g}",)), quantity) for cv in m.scale.spread_cvs]


def larger_importance(quantity: str, groups: tuple[str, ...], other: str) -> PairsOf:
    """|Shapley value| of `groups` together against that of another group."""

    def pairs(m: Measured) -> Pairs:
        together = np.sum([m.importance.of(group, quantity) for group in groups], axis=0)
        columns = np.abs(together), np.abs(m.importance.of(other, quantity))
        return {seed: (float(a), float(b)) for seed, a, b in zip(m.importance.seeds, *columns, strict=True)}

    return pairs


def _numbered(a: NDArray[np.float64], b: NDArray[np.float64]) -> Pairs:
    return dict(enumerate(zip(a.tolist(), b.tolist(), strict=True)))


def thirds_of_rank(arm: str, which: str) -> PairsOf:
    """Mean effective rank over the middle third of length scales against the first or last third."""

    def pairs(m: Measured) -> Pairs:
        by_length = m.maps[arm, "rank"].mean(axis=2)
        third = max(1, m.scale.n_map_points // 3)
        middle = by_length[:, third:-third].mean(axis=1)
        end = by_length[:, :third] if which == "first" else by_length[:, -third:]
        return _numbered(middle, end.mean(axis=1))

    return pairs


def largest_length(everywhere: bool) -> PairsOf:
    """Accuracy at the largest length scale against the mean over all others; mean of both arms.

    Over all weight scales, or (`everywhere`) at the weight scale where the largest length does best in comparison.
    """

    def pairs(m: Measured) -> Pairs:
        accuracy = (m.maps["HoNHoS", "accuracy"] + m.maps["HeNHeS", "accuracy"]) / 2
        largest, others = accuracy[:, -1, :], accuracy[:, :-1, :].mean(axis=1)
        if not everywhere:
            return _numbered(largest.mean(axis=1), others.mean(axis=1))
        best = np.argmax((largest - others).mean(axis=0))
        return _numbered(largest[:, best], others[:, best])

    return pairs


def synapses_at_peak(quantity: str) -> PairsOf:
    """Recurrent synapses where a quantity peaks, HeNHeS against HoNHoS; of equal peaks the one with fewer."""

    def pairs(m: Measured) -> Pairs:
        def of(arm: str) -> NDArray[np.float64]:
            each = zip(m.maps[arm, quantity], m.maps[arm, "n_synapses"], strict=True)
            return np.array([synapses[height == height.max()].min() for height, synapses in each])

        return _numbered(of("HeNHeS"), of("HoNHoS"))

    return pairs
