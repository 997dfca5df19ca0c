"""The season of a series, and the forecast that it comes again."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.signal import detrend

_LEAST = 0.3  # autocorrelation that counts as a season
_RISE = 0.1  # above what lies before it: a ripple on a slow decay is none
_NEAR = 0.9  # of the highest peak: the first that is as high is the season, not a multiple of it


def period_of(values: NDArray[np.float64]) -> int:
    """Values of one season of `values` (T, D), or 0 where there is none.

    The first peak of the autocorrelation, mean over the variables less their linear trends, that is nearly as high as
    the highest and at least 0.3; lags to a third of the series.

    >>> period_of(np.sin(np.arange(100.0) * 2 * np.pi / 12)[:, None])
    12
    """
    n = len(values)
    rest = detrend(np.asarray(values, dtype=float), axis=0)
    power = np.einsum("td,td->d", rest, rest)
    scale = np.abs(values).max(axis=0)
    rest = rest[:, power > 1e-18 * n * scale**2]
    most = n // 3
    if rest.shape[1] == 0 or most < 3:
        return 0
    spectrum = np.abs(np.fft.rfft(rest, 2 * n, axis=0)) ** 2
    raw = np.fft.irfft(spectrum, axis=0)[: most + 2]
    overlap = (n / (n - np.arange(len(raw))))[:, None]
    course = (raw / raw[0] * overlap).mean(axis=1)
    inner = course[1:-1]
    rise = inner - np.minimum.accumulate(course)[:-2]
    peaks = 1 + np.flatnonzero((inner >= course[2:]) & (inner > course[:-2]) & (inner >= _LEAST) & (rise >= _RISE))
    if peaks.size == 0:
        return 0
    return int(peaks[course[peaks] >= _NEAR * course[peaks].max()][0])


def last_season(
    values: NDArray[np.float64], starts: NDArray[np.int64], period: int, n_steps: int
) -> NDArray[np.float64]:
    """Forecasts (B, n_steps, D): the `period` values before each start, again and again."""
    step = np.arange(n_steps) % period
    return np.asarray(values[(starts - period)[:, None] + step])
