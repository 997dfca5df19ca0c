"""The built-in data set: 1,120 spoken digits as spikes, small enough to ship with the package.

Chosen from `hd-spikes` by `scripts/make_spoken_digits.py`; `builtin/ATTRIBUTION.md` says where it comes from and what
was changed. 20 classes (English and German digits), 140 channels, 1000 ms.

    part        per class   speakers
    train       28          0, 2, 3, 6, 7, 9, 10, 11
    validation  10          1, 8
    test        18          12 of speakers 4 and 5, who are in no other part, and 6 of the training speakers

File format, version 1: an xz stream of one line of JSON (the header) and then columns of bytes, in the order and with
the types of `COLUMNS`. `gaps` codes the events: with key = step * n_units + unit, rising within a recording, it holds
key - previous key - 1 (the first previous key is -1) in one byte each; 255 stands for "255, and the next byte adds".
"""

from __future__ import annotations

import hashlib
import json
import lzma
from dataclasses import replace
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrsnn._checks import FileError
from hrsnn.data.dataset import Dataset, Splits
from hrsnn.data.hd_spikes import LICENCE
from hrsnn.encode.duration import regrid
from hrsnn.spikes import Spikes

FORMAT = "hrsnn.recordings/1"
FILE = "spoken_digits.v1.xz"
SHA256 = "d4442e5c35996c253f43850131aec37889d6c60a104b97f106f1680815c77cc3"
SOURCE = "1,120 recordings of the Heidelberg Digits (Cramer et al. 2020) as spikes; not the published SHD"
PARTS = ("train", "validation", "test")
COLUMNS = (("part", "u1"), ("label", "u1"), ("speaker", "u1"), ("n_events", "<u4"), ("gaps", "u1"))


def spoken_digits(*, dt_ms: float = 1.0) -> Splits:
    """The 560 training, 200 validation and 360 test recordings on steps of `dt_ms`.

    Events are stored in steps of 2 ms; on a finer grid each lies at the start of its 2 ms. Raises `FileError` if the
    installed file is damaged.
    """
    file = resources.files("hrsnn.data") / "builtin" / FILE
    packed = file.read_bytes() if file.is_file() else b""
    if hashlib.sha256(packed).hexdigest() != SHA256:
        raise FileError(f"the built-in data file {file} is missing or damaged; install hrsnn again")
    dataset, part = unpack(packed)
    dataset = replace(dataset, spikes=regrid(dataset.spikes, dt_ms=dt_ms))
    train, validation, test = (dataset.select(part == k) for k in range(len(PARTS)))
    return Splits(train, validation, test, "spoken-digits", LICENCE, SOURCE, group_word="speaker")


def pack(dataset: Dataset, part: NDArray[np.integer[Any]]) -> bytes:
    """`dataset` (with groups) and the part (0..2) of each recording, in the format above."""
    spikes = dataset.spikes
    key = spikes.step.astype(np.int64) * spikes.n_units + spikes.unit
    previous = np.concatenate([[-1], key[:-1]])
    previous[spikes.sample_ptr[:-1][np.diff(spikes.sample_ptr) > 0]] = -1
    n_escapes, rest = np.divmod(key - previous - 1, 255)
    gaps = np.full(key.size + int(n_escapes.sum()), 255, dtype=np.uint8)
    gaps[np.cumsum(n_escapes + 1) - 1] = rest
    columns = (part, dataset.labels, dataset.groups, np.diff(spikes.sample_ptr), gaps)
    header = {
        "format": FORMAT, "n_samples": spikes.n_samples, "n_units": spikes.n_units, "n_steps": spikes.n_steps,
        "dt_ms": spikes.dt_ms, "n_bytes": gaps.size, "class_names": dataset.class_names,
    }  # fmt: skip
    body = [np.asarray(c).astype(kind).tobytes() for c, (_, kind) in zip(columns, COLUMNS, strict=True)]
    line = json.dumps(header, ensure_ascii=False).encode() + b"\n"
    return lzma.compress(line + b"".join(body), preset=9 | lzma.PRESET_EXTREME)


def unpack(packed: bytes) -> tuple[Dataset, NDArray[np.uint8]]:
    """The inverse of `pack`; raises `FileError` for other or damaged bytes."""
    try:
        line, _, body = lzma.decompress(packed).partition(b"\n")
        header = json.loads(line)
    except (lzma.LZMAError, EOFError, ValueError) as error:
        raise FileError(f"not a file of recordings: {error}") from error
    found = header.get("format") if isinstance(header, dict) else None
    if found != FORMAT:
        raise FileError(f"the file of recordings must have format {FORMAT!r}, got {found!r}")
    columns: dict[str, NDArray[Any]] = {}
    for name, kind in COLUMNS:
        count = header["n_bytes" if name == "gaps" else "n_samples"]
        size = count * np.dtype(kind).itemsize
        if len(body) < size:
            raise FileError(f"the file of recordings ends inside `{name}`")
        columns[name], body = np.frombuffer(body[:size], dtype=kind), body[size:]
    gaps = columns["gaps"]
    last = np.flatnonzero(gaps < 255)  # the byte that ends each gap
    ptr = np.concatenate([[0], np.cumsum(columns["n_events"], dtype=np.int64)])
    if ptr[-1] != last.size:
        raise FileError(f"the file of recordings announces {ptr[-1]} events and holds {last.size}")
    # The keys of all recordings on one axis; each recording begins anew after the last key of the one before.
    fits = header["n_samples"] * header["n_steps"] * header["n_units"] < 2**31
    integer: Any = np.int32 if fits else np.int64  # dividing the shorter is twice as fast
    key = np.cumsum(gaps, dtype=integer)[last] + np.arange(1, last.size + 1, dtype=integer)
    start = np.concatenate([np.zeros(1, integer), key])[ptr[:-1]]
    key -= np.repeat(start + integer(1), np.diff(ptr))
    step = key // integer(header["n_units"])
    unit = key - step * integer(header["n_units"])
    step.flags.writeable = unit.flags.writeable = False  # handed over: `Spikes` then keeps them without a copy
    spikes = Spikes(ptr, step, unit, header["n_units"], header["n_steps"], header["dt_ms"])
    dataset = Dataset(spikes, columns["label"], tuple(header["class_names"]), columns["speaker"])
    return dataset, columns["part"]
