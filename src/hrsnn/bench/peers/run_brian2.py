"""Brian2, as C++ standalone or with Cython: `-m peers.run_brian2 standalone|cython FILE`.

What is timed is the time loop alone: in the standalone program by its own clock between two inserted lines, with
Cython from the end of `before_run`. Samples run one after the other with `v` set to 0 between them. Single precision
and the compiler options that are fastest; STDP event-driven, all four constants per synapse.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from .protocol import Job, Run, Stopwatch, Table, serve

OPTIONS = ["-w", "-O3", "-ffast-math", "-fno-finite-math-only", "-march=native", "-std=c++11"]
# v <- decay v + arrivals, then the threshold: spikes of a step are delivered in the next, after the decay. By default
# they would decay with v and be lost on a neuron that fires in their own step, and rates fall by a tenth.
SCHEDULE = ["start", "groups", "synapses", "thresholds", "resets", "end"]
BEFORE = """
struct rusage bench_begin, bench_end;
auto bench_wall = std::chrono::steady_clock::now();
getrusage(RUSAGE_SELF, &bench_begin);
"""
AFTER = """
getrusage(RUSAGE_SELF, &bench_end);
std::chrono::duration<double> bench_took = std::chrono::steady_clock::now() - bench_wall;
double bench_peak_kb = 0;
std::ifstream bench_status("/proc/self/status");
for (std::string word; bench_status >> word;)
    if (word == "VmHWM:") bench_status >> bench_peak_kb;
std::ofstream("bench.txt") << (bench_end.ru_utime.tv_sec - bench_begin.ru_utime.tv_sec)
    + 1e-6 * (bench_end.ru_utime.tv_usec - bench_begin.ru_utime.tv_usec)
    << " " << bench_took.count() << " " << bench_peak_kb * 1024e-6 << std::endl;
"""
TRACES = """
w : 1
tau_plus : second (constant)
tau_minus : second (constant)
a_plus : 1 (constant)
a_minus : 1 (constant)
low : 1 (constant)
high : 1 (constant)
dx/dt = -x / tau_plus : 1 (event-driven)
dy/dt = -y / tau_minus : 1 (event-driven)
"""
ON_PRE = "v_post += w\nw = clip(w - a_minus * y, low, high)\nx += 1"
ON_POST = "w = clip(w + a_plus * x, low, high)\ny += 1"


def build(b2: Any, job: Job) -> tuple[Any, Any, Any]:
    """The network, its spike counter and the length of the run."""
    b2.prefs.core.default_float_dtype = np.float32
    b2.defaultclock.dt = 1 * b2.ms
    step, unit = job.spikes_in_a_row()
    source = b2.SpikeGeneratorGroup(job.n_inputs, unit, step * b2.ms)
    model = "dv/dt = -v / tau : 1\ntau : second (constant)"
    cells = b2.NeuronGroup(job.n_neurons, model, threshold="v >= 1", reset="v = 0", method="exact")
    cells.tau = job.tau_mem_ms * b2.ms
    if job.n_samples > 1:
        cells.run_regularly("v = 0", dt=job.n_steps * b2.ms)
    counter = b2.SpikeMonitor(cells, record=False)
    tables = [synapses(b2, source, cells, job.inputs), synapses(b2, cells, cells, job.recurrent)]
    return [source, cells, counter, *tables], counter, job.n_steps_in_all * b2.ms


def synapses(b2: Any, source: Any, cells: Any, table: Table) -> Any:
    """One table of synapses, plastic or not."""
    if table.plastic:
        made = b2.Synapses(source, cells, TRACES, on_pre=ON_PRE, on_post=ON_POST)
    else:
        made = b2.Synapses(source, cells, "w : 1 (constant)", on_pre="v_post += w")
    made.connect(i=table.pre, j=table.post)
    made.w = table.weight
    if table.plastic:
        made.tau_plus, made.tau_minus = table.tau_plus_ms * b2.ms, table.tau_minus_ms * b2.ms
        for name in ("a_plus", "a_minus", "low", "high"):
            setattr(made, name, getattr(table, name))
    return made


def standalone(b2: Any, job: Job) -> Callable[[], Run]:
    """Compiled once; every run is a start of the program."""
    b2.prefs.devices.cpp_standalone.openmp_threads = 0
    b2.prefs.codegen.cpp.extra_compile_args_gcc = OPTIONS
    b2.prefs.codegen.cpp.headers += ["<sys/resource.h>", "<chrono>", "<fstream>"]
    b2.set_device("cpp_standalone", build_on_run=False)
    objects, counter, length = build(b2, job)
    b2.device.insert_code("before_network_run", BEFORE)
    b2.device.insert_code("after_network_run", AFTER)
    network = b2.Network(*objects)
    network.schedule = SCHEDULE
    network.run(length)
    folder = tempfile.mkdtemp(dir=Path.cwd())
    b2.device.build(directory=folder, compile=True, run=False, debug=False)

    def run() -> Run:
        b2.device.run(folder, with_output=False, run_args=[])
        user_s, wall_s, peak_mb = map(float, (Path(folder) / "bench.txt").read_text().split())
        return Run(user_s, wall_s, np.array(counter.count), peak_mb)

    return run


def cython(b2: Any, job: Job) -> Callable[[], Run]:
    """Compiled at the first run, which is not measured; every other begins from the stored state."""

    class TimedNetwork(b2.Network):  # type: ignore[misc]
        """Starts its watch when all preparation is over."""

        watch: Stopwatch | None = None

        def before_run(self, run_namespace: Any) -> None:
            super().before_run(run_namespace)
            self.watch = Stopwatch().__enter__()

    b2.prefs.codegen.target = "cython"
    b2.prefs.codegen.cpp.extra_compile_args_gcc = OPTIONS
    objects, counter, length = build(b2, job)
    network = TimedNetwork(*objects)
    network.schedule = SCHEDULE
    network.store()
    network.run(2 * b2.ms)

    def run() -> Run:
        network.restore()
        network.run(length, namespace={})
        assert network.watch is not None
        network.watch.__exit__()
        return Run(network.watch.user_s, network.watch.wall_s, np.array(counter.count))

    return run


def main() -> None:
    """See the module."""
    mode, path = sys.argv[1:3]
    job = Job(path)

    def prepare() -> Callable[[], Run]:
        import brian2

        return (standalone if mode == "standalone" else cython)(brian2, job)

    def versions() -> dict[str, str]:
        import brian2

        return {"brian2": brian2.__version__, "numpy": np.__version__}

    serve(job, prepare, versions)


if __name__ == "__main__":
    main()
