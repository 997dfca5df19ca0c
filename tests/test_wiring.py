"""build: placement, degrees, signs, weights, delays, windows; what arms share; the same bits everywhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from dataclasses import replace
from typing import Any

import networkx as nx
import numpy as np
import pytest

import hrsnn.wiring
from hrsnn._checks import InputError
from hrsnn.distributions import Empirical
from hrsnn.engine import Record, simulate, simulate_stdp
from hrsnn.network import Network, columns_of, digest
from hrsnn.randomness import stream
from hrsnn.spec import GAINS, PRESETS, NetworkSpec, ShortTermSpec
from hrsnn.spikes import Spikes
from hrsnn.tables import SHORT_TERM
from hrsnn.wiring import GRIDS, build, grid_shape


def spec(n_neurons: int = 200, n_inputs: int = 20, **tables: Any) -> NetworkSpec:
    return NetworkSpec.from_dict({"n_neurons": n_neurons, "n_inputs": n_inputs, **tables})


def graph_of(network: Network) -> nx.DiGraph:
    graph = nx.DiGraph()
    graph.add_nodes_from(range(network.n_neurons))
    graph.add_edges_from(zip(network.recurrent.pre().tolist(), network.recurrent.post.tolist(), strict=True))
    return graph


def is_simple(network: Network) -> bool:
    """No autapse and no pair joined twice."""
    pre, post = network.recurrent.pre(), network.recurrent.post
    return bool((pre != post).all()) and np.unique(pre * network.n_neurons + post).size == pre.size


# -- placement ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [*GRIDS, 1, 2, 3, 7, 30, 199])
def test_grids_hold_all_neurons_and_hardly_more(n: int) -> None:
    shape = grid_shape(n)
    assert n <= np.prod(shape) < n + shape[1] * shape[2]  # less than a slice stays empty
    if n in GRIDS:
        assert np.prod(shape) == n


def test_every_neuron_has_a_point_of_its_own_also_in_clusters_of_unequal_size() -> None:
    for n, tables in ((137, {}), (10, {"synapses": {"wiring": "clustered", "n_clusters": 4}})):
        position = build(spec(n, **tables), seed=0).neurons.position
        assert np.unique(position, axis=0).shape == (n, 3)
        np.testing.assert_array_equal(position, np.rint(position))


def test_signs_are_a_permutation_of_the_share() -> None:
    signs = [build(spec(200), seed=seed).neurons.sign for seed in (0, 1)]
    assert [(s > 0).sum() for s in signs] == [160, 160]
    assert (signs[0] != signs[1]).any()
    assert build(spec(10, excitatory_share=1.0), seed=0).n_excitatory == 10
    assert build(spec(10, excitatory_share=0.0), seed=0).n_excitatory == 0


# -- distance rule -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("length_scale", "expected"), [(1.0, 1.1), (2.0, 9.0), (3.0, 25.1)])
def test_mean_in_degree_on_the_cube(length_scale: float, expected: float) -> None:
    """Acceptance check 17, MNM constants."""
    built = [build(spec(1000, synapses={"length_scale": length_scale}), seed=seed) for seed in range(3)]
    n_edges = sum(len(network.recurrent) for network in built)
    # The number of edges of three networks is nearly Poisson: four standard deviations, and the digit not printed.
    tolerance = 4 * np.sqrt(3000 * expected) / 3000 + 0.05
    assert n_edges / 3000 == pytest.approx(expected, abs=tolerance)
    assert all(is_simple(network) for network in built)


def test_each_kind_of_pair_has_its_amplitude() -> None:
    constants = {"c_ee": 0.3, "c_ei": 0.2, "c_ie": 0.4, "c_ii": 0.1}
    network = build(spec(1000, synapses={**constants, "length_scale": 1e6}), seed=0)  # so far that distance is nothing
    sign = network.neurons.sign
    for name, c in constants.items():
        pre, post = ((sign > 0) if letter == "e" else (sign < 0) for letter in name[2:])
        n_pairs = pre.sum() * post.sum() - (pre & post).sum()
        found = (pre[network.recurrent.pre()] & post[network.recurrent.post]).sum()
        assert abs(found - c * n_pairs) < 4.5 * np.sqrt(n_pairs * c * (1 - c)), name  # binomial, 4.5 deviations


def test_probability_falls_as_a_gaussian_of_distance() -> None:
    constants = dict.fromkeys(("c_ee", "c_ei", "c_ie", "c_ii"), 1.0)
    network = build(spec(1000, synapses={**constants, "length_scale": 2.5}), seed=0)
    position = network.neurons.position
    squared = np.square(position[:, None] - position[None]).sum(axis=2)
    joined = np.zeros((1000, 1000), dtype=bool)
    joined[network.recurrent.pre(), network.recurrent.post] = True
    for d2 in (1, 2, 5, 9):
        pairs = joined[squared == d2]
        p = np.exp(-d2 / 2.5**2)
        assert abs(pairs.mean() - p) < 4.5 * np.sqrt(p * (1 - p) / pairs.size)


@pytest.mark.parametrize("n", [1, 5, 30, 137, 500])  # also boxes of the grid that are not full
def test_every_pair_is_drawn_against_the_formula(n: int) -> None:
    """method.md 3.3 written out for all pairs at once."""
    network = build(spec(n, synapses={"length_scale": 2.3}), seed=4)
    position, inhibitory = network.neurons.position, (network.neurons.sign < 0).astype(int)
    squared = np.square(position[:, None] - position[None]).sum(axis=2)
    amplitude = np.array([[0.3, 0.2], [0.4, 0.1]])[inhibitory[:, None], inhibitory[None]]
    drawn = stream(4, "recurrent.edges").random((n, n)) < amplitude * np.exp(-squared / 2.3**2)
    pre, post = np.nonzero(drawn & (squared > 0))
    np.testing.assert_array_equal(network.recurrent.pre(), pre)
    np.testing.assert_array_equal(network.recurrent.post, post)


# -- small world and clusters ------------------------------------------------------------------------------------------


def test_ring_without_rewiring() -> None:
    network = build(spec(9, synapses={"wiring": "small-world", "n_neighbours": 3, "rewiring": 0.0}), seed=0)
    matrix = nx.to_numpy_array(graph_of(network))
    np.testing.assert_array_equal(np.flatnonzero(matrix[0]), [1, 2, 8])
    for neuron in range(9):  # the same seen from every neuron
        np.testing.assert_array_equal(matrix[neuron], np.roll(matrix[0], neuron))


@pytest.mark.parametrize(("k", "n"), [(8, 9), (1, 9), (50, 300)])
def test_rewiring_keeps_the_out_degree_and_makes_no_double(k: int, n: int) -> None:
    network = build(spec(n, synapses={"wiring": "small-world", "n_neighbours": k, "rewiring": 1.0}), seed=1)
    assert (network.recurrent.out_degree == k).all()
    assert is_simple(network)


def test_ring_needs_more_neurons_than_neighbours() -> None:
    with pytest.raises(
        InputError, match=re.escape("`n_neighbours` of `SynapseSpec` must be < 9, the neurons of the ring")
    ):
        build(spec(9, synapses={"wiring": "small-world", "n_neighbours": 9}), seed=0)


@pytest.mark.parametrize(
    "synapses",
    [
        {"wiring": "small-world", "n_neighbours": 10, "rewiring": 0.1},
        {"wiring": "clustered", "length_scale": 3.0},
        {"wiring": "clustered", "cluster_wiring": "small-world", "n_neighbours": 10, "rewiring": 0.3},
    ],
)
def test_small_worlds_are_clustered_and_short(synapses: dict[str, Any]) -> None:
    """Against an Erdoes-Renyi graph of as many neurons and synapses (method.md 3.7); networkx is the oracle."""
    network = build(spec(240, synapses=synapses), seed=0)
    assert is_simple(network)
    ours = graph_of(network)
    theirs = nx.gnm_random_graph(240, len(network.recurrent), seed=0, directed=True)

    def length(graph: nx.DiGraph) -> float:
        distances = [d for _, row in nx.all_pairs_shortest_path_length(graph) for d in row.values() if d]
        assert len(distances) > 0.95 * 240 * 239  # nearly all pairs are joined
        return float(np.mean(distances))

    # four clusters with all synapses inside have at most four times the clustering of a random graph
    assert nx.average_clustering(ours) > 2 * nx.average_clustering(theirs)
    # "about equal": a ring of 240 without rewiring, or clusters without a bridge, would be beyond twice
    assert length(ours) < 1.7 * length(theirs)


def test_clusters_are_joined_at_a_tenth_of_the_density_inside_with_a_ladder_of_time_constants() -> None:
    tables = {"excitatory": {"tau_mem_ms": 37.5}, "inhibitory": {"tau_mem_ms": 18.75}}
    network = build(spec(402, **tables, synapses={"wiring": "clustered", "length_scale": 4.0}), seed=0)
    of = network.neurons.population
    assert np.bincount(of).tolist() == [101, 100, 101, 100]
    same = of[network.recurrent.pre()] == of[network.recurrent.post]
    n_inside = sum(m * (m - 1) for m in np.bincount(of))
    n_across = 402 * 401 - n_inside
    expected = 0.1 * same.sum() / n_inside * n_across
    assert abs((~same).sum() - expected) < 4.5 * np.sqrt(expected)  # nearly Poisson
    for sign, taus in ((1, [10, 20, 40, 80]), (-1, [5, 10, 20, 40])):
        for cluster, tau in enumerate(taus):
            rows = (of == cluster) & (network.neurons.sign == sign)
            np.testing.assert_allclose(network.neurons.tau_mem_ms[rows], tau, rtol=1e-12)


def test_as_many_clusters_as_neurons_at_most() -> None:
    with pytest.raises(InputError, match="`n_neurons` of `NetworkSpec` must be >= 4, the number of clusters"):
        build(spec(3, synapses={"wiring": "clustered"}), seed=0)


# -- weights, delays, time constants -----------------------------------------------------------------------------------


def test_weights_are_gamma_around_the_mean_of_their_class_cut_at_five_means() -> None:
    network = build(spec(1000, n_inputs=100, synapses={"weight_scale": 2.0}), seed=0)
    sign, inhibitory = network.neurons.sign, network.neurons.sign < 0
    pre, post = network.recurrent.pre(), network.recurrent.post
    assert (np.sign(network.recurrent.weight) == sign[pre]).all()
    classes = [(network.recurrent, inhibitory[pre] == i, 2.0 * mean) for i, mean in ((False, 1.0), (True, 1.5))]
    classes += [(network.inputs, inhibitory[network.inputs.post] == i, m) for i, m in ((False, 0.6), (True, 0.3))]
    for table, rows, mean in classes:
        size = np.abs(table.weight[rows])
        assert rows.sum() > 200
        np.testing.assert_allclose(table.w_max[rows], 5 * mean, rtol=1e-6)  # single precision
        assert (size <= table.w_max[rows]).all()
        # min(X, 5) of an exponential X has mean 1 - exp(-5); five standard errors, whose deviation is below 1
        assert abs(size.mean() / mean - (1 - np.exp(-5))) < 5 / np.sqrt(rows.sum())
    assert (post >= 0).all()


def test_learning_amplitudes_are_in_units_of_w_max() -> None:
    network = build(spec(200, plasticity={"a_plus": 0.01, "a_minus": 0.02}), seed=0)
    for table in (network.recurrent, network.inputs):
        np.testing.assert_allclose(table.a_plus, 0.01 * table.w_max, rtol=1e-6)
        np.testing.assert_allclose(table.a_minus, 0.02 * table.w_max, rtol=1e-6)


def test_delays_are_whole_steps_at_least_one() -> None:
    for law, allowed in ((0.0, {1}), (1.5, {3}), ({"uniform": {"low": 0, "high": 2}}, {1, 2, 3, 4})):
        network = build(spec(300, dt_ms=0.5, synapses={"delay_ms": law}, input={"delay_ms": law}), seed=0)
        for table in (network.recurrent, network.inputs):
            assert set(np.rint(table.delay_ms / 0.5).astype(int).tolist()) == allowed
    with pytest.raises(
        InputError, match=r"`recurrent delay_ms` of `NetworkSpec` must be a multiple of dt_ms = 0.5, got 0.7"
    ):
        build(spec(300, dt_ms=0.5, synapses={"delay_ms": 0.7}), seed=0)


def test_membrane_time_constants_are_clipped() -> None:
    taus = build(spec(20, excitatory={"tau_mem_ms": 0.1}, inhibitory={"tau_mem_ms": 1e4}), seed=0).neurons.tau_mem_ms
    assert set(taus.tolist()) == {2.0, 200.0}


def test_negative_seed() -> None:
    with pytest.raises(InputError, match="`seed` of `build` must be a whole number >= 0, got -1"):
        build(spec(), seed=-1)


# -- inputs ------------------------------------------------------------------------------------------------------------


def test_a_subset_of_neurons_listens_with_one_probability() -> None:
    network = build(spec(1000, n_inputs=200, input={"subset_share": 0.3, "p_connect": 0.05}), seed=0)
    assert np.unique(network.inputs.post).size == 300  # 200 channels at 0.05: none of 300 is left out by chance
    n_pairs = 200 * 300
    assert abs(len(network.inputs) - 0.05 * n_pairs) < 4.5 * np.sqrt(n_pairs * 0.05 * 0.95)
    signs = network.neurons.sign[np.unique(network.inputs.post)]
    assert 0 < (signs < 0).sum() < 300  # both types


def test_windows() -> None:
    everyone = {"subset_share": 1.0, "p_connect": 1.0, "span": 0.25}
    network = build(spec(500, n_inputs=40, input=everyone), seed=0)
    matrix = np.zeros((40, 500), dtype=bool)
    matrix[network.inputs.pre(), network.inputs.post] = True
    width = matrix.sum(axis=0)
    assert (width.max(), width.min() >= 5) == (10, True)  # a quarter of 40 channels; half of it at the ends
    for column in matrix.T:
        heard = np.flatnonzero(column)
        assert heard.size == heard[-1] - heard[0] + 1  # neighbours
    centre = (matrix * np.arange(40)[:, None]).sum(axis=0) / width
    axis = network.neurons.position[:, 0]
    assert abs(np.corrcoef(centre, axis)[0, 1]) < 0.25  # uniform: 0 within 5 / sqrt(500)
    tonotopic = build(spec(500, n_inputs=40, input={**everyone, "tonotopic": True}), seed=0)
    matrix[:] = False
    matrix[tonotopic.inputs.pre(), tonotopic.inputs.post] = True
    centre = (matrix * np.arange(40)[:, None]).sum(axis=0) / matrix.sum(axis=0)
    assert np.corrcoef(centre, axis)[0, 1] > 0.95


# -- arms --------------------------------------------------------------------------------------------------------------

_NEURON = {"neurons.tau_mem_ms", "neurons.v_th"}
_SYNAPSE = {
    f"{table}.{name}"
    for table in ("recurrent", "inputs")
    for name in ("a_plus", "a_minus", "tau_plus_ms", "tau_minus_ms")
}


@pytest.mark.parametrize("wiring", ["distance", "small-world", "clustered"])
def test_arms_of_one_seed_differ_in_exactly_these_columns(wiring: str) -> None:
    """docs/explanation/heterogeneity.md: positions, wiring, initial weights and potentials are shared."""
    base = spec(120, synapses={"wiring": wiring, "n_neighbours": 10})
    columns = {arm: columns_of(build(base.arm(arm), seed=3)) for arm in PRESETS}
    for arm, homogeneous in (("HeNHoS", _SYNAPSE), ("HoNHeS", _NEURON), ("HoNHoS", _NEURON | _SYNAPSE)):
        different = {name for name in columns[arm] if not np.array_equal(columns[arm][name], columns["HeNHeS"][name])}
        assert different == homogeneous
    ho = columns["HoNHoS"]
    sign = ho["neurons.sign"]
    assert set(ho["neurons.tau_mem_ms"][sign > 0]) == {20.0}
    assert set(ho["neurons.tau_mem_ms"][sign < 0]) == {10.0}
    assert set(ho["neurons.v_th"]) == {1.0}


def test_homogeneous_is_heterogeneous_with_no_spread() -> None:
    """Acceptance check 12: the same tables, spikes and learned weights, bit for bit."""
    lively = {"subset_share": 1.0, "p_connect": 0.2, "weight_excitatory": 2.0}
    ho = spec(100, input=lively).arm("HoNHoS")
    tables = ho.to_dict()
    for place, names in (
        ("excitatory", ("tau_mem_ms", "v_th")),
        ("inhibitory", ("tau_mem_ms", "v_th")),
        ("plasticity", ("a_plus", "a_minus", "tau_plus_ms", "tau_minus_ms")),
    ):
        for name in names:  # a law that draws, with the one value
            tables[place][name] = Empirical((tables[place][name],) * 3)
    networks = [build(ho, seed=2), build(NetworkSpec.from_dict(tables), seed=2)]
    first, second = map(columns_of, networks)
    for name in first:
        np.testing.assert_array_equal(first[name], second[name])
    raster = np.random.default_rng(0).random((3, 100, 20)) < 0.1
    spikes = Spikes.from_dense(raster, dt_ms=1.0)
    runs = [simulate(network, spikes, record=Record(spikes=True)).spikes for network in networks]
    assert runs[0] == runs[1]
    assert runs[0].n_events > 100
    learned = [simulate_stdp(network, spikes)[0] for network in networks]
    np.testing.assert_array_equal(learned[0].recurrent.weight, learned[1].recurrent.weight)
    assert not np.array_equal(learned[0].recurrent.weight, networks[0].recurrent.weight)


def test_a_changed_law_moves_no_other_column() -> None:
    before = columns_of(build(spec(100), seed=0))
    after = columns_of(build(spec(100, excitatory={"tau_mem_ms": {"uniform": {"low": 5, "high": 9}}}), seed=0))
    assert {name for name in before if not np.array_equal(before[name], after[name])} == {"neurons.tau_mem_ms"}
    inhibitory = before["neurons.sign"] < 0  # nor the draws of the other sign
    np.testing.assert_array_equal(before["neurons.tau_mem_ms"][inhibitory], after["neurons.tau_mem_ms"][inhibitory])


# -- reset, signs, adaptation, short-term dynamics --------------------------------------------------------------------


def without(columns: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: column for name, column in columns.items() if name.rpartition(".")[2] not in names}


def same(a: dict[str, Any], b: dict[str, Any]) -> bool:
    return a.keys() == b.keys() and all(np.array_equal(a[name], b[name]) for name in a)


def test_adaptation_is_drawn_by_population_and_moves_no_other_column() -> None:
    plain = columns_of(build(spec(500), seed=0))
    laws = {"adapt": {"gamma": {"mean": 0.2, "shape": 4}}, "tau_adapt_ms": {"uniform": {"low": 50, "high": 150}}}
    network = build(spec(500, excitatory=laws), seed=0)
    columns = columns_of(network)
    assert same(without(columns, "adapt", "tau_adapt_ms"), plain)
    adapts = columns["neurons.sign"] > 0
    assert (columns["neurons.adapt"][~adapts] == 0).all()
    assert set(columns["neurons.tau_adapt_ms"][~adapts]) == {200.0}
    adapt, tau = (columns[f"neurons.{name}"][adapts] for name in ("adapt", "tau_adapt_ms"))
    assert adapt.mean() == pytest.approx(0.2, abs=4 * 0.1 / 20)  # four standard errors of 400 draws
    assert adapt.std() / adapt.mean() == pytest.approx(0.5, rel=0.2)
    assert tau.min() >= 50
    assert tau.max() <= 150
    assert tau.mean() == pytest.approx(100, abs=4 * 29 / 20)


def test_reset_is_that_of_the_spec_alone() -> None:
    hard, subtract = build(spec(), seed=0), build(spec(reset="subtract"), seed=0)
    assert (hard.reset, subtract.reset) == ("hard", "subtract")
    assert same(columns_of(hard), columns_of(subtract))
    assert hard.hash != subtract.hash


def test_signs_by_chance_leave_sizes_and_all_else() -> None:
    dale = build(spec(500), seed=0)
    tables = {"synapses": {"negative_share": 0.3}, "input": {"negative_share": 0.6}}
    mixed = build(spec(500, dale=False, **tables), seed=0)
    assert (dale.dale, mixed.dale) == (True, False)
    assert same(without(columns_of(mixed), "weight"), without(columns_of(dale), "weight"))
    for table, share in (("recurrent", 0.3), ("inputs", 0.6)):
        weights = getattr(mixed, table).weight
        np.testing.assert_array_equal(np.abs(weights), np.abs(getattr(dale, table).weight))
        assert np.signbit(weights).mean() == pytest.approx(share, abs=4 * 0.5 / weights.size**0.5)
        signs = np.signbit(weights)  # of synapses, not of rows: neighbours in a row are independent
        assert np.corrcoef(signs[1:], signs[:-1])[0, 1] == pytest.approx(0, abs=4 / weights.size**0.5)
    positive = build(spec(500, dale=False, synapses={"negative_share": 0.0}), seed=0)
    assert (positive.recurrent.weight > 0).all()
    assert (positive.inputs.weight > 0).all()


def test_short_term_dynamics_are_drawn_by_pair_and_move_no_other_column() -> None:
    plain = build(spec(500, synapses={"length_scale": 5.0}), seed=0)
    network = build(spec(500, synapses={"length_scale": 5.0, "short_term": {}}), seed=0)
    assert same(without(columns_of(network), *SHORT_TERM), columns_of(plain))
    assert network.inputs.u is None
    sign = network.neurons.sign
    pre, post = sign[network.recurrent.pre()], sign[network.recurrent.post]
    for pair, of_pre, of_post in (("ee", 1, 1), ("ei", 1, -1), ("ie", -1, 1), ("ii", -1, -1)):
        rows = (pre == of_pre) & (post == of_post)
        for name in SHORT_TERM:
            law, drawn = ShortTermSpec().law(pair, name), getattr(network.recurrent, name)[rows]
            cut = np.minimum(law.sample(np.random.default_rng(0), 100_000), 1.0 if name == "u" else np.inf)
            assert drawn.mean() == pytest.approx(cut.mean(), abs=4 * cut.std() / rows.sum() ** 0.5)
            assert drawn.std() == pytest.approx(cut.std(), rel=4 * (3.5 / 4 / rows.sum()) ** 0.5)  # excess kurtosis 1.5
    assert (network.recurrent.u <= 1).all()


def test_laws_of_one_pair_move_no_other_and_a_homogeneous_one_has_no_spread() -> None:
    first = build(spec(200, synapses={"short_term": {}}), seed=0).recurrent
    second = build(spec(200, synapses={"short_term": {"ee": {"u": 0.3}}}), seed=0)
    sign = second.neurons.sign
    excites = (sign[first.pre()] > 0) & (sign[first.post] > 0)
    assert set(second.recurrent.u[excites]) == {np.float32(0.3)}
    np.testing.assert_array_equal(second.recurrent.u[~excites], first.u[~excites])
    np.testing.assert_array_equal(second.recurrent.tau_rec_ms, first.tau_rec_ms)
    flat = build(spec(200, synapses={"short_term": {"homogeneous": True}}), seed=0).recurrent
    assert set(flat.u) == {np.float32(u) for u in (0.5, 0.05, 0.25, 0.32)}
    assert set(flat.tau_fac_ms) == {50, 1200, 20, 60}


def test_input_synapses_have_the_dynamics_of_excitatory_ones() -> None:
    network = build(spec(200, synapses={"short_term": {"inputs": True, "homogeneous": True}}), seed=0)
    excitatory = network.neurons.sign[network.inputs.post] > 0
    np.testing.assert_array_equal(network.inputs.tau_rec_ms, np.where(excitatory, 1100, 125))
    np.testing.assert_array_equal(network.inputs.tau_fac_ms, np.where(excitatory, 50, 1200))


def test_arms_with_all_mechanisms_differ_in_the_same_columns_as_without() -> None:
    population = {"adapt": {"gamma": {"mean": 0.2, "shape": 4}}}
    base = spec(
        120, dale=False, reset="subtract", excitatory=population, synapses={"short_term": {"inputs": True}},
    )  # fmt: skip
    columns = {arm: columns_of(build(base.arm(arm), seed=3)) for arm in PRESETS}
    for arm, homogeneous in (("HeNHoS", _SYNAPSE), ("HoNHeS", _NEURON), ("HoNHoS", _NEURON | _SYNAPSE)):
        different = {name for name in columns[arm] if not np.array_equal(columns[arm][name], columns["HeNHeS"][name])}
        assert different == homogeneous


# -- the whole ---------------------------------------------------------------------------------------------------------


def test_seed_decides() -> None:
    assert build(spec(), seed=1) == build(spec(), seed=1)
    assert build(spec(), seed=1) != build(spec(), seed=2)
    provenance = build(spec(), seed=1).provenance
    assert (provenance["seed"], provenance["history"]) == (1, ["built"])
    assert NetworkSpec.from_dict(provenance["spec"]) == spec()


def test_the_same_bits_in_another_process() -> None:
    program = (
        "from hrsnn.spec import NetworkSpec; from hrsnn.wiring import build;"
        "print(*(build(NetworkSpec.from_dict({'n_neurons': 100, 'n_inputs': 20, 'synapses': {'wiring': wiring,"
        " 'n_neighbours': 10}}), seed=7).hash for wiring in ('distance', 'small-world', 'clustered')))"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "12345", "OPENBLAS_NUM_THREADS": "1"}
    found = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    ).stdout.split()
    here = [
        build(spec(100, synapses={"wiring": wiring, "n_neighbours": 10}), seed=7).hash
        for wiring in ("distance", "small-world", "clustered")
    ]
    assert found == here


@pytest.mark.parametrize(
    ("tables", "expected"),
    [
        ({"n_neurons": 137}, "5199927f3df98371c7d610c6666c5ae5d83f916250a718a4b4ab4d3433450bf8"),
        (
            {
                "n_neurons": 500,
                "dt_ms": 0.5,
                "input": {"span": 0.25, "tonotopic": True, "delay_ms": {"uniform": {"low": 0, "high": 4}}},
                "synapses": {"length_scale": 3.5, "delay_ms": {"gamma": {"mean": 3, "shape": 2}}},
            },
            "a73a715fdd19f6cbb5e10ab26ac065656fb8b35b582544898ccdc784061d11bb",
        ),
        (
            {"synapses": {"wiring": "small-world"}, "input": {"span": 0.5}},
            "fa57c9636adc7e9a0672d062063b182a11f9fc25fa7e066845707b776cab6cfa",
        ),
        (
            {"n_neurons": 402, "synapses": {"wiring": "clustered"}},
            "55829e00f703bfa8cb00df4dd609cc48ac71471fb9d9ef0b2ad6181e0d9828fd",
        ),
    ],
)
def test_the_same_bits_in_every_version(tables: dict[str, Any], expected: str) -> None:
    """Tables only: the provenance, which `hash` covers too, grows with the spec. A change here is one for the users:
    the numbers of their runs change, whether by us or by a NumPy that draws other numbers (NEP 19)."""
    assert digest(columns_of(build(spec(**tables), seed=7)), {}) == expected


@pytest.mark.parametrize(
    ("arm", "tables", "expected"),
    [
        ("HoNHoS", {}, "c821bfeab30071a5"),
        ("HeNHoS", {}, "9323ff1a2fa15815"),
        ("HoNHeS", {}, "07287a1c4e8d9d83"),
        ("HeNHeS", {}, "841fc67fed0d6579"),
        ("HeNHeS", {"gain": "variance", "synapses": {"wiring": "clustered", "n_clusters": 3}}, "a0dba0d0cf1e9e1b"),
        ("HeNHeS", {"synapse": "delta", "synapses": {"wiring": "small-world", "n_neighbours": 8}}, "d951cff912cd23e3"),
    ],
)
def test_networks_without_later_mechanisms_keep_their_hashes(arm: str, tables: dict[str, Any], expected: str) -> None:
    """Recorded before adaptation, short-term dynamics, reset by subtraction and mixed signs could be drawn."""
    assert build(spec(60, **tables).arm(arm), seed=7).hash[:16] == expected


def test_the_same_bits_for_every_size_of_a_block(monkeypatch: pytest.MonkeyPatch) -> None:
    for wiring in ("distance", "clustered"):
        whole = build(spec(137, synapses={"wiring": wiring}), seed=0)
        for n_pairs in (1, 137 * 10):  # one row, ten rows and a rest
            monkeypatch.setattr(hrsnn.wiring, "_PAIRS_AT_A_TIME", n_pairs)
            assert build(spec(137, synapses={"wiring": wiring}), seed=0) == whole
        monkeypatch.undo()


def test_odd_sizes_build() -> None:
    for n in (1, 2, 3):
        network = build(spec(n, n_inputs=1), seed=0)
        assert network.n_neurons == n
    no_recurrence = dict.fromkeys(("c_ee", "c_ei", "c_ie", "c_ii"), 0.0)
    none = build(spec(10, n_inputs=1, input={"subset_share": 0.0}, synapses=no_recurrence), seed=0)
    assert len(none.recurrent) == len(none.inputs) == 0
    silent = build(spec(50, synapses={"weight_scale": 0.0}), seed=0)
    assert len(silent.recurrent) > 0
    assert not silent.recurrent.weight.any()


@pytest.mark.slow
def test_five_thousand_neurons_and_half_a_million_synapses_take_seconds() -> None:
    started = time.perf_counter()
    network = build(spec(5000, n_inputs=700, synapses={"length_scale": 5.0}), seed=0)
    assert len(network.recurrent) > 500_000
    assert time.perf_counter() - started < 30  # a quarter of a second on a quiet core


@pytest.mark.parametrize(("gain", "power"), GAINS.items())
def test_gain_scales_all_that_reaches_a_neuron_and_leaves_homogeneous_ones_alone(gain: str, power: float) -> None:
    """Weights with their bounds and steps of learning; nothing else, and no draw, is changed."""
    spec = NetworkSpec.from_dict({"n_neurons": 80, "n_inputs": 10, "input": {"subset_share": 1.0}})
    plain, scaled = (build(spec.model_copy(update={"gain": g}), seed=3) for g in ("resistance", gain))
    mean_ms = np.where(plain.neurons.sign > 0, spec.excitatory.tau_mem_ms.mean, spec.inhibitory.tau_mem_ms.mean)
    factor = (plain.neurons.tau_mem_ms / mean_ms) ** power
    assert plain.neurons == scaled.neurons
    for name in ("recurrent", "inputs"):
        before, after = getattr(plain, name), getattr(scaled, name)
        for column in ("weight", "w_max", "a_plus", "a_minus"):
            expected = getattr(before, column) * factor[before.post]
            np.testing.assert_allclose(getattr(after, column), expected, rtol=1e-6)  # float32
        for column in ("ptr", "post", "delay_ms", "tau_plus_ms", "tau_minus_ms"):
            np.testing.assert_array_equal(getattr(after, column), getattr(before, column))
    homogeneous = [build(spec.arm("HoNHoS").model_copy(update={"gain": g}), seed=3) for g in ("resistance", gain)]
    assert homogeneous[0].recurrent == homogeneous[1].recurrent
    assert homogeneous[0].inputs == homogeneous[1].inputs


def test_gain_is_what_neurons_of_different_time_constants_share() -> None:
    """Under one channel, far below threshold: the rest under steady input, the variance under noise, or one height."""
    rng = np.random.default_rng(0)

    def potentials(gain: str, channel: np.ndarray[Any, Any]) -> tuple[Any, Any]:
        """tau_mem_ms (N,) and the potential over time (n_steps, N) of neurons that hear `channel` alone."""
        heard = {"subset_share": 1.0, "p_connect": 1.0, "weight_excitatory": 1.0, "weight_shape": 1e8}
        population = {"v_th": 1e6, "t_ref_ms": 0.0, "tau_mem_ms": {"uniform": {"low": 10.0, "high": 90.0}}}
        tables: dict[str, Any] = {
            "excitatory": population,
            "input": heard,
            "synapses": dict.fromkeys(("c_ee", "c_ei", "c_ie", "c_ii"), 0.0),
        }
        network = build(spec(30, 1, excitatory_share=1.0, gain=gain, **tables), seed=1)
        network = replace(network, neurons=replace(network.neurons, v_init=np.zeros(30)))
        steps = np.flatnonzero(channel)
        spikes = Spikes.from_times(
            [steps.astype(float)], [np.zeros_like(steps)], n_units=1, n_steps=channel.size, dt_ms=1.0
        )
        recording = simulate(network, spikes, record=Record(v=True), dtype=np.float64)
        assert recording.v is not None
        return network.neurons.tau_mem_ms, recording.v[0]

    def spread(x: Any) -> float:
        return float(np.log(x).std())

    one, steady, noise = np.eye(1, 200)[0], np.ones(1500), rng.random(30_000) < 0.3
    shared = {
        "resistance": lambda gain: potentials(gain, steady)[1][-1],
        "variance": lambda gain: potentials(gain, noise)[1][1000:].std(axis=0),
        "capacitance": lambda gain: potentials(gain, one)[1].max(axis=0),
    }
    for gain, measured in shared.items():
        spreads = {other: spread(measured(other)) for other in GAINS}
        assert min(spreads, key=lambda other: spreads[other]) == gain
        assert spreads[gain] < 0.1 < min(spreads[other] for other in GAINS if other != gain)
