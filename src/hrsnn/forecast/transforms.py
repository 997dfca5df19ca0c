"""What of a series is shown and forecast, exactly inverted; and the limits within which every forecast is kept."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from hrsnn._checks import require
from hrsnn.forecast.spec import Kind

_LEAST_SPREAD = 0.01  # of that of the training part: a stretch that stands still is not blown up to noise


@dataclass(frozen=True, slots=True)
class Transform:
    """Values x to what is shown, u, and outputs of a readout to the next value; past and present alone are used.

    ============  =================================  ==========================================
    kind          u(t)                               x(t + 1) for output y in units of `scale`
    ============  =================================  ==========================================
    none          x(t)                               x(t) + y, or y where target = "value"
    difference    x(t) - x(t - 1)                    x(t) + y
    returns       log x(t) - log x(t - 1)            x(t) exp(y)
    standardise   (x(t) - m) / s                     x(t) + s y, or m + s y where target = "value"
    ============  =================================  ==========================================

    m and s are mean and standard deviation of the last `window` values up to x(t), fewer at the beginning of the
    series. The first difference and return are 0.

    scale  (D,), the unit of the readout's outputs: 1 for standardise, else the spread of what it gives in training
    floor  (D,), the least s
    """

    kind: Kind
    scale: NDArray[np.float64]
    floor: NDArray[np.float64]
    window: int = 1
    increments: bool = True

    @classmethod
    def fit(cls, kind: Kind, training: NDArray[np.float64], *, target: str, window: int) -> Transform:
        """From the training part (n_train, D).

        Raises `InputError` for returns of values that are not positive, and for changes that are all the same.
        """
        spread = training.std(axis=0)
        changes = _changes(kind, training) if kind in ("difference", "returns") else None
        scale = spread if kind == "none" else np.ones_like(spread)
        if changes is not None:
            scale = changes.std(axis=0)
            rule = f"must not be {kind} for a training part whose {kind}s never change".replace("returnss", "returns")
            require((scale > 1e-9 * np.abs(changes).max(axis=0)).all(), "ForecastSpec", "transform", rule, kind)
        return cls(kind, scale, _LEAST_SPREAD * spread, window, target == "increment")

    @property
    def n_past(self) -> int:
        """So many last values, the present one included, are all that the next step needs."""
        return {"none": 1, "standardise": self.window}.get(self.kind, 2)

    def shown(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """u of a whole series (T, D) from its beginning, (T, D)."""
        if self.kind == "none":
            return values
        if self.kind == "standardise":
            mean, spread = self._rolling(values)
            return np.asarray((values - mean) / spread)
        return np.concatenate([np.zeros_like(values[:1]), _changes(self.kind, values)])

    def last_shown(self, past: NDArray[np.float64]) -> NDArray[np.float64]:
        """u of the last of the `n_past` values `past` (B, n_past, D), (B, D)."""
        if self.kind == "none":
            return past[:, -1]
        if self.kind == "standardise":
            mean, spread = self._window(past)
            return np.asarray((past[:, -1] - mean) / spread)
        return np.asarray(_changes(self.kind, np.moveaxis(past, 1, 0))[-1])

    def targets(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """What a readout should give at each but the last of `values` (T, D) of a series from its beginning."""
        if self.kind in ("difference", "returns"):
            return np.asarray(_changes(self.kind, values) / self.scale)
        if self.kind == "none":
            return np.asarray((values[1:] - values[:-1] if self.increments else values[1:]) / self.scale)
        mean, spread = self._rolling(values[:-1])
        return np.asarray((values[1:] - (values[:-1] if self.increments else mean)) / spread)

    def following(self, past: NDArray[np.float64], outputs: NDArray[np.float64]) -> NDArray[np.float64]:
        """The value after `past` (B, n_past, D) for outputs (B, D) of a readout: the inverse of `targets`."""
        if self.kind == "returns":
            with np.errstate(over="ignore"):  # infinite is beyond every limit
                return np.asarray(past[:, -1] * np.exp(outputs * self.scale))
        if self.kind == "standardise":
            mean, spread = self._window(past)
            return np.asarray((past[:, -1] if self.increments else mean) + spread * outputs)
        change = outputs * self.scale
        return np.asarray(past[:, -1] + change if self.increments or self.kind == "difference" else change)

    def _rolling(self, values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        w = min(self.window, len(values))
        early = [values[: t + 1] for t in range(w - 1)]
        windows = sliding_window_view(values, w, axis=0)  # (T - w + 1, D, w)
        mean = np.concatenate([[part.mean(axis=0) for part in early], windows.mean(axis=2)] if early else
                              [windows.mean(axis=2)])  # fmt: skip
        spread = np.concatenate([[part.std(axis=0) for part in early], windows.std(axis=2)] if early else
                                [windows.std(axis=2)])  # fmt: skip
        return mean, np.maximum(spread, self.floor)

    def _window(self, past: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        last = past[:, -self.window :]
        return last.mean(axis=1), np.maximum(last.std(axis=1), self.floor)


def _changes(kind: Kind, values: NDArray[np.float64]) -> NDArray[np.float64]:
    if kind == "difference":
        return np.asarray(np.diff(values, axis=0))
    least = float(values.min())
    rule = f"must not be returns for values that are not positive, such as {least:g}"
    require(least > 0, "ForecastSpec", "transform", rule, kind, remedy="take difference")
    return np.asarray(np.diff(np.log(values), axis=0))


@dataclass(frozen=True, slots=True)
class Limits:
    """Between which a forecast is kept: the training range and the value at the start, and half the range's width more.

    They hold for every method alike, and move with the start: where a series has left its training range, saying that
    nothing changes is as far from them as it was before.

    low, high  (D,), range of the training part

    >>> low, high = Limits(np.array([0.0]), np.array([2.0])).around(np.array([[1.0], [5.0]]))
    >>> low.tolist(), high.tolist()
    ([[-1.0], [-1.0]], [[3.0], [6.0]])
    """

    low: NDArray[np.float64]
    high: NDArray[np.float64]

    def around(self, start: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Least and largest value of forecasts whose last known value is `start` (B, D); (B, D) each."""
        half = (self.high - self.low) / 2
        return np.minimum(self.low, start) - half, np.maximum(self.high, start) + half
