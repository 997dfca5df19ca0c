"""Does heterogeneity pay, when every arm is searched with the same budget?

    python benchmarks/arms_searched.py --work DIR --out docs/results/arms_searched.json

For each task: the laws of each of the four arms are searched on validation data (`hrsnn search`), the same number of
searches and trials each. What each search found is trained with fresh seeds, the same for all, whose test part is read
once; the arms as the config has them stand beside. Arms differ by their searches, of which another one would find
something else: `over_searches` has that difference with Welch's interval, a search being one value. `found` is the
design that is expected to be the best of an arm, with differences paired by seed: of designs, not of searches. The gap
is what validation said of that one in its trial, or what was expected of it, less what it says with fresh seeds. Tasks
that --out holds already are kept, unless they are asked for.
"""

from __future__ import annotations

import argparse
import json
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import ttest_ind

import hrsnn
from hrsnn.config import Config, load_config
from hrsnn.evaluation import versions
from hrsnn.experiments import run_unit
from hrsnn.metrics import interval_of_mean
from hrsnn.verbs import FOUND
from hrsnn.vocabulary import METRICS, NETWORKS, higher_is_better
from hrsnn.work.unit import Unit

_HAND_SET = -1  # in place of the number of a search: the arm as the config has it
_SPIKES = "spikes_per_neuron"
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
    return {**found.outcome.metrics, "validation": float(validation), _SPIKES: spikes}


def table(rows: dict[str, list[dict[str, float]]]) -> dict[str, Any]:
    """Means with intervals of each arm, and of its differences from HoNHoS on the same seeds."""
    kept = [name for name in rows["HoNHoS"][0] if name in METRICS or name in ("validation", _SPIKES)]

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


def over_searches(means: dict[str, list[dict[str, float]]], metric: str) -> dict[str, Any]:
    """Of each arm what its searches found on average, and how much more that is than what those of HoNHoS did."""

    def compared(arm: str, name: str) -> dict[str, Any]:
        values, others = (np.array([one[name] for one in means[of]]) for of in (arm, "HoNHoS"))
        told: dict[str, Any] = {"mean": float(values.mean()), "minus_HoNHoS": None}
        if arm != "HoNHoS":
            known = min(values.size, others.size) > 1
            interval = ttest_ind(values, others, equal_var=False).confidence_interval() if known else None
            ends = None if interval is None else [float(interval.low), float(interval.high)]
            told["minus_HoNHoS"] = {"mean": float(values.mean() - others.mean()), "ci95": ends}
        return told

    return {arm: {name: compared(arm, name) for name in (metric, "validation", _SPIKES)} for arm in means}


def of_task(task: str, options: argparse.Namespace) -> dict[str, Any]:
    """All searches of a task, and what was found in them with fresh seeds."""
    changes = ["prune=false", "arms={}", *TASKS.get(task, []), *options.set]
    config = load_config(task, changes)
    # Without learning, arms that differ in plasticity are the same.
    arms = [arm for arm in NETWORKS[:4] if config.learn is not None or arm.endswith("HoS")]
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
    searched_s = time.perf_counter() - began
    configs = {(arm, k): load_config(one.path / FOUND) for arm in arms for k, one in enumerate(searches[arm])}
    configs |= {(arm, _HAND_SET): config for arm in arms}
    with ProcessPoolExecutor(options.jobs) as pool:
        jobs = {
            key: [pool.submit(measured, of, key[0], k) for k in range(options.seeds)] for key, of in configs.items()
        }
        rows = {key: [job.result() for job in of_seeds] for key, of_seeds in jobs.items()}
    metric = next(name for name in METRICS if name in rows["HoNHoS", _HAND_SET][0])
    means = {
        arm: [
            {"expected": one.document["best"]["expected"], **_means(rows[arm, k], (metric, "validation", _SPIKES))}
            for k, one in enumerate(searches[arm])
        ]
        for arm in arms
    }
    chosen = {arm: int(np.argmax([one["expected"] for one in means[arm]])) for arm in arms}
    best = {arm: searches[arm][chosen[arm]].document["best"] for arm in arms}
    of_kinds = {
        "found": {arm: rows[arm, chosen[arm]] for arm in arms},
        "hand-set": {arm: rows[arm, _HAND_SET] for arm in arms},
    }
    told = {kind: table(of) for kind, of in of_kinds.items()}
    validated = {arm: told["found"][arm]["validation"]["mean"] for arm in arms}
    return {
        "metric": metric, "higher_is_better": higher_is_better(metric), "searched_s": searched_s, "best": best,
        "searches": means, "over_searches": over_searches(means, metric),
        "gap": {arm: best[arm]["value"] - validated[arm] for arm in arms},
        "gap_of_expected": {arm: best[arm]["expected"] - validated[arm] for arm in arms},
        **told,
        "rows": {f"{kind}/{arm}": of[arm] for kind, of in of_kinds.items() for arm in arms},
    }  # fmt: skip


def _means(rows: list[dict[str, float]], names: tuple[str, ...]) -> dict[str, float]:
    return {name: float(np.mean([row[name] for row in rows])) for name in names}


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
        told = document["tasks"][task] = of_task(task, options)
        for kind in ("found", "hand-set"):
            for arm, row in told[kind].items():
                print(task, kind, arm, {name: row[name] for name in (told["metric"], _SPIKES)}, flush=True)
        print(task, "over searches", told["over_searches"], flush=True)
        if options.out is not None:
            options.out.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
