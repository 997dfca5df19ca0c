"""How kernels of the engine are compiled: on first use, once per specialisation, kept on disk where that is possible.

What would cost time in inner loops and is not needed is passed as None (inhibitory currents of delta synapses, delays,
plasticity, ...); numba leaves branches on None out when it compiles. So a kernel has many specialisations, and each is
compiled when it is first bound to arguments.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, overload

from hrsnn._compiled import KernelCache, jit

__all__ = ["bind", "by_presence", "inlined", "jit", "power_of_two", "prefetch", "prefetch_behind"]

inlined = numba.njit(nogil=True, error_model="numpy", forceinline=True)  # where a call each step would cost time

bind = KernelCache(Path(__file__).parent.glob("*.py")).bind


def by_presence(argument: int, absent: Callable[..., Any], present: Callable[..., Any]) -> Callable[..., Any]:
    """A function for compiled code: `absent` where the argument of this number is None, else `present`.

    Numba leaves out what stands under `is None` for arguments that are None, and keeps it for all others; so a function
    whose result has another type then needs this.
    """

    def choose(*arguments: Any) -> Any:
        raise TypeError("runs in compiled code only")

    overload(choose, jit_options={"error_model": "numpy"}, strict=False)(
        lambda *arguments: absent if isinstance(arguments[argument], types.NoneType) else present
    )
    return choose


# -- what numba lacks ------------------------------------------------------------------------------------------------


def power_of_two(exponent: Any) -> Any:
    """2**exponent for a whole `exponent` in floating point, made from its bits; compiled code only."""
    raise TypeError("runs in compiled code only")


@overload(power_of_two, jit_options={"error_model": "numpy"})
def _compile_power_of_two(exponent: Any) -> Callable[[Any], Any]:
    def single(exponent: Any) -> Any:
        return np.int32((np.int32(exponent) + 127) << 23).view(np.float32)

    def double(exponent: Any) -> Any:
        return np.int64((np.int64(np.int32(exponent)) + 1023) << 52).view(np.float64)

    return single if exponent == types.float32 else double


def _prefetch_to(locality: int) -> Any:
    """A function (array, index) for compiled code: ask for the cache line of `array[index]`, never an error."""

    def prefetch(typing_context: Any, array: Any, index: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
            address = builder.bitcast(builder.gep(data, [arguments[1]]), cgutils.voidptr_t)
            flag = ir.IntType(32)
            kind = ir.FunctionType(ir.VoidType(), [address.type, flag, flag, flag])
            insert: Callable[..., Any] = cgutils.get_or_insert_function
            to_read, data_cache = flag(0), flag(1)
            builder.call(
                insert(builder.module, kind, "llvm.prefetch.p0"), [address, to_read, flag(locality), data_cache]
            )  # fmt: skip
            return context.get_dummy_value()

        return types.void(array, index), generate

    return intrinsic(prefetch)


prefetch = _prefetch_to(3)  # into the first cache
prefetch_behind = _prefetch_to(2)  # into the second: a row of a large table would push the present one out of the first
