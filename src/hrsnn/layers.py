"""Layers of neurons as populations of one network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrsnn._checks import as_text, check_all, instance, listed, require
from hrsnn.network import Network
from hrsnn.tables import NeuronTable, SynapseTable


def stack(layers: Sequence[Network]) -> Network:
    """Layers as the populations of one network: what enters a layer are the spikes of the neurons of the one before.

    layers   networks in order, each with or without recurrent synapses; `n_inputs` of each is `n_neurons` of the one
             before. Step, model of synapses, reset and rule of STDP are those of all

    Input synapses of the first layer are those of the result, those of the others become recurrent ones. Neurons of
    layer k have population k. A spike takes a step and its delay from layer to layer, so a later layer answers a step
    later than where layers are run one after the other within a step. It has Dale's law when its weights keep it and
    all layers have it, but those that cannot by themselves, as neurons before them inhibit.

    Raises `InputError` where layers do not fit.

    >>> first = Network.from_arrays(np.zeros((3, 3)), np.ones((3, 2)), tau_mem_ms=20.0)
    >>> second = Network.from_arrays(np.zeros((4, 4)), np.ones((4, 3)), tau_mem_ms=10.0)
    >>> both = stack([first, second])
    >>> both.n_neurons, both.n_inputs, len(both.recurrent), both.neurons.population.tolist()
    (7, 2, 12, [0, 0, 0, 1, 1, 1, 1])
    """
    given = listed("stack", "layers", layers)
    require(len(given) > 0, "stack", "layers", "must be at least one network", "none")
    for number, layer in enumerate(given):
        instance("stack", f"layers[{number}]", layer, Network)
    first = given[0]
    for number, (before, layer) in enumerate(pairwise(given), start=1):
        rule = f"must have as many inputs as the layer before has neurons, {before.n_neurons}"
        require(layer.n_inputs == before.n_neurons, "stack", f"layers[{number}]", rule, layer.n_inputs)
        for name in ("dt_ms", "synapse", "reset", "rule"):
            here, there = getattr(layer, name), getattr(first, name)
            require(here == there, "stack", f"layers[{number}].{name}", f"must be that of the first, {there}", here)
    starts = np.cumsum([0, *(layer.n_neurons for layer in given)])
    n = int(starts[-1])
    between = [
        (layer.inputs, starts[k - 1], starts[k]) for k, layer in enumerate(given) if k
    ]  # from neurons of the layer before
    edges = [*((layer.recurrent, start, start) for layer, start in zip(given, starts, strict=False)), *between]
    neurons = [layer.neurons.columns() for layer in given]
    for k, columns in enumerate(neurons):
        columns["population"] = np.full(given[k].n_neurons, k, dtype=np.int16)
    recurrent = _joined([(table, table.pre() + shift, table.post + to) for table, shift, to in edges], n)
    table = NeuronTable(**_together(neurons, _NO_ADAPTATION))
    for number, layer in enumerate(given[:-1]):
        rule = "must be None but in the last layer"
        require(layer.outputs is None, "stack", f"layers[{number}].outputs", rule, layer.outputs)
    read = given[-1].outputs
    if read is not None:
        before = np.zeros((len(read), n - given[-1].n_neurons), np.float32)
        read = replace(read, weight=np.concatenate([before, read.weight], axis=1))
    history = [f"stacked from {len(given)} layers of {', '.join(str(layer.n_neurons) for layer in given)} neurons"]
    dale = first.dale and all(layer.dale or bool((layer.inputs.weight < 0).any()) for layer in given[1:])
    return Network(
        table, recurrent, _joined([(first.inputs, first.inputs.pre(), first.inputs.post)], first.n_inputs),
        dt_ms=first.dt_ms, synapse=first.synapse, rule=first.rule, reset=first.reset,
        dale=dale and bool((recurrent.weight * table.sign[recurrent.pre()] >= 0).all()),
        provenance={"history": history}, outputs=read,
    )  # fmt: skip


def unstack(network: Network) -> list[Network]:
    """The layers of a stack: each population as a network whose inputs are the neurons of the one before.

    `stack` puts them together again. So each layer can be looked at, replaced, or pruned to a target of its own; one
    that is to fit between the others keeps its neurons (`hrsnn.prune(layer, keep_neurons=layer.n_neurons, ...)`).

    Raises `InputError` where a synapse leads to another population than its own or the next, or an input to another
    than the first, or output units read another than the last.

    >>> first = Network.from_arrays(np.zeros((3, 3)), np.ones((3, 2)), tau_mem_ms=20.0)
    >>> second = Network.from_arrays(np.zeros((4, 4)), np.ones((4, 3)), tau_mem_ms=10.0)
    >>> [layer.n_neurons for layer in unstack(stack([first, second]))]
    [3, 4]
    """
    instance("unstack", "network", network, Network)
    population, table = network.neurons.population, network.recurrent
    names, layer = np.unique(population, return_inverse=True)
    pre = table.pre()
    steps = layer[table.post] - layer[pre]
    rule = "must lead to neurons of the population of their source, or of the next"
    check_all("unstack", "recurrent.post", rule, table.post, (steps == 0) | (steps == 1))
    into = layer[network.inputs.post] == 0
    check_all("unstack", "inputs.post", "must be neurons of the first population", network.inputs.post, into)
    if network.outputs is not None:
        others = np.flatnonzero(network.outputs.weight.any(axis=0) & (layer < names.size - 1))
        rule = "must read neurons of the last population alone"
        require(not others.size, "unstack", "outputs.weight", rule, f"weights of neurons {as_text(others)}")
    place = np.zeros(network.n_neurons, np.int64)  # of a neuron in its layer
    for k in range(names.size):
        place[layer == k] = np.arange(np.count_nonzero(layer == k))
    layers: list[Network] = []
    for k in range(names.size):
        own = network.keep_neurons(layer == k)
        inputs, is_last = own.inputs, k == names.size - 1
        if k:
            fed = (layer[table.post] == k) & (steps == 1)
            columns = {name: column[fed] for name, column in table.edge_columns().items()}
            n_before = layers[-1].n_neurons
            inputs = SynapseTable.from_edges(place[pre[fed]], place[table.post[fed]], n_pre=n_before, **columns)
        dale = network.dale and bool((inputs.weight >= 0).all())
        history = [f"layer {k + 1} of {names.size} of a stack"]
        outputs = own.outputs if is_last else None
        layers.append(replace(own, inputs=inputs, outputs=outputs, dale=dale, provenance={"history": history}))
    return layers


# A layer without a mechanism in a stack where another has it.
_NO_ADAPTATION = {"adapt": 0.0, "tau_adapt_ms": 1.0}


def _joined(parts: Sequence[tuple[SynapseTable, NDArray[Any], NDArray[Any]]], n_pre: int) -> SynapseTable:
    short_term = [table.u is not None for table, _, _ in parts if len(table)]
    rule = "must all have short-term dynamics, or none"
    require(all(short_term) or not any(short_term), "stack", "layers", rule, f"{sum(short_term)} tables that have them")
    columns = [table.edge_columns() for table, _, _ in parts]
    some = [one for one, (table, _, _) in zip(columns, parts, strict=True) if len(table)] or columns[:1]
    return SynapseTable.from_edges(
        np.concatenate([pre for _, pre, _ in parts]), np.concatenate([post for _, _, post in parts]),
        n_pre=n_pre, **_together(some, {}),
    )  # fmt: skip


def _together(parts: Sequence[Mapping[str, NDArray[Any]]], absent: Mapping[str, float]) -> dict[str, Any]:
    """Columns one after the other; those that a part lacks with what stands for it in `absent`."""
    names = list(dict.fromkeys(name for part in parts for name in part))
    sizes = [len(next(iter(part.values()))) for part in parts]
    return {
        name: np.concatenate([
            part[name] if name in part else np.full(size, absent[name]) for part, size in zip(parts, sizes, strict=True)
        ])
        for name in names
    }  # fmt: skip
