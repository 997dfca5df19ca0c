"""Plans, units and what all units say together, on outcomes made by hand."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hrsnn import experiments
from hrsnn.config import Config, from_tables
from hrsnn.evaluation import Label
from hrsnn.experiments import plan, run_unit
from hrsnn.metrics import interval_of_positive, paired_interval
from hrsnn.outcome import Outcome
from hrsnn.progress import ProgressEvent
from hrsnn.summary import summarise
from hrsnn.work.unit import Unit
from small_tasks import events_file, splits


def config(
    path: Path | None = None,
    learn: bool = True,
    readout: dict[str, Any] | None = None,
    prune: dict[str, Any] | None = None,
    **task: Any,
) -> Config:
    inputs = {"subset_share": 1.0, "p_connect": 0.3, "weight_excitatory": 2.0}
    tables = {
        "task": {"n_seeds": 2, **({"name": "mine", "path": str(path)} if path else {}), **task},
        "network": {"n_neurons": 30, "n_inputs": 8, "dt_ms": 1.0},
        "input": inputs,
        "readout": {"n_bins": [2], "regularisation": [0.1], **(readout or {})},
    }
    stages = {**({"learn": {}} if learn else {}), **({} if prune is None else {"prune": prune})}
    return from_tables({**tables, **stages})


# -- plan --------------------------------------------------------------------------------------------------------------


def test_plan_goes_seed_by_seed_arms_first() -> None:
    units = plan(config(arms=["HoNHoS", "HeNHeS"], seed=3))
    assert [u.name for u in units[:6]] == [
        "HoNHoS-s3", "HeNHeS-s3", "HeNHeS-s3-control-untrained", "HeNHeS-s3-control-no-recurrence", "InputOnly-s3",
        "RandomFeatures-s3",
    ]  # fmt: skip
    assert units[6:] == [replace(u, seed=4) for u in units[:6]]
    assert [Label.of(u).stage for u in units[:6]] == [*["trained"] * 2, *["control"] * 2, *["trained"] * 2]


def test_without_learning_there_is_no_untrained_control() -> None:
    names = [u.name for u in plan(config(learn=False, arms=["HeNHeS"], n_seeds=1))]
    assert names == ["HeNHeS-s0", "HeNHeS-s0-control-no-recurrence", "InputOnly-s0", "RandomFeatures-s0"]


def test_a_name_that_stands_twice_is_done_once() -> None:
    units = plan(config(arms=["HeNHeS", "HeNHeS"], controls=["input-only", "input-only"], n_seeds=1))
    assert [u.name for u in units] == ["HeNHeS-s0", "InputOnly-s0"]


def test_the_last_arm_is_pruned_once_by_every_method() -> None:
    units = plan(config(arms=["HoNHoS", "HeNHeS"], controls=[], n_seeds=2, prune={"methods": ["lnp", "uniform"]}))
    assert [u.name for u in units] == [
        "HoNHoS-s0", "HeNHeS-s0", "HeNHeS-s0-pruned-lnp", "HeNHeS-s0-pruned-uniform",
        "HoNHoS-s1", "HeNHeS-s1", "HeNHeS-s1-pruned-lnp", "HeNHeS-s1-pruned-uniform",
    ]  # fmt: skip
    assert {Label.of(u).stage for u in units if u.options} == {"pruned"}


# -- summary of outcomes made by hand ----------------------------------------------------------------------------------


def result(
    arm: str, seed: int, right: Sequence[int], method: str | None = None, *, pruned: bool = False, **details: Any
) -> Any:
    """An outcome with its details: which of the test recordings were right."""
    stage: Any = "pruned" if pruned else "control" if method else "trained"
    accuracy = float(np.mean(right))
    costs = {"synops_input": 10.0 * seed, "energy_pj": {"x": 1.0 + seed}}
    outcome = Outcome(arm, stage, method, seed, {"accuracy": accuracy}, costs, {"n_neurons": 1}, wall_s=0.0)
    labels = [0] * len(right)
    return outcome, {"labels": labels, "predictions": [1 - r for r in right], **details}


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(experiments.tasks, "shared_task", lambda spec, data_dir: splits())


ARMS = ["HoNHoS", "HeNHoS", "HoNHeS", "HeNHeS"]


@pytest.mark.usefixtures("small")
def test_means_deviations_and_intervals_over_seeds() -> None:
    rows = [[1, 1, 0, 0], [1, 1, 1, 0], [1, 1, 1, 1]]  # 0.5, 0.75, 1
    found = summarise(config(arms=["HeNHeS"]), [result("HeNHeS", seed, row) for seed, row in enumerate(rows)])
    (summary,) = found["summary"]
    assert (summary["arm"], summary["stage"], summary["method"], summary["n_seeds"]) == ("HeNHeS", "trained", None, 3)
    accuracy = summary["metrics"]["accuracy"]
    assert (accuracy["mean"], accuracy["sd"]) == (0.75, 0.25)
    assert accuracy["ci95"] == paired_interval(np.array(rows))  # over seeds and recordings, within [0, 1]
    assert summary["costs"]["synops_input"]["mean"] == 10.0
    assert summary["costs"]["synops_input"]["sd"] == 10.0
    assert summary["costs"]["synops_input"]["ci95"] == interval_of_positive([0.0, 10.0, 20.0])
    assert summary["costs"]["energy_pj"]["x"]["mean"] == 2.0
    assert found["comparisons"] == []


@pytest.mark.usefixtures("small")
def test_comparisons_are_paired_by_seed_and_recording() -> None:
    rng = np.random.default_rng(0)
    right = {(arm, seed): rng.integers(0, 2, 20).tolist() for arm in (*ARMS, "InputOnly") for seed in (0, 1, 2)}
    results = [result(arm, seed, row) for (arm, seed), row in right.items() if (arm, seed) != ("InputOnly", 2)]
    results.append(result("HeNHeS", 0, [0] * 20, method="untrained"))
    rng.shuffle(results)  # type: ignore[arg-type]
    found = summarise(config(arms=ARMS), results)
    pairs = [(c["a"], c["b"]) for c in found["comparisons"]]
    assert pairs == [
        ("HeNHeS", "HeNHeS/control/untrained"), ("HeNHeS", "HeNHoS"), ("HeNHeS", "HoNHeS"), ("HeNHeS", "HoNHoS"),
        ("HeNHeS", "InputOnly"), ("HeNHoS", "HoNHoS"), ("HoNHeS", "HoNHoS"),
    ]  # fmt: skip
    by_pair = dict(zip(pairs, found["comparisons"], strict=True))
    for a, b, seeds in (("HeNHeS", "HoNHoS", 3), ("HeNHeS", "InputOnly", 2), ("HoNHeS", "HoNHoS", 3)):
        difference = np.array([np.subtract(right[a, s], right[b, s]) for s in range(seeds)], dtype=float)
        c = by_pair[a, b]
        assert (c["metric"], c["diff"], c["n_pairs"]) == ("accuracy", pytest.approx(difference.mean()), seeds)
        assert c["ci95"] == paired_interval(difference)
    one = by_pair["HeNHeS", "HeNHeS/control/untrained"]
    assert (one["n_pairs"], one["ci95"]) == (1, None)  # one seed says nothing about seeds
    assert one["diff"] == np.mean(right["HeNHeS", 0])
    order = [(o["arm"], o["stage"], o["method"] or "", o["seed"]) for o in found["outcomes"]]
    assert order == sorted(order)
    json.dumps(found, allow_nan=False)


@pytest.mark.usefixtures("small")
def test_pruned_networks_are_compared_with_the_dense_one_the_bare_one_and_the_first_with_the_others() -> None:
    rng = np.random.default_rng(0)
    results = [result("HeNHeS", seed, rng.integers(0, 2, 20).tolist()) for seed in (0, 1)]
    results += [result("HeNHeS", seed, [0] * 20, method="no-recurrence") for seed in (0, 1)]
    for method in ("uniform", "lnp", "random"):
        results += [
            result("HeNHeS", seed, rng.integers(0, 2, 20).tolist(), method=method, pruned=True) for seed in (0, 1)
        ]
    found = summarise(config(arms=["HeNHeS"], prune={"methods": ["lnp", "uniform", "random"]}), results)
    none, lnp, uniform, random = "control/no-recurrence", "pruned/lnp", "pruned/uniform", "pruned/random"
    pairs = [(c["a"].removeprefix("HeNHeS/"), c["b"].removeprefix("HeNHeS/")) for c in found["comparisons"]]
    assert pairs == [
        ("HeNHeS", none), (lnp, "HeNHeS"), (uniform, "HeNHeS"), (random, "HeNHeS"), (lnp, none), (uniform, none),
        (random, none), (lnp, uniform), (lnp, random),
    ]  # fmt: skip
    by_pair = dict(zip(pairs, found["comparisons"], strict=True))
    means = {s["method"]: s["metrics"]["accuracy"]["mean"] for s in found["summary"]}
    for a, b in ((lnp, "HeNHeS"), (lnp, uniform)):
        expected = means[a.partition("/")[2]] - means[b.partition("/")[2] or None]
        assert by_pair[a, b]["diff"] == pytest.approx(expected)
        assert by_pair[a, b]["n_pairs"] == 2


@pytest.mark.usefixtures("small")
def test_seen_and_unseen_speakers_are_compared_apart() -> None:
    who = {"seen": [True, True, False, False], "unseen": [False, False, False, True]}
    results = [result("HoNHoS", s, [0, 0, 0, 0], **who) for s in (0, 1)]
    results += [result("HeNHeS", s, [1, 0, 1, 1], **who) for s in (0, 1)]
    found = {c["metric"]: c["diff"] for c in summarise(config(arms=["HoNHoS", "HeNHeS"]), results)["comparisons"]}
    assert found == {"accuracy": 0.75, "accuracy_seen": 0.5, "accuracy_unseen": 1.0}


@pytest.mark.usefixtures("small")
def test_forecasts_are_compared_by_start_and_a_failed_one_is_null() -> None:
    def forecast(arm: str, seed: int, rmse: list[float | None]) -> Any:
        outcome = Outcome(arm, "trained", None, seed, {"rmse": None}, {}, {}, wall_s=0.0)
        return outcome, {"by_start": {"rmse": rmse, "vpt_steps": [3.0, 5.0], "smape": [0.0, 0.0]}}

    results = [forecast("HeNHeS", s, [1.0, None]) for s in (0, 1)] + [forecast("HoNHoS", s, [1.0, 2.0]) for s in (0, 1)]
    found = summarise(config(arms=["HoNHoS", "HeNHeS"]), results)
    by_metric = {c["metric"]: c for c in found["comparisons"]}
    assert set(by_metric) == {"vpt_steps", "rmse"}
    assert (by_metric["rmse"]["diff"], by_metric["rmse"]["ci95"]) == (None, None)
    assert (by_metric["vpt_steps"]["diff"], by_metric["vpt_steps"]["ci95"]) == (0.0, [0.0, 0.0])
    assert found["summary"][0]["metrics"]["rmse"] == {"mean": None, "sd": None, "ci95": None}
    json.dumps(found, allow_nan=False)


def forecast_result(arm: str, seed: int, rmse: Sequence[float], cut: Sequence[float] = (), **metrics: Any) -> Any:
    values = {"rmse": float(np.mean(rmse)), **{name: float(np.mean(v)) for name, v in metrics.items()}}
    outcome = Outcome(arm, "trained", None, seed, values, {}, {}, wall_s=0.0)
    return outcome, {"by_start": {"rmse": list(rmse), "cut": list(cut) or [0.0] * len(rmse), **metrics}}


@pytest.mark.usefixtures("small")
@given(st.lists(st.lists(st.floats(0, 1e6), min_size=3, max_size=3), min_size=2, max_size=6))
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_intervals_stay_where_their_metric_can_be(rows: list[list[float]]) -> None:
    """Errors above zero, shares in [0, 1], prediction times up to the horizon, whatever the values; the mean inside."""
    errors = [forecast_result("HeNHeS", s, row, vpt_steps=[min(v, 20.0) for v in row]) for s, row in enumerate(rows)]
    right = [result("HeNHeS", s, [int(v > 5) for v in row]) for s, row in enumerate(rows)]
    costs = {"activation_sparsity": 1.0}
    for results in (errors, right):
        results = [(replace(o, costs={**costs, "synops_input": o.metrics.get("rmse", 1.0)}), d) for o, d in results]
        (summary,) = summarise(config(arms=["HeNHeS"], n_seeds=len(rows)), results)["summary"]
        top = {"accuracy": 1.0, "vpt_steps": 20.0, "activation_sparsity": 1.0}
        for name, entry in [*summary["metrics"].items(), *summary["costs"].items()]:
            low, high = entry["ci95"]
            slack = 1e-9 * entry["mean"]
            assert 0 <= low <= entry["mean"] + slack
            assert entry["mean"] - slack <= high <= top.get(name, np.inf)


@pytest.mark.usefixtures("small")
def test_tables_and_comparisons_use_the_same_statistic() -> None:
    """The difference is that of the means in the table, for every score that is compared."""
    rng = np.random.default_rng(0)
    names = ("nrmse", "nrmse_one_step", "vpt_steps", "vpt_lyapunov", "vpt_lyapunov_04")
    results = [
        forecast_result(arm, s, rng.gamma(1.0, size=7).tolist(), **{n: rng.gamma(1.0, size=7).tolist() for n in names})
        for arm in ("HoNHoS", "HeNHeS") for s in (0, 1, 2)
    ]  # fmt: skip
    found = summarise(config(arms=["HoNHoS", "HeNHeS"]), results)
    means = {s["arm"]: {name: e["mean"] for name, e in s["metrics"].items()} for s in found["summary"]}
    assert {c["metric"] for c in found["comparisons"]} == {"rmse", *names}
    for c in found["comparisons"]:
        assert c["diff"] == pytest.approx(means[c["a"]][c["metric"]] - means[c["b"]][c["metric"]])


@pytest.mark.usefixtures("small")
def test_limits_of_forecasts_decide_no_comparison() -> None:
    """What ran away and was cut cannot win by that; it can lose."""
    better, worse = [0.5, 0.4, 0.6], [1.0, 1.0, 1.1]

    def interval(cut_a: Sequence[float], cut_b: Sequence[float]) -> list[float]:
        results = [forecast_result("HeNHeS", s, better, cut_a) for s in (0, 1, 2)]
        results += [forecast_result("HoNHoS", s, worse, cut_b) for s in (0, 1, 2)]
        (c,) = summarise(config(arms=["HoNHoS", "HeNHeS"]), results)["comparisons"]
        assert c["diff"] == pytest.approx(np.mean(better) - np.mean(worse))
        return list(c["ci95"])

    plain = interval([0, 0, 0], [0, 0, 0])
    assert plain[1] < 0
    assert interval([0, 0, 0], [0.5, 0.5, 0.5]) == plain
    assert interval([0.5, 0.2, 0.1], [0, 0, 0]) == [plain[0], 0.0]
    low, high = interval([0, 0.2, 0], [0, 0, 0])
    assert low == plain[0]
    assert plain[1] < high < 0 or high == 0


@pytest.mark.usefixtures("small")
def test_a_network_is_not_compared_with_itself() -> None:
    def of(arm: str, seed: int, digest: str, right: list[int]) -> Any:
        outcome, details = result(arm, seed, right)
        return replace(outcome, network={"hash": digest}), details

    same = [of(arm, s, f"{s}", [1, 0]) for arm in ("HoNHoS", "HeNHeS") for s in (0, 1)]
    assert summarise(config(arms=["HoNHoS", "HeNHeS"]), same)["comparisons"] == []
    one = [of(arm, s, "0" if s else arm, [1, 0]) for arm in ("HoNHoS", "HeNHeS") for s in (0, 1)]
    assert len(summarise(config(arms=["HoNHoS", "HeNHeS"]), one)["comparisons"]) == 1


# -- units -------------------------------------------------------------------------------------------------------------


def numbers(unit_result: Any) -> Any:
    """All but the time it took."""
    return replace(unit_result.outcome, wall_s=0.0), unit_result.details, unit_result.network, unit_result.readout


@pytest.mark.parametrize("name", ["arm", "untrained", "no-recurrence", "InputOnly", "RandomFeatures"])
def test_a_unit_depends_on_config_and_unit_alone(tmp_path: Path, name: str) -> None:
    c = config(events_file(tmp_path / "e.npz"), arms=["HeNHeS"], n_seeds=1)
    (unit,) = [u for u in plan(c) if name in (u.kind, *u.options) or (name == "arm" and u == Unit("HeNHeS", 0))]
    events: list[ProgressEvent] = []
    first = run_unit(c, unit, progress=events.append)
    experiments.tasks._shared.cache_clear()
    run_unit(c, Unit("InputOnly", 5))  # something else before
    assert numbers(run_unit(c, unit)) == numbers(first)
    json.dumps([first.outcome.to_dict(), first.details], allow_nan=False)  # plain values all through
    assert first.outcome.label == ("/".join([unit.kind, *unit.options]))
    assert (first.network is None) == (name in ("InputOnly", "RandomFeatures"))
    assert ("raster" in first.details) == (name == "arm")
    phases = {event.phase for event in events}
    assert ("learning" in phases) == (name in ("arm", "no-recurrence"))
    if name == "no-recurrence":
        assert first.outcome.network["n_recurrent_synapses"] == 0
    if name == "untrained":
        histograms = first.details["histograms"]
        assert histograms["weight_input_before"] == histograms["weight_input_after"]
    if name == "arm":
        assert first.network is not None
        assert "learned by STDP on 24 recordings" in first.network.provenance["history"]
        histogram = first.details["histograms"]["weight_recurrent_after"]
        assert sum(histogram["counts"]) == len(first.network.recurrent)
        assert max(first.details["raster"]["unit"]) < 30


METHODS = ["lnp", "activity", "random", "magnitude", "weight-proportional", "uniform", "regrowth"]


def test_pruned_units_have_one_size_and_depend_on_config_and_unit_alone(tmp_path: Path) -> None:
    prune = {"methods": METHODS, "keep_synapses": 0.2, "lnp": {"timescales": False}}
    c = config(events_file(tmp_path / "e.npz"), arms=["HeNHeS"], controls=[], n_seeds=1, prune=prune)
    dense = run_unit(c, Unit("HeNHeS", 0))
    n_dense = dense.outcome.network["n_recurrent_synapses"]
    units = [unit for unit in plan(c) if "pruned" in unit.options]
    assert [unit.options[1] for unit in units] == METHODS
    for method, unit in zip(METHODS, units, strict=True):
        events: list[ProgressEvent] = []
        found = run_unit(c, unit, progress=events.append)
        assert numbers(run_unit(c, unit)) == numbers(found)
        assert found.outcome.network["n_recurrent_synapses"] == round(0.2 * n_dense)
        assert found.outcome.network["n_neurons"] == 30
        assert found.outcome.label == f"HeNHeS/pruned/{method}"
        course = found.details["pruning"]
        assert course["n_synapses"] == [n_dense, round(0.2 * n_dense)]
        assert course["stopped"] is None
        on_data = course["on_data"]
        assert on_data["ratio"] == pytest.approx(on_data["pruned_rate_hz"] / on_data["dense_rate_hz"])
        too_far = [w for w in found.outcome.warnings if "as much as the dense one on the data" in w]
        assert bool(too_far) == (not 0.67 <= on_data["ratio"] <= 1.5)
        assert [e.done for e in events if e.phase == "pruning"] == [0, 1]
        assert found.network is not None
        history = found.network.provenance["history"]
        assert history[-2] == f"iteration 1 of 1 by {method} ended, seed 0"
        n_cut = next(k for k, line in enumerate(history) if line.startswith(f"pruned by {method}"))
        learned = [line.startswith("learned by STDP") for line in history]
        assert sum(learned[n_cut:]) == 1  # all alike after the cut
        assert learned[-1]
        assert sum(learned[:n_cut]) == (method == "activity")
        json.dumps([found.outcome.to_dict(), found.details], allow_nan=False)


def test_activity_pruning_alone_sees_the_training_part(tmp_path: Path) -> None:
    """With other recordings to train on, networks of the other methods are the same until they learn."""
    hashes: dict[str, set[str]] = {}
    for seed in (0, 1):
        path = tmp_path / f"{seed}.npz"
        events_file(path, n=40 - 20 * seed)
        for method in ("uniform", "activity"):
            prune = {"methods": [method], "keep_synapses": 0.5, "correct": False}
            c = config(path, learn=False, arms=["HeNHeS"], n_seeds=1, prune=prune)
            network = run_unit(c, Unit("HeNHeS", 0, ("pruned", method))).network
            assert network is not None
            hashes.setdefault(method, set()).add(network.hash)
    assert (len(hashes["uniform"]), len(hashes["activity"])) == (1, 2)


def test_seeds_differ_in_network_and_learning(tmp_path: Path) -> None:
    c = config(events_file(tmp_path / "e.npz"), arms=["HeNHeS"])
    hashes = {run_unit(c, Unit("HeNHeS", seed)).outcome.network["hash"] for seed in (0, 1)}
    assert len(hashes) == 2


def test_units_sort_by_name() -> None:
    assert sorted([Unit("B", 0), Unit("A", 1)])[0].kind == "A"
