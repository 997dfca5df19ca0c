"""Costs: counted spikes and synaptic operations of a run, and energy by named profiles (MATH.md 14)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from hrsnn._checks import require
from hrsnn.engine.record import Recording
from hrsnn.network import Network
from hrsnn.spikes import Spikes


@dataclass(frozen=True, slots=True)
class EnergyProfile:
    """Energy of one synaptic operation on one device; nothing else is counted."""

    name: str
    pj_per_synop: float
    reference: str


ENERGY_PROFILES = (
    EnergyProfile("loihi", 23.6, "Davies et al. 2018, IEEE Micro 38(1): energy per synaptic operation, 14 nm"),
    EnergyProfile("45nm-add", 0.9, "Horowitz 2014, ISSCC: one 32-bit floating-point addition, 45 nm"),
)

# Per neuron on a device: decay, two current decays and gains, threshold, reset, rest, bias, refractory steps; and the
# state: potential, two currents, refractory counter. Single precision.
_BYTES_PER_NEURON = 4 * (10 + 4)
_BYTES_PER_SYNAPSE = 4 + 4  # target and weight; a delay of more than one step adds 2
_BYTES_PER_ROW = 4


@dataclass(frozen=True, slots=True)
class Costs:
    """What `n_samples` samples cost in total: integers that were counted.

    synops_*   synaptic operations: spikes times live outgoing synapses; in the readout, nonzero features times outputs
    """

    n_samples: int
    n_steps: int
    n_neurons: int
    spikes: int
    synops_input: int
    synops_recurrent: int
    synops_readout: int
    n_nonzero_weights: int
    n_possible_weights: int
    footprint_bytes: int

    @property
    def synops(self) -> int:
        """All synaptic operations."""
        return self.synops_input + self.synops_recurrent + self.synops_readout

    def to_dict(self) -> dict[str, Any]:
        """The cost names of results.json: per sample, with energy by profile; None for what needs neurons to be."""
        n = self.n_samples
        per_neuron = self.spikes / n / self.n_neurons if self.n_neurons else None
        activation = None if per_neuron is None else per_neuron / self.n_steps
        return {
            "spikes_per_sample": self.spikes / n,
            "spikes_per_neuron": per_neuron,
            "synops_input": self.synops_input / n,
            "synops_recurrent": self.synops_recurrent / n,
            "synops_readout": self.synops_readout / n,
            "connection_sparsity": 1 - self.n_nonzero_weights / self.n_possible_weights if self.n_neurons else None,
            "activation_sparsity": None if activation is None else 1 - activation,
            "mean_activation": activation,
            "footprint_bytes": self.footprint_bytes,
            "energy_pj": {profile.name: self.synops / n * profile.pj_per_synop for profile in ENERGY_PROFILES},
        }


def count_costs(
    network: Network, spikes: Spikes, recording: Recording, *, synops_readout: int = 0, readout_bytes: int = 0
) -> Costs:
    """Costs of `recording`, the run of `network` on the input `spikes`.

    Synapses of weight zero are not live: they count neither as operations nor as memory.
    """
    require(
        recording.n_samples == spikes.n_samples,
        "count_costs", "recording", f"must have {spikes.n_samples} samples", recording.n_samples,
    )  # fmt: skip
    require(spikes.n_samples >= 1, "count_costs", "spikes", "must hold at least one sample", "none")
    spikes_of_neuron = recording.spike_counts.sum(axis=0)
    spikes_of_channel = np.bincount(spikes.unit, minlength=spikes.n_units)
    live = {name: _live_out_degree(getattr(network, name)) for name in ("recurrent", "inputs")}
    n_live = int(live["recurrent"].sum() + live["inputs"].sum())
    delayed = sum(
        int(np.count_nonzero((table.delay_ms > 1.5 * network.dt_ms) & (table.weight != 0)))
        for table in (network.recurrent, network.inputs)
    )
    n = network.n_neurons
    return Costs(
        n_samples=spikes.n_samples,
        n_steps=spikes.n_steps,
        n_neurons=n,
        spikes=int(spikes_of_neuron.sum()),
        synops_input=int(spikes_of_channel @ live["inputs"]),
        synops_recurrent=int(spikes_of_neuron @ live["recurrent"]),
        synops_readout=synops_readout,
        n_nonzero_weights=n_live,
        n_possible_weights=n * (n + network.n_inputs),
        footprint_bytes=n_live * _BYTES_PER_SYNAPSE
        + 2 * delayed
        + (n + network.n_inputs + 2) * _BYTES_PER_ROW
        + n * _BYTES_PER_NEURON
        + readout_bytes,
    )


def _live_out_degree(table: Any) -> Any:
    return np.bincount(table.pre()[table.weight != 0], minlength=table.n_pre)
