"""Functions compiled by numba at their first call, kept on disk where that is possible, else compiled anew."""

from __future__ import annotations

import hashlib
import threading
import types as python_types
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numba
import numpy as np

jit = numba.njit(nogil=True, error_model="numpy")  # no fast-math: the operations are those that are written


def compiled(function: Callable[..., Any]) -> Kernel:
    """A decorator: `function` compiled at its first call. Functions it calls are `jit`, in the same file."""
    return Kernel(function, function.__name__)


class KernelCache:
    """The kernels of `files`: of a function one for each set of types of its arguments, named after all of these.

    Numba looks at one file to tell whether compiled code is out of date; kernels stand in several.
    """

    def __init__(self, files: Iterable[Path]) -> None:
        self._sources = hashlib.sha256(b"".join(file.read_bytes() for file in sorted(files))).digest()
        self._kernels: dict[str, Kernel] = {}

    def bind(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> Kernel:
        """`function` for arguments of the types of these; nothing is compiled or read before the first call."""
        name = f"{function.__name__}_{hashlib.sha256(self._sources + _kind(arguments).encode()).hexdigest()[:16]}"
        return self._kernels.setdefault(name, Kernel(function, name))


def _kind(value: Any) -> str:
    """What numba's type of a value depends on; `numba.typeof` says the same in fifty times the time."""
    if isinstance(value, tuple):
        return f"{type(value).__name__}({','.join(map(_kind, value))})"
    if isinstance(value, np.ndarray):
        return f"{value.dtype.str}{value.ndim}{value.flags.c_contiguous:d}{value.flags.writeable:d}"
    return type(value).__name__


class Kernel:
    """One specialisation of a function.

    It has a name of its own, and with it a file of its own in the cache: numba lets two processes that store two
    specialisations of one function at the same time overwrite each other's code.
    """

    def __init__(self, function: Callable[..., Any], name: str) -> None:
        self._function = python_types.FunctionType(function.__code__, function.__globals__, name)
        self._function.__qualname__ = name
        self._compiled: Callable[..., Any] | None = None
        self._lock = threading.Lock()

    def __call__(self, *arguments: Any) -> Any:
        """Call it, compiled before if need be."""
        if self._compiled is None:
            with self._lock:
                if self._compiled is None:
                    return self._first_call(arguments)
        return self._compiled(*arguments)

    def entry(self, *arguments: Any) -> Callable[..., Any]:
        """The compiled code itself, after a first call with `arguments`; for arguments of the same types and no others.

        Numba's own call looks at the type of every argument each time, which takes longer than one step of a network.
        """
        self(*arguments)
        found = list(getattr(self._compiled, "overloads", {}).values())
        return found[0].entry_point if len(found) == 1 else self

    def _first_call(self, arguments: tuple[Any, ...]) -> Any:
        """Reading or writing the cache comes before the kernel runs, so when it fails for whatever reason nothing has
        changed yet and the call can be made again without a cache."""
        try:
            cached = numba.njit(nogil=True, error_model="numpy", cache=True)(self._function)
            result = cached(*arguments)
            self._compiled = cached
        except numba.core.errors.NumbaError:  # the kernel itself is at fault
            raise
        except Exception as trouble:
            plain = jit(self._function)
            result = plain(*arguments)
            self._compiled = plain
            _warn_once(trouble)
        return result


_warned = False


def _warn_once(trouble: Exception) -> None:
    global _warned
    if not _warned:
        _warned = True
        warnings.warn(
            f"numba's cache cannot be used ({trouble}); compiled code is not kept, so each process compiles it anew. "
            "Set NUMBA_CACHE_DIR to a directory that can be written",
            RuntimeWarning,
            stacklevel=4,
        )
