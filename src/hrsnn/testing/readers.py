"""What every reader of files keeps to (`hrsnn.data.readers.reader`)."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from hrsnn.data.chain import encoded
from hrsnn.data.dataset import Series
from hrsnn.data.readers import READERS, Found, Like, Reader, Wanted, may_be_data, reader_of
from hrsnn.encode.audio import AudioCode
from hrsnn.spikes import Spikes
from hrsnn.testing.claims import claim, sentence_of

NOISE = np.random.default_rng(0).integers(0, 256, 5000, dtype=np.uint8).tobytes()


@dataclass(frozen=True, slots=True)
class Example:
    """A reader with a whole file or folder that it reads, a folder to write in, and files of other readers."""

    reader: Reader
    path: Path
    scratch: Path
    others: Sequence[Path] = ()

    @property
    def name(self) -> str:
        return type(self.reader).__name__

    def read(self, path: Path | None = None) -> Found | Series:
        return self.reader.read(self.path if path is None else path, Wanted())


def check(reader: Reader, path: Path, scratch: Path, others: Sequence[Path] = ()) -> None:
    """Hold `reader`, which is in the table, to all `CHECKS`; raises `AssertionError` for the first rule that it breaks.

    path     a file or folder that it reads
    scratch  an empty folder, where damaged copies of `path` are made
    others   files and folders of other readers
    """
    for one in CHECKS:
        one(Example(reader, path, scratch, others))


def stands_in_its_table(example: Example) -> None:
    """Its forms are told, and files of its suffixes may be data."""
    reader = example.reader
    claim(reader in READERS, example.name, "must be in READERS")
    claim(reader.words and (reader.suffixes or reader.in_folder), example.name, "must tell what it reads")
    for suffix in reader.suffixes:
        claim(suffix == suffix.lower() and suffix.startswith("."), example.name, "must have suffixes as .npz", suffix)
        claim(may_be_data(Path(f"x{suffix.upper()}")), example.name, "must read its suffixes in capitals too")


def takes_its_own_alone(example: Example) -> None:
    claim(reader_of(example.path) is example.reader, example.name, "must take its own", str(example.path))
    claim(reader_of(example.path, example.reader.kind) is example.reader, example.name, "must take its own by kind")
    for other in example.others:
        claim(reader_of(other) is not example.reader, example.name, "must leave files of others", str(other))


def reads_alike_each_time(example: Example) -> None:
    first, second = (_values(example.read()) for _ in range(2))
    claim(len(first) == len(second) > 0, example.name, "must find as much each time")
    claim(first == second, example.name, "must give equal values each time")


def tells_as_much_of_each(example: Example) -> None:
    """A label of each recording, and a group and a part of each or of none; of a series, values and names."""
    found = example.read()
    if isinstance(found, Series):
        claim(example.reader.kind == "series", example.name, "must be of the kind of what it gives", "a series")
        return
    claim(example.reader.kind != "series", example.name, "must be of the kind of what it gives", "recordings")
    n = sum(part.n_samples if isinstance(part, Spikes) else 1 for part in found.content)
    for column in ("labels", "groups", "parts"):
        told = getattr(found, column)
        if told is None and column != "labels":
            continue
        claim(len(told) == n, example.name, f"must tell one of `{column}` per recording", f"{len(told)} for {n}")
        claim(all(isinstance(text, str) for text in told), example.name, f"must tell `{column}` as text", told)
    for part in found.parts or ():
        claim(part in ("train", "test", "validation"), example.name, "must name parts", part)


def reads_new_recordings_alike(example: Example) -> None:
    """What is read without labels has the values of what is read with them."""
    found = example.read()
    if isinstance(found, Series):
        return
    grid = found.content[0].grid if isinstance(found.content[0], Spikes) else (1, 1, 1.0)
    like = Like(grid[2], grid[0], found.layout, found.label_column, sorted(set(found.labels)))
    files = [example.path] if example.path.is_file() else sorted(p for p in example.path.rglob("*") if p.is_file())
    for file in files:
        claim(file.suffix.lower() in example.reader.new_suffixes, example.name, "must read new files alike", file.name)
    new = [recording for file in files for recording in example.reader.read_new(file, like)]
    same = sorted(map(repr, _values(found))) == sorted(map(repr, _values(Found(new, found.labels))))
    claim(same, example.name, "must give the same values without labels")


def tells_damage(example: Example) -> None:
    """Files that are missing, empty, cut off, noise, of another encoding: in one sentence with a name, if not read."""
    whole = example.path if example.path.is_file() else sorted(p for p in example.path.rglob("*") if p.is_file())[0]
    raw = whole.read_bytes()
    utf_16 = raw.decode("latin-1").encode("utf-16")
    damages = {"empty": b"", "noise": NOISE, "in UTF-16": utf_16}
    damages |= {f"cut off after {n} bytes": raw[:n] for n in np.linspace(1, len(raw) - 1, 9).astype(int).tolist()}
    for words, content in damages.items():
        with _damaged(example, whole, content) as path:
            said = sentence_of(example.name, f"a file that is {words}", partial(_used, example, path))
        claim(said is not None or words not in ("empty", "noise"), example.name, f"must refuse a file that is {words}")
        named = said is None or whole.name in said or path.name in said
        claim(named, example.name, f"must name the file that is {words}", said)
    gone = example.scratch / f"gone{example.path.suffix}"
    said = sentence_of(example.name, "what is not there", partial(_used, example, gone))
    claim(said is not None and gone.name in said, example.name, "must name a file that is not there", said)


@contextmanager
def _damaged(example: Example, whole: Path, content: bytes) -> Iterator[Path]:
    """A copy of the example whose file `whole` holds other bytes."""
    place = example.scratch / "damaged" / example.path.name
    place.parent.mkdir()
    if example.path.is_dir():
        shutil.copytree(example.path, place)
        (place / whole.relative_to(example.path)).write_bytes(content)
    else:
        place.write_bytes(content)
    try:
        yield place
    finally:
        shutil.rmtree(place.parent)


def _used(example: Example, path: Path) -> object:
    """Everything that is in the files, of sounds too, which are opened when they are encoded."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = example.read(path)
        if isinstance(found, Found) and example.reader.kind == "recordings":
            return encoded(AudioCode(n_channels=2), found.content)
        return found


def _values(found: Found | Series) -> list[Any]:
    """What is in it, as values that can be compared."""
    if isinstance(found, Series):
        return [found.name, found.variable_names, found.dt, found.values.tobytes()]
    told: list[Any] = []
    for part in found.content:
        if isinstance(part, Spikes):
            told.append([part.grid, part.sample_ptr.tolist(), part.step.tolist(), part.unit.tolist()])
        elif isinstance(part, Path):
            told.append(part.read_bytes())
        else:
            told.append([part.shape, part.tobytes()])
    return told


CHECKS: tuple[Callable[[Example], None], ...] = (
    stands_in_its_table,
    takes_its_own_alone,
    reads_alike_each_time,
    tells_as_much_of_each,
    reads_new_recordings_alike,
    tells_damage,
)
