"""Network: the rules it is held against when made, and the networks made of it."""

from __future__ import annotations

import re
from dataclasses import FrozenInstanceError, fields, replace
from typing import Any

import numpy as np
import pytest

from hrsnn._checks import InputError
from hrsnn.engine import Record, simulate
from hrsnn.network import Network, digest
from hrsnn.tables import ADAPTATION, SHORT_TERM, StdpRule, SynapseTable
from networks import neuron_table, random_network, random_spikes, synapse_table


def small() -> Network:
    """Three neurons, the last inhibitory; a ring, and one input channel onto the first."""
    return Network(
        neuron_table(3, sign=[1, 1, -1]),
        synapse_table([0, 1, 2], [1, 2, 0], n_pre=3, weight=[0.5, 0.25, -1.0]),
        synapse_table([0], [0], n_pre=1),
        dt_ms=1.0,
        provenance={"seed": 3, "history": ["built"]},
    )


def edges(table: SynapseTable) -> list[tuple[int, int, float]]:
    return list(zip(table.pre().tolist(), table.post.tolist(), table.weight.tolist(), strict=True))


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"tau_mem_ms": [20.0, -3.0, 20.0]}, "`tau_mem_ms` of `NeuronTable` must be > 0, got -3.0 at index 1 (1 of 3"),
        ({"tau_mem_ms": [20.0, 0.0, 20.0]}, "`tau_mem_ms` of `NeuronTable` must be > 0, got 0.0"),
        ({"tau_syn_exc_ms": 0.0}, "`tau_syn_exc_ms` of `NeuronTable` must be > 0"),
        ({"v_th": [1.0, np.nan, 1.0]}, "`v_th` of `NeuronTable` must be finite, got nan at index 1"),
        ({"v_reset": 1.0}, "`v_reset` of `NeuronTable` must be < v_th, got 1.0 at index 0 (3 of 3 values)"),
        ({"t_ref_ms": -1.0}, "`t_ref_ms` of `NeuronTable` must be >= 0"),
        ({"sign": [1, 0, 1]}, "`sign` of `NeuronTable` must be +1 or -1, got 0 at index 1"),
        ({"sign": [1, -128, 1]}, "`sign` of `NeuronTable` must be +1 or -1, got -128"),
        ({"population": -1}, "`population` of `NeuronTable` must be >= 0"),
    ],
)
def test_rules_of_neurons(columns: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        neuron_table(3, **columns)


def test_a_vector_of_the_wrong_length_is_told_with_both_lengths() -> None:
    table = neuron_table(3)
    table = replace(table, adapt=np.ones(3), tau_adapt_ms=np.ones(3))
    for f in fields(table):
        if f.name in ("tau_mem_ms", "position"):
            continue  # the first counts the neurons, the second has two dimensions
        with pytest.raises(
            InputError, match=re.escape(f"`{f.name}` of `NeuronTable` must have length 3, got length 2")
        ):
            replace(table, **{f.name: np.ones(2)})
    with pytest.raises(InputError, match=re.escape("`position` of `NeuronTable` must have shape (3, 3), got (2, 3)")):
        replace(table, position=np.zeros((2, 3)))
    synapses = synapse_table([0, 1], [1, 0], n_pre=3, u=0.5, tau_rec_ms=9.0, tau_fac_ms=9.0)
    for f in fields(synapses):
        if f.name in ("ptr", "post"):
            continue
        with pytest.raises(
            InputError, match=re.escape(f"`{f.name}` of `SynapseTable` must have length 2, got length 3")
        ):
            replace(synapses, **{f.name: np.ones(3)})
    with pytest.raises(InputError, match=re.escape("`weight` of `SynapseTable` must have length 2, got shape (3,)")):
        synapse_table([0, 1], [1, 0], n_pre=3, weight=np.ones(3))


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"delay_ms": 0.0}, "`delay_ms` of `SynapseTable` must be > 0"),
        ({"a_plus": -0.1}, "`a_plus` of `SynapseTable` must be >= 0"),
        ({"a_minus": -0.1}, "`a_minus` of `SynapseTable` must be >= 0"),
        ({"tau_plus_ms": 0.0}, "`tau_plus_ms` of `SynapseTable` must be > 0"),
        ({"tau_minus_ms": -1.0}, "`tau_minus_ms` of `SynapseTable` must be > 0"),
        ({"w_max": -1.0}, "`w_max` of `SynapseTable` must be >= 0"),
        ({"weight": [0.5, np.inf]}, "`weight` of `SynapseTable` must be finite, got inf at index 1"),
        ({"weight": 1e39}, "`weight` of `SynapseTable` must be numbers that fit float32"),
    ],
)
def test_rules_of_synapses(columns: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        synapse_table([0, 1], [1, 0], n_pre=2, **columns)


def test_edges_out_of_range() -> None:
    with pytest.raises(InputError, match=re.escape("`pre` of `SynapseTable` must be <= 1, got 2")):
        synapse_table([0, 2], [1, 0], n_pre=2)
    with pytest.raises(InputError, match=re.escape("`post` of `SynapseTable` must be >= 0, got -1")):
        synapse_table([0], [-1], n_pre=2)
    with pytest.raises(
        InputError, match=re.escape("`ptr` of `SynapseTable` must rise from 0 to the number of synapses 2")
    ):
        replace(synapse_table([0, 1], [1, 0], n_pre=2), ptr=[0, 2, 1])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dt_ms": 0.0}, "`dt_ms` of `Network` must be > 0"),
        ({"dt_ms": np.nan}, "`dt_ms` of `Network` must be > 0"),
        ({"synapse": "alpha"}, "`synapse` of `Network` must be one of exp, delta, got alpha"),
        ({"recurrent": synapse_table([0], [1], n_pre=2)}, "`recurrent` of `Network` must have 3 rows, got 2"),
        ({"inputs": synapse_table([], [], n_pre=0)}, "`inputs` of `Network` must have at least one channel"),
        ({"inputs": synapse_table([0], [3], n_pre=1)}, "`inputs.post` of `Network` must be < 3, the number of neurons"),
        ({"inputs": synapse_table([0], [0], n_pre=1, weight=-1)}, "`inputs.weight` of `Network` must have the sign"),
        ({"dt_ms": 0.3}, "`recurrent.delay_ms` of `Network` must be a multiple of dt_ms = 0.3, at least"),
        ({"dt_ms": 2.0}, "must be a multiple of dt_ms = 2, at least one step"),
        ({"provenance": {"f": len}}, "`provenance` of `Network` must hold plain JSON values"),
        ({"provenance": {"f": np.nan}}, "`provenance` of `Network` must hold plain JSON values"),
        ({"provenance": [1]}, "`provenance` of `Network` must be a table"),
    ],
)  # fmt: skip
def test_rules_of_networks(change: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        replace(small(), **change)


def test_dales_law() -> None:
    rule = "must have the sign of its presynaptic neuron, got"
    for weight, value in (([0.5, 0.25, 1.0], "1.0 at index 2"), ([0.5, -0.25, -1.0], "-0.25 at index 1")):
        with pytest.raises(InputError, match=re.escape(f"`recurrent.weight` of `Network` {rule} {value}")):
            small().with_weights(weight)
    assert small().with_weights([0.0, 0.0, 0.0]).recurrent.weight.tolist() == [0, 0, 0]


def test_rules_of_stdp() -> None:
    for change, message in (
        ({"pairing": "triplet"}, "`pairing` of `StdpRule` must be one of all-to-all, nearest"),
        ({"soft_bound": 1.5}, "`soft_bound` of `StdpRule` must be in [0, 1], got 1.5"),
        ({"soft_bound": np.nan}, "`soft_bound` of `StdpRule` must be a finite number, got nan"),
        ({"normalise": 1}, "`normalise` of `StdpRule` must be true or false, got 1"),
    ):
        with pytest.raises(InputError, match=re.escape(message)):
            StdpRule(**change)  # type: ignore[arg-type]


def test_delays_of_many_steps_of_a_decimal_grid_are_multiples() -> None:
    network = replace(small(), recurrent=synapse_table([], [], n_pre=3), dt_ms=0.1)
    delays = 0.1 * np.arange(1, 501)  # in single precision none of them is exact
    table = synapse_table(np.zeros(500, int), np.zeros(500, int), n_pre=1, delay_ms=delays)
    assert len(replace(network, inputs=table).inputs) == 500
    with pytest.raises(InputError, match="must be a multiple"):
        replace(network, inputs=replace(table, delay_ms=delays + 0.001))


def test_edges_come_out_by_pre_then_post() -> None:
    table = synapse_table([2, 0, 2, 1], [1, 2, 0, 1], n_pre=4, weight=[1, 2, 3, 4])
    assert edges(table) == [(0, 2, 2), (1, 1, 4), (2, 0, 3), (2, 1, 1)]
    assert table.ptr.tolist() == [0, 1, 2, 4, 4]
    assert table.out_degree.tolist() == [1, 1, 2, 0]
    assert (table.n_pre, len(table)) == (4, 4)


def test_the_order_of_edges_does_not_matter_and_those_of_one_pair_keep_theirs() -> None:
    rng = np.random.default_rng(0)
    pre, post = rng.integers(0, 5, (2, 200))  # many pairs several times
    weight = np.arange(200.0)
    found = edges(synapse_table(pre, post, n_pre=5, weight=weight))
    assert found == sorted(zip(pre.tolist(), post.tolist(), weight.tolist(), strict=True))
    first, last, sizes = zip(*found, strict=True)
    assert edges(synapse_table(first, last, n_pre=5, weight=sizes)) == found


def test_edges_that_come_sorted_are_not_shared_with_the_caller() -> None:
    weight = np.ones(2, dtype=np.float32)
    table = synapse_table([0, 1], [1, 0], n_pre=2, weight=weight)
    weight[:] = 9.0
    assert edges(table) == [(0, 1, 1.0), (1, 0, 1.0)]


def test_a_network_cannot_be_changed_from_outside() -> None:
    tau, history = np.full(3, 20.0), ["built"]
    network = replace(small(), neurons=replace(neuron_table(3, sign=[1, 1, -1]), tau_mem_ms=tau))
    network = replace(network, provenance={"history": history})
    tau[:] = 5.0
    history.append("changed")
    assert network.neurons.tau_mem_ms.tolist() == [20.0] * 3
    assert network.provenance["history"] == ["built"]
    with pytest.raises(ValueError, match="read-only"):
        network.recurrent.weight[0] = 1.0
    with pytest.raises(FrozenInstanceError):
        network.dt_ms = 2.0  # type: ignore[misc]


def test_keep_neurons_renumbers() -> None:
    network = small().keep_neurons(np.array([True, False, True]))
    assert network.neurons.sign.tolist() == [1, -1]
    assert edges(network.recurrent) == [(1, 0, -1.0)]
    assert edges(network.inputs) == [(0, 0, 0.5)]
    assert (network.n_neurons, network.n_excitatory, network.n_inputs) == (2, 1, 1)


def test_keep_neurons_is_cutting_rows_and_columns_of_the_matrix() -> None:
    rng = np.random.default_rng(0)
    network = random_network(rng, n=12, n_inputs=3)
    mask = rng.random(12) < 0.5

    def matrix(table: SynapseTable, n_post: int) -> Any:
        dense = np.zeros((table.n_pre, n_post))
        dense[table.pre(), table.post] = table.weight
        return dense

    kept = network.keep_neurons(mask)
    np.testing.assert_array_equal(matrix(kept.recurrent, mask.sum()), matrix(network.recurrent, 12)[mask][:, mask])
    np.testing.assert_array_equal(matrix(kept.inputs, mask.sum()), matrix(network.inputs, 12)[:, mask])
    for name, column in network.neurons.columns().items():
        np.testing.assert_array_equal(getattr(kept.neurons, name), column[mask])


def test_removing_nothing_is_the_identity() -> None:
    network = random_network(np.random.default_rng(1))
    assert network.keep_neurons(np.ones(10, dtype=bool)) == network
    assert network.keep_synapses(np.ones(len(network.recurrent), dtype=bool)) == network
    assert network.keep_synapses() == network
    assert network.with_weights() == network


def test_removing_a_silent_neuron_changes_no_spike_of_the_others() -> None:
    rng = np.random.default_rng(2)
    network = random_network(rng)
    silent = replace(network.neurons, v_th=np.where(np.arange(10) == 4, 1e9, network.neurons.v_th))
    network, keep = replace(network, neurons=silent), np.arange(10) != 4
    spikes, record = random_spikes(rng, network, n_steps=200), Record(n_bins=200)
    whole = simulate(network, spikes, record=record).counts
    assert whole[:, :, 4].sum() == 0
    assert whole.sum() > 100
    np.testing.assert_array_equal(simulate(network.keep_neurons(keep), spikes, record=record).counts, whole[:, :, keep])


def test_keep_synapses_keeps_these() -> None:
    network = small().keep_synapses([True, False, True], inputs=[False])
    assert edges(network.recurrent) == [(0, 1, 0.5), (2, 0, -1.0)]
    assert len(network.inputs) == 0
    assert network.n_inputs == 1  # a channel without a synapse stays a channel


def test_masks_and_weights_must_fit() -> None:
    with pytest.raises(
        InputError, match=re.escape("`keep` of `Network.keep_neurons` must be 3 booleans, got bool of shape (2,)")
    ):
        small().keep_neurons([True, False])  # fmt: skip
    with pytest.raises(InputError, match="must be 3 booleans, got int64"):
        small().keep_neurons([0, 1, 2])
    with pytest.raises(InputError, match="must keep at least one neuron"):
        small().keep_neurons([False] * 3)
    with pytest.raises(InputError, match=re.escape("`weight` of `SynapseTable` must have length 3, got length 2")):
        small().with_weights([1.0, 1.0])


def test_with_weights_changes_one_column() -> None:
    network = small().with_weights([1, 2, -3], inputs=[4])
    assert (network.recurrent.weight.tolist(), network.inputs.weight.tolist()) == ([1, 2, -3], [4])
    assert network.with_weights([0.5, 0.25, -1.0], inputs=[0.5]) == small()


def test_history_grows() -> None:
    assert small().with_history("cut").provenance == {"seed": 3, "history": ["built", "cut"]}
    assert replace(small(), provenance={}).with_history("cut").provenance == {"history": ["cut"]}


def test_digest_follows_names_dtypes_shapes_and_bytes() -> None:
    columns = [
        {"a": np.zeros((2, 3))}, {"b": np.zeros((2, 3))}, {"a": np.zeros((3, 2))}, {"a": np.zeros(6)},
        {"a": np.zeros((2, 3), dtype=np.int64)}, {"a": np.ones((2, 3))}, {"a": np.zeros((2, 3)), "b": np.zeros(0)},
    ]  # fmt: skip
    assert len({digest(c, {}) for c in columns}) == len(columns)
    assert digest({"a": np.zeros(1), "b": np.ones(1)}, {}) == digest({"b": np.ones(1), "a": np.zeros(1)}, {})
    assert digest({}, {"x": 1}) != digest({}, {"x": 2})
    transposed = np.arange(6.0).reshape(2, 3).T  # not contiguous: the values count, not the memory
    assert digest({"a": transposed}, {}) == digest({"a": transposed.copy()}, {})


def test_hash_follows_every_column_and_every_fact() -> None:
    network = small()
    assert network.hash == small().hash
    assert re.fullmatch("[0-9a-f]{64}", network.hash)
    changed = [
        replace(network, dt_ms=0.5),
        replace(network, synapse="delta"),
        replace(network, rule=StdpRule(soft_bound=0.5)),
        replace(network, provenance={}),
        replace(network, reset="subtract"),
        replace(network, dale=False),
        replace(network, neurons=replace(network.neurons, **dict.fromkeys(ADAPTATION, np.ones(network.n_neurons)))),
        replace(network, inputs=replace(network.inputs, **dict.fromkeys(SHORT_TERM, np.ones(len(network.inputs))))),
        network.with_weights([0.5, 0.25, -0.5]),
    ]
    changed += [
        replace(network, neurons=replace(network.neurons, **{name: column + 0.5}))
        for name, column in network.neurons.columns().items()
        if name not in ("sign", "population", "v_reset")
    ]
    changed += [
        replace(network, recurrent=replace(network.recurrent, **{name: column + 1.0}))
        for name, column in network.recurrent.columns().items()
        if name not in ("ptr", "post", "weight")
    ]
    assert len({network.hash, *(n.hash for n in changed)}) == 1 + len(changed)
    assert all(n != network for n in changed)
