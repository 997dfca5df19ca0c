"""Separation and generalisation ranks: networks whose final states are known, and what must not change them."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from hrsnn._checks import InputError
from hrsnn.analysis.separation import (
    StateRank,
    _jittered,
    _poisson,
    computational_measure,
    generalisation_rank,
    separation_rank,
)
from hrsnn.analysis.states import effective_rank, entropy_rank, numerical_rank
from hrsnn.engine import Record, simulate
from hrsnn.network import Network
from hrsnn.spec import NetworkSpec
from hrsnn.spikes import Spikes
from hrsnn.wiring import build
from networks import neuron_table, synapse_table


def relay(n: int) -> Network:
    """Neuron i spikes one step after channel i, whenever that spikes, and nothing else happens."""
    neurons = neuron_table(n, tau_mem_ms=2.0)
    inputs = synapse_table(np.arange(n), np.arange(n), n_pre=n, weight=5.0, w_max=5.0)
    return Network(neurons, synapse_table([], [], n_pre=n), inputs, dt_ms=1.0, synapse="delta")


@cache
def lively_network() -> Network:
    spec = {
        "n_neurons": 60, "n_inputs": 20,
        "input": {"subset_share": 1.0, "p_connect": 0.4, "weight_excitatory": 1.5, "weight_inhibitory": 1.5},
        "synapses": {"wiring": "small-world", "n_neighbours": 5, "weight_scale": 0.3},
    }  # fmt: skip
    return build(NetworkSpec.from_dict(spec), seed=0)


def test_a_relay_separates_as_many_stimuli_as_it_has_neurons() -> None:
    found = separation_rank(relay(12), rate_hz=100.0)
    assert found.n_stimuli == found.numerical == 12
    assert 10 <= found.effective <= 12
    more = separation_rank(relay(12), n_stimuli=40, rate_hz=100.0)
    assert (more.n_stimuli, more.numerical, more.singular_values.size) == (40, 12, 12)
    fewer = separation_rank(relay(12), n_stimuli=5, rate_hz=100.0)
    assert fewer.effective <= fewer.numerical == 5


def test_neurons_that_do_the_same_are_one_dimension() -> None:
    n = 12
    same = Network(
        neuron_table(n, tau_mem_ms=2.0), synapse_table([], [], n_pre=n),
        synapse_table(np.zeros(n), np.arange(n), n_pre=2, weight=5.0, w_max=5.0), dt_ms=1.0, synapse="delta",
    )  # fmt: skip
    found = separation_rank(same, rate_hz=50.0)
    assert found.effective == found.numerical == 1
    assert found.entropy == pytest.approx(1, abs=1e-4)


def test_ranks_are_those_of_the_final_filtered_states() -> None:
    network = lively_network()
    found = separation_rank(network, n_stimuli=25, seed=3, duration_ms=200)
    spikes = _poisson("test", network, 25, 200.0, 10.0, 3)
    recording = simulate(network, spikes, record=Record(spikes=True))
    assert recording.spikes is not None
    age = 199 - recording.spikes.step
    states = np.zeros((25, 60))
    np.add.at(states, (recording.spikes.sample_of_event(), recording.spikes.unit), np.exp(-age / 30))
    assert found.effective == effective_rank(states)
    assert found.numerical == numerical_rank(states.astype(np.float32))
    assert found.entropy == pytest.approx(entropy_rank(states), rel=1e-4)
    assert found.singular_values == pytest.approx(np.linalg.svd(states, compute_uv=False), rel=1e-3, abs=1e-5)
    assert found.silent_share == np.mean(recording.spike_counts.sum(axis=0) == 0)


def test_stimuli_have_the_stated_rate_and_streams_of_their_own() -> None:
    network = relay(50)
    spikes = _poisson("test", network, 200, 500.0, 10.0, 0)
    assert (spikes.n_samples, spikes.n_steps) == (200, 500)
    n_expected = 200 * 50 * 5
    assert spikes.n_events == pytest.approx(n_expected, abs=4 * np.sqrt(n_expected))
    dense = _poisson("test", network, 20, 500.0, 400.0, 0)
    assert dense.n_events / 20 / 50 / 500 == pytest.approx(
        0.4, rel=0.02
    )  # the mean of what is seen, not of the process
    assert _poisson("test", network, 3, 500.0, 10.0, 0) == spikes.select([0, 1, 2])
    assert _poisson("test", network, 3, 500.0, 10.0, 1) != spikes.select([0, 1, 2])


@pytest.mark.parametrize("function", [separation_rank, generalisation_rank])
def test_same_seed_same_bits_whatever_the_number_of_threads(function: object) -> None:
    def bits(**options: int) -> tuple[object, ...]:
        found: StateRank = function(lively_network(), **options)  # type: ignore[operator]
        return found.singular_values.tobytes(), found.effective, found.entropy

    assert bits(n_threads=1) == bits(n_threads=2)
    assert bits(seed=0) != bits(seed=1)


def test_copies_without_jitter_are_one_dimension_and_jitter_adds_more() -> None:
    network = lively_network()
    ranks = [generalisation_rank(network, jitter_ms=jitter_ms) for jitter_ms in (0.0, 1.0, 5.0, 20.0)]
    assert ranks[0].effective == ranks[0].numerical == 1
    entropies = [rank.entropy for rank in ranks]
    assert entropies == sorted(entropies)
    separation = separation_rank(network)
    assert entropies[-1] < separation.entropy
    assert computational_measure(separation, ranks[0]) == separation.effective - 1


def test_jitter_moves_every_spike_by_the_stated_spread_within_the_stimulus() -> None:
    stimulus = Spikes.from_times([[200.5] * 40], [np.arange(40)], n_units=40, n_steps=400, dt_ms=1.0)
    copies = _jittered(stimulus, 50, 5.0, 0)
    assert copies.n_samples == 50
    assert (copies.counts() == 1).all()
    shift = copies.step - 200
    assert shift.std() == pytest.approx(5, rel=0.05)
    assert abs(shift.mean()) < 0.4
    edge = Spikes.from_times([[0.5, 399.5]], [[0, 1]], n_units=2, n_steps=400, dt_ms=1.0)
    reflected = _jittered(edge, 200, 30.0, 0)
    assert (reflected.counts() == 1).all()  # none is lost
    assert np.abs(np.where(reflected.unit == 0, 0.5, 399.5) - reflected.step).mean() == pytest.approx(24, rel=0.15)
    assert _jittered(stimulus, 3, 0.0, 0) == stimulus.select([0, 0, 0])


def test_a_silent_network_has_no_rank_and_is_told() -> None:
    network = lively_network()
    silent = replace(network, neurons=replace(network.neurons, v_th=np.full(60, 1e6)))
    for found in (separation_rank(silent), generalisation_rank(silent)):
        assert found.effective == found.numerical == found.entropy == 0
        assert found.silent_share == 1
        assert found.warnings == (
            "100 % of the neurons are silent under all stimuli: they separate nothing. Stronger input wakes them.",
        )


def test_bad_requests_are_refused() -> None:
    network = relay(3)
    for function in (separation_rank, generalisation_rank):
        owner = function.__name__
        with pytest.raises(InputError, match=f"`n_stimuli` of `{owner}` must be >= 1, got 0"):
            function(network, n_stimuli=0)
        with pytest.raises(InputError, match=f"`duration_ms` of `{owner}` must be a whole number >= 1 of steps"):
            function(network, duration_ms=0.4)
        for rate_hz in (0.0, -3.0, 1000.0, np.nan):
            with pytest.raises(InputError, match=f"`rate_hz` of `{owner}` must lie between 0 and 1000"):
                function(network, rate_hz=rate_hz)
    for jitter_ms in (-1.0, np.nan):
        with pytest.raises(InputError, match="`jitter_ms` of `generalisation_rank`"):
            generalisation_rank(network, jitter_ms=jitter_ms)
    with pytest.raises(InputError, match="must have 3 stimuli, as many as the separation rank, got 2"):
        computational_measure(separation_rank(network), generalisation_rank(network, n_stimuli=2))
