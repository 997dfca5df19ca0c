"""Recordings as tensors of one batch."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from hrsnn.augmentation import Events
from hrsnn.spikes import Spikes


def batch_of(spikes: Spikes, rows: NDArray[np.int64], dtype: torch.dtype) -> torch.Tensor:
    """[T, B, N_in], 1 where channels spike.

    >>> spikes = Spikes.from_times([[0.0, 2.0]], [[0, 1]], n_units=2, n_steps=3, dt_ms=1.0)
    >>> batch_of(spikes, np.array([0]), torch.float32)[:, 0].tolist()
    [[1.0, 0.0], [0.0, 0.0], [0.0, 1.0]]
    """
    return torch.tensor(spikes.select(rows).dense().transpose(1, 0, 2), dtype=dtype)


def raster_of(events: Events, n: int, spikes: Spikes, dtype: torch.dtype) -> torch.Tensor:
    """`batch_of` of `n` recordings with these events, on the grid of `spikes`."""
    number, step, unit = events
    raster = torch.zeros(spikes.n_steps, n, spikes.n_units, dtype=dtype)
    raster.numpy()[step, number, unit] = 1
    return raster
