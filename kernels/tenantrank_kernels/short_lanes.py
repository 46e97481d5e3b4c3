"""Blocks of short integers and of bytes, one for each bit of a word: shortfalls, and the digits of places."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from tenantrank_kernels._compile import JIT_DISABLED
from tenantrank_kernels.machine import (
    LANES,
    PIECE,
    QUARTER,
    BlockType,
    bits_of,
    holds,
    loading,
    making,
    same_in_all,
    side_by_side,
    start_of,
    storing,
    vector_call,
)

_SHORTS = BlockType(types.uint16, LANES)
_BYTES = BlockType(types.uint8, LANES)


def _chosen(context: Any, builder: Any, bits: Any, first: Any, second: Any) -> Any:
    return builder.select(builder.bitcast(bits, ir.VectorType(ir.IntType(1), LANES)), first, second)


def _marked(context: Any, builder: Any, bits: Any, mark: Any, block: Any) -> Any:
    nothing = ir.Constant(block.type, None)
    marks = _chosen(context, builder, bits, same_in_all(context, builder, mark, _BYTES), nothing)
    return builder.or_(block, marks)


def _shorts_where(builder: Any, holds: Any) -> Any:
    """Give ones in all bits of the lanes of short integers for which something holds."""
    return builder.sext(holds, ir.VectorType(ir.IntType(16), LANES))


def _times_short(context: Any, builder: Any, block: Any, factor: Any) -> Any:
    wide = ir.VectorType(ir.IntType(32), LANES)
    product = builder.mul(builder.sext(block, wide), builder.sext(factor, wide))
    return builder.trunc(builder.lshr(product, ir.Constant(wide, [16] * LANES)), block.type)


def _times_short_plain(block: Any, factor: Any) -> Any:
    return (block.view(np.int16).astype(np.int32) * factor.view(np.int16) >> 16).astype(np.int16).view(np.uint16)


def _filling() -> Any:
    def filled(_: Any, source: Any, at: Any, block: Any) -> Any:
        def make(context: Any, builder: Any, signature: Any, given: Any) -> Any:
            # Read from memory, a quarter of the word to each quarter of the lanes: see `only`.
            quarters = builder.bitcast(start_of(context, builder, signature.args[0], given[0]), QUARTER.as_pointer())
            places = [builder.add(given[1], ir.Constant(given[1].type, place)) for place in range(LANES // PIECE)]
            loads = [builder.load(builder.gep(quarters, [place])) for place in places]
            kind = ir.VectorType(QUARTER, PIECE)
            zeros = ir.Constant(ir.VectorType(ir.IntType(32), PIECE), [0] * PIECE)
            undefined = ir.Constant(kind, ir.Undefined)
            splats = [
                builder.shuffle_vector(
                    builder.insert_element(undefined, bits, ir.Constant(ir.IntType(32), 0)), undefined, zeros
                )
                for bits in loads
            ]
            low, high = (side_by_side(builder, *pair) for pair in (splats[:2], splats[2:]))
            own = ir.Constant(given[2].type, [1 << lane % PIECE for lane in range(LANES)])
            set_ = builder.and_(side_by_side(builder, low, high), own)
            lacks = builder.icmp_unsigned("==", set_, ir.Constant(set_.type, None))
            return builder.or_(given[2], _shorts_where(builder, lacks))

        return _SHORTS(source, types.intp, _SHORTS), make

    def plain(source: Any, at: int, block: Any) -> Any:
        return np.where(holds(source[at // 4]), block, np.uint16(0xFFFF))

    return plain if JIT_DISABLED else intrinsic(filled)


def _at_most(context: Any, builder: Any, block: Any, bound: Any) -> Any:
    reached = builder.icmp_unsigned("<=", block, same_in_all(context, builder, bound, _SHORTS))
    return builder.bitcast(reached, ir.IntType(LANES))


def _dropped(context: Any, builder: Any, block: Any, value: Any) -> Any:
    equal = builder.icmp_unsigned("==", block, same_in_all(context, builder, value, _SHORTS))
    return builder.or_(block, _shorts_where(builder, equal))


def _least_short(context: Any, builder: Any, block: Any) -> Any:
    return vector_call(context, builder, f"llvm.vector.reduce.umin.v{LANES}i16", _SHORTS, ir.IntType(16), block)


load_shorts = loading(_SHORTS)
store_shorts = storing(_SHORTS)
byte_in_all = making(
    _BYTES,
    (types.uint8,),
    lambda context, builder, value: same_in_all(context, builder, value, _BYTES),
    lambda value: np.full(LANES, value, dtype=np.uint8),
)
marked = making(
    _BYTES,
    (types.uint64, types.uint8, _BYTES),
    _marked,
    lambda bits, mark, block: np.where(holds(bits), block | mark, block),
)
"""A block of bytes with further bits set in the lanes whose bit is set."""
widened = making(
    _SHORTS,
    (_BYTES,),
    lambda context, builder, block: builder.zext(block, context.get_value_type(_SHORTS)),
    lambda block: block.astype(np.uint16),
)
"""A block of bytes as short integers."""
short_in_all = making(
    _SHORTS,
    (types.uint16,),
    lambda context, builder, value: same_in_all(context, builder, value, _SHORTS),
    lambda value: np.full(LANES, value, dtype=np.uint16),
)
chosen_shorts = making(
    _SHORTS, (types.uint64, _SHORTS, _SHORTS), _chosen, lambda bits, a, b: np.where(holds(bits), a, b)
)
plus_shorts = making(_SHORTS, (_SHORTS, _SHORTS), lambda _, builder, a, b: builder.add(a, b), lambda a, b: a + b)
"""The sum of two blocks of short integers, of which what does not fit is lost."""
times_short = making(_SHORTS, (_SHORTS, _SHORTS), _times_short, _times_short_plain)
"""The upper halves of the products of two blocks of short integers, taken as signed ones."""
lesser_shorts = making(
    _SHORTS,
    (_SHORTS, _SHORTS),
    lambda _, builder, a, b: builder.select(builder.icmp_unsigned("<", a, b), a, b),
    lambda a, b: np.minimum(a, b),
)
filled = _filling()
"""A block with the greatest short integer in the lanes whose bit is not set, ``filled(bits, word, block)``."""
dropped = making(
    _SHORTS,
    (_SHORTS, types.uint16),
    _dropped,
    lambda block, value: np.where(block == value, np.uint16(0xFFFF), block),
)
"""A block with the greatest short integer in place of a value."""
least_short = making(types.uint16, (_SHORTS,), _least_short, lambda block: block.min())
at_most = making(types.uint64, (_SHORTS, types.uint16), _at_most, lambda block, bound: bits_of(block <= bound))
"""The lanes of a block that are at most a bound, as a word."""
