"""The baselines: known answers where there is one, CH3-L3 against its definition. What all keep to: test_contracts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import hrsnn
from hrsnn._checks import InputError
from hrsnn.network import Network
from hrsnn.pruning.criteria import (
    Activity,
    Magnitude,
    RandomGraph,
    Regrowth,
    Uniform,
    WeightProportional,
    ch3_l3,
    strength,
)
from hrsnn.pruning.criterion import Criterion, Size, Step
from hrsnn.tables import SynapseTable
from networks import examples, neuron_table, synapse_table

ONE_SHOT = Step(1, 1, seed=7)


@pytest.fixture(scope="module")
def network() -> Network:
    return hrsnn.build(hrsnn.NetworkSpec(n_neurons=120, n_inputs=20), seed=3)


def summed_inputs(network: Network, sign: int, *, of: int = 0) -> float:
    """The summed |w| that a neuron of this sign gets, in the mean; `of` takes the inputs from one sign alone."""
    table, signs = network.recurrent, network.neurons.sign
    counts = (signs[table.post] == sign) & (True if of == 0 else signs[table.pre()] == of)
    return float(np.abs(table.weight[counts]).sum() / np.count_nonzero(signs == sign))


# -- each --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("criterion", [Uniform(), WeightProportional()], ids=lambda c: c.name)
def test_chance_keeps_the_mean_of_every_weight(criterion: Criterion, network: Network) -> None:
    """E of the pruned matrix is the matrix; within 5 standard errors, which the floor under p bounds per synapse."""
    n_draws, n_keep = 400, len(network.recurrent) // 4
    total = np.zeros((120, 120))
    for seed in range(n_draws):
        pruned = criterion(network, Size(120, n_keep), Step(1, 1, seed=seed))[0].recurrent
        total[pruned.pre(), pruned.post] += pruned.weight
    before = network.recurrent
    weight = before.weight.astype(np.float64)
    mean = total[before.pre(), before.post] / n_draws
    p = 0.25 if criterion.name == "uniform" else np.clip(0.25 * np.abs(weight) / np.abs(weight).mean(), 0.005, 1)
    assert np.abs(mean / weight - 1).mean() < 1.2 * np.sqrt((1 - p) / p / n_draws).mean()
    assert mean.sum() == pytest.approx(weight.sum(), rel=0.02)


def test_uniform_rescales_all_alike(network: Network) -> None:
    n_keep = len(network.recurrent) // 5
    pruned, _ = Uniform()(network, Size(120, n_keep), ONE_SHOT)
    gain = np.unique((pruned.recurrent.w_max / pruned.recurrent.w_max.min()).round(4))
    assert gain.size <= np.unique((network.recurrent.w_max / network.recurrent.w_max.min()).round(4)).size
    assert pruned.recurrent.w_max.min() == pytest.approx(
        network.recurrent.w_max.min() * len(network.recurrent) / n_keep, rel=1e-6
    )


def test_magnitude_keeps_the_largest_as_they_are(network: Network) -> None:
    pruned, told = Magnitude()(network, Size(120, 300), ONE_SHOT)
    sizes = np.sort(np.abs(network.recurrent.weight))[::-1]
    np.testing.assert_array_equal(np.sort(np.abs(pruned.recurrent.weight))[::-1], sizes[:300])
    assert "neurons" not in told
    _, told = Magnitude()(network, Size(100, 300), ONE_SHOT)
    gone = np.setdiff1d(np.arange(120), told["neurons"])
    assert strength(network)[gone].max() <= strength(network)[told["neurons"]].min()


def test_a_random_graph_gives_every_class_what_it_had(network: Network) -> None:
    pruned, _ = RandomGraph()(network, Size(90, 400), ONE_SHOT)
    for sign in (1, -1):
        for of in (1, -1):
            before, after = summed_inputs(network, sign, of=of), summed_inputs(pruned, sign, of=of)
            assert after == pytest.approx(before, rel=1e-5)
    degrees = pruned.recurrent.out_degree  # binomial, not those of the network it came from
    assert degrees.var() == pytest.approx(degrees.mean(), rel=0.5)


def test_a_random_graph_has_only_classes_that_occurred(network: Network) -> None:
    signs, table = network.neurons.sign, network.recurrent
    without = network.keep_synapses((signs[table.pre()] > 0) | (signs[table.post] > 0))
    pruned, _ = RandomGraph()(without, Size(120, 2000), ONE_SHOT)
    assert ((signs[pruned.recurrent.pre()] > 0) | (signs[pruned.recurrent.post] > 0)).all()


def test_activity_keeps_who_spikes_and_what_carries_spikes(network: Network) -> None:
    spikes = np.arange(120.0)
    spikes[np.flatnonzero(network.neurons.sign < 0)[-1]] = 200
    pruned, told = Activity(activity=lambda _: spikes)(network, Size(90, 200), ONE_SHOT)
    np.testing.assert_array_equal(told["neurons"], np.sort(np.argsort(-spikes)[:90]))
    left = network.keep_neurons(np.isin(np.arange(120), told["neurons"])).recurrent
    carried = np.sort(np.abs(left.weight) * spikes[told["neurons"]][left.pre()])[::-1]
    found = np.abs(pruned.recurrent.weight) * spikes[told["neurons"]][pruned.recurrent.pre()]
    np.testing.assert_allclose(np.sort(found)[::-1], carried[:200])


def test_activity_trains_before_each_cut_and_not_after(network: Network) -> None:
    seen: list[int] = []

    def retrain(given: Network) -> Network:
        seen.append(len(given.recurrent))
        return given.with_weights(2 * given.recurrent.weight)

    before = len(network.recurrent)
    criterion = Activity(activity=lambda n: np.ones(n.n_neurons), retrain=retrain)
    pruned, _ = criterion(network, Size(120, 200), Step(1, 2, seed=0))
    assert seen == [before]
    assert np.abs(pruned.recurrent.weight).max() == pytest.approx(2 * np.abs(network.recurrent.weight).max())
    criterion(pruned, Size(120, 100), Step(2, 2, seed=0))
    assert seen == [before, 200]
    with pytest.raises(InputError, match="retrain"):
        Activity(retrain=lambda n: n.keep_synapses(np.zeros(len(n.recurrent), dtype=bool)))(
            network, Size(120, 200), ONE_SHOT
        )
    with pytest.raises(InputError, match="length 120"):
        Activity(activity=lambda _: [1.0])(network, Size(120, 200), ONE_SHOT)


# -- regrowth ----------------------------------------------------------------------------------------------------------


def by_definition(around: np.ndarray, u: int, v: int) -> float:
    """CH3-L3 of one pair, path by path."""
    links = [set(np.flatnonzero(row)) for row in around]
    paths = [(a, b) for a in links[u] - {v} for b in links[v] - {u} if a != b and b in links[a]]
    community = {z for path in paths for z in path}
    outside = {z: len(links[z] - community - {u, v}) for z in community}
    return sum(1 / np.sqrt((1 + outside[a]) * (1 + outside[b])) for a, b in paths)


@given(seed=st.integers(0, 2**32), density=st.floats(0.02, 0.5))
@examples(25)
def test_ch3_l3_by_definition(seed: int, density: float) -> None:
    around = np.triu(np.random.default_rng(seed).random((24, 24)) < density, 1)
    around |= around.T
    u, v = np.nonzero(np.triu(~around, 1))
    expected = [by_definition(around, a, b) for a, b in zip(u.tolist(), v.tolist(), strict=True)]
    np.testing.assert_allclose(ch3_l3(around, u, v), expected, rtol=1e-5)  # single precision


def test_regrowth_closes_what_the_topology_expects() -> None:
    """A complete bipartite graph but for one pair, a chain, and two weak synapses that go: the pair comes back."""
    k = 5
    left, right = np.divmod(np.arange(1, k * k), k)
    chain = np.arange(2 * k, 3 * k)
    pre = np.concatenate([left, chain[:-1], [0, 2]])
    post = np.concatenate([right + k, chain[1:], [12, 14]])
    weight = np.where(np.arange(pre.size) < pre.size - 2, 1.0, 0.1)
    table = synapse_table(pre, post, n_pre=3 * k, weight=weight)
    network = Network(neuron_table(3 * k), table, synapse_table([], [], n_pre=1), dt_ms=1.0)
    pruned, told = Regrowth(regrown_share=0.9)(network, Size(3 * k, pre.size - 1), ONE_SHOT)
    assert told["n_regrown"] == 1
    pairs, new = (set(zip(t.pre().tolist(), t.post.tolist(), strict=True)) for t in (table, pruned.recurrent))
    assert new - pairs in ({(0, k)}, {(k, 0)})


def test_what_is_regrown_is_new_and_of_its_class(network: Network) -> None:
    size = Size(120, 300)
    pruned, told = Regrowth()(network, size, ONE_SHOT)
    assert told["n_regrown"] == 90
    table = pruned.recurrent

    def rows(of: SynapseTable) -> set[tuple[float, ...]]:
        return set(zip(*(column.tolist() for column in list(of.columns().values())[2:]), strict=True))

    assert rows(table) <= rows(network.recurrent)
    old = set(zip(network.recurrent.pre().tolist(), network.recurrent.post.tolist(), strict=True))
    kept = old & set(zip(table.pre().tolist(), table.post.tolist(), strict=True))
    assert len(kept) >= 210


def test_regrowth_in_a_graph_that_is_nearly_full(network: Network) -> None:
    pre, post = np.nonzero(~np.eye(10, dtype=bool))
    full = Network(neuron_table(10), synapse_table(pre, post, n_pre=10), synapse_table([], [], n_pre=1), dt_ms=1.0)
    pruned, told = Regrowth()(full, Size(10, 80), ONE_SHOT)
    assert Size.of(pruned) == Size(10, 80)
    assert told["n_regrown"] == 3  # of ten that go


@pytest.mark.parametrize("share", [0.0, 1.0, np.nan])
def test_regrown_share_has_a_range(share: Any) -> None:
    with pytest.raises(InputError, match="regrown_share"):
        replace(Regrowth(), regrown_share=share)
