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
from hrsnn.readout import ReadoutSpec
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
    # Few channels need more and stronger synapses each than the defaults, which are made for hundreds of channels.
    inputs = {"subset_share": 1.0, "p_connect": 0.2, "weight_excitatory": 1.5, "weight_inhibitory": 0.75}
    spec = hrsnn.NetworkSpec.preset("HeNHeS", n_inputs=task.n_inputs, n_neurons=200, input=inputs)
    net = hrsnn.build(spec, seed=0)
    outcome, _ = hrsnn.evaluate(net, task, ReadoutSpec(features="filtered", model="ridge"))
    found = outcome.metrics
    print(f"one step ahead: NRMSE {found['nrmse_one_step']:.3f}; 20 steps, fed back: NRMSE {found['nrmse']:.3f}")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(sys.argv[1])
    else:
        with tempfile.TemporaryDirectory() as scratch:
            make_series(Path(scratch) / "series.csv")
            main(str(Path(scratch) / "series.csv"))
