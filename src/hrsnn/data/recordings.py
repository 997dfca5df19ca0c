"""Recordings of one's own, whatever the kind of their files, as `Splits`: found, divided, encoded by one `Chain`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrsnn._checks import instance, require
from hrsnn.data.cache import cached
from hrsnn.data.chain import Chain, EventGrid, encoded
from hrsnn.data.dataset import Dataset, Splits
from hrsnn.data.parts import Division, Recorded, divide
from hrsnn.data.readers import Found, Reader, Wanted, reader_of
from hrsnn.data.readers.wav import read_wav
from hrsnn.encode.audio import AudioCode
from hrsnn.encode.rates import whole_steps
from hrsnn.encode.values import ValueCode
from hrsnn.spikes import Spikes


def load_recordings(path: Path, reader: Reader, wanted: Wanted, *, test_path: Path | None = None) -> Splits:
    """The recordings at `path`, divided with a fixed seed and encoded by what the training part is like.

    `reader` is that of the path, not of a series. A test part that is given, by `test_path` or as folders `train` and
    `test`, stays as it is.
    """
    found = _read(reader, path, wanted)
    if reader.kind == "events":
        return _events(reader, path, found, wanted, test_path)
    if test_path is not None:
        require(found.parts is None, "task", "test_path", "must be left out: task.path has a test part", str(test_path))
        other = _read(reader_of(test_path, reader.kind), test_path, wanted)
        require(other.parts is None, "task", "test_path", "must be one part, not folders of parts", str(test_path))
        found = found + other
    known = _known(found)
    division = divide(known, seed=0, test_groups=wanted.test_groups, validation_groups=wanted.validation_groups)
    code: AudioCode | ValueCode
    if reader.kind == "recordings":
        code = AudioCode()
        code = replace(
            code, dt_ms=wanted.dt_ms or code.dt_ms, n_channels=wanted.n_channels or code.n_channels,
            f_max_hz=min(code.f_max_hz, max(2 * code.f_min_hz, _highest_hz(found.content))),
        )  # fmt: skip
    else:
        require(not wanted.n_channels, "task", "n_channels", "must be 0 for labelled series: they have their own",
                wanted.n_channels)  # fmt: skip
        values = _values(found)
        code = ValueCode.fit([values[k] for k in division.train], dt_ms=wanted.dt_ms or 1.0)
    n_steps = whole_steps("task", "max_ms", wanted.max_ms, code.dt_ms) if wanted.max_ms else None
    raw = cached(code, found.content, n_steps, lambda: encoded(code, found.content, n_steps=n_steps))
    if n_steps is None and not wanted.stretch_ms:
        n_steps = raw.n_steps
    chain = Chain(
        code, known.class_names, n_steps, wanted.stretch_ms, wanted.tail_ms, found.layout, found.label_column,
        cut=bool(wanted.max_ms),
    )  # fmt: skip
    return _splits(chain.on_grid(raw), known, division, chain, wanted.name)


def _read(reader: Reader, path: Path, wanted: Wanted) -> Found:
    return instance(type(reader).__name__, "read", reader.read(path, wanted), Found)


def _highest_hz(files: Sequence[Any]) -> float:
    """Nine tenths of half the lowest sampling rate: no channel listens where some recordings hold nothing."""
    return 0.45 * min(read_wav(file).rate_hz for file in files)


def _events(reader: Reader, path: Path, found: Found, wanted: Wanted, test_path: Path | None) -> Splits:
    """Recorded events: on the grid of the training file."""
    batch: Any = found.content[0]
    n_units, n_steps, dt_ms = batch.grid
    require(batch.n_events > 0, path.name, "events", "must hold one at least", "none")
    if test_path is not None:
        suffixes = ", ".join(reader.suffixes)
        alike = test_path.suffix.lower() in reader.suffixes
        require(alike, "task", "test_path", f"must be {suffixes}, as task.path", str(test_path))
        on_grid = replace(wanted, dt_ms=dt_ms, n_channels=n_units, max_ms=n_steps * dt_ms)
        found = found + _read(reader, test_path, on_grid)
    known = _known(found)
    division = divide(known, seed=0, test_groups=wanted.test_groups, validation_groups=wanted.validation_groups)
    chain = Chain(
        EventGrid(n_units, dt_ms), known.class_names, n_steps if wanted.max_ms or not wanted.stretch_ms else None,
        wanted.stretch_ms, wanted.tail_ms, cut=bool(wanted.max_ms),
    )  # fmt: skip
    return _splits(chain.encode(found.content), known, division, chain, wanted.name)


def _values(found: Found) -> list[NDArray[np.float64]]:
    """Recordings of values, which must all have as many variables."""
    values: list[Any] = list(found.content)
    n = values[0].shape[1]
    for k, x in enumerate(values):
        place = f"in recording {k} of {len(values)}"
        require(x.shape[1] == n, "task", "path", f"must hold recordings of {n} variables", x.shape[1], place=place)
    return values


def _known(found: Found) -> Recorded:
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
