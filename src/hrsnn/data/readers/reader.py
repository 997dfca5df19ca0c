"""What a reader is: which files and folders it takes, and the recordings or the series that lie in them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from hrsnn._checks import instance, require
from hrsnn.data.dataset import Series
from hrsnn.spikes import Spikes

Kind = Literal["recordings", "events", "labelled", "series"]
FileKind = Literal["auto", "recordings", "events", "labelled", "series"]
Layout = Literal["rows", "files"]
Recording = Path | NDArray[np.float64] | Spikes


@dataclass(frozen=True, slots=True)
class Wanted:
    """How data are read, divided and encoded: keys of `[task]` and `[task.forecast]` of the same names.

    Empty ones are left open.
    """

    name: str = "own"
    dt_ms: float = 0.0
    n_channels: int = 0
    max_ms: float = 0.0
    stretch_ms: float = 0.0
    tail_ms: float = 0.0
    label_column: str = ""
    group_pattern: str = ""
    test_groups: Sequence[str] = ()
    validation_groups: Sequence[str] = ()
    delimiter: str = ""
    decimal: str = ""
    thousands: str = ""
    variables: Sequence[str] = ()
    dt: float = 0.0


@dataclass(frozen=True, slots=True)
class Like:
    """What new recordings are read like: the grid, the layout and the classes that a network was trained on."""

    dt_ms: float
    n_units: int
    layout: Layout = "files"
    label_column: str = ""
    class_names: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Found:
    """Recordings as they lie in their files, and what is told of each; groups and parts are None where none are.

    content      by the kind of the reader: "recordings" paths of sounds; "labelled" values, float64 (T, D) each;
                 "events" one batch of them
    parts        "train", "test" or "validation" of each, where they are given
    layout, label_column   of text, for new recordings to be read alike
    class_order  of the classes that the files put in an order
    """

    content: Sequence[Recording]
    labels: list[str]
    groups: list[str] | None = None
    parts: list[str] | None = None
    group_word: str = "group"
    layout: Layout = "files"
    label_column: str = ""
    class_order: Sequence[str] = ()

    def __add__(self, other: Found) -> Found:
        """These to train, the others to test."""
        require((self.groups is None) == (other.groups is None), "task", "test_path",
                "must have groups exactly if task.path has", "the other")  # fmt: skip
        groups = None if self.groups is None or other.groups is None else self.groups + other.groups
        parts = ["train"] * len(self.labels) + ["test"] * len(other.labels)
        content = [*self.content, *other.content]
        return replace(self, content=content, labels=self.labels + other.labels, groups=groups, parts=parts)


class Reader(ABC):
    """Files or folders of one form. A value without state; a form is a class in a file and one line in `READERS`.

    kind          what comes out, in words of `task.kind`, and with it how it is encoded
    words         by form what is read, as in a sentence: {"an .npz": "of events"}
    suffixes      of the files that `task.path` may be
    in_folder     what a folder at `task.path` must hold, in words; "": no folder is read
    new_suffixes  of files of new recordings, for `hrsnn predict`
    """

    kind: ClassVar[Kind]
    words: ClassVar[Mapping[str, str]]
    suffixes: ClassVar[tuple[str, ...]] = ()
    in_folder: ClassVar[str] = ""
    new_suffixes: ClassVar[tuple[str, ...]] = ()

    def takes(self, path: Path) -> bool:
        """Whether what lies at a path of one of its suffixes, or a folder if it reads such, is its own.

        Asked, one reader after the other, where `task.kind` does not say it. Cheap; damaged files may be anybody's.
        """
        return True

    @abstractmethod
    def read(self, path: Path, wanted: Wanted) -> Found | Series:
        """A `Series` if that is its kind, else what is found. Raises `FileError` or `InputError` naming the file."""

    def read_new(self, path: Path, like: Like) -> Sequence[Recording]:
        """The recordings in a file, whose classes, if it tells any, are not looked at."""
        found = self.read(path, Wanted(dt_ms=like.dt_ms, n_channels=like.n_units, label_column=like.label_column))
        return instance(type(self).__name__, "read", found, Found).content
