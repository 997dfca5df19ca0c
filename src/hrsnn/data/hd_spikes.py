"""Readers of spike recordings in the HDF5 layout of the Spiking Heidelberg Digits.

Layout: `spikes/times` (one array of seconds per recording), `spikes/units` (channels 0..699), `labels` (0..9 English,
10..19 German digits), `extra/speaker`, and `extra/keys` (the names of the classes). Times are stored as float16: their
resolution is 0.12 ms up to 0.25 s, 0.24 ms up to 0.5 s, 0.49 ms up to 1 s and 0.98 ms beyond, so steps much shorter
than 1 ms gain nothing.

Two data sets share the layout. `shd` is the published one (Cramer et al. 2020). `hd-spikes` was computed anew from the
same audio with a re-implementation of the published cochlea model; it is not SHD, its split is another one, and
accuracies on the two must not be compared.
"""

from __future__ import annotations

import gzip
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hrsnn._checks import FileError, HrsnnError, require
from hrsnn.data.dataset import Dataset, Splits
from hrsnn.encode.rates import whole_steps
from hrsnn.spikes import STEPS_END, Spikes, nearest_steps, to_steps

N_CHANNELS = 700
# The two training speakers whose recordings are nearest to half English, half German (50.7 % and 49.4 % English).
VALIDATION_SPEAKERS = (8, 1)
CLASS_NAMES = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"),
    *("null", "eins", "zwei", "drei", "vier", "fünf", "sechs", "sieben", "acht", "neun"),
)  # fmt: skip
LICENCE = "CC BY 4.0"
SOURCE_SHD = "Spiking Heidelberg Digits, Cramer, Stradmann, Schemmel and Zenke 2020, https://zenkelab.org/datasets/"
SOURCE_HD_SPIKES = "spikes computed from the Heidelberg Digits audio (Cramer et al. 2020); not the published SHD"
_CHUNK = 256  # recordings read at a time


def hd_spikes(
    directory: Path,
    *,
    dt_ms: float = 1.0,
    n_channels: int = N_CHANNELS,
    max_ms: float = 1000.0,
    validation_speakers: Sequence[int] = VALIDATION_SPEAKERS,
) -> Splits:
    """Spikes derived from the Heidelberg Digits, from `directory/hd_spikes/hd_spikes_{train,test}.h5[.gz]`.

    Arguments as in `read_recordings`. All training recordings of `validation_speakers` become the validation part.
    The test part holds speakers 4 and 5, who are not in the training file, and whole recordings of the others.
    """
    parts = [directory / "hd_spikes" / f"hd_spikes_{part}.h5" for part in ("train", "test")]
    source = ("hd-spikes", SOURCE_HD_SPIKES)
    return _splits(parts, source, validation_speakers, dt_ms=dt_ms, n_channels=n_channels, max_ms=max_ms)


def shd(
    directory: Path,
    *,
    dt_ms: float = 1.0,
    n_channels: int = N_CHANNELS,
    max_ms: float = 1000.0,
    validation_speakers: Sequence[int] = VALIDATION_SPEAKERS,
) -> Splits:
    """The Spiking Heidelberg Digits, from `directory/shd/shd_{train,test}.h5[.gz]`; arguments as in `hd_spikes`."""
    parts = [directory / "shd" / f"shd_{part}.h5" for part in ("train", "test")]
    return _splits(parts, ("shd", SOURCE_SHD), validation_speakers, dt_ms=dt_ms, n_channels=n_channels, max_ms=max_ms)


def read_recordings(path: Path, *, dt_ms: float = 1.0, n_channels: int = N_CHANNELS, max_ms: float = 1000.0) -> Dataset:
    """All recordings of one file in the layout above (`.h5`, or `.h5.gz` where that is the one there is).

    dt_ms       width of a time bin; several events of a channel in one bin become one
    n_channels  700 / k: channels are pooled by k neighbours
    max_ms      length of the grid, a whole number of bins; later events are left out, shorter recordings end in silence

    Raises `FileError` when the file is missing, damaged or lacks a part of the layout.
    """
    keys, labels, speakers, names = _read(path, dt_ms=dt_ms, n_channels=n_channels, max_ms=max_ms)
    return _dataset(keys, labels, speakers, names, np.arange(labels.size), (n_channels, max_ms, dt_ms))


def _splits(paths: list[Path], source: tuple[str, str], validation_speakers: Sequence[int], **grid: Any) -> Splits:
    name = source[0]
    keys, labels, speakers, names = _read(paths[0], **grid)
    known = np.unique(speakers).tolist()
    ok = 0 < len(set(validation_speakers)) < len(known) and set(validation_speakers) <= set(known)
    require(
        ok, name, "validation_speakers", f"must be some, not all, of the training speakers {known}",
        list(validation_speakers),
    )  # fmt: skip
    held_out = np.isin(speakers, list(validation_speakers))
    shape = (grid["n_channels"], grid["max_ms"], grid["dt_ms"])
    train = _dataset(keys, labels, speakers, names, np.flatnonzero(~held_out), shape)
    validation = _dataset(keys, labels, speakers, names, np.flatnonzero(held_out), shape)
    del keys
    test = read_recordings(paths[1], **grid)
    return Splits(train, validation, test, name, LICENCE, source[1], group_word="speaker")


def _read(
    path: Path, *, dt_ms: float, n_channels: int, max_ms: float
) -> tuple[list[NDArray[np.int32]], NDArray[np.int64], NDArray[np.int64], tuple[str, ...]]:
    """Per recording the sorted `step * n_channels + channel` of its events; labels; speakers; names of the classes."""
    ok = n_channels >= 1 and N_CHANNELS % n_channels == 0
    require(ok, "hd_spikes", "n_channels", f"must divide {N_CHANNELS}", n_channels)
    n_steps = whole_steps("hd_spikes", "max_ms", max_ms, dt_ms)
    n_cells = n_steps * n_channels
    require(n_cells < STEPS_END, "hd_spikes", "dt_ms", f"must give less than {STEPS_END} steps times channels", n_cells)
    pool = N_CHANNELS // n_channels
    seen = np.zeros(n_steps * n_channels, dtype=bool)
    keys: list[NDArray[np.int32]] = []
    try:
        with _open(path) as file:
            times, units = (_member(file, path, member) for member in ("spikes/times", "spikes/units"))
            labels, speakers = (_numbers(file, path, member) for member in ("labels", "extra/speaker"))
            for member, column in (("spikes/units", units), ("labels", labels), ("extra/speaker", speakers)):
                if len(column) != len(times):
                    raise FileError(f"{path}: `{member}` has {len(column)} entries for {len(times)} recordings")
            names = tuple(k.decode() for k in file["extra/keys"][:]) if "extra/keys" in file else CLASS_NAMES
            if labels.size and not 0 <= labels.min() <= labels.max() < len(names):
                raise FileError(f"{path}: `labels` must be 0..{len(names) - 1}, got {labels.min()}..{labels.max()}")
            for first in range(0, len(times), _CHUNK):
                chunk = zip(times[first : first + _CHUNK], units[first : first + _CHUNK], strict=True)
                for recording, (t, u) in enumerate(chunk, start=first):
                    step, channel = _events(path, recording, t, u, dt_ms)
                    inside = step < n_steps
                    seen[step[inside] * n_channels + channel[inside] // pool] = True
                    found = np.flatnonzero(seen)
                    seen[found] = False
                    keys.append(found.astype(np.int32))
            return keys, labels, speakers, names
    except HrsnnError:
        raise
    except Exception as error:  # what is damaged, or lies otherwise, makes h5py raise a dozen classes of errors
        what = " ".join(str(error).split())[:200] or type(error).__name__
        raise FileError(f"{path}: the file is damaged or incomplete, or of another layout ({what})") from error


def _events(
    path: Path, recording: int, times_s: ArrayLike, units: ArrayLike, dt_ms: float
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    time = np.asarray(times_s)
    channel = np.asarray(units, dtype=np.int64)
    if time.size != channel.size:
        raise FileError(f"{path}: recording {recording} has {time.size} times for {channel.size} units")
    if time.size and not (np.isfinite(time).all() and time.min() >= 0):
        raise FileError(f"{path}: recording {recording} has a time that is negative or not a number")
    if time.size and not (channel.min() >= 0 and channel.max() < N_CHANNELS):
        bad = channel[(channel < 0) | (channel >= N_CHANNELS)][0]
        raise FileError(f"{path}: recording {recording} has unit {bad}, units must be 0..{N_CHANNELS - 1}")
    return _steps(time, dt_ms), channel


def _steps(time_s: NDArray[Any], dt_ms: float) -> NDArray[np.int64]:
    """The steps of the events of a recording.

    Times in half precision are rounded coarsely, and what from decides. Where all of a recording are whole steps up to
    that rounding, whole steps they were. Otherwise they come from a much finer grid (24 kHz in `hd-spikes`), and each
    is most likely in the step it is stored in: 5 % of the events of `hd-spikes` are then in another than the true one,
    10 % if what half a unit in the last place could have taken away were given back.
    """
    if time_s.dtype == np.float16:
        stored = time_s.astype(np.float64)
        steps, half_ulp = stored * (1000.0 / dt_ms), np.spacing(time_s).astype(np.float64) * (500.0 / dt_ms)
        if (np.abs(steps - np.rint(steps)) > half_ulp * (1 + 1e-6)).any():
            return to_steps(stored, dt_ms, unit_ms=1000.0)
    return to_steps(time_s, dt_ms, unit_ms=1000.0)


def _dataset(
    keys: list[NDArray[np.int32]],
    labels: NDArray[np.int64],
    speakers: NDArray[np.int64],
    names: tuple[str, ...],
    chosen: NDArray[np.intp],
    grid: tuple[int, float, float],
) -> Dataset:
    n_channels, max_ms, dt_ms = grid
    ptr = np.concatenate([[0], np.cumsum([keys[i].size for i in chosen], dtype=np.int64)])
    step, unit = np.divmod(np.concatenate([*(keys[i] for i in chosen), np.zeros(0, np.int32)]), np.int32(n_channels))
    step.flags.writeable = unit.flags.writeable = False  # handed over: `Spikes` then keeps them without a copy
    spikes = Spikes(ptr, step, unit, n_channels, nearest_steps(max_ms, dt_ms)[0], dt_ms)
    return Dataset(spikes, labels[chosen], names, speakers[chosen])


def _open(path: Path) -> Any:
    """The open HDF5 file: `path` itself, or decompressed in memory from `path` + ".gz"."""
    import h5py

    packed = path.with_name(path.name + ".gz")
    if path.suffix == ".gz":
        path, packed = path.with_suffix(""), path
    try:
        if path.exists():
            return h5py.File(path, "r")
        if packed.exists():
            with gzip.open(packed) as stream:
                return h5py.File(io.BytesIO(stream.read()), "r")
    except Exception as error:  # of gzip, zlib and h5py
        shown = path if path.exists() else packed
        raise FileError(f"{shown}: the file is damaged or incomplete ({error}); get it again") from error
    raise FileError(f"{packed}: no such file, nor {path.name}; `hrsnn data list` says where each data set comes from")


def _member(file: Any, path: Path, name: str) -> Any:
    if name not in file:
        raise FileError(f"{path}: the file has no `{name}`; it must have the layout of the Spiking Heidelberg Digits")
    return file[name]


def _numbers(file: Any, path: Path, name: str) -> NDArray[np.int64]:
    """A column of whole numbers."""
    values = np.asarray(_member(file, path, name)[()])
    if values.ndim != 1 or values.dtype.kind not in "iu":
        what = f"{values.dtype} of shape {values.shape}"
        raise FileError(f"{path}: `{name}` must hold one whole number per recording, it holds {what}")
    return values.astype(np.int64)
