"""Products of weights with what 16 samples have at every neuron, side by side in memory, for compiled code.

`d` is flat, `LANES` numbers for each place. Sums are kept in registers over a whole row, which loops that numba
compiles do not do: hence this is written in the language of LLVM, which cuts vectors of 16 to the width of the machine.
Products and sums may be fused, so last bits depend on the machine; it is for gradients alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from llvmlite import binding as llvm
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

LANES = 16  # samples side by side: the widest vector of single precision
# Rows of a dense matrix that are multiplied together, so that a load of `d` serves all; their sums fill the registers.
ROWS = 12 if llvm.get_host_cpu_features().get("avx512f") else 6
_AT_ONCE = 4  # sums of a row of synapses, so that one addition need not wait for the one before


def _sparse_product(
    typing_context: Any, weight: Any, target: Any, begin: Any, end: Any, d: Any, base: Any, out: Any, row: Any
) -> Any:
    """out[row] = sum over k from `begin` to `end` of weight[k] d[base + target[k]]; all indices in places of LANES."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        code = _Code(context, builder, signature, arguments)
        weight, target, begin, end, d, base, out, row = code.values

        def add(k: Any, total: Any) -> Any:
            place = builder.zext(code.load(target, k), base.type)
            return code.fused(code.spread(code.load(weight, k)), code.lanes(d, builder.add(base, place)), total)

        one, step = constant(begin, 1), constant(begin, _AT_ONCE)
        whole = builder.and_(builder.sub(end, begin), constant(begin, -_AT_ONCE))
        middle = builder.add(begin, whole)
        with code.loop(begin, middle, step, [code.zero] * _AT_ONCE) as (k, totals, new):
            new += [add(builder.add(k, constant(k, i)), total) for i, total in enumerate(totals)]
        total = builder.fadd(builder.fadd(*code.result[:2]), builder.fadd(*code.result[2:]))
        with code.loop(middle, end, one, [total]) as (k, totals, new):
            new.append(add(k, totals[0]))
        code.store(code.result[0], out, row)
        return context.get_dummy_value()

    return types.void(weight, target, begin, end, d, base, out, row), generate


sparse_product: Any = intrinsic(_sparse_product)


def _dense_product(n_rows: int) -> Any:
    def product(
        typing_context: Any, weight: Any, run: Any, n: Any, d: Any, base: Any, out: Any, rows: Any
    ) -> Any:  # fmt: skip
        """out[rows[r]] += sum over j < n of weight[r n + j] d[base + j], of the rows r from `run` on."""

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            code = _Code(context, builder, signature, arguments)
            weight, run, n, d, base, out, rows = code.values
            every = [builder.add(run, constant(run, r)) for r in range(n_rows)]
            first = [builder.mul(r, n) for r in every]
            with code.loop(constant(n, 0), n, constant(n, 1), [code.zero] * n_rows) as (j, totals, new):
                here = code.lanes(d, builder.add(base, j))
                for start, total in zip(first, totals, strict=True):
                    new.append(code.fused(code.spread(code.load(weight, builder.add(start, j))), here, total))
            for r, total in zip(every, code.result, strict=True):
                row = builder.zext(code.load(rows, r), base.type)
                code.store(builder.fadd(code.lanes(out, row), total), out, row)
            return context.get_dummy_value()

        return types.void(weight, run, n, d, base, out, rows), generate

    return intrinsic(product)


dense_product = _dense_product(ROWS)
dense_row = _dense_product(1)


def _transpose(
    typing_context: Any, source: Any, begin: Any, step: Any, target: Any, to: Any, to_step: Any
) -> Any:  # fmt: skip
    """target[to + c to_step + r] = source[begin + r step + c], r and c below LANES: a square of numbers, turned."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        code = _Code(context, builder, signature, arguments)
        source, begin, step, target, to, to_step = code.values
        rows = [code.vector(source, builder.add(begin, builder.mul(step, constant(step, r)))) for r in range(LANES)]
        half, index = LANES // 2, ir.IntType(32)
        low = [i // 2 + LANES * (i % 2) for i in range(LANES)]
        masks = [ir.Constant(ir.VectorType(index, LANES), [i + part for i in low]) for part in (0, half)]
        for _ in range(4):  # each time rows half of all apart are interleaved; four times turn the square
            rows = [
                builder.shuffle_vector(rows[r], rows[r + half], mask) for r in range(half) for mask in masks
            ]  # fmt: skip
        for c, vector in enumerate(rows):
            code.put(vector, target, builder.add(to, builder.mul(to_step, constant(to_step, c))))
        return context.get_dummy_value()

    return types.void(source, begin, step, target, to, to_step), generate


transpose: Any = intrinsic(_transpose)


def constant(like: Any, value: int) -> Any:
    """A constant of the integer type of `like`."""
    return ir.Constant(like.type, value)


class _Code:
    """What both products are written with: memory in lanes, and a loop whose sums stay in registers."""

    def __init__(self, context: Any, builder: Any, signature: Any, arguments: Any) -> None:
        self._builder = builder
        pairs = list(zip(signature.args, arguments, strict=True))
        self.values = [
            context.make_array(kind)(context, builder, value).data if isinstance(kind, types.Array) else value
            for kind, value in pairs
        ]
        self._number = context.get_data_type(signature.args[0].dtype)
        self._vector = ir.VectorType(self._number, LANES)
        self.zero = ir.Constant(self._vector, None)
        self.result: list[Any] = []
        name = "llvm.fmuladd.v16f32" if self._number == ir.FloatType() else "llvm.fmuladd.v16f64"
        kind = ir.FunctionType(self._vector, [self._vector] * 3)
        insert: Callable[..., Any] = cgutils.get_or_insert_function
        self._fmuladd = insert(builder.module, kind, name)

    def load(self, array: Any, k: Any) -> Any:
        """array[k]"""
        return self._builder.load(self._builder.gep(array, [k]))

    def lanes(self, array: Any, place: Any) -> Any:
        """The numbers of all samples at `place`."""
        return self.vector(array, self._builder.mul(place, constant(place, LANES)))

    def store(self, vector: Any, array: Any, place: Any) -> None:
        """Write the numbers of all samples."""
        self.put(vector, array, self._builder.mul(place, constant(place, LANES)))

    def vector(self, array: Any, k: Any) -> Any:
        """The LANES numbers from array[k] on."""
        return self._builder.load(self._at(array, k), align=self._bytes())

    def put(self, vector: Any, array: Any, k: Any) -> None:
        """Write them."""
        self._builder.store(vector, self._at(array, k), align=self._bytes())

    def spread(self, number: Any) -> Any:
        """One number for all samples."""
        index = ir.IntType(32)
        one = self._builder.insert_element(ir.Constant(self._vector, ir.Undefined), number, index(0))
        return self._builder.shuffle_vector(one, one, ir.Constant(ir.VectorType(index, LANES), None))

    def fused(self, a: Any, b: Any, c: Any) -> Any:
        """a b + c, fused where the machine does that faster."""
        return self._builder.call(self._fmuladd, [a, b, c])

    @contextmanager
    def loop(self, begin: Any, end: Any, step: Any, sums: list[Any]) -> Iterator[tuple[Any, list[Any], list[Any]]]:
        """for k in range(begin, end, step): (k, the sums so far, a list to put the new ones in); `result` after it."""
        builder = self._builder
        before = builder.block
        head, body, after = (builder.append_basic_block(name) for name in ("lanes.head", "lanes.body", "lanes.after"))
        builder.branch(head)
        builder.position_at_end(head)
        k = builder.phi(begin.type)
        totals = [builder.phi(self._vector) for _ in sums]
        builder.cbranch(builder.icmp_signed("<", k, end), body, after)
        builder.position_at_end(body)
        new: list[Any] = []
        yield k, totals, new
        k.add_incoming(begin, before)
        k.add_incoming(builder.add(k, step), builder.block)
        for total, first, later in zip(totals, sums, new, strict=True):
            total.add_incoming(first, before)
            total.add_incoming(later, builder.block)
        builder.branch(head)
        builder.position_at_end(after)
        self.result = totals

    def _at(self, array: Any, k: Any) -> Any:
        return self._builder.bitcast(self._builder.gep(array, [k]), self._vector.as_pointer())

    def _bytes(self) -> int:
        return 4 if self._number == ir.FloatType() else 8
