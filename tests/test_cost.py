"""Costs are counts: against a count event by event, by hand, and with synapses that do nothing."""

from __future__ import annotations

import json
import runpy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hrsnn._checks import InputError
from hrsnn.analysis.cost import ENERGY_PROFILES, Costs, count_costs, neurobench_metrics, sparse_synops
from hrsnn.engine import Record, simulate
from hrsnn.network import Network
from hrsnn.spikes import Spikes
from networks import networks_with_spikes, random_network, random_spikes


def with_dead_synapses(network: Network, share: float = 0.3) -> Network:
    rng = np.random.default_rng(0)
    dead = [rng.random(len(table)) < share for table in (network.recurrent, network.inputs)]
    return network.with_weights(
        np.where(dead[0], 0, network.recurrent.weight), inputs=np.where(dead[1], 0, network.inputs.weight)
    )


def brute_force(network: Network, spikes: Spikes, fired: Spikes) -> tuple[int, int]:
    """One by one: every spike, every synapse it travels along."""
    found = []
    for events, table in ((spikes, network.inputs), (fired, network.recurrent)):
        n = 0
        for unit in events.unit:
            for k in range(table.ptr[unit], table.ptr[unit + 1]):
                n += table.weight[k] != 0
        found.append(int(n))
    return found[0], found[1]


@settings(max_examples=30, deadline=None, derandomize=True, database=None)
@given(networks_with_spikes(longest_delay=3))
def test_counts_are_those_of_single_events(pair: tuple[Network, Spikes]) -> None:
    """Acceptance check 16: the formula sum of s_i c_i and the count of events are the same integers."""
    network, spikes = with_dead_synapses(pair[0]), pair[1]
    if spikes.n_samples == 0:
        return
    recording = simulate(network, spikes, record=Record(spikes=True))
    assert recording.spikes is not None
    costs = count_costs(network, spikes, recording)
    assert (costs.synops_input, costs.synops_recurrent) == brute_force(network, spikes, recording.spikes)
    assert costs.spikes == recording.spikes.n_events
    live = sum(int(np.count_nonzero(table.weight)) for table in (network.recurrent, network.inputs))
    assert costs.n_nonzero_weights == live
    assert all(isinstance(getattr(costs, name), int) for name in Costs.__dataclass_fields__)


@settings(max_examples=30, deadline=None, derandomize=True, database=None)
@given(networks_with_spikes(longest_delay=3), st.integers(0, 2**32))
def test_sparse_operations_are_those_between_live_units(pair: tuple[Network, Spikes], seed: int) -> None:
    """The formula of method.md 14, term by term; and it is what the cut network would cost with the same spikes."""
    network, rng = with_dead_synapses(pair[0]), np.random.default_rng(seed)
    table, n = network.recurrent, network.n_neurons
    s = rng.integers(0, 20, n)
    keep = rng.random(n) < 0.7
    keep[rng.integers(n)] = True
    found = sparse_synops(table, s, live_pre=keep, live_post=keep)
    pre = table.pre()
    edges = zip(pre, table.post, table.weight, strict=True)
    assert found == sum(int(s[i]) * (keep[i] & (w != 0) & keep[j]) for i, j, w in edges)
    assert found == sparse_synops(network.keep_neurons(keep).recurrent, s[keep])
    everybody = np.ones(n, dtype=bool)
    assert sparse_synops(table, s, live_pre=everybody, live_post=everybody) == sparse_synops(table, s) >= found


def test_sparse_operations_ask_for_counts_and_flags() -> None:
    table = random_network(np.random.default_rng(0), n=6, density=1.0).recurrent
    with pytest.raises(InputError, match="`spike_counts` of `sparse_synops` must have length 6, got length 5"):
        sparse_synops(table, np.ones(5))
    with pytest.raises(InputError, match="`spike_counts` of `sparse_synops` must be whole numbers"):
        sparse_synops(table, np.full(6, 0.5))
    with pytest.raises(InputError, match="`live_pre` of `sparse_synops` must have length 6, got 5"):
        sparse_synops(table, np.ones(6), live_pre=np.ones(5, dtype=bool))
    with pytest.raises(InputError, match="`live_post` of `sparse_synops` must have length >= 6, got 5"):
        sparse_synops(table, np.ones(6), live_post=np.ones(5, dtype=bool))
    with pytest.raises(InputError, match="`live_post` of `sparse_synops` must be booleans in one dimension"):
        sparse_synops(table, np.ones(6), live_post=np.ones(6))


def test_cutting_synapses_of_weight_zero_costs_and_saves_nothing() -> None:
    rng = np.random.default_rng(1)
    network = with_dead_synapses(random_network(rng, longest_delay=3))
    spikes = random_spikes(rng, network)
    cut = network.keep_synapses(network.recurrent.weight != 0, inputs=network.inputs.weight != 0)
    assert len(cut.recurrent) < len(network.recurrent)
    costs = [count_costs(net, spikes, simulate(net, spikes)) for net in (network, cut)]
    assert costs[0] == costs[1]


def test_costs_by_hand() -> None:
    costs = Costs(
        n_samples=4, n_steps=10, n_neurons=5, spikes=40, synops_input=8, synops_recurrent=80, synops_readout=12,
        n_nonzero_weights=9, n_possible_weights=36, footprint_bytes=100,
    )  # fmt: skip
    assert costs.synops == 100
    assert costs.to_dict() == {
        "spikes_per_sample": 10.0, "spikes_per_neuron": 2.0, "synops_input": 2.0, "synops_recurrent": 20.0,
        "synops_readout": 3.0, "neuron_updates": 50.0, "connection_sparsity": 0.75, "activation_sparsity": 0.8,
        "mean_activation": 0.2, "footprint_bytes": 100, "footprint_bytes_neurons": 0, "footprint_bytes_synapses": 0,
        "footprint_bytes_state": 0, "footprint_bytes_readout": 0, "energy_pj": {
            "loihi": pytest.approx(25 * 23.6), "45nm-add": pytest.approx(25 * 0.9), "spinnaker2": pytest.approx(250),
        },
    }  # fmt: skip
    assert costs.neuron_updates == 4 * 10 * 5
    assert costs.synops_dense == 4 * 10 * 36
    assert costs.dense_energy_pj() == {"45nm-add": pytest.approx(10 * 36 * 4.6)}


def test_names_of_neurobench_by_hand() -> None:
    costs = Costs(
        n_samples=4, n_steps=10, n_neurons=5, spikes=40, synops_input=8, synops_recurrent=80, synops_readout=12,
        n_nonzero_weights=9, n_possible_weights=36, footprint_bytes=100,
    )  # fmt: skip
    assert neurobench_metrics(costs, readout_weights=4) == {
        "Footprint": 100, "ConnectionSparsity": 0.675, "ActivationSparsity": 0.8,
        "SynapticOperations": {"Effective_MACs": 3.0, "Effective_ACs": 22.0, "Dense": 364.0},
    }  # fmt: skip
    with pytest.raises(InputError, match="must be given, as the costs count 12 operations of a readout, got 0"):
        neurobench_metrics(costs)
    alone = neurobench_metrics(replace(costs, synops_readout=0))
    assert (alone["ConnectionSparsity"], alone["SynapticOperations"]["Effective_MACs"]) == (0.75, 0)
    with pytest.raises(InputError, match="must be >= 0, got -1"):
        neurobench_metrics(costs, readout_weights=-1)
    with pytest.raises(InputError, match="must be of a network"):
        neurobench_metrics(replace(costs, n_neurons=0))


@pytest.mark.parametrize("name", ["exp-50", "exp-silent", "delta-50"])
def test_values_are_those_that_neurobench_found(name: str, tmp_path: Path) -> None:
    """docs/results/neurobench.json holds what NeuroBench itself measured of these networks."""
    root = Path(__file__).parent.parent
    oracle = runpy.run_path(str(root / "benchmarks/neurobench_oracle.py"))
    case = next(case for case in oracle["CASES"] if case.name == name)
    found = oracle["of_hrsnn"](case, tmp_path)
    found.update(found.pop("SynapticOperations"))
    recorded = json.loads((root / "docs/results/neurobench.json").read_text())["cases"][name]
    assert recorded["same_spikes"] is True
    for metric in ("Footprint", "ConnectionSparsity", "Effective_MACs", "Effective_ACs", "Dense"):
        assert found[metric] == recorded["metrics"][metric]["neurobench"], metric
    assert found["ActivationSparsity"] == pytest.approx(recorded["metrics"]["ActivationSparsity"]["neurobench"])
    assert found["neuron_updates"] >= recorded["metrics"]["MembraneUpdates, at most"]["neurobench"]


@settings(max_examples=20, deadline=None, derandomize=True, database=None)
@given(networks_with_spikes())
def test_dense_operations_are_those_when_everybody_spikes_along_every_synapse(pair: tuple[Network, Spikes]) -> None:
    network, spikes = pair
    if spikes.n_samples == 0:
        return
    costs = count_costs(network, spikes, simulate(network, spikes))
    at_once = (network.n_inputs + network.n_neurons) * network.n_neurons
    assert costs.synops_dense == at_once * spikes.n_steps * spikes.n_samples
    assert costs.synops <= costs.synops_dense
    assert costs.spikes <= costs.neuron_updates


def test_a_control_without_neurons_says_nothing_of_neurons() -> None:
    costs = Costs(
        n_samples=2, n_steps=10, n_neurons=0, spikes=0, synops_input=0, synops_recurrent=0, synops_readout=6,
        n_nonzero_weights=0, n_possible_weights=0, footprint_bytes=4,
    ).to_dict()  # fmt: skip
    assert (costs["spikes_per_neuron"], costs["mean_activation"], costs["synops_readout"]) == (None, None, 3)
    assert (costs["connection_sparsity"], costs["activation_sparsity"]) == (None, None)


def test_footprint() -> None:
    rng = np.random.default_rng(2)
    network = random_network(rng, n=6, n_inputs=3)
    spikes = random_spikes(rng, network)
    n_synapses = np.count_nonzero(network.recurrent.weight) + np.count_nonzero(network.inputs.weight)
    recording = simulate(network, spikes)
    found = count_costs(network, spikes, recording).footprint_bytes
    # target and weight; one pointer per row and table end; ten parameters and four states per neuron; single precision
    assert found == 8 * n_synapses + 4 * (6 + 3 + 2) + 4 * 14 * 6
    assert count_costs(network, spikes, recording, readout_bytes=50).footprint_bytes == found + 50
    delayed = replace(network, recurrent=replace(network.recurrent, delay_ms=2.0 * network.recurrent.delay_ms))
    n_delayed = np.count_nonzero(network.recurrent.weight)
    assert count_costs(delayed, spikes, recording).footprint_bytes == found + 2 * n_delayed


def test_recording_and_input_must_belong_together() -> None:
    rng = np.random.default_rng(3)
    network = random_network(rng)
    spikes = random_spikes(rng, network, n_samples=2)
    with pytest.raises(InputError, match="`recording` of `count_costs` must have 1 samples, got 2"):
        count_costs(network, spikes.select([0]), simulate(network, spikes))
    nothing = spikes.select([])
    with pytest.raises(InputError, match="must hold at least one sample"):
        count_costs(network, nothing, simulate(network, nothing))


def test_every_profile_has_a_source() -> None:
    assert [p.name for p in ENERGY_PROFILES] == ["loihi", "45nm-add", "spinnaker2"]
    assert all(p.reference and p.pj_per_synop > 0 for p in ENERGY_PROFILES)
    assert all(p.pj_per_mac is None or p.pj_per_mac > p.pj_per_synop for p in ENERGY_PROFILES)
