"""Stands in for hrsnn.experiments: the same functions, no simulation. Environment variables make it slow or fail."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from hrsnn._checks import InputError, RunError
from hrsnn.evaluation import Label
from hrsnn.outcome import Outcome
from hrsnn.progress import ProgressEvent
from hrsnn.run_directory import UnitResult
from hrsnn.runs import Experiment
from hrsnn.wiring import build
from hrsnn.work.unit import Unit

TINY = Path(__file__).with_name("tiny.toml")  # the config of these runs

calls: list[str] = []


class FakeReadout:
    def save(self, path: Path) -> None:
        Path(path).write_bytes(b"readout")


def plan(config: Any) -> list[Unit]:
    seeds = range(config.task.seed, config.task.seed + config.task.n_seeds)
    kinds = [Unit("HoNHoS", 0), Unit("HeNHeS", 0), Unit("HeNHeS", 0, ("control", "untrained")), Unit("InputOnly", 0)]
    return [replace(unit, seed=seed) for seed in seeds for unit in kinds]


def describe_task(config: Any, data_dir: Path | None) -> str:
    return "a fake <task>"


def run_unit(config: Any, unit: Unit, *, data_dir: Path | None, progress: Any, checkpoint: Any = None) -> UnitResult:
    calls.append(unit.name)
    if "FAKE_PIDS" in os.environ:
        (Path(os.environ["FAKE_PIDS"]) / str(os.getpid())).touch()
    if os.environ.get("FAKE_BUG") == unit.name:
        raise KeyError("a bug\nin two lines")
    if os.environ.get("FAKE_INPUT_ERROR") == unit.name:
        raise InputError("`task.path` is wrong")
    if os.environ.get("FAKE_RUN_ERROR") == unit.name:
        raise RunError("it cannot be done")
    if os.environ.get("FAKE_DEATH") == unit.name:
        os._exit(9)
    for step in range(10):
        progress(ProgressEvent("learning", step + 1, 10, 1.5, 0.25))
        time.sleep(float(os.environ.get("FAKE_SECONDS", "0")) / 10)
    label = Label.of(unit)
    network = None if unit.kind == "InputOnly" else build(config.network, seed=unit.seed)
    accuracy = float(np.random.default_rng([unit.seed, len(unit.name)]).random())
    outcome = Outcome(
        arm=label.arm, stage=label.stage, method=label.method, seed=label.seed,
        metrics={"accuracy": accuracy, "r2": float("nan")},
        costs={"spikes_per_neuron": 1.5, "synops_recurrent": 10.0, "energy_pj": {"loihi": 236.0}},
        network={"n_neurons": 20, "hash": network.hash if network else None}, wall_s=time.perf_counter(),
    )  # fmt: skip
    details = {"labels": np.array([0, 1]), "scores": {1: np.array([np.nan, 0.1])}, "what": ("a", np.float32(0.5))}
    return UnitResult(outcome, details, network, None if network is None else FakeReadout())


def summarise(config: Any, results: list[Any], *, data_dir: Path | None) -> dict[str, Any]:
    rows = [
        {
            "arm": o.arm, "stage": o.stage, "method": o.method, "n_seeds": 1,
            "metrics": {"accuracy": {"mean": o.metrics["accuracy"], "sd": float("nan"), "ci95": None}},
            "costs": {"spikes_per_neuron": {"mean": 1.5, "sd": 0.0}},
        }
        for o, _ in results if o.seed == config.task.seed
    ]  # fmt: skip
    outcomes = [outcome.to_dict() for outcome, _ in results]
    n_labels = np.int64(sum(len(details["labels"]) for _, details in results))
    return {
        "task": config.task.name, "outcomes": outcomes, "summary": rows, "comparisons": [],
        "data": {"labels": n_labels},
    }  # fmt: skip


def data_digest(config: Any, *, data_dir: Path | None) -> str:
    return "data"


FAKE = Experiment(plan, run_unit, summarise, data_digest)
N_UNITS = 12


# -- what a run left ---------------------------------------------------------------------------------------------------


def numbers(path: Path) -> Any:
    """results.json without times."""
    results = json.loads((path / "results.json").read_text())
    for outcome in results["outcomes"]:
        outcome.pop("wall_s")
    return {name: value for name, value in results.items() if name not in ("created", "versions")}


def no_partial_files(path: Path) -> bool:
    return not [file for file in path.rglob("*") if file.name.endswith(".tmp")]


def wait_until(condition: Callable[[], bool], seconds: float = 150.0) -> None:
    end = time.monotonic() + seconds
    while not condition():  # generous: the machine may be busy
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def n_outcomes(out: Path) -> int:
    return len(list((out / "outcomes").glob("*.json")))


MAIN = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell starts what it puts into the background without it
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # and nohup without this one
import fake_experiment
sys.modules["hrsnn.experiments"] = sys.modules["hrsnn.summary"] = fake_experiment
from hrsnn import cli
sys.exit(cli.main())
"""
