"""The measured processes of hrsnn itself: `python -m hrsnn.bench.own WHAT FILE [THREADS]`, for `process`.

Every measurement is a whole public call, with all the checks and copies a user gets; reading the file, making the
`Network` value and one call to warm up are not measured.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from hrsnn.bench.peers.protocol import Job, Run, Stopwatch, serve, user_s
from hrsnn.bench.workloads import network_of, spikes_of

Prepared = Callable[[], Run]


def simulation(job: Job, threads: int) -> Prepared:
    """W1 to W3: `simulate`, or `simulate_stdp` where synapses learn."""
    from hrsnn.engine import Recording, simulate, simulate_stdp

    network, spikes = network_of(job.arrays), spikes_of(job.arrays)

    def call() -> Recording:
        if job.recurrent.plastic or job.inputs.plastic:
            return simulate_stdp(network, spikes)[1]
        return simulate(network, spikes, n_threads=threads)

    def run() -> Run:
        with Stopwatch() as watch:
            recording = call()
        return Run(watch.user_s, watch.wall_s, recording.spike_counts.sum(axis=0))

    call()  # compiles, or reads what was compiled
    return run


def limit(job: Job, threads: int) -> Prepared:
    """The scatter-add of `hrsnn.bench.limit` at the size of the workload."""
    from hrsnn.bench.limit import limit_of

    call, n_events = limit_of(job.n_neurons, int(job.arrays["synapses_per_neuron"]))

    def run() -> Run:
        with Stopwatch() as watch:
            call()
        return Run(watch.user_s, watch.wall_s, more={"events": n_events})

    return run


def building(job: Job, threads: int) -> Prepared:
    """`hrsnn.build` of a small-world spec with K neighbours, or saving or loading what it builds."""
    from hrsnn.network_file import load, save
    from hrsnn.spec import NetworkSpec
    from hrsnn.wiring import build

    n = job.n_neurons
    synapses = {"wiring": "small-world", "n_neighbours": int(job.arrays["synapses_per_neuron"])}
    spec = NetworkSpec.model_validate({"n_neurons": n, "n_inputs": job.n_inputs, "synapses": synapses})
    folder = tempfile.TemporaryDirectory()
    network = build(spec, seed=0)

    def file() -> Path:
        return Path(folder.name) / "network.safetensors"  # `folder` is there as long as it is named here

    calls: dict[str, Callable[[], object]] = {
        "build": lambda: build(spec, seed=0),
        "save": lambda: save(network, file()),
        "load": lambda: load(file()),
    }
    calls["save"]()

    def run() -> Run:
        with Stopwatch() as watch:
            calls[job.name]()
        return Run(watch.user_s, watch.wall_s, more={"n_synapses": len(network.recurrent) + len(network.inputs)})

    return run


def stream(job: Job, threads: int) -> Prepared:
    """One `stream.step` for each step of the input; latencies in microseconds."""
    from hrsnn import engine

    network, spikes = network_of(job.arrays), spikes_of(job.arrays)
    channels = np.split(spikes.unit, np.searchsorted(spikes.step, np.arange(1, spikes.n_steps)))

    def run() -> Run:
        live = engine.stream(network)
        counts, took_ns = np.zeros(job.n_neurons, np.int64), np.zeros(spikes.n_steps, np.int64)
        with Stopwatch() as watch:
            for t, now in enumerate(channels):
                before = time.perf_counter_ns()
                fired = live.step(now)
                took_ns[t] = time.perf_counter_ns() - before
                counts[fired] += 1
        median, late = np.percentile(took_ns / 1000, [50, 99])
        return Run(watch.user_s, watch.wall_s, counts, more={"step_us_median": median, "step_us_p99": late})

    run()
    return run


def fresh_process(job: Job, threads: int) -> Prepared:
    """A new interpreter up to its first simulated spikes, imports included.

    Its store of compiled code is an empty one, or for "second-call" the usual one, which a first process has filled.
    """
    command = [sys.executable, "-m", "hrsnn.bench.own", "once", sys.argv[2]]

    def process(**environment: str) -> Run:
        before_s = user_s(children=True)
        with Stopwatch() as watch:
            subprocess.run(command, check=True, env={**os.environ, **environment})
        return Run(user_s(children=True) - before_s, watch.wall_s)

    def with_empty_store() -> Run:
        with tempfile.TemporaryDirectory() as empty:
            return process(NUMBA_CACHE_DIR=empty)

    if job.name == "first-call":
        return with_empty_store
    process()
    return process


KINDS: dict[str, Callable[[Job, int], Prepared]] = {
    "limit": limit,
    "build": building,
    "save": building,
    "load": building,
    "stream": stream,
    "first-call": fresh_process,
    "second-call": fresh_process,
}


def versions() -> dict[str, str]:
    """What hrsnn ran on."""
    import numba

    from hrsnn._version import __version__

    return {
        "hrsnn": __version__, "python": platform.python_version(), "numpy": np.__version__, "numba": numba.__version__,
    }  # fmt: skip


def main() -> None:
    """See the module."""
    what, path, *rest = sys.argv[1:]
    job, threads = Job(path), int(rest[0]) if rest else 1
    if what == "once":
        simulation(job, threads)
        return
    kind: Any = KINDS.get(what if what == "limit" else job.name, simulation)
    serve(job, lambda: kind(job, threads), versions, pad_s=kind is not fresh_process)


if __name__ == "__main__":
    main()
