"""Your own series: a .csv file with a row of names and one row per value, forecast from its own past.

    python examples/own_series.py [FILE.csv]

Without a file it makes one: two coupled sine waves.
"""

import csv
import sys
import tempfile
from pathlib import Path

import numpy as np

import hrsnn
from hrsnn.forecast import ForecastSpec
from hrsnn.tasks import TaskSpec


def make_series(path: Path, n_values: int = 400) -> None:
    """Columns `level` and `flow`, one row per value."""
    t = np.arange(n_values)
    level = np.sin(t / 7) + 0.5 * np.sin(t / 11)
    flow = np.cos(t / 7) - 0.3 * np.sin(t / 5)
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["level", "flow"])
        rows.writerows(np.column_stack([level, flow]).round(6).tolist())


def main(path: str) -> None:
    protocol = ForecastSpec(n_train=300, n_horizon=20, n_starts=5, n_per_variable=20)
    task = hrsnn.load_task(TaskSpec(name="my-series", path=path, forecast=protocol))
    spec = hrsnn.recommended(task, n_neurons=200)
    net = hrsnn.build(spec, seed=0)
    # One gain per population on the input; networks of series fire faster than those of recordings.
    net = hrsnn.calibrate(net, task.train, spec.input.target_hz, inhibitory_ratio=spec.input.inhibitory_ratio)
    outcome, _ = hrsnn.evaluate(net, task)
    found = outcome.metrics
    print(f"one step ahead: NRMSE {found['nrmse_one_step']:.3f}; 20 steps, fed back: NRMSE {found['nrmse']:.3f}")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(sys.argv[1])
    else:
        with tempfile.TemporaryDirectory() as scratch:
            make_series(Path(scratch) / "series.csv")
            main(str(Path(scratch) / "series.csv"))
