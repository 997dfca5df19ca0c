"""Rate codes: intensities as Poisson spikes, numbers as the rates of a tuned population.

Symbols: H steps per held value, P neurons per variable, D variables, T values.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hrsnn._checks import check_all, real_array, real_number, require, time_step, whole_number
from hrsnn.spikes import STEPS_END, Spikes, nearest_steps

_PER_VARIABLE_END = 10**6
_MOST_CELLS = 4 * 10**9  # of steps and units

Rng = np.random.Generator | Sequence[np.random.Generator]


def poisson_rate(
    images: ArrayLike,
    *,
    rng: Rng,
    f_max_hz: float = 63.75,
    duration_ms: float = 100.0,
    silence_ms: float = 100.0,
    dt_ms: float = 1.0,
) -> Spikes:
    """Independent spikes with a rate proportional to intensity, then silence (method.md 6.1).

    images     (n_samples, n_units), in [0, 1]
    f_max_hz   rate of intensity 1; a step has a spike with probability 1 - exp(-f_max x dt)

    >>> poisson_rate([[0.0, 1.0]], rng=np.random.default_rng(0), f_max_hz=1e6).counts()[0].tolist()
    [[0, 100]]
    """
    intensity = real_array("poisson_rate", "images", images)
    ok = intensity.ndim == 2 and intensity.shape[1] > 0
    require(ok, "poisson_rate", "images", "must have shape (samples, units)", f"shape {intensity.shape}")
    check_finite("poisson_rate", "images", intensity)
    inside = ((intensity >= 0) & (intensity <= 1)).reshape(-1)
    check_all("poisson_rate", "images", "must lie in [0, 1]", intensity.reshape(-1), inside)
    f_max_hz = real_number("poisson_rate", "f_max_hz", f_max_hz, above=0)
    n_active = whole_steps("poisson_rate", "duration_ms", duration_ms, dt_ms)
    n_silent = whole_steps("poisson_rate", "silence_ms", silence_ms, dt_ms, at_least=0)
    n_units = intensity.shape[1]
    check_grid("poisson_rate", "duration_ms", n_active, n_units)
    probability = (-np.expm1(-f_max_hz * intensity * dt_ms / 1000.0)).astype(np.float32)
    keys = [
        np.flatnonzero(generator.random((n_active, n_units), dtype=np.float32) < p)
        for generator, p in zip(per_sample("poisson_rate", rng, len(probability)), probability, strict=True)
    ]
    return from_keys(keys, n_units=n_units, n_steps=n_active + n_silent, dt_ms=dt_ms)


@dataclass(frozen=True, slots=True)
class PopulationCode:
    """Each variable is shown by neurons with Gaussian tuning; each value is held for some time (method.md 6.5).

    lows, highs     range of each variable, which is scaled to [0, 1]; take it from the training part (`fit`)
    n_per_variable  neurons per variable; centres evenly on [-0.1, 1.1], width 1.5 spacings
    f_max_hz        rate of a neuron whose centre is the value; a rate is f_max exp(-(x - centre)^2 / (2 width^2))
    hold_ms         time for which a value is shown

    Neuron p of variable d is unit `d * n_per_variable + p`. Values outside the range are legal; far outside, no neuron
    responds.

    >>> code = PopulationCode.fit([[0.0], [1.0]], n_per_variable=13)
    >>> spikes, phase = code.encode([[[0.5]] * 5])
    >>> spikes.counts()[0, 0].argmax(), spikes.counts()[0, 0].max()
    (np.int64(6), np.int32(10))
    """

    lows: tuple[float, ...]
    highs: tuple[float, ...]
    n_per_variable: int = 50
    f_max_hz: float = 100.0
    hold_ms: float = 20.0
    dt_ms: float = 1.0

    def __post_init__(self) -> None:
        lows, highs = (real_array("PopulationCode", n, getattr(self, n)).reshape(-1) for n in ("lows", "highs"))
        n = lows.size
        require(n > 0 and highs.size == n, "PopulationCode", "highs", f"must have length {n}", f"length {highs.size}")
        sound = np.isfinite(lows) & np.isfinite(highs) & (highs > lows)
        check_all("PopulationCode", "highs", "must be finite and above `lows`", highs, sound)
        object.__setattr__(self, "lows", tuple(lows.tolist()))
        object.__setattr__(self, "highs", tuple(highs.tolist()))
        n_neurons = whole_number(
            "PopulationCode", "n_per_variable", self.n_per_variable, at_least=2, below=_PER_VARIABLE_END
        )
        object.__setattr__(self, "n_per_variable", n_neurons)
        for name in ("f_max_hz", "hold_ms", "dt_ms"):
            object.__setattr__(self, name, real_number("PopulationCode", name, getattr(self, name), above=0))
        n_hold = whole_steps("PopulationCode", "hold_ms", self.hold_ms, self.dt_ms)
        ok = 0 < self.f_max_hz * self.dt_ms <= 1000.0
        rule = f"must lie in (0, {1000.0 / self.dt_ms:g}], at most one spike per step"
        require(ok and n_hold > 0, "PopulationCode", "f_max_hz", rule, self.f_max_hz)

    @classmethod
    def fit(
        cls,
        series: ArrayLike,
        *,
        n_per_variable: int = 50,
        f_max_hz: float = 100.0,
        hold_ms: float = 20.0,
        dt_ms: float = 1.0,
    ) -> PopulationCode:
        """The code whose ranges are those of `series`, shape `(n_values, n_variables)`: the training part, no more."""
        values = real_array("PopulationCode.fit", "series", series)
        ok = values.ndim == 2 and values.size > 0
        require(ok, "PopulationCode.fit", "series", "must have shape (values, variables)", f"shape {values.shape}")
        check_finite("PopulationCode.fit", "series", values)
        lows, highs = values.min(axis=0), values.max(axis=0)
        check_all("PopulationCode.fit", "series", "must vary in every variable", lows, highs > lows)
        return cls(tuple(lows.tolist()), tuple(highs.tolist()), n_per_variable, f_max_hz, hold_ms, dt_ms)

    @property
    def n_units(self) -> int:
        return len(self.lows) * self.n_per_variable

    @property
    def n_hold_steps(self) -> int:
        return nearest_steps(self.hold_ms, self.dt_ms)[0]

    @property
    def centres(self) -> NDArray[np.float64]:
        """Centres on the scaled axis, float64 (n_per_variable,)."""
        return np.linspace(-0.1, 1.1, self.n_per_variable)

    @property
    def width(self) -> float:
        """Width of the tuning on the scaled axis."""
        return 1.5 * 1.2 / (self.n_per_variable - 1)

    def rates_hz(self, values: ArrayLike) -> NDArray[np.float64]:
        """Rate of every neuron for values of shape `(..., D)`: shape `(..., n_units)`, Hz."""
        x = real_array("PopulationCode", "values", values)
        n = len(self.lows)
        ok = x.ndim >= 1 and x.shape[-1] == n
        require(ok, "PopulationCode", "values", f"must have {n} variables in the last axis", f"shape {x.shape}")
        check_finite("PopulationCode", "values", x)
        low, high = np.array(self.lows), np.array(self.highs)
        distance = (((x - low) / (high - low))[..., None] - self.centres) / self.width
        with np.errstate(over="ignore"):  # a value absurdly far away has rate 0
            rates = self.f_max_hz * np.exp(-0.5 * distance**2)
        return np.asarray(rates.reshape(*x.shape[:-1], self.n_units))

    def outside(self, values: ArrayLike) -> NDArray[np.bool_]:
        """Which of `values` (..., D) lie beyond the outermost centres, where spikes die out: bool of the same shape.

        >>> PopulationCode((0.0,), (1.0,), 5).outside([[0.5], [1.05], [1.5]]).ravel().tolist()
        [False, False, True]
        """
        low, high = np.array(self.lows), np.array(self.highs)
        scaled = (np.asarray(values, dtype=np.float64) - low) / (high - low)
        first, *_, last = self.centres
        return np.asarray((scaled < first) | (scaled > last))

    def encode(
        self, values: ArrayLike, rng: Rng | None = None, *, phase: NDArray[np.float64] | None = None
    ) -> tuple[Spikes, NDArray[np.float64]]:
        """Spikes of `values` (n_samples, T, D) on T * H steps, and the phase of every channel at the end.

        Without `rng` spikes are regular: a channel collects rate * dt and spikes when it reaches 1. What is left, the
        phase, float64 (n_samples, n_units) in [0, 1), is given back to encode the following values: a series in pieces
        gives the same spikes, bit for bit, as in one go. `None` starts at 0.

        With `rng` steps are independent with spike probability 1 - exp(-rate dt), and the phase stays what it was. In
        pieces the same spikes come out if there is one generator per sample.
        """
        x = real_array("PopulationCode", "values", values)
        ok = x.ndim == 3 and x.shape[1] > 0
        require(ok, "PopulationCode", "values", "must have shape (samples, values, variables)", f"shape {x.shape}")
        n_samples, n_values = x.shape[:2]
        shape = (n_samples, self.n_units)
        phase = np.zeros(shape) if phase is None else real_array("PopulationCode", "phase", phase).copy()
        require(phase.shape == shape, "PopulationCode", "phase", f"must have shape {shape}", phase.shape)
        ok = bool(((phase >= 0) & (phase < 1)).all())
        require(ok, "PopulationCode", "phase", "must lie in [0, 1)", "another value")
        n_hold = self.n_hold_steps
        charge = self.rates_hz(x) * (self.dt_ms / 1000.0)  # per step, (n_samples, T, n_units)
        n_steps = n_values * n_hold
        check_grid("PopulationCode", "values", n_steps, n_samples * self.n_units)
        raster = np.empty((n_samples, n_values, n_hold, self.n_units), dtype=bool)
        if rng is None:
            # Number of spikes up to each step of the hold: whole part of phase + charge * steps.
            steps = np.arange(1, n_hold + 1, dtype=np.float64)[:, None]
            total = np.empty((n_samples, n_hold + 1, self.n_units))
            for value in range(n_values):
                total[:, 0] = phase
                np.multiply(charge[:, value, None, :], steps, out=total[:, 1:])
                total[:, 1:] += phase[:, None, :]
                whole = np.floor(total + 1e-9)
                np.greater(whole[:, 1:], whole[:, :-1], out=raster[:, value])
                phase = np.maximum(total[:, -1] - whole[:, -1], 0.0)
        else:
            probability = -np.expm1(-charge)
            for sample, generator in enumerate(per_sample("PopulationCode", rng, n_samples)):
                drawn = generator.random((n_values, n_hold, self.n_units))
                np.less(drawn, probability[sample, :, None, :], out=raster[sample])
        keys = [np.flatnonzero(sample) for sample in raster]
        return from_keys(keys, n_units=self.n_units, n_steps=n_steps, dt_ms=self.dt_ms), phase


# -- shared by the modules of this package ---------------------------------------------------------------------------


def from_keys(keys: Sequence[NDArray[np.intp]], *, n_units: int, n_steps: int, dt_ms: float) -> Spikes:
    """Spikes from one rising array of `step * n_units + unit` per sample."""
    ptr = np.concatenate([[0], np.cumsum([k.size for k in keys], dtype=np.int64)])
    step, unit = np.divmod(np.concatenate([*keys, np.zeros(0, dtype=np.intp)]), n_units)
    return Spikes(ptr, step.astype(np.int32), unit.astype(np.int32), n_units, n_steps, dt_ms)


def check_grid(owner: str, name: str, n_steps: int, n_units: int) -> None:
    """Codes look at every step of every unit: a grid of more cells than memory has bytes is refused, not begun."""
    rule = f"must give fewer than {STEPS_END} steps, and fewer than {_MOST_CELLS:,} times units"
    require(n_steps < STEPS_END and n_steps * n_units < _MOST_CELLS, owner, name, rule, f"{n_steps} x {n_units}")


def whole_steps(owner: str, name: str, time_ms: float, dt_ms: float, *, at_least: int = 1) -> int:
    """`time_ms` as a number of steps, or an error where it is not a whole number of them."""
    time_step(owner, dt_ms)
    real_number(owner, name, time_ms)
    n_steps, is_whole = nearest_steps(time_ms, dt_ms)
    ok = n_steps >= at_least and is_whole
    require(ok, owner, name, f"must be a whole number >= {at_least} of steps of {dt_ms:g} ms", time_ms)
    require(n_steps < STEPS_END, owner, name, f"must be less than {STEPS_END} steps of {dt_ms:g} ms", time_ms)
    return n_steps


def per_sample(owner: str, rng: Rng, n_samples: int) -> Sequence[np.random.Generator]:
    """One generator per sample; the same one for all if only one is given."""
    if isinstance(rng, np.random.Generator):
        return [rng] * n_samples
    ok = isinstance(rng, Sequence) and all(isinstance(r, np.random.Generator) for r in rng)
    require(ok, owner, "rng", "must be a NumPy Generator, or one per sample", type(rng).__name__)
    require(len(rng) == n_samples, owner, "rng", f"must hold {n_samples} generators, one per sample", len(rng))
    return rng


def check_finite(owner: str, name: str, values: NDArray[np.float64]) -> None:
    """Raise `InputError` naming the place of the first value that is NaN or infinite."""
    bad = ~np.isfinite(values)
    if bad.any():
        first = tuple(np.argwhere(bad)[0].tolist())
        place = f"at index {first} ({int(bad.sum())} of {values.size} values)"
        require(False, owner, name, "must be finite", float(values[first]), place=place)
