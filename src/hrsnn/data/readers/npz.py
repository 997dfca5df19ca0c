"""An .npz file of events as a `Dataset`."""

from __future__ import annotations

import math
import zipfile
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrsnn._checks import FileError, check_all, check_column, require
from hrsnn.data.dataset import Dataset
from hrsnn.spikes import Spikes


def read_events(path: Path, *, dt_ms: float, n_units: int) -> Spikes:
    """The recordings of an .npz file of events; labels are not needed and not looked at."""
    return events_npz(path, dt_ms=dt_ms, n_units=n_units, labelled=False).spikes


def events_npz(
    path: str | PathLike[str],
    *,
    dt_ms: float = 1.0,
    n_units: int | None = None,
    max_ms: float | None = None,
    labelled: bool = True,
) -> Dataset:
    """The recordings of an .npz file of events.

    Arrays of the file: `times_ms`, `units` and `sample` (one entry per event; `sample` is the recording, from 0, and
    must not fall; times must not fall within a recording), `labels` (one per recording: whole numbers from 0, or text)
    and, if there, `groups` (whole numbers or text, one per recording) and `class_names`. `n_units` defaults to the
    largest unit plus 1. The grid holds the last event, or `max_ms`; what is later is left out. A recording may have no
    event.
    Without `labelled` no labels are needed: all recordings are of one class without a name.
    """
    path = Path(path)
    owner = path.name
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays: dict[str, NDArray[Any]] = {name: file[name] for name in file.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise FileError(f"{path}: cannot be read as .npz ({error})") from error
    if not labelled:
        n = int(np.max(arrays["sample"], initial=-1)) + 1 if "sample" in arrays else 0
        n = arrays["labels"].size if "labels" in arrays else n  # the last ones may have no event
        arrays |= {"labels": np.zeros(n, dtype=np.int64), "class_names": np.array([""])}
    for name in ("times_ms", "units", "sample", "labels"):
        if name not in arrays:
            raise FileError(f"{path}: the file has no array `{name}`; it has {sorted(arrays)}")
    n = arrays["labels"].size
    require(n >= 1, owner, "labels", "must hold at least one recording", "none")
    time = check_column(owner, "times_ms", arrays["times_ms"], dtype=np.float64, at_least=0)
    unit = check_column(owner, "units", arrays["units"], dtype=np.int64, length=time.size, at_least=0)
    sample = check_column(
        owner, "sample", arrays["sample"], dtype=np.int64, length=time.size, at_least=0, at_most=n - 1
    )
    falls = np.concatenate([[False], np.diff(sample) < 0])[: time.size]
    check_all(owner, "sample", "must not fall", sample, ~falls)
    falls = np.concatenate([[False], (np.diff(time) < 0) & (np.diff(sample) == 0)])[: time.size]
    check_all(owner, "times_ms", "must not fall within a recording", time, ~falls)
    if arrays["labels"].dtype.kind == "U":
        names, labels = np.unique(arrays["labels"], return_inverse=True)
    else:
        labels = check_column(owner, "labels", arrays["labels"], dtype=np.int64, at_least=0)
        names = arrays.get("class_names", np.arange(labels.max(initial=0) + 1).astype(str))
    n_units = int(unit.max(initial=0)) + 1 if n_units is None else n_units
    n_steps = math.ceil(max_ms / dt_ms) if max_ms is not None else int(time.max(initial=0.0) / dt_ms + 1e-9) + 1
    cuts = np.searchsorted(sample, np.arange(1, n))
    spikes = Spikes.from_times(
        np.split(time, cuts), np.split(unit, cuts), n_units=n_units, n_steps=n_steps, dt_ms=dt_ms, late="drop"
    )
    groups = arrays.get("groups")
    if groups is not None and groups.dtype.kind == "U":
        group_names, groups = np.unique(groups, return_inverse=True)
        return Dataset(spikes, labels, tuple(names.tolist()), groups, tuple(group_names.tolist()))
    return Dataset(spikes, labels, tuple(names.tolist()), groups)
