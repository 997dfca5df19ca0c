"""Pairs of numbers (a, b), one per seed, from the values of the units: what the tests of the claims compare."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np
from numpy.typing import NDArray

from hrsnn.analysis.importance import Importance
from hrsnn.reproduce.scales import Scale
from hrsnn.reproduce.units import Values, digit_unit, map_units
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
        n, seeds = self.scale.n_map_points, range(self.scale.n_map_seeds)
        found = {}
        for arm, name in product(("HoNHoS", "HeNHeS"), ("accuracy", "rank", "active_share", "n_synapses", "rate_hz")):
            values = [self.value(unit, name) for seed in seeds for unit in map_units(seed, arm, n)]
            found[arm, name] = np.array(values, dtype=float).reshape(len(seeds), n, n)
        return found


PairsOf = Callable[[Measured], Pairs]
Value = Callable[[Measured, int], "float | None"]  # of a seed


def _by_seed(n_seeds: str, a: Value, b: Value) -> PairsOf:
    """(a, b) of so many seeds as the scale has of the name, but those where one of the two does not exist."""

    def pairs(m: Measured) -> Pairs:
        found = {seed: (a(m, seed), b(m, seed)) for seed in range(getattr(m.scale, n_seeds))}
        return {seed: (x, y) for seed, (x, y) in found.items() if x is not None and y is not None}

    return pairs


def _less(a: Value, b: Value) -> Value:
    """The difference of two values, where both exist."""

    def of(m: Measured, seed: int) -> float | None:
        x, y = a(m, seed), b(m, seed)
        return None if x is None or y is None else x - y

    return of


def _nothing(m: Measured, seed: int) -> float | None:
    return 0.0


def _under_the_drive(kind: str, arm: str, quantity: str) -> Value:
    return lambda m, seed: m.value(Unit(kind, seed, (arm,)), quantity)


def _digits(arm: str, quantity: str, size: int | None = None, share: float = 1.0) -> Value:
    """On spoken digits: at one of the sizes (by place) or at that of all others, with a share of the training data."""

    def of(m: Measured, seed: int) -> float | None:
        n_neurons = m.scale.n_digit_neurons if size is None else m.scale.digit_sizes[size]
        return m.value(digit_unit(seed, arm, n_neurons, share), quantity)

    return of


def untrained(quantity: str) -> PairsOf:
    """Heterogeneous against homogeneous neurons before learning, under the white drive."""
    return _by_seed("n_seeds", *(_under_the_drive("untrained", arm, quantity) for arm in ("HeN", "HoN")))


def learned(quantity: str, a: str, b: str) -> PairsOf:
    """Arm `a` against arm `b` after learning, under the white drive."""
    return _by_seed("n_seeds", *(_under_the_drive("learned", arm, quantity) for arm in (a, b)))


def on_digits(quantity: str, a: str, b: str, less: str = "") -> PairsOf:
    """Arm `a` against arm `b` on spoken digits; with `less`, of the difference of two quantities."""
    values = ((_digits(arm, quantity), _digits(arm, less) if less else _nothing) for arm in (a, b))
    return _by_seed("n_digit_seeds", *(_less(*both) for both in values))


def _gain(size: int | None = None, share: float = 1.0) -> Value:
    """Accuracy of HeNHeS over that of HoNHoS."""
    return _less(*(_digits(arm, "accuracy", size, share) for arm in ("HeNHeS", "HoNHoS")))


def gain_by_size(size: int, other: int | None) -> PairsOf:
    """The gain at one of the sizes (by place) against that at another, or against none."""
    return _by_seed("n_digit_seeds", _gain(size), _nothing if other is None else _gain(other))


def gain_by_share(share: float, other: float | None) -> PairsOf:
    """The gain with a share of the training data against that with another, or against none."""
    return _by_seed("n_digit_seeds", _gain(share=share), _nothing if other is None else _gain(share=other))


def correlation(x: str, y: str) -> PairsOf:
    """Pearson's correlation of two quantities over the networks of a seed, which differ in their CV alone; b is 0."""

    def of(m: Measured, seed: int) -> float | None:
        a, b = (np.array(spread_values(m, seed, name), dtype=float) for name in (x, y))  # None is NaN
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
