"""One module per kind of file: what lies in it, as a `Dataset` or a `Series`; and the table of readers.

`task.path` is read by the first of `READERS` that takes it.
"""

from __future__ import annotations

from pathlib import Path

from hrsnn._checks import FileError, InputError, require
from hrsnn.data.readers.csv import CsvSeries
from hrsnn.data.readers.labelled import Labelled
from hrsnn.data.readers.npz import Events
from hrsnn.data.readers.reader import FileKind, Found, Kind, Like, Reader, Wanted
from hrsnn.data.readers.wav import Sounds

__all__ = [
    "READERS", "FileKind", "Found", "Kind", "Like", "Reader", "Wanted", "kind_of", "may_be_data", "reader_of",
]  # fmt: skip

READERS: list[Reader] = [Sounds(), Events(), Labelled(), CsvSeries()]


def kind_of(path: Path, kind: FileKind = "auto") -> Kind:
    """What lies at `path`, in words of `task.kind`; raises as `reader_of`."""
    return reader_of(path, kind).kind


def reader_of(path: Path, kind: FileKind = "auto") -> Reader:
    """The reader of what lies at `path`, by its suffix, the files in it or, where several read such, its content.

    kind   "auto", or what must come out: then there is no need to look

    Raises `InputError` for what cannot be read, saying what can, and `FileError` where nothing is.
    """
    is_folder = path.is_dir()
    suffix = path.suffix.lower()
    readers = [reader for reader in READERS if (reader.in_folder if is_folder else suffix in reader.suffixes)]
    if kind != "auto" and readers:
        rule = f'must be "auto" or "{readers[0].kind}" for {path.name}'
        readers = [reader for reader in readers if reader.kind == kind]
        require(readers, "task", "kind", rule, kind)
        if len(readers) == 1:
            return readers[0]
    for reader in readers:
        if reader.takes(path):
            return reader
    if is_folder:
        first, *others = (reader.in_folder for reader in READERS if reader.in_folder)
        nor = "".join(f", nor {other}" for other in others)
        raise FileError(f"{path}: no {first} in this folder or its sub-folders{nor}")
    if not path.exists():
        raise FileError(f"`task.path` must be {_what_can_be_read()}; there is no {path}")
    raise InputError(f"`task.path` must be {_what_can_be_read()}, got {path}")


def may_be_data(path: Path) -> bool:
    """Whether some reader reads files of this suffix."""
    return any(path.suffix.lower() in reader.suffixes for reader in READERS)


def _what_can_be_read() -> str:
    forms: dict[str, list[str]] = {}
    for reader in READERS:
        for form, words in reader.words.items():
            forms.setdefault(form, []).append(words)
    return "; ".join(f"{form} {' or '.join(words)}" for form, words in forms.items())
