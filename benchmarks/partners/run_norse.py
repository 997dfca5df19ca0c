"""Run a NIR graph in norse: `python run_norse.py GRAPH.nir IN.npz OUT.npz`; `x` (steps, inputs) and `dt` in seconds."""

import logging
import sys
import warnings

import nir
import numpy as np
import torch
from norse.torch.utils.import_nir import from_nir

warnings.simplefilter("ignore")
logging.disable()
given = np.load(sys.argv[2])
with torch.no_grad():
    module, state, spikes = from_nir(nir.read(sys.argv[1]), dt=float(given["dt"])), None, []
    for x in torch.from_numpy(given["x"]):
        s, state = module(x[None], state)
        spikes.append(s[0].numpy() > 0)
np.savez(sys.argv[3], spikes=np.array(spikes))
