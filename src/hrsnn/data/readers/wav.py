"""A folder of WAV files as a `Dataset`."""

from __future__ import annotations

import re
import struct
import warnings
from collections.abc import Sequence
from os import PathLike
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hrsnn._checks import FileError, InputError, require
from hrsnn.data.dataset import Dataset
from hrsnn.encode.audio import AudioCode
from hrsnn.spikes import Spikes


def wav_folder(
    folder: str | PathLike[str],
    code: AudioCode | None = None,
    *,
    pattern: str | None = None,
    max_ms: float | None = None,
) -> Dataset:
    """The WAV files of a folder as spikes, encoded by `code` (default: `AudioCode()`), in the order of their names.

    The label of a file is the sub-folder it lies in, or, where all lie in the folder itself, its name up to the first
    "_". A `pattern` decides otherwise: a regular expression that matches the start of the name without ".wav", with a
    group `label` and, if wanted, a group `group`, such as the speaker: r"(?P<label>\\d)_(?P<group>[a-z]+)_".
    Classes and groups are numbered in sorted order. Several channels of a file are averaged. The grid holds the longest
    file, or `max_ms`; what is later is left out.
    """
    folder = Path(folder)
    files = sorted(p for p in folder.rglob("*") if p.suffix.lower() == ".wav" and p.is_file())
    if not files:
        raise FileError(f"{folder}: no WAV file in this folder or its sub-folders")
    labels, groups = _names_of(folder, files, pattern)
    spikes = encode_sounds(files, code or AudioCode(), max_ms=max_ms)
    classes, label = np.unique(labels, return_inverse=True)
    group = np.unique(groups, return_inverse=True)[1] if groups else None
    return Dataset(spikes, label, tuple(classes.tolist()), group)


def encode_sounds(files: Sequence[Path], code: AudioCode, *, max_ms: float | None = None) -> Spikes:
    """WAV files as spikes, one sample each; the grid holds the longest, or `max_ms`."""
    signals, rates = zip(*(_read_wav(path) for path in files), strict=True)
    return code.encode(signals, rates, duration_ms=max_ms)


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
        return [path.parent.name for path in files], []
    stray = files[inside.index(False)]
    require(not any(inside), "wav_folder", "folder", "must hold files or sub-folders, not both", str(stray))
    for path in files:
        ok = "_" in path.stem
        require(
            ok, "wav_folder", "folder", 'must hold names with a label before "_"', path.name, remedy="or give `pattern`"
        )
    return [path.stem.split("_")[0] for path in files], []


def _read_wav(path: Path) -> tuple[NDArray[np.float64], float]:
    """The signal, in [-1, 1] for integer files, and its sampling rate in Hz."""
    from scipy.io import wavfile

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", wavfile.WavFileWarning)
            warnings.filterwarnings("ignore", "Chunk .non-data. not understood", wavfile.WavFileWarning)
            rate, data = wavfile.read(path)
    except (
        OSError,
        ValueError,
        EOFError,
        wavfile.WavFileWarning,
        ArithmeticError,
        UnboundLocalError,
        struct.error,
    ) as error:
        raise FileError(f"{path}: cannot be read as WAV ({error})") from error
    if data.size == 0:
        raise InputError(f"{path}: the recording has no samples")
    signal = data.astype(np.float64)
    if data.dtype == np.uint8:
        signal = (signal - 128.0) / 128.0
    elif data.dtype.kind == "i":
        signal /= -float(np.iinfo(data.dtype).min)
    return (signal.mean(axis=1) if signal.ndim == 2 else signal), float(rate)
