"""What a search looks through: laws of parameters and numbers, each by coordinates within bounds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np
from numpy.typing import NDArray
from scipy.stats import qmc

from hrsnn._checks import did_you_mean, listed, real_number, require
from hrsnn.distributions import Constant, Curve, Distribution, Gamma, LogNormal

N_KNOTS = 6  # of a free curve


@dataclass(frozen=True, slots=True)
class Coordinate:
    """One number of a search point, between `low` and `high`; `log`: equal steps are equal ratios."""

    name: str
    low: float
    high: float
    log: bool


@final
@dataclass(frozen=True, slots=True)
class Scalar:
    """A number between `low` and `high`."""

    name: str
    low: float
    high: float
    log: bool = False

    def __post_init__(self) -> None:
        _checked_bounds("Scalar", self.name, (self.low, self.high), log=self.log)

    @property
    def coordinates(self) -> tuple[Coordinate, ...]:
        return (Coordinate(self.name, self.low, self.high, self.log),)

    def value(self, at: Mapping[str, float]) -> float:
        return float(at[self.name])


@final
@dataclass(frozen=True, slots=True)
class Law:
    """A law of positive numbers: bounds of its mean, and of its spread.

    family   "gamma" or "lognormal", both by mean and coefficient of variation; or "free", a curve of quantiles through
             six knots, by its mean and the five ratios of its knots to the first: its shape is found, not presupposed
    mean     bounds of the mean, searched in equal ratios
    cv       bounds of the coefficient of variation, searched in equal ratios; a free curve has none

    >>> Law("tau_mem_ms", mean=(5.0, 100.0)).value({"tau_mem_ms.mean": 20.0, "tau_mem_ms.cv": 0.5})
    Gamma(mean=20.0, shape=4.0)
    """

    name: str
    mean: tuple[float, float]
    cv: tuple[float, float] = (0.1, 1.0)
    family: str = "gamma"

    FAMILIES: ClassVar[tuple[str, ...]] = ("gamma", "lognormal", "free")

    def __post_init__(self) -> None:
        remedy = did_you_mean(str(self.family), self.FAMILIES)
        known = ", ".join(self.FAMILIES)
        ok = self.family in self.FAMILIES
        require(ok, "Law", "family", f"must be one of {known}", self.family, place=f"for {self.name}", remedy=remedy)
        for bounds in ("mean", "cv"):
            pair = tuple(listed("Law", bounds, getattr(self, bounds)))
            require(len(pair) == 2, "Law", bounds, "must be two numbers", pair, place=f"for {self.name}")
            object.__setattr__(self, bounds, _checked_bounds("Law", f"{self.name}.{bounds}", pair, log=True))

    @property
    def coordinates(self) -> tuple[Coordinate, ...]:
        mean = Coordinate(f"{self.name}.mean", *self.mean, log=True)
        if self.family != "free":
            return mean, Coordinate(f"{self.name}.cv", *self.cv, log=True)
        return mean, *(Coordinate(f"{self.name}.rise{k}", 0.01, 10.0, log=True) for k in range(1, N_KNOTS))

    def value(self, at: Mapping[str, float]) -> Distribution:
        mean = float(at[f"{self.name}.mean"])
        if self.family == "free":
            knots = np.cumsum([1.0, *(at[f"{self.name}.rise{k}"] for k in range(1, N_KNOTS))])
            return Curve(tuple((knots * mean / np.mean(0.5 * (knots[1:] + knots[:-1]))).tolist()))
        cv = float(at[f"{self.name}.cv"])
        return Gamma(mean, 1 / cv**2) if self.family == "gamma" else LogNormal(mean, cv * mean)

    def prior(self, n: int = 50, n_laws: int = 256) -> NDArray[np.float64]:
        """Quantiles (n,), at (k + 1/2) / n, of a value of a law from anywhere between the bounds."""
        levels = (np.arange(n) + 0.5) / n
        cube = qmc.Sobol(len(self.coordinates), seed=0).random(n_laws)
        laws = [
            {c.name: c.low * (c.high / c.low) ** x for c, x in zip(self.coordinates, row, strict=True)} for row in cube
        ]
        return np.asarray(np.quantile([self.value(at).quantile(levels) for at in laws], levels))


@final
@dataclass(frozen=True, slots=True)
class Space:
    """Parts with different names; a point is one number for each of `coordinates`.

    start   the point that a search tries first, name and number of each coordinate; numbers outside are brought inside

    Raises `InputError` for no part, for a name that stands twice, and for a start of other coordinates.

    >>> space = Space((Law("tau_mem_ms", mean=(5.0, 100.0)), Scalar("weight_scale", 0.1, 10.0, log=True)))
    >>> [coordinate.name for coordinate in space.coordinates]
    ['tau_mem_ms.mean', 'tau_mem_ms.cv', 'weight_scale']
    """

    parts: tuple[Law | Scalar, ...]
    start: tuple[tuple[str, float], ...] = ()

    def __post_init__(self) -> None:
        parts = tuple(listed("Space", "parts", self.parts))
        require(len(parts) > 0, "Space", "parts", "must hold at least one law or number", "none")
        for part in parts:
            require(isinstance(part, (Law, Scalar)), "Space", "parts", "must be laws and scalars", part)
        names = [coordinate.name for part in parts for coordinate in part.coordinates]
        twice = next((name for name in names if names.count(name) > 1), None)
        require(twice is None, "Space", "parts", "must have different names", twice)
        object.__setattr__(self, "parts", parts)
        given = dict(self.start)
        rule = f"must have a number for each of {', '.join(names)}"
        require(not given or sorted(given) == sorted(names), "Space", "start", rule, ", ".join(given))
        number = {name: real_number("Space", f"start of {name}", value) for name, value in given.items()}
        inside = {c.name: min(max(number[c.name], c.low), c.high) for c in self.coordinates if number}
        object.__setattr__(self, "start", tuple(inside.items()))

    @property
    def coordinates(self) -> tuple[Coordinate, ...]:
        return tuple(coordinate for part in self.parts for coordinate in part.coordinates)

    def values(self, at: Mapping[str, float]) -> dict[str, Distribution | float]:
        """The law or number of every part, by its name, at a point given by the names of coordinates."""
        return {part.name: part.value(at) for part in self.parts}

    def __iter__(self) -> Iterator[Law | Scalar]:
        return iter(self.parts)


def constants(values: Mapping[str, Distribution | float]) -> dict[str, Distribution]:
    """Numbers among `values` as point masses.

    >>> constants({"x": 2.0})
    {'x': Constant(value=2.0)}
    """
    return {name: v if isinstance(v, Distribution) else Constant(v) for name, v in values.items()}


def _checked_bounds(owner: str, name: str, bounds: tuple[float, ...], *, log: bool) -> tuple[float, float]:
    low, high = (real_number(owner, name, bound) for bound in bounds)
    require(low < high, owner, name, "must rise from its low to its high bound", f"{low:g} to {high:g}")
    require(not log or low > 0, owner, name, "must have bounds > 0, for equal ratios", f"{low:g} to {high:g}")
    return low, high
