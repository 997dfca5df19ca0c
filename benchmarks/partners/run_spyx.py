"""Run a NIR graph in spyx: `python run_spyx.py GRAPH.nir IN.npz OUT.npz`; `x` (steps, inputs) and `dt` in seconds."""

import sys

import nir
import numpy as np
from spyx.nir import from_nir

given = np.load(sys.argv[2])
_, out = from_nir(nir.read(sys.argv[1]), given["x"][:, None], dt=float(given["dt"]))
np.savez(sys.argv[3], spikes=np.asarray(out)[:, 0] > 0)
