"""Which recordings train, which choose and which test: at random, by whole groups, by named groups, or as given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hrsnn._checks import InputError, did_you_mean, require
from hrsnn.randomness import stream

Rows = NDArray[np.intp]

# Where fewer groups than this are left for training, one of them is too much to give to validation.
_N_GROUPS_TO_VALIDATE = 4


@dataclass(frozen=True, slots=True)
class Division:
    """Rows of the three parts, rising. `by_recordings`: validation was divided without regard to the groups."""

    train: Rows
    validation: Rows
    test: Rows
    by_recordings: bool = False


@dataclass(frozen=True, slots=True)
class Recorded:
    """What is known of recordings before they are encoded; groups and parts ("train", "test", "validation") or None."""

    labels: NDArray[np.int64]
    class_names: tuple[str, ...]
    groups: NDArray[np.int64] | None = None
    group_names: tuple[str, ...] = ()
    group_word: str = "group"
    parts: Sequence[str] | None = None


def divide(
    known: Recorded,
    *,
    seed: int,
    test_share: float = 0.2,
    validation_share: float = 0.2,
    test_groups: Sequence[str] = (),
    validation_groups: Sequence[str] = (),
) -> Division:
    """The parts. What is given stays as it is; the rest is drawn with the classes in equal shares.

    The test part is the one given, or `test_groups`, or, where there are groups, whole groups, as near to `test_share`
    as groups go, else a share of each class. Validation comes from what is left in the same way; but with fewer than
    four groups left it is a share of their recordings. Shares are of all recordings, or of those beside a test part
    that is given or named.
    Raises `InputError` where a class, the classes or the groups are too few, or a class is missing in training.
    """
    n_classes = np.unique(known.labels).size
    require(n_classes >= 2, "task", "path", "must hold recordings of two classes at least", known.class_names[0])
    rows = np.arange(known.labels.size)
    parts = None if known.parts is None else np.asarray(known.parts)
    named = {"test_groups": test_groups, "validation_groups": validation_groups}
    if any(named.values()) and known.groups is None:
        raise InputError(f"`task.{'test_groups' if test_groups else 'validation_groups'}` needs task.group_pattern")
    if parts is not None and test_groups:
        raise InputError("`task.test_groups` must be left out where a test part is given by task.test_path or a folder")
    both = sorted(set(test_groups) & set(validation_groups))
    require(not both, "task", "validation_groups", "must not be among test_groups", both)

    if parts is not None:
        test = rows[parts == "test"]
    elif test_groups:
        test = _of_groups(known, test_groups, "test_groups", rows)
    elif known.groups is not None:
        test = _whole_groups(known, rows, test_share, seed)
    else:
        test = _share_of_classes(known, rows, test_share, seed)
    if parts is None and not test_groups:
        validation_share /= 1 - test_share  # the same share, of what is left
    rest = np.setdiff1d(rows, test)

    by_recordings = False
    if parts is not None and (parts == "validation").any():
        require(not validation_groups, "task", "validation_groups", "must be left out: validation is given",
                list(validation_groups))  # fmt: skip
        validation = rows[parts == "validation"]
    elif validation_groups:
        validation = _of_groups(known, validation_groups, "validation_groups", rest)
    elif known.groups is not None and np.unique(known.groups[rest]).size >= _N_GROUPS_TO_VALIDATE:
        validation = _whole_groups(known, rest, validation_share, seed)
    else:
        validation = _share_of_classes(known, rest, validation_share, seed)
        by_recordings = known.groups is not None
    train = np.setdiff1d(rest, validation)
    if known.groups is not None:  # parts that are given may share groups
        by_recordings = by_recordings or bool(np.isin(known.groups[validation], known.groups[train]).any())
    _require_classes(known, train)
    return Division(train, validation, test, by_recordings)


def _of_groups(known: Recorded, names: Sequence[str], key: str, rows: Rows) -> Rows:
    assert known.groups is not None
    for name in names:
        require(name in known.group_names, "task", key, f"must be {known.group_word}s in the data", name,
                remedy=did_you_mean(name, known.group_names))  # fmt: skip
    chosen = np.isin(known.groups[rows], [known.group_names.index(name) for name in names])
    require(chosen.any(), "task", key, "must have recordings beside the test part", list(names))
    require(not chosen.all(), "task", key, "must leave some for training", list(names))
    return rows[chosen]


def _whole_groups(known: Recorded, rows: Rows, share: float, seed: int) -> Rows:
    from sklearn.model_selection import StratifiedGroupKFold

    assert known.groups is not None
    n_groups = np.unique(known.groups[rows]).size
    require(
        n_groups >= 2, "task", "group_pattern", f"must tell at least 2 {known.group_word}s, to hold one out", n_groups,
        remedy="leave it out to divide by recordings",
    )  # fmt: skip
    folds = StratifiedGroupKFold(min(max(2, round(1 / share)), n_groups), shuffle=True, random_state=seed)
    try:
        _, out = next(folds.split(rows, known.labels[rows], known.groups[rows]))
    except ValueError as error:  # scikit-learn's own sentence
        raise InputError(f"the recordings cannot be divided by {known.group_word}: {error}") from error
    return np.sort(rows[np.asarray(out, dtype=np.intp)])


def _share_of_classes(known: Recorded, rows: Rows, share: float, seed: int) -> Rows:
    from sklearn.model_selection import train_test_split

    labels = known.labels[rows]
    for label in np.unique(labels).tolist():
        n = int((known.labels == label).sum())
        if (labels == label).sum() < 2:
            raise InputError(
                f'class "{known.class_names[label][:60]}" cannot be divided, it has {n} recording{"s" * (n != 1)}: '
                "each part needs one of every class; add some, or take the class out of task.path"
            )
    try:
        _, out = train_test_split(rows, test_size=share, stratify=labels, random_state=seed)
        if np.unique(known.labels[out]).size == np.unique(labels).size:
            return np.sort(out)
    except ValueError:  # fewer recordings in the share than classes
        pass
    # classes too small for their share give one
    return rows[share_of_each(labels, share, stream(seed, "parts"))]


def share_of_each(labels: NDArray[np.int64], share: float, rng: np.random.Generator) -> Rows:
    """Rows of a share of every class, drawn by `rng`, rising: of a small class one, of one recording none.

    >>> share_of_each(np.array([0, 0, 0, 1, 1, 2]), 0.2, np.random.default_rng(0)).size
    2
    """
    chosen = []
    for label in np.unique(labels):
        of_class = np.flatnonzero(labels == label)
        n_out = min(max(1, round(share * of_class.size)), of_class.size - 1)
        chosen.append(rng.choice(of_class, size=n_out, replace=False))
    return np.sort(np.concatenate(chosen))


def _require_classes(known: Recorded, train: Rows) -> None:
    missing = np.setdiff1d(known.labels, known.labels[train]).tolist()
    if missing:
        names = ", ".join(f'"{known.class_names[label][:60]}"' for label in missing[:5])
        raise InputError(
            f"no recording of {names} is in the training part; every class must be in it: name other task.test_groups "
            "or task.validation_groups, or take the class out of the test data"
        )
