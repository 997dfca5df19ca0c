"""Every quantity of the theory for one network, in one document: what `hrsnn analyse` prints and draws.

The network is driven by the white drive of method.md 9.1: no task, labels or training. All numbers of a document come
from one network, one seed and fixed weights.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrsnn._checks import require
from hrsnn.analysis.cost import count_costs
from hrsnn.analysis.drive import WhiteDrive
from hrsnn.analysis.firing import FiringStatistics, firing_statistics
from hrsnn.analysis.heterogeneity import Heterogeneity, heterogeneity
from hrsnn.analysis.importance import importance
from hrsnn.analysis.lyapunov import LyapunovSpectrum, lyapunov_spectrum
from hrsnn.analysis.lyapunov.activity import no_exponents, without_tangent
from hrsnn.analysis.lyapunov.tangent import n_state_rows
from hrsnn.analysis.memory import N_DELAYS, MemoryCapacity, input_memory_capacity, memory_capacity
from hrsnn.analysis.separation import StateRank, computational_measure, generalisation_rank, separation_rank
from hrsnn.engine import Record, simulate
from hrsnn.evaluation import facts_of_network, versions
from hrsnn.network import Network
from hrsnn.outcome import plain_values
from hrsnn.spec import NetworkSpec
from hrsnn.spikes import Spikes
from hrsnn.train import learn
from hrsnn.vocabulary import ANALYSIS
from hrsnn.wiring import build

N_EXPONENTS = 64
GAINS = (1.0, 3.0, 5.0, 10.0)  # of the surrogate, which the largest exponent is told for
N_RECORDINGS, RECORDING_SAMPLES = 100, 25  # that a network learns from before importance is measured; samples of 20 ms
OTHER_DRIVE = 1_000_000  # added to the seed: no drive is both learned from and measured under

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Depth:
    """How much is measured.

    n_delays        of the memory, in input samples
    n_samples       of the memory; None is 20 per neuron
    n_exponents     leading Lyapunov exponents; None is `N_EXPONENTS`, or all where there are fewer
    n_stimuli       of the separation rank; None is one per neuron
    exponent_ms     time that exponents are measured over, after a start-up of 100 steps
    firing_ms       time that spikes, correlations and costs are counted over
    """

    n_delays: int = N_DELAYS
    n_samples: int | None = None
    n_exponents: int | None = None
    n_stimuli: int | None = None
    exponent_ms: float = 1000.0
    firing_ms: float = 10_000.0


def document_of(
    network: Network,
    *,
    name: str,
    seed: int,
    depth: Depth,
    drive: WhiteDrive,
    surrogate_gain: float,
    n_threads: int,
    say: Say,
) -> dict[str, Any]:
    """The document of `network`. Arguments and errors as of `hrsnn.analyse`.

    `lyapunov` is empty, and a warning says why, for a network that has no tangent map.
    """
    dimension = n_state_rows(network)
    k = min(N_EXPONENTS, dimension) if depth.n_exponents is None else depth.n_exponents
    rule = f"must be in 1..{dimension}, the dimension of the state with {network.synapse} synapses"
    require(1 <= k <= dimension, "analyse", "n_exponents", rule, k)
    remembers: dict[str, Any] = {"seed": seed, "n_delays": depth.n_delays, "drive": drive}
    separates: dict[str, Any] = {"seed": seed, "n_stimuli": depth.n_stimuli, "n_threads": n_threads}
    say("1 of 4: memory capacity")
    memory = memory_capacity(network, n_samples=depth.n_samples, **remembers)
    of_input = input_memory_capacity(network, n_samples=memory.n_samples, **remembers)
    say("2 of 4: separation and generalisation rank")
    separation, generalisation = separation_rank(network, **separates), generalisation_rank(network, **separates)
    untold = without_tangent(network)
    lyapunov: dict[str, Any] = {}
    largest: float | None = None
    warnings: tuple[str, ...] = (f"{no_exponents(untold)}.",) if untold else ()
    if untold:
        say(f"3 of 4: {no_exponents(untold)}")
    else:
        say(f"3 of 4: the first {k} of {dimension} Lyapunov exponents")
        spikes = _drive_for(network, drive, 100 * network.dt_ms + depth.exponent_ms, seed)
        spectrum = lyapunov_spectrum(network, spikes, k=k, surrogate_gain=surrogate_gain)
        of_gain = {gain: lyapunov_spectrum(network, spikes, k=1, surrogate_gain=gain) for gain in GAINS}
        lyapunov = _lyapunov(spectrum, of_gain)
        largest, warnings = spectrum.lyapunov_max_per_ms, spectrum.warnings
    say("4 of 4: heterogeneity, firing statistics, costs")
    varied = heterogeneity(network)
    spikes = _drive_for(network, drive, depth.firing_ms, seed)
    recording = simulate(network, spikes, record=Record(spikes=True))
    assert recording.spikes is not None
    firing = firing_statistics(recording.spikes, bin_ms=drive.sample_ms, seed=seed)
    per_sample = round(drive.sample_ms / network.dt_ms)
    counted = count_costs(network, spikes, recording)
    costs = replace(counted, n_samples=spikes.n_steps // per_sample, n_steps=per_sample).to_dict()
    document = {
        "schema": ANALYSIS.text,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "name": name,
        "versions": versions(),
        "seed": seed,
        "network": {**facts_of_network(network), "n_inputs": network.n_inputs},
        "memory_capacity": memory.memory_capacity,
        "spike_efficiency": memory.spike_efficiency,
        "separation_rank": separation.effective,
        "lyapunov_max_per_ms": largest,
        "heterogeneity": varied.heterogeneity,
        "spikes_per_neuron": memory.spikes_per_neuron,
        "mean_rate_hz": firing.mean_rate_hz,
        "energy_pj": costs["energy_pj"],
        "memory": _memory(memory, of_input),
        "separation": _separation(separation, generalisation),
        "lyapunov": lyapunov,
        "heterogeneity_detail": _heterogeneity(varied),
        "firing": _firing(firing),
        "costs": costs,
        "warnings": list(dict.fromkeys(memory.warnings + separation.warnings + warnings)),
    }
    plain: dict[str, Any] = plain_values(document)
    return plain


def importance_of(
    spec: NetworkSpec, *, n_seeds: int, seed: int = 0, depth: Depth = Depth(), executor: Executor | None = None
) -> dict[str, Any]:
    """Shapley importance of making groups of parameters of `spec` heterogeneous; the key "importance" of a document.

    For every coalition and seed a network is built, learns without labels from 100 recordings (500 ms each) of a white
    drive, and is measured under another one: memory capacity, spikes per neuron and input sample, and their ratio, 0
    where nothing spikes. Raises `InputError` for fewer seeds than one, `MissingExtraError` without shapiq.
    """
    require(n_seeds >= 1, "importance_of", "n_seeds", "must be >= 1", n_seeds)
    value = partial(_after_learning, n_delays=depth.n_delays, n_samples=depth.n_samples)
    found = importance(spec, value, seeds=range(seed, seed + n_seeds), executor=executor)
    quantities = {name: of_quantity["groups"] for name, of_quantity in found.to_dict().items()}
    plain: dict[str, Any] = plain_values(
        {"players": list(found.groups), "quantities": quantities, "n_seeds": len(found.seeds)}
    )
    return plain


def _after_learning(spec: NetworkSpec, seed: int, *, n_delays: int, n_samples: int | None) -> dict[str, float]:
    network = build(spec, seed=seed)
    drive = WhiteDrive()
    recordings = drive.recordings(
        N_RECORDINGS, RECORDING_SAMPLES, n_inputs=spec.n_inputs, dt_ms=spec.dt_ms, seed=OTHER_DRIVE + seed
    )
    learned = learn(network, recordings, seed=seed)
    found = memory_capacity(learned, seed=seed, n_delays=n_delays, n_samples=n_samples, drive=drive)
    return {
        "memory_capacity": found.memory_capacity,
        "spikes_per_neuron": found.spikes_per_neuron or 0.0,
        "spike_efficiency": found.spike_efficiency or 0.0,
    }


def _drive_for(network: Network, drive: WhiteDrive, duration_ms: float, seed: int) -> Spikes:
    """At least this much of the drive, in whole samples."""
    require(duration_ms > 0 and math.isfinite(duration_ms), "analyse", "depth", "must be times > 0", duration_ms)
    values = drive.values(math.ceil(duration_ms / drive.sample_ms), seed=seed)
    return drive.spikes(values, n_inputs=network.n_inputs, dt_ms=network.dt_ms, seed=seed)


# -- parts of the document ---------------------------------------------------------------------------------------------


def _memory(found: MemoryCapacity, of_input: MemoryCapacity) -> dict[str, Any]:
    names = (
        "ci95", "per_delay", "per_delay_raw", "at_zero", "threshold", "bias_floor", "rank", "bound",
        "participation_ratio", "n_samples", "n_test", "settings",
    )  # fmt: skip
    return {
        **{name: getattr(found, name) for name in names},
        "squared_correlation": found.squared_correlation.mean,
        "input_only": of_input.memory_capacity,
    }


def _separation(separation: StateRank, generalisation: StateRank) -> dict[str, Any]:
    return {
        "effective": separation.effective,
        "numerical": separation.numerical,
        "entropy": separation.entropy,
        "generalisation": generalisation.effective,
        "computational": computational_measure(separation, generalisation),
        "n_stimuli": separation.n_stimuli,
        "singular_values": separation.singular_values,
        "generalisation_singular_values": generalisation.singular_values,
        "jitter_ms": generalisation.settings["jitter_ms"],
        "settings": separation.settings,
    }


def _lyapunov(found: LyapunovSpectrum, of_gain: dict[float, LyapunovSpectrum]) -> dict[str, Any]:
    names = (
        "exponents_per_ms", "standard_error_per_ms", "node_weights", "dimension", "surrogate_gain", "only_at_spikes",
        "dt_ms", "n_steps",
    )  # fmt: skip
    # Shares in a leading part of the spectrum tell how much a neuron takes part; over that part they tell its growth.
    takes_part = found.node_weights > 0
    of_nodes = np.full(found.node_weights.size, np.nan)
    np.divide(found.node_exponents_per_ms, found.node_weights, out=of_nodes, where=takes_part)
    return {
        **{name: getattr(found, name) for name in names},
        "running_max_per_ms": found.running_per_ms[:, 0],
        "running_steps": found.batch_ends,
        "node_exponents_per_ms": of_nodes,
        "node_rates_hz": found.rates_hz,
        "node_rate_correlation": _correlation(of_nodes[takes_part], found.rates_hz[takes_part]),
        "gains": {f"{gain:g}": one.lyapunov_max_per_ms for gain, one in of_gain.items()},
        "max_condition": found.conditions.max(initial=0.0) or None,
    }


def _heterogeneity(found: Heterogeneity) -> dict[str, Any]:
    return {name: getattr(found, name) for name in ("neurons", "synapses", "cvs", "n_plastic", "epsilon")}


def _firing(found: FiringStatistics) -> dict[str, Any]:
    names = (
        "interval_cv", "pairwise_correlation", "third_order", "third_order_by_chance", "mean_activation",
        "silent_share",
    )  # fmt: skip
    facts = asdict(found)
    return {name: facts[name] for name in names}


def _correlation(a: NDArray[np.float64], b: NDArray[np.float64]) -> float | None:
    """Pearson's; None where one of the two does not vary."""
    if not (a.size > 1 and np.isfinite(a).all() and np.ptp(a) > 0 and np.ptp(b) > 0):
        return None
    return float(np.corrcoef(a, b)[0, 1])
