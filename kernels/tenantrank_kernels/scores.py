"""Scores: a program's scorer to one double for each survivor."""

from __future__ import annotations

from typing import Any

import numpy as np

from tenantrank_kernels import frames as at_
from tenantrank_kernels import opcodes as op
from tenantrank_kernels._compile import part, small_part
from tenantrank_kernels.conditions import pass_conditions
from tenantrank_kernels.machine import doubles, integers, longs, table, words
from tenantrank_kernels.orders import last_passing, next_passing, passes


@part
def _ends(values: Any, first: int, count: int) -> tuple[float, float]:
    """Give the least and the greatest of ``count`` values, NaN passed over; of none, +inf and −inf."""
    low, high = np.inf, -np.inf
    low_b, high_b, low_c, high_c, low_d, high_d = low, high, low, high, low, high
    end = first + count
    fours = end - count % 4
    # Four chains of comparisons in place of one that waits for each result.
    for i in range(first, fours, 4):
        a, b, c, d = values[i], values[i + 1], values[i + 2], values[i + 3]
        low, high = a if a < low else low, a if a > high else high
        low_b, high_b = b if b < low_b else low_b, b if b > high_b else high_b
        low_c, high_c = c if c < low_c else low_c, c if c > high_c else high_c
        low_d, high_d = d if d < low_d else low_d, d if d > high_d else high_d
    for i in range(fours, end):
        a = values[i]
        low, high = a if a < low else low, a if a > high else high
    return min(low, low_b, low_c, low_d), max(high, high_b, high_c, high_d)


@part
def normalize(values: Any, first: int, count: int, low: float, high: float, pinned: bool) -> None:
    """Rescale ``count`` values in place to 0–1 between two ends.

    With ``pinned``: a value at or above the high end is 1, at or below the low end is 0, a NaN is 0; without, plain
    division. Where the high end does not exceed the low one, all are 0. Source: specification, section 5 (``pinned``
    is the second version of the language).
    """
    if not high > low:
        for i in range(first, first + count):
            values[i] = 0.0
        return
    span = high - low
    for i in range(first, first + count):
        value = values[i]
        scaled = (value - low) / span
        if pinned:
            # Each choice is between numbers that are at hand, so that this loop runs on vector instructions.
            scaled = scaled if scaled == scaled else 0.0
            scaled = 0.0 if value <= low else scaled
            scaled = 1.0 if value >= high else scaled
        values[i] = scaled


@small_part
def bounds_of(frame: Any, at: int, numbers: int) -> tuple[int, int]:
    """Give the places of a field's order between which the filter's own bounds on the field let rows pass.

    ``at`` is where the field's ends stand in the code, ``numbers`` where the program's numbers begin.
    """
    entries = table(frame)
    code = integers(entries[at_.CODE])
    cuts = integers(entries[at_.CUTS])
    low, high = code[at + 1], code[at + 2]
    begin: Any = np.int64(cuts[numbers + low]) if low >= 0 else 0
    stop: Any = np.int64(cuts[numbers + high]) if high >= 0 else entries[at_.SIZE]
    return begin, stop


@part
def end_places(frame: Any, mask: Any, at: int, numbers: int) -> tuple[int, int]:
    """Give the first and the last place of a field's order whose row passes.

    The order is walked from each end, which starts where the filter's own bounds on the field let values begin.

    Parameters
    ----------
    frame : see `frames`; mask : the bitset of the rows that pass, one at least
    at : where the ends stand in the code; numbers : where the program's numbers begin
    """
    entries = table(frame)
    field = integers(entries[at_.CODE])[at]
    begin, stop = bounds_of(frame, at, numbers)
    order = integers(longs(entries[at_.ORDER])[field])
    least = next_passing(frame, mask, field, order, begin, stop)
    return least, last_passing(frame, mask, field, order, begin, stop)


@part
def find_ends(frame: Any, scratch: Any, at: int, mask: Any) -> None:
    """Find the least and the greatest value of each field whose ends a program needs, over the rows that pass.

    ``at`` is where the program begins; the ends are written to the scratch's ``ENDS``.
    """
    entries = table(frame)
    code = integers(entries[at_.CODE])
    ends = doubles(table(scratch)[at_.ENDS])
    first = at + op.HEADER + 3 * (code[at + op.FILTER] + code[at + op.SCORE])
    for e in range(code[at + op.ENDS]):
        least, greatest = end_places(frame, mask, first + 3 * e, code[at + op.NUMBERS])
        ordered = doubles(longs(entries[at_.ORDERED])[code[first + 3 * e]])
        ends[2 * e] = ordered[least]
        ends[2 * e + 1] = ordered[greatest]


@part
def score_step(
    frame: Any, scratch: Any, at: int, numbers: int, request: int, rows: Any, count: int, condition: int, top: int
) -> int:
    """Run one score instruction on the stack of vectors; give the new stack height.

    Parameters
    ----------
    frame, scratch : see `frames`; the stack is the scratch's ``VECTORS``, its ``ENDS`` are found already
    at : where the instruction stands in the code; numbers : where the program's numbers begin
    request : which request's columns are read
    rows : int32, the catalog rows to score, ascending; the first ``count`` count
    condition : the place in the stack of bitsets that a `GATE` looks at
    top : the height before

    Notes
    -----
    IEEE doubles in the written order, nothing fused. Source: specification, section 5.
    """
    entries = table(frame)
    code = integers(entries[at_.CODE])
    constants = doubles(entries[at_.NUMBERS])
    stack = doubles(table(scratch)[at_.VECTORS])
    width = entries[at_.WIDTH]
    operation = code[at]
    above = top * width
    upper = above - width
    if operation == op.FIELD:
        column = code[at + 1]
        if column < entries[at_.FIELDS]:
            values = doubles(longs(entries[at_.COLUMNS])[column])
            first = 0
        else:
            values = doubles(entries[at_.REQUEST_COLUMNS])
            first = (request * op.REQUEST_COLUMNS + column - entries[at_.FIELDS]) * width
        for i in range(count):
            stack[above + i] = values[first + rows[i]]
        return top + 1
    if operation == op.LITERAL:
        literal = constants[numbers + code[at + 2]]
        for i in range(count):
            stack[above + i] = literal
        return top + 1
    if operation == op.ADD:
        lower = upper - width
        for i in range(count):
            stack[lower + i] = stack[lower + i] + stack[upper + i]
        return top - 1
    if operation == op.SCALE:
        factor = constants[numbers + code[at + 2]]
        for i in range(count):
            stack[upper + i] = factor * stack[upper + i]
    elif operation == op.NEGATE:
        for i in range(count):
            stack[upper + i] = 1.0 - stack[upper + i]
    elif operation == op.CLAMP:
        low = constants[numbers + code[at + 2]]
        high = constants[numbers + code[at + 2] + 1]
        for i in range(count):
            value = stack[upper + i]
            stack[upper + i] = low if value < low else (high if value > high else value)
    elif operation == op.GATE:
        bits = words(table(scratch)[at_.BITS])
        first = condition * entries[at_.WORDS]
        for i in range(count):
            row = rows[i]
            if not passes(bits, first * 64 + row):
                stack[upper + i] = 0.0
    elif operation == op.NORMALIZE and code[at + 1] >= 0:
        ends = doubles(table(scratch)[at_.ENDS])
        normalize(stack, upper, count, ends[2 * code[at + 1]], ends[2 * code[at + 1] + 1], True)
    else:
        low, high = _ends(stack, upper, count)
        normalize(stack, upper, count, low, high, operation == op.NORMALIZE)
    return top


@part
def scored(
    frame: Any, scratch: Any, begin: int, end: int, numbers: int, request: int, rows: Any, count: int, height: int
) -> None:
    """Run the score instructions between two places of the code; the scores are the lowest vector of the stack.

    ``height`` is that of the stack of bitsets, on which the conditions of gates are evaluated.
    """
    top = 0
    code = integers(table(frame)[at_.CODE])
    for at in range(begin, end, 3):
        if code[at] < op.FIELD:
            height = pass_conditions(frame, scratch, at, at + 3, numbers, request, height)
        else:
            if code[at] == op.GATE:
                height -= 1
            top = score_step(frame, scratch, at, numbers, request, rows, count, height, top)
