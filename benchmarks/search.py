"""Searches for laws with a known optimum: this sampler, the same on raw coordinates, and those of Optuna.

    python benchmarks/search.py --out docs/results/search.json
    python benchmarks/search.py --asking

Two kinds of objective over d coordinates (gamma laws by mean and coefficient of variation, one number where d is odd):
"distance" falls with the squared 2-Wasserstein distance from the best laws, "response" with the squared difference of
what populations of neurons with these laws do, their mean filtered responses to five frequencies. A score is 1 at the
optimum and 0 at the median of random points. What is told: the score after so many trials, and how many trials it takes
to 0.95, medians over the repeats (more than the trials where it is not reached), each repeat with another optimum.
Rows that --out holds already, of as many repeats and trials, are kept.
`--asking` tells how long one more point takes when 200 trials are finished, the samplers in turn: medians, wall time.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import optuna

from hrsnn.distributions import Distribution
from hrsnn.evaluation import versions
from hrsnn.optimisation.sampler import LawSampler, distributions
from hrsnn.optimisation.space import Law, Scalar, Space, constants

FREQUENCIES_HZ = (1.0, 3.0, 10.0, 30.0, 100.0)
_LEVELS = (np.arange(200) + 0.5) / 200
SAMPLERS: dict[str, Callable[[Space, int], optuna.samplers.BaseSampler]] = {
    "laws": lambda space, seed: LawSampler(space, seed=seed),
    "raw": lambda space, seed: LawSampler(space, seed=seed, kernel="raw"),
    "tpe": lambda space, seed: optuna.samplers.TPESampler(seed=seed),
    "gp": lambda space, seed: optuna.samplers.GPSampler(seed=seed, deterministic_objective=True),
    "cma-es": lambda space, seed: optuna.samplers.CmaEsSampler(seed=seed),
    "sobol": lambda space, seed: optuna.samplers.QMCSampler(seed=seed),
}


def space_of(d: int) -> Space:
    laws = tuple(Law(f"tau{k}_ms", mean=(5.0, 100.0), cv=(0.1, 1.0)) for k in range(d // 2))
    return Space((*laws, *((Scalar("scale", 0.1, 10.0, log=True),) if d % 2 else ())))


def seen(kind: str, law: Distribution) -> np.ndarray[Any, Any]:
    """What an objective sees of a law."""
    values = law.quantile(_LEVELS)
    if kind == "distance":
        return np.asarray(values / math.sqrt(values.size))
    omega = 2 * np.pi * np.array(FREQUENCIES_HZ)[:, None] / 1000
    return np.asarray((1 / np.sqrt(1 + (omega * values) ** 2)).mean(axis=1) * 100)


def searched(kind: str, d: int, name: str, repeat: int, n_trials: int) -> dict[str, Any]:
    """The best score after each trial, and the seconds that asking took."""
    space, rng = space_of(d), np.random.default_rng([repeat, d])

    def drawn() -> dict[str, float]:
        return {c.name: c.low * (c.high / c.low) ** rng.uniform(0.2, 0.8) for c in space.coordinates}

    best = {name: seen(kind, law) for name, law in constants(space.values(drawn())).items()}

    def loss(params: dict[str, float]) -> float:
        found = constants(space.values(params))
        return sum(float(np.square(seen(kind, law) - best[name]).sum()) for name, law in found.items())

    unit = float(np.median([loss(drawn()) for _ in range(200)]))
    study = optuna.create_study(direction="maximize", sampler=SAMPLERS[name](space, repeat))
    scores, asking_s = [], 0.0
    for _ in range(n_trials):
        began = time.process_time()
        trial = study.ask(distributions(space))
        asking_s += time.process_time() - began
        scores.append(1 - loss(trial.params) / unit)
        study.tell(trial, scores[-1])
    return {"best": np.maximum.accumulate(scores).round(5).tolist(), "asking_cpu_s": asking_s}


def asking(d: int, n_trials: int = 200, n_asks: int = 9) -> dict[str, float]:
    """Median seconds of one ask of each sampler, d coordinates, after `n_trials`; they take turns.

    Each trial is told before the next is asked for, so that models are fitted as in a search.
    """
    space, rng = space_of(d), np.random.default_rng(d)
    params = [{c.name: c.low * (c.high / c.low) ** rng.random() for c in space.coordinates} for _ in range(n_trials)]
    best = {name: seen("distance", law) for name, law in constants(space.values(params[0])).items()}

    def score(at: dict[str, float]) -> float:
        laws = constants(space.values(at))
        return -sum(float(np.square(seen("distance", law) - best[k]).sum()) for k, law in laws.items())

    studies = {}
    for name, sampler in SAMPLERS.items():
        studies[name] = optuna.create_study(direction="maximize", sampler=sampler(space, 0))
        for at in params:
            studies[name].add_trial(
                optuna.trial.create_trial(params=at, distributions=distributions(space), value=score(at))
            )
    took_s: dict[str, list[float]] = {name: [] for name in studies}
    for _ in range(n_asks + 1):
        for name, study in studies.items():
            began = time.perf_counter()
            trial = study.ask(distributions(space))
            took_s[name].append(time.perf_counter() - began)
            study.tell(trial, score(trial.params))
    return {name: float(np.median(of[1:])) for name, of in took_s.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("samplers", nargs="*", default=list(SAMPLERS))
    parser.add_argument("--kinds", nargs="*", default=["distance", "response"])
    parser.add_argument("--dimensions", nargs="*", type=int, default=[5, 10, 20])
    parser.add_argument("--repeats", type=int, default=25)
    parser.add_argument("--trials", type=int, default=80)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--asking", action="store_true", help="time one ask, and nothing else")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    if options.asking:
        print(json.dumps({d: asking(d) for d in options.dimensions}, indent=1))
        return
    kept = json.loads(options.out.read_text())["rows"] if options.out is not None and options.out.exists() else []
    rows = [row for row in kept if row["n"] == options.repeats and str(options.trials) in row["median_best"]]
    done = {(row["objective"], row["d"], row["sampler"]) for row in rows}
    with ProcessPoolExecutor(options.jobs) as pool:
        for kind in options.kinds:
            for d in options.dimensions:
                for name in options.samplers:
                    if (kind, d, name) in done:
                        continue
                    jobs = [pool.submit(searched, kind, d, name, r, options.trials) for r in range(options.repeats)]
                    found = [job.result() for job in jobs]
                    curves = np.array([one["best"] for one in found])
                    asking_s = float(np.mean([one["asking_cpu_s"] for one in found])) / options.trials
                    after = sorted({*(n for n in (20, 40, 80) if n < options.trials), options.trials})
                    reached = [int(np.argmax(c >= 0.95)) + 1 if c[-1] >= 0.95 else options.trials + 1 for c in curves]
                    row = {
                        "objective": kind, "d": d, "sampler": name, "trials_to_95": float(np.median(reached)),
                        "reached": int(np.sum(curves[:, -1] >= 0.95)), "n": len(found),
                        "median_best": {str(n): float(np.median(curves[:, n - 1])) for n in after},
                        "asking_cpu_s_per_trial": asking_s,
                        "to_95": reached,
                    }  # fmt: skip
                    rows.append(row)
                    print({key: value for key, value in row.items() if key != "to_95"}, flush=True)
                    if options.out is not None:
                        document = {"versions": versions(), "optuna": optuna.__version__, "rows": rows}
                        options.out.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
