"""PyTorch as a careful user would write it: `-m peers.run_torch dense|gather|batch FILE`. What is timed is the loop.

`dense` multiplies the spike vector with the weight matrix, `gather` adds up the rows of the neurons that fired, `batch`
runs all samples at once with one matrix product per step, input currents of all steps computed beforehand in one.
Input spikes of single samples are gathered as rows. No gradients; arithmetic with denormal numbers is switched off.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from .protocol import Job, Run, Stopwatch, serve


def one_sample(torch: Any, job: Job, *, gather: bool) -> Callable[[], Any]:
    """A function that runs the sample and returns the spike counts."""
    weight, input_weight = torch.tensor(job.dense("recurrent")), torch.tensor(job.dense("inputs"))
    decay = torch.tensor(np.exp(-1 / job.tau_mem_ms))
    channels = torch.tensor(job.unit, dtype=torch.long)
    ends = np.searchsorted(job.step, np.arange(job.n_steps), side="right").tolist()

    def simulate() -> Any:
        v, fired, counts = (torch.zeros(job.n_neurons) for _ in range(3))
        begin = 0
        for end in ends:
            v = decay * v + input_weight[channels[begin:end]].sum(0)
            v = v + (weight[fired.nonzero()[:, 0]].sum(0) if gather else fired @ weight)
            fired = (v >= 1).float()
            v = v * (1 - fired)
            counts.add_(fired)
            begin = end
        return counts

    return simulate


def many_samples(torch: Any, job: Job) -> Callable[[], Any]:
    """A function that runs all samples at once and returns the spike counts over all of them."""
    weight, input_weight = torch.tensor(job.dense("recurrent")), torch.tensor(job.dense("inputs"))
    decay = torch.tensor(np.exp(-1 / job.tau_mem_ms))
    raster = torch.tensor(job.raster().astype(np.float32))

    def simulate() -> Any:
        v, fired, counts = (torch.zeros(job.n_samples, job.n_neurons) for _ in range(3))
        for current in (raster @ input_weight).unbind(0):
            v = decay * v * (1 - fired) + current + fired @ weight
            fired = (v >= 1).float()
            counts.add_(fired)
        return counts.sum(0)

    return simulate


def prepare(torch: Any, job: Job, mode: str) -> Callable[[], Run]:
    """A function that runs the network and says how long it took."""
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    torch.set_flush_denormal(True)
    simulate = many_samples(torch, job) if mode == "batch" else one_sample(torch, job, gather=mode == "gather")

    def run() -> Run:
        with Stopwatch() as watch:
            counts = simulate()
        return Run(watch.user_s, watch.wall_s, counts.numpy().astype(np.int64))

    return run


def main() -> None:
    """See the module."""
    mode, path = sys.argv[1:3]
    job = Job(path)

    def load() -> Any:
        import torch

        return torch

    serve(job, lambda: prepare(load(), job, mode), lambda: {"torch": load().__version__, "numpy": np.__version__})


if __name__ == "__main__":
    main()
