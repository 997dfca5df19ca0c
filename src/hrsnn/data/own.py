"""Your own data: WAV files, an .npz of events or a CSV file in, a `Dataset` or `Series` out; and `split`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hrsnn._checks import InputError, require
from hrsnn.data.dataset import Dataset, Splits
from hrsnn.data.readers.csv import csv_series
from hrsnn.data.readers.npz import events_npz
from hrsnn.data.readers.wav import wav_folder

__all__ = ["csv_series", "events_npz", "split", "wav_folder"]


def split(
    dataset: Dataset,
    *,
    seed: int,
    test_share: float = 0.2,
    validation_share: float = 0.2,
    by_groups: bool | None = None,
    name: str = "own",
    licence: str = "not stated",
    source: str = "own recordings",
) -> Splits:
    """`dataset` in three parts with the classes in equal shares.

    Shares are of all recordings. With `by_groups` (default: whenever there are groups) no group lies in two parts;
    whole groups can meet a share only roughly, as the nearest 1/k. Without it the groups are ignored, and left out of
    the parts.
    Raises `InputError` where a class or the groups are too few to divide.
    """
    from sklearn.model_selection import StratifiedGroupKFold, train_test_split

    for field, share in (("test_share", test_share), ("validation_share", validation_share)):
        require(0 < share < 1, "split", field, "must lie between 0 and 1", share)
    require(
        test_share + validation_share < 1, "split", "test_share", "and validation_share must sum to < 1", test_share
    )
    by_groups = dataset.groups is not None if by_groups is None else by_groups
    if by_groups and dataset.groups is None:
        raise InputError("`by_groups` of `split` needs groups, the data set has none")

    def held_out(pool: NDArray[np.intp], share: float) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        if not by_groups:
            rest, out = train_test_split(pool, test_size=share, stratify=dataset.labels[pool], random_state=seed)
            return np.sort(rest), np.sort(out)
        assert dataset.groups is not None
        n_folds = max(2, round(1 / share))
        n_groups = np.unique(dataset.groups[pool]).size
        require(
            n_groups >= n_folds, "split", "groups", f"must be at least {n_folds} for a share of {share:g}", n_groups
        )
        folds = StratifiedGroupKFold(n_folds, shuffle=True, random_state=seed)
        rest, out = next(folds.split(pool, dataset.labels[pool], dataset.groups[pool]))
        return pool[rest], pool[out]

    try:
        rest, test = held_out(np.arange(dataset.n_samples), test_share)
        train, validation = held_out(rest, validation_share / (1 - test_share))
    except InputError:
        raise
    except ValueError as error:  # scikit-learn's own sentence on classes with too few members
        raise InputError(f"`dataset` of `split` cannot be divided: {error}") from error
    whole = dataset if by_groups else Dataset(dataset.spikes, dataset.labels, dataset.class_names)
    return Splits(whole.select(train), whole.select(validation), whole.select(test), name, licence, source)
