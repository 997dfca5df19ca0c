"""Step IV: laws of time constants are searched against a spectrum, neurons keep their ranks, nothing gets worse."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import gamma

import hrsnn
from hrsnn._checks import InputError
from hrsnn.network import Network
from hrsnn.pruning.timescales import (
    MOST_MEAN_CHANGE,
    MOST_SHAPE_CHANGE,
    Optimiser,
    match_timescales,
    sobol_then_coordinates,
    spectral_fit,
    spectrum_under_drive,
)
from hrsnn.spec import InputSpec, NetworkSpec, SynapseSpec
from networks import examples

FAST: dict[str, Any] = {"seed": 1, "n_exponents": 16, "n_steps": 100}


def make(**changes: Any) -> Network:
    """Weakly coupled: the largest exponent is in the band, whatever the time constants."""
    inputs = InputSpec(subset_share=1.0, p_connect=0.35, weight_excitatory=1.0, weight_inhibitory=0.5)
    return hrsnn.build(
        NetworkSpec(
            **{"n_neurons": 60, "n_inputs": 100, "input": inputs, "synapses": SynapseSpec(weight_scale=0.2), **changes}
        ),
        seed=0,
    )


@pytest.fixture(scope="module")
def network() -> Network:
    return make()


def with_tau(network: Network, tau_ms: np.ndarray) -> Network:
    return replace(network, neurons=replace(network.neurons, tau_mem_ms=tau_ms))


def always(point: Any) -> Optimiser:
    """An optimiser that knows the answer."""

    def optimiser(objective: Any, bounds: np.ndarray, *, start: np.ndarray, seed: int) -> np.ndarray:
        return np.asarray(point, dtype=float)

    return optimiser


# -- the objective -----------------------------------------------------------------------------------------------------


def test_the_fit_by_hand() -> None:
    dense = [-0.01, -0.03, -0.05]
    assert spectral_fit(dense, dense) == 0
    assert spectral_fit([-0.02, -0.04, -0.06], dense) == pytest.approx(-0.01)
    assert spectral_fit([0.005, -0.03, -0.05], dense) == pytest.approx(-0.015 / 3 - 10 * 0.005)  # above the band
    assert spectral_fit([-0.03, -0.03, -0.05], dense) == pytest.approx(-0.02 / 3 - 10 * 0.01)  # below
    assert spectral_fit([-0.01, -0.01, -0.03, -0.03, -0.05, -0.05], dense) == pytest.approx(0, abs=1e-15)  # by quantile
    assert spectral_fit([-0.015], dense) == pytest.approx(-(0.005 + 0.015 + 0.035) / 3)


@examples(50)
@given(st.lists(st.floats(-0.5, 0.5), min_size=1, max_size=8), st.lists(st.floats(-0.5, 0.5), min_size=1, max_size=8))
def test_no_spectrum_fits_better_than_itself(a: list[float], b: list[float]) -> None:
    assert spectral_fit(a, b) <= spectral_fit(a, a) + 1e-12
    assert spectral_fit(a, b) == pytest.approx(spectral_fit(a[::-1], b[::-1]))


def test_spectra_have_the_dimension_at_most(network: Network) -> None:
    spectrum = spectrum_under_drive(network, seed=0, n_steps=60)
    assert spectrum.shape == (64,)
    few = network.keep_neurons(np.arange(60) < 10)
    assert spectrum_under_drive(few, seed=0, n_steps=60).shape == (30,)
    np.testing.assert_array_equal(spectrum, spectrum_under_drive(network, seed=0, n_steps=60))


# -- the search --------------------------------------------------------------------------------------------------------


@examples(30)
@given(st.lists(st.floats(-0.9, 0.9), min_size=1, max_size=4), st.integers(0, 100))
def test_the_search_stays_inside_and_improves(optimum: list[float], seed: int) -> None:
    seen = []

    def objective(x: np.ndarray) -> float:
        seen.append(x.copy())
        return -float(np.square(x - optimum).sum())

    bounds = np.array([[-1.0, 1.0]] * len(optimum))
    best = sobol_then_coordinates(objective, bounds, start=np.zeros(len(optimum)), seed=seed)
    points = np.array(seen)
    assert len(seen) == 26
    assert (np.abs(points) <= 1).all()
    errors = np.square(points - optimum).sum(axis=1)
    assert np.square(best - optimum).sum() == errors.min()
    again = sobol_then_coordinates(objective, bounds, start=np.zeros(len(optimum)), seed=seed)
    np.testing.assert_array_equal(best, again)


def test_coordinate_steps_refine() -> None:
    """In one dimension 16 points leave 1/32 of the range on average; 9 steps bring it well below."""

    def off(seed: int) -> float:
        bounds = np.array([[-1.0, 1.0]])
        return float(
            abs(sobol_then_coordinates(lambda x: -abs(x[0] - 0.37), bounds, start=np.zeros(1), seed=seed)[0] - 0.37)
        )

    assert np.mean([off(seed) for seed in range(20)]) < 0.015


# -- transport ---------------------------------------------------------------------------------------------------------


def test_neurons_keep_their_ranks_and_follow_the_law(network: Network) -> None:
    point = np.log([1.5, 2.0, 1.2, 0.5])  # mean and shape of excitatory, then of inhibitory neurons
    neurons = network.neurons
    wanted = neurons.tau_mem_ms.copy()
    for sign, (mean, shape) in ((1, (1.5, 2.0)), (-1, (1.2, 0.5))):
        members = np.flatnonzero(neurons.sign == sign)
        tau = neurons.tau_mem_ms[members]
        k = tau.mean() ** 2 / tau.var() * shape
        quantiles = gamma.ppf((np.arange(members.size) + 0.5) / members.size, k, scale=tau.mean() * mean / k)
        wanted[members[np.argsort(tau)]] = quantiles
    wanted = np.clip(wanted, 2, 200)
    dense = spectrum_under_drive(with_tau(network, wanted), **FAST)
    matched, told = match_timescales(network, dense, optimiser=always(point), **FAST)
    assert told.changed
    np.testing.assert_allclose(matched.neurons.tau_mem_ms, wanted, rtol=1e-9)
    np.testing.assert_allclose(told.spectrum_after_per_ms, dense, rtol=1e-6)
    assert set(told.laws) == {"excitatory", "inhibitory"}
    assert with_tau(matched, neurons.tau_mem_ms).neurons == neurons  # nothing else has changed
    assert (matched.recurrent, matched.inputs) == (network.recurrent, network.inputs)
    assert matched.provenance["history"] == [*network.provenance["history"], "time constants matched"]


def test_time_constants_are_clipped(network: Network) -> None:
    slow = with_tau(network, np.minimum(network.neurons.tau_mem_ms * 8, 200.0))
    dense = spectrum_under_drive(with_tau(network, np.full(60, 200.0)), **FAST)
    matched, told = match_timescales(slow, dense, optimiser=always(np.log([2.0, 1.0, 2.0, 1.0])), **FAST)
    assert told.changed
    assert matched.neurons.tau_mem_ms.max() == 200.0


def bounds_of(network: Network) -> np.ndarray:
    found = []

    def optimiser(objective: Any, bounds: np.ndarray, *, start: np.ndarray, seed: int) -> np.ndarray:
        found.append(bounds)
        return start

    match_timescales(network, [-0.01], optimiser=optimiser, **FAST)
    return np.exp(found[0])


def test_what_is_searched(network: Network) -> None:
    mean, shape = [1 / MOST_MEAN_CHANGE, MOST_MEAN_CHANGE], [1 / MOST_SHAPE_CHANGE, MOST_SHAPE_CHANGE]
    np.testing.assert_allclose(bounds_of(network), [mean, shape, mean, shape])
    np.testing.assert_allclose(bounds_of(make(excitatory_share=1.0)), [mean, shape])
    np.testing.assert_allclose(bounds_of(with_tau(network, np.full(60, 20.0))), [mean, mean])


def test_homogeneous_networks_stay_so(network: Network) -> None:
    tau_ms = np.where(network.neurons.sign > 0, 20.0, 10.0)
    dense = spectrum_under_drive(with_tau(network, tau_ms * np.where(network.neurons.sign > 0, 1.6, 1.2)), **FAST)
    matched, told = match_timescales(with_tau(network, tau_ms), dense, optimiser=always(np.log([1.6, 1.2])), **FAST)
    assert told.changed
    np.testing.assert_allclose(matched.neurons.tau_mem_ms, tau_ms * np.where(network.neurons.sign > 0, 1.6, 1.2))


def test_clusters_keep_the_ratios_of_their_means() -> None:
    network = make(synapses=SynapseSpec(wiring="clustered", weight_scale=0.2))
    neurons = network.neurons
    assert len(bounds_of(network)) == 4
    target = spectrum_under_drive(with_tau(network, np.clip(neurons.tau_mem_ms * 1.9, 2, 200)), **FAST)
    _, told = match_timescales(network, target, optimiser=always(np.log([1.9, 1.0, 1.9, 1.0])), **FAST)
    assert len(told.laws) == 8
    for name, law in told.laws.items():
        sign, cluster = name.split()
        members = (neurons.sign == (1 if sign == "excitatory" else -1)) & (neurons.population == int(cluster))
        assert law.mean == pytest.approx(1.9 * neurons.tau_mem_ms[members].mean())


# -- it helps, and never harms -----------------------------------------------------------------------------------------


def test_shrunken_time_constants_are_found_again(network: Network) -> None:
    dense = spectrum_under_drive(network, **FAST)
    fast = with_tau(network, np.maximum(network.neurons.tau_mem_ms / 1.8, 2.0))
    matched, told = match_timescales(fast, dense, **FAST)
    assert told.objective_after > 0.5 * told.objective_before  # both are negative
    assert told.objective_after == pytest.approx(spectral_fit(spectrum_under_drive(matched, **FAST), dense))
    assert told.objective_before == pytest.approx(spectral_fit(spectrum_under_drive(fast, **FAST), dense))
    assert told.n_evaluations <= 27
    excitatory = network.neurons.sign > 0
    assert matched.neurons.tau_mem_ms[excitatory].mean() > 1.2 * fast.neurons.tau_mem_ms[excitatory].mean()
    assert matched == match_timescales(fast, dense, **FAST)[0]


def test_what_is_worse_is_left(network: Network) -> None:
    dense = spectrum_under_drive(network, **FAST)
    same, told = match_timescales(network, dense, optimiser=always(np.log([0.5, 1.0, 0.5, 1.0])), **FAST)
    assert same == network
    assert not told.changed
    assert told.objective_after == told.objective_before
    np.testing.assert_array_equal(told.spectrum_after_per_ms, dense)


def test_a_silent_network_is_no_solution(network: Network) -> None:
    silent = network.with_weights(inputs=0 * network.inputs.weight)
    same, told = match_timescales(silent, [-0.01, -0.02], **FAST)
    assert same == silent
    assert told.objective_before == told.objective_after == -100


def test_other_sizes_and_synapses() -> None:
    for changes in ({"n_neurons": 1}, {"n_neurons": 5, "synapse": "delta", "excitatory_share": 0.0}):
        matched, told = match_timescales(make(**changes), [-0.01, -0.05], **FAST)
        assert told.objective_after >= told.objective_before
        assert np.isfinite(matched.neurons.tau_mem_ms).all()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"dense_exponents_per_ms": []}, "at least one exponent"),
        ({"dense_exponents_per_ms": [np.nan]}, "finite"),
        ({"n_exponents": 0}, "n_exponents"),
        ({"n_steps": 5}, "n_steps"),
        ({"surrogate_gain": -1.0}, "surrogate_gain"),
        ({"optimiser": always([9.0, 0.0, 0.0, 0.0])}, "inside the bounds"),
        ({"optimiser": always([0.0])}, "4 numbers"),
    ],
)
def test_bad_requests(network: Network, change: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        match_timescales(network, **{"dense_exponents_per_ms": [-0.01], **FAST, **change})
