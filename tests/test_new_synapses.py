"""New synapses: of which classes they can be, what they are copies of, and what is left of the old ones."""

from __future__ import annotations

import numpy as np
import pytest

import hrsnn
from hrsnn.network import Network
from hrsnn.pruning.criteria import RandomGraph, Regrowth
from hrsnn.pruning.criterion import Criterion, Size, Step
from hrsnn.pruning.edges import add_edges
from hrsnn.pruning.synapses import copied, possible_pairs, with_synapses

Row = tuple[float, ...]


@pytest.fixture(scope="module")
def network() -> Network:
    """40 excitatory and 10 inhibitory neurons, no synapse from inhibitory to inhibitory."""
    network = hrsnn.build(hrsnn.NetworkSpec(n_neurons=50, n_inputs=10), seed=3)
    table, sign = network.recurrent, network.neurons.sign
    return network.keep_synapses((sign[table.pre()] > 0) | (sign[table.post] > 0))


def rows_by_class(network: Network) -> list[set[Row]]:
    """What the synapses of each class are: all columns but their ends."""
    table, sign = network.recurrent, network.neurons.sign
    rows: list[set[Row]] = [set(), set(), set(), set()]
    columns = [column.tolist() for name, column in table.columns().items() if name not in ("ptr", "post")]
    for pre, post, *row in zip(table.pre().tolist(), table.post.tolist(), *columns, strict=True):
        rows[2 * (sign[pre] < 0) + (sign[post] < 0)].add(tuple(row))
    return rows


def half_zero(network: Network) -> Network:
    """Every other weight 0, and all of those from inhibitory neurons."""
    table = network.recurrent
    dead = (np.arange(len(table)) % 2 == 0) | (network.neurons.sign[table.pre()] < 0)
    return network.with_weights(np.where(dead, 0, table.weight))


def test_pairs_are_of_classes_that_occur(network: Network) -> None:
    sign = network.neurons.sign
    expected = ((sign[:, None] > 0) | (sign > 0)) & ~np.eye(50, dtype=bool)
    np.testing.assert_array_equal(possible_pairs(network), expected)
    from_excitatory = np.repeat(sign[:, None] > 0, 50, axis=1) & ~np.eye(50, dtype=bool)
    np.testing.assert_array_equal(possible_pairs(half_zero(network)), from_excitatory)
    assert not possible_pairs(network.with_weights(0 * network.recurrent.weight)).any()


def test_every_copy_is_of_a_living_synapse_of_its_class(network: Network) -> None:
    network = half_zero(network)
    pre, post = np.nonzero(possible_pairs(network))
    new = copied(network, pre, post, np.random.default_rng(0))
    assert (new["weight"] != 0).all()
    bare = network.keep_synapses(np.zeros(len(network.recurrent), dtype=bool))
    living = network.keep_synapses(network.recurrent.weight != 0)
    for old, found in zip(rows_by_class(living), rows_by_class(with_synapses(bare, pre, post, new)), strict=True):
        assert found <= old
        assert len(found) >= 0.9 * len(old)  # all get their turn


def test_old_synapses_stay(network: Network) -> None:
    pre, post = np.array([0, 1, 2]), np.array([1, 2, 3])
    more = with_synapses(network, pre, post, copied(network, pre, post, np.random.default_rng(0)))
    assert len(more.recurrent) == len(network.recurrent) + 3
    for old, new in zip(rows_by_class(network), rows_by_class(more), strict=True):
        assert old == new
    assert more.neurons is network.neurons


@pytest.mark.parametrize("criterion", [RandomGraph(), Regrowth()], ids=lambda c: c.name)
def test_criteria_make_no_synapse_of_weight_zero(network: Network, criterion: Criterion) -> None:
    pruned, _ = criterion(half_zero(network), Size(50, 100), Step(1, 1, seed=0))
    assert np.count_nonzero(pruned.recurrent.weight) == 100


def test_step_three_makes_no_synapse_of_weight_zero(network: Network) -> None:
    before = half_zero(network)
    after, told = add_edges(before, n_add=20, seed=0, mode="min-variance")
    assert told.pre.size == 20
    assert np.count_nonzero(after.recurrent.weight) == np.count_nonzero(before.recurrent.weight) + 20
