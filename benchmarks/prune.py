"""Lyapunov noise pruning: time and memory of one iteration by its parts, growth with N, and a whole schedule.

What is measured. Small-world networks, 100 synapses per neuron, exponential synapses as in the spec, 200 input channels
under the standard drive. One iteration is what `LyapunovNoise` does without its fourth step: 0.8 % of the neurons and
2.96 % of the synapses go, 1 % of the synapses are new. Every size is a process of its own, so that its peak memory is
its own; compiled code is loaded, or made, on a network of 200 neurons that is not counted. Wall time and CPU time of
one call each, with two threads (`--threads`); linear algebra has the threads that its callers give it.

    exponents       local exponents of neurons, 10 times 20 steps, gain 3 at spikes alone, after 100 of 2000 steps
    noise           step I without them: Lyapunov matrix, stability, variances, choice
    betweenness     step II
    edges           step III, mode "ipr" and, for comparison, "min-variance" without a measurement of participation
    p               exponent of CPU time ~ N^p between neighbouring sizes of equal synapses per neuron

    python benchmarks/prune.py --out docs/results/prune_speed.json
    python benchmarks/prune.py 2000 --schedule
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
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from hrsnn.analysis.lyapunov import local_exponents
from hrsnn.network import Network
from hrsnn.pruning.drive import standard_drive
from hrsnn.pruning.edges import add_edges
from hrsnn.pruning.nodes import prune_by_betweenness
from hrsnn.pruning.noise import prune_by_noise
from hrsnn.spec import NetworkSpec
from hrsnn.wiring import build

N_INPUTS, N_NEIGHBOURS = 200, 100
N_WARM_UP_STEPS, N_STEPS = 100, 2000
NEURONS_LOST, SYNAPSES_LOST, ADDED = 0.008, 0.0296, 0.01
BARS_S = {2000: 20.0, 5000: 180.0}
N_ITERATIONS, SPARSITY, SCHEDULE_BAR_S = 100, 0.95, 900.0
PARTS = ("exponents", "betweenness", "noise", "edges")


def network_of(n_neurons: int) -> Network:
    k = min(N_NEIGHBOURS, n_neurons // 4)
    synapses = {"wiring": "small-world", "n_neighbours": k}
    return build(NetworkSpec(n_neurons=n_neurons, n_inputs=N_INPUTS, synapses=synapses), seed=0)  # type: ignore[arg-type]


def timed(row: dict[str, Any], name: str, call: Callable[[], Any]) -> Any:
    """What `call` returns; the time it took goes into the row."""
    wall, cpu = time.perf_counter(), time.process_time()
    found = call()
    row[name] = {"wall_s": time.perf_counter() - wall, "cpu_s": time.process_time() - cpu}
    return found


def iteration(network: Network, n_threads: int) -> dict[str, Any]:
    """Times of the parts of one iteration, and what it told."""
    n, n_synapses = network.n_neurons, round((1 - SYNAPSES_LOST) * len(network.recurrent))
    n_add = int(np.ceil(ADDED * n_synapses))
    row: dict[str, Any] = {"n_neurons": n, "n_synapses": len(network.recurrent)}
    drive = standard_drive(network, float(N_WARM_UP_STEPS + N_STEPS), seed=0)
    found = timed(row, "exponents", lambda: local_exponents(
        network, drive, surrogate_gain=3.0, only_at_spikes=True, n_warm_up_steps=N_WARM_UP_STEPS, n_threads=n_threads
    ))  # fmt: skip
    exponents = np.maximum(found.exponents_per_ms, -10.0)
    left, nodes = timed(row, "betweenness", lambda: prune_by_betweenness(
        network, n_keep=round((1 - NEURONS_LOST) * n), n_threads=n_threads
    ))  # fmt: skip
    pruned, noise = timed(row, "noise", lambda: prune_by_noise(
        left, exponents[nodes.kept], n_keep=n_synapses - n_add, seed=0, mode="hm", diagonal="adjust",
        n_threads=n_threads,
    ))  # fmt: skip
    _, edges = timed(row, "edges", lambda: add_edges(
        pruned, n_add=n_add, seed=0, mode="ipr", n_threads=n_threads
    ))  # fmt: skip
    timed(row, "edges_min_variance", lambda: add_edges(pruned, n_add=n_add, seed=0, mode="min-variance", measure=False))
    return {
        **row,
        "wall_s": sum(row[part]["wall_s"] for part in PARTS),
        "cpu_s": sum(row[part]["cpu_s"] for part in PARTS),
        "bar_s": BARS_S.get(n),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "mean_rate_hz": float(found.rates_hz.mean()),
        "shift": noise.shift,
        "variance_error": noise.variance_error,
        "participation": [edges.participation_before, edges.participation_after],
        "n_threads": n_threads,
    }


def schedule(network: Network, n_threads: int) -> dict[str, Any]:
    """Time of 100 iterations of steps I to III to 95 % sparsity."""
    from hrsnn.pruning.lnp import LyapunovNoise
    from hrsnn.pruning.schedule import prune
    from hrsnn.pruning.target import Target

    target = Target(n_synapses=round((1 - SPARSITY) * len(network.recurrent)))
    row: dict[str, Any] = {"n_neurons": network.n_neurons, "n_iterations": N_ITERATIONS, "bar_s": SCHEDULE_BAR_S}
    criterion = LyapunovNoise(timescales=False, n_threads=n_threads)
    trajectory = timed(row, "all", lambda: prune(network, target, criterion, n_iterations=N_ITERATIONS, seed=0))
    end = trajectory.network
    return {
        **row,
        "n_neurons_left": end.n_neurons,
        "n_synapses_left": len(end.recurrent),
        "stopped": trajectory.stopped,
    }


def table(rows: list[dict[str, Any]]) -> str:
    """A line per size: seconds on the clock and, in parentheses, of CPU; growth of CPU time from the line before."""
    names = (*PARTS, "edges_min_variance")
    lines = [f"{'N':>6} {'synapses':>9}" + "".join(f"{name:>19}" for name in (*names, "all")) + f"{'p':>6} {'MB':>6}"]
    for before, row in zip([None, *rows], rows, strict=False):
        times = [row[name] for name in names] + [row]
        cells = "".join(f"{t['wall_s']:10.2f} ({t['cpu_s']:6.2f})" for t in times)
        growth = "" if before is None else f"{growth_of(before, row):.1f}"
        lines.append(f"{row['n_neurons']:6} {row['n_synapses']:9}{cells}{growth:>6} {row['peak_mb']:6.0f}")
    return "\n".join(lines)


def growth_of(smaller: dict[str, Any], larger: dict[str, Any]) -> float:
    ratio = larger["n_neurons"] / smaller["n_neurons"]
    return float(np.log(larger["cpu_s"] / smaller["cpu_s"]) / np.log(ratio))


def in_own_process(n_neurons: int, n_threads: int) -> dict[str, Any]:
    command = [sys.executable, __file__, str(n_neurons), "--threads", str(n_threads), "--one"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    row: dict[str, Any] = json.loads(done.stdout)
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description="Time of Lyapunov noise pruning.")
    parser.add_argument("n_neurons", type=int, nargs="*", default=[1000, 2000, 5000])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--schedule", action="store_true", help="also 100 iterations, from the first size given")
    parser.add_argument("--one", action="store_true", help="one size, in this process, as JSON")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    if given.one:
        iteration(network_of(200), given.threads)
        print(json.dumps(iteration(network_of(given.n_neurons[0]), given.threads)))
        return
    rows = [in_own_process(n, given.threads) for n in sorted(given.n_neurons)]
    print(table(rows))
    result: dict[str, Any] = {
        "schema": "hrsnn.prune_speed/1",
        "machine": f"{os.cpu_count()} cores, {platform.machine()}",
        "python": platform.python_version(),
        "numpy": version("numpy"),
        "scipy": version("scipy"),
        "iterations": rows,
    }
    if given.schedule:
        result["schedule"] = schedule(network_of(given.n_neurons[0]), given.threads)
        took = result["schedule"]["all"]
        print(f"{N_ITERATIONS} iterations: {took['wall_s']:.0f} s, {took['cpu_s']:.0f} s of CPU")
    if given.out:
        given.out.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
