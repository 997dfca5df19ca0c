"""One-dimensional laws of one parameter.

A parameter of a network is a `Distribution`; the homogeneous network is the one whose laws were replaced by
`homogenised()` ones. The laws are thin, frozen views of `scipy.stats`: this module fixes names, the
parametrisation by (mean, shape) of method.md 5.2, the check of the arguments and the TOML form.

In TOML a parameter is a number (a constant) or a table with one key, the kind:
`tau_mem_ms = {gamma = {mean = 20, shape = 3}}`.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, ClassVar, final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import GetCoreSchemaHandler
from pydantic_core import core_schema
from scipy import special, stats

from hrsnn._checks import InputError, check_column, did_you_mean, real_number, require, whole_number


class Distribution(ABC):
    """A law of one real parameter. Frozen; equal when kind and arguments are equal.

    >>> Gamma(mean=20.0, shape=3.0).homogenised()
    Constant(value=20.0)
    """

    kind: ClassVar[str]
    mean: float  # a field of some laws, a property of the others

    @abstractmethod
    def sample(self, rng: np.random.Generator, n: int) -> NDArray[np.float64]:
        """`n` independent draws, shape `(n,)`, float64, from the generator `rng`."""

    @abstractmethod
    def quantile(self, u: ArrayLike) -> NDArray[np.float64]:
        """The value below which a share `u` of the law lies; same shape as `u`, which lies in [0, 1]."""

    @abstractmethod
    def upper_quantile(self, u: ArrayLike) -> NDArray[np.float64]:
        """The value above which a share `u` lies: `quantile(1 - u)` without the loss of digits at small `u`."""

    @property
    @abstractmethod
    def variance(self) -> float:
        """Second central moment."""

    @property
    @abstractmethod
    def entropy(self) -> float:
        """Differential entropy in nats; minus infinity for a law with atoms only."""

    @property
    @abstractmethod
    def support(self) -> tuple[float, float]:
        """Smallest closed interval that holds all the mass."""

    def homogenised(self) -> Constant:
        """The point mass at the mean: the same law with the spread taken out."""
        return Constant(self.mean)

    def to_toml(self) -> Any:
        """The plain value that `from_toml` reads back as an equal law."""
        arguments = {f.name: getattr(self, f.name) for f in fields(self)}  # type: ignore[arg-type]
        return {self.kind: {k: list(v) if isinstance(v, tuple) else v for k, v in arguments.items()}}

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(
            from_toml, serialization=core_schema.plain_serializer_function_ser_schema(lambda law: law.to_toml())
        )


class _Continuous(Distribution):
    """Shared body of the laws that are a frozen `scipy.stats` distribution."""

    @abstractmethod
    def _frozen(self) -> Any: ...

    @cached_property
    def _law(self) -> Any:
        return self._frozen()

    def sample(self, rng: np.random.Generator, n: int) -> NDArray[np.float64]:
        n = _n_draws(self, n)
        return np.asarray(self._law.rvs(size=n, random_state=rng), dtype=np.float64)

    def quantile(self, u: ArrayLike) -> NDArray[np.float64]:
        return np.asarray(self._law.ppf(u), dtype=np.float64)

    def upper_quantile(self, u: ArrayLike) -> NDArray[np.float64]:
        return np.asarray(self._law.isf(u), dtype=np.float64)

    @property
    def variance(self) -> float:
        return float(self._law.var())

    @property
    def entropy(self) -> float:
        return float(self._law.entropy())

    @property
    def support(self) -> tuple[float, float]:
        low, high = self._law.support()
        return float(low), float(high)


@final
@dataclass(frozen=True)
class Constant(Distribution):
    """Point mass at `value`."""

    value: float
    kind: ClassVar[str] = "constant"

    def __post_init__(self) -> None:
        _finite(self)

    def sample(self, rng: np.random.Generator, n: int) -> NDArray[np.float64]:
        return np.full(_n_draws(self, n), self.value)

    def quantile(self, u: ArrayLike) -> NDArray[np.float64]:
        return np.full(np.shape(u), self.value)

    def upper_quantile(self, u: ArrayLike) -> NDArray[np.float64]:
        return self.quantile(u)

    @property
    def mean(self) -> float:  # type: ignore[override]
        return self.value

    @property
    def variance(self) -> float:
        return 0.0

    @property
    def entropy(self) -> float:
        return -math.inf

    @property
    def support(self) -> tuple[float, float]:
        return self.value, self.value

    def to_toml(self) -> float:
        return self.value


@final
@dataclass(frozen=True)
class Uniform(_Continuous):
    """Equal density between `low` and `high`."""

    low: float
    high: float
    kind: ClassVar[str] = "uniform"

    def __post_init__(self) -> None:
        _finite(self)
        require(self.high > self.low, "Uniform", "high", f"must be > low = {self.low:g}", self.high)

    def _frozen(self) -> Any:
        return stats.uniform(self.low, self.high - self.low)

    @property
    def mean(self) -> float:  # type: ignore[override]
        return 0.5 * (self.low + self.high)


@final
@dataclass(frozen=True)
class Normal(_Continuous):
    """Gaussian law with `mean` and standard deviation `sd`."""

    mean: float
    sd: float
    kind: ClassVar[str] = "normal"

    def __post_init__(self) -> None:
        _finite(self)
        require(self.sd > 0, "Normal", "sd", "must be > 0", self.sd)

    def _frozen(self) -> Any:
        return stats.norm(self.mean, self.sd)


@final
@dataclass(frozen=True)
class LogNormal(_Continuous):
    """Law of exp(normal), given by its own `mean` and standard deviation `sd` (not those of the logarithm).

    The last bit of a draw depends on the vector extensions of the processor (NumPy's exp), so hashes of networks with
    such columns may differ between machines.
    """

    mean: float
    sd: float
    kind: ClassVar[str] = "lognormal"

    def __post_init__(self) -> None:
        _finite(self)
        require(self.mean > 0, "LogNormal", "mean", "must be > 0", self.mean)
        require(self.sd > 0, "LogNormal", "sd", "must be > 0", self.sd)

    def _frozen(self) -> Any:
        log_variance = math.log1p((self.sd / self.mean) ** 2)
        return stats.lognorm(math.sqrt(log_variance), scale=self.mean * math.exp(-0.5 * log_variance))


@final
@dataclass(frozen=True)
class Gamma(_Continuous):
    """Gamma law by `mean` and `shape` k: scale mean/k, coefficient of variation 1/sqrt(k) (method.md 5.2)."""

    mean: float
    shape: float
    kind: ClassVar[str] = "gamma"

    def __post_init__(self) -> None:
        _finite(self)
        require(self.mean > 0, "Gamma", "mean", "must be > 0", self.mean)
        require(self.shape > 0, "Gamma", "shape", "must be > 0", self.shape)

    def _frozen(self) -> Any:
        return stats.gamma(self.shape, scale=self.mean / self.shape)


@final
@dataclass(frozen=True)
class Empirical(Distribution):
    """Equal mass on each of `values`, which are kept sorted; draws are with replacement."""

    values: tuple[float, ...]
    kind: ClassVar[str] = "empirical"

    def __post_init__(self) -> None:
        column = check_column("Empirical", "values", self.values, dtype=np.float64)
        require(column.size > 0, "Empirical", "values", "must hold at least one value", "none")
        object.__setattr__(self, "values", tuple(np.sort(column).tolist()))

    def sample(self, rng: np.random.Generator, n: int) -> NDArray[np.float64]:
        return rng.choice(np.asarray(self.values), size=_n_draws(self, n))

    def quantile(self, u: ArrayLike) -> NDArray[np.float64]:
        return np.asarray(np.quantile(np.asarray(self.values), np.asarray(u), method="inverted_cdf"), dtype=np.float64)

    def upper_quantile(self, u: ArrayLike) -> NDArray[np.float64]:
        return self.quantile(1 - np.asarray(u))

    @property
    def mean(self) -> float:  # type: ignore[override]
        return float(np.mean(self.values))

    @property
    def variance(self) -> float:
        return float(np.var(self.values))

    @property
    def entropy(self) -> float:
        return -math.inf

    @property
    def support(self) -> tuple[float, float]:
        return self.values[0], self.values[-1]


@final
@dataclass(frozen=True)
class Curve(Distribution):
    """A law by its quantile function: straight lines through `values`, rising, at equally spaced levels from 0 to 1.

    >>> Curve((0.0, 1.0, 5.0)).quantile([0.25, 0.5, 0.75]).tolist()
    [0.5, 1.0, 3.0]
    """

    values: tuple[float, ...]
    kind: ClassVar[str] = "curve"

    def __post_init__(self) -> None:
        column = check_column("Curve", "values", self.values, dtype=np.float64)
        require(column.size > 1, "Curve", "values", "must hold at least two values", column.size)
        falls = np.flatnonzero(np.diff(column) <= 0)
        place = f"after value {falls[0]}" if falls.size else ""
        require(not falls.size, "Curve", "values", "must rise", column.tolist(), place=place)
        object.__setattr__(self, "values", tuple(column.tolist()))

    def sample(self, rng: np.random.Generator, n: int) -> NDArray[np.float64]:
        return self.quantile(rng.random(_n_draws(self, n)))

    def quantile(self, u: ArrayLike) -> NDArray[np.float64]:
        levels = np.linspace(0, 1, len(self.values))
        return np.asarray(np.interp(np.asarray(u, dtype=np.float64), levels, self.values))

    def upper_quantile(self, u: ArrayLike) -> NDArray[np.float64]:
        return self.quantile(1 - np.asarray(u))

    @property
    def mean(self) -> float:  # type: ignore[override]
        return float(np.mean(np.add(self.values[1:], self.values[:-1])) / 2)

    @property
    def variance(self) -> float:
        low, high = np.array(self.values[:-1]) - self.mean, np.array(self.values[1:]) - self.mean
        return float(np.mean(low**2 + low * high + high**2) / 3)

    @property
    def entropy(self) -> float:
        widths = np.diff(self.values)
        return float(np.mean(np.log(widths * widths.size)))

    @property
    def support(self) -> tuple[float, float]:
        return self.values[0], self.values[-1]


KINDS: dict[str, type[Distribution]] = {
    law.kind: law for law in (Constant, Uniform, Normal, LogNormal, Gamma, Empirical, Curve)
}  # fmt: skip


# Nodes of the substitution u = Phi(z) of method.md 11.3: a trapezoid on 401 points of z in [-8.2, 8.2].
_Z = np.linspace(-8.2, 8.2, 401)
_LOWER_SHARE, _UPPER_SHARE = special.ndtr(_Z[_Z <= 0]), special.ndtr(-_Z[_Z > 0])
_Z_WEIGHT = (_Z[1] - _Z[0]) * np.exp(-0.5 * _Z**2) / math.sqrt(2 * math.pi)


def wasserstein2(p: Distribution, q: Distribution) -> float:
    """The 2-Wasserstein distance of two laws: root mean square difference of their quantiles (method.md 11.3).

    In the unit of the parameter. Laws with atoms only (constant, empirical) are integrated exactly, all others by
    quadrature in z with u = Phi(z), upper half through `upper_quantile`: relative error below 1e-10 for smooth laws,
    about 1e-2 over the number of values where one law is empirical and the other is not.

    >>> wasserstein2(Normal(0.0, 1.0), Normal(3.0, 5.0))
    5.0
    """
    if math.isinf(p.entropy) and math.isinf(q.entropy):
        steps = np.unique(np.concatenate([_levels(p), _levels(q)]))
        middle, width = 0.5 * (steps[1:] + steps[:-1]), np.diff(steps)
        return math.sqrt(float(np.square(p.quantile(middle) - q.quantile(middle)) @ width))
    difference = np.concatenate(
        [
            p.quantile(_LOWER_SHARE) - q.quantile(_LOWER_SHARE),
            p.upper_quantile(_UPPER_SHARE) - q.upper_quantile(_UPPER_SHARE),
        ]
    )
    return math.sqrt(float(np.square(difference) @ _Z_WEIGHT))


def _levels(law: Distribution) -> NDArray[np.float64]:
    """Where the quantile function of a law with atoms only may jump, 0 and 1 included."""
    n = len(law.values) if isinstance(law, Empirical) else 1
    return np.arange(n + 1) / n


def from_toml(value: Any) -> Distribution:
    """Read a law from its TOML form: a number, or a table with the kind as its one key.

    Raises `InputError` for an unknown kind (naming the nearest known), a missing or unknown argument, or a value
    that the law does not allow.

    >>> from_toml({"gamma": {"mean": 20, "shape": 3}})
    Gamma(mean=20.0, shape=3.0)
    """
    if isinstance(value, Distribution):
        return value
    if _is_number(value):
        return Constant(value)
    ok = isinstance(value, dict) and len(value) == 1
    example = "a table such as {gamma = {mean = 20, shape = 3}}"
    require(ok, "Distribution", "value", f"must be a number or {example}", value)
    ((kind, arguments),) = value.items()
    require(kind in KINDS, "Distribution", "kind", "must be a known law", kind, remedy=did_you_mean(str(kind), KINDS))
    names = [f.name for f in fields(KINDS[kind])]  # type: ignore[arg-type]
    require(isinstance(arguments, dict), kind, "arguments", f"must be a table of {', '.join(names)}", arguments)
    for name in arguments:
        require(name in names, kind, str(name), "is not an argument", arguments[name], remedy=did_you_mean(name, names))
    for name in names:
        require(name in arguments, kind, name, "must be given", "nothing")
    try:
        return KINDS[kind](**{name: _plain(kind, name, arguments[name]) for name in names})
    except TypeError as error:  # a wrong type deep inside a list of values
        raise InputError(f"`{kind}` cannot be read from {arguments!r}: {error}") from error


def _plain(kind: str, name: str, value: Any) -> Any:
    if name == "values":
        ok = isinstance(value, (list, tuple)) and all(_is_number(v) for v in value)
        require(ok, kind, name, "must be a list of numbers", value)
        return tuple(real_number(kind, name, v) for v in value)
    require(_is_number(value), kind, name, "must be a number", value)
    return value


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)


def _n_draws(law: Distribution, n: object) -> int:
    return whole_number(type(law).__name__, "n", n, at_least=0, below=2**31)


def _finite(law: Any) -> None:
    for f in fields(law):
        object.__setattr__(law, f.name, real_number(type(law).__name__, f.name, getattr(law, f.name)))
