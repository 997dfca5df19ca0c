"""Error classes and argument checks with one form of message.

Every message names the owner, the rule, the value received and the place, and where it helps, what to do:
"`tau_mem_ms` of `NeuronTable` must be > 0, got -3.0 at index 17 (2 of 200 values)".
"""

from __future__ import annotations

import difflib
import errno
import math
import operator
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

_T = TypeVar("_T")
_LONGEST_WORD, _HALF_A_SENTENCE = 300, 600  # characters of what somebody gave; paths are shorter


class HrsnnError(Exception):
    """Base of every error this library raises on purpose. Its sentence is never longer than a screen."""

    def __init__(self, sentence: str = "") -> None:
        super().__init__(bounded(sentence) if len(sentence) > 2 * _HALF_A_SENTENCE else sentence)


class InputError(HrsnnError, ValueError):
    """What was given breaks a rule; the command line answers with exit code 2."""


class FileError(InputError):
    """A file is missing, damaged, of another version, or not what its name says."""


class RunError(HrsnnError, RuntimeError):
    """A run that was asked for correctly could not be finished; exit code 1."""


class MissingExtraError(HrsnnError, ImportError):
    """An optional package is needed; the message names the extra that installs it."""


@contextmanager
def extra(name: str, what: str, packages: str) -> Iterator[None]:
    """An import that fails in here says which extra `what` needs: raises `MissingExtraError`.

    >>> with extra("nir", "exchange with NIR", "nir"):
    ...     raise ImportError("none")
    Traceback (most recent call last):
        ...
    hrsnn._checks.MissingExtraError: exchange with NIR needs nir (none); `pip install 'hrsnn[nir]'` installs it
    """
    try:
        yield
    except ImportError as why:
        them = "them" if " and " in packages else "it"
        message = f"{what} needs {packages} ({why}); `pip install 'hrsnn[{name}]'` installs {them}"
        raise MissingExtraError(message) from why


def require(ok: object, owner: str, name: str, rule: str, value: object, *, place: str = "", remedy: str = "") -> None:
    """Raise `InputError` unless `ok`; the sentence is put together from the other arguments.

    >>> require(False, "Uniform", "high", "must be > low", 0.5)
    Traceback (most recent call last):
        ...
    hrsnn._checks.InputError: `high` of `Uniform` must be > low, got 0.5
    """
    if ok:
        return
    where = f" {place}" if place else ""
    what_to_do = f"; {remedy}" if remedy else ""
    raise InputError(f"`{name}` of `{owner}` {rule}, got {as_text(value)}{where}{what_to_do}")


def instance(owner: str, name: str, value: object, kind: type[_T], *others: type[_T]) -> _T:
    """`value`, which must be of one of these classes, as a function that was given something else says at once.

    >>> instance("learn", "data", 5, list)
    Traceback (most recent call last):
        ...
    hrsnn._checks.InputError: `data` of `learn` must be of the class list, got int
    """
    kinds = (kind, *others)
    rule = f"must be of the class {' or '.join(k.__name__ for k in kinds)}"
    require(isinstance(value, kinds), owner, name, rule, type(value).__name__)
    return value  # type: ignore[return-value]


def among(value: object, known: Iterable[str]) -> bool:
    """Whether `value` is one of these words, whatever it is else: an array has no answer of its own.

    >>> among("cpu", ("auto", "cpu")), among(np.zeros(2), ("auto", "cpu"))
    (True, False)
    """
    return isinstance(value, str) and value in known


def listed(owner: str, name: str, values: object) -> list[Any]:
    """What `values` holds: a list, tuple, array or other thing that can be gone through; never a text.

    >>> listed("Spikes.join", "parts", (1, 2))
    [1, 2]
    """
    try:
        if isinstance(values, (str, bytes, dict)):
            raise TypeError
        return list(values)  # type: ignore[call-overload, no-any-return]
    except TypeError:
        require(False, owner, name, "must be a list", values)
        raise


def as_path(owner: str, name: str, path: object) -> Path:
    """`path`, a text or a `Path`, with `~` for home; it need not be there, but the system must know what it means.

    >>> as_path("load", "path", "a.safetensors").suffix
    '.safetensors'
    """
    require(isinstance(path, (str, os.PathLike)), owner, name, "must be a path", path)
    try:
        place = Path(path).expanduser()  # type: ignore[arg-type]
        os.lstat(place)
    except (ValueError, TypeError, RuntimeError) as error:  # null characters, halves of signs, bytes, unknown homes
        raise InputError(f"`{name}` of `{owner}` must be a path, got {as_text(str(path))}: {error}") from error
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise InputError(
                f"`{name}` of `{owner}` must be a path, got {as_text(str(path))}: {error.strerror}"
            ) from error
    return place


def whole_number(owner: str, name: str, value: object, *, at_least: int | None = None, below: int | None = None) -> int:
    """`value` as an int: a whole number of Python, of NumPy or of one element of an array or tensor; never a bool.

    >>> whole_number("build", "seed", np.int64(3), at_least=0)
    3
    """
    rule = "must be a whole number" if at_least is None else f"must be a whole number >= {at_least}"
    try:
        if isinstance(value, (bool, np.bool_)) or getattr(value, "dtype", None) == np.bool_:
            raise TypeError
        number = operator.index(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, RuntimeError):
        require(False, owner, name, rule, value)
        raise
    require(at_least is None or number >= at_least, owner, name, rule, number)
    require(below is None or number < below, owner, name, f"must be < {below}", number)
    return number


def real_number(
    owner: str, name: str, value: object, *, above: float | None = None, at_least: float | None = None
) -> float:
    """`value` as a finite float: a number of Python or NumPy, or of an array without dimensions; no text, no bool.

    >>> real_number("Spikes", "dt_ms", np.float32(0.5), above=0)
    0.5
    """
    rule = "must be a finite number"
    if above is not None:
        rule = f"must be > {above:g}"
    elif at_least is not None:
        rule = f"must be >= {at_least:g}"
    try:
        if isinstance(value, (str, bytes, bool, np.bool_)) or np.ma.is_masked(value):
            raise TypeError
        array = np.asarray(value)
        if array.ndim or array.dtype.kind not in "iufO":
            raise TypeError
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, RuntimeError, OverflowError):
        require(False, owner, name, rule, value)
        raise
    ok = math.isfinite(number) and (above is None or number > above) and (at_least is None or number >= at_least)
    require(ok, owner, name, rule, number)
    return number


def time_step(owner: str, dt_ms: object) -> float:
    """`dt_ms` as a float, between a picosecond and eleven days: what it divides and is divided by stays a number."""
    number = real_number(owner, "dt_ms", dt_ms, above=0)
    require(1e-9 <= number <= 1e9, owner, "dt_ms", "must lie in 1e-09..1e+09", number)
    return number


def as_array(owner: str, name: str, values: object) -> NDArray[Any]:
    """`values` as an array, whatever NumPy makes one of: nested lists, tensors in main memory, columns of a table.

    What has no place in an array is an `InputError`, not an error of NumPy's or torch's own; so are masked values,
    which a plain array would show again.
    """
    if isinstance(values, np.ma.MaskedArray):
        n_masked = int(np.ma.getmaskarray(values).sum())
        remedy = "leave them out (`.compressed()`) or fill them (`.filled(value)`)"
        require(n_masked == 0, owner, name, "must have no masked values", f"{n_masked} of {values.size}", remedy=remedy)
    try:
        return np.asarray(values)
    except (
        TypeError,
        ValueError,
        RuntimeError,
        OverflowError,
    ) as error:  # ragged lists; tensors on a GPU
        raise InputError(f"`{name}` of `{owner}` cannot be made an array: {as_text(str(error))}") from error


def real_array(owner: str, name: str, values: object) -> NDArray[np.float64]:
    """`as_array` in float64, for real numbers alone; they need not be finite."""
    array = as_array(owner, name, values)
    require(array.dtype.kind in "biuf", owner, name, "must be real numbers", f"dtype {array.dtype}")
    return array.astype(np.float64, copy=False)


def check_column(
    owner: str,
    name: str,
    values: ArrayLike,
    *,
    dtype: type,
    length: int | None = None,
    above: float | None = None,
    at_least: float | None = None,
    at_most: float | None = None,
) -> NDArray[Any]:
    """Return `values` as a read-only 1-D array of `dtype`, or raise `InputError` naming the first offender.

    Real columns must be finite; integer columns must hold integers exactly.
    """
    array = as_array(owner, name, values)
    require(array.ndim == 1, owner, name, "must have one dimension", f"shape {array.shape}")
    if length is not None:
        require(array.size == length, owner, name, f"must have length {length}", f"length {array.size}")
    require(array.dtype.kind in "biuf", owner, name, "must be real numbers", f"dtype {array.dtype}")
    # A column in order is told by its extremes, NaN where there is one; the offender is looked for in the others.
    low, high = _extremes(array)
    if not (np.isfinite(low) and np.isfinite(high)):
        check_all(owner, name, "must be finite", array, np.isfinite(array))
    # Only an array that nobody can write to, itself or through what it is a view of, is taken without a copy.
    may_change = array.flags.writeable or not array.flags.owndata
    with np.errstate(invalid="ignore", over="ignore"):  # what does not fit is told below
        column: NDArray[Any] = np.ascontiguousarray(array.astype(dtype, copy=may_change))
    if column.dtype != array.dtype:
        fits = column == array if np.issubdtype(dtype, np.integer) else np.isfinite(column)
        what = "whole numbers that fit" if np.issubdtype(dtype, np.integer) else "numbers that fit"
        check_all(owner, name, f"must be {what} {np.dtype(dtype).name}", array, fits)
    low, high = _extremes(column)
    if above is not None and not low > above:
        check_all(owner, name, f"must be > {above:g}", array, column > above)
    if at_least is not None and low < at_least:
        check_all(owner, name, f"must be >= {at_least:g}", array, column >= at_least)
    if at_most is not None and high > at_most:
        check_all(owner, name, f"must be <= {at_most:g}", array, column <= at_most)
    column.flags.writeable = False
    return column


def _extremes(values: NDArray[Any]) -> tuple[Any, Any]:
    return (values.min(), values.max()) if values.size else (np.nan, np.nan)


def check_all(
    owner: str, name: str, rule: str, values: NDArray[Any], ok: NDArray[np.bool_], *, remedy: str = ""
) -> None:
    """Raise `InputError` naming the first of `values` (1-D) where `ok` is false."""
    if ok.all():
        return
    bad = np.flatnonzero(~ok)
    first = int(bad[0])
    place = f"at index {first} ({bad.size} of {values.size} values)"
    offender = values[first]
    require(
        False, owner, name, rule, offender.item() if hasattr(offender, "item") else offender, place=place, remedy=remedy
    )


def chosen_rows(owner: str, name: str, n: int, chosen: object) -> NDArray[np.int64]:
    """The indices below `n` that `chosen` means: an index or several, a boolean mask, or a slice.

    >>> chosen_rows("Spikes.select", "samples", 3, slice(1, None)).tolist()
    [1, 2]
    """
    if not isinstance(chosen, slice):
        array = as_array(owner, name, chosen)
        chosen = array.astype(np.int64) if array.size == 0 and array.dtype.kind == "f" else array  # an empty list
    try:
        return np.arange(n)[chosen].reshape(-1)
    except (IndexError, TypeError, ValueError, OverflowError) as error:
        raise InputError(f"`{name}` of `{owner}` must choose among {n}: {as_text(str(error))}") from error


def did_you_mean(word: object, known: Iterable[str]) -> str:
    """Return `did you mean "x"?` for the nearest of `known`, else the list of what is known.

    >>> did_you_mean("tau_mem", ["tau_mem_ms", "v_th"])
    'did you mean "tau_mem_ms"?'
    """
    known = sorted(known)
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.6) if isinstance(word, str) else []
    return f'did you mean "{near[0]}"?' if near else f"known: {', '.join(known)}"


def too_large(error: MemoryError | OverflowError) -> str:
    """The sentence for what Python says of a number, or of an array, that is too large.

    >>> too_large(OverflowError("int too large to convert to float"))
    'a number is too large (int too large to convert to float); make it smaller'
    """
    said = f" ({shortened(str(error))})" if str(error) else ""
    if isinstance(error, MemoryError):
        return f"this takes more memory than there is{said}; make the network, the data or what was asked for smaller"
    return f"a number is too large{said}; make it smaller"


def as_text(value: object, *, quotes: bool = False) -> str:
    """What is told of a value in a sentence, at most 200 characters of it; `quotes` about a text.

    >>> as_text("a" * 5000, quotes=True)[:3], as_text(np.arange(3))
    ("'aa", '[0, 1, 2]')
    """
    try:
        if isinstance(value, np.ndarray):
            value = np.array2string(value, separator=", ", threshold=20)
        text = value if isinstance(value, str) and not quotes else repr(value)
    except Exception:  # of whatever class: too deep a list, a number of more digits than Python writes
        text = f"a {type(value).__name__} that cannot be shown"
    return shortened(text)


def bounded(sentence: str) -> str:
    """`sentence` on one line and short enough to be read, its longest words and its middle left out if need be.

    >>> len(bounded("word " * 5000)), len(bounded("x" * 5000))
    (1205, 303)
    """
    words = (word if len(word) <= _LONGEST_WORD else f"{word[:_LONGEST_WORD]}..." for word in sentence.split())
    text = " ".join(words)
    if len(text) > 2 * _HALF_A_SENTENCE:
        text = f"{text[:_HALF_A_SENTENCE]} ... {text[-_HALF_A_SENTENCE:]}"
    return text


def shortened(text: str) -> str:
    """The first 200 characters of a value that is told in a sentence.

    >>> len(shortened("a" * 5000))
    200
    """
    return text if len(text) <= 200 else text[:197] + "..."
