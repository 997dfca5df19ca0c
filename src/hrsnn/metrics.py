"""Scores of predictions and forecasts, and the intervals beside every mean (method.md 14).

Accuracy, R2 and the like are scikit-learn's; here are the ones it lacks.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from hrsnn._checks import require
from hrsnn.randomness import stream

N_BOOTSTRAP = 10_000
NEGLIGIBLE = 1e-3  # of an error, which no comparison turns on


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
    half = _half_width(sample, level)
    return [float(sample.mean() - half), float(sample.mean() + half)]


def interval_of_positive(values: ArrayLike, level: float = 0.95) -> list[float] | None:
    """The interval of the mean of values that cannot be negative, one per seed, on the scale of its logarithm.

    The t-interval of log(mean), whose standard error is that of the mean over the mean, exponentiated: it never
    reaches 0, always holds the mean, and is the plain t-interval where the values hardly differ. None for fewer than
    two values; [0, 0] where all are 0.

    >>> [round(bound, 3) for bound in interval_of_positive([1.0, 2.0, 3.0])]
    [0.578, 6.926]
    """
    sample = np.asarray(values, dtype=float)
    require(bool((sample >= 0).all()), "interval_of_positive", "values", "must be >= 0", float(sample.min(initial=0)))
    if sample.size < 2:
        return None
    mean = float(sample.mean())
    if mean == 0:
        return [0.0, 0.0]
    with np.errstate(over="ignore"):
        factor = float(np.exp(_half_width(sample, level) / mean))
    return [mean / factor, mean * factor if math.isfinite(factor) else float(np.finfo(float).max)]


def spread(
    values: Iterable[float | None], interval: Callable[[NDArray[np.float64]], list[float] | None] = interval_of_mean
) -> dict[str, Any]:
    """Mean, standard deviation (n - 1) and `interval` of one value per seed; None is left out, and is what is unknown.

    >>> spread([1.0, None, 3.0])["sd"], spread([1.0])
    (1.4142135623730951, {'mean': 1.0, 'sd': None, 'ci95': None})
    """
    known = np.array([value for value in values if value is not None], dtype=float)
    if known.size == 0:
        return {"mean": None, "sd": None, "ci95": None}
    sd = float(known.std(ddof=1)) if known.size > 1 else None
    return {"mean": float(known.mean()), "sd": sd, "ci95": interval(known)}


def _half_width(sample: NDArray[np.float64], level: float) -> float:
    return float(stats.t.ppf(0.5 + level / 2, sample.size - 1) * sample.std(ddof=1) / math.sqrt(sample.size))


def interval_of_share(right: ArrayLike, level: float = 0.95) -> list[float] | None:
    """The interval of the share of `right`, bool (n_seeds, n_recordings), over seeds and recordings; None for one seed.

    Seeds and recordings are resampled as in `paired_interval`: the bounds lie in [0, 1]. Where every answer is right,
    or none is, there is nothing to resample, and the bound on the other side is that of Clopper and Pearson for so many
    recordings (seeds answer the same ones, so they add none): 0.025^(1/n), about 1 - 3.7/n.

    >>> [round(bound, 3) for bound in interval_of_share(np.ones((5, 100)))]
    [0.964, 1.0]
    """
    found = paired_interval(right, level)
    answers = np.asarray(right, dtype=float)
    if found is None or not (answers == answers.flat[0]).all():
        return found
    far = ((1 - level) / 2) ** (1 / answers.shape[1])
    return [far, 1.0] if answers.flat[0] else [0.0, 1 - far]


def paired_interval(difference: ArrayLike, level: float = 0.95) -> list[float] | None:
    """Bootstrap interval of the mean of paired differences over seeds and test recordings; None for one seed.

    difference  (n_seeds, n_recordings). Seeds and recordings are resampled independently of each other, so that
    both sources of chance are in the interval; the random stream is fixed. Serves for means of scores themselves too:
    the bounds never leave their range.
    """
    d = np.asarray(difference, dtype=float)
    require(d.ndim == 2, "paired_interval", "difference", "must have shape (seeds, recordings)", d.shape)
    n_seeds, n_recordings = d.shape
    if n_seeds < 2:
        return None
    if (d == d.flat[0]).all():  # exactly that, without the rounding of a sum
        return [float(d.flat[0])] * 2
    # einsum, not BLAS: the same bits for every number of threads
    over_recordings = np.einsum("br,sr->bs", _resampled(n_recordings, "recordings"), d)
    totals = np.einsum("bs,bs->b", _resampled(n_seeds, "seeds"), over_recordings)
    low, high = np.quantile(totals / d.size, [0.5 - level / 2, 0.5 + level / 2])
    return [float(low), float(high)]


def interval_of_errors(a: ArrayLike, b: ArrayLike, doubtful: ArrayLike = False) -> list[float] | None:
    """`paired_interval` of the errors a - b, widened to hold what it is where some differences count as none.

    a, b      (n_seeds, n_starts), errors of forecasts
    doubtful  bool of their shape, where the difference may be owed to something else than the forecasts

    A difference of less than a thousandth of the larger error counts as none too: two arms that are all but equal in
    four seeds of five are not told apart by a millionth, nor by the fifth.
    """
    x, y = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    plain = paired_interval(x - y)
    none = np.broadcast_to(doubtful, x.shape) | (np.abs(x - y) < NEGLIGIBLE * np.maximum(x, y))
    if plain is None or not none.any():
        return plain
    low, high = paired_interval(np.where(none, 0.0, x - y)) or plain
    return [min(plain[0], low), max(plain[1], high)]


@lru_cache(maxsize=8)
def _resampled(n: int, what: str) -> NDArray[np.uint16]:
    """How often each of `n` is drawn in each bootstrap sample of size `n`, shape (N_BOOTSTRAP, n)."""
    rng = stream(0, f"paired_interval.{what}")
    return np.stack([np.bincount(rng.integers(n, size=n), minlength=n) for _ in range(N_BOOTSTRAP)]).astype(np.uint16)
