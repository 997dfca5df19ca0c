"""An .npz file of events, as a `Dataset`."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrsnn._checks import (
    FileError,
    InputError,
    as_path,
    check_all,
    check_column,
    real_number,
    require,
    time_step,
    whole_number,
)
from hrsnn.data.dataset import Dataset
from hrsnn.data.readers.reader import Found, Like, Reader, Recording, Wanted
from hrsnn.encode.events import check_pixels, pooled_units
from hrsnn.encode.rates import from_keys
from hrsnn.spikes import STEPS_END, n_steps_of, rising, to_steps

_UNIT_MS = {"times_ms": 1.0, "times_us": 1e-3, "times_s": 1e3}
_KNOWN = (*_UNIT_MS, "units", "x", "y", "polarity", "sensor", "sample", "labels", "groups", "class_names")


class Events(Reader):
    """Recorded events in an .npz."""

    kind = "events"
    words = {"an .npz": "of events"}
    suffixes = (".npz",)
    new_suffixes = (".npz",)

    def takes(self, path: Path) -> bool:
        """All but labelled values; what is damaged too: it is told best here."""
        return not holds_values(path)

    def read(self, path: Path, wanted: Wanted) -> Found:
        rule = "is for names of files; an .npz has an array `groups`"
        require(not wanted.group_pattern, "task", "group_pattern", rule, wanted.group_pattern)
        found = events_npz(
            path, dt_ms=wanted.dt_ms or 1.0, n_units=wanted.n_channels or None, max_ms=wanted.max_ms or None
        )
        labels = [found.class_names[label] for label in found.labels.tolist()]
        groups = None
        if found.groups is not None:
            names = found.group_names
            groups = [str(group) if names is None else names[group] for group in found.groups.tolist()]
        return Found([found.spikes], labels, groups, class_order=found.class_names)

    def read_new(self, path: Path, like: Like) -> Sequence[Recording]:
        return [events_npz(path, dt_ms=like.dt_ms, n_units=like.n_units, labelled=False).spikes]


def holds_values(path: Path) -> bool:
    """Whether an .npz holds labelled series, not events."""
    try:
        with np.load(path, allow_pickle=False) as file:
            return "values" in file.files and not any(name.startswith("times_") for name in file.files)
    except Exception:  # the reader of events says what is wrong with it
        return False


def events_npz(
    path: str | PathLike[str],
    *,
    dt_ms: float = 1.0,
    n_units: int | None = None,
    max_ms: float | None = None,
    labelled: bool = True,
) -> Dataset:
    """The recordings of an .npz file of events.

    Arrays of the file, one entry per event: `times_ms` (or `times_us`, or `times_s`), which must not fall within a
    recording; `units`; and `sample`, the recording, from 0, which must not fall. One per recording: `labels`, whole
    numbers or text; and, if there, `groups`, whole numbers or text, numbered in sorted order. Classes are the labels
    that occur, in sorted order, or those of `class_names`, if there, which whole numbers from 0 count. Other arrays are
    not looked at.

    Instead of `units` there may be the pixels of an event camera, `x`, `y` and, if wanted, `polarity`, pooled as by
    `pool_events` from a sensor of (height, width) `sensor`, or as far as the events reach.

    `n_units` defaults to the largest unit plus 1. The grid holds the last event, or `max_ms`; what is later is left
    out. A recording may have no event. Without `labelled` no labels are needed: all recordings are of one class without
    a name.
    """
    path = as_path("events_npz", "path", path)
    owner = path.name
    arrays = _arrays(path, labelled=labelled)
    if labelled:
        label, names = _labels(owner, arrays["labels"], arrays.get("class_names"))
    else:  # the last recordings may have no event
        n = arrays["labels"].size if "labels" in arrays else int(np.max(arrays["sample"], initial=-1)) + 1
        label, names = np.zeros(n, dtype=np.int64), ("",)
    n = label.size
    dt_ms = time_step("events_npz", dt_ms)
    name = next(name for name in _UNIT_MS if name in arrays)
    # Their own type says how far times may be from a whole step and still mean it.
    times = check_column(owner, name, arrays[name], dtype=arrays[name].dtype.type, at_least=0)
    unit, n_units = _units(owner, arrays, times.size, n_units)
    sample = check_column(
        owner, "sample", arrays["sample"], dtype=np.int64, length=times.size, at_least=0, at_most=n - 1
    )
    falls = np.concatenate([[False], np.diff(sample) < 0])[: times.size]
    check_all(owner, "sample", "must not fall", sample, ~falls)
    falls = np.concatenate([[False], (times[1:] < times[:-1]) & (np.diff(sample) == 0)])[: times.size]
    check_all(owner, name, "must not fall within a recording", times, ~falls)
    step = to_steps(times, dt_ms, unit_ms=_UNIT_MS[name])
    if max_ms is not None:
        n_steps = n_steps_of(real_number("events_npz", "max_ms", max_ms, above=0), dt_ms)
    else:
        n_steps = int(step.max(initial=0)) + 1
        require(n_steps < STEPS_END, owner, name, f"must be less than {STEPS_END} steps of {dt_ms:g} ms", n_steps)
    inside = step < n_steps
    key = step[inside] * n_units + unit[inside]
    keys = [rising(part) for part in np.split(key, np.searchsorted(sample[inside], np.arange(1, n)))]
    spikes = from_keys(keys, n_units=n_units, n_steps=n_steps, dt_ms=dt_ms)
    return Dataset(spikes, label, names, *_groups(owner, arrays))


def _arrays(path: Path, *, labelled: bool) -> dict[str, NDArray[Any]]:
    """The arrays that are known by name; what is damaged, or would need code to be read, is told."""
    arrays: dict[str, NDArray[Any]] = {}
    try:
        file = np.load(path, allow_pickle=False)
    except Exception as error:  # a damaged file makes NumPy and zipfile raise a dozen classes of errors
        raise FileError(f"{path}: cannot be read as .npz ({_short(error)})") from error
    if isinstance(file, np.ndarray):
        raise FileError(f"{path}: cannot be read as .npz (it is a single array, as of `np.save`; use `np.savez`)")
    with file:
        found = sorted(file.files)
        for name in (name for name in _KNOWN if name in found):
            try:
                array = file[name]
            except Exception as error:
                if "allow_pickle" in str(error):
                    what = "Python objects; it must be a plain array of numbers or text"
                    raise FileError(f"{path}: cannot be read as .npz: its array `{name}` holds {what}") from error
                raise FileError(f"{path}: cannot be read as .npz: its array `{name}`: {_short(error)}") from error
            if not isinstance(array, np.ndarray):  # the bytes of what is none
                raise FileError(f"{path}: cannot be read as .npz: `{name}` in it is not an array")
            arrays[name] = array
    units = ("x", "y") if "x" in arrays or "y" in arrays else ("units",)
    for name in ("times_ms", *units, "sample", *["labels"] * labelled):
        if name not in arrays and not (name == "times_ms" and any(other in arrays for other in _UNIT_MS)):
            raise FileError(f"{path}: the file has no array `{name}`; it has {_short(found)}")
    for given in ([name for name in _UNIT_MS if name in arrays], [name for name in ("units", "x") if name in arrays]):
        require(len(given) == 1, path.name, given[0], "must stand alone", f"beside `{given[-1]}`")
    return arrays


def _units(
    owner: str, arrays: dict[str, NDArray[Any]], n_events: int, n_units: int | None
) -> tuple[NDArray[np.int64], int]:
    """The unit of every event, and how many there are."""
    if "units" in arrays:
        most = (
            None if n_units is None else whole_number("events_npz", "n_units", n_units, at_least=1, below=STEPS_END) - 1
        )
        unit = check_column(owner, "units", arrays["units"], dtype=np.int64, length=n_events, at_least=0, at_most=most)
        return unit, (int(unit.max(initial=0)) if most is None else most) + 1
    sensor = None
    if "sensor" in arrays:
        sides = check_column(owner, "sensor", arrays["sensor"], dtype=np.int64, length=2, at_least=1).tolist()
        sensor = (sides[0], sides[1])
    polarity = arrays.get("polarity", np.zeros(n_events, dtype=np.int64))
    x, y, on = check_pixels(owner, arrays["x"], arrays["y"], polarity, length=n_events, sensor=sensor)
    unit, n_pooled = pooled_units(owner, x, y, on if "polarity" in arrays else None, sensor=sensor)
    remedy = "give the sensor's (height, width) as an array `sensor` in this file and in the one that was trained on"
    require(n_units in (None, n_pooled), owner, "x", f"and `y` must give {n_units} channels", n_pooled, remedy=remedy)
    return unit, n_pooled


def _labels(
    owner: str, labels: NDArray[Any], class_names: NDArray[Any] | None
) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """The class of every recording, and the names of the classes."""
    require(labels.size >= 1, owner, "labels", "must hold at least one recording", "none")
    if labels.dtype.kind in "US":
        names, index = np.unique(_text(owner, "labels", labels), return_inverse=True)
        return index.astype(np.int64), tuple(names.tolist())
    numbers = check_column(owner, "labels", labels, dtype=np.int64, at_least=0, at_most=2**31 - 1)
    if class_names is not None:
        known = tuple(_text(owner, "class_names", class_names).tolist())
        require(len(set(known)) == len(known), owner, "class_names", "must differ", list(known))
        check_all(owner, "labels", f"must be < {len(known)}, the number of class names", numbers, numbers < len(known))
        return numbers, known
    found, index = np.unique(numbers, return_inverse=True)
    return index.astype(np.int64), tuple(str(number) for number in found.tolist())


def _groups(owner: str, arrays: dict[str, NDArray[Any]]) -> tuple[NDArray[np.int64] | None, tuple[str, ...] | None]:
    """Who every recording belongs to, and the names of the groups where they are text."""
    groups = arrays.get("groups")
    if groups is None or groups.dtype.kind not in "US":
        return None if groups is None else check_column(owner, "groups", groups, dtype=np.int64), None
    names, index = np.unique(_text(owner, "groups", groups), return_inverse=True)
    return index.astype(np.int64), tuple(names.tolist())


def _text(owner: str, name: str, values: NDArray[Any]) -> NDArray[np.str_]:
    """An array of text, also of bytes, which are taken for UTF-8."""
    require(values.ndim == 1, owner, name, "must have one dimension", f"shape {values.shape}")
    require(values.dtype.kind in "US", owner, name, "must be text", f"dtype {values.dtype}")
    try:
        return np.char.decode(values, "utf-8") if values.dtype.kind == "S" else values
    except UnicodeDecodeError as error:
        raise InputError(f"`{name}` of `{owner}` must be text, got bytes that are not UTF-8 ({error})") from error


def _short(value: object) -> str:
    text = str(value) or type(value).__name__
    return text if len(text) <= 200 else text[:197] + "..."
