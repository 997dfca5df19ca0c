"""Pairs of numbers (a, b), one per seed, from the values of the units: what the tests of the claims compare."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from math import isnan
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hrsnn.analysis.importance import GROUPS, Importance, importance
from hrsnn.reproduce.measurements import coalition_spec, drive_spec
from hrsnn.reproduce.scales import Scale
from hrsnn.reproduce.units import (
    PLAIN,
    Values,
    backprop_unit,
    coalitions,
    digit_unit,
    game_unit,
    map_units,
    mechanism_unit,
)
from hrsnn.spec import NetworkSpec
from hrsnn.work.unit import Unit


@dataclass(frozen=True)
class Observations:
    """All values of a scale, and the Shapley values made from them. What does not exist is NaN in arrays."""

    values: Mapping[str, Values]
    scale: Scale

    @cached_property
    def importance(self) -> Importance:
        """Shapley values from the finished units; nothing is simulated."""
        spec = drive_spec(self.scale.n_neurons)
        names = {coalition_spec(spec, coalition).model_dump_json(): coalition for coalition in coalitions()}

        def value(of: NetworkSpec, seed: int) -> Mapping[str, float]:
            found = self.values[game_unit(seed, names[of.model_dump_json()]).name]
            return {name: cast("float", found[name]) for name in ("memory", "spikes")}

        return importance(spec, value, seeds=range(self.scale.n_seeds), groups=GROUPS)

    def of(self, units: Iterable[Unit], quantity: str) -> NDArray[Any]:
        """(n_units,)"""
        found = (self.values[unit.name][quantity] for unit in units)
        return np.array([np.nan if value is None else value for value in found])

    def drive(self, kind: str, arm: str, quantity: str) -> NDArray[Any]:
        """Under the white drive, (n_seeds,)."""
        return self.of((Unit(kind, seed, (arm,)) for seed in range(self.scale.n_seeds)), quantity)

    def digits(self, arm: str, quantity: str, size: int | None = None, share: float = 1.0) -> NDArray[Any]:
        """On spoken digits, (n_seeds,): at a size (by place) or that of all others, with a share of training data."""
        n_neurons = self.scale.n_digit_neurons if size is None else self.scale.digit_sizes[size]
        return self.of((digit_unit(k, arm, n_neurons, share) for k in range(self.scale.n_digit_seeds)), quantity)

    def mechanism(self, where: str, variant: str, quantity: str) -> NDArray[Any]:
        """Of a network with or without a mechanism (`units.VARIANTS`), (n_seeds,)."""
        seeds = range(self.scale.n_mechanism_seeds)
        return self.of((mechanism_unit(seed, where, variant) for seed in seeds), quantity)

    def backprop(self, arm: str, trained: str, quantity: str) -> NDArray[Any]:
        """Of a network trained by backpropagation on spoken digits, (n_seeds,)."""
        return self.of((backprop_unit(k, arm, trained) for k in range(self.scale.n_backprop_seeds)), quantity)

    def spread(self, quantity: str) -> NDArray[Any]:
        """(n_seeds, n_cvs), of networks that differ in their CV alone."""
        seeds, cvs = range(self.scale.n_spread_seeds), self.scale.spread_cvs
        if quantity == "cv":
            return np.tile(cvs, (len(seeds), 1))
        units = (Unit("spread", seed, (f"{cv:g}",)) for seed, cv in product(seeds, cvs))
        return self.of(units, quantity).reshape(len(seeds), len(cvs))

    @cached_property
    def maps(self) -> dict[tuple[str, str], NDArray[np.float64]]:
        """(arm, quantity) -> (n_seeds, n_points over length_scale, n_points over weight_scale)."""
        n, seeds = self.scale.n_map_points, range(self.scale.n_map_seeds)
        units = {arm: [unit for seed in seeds for unit in map_units(seed, arm, n)] for arm in ("HoNHoS", "HeNHeS")}
        names = ("accuracy", "rank", "active_share", "n_synapses", "rate_hz")
        return {
            (arm, name): self.of(units[arm], name).astype(float).reshape(len(seeds), n, n)
            for arm, name in product(units, names)
        }


Pairs = dict[int, tuple[float, float]]  # seed -> (a, b)
PairsOf = Callable[[Observations], Pairs]


def _paired(a: ArrayLike, b: ArrayLike) -> Pairs:
    """The pairs of all seeds but those where one of the two does not exist."""
    pairs = zip(*(column.tolist() for column in np.broadcast_arrays(a, b)), strict=True)
    return {seed: (x, y) for seed, (x, y) in enumerate(pairs) if not (isnan(x) or isnan(y))}


def untrained(quantity: str) -> PairsOf:
    """Heterogeneous against homogeneous neurons before learning, under the white drive."""
    return lambda m: _paired(*(m.drive("untrained", arm, quantity) for arm in ("HeN", "HoN")))


def learned(quantity: str, a: str, b: str) -> PairsOf:
    """Arm `a` against arm `b` after learning, under the white drive."""
    return lambda m: _paired(*(m.drive("learned", arm, quantity) for arm in (a, b)))


def on_digits(quantity: str, a: str, b: str, less: str = "") -> PairsOf:
    """Arm `a` against arm `b` on spoken digits; with `less`, of the difference of two quantities."""
    return lambda m: _paired(*(m.digits(arm, quantity) - (m.digits(arm, less) if less else 0.0) for arm in (a, b)))


def with_mechanism(quantity: str, where: str, variant: str) -> PairsOf:
    """A network with a mechanism against the same one without it."""
    return lambda m: _paired(*(m.mechanism(where, of, quantity) for of in (variant, PLAIN)))


def by_backprop(quantity: str, a: tuple[str, str], b: tuple[str, str], less: str = "") -> PairsOf:
    """Two of an arm and what is trained, by backpropagation; or the first against itself in another quantity."""
    return lambda m: _paired(m.backprop(*a, quantity), m.backprop(*b, less or quantity))


def gain(at: Mapping[str, Any], less: Mapping[str, Any] | None = None) -> PairsOf:
    """Accuracy of HeNHeS over that of HoNHoS at a size or share of `Observations.digits`, against that at another."""

    def of(m: Observations, place: Mapping[str, Any]) -> NDArray[Any]:
        ours, theirs = (m.digits(arm, "accuracy", **place) for arm in ("HeNHeS", "HoNHoS"))
        return np.asarray(ours - theirs)

    return lambda m: _paired(of(m, at), 0.0 if less is None else of(m, less))


def correlation(x: str, y: str) -> PairsOf:
    """Pearson's correlation of two quantities over the networks of a seed, which differ in their CV alone; b is 0."""

    def pairs(m: Observations) -> Pairs:
        rows = zip(m.spread(x), m.spread(y), strict=True)
        return _paired([np.corrcoef(a, b)[0, 1] if a.std() > 0 and b.std() > 0 else np.nan for a, b in rows], 0.0)

    return pairs


def larger_importance(quantity: str, groups: tuple[str, ...], other: str) -> PairsOf:
    """|Shapley value| of `groups` together against that of another group."""

    def size(m: Observations, *some: str) -> NDArray[Any]:
        return np.asarray(np.abs(np.sum([m.importance.of(group, quantity) for group in some], axis=0)))

    return lambda m: _paired(size(m, *groups), size(m, other))


def thirds_of_rank(arm: str, which: str) -> PairsOf:
    """Mean effective rank over the middle third of length scales against the first or last third."""

    def pairs(m: Observations) -> Pairs:
        by_length = m.maps[arm, "rank"].mean(axis=2)
        third = max(1, m.scale.n_map_points // 3)
        end = by_length[:, :third] if which == "first" else by_length[:, -third:]
        return _paired(by_length[:, third:-third].mean(axis=1), end.mean(axis=1))

    return pairs


def largest_length(everywhere: bool) -> PairsOf:
    """Accuracy at the largest length scale against the mean over all others; mean of both arms.

    Over all weight scales, or (`everywhere`) at the weight scale where the largest length does best in comparison.
    """

    def pairs(m: Observations) -> Pairs:
        accuracy = (m.maps["HoNHoS", "accuracy"] + m.maps["HeNHeS", "accuracy"]) / 2
        largest, others = accuracy[:, -1, :], accuracy[:, :-1, :].mean(axis=1)
        if not everywhere:
            return _paired(largest.mean(axis=1), others.mean(axis=1))
        best = np.argmax((largest - others).mean(axis=0))
        return _paired(largest[:, best], others[:, best])

    return pairs


def synapses_at_peak(quantity: str) -> PairsOf:
    """Recurrent synapses where a quantity peaks, HeNHeS against HoNHoS; of equal peaks the one with fewer."""

    def of(m: Observations, arm: str) -> list[float]:
        each = zip(m.maps[arm, quantity], m.maps[arm, "n_synapses"], strict=True)
        return [float(synapses[height == height.max()].min()) for height, synapses in each]

    return lambda m: _paired(of(m, "HeNHeS"), of(m, "HoNHoS"))
