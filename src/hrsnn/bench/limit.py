"""The limit: how fast this machine can add rows of weights to a vector, and nothing else.

An event-driven simulator must at least fetch, for each event, a target (uint16) and a weight (float32) from memory and
add the weight to a float32 vector of N. `scatter` does that for random rows of K targets and neither neurons, spikes
nor plasticity. Events per second over those of the limit, at the same N and K, say how much of the machine is used.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrsnn._compiled import compiled


@compiled
def scatter(rows: NDArray[Any], k: int, post: NDArray[Any], weight: NDArray[Any], total: NDArray[Any]) -> None:
    """Add the weights of every row of `rows` (each K synapses of the flat `post`, `weight`) to `total`, in place."""
    for row in rows:
        start = np.uint32(row) * np.uint32(k)
        for synapse in range(start, start + np.uint32(k)):
            total[post[synapse]] += weight[synapse]


def limit_of(n_neurons: int, synapses_per_neuron: int, *, n_events: int = 50_000_000) -> tuple[Callable[[], None], int]:
    """A function that delivers about `n_events` events, and how many exactly.

    The table has N rows of K different targets in rising order; the rows are visited at random. Compiled already.

    >>> run, n_events = limit_of(100, 10, n_events=1000)
    >>> run()
    >>> n_events
    1000
    """
    n, k = n_neurons, synapses_per_neuron
    rng = np.random.default_rng(0)
    smallest = np.uint16 if n <= 65_536 else np.uint32
    post = np.concatenate([np.sort(rng.choice(n, k, replace=False)) for _ in range(n)]).astype(smallest)
    weight = rng.random(n * k, dtype=np.float32)
    rows = rng.integers(0, n, max(1, n_events // k)).astype(np.uint32)
    total = np.zeros(n, dtype=np.float32)

    def run() -> None:
        scatter(rows, k, post, weight, total)

    scatter(rows[:1], k, post, weight, total)
    return run, rows.size * k
