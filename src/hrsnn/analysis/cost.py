"""Costs: counted spikes, synaptic operations and updates of a run, and energy by named profiles (method.md 14)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hrsnn._checks import check_column, require
from hrsnn.engine.record import Recording
from hrsnn.network import Network
from hrsnn.spikes import Spikes
from hrsnn.tables import SynapseTable


@dataclass(frozen=True, slots=True)
class EnergyProfile:
    """Energy of one operation on one device; updates of neurons, leakage, memory traffic and input are not in it.

    pj_per_synop  one synaptic operation: a weight is added to a target
    pj_per_mac    one multiplication with addition, for networks without spikes; None where the source has no such value
    """

    name: str
    pj_per_synop: float
    reference: str
    pj_per_mac: float | None = None


# Devices are here only with a published energy of one synaptic operation. Of Xylo and Speck we found power and energy
# per inference of whole applications, which cannot be divided by operations without an assumption of our own.
ENERGY_PROFILES = (
    EnergyProfile("loihi", 23.6, "Davies et al. 2018, IEEE Micro 38(1): energy per synaptic operation, 14 nm"),
    EnergyProfile(
        "45nm-add", 0.9,
        "Horowitz 2014, ISSCC: one 32-bit floating-point addition, 45 nm; with a multiplication of 3.7 pJ: 4.6 pJ",
        pj_per_mac=4.6,
    ),
    EnergyProfile(
        "spinnaker2", 10.0,
        "Hoeppner et al. 2021, arXiv 2103.08392, as compiled by Tang et al. 2023, Front. Neurosci. 17, table 3: 22 nm",
    ),
)  # fmt: skip

# Per neuron on a device: decay, two current decays and gains, threshold, reset, rest, bias, refractory steps; and the
# state: potential, two currents, refractory counter. Single precision.
_BYTES_PER_NEURON, _BYTES_PER_STATE = 4 * 10, 4 * 4
_BYTES_PER_SYNAPSE = 4 + 4  # target and weight; a delay of more than one step adds 2
_BYTES_PER_ROW = 4
# What adaptation adds per neuron, and short-term dynamics per synapse: its constants, and the state; the step of the
# last spike is one per row.
_BYTES_OF_ADAPTATION, _BYTES_OF_SHORT_TERM = (4 * 2, 4), (4 * 3, 4 * 2)


@dataclass(frozen=True, slots=True)
class Costs:
    """What `n_samples` samples cost in total: integers that were counted.

    synops_*   synaptic operations: spikes times live outgoing synapses; in the readout, nonzero features times outputs
    bytes_*    the parts of `footprint_bytes`: parameters of neurons, synapses, state of neurons, readout
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
    bytes_neurons: int = 0
    bytes_synapses: int = 0
    bytes_state: int = 0
    bytes_readout: int = 0

    @property
    def synops(self) -> int:
        """All synaptic operations."""
        return self.synops_input + self.synops_recurrent + self.synops_readout

    @property
    def neuron_updates(self) -> int:
        """Times the state of a neuron is brought forward by a step, refractory neurons included.

        What a clocked device does. One that is driven by events updates a neuron when something arrives: at most once
        per synaptic operation and once per spike.
        """
        return self.n_samples * self.n_steps * self.n_neurons

    @property
    def synops_dense(self) -> int:
        """Input and recurrent operations if every possible synapse existed and every unit spiked in every step.

        It is also the number of multiply-accumulates of a recurrent network of as many real-valued units.
        """
        return self.n_samples * self.n_steps * self.n_possible_weights

    def dense_energy_pj(self) -> dict[str, float]:
        """Energy per sample of the dense network of real-valued units, by the profiles that price a multiplication.

        >>> costs = Costs(n_samples=1, n_steps=10, n_neurons=5, spikes=0, synops_input=0, synops_recurrent=0,
        ...               synops_readout=0, n_nonzero_weights=0, n_possible_weights=50, footprint_bytes=0)
        >>> costs.dense_energy_pj()
        {'45nm-add': 2300.0}
        """
        n_macs = self.synops_dense / self.n_samples
        return {p.name: n_macs * p.pj_per_mac for p in ENERGY_PROFILES if p.pj_per_mac is not None}

    def to_dict(self) -> dict[str, Any]:
        """The cost names of results.json: per sample, with energy by profile; None for what needs neurons to be.

        Energy takes every operation at the price of a synaptic one, also the multiplications of the readout.
        """
        n = self.n_samples
        per_neuron = self.spikes / n / self.n_neurons if self.n_neurons else None
        activation = None if per_neuron is None else per_neuron / self.n_steps
        return {
            "spikes_per_sample": self.spikes / n,
            "spikes_per_neuron": per_neuron,
            "synops_input": self.synops_input / n,
            "synops_recurrent": self.synops_recurrent / n,
            "synops_readout": self.synops_readout / n,
            "neuron_updates": self.neuron_updates / n,
            "connection_sparsity": 1 - self.n_nonzero_weights / self.n_possible_weights if self.n_neurons else None,
            "activation_sparsity": None if activation is None else 1 - activation,
            "mean_activation": activation,
            "footprint_bytes": self.footprint_bytes,
            "footprint_bytes_neurons": self.bytes_neurons,
            "footprint_bytes_synapses": self.bytes_synapses,
            "footprint_bytes_state": self.bytes_state,
            "footprint_bytes_readout": self.bytes_readout,
            "energy_pj": {profile.name: self.synops / n * profile.pj_per_synop for profile in ENERGY_PROFILES},
        }


def count_costs(
    network: Network, spikes: Spikes, recording: Recording, *, synops_readout: int = 0, readout_bytes: int = 0
) -> Costs:
    """Costs of `recording`, the run of `network` on the input `spikes`.

    Synapses of weight zero are not live: they count neither as operations nor as memory. A spike over a synapse with
    short-term dynamics is one operation like any other, though it takes some multiplications more.
    """
    require(
        recording.n_samples == spikes.n_samples,
        "count_costs", "recording", f"must have {spikes.n_samples} samples", recording.n_samples,
    )  # fmt: skip
    require(spikes.n_samples >= 1, "count_costs", "spikes", "must hold at least one sample", "none")
    spikes_of_neuron = recording.spike_counts.sum(axis=0)
    spikes_of_channel = np.bincount(spikes.unit, minlength=spikes.n_units)
    tables = (network.recurrent, network.inputs)
    n_live = sum(int(np.count_nonzero(table.weight)) for table in tables)
    delayed = sum(
        int(np.count_nonzero((table.delay_ms > 1.5 * network.dt_ms) & (table.weight != 0))) for table in tables
    )
    n = network.n_neurons
    n_adapt = 0 if network.neurons.adapt is None else n
    dynamic = [table for table in tables if table.u is not None]
    n_dynamic = sum(int(np.count_nonzero(table.weight)) for table in dynamic)
    of_synapses = n_live * _BYTES_PER_SYNAPSE + 2 * delayed + (n + network.n_inputs + 2) * _BYTES_PER_ROW
    of_rows = sum(table.n_pre for table in dynamic) * _BYTES_PER_ROW
    parts = {
        "bytes_neurons": n * _BYTES_PER_NEURON + n_adapt * _BYTES_OF_ADAPTATION[0],
        "bytes_synapses": of_synapses + n_dynamic * _BYTES_OF_SHORT_TERM[0],
        "bytes_state": n * _BYTES_PER_STATE
        + n_adapt * _BYTES_OF_ADAPTATION[1]
        + n_dynamic * _BYTES_OF_SHORT_TERM[1]
        + of_rows,
        "bytes_readout": readout_bytes,
    }
    return Costs(
        n_samples=spikes.n_samples,
        n_steps=spikes.n_steps,
        n_neurons=n,
        spikes=int(spikes_of_neuron.sum()),
        synops_input=sparse_synops(network.inputs, spikes_of_channel),
        synops_recurrent=sparse_synops(network.recurrent, spikes_of_neuron),
        synops_readout=synops_readout,
        n_nonzero_weights=n_live,
        n_possible_weights=n * (n + network.n_inputs),
        footprint_bytes=sum(parts.values()),
        **parts,
    )


def sparse_synops(
    table: SynapseTable,
    spike_counts: ArrayLike,
    *,
    live_pre: ArrayLike | None = None,
    live_post: ArrayLike | None = None,
) -> int:
    """Synaptic operations over live synapses between live units (method.md 14, sparse SOPs).

    The sum over i of s_i times the number of j with n_i AND theta_ij AND n_j: i spikes, j is a target; theta is a
    weight that is not zero. What a run would have cost had units been cut while the spikes stayed.

    table         synapses from `table.n_pre` units
    spike_counts  (n_pre,), s_i, whole numbers >= 0
    live_pre      (n_pre,) booleans, None for all
    live_post     booleans, one per target unit, None for all

    >>> table = SynapseTable.from_edges([0, 0, 1], [0, 1, 1], n_pre=2, weight=[0.5, 0.0, 0.25], delay_ms=1.0,
    ...                                 a_plus=0.0, a_minus=0.0, tau_plus_ms=20.0, tau_minus_ms=20.0, w_max=1.0)
    >>> sparse_synops(table, [3, 10]), sparse_synops(table, [3, 10], live_post=[True, False])
    (13, 3)
    """
    s = check_column("sparse_synops", "spike_counts", spike_counts, dtype=np.int64, length=table.n_pre, at_least=0)
    live = table.weight != 0
    if live_post is not None:
        mask = _booleans("live_post", live_post)
        n_post = int(table.post.max(initial=-1)) + 1
        require(mask.size >= n_post, "sparse_synops", "live_post", f"must have length >= {n_post}", mask.size)
        live = live & mask[table.post]
    degree = np.diff(np.concatenate([[0], np.cumsum(live)])[table.ptr])  # live targets of each unit
    if live_pre is not None:
        mask = _booleans("live_pre", live_pre)
        require(mask.size == table.n_pre, "sparse_synops", "live_pre", f"must have length {table.n_pre}", mask.size)
        degree = degree * mask
    return int(s @ degree)


def _booleans(name: str, values: ArrayLike) -> NDArray[np.bool_]:
    mask = np.asarray(values)
    ok = mask.ndim == 1 and mask.dtype == bool
    require(ok, "sparse_synops", name, "must be booleans in one dimension", f"{mask.dtype} of shape {mask.shape}")
    return mask


def neurobench_metrics(costs: Costs, *, readout_weights: int = 0) -> dict[str, Any]:
    """`costs` under the names and by the definitions of NeuroBench (Yik et al. 2025), to lay tables side by side.

    readout_weights  weights of the readout's layers, all of them not zero, applied once per sample; must be given where
                     `costs` counts a readout. Without it the values are those of the recurrent network alone

    `benchmarks/neurobench_oracle.py` finds NeuroBench 2.3 to give the same values for a torch model of the network:
    `Linear` layers of the input and of the recurrent synapses, applied to the spikes of a step at its end (so that
    those of the last step count), a module that spikes, a `Linear` readout of features. How the definitions differ:

    Footprint             bytes of what is stored. Ours are compressed rows of live synapses; a torch model that stores
                          dense weights has 4 bytes for each possible one
    ConnectionSparsity    absent synapses of all possible ones, input and recurrent, with those of the readout; ours in
                          results.json leaves the readout out and is not rounded to four decimals. Several synapses
                          between the same two neurons (of different delays) are one weight there
    ActivationSparsity    as ours: silent pairs of neuron and step
    Effective_ACs, Effective_MACs   operations on inputs that are all 0 or +-1, and on others: the synaptic ones, and
                          those of the readout. NeuroBench decides by value: features that happen to be all 0 or 1
                          make the readout's operations ACs
    Dense                 the same if no weight and no input were zero

    NeuroBench's MembraneUpdates counts only potentials that changed; `Costs.neuron_updates` is its upper bound.

    >>> costs = Costs(n_samples=2, n_steps=10, n_neurons=5, spikes=20, synops_input=8, synops_recurrent=80,
    ...               synops_readout=0, n_nonzero_weights=9, n_possible_weights=36, footprint_bytes=100)
    >>> neurobench_metrics(costs)["SynapticOperations"]
    {'Effective_MACs': 0.0, 'Effective_ACs': 44.0, 'Dense': 360.0}
    """
    n = costs.n_samples
    require(costs.n_neurons > 0, "neurobench_metrics", "costs", "must be of a network", "costs without neurons")
    require(readout_weights >= 0, "neurobench_metrics", "readout_weights", "must be >= 0", readout_weights)
    ok = readout_weights > 0 or costs.synops_readout == 0
    rule = f"must be given, as the costs count {costs.synops_readout} operations of a readout"
    require(ok, "neurobench_metrics", "readout_weights", rule, readout_weights)
    possible = costs.n_possible_weights + readout_weights
    cells = costs.neuron_updates
    return {
        "Footprint": costs.footprint_bytes,
        "ConnectionSparsity": round((costs.n_possible_weights - costs.n_nonzero_weights) / possible, 4),
        "ActivationSparsity": (cells - costs.spikes) / cells,
        "SynapticOperations": {
            "Effective_MACs": costs.synops_readout / n,
            "Effective_ACs": (costs.synops_input + costs.synops_recurrent) / n,
            "Dense": costs.synops_dense / n + readout_weights,
        },
    }
