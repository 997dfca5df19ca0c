"""The white drive: independent numbers, population-coded over all input channels of a network (method.md 9.1).

It drives an arbitrary network for measures that need an input but no task.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import ndtr

from hrsnn._checks import require, whole_number
from hrsnn.encode.rates import PopulationCode
from hrsnn.randomness import stream
from hrsnn.spikes import Spikes

# Spikes are made for so many (step, channel) pairs at a time, and for so many values at most: a bound on memory that
# depends on nothing but the network, because what is summed up per piece depends on the pieces by rounding.
_CELLS_AT_A_TIME = 2**22
_VALUES_AT_A_TIME = 2048

_SAMPLES_END = 10**8  # more are a mistake: a day of computing

_N_TERMS = 25  # of the series of `mean_rate_hz`, whose terms fall like 1 / k!


@dataclass(frozen=True, slots=True)
class WhiteDrive:
    """x(t) ~ U(-1, 1), independent, each shown for `sample_ms` by spikes of all channels.

    sample_ms      T_s, a whole number of steps of the network
    mean_rate_hz   spikes per channel and second, over channels and x: it sets the peak rate of the code
    regular        regular spikes instead of Poisson ones

    Spikes are Poisson by default because those have no memory: what a state tells about x(t - tau) the network has
    kept, and beyond that a capacity is that of independent data, for which its floor is known. Regular spikes are made
    by channels that add up their rate until it makes a spike, and what they have added up is a memory outside the
    network. They have less noise, though, and the capacity of the same network is larger under them.

    >>> drive = WhiteDrive()
    >>> spikes = drive.spikes(drive.values(500, seed=0), n_inputs=50, dt_ms=1.0, seed=0)
    >>> spikes.n_steps, round(spikes.n_events / 50 / 10, 1)
    (10000, 10.0)
    """

    sample_ms: float = 20.0
    mean_rate_hz: float = 10.0
    regular: bool = False

    def __post_init__(self) -> None:
        for name in ("sample_ms", "mean_rate_hz"):
            value = getattr(self, name)
            require(np.isfinite(value) and value > 0, "WhiteDrive", name, "must be > 0", value)

    def values(self, n_samples: int, *, seed: int) -> NDArray[np.float64]:
        """x, shape (n_samples,); a longer drive of the same seed begins with the shorter one."""
        n_samples = whole_number("WhiteDrive", "n_samples", n_samples, at_least=1, below=_SAMPLES_END)
        return stream(seed, "white-drive.values").uniform(-1.0, 1.0, n_samples)

    def code(self, n_inputs: int, dt_ms: float) -> PopulationCode:
        """The population code over `n_inputs` channels whose peak rate gives `mean_rate_hz`, exactly.

        Tuning narrows as channels grow in number, and the peak rises. From about 270 channels on with steps of 1 ms it
        would have to pass one spike per step, where it stays: `mean_rate_hz` of this module tells what is reached.
        Raises `InputError` for fewer than two channels, over which nothing can be coded.
        """
        remedy = "give the network more input channels, or bring your own states to `capacity_of`"
        require(n_inputs >= 2, "WhiteDrive", "n_inputs", "must be >= 2", n_inputs, remedy=remedy)
        most_hz = 1000.0 / dt_ms * (1 - 1e-12)

        def excess(peak_hz: float) -> float:
            return mean_rate_hz(self._with_peak(n_inputs, dt_ms, peak_hz), regular=self.regular) - self.mean_rate_hz

        peak_hz = most_hz if excess(most_hz) <= 0 else float(brentq(excess, 1e-9 * most_hz, most_hz, xtol=1e-10))
        return self._with_peak(n_inputs, dt_ms, peak_hz)

    def _with_peak(self, n_inputs: int, dt_ms: float, peak_hz: float) -> PopulationCode:
        return PopulationCode((-1.0,), (1.0,), n_inputs, peak_hz, self.sample_ms, dt_ms)

    def pieces(self, values: NDArray[np.float64], code: PopulationCode, *, seed: int) -> Iterator[Spikes]:
        """The spikes of `values` (n_samples,) in pieces of one sample each, to be simulated one after the other."""
        rng = None if self.regular else stream(seed, "white-drive.spikes")
        phase = None
        n_cells = code.n_hold_steps * code.n_units
        n_values = min(_VALUES_AT_A_TIME, max(1, _CELLS_AT_A_TIME // n_cells))
        for first in range(0, values.size, n_values):
            spikes, phase = code.encode(values[None, first : first + n_values, None], rng, phase=phase)
            yield spikes

    def spikes(self, values: NDArray[np.float64], *, n_inputs: int, dt_ms: float, seed: int) -> Spikes:
        """The spikes of `values` (n_samples,) as one sample, the same as in pieces."""
        parts = list(self.pieces(values, self.code(n_inputs, dt_ms), seed=seed))
        ends = np.cumsum([part.n_steps for part in parts])
        step = [part.step + (end - part.n_steps) for part, end in zip(parts, ends, strict=True)]
        unit = np.concatenate([part.unit for part in parts])
        ptr = np.array([0, unit.size], dtype=np.int64)
        return Spikes(ptr, np.concatenate(step), unit, n_inputs, int(ends[-1]), dt_ms)

    def recordings(self, n_recordings: int, n_values: int, *, n_inputs: int, dt_ms: float, seed: int) -> Spikes:
        """Independent samples of `n_values` numbers each, to learn from."""
        values = self.values(n_recordings * n_values, seed=seed).reshape(n_recordings, n_values, 1)
        rng = None if self.regular else stream(seed, "white-drive.spikes")
        return self.code(n_inputs, dt_ms).encode(values, rng)[0]


def mean_rate_hz(code: PopulationCode, *, regular: bool = False) -> float:
    """Mean spikes per channel and second of a code of one variable, for values uniform over its range.

    The spikes of a Poisson code are at most one per step: their mean is that of (1 - exp(-f dt)) / dt. With a = f_max
    dt and the tuning curve g, a series in the means of g^k, which are Gaussian integrals:
    E[1 - exp(-a g)] = sum over k of (-1)^(k + 1) a^k / k! E[g^k]. Regular spikes have its first term, a E[g].
    """
    a = code.f_max_hz * code.dt_ms / 1000.0
    total = 0.0
    for k in range(1, 2 if regular else _N_TERMS):
        total -= (-a) ** k / math.factorial(k) * _mean_of_tuning(code, k)
    return 1000.0 / code.dt_ms * total


def _mean_of_tuning(code: PopulationCode, power: int) -> float:
    """Mean over channels and over values uniform in [0, 1] of exp(-(x - centre)^2 / 2 width^2)^power."""
    width = code.width / math.sqrt(power)
    inside = ndtr((1 - code.centres) / width) - ndtr(-code.centres / width)
    return float(width * math.sqrt(2 * math.pi) * inside.mean())
