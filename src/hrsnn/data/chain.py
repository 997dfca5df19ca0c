"""Chain: how recordings of one kind of file become spikes on the grid of a task, fixed and saved with the network."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np

from hrsnn._checks import FileError, InputError, as_path, listed, require
from hrsnn.data.readers import READERS, Reader
from hrsnn.data.readers.folder import examples_in, files_in
from hrsnn.data.readers.reader import Layout, Like, Recording
from hrsnn.data.readers.wav import encode_sounds
from hrsnn.encode.audio import AudioCode
from hrsnn.encode.duration import first_steps, stretch
from hrsnn.encode.values import ValueCode
from hrsnn.spikes import Spikes

Kind = Literal["recordings", "events", "labelled"]
Paths = str | PathLike[str] | Iterable[str | PathLike[str]]


@dataclass(frozen=True, slots=True)
class EventGrid:
    """Recorded events are spikes already: what is fixed are the channels and the step of time."""

    n_units: int
    dt_ms: float


Code = AudioCode | EventGrid | ValueCode
Recordings = Sequence[Recording]

_CODES: dict[Kind, type[Code]] = {
    "recordings": AudioCode, "events": EventGrid, "labelled": ValueCode,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Chain:
    """How new recordings are encoded exactly as the training ones were.

    code         sound (`AudioCode`), recorded events (`EventGrid`) or labelled series (`ValueCode`, fitted on training)
    class_names  names of the classes, in the order of their numbers
    n_steps      steps of the grid before stretching; None, which needs `stretch_ms`: as long as each recording is
    cut          recordings that are longer lose their end, as those of training did (`task.max_ms`); else an event
                 after the end is an error
    stretch_ms, tail_ms   every recording is brought to this length, then silence; 0: as it is
    layout, label_column   of labelled series in text: a recording per row ("rows", classes in that column) or per file

    `to_dict` gives plain JSON, `from_dict` reads it back as an equal chain.

    >>> chain = Chain(EventGrid(n_units=4, dt_ms=1.0), ("yes", "no"), n_steps=50)
    >>> Chain.from_dict(chain.to_dict()) == chain, chain.grid
    (True, (4, 50, 1.0))
    """

    code: Code
    class_names: tuple[str, ...]
    n_steps: int | None
    stretch_ms: float = 0.0
    tail_ms: float = 0.0
    layout: Layout = "files"
    label_column: str = ""
    cut: bool = False

    def __post_init__(self) -> None:
        require(type(self.code) in _CODES.values(), "Chain", "code", "must be a code of recordings", self.code)
        object.__setattr__(self, "class_names", tuple(self.class_names))
        ok = (isinstance(self.n_steps, int) and self.n_steps >= 1) or (self.n_steps is None and self.stretch_ms > 0)
        require(ok, "Chain", "n_steps", "must be >= 1, or None with stretch_ms", self.n_steps)

    @property
    def kind(self) -> Kind:
        return next(kind for kind, code in _CODES.items() if type(self.code) is code)

    @property
    def grid(self) -> tuple[int, int, float]:
        """`(n_units, n_steps, dt_ms)` of what comes out."""
        dt_ms = self.code.dt_ms
        if self.stretch_ms:
            n_steps = round(self.stretch_ms / dt_ms) + round(self.tail_ms / dt_ms)
        else:
            assert self.n_steps is not None  # checked when it was made
            n_steps = self.n_steps
        return self.code.n_units, n_steps, dt_ms

    def files(self, paths: Paths) -> list[Path]:
        """The files of this kind that `paths` name; a folder stands for those in it and its sub-folders, by name.

        Raises `FileError` for what is missing or of another kind.
        """
        given = [paths] if isinstance(paths, (str, PathLike)) else paths
        places = [as_path("Chain.read", "paths", path) for path in listed("Chain.read", "paths", given)]
        require(len(places) > 0, "Chain.read", "paths", "must name at least one recording", "none")
        return [file for place in places for file in self._files(place)]

    def read(self, paths: Paths) -> tuple[list[str], Spikes]:
        """The recordings in these files and folders by name, and their spikes on `grid`, one sample each.

        A folder stands for the files of this kind in it and its sub-folders, in the order of their names. A file of
        many recordings, such as an .npz, gives `name[0]`, `name[1]`, ... Labels, if there are any, are not looked at.
        Raises `FileError` for what is missing or of another kind, `InputError` for other channels or variables, and,
        without `cut`, for a recording that is longer than the grid.
        """
        names: list[str] = []
        recordings: list[Recording] = []
        like = Like(self.code.dt_ms, self.code.n_units, self.layout, self.label_column, self.class_names)
        for file in self.files(paths):
            reader = next(reader for reader in self._readers() if file.suffix.lower() in reader.new_suffixes)
            new = reader.read_new(file, like)
            recordings += new
            n = sum(part.n_samples if isinstance(part, Spikes) else 1 for part in new)
            names += [str(file)] if n == 1 else [f"{file}[{k}]" for k in range(n)]
        return names, self.encode(recordings, names)

    def encode(self, recordings: Recordings, names: Sequence[str] | None = None) -> Spikes:
        """Spikes on `grid` of sound files, arrays of values (T, D), or batches of events.

        `names`, one per sample, say which one is longer than the grid. That is an `InputError` without `cut`.
        """
        raw = encoded(self.code, recordings)
        if self.n_steps is not None and not self.cut:
            late = raw.step >= self.n_steps
            if late.any():
                sample = int(raw.sample_of_event()[late][0])
                name = f"recording {sample}" if names is None else names[sample]
                last_ms = int(raw.step[raw.sample_ptr[sample + 1] - 1]) * raw.dt_ms
                raise InputError(
                    f"{name} has events up to {last_ms:g} ms, and the recordings it shall be like end within "
                    f"{self.n_steps * raw.dt_ms:g} ms; cut it, or train with task.stretch_ms or task.max_ms"
                )
        return self.on_grid(raw)

    def on_grid(self, raw: Spikes) -> Spikes:
        """What `encoded` gave, cut or followed by silence, then stretched."""
        raw = raw if self.n_steps is None else first_steps(raw, self.n_steps)
        return stretch(raw, duration_ms=self.stretch_ms, tail_ms=self.tail_ms) if self.stretch_ms else raw

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "kind": self.kind, "code": code_to_dict(self.code), "class_names": list(self.class_names),
            "n_steps": self.n_steps, "stretch_ms": self.stretch_ms, "tail_ms": self.tail_ms,
            "layout": self.layout, "label_column": self.label_column, "cut": self.cut,
        }  # fmt: skip

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The inverse of `to_dict`. Raises `InputError` for anything else."""
        try:
            rest = dict(values)
            code_of = _CODES[rest.pop("kind")]
            given = rest.pop("code")
            code = ValueCode.from_dict(given) if code_of is ValueCode else code_of(**given)
            return cls(code, tuple(rest.pop("class_names")), rest.pop("n_steps"), **rest)
        except (KeyError, TypeError, AttributeError) as error:
            raise InputError(f"not a saved `Chain`: {type(error).__name__} {error}") from error

    def _readers(self) -> list[Reader]:
        return [reader for reader in READERS if reader.kind == self.kind]

    def _files(self, place: Path) -> list[Path]:
        suffixes = [suffix for reader in self._readers() for suffix in reader.new_suffixes]
        if place.is_dir():
            per_file = self.kind == "labelled" and self.layout == "files"
            files = examples_in(place) if per_file else files_in(place, suffixes)
            if not files:
                raise FileError(f"{place}: no file in this folder ends in {', '.join(suffixes)}")
            return files
        if not place.is_file():
            raise FileError(f"{place}: there is no such file or folder")
        if place.suffix.lower() not in suffixes:
            raise FileError(f"{place}: must end in {', '.join(suffixes)}, as what the network was trained on")
        return [place]


def code_to_dict(code: Code) -> dict[str, Any]:
    """Plain values of a code for JSON."""
    return code.to_dict() if isinstance(code, ValueCode) else dataclasses.asdict(code)


def encoded(code: Code, recordings: Recordings, *, n_steps: int | None = None) -> Spikes:
    """Spikes of sound files, arrays of values or batches of events, as long as the longest, or `n_steps`."""
    if isinstance(code, AudioCode):
        files = [path for path in recordings if isinstance(path, Path)]
        return encode_sounds(files, code, max_ms=None if n_steps is None else n_steps * code.dt_ms)
    if isinstance(code, ValueCode):
        return code.encode([x for x in recordings if isinstance(x, np.ndarray)], n_steps=n_steps)
    batches = [part for part in recordings if isinstance(part, Spikes)]
    n_steps = n_steps or max(part.n_steps for part in batches)
    return Spikes.join([first_steps(part, n_steps) for part in batches])
