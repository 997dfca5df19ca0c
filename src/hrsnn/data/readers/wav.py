"""A folder of WAV files: its sounds, or a `Dataset` of their spikes."""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from hrsnn._checks import FileError, InputError, as_path, instance, require
from hrsnn.data.dataset import Dataset
from hrsnn.data.readers.folder import SOUNDS, files_in, folder_files
from hrsnn.data.readers.reader import Found, Like, Reader, Recording, Wanted
from hrsnn.encode.audio import AudioCode
from hrsnn.spikes import Spikes

_PCM, _FLOAT, _EXTENSIBLE = 0x0001, 0x0003, 0xFFFE
_COMPRESSED = {0x0002: "ADPCM", 0x0006: "A-law", 0x0007: "µ-law", 0x0011: "ADPCM", 0x0055: "MP3"}
_OPEN_END = 0x7FFFF000  # sizes from here on are written where the length was not known yet, as into a pipe


class Sounds(Reader):
    """A folder of WAV files."""

    kind = "recordings"
    words = {"a folder": "of WAV files"}
    in_folder = "WAV file"
    new_suffixes = SOUNDS

    def takes(self, path: Path) -> bool:
        return bool(files_in(path, SOUNDS))

    def read(self, path: Path, wanted: Wanted) -> Found:
        listed = folder_files(path, files_in(path, SOUNDS), wanted.group_pattern)
        return Found(listed.files, listed.labels, listed.groups, listed.parts, listed.group_word)

    def read_new(self, path: Path, like: Like) -> Sequence[Recording]:
        return [path]


def wav_folder(
    folder: str | PathLike[str],
    code: AudioCode | None = None,
    *,
    pattern: str | None = None,
    max_ms: float | None = None,
) -> Dataset:
    r"""The WAV files of a folder as spikes, encoded by `code` (default: `AudioCode()`), in the order of their names.

    The label of a file is the sub-folder of `folder` it lies in, at whatever depth, or, where all lie in the folder
    itself, its name up to the first "_". A `pattern` decides otherwise: a regular expression that matches the start of
    the name without ".wav", with a group `label` and, if wanted, a group `group`, such as the speaker:
    r"(?P<label>\d)_(?P<group>[a-z]+)_". Names that begin with a dot are left out, links are followed.
    Classes and groups are numbered in sorted order. Several channels of a file are averaged. The grid holds the longest
    file, or `max_ms`; what is later is left out. Files are read in pieces: memory does not grow with the longest.
    """
    folder = as_path("wav_folder", "folder", folder)
    code = AudioCode() if code is None else instance("wav_folder", "code", code, AudioCode)
    if pattern is not None:
        instance("wav_folder", "pattern", pattern, str)
    files = wav_files(folder)
    labels, groups = _names_of(folder, files, pattern)
    spikes = encode_sounds(files, code, max_ms=max_ms)
    classes, label = np.unique(labels, return_inverse=True)
    group = np.unique(groups, return_inverse=True)[1] if groups else None
    return Dataset(spikes, label, tuple(classes.tolist()), group)


def encode_sounds(files: Sequence[Path], code: AudioCode, *, max_ms: float | None = None) -> Spikes:
    """WAV files as spikes, one sample each; the grid holds the longest, or `max_ms`."""
    sounds = [read_wav(path) for path in files]
    return code.encode(sounds, [sound.rate_hz for sound in sounds], duration_ms=max_ms)


@dataclass(frozen=True, slots=True)
class WavSound:
    """The sound of a WAV file: `sound[start:stop]` reads a piece, float64, full scale 1, its channels averaged."""

    path: Path
    rate_hz: float
    n_channels: int
    n_samples: int
    first_byte: int
    n_bytes: int  # of one number
    order: str  # "<" or ">"
    is_float: bool

    def __len__(self) -> int:
        return self.n_samples

    def __getitem__(self, piece: slice) -> NDArray[np.float64]:
        start, stop, _ = piece.indices(self.n_samples)
        count = max(0, stop - start) * self.n_channels
        try:
            with self.path.open("rb") as file:
                file.seek(self.first_byte + start * self.n_channels * self.n_bytes)
                raw = np.frombuffer(file.read(count * self.n_bytes), dtype=np.uint8)
        except OSError as error:
            raise FileError(f"{self.path}: cannot be read as WAV ({error})") from error
        if raw.size != count * self.n_bytes:
            raise FileError(f"{self.path}: cannot be read as WAV (it has become shorter while it was read)")
        values = self._values(raw).reshape(-1, self.n_channels)
        if self.is_float and not np.isfinite(values).all():
            at = start + int(np.flatnonzero(~np.isfinite(values).all(axis=1))[0])
            raise FileError(f"{self.path}: sample {at} is not a finite number")
        return values[:, 0] if self.n_channels == 1 else values.mean(axis=1)

    def _values(self, raw: NDArray[np.uint8]) -> NDArray[np.float64]:
        if self.is_float:
            return raw.view(f"{self.order}f{self.n_bytes}").astype(np.float64)
        if self.n_bytes == 1:
            return (raw.astype(np.float64) - 128.0) / 128.0
        if self.n_bytes == 3:  # as the upper three bytes of four
            wide = np.zeros((raw.size // 3, 4), dtype=np.uint8)
            wide[:, slice(1, 4) if self.order == "<" else slice(0, 3)] = raw.reshape(-1, 3)
            return wide.reshape(-1).view(f"{self.order}i4").astype(np.float64) / 2.0**31
        return raw.view(f"{self.order}i{self.n_bytes}").astype(np.float64) / 2.0 ** (8 * self.n_bytes - 1)


def read_wav(path: str | PathLike[str]) -> WavSound:
    """The sound of a WAV file, of which only the header is read yet: whole numbers of 8 to 64 bits, or floats.

    A file whose header tells no length, since it was written into a pipe or its recorder was never stopped, holds sound
    to its end; what lies behind the sound of a complete file is left alone. Raises `FileError` for a file that is
    damaged, compressed or no WAV file, `InputError` for one without a sample.
    """
    path = as_path("read_wav", "path", path)
    try:
        with path.open("rb") as file:
            sound = _header(path, file, path.stat().st_size)
    except (OSError, struct.error) as error:
        what = error if isinstance(error, OSError) else "it ends within its header"
        raise FileError(f"{path}: cannot be read as WAV ({what})") from error
    if sound.n_samples == 0:
        raise InputError(f"{path}: the recording has no samples")
    return sound


def wav_files(folder: Path) -> list[Path]:
    """All WAV files in a folder and its sub-folders, sorted; hidden names are left out and links followed.

    Raises `FileError` where there is none, or a folder cannot be read.
    """
    files = files_in(folder, SOUNDS)
    if not files:
        raise FileError(f"{folder}: no WAV file in this folder or its sub-folders")
    return files


def _header(path: Path, file: BinaryIO, size: int) -> WavSound:
    """What the chunks of a RIFF file say."""

    def need(ok: bool, what: str) -> None:
        if not ok:
            raise FileError(f"{path}: cannot be read as WAV ({what})")

    kind = file.read(4)
    need(kind in (b"RIFF", b"RIFX", b"RF64"), "it does not begin with RIFF")
    order = ">" if kind == b"RIFX" else "<"
    (riff_bytes,) = struct.unpack(order + "I", file.read(4))
    need(file.read(4) == b"WAVE", "its RIFF data are not of the kind WAVE")
    wide_bytes: int | None = None  # of the sound of a RF64 file
    layout: tuple[int, int, int, int, int] | None = None
    while True:
        head = file.read(8)
        need(len(head) == 8, "it has no chunk of data" if layout else "it has no chunk that tells its format")
        name, n_bytes = struct.unpack(order + "4sI", head)
        here = file.tell()
        if name == b"data":
            break
        need(here + n_bytes <= size, f"it is cut off, or damaged: its chunk {name!r} would end behind its end")
        if name == b"fmt ":
            layout = _format(file.read(n_bytes), order)
        elif name == b"ds64":
            wide_bytes = struct.unpack("<Q", file.read(n_bytes)[8:16])[0]
        file.seek(here + n_bytes + n_bytes % 2)
    if layout is None:
        raise FileError(f"{path}: cannot be read as WAV (it has no chunk that tells its format before the sound)")
    tag, n_channels, rate, n_frame_bytes, n_bits = layout
    need(tag not in _COMPRESSED, f"its sound is compressed as {_COMPRESSED.get(tag)}; convert it to PCM")
    need(tag in (_PCM, _FLOAT), f"its format {tag:#06x} is not known; convert it to PCM")
    need(n_channels > 0, "its header tells no channels")
    need(rate > 0, "its header tells a sampling rate of 0")
    number_bytes = n_frame_bytes // n_channels
    known = (4, 8) if tag == _FLOAT else (1, 2, 3, 4, 8)
    ok = number_bytes in known and number_bytes * n_channels == n_frame_bytes and 0 < n_bits <= 8 * number_bytes
    need(ok, f"its header tells {n_frame_bytes} bytes and {n_bits} bits for each sample of {n_channels} channels")
    rest = size - here
    never_closed = n_bytes == 0 and not here < riff_bytes + 8 < 2**32 - 1  # the whole does not reach beyond here either
    if wide_bytes is not None and n_bytes == 0xFFFFFFFF:
        n_bytes = wide_bytes
    elif never_closed or (n_bytes >= _OPEN_END and n_bytes > rest):
        n_bytes = rest
    need(n_bytes <= rest, f"it is cut off: its header tells {n_bytes} bytes of sound, there are {rest}")
    return WavSound(path, float(rate), n_channels, n_bytes // n_frame_bytes, here, number_bytes, order, tag == _FLOAT)


def _format(chunk: bytes, order: str) -> tuple[int, int, int, int, int]:
    """Kind of numbers, channels, sampling rate, bytes per sample of all channels, bits per number."""
    tag, n_channels, rate, _, n_frame_bytes, n_bits = struct.unpack(order + "HHIIHH", chunk[:16])
    if tag == _EXTENSIBLE:  # the kind stands in the first two bytes of an identifier
        (tag,) = struct.unpack(order + "H", chunk[24:26])
    return tag, n_channels, rate, n_frame_bytes, n_bits


def _names_of(folder: Path, files: list[Path], pattern: str | None) -> tuple[list[str], list[str]]:
    """Per file the label, and the group if the pattern names one."""
    if pattern is not None:
        try:
            expression = re.compile(pattern)
        except re.error as error:
            raise InputError(f"`pattern` of `wav_folder` is not a regular expression: {error}") from error
        require("label" in expression.groupindex, "wav_folder", "pattern", "must have a group (?P<label>...)", pattern)
        found = [expression.match(path.stem) for path in files]
        for path, match in zip(files, found, strict=True):
            require(
                match is not None, "wav_folder", "pattern", "must match every name", pattern, place=f"for {path.name}"
            )
        labels = [match["label"] for match in found if match]
        with_groups = "group" in expression.groupindex
        return labels, [match["group"] for match in found if match] if with_groups else []
    inside = [path.parent != folder for path in files]
    if all(inside):
        return [path.relative_to(folder).parts[0] for path in files], []
    stray = files[inside.index(False)]
    require(not any(inside), "wav_folder", "folder", "must hold files or sub-folders, not both", str(stray))
    for path in files:
        ok = "_" in path.stem
        require(
            ok, "wav_folder", "folder", 'must hold names with a label before "_"', path.name, remedy="or give `pattern`"
        )
    return [path.stem.split("_")[0] for path in files], []
