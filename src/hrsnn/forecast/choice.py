"""Which transform of a series a population code can be forecast from: chosen once, on validation, for all arms.

The judge is as cheap as can be and no arm of its own: the rates of the population code, filtered over a few values, and
a ridge readout. It is fitted before the end of the training part that validates and forecasts freely inside that end.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter
from threadpoolctl import threadpool_limits

from hrsnn._checks import InputError
from hrsnn.encode import PopulationCode
from hrsnn.forecast.running import free_run, segments, start_at
from hrsnn.forecast.spec import KINDS, ForecastSpec, Kind
from hrsnn.forecast.transforms import Limits, Transform
from hrsnn.metrics import rmse_course

N_VALIDATION_STARTS = 10
_PENALTIES = (1e-4, 1e-2, 1.0)
_UNIT_ROOT = -2.86  # t-value of Dickey and Fuller, 5 %, with a constant
_DECAY = 0.5  # of the filter of the rates, per value


@dataclass(frozen=True, slots=True)
class _Rates:
    """A drive: the rates of the code, filtered."""

    code: PopulationCode

    def run(self, values: NDArray[np.float64], memory: Any) -> tuple[NDArray[Any], Any]:
        rates = self.code.rates_hz(values) / self.code.f_max_hz
        before = np.zeros((len(values), 1, rates.shape[2])) if memory is None else memory
        features, after = lfilter([1 - _DECAY], [1.0, -_DECAY], rates, axis=1, zi=before)
        return features, after


@dataclass(frozen=True, slots=True)
class _Ridge:
    mean: NDArray[np.float64]
    weight: NDArray[np.float64]
    offset: NDArray[np.float64]

    def outputs(self, windows: Any) -> NDArray[np.float64]:
        return np.asarray((windows[:, 0] - self.mean) @ self.weight + self.offset)


def validation_starts(spec: ForecastSpec) -> tuple[NDArray[np.int64], int]:
    """Starts inside the end of the training part that validates, and how many values are forecast from each."""
    horizon = min(spec.n_horizon, (spec.n_train - spec.n_fit) // 2)
    last = spec.n_train - horizon
    return np.unique(np.linspace(spec.n_fit, last, N_VALIDATION_STARTS).astype(np.int64)), horizon


def chosen_transform(values: NDArray[np.float64], spec: ForecastSpec) -> Kind:
    """The transform of the training part `values` (n_train, D) whose free forecasts validate best.

    The plain values where these return to a level, the better of differences and returns where any variable wanders
    (`wanders`: what is in range today need not be so tomorrow, which validation cannot see); unless another is better
    by more than one standard error of the paired difference over the starts, then the best. What the training part
    does not allow is left out: returns of values that are not positive, differences that never change.
    """
    with threadpool_limits(1):  # the same choice whatever the number of cores
        errors = {kind: _errors(values, spec, kind) for kind in KINDS}
        homes: list[Kind] = ["difference", "returns"] if wanders(values) else ["none"]
    found = {kind: of_starts for kind, of_starts in errors.items() if of_starts is not None}
    if "none" not in found:
        return "none"  # whose own sentence says why the series cannot be coded

    def mean_of(kind: Kind) -> float:
        return float(found[kind].mean())

    best: Kind = min(found, key=mean_of)
    home: Kind = min((kind for kind in homes if kind in found), key=mean_of, default="none")
    gain = found[home] - found[best]
    return best if gain.mean() > gain.std() / np.sqrt(max(1, gain.size - 1)) else home


def wanders(values: NDArray[np.float64]) -> bool:
    """Whether any variable of `values` (T, D) may have no level to return to, by an augmented Dickey-Fuller test.

    The change is regressed on the value before and on the last four changes; a t-value of the former above -2.86
    (the 5 % bound with a constant) does not rule a random walk out.

    >>> rng = np.random.default_rng(0)
    >>> steps = rng.normal(size=(300, 1))
    >>> wanders(np.cumsum(steps, axis=0)), wanders(steps)
    (True, False)
    """
    n_lags = min(4, len(values) // 10)
    for x in values.T:
        change = np.diff(x)
        y = change[n_lags:]
        lags = [change[n_lags - k : len(change) - k] for k in range(1, n_lags + 1)]
        regressors = np.stack([x[n_lags:-1], np.ones_like(y), *lags], axis=1)
        regressors = regressors / np.maximum(np.abs(regressors).max(axis=0), 1e-300)
        weights, *_ = np.linalg.lstsq(regressors, y, rcond=None)
        rest = y - regressors @ weights
        variance = rest @ rest / max(1, len(y) - regressors.shape[1])
        error = np.sqrt(max(variance, 1e-300) * np.linalg.pinv(regressors.T @ regressors)[0, 0])
        if weights[0] / error > _UNIT_ROOT:
            return True
    return False


def _errors(values: NDArray[np.float64], spec: ForecastSpec, kind: Kind) -> NDArray[np.float64] | None:
    """Per start, the mean error of the best penalty; None where the training part does not allow `kind`."""
    known = values[: spec.n_fit]
    try:
        transform = Transform.fit(kind, known, target=spec.target, window=spec.n_warmup)
        shown = transform.shown(values)
        code = PopulationCode.fit(shown[: spec.n_fit], n_per_variable=spec.n_per_variable, f_max_hz=spec.f_max_hz,
                                  hold_ms=spec.hold_ms, dt_ms=spec.step_ms)  # fmt: skip
    except InputError:
        return None
    drive = _Rates(code)
    features = drive.run(shown[None, : spec.n_fit - 1], None)[0][0][spec.n_washout :]
    target = transform.targets(known)[spec.n_washout :]
    starts, horizon = validation_starts(spec)
    start = start_at(drive, starts, values, shown, transform, spec.n_warmup)
    truth, spread = segments(values, starts, horizon), known.std(axis=0)
    found: list[NDArray[np.float64]] = []
    for penalty in _PENALTIES:
        forecast = free_run(drive, _fitted(features, target, penalty), start, transform,
                            Limits(known.min(axis=0), known.max(axis=0)), horizon)  # fmt: skip
        found.append(rmse_course(forecast.values, truth, spread).mean(axis=1))
    return min(found, key=lambda errors: float(errors.mean()))


def _fitted(features: NDArray[np.float64], target: NDArray[np.float64], penalty: float) -> _Ridge:
    mean, offset = features.mean(axis=0), target.mean(axis=0)
    x = features - mean
    gram = x.T @ x
    gram[np.diag_indices_from(gram)] += penalty * max(float(np.trace(gram)) / len(gram), 1e-12)
    return _Ridge(mean, np.linalg.solve(gram, x.T @ (target - offset)), offset)
