"""Networks that are not drawn, and those without Dale's law, in analysis and pruning: signs are those of weights."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hrsnn
from hrsnn._checks import InputError
from hrsnn.analysis.cost import count_costs
from hrsnn.analysis.heterogeneity import heterogeneity
from hrsnn.analysis.lyapunov import local_exponents, lyapunov_spectrum, saltation_spectrum, two_trajectories
from hrsnn.engine import simulate
from hrsnn.layers import stack
from hrsnn.network import Network
from hrsnn.pruning.drive import rates_under_drive, standard_drive
from hrsnn.pruning.homeostasis import restore_rates
from hrsnn.pruning.methods import KINDS
from hrsnn.pruning.noise import prune_by_noise
from hrsnn.spikes import Spikes
from hrsnn.survey import Depth
from hrsnn.tables import SHORT_TERM

QUICK = Depth(n_delays=3, n_samples=300, n_exponents=3, n_stimuli=20, exponent_ms=100, firing_ms=300)


def mixed(n: int = 60, n_inputs: int = 8, seed: int = 0, **more: Any) -> Network:
    """What training leaves: weights of any sign, no position, no plasticity, no spec."""
    rng = np.random.default_rng(seed)
    w_rec = rng.normal(0, 1.5, (n, n)) * (rng.random((n, n)) < 0.2)
    np.fill_diagonal(w_rec, 0)
    w_in = rng.normal(1.5, 2.0, (n, n_inputs)) * (rng.random((n, n_inputs)) < 0.8)
    return Network.from_arrays(w_rec, w_in, tau_mem_ms=rng.uniform(10, 30, n), t_ref_ms=2.0, **more)


def stacked() -> Network:
    """Two layers, the first with recurrent synapses, the second with none."""
    rng = np.random.default_rng(1)
    second = Network.from_arrays(np.zeros((20, 20)), rng.normal(1.0, 1.5, (20, 60)), tau_mem_ms=15.0)
    return stack([mixed(), second])


NETWORKS = {"mixed": mixed, "stack": stacked, "subtract": lambda: mixed(reset="subtract")}


def test_a_synapse_excites_by_the_sign_of_its_own_weight_without_dales_law() -> None:
    network = mixed()
    np.testing.assert_array_equal(network.excites(), network.recurrent.weight > 0)
    np.testing.assert_array_equal(network.excites("inputs"), network.inputs.weight > 0)
    drawn = hrsnn.build(hrsnn.NetworkSpec(n_neurons=50, n_inputs=4), seed=0)
    silenced = drawn.with_weights(0 * drawn.recurrent.weight)  # the sign of 0 says nothing where neurons have one
    np.testing.assert_array_equal(silenced.excites(), drawn.neurons.sign[drawn.recurrent.pre()] > 0)
    assert drawn.excites("inputs").all()


@pytest.mark.parametrize("kind", NETWORKS)
def test_a_saved_network_is_analysed(kind: str, tmp_path: Path) -> None:
    network = NETWORKS[kind]()
    assert "spec" not in network.provenance
    hrsnn.save(network, tmp_path / "net.safetensors")
    found = hrsnn.analyse(tmp_path / "net.safetensors", depth=QUICK, out=tmp_path / "out", n_threads=1)
    assert len(found["lyapunov"]["exponents_per_ms"]) == 3
    assert found["mean_rate_hz"] > 1
    assert found["heterogeneity_detail"]["n_plastic"] == 0
    assert (tmp_path / "out" / "analysis.html").stat().st_size > 1000


@pytest.mark.slow
@pytest.mark.parametrize("method", sorted(KINDS))
def test_a_saved_network_of_mixed_signs_is_pruned_by_every_method(method: str, tmp_path: Path) -> None:
    network = mixed()
    hrsnn.save(network, tmp_path / "net.safetensors")
    out = tmp_path / "pruned"
    pruned = hrsnn.prune(tmp_path / "net.safetensors", method=method, keep_synapses=0.5, out=out).network
    assert len(pruned.recurrent) == round(0.5 * len(network.recurrent))
    assert not pruned.dale
    assert hrsnn.load(out / "pruned.safetensors") == pruned
    old = {(pre, post): weight for pre, post, weight in edges(network)}
    kept = [(weight, old[pre, post]) for pre, post, weight in edges(pruned) if (pre, post) in old]
    if method in ("lnp", "magnitude", "weight-proportional", "uniform", "activity"):
        assert len(kept) > 0.95 * len(pruned.recurrent)  # "lnp" adds some
        same = [np.sign(now) == np.sign(before) for now, before in kept]
        assert np.mean(same) > (0.97 if method == "lnp" else 1 - 1e-9)  # an added one may be where one was
    share = np.mean(pruned.recurrent.weight < 0)
    assert share == pytest.approx(np.mean(network.recurrent.weight < 0), abs=0.15)  # both signs are left


def edges(network: Network) -> list[tuple[int, int, float]]:
    table = network.recurrent
    return list(zip(table.pre().tolist(), table.post.tolist(), table.weight.tolist(), strict=True))


@pytest.mark.slow
def test_a_stack_is_pruned_and_keeps_its_layers(tmp_path: Path) -> None:
    network = stacked()
    hrsnn.save(network, tmp_path / "net.safetensors")
    pruned = hrsnn.prune(tmp_path / "net.safetensors", keep_synapses=0.4).network
    assert (pruned.n_neurons, len(pruned.recurrent)) == (80, round(0.4 * len(network.recurrent)))
    np.testing.assert_array_equal(pruned.neurons.population, network.neurons.population)
    fewer = hrsnn.prune(network, keep_synapses=0.2, keep_neurons=70, method="magnitude").network
    assert (fewer.n_neurons, len(fewer.recurrent)) == (70, round(0.2 * len(network.recurrent)))
    assert set(fewer.neurons.population.tolist()) == {0, 1}


def test_noise_pruning_of_a_network_and_of_the_one_with_all_signs_by_neuron_is_the_same() -> None:
    """Where weights keep Dale's law, whether a network is told to have it changes nothing."""
    drawn = hrsnn.build(hrsnn.NetworkSpec(n_neurons=60, n_inputs=10), seed=0)
    untold = replace(drawn, dale=False)
    one, other = (prune_by_noise(net, [-0.05] * 60, n_keep=200, seed=3)[0] for net in (drawn, untold))
    assert one == replace(other, dale=True)
    rates = rates_under_drive(drawn, seed=0, duration_ms=500.0)
    restored = [restore_rates(net, 1.5 * rates, seed=0, duration_ms=500.0)[0] for net in (drawn, untold)]
    assert restored[0] == replace(restored[1], dale=True)


def test_rates_are_restored_by_excitation_up_and_inhibition_down() -> None:
    network = mixed()
    rates = rates_under_drive(network, seed=0, duration_ms=1000.0)
    weaker = network.with_weights(0.3 * network.recurrent.weight, inputs=0.6 * network.inputs.weight)
    restored, told = restore_rates(weaker, rates, seed=0, duration_ms=1000.0)
    assert abs(told.rates_before_hz.mean() / rates.mean() - 1) > 0.1
    assert abs(told.rates_after_hz.mean() / rates.mean() - 1) < 0.05
    for table, factors in (("recurrent", told.factors), ("inputs", told.input_factors)):
        before, after = getattr(weaker, table), getattr(restored, table)
        gain = np.where(before.weight > 0, factors[before.post], 1 / factors[before.post])
        np.testing.assert_allclose(after.weight, before.weight * gain, rtol=1e-5)


def test_a_calibrated_network_of_mixed_signs_keeps_signs_and_ratios() -> None:
    network = mixed()
    spikes = Spikes.from_dense(np.random.default_rng(0).random((4, 400, 8)) < 0.02, dt_ms=1.0)
    calibrated = hrsnn.calibrate(network, spikes, target_hz=15.0)
    assert simulate(calibrated, spikes).spike_counts.mean() / 0.4 == pytest.approx(15, rel=0.15)
    ratio = calibrated.inputs.weight / network.inputs.weight
    assert (ratio > 0).all()
    assert np.unique(ratio.round(5)).size == 1  # all neurons are of one type


# -- exponents ---------------------------------------------------------------------------------------------------------


def test_exponents_of_a_network_do_not_depend_on_being_told_to_have_dales_law() -> None:
    spec = hrsnn.NetworkSpec(n_neurons=30, n_inputs=4, excitatory={"bias": 1.5})  # type: ignore[arg-type]
    drawn = hrsnn.build(spec, seed=0)
    drive = standard_drive(drawn, 400.0, seed=0)
    both = [lyapunov_spectrum(net, drive, k=5).exponents_per_ms for net in (drawn, replace(drawn, dale=False))]
    np.testing.assert_array_equal(both[0], both[1])


def test_surrogate_and_event_driven_exponents_agree_that_a_network_of_mixed_signs_is_stable() -> None:
    """Far below threshold but for a few spikes: both have the leak at the top, and the events agree with themselves."""
    network = mixed(20, bias=0.5)
    network = network.with_weights(0.2 * network.recurrent.weight)
    drive = standard_drive(network, 3000.0, seed=0, rate_hz=20.0)
    events = saltation_spectrum(network, drive, k=1)
    pair = two_trajectories(network, drive)
    error = 3 * (events.standard_error_per_ms[0] + pair.standard_error_per_ms)
    assert events.rates_hz.mean() > 1
    assert events.lyapunov_max_per_ms == pytest.approx(pair.exponent_per_ms, abs=error)
    assert events.lyapunov_max_per_ms < 0
    assert lyapunov_spectrum(network, drive, k=1).lyapunov_max_per_ms < 0


def test_in_continuous_time_both_resets_are_the_same() -> None:
    drive = standard_drive(mixed(20), 1500.0, seed=0, rate_hz=20.0)
    found = [saltation_spectrum(mixed(20, reset=reset), drive, k=3) for reset in ("hard", "subtract")]
    np.testing.assert_array_equal(found[0].exponents_per_ms, found[1].exponents_per_ms)
    assert found[0].rates_hz.any()


ADAPTIVE: dict[str, Any] = {"adapt": 0.1, "tau_adapt_ms": 100.0}
DEPRESSING: dict[str, Any] = {"u": 0.5, "tau_rec_ms": 200.0, "tau_fac_ms": 20.0}


@pytest.mark.parametrize("measure", [lyapunov_spectrum, local_exponents, saltation_spectrum, two_trajectories])
@pytest.mark.parametrize(
    ("more", "named"),
    [(ADAPTIVE, "adapt, tau_adapt_ms"), ({"recurrent": DEPRESSING}, "recurrent.u, recurrent.tau_rec_ms")],
)
def test_exponents_of_what_has_no_tangent_map_are_refused_by_name(measure: Any, more: Any, named: str) -> None:
    network = mixed(10, **more)
    with pytest.raises(InputError, match=rf"`network` of `{measure.__name__}` must have no.*, got {named}"):
        measure(network, Spikes.empty(1, n_units=8, n_steps=2000, dt_ms=1.0))


def test_event_driven_exponents_of_reset_by_subtraction_with_delta_synapses_are_refused() -> None:
    network = mixed(10, reset="subtract", synapse="delta")
    with pytest.raises(InputError, match="reset by subtraction with delta synapses"):
        saltation_spectrum(network, Spikes.empty(1, n_units=8, n_steps=2000, dt_ms=1.0))


def test_dynamics_of_the_input_are_part_of_the_drive() -> None:
    network = mixed(10, inputs=DEPRESSING)
    drive = standard_drive(network, 400.0, seed=0)
    assert lyapunov_spectrum(network, drive, k=2).exponents_per_ms.shape == (2,)


@pytest.mark.parametrize("more", [ADAPTIVE, {"recurrent": DEPRESSING, "inputs": DEPRESSING}])
def test_documents_of_networks_without_a_tangent_map_say_so_and_leave_exponents_out(more: Any, tmp_path: Path) -> None:
    network = mixed(**more)
    found = hrsnn.analyse(network, depth=QUICK, out=tmp_path / "analysis", n_threads=1)
    assert (found["lyapunov"], found["lyapunov_max_per_ms"]) == ({}, None)
    assert any("No Lyapunov exponents" in warning for warning in found["warnings"])
    assert found["memory_capacity"] >= 0
    pruned = hrsnn.prune(network, method="magnitude", keep_synapses=0.5, out=tmp_path / "pruned")
    assert pruned.document["after"]["lyapunov_max_per_ms"] is None
    assert any("No Lyapunov exponents" in warning for warning in pruned.document["warnings"])
    assert set(pruned.network.recurrent.columns()) == set(network.recurrent.columns())
    with pytest.raises(InputError, match="local_exponents"):
        hrsnn.prune(network, keep_synapses=0.5)


# -- heterogeneity, costs ----------------------------------------------------------------------------------------------


def test_spread_of_adaptation_and_of_short_term_dynamics_is_told_beside_heterogeneity() -> None:
    plain = heterogeneity(mixed())
    adapt = np.random.default_rng(0).gamma(4, 0.05, 60)
    found = heterogeneity(mixed(adapt=adapt, tau_adapt_ms=100.0, recurrent=DEPRESSING))
    assert found.heterogeneity == plain.heterogeneity
    assert found.cvs["adapt"] == pytest.approx(adapt.std() / adapt.mean())
    assert [found.cvs[name] for name in ("tau_adapt_ms", *SHORT_TERM)] == pytest.approx([0, 0, 0, 0], abs=1e-6)
    assert {"adapt", "u"}.isdisjoint(plain.cvs)


def test_memory_of_a_device_grows_with_mechanisms() -> None:
    def bytes_of(network: Network) -> np.ndarray:
        costs = count_costs(network, spikes, simulate(network, spikes))
        return np.array([costs.bytes_neurons, costs.bytes_synapses, costs.bytes_state])

    spikes = Spikes.empty(1, n_units=8, n_steps=20, dt_ms=1.0)
    plain, n_synapses = bytes_of(mixed()), len(mixed().recurrent)
    assert (bytes_of(mixed(**ADAPTIVE)) - plain).tolist() == [8 * 60, 0, 4 * 60]
    dynamic = bytes_of(mixed(recurrent=DEPRESSING)) - plain
    assert dynamic.tolist() == [0, 12 * n_synapses, 8 * n_synapses + 4 * 60]
