"""Run a NIR graph in sinabs: `python run_sinabs.py GRAPH.nir IN.npz OUT.npz`; `x` (steps, inputs) and `dt` in seconds.

sinabs counts time constants in steps, so they are divided by dt first. It lets a neuron spike several times in a step
if it is not told otherwise.
"""

import sys
import warnings

import nir
import numpy as np
import torch
from sinabs.activation import SingleSpike
from sinabs.nir import from_nir

warnings.simplefilter("ignore")
given = np.load(sys.argv[2])
graph = nir.read(sys.argv[1])
for node in graph.nodes.values():
    if isinstance(node, nir.LIF):
        node.tau = torch.from_numpy(node.tau / float(given["dt"])).float()
        for name in ("r", "v_leak", "v_threshold"):
            setattr(node, name, torch.from_numpy(getattr(node, name)).float())
with torch.no_grad():
    module = from_nir(graph, batch_size=1)
    for layer in module.modules():
        if hasattr(layer, "spike_fn"):
            layer.spike_fn = SingleSpike
    out = module(torch.from_numpy(given["x"]))
spikes = out[0] if isinstance(out, tuple) else out
np.savez(sys.argv[3], spikes=spikes.numpy() > 0)
