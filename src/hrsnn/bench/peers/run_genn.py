"""GeNN on its single-threaded CPU backend: `-m peers.run_genn cpu FILE`. What is timed is the loop of `step_time`.

Its code is generated and compiled once; before every run the model is loaded anew, which sets all state back and is
not timed. STDP is a weight update model with all four constants per synapse. Samples run one after the other with `V`
set to 0 between them.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from .protocol import Job, Run, Stopwatch, Table, serve

# Times of a spike are floats in GeNN: st_pre and st_post of the last one, prev_st_* of the one before.
ON_PRE = """
    addToPost(g);
    const scalar trace = y * exp((st_post - t) * rate_minus);
    g = fmin(high, fmax(low, g - a_minus * trace));
    x = x * exp((prev_st_pre - t) * rate_plus) + 1.0;
"""
ON_POST = """
    const scalar trace = x * exp((st_pre - t) * rate_plus);
    g = fmin(high, fmax(low, g + a_plus * trace));
    y = y * exp((prev_st_post - t) * rate_minus) + 1.0;
"""
STDP_COLUMNS = ("g", "x", "y", "a_plus", "a_minus", "rate_plus", "rate_minus", "low", "high")


def build(genn: Any, job: Job) -> tuple[Any, Any]:
    """The model, compiled, and its population of neurons."""
    model = genn.GeNNModel("float", "bench", backend="single_threaded_cpu")
    model.dt = 1.0
    model.default_narrow_sparse_ind_enabled = True
    lif = genn.create_neuron_model(
        "lif",
        vars=[("V", "scalar"), ("decay", "scalar"), ("count", "unsigned int")],
        sim_code="V = decay * V + Isyn;",
        threshold_condition_code="V >= 1.0",
        reset_code="V = 0.0; count += 1;",
    )
    step, unit = job.spikes_in_a_row()
    by_unit = np.argsort(unit, kind="stable")
    ends = np.cumsum(np.bincount(unit, minlength=job.n_inputs)).astype(np.uint32)
    spans = {"startSpike": np.concatenate([[0], ends[:-1]]).astype(np.uint32), "endSpike": ends}
    source = model.add_neuron_population("source", job.n_inputs, "SpikeSourceArray", {}, spans)
    source.extra_global_params["spikeTimes"].set_init_values(step[by_unit].astype(np.float32))
    decay = np.exp(-1 / job.tau_mem_ms).astype(np.float32)
    cells = model.add_neuron_population("cells", job.n_neurons, lif, {}, {"V": 0.0, "decay": decay, "count": 0})
    stdp = genn.create_weight_update_model(
        "stdp",
        vars=[(name, "scalar") for name in STDP_COLUMNS],
        pre_spike_syn_code=ON_PRE,
        post_spike_syn_code=ON_POST,
    )
    for name, group, table in (("from_source", source, job.inputs), ("recurrent", cells, job.recurrent)):
        made = model.add_synapse_population(
            name, "SPARSE", group, cells, _update(genn, stdp, table), genn.init_postsynaptic("DeltaCurr")
        )
        made.set_sparse_connections(table.pre, table.post)
    model.build(path_to_model=str(Path.cwd()))
    return model, cells


def _update(genn: Any, stdp: Any, table: Table) -> Any:
    if not table.plastic:
        return genn.init_weight_update("StaticPulse", {}, {"g": table.weight})
    columns = {
        "g": table.weight, "x": 0.0, "y": 0.0, "a_plus": table.a_plus, "a_minus": table.a_minus, "low": table.low,
        "high": table.high, "rate_plus": 1 / table.tau_plus_ms, "rate_minus": 1 / table.tau_minus_ms,
    }  # fmt: skip
    return genn.init_weight_update(stdp, {}, columns)


def prepare(genn: Any, job: Job) -> Callable[[], Run]:
    """A function that loads the compiled model and runs it."""
    model, cells = build(genn, job)

    def run() -> Run:
        model.load()
        with Stopwatch() as watch:
            for _ in range(job.n_samples):
                for _ in range(job.n_steps):
                    model.step_time()
                if job.n_samples > 1:
                    cells.vars["V"].current_view[:] = 0
                    cells.vars["V"].push_to_device()
        cells.vars["count"].pull_from_device()
        counts = np.array(cells.vars["count"].view, dtype=np.int64)
        model.unload()
        return Run(watch.user_s, watch.wall_s, counts)

    return run


def main() -> None:
    """See the module."""
    os.environ.setdefault("CXXFLAGS", "-O3 -march=native -ffast-math")
    job = Job(sys.argv[2])

    def load() -> Any:
        import pygenn

        return pygenn

    serve(job, lambda: prepare(load(), job), lambda: {"genn": load().__version__, "numpy": np.__version__})


if __name__ == "__main__":
    main()
