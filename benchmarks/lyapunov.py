"""Lyapunov spectra by the surrogate Jacobian: time and memory, growth with N and k, gain, convergence, neurons.

What is measured. `lyapunov_spectrum` on a small-world network, 100 synapses per neuron, under Poisson input of 10 Hz
on 200 channels, dt 1 ms, 100 steps of warm-up and then 1000 measured steps. Every row is a process of its own, so that
its peak memory is its own; compiled code is loaded, or made, in a run of 120 steps with k = 2 that is not counted. Wall
and user time are those of the one call, with two threads (`--threads`) for the tangent map; linear algebra has one
always. Peak memory is that of the whole process, network, libraries and compiler included. Weights: exponential
synapses as in the spec, delta synapses scaled by 0.03; the firing rates are in the table.

    bars      all 1000 exponents, N = 1000, delta; the leading 1000, N = 1000, exp; the leading 50, N = 5000, exp
    with N    k = 50, exp, N = 500 ... 4000; the exponent p of user time ~ N^p between neighbours
    with k    N = 1000, exp, k = 50 ... 800; p of user time ~ k^p
    gain      the largest exponent for gains 0.1, 0.3, 0.5, 1 (method.md 12.1: report the gain with every number)
    running   the estimate of the largest exponent over the measured time
    neurons   correlation of node-wise exponents, over their weights in the k directions, and of local exponents with
              the firing rate: they must not merely restate it

    python benchmarks/lyapunov.py --out docs/results/lyapunov.json
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from hrsnn.analysis.lyapunov import local_exponents, lyapunov_spectrum
from hrsnn.encode import poisson_rate
from hrsnn.network import Network
from hrsnn.randomness import stream
from hrsnn.spec import NetworkSpec
from hrsnn.spikes import Spikes
from hrsnn.wiring import build

N_INPUTS, INPUT_RATE_HZ, N_NEIGHBOURS = 200, 10.0, 100
WEIGHT_SCALE = {"exp": 1.0, "delta": 0.03}
N_WARM_UP_STEPS = 100
GAINS = (0.1, 0.3, 0.5, 1.0)
LITERAL: dict[str, Any] = {"surrogate_gain": 1.0, "only_at_spikes": False}  # the surrogate as it is printed

Case = dict[str, Any]
BARS: list[Case] = [
    {"synapse": "delta", "n_neurons": 1000, "k": 1000},
    {"synapse": "exp", "n_neurons": 1000, "k": 1000},
    {"synapse": "exp", "n_neurons": 5000, "k": 50},
]
WITH_N: list[Case] = [{"synapse": "exp", "n_neurons": n, "k": 50} for n in (500, 1000, 2000, 4000)]
WITH_K: list[Case] = [{"synapse": "exp", "n_neurons": 1000, "k": k} for k in (50, 100, 200, 400, 800)]


def problem(synapse: str, n_neurons: int, n_steps: int, seed: int = 0) -> tuple[Network, Spikes]:
    """The network and its drive, warm-up included."""
    wiring = {"wiring": "small-world", "n_neighbours": N_NEIGHBOURS, "weight_scale": WEIGHT_SCALE[synapse]}
    network = build(NetworkSpec(n_neurons=n_neurons, n_inputs=N_INPUTS, synapse=synapse, synapses=wiring), seed=seed)  # type: ignore[arg-type]
    spikes = poisson_rate(
        np.ones((1, N_INPUTS)), rng=stream(seed, "drive"), f_max_hz=INPUT_RATE_HZ,
        duration_ms=float(n_steps + N_WARM_UP_STEPS), silence_ms=0.0,
    )  # fmt: skip
    return network, spikes


def measured(synapse: str, n_neurons: int, k: int, n_steps: int, n_threads: int) -> dict[str, Any]:
    """One row, and what the sections on running estimates and neurons need."""
    lyapunov_spectrum(
        *problem(synapse, 200, 20), k=2, n_threads=n_threads, **LITERAL
    )  # loads or makes the compiled code
    network, spikes = problem(synapse, n_neurons, n_steps)
    before, start = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    found = lyapunov_spectrum(network, spikes, k=k, n_warm_up_steps=N_WARM_UP_STEPS, n_threads=n_threads, **LITERAL)
    wall_s, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF)
    return {
        "synapse": synapse,
        "n_neurons": n_neurons,
        "n_synapses": len(network.recurrent),
        "k": k,
        "dimension": found.dimension,
        "n_steps": found.n_steps,
        "n_warm_up_steps": found.n_warm_up_steps,
        "threads": n_threads,
        "wall_s": wall_s,
        "user_s": after.ru_utime - before.ru_utime,
        "peak_mb": after.ru_maxrss / 1024,
        "rate_hz": float(found.rates_hz.mean()),
        "n_factorisations": found.intervals.size,
        "interval_mean": float(found.intervals.mean()),
        "condition_median": float(np.median(found.conditions)),
        "condition_max": float(found.conditions.max()),
        "surrogate_gain": found.surrogate_gain,
        "lyapunov_max_per_ms": found.lyapunov_max_per_ms,
        "lyapunov_max_error_per_ms": float(found.standard_error_per_ms[0]),
        "lyapunov_last_per_ms": float(found.exponents_per_ms[-1]),
        "sum_per_ms": float(found.exponents_per_ms.sum()),
        "node_sum_per_ms": float(found.node_exponents_per_ms.sum()),
        "running": [
            [int(end), float(value)]
            for end, value in zip(found.batch_ends, found.running_per_ms[:, 0], strict=True)
        ],
        "node_with_rate": correlation(found.node_exponents_per_ms / found.node_weights, found.rates_hz),
        "warnings": list(found.warnings),
    }  # fmt: skip


def correlation(exponents: Any, rates_hz: Any) -> dict[str, float]:
    """With the firing rate over neurons: linear, and of ranks; also among those that fire at all."""
    fires = rates_hz > 0
    return {
        "pearson": float(stats.pearsonr(exponents, rates_hz)[0]),
        "spearman": float(stats.spearmanr(exponents, rates_hz)[0]),
        "pearson_firing": float(stats.pearsonr(exponents[fires], rates_hz[fires])[0]),
        "spearman_firing": float(stats.spearmanr(exponents[fires], rates_hz[fires])[0]),
        "share_firing": float(fires.mean()),
    }


def in_own_process(case: Case, n_steps: int, n_threads: int) -> dict[str, Any]:
    arguments = [sys.executable, __file__, "--case", json.dumps(case), "--steps", str(n_steps)]
    done = subprocess.run(
        [*arguments, "--threads", str(n_threads)], capture_output=True, text=True, check=False, env=os.environ
    )
    if done.returncode:
        raise SystemExit(f"{case} failed:\n{done.stderr}")
    row: dict[str, Any] = json.loads(done.stdout)
    print(
        f"{row['synapse']:>6} {row['n_neurons']:>6} {row['n_synapses']:>8} {row['k']:>5} {row['wall_s']:>8.1f} "
        f"{row['user_s']:>8.1f} {row['peak_mb']:>8.0f} {row['rate_hz']:>7.1f} {row['interval_mean']:>8.1f} "
        f"{row['condition_max']:>8.0e} {row['lyapunov_max_per_ms']:>9.4f} {row['lyapunov_max_error_per_ms']:>7.4f}",
        flush=True,
    )
    return row


def head(title: str) -> None:
    print(f"\n{title}")
    print(
        "   syn      N synapses     k   wall s   user s  peak MB rate Hz interval max cond  max /ms   error", flush=True
    )


def powers(rows: list[dict[str, Any]], name: str) -> list[float]:
    """p of user time ~ name^p between neighbouring rows; it feels other work on the machine less than wall time."""
    size, user_s = np.log([row[name] for row in rows]), np.log([row["user_s"] for row in rows])
    found = (np.diff(user_s) / np.diff(size)).tolist()
    print(f"   user time grows as {name}^p, p = {', '.join(f'{p:.2f}' for p in found)}")
    return [float(p) for p in found]


def gains(n_steps: int, n_threads: int) -> list[dict[str, Any]]:
    """The largest exponent by gain, for both kinds of synapse."""
    print("\nlargest exponent per ms by gain of the surrogate, N = 1000, k = 10")
    rows = []
    for synapse in ("exp", "delta"):
        network, spikes = problem(synapse, 1000, n_steps)
        for gain in GAINS:
            found = lyapunov_spectrum(
                network,
                spikes,
                k=10,
                surrogate_gain=gain,
                only_at_spikes=False,
                n_warm_up_steps=N_WARM_UP_STEPS,
                n_threads=n_threads,
            )
            error = float(found.standard_error_per_ms[0])
            rows.append({
                "synapse": synapse, "surrogate_gain": gain, "lyapunov_max_per_ms": found.lyapunov_max_per_ms,
                "error_per_ms": error,
            })  # fmt: skip
            print(f"{synapse:>6}  gain {gain:.1f}  {found.lyapunov_max_per_ms:9.4f} ± {error:.4f}", flush=True)
    return rows


def neurons(n_steps: int, n_threads: int) -> list[dict[str, Any]]:
    """Local exponents: their time and their correlation with the rate."""
    rows = []
    for synapse in ("exp", "delta"):
        network, spikes = problem(synapse, 1000, n_steps)
        start = time.perf_counter()
        found = local_exponents(network, spikes, n_warm_up_steps=N_WARM_UP_STEPS, n_threads=n_threads, **LITERAL)
        wall_s = time.perf_counter() - start
        rows.append({
            "synapse": synapse, "wall_s": wall_s, **correlation(found.exponents_per_ms, found.rates_hz),
            "mean_per_ms": float(found.exponents_per_ms.mean()), "sd_per_ms": float(found.exponents_per_ms.std()),
        })  # fmt: skip
    return rows


def told(what: str, found: dict[str, float]) -> None:
    print(
        f"{what:>34}  Pearson {found['pearson']:6.2f}  Spearman {found['spearman']:6.2f}   among the "
        f"{found['share_firing']:.0%} that fire {found['pearson_firing']:6.2f} {found['spearman_firing']:6.2f}"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=1000, help="measured steps")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, help="JSON file for everything that is printed")
    parser.add_argument("--case", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.case:
        print(json.dumps(measured(**json.loads(options.case), n_steps=options.steps, n_threads=options.threads)))
        return 0

    def run(cases: list[Case]) -> list[dict[str, Any]]:
        return [in_own_process(case, options.steps, options.threads) for case in cases]

    head("bars: 180 s, 180 s, 60 s; 2000 MB")
    bars = run(BARS)
    head("growth with N")
    with_n = run(WITH_N)
    power_n = powers(with_n, "n_neurons")
    head("growth with k")
    with_k = run(WITH_K)
    power_k = powers(with_k, "k")
    by_gain = gains(options.steps, options.threads)
    print("\nestimate of the largest exponent per ms after so many measured steps")
    for row in bars:
        course = "  ".join(f"{end}: {value:.4f}" for end, value in row["running"][3::4])
        print(f"{row['synapse']:>6} {row['n_neurons']:>5}  {course}")
    print("\ncorrelation of the exponents of neurons with their firing rate, N = 1000")
    local = neurons(options.steps, options.threads)
    for row in bars[:2]:
        told(f"node-wise, {row['synapse']}, k = {row['k']}", row["node_with_rate"])
    for row in local:
        told(f"local, {row['synapse']}, {row['wall_s']:.1f} s", row)
    if options.out:
        found = {
            "schema": "hrsnn.lyapunov/1",
            "machine": {"processor": platform.processor() or platform.machine(), "cores": os.cpu_count()},
            "versions": {name: version(name) for name in ("hrsnn", "numpy", "scipy", "numba")},
            "bars": bars, "with_n": with_n, "power_n": power_n, "with_k": with_k, "power_k": power_k,
            "gains": by_gain, "local": local,
        }  # fmt: skip
        options.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
