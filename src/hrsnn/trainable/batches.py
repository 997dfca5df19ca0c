"""Recordings as tensors of one batch, changed anew every time where that is wanted."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from hrsnn.augmentation import Augmentation, changed_events
from hrsnn.spikes import Spikes


def batch_of(spikes: Spikes, rows: NDArray[np.int64], dtype: torch.dtype) -> torch.Tensor:
    """[T, B, N_in], 1 where channels spike.

    >>> spikes = Spikes.from_times([[0.0, 2.0]], [[0, 1]], n_units=2, n_steps=3, dt_ms=1.0)
    >>> batch_of(spikes, np.array([0]), torch.float32)[:, 0].tolist()
    [[1.0, 0.0], [0.0, 0.0], [0.0, 1.0]]
    """
    return torch.tensor(spikes.select(rows).dense().transpose(1, 0, 2), dtype=dtype)


def augmented_batch_of(
    spikes: Spikes,
    labels: NDArray[np.int64] | None,
    rows: NDArray[np.int64],
    how: Augmentation,
    rng: np.random.Generator,
    dtype: torch.dtype,
) -> torch.Tensor:
    """`batch_of`, each recording changed as `how` says; `labels` (n_samples,) are those of all of `spikes`."""
    number, step, unit = changed_events(spikes, labels, rows, how, rng)
    raster = torch.zeros(spikes.n_steps, rows.size, spikes.n_units, dtype=dtype)
    raster.numpy()[step, number, unit] = 1
    return raster
