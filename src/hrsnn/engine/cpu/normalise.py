"""Normalisation of plastic weights after a sample (method.md 4.5): the numbers of `reference.normalised`."""

from __future__ import annotations

from typing import Any

import numpy as np

from hrsnn.engine.cpu.compiled import jit
from hrsnn.engine.cpu.parts import LANES


def incoming(y: Any, sums: Any) -> None:
    """Sums of the excitatory magnitudes that reach each neuron, in the order of the table, into `sums` (float64)."""
    _incoming(y, sums)


def normalise(y: Any, first: Any, sums: Any) -> None:
    """Scale excitatory magnitudes so that their sums are `first` again; `sums` is scratch."""
    _incoming(y, sums)
    for j in range(sums.size):
        sums[j] = first[j] / sums[j] if sums[j] > 0 else 1.0
    n_fields = y.data.size // y.post.size if y.post.size else 0
    for unit in range(y.sign.size):
        if y.sign[unit] > 0:
            for tile in range(y.ptr[unit], y.ptr[unit + 1]):
                for lane in range(LANES):
                    k = np.uint64(tile * n_fields * LANES + lane)
                    m = y.data[k]
                    scaled = type(m)(m * sums[y.post[np.uint64(tile * LANES + lane)]])
                    y.data[k] = min(max(scaled, type(m)(0)), y.data[k + np.uint64(LANES)])


@jit
def _incoming(y: Any, sums: Any) -> None:
    sums[:] = 0
    n_fields = y.data.size // y.post.size if y.post.size else 0
    for unit in range(y.sign.size):
        if y.sign[unit] > 0:
            for tile in range(y.ptr[unit], y.ptr[unit + 1]):
                for lane in range(LANES):
                    sums[y.post[np.uint64(tile * LANES + lane)]] += y.data[np.uint64(tile * n_fields * LANES + lane)]
