"""What the suite consists of, and the document it ends in."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hrsnn._checks import did_you_mean, require
from hrsnn.bench.measure import Failure, Say, measure
from hrsnn.bench.own import versions
from hrsnn.bench.simulators import Engine, engines_for, limit, ours
from hrsnn.bench.workloads import Plastic, Workload
from hrsnn.speed import Measured
from hrsnn.vocabulary import BENCH

W1 = Workload("W1")
SIMULATIONS = {
    "W1": W1,
    "W2": replace(W1, name="W2", plastic="recurrent"),
    "W2-inputs": replace(W1, name="W2-inputs", plastic="all"),
    "W3": replace(W1, name="W3", n_steps=250, n_samples=64),
}
SIZES = ((1000, 100), (2000, 100), (5000, 100), (5000, 1000))
QUICK_SIZES = ((1000, 100),)
MANY_SYNAPSES_STEPS = 2_000  # with 1000 synapses per neuron
GROWTH = {
    "growth-neurons": [replace(W1, n_neurons=n) for n in (500, 1000, 2000, 5000, 10_000)],
    "growth-synapses": [replace(W1, n_neurons=2000, synapses_per_neuron=k) for k in (50, 100, 200, 400, 800)],
    "growth-rate": [replace(W1, n_neurons=2000, input_rate_hz=hz) for hz in (10.0, 15.0, 20.0, 30.0, 45.0)],
}
GROWTH_STEPS = 2_000
FILES = ("build", "save", "load")
FRESH = {"first-call": 1, "second-call": 3}  # rounds at most: compiling takes long and varies little
FIRST_STEPS = 100
LEARNING: tuple[Plastic, ...] = ("none", "recurrent")
NAMES = (*SIMULATIONS, *FILES, "stream", *FRESH, *GROWTH)


@dataclass(frozen=True, slots=True)
class Step:
    """One workload and what runs it; fewer rounds than asked for where `rounds_at_most` says so."""

    workload: Workload
    engines: tuple[Engine, ...]
    rounds_at_most: int | None = None


def plan(
    names: Sequence[str] = (),
    *,
    peers: Path | None = None,
    neurons: Sequence[int] = (),
    quick: bool = False,
) -> list[Step]:
    """The steps of the suite, in order.

    names     workloads of `NAMES`, all when empty; raises `InputError` for another
    peers     folder of the peers' virtual environments, None for no peers
    neurons   sizes N instead of the usual ones, each with 100 synapses per neuron
    quick     one size, no growth

    >>> [step.workload.name for step in plan(["W1", "load"], quick=True)]
    ['W1', 'load']
    """
    for name in names:
        known = name in NAMES
        require(known, "hrsnn bench", "--workload", "must be a workload", name, remedy=did_you_mean(name, NAMES))
    sizes = [(n, 100) for n in neurons] or (QUICK_SIZES if quick else SIZES)
    for n, k in sizes:
        require(n > k, "hrsnn bench", "--neurons", f"must be > {k}, the synapses of each neuron", n)
    wanted = set(names) or set(NAMES) - (set(GROWTH) if quick else set())
    return [step for step in _steps(sizes, peers) if step.workload.name in wanted]


def run_suite(steps: Sequence[Step], *, rounds: int = 5, say: Say = lambda _: None) -> dict[str, Any]:
    """Measure every step; the document of `hrsnn bench --json`, plain JSON values.

    Raises `InputError` for fewer rounds than one, `RunError` when hrsnn itself fails.
    """
    require(rounds >= 1, "hrsnn bench", "--rounds", "must be >= 1", rounds)
    rows: list[Measured] = []
    failures: list[Failure] = []
    for step in steps:
        at_most = rounds if step.rounds_at_most is None else min(rounds, step.rounds_at_most)
        measured, failed = measure(step.workload, step.engines, rounds=at_most, say=say)
        rows += measured
        failures += failed
    return {
        "schema": BENCH.text,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "rounds": rounds,
        "machine": machine(),
        "versions": versions(),
        "rows": [asdict(row) for row in rows],
        "failures": [asdict(failure) for failure in failures],
    }


def machine() -> dict[str, Any]:
    """The machine in words: processor, usable cores, system."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {"processor": _processor(), "cores": cores, "system": f"{platform.system()} {platform.release()}"}


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _steps(sizes: Sequence[tuple[int, int]], peers: Path | None) -> Iterator[Step]:
    for model in SIMULATIONS.values():
        for n, k in sizes:
            n_steps = min(model.n_steps, MANY_SYNAPSES_STEPS) if k >= 1000 else model.n_steps
            workload = replace(model, n_neurons=n, synapses_per_neuron=k, n_steps=n_steps)
            threads = (1, 2) if workload.n_samples > 1 else (1,)
            yield Step(workload, tuple(engines_for(workload, threads, peers)))
    for name in FILES:
        yield Step(Workload(name, n_neurons=5000, n_steps=1), (ours(),))
    yield Step(replace(W1, name="stream", n_steps=5_000), (ours(),))
    for name, at_most in FRESH.items():
        for learning in LEARNING:
            yield Step(replace(W1, name=name, n_steps=FIRST_STEPS, plastic=learning), (ours(),), rounds_at_most=at_most)
    for name, points in GROWTH.items():
        for learning in LEARNING:
            for point in points:
                workload = replace(point, name=name, n_steps=GROWTH_STEPS, plastic=learning)
                yield Step(workload, (limit(), ours()))
