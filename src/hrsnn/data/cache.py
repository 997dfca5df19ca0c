"""Encoded recordings kept on disk, keyed by the content of their files: a second run on them starts at once."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrsnn.data.chain import Chain
from hrsnn.data.dataset import Dataset, Splits
from hrsnn.data.readers.folder import EXAMPLES, SOUNDS, TABLES, files_in
from hrsnn.spikes import Spikes

CODE_VERSION = 1  # raised whenever the same files and options give other spikes, parts or names
MAX_BYTES = 2 * 2**30  # of all entries together; the ones that were not used for longest go first
_PARTS = ("train", "validation", "test")
_SUFFIX = ".recordings.npz"


def directory() -> Path | None:
    """Where entries lie: `$HRSNN_CACHE`, else the user cache; None where the variable is "off"."""
    given = os.environ.get("HRSNN_CACHE")
    if given:
        return None if given == "off" else Path(given).expanduser()
    from hrsnn.data import user_cache

    return user_cache() / "encoded"


def cached(paths: Sequence[Path], facts: Mapping[str, Any], make: Callable[[], Splits]) -> Splits:
    """What `make` gives from the files at `paths` with the options `facts`, from an entry where there is one.

    Files count by name and content. An entry appears whole or not at all, so processes may share the directory; one
    that is damaged is made again. Where nothing can be written or read nothing is kept, and nothing fails.
    """
    place = directory()
    if place is None:
        return make()
    try:
        entry = place / f"{_key(paths, facts)}{_SUFFIX}"
    except OSError:
        return make()  # which says what cannot be read
    found = _load(entry)
    if found is None:
        found = make()
        _save(entry, found)
    return found


def _key(paths: Sequence[Path], facts: Mapping[str, Any]) -> str:
    told = hashlib.sha256(json.dumps([CODE_VERSION, facts], sort_keys=True, default=list).encode())
    for path in paths:
        files = files_in(path, (*SOUNDS, *TABLES, *EXAMPLES)) if path.is_dir() else [path]
        for file in files:
            name = file.relative_to(path).as_posix() if path.is_dir() else file.suffix
            with file.open("rb") as content:
                told.update(f"\0{name}\0{hashlib.file_digest(content, 'sha256').hexdigest()}".encode())
    return told.hexdigest()


def _load(entry: Path) -> Splits | None:
    try:
        with np.load(entry, allow_pickle=False) as file:  # every array has a checksum, which is compared
            arrays = {name: file[name] for name in file.files}
        facts = json.loads(arrays["facts"].tobytes())
        train, validation, test = (_part(name, arrays, facts) for name in _PARTS)
        splits = Splits(train, validation, test, chain=Chain.from_dict(facts["chain"]), **facts["splits"])
        os.utime(entry)
    except Exception:  # whatever is wrong with it: it is made again
        return None
    return splits


def _save(entry: Path, splits: Splits) -> None:
    if splits.chain is None:
        return
    facts = {
        "class_names": splits.class_names, "group_names": splits.train.group_names, "grid": splits.train.spikes.grid,
        "chain": splits.chain.to_dict(),
        "splits": {
            name: getattr(splits, name)
            for name in ("name", "licence", "source", "group_word", "validation_by_recordings")
        },
    }  # fmt: skip
    arrays: dict[str, NDArray[Any]] = {"facts": np.frombuffer(json.dumps(facts).encode(), dtype=np.uint8)}
    for name in _PARTS:
        part: Dataset = getattr(splits, name)
        columns: dict[str, NDArray[Any]] = {
            "ptr": part.spikes.sample_ptr,
            "step": part.spikes.step,
            "unit": part.spikes.unit,
        }
        columns["labels"] = part.labels
        if part.groups is not None:
            columns["groups"] = part.groups
        arrays |= {f"{name}.{column}": values for column, values in columns.items()}
    if sum(array.nbytes for array in arrays.values()) > MAX_BYTES:
        return
    try:
        entry.parent.mkdir(parents=True, exist_ok=True)
        handle, written = tempfile.mkstemp(dir=entry.parent, suffix=".part")
        try:
            with os.fdopen(handle, "wb") as file:
                np.savez(file, **arrays)  # type: ignore[arg-type]
            Path(written).replace(entry)
        except BaseException:
            Path(written).unlink(missing_ok=True)
            raise
        _drop_oldest(entry.parent)
    except OSError:
        return


def _part(name: str, arrays: Mapping[str, NDArray[Any]], facts: Mapping[str, Any]) -> Dataset:
    column = {key.removeprefix(f"{name}."): values for key, values in arrays.items() if key.startswith(f"{name}.")}
    for values in column.values():
        values.flags.writeable = False  # handed over: `Spikes` then keeps them without a copy
    spikes = Spikes(column["ptr"], column["step"], column["unit"], *facts["grid"])
    names = facts["group_names"]
    group_names = None if names is None else tuple(names)
    return Dataset(spikes, column["labels"], tuple(facts["class_names"]), column.get("groups"), group_names)


def _drop_oldest(place: Path) -> None:
    entries = sorted(_entries(place), key=lambda entry: entry[0], reverse=True)
    total = 0
    for _, size, path in entries:
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
