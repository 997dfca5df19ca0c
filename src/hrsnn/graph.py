"""Measures of the wiring of a network as a directed, unweighted graph."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from hrsnn.network import Network


def betweenness(network: Network) -> NDArray[np.float64]:
    """Betweenness centrality of every neuron, shape (N,), normalised by (N - 1)(N - 2) (MATH.md 12.3).

    The share of shortest paths between other neurons that lead through a neuron, by Brandes' algorithm over the
    recurrent synapses whose weight is not zero.
    """
    n = network.n_neurons
    if n < 3:
        return np.zeros(n)
    live = network.keep_synapses(network.recurrent.weight != 0).recurrent
    return np.asarray(_brandes(live.ptr, live.post)) / ((n - 1) * (n - 2))


@njit(cache=True, nogil=True)
def _brandes(ptr: Any, post: Any) -> Any:
    """Brandes 2001: one breadth-first search per source, dependencies added up on the way back."""
    n = ptr.size - 1
    total = np.zeros(n)
    distance = np.empty(n, np.int32)
    n_paths = np.empty(n)
    dependency = np.empty(n)
    queue = np.empty(n, np.int32)
    for source in range(n):
        distance[:] = -1
        n_paths[:] = 0.0
        dependency[:] = 0.0
        distance[source] = 0
        n_paths[source] = 1.0
        queue[0] = source
        head, tail = 0, 1
        while head < tail:
            here = queue[head]
            head += 1
            for k in range(ptr[here], ptr[here + 1]):
                there = post[k]
                if distance[there] < 0:
                    distance[there] = distance[here] + 1
                    queue[tail] = there
                    tail += 1
                if distance[there] == distance[here] + 1:
                    n_paths[there] += n_paths[here]
        # Farthest first: the successors of a neuron are done before it.
        for place in range(tail - 1, -1, -1):
            here = queue[place]
            for k in range(ptr[here], ptr[here + 1]):
                there = post[k]
                if distance[there] == distance[here] + 1:
                    dependency[here] += n_paths[here] / n_paths[there] * (1.0 + dependency[there])
            if here != source:
                total[here] += dependency[here]
    return total
