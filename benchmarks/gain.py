"""What neurons of different time constants should share: resistance, variance or capacitance (method.md 2.7).

    python benchmarks/gain.py --out docs/results/gain.json

On the validation part of every task: heterogeneous neurons (HeNHoS) with each gain of the membrane against homogeneous
ones (HoNHoS), which are the same network with every gain, paired by seed. The test part is not looked at. Scores are
accuracies, or of a series minus the mean error of free forecasts in units of its spread.
"""

from __future__ import annotations

import argparse
import json
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from hrsnn.config import load_config
from hrsnn.evaluation import versions
from hrsnn.experiments import run_unit
from hrsnn.metrics import interval_of_mean
from hrsnn.spec import GAINS
from hrsnn.work.unit import Unit

TASKS = ("spoken-digits", "digit-pairs", "delayed-recall", "lorenz63", "mackey-glass", "google-stock")


def score(task: str, gain: str, arm: str, seed: int) -> float:
    """What validation gave the readout that it chose."""
    config = load_config(task, [f"network.gain={gain}", "prune=false", "arms={}"])
    chosen = run_unit(config, Unit(arm, seed)).details["readout"]
    return float(next(value for name, value in chosen.items() if name.startswith("validation_")))


def compared(task: str, seeds: range, pool: ProcessPoolExecutor) -> dict[str, Any]:
    kinds = [("HoN", "resistance", "HoNHoS"), *((f"HeN, {gain}", gain, "HeNHoS") for gain in GAINS)]
    jobs = {name: [pool.submit(score, task, gain, arm, seed) for seed in seeds] for name, gain, arm in kinds}
    scores = {name: [job.result() for job in of_seeds] for name, of_seeds in jobs.items()}
    gained = {name: np.subtract(values, scores["HoN"]) for name, values in scores.items() if name != "HoN"}
    told = {name: {"mean": float(g.mean()), "ci95": interval_of_mean(g)} for name, g in gained.items()}
    means = {name: float(np.mean(values)) for name, values in scores.items()}
    print(task, means, told, flush=True)
    return {"scores": scores, "mean": means, "gained_over_homogeneous": told}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tasks", nargs="*", default=TASKS)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first", type=int, default=100, help="seed; tables of results begin at 0")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    seeds = range(options.first, options.first + options.seeds)
    found: dict[str, Any] = {}
    with ProcessPoolExecutor(options.jobs) as pool:
        for task in options.tasks:
            found[task] = compared(task, seeds, pool)
            if options.out is not None:
                document = {"versions": versions(), "seeds": list(seeds), "tasks": found}
                options.out.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
