"""Recordings of one's own, whatever the kind of their files, as `Splits`: found, divided, encoded by one `Chain`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from hrsnn._checks import FileError, InputError, require
from hrsnn.data.cache import cached
from hrsnn.data.chain import Chain, EventGrid, encoded
from hrsnn.data.dataset import Dataset, Splits
from hrsnn.data.parts import Division, Recorded, divide
from hrsnn.data.readers.folder import EXAMPLES, SOUNDS, TABLES, examples_in, files_in, folder_files, pair_in
from hrsnn.data.readers.labelled import Layout, has_values, is_labelled, read_example, read_labelled
from hrsnn.data.readers.npz import events_npz
from hrsnn.data.readers.wav import read_wav
from hrsnn.encode.audio import AudioCode
from hrsnn.encode.rates import whole_steps
from hrsnn.encode.values import ValueCode
from hrsnn.spikes import Spikes

FileKind = Literal["auto", "recordings", "events", "labelled", "series"]
WHAT_CAN_BE_READ = (
    "a folder of WAV files or of one CSV, TXT or NPY file per example; an .npz of events or of labelled values; a .ts, "
    ".arff, .tsv or .txt of labelled series; a .csv of either kind of series"
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """How recordings are read, divided and encoded: keys of `[task]` of the same names; empty ones are left open."""

    dt_ms: float = 0.0
    n_channels: int = 0
    max_ms: float = 0.0
    stretch_ms: float = 0.0
    tail_ms: float = 0.0
    label_column: str = ""
    group_pattern: str = ""
    test_groups: Sequence[str] = ()
    validation_groups: Sequence[str] = ()


@dataclass(slots=True)
class _Found:
    """Recordings as they lie in their files: paths of sounds, arrays of values, or events; and what is told of them."""

    content: list[Any]
    labels: list[str]
    groups: list[str] | None = None
    parts: list[str] | None = None
    group_word: str = "group"
    layout: Layout = "files"
    label_column: str = ""
    class_order: Sequence[str] = ()  # of the classes that the files put in an order

    def __add__(self, other: _Found) -> _Found:
        """These to train, the others to test."""
        require((self.groups is None) == (other.groups is None), "task", "test_path",
                "must have groups exactly if task.path has", "the other")  # fmt: skip
        groups = None if self.groups is None or other.groups is None else self.groups + other.groups
        parts = ["train"] * len(self.labels) + ["test"] * len(other.labels)
        return replace(
            self, content=self.content + other.content, labels=self.labels + other.labels, groups=groups, parts=parts
        )


def kind_of(path: Path, kind: FileKind = "auto") -> FileKind:
    """What lies at `path`, in words of `task.kind`, by its suffix, the files in it or, for .csv and .npz, its content.

    Raises `InputError` for what cannot be read, saying what can, and `FileError` where nothing is.
    """
    suffix = path.suffix.lower()
    if path.is_dir():
        possible: tuple[FileKind, ...] = ("recordings", "labelled")
        sounds = kind == "recordings" or (kind == "auto" and bool(files_in(path, SOUNDS)))
        found: FileKind = "recordings" if sounds else "labelled"
        if kind == "auto" and not sounds and not files_in(path, (*TABLES, *EXAMPLES)):
            raise FileError(f"{path}: no WAV file in this folder or its sub-folders, nor one of {', '.join(EXAMPLES)}")
    elif suffix == ".npz":
        possible = ("events", "labelled")
        found = "labelled" if kind == "auto" and has_values(path) else "events"
    elif suffix == ".csv":
        possible = ("labelled", "series")
        found = "labelled" if kind == "auto" and path.is_file() and is_labelled(path) else "series"
    elif suffix in TABLES:
        possible = ("labelled",)
        found = "labelled"
    elif not path.exists():
        raise FileError(f"`task.path` must be {WHAT_CAN_BE_READ}; there is no {path}")
    else:
        raise InputError(f"`task.path` must be {WHAT_CAN_BE_READ}, got {path}")
    if kind == "auto":
        return found
    require(kind in possible, "task", "kind", f'must be "auto" or "{possible[0]}" for {path.name}', kind)
    return kind


def load_recordings(
    path: Path, kind: FileKind, wanted: Wanted, *, test_path: Path | None = None, name: str = "own"
) -> Splits:
    """The recordings at `path`, divided with a fixed seed and encoded by what the training part is like.

    `kind` is one that `kind_of` gave, not a series. A test part that is given, by `test_path` or as folders `train` and
    `test`, stays as it is.
    """
    if kind == "events":
        return _events(path, wanted, test_path=test_path, name=name)
    found = _found(path, kind, wanted)
    if test_path is not None:
        require(found.parts is None, "task", "test_path", "must be left out: task.path has a test part", str(test_path))
        require(kind_of(test_path, kind) == kind, "task", "test_path", f"must be {kind}, as task.path", str(test_path))
        other = _found(test_path, kind, wanted)
        require(other.parts is None, "task", "test_path", "must be one part, not folders of parts", str(test_path))
        found = found + other
    known = _known(found)
    division = divide(known, seed=0, test_groups=wanted.test_groups, validation_groups=wanted.validation_groups)
    code: AudioCode | ValueCode
    if kind == "recordings":
        code = AudioCode()
        code = replace(
            code, dt_ms=wanted.dt_ms or code.dt_ms, n_channels=wanted.n_channels or code.n_channels,
            f_max_hz=min(code.f_max_hz, max(2 * code.f_min_hz, _highest_hz(found.content))),
        )  # fmt: skip
    else:
        require(not wanted.n_channels, "task", "n_channels", "must be 0 for labelled series: they have their own",
                wanted.n_channels)  # fmt: skip
        _require_variables(found)
        code = ValueCode.fit([found.content[k] for k in division.train], dt_ms=wanted.dt_ms or 1.0)
    n_steps = whole_steps("task", "max_ms", wanted.max_ms, code.dt_ms) if wanted.max_ms else None
    raw = cached(code, found.content, n_steps, lambda: encoded(code, found.content, n_steps=n_steps))
    if n_steps is None and not wanted.stretch_ms:
        n_steps = raw.n_steps
    chain = Chain(
        code, known.class_names, n_steps, wanted.stretch_ms, wanted.tail_ms, found.layout, found.label_column,
        cut=bool(wanted.max_ms),
    )  # fmt: skip
    return _splits(chain.on_grid(raw), known, division, chain, name)


def _highest_hz(files: Sequence[Path]) -> float:
    """Nine tenths of half the lowest sampling rate: no channel listens where some recordings hold nothing."""
    return 0.45 * min(read_wav(file).rate_hz for file in files)


def _events(path: Path, wanted: Wanted, *, test_path: Path | None, name: str) -> Splits:
    """Recorded events: on the grid of the training file."""
    require(not wanted.group_pattern, "task", "group_pattern", "is for names of files; an .npz has an array `groups`",
            wanted.group_pattern)  # fmt: skip
    dt_ms = wanted.dt_ms or 1.0
    first = events_npz(path, dt_ms=dt_ms, n_units=wanted.n_channels or None, max_ms=wanted.max_ms or None)
    n_units, n_steps, _ = first.spikes.grid
    require(first.spikes.n_events > 0, path.name, "events", "must hold one at least", "none")
    found = _found_events(first)
    if test_path is not None:
        require(test_path.suffix.lower() == ".npz", "task", "test_path", "must be .npz, as task.path", str(test_path))
        found = found + _found_events(events_npz(test_path, dt_ms=dt_ms, n_units=n_units, max_ms=n_steps * dt_ms))
    known = _known(found)
    division = divide(known, seed=0, test_groups=wanted.test_groups, validation_groups=wanted.validation_groups)
    chain = Chain(
        EventGrid(n_units, dt_ms), known.class_names, n_steps if wanted.max_ms or not wanted.stretch_ms else None,
        wanted.stretch_ms, wanted.tail_ms, cut=bool(wanted.max_ms),
    )  # fmt: skip
    return _splits(chain.encode(found.content), known, division, chain, name)


def _found_events(dataset: Dataset) -> _Found:
    labels = [dataset.class_names[label] for label in dataset.labels.tolist()]
    groups = None
    if dataset.groups is not None:
        names = dataset.group_names
        groups = [str(group) if names is None else names[group] for group in dataset.groups.tolist()]
    return _Found([dataset.spikes], labels, groups, class_order=dataset.class_names)


def _found(path: Path, kind: FileKind, wanted: Wanted) -> _Found:
    """Sounds or labelled series at `path`."""
    if path.is_dir():
        pair = pair_in(path) if kind == "labelled" else None
        if pair is not None:
            return _table(pair[0], wanted) + _table(pair[1], wanted)
        files = files_in(path, SOUNDS) if kind == "recordings" else examples_in(path)
        listed = folder_files(path, files, wanted.group_pattern)
        content: list[Any] = listed.files if kind == "recordings" else [read_example(file) for file in listed.files]
        return _Found(content, listed.labels, listed.groups, listed.parts, listed.group_word)
    return _table(path, wanted)


def _table(path: Path, wanted: Wanted) -> _Found:
    rule = "is for names of files in a folder; a table has a column `group`, an .npz an array `groups`"
    require(not wanted.group_pattern, "task", "group_pattern", rule, wanted.group_pattern)
    examples = read_labelled(path, label_column=wanted.label_column)
    return _Found(
        list(examples.values), examples.labels, examples.groups, layout="rows", label_column=examples.label_column
    )


def _require_variables(found: _Found) -> None:
    n = found.content[0].shape[1]
    for k, x in enumerate(found.content):
        place = f"in recording {k} of {len(found.content)}"
        require(x.shape[1] == n, "task", "path", f"must hold recordings of {n} variables", x.shape[1], place=place)


def _known(found: _Found) -> Recorded:
    names, labels = _numbered(found.labels, found.class_order)
    if found.groups is None:
        return Recorded(labels, names, parts=found.parts)
    group_names, groups = _numbered(found.groups)
    return Recorded(labels, names, groups, group_names, found.group_word, found.parts)


def _numbered(texts: Sequence[str], order: Sequence[str] = ()) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """The different texts, in this `order` or that of numbers where all are some, and which of them each is."""
    names = sorted(set(texts), key=lambda name: (order.index(name) if name in order else len(order), name))
    if not order and all(re.fullmatch(r"-?\d+", name) for name in names):
        names.sort(key=int)
    place = {name: k for k, name in enumerate(names)}
    return tuple(names), np.array([place[text] for text in texts], dtype=np.int64)


def _splits(spikes: Spikes, known: Recorded, division: Division, chain: Chain, name: str) -> Splits:
    dataset = Dataset(spikes, known.labels, known.class_names, known.groups, known.group_names or None)
    return Splits(
        dataset.select(division.train), dataset.select(division.validation), dataset.select(division.test), name,
        "not stated", "own recordings", chain, known.group_word, division.by_recordings,
    )  # fmt: skip
