"""The forecaster: a window of a series in, what follows it out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import RegressorMixin
from sklearn.utils.validation import check_is_fitted

from hrsnn._checks import among, real_number, require
from hrsnn.classification import simulated, windows_read
from hrsnn.distributions import Distribution, Uniform
from hrsnn.encode.rates import PopulationCode
from hrsnn.estimators.base import SpikingEstimator, Values
from hrsnn.learners import Learner
from hrsnn.network import Network
from hrsnn.readout import Grid, ReadoutSpec, fit_regression, units_read
from hrsnn.spikes import Spikes

HELD_OUT = 0.2  # of the training windows, the last ones: they choose the penalty of the readout, and the target

_N_PER_VARIABLE = 20
_MOST_HZ = 500.0  # of a unit of the code; one spike per step where that is less
_BATCH = 100  # windows encoded at a time
_FILTERED_HOLDS = 3.0  # time constant of the readout's filter, in units of what a value is held for
_FILTERED: dict[str, Any] = {"features": "filtered", "regularisation": [1e-4, 1e-2, 1.0]}
_TARGETS = ("auto", "increment", "value")


class HRSNNForecaster(RegressorMixin, SpikingEstimator):
    """What follows a window of a series, by a heterogeneous recurrent spiking network and its readout.

    `X` is (n_windows, n_lags), or (n_windows, n_lags, n_channels) of several variables, the latest value last; `y`,
    (n_windows,) or (n_windows, n_targets), is what follows. `hrsnn.estimators.windows` makes both of a series. Every
    window is a sample of its own: the network starts at rest, is shown the values one after the other, each for
    `hold_ms` by a `PopulationCode` of their range in training, and the readout tells what follows. Delays on the input
    are spread over the window. What lies outside of the range is shown at its end.

    target      what the readout gives: "value", or "increment" over the last value, for a single channel or as many as
                there are targets; "auto" takes what is better on the last fifth of the training windows, which also
                chooses the penalty of the readout
    readout     "ridge" or "mlp" of the filtered spike trains at the end of a window, or a `hrsnn.readout.ReadoutSpec`
    hold_ms     how long each value is shown, whole steps of `dt_ms`

    The other settings, and what `fit` leaves, are those of `HRSNNClassifier`; `target_` says which target was taken.
    The rule learns from every n-th window, n being `n_lags`, and must be one that needs no classes. `score` is R^2.

    >>> from hrsnn.estimators import windows
    >>> X, y = windows(np.sin(np.arange(120) / 4), n_lags=8)
    >>> HRSNNForecaster(n_neurons=40, rule=None, random_state=0).fit(X[:80], y[:80]).score(X[88:], y[88:]) > 0.9
    True
    """

    _axis_of_tables = 2
    _of_targets = {"multi_output": True, "y_numeric": True}

    code_: PopulationCode
    target_: str
    _shape_of_target: tuple[int, ...]

    def __init__(
        self,
        *,
        n_neurons: int = 200,
        arm: str | None = None,
        rule: str | Learner | None = "stdp",
        tau_mem_ms: Distribution | float | None = None,
        spec: Mapping[str, Any] | None = None,
        readout: str | ReadoutSpec = "ridge",
        target: Literal["auto", "increment", "value"] = "auto",
        hold_ms: float = 10.0,
        dt_ms: float = 1.0,
        random_state: Any = None,
    ) -> None:
        self.n_neurons = n_neurons
        self.arm = arm
        self.rule = rule
        self.tau_mem_ms = tau_mem_ms
        self.spec = spec
        self.readout = readout
        self.target = target
        self.hold_ms = hold_ms
        self.dt_ms = dt_ms
        self.random_state = random_state

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """The network drawn, calibrated and taught on `X`, and its readout fitted to `y`."""
        values, following = self._checked(X, y, reset=True)
        learner = self._learner()
        ok, rule = learner is None or not learner.needs_labels, "must be one that needs no classes"
        require(ok, self._name, "rule", rule, self.rule, remedy='take "stdp", or None')
        rule = f"must be one of {', '.join(_TARGETS)}"
        require(among(self.target, _TARGETS), self._name, "target", rule, self.target)
        self.code_ = _code_of(values, self.hold_ms, real_number(self._name, "dt_ms", self.dt_ms, above=0))
        self._shape_of_target = following.shape[1:]
        seed, spikes = self._seed(), self._encoded(values)
        n_lags = values.shape[1]
        # Of windows that follow each other every n-th: together they hold each value once.
        network = self._drawn("series", spikes.select(slice(None, None, n_lags)), _own(self.code_, n_lags), seed)
        self._read(network, spikes, values, self._targets(following), seed)
        return self

    def predict(self, X: ArrayLike) -> NDArray[np.float64]:
        """What follows each window of `X`, in the shape of `y` of `fit`, float64."""
        check_is_fitted(self)
        values = self._checked(X, reset=False)
        found = self.readout_.outputs(windows_read(self.network_, self._encoded(values), self.readout_))
        if self.target_ == "increment":
            found = found + _last(values)
        return found.reshape(len(values), *self._shape_of_target)

    def _encoded(self, values: Values) -> Spikes:
        low, high = np.array(self.code_.lows), np.array(self.code_.highs)
        inside = np.clip(values, low, high)  # what lies far beyond has no spikes
        parts = (inside[k : k + _BATCH] for k in range(0, len(inside), _BATCH))
        return Spikes.join([self.code_.encode(part)[0] for part in parts])

    def _targets(self, y: NDArray[Any]) -> NDArray[np.float64]:
        shape = ", ".join(["n_samples", *map(str, self._shape_of_target)])
        rule = f"must have shape ({shape}{'' if self._shape_of_target else ','}) as in fit"
        require(y.shape[1:] == self._shape_of_target, self._name, "y", rule, f"shape {y.shape}")
        return np.asarray(y.reshape(len(y), -1), dtype=np.float64)

    def _read(self, network: Network, spikes: Spikes, values: Values, targets: NDArray[Any], seed: int) -> None:
        spec = self._readout_spec(self.readout, _readouts(self.code_))
        (windows,), _ = simulated(network, spikes, [spec])
        spread = targets.std(axis=0)
        scale = np.where(spread > 0, spread, 1.0)  # the errors of all targets count alike
        fits, chooses = np.split(np.arange(len(targets)), [max(1, round((1 - HELD_OUT) * len(targets)))])
        chooses = chooses if chooses.size else fits
        choices = {
            target: fit_regression(
                windows[fits], wanted[fits], windows[chooses], wanted[chooses], spec, units=units_read(network, spec),
                seed=seed,
            )
            for target, wanted in self._wanted(values, targets, scale).items()
        }  # fmt: skip
        self.target_ = max(choices, key=lambda target: float(choices[target].chosen["validation_score"]))
        fitted, code = choices[self.target_].readout, self.code_
        *hidden, (weight, offset) = fitted.layers
        grid = Grid(code.n_units, code.n_hold_steps, code.dt_ms, code={**asdict(code), "transform": "none"})
        self.network_ = network
        self.readout_ = replace(fitted, layers=(*hidden, (weight * scale, offset * scale)), grid=grid)

    def _wanted(self, values: Values, targets: NDArray[Any], scale: NDArray[Any]) -> dict[str, NDArray[np.float64]]:
        """What a readout may be fitted to, by the name of the target, in units of `scale`."""
        n_channels, n_targets = values.shape[2], targets.shape[1]
        follows = n_channels in (1, n_targets)  # so that there is a last value to add an increment to
        rule = f"must be value for {n_targets} targets of {n_channels} channels"
        require(follows or self.target != "increment", self._name, "target", rule, self.target)
        wanted = {"value": targets / scale}
        if follows:
            wanted["increment"] = (targets - _last(values)) / scale
        return wanted if self.target == "auto" else {self.target: wanted[self.target]}


def _code_of(values: Values, hold_ms: float, dt_ms: float) -> PopulationCode:
    """That of the range of each channel; one that never changes gets a width about its value."""
    low, high = values.min(axis=(0, 1)), values.max(axis=(0, 1))
    half = np.where(high > low, 0.0, np.maximum(1.0, np.abs(low)))
    lows, highs = (tuple(end.tolist()) for end in (low - half, high + half))
    return PopulationCode(lows, highs, _N_PER_VARIABLE, min(_MOST_HZ, 1000.0 / dt_ms), hold_ms, dt_ms)


def _own(code: PopulationCode, n_lags: int) -> dict[str, Any]:
    """Delays on the input, spread over a window: at its end every value of it has just arrived somewhere."""
    return {"input": {"delay_ms": Uniform(0.0, n_lags * code.hold_ms)}}


def _readouts(code: PopulationCode) -> dict[str, ReadoutSpec]:
    tau_filter_ms = _FILTERED_HOLDS * code.hold_ms
    return {name: ReadoutSpec(**_FILTERED, model=name, tau_filter_ms=tau_filter_ms) for name in ("ridge", "mlp")}


def _last(values: Values) -> NDArray[np.float64]:
    return values[:, -1, :]
