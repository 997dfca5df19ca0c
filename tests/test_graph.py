"""Betweenness: known answers, and networkx on random graphs."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest

from hrsnn.graph import betweenness
from hrsnn.network import Network
from networks import neuron_table, synapse_table


def network_of(edges: list[tuple[int, int]], n: int, weight: object = 0.5) -> Network:
    pre, post = np.array(edges, dtype=int).reshape(-1, 2).T
    return Network(
        neuron_table(n), synapse_table(pre, post, n_pre=n, weight=weight), synapse_table([], [], n_pre=1), dt_ms=1.0
    )


def test_known_answers() -> None:
    # 0 -> 1 -> 2 -> 3: two pairs lead through 1, two through 2, of (4 - 1)(4 - 2) = 6
    np.testing.assert_allclose(betweenness(network_of([(0, 1), (1, 2), (2, 3)], 4)), [0, 1 / 3, 1 / 3, 0])
    # a star both ways: every path between leaves leads through the centre
    star = [(0, k) for k in range(1, 5)] + [(k, 0) for k in range(1, 5)]
    np.testing.assert_allclose(betweenness(network_of(star, 5)), [1, 0, 0, 0, 0])
    # two shortest paths of equal length share
    np.testing.assert_allclose(betweenness(network_of([(0, 1), (0, 2), (1, 3), (2, 3)], 4)), [0, 1 / 12, 1 / 12, 0])


@pytest.mark.parametrize(("n", "density"), [(1, 0.0), (2, 1.0), (3, 0.5), (30, 0.0), (40, 0.05), (40, 0.2), (25, 1.0)])
def test_networkx_agrees(n: int, density: float) -> None:
    rng = np.random.default_rng(n)
    matrix = rng.random((n, n)) < density  # autapses included: they lie on no shortest path
    graph = nx.from_numpy_array(matrix, create_using=nx.DiGraph)
    expected = list(nx.betweenness_centrality(graph, normalized=True).values())
    found = betweenness(network_of([tuple(edge) for edge in np.argwhere(matrix)], n))
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-15)  # sums of up to 1600 terms in another order


def test_synapses_of_weight_zero_do_not_count() -> None:
    edges = [(0, 1), (1, 2), (2, 3), (0, 3)]
    weights = np.array([0.5, 0.5, 0.0, 0.5], dtype=np.float32)  # rows by pre, post: (0,1) (0,3) (1,2) (2,3)
    found = betweenness(network_of(edges, 4, weight=weights))
    np.testing.assert_allclose(found, betweenness(network_of([(0, 1), (1, 2), (0, 3)], 4)))


def test_renumbering_renumbers() -> None:
    rng = np.random.default_rng(5)
    matrix = rng.random((20, 20)) < 0.15
    order = rng.permutation(20)
    before = betweenness(network_of([tuple(e) for e in np.argwhere(matrix)], 20))
    after = betweenness(network_of([tuple(e) for e in np.argwhere(matrix[np.ix_(order, order)])], 20))
    np.testing.assert_allclose(after, before[order], rtol=1e-12, atol=1e-15)
