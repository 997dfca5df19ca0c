"""The estimators of scikit-learn: its own checks, what goes in and out, and that bad input is told."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.exceptions import NotFittedError
from sklearn.metrics import r2_score
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit, cross_val_score, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import hrsnn
from hrsnn import HRSNNClassifier, HRSNNForecaster
from hrsnn._checks import InputError
from hrsnn.data.chaos import mackey_glass
from hrsnn.distributions import Constant, Gamma
from hrsnn.estimators import windows
from hrsnn.learners import KINDS, Stdp
from hrsnn.learners.backprop import Backprop
from hrsnn.readout import ReadoutSpec

SMALL = {"n_neurons": 40, "random_state": 0}
Array = NDArray[Any]


@parametrize_with_checks(
    [HRSNNClassifier(n_neurons=40, duration_ms=100.0), HRSNNForecaster(n_neurons=120, hold_ms=5.0)]
)
def test_checks_of_scikit_learn(estimator: Any, check: Callable[[Any], None]) -> None:
    check(estimator)


def recordings(n: int = 60, n_steps: int = 40) -> tuple[Array, Array]:
    """Two channels of waves, two classes by their frequency, with random phases."""
    rng = np.random.default_rng(0)
    labels = np.arange(n) % 2
    time = np.arange(n_steps)
    phase = rng.uniform(0, 2 * np.pi, (n, 1))
    wave = np.sin(np.where(labels, 0.9, 0.4)[:, None] * time + phase)
    return np.stack([wave, np.roll(wave, 3, axis=1)], axis=2), np.where(labels, "fast", "slow")


def series(n: int = 300) -> Array:
    return mackey_glass(n_steps=n, dt=1.0, substeps=10, n_discard=200).values[:, 0]


@pytest.fixture(scope="module")
def iris() -> tuple[Array, Array, Array, Array]:
    X, y = load_iris(return_X_y=True)
    return tuple(train_test_split(X, y, stratify=y, random_state=0))  # type: ignore[return-value]


@pytest.fixture(scope="module")
def classifier(iris: tuple[Array, ...]) -> HRSNNClassifier:
    return HRSNNClassifier(**SMALL).fit(iris[0], iris[2])


@pytest.fixture(scope="module")
def forecaster() -> HRSNNForecaster:
    return HRSNNForecaster(**SMALL).fit(*windows(series(), 10))


# -- windows -----------------------------------------------------------------------------------------------------------


def test_windows_of_a_series() -> None:
    X, y = windows([0, 1, 2, 3, 4, 5], 2, horizon=3)
    assert X.tolist() == [[0, 1], [1, 2]]
    assert y.tolist() == [4, 5]
    both = np.arange(12.0).reshape(6, 2)
    X, y = windows(both, 4)
    assert X.shape == (2, 4, 2)
    assert X[1].tolist() == both[1:5].tolist()
    assert y.tolist() == both[4:].tolist()


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (
            ([1.0, 2.0], 2),
            "`n_lags` of `windows` must be at most 1, for a series of 2 values and a horizon of 1, got 2",
        ),
        (([1.0, 2.0], 1, 2), "`n_lags` of `windows` must be at most 0, for a series of 2 values"),
        (([1.0, 2.0], 0), "`n_lags` of `windows` must be a whole number >= 1, got 0"),
        (([1.0, 2.0], 1, 0), "`horizon` of `windows` must be a whole number >= 1, got 0"),
        ((np.zeros((2, 2, 2)), 1), r"`series` of `windows` must have shape \(n_values,\) or"),
        ((["a"], 1), "`series` of `windows` must be real numbers"),
    ],
)
def test_windows_that_cannot_be(given: Any, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        windows(*given)


# -- what it is worth --------------------------------------------------------------------------------------------------


def test_a_table_is_classified(classifier: HRSNNClassifier, iris: tuple[Array, ...]) -> None:
    assert classifier.score(iris[1], iris[3]) > 0.85  # 38 flowers of three kinds; a line through them has 0.97
    assert (
        classifier.predict(iris[1]).tolist()
        == classifier.classes_[classifier.predict_proba(iris[1]).argmax(1)].tolist()
    )


def test_recordings_are_classified_by_what_happens_in_time() -> None:
    X, y = recordings()
    fitted = HRSNNClassifier(**SMALL).fit(X[:40], y[:40])
    assert fitted.score(X[40:], y[40:]) > 0.9
    assert fitted.predict(X[:2]).dtype.kind == "U"


def test_a_forecast_is_better_than_the_last_value(forecaster: HRSNNForecaster) -> None:
    X, y = windows(series(400)[300:], 10)
    assert forecaster.score(X, y) > r2_score(y, X[:, -1])


def test_several_variables_and_targets() -> None:
    values = np.stack([series(200), np.roll(series(200), 5)], axis=1)
    X, y = windows(values, 8)
    fitted = HRSNNForecaster(**SMALL).fit(X, y)
    assert fitted.predict(X[:3]).shape == (3, 2)
    assert fitted.score(X, y) > 0.5
    one = HRSNNForecaster(**SMALL).fit(X, y[:, 0] - y[:, 1])  # neither channel is its last value
    assert one.target_ == "value"
    assert one.predict(X[:3]).shape == (3,)


# -- as scikit-learn has it --------------------------------------------------------------------------------------------


def test_a_pipeline_is_searched(iris: tuple[Array, ...]) -> None:
    X, _, y, _ = iris
    pipeline = make_pipeline(StandardScaler(), HRSNNClassifier(n_neurons=20, duration_ms=50.0, random_state=0))
    grid = {"hrsnnclassifier__n_neurons": [20, 30], "hrsnnclassifier__tau_mem_ms": [Constant(20.0), Gamma(20.0, 2.0)]}
    found = GridSearchCV(pipeline, grid, cv=2).fit(X, y)
    assert len(found.cv_results_["params"]) == 4
    assert found.best_estimator_[-1].network_.n_neurons in (20, 30)
    assert cross_val_score(pipeline, X, y, cv=2).shape == (2,)
    scores = cross_val_score(
        HRSNNForecaster(n_neurons=20, random_state=0), *windows(series(), 5), cv=TimeSeriesSplit(2)
    )
    assert scores.shape == (2,)


@pytest.mark.parametrize("name", ["classifier", "forecaster"])
def test_clones_and_pickles(name: str, request: pytest.FixtureRequest, iris: tuple[Array, ...]) -> None:
    fitted = request.getfixturevalue(name)
    X = iris[1] if name == "classifier" else windows(series(), 10)[0]
    again = pickle.loads(pickle.dumps(fitted))
    assert again.network_ == fitted.network_
    assert again.readout_ == fitted.readout_
    assert np.array_equal(again.predict(X), fitted.predict(X))
    fresh = clone(fitted)
    assert fresh.get_params() == fitted.get_params()
    with pytest.raises(NotFittedError):
        fresh.predict(X)
    with pytest.raises(NotFittedError):
        fresh.encode(X)


def test_a_whole_number_is_the_seed_of_all_that_is_drawn(iris: tuple[Array, ...], classifier: HRSNNClassifier) -> None:
    again = clone(classifier).fit(iris[0], iris[2])
    assert again.network_ == classifier.network_
    assert again.readout_ == classifier.readout_
    assert again.network_.provenance["seed"] == 0
    made = [HRSNNClassifier(n_neurons=20, rule=None, random_state=np.random.RandomState(3)) for _ in range(2)]
    assert made[0].fit(iris[0], iris[2]).network_ == made[1].fit(iris[0], iris[2]).network_


def test_a_row_has_the_same_bits_in_any_batch(classifier: HRSNNClassifier, iris: tuple[Array, ...]) -> None:
    together = classifier.decision_function(iris[1])
    alone = np.concatenate([classifier.decision_function(row[None]) for row in iris[1][:5]])
    assert np.array_equal(together[:5], alone)


@pytest.mark.parametrize("rule", [None, *KINDS])
def test_every_rule_teaches(rule: str | None, iris: tuple[Array, ...]) -> None:
    fitted = HRSNNClassifier(n_neurons=20, duration_ms=50.0, rule=rule, random_state=0).fit(iris[0], iris[2])
    assert fitted.score(iris[1], iris[3]) > 0.6  # a third by chance
    drawn = HRSNNClassifier(n_neurons=20, duration_ms=50.0, rule=None, random_state=0).fit(iris[0], iris[2])
    assert (fitted.network_ == drawn.network_) == (rule is None)
    other = HRSNNForecaster(n_neurons=20, rule=rule, random_state=0)
    X, y = windows(series(100), 5)
    if rule is not None and KINDS[rule].needs_labels:
        with pytest.raises(InputError, match="`rule` of `HRSNNForecaster` must be one that needs no classes"):
            other.fit(X, y)
    else:
        assert other.fit(X, y).predict(X).shape == y.shape


def test_a_rule_that_reads_labels_does_not_learn_from_what_chooses() -> None:
    """Labels at random: what was learned by heart tells nothing of samples that choose the penalty."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(50, 5)), np.arange(50) % 2
    seen: dict[str, Any] = {}

    class Watched(Backprop):
        def learn(self, network: Any, data: Any, **options: Any) -> Any:
            seen.update(data=data, validation=options["validation"])
            return super().learn(network, data, **options)

    HRSNNClassifier(n_neurons=20, rule=Watched(n_epochs=1), random_state=0).fit(X, y)
    assert (seen["data"].n_samples, seen["validation"].n_samples) == (40, 10)


def test_a_rule_reads_what_the_readout_reads() -> None:
    readout = ReadoutSpec(last_ms=50.0, model="ridge")
    assert HRSNNClassifier(rule="backprop", readout=readout)._learner().last_ms == 50.0  # type: ignore[union-attr]
    assert HRSNNClassifier(rule="backprop")._learner().last_ms == 0.0  # type: ignore[union-attr]
    copies = ReadoutSpec(augment={"n_copies": 2, "shift_channels": 1})  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"`readout.augment.n_copies` of `HRSNNClassifier` must be 0 in an estimator"):
        HRSNNClassifier(n_neurons=20, rule=None, readout=copies).fit([[0.0], [1.0], [0.1], [0.9]], [0, 1, 0, 1])


def test_settings_reach_the_network(iris: tuple[Array, ...]) -> None:
    X, _, y, _ = iris
    made = HRSNNClassifier(
        n_neurons=30, arm="HoNHoS", rule=Stdp(n_epochs=2), spec={"synapses": {"weight_scale": 0.0}}, dt_ms=2.0,
        readout=ReadoutSpec(model="ridge", n_bins=[2]), random_state=1,
    ).fit(X, y)  # fmt: skip
    net = made.network_
    assert (net.n_neurons, net.dt_ms, made.readout_.n_bins) == (30, 2.0, 2)
    assert all(np.unique(net.neurons.tau_mem_ms[net.neurons.sign == sign]).size == 1 for sign in (-1, 1))
    assert not net.recurrent.weight.any()
    assert net.provenance["history"][-1] == f"learned by STDP on {2 * len(X)} recordings"
    assert not hasattr(made, "predict_proba")
    constant = HRSNNClassifier(n_neurons=30, rule=None, tau_mem_ms=15.0, random_state=1).fit(X, y)
    assert np.unique(constant.network_.neurons.tau_mem_ms).tolist() == [15.0]


# -- the network goes on -----------------------------------------------------------------------------------------------


def test_the_network_goes_on(classifier: HRSNNClassifier, iris: tuple[Array, ...]) -> None:
    spikes = classifier.encode(iris[1])
    numbers = hrsnn.predict(classifier.network_, classifier.readout_, spikes)
    assert classifier.classes_[numbers].tolist() == classifier.predict(iris[1]).tolist()
    small = classifier.network_.keep_synapses(np.arange(len(classifier.network_.recurrent)) % 2 == 0)
    pruned = classifier.with_network(small, iris[0], iris[2])
    assert pruned.network_ == small
    assert pruned.score(iris[1], iris[3]) > 0.8
    assert classifier.network_ != small
    same = classifier.with_network(classifier.network_, iris[0], iris[2])
    assert same.readout_ == classifier.readout_


def test_a_forecast_with_another_network(forecaster: HRSNNForecaster) -> None:
    X, y = windows(series(), 10)
    assert forecaster.with_network(forecaster.network_, X, y).readout_ == forecaster.readout_
    other = hrsnn.build(hrsnn.NetworkSpec(n_neurons=10, n_inputs=3), seed=0)
    with pytest.raises(InputError, match=r"`network\.n_inputs` of `HRSNNForecaster` must be 20 as in the network"):
        forecaster.with_network(other, X, y)
    with pytest.raises(InputError, match=r"`y` of `HRSNNForecaster` must have shape \(n_samples,\) as in fit"):
        forecaster.with_network(forecaster.network_, X, np.stack([y, y], axis=1))


# -- what is wrong is told ---------------------------------------------------------------------------------------------

X4 = np.random.default_rng(0).normal(size=(20, 4))
Y4 = np.arange(20) % 2
NAN = np.where(np.arange(80).reshape(20, 4) == 7, np.nan, X4)


@pytest.mark.parametrize(
    ("settings", "X", "y", "sentence"),
    [
        ({}, NAN, Y4, "^Input X contains NaN; fill missing values, or leave their rows out$"),
        ({}, X4[:, 0], Y4, r"^`X` of `HRSNNClassifier` must have shape \(n_samples, n_features\) or .*, got one dim"),
        ({}, np.zeros((20, 2, 2, 2)), Y4, r"`X` of `HRSNNClassifier` must have shape .* got shape \(20, 2, 2, 2\)"),
        ({}, np.zeros((20, 2, 0)), Y4, r"must have shape .* with at least one of each, got shape \(20, 2, 0\)"),
        ({}, X4, np.ones(20), "`y` of `HRSNNClassifier` must hold two classes at least, got one class"),
        ({}, X4, Y4[:-1], "inconsistent numbers of samples"),
        ({}, X4, X4[:, 0], "Unknown label type: continuous"),
        ({"rule": "sdtp"}, X4, Y4, 'must be one of stdp.*, got sdtp; did you mean "stdp"'),
        ({"rule": 3}, X4, Y4, "`rule` of `learn` must be one of"),
        ({"arm": "HeNHe"}, X4, Y4, 'must be one of HoNHoS, HeNHoS, HoNHeS, HeNHeS, got HeNHe; did you mean "HeNHeS"'),
        (
            {"readout": "rigde"},
            X4,
            Y4,
            "must be one of logistic, ridge, mlp, or a ReadoutSpec, got rigde; did you mean",
        ),
        ({"n_neurons": 0}, X4, Y4, "`n_neurons`: input should be greater than or equal to 1"),
        ({"duration_ms": -1}, X4, Y4, "`duration_ms` of `HRSNNClassifier` must be > 0, got -1"),
        ({"dt_ms": "fine"}, X4, Y4, "`dt_ms` of `HRSNNClassifier` must be > 0, got fine"),
        ({"spec": {"synapse": {}}}, X4, Y4, "`synapse`"),
        ({"spec": 3}, X4, Y4, "`spec` of `HRSNNClassifier` must be of the class Mapping, got int"),
        ({"tau_mem_ms": -3.0}, X4, Y4, "must be > 0"),
        ({"random_state": -1}, X4, Y4, "`random_state` of `HRSNNClassifier` must be a whole number >= 0, got -1"),
    ],
)
def test_what_cannot_be_classified(settings: Any, X: Array, y: Array, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        HRSNNClassifier(**{**SMALL, **settings}).fit(X, y)


@pytest.mark.parametrize(
    ("settings", "X", "y", "sentence"),
    [
        ({}, NAN, Y4, "^Input X contains NaN; fill missing values"),
        ({}, X4, np.where(Y4, np.nan, 0.0), "^Input y contains NaN"),
        (
            {"target": "change"},
            X4,
            Y4,
            "`target` of `HRSNNForecaster` must be one of auto, increment, value, got change",
        ),
        ({"target": "increment"}, X4.reshape(20, 2, 2), np.ones((20, 3)), "must be value for 3 targets of 2 channels"),
        ({"readout": "logistic"}, X4, Y4, "`readout` of `HRSNNForecaster` must be one of ridge, mlp, or a ReadoutSpec"),
        ({"hold_ms": 0.5}, X4, Y4, "`hold_ms` of `PopulationCode` must be a whole number >= 1 of steps of 1 ms"),
    ],
)
def test_what_cannot_be_forecast(settings: Any, X: Array, y: Array, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        HRSNNForecaster(**{**SMALL, **settings}).fit(X, y)


def test_what_differs_from_fit_is_told(classifier: HRSNNClassifier, forecaster: HRSNNForecaster) -> None:
    with pytest.raises(ValueError, match="X has 3 features, but HRSNNClassifier is expecting 4 features"):
        classifier.predict(X4[:, :3])
    with pytest.raises(InputError, match=r"`X` of `HRSNNClassifier` must have shape \(n_samples, 4\) as in fit, got"):
        classifier.predict(X4[:, :, None])
    with pytest.raises(ValueError, match="X has 4 features, but HRSNNForecaster is expecting 10 features"):
        forecaster.predict(X4)
    X, y = recordings(20)
    fitted = HRSNNClassifier(n_neurons=10, rule=None, random_state=0).fit(X, y)
    for other in (X[:, :30], X[:, :, :1], X[:, :, :1].tolist()):
        with pytest.raises(
            InputError, match=r"`X` of `HRSNNClassifier` must have shape \(n_samples, 40, 2\) as in fit"
        ):
            fitted.predict(other)
    with pytest.raises(InputError, match="`y` of `HRSNNClassifier` must hold classes of fit, got slower at index 0"):
        fitted.with_network(fitted.network_, X, ["slower", *y[1:]])


def test_few_samples_suffice() -> None:
    two = HRSNNClassifier(n_neurons=10, random_state=0).fit([[0.0], [1.0]], ["a", "b"])
    assert two.predict([[0.0], [1.0]]).tolist() == ["a", "b"]
    rare = HRSNNClassifier(n_neurons=10, random_state=0).fit([[0.0], [0.1], [0.2], [1.0]], [0, 0, 0, 1])
    assert rare.classes_.tolist() == [0, 1]
