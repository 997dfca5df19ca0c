"""Which of the recordings that are given are held out to choose the epoch by."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hrsnn.data.dataset import Dataset
from hrsnn.randomness import stream
from hrsnn.spikes import Spikes

Rows = NDArray[np.int64]


def divided(data: Dataset | Spikes, share: float, seed: int) -> tuple[Rows, Rows]:
    """Rows to learn from, and about `share` of all that are held out; none for a share of 0, or of one recording.

    Whole groups where there are several, so long as half of the recordings remain; else each class alike.

    >>> [rows.size for rows in divided(Spikes.empty(10, n_units=1, n_steps=1, dt_ms=1.0), 0.2, 0)]
    [8, 2]
    """
    n = data.spikes.n_samples if isinstance(data, Dataset) else data.n_samples
    everyone = np.arange(n)
    if share == 0 or n < 2:
        return everyone, everyone[:0]
    rng = stream(seed, "learn.held-out")
    wanted = max(1, round(share * n))
    held = None if isinstance(data, Spikes) or data.groups is None else _groups(data.groups, wanted, rng)
    if held is None:
        held = _alike(n, None if isinstance(data, Spikes) else data.labels, wanted, rng)
    return np.setdiff1d(everyone, held), held


def _groups(groups: NDArray[np.int64], wanted: int, rng: np.random.Generator) -> Rows | None:
    """Those of whole groups, in a random order until there are enough; a group that is much too large waits."""
    numbers, sizes = np.unique(groups, return_counts=True)
    chosen, n = list[int](), 0
    for index in rng.permutation(numbers.size):
        if n < wanted and (not chosen or n + sizes[index] <= 1.5 * wanted):
            chosen.append(numbers[index])
            n += int(sizes[index])
    return np.flatnonzero(np.isin(groups, chosen)) if n <= groups.size // 2 else None


def _alike(n: int, labels: NDArray[np.int64] | None, wanted: int, rng: np.random.Generator) -> Rows:
    """The first of each class in a random order, then the second of each, and so on."""
    order = rng.permutation(n)
    if labels is not None:
        place = np.empty(n, np.int64)
        for label in np.unique(labels):
            of_class = order[labels[order] == label]
            place[of_class] = np.arange(of_class.size)
        order = order[np.argsort(place[order], kind="stable")]
    return np.sort(order[:wanted])
