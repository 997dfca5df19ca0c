"""The classifier: a recording, or a row of a table, in; its class out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import softmax
from sklearn.base import ClassifierMixin
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from hrsnn._checks import check_all, real_number, require
from hrsnn.classification import simulated
from hrsnn.data.dataset import Dataset
from hrsnn.data.parts import share_of_each
from hrsnn.distributions import Distribution
from hrsnn.encode.values import ValueCode
from hrsnn.estimators.base import SpikingEstimator, Values
from hrsnn.learners import Learner
from hrsnn.network import Network
from hrsnn.randomness import stream
from hrsnn.readout import Grid, ReadoutSpec, fit_classifier, units_read
from hrsnn.spikes import Spikes, n_steps_of
from hrsnn.tasks import class_scores

HELD_OUT = 0.2  # of the training samples, that choose the penalty of the readout

# A neuron of a network for tables hears channels of any column: which columns stand side by side means nothing.
_OF_TABLES: dict[str, Any] = {"tonotopic": False, "span": 1.0}
_SYNAPSES_HEARD = 12.0

_TARGET_HZ = 40.0  # of excitatory neurons: eight spikes in the 200 ms of the default, to count

_COUNTS: dict[str, Any] = {"features": "counts", "n_bins": [1], "transform": ["sqrt", "none"], "scale_floor": 1.0}
_READOUTS = {
    "logistic": ReadoutSpec(model="logistic", regularisation=[1e-4, 1e-3, 1e-2, 1e-1], **_COUNTS),
    "ridge": ReadoutSpec(model="ridge", regularisation=[1e-3, 1e-2, 0.1, 0.5, 1.5, 5.0], **_COUNTS),
    "mlp": ReadoutSpec(model="mlp", regularisation=[1e-4, 1e-2], **_COUNTS),
}


def _tells_probabilities(estimator: HRSNNClassifier) -> bool:
    given = estimator.readout
    return (given.model if isinstance(given, ReadoutSpec) else given) in ("logistic", "mlp")


class HRSNNClassifier(ClassifierMixin, SpikingEstimator):
    """Classes of recordings, or of rows of a table, by a heterogeneous recurrent spiking network and its readout.

    `X` is (n_samples, n_steps, n_channels), a recording each, or (n_samples, n_features), rows whose values are held
    for `duration_ms`; `y` (n_samples,) are classes of any kind. Values become spikes by a `ValueCode` fitted to the
    training samples, so features need no scaling; the network is drawn as `hrsnn.recommended` has it, calibrated, and
    taught by the rule. A fifth of the training samples chooses the penalty of the readout, which then is fitted to
    all.

    n_neurons     of the network
    arm           which laws keep their spread, "HeNHeS", "HoNHoS", ...; None: all
    rule          a rule of `hrsnn.learners.KINDS` by name, a `Learner` with its settings, or None: untrained
    tau_mem_ms    law of the membrane time constants of all neurons, or a number; None: as recommended
    spec          further fields of `NetworkSpec`, such as {"synapses": {"weight_scale": 0.5}}
    readout       "logistic", "ridge" or "mlp" of the spike counts, or a `hrsnn.readout.ReadoutSpec`
    duration_ms   how long a sample lasts, about
    dt_ms         step of time
    random_state  a whole number is the seed of all that is drawn

    After `fit`: `network_` (`hrsnn.Network`), `readout_`, `code_`, `classes_`, and `n_features_in_`, of recordings the
    number of their steps. `predict_proba` is there for readouts that tell probabilities, logistic and mlp. Raises
    `InputError`, a ValueError, for settings that cannot be; for `X` and `y` the errors of scikit-learn.

    >>> X = [[0.0, 1.0], [0.1, 0.9], [1.0, 0.1], [0.9, 0.0]] * 3
    >>> estimator = HRSNNClassifier(n_neurons=20, rule=None, random_state=0).fit(X, ["up", "up", "down", "down"] * 3)
    >>> estimator.predict([[0.0, 1.0]]).tolist(), estimator.network_.n_neurons
    (['up'], 20)
    """

    _axis_of_tables = 1

    code_: ValueCode
    classes_: NDArray[Any]

    def __init__(
        self,
        *,
        n_neurons: int = 200,
        arm: str | None = None,
        rule: str | Learner | None = "stdp",
        tau_mem_ms: Distribution | float | None = None,
        spec: Mapping[str, Any] | None = None,
        readout: str | ReadoutSpec = "logistic",
        duration_ms: float = 200.0,
        dt_ms: float = 1.0,
        random_state: Any = None,
    ) -> None:
        self.n_neurons = n_neurons
        self.arm = arm
        self.rule = rule
        self.tau_mem_ms = tau_mem_ms
        self.spec = spec
        self.readout = readout
        self.duration_ms = duration_ms
        self.dt_ms = dt_ms
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """The network drawn, calibrated and taught on `X`, and its readout fitted to `y`."""
        values, given = self._checked(X, y, reset=True)
        check_classification_targets(given)
        self.classes_, labels = np.unique(given, return_inverse=True)
        require(self.classes_.size >= 2, self._name, "y", "must hold two classes at least", "one class")
        duration_ms = real_number(self._name, "duration_ms", self.duration_ms, above=0)
        dt_ms = real_number(self._name, "dt_ms", self.dt_ms, above=0)
        seed = self._seed()
        n_steps = n_steps_of(duration_ms, dt_ms)
        self.code_ = ValueCode.fit(list(values), dt_ms=dt_ms, n_target_steps=n_steps)
        spikes = self._encoded(values)
        data = Dataset(spikes, labels, tuple(map(str, self.classes_.tolist())))
        own: dict[str, Any] = {"input": {"target_hz": _TARGET_HZ}}
        if len(self._shape) == 1:
            own["input"] |= {**_OF_TABLES, "p_connect": min(1.0, _SYNAPSES_HEARD / spikes.n_units)}
        network = self._drawn("labelled", data, own, seed, lambda: _held_out(labels, seed))
        self._read(network, spikes, values, labels, seed)
        return self

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """The class of every sample of `X`, (n_samples,)."""
        scores = self._scores(X)
        return np.asarray(self.classes_[scores.argmax(axis=1)])

    def decision_function(self, X: ArrayLike) -> NDArray[np.float64]:
        """Scores of the readout, (n_samples, n_classes); of two classes how much higher that of the second is."""
        scores = self._scores(X)
        return scores[:, 1] - scores[:, 0] if self.classes_.size == 2 else scores

    @available_if(_tells_probabilities)  # type: ignore[untyped-decorator]
    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """Probabilities of the classes, (n_samples, n_classes)."""
        return np.asarray(softmax(self._scores(X), axis=1))

    def _encoded(self, values: Values) -> Spikes:
        return self.code_.encode(list(values))

    def _scores(self, X: ArrayLike) -> NDArray[np.float64]:
        check_is_fitted(self)
        return class_scores(self.network_, self.readout_, self.encode(X))

    def _targets(self, y: NDArray[Any]) -> NDArray[Any]:
        labels = np.searchsorted(self.classes_, y).clip(max=self.classes_.size - 1)
        check_all(self._name, "y", "must hold classes of fit", np.asarray(y), self.classes_[labels] == y)
        return np.asarray(labels)

    def _read(self, network: Network, spikes: Spikes, values: Values, targets: NDArray[Any], seed: int) -> None:
        spec = self._readout_spec(self.readout, _READOUTS)
        (windows,), _ = simulated(network, spikes, [spec])
        fits, chooses = _held_out(targets, seed)
        chooses = chooses if chooses.size else fits  # one sample of each class: nothing can be held out
        choice = fit_classifier(
            windows[fits], targets[fits], windows[chooses], targets[chooses], spec, n_classes=self.classes_.size,
            units=units_read(network, spec), seed=seed,
        )  # fmt: skip
        self.network_ = network
        self.readout_ = replace(choice.readout, grid=Grid(*spikes.grid))


def _held_out(labels: NDArray[Any], seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows that the readout is fitted to, and rows that choose its penalty."""
    chooses = share_of_each(labels, HELD_OUT, stream(seed, "estimator.held-out"))
    return np.setdiff1d(np.arange(labels.size), chooses), chooses
