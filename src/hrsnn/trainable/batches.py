"""Recordings as tensors of one batch, changed anew every time where that is wanted."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from hrsnn.spikes import Spikes
from hrsnn.trainable.settings import Augmentation

Events = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]  # number in the batch, step, channel


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
    events = _events(spikes, rows)
    if how.blend_share and labels is not None:
        events = _blended(events, spikes, labels, rows, how.blend_share, rng)
    number, step, unit = events
    if how.shift_channels:
        unit = unit + rng.integers(-how.shift_channels, how.shift_channels, rows.size, endpoint=True)[number]
    if how.warp_share:
        step = np.floor(step * rng.uniform(1 - how.warp_share, 1 + how.warp_share, rows.size)[number]).astype(np.int64)
    kept = (unit >= 0) & (unit < spikes.n_units) & (step >= 0) & (step < spikes.n_steps)
    if how.drop_share:
        kept &= rng.random(number.size) >= how.drop_share
    raster = torch.zeros(spikes.n_steps, rows.size, spikes.n_units, dtype=dtype)
    raster.numpy()[step[kept], number[kept], unit[kept]] = 1
    return raster


def _events(spikes: Spikes, rows: NDArray[np.int64]) -> Events:
    chosen = spikes.select(rows)
    return chosen.sample_of_event(), chosen.step.astype(np.int64), chosen.unit.astype(np.int64)


def _blended(
    events: Events, spikes: Spikes, labels: NDArray[np.int64], rows: NDArray[np.int64], share: float,
    rng: np.random.Generator,
) -> Events:  # fmt: skip
    """Some recordings give up about half of their events for about half of those of another one of their class."""
    partner = np.array([rng.choice(np.flatnonzero(labels == labels[row])) for row in rows])
    is_mixed = rng.random(rows.size) < share
    number, step, unit = events
    other_number, other_step, other_unit = _events(spikes, partner)
    shift = np.rint(_mean_step(events, rows.size) - _mean_step((other_number, other_step, other_unit), rows.size))
    other_step = other_step + shift.astype(np.int64)[other_number]
    ours = ~is_mixed[number] | (rng.random(number.size) < 0.5)
    theirs = is_mixed[other_number] & (rng.random(other_number.size) < 0.5)
    parts = ((number[ours], other_number[theirs]), (step[ours], other_step[theirs]), (unit[ours], other_unit[theirs]))
    both: Any = tuple(np.concatenate(part) for part in parts)
    return both  # type: ignore[no-any-return]


def _mean_step(events: Events, n: int) -> NDArray[np.float64]:
    number, step, _ = events
    return np.bincount(number, step, n) / np.maximum(np.bincount(number, minlength=n), 1)
