"""NEST: `-m peers.run_nest cpu FILE`. One thread, double precision, what is timed is `nest.Run`.

Traces and spikes under way cannot be set back, so every run builds the network anew, which is not timed. Plastic
connections are `stdp_synapse`, additive, with lambda = A+ / Wmax and alpha = A- / A+; tau_minus belongs to the neuron
and is the mean over its synapses. Samples run one after the other with `V_m` set to 0 between them.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from .protocol import Job, Run, Stopwatch, Table, serve

LIF = {"C_m": 1.0, "E_L": 0.0, "V_th": 1.0, "V_reset": 0.0, "t_ref": 0.0, "V_m": 0.0, "I_e": 0.0}


def build(nest: Any, job: Job) -> tuple[Any, Any]:
    """The neurons and their spike recorder, in a kernel without anything else."""
    nest.ResetKernel()
    nest.set_verbosity("M_ERROR")
    nest.resolution = 1.0
    nest.local_num_threads = 1
    cells = nest.Create("iaf_psc_delta", job.n_neurons, LIF)
    cells.tau_m = job.tau_mem_ms.astype(float)
    # Parrots make ordinary spikes of the generator's, which would be delivered in another way.
    sources, parrots = nest.Create("spike_generator", job.n_inputs), nest.Create("parrot_neuron", job.n_inputs)
    step, unit = job.spikes_in_a_row()
    by_unit = np.argsort(unit, kind="stable")
    times = np.split(step[by_unit] + 1.0, np.cumsum(np.bincount(unit, minlength=job.n_inputs))[:-1])
    nest.SetStatus(sources, [{"spike_times": t} for t in times])
    nest.Connect(sources, parrots, "one_to_one", {"delay": 1.0})
    if job.recurrent.plastic:
        summed = np.bincount(job.recurrent.post, job.recurrent.tau_minus_ms, minlength=job.n_neurons)
        cells.tau_minus = summed / np.bincount(job.recurrent.post, minlength=job.n_neurons)
    connect(nest, parrots, cells, job.inputs)
    connect(nest, cells, cells, job.recurrent)
    recorder = nest.Create("spike_recorder")
    nest.Connect(cells, recorder)
    return cells, recorder


def connect(nest: Any, source: Any, target: Any, table: Table) -> None:
    """One table of synapses, plastic or not."""
    ones = np.ones(table.pre.size)
    synapse = {"synapse_model": "static_synapse", "weight": table.weight.astype(float), "delay": ones}
    if table.plastic:
        bound = np.where(table.high > 0, table.high, table.low).astype(float)
        synapse |= {
            "synapse_model": "stdp_synapse", "Wmax": bound, "lambda": table.a_plus / bound,
            "alpha": (table.a_minus / table.a_plus).astype(float), "tau_plus": table.tau_plus_ms.astype(float),
            "mu_plus": 0 * ones, "mu_minus": 0 * ones,
        }  # fmt: skip
    first = [group[0].global_id for group in (source, target)]
    nest.Connect(table.pre + first[0], table.post + first[1], "one_to_one", synapse)


def prepare(nest: Any, job: Job) -> Callable[[], Run]:
    """A function that runs a network built anew."""

    def run() -> Run:
        cells, recorder = build(nest, job)
        nest.Prepare()
        user_s = wall_s = 0.0
        for sample in range(job.n_samples):
            if sample:
                cells.V_m = 0.0
            with Stopwatch() as watch:
                nest.Run(float(job.n_steps) + (3.0 if sample == 0 else 0.0))  # 3: until the first input arrives
            user_s, wall_s = user_s + watch.user_s, wall_s + watch.wall_s
        nest.Cleanup()
        senders = np.asarray(recorder.events["senders"]) - cells[0].global_id
        return Run(user_s, wall_s, np.bincount(senders, minlength=job.n_neurons))

    build(nest, job)
    return run


def main() -> None:
    """See the module."""
    job = Job(sys.argv[2])

    def load() -> Any:
        import nest

        return nest

    serve(job, lambda: prepare(load(), job), lambda: {"nest": load().__version__, "numpy": np.__version__})


if __name__ == "__main__":
    main()
