"""Training steps of a network through time: hrsnn against snnTorch, Norse, SpikingJelly, Spyx, JAX and PyTorch.

What is measured. One step of training, forward, backward and AdamW, of 1000 recurrent neurons of 700 inputs, 250 steps,
batch 32, single precision, on two threads: time on the clock, CPU time, and how far the peak of resident memory rises
over imports, data and parameters. The same network in all of them, as `bptt_peers.py` says, at 5 % of the recurrent
synapses and at all of them, with about 0.5, 2 and 8 % of the neurons spiking in a step. The others know no sparsity:
they hold the network of 5 % as matrices. Bars, at 2 %: hrsnn is five times as fast as the fastest of them at 5 %, three
times at all, and its memory rises by half as much as that of the one where it rises least.

(1) every simulator against hrsnn, at both densities, 2 % spiking
(2) hrsnn against plain PyTorch at 0.5 and 8 %
(3) hrsnn against itself with the synapses laid out one by one or as whole rows, over densities: where whole rows win

With `--threads 1` ratios are judged by CPU time. That is the way on a machine with other work to do: threads of OpenMP
wait for each other by turning in circles, so on two cores of which one is not free all simulators of PyTorch take many
times as long as they would.

How. A process for each, which warms up and then runs when told; those that are compared run one after the other, each
round gives one ratio, and told are medians. The share that spikes is set by the scale of the input weights, which is
searched with hrsnn. Shares of other simulators must agree to 10 %, which is told as `same_share`, but for SpikingJelly,
whose time constants differ, and Spyx, which subtracts.

    python benchmarks/partners/make.py norse snntorch spikingjelly spyx --to DIR
    python benchmarks/bptt.py --partners DIR --out docs/results/bptt.json
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
from pathlib import Path
from typing import Any

from bptt_peers import N_STEPS, data, weights
from served import served

HERE = Path(__file__).parent
SHARES, MIDDLE = (0.005, 0.02, 0.08), 0.02
DENSITIES = {0.05: 5.0, 1.0: 3.0}  # of the recurrent synapses, and the bar
LAYOUTS = (0.05, 0.1, 0.15, 0.2, 0.3, 0.5)
HOMES = {
    "torch": None, "torch.compile": None, "snntorch": "snntorch", "norse": "norse", "spikingjelly": "spikingjelly",
    "jax": "spyx", "spyx": "spyx", "hrsnn, plain step": None,
}  # fmt: skip
OTHER_NEURONS = ("spikingjelly", "spyx")


def input_scale(density: float, share: float) -> float:
    """The scale of input weights at which `share` of the neurons spike in a step, to 2 %."""
    import numpy as np
    import torch

    import hrsnn
    import hrsnn.torch

    x = torch.tensor(data()[0][:, :8])
    low, high = 1e-3, 10.0
    for _ in range(30):
        scale = (low * high) ** 0.5
        w, w_in, a = weights(density, scale)
        network = hrsnn.Network.from_arrays(w.T, w_in.T, synapse="delta", tau_mem_ms=-1 / np.log(a.astype(float)))
        with torch.no_grad():
            found = float(hrsnn.torch.module_of(network, train=[])(x)[0].mean())
        if abs(found / share - 1) < 0.02:
            return scale
        low, high = (scale, high) if found < share else (low, scale)
    return scale


def alternate(
    names: tuple[str, str], pythons: tuple[str, str], density: float, scale: float, options: argparse.Namespace
) -> dict[str, Any]:
    """Two simulators, one after the other: what each told, and the ratios second over first."""
    threads = {name: str(options.threads) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")}
    commands = [
        [python, str(HERE / "bptt_peers.py"), name, str(density), str(scale)]
        for name, python in zip(names, pythons, strict=True)
    ]
    rounds: list[tuple[dict[str, Any], dict[str, Any]]] = []
    with served(commands[0], threads) as one, served(commands[1], threads) as other:
        for _ in range(options.rounds):
            rounds.append((one(), other()))
    told = {name: _summary([pair[i] for pair in rounds]) for i, name in enumerate(names)}
    for key in ("wall_s", "cpu_s"):
        ratios = [b[key] / a[key] for a, b in rounds]
        told[f"{key}_ratio"] = {"median": statistics.median(ratios), "range": [min(ratios), max(ratios)]}
    print(f"{density:.0%} {names}: " + json.dumps(told), file=sys.stderr, flush=True)
    return told


def _summary(told: list[dict[str, Any]]) -> dict[str, Any]:
    medians = {key: statistics.median(one[key] for one in told) for key in ("wall_s", "cpu_s", "grown_mb", "whole_mb")}
    return {**medians, "best_wall_s": min(one["wall_s"] for one in told), "share": told[-1]["share"]} | {
        "version": told[-1]["version"]
    }


def against_all(density: float, scale: float, options: argparse.Namespace) -> dict[str, Any]:
    """(1) at one density, with the ratios to the fastest and to the one that needs least memory."""
    found: dict[str, Any] = {}
    for name, home in HOMES.items():
        python = sys.executable if home is None else str(options.partners / home / "bin" / "python")
        if Path(python).exists():
            found[name] = alternate(("hrsnn", name), (sys.executable, python), density, scale, options)
    for name, told in found.items():
        told["same_share"] = abs(told[name]["share"] / told["hrsnn"]["share"] - 1) < 0.1
    others = {name: told for name, told in found.items() if name != "hrsnn, plain step"}
    key = _judged(options)
    ratio = {name: told[f"{key}_ratio"]["median"] for name, told in others.items()}
    fastest = min(others, key=lambda name: ratio[name])
    slimmest = min(others, key=lambda name: others[name][name]["grown_mb"])
    memory = others[slimmest]["hrsnn"]["grown_mb"] / others[slimmest][slimmest]["grown_mb"]
    return {
        "input_scale": scale, "simulators": found, "fastest": fastest, "least_memory": slimmest,
        "judged_by": key, "times_as_fast": ratio[fastest], "bar": DENSITIES[density], "share_of_memory": memory,
        "same_share": all(told["same_share"] for name, told in others.items() if name not in OTHER_NEURONS),
        "passed": ratio[fastest] >= DENSITIES[density] and memory <= 0.5,
    }  # fmt: skip


def _judged(options: argparse.Namespace) -> str:
    """On one thread CPU time, which hangs less on what else runs."""
    return "cpu_s" if options.threads == 1 else "wall_s"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--partners", type=Path, required=True, help="folder of environments of the others")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument(
        "--parts", nargs="*", default=["all", "shares", "layouts"], choices=["all", "shares", "layouts"]
    )
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    outcome: dict[str, Any] = {
        "command": "python benchmarks/bptt.py " + " ".join(sys.argv[1:]),
        "python": platform.python_version(), "threads": options.threads, "rounds": options.rounds, "n_steps": N_STEPS,
    }  # fmt: skip
    if options.out and options.out.exists():  # parts that are not asked for stay as they are
        outcome = json.loads(options.out.read_text()) | outcome
    own = (sys.executable, sys.executable)
    for part in options.parts:
        if part == "all":
            outcome["all"] = {
                f"{density:g}": against_all(density, input_scale(density, MIDDLE), options) for density in DENSITIES
            }
            outcome["passed"] = all(told["passed"] for told in outcome["all"].values())
        elif part == "shares":
            outcome["shares"] = {
                f"{density:g}": {
                    f"{share:g}": alternate(("hrsnn", "torch"), own, density, input_scale(density, share), options)
                    for share in SHARES
                }
                for density in DENSITIES
            }
        else:
            names = ("hrsnn, rows of synapses", "hrsnn, whole rows")
            outcome["layouts"] = {
                f"{density:g}": alternate(names, own, density, input_scale(density, MIDDLE), options)
                for density in LAYOUTS
            }
        outcome["load_after"] = os.getloadavg()[0]
        if options.out:
            options.out.write_text(json.dumps(outcome, indent=2) + "\n")
    print(json.dumps(outcome, indent=2))
    return 0 if outcome.get("passed", True) else 1


if __name__ == "__main__":
    sys.exit(main())
