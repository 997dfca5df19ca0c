"""Forecasts: known answers of the protocol, memory of the drives, and that nothing of the test part is looked at."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from hrsnn._checks import InputError
from hrsnn.augmentation import Copies
from hrsnn.controls import evaluate_control
from hrsnn.data import chaos
from hrsnn.data.dataset import Series
from hrsnn.evaluation import Label
from hrsnn.forecast import (
    OWN_SERIES,
    EchoStateDrive,
    ForecastSpec,
    ForecastTask,
    InputDrive,
    NetworkDrive,
    NvarDrive,
    Transform,
    evaluate_network,
    order_of,
    period_of,
    protocol,
)
from hrsnn.forecast.running import Start, free_run, segments
from hrsnn.readout import ReadoutSpec
from hrsnn.spec import NetworkSpec
from hrsnn.wiring import build

RIDGE = ReadoutSpec(features="filtered", model="ridge", regularisation=[1e-3, 1e-1])
DRIVES = ["network", "network-poisson", "input", "input-poisson", "random-features", "echo-state", "nvar"]


def lorenz_task(*, dt: float = 0.025, n_steps: int = 0, **options: Any) -> ForecastTask:
    given = {"n_train": 100, "n_washout": 10, "n_warmup": 10, "n_horizon": 10, "n_starts": 4, "n_per_variable": 8}
    spec = ForecastSpec(dt=dt, **{**given, **options})  # type: ignore[arg-type]
    series = chaos.lorenz63(n_steps or spec.n_values, dt=dt, substeps=spec.substeps, n_discard=500)
    return ForecastTask.of(series, spec)


def small_network(task: ForecastTask) -> Any:
    tables = {"n_neurons": 40, "n_inputs": task.n_inputs, "input": {"subset_share": 1.0, "p_connect": 0.5}}
    return build(NetworkSpec.from_dict(tables), seed=0)


def drive_of(name: str, task: ForecastTask) -> Any:
    if name.endswith("poisson"):
        task = replace(task, spec=task.spec.model_copy(update={"poisson": True}))
    if name.startswith("network"):
        return NetworkDrive(small_network(task), task, RIDGE, 0)
    if name.startswith("input"):
        return InputDrive(task, RIDGE, 0)
    if name == "random-features":
        return InputDrive(task, RIDGE, 0, n_random_features=30)
    return EchoStateDrive(task, 0) if name == "echo-state" else NvarDrive(task)


class Scripted:
    """A readout that gives one value after the other, whatever the features."""

    def __init__(self, outputs: NDArray[np.float64]) -> None:
        self._outputs = list(outputs)

    def outputs(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        return self._outputs.pop(0)


class Listening:
    """A drive that keeps the features it gave."""

    def __init__(self, drive: Any) -> None:
        self._drive, self.given = drive, []  # type: ignore[var-annotated]

    def run(self, values: NDArray[np.float64], memory: Any) -> tuple[NDArray[Any], Any]:
        features, memory = self._drive.run(values, memory)
        self.given.append(features)
        return features, memory


class TrueStep:
    """A drive that knows the equations: its features are the next value."""

    def run(self, values: NDArray[np.float64], memory: Any) -> tuple[NDArray[Any], Any]:
        def field(state: NDArray[np.float64]) -> NDArray[np.float64]:
            x, y, z = np.moveaxis(state, -1, 0)
            return np.stack([10 * (y - x), x * (28 - z) - y, x * y - 8 / 3 * z], axis=-1)

        return chaos.rk4_step(field, values, 0.025), None


# -- known answers -----------------------------------------------------------------------------------------------------


def test_persistence_of_a_ramp() -> None:
    """The error after n steps of a ramp is n / spread; the forecast is wrong by the threshold after 0.1 spread."""
    n_train, horizon = 100, 20
    values = np.arange(200.0)[:, None]
    spec = ForecastSpec(n_train=n_train, n_horizon=horizon, n_starts=5, n_warmup=10)
    task = ForecastTask.of(Series(values, 1.0, "ramp", ("x",), None, "exact"), spec)
    evaluation = evaluate_control("persistence", task, RIDGE, n_features=1)
    spread = np.arange(n_train).std()
    error = np.arange(1, horizon + 1) / spread
    metrics = evaluation.outcome.metrics
    assert metrics["rmse"] == pytest.approx(error.mean(), rel=1e-12)
    assert metrics["nrmse"] == pytest.approx(np.sqrt(np.mean(error**2)), rel=1e-12)
    assert metrics["nrmse_one_step"] == pytest.approx(1 / spread, rel=1e-12)
    assert metrics["vpt_steps"] == np.sum(error < 0.1) == 2
    assert metrics["vpt_steps_04"] == np.sum(error < 0.4) == 11
    assert "vpt_lyapunov" not in metrics
    assert evaluation.readout is None
    assert evaluation.details["forecast"]["prediction"] == [[n_train - 1.0]] * horizon


@pytest.mark.parametrize("target", ["increment", "value"])
def test_a_drive_that_knows_the_equations_is_right_to_the_horizon(target: str) -> None:
    task = lorenz_task(n_train=400, n_horizon=100, target=target)
    exact = ReadoutSpec(features="filtered", model="ridge", regularisation=[1e-12])

    class Drive:
        def run(self, values: NDArray[np.float64], memory: Any) -> tuple[NDArray[Any], Any]:
            following, _ = TrueStep().run(values, None)
            return np.concatenate([following - values, following], axis=2), None

    metrics = protocol.forecast_by(Drive(), task, exact, label=Label()).outcome.metrics
    assert metrics["vpt_steps"] == metrics["vpt_steps_04"] == 100
    assert metrics["vpt_lyapunov"] == pytest.approx(100 * 0.025 * 0.906)
    assert metrics["rmse"] < 0.01  # single precision of the features, grown by exp(2.3)


def test_nvar_forecasts_lorenz_for_lyapunov_times() -> None:
    """Products of x, y and z are what the equations hold; Gauthier et al. 2021 report about 5 Lyapunov times."""
    task = lorenz_task(n_train=800, n_horizon=200, n_starts=10)
    penalties = ReadoutSpec(features="filtered", model="ridge", regularisation=[1e-8, 1e-6, 1e-4])
    metrics = evaluate_control("nvar", task, penalties, n_features=0).outcome.metrics
    assert 2.0 < metrics["vpt_lyapunov_04"] <= 200 * 0.025 * 0.906
    persistence = evaluate_control("persistence", task, penalties, n_features=0).outcome.metrics
    assert metrics["rmse"] < persistence["rmse"]
    assert persistence["vpt_lyapunov_04"] < 0.2


def test_nvar_features_are_values_and_products() -> None:
    task = lorenz_task()
    mean, scale = task.training_values.mean(axis=0), task.training_values.std(axis=0)
    now, before = ((task.series.values[k] - mean) / scale for k in (1, 0))
    linear = np.concatenate([before, now])
    products = [linear[i] * linear[j] for i in range(6) for j in range(i, 6)]
    features, _ = NvarDrive(task).run(task.series.values[None, :2], None)
    np.testing.assert_allclose(features[0, 1], [*linear, *products], rtol=1e-12)


def test_input_features_are_filtered_spike_trains() -> None:
    """Against the recursion y <- exp(-dt / tau) y + s, step by step."""
    task = lorenz_task()
    values = task.series.values[None, :7]
    spikes, _ = task.code.encode(values)
    trace, expected = np.zeros(task.n_inputs), []
    for step, spiking in enumerate(spikes.dense()[0]):
        trace = np.exp(-task.dt_ms / RIDGE.tau_filter_ms) * trace + spiking
        if (step + 1) % task.code.n_hold_steps == 0:
            expected.append(trace)
    features, _ = InputDrive(task, RIDGE, 0).run(values, None)
    np.testing.assert_allclose(features[0], expected, rtol=1e-12)


# -- drives: memory is given in and out --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", DRIVES)
def test_in_pieces_as_in_one_go(name: str) -> None:
    task = lorenz_task()
    values = np.stack([task.series.values[:12], task.series.values[30:42]])
    whole, _ = drive_of(name, task).run(values, None)
    drive, memory, pieces = drive_of(name, task), None, []
    for cut in (slice(0, 1), slice(1, 6), slice(6, 12)):
        features, memory = drive.run(values[:, cut], memory)
        pieces.append(features)
    np.testing.assert_allclose(np.concatenate(pieces, axis=1), whole, rtol=1e-6)


@pytest.mark.parametrize("name", DRIVES)
def test_going_on_twice_from_one_memory_gives_the_same(name: str) -> None:
    task = lorenz_task()
    drive = drive_of(name, task)
    _, memory = drive.run(task.series.values[None, :5], None)
    once, twice = (drive.run(task.series.values[None, 5:9], memory)[0] for _ in range(2))
    np.testing.assert_array_equal(once, twice)


@pytest.mark.parametrize("name", DRIVES)
@pytest.mark.parametrize("target", ["increment", "value"])
def test_a_free_run_fed_the_truth_is_a_teacher_forced_run(name: str, target: Any) -> None:
    task = lorenz_task(target=target)
    truth = segments(task.series.values, task.starts, 10)
    before = task.series.values[task.starts - 1][:, None]
    said = truth - np.concatenate([before, truth[:, :-1]], axis=1) if target == "increment" else truth
    drive = Listening(drive_of(name, task))
    start = protocol._start(drive, task.starts, task)
    np.testing.assert_array_equal(start.past, before)
    script: Any = Scripted(np.moveaxis(said / task.spread, 1, 0))
    found = protocol._free_run(drive, script, start, task, 10)
    np.testing.assert_allclose(found.values, truth, rtol=1e-9)
    assert not found.cut.any()
    known = segments(task.series.values, task.starts - 10, 19)
    forced, _ = drive_of(name, task).run(known, None)
    np.testing.assert_allclose(np.concatenate(drive.given, axis=1), forced, rtol=1e-5, atol=1e-6)


# -- protocol ----------------------------------------------------------------------------------------------------------


def test_forecasts_stay_within_the_range_widened_around_their_start() -> None:
    task = lorenz_task()
    low, high = task.training_values.min(axis=0), task.training_values.max(axis=0)
    half = (high - low) / 2
    far: Any = Scripted(np.array([[[1e6, -1e6, np.inf]] * 2]))
    beyond = high + 3 * half
    start = Start(np.stack([task.training_values[:1], beyond[None]]), np.zeros((2, 3)), None)
    found = free_run(NvarDrive(task), far, start, task.transform, task.limits, 1)
    expected = [[high[0] + half[0], low[1] - half[1], high[2] + half[2]],
                [beyond[0] + half[0], low[1] - half[1], beyond[2] + half[2]]]  # fmt: skip
    np.testing.assert_allclose(found.values[:, 0], expected)
    assert found.cut.all()


def rising(n: int = 400) -> Series:
    """A price: exponential growth with noise, far beyond its training part at the end."""
    steps = np.random.default_rng(3).normal(0.004, 0.01, n)
    return Series(100 * np.exp(np.cumsum(steps))[:, None], 1.0, "price", ("close",))


CONTROLS = ["input-only", "random-features", "esn-100", "nvar", "ar", "seasonal-naive", "persistence"]
OPTIONS = {"n_train": 200, "n_horizon": 10, "n_starts": 8, "n_per_variable": 20}


def test_the_limits_are_the_same_for_every_method_and_cuts_are_told() -> None:
    """On a rising price the last value is no farther from the limits than any other forecast, and never cut."""
    task = ForecastTask.of(rising(), ForecastSpec(**OPTIONS))  # type: ignore[arg-type]
    last = task.series.values[task.starts - 1]
    assert last.max() > task.training_values.max()
    low, high = task.limits.around(last)
    assert ((low < last) & (last < high)).all()
    for arm in CONTROLS:
        evaluation = evaluate_control(arm, task, RIDGE, n_features=20)
        share = evaluation.details["forecast"]["cut_share"]
        assert share == np.mean(evaluation.details["by_start"]["cut"])
        told = [w for w in evaluation.outcome.warnings if "ran away and were cut" in w]
        assert len(told) == (share > 0)
        assert arm != "persistence" or share == 0

    class Runaway:
        def run(self, values: NDArray[np.float64], memory: Any) -> tuple[NDArray[Any], Any]:
            return values * 1e6, None

    evaluation = protocol.forecast_by(Runaway(), task, RIDGE, label=Label())
    assert np.isfinite(evaluation.outcome.metrics["rmse"])


def test_values_that_leave_the_code_are_told_of_arms_that_are_shown_spikes() -> None:
    spec = ForecastSpec(**OPTIONS)  # type: ignore[arg-type]
    task = ForecastTask.of(rising(), spec)
    shown = task.code.encode(task.series.values[None, -50:])[0]
    assert shown.n_events == 0  # the fault that is told: nothing is left of the last values
    for arm in CONTROLS:
        warnings = evaluate_control(arm, task, RIDGE, n_features=20).outcome.warnings
        told = [w for w in warnings if "lie outside its range" in w]
        assert len(told) == (arm in ("input-only", "random-features"))
    told = evaluate_network(small_network(task), task, RIDGE, label=Label()).outcome.warnings
    assert any("lie outside its range" in text for text in told)
    stationary = spec.model_copy(update={"transform": "returns"})
    assert ForecastTask.of(rising(), stationary).warnings == ()
    assert lorenz_task().warnings == ()


# -- transforms --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["none", "difference", "returns", "standardise"])
@pytest.mark.parametrize("target", ["increment", "value"])
def test_a_transform_is_inverted_exactly_and_uses_the_past_alone(kind: Any, target: str) -> None:
    rng = np.random.default_rng(0)
    values = np.exp(np.cumsum(rng.normal(size=(60, 2)), axis=0) / 10)
    transform = Transform.fit(kind, values[:40], target=target, window=7)
    shown, targets = transform.shown(values), transform.targets(values)
    assert shown.shape == values.shape
    for t in (7, 30, 58):
        past = values[None, t + 1 - transform.n_past : t + 1]
        np.testing.assert_allclose(transform.following(past, targets[None, t])[0], values[t + 1], rtol=1e-12)
        np.testing.assert_allclose(transform.last_shown(past)[0], shown[t], rtol=1e-9, atol=1e-12)
        later = values.copy()
        later[t + 1 :] = 1.0
        np.testing.assert_array_equal(transform.shown(later)[: t + 1], shown[: t + 1])
    if kind == "standardise":
        window = values[24:31]
        np.testing.assert_allclose(shown[30], (values[30] - window.mean(axis=0)) / window.std(axis=0), rtol=1e-9)


@pytest.mark.parametrize("kind", ["difference", "returns", "standardise"])
@pytest.mark.parametrize("name", ["input", "nvar", "network"])
def test_a_transformed_free_run_fed_the_truth_is_a_teacher_forced_run(kind: str, name: str) -> None:
    spec = ForecastSpec(**OPTIONS, transform=kind)  # type: ignore[arg-type]
    task = ForecastTask.of(rising(), spec)
    drive = Listening(drive_of(name, task))
    start = protocol._start(drive, task.starts, task)
    said = np.stack([task.transform.targets(task.series.values)[task.starts - 1 + k] for k in range(10)])
    script: Any = Scripted(said)
    found = protocol._free_run(drive, script, start, task, 10)
    np.testing.assert_allclose(found.values, segments(task.series.values, task.starts, 10), rtol=1e-9)
    forced, _ = drive_of(name, task).run(segments(task.shown, task.starts - 50, 59), None)
    np.testing.assert_allclose(np.concatenate(drive.given, axis=1), forced, rtol=1e-4, atol=1e-5)


def test_returns_need_positive_values() -> None:
    values = np.linspace(-1, 5, 400)[:, None] + np.sin(np.arange(400.0))[:, None]
    spec = ForecastSpec(**OPTIONS, transform="returns")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="must not be returns for values that are not positive, such as -1"):
        ForecastTask.of(Series(values, 1.0, "s", ("x",)), spec)


def test_validation_chooses_the_transform_once_for_all_arms() -> None:
    """A price is not forecast by its level, an oscillation that stays in its range is."""
    spec = ForecastSpec(**OPTIONS, transform="auto")  # type: ignore[arg-type]
    assert ForecastTask.of(rising(), spec).spec.transform in ("difference", "returns")
    wave = np.sin(0.3 * np.arange(400.0)) + 0.3 * np.sin(0.11 * np.arange(400.0))
    assert ForecastTask.of(Series(wave[:, None], 1.0, "wave", ("x",)), spec).spec.transform == "none"
    walk = 50 + np.cumsum(np.random.default_rng(5).normal(size=(400, 1)), axis=0)  # in its range while it validates
    assert ForecastTask.of(Series(walk, 1.0, "walk", ("x",)), spec).spec.transform in ("difference", "returns")
    later = rising().values.copy()
    later[200:] = later[200:][::-1]
    assert ForecastTask.of(replace(rising(), values=later), spec).spec == ForecastTask.of(rising(), spec).spec
    for still in (np.arange(400.0), 5 + 0.1 * np.arange(400.0)):  # differences that never change cannot be coded
        assert ForecastTask.of(Series(still[:, None], 1.0, "ramp", ("x",)), spec).spec.transform != "difference"


def test_a_transform_lets_the_code_forecast_a_rising_price() -> None:
    errors = {}
    for kind in ("none", "returns"):
        spec = ForecastSpec(**OPTIONS, transform=kind)  # type: ignore[arg-type]
        task = ForecastTask.of(rising(), spec)
        errors[kind] = evaluate_control("input-only", task, RIDGE, n_features=0).outcome.metrics["rmse"]
        naive = evaluate_control("persistence", task, RIDGE, n_features=0).outcome.metrics["rmse"]
    assert errors["returns"] < errors["none"] < naive


# -- autoregression and seasons ----------------------------------------------------------------------------------------


def autoregression(n: int = 2000) -> Series:
    noise = np.random.default_rng(1).normal(size=n)
    x = np.zeros(n)
    for t in range(2, n):
        x[t] = 1.6 * x[t - 1] - 0.8 * x[t - 2] + noise[t]
    return Series(x[:, None], 1.0, "ar2", ("x",))


@pytest.mark.parametrize("target", ["increment", "value"])
def test_an_autoregressive_process_is_recovered(target: str) -> None:
    """Order 2 and its coefficients, to the two decimals that 1,500 values give."""
    task = ForecastTask.of(autoregression(), ForecastSpec(n_train=1500, n_horizon=10, target=target))  # type: ignore[arg-type]
    assert order_of(task) == 2
    evaluation = evaluate_control("ar", task, RIDGE, n_features=0)
    assert evaluation.readout is not None
    scale = task.training_shown.std()
    weights = evaluation.readout.layers[0][0][:, 0] / evaluation.readout.scale * task.spread / scale
    weights[1] += target == "increment"
    np.testing.assert_allclose(weights, [-0.8, 1.6], atol=0.05)
    one_step = evaluation.outcome.metrics["nrmse_one_step"] * task.spread[0]
    assert one_step == pytest.approx(np.mean(np.abs(np.random.default_rng(1).normal(size=2000))), rel=0.5)


def test_a_pure_season_comes_again_exactly() -> None:
    season = np.random.default_rng(2).normal(size=12)
    series = Series(np.resize(season, 500)[:, None], 1.0, "season", ("x",))
    for said in (0, 12, 24):
        task = ForecastTask.of(series, ForecastSpec(n_train=200, n_horizon=30, period=said))
        assert task.period == (said or 12)
        evaluation = evaluate_control("seasonal-naive", task, RIDGE, n_features=0)
        assert evaluation.outcome.metrics["rmse"] == 0
        assert evaluation.details["period"] == task.period


@pytest.mark.parametrize("period", [4, 7, 24, 52])
def test_a_season_is_found_under_trend_and_noise(period: int) -> None:
    t = np.arange(400.0)
    rng = np.random.default_rng(period)
    wave = np.sin(2 * np.pi * t / period) + 0.5 * np.cos(4 * np.pi * t / period)
    assert period_of((wave + 0.02 * t + 0.3 * rng.normal(size=400))[:, None]) == period


def test_without_a_season_the_last_value_is_repeated_and_that_is_told() -> None:
    walk = np.cumsum(np.random.default_rng(0).normal(size=(600, 1)), axis=0)
    task = ForecastTask.of(Series(walk, 1.0, "walk", ("x",)), ForecastSpec(n_train=300, n_horizon=10))
    assert task.period == 0
    found = {arm: evaluate_control(arm, task, RIDGE, n_features=0) for arm in ("seasonal-naive", "persistence")}
    assert found["seasonal-naive"].outcome.metrics == found["persistence"].outcome.metrics
    assert "no season was found" in found["seasonal-naive"].outcome.warnings[0]
    assert period_of(np.ones((50, 1))) == 0
    assert period_of(np.random.default_rng(1).normal(size=(300, 2))) == 0


# -- penalties ---------------------------------------------------------------------------------------------------------


def test_starts_follow_the_training_part_and_do_not_overlap() -> None:
    task = lorenz_task()
    assert task.starts[0] == 100
    assert np.diff(task.starts).min() >= task.spec.n_horizon
    assert task.starts[-1] + task.spec.n_horizon == task.series.n_steps == task.spec.n_values


@pytest.mark.parametrize("arm", ["network", "input-only", "random-features", "esn-100", "nvar"])
def test_the_readout_has_not_seen_the_test_part(arm: str) -> None:
    task = lorenz_task()
    other = task.series.values.copy()
    other[100:] = other[100:][::-1]
    tasks = [task, ForecastTask.of(replace(task.series, values=other), task.spec)]
    fitted = []
    for one in tasks:
        if arm == "network":
            evaluation = evaluate_network(small_network(one), one, RIDGE, label=Label())
        else:
            evaluation = evaluate_control(arm, one, RIDGE, n_features=20)
        assert evaluation.readout is not None
        fitted.append((evaluation.readout.layers, evaluation.details["readout"]))
    for (weight, offset), (other_weight, other_offset) in zip(fitted[0][0], fitted[1][0], strict=True):
        np.testing.assert_array_equal(weight, other_weight)
        np.testing.assert_array_equal(offset, other_offset)
    assert fitted[0][1] == fitted[1][1]


def test_poisson_spikes_are_reproducible_and_alternatives_do_not_disturb_each_other() -> None:
    task = lorenz_task(poisson=True)
    network = small_network(task)

    def scores(*penalties: float) -> tuple[dict[float, float], dict[str, Any]]:
        spec = RIDGE.model_copy(update={"regularisation": list(penalties)})
        evaluation = evaluate_network(network, task, spec, label=Label(seed=3))
        tried = evaluation.details["readout"]["tried"]
        return {t["regularisation"]: t["validation_score"] for t in tried}, evaluation.outcome.metrics

    first, metrics = scores(1e-3, 1e-1)
    assert scores(1e-3, 1e-1) == (first, metrics)
    assert scores(1e-1, 1e-3)[0] == pytest.approx(first)


def test_details_and_costs_of_a_network() -> None:
    task = lorenz_task()
    network = small_network(task)
    evaluation = evaluate_network(network, task, RIDGE, label=Label("HeNHeS", seed=1))
    json.dumps({k: v for k, v in evaluation.details.items() if k != "rate_hz"}, allow_nan=False)
    drawn = evaluation.details["forecast"]
    assert drawn["truth"] == task.series.values[100:110].tolist()
    assert np.shape(drawn["prediction"]) == (10, 3)
    assert drawn["variable_names"] == ["x", "y", "z"]
    assert len(drawn["vpt_lyapunov_by_start"]) == 4
    assert {len(v) for v in evaluation.details["by_start"].values()} == {4}
    costs = evaluation.outcome.costs
    # per value: spikes while it is held, and one application of 40 weights times 3 outputs
    assert costs["spikes_per_sample"] == pytest.approx(evaluation.details["rate_hz"].sum() * 20 / 1000)
    assert costs["synops_readout"] == 40 * 3
    synops = costs["synops_input"] + costs["synops_recurrent"] + costs["synops_readout"]
    assert costs["energy_pj"]["loihi"] == pytest.approx(23.6 * synops)
    spikes_in = task.code.rates_hz(task.series.values).sum(axis=1).mean() * 20 / 1000
    degree = len(network.inputs) / task.n_inputs
    assert costs["synops_input"] == pytest.approx(spikes_in * degree, rel=0.2)


def test_a_horizon_of_one_value() -> None:
    task = lorenz_task(n_horizon=1)
    evaluation = evaluate_network(small_network(task), task, RIDGE, label=Label())
    metrics = evaluation.outcome.metrics
    assert metrics["nrmse_one_step"] == pytest.approx(metrics["nrmse"])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"n_steps": 105}, "n_train \\+ n_horizon"),
        (
            {"n_washout": 95},
            "n_washout.* must leave 10 values to fit of n_train = 100, whose last 20 validate.* 0, got 95",
        ),
        ({"n_washout": 70}, "it leaves 9, got 70"),
        ({"n_warmup": 81}, "n_warmup"),
        ({"n_train": 19, "n_washout": 0}, "n_train.*must be >= 20"),
        ({"period": 101}, "period"),
    ],
)
def test_a_protocol_that_does_not_fit_the_series_is_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        lorenz_task(**options)


@settings(deadline=None)
@given(n_steps=st.integers(1, 30_000), horizon=st.integers(0, 40), starts=st.integers(0, 30))
def test_sizes_follow_from_the_length_of_a_series(n_steps: int, horizon: int, starts: int) -> None:
    """Any length gives a protocol with room to fit, validate and test, or one sentence."""
    spec = ForecastSpec.model_validate({**OWN_SERIES, "n_horizon": horizon, "n_starts": starts})
    try:
        fitted = spec.fitted_to(n_steps)
    except InputError:
        assert n_steps < 35 + 2 * horizon
        return
    assert fitted.n_train + fitted.n_horizon <= n_steps
    assert fitted.n_fit - 1 - fitted.n_washout >= 10
    assert 1 <= fitted.n_warmup <= fitted.n_fit
    assert fitted.n_horizon == (horizon or min(100, max(1, n_steps // 20)))
    assert fitted.n_starts == (starts or 20)
    assert fitted.fitted_to(n_steps) == fitted


@pytest.mark.parametrize("n", [40, 64, 200])
def test_short_series_of_ones_own_are_forecast(n: int) -> None:
    t = np.arange(float(n))
    series = Series((np.sin(0.2 * t) + 0.3 * np.sin(0.07 * t))[:, None], 1.0, "tide", ("level",))
    task = ForecastTask.of(series, ForecastSpec.model_validate(OWN_SERIES))
    for arm in CONTROLS:
        assert np.isfinite(evaluate_control(arm, task, RIDGE, n_features=10).outcome.metrics["rmse"])


def test_an_unknown_control_is_refused() -> None:
    with pytest.raises(InputError, match=r"must be among untrained.*esn-100"):
        evaluate_control("esn", lorenz_task(), RIDGE, n_features=1)


def test_a_forecast_has_no_end_to_look_at() -> None:
    spec = ReadoutSpec(last_ms=20.0)
    with pytest.raises(InputError, match="`last_ms` of `ReadoutSpec` must be 0 for a forecast, which reads filtered"):
        evaluate_control("nvar", lorenz_task(), spec, n_features=0)
    spec = ReadoutSpec(augment=Copies(n_copies=1, drop_share=0.1))
    with pytest.raises(InputError, match=r"`augment.n_copies` of `ReadoutSpec` must be 0 for a forecast"):
        evaluate_control("nvar", lorenz_task(), spec, n_features=0)


def test_hidden_variables_are_neither_shown_nor_scored() -> None:
    """The task of x alone is that of a series that holds nothing else, with the exponent of the system."""
    series = chaos.lorenz63(1200, dt=0.025)
    spec = ForecastSpec(n_train=300, n_horizon=20, n_starts=3)
    task = ForecastTask.of(series, spec.model_copy(update={"variables": ["z", "x"]}))
    np.testing.assert_array_equal(task.series.values, series.values[:, [2, 0]])
    assert task.series.variable_names == ("z", "x")
    assert task.series.lyapunov_exponent == series.lyapunov_exponent
    assert (task.n_inputs, task.limits.low.size) == (2 * spec.n_per_variable, 2)
    for variables, message in (
        (["w"], r"`variables` of `lorenz63` must be among x, y, z, got w"),
        (["x", "x"], r"`variables` of `lorenz63` must differ, got \['x', 'x'\]"),
    ):
        with pytest.raises(InputError, match=message):
            ForecastTask.of(series, spec.model_copy(update={"variables": variables}))
