"""Small networks, ordinary and odd, and recordings for them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hrsnn.data.dataset import Dataset
from hrsnn.network import Network
from hrsnn.spec import InputSpec, NetworkSpec, SynapseSpec
from hrsnn.spikes import Spikes
from hrsnn.wiring import build

N_INPUTS = 8


def network(n_neurons: int = 60, *, excitatory_share: float = 0.8, seed: int = 3) -> Network:
    """A lively network of 8 channels, the same one for the same arguments."""
    inputs = InputSpec(subset_share=1.0, p_connect=0.4, weight_excitatory=2.0, weight_inhibitory=1.0)
    spec = NetworkSpec(n_neurons=n_neurons, n_inputs=N_INPUTS, excitatory_share=excitatory_share, input=inputs,
                       synapses=SynapseSpec(length_scale=4.0))  # fmt: skip
    return build(spec, seed=seed)


def odd_networks() -> dict[str, Network]:
    """By what is odd about them: without inhibition, in two pieces, without a recurrent synapse, of one neuron."""
    whole = network()
    table = whole.recurrent
    in_pieces = whole.keep_synapses(table.pre() % 2 == table.post % 2)
    return {
        "without an inhibitory neuron": network(excitatory_share=1.0),
        "in two pieces": in_pieces,
        "without a recurrent synapse": whole.keep_synapses(np.zeros(len(table), dtype=bool)),
        "of one neuron": network(1),
    }


def with_one_inhibitory_neuron() -> tuple[Network, int]:
    """A network whose only inhibitory neuron has the weakest synapses of all, and gets none; and which it is."""
    whole = network(excitatory_share=59 / 60)
    (one,) = np.flatnonzero(whole.neurons.sign < 0).tolist()
    table = whole.recurrent
    weight = np.where(table.pre() == one, table.weight * np.float32(1e-3), table.weight)
    weaker = replace(whole, recurrent=replace(table, weight=weight))
    return weaker.keep_synapses(table.post != one), one


def recordings(n_samples: int = 4, *, n_steps: int = 60) -> Dataset:
    """Random spikes on 8 channels, in two classes in turn."""
    raster = np.random.default_rng(0).random((n_samples, n_steps, N_INPUTS)) < 0.15
    return Dataset(Spikes.from_dense(raster, dt_ms=1.0), np.arange(n_samples) % 2, ("even", "odd"))
