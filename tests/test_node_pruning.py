"""Step II: who goes first, what stays in any case, exact counts, what cannot be pruned."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import hrsnn
from hrsnn._checks import InputError
from hrsnn.graph import betweenness, reachable_from_inputs
from hrsnn.network import Network
from hrsnn.pruning import nodes
from hrsnn.pruning.nodes import N_MIN, prune_by_betweenness
from networks import examples, neuron_table, random_network, same_bits, synapse_table


def ring(n: int, *, sign: object = 1) -> Network:
    """0 -> 1 -> ... -> 0, with one input at neuron 0: all neurons are alike but for their index."""
    pre = np.arange(n)
    weight = 0.5 * np.broadcast_to(sign, n)  # type: ignore[arg-type]
    return Network(
        neuron_table(n, sign=sign),
        synapse_table(pre, (pre + 1) % n, n_pre=n, weight=weight),
        synapse_table([0], [0], n_pre=1),
        dt_ms=1.0,
    )


@examples(20)
@given(seed=st.integers(0, 2**32), n=st.sampled_from([3, 50, 51, 70]), density=st.sampled_from([0.0, 0.02, 0.1]))
def test_the_lowest_go(seed: int, n: int, density: float) -> None:
    rng = np.random.default_rng(seed)
    network = random_network(rng, n=n, density=density)
    n_keep = int(rng.integers(min(n, N_MIN), n + 1))
    pruned, told = prune_by_betweenness(network, n_keep=n_keep)
    assert pruned.n_neurons == told.kept.sum() == n_keep
    np.testing.assert_array_equal(pruned.neurons.tau_mem_ms, network.neurons.tau_mem_ms[told.kept])
    reachable = reachable_from_inputs(network)
    assert told.n_unreachable == n - reachable.sum()
    live = network.recurrent.weight != 0
    ends = np.concatenate([network.recurrent.pre()[live], network.recurrent.post[live]]).tolist()
    order = sorted(range(n), key=lambda k: (reachable[k], told.betweenness[k], ends.count(k), k))
    expected, sign = set(order[n - n_keep :]), network.neurons.sign
    if (sign < 0).any() and (sign[list(expected)] > 0).all():
        expected -= {order[n - n_keep]}
        expected |= {[k for k in order if sign[k] < 0][-1]}
    assert expected == set(np.flatnonzero(told.kept))


def test_what_no_input_reaches_goes_first() -> None:
    base = ring(60)
    # neurons 60 to 69 stand before the ring, with high betweenness in the whole network, and nothing leads to them
    pre = np.concatenate([base.recurrent.pre(), np.arange(60, 70)])
    post = np.concatenate([base.recurrent.post, np.arange(61, 70), [0]])
    network = Network(neuron_table(70), synapse_table(pre, post, n_pre=70), base.inputs, dt_ms=1.0)
    assert betweenness(network)[69] > 0.1
    pruned, told = prune_by_betweenness(network, n_keep=60)
    assert told.n_unreachable == 10
    assert told.kept[:60].all()
    assert not told.betweenness[60:].any()
    np.testing.assert_allclose(told.betweenness[:60], betweenness(base))
    assert pruned.recurrent == base.recurrent
    _, told = prune_by_betweenness(network, n_keep=65)  # of the unreachable those of lower degree and index
    np.testing.assert_array_equal(np.flatnonzero(~told.kept), [60, 61, 62, 63, 64])


def test_equals_go_by_degree_then_index() -> None:
    network = ring(60)
    _, told = prune_by_betweenness(network, n_keep=57)
    np.testing.assert_array_equal(np.flatnonzero(~told.kept), [0, 1, 2])
    synapses = network.recurrent
    pre, post = np.append(synapses.pre(), 0), np.append(synapses.post, 0)  # an autapse is on no shortest path
    with_autapse = Network(network.neurons, synapse_table(pre, post, n_pre=60), network.inputs, dt_ms=1.0)
    _, told = prune_by_betweenness(with_autapse, n_keep=57)
    np.testing.assert_array_equal(np.flatnonzero(~told.kept), [1, 2, 3])


def test_the_last_inhibitory_neuron_stays() -> None:
    sign = np.ones(60, dtype=int)
    sign[[2, 4]] = -1
    pruned, told = prune_by_betweenness(ring(60, sign=sign), n_keep=50)
    assert pruned.n_neurons == 50
    np.testing.assert_array_equal(np.flatnonzero(~told.kept), [0, 1, 2, 3, 5, 6, 7, 8, 9, 10])
    assert not pruned.neurons.sign.min() > 0


def test_without_inhibitory_neurons_or_synapses() -> None:
    pruned, _ = prune_by_betweenness(ring(60), n_keep=50)
    assert (pruned.n_neurons, pruned.n_excitatory) == (50, 50)
    bare = ring(60).keep_synapses(np.zeros(60, dtype=bool), inputs=[False])
    pruned, told = prune_by_betweenness(bare, n_keep=50)
    assert told.n_unreachable == 60
    np.testing.assert_array_equal(np.flatnonzero(told.kept), np.arange(10, 60))


def test_all_kept_is_the_network() -> None:
    network = hrsnn.build(hrsnn.NetworkSpec(n_neurons=60, n_inputs=5), seed=0)
    pruned, _ = prune_by_betweenness(network, n_keep=60)
    assert (pruned.neurons, pruned.recurrent, pruned.inputs) == (network.neurons, network.recurrent, network.inputs)
    assert pruned.provenance["history"] == ["built", "neurons by betweenness: 60 of 60"]


def test_large_networks_are_sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nodes, "MOST_EXACT", 60)
    monkeypatch.setattr(nodes, "N_PIVOTS", 30)
    network = hrsnn.build(hrsnn.NetworkSpec(n_neurons=100, n_inputs=20), seed=0)
    one, two = (prune_by_betweenness(network, n_keep=70, seed=4, n_threads=k)[1] for k in (1, 2))
    assert same_bits(one.betweenness, two.betweenness)
    assert not np.array_equal(one.betweenness, prune_by_betweenness(network, n_keep=70, seed=5)[1].betweenness)


@pytest.mark.parametrize(("n", "n_keep", "words"), [(60, 49, "50..60"), (60, 61, "50..60"), (20, 19, "20..20")])
def test_out_of_reach(n: int, n_keep: int, words: str) -> None:
    with pytest.raises(InputError, match=words):
        prune_by_betweenness(ring(n), n_keep=n_keep)
