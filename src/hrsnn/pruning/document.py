"""The document of `hrsnn prune`: a network before and after, and the way between, as plain values.

docs/how-to/prune.md describes it; `hrsnn.report.pruning` draws it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrsnn.analysis.cost import count_costs
from hrsnn.analysis.lyapunov import SURROGATE_GAIN
from hrsnn.analysis.lyapunov.activity import no_exponents, without_tangent
from hrsnn.engine import Recording, simulate
from hrsnn.evaluation import facts_of_network, versions
from hrsnn.network import Network
from hrsnn.outcome import plain_values
from hrsnn.pruning.drive import DURATION_MS, on_grid_ms, rates_on, standard_drive
from hrsnn.pruning.schedule import QUANTILES, Trajectory
from hrsnn.pruning.timescales import spectrum_under_drive
from hrsnn.spikes import Spikes
from hrsnn.vocabulary import PRUNING

_N_BINS = 40
_RATIO_OF_RATES = (0.67, 1.5)  # pruned over dense; outside a comparison is one of rates

Say = Callable[[str], None]


def document_of(
    dense: Network,
    trajectory: Trajectory,
    *,
    name: str,
    method: str,
    settings: Mapping[str, Any],
    seed: int,
    say: Say = lambda _: None,
) -> dict[str, Any]:
    """What pruning `dense` came to: plain JSON values, None where a quantity does not exist.

    name, method, settings   what they are called, and the table `[prune]` as plain values
    seed                     of the drive
    """
    pruned = trajectory.network
    say("the network before and after under the standard drive")
    portraits, rates_hz = [], []
    for network in (dense, pruned):
        portrait, rate_hz = _portrait(network, seed, trajectory.drive_hz)
        portraits.append(portrait)
        rates_hz.append(rate_hz)
    spectra = [np.zeros(0)] * 2
    untold = without_tangent(dense)
    if not untold:
        spectra = [spectrum_under_drive(n, seed=seed, drive_hz=trajectory.drive_hz) for n in (dense, pruned)]
    for portrait, spectrum in zip(portraits, spectra, strict=True):
        portrait["lyapunov_max_per_ms"] = spectrum[0] if spectrum.size else None
    document = {
        "schema": PRUNING.text,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "name": name,
        "versions": versions(),
        "seed": seed,
        "drive_hz": trajectory.drive_hz,
        "method": method,
        "settings": dict(settings),
        "stopped": trajectory.stopped,
        "before": portraits[0],
        "after": portraits[1],
        "trajectory": course_of(trajectory),
        "lyapunov": {
            "before_per_ms": spectra[0],
            "after_per_ms": spectra[1],
            "surrogate_gain": SURROGATE_GAIN,
        },
        "histograms": _histograms(dense, pruned, rates_hz),
        "warnings": _warnings(portraits[1]) + ([no_exponents(untold)] if untold else []),
    }
    plain: dict[str, Any] = plain_values(document)
    return plain


def course_of(trajectory: Trajectory) -> dict[str, Any]:
    """One list per quantity, from the dense network on."""
    snapshots = trajectory.snapshots
    names = ("mean_rate_hz", "synops_recurrent_per_s", "synops_input_per_s", "footprint_bytes", "diagnostics")
    quantiles = zip(*(snapshot.weight_quantiles for snapshot in snapshots), strict=True)
    return {
        "n_neurons": [snapshot.size.n_neurons for snapshot in snapshots],
        "n_synapses": [snapshot.size.n_synapses for snapshot in snapshots],
        **{name: [getattr(snapshot, name) for snapshot in snapshots] for name in names},
        "weight_quantiles": {f"{q:g}": list(values) for q, values in zip(QUANTILES, quantiles, strict=True)},
    }


def told_of(way: Trajectory, data: Spikes) -> tuple[dict[str, Any], list[str]]:
    """The way of a network that was pruned in a run, with its rates on `data` before and after; what to warn of."""
    dense_hz, pruned_hz = (float(rates_on(way.snapshots[k].network, data).mean()) for k in (0, -1))
    ratio = pruned_hz / dense_hz if dense_hz else None
    on_data = {
        "n_recordings": data.n_samples, "dense_rate_hz": dense_hz, "pruned_rate_hz": pruned_hz, "ratio": ratio,
    }  # fmt: skip
    low, high = _RATIO_OF_RATES
    warnings = [f"pruning: {way.stopped}"] if way.stopped else []
    if ratio is not None and not low <= ratio <= high:
        warnings.append(f"pruning: before learning it fires {ratio:.2g} times as much as the dense one on the data")
    return {"stopped": way.stopped, "on_data": on_data, **course_of(way)}, warnings


def _portrait(network: Network, seed: int, drive_hz: float) -> tuple[dict[str, Any], NDArray[np.float64]]:
    """Counts of the network and of what it does under the standard drive; the rate of every neuron (N,)."""
    spikes = standard_drive(network, on_grid_ms(DURATION_MS, network.dt_ms), seed=seed, rate_hz=drive_hz)
    recording: Recording = simulate(network, spikes)
    costs = count_costs(network, spikes, recording)
    seconds = spikes.n_steps * spikes.dt_ms / 1000
    rate_hz = recording.spike_counts.sum(axis=0) / seconds
    portrait = {
        **facts_of_network(network),
        "mean_rate_hz": rate_hz.mean(),
        "silent_share": (rate_hz == 0).mean(),
        "synops_recurrent_per_s": costs.synops_recurrent / seconds,
        "synops_input_per_s": costs.synops_input / seconds,
        "synops_per_s": costs.synops / seconds,
        "footprint_bytes": costs.footprint_bytes,
    }
    return portrait, rate_hz


def _histograms(dense: Network, pruned: Network, rates_hz: Sequence[NDArray[np.float64]]) -> dict[str, Any]:
    networks = (dense, pruned)
    found = {}
    for name, sign in (("excitatory", 1), ("inhibitory", -1)):
        tau = [n.neurons.tau_mem_ms[n.neurons.sign == sign] for n in networks]
        found[f"tau_mem_ms_{name}"] = _histogram(tau)
        sizes = [np.abs(n.recurrent.weight[n.excites() == (sign > 0)]) for n in networks]
        found[f"weight_{name}"] = {**_histogram([np.log10(s[s > 0]) for s in sizes]), "log10": True}
    found["rate_hz"] = _histogram(rates_hz)
    return {name: histogram for name, histogram in found.items() if histogram.get("edges") is not None}


def _histogram(before_after: Sequence[NDArray[Any]]) -> dict[str, Any]:
    """Counts of both over the same edges; nothing where both are empty."""
    together = np.concatenate(before_after).astype(np.float64)
    if not together.size:
        return {}
    edges = np.histogram_bin_edges(together, bins=_N_BINS)
    before, after = (np.histogram(values, bins=edges)[0] for values in before_after)
    return {"edges": edges, "before": before, "after": after}


def _warnings(after: Mapping[str, Any]) -> list[str]:
    silent = after["silent_share"]
    if silent <= 0.5:
        return []
    return [f"{silent:.0%} of the neurons that are left never fire under the standard drive"]
