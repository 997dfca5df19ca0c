"""Fractions on the edges of a bipartite graph become 0 or 1 at random, and every vertex keeps its sum to less than one.

Dependent rounding (Gandhi, Khuller, Parthasarathy and Srinivasan 2006, J. ACM 53:324). An edge is open while its
fraction is between 0 and 1. Along a cycle of open edges, what one edge gains the next one loses: sums of vertices stay,
until one of the edges is 0 or 1 and closed. Up or down is drawn such that every fraction is, in the mean, what it was.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hrsnn._compiled import compiled, jit

Array = NDArray[np.float64]
Indices = NDArray[np.int64]

_CLOSED = 1e-12  # from 0 or 1


def rounded(fractions: Array, left: Indices, right: Indices, *, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Which edges become 1, bool (E,): each with its fraction for a probability.

    fractions     (E,), in [0, 1], whose sum is a whole number: so many become 1
    left, right   (E,), >= 0, the vertices that an edge joins, numbered apart; no two edges join the same

    The number of edges of a vertex that become 1 is the sum of its fractions, rounded up or down.

    Departs: where sums of vertices are no whole numbers there are paths that are no cycles. Each such vertex has one
    more edge here, with what is missing to the next whole number, to a vertex beyond the other side; the sums of these
    two are whole because all together are. So every open edge is on a cycle, and the number that become 1 is exact.

    >>> fractions = np.array([0.5, 0.5, 0.5, 0.5])
    >>> kept = rounded(fractions, np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1]), rng=np.random.default_rng(0))
    >>> kept.tolist() in ([True, False, False, True], [False, True, True, False])
    True
    """
    n_left, n_right = int(left.max(initial=-1)) + 1, int(right.max(initial=-1)) + 1
    missing_left, missing_right = _missing(fractions, left, n_left), _missing(fractions, right, n_right)
    incomplete_left, incomplete_right = np.flatnonzero(missing_left), np.flatnonzero(missing_right)
    value = np.concatenate([fractions, missing_left[incomplete_left], missing_right[incomplete_right]])
    ends = np.stack([
        np.concatenate([left, incomplete_left, np.full(incomplete_right.size, n_left)]),
        np.concatenate([right, np.full(incomplete_left.size, n_right), incomplete_right]) + n_left + 1,
    ], axis=1)  # fmt: skip
    order = rng.permutation(value.size)  # cycles are found in the order of the edges
    value, ends = value[order], ends[order].astype(np.int64)
    is_open = (value > _CLOSED) & (value < 1 - _CLOSED)
    value[~is_open] = np.rint(value[~is_open])
    edges = np.flatnonzero(is_open)
    _close_all(value, ends, *_by_vertex(ends, edges, n_left + n_right + 2), rng.random(edges.size))
    kept = np.empty(value.size, dtype=bool)
    kept[order] = value > 0.5
    return kept[: fractions.size]


def _missing(fractions: Array, vertex: Indices, n: int) -> Array:
    """What each of `n` vertices lacks to the next whole number, 0 where it is next to one."""
    total = np.bincount(vertex, fractions, minlength=n)
    lacking = np.ceil(total) - total
    return np.where(np.abs(total - np.rint(total)) < _CLOSED * np.maximum(total, 1), 0.0, lacking)


def _by_vertex(ends: Indices, edges: Indices, n_vertices: int) -> tuple[Indices, Indices, Indices, Indices]:
    """`edges` as a list for each vertex, in one array: what `_close_all` calls open_edges, first, n_open and place."""
    at_left, at_right = ends[edges].T
    vertex = np.concatenate([at_left, at_right])
    order = np.argsort(vertex, kind="stable")
    n_open = np.bincount(vertex, minlength=n_vertices).astype(np.int64)
    place = np.zeros(ends.shape, dtype=np.int64)
    where = np.argsort(order)  # of the ends, in the lists
    place[edges, 0], place[edges, 1] = where[: edges.size], where[edges.size :]
    return np.tile(edges, 2)[order], np.cumsum(n_open) - n_open, n_open, place


@compiled
def _close_all(value, ends, open_edges, first, n_open, place, coins):  # type: ignore[no-untyped-def]
    """Walk along open edges to where the walk has been before, round that cycle, and go on from there.

    open_edges   edges by vertex: those of v are the `n_open[v]` from `first[v]` on
    place        (E, 2), where in `open_edges` an edge is for either of its ends
    coins        as many numbers in [0, 1) as there are open edges: each cycle closes one at least
    """
    n_vertices = n_open.size
    vertices, edges = np.empty(n_vertices, np.int64), np.empty(n_vertices, np.int64)
    position = np.full(n_vertices, -1)  # of a vertex on the walk
    start, n_cycles = 0, 0
    while start < n_vertices:
        if n_open[start] == 0:
            start += 1
            continue
        vertices[0], position[start], last = start, 0, 0
        while last >= 0:
            here = vertices[last]
            came_by = edges[last - 1] if last > 0 else -1
            onward = -1
            for k in range(first[here], first[here] + min(2, n_open[here])):
                if open_edges[k] != came_by:
                    onward = open_edges[k]
            if onward < 0:
                # All is closed here, but for an edge next to 0 or 1 that errors of rounding have left.
                if n_open[here]:
                    _close(open_edges[first[here]], value, ends, open_edges, first, n_open, place)
                position[here] = -1
                last -= 1
                continue
            edges[last] = onward
            there = ends[onward, 0] + ends[onward, 1] - here
            if position[there] < 0:
                last += 1
                vertices[last], position[there] = there, last
                continue
            begin = position[there]
            _round_cycle(edges[begin : last + 1], coins[n_cycles], value, ends, open_edges, first, n_open, place)
            n_cycles += 1
            for k in range(begin + 1, last + 1):
                position[vertices[k]] = -1
            last = begin


@jit
def _round_cycle(cycle, coin, value, ends, open_edges, first, n_open, place):  # type: ignore[no-untyped-def]
    """Add to every second edge of a cycle what the others lose, or the other way, as much as goes."""
    most_up, most_down = 1.0, 1.0
    for k in range(cycle.size):
        to_one, to_zero = 1.0 - value[cycle[k]], value[cycle[k]]
        if k % 2:
            to_one, to_zero = to_zero, to_one
        most_up, most_down = min(most_up, to_one), min(most_down, to_zero)
    change = most_up if coin * (most_up + most_down) < most_down else -most_down
    for k in range(cycle.size):
        edge = cycle[k]
        value[edge] += -change if k % 2 else change
        if value[edge] < _CLOSED or value[edge] > 1.0 - _CLOSED:
            _close(edge, value, ends, open_edges, first, n_open, place)


@jit
def _close(edge, value, ends, open_edges, first, n_open, place):  # type: ignore[no-untyped-def]
    """0 or 1, and off the lists of its vertices: the last of a list takes its place."""
    value[edge] = np.rint(value[edge])
    for side in range(2):
        vertex = ends[edge, side]
        n_open[vertex] -= 1
        moved = open_edges[first[vertex] + n_open[vertex]]
        open_edges[place[edge, side]] = moved
        place[moved, side] = place[edge, side]
