"""A classification task that takes milliseconds: channels fire more for one class than for another."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hrsnn.data.dataset import Dataset, Splits
from hrsnn.spikes import Spikes

N_CHANNELS, N_STEPS = 8, 60


def recordings(n: int, speakers: list[int] | None = None, *, seed: int = 0, n_classes: int = 2) -> Dataset:
    """`n` recordings, classes and speakers in turn."""
    labels = np.arange(n) % n_classes
    rate = np.where(np.arange(N_CHANNELS) % n_classes == labels[:, None], 0.2, 0.08)
    raster = np.random.default_rng(seed).random((n, N_STEPS, N_CHANNELS)) < rate[:, None, :]
    groups = None if speakers is None else np.resize(np.repeat(speakers, n_classes), n)
    names = tuple(f"class {k}" for k in range(n_classes))
    return Dataset(Spikes.from_dense(raster, dt_ms=1.0), labels, names, groups)


def splits(*, speakers: bool = True) -> Splits:
    """Speakers 1 and 2 in training, 3 in validation, 1, 3 and 4 in the test part."""
    parts = [
        recordings(n, who if speakers else None, seed=k)
        for k, (n, who) in enumerate(((40, [1, 2]), (20, [3]), (30, [1, 3, 4])))
    ]
    return Splits(*parts, name="small", licence="none", source="tests")


def events_file(path: Path, n: int = 40) -> Path:
    """The same as an .npz of events without speakers."""
    data = recordings(n)
    np.savez(
        path, times_ms=data.spikes.step + 0.5, units=data.spikes.unit, sample=data.spikes.sample_of_event(),
        labels=data.labels,
    )  # fmt: skip
    return path
