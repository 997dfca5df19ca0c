"""Scores of predictions and forecasts, and the intervals beside every mean (method.md 14).

Accuracy, R2 and the like are scikit-learn's; here are the ones it lacks.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from hrsnn._checks import require
from hrsnn.randomness import stream

N_BOOTSTRAP = 10_000


def rmse_course(forecast: ArrayLike, truth: ArrayLike, scale: ArrayLike) -> NDArray[np.float64]:
    """Root mean square over the variables of the error in units of `scale`, per step.

    forecast, truth  (..., n_steps, n_variables); scale (n_variables,), long-term standard deviation of each variable.
    Returns (..., n_steps). method.md 14, RMSE(t).
    """
    error = (np.asarray(forecast, dtype=float) - np.asarray(truth, dtype=float)) / np.asarray(scale, dtype=float)
    return np.asarray(np.sqrt(np.square(error).mean(axis=-1)))


def valid_prediction_steps(course: ArrayLike, threshold: float) -> NDArray[np.int64]:
    """Steps before the error first reaches `threshold`; the whole horizon if it never does.

    course  (..., n_steps), for instance of `rmse_course`. A NaN counts as an error above any threshold.

    >>> int(valid_prediction_steps([0.01, 0.05, 0.3, 0.02], 0.1))
    2
    """
    values = np.asarray(course, dtype=float)
    over = ~(values < threshold)
    return np.asarray(np.where(over.any(axis=-1), over.argmax(axis=-1), values.shape[-1]))


def nrmse(forecast: ArrayLike, truth: ArrayLike, scale: ArrayLike) -> NDArray[np.float64]:
    """Root mean square error over steps and variables in units of `scale`; shapes as in `rmse_course`.

    Returns (...): one number per forecast. method.md 14, NRMSE.
    """
    error = (np.asarray(forecast, dtype=float) - np.asarray(truth, dtype=float)) / np.asarray(scale, dtype=float)
    return np.asarray(np.sqrt(np.square(error).mean(axis=(-2, -1))))


def smape(forecast: ArrayLike, truth: ArrayLike) -> NDArray[np.float64]:
    """Symmetric mean absolute percentage error, 0..2: mean of 2 |f - t| / (|f| + |t|), over steps and variables."""
    f, t = np.asarray(forecast, dtype=float), np.asarray(truth, dtype=float)
    size = np.abs(f) + np.abs(t)
    return np.asarray(np.divide(2 * np.abs(f - t), size, out=np.zeros_like(size), where=size > 0).mean(axis=(-2, -1)))


def interval_of_mean(values: ArrayLike, level: float = 0.95) -> list[float] | None:
    """The t-interval of the mean of one value per seed; None for fewer than two.

    >>> [round(bound, 3) for bound in interval_of_mean([1.0, 2.0, 3.0])]
    [-0.484, 4.484]
    """
    sample = np.asarray(values, dtype=float)
    if sample.size < 2:
        return None
    half = stats.t.ppf(0.5 + level / 2, sample.size - 1) * sample.std(ddof=1) / math.sqrt(sample.size)
    return [float(sample.mean() - half), float(sample.mean() + half)]


def paired_interval(difference: ArrayLike, level: float = 0.95) -> list[float] | None:
    """Bootstrap interval of the mean of paired differences over seeds and test recordings; None for one seed.

    difference  (n_seeds, n_recordings). Seeds and recordings are resampled independently of each other, so that
    both sources of chance are in the interval; the random stream is fixed.
    """
    d = np.asarray(difference, dtype=float)
    require(d.ndim == 2, "paired_interval", "difference", "must have shape (seeds, recordings)", d.shape)
    n_seeds, n_recordings = d.shape
    if n_seeds < 2:
        return None
    # einsum, not BLAS: the same bits for every number of threads
    over_recordings = np.einsum("br,sr->bs", _resampled(n_recordings, "recordings"), d)
    totals = np.einsum("bs,bs->b", _resampled(n_seeds, "seeds"), over_recordings)
    low, high = np.quantile(totals / d.size, [0.5 - level / 2, 0.5 + level / 2])
    return [float(low), float(high)]


@lru_cache(maxsize=8)
def _resampled(n: int, what: str) -> NDArray[np.uint16]:
    """How often each of `n` is drawn in each bootstrap sample of size `n`, shape (N_BOOTSTRAP, n)."""
    rng = stream(0, f"paired_interval.{what}")
    return np.stack([np.bincount(rng.integers(n, size=n), minlength=n) for _ in range(N_BOOTSTRAP)]).astype(np.uint16)
