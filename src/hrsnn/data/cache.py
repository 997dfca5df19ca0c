"""Encoded recordings kept on disk, keyed by their content: a second run on the same recordings starts at once."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrsnn._checks import as_path
from hrsnn.data.chain import Code, Recordings, code_to_dict
from hrsnn.spikes import Spikes

CODE_VERSION = 1  # raised whenever a code gives other spikes than before
MAX_BYTES = 2 * 2**30  # of all entries together; those that were not used for longest go first
_SUFFIX = ".spikes.npz"


def directory() -> Path | None:
    """Where entries lie: `$HRSNN_CACHE`, else the user cache; None where the variable is "off"."""
    given = os.environ.get("HRSNN_CACHE")
    if given:
        return None if given == "off" else as_path("hrsnn", "HRSNN_CACHE", given)
    from hrsnn.data import user_cache

    return user_cache() / "encoded"


def cached(code: Code, recordings: Recordings, n_steps: int | None, make: Callable[[], Spikes]) -> Spikes:
    """The spikes that `make` gives of these recordings by this code in so many steps, from an entry if there is one.

    Files and arrays count by content, so that another division into parts finds them again. An entry appears whole or
    not at all: processes may share the directory. One that is damaged is made again. Where nothing can be read or
    written nothing is kept, and nothing fails.
    """
    place = directory()
    if place is None:
        return make()
    try:
        entry = place / f"{_key(code, recordings, n_steps)}{_SUFFIX}"
    except OSError:
        return make()  # which says what cannot be read
    found = _load(entry, len(recordings))
    if found is None:
        found = make()
        _save(entry, found)
    return found


def _key(code: Code, recordings: Recordings, n_steps: int | None) -> str:
    facts = [CODE_VERSION, type(code).__name__, code_to_dict(code), n_steps]
    told = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
    for recording in recordings:
        if isinstance(recording, Path):
            with recording.open("rb") as content:
                told.update(hashlib.file_digest(content, "sha256").digest())
        elif isinstance(recording, np.ndarray):
            told.update(f"{recording.shape}{recording.dtype}".encode())
            told.update(hashlib.sha256(np.ascontiguousarray(recording).data).digest())
    return told.hexdigest()


def _load(entry: Path, n_samples: int) -> Spikes | None:
    try:
        with np.load(entry, allow_pickle=False) as file:  # every array has a checksum, which is compared
            ptr, step, unit, grid = (file[name] for name in ("sample_ptr", "step", "unit", "grid"))
        for values in (step, unit):
            values.flags.writeable = False  # handed over: `Spikes` then keeps them without a copy
        n_units, n_steps, dt_ms = grid.tolist()
        spikes = Spikes(ptr, step, unit, int(n_units), int(n_steps), dt_ms)
        os.utime(entry)
    except Exception:  # whatever is wrong with it: it is made again
        return None
    return spikes if spikes.n_samples == n_samples else None


def _save(entry: Path, spikes: Spikes) -> None:
    columns: dict[str, NDArray[Any]] = {name: getattr(spikes, name) for name in ("sample_ptr", "step", "unit")}
    columns["grid"] = np.array(spikes.grid)
    if sum(values.nbytes for values in columns.values()) > MAX_BYTES:
        return
    try:
        entry.parent.mkdir(parents=True, exist_ok=True)
        handle, written = tempfile.mkstemp(dir=entry.parent, suffix=".part")
        try:
            with os.fdopen(handle, "wb") as file:
                np.savez(file, **columns)  # type: ignore[arg-type]
            Path(written).replace(entry)
        except BaseException:
            Path(written).unlink(missing_ok=True)
            raise
        _drop_oldest(entry.parent)
    except OSError:
        return


def _drop_oldest(place: Path) -> None:
    total = 0
    for _, size, path in sorted(_entries(place), reverse=True):
        total += size
        if total > MAX_BYTES:
            path.unlink(missing_ok=True)


def _entries(place: Path) -> Iterator[tuple[float, int, Path]]:
    """When each entry was last used, its size and its path; other processes may take some away meanwhile."""
    for path in place.glob(f"*{_SUFFIX}"):
        try:
            status = path.stat()
        except FileNotFoundError:
            continue
        yield status.st_mtime, status.st_size, path
