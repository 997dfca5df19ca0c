"""Data sets by name: built in, computed, downloaded on request, or placed by the user.

`load` never downloads. Files are looked for under `data_dir`, else `$HRSNN_DATA`, else the user cache.

>>> load("lorenz63", n_steps=3).values.shape
(3, 3)
"""

from __future__ import annotations

import hashlib
import inspect
import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from hrsnn._checks import FileError, InputError, RunError, did_you_mean, require
from hrsnn.data import chaos, delayed, digit_pairs, hd_spikes, series, spoken_digits
from hrsnn.data.dataset import Dataset, Series, Splits

__all__ = [
    "CATALOGUE",
    "Dataset",
    "Entry",
    "FileState",
    "Series",
    "Splits",
    "catalogue",
    "check",
    "data_directory",
    "download",
    "load",
]

SHD_URL = "https://zenkelab.org/datasets/"
MD5_SUMS = "md5sums.txt"


@dataclass(frozen=True, slots=True)
class Entry:
    """One data set of the catalogue.

    availability  "built in" (in the package), "computed", "download" (`download` gets it) or "local" (placed by hand)
    loader        makes it; takes the data directory first if there are `files`
    files         path under the data directory -> SHA-256, or None where the publisher's list of sums is used
    """

    name: str
    kind: Literal["classification", "forecast"]
    description: str
    size: str
    licence: str
    availability: Literal["built in", "computed", "download", "local"]
    loader: Callable[..., Splits | Series]
    files: tuple[tuple[str, str | None], ...] = ()

    @property
    def options(self) -> dict[str, object]:
        """What `load` takes for this data set, with defaults."""
        parameters = inspect.signature(self.loader).parameters
        return {name: p.default for name, p in parameters.items() if name != "directory"}


@dataclass(frozen=True, slots=True)
class FileState:
    """What `check` found of one file: `state` is "ok", "missing", "damaged" or "not checked" (no checksum known)."""

    path: Path
    state: Literal["ok", "missing", "damaged", "not checked"]
    detail: str


CATALOGUE: tuple[Entry, ...] = (
    Entry(
        "spoken-digits", "classification",
        "1,120 spoken English and German digits as spikes: 20 classes, 140 channels, 1000 ms",
        "1.7 MB", "CC BY 4.0", "built in", spoken_digits.spoken_digits,
    ),
    Entry(
        "hd-spikes", "classification",
        "9,889 spoken digits as spikes: 20 classes, 700 channels, unseen speakers; like SHD, not SHD",
        "117 MB", "CC BY 4.0", "local", hd_spikes.hd_spikes,
        (
            ("hd_spikes/hd_spikes_train.h5.gz", "732fb73da318945966a59c86df2669a90db864826e15a4641972cba46a862243"),
            ("hd_spikes/hd_spikes_test.h5.gz", "f722d070a0e32177eec45cd8409ec0496eec7c8e8207f99540fbae028c2318c9"),
        ),
    ),
    Entry(
        "shd", "classification",
        "Spiking Heidelberg Digits: 10,420 spoken digits, 20 classes, 700 channels, unseen speakers",
        "170 MB", "CC BY 4.0", "download", hd_spikes.shd,
        (("shd/shd_train.h5.gz", None), ("shd/shd_test.h5.gz", None)),
    ),
    Entry(
        "delayed-recall", "classification", "which of 8 cues was shown 400 ms before the end, with distractors",
        "-", "Apache-2.0", "computed", delayed.delayed_recall,
    ),
    Entry(
        "delayed-match", "classification", "whether two of 4 cues, 150 ms apart, were the same, with a distractor",
        "-", "Apache-2.0", "computed", delayed.delayed_match,
    ),
    Entry(
        "digit-pairs", "classification", "two spoken digits, 150 ms each, one after the other: which was the first?",
        "-", "CC BY 4.0", "built in", digit_pairs.digit_pairs,
    ),
    Entry("lorenz63", "forecast", "Lorenz's three equations", "-", "Apache-2.0", "computed", chaos.lorenz63),
    Entry("rossler", "forecast", "Rössler's three equations", "-", "Apache-2.0", "computed", chaos.rossler),
    Entry(
        "lorenz96", "forecast", "Lorenz's equations of 1996 on three scales: the 8 large variables of 584",
        "-", "Apache-2.0", "computed", chaos.lorenz96,
    ),
    Entry(
        "mackey-glass", "forecast", "Mackey and Glass's delay equation", "-", "Apache-2.0", "computed",
        chaos.mackey_glass,
    ),
    Entry(
        "google-stock", "forecast", "daily opening price of the Google share, 2012 to 2016, 1,258 values",
        "64 kB", "none stated", "local", series.google_stock,
        (
            (
                "google_stock/Google_Stock_Price_Train.csv",
                "5ad23e204749f4a8a60b9a3d278f0dd735154a93b13d64fc9b7616dafe3f4229",
            ),
        ),
    ),
    Entry(
        "wind", "forecast", "hourly wind speed at a turbine, February 2018, 928 values",
        "3.1 MB", "none stated", "local", series.wind,
        (("wind/T1.csv", "20df75597eea228d46ab943bd7aab16cdc883a0c74db9a3180842dcbf10a55cd"),),
    ),
)  # fmt: skip


def catalogue() -> tuple[Entry, ...]:
    """All data sets that `load` knows."""
    return CATALOGUE


def data_directory(data_dir: str | os.PathLike[str] | None = None) -> Path:
    """Where data files lie: the argument, else `$HRSNN_DATA`, else the user cache directory."""
    if data_dir is not None:
        return Path(data_dir)
    if os.environ.get("HRSNN_DATA"):
        return Path(os.environ["HRSNN_DATA"])
    return user_cache() / "data"


def user_cache() -> Path:
    """The directory of the user for what can be made or got again."""
    import platformdirs

    return Path(platformdirs.user_cache_dir("hrsnn", appauthor=False))


def load(name: str, *, data_dir: str | os.PathLike[str] | None = None, **options: object) -> Splits | Series:
    """The data set `name`; `options` are those of its loader (`Entry.options` lists them with their defaults).

    Raises `InputError` for an unknown name or option, `FileError` where files are missing or damaged.
    """
    entry = _entry(name)
    defaults = entry.options
    for option, value in options.items():
        remedy = did_you_mean(option, defaults) if defaults else "it takes none"
        require(option in defaults, name, option, "is not an option of this data set", value, remedy=remedy)
        default = defaults[option]
        if isinstance(default, int):
            require(_is(value, int), name, option, "must be a whole number", value)
        elif isinstance(default, float):
            require(_is(value, (int, float)), name, option, "must be a number", value)
        elif isinstance(default, tuple):
            kind = (int, float) if isinstance(default[0], float) else int
            ok = isinstance(value, Sequence) and all(_is(v, kind) for v in value)
            require(ok, name, option, "must be a list of numbers", value)
        else:
            require(isinstance(value, str), name, option, "must be text", value)
    if not entry.files:
        return entry.loader(**options)
    directory = data_directory(data_dir)
    missing = [state.path for state in _present(entry, directory) if state.state == "missing"]
    if missing:
        raise FileError(f'data set "{name}" is not there: no file {missing[0]}; {_what_to_do(entry)}')
    return entry.loader(directory, **options)


def check(name: str, data_dir: str | os.PathLike[str] | None = None) -> list[FileState]:
    """What there is of the files of a data set, with checksums compared; an empty list where it needs no file."""
    entry = _entry(name)
    if name == "spoken-digits":
        entry.loader()  # verifies its own checksum
        return []
    directory = data_directory(data_dir)
    return [
        state if state.state == "missing" else _verify(state.path, _expected(path, sha256, directory))
        for state, (path, sha256) in zip(_present(entry, directory), entry.files, strict=True)
    ]


def download(name: str, data_dir: str | os.PathLike[str] | None = None) -> list[Path]:
    """Get the files of a data set from its publisher into the data directory; files that are right already stay.

    The publisher of `shd` offers a list of MD5 sums beside the files; it is fetched first, kept beside the files, and
    every file is compared with it. That detects damage on the way, not a change at the source: no sum is built in.
    Raises `InputError` when the data set cannot be downloaded, `RunError` when the download fails.
    """
    import pooch

    entry = _entry(name)
    require(
        entry.availability == "download", "download", "name", "cannot be downloaded", name, remedy=_what_to_do(entry)
    )
    directory = data_directory(data_dir)
    folder = directory / Path(entry.files[0][0]).parent
    url = SHD_URL + MD5_SUMS
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as scratch:  # always the publisher's present list
            text = Path(pooch.retrieve(url, known_hash=None, fname=MD5_SUMS, path=scratch)).read_text("utf-8")
        sums = _read_sums(text)
        paths = []
        for path, _ in entry.files:
            file = Path(path).name
            url = SHD_URL + file
            if file not in sums:
                raise RunError(f"{SHD_URL + MD5_SUMS} holds no sum for {file}; nothing was downloaded")
            paths.append(Path(pooch.retrieve(url, known_hash=f"md5:{sums[file]}", fname=file, path=folder)))
        (folder / MD5_SUMS).write_text(text, "utf-8")
    except (OSError, ValueError) as error:  # no connection or no space; a wrong checksum
        if isinstance(error, InputError):
            raise
        raise RunError(f"could not download {url} to {folder}: {error}") from error
    return paths


def _entry(name: str) -> Entry:
    names = [entry.name for entry in CATALOGUE]
    require(name in names, "data", "name", "must be a data set", name, remedy=did_you_mean(name, names))
    return CATALOGUE[names.index(name)]


def _present(entry: Entry, directory: Path) -> list[FileState]:
    """Each file of `entry`, packed or (for `.gz`) unpacked, without a look inside."""
    states = []
    for path, _ in entry.files:
        packed = directory / path
        plain = packed.with_suffix("") if packed.suffix == ".gz" else packed
        found = next((p for p in (packed, plain) if p.is_file()), None)
        states.append(
            FileState(packed, "missing", _what_to_do(entry)) if found is None else FileState(found, "not checked", "")
        )
    return states


def _expected(path: str, sha256: str | None, directory: Path) -> tuple[str, str] | None:
    """`(algorithm, sum)` of a file, from the catalogue or from the publisher's list beside it."""
    if sha256 is not None:
        return "sha256", sha256
    listed = directory / Path(path).parent / MD5_SUMS
    sums = _read_sums(listed.read_text("utf-8")) if listed.is_file() else {}
    return ("md5", sums[Path(path).name]) if Path(path).name in sums else None


def _verify(path: Path, expected: tuple[str, str] | None) -> FileState:
    if expected is None or (path.suffix == ".h5"):
        return FileState(path, "not checked", "no checksum is known for this form of the file")
    algorithm, known = expected
    with path.open("rb") as file:
        found = hashlib.file_digest(file, algorithm).hexdigest()
    if found == known:
        return FileState(path, "ok", f"{algorithm} agrees")
    return FileState(path, "damaged", f"{algorithm} is {found}, expected {known}")


def _read_sums(text: str) -> dict[str, str]:
    """File name -> sum, from lines `sum  name`."""
    pairs = (line.split() for line in text.splitlines())
    return {pair[1].lstrip("*"): pair[0].lower() for pair in pairs if len(pair) == 2}


def _what_to_do(entry: Entry) -> str:
    if entry.availability == "download":
        return f"`hrsnn data download {entry.name}` gets it"
    if entry.availability == "local":
        return "hrsnn cannot download it: put it there, or name its place with --data-dir or $HRSNN_DATA"
    return f"it is {entry.availability} and needs no file"


def _is(value: object, kind: type | tuple[type, ...]) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)
