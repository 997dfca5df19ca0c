"""Shapley values of heterogeneity: the axioms, the definition over all orders, and one small network."""

from __future__ import annotations

import builtins
import itertools
import json
import math
import multiprocessing
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from hrsnn._checks import InputError, MissingExtraError
from hrsnn.analysis.importance import GROUPS, Group, Importance, importance, with_homogeneous
from hrsnn.distributions import Constant, Gamma
from hrsnn.engine import simulate_stdp
from hrsnn.metrics import interval_of_mean
from hrsnn.randomness import stream
from hrsnn.spec import NetworkSpec
from hrsnn.spikes import Spikes
from hrsnn.wiring import build

SPEC = NetworkSpec(n_inputs=6, n_neurons=20)

LAWS = tuple(
    Group(name, (name,))
    for name in (
        "excitatory.tau_mem_ms", "inhibitory.tau_mem_ms", "excitatory.v_th", "inhibitory.v_th",
        "plasticity.a_plus", "plasticity.a_minus", "plasticity.tau_plus_ms", "plasticity.tau_minus_ms",
    )
)  # fmt: skip

Game = Callable[[NDArray[np.bool_], int], float]


def coalition(spec: NetworkSpec, groups: tuple[Group, ...] = GROUPS) -> NDArray[np.bool_]:
    """Which groups are heterogeneous, seen from the spec alone."""
    found = []
    for group in groups:
        table, law = group.laws[0].split(".")
        found.append(not isinstance(getattr(getattr(spec, table), law), Constant))
    return np.array(found)


def played(game: Game, groups: tuple[Group, ...] = GROUPS, **arguments: Any) -> Importance:
    return importance(
        SPEC,
        lambda spec, seed: {"v": game(coalition(spec, groups), seed)},
        groups=groups,
        **{"seeds": [0], **arguments},
    )


def random_game(members: NDArray[np.bool_], seed: int) -> float:
    return float(np.random.default_rng([seed, *members.astype(int)]).normal())


def over_all_orders(game: Game, n: int, seed: int) -> NDArray[np.float64]:
    """The definition: what each player adds when it comes, averaged over all orders of coming."""
    total = np.zeros(n)
    for order in itertools.permutations(range(n)):
        members = np.zeros(n, dtype=bool)
        before = game(members, seed)
        for player in order:
            members[player] = True
            after = game(members, seed)
            total[player] += after - before
            before = after
    return total / math.factorial(n)


# -- the game --------------------------------------------------------------------------------------------------------


def test_coalitions_are_specs_at_means() -> None:
    everything = with_homogeneous(SPEC, GROUPS)
    assert everything == SPEC.homogenised(neurons=True, synapses=True)
    assert with_homogeneous(SPEC, GROUPS[:2]) == SPEC.arm("HoNHeS")
    assert with_homogeneous(SPEC, GROUPS[2:]) == SPEC.arm("HeNHoS")
    assert with_homogeneous(SPEC, ()) == SPEC
    only_v_th = with_homogeneous(SPEC, [GROUPS[1]])
    assert only_v_th.excitatory.v_th == Constant(1.0)
    assert only_v_th.excitatory.tau_mem_ms == SPEC.excitatory.tau_mem_ms
    assert only_v_th.cluster_tau_ratio == SPEC.cluster_tau_ratio


def test_matched_networks_share_everything_else() -> None:
    """The same wiring, weights and first potentials under the same seed, so that differences are paired."""
    one, other = build(SPEC, seed=3), build(with_homogeneous(SPEC, [GROUPS[0], GROUPS[3]]), seed=3)
    assert np.array_equal(one.recurrent.post, other.recurrent.post)
    assert np.array_equal(one.recurrent.weight, other.recurrent.weight)
    for name in ("v_th", "v_init", "sign"):
        assert np.array_equal(getattr(one.neurons, name), getattr(other.neurons, name))
    assert np.ptp(other.neurons.tau_mem_ms[other.neurons.sign > 0]) == 0 < np.ptp(one.neurons.tau_mem_ms)
    assert np.ptp(other.recurrent.tau_plus_ms) == 0 < np.ptp(one.recurrent.tau_plus_ms)
    assert np.array_equal(one.recurrent.a_plus, other.recurrent.a_plus)


# -- axioms ----------------------------------------------------------------------------------------------------------


def test_values_are_means_over_all_orders() -> None:
    found = played(random_game, seeds=[0, 5, 7])
    for s, seed in enumerate([0, 5, 7]):
        np.testing.assert_allclose(found.shapley[s, :, 0], over_all_orders(random_game, 4, seed), atol=1e-12)


def test_values_share_out_what_heterogeneity_does() -> None:
    """Efficiency: they sum to v(all) - v(none)."""
    found = played(random_game, seeds=range(4))
    assert found.exact
    assert found.coalitions.shape == (16, 4)
    assert not found.coalitions[0].any()
    assert found.coalitions[-1].all()
    np.testing.assert_allclose(found.shapley.sum(axis=1), found.values[:, -1] - found.values[:, 0], atol=1e-12)
    for row, members in enumerate(found.coalitions):
        assert found.values[2, row, 0] == random_game(members, 2)


def test_an_additive_game_gives_its_terms() -> None:
    terms = np.array([2.0, -1.0, 0.5, 0.0])
    found = played(lambda members, seed: float(members @ terms) + 10 * seed, seeds=[0, 1])
    np.testing.assert_allclose(found.shapley[:, :, 0], [terms, terms], atol=1e-12)


def test_players_with_the_same_part_get_the_same() -> None:
    """Glove game: tau_mem pairs with v_th or a; v_th and a are alike, tau_stdp does nothing."""
    found = played(lambda members, seed: float(members[0] & (members[1] | members[2])))
    np.testing.assert_allclose(found.shapley[0, :, 0], [2 / 3, 1 / 6, 1 / 6, 0], atol=1e-12)


def test_a_law_that_is_constant_anyway_matters_nothing() -> None:
    spec = SPEC.model_copy(update={"excitatory": SPEC.excitatory.model_copy(update={"v_th": Constant(1.0)})})
    spec = spec.model_copy(update={"inhibitory": spec.inhibitory.model_copy(update={"v_th": Constant(1.0)})})
    found = importance(spec, lambda s, seed: {"v": random_game(coalition(s), seed)}, seeds=[0])
    assert found.of("v_th", "v")[0] == pytest.approx(0, abs=1e-12)
    assert abs(found.of("tau_mem", "v")[0]) > 0.01


# -- approximation ---------------------------------------------------------------------------------------------------


def test_with_a_budget_only_so_many_coalitions_are_evaluated() -> None:
    terms = np.arange(8.0)
    calls: list[int] = []

    def game(members: NDArray[np.bool_], seed: int) -> float:
        calls.append(seed)
        return float(members @ terms)

    found = played(game, LAWS, seeds=[0, 1], budget=60)
    assert not found.exact
    assert len(found.coalitions) == 60
    assert sorted(calls) == [0] * 60 + [1] * 60
    np.testing.assert_allclose(found.shapley[:, :, 0], [terms, terms], atol=1e-5)


def test_an_approximation_is_near_and_shares_out_all() -> None:
    def game(members: NDArray[np.bool_], seed: int) -> float:
        return float(members.sum() + members[0] * members[1] - 2 * members[2] * members[3] * members[7])

    found, exact = played(game, LAWS, budget=120), played(game, LAWS)
    np.testing.assert_allclose(exact.shapley[0, :, 0], [1.5, 1.5, 1 / 3, 1 / 3, 1, 1, 1, 1 / 3], atol=1e-12)
    np.testing.assert_allclose(found.shapley, exact.shapley, atol=0.25)  # 0.17 with these draws of coalitions
    assert found.shapley.sum() == pytest.approx(7, abs=1e-5)


def test_a_budget_for_everything_is_exact() -> None:
    assert played(random_game, budget=16).exact
    assert not played(random_game, budget=12).exact


# -- evaluation ------------------------------------------------------------------------------------------------------


def test_one_call_serves_all_quantities() -> None:
    calls: list[tuple[tuple[bool, ...], int]] = []

    def value(spec: NetworkSpec, seed: int) -> Mapping[str, float]:
        members = coalition(spec)
        calls.append((tuple(members), seed))
        return {"first": random_game(members, seed), "second": float(members.sum()), "third": 7}

    found = importance(SPEC, value, seeds=[4, 9])
    assert len(calls) == len(set(calls)) == 32
    assert found.quantities == ("first", "second", "third")
    np.testing.assert_allclose(found.shapley[:, :, 1], 1, atol=1e-12)
    np.testing.assert_allclose(found.shapley[:, :, 2], 0, atol=1e-12)
    np.testing.assert_allclose(found.shapley[0, :, 0], over_all_orders(random_game, 4, 4), atol=1e-12)


def one_value(spec: NetworkSpec, seed: int) -> Mapping[str, float]:
    return {"v": random_game(coalition(spec), seed)}


def test_executors_give_the_same() -> None:
    here = importance(SPEC, one_value, seeds=[1, 2])
    with ThreadPoolExecutor(2) as threads:
        assert np.array_equal(importance(SPEC, one_value, seeds=[1, 2], executor=threads).shapley, here.shapley)
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as processes:
        found = importance(SPEC, one_value, seeds=[1, 2], executor=processes)
    assert np.array_equal(found.shapley, here.shapley)
    assert np.array_equal(found.values, here.values)


def test_intervals_are_over_seeds() -> None:
    found = played(random_game, seeds=range(5))
    of_seeds = found.of("a", "v")
    assert of_seeds.tolist() == found.shapley[:, 2, 0].tolist()
    assert found.interval("a", "v") == interval_of_mean(of_seeds)
    assert found.interval("a", "v", level=0.5) == interval_of_mean(of_seeds, 0.5)
    assert played(random_game).interval("a", "v") is None
    table = json.loads(json.dumps(found.to_dict()))["v"]
    assert table["groups"]["a"] == {
        "mean": pytest.approx(of_seeds.mean()), "ci95": pytest.approx(interval_of_mean(of_seeds)),
        "seeds": of_seeds.tolist(),
    }  # fmt: skip
    total = sum(group["mean"] for group in table["groups"].values())
    assert total == pytest.approx(table["all"] - table["none"])


def spike_counts(spec: NetworkSpec, seed: int) -> Mapping[str, float]:
    """Spikes of a network that learns from noise."""
    raster = stream(seed, "test-drive").random((3, 100, spec.n_inputs)) < 0.2
    network, recording = simulate_stdp(
        build(spec, seed=seed), Spikes.from_dense(raster, dt_ms=1.0), backend="reference"
    )
    return {
        "spikes": float(recording.spike_counts.sum()),
        "weight": float(np.abs(network.recurrent.weight).sum(dtype=np.float64)),
    }


def test_of_a_network() -> None:
    spec = SPEC.model_copy(update={"input": SPEC.input.model_copy(update={"p_connect": 0.8, "subset_share": 1.0})})
    found = importance(spec, spike_counts, seeds=[0, 1])
    for s, seed in enumerate([0, 1]):
        least, most = spike_counts(spec.arm("HoNHoS"), seed), spike_counts(spec, seed)
        for q, name in enumerate(found.quantities):
            assert (found.values[s, 0, q], found.values[s, -1, q]) == (least[name], most[name])
            assert found.shapley[s, :, q].sum() == pytest.approx(most[name] - least[name], abs=1e-9)
    assert np.abs(found.shapley[:, :, 0]).max() > 1  # heterogeneity does something here


# -- errors ----------------------------------------------------------------------------------------------------------


def test_bad_arguments() -> None:
    for arguments, message in (
        ({"seeds": []}, "`seeds` of `importance` must hold at least one seed"),
        ({"seeds": [1, 1]}, "`seeds` of `importance` must differ from each other"),
        ({"seeds": [0, -2]}, "`seeds` of `importance` must be >= 0, got -2 at index 1"),
        ({"seeds": [0.5]}, "`seeds` of `importance` must be whole numbers"),
        ({"budget": 9}, "`budget` of `importance` must be >= 10 or None, got 9"),
        ({"groups": ()}, "`groups` of `importance` must hold at least one group"),
        ({"groups": (GROUPS[0], GROUPS[0])}, "must have names of their own, got twice tau_mem"),
        ({"groups": (GROUPS[1], Group("x", ("excitatory.v_th",)))}, "must have laws of their own, got twice exc"),
        (
            {"groups": (Group("x", ("excitatory.tau_mem",)),)},
            "`laws` of `Group` must be names of a spec's laws, got exc",
        ),
        ({"groups": (Group("x", ("n_neurons",)),)}, "`laws` of `Group` must be names of a spec's laws, got n_neurons"),
        ({"groups": (Group("x", ("n_neurons.y",)),)}, "`laws` of `Group` must be names of a spec's laws"),
    ):
        with pytest.raises(InputError, match=message):
            importance(SPEC, one_value, **{"seeds": [0], **arguments})  # type: ignore[arg-type]
    with pytest.raises(InputError, match="`group` of `Importance` must be one of tau_mem, v_th, a, tau_stdp, got b"):
        played(random_game).of("b", "v")
    with pytest.raises(InputError, match="`quantity` of `Importance` must be one of v, got w"):
        played(random_game).interval("a", "w")


def test_bad_values_say_where() -> None:
    def value(bad: Mapping[str, Any]) -> Callable[[NetworkSpec, int], Mapping[str, float]]:
        here = np.array([True, False, True, False])
        return lambda spec, seed: bad if (coalition(spec) == here).all() and seed == 3 else {"C": 1.0, "S": 2.0}

    place = "for seed 3 with tau_mem and a heterogeneous"
    for bad, message in (
        ({"C": math.nan, "S": 1.0}, f"`value` of `importance` must give a finite number for C, got nan {place}"),
        ({"C": None, "S": 1.0}, f"must give a finite number for C, got None {place}"),
        ({"C": 1.0}, f"must give the quantities C, S at every call, got C {place}"),
        ({}, f"must give the quantities C, S at every call, got none {place}"),
    ):
        with pytest.raises(InputError, match=message):
            importance(SPEC, value(bad), seeds=[1, 3])


def test_without_shapiq_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def absent(name: str, *arguments: Any, **named: Any) -> Any:
        if name == "shapiq":
            raise ImportError("No module named 'shapiq'")
        return real(name, *arguments, **named)

    monkeypatch.setattr(builtins, "__import__", absent)
    with pytest.raises(MissingExtraError, match=r"needs shapiq .*; `pip install 'hrsnn\[explain\]'` installs it"):
        played(random_game)


def test_means_of_laws_stay() -> None:
    spec = with_homogeneous(NetworkSpec(n_inputs=2, excitatory={"tau_mem_ms": Gamma(33.0, 2.0)}), GROUPS)  # type: ignore[arg-type]
    assert spec.excitatory.tau_mem_ms == Constant(33.0)
