"""Sound as spikes: a bank of gammatone filters, rectified, compressed, then integrate-and-fire or level crossing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hrsnn._checks import as_array, real_array, real_number, require, time_step, whole_number
from hrsnn.encode.events import level_crossing
from hrsnn.encode.rates import check_finite, whole_steps
from hrsnn.spikes import STEPS_END, Spikes

_BATCH = 32  # recordings encoded at a time
_LOG_FLOOR = 1e-3


@dataclass(frozen=True, slots=True)
class AudioCode:
    """How sound becomes spikes.

    n_channels       filters, centres evenly on the ERB-rate scale of Glasberg and Moore 1990 from f_min_hz to f_max_hz
    sample_rate_hz   internal rate; signals of another rate are resampled; whole samples per step of dt_ms
    loudness         root mean square that every recording is scaled to, or None to take signals as they are
    compression      "power": e ** exponent; "log": log(1 + e / 0.001) / log(1001); of the envelope e, the mean of the
                     half-wave rectified filter output in one step; both map [0, 1] to [0, 1]
    neuron           "lif": a leaky integrate-and-fire neuron per channel driven by the compressed envelope, with time
                     constant tau_ms, input gain, threshold 1, reset to 0, one spike per step at most;
                     "level": `level_crossing` of the compressed envelope with `threshold`, UP and DOWN, so twice as
                     many units
    Signals are dimensionless, full scale 1. No randomness.

    >>> tone = np.sin(2 * np.pi * 1000 * np.arange(4000) / 16000)
    >>> AudioCode(n_channels=16).encode([tone], 16000).n_steps
    250
    """

    n_channels: int = 64
    f_min_hz: float = 100.0
    f_max_hz: float = 7000.0
    sample_rate_hz: float = 16000.0
    dt_ms: float = 1.0
    loudness: float | None = 0.05
    compression: Literal["power", "log"] = "power"
    exponent: float = 0.3
    neuron: Literal["lif", "level"] = "lif"
    tau_ms: float = 10.0
    gain: float = 10.0
    threshold: float = 0.05

    def __post_init__(self) -> None:
        n_channels = whole_number("AudioCode", "n_channels", self.n_channels, at_least=1, below=STEPS_END)
        object.__setattr__(self, "n_channels", n_channels)
        for name in ("f_min_hz", "f_max_hz", "sample_rate_hz", "exponent", "tau_ms", "gain", "threshold"):
            object.__setattr__(self, name, real_number("AudioCode", name, getattr(self, name), above=0))
        object.__setattr__(self, "dt_ms", time_step("AudioCode", self.dt_ms))
        ok = self.f_min_hz < self.f_max_hz < 0.5 * self.sample_rate_hz
        rule = f"must lie between f_min_hz = {self.f_min_hz:g} and half of sample_rate_hz = {self.sample_rate_hz:g}"
        require(ok, "AudioCode", "f_max_hz", rule, self.f_max_hz)
        if self.loudness is not None:
            object.__setattr__(self, "loudness", real_number("AudioCode", "loudness", self.loudness, above=0))
        require(
            self.compression in ("power", "log"),
            "AudioCode",
            "compression",
            'must be "power" or "log"',
            self.compression,
        )
        require(self.neuron in ("lif", "level"), "AudioCode", "neuron", 'must be "lif" or "level"', self.neuron)
        per_step = self.sample_rate_hz * self.dt_ms / 1000.0
        ok = per_step >= 1 and abs(per_step - round(per_step)) < 1e-9 * per_step
        require(ok, "AudioCode", "dt_ms", "must hold a whole number of samples at sample_rate_hz", self.dt_ms)

    @property
    def n_units(self) -> int:
        return self.n_channels * (2 if self.neuron == "level" else 1)

    @property
    def centres_hz(self) -> NDArray[np.float64]:
        """Centre frequency of every channel, rising, float64 (n_channels,)."""
        low, high = (21.4 * math.log10(1.0 + 0.00437 * f) for f in (self.f_min_hz, self.f_max_hz))
        return (10.0 ** (np.linspace(low, high, self.n_channels) / 21.4) - 1.0) / 0.00437

    def encode(
        self,
        signals: Sequence[ArrayLike],
        sample_rate_hz: float | ArrayLike,
        *,
        duration_ms: float | None = None,
    ) -> Spikes:
        """Spikes of `signals`, one array of samples each, at one sampling rate or one rate per signal.

        The grid holds the longest signal, or `duration_ms`: what is later is left out, shorter signals end in silence.
        """
        given = as_array("AudioCode", "sample_rate_hz", sample_rate_hz)
        rates: list[Any] = [sample_rate_hz] * len(signals) if given.ndim == 0 else list(given)
        require(
            len(rates) == len(signals), "AudioCode", "sample_rate_hz", f"must hold {len(signals)} rates", len(rates)
        )
        require(len(signals) > 0, "AudioCode", "signals", "must hold at least one signal", "none")
        sounds = [self._sound(k, signal, rate) for k, (signal, rate) in enumerate(zip(signals, rates, strict=True))]
        per_step = round(self.sample_rate_hz * self.dt_ms / 1000.0)
        if duration_ms is None:
            n_steps = max(-(-sound.size // per_step) for sound in sounds)
        else:
            n_steps = whole_steps("AudioCode", "duration_ms", duration_ms, self.dt_ms)
        parts = []
        for first in range(0, len(sounds), _BATCH):
            envelope = np.stack([self._envelope(s, n_steps, per_step) for s in sounds[first : first + _BATCH]])
            if self.neuron == "level":
                parts.append(level_crossing(envelope, threshold=self.threshold, dt_ms=self.dt_ms))
            else:
                parts.append(Spikes.from_dense(self._fire(envelope), dt_ms=self.dt_ms))
        return Spikes.join(parts)

    def _sound(self, index: int, signal: ArrayLike, rate_hz: float) -> NDArray[np.float64]:
        """The checked signal at the internal rate and loudness."""
        from scipy.signal import resample_poly

        owner = f"AudioCode, signal {index}"
        sound = real_array(owner, "signals", signal)
        require(sound.ndim == 1, owner, "signals", "must have one dimension", f"shape {sound.shape}")
        require(sound.size > 0, owner, "signals", "must not be empty", "zero samples")
        check_finite(owner, "signals", sound)
        rate_hz = real_number(owner, "sample_rate_hz", rate_hz, above=0)
        if rate_hz != self.sample_rate_hz:
            ratio = Fraction(self.sample_rate_hz / rate_hz).limit_denominator(1000)
            sound = np.asarray(resample_poly(sound, ratio.numerator, ratio.denominator))
        rms = math.sqrt(float(np.mean(sound**2)))
        return sound if self.loudness is None or rms == 0.0 else sound * (self.loudness / rms)

    def _envelope(self, sound: NDArray[np.float64], n_steps: int, per_step: int) -> NDArray[np.float64]:
        """Compressed envelope, float64 (n_steps, n_channels)."""
        from scipy.signal import lfilter

        padded = np.zeros(n_steps * per_step)
        padded[: min(sound.size, padded.size)] = sound[: padded.size]
        envelope = np.empty((n_steps, self.n_channels))
        for channel, (b, a) in enumerate(_filters(self)):
            rectified = np.maximum(lfilter(b, a, padded), 0.0)
            envelope[:, channel] = rectified.reshape(n_steps, per_step).mean(axis=1)
        if self.compression == "power":
            return envelope**self.exponent
        return np.log1p(envelope / _LOG_FLOOR) / math.log1p(1.0 / _LOG_FLOOR)

    def _fire(self, envelope: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Spikes of one neuron per channel; the membrane is solved exactly within a step of constant input."""
        decay = math.exp(-self.dt_ms / self.tau_ms)
        drive = (1.0 - decay) * self.gain * envelope
        raster = np.empty(envelope.shape, dtype=bool)
        v = np.zeros((envelope.shape[0], self.n_channels))
        for step in range(envelope.shape[1]):
            v = decay * v + drive[:, step]
            raster[:, step] = v >= 1.0
            v[raster[:, step]] = 0.0
        return raster


@lru_cache(maxsize=8)
def _filters(code: AudioCode) -> tuple[tuple[NDArray[np.float64], NDArray[np.float64]], ...]:
    from scipy.signal import gammatone

    return tuple(gammatone(f, "iir", fs=code.sample_rate_hz) for f in code.centres_hz.tolist())
