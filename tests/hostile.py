"""Hostile input for tests: valid values and files with something wrong in them, drawn from a generator."""

from __future__ import annotations

import copy
import datetime
import decimal
import json
from collections.abc import Callable
from typing import Any

import numpy as np

Rng = np.random.Generator

_NUMBERS = (
    float("nan"),
    float("inf"),
    -float("inf"),
    0,
    -1,
    -0.0,
    0.5,
    1e-320,
    1e-30,
    1e30,
    1e39,
    1e300,
    -1e300,
    2**15,
    2**16,
    2**31 - 1,
    2**31,
    2**32,
    2**53 + 1,
    2**63 - 1,
    2**63,
    2**64,
    -(2**31) - 1,
    -(2**63),
    10**30,
    10**400,
    True,
    False,
    np.int8(-1),
    np.float16(3),
    np.float32("nan"),
    np.uint64(2**64 - 1),
    np.longdouble("inf"),
    1j,
    decimal.Decimal("0.1"),
)
_TEXTS = ("", " ", "x", "nan", "0", "HeNHeS", "\0", "é\n\u202e", "\ud800", "a" * 20_000, "../..", "<b>", "%s{0}")
_DTYPES = (
    np.float16,
    np.float32,
    np.float64,
    np.int8,
    np.uint8,
    np.int16,
    np.uint64,
    np.bool_,
    np.complex64,
    object,
    str,
    "S4",
    "M8[s]",
    np.longdouble,
    ">f4",
    ">i8",
)


def _nested(depth: int) -> list[Any]:
    inner: list[Any] = []
    for _ in range(depth):
        inner = [inner]
    return inner


_THINGS: tuple[Callable[[], Any], ...] = (
    lambda: None,
    dict,
    list,
    tuple,
    set,
    object,
    lambda: object,
    lambda: len,
    lambda: b"\xff\x00",
    lambda: ...,
    lambda: range(3),
    lambda: iter([1, 2]),
    lambda: {"a": 1},
    lambda: {1: {2: 3}},
    lambda: [[]],
    lambda: [None],
    lambda: [[1], [2, 3]],
    lambda: _nested(60),
    lambda: _nested(3000),
    lambda: np.zeros(0),
    lambda: np.zeros((0, 3)),
    lambda: np.zeros((2, 3, 4)),
    lambda: np.array(1.0),
    lambda: np.array([object()]),
    lambda: np.array([1, "a", None], dtype=object),
    lambda: np.ma.masked_array([1.0, 2.0], [False, True]),
    lambda: np.ma.masked,
    lambda: np.array(["a", "b"]),
    lambda: np.array([(1, 2.0)], dtype=[("a", int), ("b", float)]),
    lambda: np.array([np.nan, 1.0]),
    lambda: np.array(["2020-01-01"], dtype="M8[D]"),
    lambda: np.matrix([[1, 2]]),
    lambda: datetime.date(2020, 1, 1),
    lambda: slice(None, None, 0),
    lambda: slice("a"),
    lambda: np.random.default_rng(0),
)


def anything(rng: Rng) -> Any:
    """Something that hardly fits where it is given."""
    kind = rng.integers(3)
    if kind == 0:
        return _NUMBERS[rng.integers(len(_NUMBERS))]
    if kind == 1:
        return _TEXTS[rng.integers(len(_TEXTS))]
    return _THINGS[rng.integers(len(_THINGS))]()


def mutated(rng: Rng, value: Any, depth: int = 0) -> Any:
    """`value` with one thing in it changed, or something else in its place."""
    if rng.random() < 0.2 or depth > 6:
        return anything(rng)
    if isinstance(value, np.ndarray):
        return _array(rng, value)
    if isinstance(value, dict) and value:
        return _table(rng, value, depth)
    if isinstance(value, (list, tuple)) and value:
        return _sequence(rng, value, depth)
    if isinstance(value, str) and value and rng.random() < 0.5:
        k = int(rng.integers(len(value)))
        return [value[:k], value + value, value.upper(), value[:k] + "\0" + value[k:], value[::-1], f" {value}\n"][
            rng.integers(6)
        ]
    if isinstance(value, (int, float)) and not isinstance(value, bool) and rng.random() < 0.7:
        changes = [-value, value * 1000, value // 2, str(value), [value], np.array([value, value])]
        return [*_NUMBERS, *changes][rng.integers(len(_NUMBERS) + len(changes))]
    return anything(rng)


def _array(rng: Rng, array: np.ndarray) -> Any:
    if rng.random() < 0.4 and array.size:
        wide = array.astype(np.float64 if rng.random() < 0.5 and array.dtype.kind in "biuf" else object)
        flat = wide.reshape(-1)
        where = rng.integers(flat.size, size=rng.integers(1, 4))
        bad = _NUMBERS[rng.integers(len(_NUMBERS))] if wide.dtype != object else anything(rng)
        try:
            for k in where:
                flat[k] = bad
        except (TypeError, ValueError, OverflowError):
            return wide
        return wide
    changes: list[Callable[[], Any]] = [
        lambda: array[: array.shape[0] // 2],
        lambda: array[:0],
        lambda: np.concatenate([array, array]),
        lambda: array[::-1],
        lambda: array.reshape(-1, 1),
        lambda: array.reshape(1, -1),
        lambda: array.T,
        lambda: array[..., None],
        lambda: np.array(array.reshape(-1)[0]),
        lambda: array.tolist(),
        lambda: [array.tolist(), [1]],
        lambda: np.ma.masked_array(array, rng.random(array.shape) < 0.3),
        lambda: list(np.ma.masked_array(array, rng.random(array.shape) < 0.3)),
        lambda: array * 1e30,
        lambda: -array,
        lambda: array + 2**31,
        lambda: array.view(np.matrix),
        lambda: array.astype(_DTYPES[rng.integers(len(_DTYPES))]),
        lambda: array.view(np.uint8),
        lambda: np.lib.stride_tricks.as_strided(array, (array.size,) * array.ndim, (0,) * array.ndim),
    ]
    try:
        with np.errstate(all="ignore"):
            return changes[rng.integers(len(changes))]()
    except (TypeError, ValueError, IndexError, OverflowError):
        return array.astype(object)


def _table(rng: Rng, table: dict[Any, Any], depth: int) -> dict[Any, Any]:
    changed = dict(table)
    keys = list(table)
    key = keys[rng.integers(len(keys))]
    kind = rng.integers(8)
    if kind == 0:
        del changed[key]
    elif kind == 1:
        changed[_TEXTS[rng.integers(len(_TEXTS))]] = changed.pop(key)
    elif kind == 2:
        other = keys[rng.integers(len(keys))]
        changed[key], changed[other] = changed[other], changed[key]
    else:
        changed[key] = mutated(rng, changed[key], depth + 1)
    return changed


def _sequence(rng: Rng, values: Any, depth: int) -> Any:
    items = list(values)
    k = int(rng.integers(len(items)))
    kind = rng.integers(8)
    if kind == 0:
        del items[k]
    elif kind == 1:
        items.insert(k, items[k])
    elif kind == 2:
        items.append(anything(rng))
    elif kind == 3:
        items = items[::-1]
    else:
        items[k] = mutated(rng, items[k], depth + 1)
    return type(values)(items) if type(values) in (list, tuple) else items


def damaged(rng: Rng, content: bytes) -> bytes:
    """The bytes of a file with some of them flipped, cut out, doubled, or all of another kind."""
    if not content:
        return b"\0"
    a, b = sorted(int(k) for k in rng.integers(0, len(content) + 1, 2))
    kind = rng.integers(9)
    if kind <= 2:
        flipped = bytearray(content)
        first = (
            min(len(content), 400) if rng.random() < 0.5 else len(content)
        )  # heads of files hold most of what is read
        for k in rng.integers(0, first, size=rng.integers(1, 8)):
            flipped[k] ^= 1 << int(rng.integers(8))
        return bytes(flipped)
    others = (
        content[:a],
        content[a:],
        content[:a] + content[b:],
        content[:b] + content[a:],
        b"",
        rng.bytes(300),
        content.hex().encode(),
        b"\xff\xfe" + content.decode("latin-1").encode("utf-16-le"),
        b"PK\x03\x04" + content,
        b"\x89HDF\r\n\x1a\n" + content,
        b"RIFF\xff\xff\xff\xffWAVE" + content,
        b"[" * 100_000,
        b'{"a":' * 50_000,
        b"\0" * 1000,
        b"\n" * 1000,
    )
    return others[rng.integers(len(others))]


def misspelt(rng: Rng, content: bytes) -> bytes:
    """A file of text in which words, numbers or lines are others, or somewhere else."""
    text = content.decode("utf-8", errors="replace")
    lines = text.splitlines(keepends=True) or [""]
    k = int(rng.integers(len(lines)))
    kind = rng.integers(6)
    if kind == 0:
        del lines[k]
    elif kind == 1:
        lines.insert(k, lines[rng.integers(len(lines))])
    elif kind == 2:
        lines.insert(
            k,
            ["\n", "\0\n", '"', "é;ü|\n", "@data\n", "[[[[\n", ",,,,\n", "\x1a\n", "# x\n", "a" * 5000 + "\n"][
                rng.integers(10)
            ],
        )
    else:
        line = lines[k]
        stops = [m for m, sign in enumerate(line) if sign in " ,;:=\t\n"] or [0]
        m = int(rng.integers(len(stops)))
        start = stops[m - 1] + 1 if m else 0
        word = [
            "nan",
            "inf",
            "-1",
            "1e400",
            "1e308",
            "",
            "?",
            "é",
            '"',
            "1,5",
            "9" * 400,
            "0x10",
            "2147483648",
            "true",
            "None",
            "1e12",
        ][rng.integers(16)]
        lines[k] = line[:start] + word + line[stops[m] :]
    return "".join(lines).encode("utf-8", errors="replace")


def other_json(rng: Rng, content: bytes, seal: Callable[[Any], bytes] | None = None) -> bytes:
    """A document of JSON in which one value is another; signed again by `seal` where it was signed."""
    document = mutated(rng, copy.deepcopy(json.loads(content)))
    try:
        plain = json.loads(json.dumps(document, default=lambda thing: None, skipkeys=True))
    except (RecursionError, ValueError):
        return b'{"a":' * 50_000
    if seal is not None and isinstance(plain, dict):
        plain.pop("sha256", None)
        try:
            return seal(plain)
        except ValueError:
            pass
    return json.dumps(plain).encode()
