"""The standard drive, and rates brought back under it: the right ones, by the right weights, nothing else touched."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import hrsnn
from hrsnn._checks import InputError
from hrsnn.network import Network
from hrsnn.pruning.drive import rates_under_drive, standard_drive
from hrsnn.pruning.homeostasis import MOST_FACTOR, MOST_IN_COMMON, TOLERANCE, restore_rates
from hrsnn.spec import InputSpec, NetworkSpec, SynapseSpec

SEED = 3


@pytest.fixture(scope="module")
def dense() -> Network:
    """A lively network of 150 neurons with 20 outgoing synapses each, its input that of method.md 3.4."""
    spec = NetworkSpec(
        n_neurons=150,
        n_inputs=100,
        input=InputSpec(subset_share=1.0, p_connect=0.35, weight_excitatory=1.0, weight_inhibitory=0.5),
        synapses=SynapseSpec(wiring="small-world", n_neighbours=20),
    )
    return hrsnn.build(spec, seed=0)


@pytest.fixture(scope="module")
def target(dense: Network) -> np.ndarray:
    return rates_under_drive(dense, seed=SEED)


@pytest.fixture(scope="module")
def pruned(dense: Network) -> Network:
    """One synapse of twenty is left, twenty times as strong."""
    kept = np.random.default_rng(0).random(len(dense.recurrent)) < 0.05
    network = dense.keep_synapses(kept)
    recurrent = replace(
        network.recurrent, weight=20 * network.recurrent.weight, w_max=20 * network.recurrent.w_max
    )  # fmt: skip
    return replace(network, recurrent=recurrent)


def misfit(rates: np.ndarray, target: np.ndarray) -> float:
    return float(np.mean(np.square(np.log((rates + 1) / (target + 1)))))


# -- the drive ---------------------------------------------------------------------------------------------------------


def test_the_drive_is_poisson(dense: Network) -> None:
    """Counts per channel over 100 s: mean and variance of 1000 that few lose because they fall into one step."""
    spikes = standard_drive(dense, 100_000.0, seed=SEED)
    counts = spikes.counts()[0, 0]
    expected = 100_000 * -np.expm1(-0.01)
    assert abs(counts.mean() - expected) < 4.5 * np.sqrt(expected / counts.size)
    assert 0.6 < counts.var() / expected < 1.5
    assert (spikes.n_units, spikes.n_samples, spikes.dt_ms) == (100, 1, dense.dt_ms)


def test_the_drive_belongs_to_seed_and_channels_alone(dense: Network, pruned: Network) -> None:
    drive = standard_drive(dense, 500.0, seed=SEED)
    assert drive == standard_drive(pruned, 500.0, seed=SEED)
    assert drive != standard_drive(dense, 500.0, seed=SEED + 1)


@pytest.mark.parametrize(
    ("change", "words"),
    [({"duration_ms": 0.0}, "duration_ms"), ({"duration_ms": 0.5}, "duration_ms"), ({"rate_hz": 0.0}, "rate_hz")],
)
def test_bad_drives(dense: Network, change: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        standard_drive(dense, **{"duration_ms": 100.0, "seed": 0, **change})


# -- rates come back ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("match", ["balance", "neurons", "bias", "population"])
def test_the_mean_rate_of_a_pruned_network_comes_back(pruned: Network, target: np.ndarray, match: Any) -> None:
    restored, told = restore_rates(pruned, target, seed=SEED, match=match)
    assert abs(told.rates_before_hz.mean() / target.mean() - 1) > 0.1, "nothing to restore"
    assert abs(told.rates_after_hz.mean() / target.mean() - 1) < 3 * TOLERANCE
    np.testing.assert_array_equal(told.rates_before_hz, rates_under_drive(pruned, seed=SEED))
    np.testing.assert_array_equal(told.rates_after_hz, rates_under_drive(restored, seed=SEED))
    # under a drive that it was not made for as well
    other = rates_under_drive(restored, seed=SEED + 1, duration_ms=10_000.0)
    assert 0.8 < other.mean() / target.mean() < 1.25


@pytest.mark.parametrize(("match", "left"), [("balance", 0.85), ("neurons", 0.5), ("bias", 0.5)])
def test_rates_of_neurons_come_back(pruned: Network, target: np.ndarray, match: Any, left: float) -> None:
    """ "balance" does little for neurons whose excitatory inputs are all gone, a third of them here."""
    _, told = restore_rates(pruned, target, seed=SEED, match=match)
    assert misfit(told.rates_after_hz, target) < left * misfit(told.rates_before_hz, target)
    correlations = [np.corrcoef(rates, target)[0, 1] for rates in (told.rates_before_hz, told.rates_after_hz)]
    assert correlations[1] > correlations[0] + 0.1


def test_the_dense_network_stays_as_it_is(dense: Network, target: np.ndarray) -> None:
    for match in ("balance", "population", "neurons", "bias"):
        restored, told = restore_rates(dense, target, seed=SEED, match=match)  # type: ignore[arg-type]
        assert restored == dense
        assert (told.factors == 1).all()
        assert not told.bias_change.any()


def test_the_same_seed_restores_the_same(pruned: Network, target: np.ndarray) -> None:
    assert restore_rates(pruned, target, seed=SEED)[0] == restore_rates(pruned, target, seed=SEED)[0]


def test_history_says_what_was_done(pruned: Network, target: np.ndarray) -> None:
    restored, _ = restore_rates(pruned, target, seed=SEED)
    assert restored.provenance["history"] == [*pruned.provenance["history"], "rates restored: balance"]


# -- by these weights alone --------------------------------------------------------------------------------------------


def test_population_scales_recurrent_excitation_by_one_factor(pruned: Network, target: np.ndarray) -> None:
    restored, told = restore_rates(pruned, target, seed=SEED, match="population")
    before, after = pruned.recurrent, restored.recurrent
    excitatory = pruned.neurons.sign[before.pre()] > 0
    factor = told.factors[0]
    assert factor != 1
    assert (told.factors == factor).all()
    np.testing.assert_allclose(after.weight, before.weight * np.where(excitatory, factor, 1), rtol=1e-6)
    np.testing.assert_allclose(after.w_max, before.w_max * np.where(excitatory, factor, 1), rtol=1e-6)
    assert restored.inputs == pruned.inputs
    assert restored.neurons == pruned.neurons


@pytest.mark.parametrize("match", ["balance", "neurons"])
def test_neurons_turn_up_what_excites_and_down_what_inhibits(pruned: Network, target: np.ndarray, match: Any) -> None:
    restored, told = restore_rates(pruned, target, seed=SEED, match=match)
    before, after = pruned.recurrent, restored.recurrent
    sign = pruned.neurons.sign[before.pre()].astype(float)
    gain = told.factors[before.post] ** sign
    np.testing.assert_allclose(after.weight, before.weight * gain, rtol=1e-6)
    np.testing.assert_allclose(after.w_max, before.w_max * gain, rtol=1e-6)
    of_input = told.input_factors[pruned.inputs.post]
    np.testing.assert_allclose(restored.inputs.weight, pruned.inputs.weight * of_input, rtol=1e-6)
    np.testing.assert_allclose(restored.inputs.w_max, pruned.inputs.w_max * of_input, rtol=1e-6)
    assert restored.neurons == pruned.neurons
    most = MOST_FACTOR * MOST_IN_COMMON * (1 + 1e-12)
    assert 1 / most <= told.factors.min() < told.factors.max() <= most
    # those that fire too little end with a factor above 1, and the other way round
    wanted = np.log((target + 1) / (told.rates_before_hz + 1))
    clear = np.abs(wanted) > 1
    assert np.mean(np.sign(np.log(told.factors[clear])) == np.sign(wanted[clear])) > 0.8


def test_what_goes_to_the_input(pruned: Network, target: np.ndarray) -> None:
    """ "balance" has one factor for all there, which is not 1 here; "neurons" each its own."""
    in_common = restore_rates(pruned, target, seed=SEED)[1].input_factors
    assert (in_common == in_common[0]).all()
    assert 1 / MOST_IN_COMMON <= in_common[0] <= MOST_IN_COMMON
    assert in_common[0] != 1
    of_its_own = restore_rates(pruned, target, seed=SEED, match="neurons")[1]
    np.testing.assert_array_equal(of_its_own.input_factors, of_its_own.factors)


def test_bias_leaves_weights_alone_and_reaches_neurons_without_synapses(dense: Network, target: np.ndarray) -> None:
    bare = dense.keep_synapses(np.zeros(len(dense.recurrent), dtype=bool))
    restored, told = restore_rates(bare, target, seed=SEED, match="bias")
    assert (restored.recurrent, restored.inputs) == (bare.recurrent, bare.inputs)
    np.testing.assert_allclose(restored.neurons.bias, bare.neurons.bias + told.bias_change)
    assert misfit(told.rates_after_hz, target) < 0.3 * misfit(told.rates_before_hz, target)


# -- what cannot be restored -------------------------------------------------------------------------------------------


def test_without_recurrent_excitation_a_factor_changes_nothing(dense: Network, target: np.ndarray) -> None:
    from_inhibitory = dense.neurons.sign[dense.recurrent.pre()] < 0
    network = dense.keep_synapses(from_inhibitory)
    restored, told = restore_rates(network, target, seed=SEED, match="population")
    assert restored == network
    np.testing.assert_array_equal(told.rates_before_hz, told.rates_after_hz)


def test_neurons_that_were_silent_are_quieter(pruned: Network) -> None:
    _, told = restore_rates(pruned, np.zeros(pruned.n_neurons), seed=SEED, match="neurons")
    assert told.rates_after_hz.mean() < 0.3 * told.rates_before_hz.mean()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"rates_hz": np.zeros(3)}, "length 150"),
        ({"rates_hz": np.full(150, -1.0)}, ">= 0"),
        ({"rates_hz": np.full(150, np.nan)}, "finite"),
        ({"match": "neuron"}, 'did you mean "neurons"'),
        ({"duration_ms": 0.3}, "duration_ms"),
    ],
)
def test_bad_requests(pruned: Network, target: np.ndarray, change: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        restore_rates(pruned, **{"rates_hz": target, "seed": 0, **change})
