"""Does heterogeneity pay, when every arm is searched with the same budget?

    python benchmarks/arms_searched.py --work DIR --out docs/results/arms_searched.json

For each task: the laws of each of the four arms are searched on validation data (`hrsnn search`), the same number of
searches and trials each. What is expected to be the best of them is trained with fresh seeds, the same for all arms,
whose test part is read once. The arms as the config has them stand beside. Differences are paired by seed. The gap is
what validation said of a design in its trial, or what was expected of it, less what it says with fresh seeds. Tasks
that --out holds already are kept.
"""

from __future__ import annotations

import argparse
import json
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

import hrsnn
from hrsnn.config import Config, load_config
from hrsnn.evaluation import versions
from hrsnn.experiments import run_unit
from hrsnn.metrics import interval_of_mean
from hrsnn.verbs import FOUND
from hrsnn.vocabulary import METRICS, NETWORKS, higher_is_better
from hrsnn.work.unit import Unit

TASKS: dict[str, list[str]] = {
    "spoken-digits": [],
    "digit-pairs": [],
    "delayed-recall": [],
    "lorenz63-long": [],
    "hd-spikes": ["network.n_neurons=500"],
}


def measured(config: Config, arm: str, seed: int) -> dict[str, float]:
    """Metrics of the test part, what validation said, and spikes, of one seed."""
    found = run_unit(config, Unit(arm, seed))
    validation = next(v for name, v in found.details["readout"].items() if name.startswith("validation_"))
    spikes = found.outcome.costs["spikes_per_neuron"]
    return {**found.outcome.metrics, "validation": float(validation), "spikes_per_neuron": spikes}


def table(rows: dict[str, list[dict[str, float]]]) -> dict[str, Any]:
    """Means with intervals of each arm, and of its differences from HoNHoS on the same seeds."""
    kept = [name for name in rows["HoNHoS"][0] if name in METRICS or name in ("validation", "spikes_per_neuron")]

    def told(values: Any) -> dict[str, Any]:
        return {"mean": float(np.mean(values)), "ci95": interval_of_mean(values)}

    columns = {arm: {name: np.array([one[name] for one in of]) for name in kept} for arm, of in rows.items()}
    return {
        arm: {
            name: {
                **told(of[name]),
                "minus_HoNHoS": None if arm == "HoNHoS" else told(of[name] - columns["HoNHoS"][name]),
            }
            for name in kept
        }
        for arm, of in columns.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tasks", nargs="*", default=list(TASKS))
    parser.add_argument("--trials", type=int, default=80)
    parser.add_argument("--repeats", type=int, default=3, help="searches of each arm")
    parser.add_argument("--replicates", type=int, default=4)
    parser.add_argument("--seeds", type=int, default=20, help="fresh ones")
    parser.add_argument("--set", action="append", default=[], metavar="TABLE.KEY=VALUE")
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    before = json.loads(options.out.read_text())["tasks"] if options.out is not None and options.out.exists() else {}
    document: dict[str, Any] = {
        "versions": versions(),
        "trials": options.trials,
        "seeds": options.seeds,
        "tasks": before,
    }
    for task in options.tasks:
        changes = ["prune=false", "arms={}", *TASKS.get(task, []), *options.set]
        config = load_config(task, changes)
        arms = [
            arm for arm in NETWORKS[:4] if config.learn is not None or arm.endswith("HoS")
        ]  # else they are the same
        began = time.perf_counter()
        searches = {
            arm: [
                hrsnn.search(
                    config, arm=arm, n_trials=options.trials,
                    max_replicates=options.replicates, seed=k, jobs=options.jobs,
                    out=options.work / task / (f"{arm}-{k}" if k else arm),
                )
                for k in range(options.repeats)
            ]
            for arm in arms
        }  # fmt: skip
        chosen = {arm: max(of, key=lambda one: one.document["best"]["expected"]) for arm, of in searches.items()}
        searched_s = time.perf_counter() - began
        with ProcessPoolExecutor(options.jobs) as pool:
            jobs = {
                (kind, arm): [
                    pool.submit(measured, load_config(source, [] if kind == "found" else changes), arm, seed)
                    for seed in range(options.seeds)
                ]
                for arm in arms
                for kind, source in (("found", chosen[arm].path / FOUND), ("hand-set", task))
            }
            rows = {key: [job.result() for job in of_seeds] for key, of_seeds in jobs.items()}
        told = {kind: table({arm: rows[kind, arm] for arm in arms}) for kind in ("found", "hand-set")}
        best = {arm: found.document["best"] for arm, found in chosen.items()}
        expected = {arm: [one.document["best"]["expected"] for one in of] for arm, of in searches.items()}
        metric = next(name for name in METRICS if name in rows["found", "HoNHoS"][0])
        document["tasks"][task] = {
            "metric": metric, "higher_is_better": higher_is_better(metric), "searched_s": searched_s, "best": best,
            "expected_of_searches": expected,
            "gap": {arm: best[arm]["value"] - told["found"][arm]["validation"]["mean"] for arm in arms},
            "gap_of_expected": {arm: best[arm]["expected"] - told["found"][arm]["validation"]["mean"] for arm in arms},
            **told,
            "rows": {f"{kind}/{arm}": of for (kind, arm), of in rows.items()},
        }  # fmt: skip
        for kind in ("found", "hand-set"):
            for arm in arms:
                row = told[kind][arm]
                print(task, kind, arm, {name: row[name] for name in (metric, "spikes_per_neuron")}, flush=True)
        if options.out is not None:
            options.out.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
