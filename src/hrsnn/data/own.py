"""Your own data: WAV files, an .npz of events or a CSV file in, a `Dataset` or `Series` out; and `split`."""

from __future__ import annotations

import numpy as np

from hrsnn._checks import InputError, instance, real_number, require, whole_number
from hrsnn.data.dataset import Dataset, Splits
from hrsnn.data.parts import Recorded, divide
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
    whole groups can meet a share only roughly, as the nearest 1/k. With fewer than four groups beside those of the test
    part, validation is a share of their recordings. Without `by_groups` the groups are ignored, and left out of the
    parts.
    Raises `InputError` where a class or the groups are too few to divide.
    """
    instance("split", "dataset", dataset, Dataset)
    seed = whole_number("split", "seed", seed, at_least=0)
    for field, share in (("test_share", test_share), ("validation_share", validation_share)):
        require(0 < real_number("split", field, share) < 1, "split", field, "must lie between 0 and 1", share)
    require(
        test_share + validation_share < 1, "split", "test_share", "and validation_share must sum to < 1", test_share
    )
    ok = by_groups is None or isinstance(by_groups, (bool, np.bool_))
    require(ok, "split", "by_groups", "must be true, false or None", by_groups)
    by_groups = dataset.groups is not None if by_groups is None else by_groups
    if by_groups and dataset.groups is None:
        raise InputError("`by_groups` of `split` needs groups, the data set has none")
    whole = dataset if by_groups else Dataset(dataset.spikes, dataset.labels, dataset.class_names)
    known = Recorded(whole.labels, whole.class_names, whole.groups)
    division = divide(known, seed=seed, test_share=test_share, validation_share=validation_share)
    return Splits(
        whole.select(division.train), whole.select(division.validation), whole.select(division.test), name, licence,
        source, validation_by_recordings=division.by_recordings,
    )  # fmt: skip
