"""Readouts: scikit-learn as oracle, validation chooses, the same bits, what is counted and what is refused."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression, Ridge
from threadpoolctl import threadpool_limits

from hrsnn._checks import FileError, InputError
from hrsnn.graph import betweenness
from hrsnn.network_file import save_tensors
from hrsnn.readout import Readout, ReadoutSpec, feature_matrix, fit_classifier, fit_regression, merge_bins, units_read
from networks import random_network

MODELS = ["logistic", "ridge", "mlp"]


def problem(n: int = 60, n_bins: int = 2, n_units: int = 6, n_classes: int = 3, seed: int = 0) -> tuple[Any, Any]:
    """Counts whose mean depends on the class."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % n_classes
    rates = np.random.default_rng(99).uniform(0.5, 6.0, (n_classes, n_bins, n_units))
    return rng.poisson(rates[labels]), labels


def spec(**changes: Any) -> ReadoutSpec:
    return ReadoutSpec.model_validate({"n_bins": [2], "regularisation": [0.1], **changes})


def fit(s: ReadoutSpec, **options: Any) -> Any:
    (x, y), (v, w) = problem(), problem(n=30, seed=1)
    return fit_classifier(x, y, v, w, s, n_classes=options.pop("n_classes", 3), **options)


def standardised(x: NDArray[Any]) -> NDArray[np.float64]:
    flat = x.reshape(len(x), -1).astype(float)
    return np.asarray((flat - flat.mean(axis=0)) / flat.std(axis=0))


# -- against scikit-learn ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n_units", [6, 80])  # 90 samples: primal, then dual
@pytest.mark.parametrize("alpha", [0.01, 1.0])
def test_ridge_is_that_of_scikit_learn(n_units: int, alpha: float) -> None:
    (x, y), (v, w) = problem(n_units=n_units), problem(n=30, n_units=n_units, seed=1)
    found = fit_classifier(x, y, v, w, spec(model="ridge", regularisation=[alpha]), n_classes=3).readout
    both, targets = np.concatenate([x, v]), np.eye(3)[np.concatenate([y, w])]
    oracle = Ridge(alpha=alpha * len(both)).fit(standardised(both), targets).predict(standardised(both))
    np.testing.assert_allclose(found.outputs(both), oracle, atol=2e-5)  # our Gram matrix is single precision


def test_dual_and_primal_are_one_solution() -> None:
    x, y = problem(n=40, n_units=15)  # 30 features: primal with 45 samples, dual once features are repeated
    one = fit_classifier(x, y, x[:5], y[:5], spec(model="ridge"), n_classes=3).readout
    # every feature twice with weights of half the size: the penalty halves
    twice = np.concatenate([x, x], axis=2)
    two = fit_classifier(twice, y, twice[:5], y[:5], spec(model="ridge", regularisation=[0.2]), n_classes=3).readout
    assert twice.shape[1] * twice.shape[2] > 45
    np.testing.assert_allclose(two.outputs(twice), one.outputs(x), atol=2e-5)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_logistic_is_that_of_scikit_learn(n_classes: int) -> None:
    (x, y), (v, w) = problem(n_classes=n_classes), problem(n=30, n_classes=n_classes, seed=1)
    found = fit_classifier(x, y, v, w, spec(regularisation=[0.05]), n_classes=n_classes).readout
    both, labels = np.concatenate([x, v]), np.concatenate([y, w])
    oracle = LogisticRegression(C=1 / (0.05 * 90), max_iter=1000).fit(standardised(both), labels)
    scores = found.outputs(both)
    probability = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    # both stop at a gradient of 1e-4; ours works in single precision
    np.testing.assert_allclose(probability, oracle.predict_proba(standardised(both)), atol=2e-3)
    np.testing.assert_array_equal(found.classes(both), oracle.predict(standardised(both)))


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("present", [(1, 3), (0, 2, 3)])  # scikit-learn keeps one score for two classes
def test_a_class_without_samples_is_never_predicted(model: str, present: tuple[int, ...]) -> None:
    n = 600 if model == "mlp" else 60  # an epoch of the MLP is one step per 200 samples
    (x, y), (v, w) = (problem(n=m, n_classes=len(present), seed=k) for k, m in ((0, n), (1, 30)))
    choice = fit_classifier(x, np.take(present, y), v, np.take(present, w), spec(model=model), n_classes=4)
    scores = choice.readout.outputs(v)
    assert scores.shape == (30, 4)
    assert not np.isnan(scores).any()
    assert set(choice.readout.classes(v)) <= set(present)
    assert choice.chosen["validation_accuracy"] > 1.3 / len(present)


@pytest.mark.parametrize("model", MODELS)
def test_every_model_learns(model: str) -> None:
    (x, y), (v, w), (test, labels) = (problem(n=m, seed=k) for k, m in ((0, 600), (1, 30), (2, 90)))
    readout = fit_classifier(x, y, v, w, spec(model=model), n_classes=3).readout
    assert np.mean(readout.classes(test) == labels) > 0.7  # chance is 1/3


@pytest.mark.parametrize("model", ["ridge", "mlp"])
def test_regression_of_one_and_of_two_values(model: str) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 1, 4))
    s = spec(model=model, features="filtered", regularisation=[1e-6])
    for weights in (rng.normal(size=(4, 1)), rng.normal(size=(4, 2))):
        values = x[:, 0] @ weights + 3.0
        choice = fit_regression(x[:200], values[:200], x[200:], values[200:], s)
        assert choice.readout.outputs(x).shape == values.shape
        if model == "ridge":
            np.testing.assert_allclose(choice.readout.outputs(x), values, atol=1e-3)  # the penalty and single precision
    with pytest.raises(InputError, match="must be ridge or mlp for values, got logistic"):
        fit_regression(x, values, x, values, spec())


# -- choice ------------------------------------------------------------------------------------------------------------


def test_the_best_on_validation_is_chosen_and_all_are_told() -> None:
    s = spec(n_bins=[1, 2], transform=["none", "sqrt", "log"], regularisation=[1e-4, 1.0, 1e4], model="ridge")
    choice = fit(s)
    assert len(choice.tried) == 2 * 3 * 3
    best = max(choice.tried, key=lambda t: t["validation_accuracy"])  # the first of equals
    assert choice.chosen == {"model": "ridge", **best}
    assert (choice.readout.n_bins, choice.readout.transform) == (best["n_bins"], best["transform"])


def test_validation_decides_and_then_is_fitted_too() -> None:
    # Validation labels turned: what is good on training is bad there, so the heaviest penalty or any other may win,
    # but what was tried on them must have the scores of readouts fitted to training alone.
    (x, y), (v, w) = problem(), problem(n=30, seed=1)
    s = spec(model="ridge", regularisation=[1e-3, 10.0])
    choice = fit_classifier(x, y, v, w, s, n_classes=3)
    for tried in choice.tried:
        flat, mean, sd = x.reshape(60, -1), x.reshape(60, -1).mean(axis=0), x.reshape(60, -1).std(axis=0)
        oracle = Ridge(alpha=tried["regularisation"] * 60).fit((flat - mean) / sd, np.eye(3)[y])
        right = oracle.predict((v.reshape(30, -1) - mean) / sd).argmax(axis=1) == w
        assert tried["validation_accuracy"] == pytest.approx(right.mean())
    alone = fit_classifier(x, y, v[:1], w[:1], s.model_copy(update={"regularisation": [1e-3]}), n_classes=3)
    assert alone.readout != choice.readout  # 29 more recordings went into this one


def test_score_can_be_given() -> None:
    x = np.random.default_rng(0).normal(size=(50, 1, 3))
    s = spec(model="ridge", features="filtered", regularisation=[1.0, 2.0, 3.0])
    scores = iter([0.0, 5.0, 1.0])
    choice = fit_regression(x, x[:, 0], x, x[:, 0], s, score=lambda readout: next(scores))
    assert choice.chosen["regularisation"] == 2.0
    assert [t["validation_score"] for t in choice.tried] == [0.0, 5.0, 1.0]


def chosen_penalty(score_of: Any, given: list[float]) -> tuple[float, list[float], tuple[str, ...]]:
    """What `fit_regression` takes where a readout with penalty p scores `score_of(p)`."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(40, 1, 3))
    y = x[:, 0] @ np.array([[1.0], [2.0], [-1.0]])
    flat = standardised(x)

    def penalty_of(readout: Readout) -> float:
        """From the shrinkage of the weights: w = (G + n p)^-1 X'y."""
        w = readout.layers[0][0]
        residual = flat.T @ (y - y.mean(axis=0) - flat @ w)
        return float(f"{np.median(residual / w) / len(x):.2g}")

    s = spec(model="ridge", features="filtered", regularisation=given)
    found = fit_regression(x, y, x, y, s, score=lambda readout: score_of(penalty_of(readout)))
    return found.chosen["regularisation"], [t["regularisation"] for t in found.tried], found.warnings


def test_the_largest_penalty_within_one_standard_error_is_taken() -> None:
    starts = np.array([-0.4, 0.1, 0.3, -0.2, 0.5])  # hard and easy ones, the same for every penalty

    def scores(penalty: float) -> NDArray[np.float64]:
        noise = np.array([0.02, -0.02, 0.02, -0.02, 0.0]) * (penalty == 0.1)  # se 0.009 against the best
        return starts - {0.01: 0.0, 0.1: 0.005, 1.0: 0.02}.get(penalty, 1.0) + noise

    assert chosen_penalty(scores, [0.01, 0.1, 1.0, 10.0, 0.001])[0] == 0.1
    # one number per penalty leaves nothing to estimate an error from: the best
    assert chosen_penalty(lambda p: float(scores(p).mean()), [0.01, 0.1, 1.0, 10.0, 0.001])[0] == 0.01


@pytest.mark.parametrize(("best", "beyond"), [(1e-3, [1e-2, 1e-3, 1e-4]), (1e4, [1e2, 1e3, 1e4, 1e5])])
def test_a_penalty_at_the_edge_widens_the_list_and_is_told(best: float, beyond: list[float]) -> None:
    taken, tried, warnings = chosen_penalty(lambda p: -abs(np.log10(p / best)), [0.1, 1.0, 10.0])
    assert taken == best
    assert tried == [0.1, 1.0, 10.0, *beyond]
    assert (
        warnings
        == (f"validation chose the penalty {best:g}, beyond readout.regularisation, which was widened",)[: best < 1e4]
        or "next to nothing" in warnings[0]
    )


def test_a_list_is_not_widened_without_need_or_end() -> None:
    assert chosen_penalty(lambda p: -abs(np.log10(p)), [0.1, 1.0, 10.0]) == (1.0, [0.1, 1.0, 10.0], ())
    assert chosen_penalty(lambda p: p, [0.1])[1:] == ([0.1], ())  # one alone is given, not chosen
    assert chosen_penalty(lambda p: float(np.log10(p)), [1e3, 1e4])[0] == 1e6
    # a plateau is not followed
    flat = chosen_penalty(lambda p: np.full(3, -1 - 1e-4 * np.log10(p) if p <= 1 else -2.0), [1e-3, 1e-2, 1e-1, 1.0])
    assert flat[:2] == (1.0, [1e-3, 1e-2, 1e-1, 1.0, 10.0])
    # 10 was tried and is worse: the edge of the list is the best there is
    assert chosen_penalty(lambda p: -abs(np.log10(p)), [0.1, 1.0]) == (1.0, [0.1, 1.0, 10.0], ())


def test_a_classifier_at_the_edge_of_its_penalties_says_so_and_keeps_to_them() -> None:
    rng = np.random.default_rng(0)
    (x, y), (v, w) = problem(), problem(n=30, seed=1)
    noisy = [rng.poisson(3, np.shape(a)) + (np.asarray(b)[:, None, None] == 0) for a, b in ((x, y), (v, w))]
    of_noise = spec(model="ridge", regularisation=[1e-3, 1.0, 1e3])
    found = fit_classifier(noisy[0], y, noisy[1], w, of_noise, n_classes=3)
    assert len(found.tried) == 3
    (told,) = found.warnings
    assert re.search("of readout.regularisation; add (smaller|larger) ones", told)
    for few in ([0.1], [1e3, 1e4], [1e3, 1e4, 1e5]):  # one alone; two edges; all as good as each other
        assert fit(spec(model="ridge", regularisation=few)).warnings == ()


@pytest.mark.parametrize("model", MODELS)
def test_the_same_bits_twice_and_on_any_number_of_threads(model: str) -> None:
    first = fit(spec(model=model), seed=5).readout
    with threadpool_limits(2):
        assert fit(spec(model=model), seed=5).readout == first
    if model == "mlp":
        assert fit(spec(model=model), seed=6).readout != first


def test_fitting_leaves_its_input_alone() -> None:
    (x, y), (v, w) = problem(), problem(n=30, seed=1)
    x, v = x.astype(np.float32), v.astype(np.float32)
    before = x.copy(), v.copy()
    fit_classifier(x, y, v, w, spec(), n_classes=3)
    np.testing.assert_array_equal(x, before[0])
    np.testing.assert_array_equal(v, before[1])


# -- features ----------------------------------------------------------------------------------------------------------


def test_bins_are_summed() -> None:
    x = np.arange(2 * 6 * 2).reshape(2, 6, 2)
    assert merge_bins(x, 3)[0].tolist() == [[2, 4], [10, 12], [18, 20]]
    assert merge_bins(x, 6) is x
    with pytest.raises(InputError, match="`n_bins` of `merge_bins` must divide 6, the bins recorded, got 4"):
        merge_bins(x, 4)
    assert spec(n_bins=[2, 3, 4]).n_bins_recorded == 12
    assert spec(n_bins=[5], features="filtered").n_bins_recorded == 1


def test_transforms() -> None:
    x = np.array([[[0, 4], [1, 9]]])
    for name, expected in (("none", [0, 4, 1, 9]), ("sqrt", [0, 2, 1, 3]), ("log", np.log([1, 5, 2, 10]))):
        np.testing.assert_allclose(feature_matrix(x, 2, name)[0], expected, rtol=1e-6)  # type: ignore[arg-type]


def test_a_feature_that_never_changes_in_training_has_no_say() -> None:
    (x, y), (v, w) = problem(), problem(n=30, seed=1)
    x[:, :, 0] = v[:, :, 0] = 7
    for model in ("logistic", "ridge"):
        readout = fit_classifier(x, y, v, w, spec(model=model), n_classes=3).readout
        other = v.copy()
        other[:, :, 0] = 1000
        np.testing.assert_allclose(readout.outputs(other), readout.outputs(v), atol=1e-9)


def test_scale_floor_tames_features_that_hardly_change() -> None:
    x = np.random.default_rng(0).normal(size=(100, 1, 2)) * [1.0, 1e-3]
    s = spec(model="ridge", features="filtered")
    scales = [
        fit_regression(x, x[:, 0], x, x[:, 0], s.model_copy(update={"scale_floor": floor})).readout.scale
        for floor in (0.0, 0.5)
    ]
    np.testing.assert_allclose(scales[1], scales[0] + 0.5 * scales[0].mean(), rtol=1e-6)


def test_sampling_by_betweenness() -> None:
    network = random_network(np.random.default_rng(0), n=40, density=0.1)
    assert units_read(network, spec()).tolist() == list(range(40))
    for share, n in ((0.5, 20), (0.01, 10)):  # ten at least
        units = units_read(network, spec(neurons="betweenness", neuron_share=share))
        assert units.tolist() == sorted(units.tolist())
        ranks = betweenness(network)
        assert (units.size, ranks[units].min() >= np.delete(ranks, units).max()) == (n, True)
    tiny = random_network(np.random.default_rng(0), n=4)
    assert units_read(tiny, spec(neurons="betweenness")).tolist() == [0, 1, 2, 3]


def test_only_the_units_that_are_read_count() -> None:
    readout = fit(spec(), units=np.array([1, 4])).readout
    x, _ = problem()
    other = x.copy()
    other[:, :, [0, 2, 3, 5]] = 1000
    np.testing.assert_array_equal(readout.outputs(other), readout.outputs(x))
    assert readout.mean.size == 2 * 2


# -- costs -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", MODELS)
def test_synaptic_operations_are_counted_one_by_one(model: str) -> None:
    readout = fit(spec(model=model, n_bins=[1]), units=np.array([0, 2, 3])).readout
    x, _ = problem(n=7)
    x[0] = 0
    count = 0
    for sample in x:
        for unit in (0, 2, 3):
            if sample[:, unit].sum() != 0:
                count += 20 if model == "mlp" else 3
        count += 20 * 3 if model == "mlp" else 0
    assert readout.count_synops(x) == count
    n_weights = 3 * 20 + 20 + 20 * 3 + 3 if model == "mlp" else 3 * 3 + 3
    assert readout.n_bytes == 4 * n_weights


# -- bad input ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0, 1], "`train_labels` of `fit_classifier` must have length 60, got length 2"),
        (np.arange(60) % 3 - 1, "`train_labels` of `fit_classifier` must be >= 0, got -1"),
        (np.arange(60) % 4, "`train_labels` of `fit_classifier` must be <= 2, got 3"),
        (np.full(60, 0.5), "must be whole numbers"),
        (np.zeros(60, int), "must hold at least two classes, got 1"),
    ],
)
def test_labels_that_are_wrong(labels: Any, message: str) -> None:
    x, y = problem()
    with pytest.raises(InputError) as caught:
        fit_classifier(x, labels, x, y, spec(), n_classes=3)
    assert message in str(caught.value)


def test_too_few_samples_for_the_early_stop_of_the_mlp() -> None:
    x, y = problem(n=6)
    with pytest.raises(InputError, match=r"`readout.model` mlp cannot be fitted to"):
        fit_classifier(x, y, x, y, spec(model="mlp"), n_classes=3)


@pytest.mark.parametrize("change", [{"n_bins": []}, {"n_bins": [0]}, {"regularisation": [0.0]}, {"transform": ["exp"]}])
def test_spec_that_is_wrong(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        spec(**change)


def test_activity_of_another_shape_is_refused() -> None:
    readout = fit(spec()).readout
    for windows in (np.zeros((3, 2, 5)), np.zeros((2, 6))):
        with pytest.raises(InputError, match="with at least 6 units, got"):
            readout.outputs(windows)
    with pytest.raises(InputError, match="must divide 3"):
        readout.outputs(np.zeros((1, 3, 6)))
    assert readout.outputs(np.zeros((0, 2, 6))).shape == (0, 3)


def test_parts_that_do_not_fit_are_refused() -> None:
    readout = fit(spec()).readout
    for change in (
        {"mean": np.zeros(3)}, {"scale": np.full(12, np.nan)}, {"units": np.array([-1])}, {"layers": ()},
        {"layers": ((np.zeros((5, 3)), np.zeros(3)),)}, {"transform": "exp"}, {"features": "x"}, {"n_bins": 3},
    ):  # fmt: skip
        with pytest.raises(InputError, match="of `Readout` must"):
            replace(readout, **change)  # type: ignore[arg-type]


def test_damaged_and_incomplete_files(tmp_path: Path) -> None:
    readout = fit(spec()).readout
    path = tmp_path / "r.safetensors"
    readout.save(path)
    whole = path.read_bytes()
    assert Readout.load(path) == readout
    path.write_bytes(whole[:-1])
    with pytest.raises(FileError, match="truncated"):
        Readout.load(path)
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(FileError, match="was changed"):
        Readout.load(path)
    columns = {"units": readout.units, "mean": readout.mean, "scale": readout.scale}
    facts = {"schema": "hrsnn.readout/3", "features": "counts", "n_bins": 2, "transform": "none", "tau_filter_ms": 1.0}
    facts |= {"last_ms": 0.0, "grid": None}
    whole = "`n_layers` of `Readout` must be a whole number"
    for n_layers, message in ((1, "not a complete readout file"), (0, "breaks a rule"), ("1", whole)):
        save_tensors(path, columns, {**facts, "n_layers": n_layers})
        with pytest.raises(FileError, match=message):
            Readout.load(path)
    layers = {"layer0.weight": np.zeros((12, 3)), "layer0.offset": np.zeros(3)}
    sound = {"n_units": 6, "n_steps": 2, "dt_ms": 1.0}
    for grid, message in (
        ({"n_units": 6}, "not a complete"), ({**sound, "more": 1}, "not a complete"), ([], "not a complete"),
        ({**sound, "n_steps": 0}, "breaks a rule"), ({**sound, "dt_ms": "1"}, "breaks a rule"),
        ({**sound, "stretched": [1.0]}, "breaks a rule"), ({**sound, "stretched": 1.0}, "breaks a rule"),
    ):  # fmt: skip
        save_tensors(path, {**columns, **layers}, {**facts, "n_layers": 1, "grid": grid})
        with pytest.raises(FileError, match=message):
            Readout.load(path)
    save_tensors(path, columns, {**facts, "schema": "hrsnn.network/1"})
    with pytest.raises(FileError, match=r"holds hrsnn.network/1, this version of hrsnn reads hrsnn.readout/3"):
        Readout.load(path)


def test_last_ms_is_kept_with_the_readout_and_is_for_counts(tmp_path: Path) -> None:
    readout = fit(spec(last_ms=25.0)).readout
    assert readout.last_ms == 25.0
    assert readout != fit(spec()).readout
    readout.save(tmp_path / "r.safetensors")
    assert Readout.load(tmp_path / "r.safetensors") == readout
    with pytest.raises(ValueError, match=r"`last_ms` of `ReadoutSpec` must be 0 where .*, got 25\.0"):
        spec(last_ms=25.0, features="filtered")
    with pytest.raises(InputError, match="`last_ms` of `Readout` must be >= 0"):
        replace(readout, last_ms=-1.0)
