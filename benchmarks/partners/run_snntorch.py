"""Run a NIR graph in snnTorch: `python run_snntorch.py GRAPH.nir IN.npz OUT.npz`; `x` (steps, inputs), `dt` in seconds.

snnTorch reads every graph as one of steps of 0.1 ms, so time is stretched first: no number without a unit changes.
"""

import sys
import warnings

import nir
import numpy as np
import torch
from snntorch.import_nir import import_from_nir

warnings.simplefilter("ignore")
given = np.load(sys.argv[2])
graph = nir.read(sys.argv[1])


def stretch(graph):
    for node in graph.nodes.values():
        if isinstance(node, nir.NIRGraph):
            stretch(node)
        for name in ("tau", "tau_mem", "tau_syn"):
            if hasattr(node, name):
                setattr(node, name, getattr(node, name) * (1e-4 / float(given["dt"])))


stretch(graph)
with torch.no_grad():
    module, state, spikes = import_from_nir(graph).float(), None, []
    for x in torch.from_numpy(given["x"]):
        s, state = module(x[None], state)
        spikes.append(s[0].numpy() > 0)
np.savez(sys.argv[3], spikes=np.array(spikes))
