"""Scores: a program's scorer part to one double for each survivor."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tenantrank_kernels import opcodes as op
from tenantrank_kernels._compile import kernel


@kernel
def _ends(values: NDArray[np.float64], count: int) -> tuple[float, float]:
    """Give the least and the greatest of the first ``count`` values, NaN passed over; of none, +inf and −inf."""
    low, high = np.inf, -np.inf
    low_b, high_b, low_c, high_c, low_d, high_d = low, high, low, high, low, high
    fours = count - count % 4
    # Four chains of comparisons in place of one that waits for each result.
    for i in range(0, fours, 4):
        a, b, c, d = values[i], values[i + 1], values[i + 2], values[i + 3]
        low, high = a if a < low else low, a if a > high else high
        low_b, high_b = b if b < low_b else low_b, b if b > high_b else high_b
        low_c, high_c = c if c < low_c else low_c, c if c > high_c else high_c
        low_d, high_d = d if d < low_d else low_d, d if d > high_d else high_d
    for i in range(fours, count):
        a = values[i]
        low, high = a if a < low else low, a if a > high else high
    return min(low, low_b, low_c, low_d), max(high, high_b, high_c, high_d)


@kernel
def normalize(values: NDArray[np.float64], count: int, pinned: bool) -> None:
    """Rescale the first ``count`` values in place to 0–1 between their own least and greatest.

    With ``pinned``: a value at or above the greatest is 1, at or below the least is 0, a NaN is 0; without, plain
    division. Where the greatest does not exceed the least, all are 0. NaN values take no part in finding the ends.
    Source: specification, section 5 (``pinned`` is the second version of the language).
    """
    low, high = _ends(values, count)
    if not high > low:
        for i in range(count):
            values[i] = 0.0
        return
    span = high - low
    for i in range(count):
        value = values[i]
        scaled = (value - low) / span
        if pinned:
            # Each choice is between numbers that are at hand, so that this loop runs on vector instructions.
            scaled = scaled if scaled == scaled else 0.0
            scaled = 0.0 if value <= low else scaled
            scaled = 1.0 if value >= high else scaled
        values[i] = scaled


@kernel
def score_step(
    code: NDArray[np.int32],
    at: int,
    constants: NDArray[np.float64],
    columns: NDArray[np.float64],
    request_columns: NDArray[np.float64],
    survivors: NDArray[np.int32],
    count: int,
    condition: NDArray[np.uint64],
    stack: NDArray[np.float64],
    top: int,
) -> int:
    """Run one score instruction on the stack of vectors; give the new stack height.

    Parameters
    ----------
    code : (3 i,), instructions; the one at position ``at`` is run
    columns : (fields, 64 w); request_columns : (3, 64 w)
    survivors : the catalog rows that passed, ascending; the first ``count`` count
    condition : (w,), the bitset a `GATE` looks at
    stack : (depth, at least count), overwritten; ``top`` is its height before

    Notes
    -----
    IEEE doubles in the written order, nothing fused. Source: specification, section 5.
    """
    operation = code[at]
    if operation == op.FIELD:
        column = code[at + 1]
        if column < columns.shape[0]:
            for i in range(count):
                stack[top, i] = columns[column, survivors[i]]
        else:
            for i in range(count):
                stack[top, i] = request_columns[column - columns.shape[0], survivors[i]]
        return top + 1
    if operation == op.LITERAL:
        literal = constants[code[at + 2]]
        for i in range(count):
            stack[top, i] = literal
        return top + 1
    if operation == op.ADD:
        for i in range(count):
            stack[top - 2, i] = stack[top - 2, i] + stack[top - 1, i]
        return top - 1
    if operation == op.SCALE:
        factor = constants[code[at + 2]]
        for i in range(count):
            stack[top - 1, i] = factor * stack[top - 1, i]
    elif operation == op.NEGATE:
        for i in range(count):
            stack[top - 1, i] = 1.0 - stack[top - 1, i]
    elif operation == op.CLAMP:
        low = constants[code[at + 2]]
        high = constants[code[at + 2] + 1]
        for i in range(count):
            value = stack[top - 1, i]
            stack[top - 1, i] = low if value < low else (high if value > high else value)
    elif operation == op.GATE:
        for i in range(count):
            row = survivors[i]
            if not (condition[row >> 6] >> np.uint64(row & 63)) & np.uint64(1):
                stack[top - 1, i] = 0.0
    else:
        normalize(stack[top - 1], count, operation == op.NORMALIZE)
    return top
