"""What kernels need of the machine that Numba does not offer: memory by its address, and blocks of lanes.

Each name stands for the same thing in three builds. Compiled, memory is a bare address and a block is a vector
register. Compiled with bounds checks, memory is an array, so that each single access is checked. Without the JIT all is
plain Python over arrays. Blocks of singles decide nothing on their own: they bound, and their error is accounted for
(`blends`). Blocks of doubles round as doubles alone do. What is done with blocks stands in `single_lanes`,
`double_lanes` and `short_lanes`; here are memory, words, and what instructions are made of.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils as _cgutils
from numba.core.imputils import impl_ret_borrowed
from numba.extending import intrinsic, models, register_model

from tenantrank_kernels._compile import JIT_DISABLED

_codegen: Any = _cgutils

LANES = 64
"""Offers in a block of short integers or of bytes: one for each bit of a word."""
PIECE = 16
"""Offers in a block of single-precision values: a quarter of a word's, which few registers hold."""
EIGHT = 8
"""Offers in a block of double-precision values."""
WORDS = 8
"""Words in a block of bits."""

_ELEMENTS = {
    types.uint8: ir.IntType(8),
    types.float32: ir.FloatType(),
    types.float64: ir.DoubleType(),
    types.uint64: ir.IntType(64),
    types.uint16: ir.IntType(16),
}
QUARTER = ir.IntType(PIECE)  # of a word: the bits of a piece
_ALIGNED = {types.float32: 4, types.float64: 8, types.uint64: 8, types.uint16: 2}


class BlockType(types.Type):
    """A block of equal numbers, held in vector registers."""

    def __init__(self, element: Any, count: int) -> None:
        self.element = element
        self.count = count
        super().__init__(f"block({element}, {count})")


@register_model(BlockType)
class _BlockModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, ir.VectorType(_ELEMENTS[kind.element], kind.count))


_BITS = BlockType(types.uint64, WORDS)


def _memory(element: Any) -> Any:
    """Make the function that views memory as numbers of one type, given an address, or what needs no view."""

    def memory(_: Any, source: Any) -> Any:
        if isinstance(source, types.Array | types.BaseTuple):

            def same(context: Any, builder: Any, signature: Any, values: Any) -> Any:
                return impl_ret_borrowed(context, builder, signature.return_type, values[0])

            return source(source), same
        pointer = types.CPointer(element)

        def cast(context: Any, builder: Any, _: Any, values: Any) -> Any:
            return builder.inttoptr(values[0], context.get_value_type(pointer))

        return pointer(types.int64), cast

    return (lambda source: source) if JIT_DISABLED else intrinsic(memory)


doubles = _memory(types.float64)
singles = _memory(types.float32)
integers = _memory(types.int32)
words = _memory(types.uint64)
shorts = _memory(types.uint16)
longs = _memory(types.int64)
table = _memory(types.int64)
"""The entries of a frame, given its handle."""


def start_of(context: Any, builder: Any, kind: Any, value: Any) -> Any:
    """Give the pointer to the first element of memory."""
    return _codegen.create_struct_proxy(kind)(context, builder, value).data if isinstance(kind, types.Array) else value


def _element_pointer(context: Any, builder: Any, kind: Any, value: Any, at: Any, block: Any) -> Any:
    """Give the pointer to the block that begins at an element of memory."""
    first = start_of(context, builder, kind, value)
    return builder.bitcast(builder.gep(first, [at]), context.get_value_type(block).as_pointer())


def loading(block: Any) -> Any:
    """Make the instruction that reads a block of a type from memory, ``(source, at)``."""

    def load(_: Any, source: Any, at: Any) -> Any:
        def make(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            pointer = _element_pointer(context, builder, signature.args[0], values[0], values[1], block)
            return builder.load(pointer, align=_ALIGNED[block.element])

        return block(source, types.intp), make

    if JIT_DISABLED:
        return lambda source, at: source[at : at + block.count].copy()
    return intrinsic(load)


def storing(block: Any) -> Any:
    """Make the instruction that writes a block of a type to memory, ``(target, at, block)``."""

    def store(_: Any, target: Any, at: Any, values: Any) -> Any:
        def make(context: Any, builder: Any, signature: Any, given: Any) -> Any:
            pointer = _element_pointer(context, builder, signature.args[0], given[0], given[1], block)
            builder.store(given[2], pointer, align=_ALIGNED[block.element])
            return context.get_dummy_value()

        return types.void(target, types.intp, block), make

    def plain(target: Any, at: int, values: Any) -> None:
        target[at : at + block.count] = values

    return plain if JIT_DISABLED else intrinsic(store)


def making(result: Any, arguments: tuple[Any, ...], build: Callable[..., Any], plain: Callable[..., Any]) -> Any:
    """Make an instruction: its code under the JIT, what it means in plain Python without."""
    if JIT_DISABLED:
        return plain
    made = (
        result(*arguments),
        lambda context, builder, _, values: build(context, builder, *values),
    )

    # Numba reads the number of arguments off the Python signature.
    def one(_: Any, a: Any) -> Any:
        return made

    def two(_: Any, a: Any, b: Any) -> Any:
        return made

    def three(_: Any, a: Any, b: Any, c: Any) -> Any:
        return made

    return intrinsic((one, two, three)[len(arguments) - 1])


def same_in_all(context: Any, builder: Any, value: Any, block: Any) -> Any:
    """Build a block of a type with one value in every lane."""
    kind = context.get_value_type(block)
    first = builder.insert_element(ir.Constant(kind, ir.Undefined), value, ir.Constant(ir.IntType(32), 0))
    lanes = ir.Constant(ir.VectorType(ir.IntType(32), block.count), [0] * block.count)
    return builder.shuffle_vector(first, ir.Constant(kind, ir.Undefined), lanes)


def vector_call(context: Any, builder: Any, name: str, block: Any, result: Any, *values: Any, **flags: Any) -> Any:
    """Build a call of one of LLVM's own functions of blocks of a type."""
    kind = ir.FunctionType(result, [context.get_value_type(block)] * len(values))
    return builder.call(_codegen.get_or_insert_function(builder.module, kind, name), list(values), **flags)


def side_by_side(builder: Any, low: Any, high: Any) -> Any:
    """Build one block of two, the lanes of the first before those of the second."""
    lanes = list(range(2 * low.type.count))
    return builder.shuffle_vector(low, high, ir.Constant(ir.VectorType(ir.IntType(32), len(lanes)), lanes))


def _counted(context: Any, builder: Any, block: Any) -> Any:
    kind = context.get_value_type(_BITS)
    counts = vector_call(context, builder, f"llvm.ctpop.v{WORDS}i64", _BITS, kind, block)
    return vector_call(context, builder, f"llvm.vector.reduce.add.v{WORDS}i64", _BITS, ir.IntType(64), counts)


def _counted_in(context: Any, builder: Any, word: Any) -> Any:
    return builder.ctpop(word)


def _any_set(context: Any, builder: Any, block: Any) -> Any:
    kind = context.get_value_type(_BITS)
    return vector_call(context, builder, f"llvm.vector.reduce.or.v{WORDS}i64", _BITS, kind.element, block)


def _lowest(context: Any, builder: Any, word: Any) -> Any:
    return builder.cttz(word, ir.Constant(ir.IntType(1), 1))


def bits_of(values: Any) -> np.uint64:
    """Give truth values as the bits of a word, in plain Python."""
    return np.uint64(sum(1 << int(at) for at in np.flatnonzero(values)))


def holds(bits: Any) -> Any:
    """Give the bits of a word as truth values, in plain Python."""
    return np.array([int(bits) >> at & 1 for at in range(LANES)], dtype=bool)


load_bits = loading(_BITS)
store_bits = storing(_BITS)
both = making(_BITS, (_BITS, _BITS), lambda _, builder, a, b: builder.and_(a, b), lambda a, b: a & b)
either = making(_BITS, (_BITS, _BITS), lambda _, builder, a, b: builder.or_(a, b), lambda a, b: a | b)
without = making(_BITS, (_BITS, _BITS), lambda _, builder, a, b: builder.and_(a, builder.not_(b)), lambda a, b: a & ~b)
"""The bits of the first block that the second lacks."""
inverted = making(_BITS, (_BITS,), lambda _, builder, a: builder.not_(a), lambda a: ~a)
any_set = making(types.uint64, (_BITS,), _any_set, lambda block: np.bitwise_or.reduce(block))
"""A word that is not 0 where any bit of a block is set."""
counted = making(types.int64, (_BITS,), _counted, lambda block: int(sum(int(word).bit_count() for word in block)))
"""How many bits of a block are set."""
lowest = making(types.int64, (types.uint64,), _lowest, lambda word: (int(word) & -int(word)).bit_length() - 1)
"""The place of the lowest set bit of a word that is not 0."""
counted_in = making(types.int64, (types.uint64,), _counted_in, lambda word: int(word).bit_count())
"""How many bits of a word are set."""
