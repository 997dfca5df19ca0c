"""The conversation of a measured process, the same for hrsnn and for every peer. Standard library and NumPy only.

The process is given a workload as a file, builds its network once, and answers with one line of JSON each: first what
it is (`versions`, `compile_s`: seconds to build the network and to make code for it), then after every line "run" one
measurement from the initial state; "quit" or the end of its input ends it. Whatever else it prints goes to standard
error, so that no library can spoil an answer.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

if sys.platform != "win32":
    import resource

# The user time of a process is known to about a millisecond: short runs are repeated up to this.
LEAST_MEASURED_S = 0.3


@dataclass
class Table:
    """The synapses of one kind: `weight`, `low`, `high`, `a_plus`, `a_minus` carry the sign of the presynaptic unit.

    Potentiation raises |weight|, so that with an inhibitory synapse `a_plus` is negative.
    """

    out_degree: Any
    pre: Any
    post: Any
    weight: Any
    plastic: bool
    low: Any = None
    high: Any = None
    a_plus: Any = None
    a_minus: Any = None
    tau_plus_ms: Any = None
    tau_minus_ms: Any = None


@dataclass
class Run:
    """One simulation: CPU seconds in user mode and wall seconds of the time loop, and the spikes of every neuron."""

    user_s: float
    wall_s: float
    spikes: Any = None
    peak_mb: float | None = None
    more: dict[str, Any] = field(default_factory=dict)


class Job:
    """A workload read back: numbers of neurons, inputs, steps and samples, time constants, two tables, input spikes."""

    def __init__(self, path: str) -> None:
        with np.load(path) as file:
            self.arrays = dict(file)
        self.name = str(self.arrays["name"])
        self.n_neurons, self.n_inputs = int(self.arrays["n_neurons"]), int(self.arrays["n_inputs"])
        self.n_steps, self.n_samples = int(self.arrays["n_steps"]), int(self.arrays["n_samples"])
        self.tau_mem_ms = self.arrays["tau_mem_ms"]
        self.recurrent, self.inputs = self._table("recurrent"), self._table("inputs")
        self.sample_ptr, self.step, self.unit = (self.arrays[name] for name in ("sample_ptr", "step", "unit"))

    def _table(self, name: str) -> Table:
        column = {key.removeprefix(f"{name}_"): v for key, v in self.arrays.items() if key.startswith(f"{name}_")}
        out_degree = np.diff(column["ptr"])
        pre = np.repeat(np.arange(out_degree.size, dtype=np.int32), out_degree)
        table = Table(out_degree, pre, column["post"], column["weight"], plastic="a_plus" in column)
        if table.plastic:
            sign = np.where(table.weight >= 0, 1, -1).astype(np.float32)
            bound = sign * column["w_max"]
            table.low, table.high = np.minimum(bound, 0), np.maximum(bound, 0)
            table.a_plus, table.a_minus = sign * column["a_plus"], sign * column["a_minus"]
            table.tau_plus_ms, table.tau_minus_ms = column["tau_plus_ms"], column["tau_minus_ms"]
        return table

    @property
    def n_steps_in_all(self) -> int:
        """Steps of all samples one after the other."""
        return self.n_steps * self.n_samples

    def spikes_in_a_row(self) -> tuple[Any, Any]:
        """Step and unit of every input spike, the samples one after the other, sorted by step."""
        sample = np.repeat(np.arange(self.n_samples), np.diff(self.sample_ptr))
        return sample * self.n_steps + self.step, self.unit

    def raster(self) -> Any:
        """Input as booleans, shape `(n_steps, n_samples, n_inputs)`."""
        raster = np.zeros((self.n_steps, self.n_samples, self.n_inputs), dtype=bool)
        raster[self.step, np.repeat(np.arange(self.n_samples), np.diff(self.sample_ptr)), self.unit] = True
        return raster

    def dense(self, name: str) -> Any:
        """The weights of a table as a matrix, shape `(n_pre, n_neurons)`, float32."""
        table: Table = getattr(self, name)
        matrix = np.zeros((table.out_degree.size, self.n_neurons), np.float32)
        matrix[table.pre, table.post] = table.weight
        return matrix

    def deliveries(self, spikes: Any) -> dict[str, int]:
        """Spikes, events (deliveries over recurrent and input synapses) and those of them over plastic synapses."""
        recurrent = int((self.recurrent.out_degree * np.asarray(spikes, dtype=np.int64)).sum())
        inputs = int(self.inputs.out_degree[self.unit].sum())
        plastic = recurrent * self.recurrent.plastic + inputs * self.inputs.plastic
        return {"spikes": int(np.sum(spikes)), "events": recurrent + inputs, "plastic_events": plastic}


class Stopwatch:
    """`with Stopwatch() as watch:` then `watch.user_s`, `watch.wall_s`: of this process, all of its threads."""

    user_s = wall_s = 0.0

    def __enter__(self) -> Stopwatch:
        self._user_s, self._wall_s = user_s(), time.perf_counter()
        return self

    def __exit__(self, *_: object) -> None:
        self.wall_s = time.perf_counter() - self._wall_s
        self.user_s = user_s() - self._user_s


def user_s(*, children: bool = False) -> float:
    """CPU seconds that this process, or its ended children, spent in user mode."""
    if sys.platform == "win32":
        times = os.times()
        return times.children_user if children else times.user
    return resource.getrusage(resource.RUSAGE_CHILDREN if children else resource.RUSAGE_SELF).ru_utime


def peak_mb() -> float | None:
    """The most memory this process has held, in units of 1e6 bytes; None where the system does not say.

    On Linux `getrusage` would count the process that started it, too.
    """
    status = Path("/proc/self/status")
    if status.exists():
        lines = status.read_text().splitlines()
        return next((int(line.split()[1]) * 1024e-6 for line in lines if line.startswith("VmHWM")), None)
    if sys.platform == "win32":
        return None
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def serve(
    job: Job, prepare: Callable[[], Callable[[], Run]], versions: Callable[[], dict[str, str]], *, pad_s: bool = True
) -> None:
    """Hold the conversation: `prepare()` builds the network and returns the function that runs it once.

    With `pad_s` short runs are repeated up to `LEAST_MEASURED_S` and their mean is answered.
    """
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def answer(value: dict[str, Any]) -> None:
        answers.write(json.dumps(value) + "\n")
        answers.flush()

    began = time.perf_counter()
    run = prepare()
    answer({"compile_s": time.perf_counter() - began, "versions": versions()})
    for line in sys.stdin:
        if line.strip() != "run":
            break
        runs = [run()]
        while pad_s and sum(r.wall_s for r in runs) < LEAST_MEASURED_S:
            runs.append(run())
        last = runs[-1]
        counted = {} if last.spikes is None else job.deliveries(last.spikes)
        answer(
            {
                "user_s": sum(r.user_s for r in runs) / len(runs),
                "wall_s": sum(r.wall_s for r in runs) / len(runs),
                "peak_mb": peak_mb() if last.peak_mb is None else last.peak_mb,
                **counted,
                **last.more,
            }
        )
