"""How a forecast runs: features to the next value, and that value fed back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from hrsnn.forecast.transforms import Limits, Transform


class Drive(Protocol):
    """Turns what is shown into features, keeping a memory between calls that is given in and out."""

    def run(self, values: NDArray[np.float64], memory: Any) -> tuple[NDArray[Any], Any]:
        """Features (B, T, F) after each of the values (B, T, D), and the memory to go on with; None starts anew."""


class Outputs(Protocol):
    """A fitted readout, or what stands in for one."""

    def outputs(self, windows: Any) -> NDArray[np.float64]:
        """Outputs (B, D) for features (B, 1, F)."""


@dataclass(frozen=True, slots=True)
class Start:
    """What is known at the starts of forecasts.

    past      (B, n_past, D), the last true values
    features  (B, F) after the last of them
    memory    of the drive that was shown true values up to there
    """

    past: NDArray[np.float64]
    features: NDArray[Any]
    memory: Any


@dataclass(frozen=True, slots=True)
class Forecast:
    """values (B, n_steps, D), and which of them were cut to the limits, bool of the same shape."""

    values: NDArray[np.float64]
    cut: NDArray[np.bool_]

    @classmethod
    def within(cls, values: NDArray[np.float64], limits: Limits, start: NDArray[np.float64]) -> Forecast:
        """`values` (B, n_steps, D) cut to the limits around the last known values `start` (B, D)."""
        low, high = (bound[:, None, :] for bound in limits.around(start))
        return cls(np.clip(values, low, high), ~((values >= low) & (values <= high)))


def segments(values: NDArray[np.float64], starts: NDArray[np.int64], length: int) -> NDArray[np.float64]:
    """(B, length, D) from each start on."""
    return np.asarray(values[starts[:, None] + np.arange(length)])


def start_at(
    drive: Drive,
    starts: NDArray[np.int64],
    values: NDArray[np.float64],
    shown: NDArray[np.float64],
    transform: Transform,
    n_warmup: int,
) -> Start:
    """What is known just before each of `starts` of a series (T, D) after `n_warmup` of its values, `shown` (T, D)."""
    features, memory = drive.run(segments(shown, starts - n_warmup, n_warmup), None)
    n_past = min(transform.n_past, int(starts.min()))
    return Start(segments(values, starts - n_past, n_past), features[:, -1], memory)


def free_run(
    drive: Drive, readout: Outputs, start: Start, transform: Transform, limits: Limits, n_steps: int
) -> Forecast:
    """Forecasts of `n_steps` values, each fed back as the next one."""
    past, features, memory = start.past, start.features, start.memory
    low, high = limits.around(past[:, -1])
    values = np.empty((len(past), n_steps, past.shape[2]))
    cut = np.empty(values.shape, dtype=bool)
    for step in range(n_steps):
        free = transform.following(past, readout.outputs(features[:, None, :]))
        values[:, step] = np.clip(free, low, high)
        cut[:, step] = ~((free >= low) & (free <= high))
        if step + 1 < n_steps:
            past = np.concatenate([past[:, 1:], values[:, step, None]], axis=1)
            now, memory = drive.run(transform.last_shown(past)[:, None, :], memory)
            features = now[:, 0]
    return Forecast(values, cut)
