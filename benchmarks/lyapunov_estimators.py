"""The three estimators of Lyapunov exponents against each other, on 20 small networks from stable to chaotic.

Networks. 100 neurons, 80 % excitatory, 20 random targets each, heterogeneous tau_mem and v_th as in the spec, both
synaptic time constants 10 ms, delays 1 ms, dt 1 ms, under Poisson input on 100 channels. By fixed seeds weight scale
(0.03 to 1, logarithmic), inhibition (0.5 to 2 times 4 W_scale per synapse), rate of the input (1 to 40 Hz, logarithmic)
and bias (0.3 to 1.5 thresholds) are drawn. The laws were chosen for the range of the exponents of (E), before (S) was
looked at.

(E) and (F). `saltation_spectrum` and `two_trajectories` over 10 s after a warm-up of 2 s, looked at together every
10 ms, so that both follow one trajectory to the last bit. Networks that fire below 5 Hz have a warm-up of 60 s: there
the first direction, a different one for each estimator, is forgotten only by the difference of two rates of leak. They
agree on a network if they differ by less than the root of the sum of their squared standard errors, to which the
resolution of (F) is added: rounding over distance and interval, 2e-11 per ms, is more than the error bar of pure leak.

(S). `lyapunov_spectrum` on the first 5 s, 1 s of it warm-up, at several gains of the surrogate. Ranks are compared
by Spearman's correlation with (E): over all networks, over those that fire at 5 Hz or more, and over those with a weak
and with a strong drive (below and from 8 Hz per channel on). "At spikes" is (S) with
the surrogate left out in every step without a spike: what of the ranking is due to the tail of the surrogate.

Neurons. Full spectra of (E) and of (S) with gain 1 over 2 s, 0.5 s of it warm-up; correlation over the neurons of a
network between node-wise exponents and firing rates. They must not merely restate the rates.

    python benchmarks/lyapunov_estimators.py --out docs/results/lyapunov_estimators.json
    python benchmarks/lyapunov_estimators.py --first-seed 200 --out docs/results/lyapunov_estimators_200.json
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from hrsnn.analysis.lyapunov import lyapunov_spectrum
from hrsnn.analysis.lyapunov.event_simulation import simulate_events
from hrsnn.analysis.lyapunov.events import saltation_spectrum, two_trajectories
from hrsnn.encode import poisson_rate
from hrsnn.network import Network
from hrsnn.randomness import stream
from hrsnn.spec import NetworkSpec
from hrsnn.spikes import Spikes
from hrsnn.wiring import build

N_NEURONS, N_NEIGHBOURS, TAU_SYN_MS, INPUT_WEIGHT = 100, 20, 10.0, 0.3
WARM_UP_MS = {"events": 2_000.0, "near silence": 60_000.0, "surrogate": 1_000.0, "neurons": 500.0}
MEASURED_MS = {"events": 10_000.0, "near silence": 10_000.0, "surrogate": 4_000.0, "neurons": 1_500.0}
INTERVAL_MS, DISTANCE = 10.0, 1e-6
RESOLUTION_PER_MS = float(np.finfo(np.float64).eps) / DISTANCE / INTERVAL_MS
GAINS = (0.1, 0.3, 0.5, 1.0, 3.0)
GAINS_AT_SPIKES = (1.0, 3.0, 5.0, 10.0)
ACTIVE_HZ, STRONG_DRIVE_HZ = 5.0, 8.0

Row = dict[str, Any]


def parameters(seed: int) -> Row:
    """What the networks differ in."""
    rng = stream(seed, "lyapunov-estimators")
    return {
        "seed": seed,
        "weight_scale": float(np.exp(rng.uniform(np.log(0.03), np.log(1.0)))),
        "inhibition": float(rng.uniform(0.5, 2.0)),
        "input_hz": float(np.exp(rng.uniform(np.log(1.0), np.log(40.0)))),
        "bias": float(rng.uniform(0.3, 1.5)),
    }


def network_of(row: Row) -> Network:
    population = {"bias": row["bias"], "tau_syn_exc_ms": TAU_SYN_MS, "tau_syn_inh_ms": TAU_SYN_MS}
    inhibitory = 4 * row["inhibition"]
    spec = NetworkSpec.from_dict(
        {
            "n_neurons": N_NEURONS,
            "n_inputs": N_NEURONS,
            "excitatory": population,
            "inhibitory": population,
            "input": {
                "subset_share": 1.0,
                "p_connect": 0.05,
                "weight_excitatory": INPUT_WEIGHT,
                "weight_inhibitory": INPUT_WEIGHT,
            },
            "synapses": {
                "wiring": "small-world",
                "n_neighbours": N_NEIGHBOURS,
                "rewiring": 1.0,
                "weight_scale": row["weight_scale"],
                "weight_ie": inhibitory,
                "weight_ii": inhibitory,
            },
        }
    )
    return build(spec, seed=row["seed"])


def drive_of(row: Row, purpose: str) -> Spikes:
    """A shorter drive is the beginning of a longer one."""
    everywhere = np.ones((1, N_NEURONS))
    rng, duration_ms = stream(row["seed"], "drive"), WARM_UP_MS[purpose] + MEASURED_MS[purpose]
    return poisson_rate(everywhere, rng=rng, f_max_hz=row["input_hz"], duration_ms=duration_ms, silence_ms=0.0)


# -- estimators ------------------------------------------------------------------------------------------------------


def in_continuous_time(row: Row, network: Network) -> Row:
    spikes = drive_of(row, "events")
    seconds = spikes.n_steps * spikes.dt_ms / 1e3
    is_active = simulate_events(network, spikes).unit.size / seconds / network.n_neurons >= ACTIVE_HZ
    purpose = "events" if is_active else "near silence"
    spikes, warm_up_ms = drive_of(row, purpose), WARM_UP_MS[purpose]
    began = time.perf_counter()
    first = saltation_spectrum(network, spikes, k=1, warm_up_ms=warm_up_ms, interval_ms=INTERVAL_MS)
    between = time.perf_counter()
    second = two_trajectories(
        network, spikes, distance=DISTANCE, warm_up_ms=warm_up_ms, interval_ms=INTERVAL_MS
    )  # fmt: skip
    ended = time.perf_counter()
    error = float(first.standard_error_per_ms[0])
    difference = abs(first.lyapunov_max_per_ms - second.exponent_per_ms)
    return {
        "warm_up_ms": warm_up_ms,
        "rate_hz": float(first.rates_hz.mean()),
        "saltation_per_ms": first.lyapunov_max_per_ms,
        "saltation_error_per_ms": error,
        "two_trajectories_per_ms": second.exponent_per_ms,
        "two_trajectories_error_per_ms": second.standard_error_per_ms,
        "n_intervals": second.n_intervals,
        "n_postponed": second.n_postponed,
        "n_dropped": second.n_dropped,
        "difference_over_error": difference
        / float(np.sqrt(error**2 + second.standard_error_per_ms**2 + RESOLUTION_PER_MS**2)),
        "saltation_s": between - began,
        "two_trajectories_s": ended - between,
    }


def by_surrogate(row: Row, network: Network) -> Row:
    spikes = drive_of(row, "surrogate")
    n_warm = round(WARM_UP_MS["surrogate"] / network.dt_ms)
    found: Row = {}
    for kind, gains in (("surrogate", GAINS), ("surrogate_at_spikes", GAINS_AT_SPIKES)):
        spectra = {
            str(gain): lyapunov_spectrum(
                network,
                spikes,
                k=1,
                surrogate_gain=gain,
                only_at_spikes=kind == "surrogate_at_spikes",
                n_warm_up_steps=n_warm,
            )
            for gain in gains
        }
        found[f"{kind}_per_ms"] = {gain: spectrum.lyapunov_max_per_ms for gain, spectrum in spectra.items()}
        found[f"{kind}_error_per_ms"] = {
            gain: float(spectrum.standard_error_per_ms[0]) for gain, spectrum in spectra.items()
        }
    return found


def by_neuron(row: Row, network: Network) -> Row:
    """Correlation of node-wise exponents with firing rates; NaN where all rates are equal."""
    spikes = drive_of(row, "neurons")
    n_warm = round(WARM_UP_MS["neurons"] / network.dt_ms)
    events = saltation_spectrum(network, spikes, warm_up_ms=WARM_UP_MS["neurons"])
    surrogate = lyapunov_spectrum(network, spikes, surrogate_gain=1.0, only_at_spikes=False, n_warm_up_steps=n_warm)
    return {
        "saltation_node_with_rate": correlation(events.node_exponents_per_ms, events.rates_hz),
        "surrogate_node_with_rate": correlation(surrogate.node_exponents_per_ms, surrogate.rates_hz),
        "saltation_node_with_surrogate_node": correlation(
            events.node_exponents_per_ms, surrogate.node_exponents_per_ms
        ),
        "share_of_silent_neurons": float(np.mean(events.rates_hz == 0)),
        "worst_condition": float(events.conditions.max()),
    }


def correlation(x: Any, y: Any) -> float | None:
    return float(stats.pearsonr(x, y)[0]) if np.ptp(x) > 0 and np.ptp(y) > 0 else None


# -- what they say together ------------------------------------------------------------------------------------------


def summary_of(rows: list[Row]) -> Row:
    value, error = (np.array([r[name] for r in rows]) for name in ("saltation_per_ms", "saltation_error_per_ms"))
    rate = np.array([r["rate_hz"] for r in rows])
    ratio = np.array([r["difference_over_error"] for r in rows])
    is_strong = np.array([r["input_hz"] for r in rows]) >= STRONG_DRIVE_HZ
    parts = {"all": rate >= 0, "active": rate >= ACTIVE_HZ, "weak drive": ~is_strong, "strong drive": is_strong}
    ranks = {}
    for kind, gains in (("surrogate", GAINS), ("surrogate_at_spikes", GAINS_AT_SPIKES)):
        for gain in gains:
            theirs = np.array([r[f"{kind}_per_ms"][str(gain)] for r in rows])
            ranks[f"{kind}, gain {gain:g}"] = {name: ranked(value[part], theirs[part]) for name, part in parts.items()}
    return {
        "n_networks": len(rows),
        "n_active": int(parts["active"].sum()),
        "n_clearly_stable": int((value < -2 * error).sum()),
        "n_clearly_chaotic": int((value > 2 * error).sum()),
        "n_agreeing": int((ratio <= 1).sum()),
        "largest_difference_over_error": float(ratio.max()),
        "n_dropped_intervals": int(sum(r["n_dropped"] for r in rows)),
        "saltation_with_rate": ranked(value, rate),
        "surrogate_with_saltation": ranks,
        "node_with_rate": {
            name: spread([r[name] for r in rows if r[name] is not None])
            for name in ("saltation_node_with_rate", "surrogate_node_with_rate", "saltation_node_with_surrogate_node")
        },
    }


def ranked(x: Any, y: Any) -> Row:
    found = stats.spearmanr(x, y)
    return {"spearman": float(found[0]), "p": float(found[1]), "n": len(x)}


def spread(values: list[float]) -> Row:
    low, middle, high = np.percentile(values, [0, 50, 100])
    return {"median": float(middle), "lowest": float(low), "highest": float(high), "n": len(values)}


def show_head() -> None:
    gains = " ".join(f"S {g:<5g}" for g in GAINS) + " " + " ".join(f"sp {g:<4g}" for g in GAINS_AT_SPIKES)
    print("exponents in 1/s; S g: surrogate of gain g; sp g: the same at spikes alone")
    print(f"seed scale inhib  in/Hz  bias  rate/Hz         E               F        {gains}")


def show(row: Row) -> None:
    e, de = 1e3 * row["saltation_per_ms"], 1e3 * row["saltation_error_per_ms"]
    f, df = 1e3 * row["two_trajectories_per_ms"], 1e3 * row["two_trajectories_error_per_ms"]
    theirs = [*row["surrogate_per_ms"].values(), *row["surrogate_at_spikes_per_ms"].values()]
    print(
        f"{row['seed']:4d} {row['weight_scale']:5.3f} {row['inhibition']:5.2f} {row['input_hz']:6.1f} "
        f"{row['bias']:5.2f} {row['rate_hz']:7.1f}  {e:7.2f} +- {de:4.2f}  {f:7.2f} +- {df:4.2f}  "
        + " ".join(f"{1e3 * value:7.1f}" for value in theirs),
        flush=True,
    )


def show_summary(found: Row) -> None:
    print(
        f"\n(E) and (F) agree within their errors on {found['n_agreeing']} of {found['n_networks']} networks, "
        f"at most {found['largest_difference_over_error']:.2f} errors apart; {found['n_clearly_stable']} networks "
        f"are clearly stable, {found['n_clearly_chaotic']} clearly chaotic; {found['n_dropped_intervals']} intervals "
        "dropped"
    )
    print(f"Spearman of (E) with the firing rate: {found['saltation_with_rate']['spearman']:.2f}")
    print("Spearman of (S) with (E):")
    for name, by_part in found["surrogate_with_saltation"].items():
        told = "  ".join(f"{part} {r['spearman']:5.2f} (n = {r['n']})" for part, r in by_part.items())
        print(f"  {name:<30} {told}")
    print("correlation over the neurons of a network: median, range")
    for name, s in found["node_with_rate"].items():
        print(f"  {name:<36} {s['median']:6.2f}  {s['lowest']:6.2f} ... {s['highest']:.2f}  ({s['n']} networks)")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, help="write the outcome as JSON")
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--networks", type=int, default=20)
    options = parser.parse_args()
    began = time.perf_counter()
    rows = []
    show_head()
    for seed in range(options.first_seed, options.first_seed + options.networks):
        row = parameters(seed)
        network = network_of(row)
        row |= in_continuous_time(row, network) | by_surrogate(row, network) | by_neuron(row, network)
        show(row)
        rows.append(row)
    found = {
        "schema": "hrsnn.lyapunov-estimators/1",
        "command": "python benchmarks/lyapunov_estimators.py " + " ".join(sys.argv[1:]),
        "machine": {"processor": platform.processor() or platform.machine(), "cores": os.cpu_count()},
        "versions": {name: version(name) for name in ("hrsnn", "numpy", "scipy", "numba")},
        "warm_up_ms": WARM_UP_MS,
        "measured_ms": MEASURED_MS,
        "networks": rows,
        "summary": summary_of(rows),
        "wall_s": time.perf_counter() - began,
    }
    show_summary(found["summary"])
    print(f"{found['wall_s']:.0f} s")
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return 0 if found["summary"]["n_agreeing"] == len(rows) else 1


if __name__ == "__main__":
    sys.exit(main())
