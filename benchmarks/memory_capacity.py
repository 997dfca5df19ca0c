"""How long the memory capacity of a network takes, simulation included, and how that grows with its number of neurons.

    python benchmarks/memory_capacity.py                          # N = 125, 250, ..., 2000
    python benchmarks/memory_capacity.py 1000 --out FILE.json

What is measured is one call of `memory_capacity` with its defaults: 20 samples of 20 ms per neuron (at least 40 per
delay), 100 delays: 0.4 s of simulated time per neuron. Every size has a process of its own, whose peak memory is
that of the interpreter, the network and the call together. The process first makes one short call, which compiles or
reads what was compiled: its time is told apart (`first_call_s`). Then come as many calls as rounds, of which the median
counts. One thread does all the work.

The networks: heterogeneous neurons and synapses, a ring of 100 out-neighbours each of which half are moved (50 for
N = 125), 50 input channels that reach 30 % of the neurons each, weights for rates of about 10 Hz.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import resource
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

SIZES = (125, 250, 500, 1000, 2000)
TARGET = (1000, 60.0)  # neurons, seconds


def measured(n_neurons: int, rounds: int) -> dict[str, Any]:
    """One row, measured in this process."""
    from hrsnn.analysis.memory import memory_capacity
    from hrsnn.spec import NetworkSpec
    from hrsnn.wiring import build

    spec = {
        "n_neurons": n_neurons, "n_inputs": 50,
        "input": {"subset_share": 1.0, "p_connect": 0.3, "weight_excitatory": 1.6, "weight_inhibitory": 1.6},
        "synapses": {
            "wiring": "small-world", "n_neighbours": 100 if n_neurons > 200 else 50, "weight_scale": 0.2,
            "weight_ie": 4.0, "weight_ii": 4.0,
        },
    }  # fmt: skip
    network = build(NetworkSpec.from_dict(spec), seed=0)
    start = time.perf_counter()
    memory_capacity(network, n_delays=1, n_samples=40)
    first_call_s = time.perf_counter() - start
    wall_s, user_s = [], []
    for _ in range(rounds):
        start, start_user = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF).ru_utime
        found = memory_capacity(network)
        wall_s.append(time.perf_counter() - start)
        user_s.append(resource.getrusage(resource.RUSAGE_SELF).ru_utime - start_user)
    per_mb = 2**20 if sys.platform == "darwin" else 2**10
    return {
        "n_neurons": n_neurons,
        "n_recurrent_synapses": len(network.recurrent),
        "n_samples": found.n_samples,
        "simulated_s": (found.n_samples + found.settings["n_washout"]) * found.settings["sample_ms"] / 1000,
        "rate_hz": found.spikes_per_neuron * 1000 / found.settings["sample_ms"],
        "rounds": rounds,
        "wall_s": median(wall_s),
        "wall_s_range": [min(wall_s), max(wall_s)],
        "user_s": median(user_s),
        "first_call_s": first_call_s,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / per_mb,
        "memory_capacity": found.memory_capacity,
        "ci95": list(found.ci95),
        "spike_efficiency": found.spike_efficiency,
        "load": os.getloadavg()[0],
    }


def in_a_process(n_neurons: int, rounds: int) -> dict[str, Any]:
    """One row, measured in a new process."""
    command = [sys.executable, __file__, "--row", str(n_neurons), "--rounds", str(rounds)]
    row: dict[str, Any] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return row


def growth(rows: list[dict[str, Any]], what: str) -> float | None:
    """Exponent of N between the two largest networks."""
    if len(rows) < 2:
        return None
    a, b = sorted(rows, key=lambda row: row["n_neurons"])[-2:]
    return math.log(b[what] / a[what]) / math.log(b["n_neurons"] / a["n_neurons"])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sizes", nargs="*", type=int, default=SIZES, help="numbers of neurons")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, help="write the rows as JSON")
    parser.add_argument("--row", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.row:
        print(json.dumps(measured(options.row, options.rounds)))
        return 0
    import numpy as np

    rows = []
    print("     N  synapses  simulated s    Hz   wall s (range)          user s  first call s  peak MB      C")
    for n_neurons in options.sizes:
        row = in_a_process(n_neurons, options.rounds)
        rows.append(row)
        low, high = row["wall_s_range"]
        spread = f"{row['wall_s']:.2f} ({low:.2f}-{high:.2f})"
        print(
            f"{n_neurons:6d}  {row['n_recurrent_synapses']:8d}  {row['simulated_s']:11.0f}  {row['rate_hz']:4.1f}   "
            f"{spread:22s}  {row['user_s']:6.2f}  {row['first_call_s']:12.2f}  {row['peak_mb']:7.0f}  "
            f"{row['memory_capacity']:5.3f}",
            flush=True,
        )
    exponents = {what: growth(rows, what) for what in ("wall_s", "user_s", "peak_mb")}
    if exponents["wall_s"] is not None:
        print("between the two largest: " + ", ".join(f"{name} ~ N^{value:.1f}" for name, value in exponents.items()))
    reached = [row for row in rows if row["n_neurons"] == TARGET[0]]
    passed = all(row["wall_s"] < TARGET[1] for row in reached)
    outcome = {
        "command": "python benchmarks/memory_capacity.py " + " ".join(sys.argv[1:]),
        "versions": {"python": platform.python_version(), "numpy": np.__version__},
        "target": {"n_neurons": TARGET[0], "wall_s": TARGET[1], "reached": passed if reached else None},
        "growth": exponents,
        "rows": rows,
    }
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps(outcome, indent=2) + "\n")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
