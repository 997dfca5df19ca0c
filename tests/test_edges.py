"""Step III: which pairs are joined, by brute force; what it does to eigenvectors; what a new synapse is."""

from __future__ import annotations

from typing import Any

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import hrsnn
from hrsnn._checks import InputError
from hrsnn.network import Network
from hrsnn.pruning.edges import add_edges, participation
from networks import examples, neuron_table, random_network, synapse_table

MODES = ["ipr", "paper", "min-variance"]


def random_graph(n: int, p: float, seed: int) -> Network:
    """An Erdos-Renyi graph; each of its edges is a synapse in one direction."""
    rng = np.random.default_rng(seed)
    i, j = np.nonzero(np.triu(rng.random((n, n)) < p, 1))
    turned = rng.random(i.size) < 0.5
    pre, post = np.where(turned, i, j), np.where(turned, j, i)
    return Network(neuron_table(n), synapse_table(pre, post, n_pre=n), synapse_table([], [], n_pre=1), dt_ms=1.0)


def graph_of(network: Network) -> nx.Graph:
    graph = nx.Graph(zip(network.recurrent.pre().tolist(), network.recurrent.post.tolist(), strict=True))
    graph.add_nodes_from(range(network.n_neurons))
    graph.remove_edges_from(list(nx.selfloop_edges(graph)))
    return graph


def candidates(network: Network) -> set[frozenset[int]]:
    graph = graph_of(network)
    return {
        frozenset((i, k)) for i in graph for j in graph[i] for k in graph[j] if i != k and k not in graph[i]
    }  # fmt: skip


def pairs_of(told: Any) -> list[frozenset[int]]:
    return [frozenset(pair) for pair in zip(told.pre.tolist(), told.post.tolist(), strict=True)]


# -- which pairs -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
@examples(10)
@given(seed=st.integers(0, 2**32), share=st.sampled_from([0.0, 0.1, 1.0]))
def test_new_synapses_are_between_pairs_two_steps_apart(mode: Any, seed: int, share: float) -> None:
    network = random_graph(25, 0.1, seed)
    n_add = round(share * len(candidates(network)))
    more, told = add_edges(network, n_add=n_add, seed=0, mode=mode)
    found = pairs_of(told)
    assert len(set(found)) == len(found) == n_add == len(more.recurrent) - len(network.recurrent)
    assert set(found) <= candidates(network)
    old = set(zip(network.recurrent.pre().tolist(), network.recurrent.post.tolist(), strict=True))
    new = set(zip(told.pre.tolist(), told.post.tolist(), strict=True))
    assert set(zip(more.recurrent.pre().tolist(), more.recurrent.post.tolist(), strict=True)) == old | new
    with pytest.raises(InputError, match=f"n_add.*{len(candidates(network))}"):
        add_edges(network, n_add=len(candidates(network)) + 1, seed=0, mode=mode)


@pytest.mark.parametrize(("mode", "sign"), [("paper", 1), ("min-variance", -1)])
@pytest.mark.parametrize("seed", range(6))
def test_degrees_are_summed_and_updated(mode: Any, sign: int, seed: int) -> None:
    network = random_graph(30, 0.1, seed)
    left, degree = candidates(network), dict(graph_of(network).degree)
    _, told = add_edges(network, n_add=30, seed=0, mode=mode)
    for pair in pairs_of(told):
        best = max(sign * sum(degree[k] for k in other) for other in left)
        assert sign * sum(degree[k] for k in pair) == best
        left.remove(pair)
        for k in pair:
            degree[k] += 1


def test_the_first_order_of_the_change_is_that_of_the_eigenvectors() -> None:
    """Against a derivative: the weight of one edge grows a little. Gaps are regularised, so the graph has wide ones."""
    from hrsnn.pruning import edges

    rng = np.random.default_rng(4)
    laplacian = np.diag(np.arange(12) * 400.0)
    noise = rng.normal(size=(12, 12)) * 20
    laplacian += noise + noise.T
    values, vectors = np.linalg.eigh(laplacian)
    change = edges._change_of_ipr(values, vectors, n_threads=1)
    np.testing.assert_allclose(change, change.T)
    for i, j in ((0, 1), (3, 9), (10, 11)):
        b = np.zeros(12)
        b[[i, j]] = 1, -1
        above, below = (
            np.mean(np.sum(np.linalg.eigh(laplacian + h * np.outer(b, b))[1] ** 4, axis=0)) for h in (1e-3, -1e-3)
        )
        assert change[i, j] == pytest.approx((above - below) / 2e-3, rel=1e-3)


def test_nobody_is_taken_twice_in_a_round() -> None:
    network = random_graph(60, 0.1, 1)
    _, told = add_edges(network, n_add=20, seed=0, mode="ipr", n_rounds=1)
    assert np.bincount(np.concatenate([told.pre, told.post])).max() == 1
    _, told = add_edges(network, n_add=40, seed=0, mode="ipr", n_rounds=1)  # more than thirty pairs: somebody has to be
    assert np.bincount(np.concatenate([told.pre, told.post])).max() == 2


def test_forbidden_pairs_stay_apart() -> None:
    network = random_graph(30, 0.08, 2)
    possible = candidates(network)
    forbidden = sorted(tuple(sorted(pair)) for pair in possible)[::2]
    some = np.array(forbidden).T
    n_left = len(possible) - len(forbidden)
    _, told = add_edges(network, n_add=n_left, seed=0, mode="paper", forbidden=(some[1], some[0]))
    assert set(pairs_of(told)) == possible - {frozenset(pair) for pair in forbidden}
    with pytest.raises(InputError, match=f"0..{n_left},"):
        add_edges(network, n_add=n_left + 1, seed=0, forbidden=(some[0], some[1]))


# -- what it does to eigenvectors --------------------------------------------------------------------------------------


def test_participation_of_known_graphs() -> None:
    ring = nx.to_numpy_array(nx.empty_graph(5)) > 0
    assert participation(ring) == pytest.approx(1)  # without edges each neuron is an eigenvector
    star = nx.to_numpy_array(nx.star_graph(3)) > 0
    values, vectors = np.linalg.eigh(nx.laplacian_matrix(nx.star_graph(3)).toarray().astype(float))
    assert participation(star) == pytest.approx((vectors**4).sum() / 4)
    assert values[0] == pytest.approx(0, abs=1e-12)


def test_modes_spread_or_localise_as_they_say() -> None:
    """method.md 16.9: 0.056 before, 0.071 with largest variance, 0.031 with smallest; N = 200, 100 new edges."""
    told = {
        mode: [add_edges(random_graph(200, 0.03, seed), n_add=100, seed=0, mode=mode)[1] for seed in range(4)]  # type: ignore[arg-type]
        for mode in MODES
    }
    before = np.mean([t.participation_before for t in told["paper"]])
    after = {mode: np.mean([t.participation_after for t in found]) for mode, found in told.items()}
    assert before == pytest.approx(0.056, abs=0.012)
    assert after["paper"] > 1.2 * before
    assert after["min-variance"] < 0.65 * before
    assert after["ipr"] < 0.65 * before
    assert after["paper"] == pytest.approx(0.071, abs=0.015)
    assert after["min-variance"] == pytest.approx(0.031, abs=0.008)


def test_participation_is_that_of_the_graphs() -> None:
    network = random_graph(50, 0.1, 3)
    more, told = add_edges(network, n_add=20, seed=0)
    for graph, measured in ((network, told.participation_before), (more, told.participation_after)):
        laplacian = nx.laplacian_matrix(graph_of(graph), nodelist=range(50)).toarray().astype(float)
        assert measured == pytest.approx((np.linalg.eigh(laplacian)[1] ** 4).sum() / 50)


# -- what a new synapse is ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
def test_it_is_a_copy_of_one_of_its_class(mode: Any) -> None:
    network = random_network(np.random.default_rng(5), n=40, density=0.15)
    more, told = add_edges(network, n_add=50, seed=3, mode=mode)
    sign, n = network.neurons.sign, network.n_neurons

    def rows(table: Any) -> dict[tuple[int, int], tuple[Any, ...]]:
        names = ("weight", "delay_ms", "a_plus", "a_minus", "tau_plus_ms", "tau_minus_ms", "w_max")
        ends = zip(table.pre().tolist(), table.post.tolist(), strict=True)
        return dict(zip(ends, zip(*(getattr(table, name) for name in names), strict=True), strict=True))

    before, after = rows(network.recurrent), rows(more.recurrent)
    assert all(after[ends] == row for ends, row in before.items())
    by_class: dict[tuple[int, int], set[Any]] = {}
    for (pre, post), row in before.items():
        by_class.setdefault((sign[pre], sign[post]), set()).add(row)
    for pre, post in zip(told.pre.tolist(), told.post.tolist(), strict=True):
        assert after[pre, post] in by_class[sign[pre], sign[post]]
    assert max(told.pre.max(), told.post.max()) < n
    assert more.provenance["history"] == [f"50 synapses added, {mode}"]


def test_directions_are_random_where_both_occur() -> None:
    network = random_graph(60, 0.1, 6)
    pairs = [add_edges(network, n_add=30, seed=k, mode="paper")[1] for k in range(20)]
    assert all(set(pairs_of(told)) == set(pairs_of(pairs[0])) for told in pairs)  # the pairs are not drawn
    assert 0.4 < np.mean([told.pre < told.post for told in pairs]) < 0.6


def test_a_class_that_does_not_occur_gets_nothing() -> None:
    """Inhibitory neurons 0 and 1 send nothing; they may be sent to, and are not joined with each other."""
    n = 12
    pre, post = np.array([(i, j) for i in range(2, n) for j in (0, 1, (i + 1) % n) if i != j and j != 2]).T
    sign = np.where(np.arange(n) < 2, -1, 1)
    recurrent = synapse_table(pre, post, n_pre=n)
    network = Network(neuron_table(n, sign=sign), recurrent, synapse_table([], [], n_pre=1), dt_ms=1.0)
    most = len(candidates(network)) - 1
    more, told = add_edges(network, n_add=most, seed=0, mode="paper")
    assert (told.pre >= 2).all()
    assert frozenset((0, 1)) not in pairs_of(told)
    assert more.recurrent.weight.min() > 0


def test_none_and_nothing() -> None:
    network = random_graph(30, 0.1, 0)
    same, told = add_edges(network, n_add=5, seed=0, mode="none")
    assert same == network
    assert (told.pre.size, told.participation_before, told.participation_after) == (0, None, None)
    _, told = add_edges(network, n_add=5, seed=0, mode="paper", measure=False)
    assert told.participation_after is None


def test_the_same_seed_adds_the_same_on_any_number_of_threads() -> None:
    network = hrsnn.build(hrsnn.NetworkSpec(n_neurons=300, n_inputs=5), seed=0)
    first, second, other = (
        add_edges(network, n_add=40, seed=seed, n_threads=k)[0] for seed, k in ((1, 1), (1, 3), (2, 1))
    )
    assert first == second
    assert first != other


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"mode": "iprs"}, 'did you mean "ipr"'),
        ({"n_add": -1}, "n_add"),
        ({"n_rounds": 0}, "n_rounds"),
        ({"forbidden": ([0], [30])}, "forbidden"),
        ({"forbidden": ([0], [1, 2])}, "one length"),
    ],
)
def test_bad_requests(change: dict[str, Any], words: str) -> None:
    arguments = {"n_add": 1, "seed": 0, **change}
    with pytest.raises(InputError, match=words):
        add_edges(random_graph(30, 0.1, 0), **arguments)


def test_without_synapses_there_is_nobody_to_join() -> None:
    bare = random_graph(10, 0.3, 0).keep_synapses(np.zeros(len(random_graph(10, 0.3, 0).recurrent), dtype=bool))
    with pytest.raises(InputError, match=r"0\.\.0"):
        add_edges(bare, n_add=1, seed=0)
    assert len(add_edges(bare, n_add=0, seed=0, mode="paper")[0].recurrent) == 0
