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


def _known(seeds: range, pair: Callable[[int], tuple[float | None, float | None]]) -> Pairs:
    """Of every seed, but those where one of the two does not exist."""
    found = {seed: pair(seed) for seed in seeds}
    return {seed: (a, b) for seed, (a, b) in found.items() if a is not None and b is not None}


def untrained(quantity: str) -> Callable[[Measured], Pairs]:
    """Heterogeneous against homogeneous neurons before learning, under the white drive."""

    def pairs(m: Measured) -> Pairs:
        units = "HeN", "HoN"
        return _known(
            range(m.scale.n_seeds),
            lambda seed: tuple(m.value(Unit("untrained", seed, (arm,)), quantity) for arm in units),  # type: ignore[arg-type,return-value]
        )

    return pairs


def learned(quantity: str, a: str, b: str) -> Callable[[Measured], Pairs]:
    """Arm `a` against arm `b` after learning, under the white drive."""

    def pairs(m: Measured) -> Pairs:
        return _known(
            range(m.scale.n_seeds),
            lambda seed: tuple(m.value(Unit("learned", seed, (arm,)), quantity) for arm in (a, b)),  # type: ignore[arg-type,return-value]
        )

    return pairs


def on_digits(quantity: str, a: str, b: str, less: str = "") -> Callable[[Measured], Pairs]:
    """Arm `a` against arm `b` on spoken digits; with `less`, of the difference of two quantities."""

    def pairs(m: Measured) -> Pairs:
        def value(seed: int, arm: str) -> float | None:
            unit = digit_unit(seed, arm, m.scale.n_digit_neurons, 1.0)
            found, minus = m.value(unit, quantity), m.value(unit, less) if less else 0.0
            return None if found is None or minus is None else found - minus

        return _known(range(m.scale.n_digit_seeds), lambda seed: (value(seed, a), value(seed, b)))

    return pairs


def _gain(m: Measured, seed: int, n_neurons: int, share: float) -> float | None:
    """Accuracy of HeNHeS over that of HoNHoS."""
    a, b = (m.value(digit_unit(seed, arm, n_neurons, share), "accuracy") for arm in ("HeNHeS", "HoNHoS"))
    return None if a is None or b is None else a - b


def gain_by_size(size: int, other: int | None) -> Callable[[Measured], Pairs]:
    """The gain at one of the sizes (by place) against that at another, or against none."""

    def pairs(m: Measured) -> Pairs:
        sizes = m.scale.digit_sizes
        return _known(
            range(m.scale.n_digit_seeds),
            lambda seed: (
                _gain(m, seed, sizes[size], 1.0),
                0.0 if other is None else _gain(m, seed, sizes[other], 1.0),
            ),
        )

    return pairs


def gain_by_share(share: float, other: float | None) -> Callable[[Measured], Pairs]:
    """The gain with a share of the training data against that with another, or against none."""

    def pairs(m: Measured) -> Pairs:
        n = m.scale.n_digit_neurons
        return _known(
            range(m.scale.n_digit_seeds),
            lambda seed: (_gain(m, seed, n, share), 0.0 if other is None else _gain(m, seed, n, other)),
        )

    return pairs


def correlation(x: str, y: str) -> Callable[[Measured], Pairs]:
    """Pearson's correlation of two quantities over the networks of a seed, which differ in their CV alone; b is 0."""

    def pairs(m: Measured) -> Pairs:
        def of(seed: int) -> float | None:
            columns = [spread_values(m, seed, name) for name in (x, y)]
            if any(value is None for column in columns for value in column):
                return None
            a, b = (np.array(column, dtype=float) for column in columns)
            varies = a.std() > 0 and b.std() > 0
            return float(np.corrcoef(a, b)[0, 1]) if varies else None

        return _known(range(m.scale.n_spread_seeds), lambda seed: (of(seed), 0.0))

    return pairs


def spread_values(m: Measured, seed: int, quantity: str) -> list[float | None]:
    if quantity == "cv":
        return list(m.scale.spread_cvs)
    return [m.value(Unit("spread", seed, (f"{cv:g}",)), quantity) for cv in m.scale.spread_cvs]


def larger_importance(quantity: str, groups: tuple[str, ...], other: str) -> Callable[[Measured], Pairs]:
    """|Shapley value| of `groups` together against that of another group."""

    def pairs(m: Measured) -> Pairs:
        together = np.sum([m.importance.of(group, quantity) for group in groups], axis=0)
        columns = np.abs(together), np.abs(m.importance.of(other, quantity))
        return {
            seed: (float(a), float(b)) for seed, a, b in zip(m.importance.seeds, *columns, strict=True)
        }  # fmt: skip

    return pairs


def thirds_of_rank(arm: str, which: str) -> Callable[[Measured], Pairs]:
    """Mean effective rank over the middle third of length scales against the first or last third."""

    def pairs(m: Measured) -> Pairs:
        by_length = m.maps[arm, "rank"].mean(axis=2)
        third = max(1, m.scale.n_map_points // 3)
        middle = by_length[:, third:-third].mean(axis=1)
        end = by_length[:, :third] if which == "first" else by_length[:, -third:]
        return dict(enumerate(zip(middle.tolist(), end.mean(axis=1).tolist(), strict=True)))

    return pairs


def largest_length(everywhere: bool) -> Callable[[Measured], Pairs]:
    """Accuracy at the largest length scale against the mean over all others; mean of both arms.

    Over all weight scales, or (`everywhere`) at the weight scale where the largest length does best in comparison.
    """

    def pairs(m: Measured) -> Pairs:
        accuracy = (m.maps["HoNHoS", "accuracy"] + m.maps["HeNHeS", "accuracy"]) / 2
        largest, others = accuracy[:, -1, :], accuracy[:, :-1, :].mean(axis=1)
        if not everywhere:
            return dict(enumerate(zip(largest.mean(axis=1).tolist(), others.mean(axis=1).tolist(), strict=True)))
        best = np.argmax((largest - others).mean(axis=0))
        return dict(enumerate(zip(largest[:, best].tolist(), others[:, best].tolist(), strict=True)))

    return pairs


def synapses_at_peak(quantity: str) -> Callable[[Measured], Pairs]:
    """Recurrent synapses where a quantity peaks, HeNHeS against HoNHoS; of equal peaks the one with fewer."""

    def pairs(m: Measured) -> Pairs:
        def of(arm: str) -> list[float]:
            return [
                float(synapses[height == height.max()].min())
                for height, synapses in zip(m.maps[arm, quantity], m.maps[arm, "n_synapses"], strict=True)
            ]

        return dict(enumerate(zip(of("HeNHeS"), of("HoNHoS"), strict=True)))

    return pairs
