"""Which nodes of a graph are in one loop, and in which order loops come."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from graphlib import TopologicalSorter

import numpy as np
from scipy import sparse


@dataclass(frozen=True, slots=True)
class Loops:
    """`of[k]` is the loop of node k; `in_order` are the sets of nodes, each after those that lead to it."""

    of: list[int]
    in_order: list[set[int]]


def loops(n: int, edges: Collection[tuple[int, int]]) -> Loops:
    """The strongly connected components of a graph of n nodes; a node without a loop is one of its own.

    >>> loops(3, [(0, 1), (1, 2), (2, 1)]).in_order
    [{0}, {1, 2}]
    """
    ends = np.array(sorted(edges), dtype=np.int64).reshape(-1, 2)
    matrix = sparse.coo_array((np.ones(len(ends)), (ends[:, 0], ends[:, 1])), shape=(n, n))
    _, labels = sparse.csgraph.connected_components(matrix, connection="strong")
    of = [int(label) for label in labels]
    before: dict[int, set[int]] = {label: set() for label in of}
    for a, b in edges:
        if of[a] != of[b]:
            before[of[b]].add(of[a])
    order = TopologicalSorter(before).static_order()
    return Loops(of, [{k for k in range(n) if of[k] == label} for label in order])
