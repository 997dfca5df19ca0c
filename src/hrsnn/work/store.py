"""Store: finished units of work as files that are whole or absent and tell when they were changed.

A unit is one JSON file, written after the files that belong to it. It carries the digests of those and of itself, and
under some name a digest of what it followed from: one of which something is missing, was changed, or would follow from
something else today is no finished unit.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from hrsnn._checks import FileError, RunError
from hrsnn.network_file import write_atomically
from hrsnn.outcome import digest_of, plain_values, sealed, unsealed

try:
    import fcntl
except ImportError:  # Windows: two processes in one place are not noticed there
    fcntl = None  # type: ignore[assignment]


@dataclass(frozen=True, slots=True)
class Store:
    """Finished units in the folder `path`, their JSON files in `folder` below it."""

    path: Path
    folder: str = "."

    def file(self, name: str) -> Path:
        return self.path / self.folder / f"{name}.json"

    def keep(
        self, name: str, facts: Mapping[str, Any], files: Mapping[str, Callable[[Path], object]] | None = None
    ) -> None:
        """Write the files of a unit, by their names below `path`, each by its function; then the unit itself."""
        digests = {}
        for name_of_file, write in (files or {}).items():
            write(self.path / name_of_file)
            digests[name_of_file] = digest_of((self.path / name_of_file).read_bytes())
        write_atomically(self.file(name), sealed(plain_values({**facts, "files": digests})))

    def read(self, name: str, **key: str) -> dict[str, Any]:
        """The facts of a unit that holds these values of `key`.

        Raises `FileError` where there is none, and when anything of it is missing or was changed.
        """
        path = self.file(name)
        try:
            facts = unsealed(path.read_bytes())
            digests = dict(facts.pop("files", {}))
        except FileNotFoundError as error:
            raise FileError(f"{path} does not exist") from error
        except (OSError, ValueError, TypeError, AttributeError, RecursionError) as error:
            raise FileError(f"{path} is damaged: {error}") from error
        if any(facts.get(which) != value for which, value in key.items()):
            raise FileError(f"{path} was made under another config")
        for name_of_file, digest in digests.items():
            file = self.path / name_of_file
            if not file.is_file() or digest_of(file.read_bytes()) != digest:
                raise FileError(f"{file} is missing or was changed since it was written")
        return facts

    def found(self, name: str, **key: str) -> dict[str, Any] | None:
        """`read`, or None."""
        with suppress(FileError):
            return self.read(name, **key)
        return None

    def once(self, name: str, key: str, make: Callable[[], Mapping[str, Any]]) -> dict[str, Any]:
        """The values of a unit: those that are there, or those that `make` gives, kept now."""
        if (facts := self.found(name, key=key)) is None:
            self.keep(name, {"unit": name, "key": key, "values": dict(make())})
            facts = self.read(name, key=key)
        values: dict[str, Any] = facts["values"]
        return values

    def sweep(self, *folders: str) -> None:
        """Remove files that a process had not finished writing when it ended."""
        for folder in folders or (self.folder,):
            for left in (self.path / folder).glob(".*.tmp"):
                left.unlink(missing_ok=True)


def key_of(*facts: Any) -> str:
    """A digest of plain values, which what follows from them is kept under.

    >>> key_of("a", 1) == key_of("a", 1), key_of("a", 1) == key_of("a", 2)
    (True, False)
    """
    return digest_of(json.dumps(facts, sort_keys=True, default=str).encode())


def hold(file: IO[str], doing: str, remedy: str) -> None:
    """Hold an open file for this process until it is closed; `RunError` when another one holds it, and what it does."""
    if fcntl is not None:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RunError(f"another hrsnn process is {doing}; wait for it, stop it, or {remedy}") from None
        except OSError:  # a file system without locks
            pass


def cannot_write(path: Path, error: OSError) -> str:
    """Sentence for an `OSError` of a file in `path`: which file, why, what to do."""
    place = error.filename or path
    return f"cannot read or write {place}: {error.strerror or error}; check the space and the permissions there"
