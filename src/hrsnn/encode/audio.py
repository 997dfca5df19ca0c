"""Sound as spikes: a bank of gammatone filters, rectified, compressed, then integrate-and-fire or level crossing."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hrsnn._checks import among, as_array, listed, real_array, real_number, require, time_step, whole_number
from hrsnn.encode.events import crossings
from hrsnn.encode.rates import check_finite, from_keys, whole_steps
from hrsnn.spikes import Spikes

_N_BLOCK = 2**17  # samples at a time, about
_MAX_RATIO = 1000  # of sampling rates
_LOG_FLOOR = 1e-3
_CHANNELS_END = 10_000  # each is a filter


@dataclass(frozen=True, slots=True)
class AudioCode:
    """How sound becomes spikes.

    n_channels       filters, centres evenly on the ERB-rate scale of Glasberg and Moore 1990 from f_min_hz to f_max_hz
    sample_rate_hz   internal rate; signals of another rate are resampled; whole samples per step of dt_ms
    loudness         root mean square that every recording is scaled to, or None to take signals as loud as they are
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
        n_channels = whole_number("AudioCode", "n_channels", self.n_channels, at_least=1, below=_CHANNELS_END)
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
            among(self.compression, ("power", "log")),
            "AudioCode",
            "compression",
            'must be "power" or "log"',
            self.compression,
        )
        require(among(self.neuron, ("lif", "level")), "AudioCode", "neuron", 'must be "lif" or "level"', self.neuron)
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
        signals: Sequence[ArrayLike | Samples],
        sample_rate_hz: float | ArrayLike,
        *,
        duration_ms: float | None = None,
    ) -> Spikes:
        """Spikes of `signals`, one array of samples each, at one sampling rate or one rate per signal.

        The grid holds the longest signal, or `duration_ms`: what is later is left out, shorter signals end in silence.
        A constant offset is taken out of every signal first. The spikes of a signal are the same bits whatever else is
        encoded beside it: they end with the step of its last sample. Memory does not grow with the length of a signal
        that is read in pieces (`Samples`).
        """
        signals = listed("AudioCode", "signals", signals)
        given = as_array("AudioCode", "sample_rate_hz", sample_rate_hz)
        rates: list[Any] = [sample_rate_hz] * len(signals) if given.ndim == 0 else list(given)
        require(
            len(rates) == len(signals), "AudioCode", "sample_rate_hz", f"must hold {len(signals)} rates", len(rates)
        )
        require(len(signals) > 0, "AudioCode", "signals", "must hold at least one signal", "none")
        n_steps = None if duration_ms is None else whole_steps("AudioCode", "duration_ms", duration_ms, self.dt_ms)
        sounds = [_Sound.of(self, k, signal, rate) for k, (signal, rate) in enumerate(zip(signals, rates, strict=True))]
        keys = [self._keys(sound, n_steps) for sound in sounds]
        n_steps = n_steps or max(-(-sound.n_samples // self._n_per_step) for sound in sounds)
        return from_keys(keys, n_units=self.n_units, n_steps=n_steps, dt_ms=self.dt_ms)

    @property
    def _n_per_step(self) -> int:
        return round(self.sample_rate_hz * self.dt_ms / 1000.0)

    def _keys(self, sound: _Sound, n_steps: int | None) -> NDArray[np.intp]:
        """The rising `step * n_units + unit` of the spikes of one sound in its first `n_steps`, block by block."""
        scale = self._scale(sound)
        neurons = _Crossing(self.threshold) if self.neuron == "level" else _Fire(self)
        rest = [np.zeros(max(a.size, b.size) - 1) for b, a in _filters(self)]  # of the filters, from block to block
        keys = [np.zeros(0, dtype=np.intp)]
        first = 0
        for block in sound.blocks():
            n = -(-block.size // self._n_per_step)
            n = n if n_steps is None else min(n, n_steps - first)
            if n <= 0:
                break
            padded = np.zeros(n * self._n_per_step)  # the last step of a sound may be part of one
            padded[: block.size] = block[: padded.size] * scale
            keys.append(np.flatnonzero(neurons.step(self._envelope(padded, rest))) + first * self.n_units)
            first += n
        return np.concatenate(keys)

    def _scale(self, sound: _Sound) -> float:
        """The factor that brings a sound to `loudness`; 1 for silence."""
        if self.loudness is None:
            return 1.0
        power = sum(float(np.sum(block**2)) for block in sound.blocks()) / sound.n_samples
        silent = math.sqrt(power) <= 1e-12 * abs(sound.mean)  # what rounding leaves of a constant is not sound
        return 1.0 if silent else self.loudness / math.sqrt(power)

    def _envelope(self, sound: NDArray[np.float64], rest: list[NDArray[np.float64]]) -> NDArray[np.float64]:
        """Compressed envelope of whole steps, float64 (n_steps, n_channels); `rest` is brought to their end."""
        from scipy.signal import lfilter

        envelope = np.empty((sound.size // self._n_per_step, self.n_channels))
        for channel, (b, a) in enumerate(_filters(self)):
            out, rest[channel] = lfilter(b, a, sound, zi=rest[channel])
            envelope[:, channel] = np.maximum(out, 0.0).reshape(-1, self._n_per_step).mean(axis=1)
        if self.compression == "power":
            return envelope**self.exponent
        return np.log1p(envelope / _LOG_FLOOR) / math.log1p(1.0 / _LOG_FLOOR)


class Samples(Protocol):
    """A signal that is read in pieces: `samples[start:stop]` is float64, of one dimension."""

    def __len__(self) -> int: ...

    def __getitem__(self, piece: slice, /) -> NDArray[np.float64]: ...


@dataclass(frozen=True, slots=True)
class _Sound:
    """A signal at the internal rate without its constant offset, made block by block.

    `up / down` is the ratio of rates. A block begins at a whole sample of the signal and a whole step of the code, and
    is resampled with as much of the signal around it as the filter of the resampler reaches.
    """

    signal: Samples
    mean: float
    up: int
    down: int
    n_samples: int
    n_block: int

    @classmethod
    def of(cls, code: AudioCode, index: int, given: ArrayLike | Samples, rate_hz: float) -> _Sound:
        owner = f"AudioCode, signal {index}"
        signal: Any = given
        if isinstance(given, (np.ndarray, Sequence)) or not hasattr(given, "__getitem__"):
            signal = real_array(owner, "signals", given)
            require(signal.ndim == 1, owner, "signals", "must have one dimension", f"shape {signal.shape}")
        n = len(signal)
        require(n > 0, owner, "signals", "must not be empty", "zero samples")
        rate_hz = real_number(owner, "sample_rate_hz", rate_hz, above=0)
        ok = rate_hz <= _MAX_RATIO * code.sample_rate_hz
        rule = f"must be at most {_MAX_RATIO} times the internal {code.sample_rate_hz:g}"
        require(ok, owner, "sample_rate_hz", rule, rate_hz)
        rule = f"must be above {2 * code.f_min_hz:g}, twice f_min_hz, for a channel to hear anything"
        require(rate_hz > 2 * code.f_min_hz, owner, "sample_rate_hz", rule, rate_hz)
        ratio = Fraction(code.sample_rate_hz / rate_hz).limit_denominator(_MAX_RATIO)
        up, down = ratio.numerator, ratio.denominator
        unit = math.lcm(up, code._n_per_step)
        total = 0.0
        for start in range(0, n, _N_BLOCK):
            piece = signal[start : start + _N_BLOCK]
            check_finite(owner, "signals", piece)
            total += float(np.sum(piece))
        return cls(signal, total / n, up, down, -(-n * up // down), max(1, _N_BLOCK // unit) * unit)

    def blocks(self) -> Iterator[NDArray[np.float64]]:
        from scipy.signal import resample_poly

        n_in = self.n_block * self.down // self.up
        # Taps of `resample_poly` reach 10 max(up, down) samples of the upsampled signal to each side.
        margin = -(-(10 * max(self.up, self.down) // self.up + 1) // self.down) * self.down
        for block in range(-(-self.n_samples // self.n_block)):
            start = max(0, block * n_in - margin)
            piece = self.signal[start : (block + 1) * n_in + margin] - self.mean
            if self.up == self.down:
                yield piece[block * n_in - start :][: self.n_block]
                continue
            skip = (block * n_in - start) * self.up // self.down
            n = min(self.n_block, self.n_samples - block * self.n_block)
            yield np.asarray(resample_poly(piece, self.up, self.down))[skip : skip + n]


class _Fire:
    """A leaky integrate-and-fire neuron per channel; the membrane is solved exactly in a step of constant input."""

    def __init__(self, code: AudioCode) -> None:
        self.decay, self.gain = math.exp(-code.dt_ms / code.tau_ms), code.gain
        self.v = np.zeros(code.n_channels)

    def step(self, envelope: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Spikes of the following steps."""
        drive = (1.0 - self.decay) * self.gain * envelope
        raster = np.empty(envelope.shape, dtype=bool)
        v = self.v
        for fires, charge in zip(raster, drive, strict=True):
            v *= self.decay
            v += charge
            np.greater_equal(v, 1.0, out=fires)
            v[fires] = 0.0
        return raster


class _Crossing:
    """`level_crossing` whose reference stays from block to block."""

    def __init__(self, threshold: float) -> None:
        self.threshold = threshold
        self.start: NDArray[np.float64] | None = None
        self.level: NDArray[np.float64] | None = None

    def step(self, envelope: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Spikes of the following steps."""
        self.start = envelope[0].copy() if self.start is None else self.start
        self.level = np.zeros_like(self.start) if self.level is None else self.level
        return crossings(envelope, self.start, self.level, self.threshold)


@lru_cache(maxsize=8)
def _filters(code: AudioCode) -> tuple[tuple[NDArray[np.float64], NDArray[np.float64]], ...]:
    from scipy.signal import gammatone

    return tuple(gammatone(f, "iir", fs=code.sample_rate_hz) for f in code.centres_hz.tolist())
