"""New synapses for a network: copies of those that it has, each of its class (method.md 12.4).

The class of a synapse is the signs of both ends. A synapse of weight zero is none, so nothing is copied from it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrsnn.network import Network
from hrsnn.tables import SynapseTable

Columns = dict[str, NDArray[Any]]
Indices = NDArray[np.int64]
Mask = NDArray[np.bool_]

N_CLASSES = 4


def class_of(network: Network, pre: NDArray[Any], post: NDArray[Any]) -> Indices:
    """0 to 3, of synapses from `pre` to `post`: E to E, E to I, I to E, I to I."""
    inhibitory = (network.neurons.sign < 0).astype(np.int64)
    classes: Indices = 2 * inhibitory[pre] + inhibitory[post]
    return classes


def possible_pairs(network: Network) -> Mask:
    """Bool (N, N), from the row to the column: different neurons of a class that has synapses to copy.

    >>> from hrsnn.spec import NetworkSpec
    >>> from hrsnn.wiring import build
    >>> network = build(NetworkSpec(n_neurons=50, n_inputs=4), seed=0)  # nothing from its 10 inhibitory ones to them
    >>> int(possible_pairs(network).sum()) == 50 * 49 - 10 * 9
    True
    """
    occurs = np.isin(np.arange(N_CLASSES), _class_of_each(network)).reshape(2, 2)
    inhibitory = (network.neurons.sign < 0).astype(np.int64)
    possible: Mask = occurs[np.ix_(inhibitory, inhibitory)]
    np.fill_diagonal(possible, False)
    return possible


def copied(network: Network, pre: NDArray[Any], post: NDArray[Any], rng: np.random.Generator) -> Columns:
    """Weight, delay and plasticity of synapses from `pre` to `post`: each those of a synapse of its class, drawn.

    `possible_pairs` says between whom there is something to draw from.
    """
    of_old, of_new = _class_of_each(network), class_of(network, pre, post)
    row = np.empty(of_new.size, dtype=np.int64)
    for kind in np.unique(of_new):
        new = of_new == kind
        row[new] = rng.choice(np.flatnonzero(of_old == kind), np.count_nonzero(new))
    return {name: column[row] for name, column in network.recurrent.edge_columns().items()}


def with_synapses(network: Network, pre: NDArray[Any], post: NDArray[Any], columns: Columns) -> Network:
    """`network` with these recurrent synapses too."""
    old = network.recurrent
    together = {name: np.concatenate([column, columns[name]]) for name, column in old.edge_columns().items()}
    ends = np.concatenate([old.pre(), pre]), np.concatenate([old.post, post])
    return replace(network, recurrent=SynapseTable.from_edges(*ends, n_pre=old.n_pre, **together))


def _class_of_each(network: Network) -> Indices:
    """The class of every recurrent synapse, -1 for those of weight zero."""
    table = network.recurrent
    return np.where(table.weight != 0, class_of(network, table.pre(), table.post), -1)
