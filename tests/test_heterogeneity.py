"""Heterogeneity: the homogeneous arm has ln epsilon, laws have their closed forms, units do not matter."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hrsnn._checks import InputError
from hrsnn.analysis.heterogeneity import EPSILON, heterogeneity
from hrsnn.network import Network
from hrsnn.spec import PRESETS, NetworkSpec
from hrsnn.wiring import build
from networks import neuron_table, random_network, synapse_table


def arm(name: str, **changes: object) -> Network:
    return build(NetworkSpec.preset(name, n_inputs=5, **changes), seed=0)  # type: ignore[arg-type]


@pytest.mark.parametrize("wiring", ["distance", "clustered"])
def test_the_homogeneous_arm_has_the_log_of_epsilon(wiring: str) -> None:
    synapses = {"wiring": wiring, "length_scale": 3.0}
    found = heterogeneity(arm("HoNHoS", synapses=synapses))
    for value in (found.heterogeneity, found.neurons, found.synapses):
        assert value == pytest.approx(np.log(EPSILON), abs=1e-9)
    assert all(found.cvs[name] == pytest.approx(0, abs=1e-9) for name in found.cvs if name != "weight")
    assert found.cvs["weight"] == pytest.approx(1, rel=0.1)  # weights keep their law in every arm


def test_arms_differ_in_their_own_table_alone() -> None:
    found = {name: heterogeneity(arm(name)) for name in PRESETS}
    floor = pytest.approx(np.log(EPSILON), abs=1e-9)
    assert found["HeNHoS"].synapses == found["HoNHeS"].neurons == floor
    assert found["HeNHoS"].neurons == found["HeNHeS"].neurons > -4
    assert found["HoNHeS"].synapses == found["HeNHeS"].synapses > -2
    for each in found.values():
        assert each.heterogeneity == pytest.approx((2 * each.neurons + 4 * each.synapses) / 6)


def test_a_ladder_of_time_constants_is_heterogeneity() -> None:
    clusters = {"synapses": {"wiring": "clustered"}}
    assert heterogeneity(arm("HeNHoS", **clusters)).cvs["tau_mem_ms"] > 0.75  # gamma of shape 3 alone: 0.58


def test_cvs_are_those_of_the_laws() -> None:
    """Independent gamma laws of shape k: CV = 1 / sqrt(k), H = (1/n) sum of ln(1/k + epsilon)."""
    network = arm("HeNHeS", n_neurons=2000, synapses={"length_scale": 2.5})
    found = heterogeneity(network)
    expected = dict.fromkeys(("a_plus", "a_minus", "tau_plus_ms", "tau_minus_ms"), 3**-0.5)
    expected |= {"tau_mem_ms": 3**-0.5, "v_th": 0.2, "t_ref_ms": 0.0, "delay_ms": 0.0}
    assert {name: found.cvs[name] for name in expected} == pytest.approx(expected, rel=0.06)
    assert found.n_plastic == len(network.recurrent) > 10_000
    assert found.neurons == pytest.approx(np.mean(np.log([1 / 3 + EPSILON, 1 / 25 + EPSILON])), abs=0.08)
    assert found.synapses == pytest.approx(np.log(1 / 3 + EPSILON), abs=0.04)


def test_correlated_parameters_are_less_heterogeneous() -> None:
    rng = np.random.default_rng(0)
    tau_mem_ms = rng.uniform(10, 30, 400)
    empty = synapse_table([], [], n_pre=400)

    def of(v_th: np.ndarray) -> float:
        neurons = neuron_table(400, tau_mem_ms=tau_mem_ms, v_th=v_th)
        return heterogeneity(Network(neurons, empty, synapse_table([0], [0], n_pre=1), dt_ms=1.0)).neurons

    together, apart = of(tau_mem_ms / 20), of(rng.permutation(tau_mem_ms / 20))
    cv = tau_mem_ms.std() / tau_mem_ms.mean()
    assert together == pytest.approx(0.5 * np.log(EPSILON * (2 * cv**2 + EPSILON)), abs=1e-6)
    assert apart == pytest.approx(0.5 * np.log((cv**2 + EPSILON) ** 2), abs=0.02)


def test_units_of_each_population_and_order_do_not_matter() -> None:
    network = random_network(np.random.default_rng(1), n=40, density=0.5)
    found = heterogeneity(network)
    inhibits = network.neurons.sign < 0
    table = replace(network.neurons, tau_mem_ms=network.neurons.tau_mem_ms * np.where(inhibits, 7.0, 0.3))
    recurrent = replace(network.recurrent, a_plus=network.recurrent.a_plus * np.float32(8))
    assert heterogeneity(replace(network, neurons=table, recurrent=recurrent)).heterogeneity == pytest.approx(
        found.heterogeneity, abs=1e-6
    )
    shifted = replace(network.neurons, **{k: getattr(network.neurons, k) - 70 for k in ("v_th", "v_reset", "v_rest")})
    assert heterogeneity(replace(network, neurons=shifted)).neurons == pytest.approx(found.neurons, abs=1e-9)


def test_synapses_that_do_not_learn_are_left_out() -> None:
    network = random_network(np.random.default_rng(2), n=30)
    learns = np.arange(len(network.recurrent)) % 3 > 0
    columns = {name: np.where(learns, getattr(network.recurrent, name), 0) for name in ("a_plus", "a_minus")}
    found = heterogeneity(replace(network, recurrent=replace(network.recurrent, **columns)))
    assert found.n_plastic == learns.sum()
    assert found.synapses == pytest.approx(heterogeneity(network.keep_synapses(learns)).synapses, abs=1e-12)
    fixed = random_network(np.random.default_rng(2), n=30, learns=())
    found = heterogeneity(fixed)
    assert found.synapses is None
    assert found.heterogeneity == found.neurons
    assert found.cvs["a_plus"] is found.cvs["tau_minus_ms"] is None
    assert found.cvs["weight"] is not None


def test_one_neuron_and_no_synapse() -> None:
    network = Network(neuron_table(1), synapse_table([], [], n_pre=1), synapse_table([], [], n_pre=1), dt_ms=1.0)
    found = heterogeneity(network)
    assert found.heterogeneity == pytest.approx(np.log(EPSILON))
    assert found.cvs["weight"] is found.cvs["delay_ms"] is None
    assert found.cvs["t_ref_ms"] == 0


def test_only_depression_learns_too() -> None:
    network = random_network(np.random.default_rng(3), n=20)
    recurrent = replace(network.recurrent, a_plus=np.zeros(len(network.recurrent)))
    found = heterogeneity(replace(network, recurrent=recurrent))
    assert found.n_plastic > 0
    assert found.cvs["a_plus"] == 0


def test_bad_input_is_refused() -> None:
    network = random_network(np.random.default_rng(4))
    for epsilon in (0.0, -1.0, np.nan):
        with pytest.raises(InputError, match="`epsilon` of `heterogeneity` must be a finite number > 0"):
            heterogeneity(network, epsilon=epsilon)
    above = replace(network.neurons, v_rest=network.neurons.v_th + 1)
    with pytest.raises(InputError, match="`v_th` of `heterogeneity` must have a mean > 0 in every population"):
        heterogeneity(replace(network, neurons=above))
