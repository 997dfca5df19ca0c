"""Whether the choice of a penalty tells arms apart that are the same, on ten series.

    python benchmarks/penalties.py --data-dir DIR --out docs/results/penalties.json

The arms are copies of one arm that differ in chance alone: random features of a Poisson population code, with other
projections and other spikes for every seed. Of 20 seeds, 200 times five are compared with five others, paired, by the
RMSE of free forecasts and `interval_of_errors`, as a run compares two arms. An interval that leaves zero out is a
difference that is not there: by chance about one in ten is (a bootstrap of five seeds is narrow), and a rule for
the penalty that follows the noise of the validation part adds to it. Three rules:

best      the penalty with the best validation score, of the list as it is given
rule      what a run does: the largest penalty within one standard error of the best, the list widened where it ends
joint     one penalty for all seeds, the median of what the rule takes: what is told apart here owes nothing to it

`vanishing` counts the comparisons of a rule that leave zero out while the same seeds with one penalty do not.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrsnn.controls import evaluate_control
from hrsnn.data import chaos
from hrsnn.data.dataset import Series
from hrsnn.data.own import csv_series
from hrsnn.data.series import google_stock, wind
from hrsnn.forecast import ForecastSpec, ForecastTask
from hrsnn.metrics import interval_of_errors
from hrsnn.readout import ReadoutSpec

N_SEEDS, N_PAIRED, N_SPLITS = 20, 5, 200
N_VALUES = 520
GIVEN = [1e-4, 1e-2, 1.0]
SPEC = ForecastSpec(n_train=300, n_horizon=20, n_starts=10, n_per_variable=15, f_max_hz=400.0, poisson=True)


def synthetic(name: str) -> Series:
    rng, t = np.random.default_rng(0), np.arange(N_VALUES)
    noise = rng.normal(size=N_VALUES)
    if name == "ar2":
        values = np.zeros(N_VALUES)
        for k in range(2, N_VALUES):
            values[k] = 1.6 * values[k - 1] - 0.8 * values[k - 2] + noise[k]
    elif name == "walk":
        values = np.cumsum(noise)
    elif name == "season":
        values = np.sin(2 * np.pi * t / 24) + 0.5 * np.cos(2 * np.pi * t / 12) + 0.3 * noise
    else:
        values = np.sin(0.3 * t) + 0.5 * np.sin(0.3 * np.sqrt(2) * t)
    return Series(values[:, None], 1.0, name, ("x",))


def first(series: Series, skip: int = 0) -> Series:
    return Series(series.values[skip : skip + N_VALUES], series.dt, series.name, series.variable_names)


def sources(data_dir: Path) -> dict[str, Callable[[], Series]]:
    goog = data_dir / "google_stock" / "GOOG_2004_2019.csv"
    return {
        **{name: (lambda name=name: synthetic(name)) for name in ("ar2", "walk", "season", "quasiperiodic")},
        "lorenz63": lambda: first(chaos.lorenz63(N_VALUES, dt=0.05, substeps=5, n_discard=500)),
        "rossler": lambda: first(chaos.rossler(N_VALUES, dt=0.3, substeps=30, n_discard=500)),
        "mackey-glass": lambda: first(chaos.mackey_glass(N_VALUES, dt=2.0, substeps=20, n_discard=500)),
        "google-stock": lambda: first(google_stock(data_dir)),
        "wind": lambda: first(wind(data_dir)),
        "goog-volume": lambda: first(csv_series(goog, ["Volume"], name="goog-volume")),
    }  # fmt: skip


def outcomes(task: ForecastTask) -> dict[str, Any]:
    """Per rule the errors (n_seeds, n_starts) and the penalties taken."""

    def run(seed: int, penalties: list[float]) -> tuple[NDArray[np.float64], dict[str, Any]]:
        readout = ReadoutSpec(features="filtered", model="ridge", regularisation=penalties)
        details = evaluate_control("random-features", task, readout, seed=seed, n_features=100).details
        return np.array(details["by_start"]["rmse"]), details["readout"]

    found: dict[str, Any] = {rule: {"errors": [], "penalties": []} for rule in ("best", "rule", "joint")}
    for seed in range(N_SEEDS):
        errors, readout = run(seed, GIVEN)
        given = [tried for tried in readout["tried"] if tried["regularisation"] in GIVEN]
        best = max(given, key=lambda tried: tried["validation_score"])["regularisation"]
        for rule, penalty, of_rule in (
            ("rule", readout["regularisation"], errors),
            ("best", best, errors if best == readout["regularisation"] else run(seed, [best])[0]),
        ):
            found[rule]["penalties"].append(penalty)
            found[rule]["errors"].append(of_rule)
    middle = sorted(found["rule"]["penalties"])[N_SEEDS // 2]
    found["joint"]["penalties"] = [middle] * N_SEEDS
    found["joint"]["errors"] = [run(seed, [middle])[0] for seed in range(N_SEEDS)]
    return found


def told_apart(errors: list[NDArray[np.float64]]) -> NDArray[np.bool_]:
    """Per split, whether five seeds differ from five others."""
    rng, rows = np.random.default_rng(1), np.array(errors)
    apart = []
    for _ in range(N_SPLITS):
        drawn = rng.permutation(N_SEEDS)[: 2 * N_PAIRED]
        low, high = interval_of_errors(rows[drawn[:N_PAIRED]], rows[drawn[N_PAIRED:]]) or (0.0, 0.0)
        apart.append(low > 0 or high < 0)
    return np.array(apart)


def row(series: Series) -> dict[str, Any]:
    found = outcomes(ForecastTask.of(series, SPEC))
    apart = {rule: told_apart(of_rule["errors"]) for rule, of_rule in found.items()}
    return {
        "series": series.name,
        "rmse": {rule: float(np.mean(of_rule["errors"])) for rule, of_rule in found.items()},
        "penalties": {rule: sorted(set(of_rule["penalties"])) for rule, of_rule in found.items()},
        "told_apart": {rule: float(of_rule.mean()) for rule, of_rule in apart.items()},
        "vanishing": {rule: float((apart[rule] & ~apart["joint"]).mean()) for rule in ("best", "rule")},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, default=Path())
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    started, rows = time.perf_counter(), []
    print(f"{'':16}{'told apart: best':>18}{'rule':>8}{'joint':>8}{'RMSE: best':>14}{'rule':>8}  penalties of the rule")
    for name, make in sources(arguments.data_dir).items():
        try:
            rows.append(row(make()))
        except (OSError, ValueError) as error:
            print(f"{name:16}left out: {error}")
            continue
        r = rows[-1]
        apart, rmse = r["told_apart"], r["rmse"]
        print(f"{r['series']:16}{apart['best']:>18.2f}{apart['rule']:>8.2f}{apart['joint']:>8.2f}"
              f"{rmse['best']:>14.3f}{rmse['rule']:>8.3f}  {r['penalties']['rule']}", flush=True)  # fmt: skip
    whole = {rule: float(np.mean([r["told_apart"][rule] for r in rows])) for rule in ("best", "rule", "joint")}
    print(f"{'mean':16}{whole['best']:>18.2f}{whole['rule']:>8.2f}{whole['joint']:>8.2f}")
    document = {"machine": platform.platform(), "wall_s": round(time.perf_counter() - started), "given": GIVEN,
                "spec": SPEC.model_dump(), "rows": rows, "told_apart": whole}  # fmt: skip
    if arguments.out is not None:
        arguments.out.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
