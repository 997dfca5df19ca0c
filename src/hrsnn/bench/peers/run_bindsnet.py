"""BindsNET: `-m peers.run_bindsnet cpu FILE`. What is timed is `Network.run`.

Weights are dense matrices, samples a batch. Its STDP (PostPre) has one learning rate and one time constant for all
synapses, so with plasticity this is a homogeneous network. It imports plotting, image, game and data set packages that
a simulation does not use: empty modules stand in for them.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import sys
from collections.abc import Callable, Sequence
from typing import Any
from unittest.mock import MagicMock

from .protocol import Job, Run, Stopwatch, serve

UNUSED = (
    "torchvision", "cv2", "skimage", "gymnasium", "ale_py", "tensorboardX", "sklearn", "matplotlib", "mpl_toolkits",
    "pandas",
)  # fmt: skip


class Empty(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds a module that has every name and does nothing for the packages of `UNUSED`."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: Any = None) -> Any:
        if name.split(".")[0] in UNUSED:
            return importlib.machinery.ModuleSpec(name, self, is_package=True)
        return None

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> Any:
        module = MagicMock()
        module.__path__, module.__spec__, module.__name__ = [], spec, spec.name
        return module

    def exec_module(self, module: Any) -> None:
        pass


def prepare(job: Job) -> Callable[[], Run]:
    """A function that sets the network back and runs it."""
    sys.meta_path.insert(0, Empty())
    import torch
    from bindsnet.learning import PostPre
    from bindsnet.network import Network
    from bindsnet.network.monitors import Monitor
    from bindsnet.network.nodes import Input, LIFNodes
    from bindsnet.network.topology import Connection

    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    plastic = job.recurrent.plastic
    weight, input_weight = torch.tensor(job.dense("recurrent")), torch.tensor(job.dense("inputs"))
    network = Network(dt=1.0, learning=plastic, batch_size=job.n_samples)
    source = Input(job.n_inputs)
    cells = LIFNodes(
        job.n_neurons, thresh=1.0, rest=0.0, reset=0.0, refrac=0, tc_decay=torch.tensor(job.tau_mem_ms), traces=plastic,
        traces_additive=True, tc_trace=20.0,
    )  # fmt: skip
    network.add_layer(source, "source")
    network.add_layer(cells, "cells")
    network.add_connection(Connection(source, cells, w=input_weight), "source", "cells")
    rule = {"update_rule": PostPre, "nu": (1e-7, 1e-7), "wmin": -1.0, "wmax": 1.0} if plastic else {}
    recurrent = Connection(cells, cells, w=weight.clone(), **rule)
    network.add_connection(recurrent, "cells", "cells")
    monitor = Monitor(cells, ["s"], time=job.n_steps)
    network.add_monitor(monitor, "monitor")
    raster = torch.tensor(job.raster())

    def run() -> Run:
        network.reset_state_variables()
        recurrent.w.copy_(weight)
        with Stopwatch() as watch:
            network.run({"source": raster}, time=job.n_steps)
        return Run(watch.user_s, watch.wall_s, monitor.get("s").reshape(-1, job.n_neurons).sum(0).numpy())

    return run


def versions() -> dict[str, str]:
    """What it ran on."""
    from importlib.metadata import version

    return {name: version(name) for name in ("bindsnet", "torch", "numpy")}


def main() -> None:
    """See the module."""
    job = Job(sys.argv[2])
    serve(job, lambda: prepare(job), versions)


if __name__ == "__main__":
    main()
