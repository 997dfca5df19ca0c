"""Which of the recordings that are given are held out to choose the epoch by."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hrsnn._checks import require
from hrsnn.data.dataset import Dataset
from hrsnn.data.parts import share_of_each
from hrsnn.randomness import stream
from hrsnn.spikes import Spikes

Rows = NDArray[np.int64]


def divided(
    data: Dataset | Spikes, validation: Dataset | Spikes | None, share: float, seed: int
) -> tuple[Dataset | Spikes, Rows, Rows]:
    """Recordings, rows of them to learn from, and rows that are held out; none for a share of 0, or of one recording.

    Held out is `validation`, or else about `share` of `data`: whole groups, as long as half of the recordings remain;
    where that cannot be, a share of each class.

    >>> data = Spikes.empty(10, n_units=1, n_steps=1, dt_ms=1.0)
    >>> [rows.size for rows in divided(data, None, 0.2, 0)[1:]]
    [8, 2]
    """
    if validation is None or share == 0:
        return data, *_rows(data, share, seed)
    both = _joined(data, validation)
    everyone = np.arange(both.n_samples)
    return both, everyone[: data.n_samples], everyone[data.n_samples :]


def _joined(data: Dataset | Spikes, validation: Dataset | Spikes) -> Dataset | Spikes:
    """Both as one; groups are no longer of use. Raises `InputError` where grids or classes differ."""
    grids = [(one if isinstance(one, Spikes) else one.spikes).grid for one in (data, validation)]
    rule = f"must have the channels, steps and step of time of the data, {grids[0]}"
    require(grids[0] == grids[1], "learn", "validation", rule, grids[1])
    if isinstance(data, Spikes) or isinstance(validation, Spikes):
        assert isinstance(data, Spikes)
        assert isinstance(validation, Spikes)
        return Spikes.join([data, validation])
    rule = "must have the classes of the data, by name"
    require(validation.class_names == data.class_names, "learn", "validation", rule, validation.class_names)
    spikes = Spikes.join([data.spikes, validation.spikes])
    return Dataset(spikes, np.concatenate([data.labels, validation.labels]), data.class_names)


def _rows(data: Dataset | Spikes, share: float, seed: int) -> tuple[Rows, Rows]:
    n = data.n_samples
    everyone = np.arange(n)
    if share == 0 or n < 2:
        return everyone, everyone[:0]
    rng = stream(seed, "learn.held-out")
    if isinstance(data, Dataset) and data.groups is not None:
        held = _groups(data.groups, max(1, round(share * n)), rng)
        if held.size:
            return np.setdiff1d(everyone, held), held
    alike = np.zeros(n, np.int64)
    held = share_of_each(data.labels if isinstance(data, Dataset) else alike, share, rng)
    if not held.size:  # one recording of each class
        held = share_of_each(alike, share, rng)
    return np.setdiff1d(everyone, held), held


def _groups(groups: NDArray[np.int64], wanted: int, rng: np.random.Generator) -> Rows:
    """Those of whole groups, in a random order until there are enough; one that is too large waits. None if all are."""
    numbers, sizes = np.unique(groups, return_counts=True)
    chosen, n = list[int](), 0
    for index in rng.permutation(numbers.size):
        is_most = 2 * (n + sizes[index]) > groups.size
        if n < wanted and not is_most and (not chosen or n + sizes[index] <= 1.5 * wanted):
            chosen.append(numbers[index])
            n += int(sizes[index])
    return np.flatnonzero(np.isin(groups, chosen))
