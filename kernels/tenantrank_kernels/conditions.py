"""Conditions: a program's filter part to a bitset over the catalog."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tenantrank_kernels import opcodes as op
from tenantrank_kernels._compile import kernel

_WORD = 64


@kernel
def compare(values: NDArray[np.float64], relation: int, bound: float, out: NDArray[np.uint64]) -> None:
    """Set the bit of each offer whose value stands in a relation to a bound.

    Parameters
    ----------
    values : (64 w,), in the unit of the field, no NaN
    relation : `LT` … `GT`
    bound : finite
    out : (w,), overwritten; bit j of word i is offer 64 i + j

    Notes
    -----
    Plain IEEE comparison; +inf stands for an unknown price or latency. Source: specification, section 4.
    """
    for word in range(out.shape[0]):
        bits = np.uint64(0)
        first = word * _WORD
        if relation == op.LE:
            for j in range(_WORD):
                bits |= np.uint64(values[first + j] <= bound) << np.uint64(j)
        elif relation == op.GE:
            for j in range(_WORD):
                bits |= np.uint64(values[first + j] >= bound) << np.uint64(j)
        elif relation == op.LT:
            for j in range(_WORD):
                bits |= np.uint64(values[first + j] < bound) << np.uint64(j)
        elif relation == op.GT:
            for j in range(_WORD):
                bits |= np.uint64(values[first + j] > bound) << np.uint64(j)
        elif relation == op.EQ:
            for j in range(_WORD):
                bits |= np.uint64(values[first + j] == bound) << np.uint64(j)
        else:
            for j in range(_WORD):
                bits |= np.uint64(values[first + j] != bound) << np.uint64(j)
        out[word] = bits


@kernel
def condition_step(
    code: NDArray[np.int32],
    at: int,
    constants: NDArray[np.float64],
    columns: NDArray[np.float64],
    rows: NDArray[np.uint64],
    live_rows: NDArray[np.uint64],
    stack: NDArray[np.uint64],
    top: int,
) -> int:
    """Run one condition instruction on the stack of bitsets; give the new stack height.

    Parameters
    ----------
    code : (3 i,), instructions; the one at position ``at`` is run
    constants : the program's numbers
    columns : (fields, 64 w); rows : (atoms, w), row 0 has the bit of every offer and no other; live_rows : (4, w)
    stack : (depth, w), overwritten; ``top`` is its height before

    Notes
    -----
    Checks nothing: the lowering has. Source: specification, sections 1 and 4.
    """
    words = stack.shape[1]
    operation = code[at]
    if operation == op.ROW:
        row = code[at + 1]
        if row >= 0:
            for w in range(words):
                stack[top, w] = rows[row, w]
        else:
            for w in range(words):
                stack[top, w] = live_rows[-row - 1, w]
        return top + 1
    if operation == op.AND:
        for w in range(words):
            stack[top - 2, w] &= stack[top - 1, w]
        return top - 1
    if operation == op.OR:
        for w in range(words):
            stack[top - 2, w] |= stack[top - 1, w]
        return top - 1
    if operation == op.NOT:
        for w in range(words):
            stack[top - 1, w] = rows[0, w] & ~stack[top - 1, w]
        return top
    compare(columns[code[at + 1]], operation, constants[code[at + 2]], stack[top])
    for w in range(words):
        stack[top, w] &= rows[0, w]
    return top + 1


@kernel
def condition_masks(
    code: NDArray[np.int32],
    bounds: NDArray[np.int64],
    constants: NDArray[np.float64],
    columns: NDArray[np.float64],
    rows: NDArray[np.uint64],
    live_rows: NDArray[np.uint64],
    depth: int,
) -> NDArray[np.uint64]:
    """Evaluate several conditions over the catalog, each on its own.

    Parameters
    ----------
    code, constants, columns, rows, live_rows : as for `condition_step`
    bounds : (c + 1,), where each condition's code begins, in int32 positions, and the end of the last
    depth : stack height that the deepest condition needs

    Returns
    -------
    (c, w) uint64, the offers that pass each condition
    """
    words = rows.shape[1]
    count = bounds.shape[0] - 1
    masks = np.zeros((count, words), dtype=np.uint64)
    stack = np.empty((depth, words), dtype=np.uint64)
    for c in range(count):
        top = 0
        for at in range(bounds[c], bounds[c + 1], 3):
            top = condition_step(code, at, constants, columns, rows, live_rows, stack, top)
        for w in range(words):
            masks[c, w] = stack[0, w]
    return masks
