"""Blocks of singles: sums that bound (`sums`), and what is asked of them. They decide nothing on their own."""

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

_HALF = PIECE // 2
_SINGLES = BlockType(types.float32, PIECE)


def _keeping() -> Any:
    def only(_: Any, source: Any, at: Any, values: Any) -> Any:
        def make(context: Any, builder: Any, signature: Any, given: Any) -> Any:
            # Read from memory to all lanes at once: a word at hand would first be shifted and moved to a vector.
            quarters = builder.bitcast(start_of(context, builder, signature.args[0], given[0]), QUARTER.as_pointer())
            bits = builder.load(builder.gep(quarters, [given[1]]))
            short, whole = ir.VectorType(QUARTER, 2 * PIECE), ir.VectorType(ir.IntType(32), PIECE)
            undefined = ir.Constant(short, ir.Undefined)
            first = builder.insert_element(undefined, bits, ir.Constant(ir.IntType(32), 0))
            zeros = ir.Constant(ir.VectorType(ir.IntType(32), 2 * PIECE), [0] * 2 * PIECE)
            in_each = builder.bitcast(builder.shuffle_vector(first, undefined, zeros), whole)
            # The bit of a lane becomes its sign, which is what chooses where there are no masks.
            signs = builder.shl(in_each, ir.Constant(whole, [31 - at for at in range(PIECE)]))
            kept = builder.icmp_signed("<", signs, ir.Constant(whole, [0] * PIECE))
            nothing = ir.Constant(given[2].type, [ir.Constant(ir.FloatType(), float("-inf"))] * PIECE)
            return builder.select(kept, given[2], nothing)

        return _SINGLES(source, types.intp, _SINGLES), make

    def plain(source: Any, at: int, values: Any) -> Any:
        bits = int(source[at // 4]) >> at % 4 * PIECE
        return np.where(holds(bits)[:PIECE], values, np.float32(-np.inf))

    return plain if JIT_DISABLED else intrinsic(only)


def _reached(context: Any, builder: Any, block: Any, bound: Any) -> Any:
    return builder.fcmp_ordered(">=", block, same_in_all(context, builder, bound, _SINGLES))


def _halves(builder: Any, block: Any) -> Any:
    # Machines without masks compare eight lanes at once.
    kind = ir.VectorType(ir.IntType(32), _HALF)
    undefined = ir.Constant(block.type, ir.Undefined)
    return [
        builder.shuffle_vector(block, undefined, ir.Constant(kind, list(range(first, first + _HALF))))
        for first in (0, _HALF)
    ]


def _reaching() -> Any:
    def reaching(_: Any, a: Any, b: Any, c: Any, d: Any, bound: Any) -> Any:
        def make(context: Any, builder: Any, signature: Any, given: Any) -> Any:
            # One comparison of all lanes: those of each block alone would be put into a word with many more steps.
            low, high = (side_by_side(builder, *pair) for pair in (given[0:2], given[2:4]))
            lanes = side_by_side(builder, low, high)
            least = side_by_side(builder, *[same_in_all(context, builder, given[4], _SINGLES)] * 2)
            reached = builder.fcmp_ordered(">=", lanes, side_by_side(builder, least, least))
            return builder.bitcast(reached, ir.IntType(LANES))

        return types.uint64(_SINGLES, _SINGLES, _SINGLES, _SINGLES, types.float32), make

    def plain(a: Any, b: Any, c: Any, d: Any, bound: Any) -> Any:
        return bits_of(np.concatenate((a, b, c, d)) >= bound)

    return plain if JIT_DISABLED else intrinsic(reaching)


def _reaches(context: Any, builder: Any, block: Any, bound: Any) -> Any:
    low, high = _halves(builder, block)
    most = builder.select(builder.fcmp_ordered(">", low, high), low, high)
    least = _halves(builder, same_in_all(context, builder, bound, _SINGLES))[0]
    lanes = builder.bitcast(builder.fcmp_ordered(">=", most, least), ir.IntType(_HALF))
    return builder.zext(builder.icmp_unsigned("!=", lanes, ir.Constant(lanes.type, 0)), ir.IntType(64))


def _joined(context: Any, builder: Any, block: Any, first: Any, second: Any) -> Any:
    name = f"llvm.fmuladd.v{PIECE}f32"
    return vector_call(context, builder, name, _SINGLES, block.type, first, second, block)


def _greatest(context: Any, builder: Any, block: Any) -> Any:
    name = f"llvm.vector.reduce.fmax.v{PIECE}f32"
    return vector_call(context, builder, name, _SINGLES, ir.FloatType(), block, fastmath=("nnan",))


load_singles = loading(_SINGLES)
store_singles = storing(_SINGLES)
in_all = making(
    _SINGLES,
    (types.float32,),
    lambda context, builder, value: same_in_all(context, builder, value, _SINGLES),
    lambda value: np.full(PIECE, value, dtype=np.float32),
)
"""A block with one value in every lane."""
joined = making(_SINGLES, (_SINGLES, _SINGLES, _SINGLES), _joined, lambda a, b, c: a + b * c)
"""A block and the product of two others; whether the product is rounded by itself depends on the machine."""
greater = making(
    _SINGLES,
    (_SINGLES, _SINGLES),
    lambda _, builder, a, b: builder.select(builder.fcmp_ordered(">", a, b), a, b),
    lambda a, b: np.where(a > b, a, b),
)
"""The greater of two blocks, lane by lane; the second's where either is NaN."""
only = _keeping()
"""A block with -inf in the lanes whose bit is not set, ``only(bits, at, block)``: ``at`` counts pieces of words."""
reaching = _reaching()
"""The lanes of four blocks that reach a bound, as a word: those of the first block are the lowest bits."""
reaches = making(
    types.uint64,
    (_SINGLES, types.float32),
    _reaches,
    lambda block, bound: np.uint64((block >= bound).any()),
)
"""1 where any lane of a block without NaN reaches a bound, else 0."""
lowered = making(
    _SINGLES,
    (_SINGLES, types.float32, types.float32),
    lambda context, builder, block, bound, value: builder.select(
        _reached(context, builder, block, bound), same_in_all(context, builder, value, _SINGLES), block
    ),
    lambda block, bound, value: np.where(block >= bound, value, block),
)
"""A block whose lanes that reach a bound have a value in its place."""
greatest = making(types.float32, (_SINGLES,), _greatest, lambda block: block.max())
"""The greatest lane of a block without NaN."""
