"""A series as windows and what follows them."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import ArrayLike, NDArray

from hrsnn._checks import real_array, require, whole_number


def windows(
    series: ArrayLike, n_lags: int, horizon: int = 1
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:  # fmt: skip
    """X and y of a series: every `n_lags` values in a row, and the value `horizon` steps after the last of them.

    series   (n_values,), or (n_values, n_channels) of several variables
    n_lags   values of a window, the latest last
    horizon  1 is the next value

    Returns X (n_windows, n_lags) and y (n_windows,), of several variables X (n_windows, n_lags, n_channels) and y
    (n_windows, n_channels), in the order of time. Raises `InputError` where the series is too short for one window and
    what follows it.

    >>> X, y = windows([0.0, 1.0, 2.0, 3.0, 4.0], 3)
    >>> X.tolist(), y.tolist()
    ([[0.0, 1.0, 2.0], [1.0, 2.0, 3.0]], [3.0, 4.0])
    """
    values = real_array("windows", "series", series)
    rule = "must have shape (n_values,) or (n_values, n_channels)"
    require(values.ndim in (1, 2), "windows", "series", rule, f"shape {values.shape}")
    n_lags = whole_number("windows", "n_lags", n_lags, at_least=1)
    horizon = whole_number("windows", "horizon", horizon, at_least=1)
    n = len(values) - n_lags - horizon + 1
    most = max(0, len(values) - horizon)
    rule = f"must be at most {most}, for a series of {len(values)} values and a horizon of {horizon}"
    require(n >= 1, "windows", "n_lags", rule, n_lags)
    seen = sliding_window_view(values, n_lags, axis=0)[:n]  # time is its last axis
    return np.ascontiguousarray(np.moveaxis(seen, -1, 1)), values[n_lags + horizon - 1 :].copy()
