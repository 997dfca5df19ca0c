"""What evaluations of every kind give back, and what they share."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from hrsnn.network import Network
from hrsnn.outcome import Outcome, Stage
from hrsnn.readout import Readout
from hrsnn.work.unit import Unit


@dataclass(frozen=True, slots=True)
class Label:
    """What an evaluation is called in the results."""

    arm: str = "network"
    stage: Stage = "trained"
    method: str | None = None
    seed: int = 0

    @classmethod
    def of(cls, unit: Unit) -> Label:
        """That of a unit of a run."""
        stage, method = unit.options or ("trained", None)
        return cls(unit.kind, cast("Stage", stage), method, unit.seed)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """An outcome, the readout behind it (if there is one), and what the report draws of it."""

    outcome: Outcome
    readout: Readout | None
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Validation:
    """What a network is worth on the validation part alone: no look is taken at the test part.

    score               of the readout that validation chose: accuracy, or minus the mean error of free forecasts in
                        units of the spread; larger is better
    rate_hz             mean over neurons, on the validation part (of a series on the training part)
    silent_share        of the neurons there
    spikes_per_neuron   per recording (of a series per value)
    costs               of one recording (of a series one value), with the readout, by the names of an outcome
    """

    score: float
    rate_hz: float
    silent_share: float
    spikes_per_neuron: float
    costs: dict[str, Any]

    @classmethod
    def of(
        cls, score: float, spikes_per_neuron: NDArray[Any], duration_ms: float, costs: dict[str, Any]
    ) -> Validation:  # fmt: skip
        """From spikes per recording of each neuron, (N,), and how long a recording is."""
        mean = float(spikes_per_neuron.mean())
        return cls(score, 1000 * mean / duration_ms, float(np.mean(spikes_per_neuron == 0)), mean, costs)


def facts_of_network(network: Network | None) -> dict[str, Any]:
    """The `network` entry of an outcome; zeros and no hash for a control that has no network."""
    if network is None:
        counts = ("n_neurons", "n_excitatory", "n_recurrent_synapses", "n_input_synapses")
        return {**dict.fromkeys(counts, 0), "hash": None}
    return {
        "n_neurons": network.n_neurons,
        "n_excitatory": network.n_excitatory,
        "n_recurrent_synapses": len(network.recurrent),
        "n_input_synapses": len(network.inputs),
        "hash": network.hash,
    }


def warnings_of_activity(spikes_per_neuron: NDArray[Any], duration_ms: float) -> tuple[str, ...]:
    """Sentences about a network that is nearly silent or fires without pause; spikes per sample and neuron, (N,)."""
    found = []
    silent = float(np.mean(spikes_per_neuron == 0))
    if silent > 0.5:
        found.append(f"{silent:.0%} of the neurons never fired; raise the input weights or lower the thresholds")
    rate_hz = 1000 * float(np.mean(spikes_per_neuron)) / duration_ms
    if rate_hz > 200:
        found.append(f"the mean rate is {rate_hz:.0f} Hz; lower the weights or raise the inhibition")
    return tuple(found)


def versions() -> dict[str, str]:
    """Versions of everything that can move a number."""
    return {name: version(name) for name in ("hrsnn", "numpy", "scipy", "numba", "scikit-learn")}
