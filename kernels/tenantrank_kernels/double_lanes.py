"""Blocks of doubles, which round as doubles alone do: exact scores, eight rows at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from tenantrank_kernels._compile import JIT_DISABLED
from tenantrank_kernels.machine import EIGHT, BlockType, making, same_in_all, start_of, storing

_DOUBLES = BlockType(types.float64, EIGHT)


def _rescaled(context: Any, builder: Any, block: Any, low: Any, high: Any) -> Any:
    least, most = (same_in_all(context, builder, end, _DOUBLES) for end in (low, high))
    zero, one = (ir.Constant(block.type, [ir.Constant(ir.DoubleType(), end)] * EIGHT) for end in (0.0, 1.0))
    scaled = builder.fdiv(builder.fsub(block, least), builder.fsub(most, least))
    # What is not above the low end comes to no more than 0, or to NaN.
    scaled = builder.select(builder.fcmp_ordered(">", scaled, zero), scaled, zero)
    scaled = builder.select(builder.fcmp_ordered(">=", block, most), one, scaled)
    return builder.select(builder.fcmp_ordered(">", most, least), scaled, zero)


def _rescaled_plain(block: Any, low: float, high: float) -> Any:
    with np.errstate(all="ignore"):
        scaled = (block - low) / (high - low)
    scaled[np.isnan(scaled) | (block <= low)] = 0.0
    scaled[block >= high] = 1.0
    return scaled if high > low else np.zeros(EIGHT)


def _clamped(context: Any, builder: Any, block: Any, low: Any, high: Any) -> Any:
    least, most = (same_in_all(context, builder, end, _DOUBLES) for end in (low, high))
    below = builder.select(builder.fcmp_ordered(">", block, most), most, block)
    return builder.select(builder.fcmp_ordered("<", block, least), least, below)


def _gathering() -> Any:
    def gather(_: Any, source: Any, rows: Any, at: Any) -> Any:
        def make(context: Any, builder: Any, signature: Any, given: Any) -> Any:
            block = ir.Constant(context.get_value_type(_DOUBLES), ir.Undefined)
            values, places = (
                start_of(context, builder, *each) for each in zip(signature.args, given[:2], strict=False)
            )
            for lane in range(EIGHT):
                place = builder.add(given[2], ir.Constant(given[2].type, lane))
                row = builder.sext(builder.load(builder.gep(places, [place])), ir.IntType(64))
                value = builder.load(builder.gep(values, [row]))
                block = builder.insert_element(block, value, ir.Constant(ir.IntType(32), lane))
            return block

        return _DOUBLES(source, rows, types.intp), make

    return (lambda source, rows, at: source[rows[at : at + EIGHT]]) if JIT_DISABLED else intrinsic(gather)


store_doubles = storing(_DOUBLES)
gathered = _gathering()
"""The block of the values of eight rows, which stand one after the other from a place on."""
double_in_all = making(
    _DOUBLES,
    (types.float64,),
    lambda context, builder, value: same_in_all(context, builder, value, _DOUBLES),
    lambda value: np.full(EIGHT, value),
)
added = making(_DOUBLES, (_DOUBLES, _DOUBLES), lambda _, builder, a, b: builder.fadd(a, b), lambda a, b: a + b)
minus = making(_DOUBLES, (_DOUBLES, _DOUBLES), lambda _, builder, a, b: builder.fsub(a, b), lambda a, b: a - b)
times = making(_DOUBLES, (_DOUBLES, _DOUBLES), lambda _, builder, a, b: builder.fmul(a, b), lambda a, b: a * b)
rescaled = making(_DOUBLES, (_DOUBLES, types.float64, types.float64), _rescaled, _rescaled_plain)
"""A block rescaled to 0–1 between two ends, as `normalize` of `scores` does where values are pinned."""
clamped = making(
    _DOUBLES,
    (_DOUBLES, types.float64, types.float64),
    _clamped,
    lambda a, b, c: np.where(a < b, b, np.where(a > c, c, a)),
)
"""A block held between two numbers; the first wins where it is the greater."""
