"""Blends: sums of scores that are each linear in one field. A bound leaves few rows to be scored exactly.

Every survivor gets an approximate score in single precision, whose error is bounded: none can be off by more than E.
If at least k of them reach T, the k-th best exact score is no less than T - E, and a row whose approximate score is
below T - 2 E cannot be among the best k, nor tie with them. The rest, a handful, are scored exactly, by the same
instructions as any others.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tenantrank_kernels import frames as at_
from tenantrank_kernels import opcodes as op
from tenantrank_kernels._compile import part
from tenantrank_kernels.conditions import write_cut
from tenantrank_kernels.machine import (
    EIGHT,
    LANES,
    PIECE,
    added,
    at_least,
    double_in_all,
    doubles,
    gathered,
    in_all,
    integers,
    load_singles,
    longs,
    lowest,
    minus,
    rescaled,
    singles,
    store_doubles,
    table,
    times,
    words,
)
from tenantrank_kernels.sums import FEW, bound_all, bound_few, reached_by, reaching, sums

_LARGEST = 1e30  # of any quantity in a bound, far from where single precision overflows
_UNIT = 2.0**-23  # twice the largest relative error of one rounding in single precision
_LEAST = 1e-44  # more than underflow can take from a number in single precision
_DOUBLE = 2.0**-49  # sixteen times the largest relative error of one rounding in double precision
_LOST = 1e-280  # more than underflow in double precision can take, times the largest value of a field


@part
def _without_unknown(frame: Any, scratch: Any, field: int) -> None:
    """Take the rows whose value is +inf, the greatest of the order, from the second bitset of the stack."""
    entries = table(frame)
    stack = words(table(scratch)[at_.BITS])
    count = entries[at_.WORDS]
    last = integers(longs(entries[at_.RUN_FIRST])[field])[entries[at_.SIZE] - 1]
    write_cut(frame, field, last, stack, 2 * count)
    for w in range(count):
        stack[count + w] &= stack[2 * count + w]


@part
def _linear(frame: Any, scratch: Any, at: int) -> tuple[int, float, float, bool, float]:
    """Write a blend as a constant and a coefficient for each field.

    A field that some row passes with +inf normalizes to 0 for all others and to 1 there. Those rows are taken from the
    second bitset of the stack.

    Returns
    -------
    how many coefficients the scratch's ``COEFFICIENTS`` and ``PARTS`` (fields) now hold, or -1 where no bound can be
    given; the constant; the greatest error of a sum in single precision; whether rows were taken away, and the most
    that one of them may score above the sum
    """
    entries = table(frame)
    code = integers(entries[at_.CODE])
    constants = doubles(entries[at_.NUMBERS])
    spaces = table(scratch)
    ends = doubles(spaces[at_.ENDS])
    coefficients = singles(spaces[at_.COEFFICIENTS])
    fields = integers(spaces[at_.PARTS])
    numbers = code[at + op.NUMBERS]
    begin = at + op.HEADER + 3 * code[at + op.FILTER]
    finish = begin + 3 * code[at + op.SCORE]
    count = 0
    # Of the part at hand; jump is what a row with +inf adds, largest the greatest magnitude of the field's values.
    constant, slope, jump, largest = 0.0, 0.0, 0.0, 0.0
    # How far the constant and the coefficient may take the part from what the instructions make of it in doubles.
    error = 0.0
    total, magnitude, lost, steps, extra = 0.0, 0.0, _LEAST, 4.0, 0.0
    field, pair, apart = 0, 0, False
    # The first instruction pushes the 0 that the sum starts from.
    for i in range(begin + 3, finish, 3):
        operation = code[i]
        if operation == op.FIELD:
            field, pair = code[i + 1], 2 * code[i + 2]
            largest = max(abs(ends[pair]), abs(ends[pair + 1]))
            constant, slope, jump, error = 0.0, 1.0, 0.0, 0.0
        elif operation == op.LITERAL:
            constant, slope, jump, largest, error = constants[numbers + code[i + 2]], 0.0, 0.0, 0.0, 0.0
        elif operation == op.NORMALIZE:
            low, high = ends[pair], ends[pair + 1]
            if high == np.inf and low < high:
                constant, slope, jump = 0.0, 0.0, 1.0
                largest = abs(low)
                _without_unknown(frame, scratch, field)
                apart = True
            elif high > low:
                if not high - low <= _LARGEST:
                    return -1, 0.0, 0.0, False, 0.0
                slope = 1.0 / (high - low)
                constant = -low * slope
            else:
                constant, slope, largest = 0.0, 0.0, 0.0
            error = _DOUBLE * (1.0 + abs(constant) + abs(slope) * largest)
        elif operation == op.NEGATE:
            constant, slope, jump = 1.0 - constant, -slope, -jump
            error += _DOUBLE * (2.0 + abs(constant) + abs(slope) * largest + abs(jump))
        elif operation == op.SCALE:
            factor = constants[numbers + code[i + 2]]
            constant, slope, jump = constant * factor, slope * factor, jump * factor
            error = error * abs(factor) + _DOUBLE * (abs(constant) + abs(slope) * largest + abs(jump)) + _LOST
        else:
            if not largest <= _LARGEST:
                return -1, 0.0, 0.0, False, 0.0
            total += constant
            extra += max(0.0, jump)
            magnitude += abs(constant) + abs(slope) * largest + abs(total) + abs(jump)
            steps += 2.0
            lost += error + 4.0 * _LEAST
            if slope != 0.0:
                if not abs(slope) <= _LARGEST:
                    return -1, 0.0, 0.0, False, 0.0
                lost += (largest + abs(slope)) * _LEAST
                coefficients[count] = slope
                fields[count] = field
                count += 1
    if not (magnitude <= _LARGEST and lost <= _LARGEST):
        return -1, 0.0, 0.0, False, 0.0
    return count, total, magnitude * steps * _UNIT + lost, apart, extra


@part
def candidates(frame: Any, scratch: Any, at: int, wanted: int) -> int:
    """Find the rows that may be among the best under a blend.

    Parameters
    ----------
    frame, scratch : see `frames`; the lowest bitset of the stack holds the rows that pass, at least ``wanted``, and
    the ``ENDS`` are found
    at : where the program begins
    wanted : how many places are needed, 1 … 64

    Returns
    -------
    how many rows the scratch's ``SURVIVORS`` now holds, ascending: the best ``wanted`` and all that tie with them are
    among them; or -1 where no bound can be given
    """
    spaces = table(scratch)
    mask = words(spaces[at_.BITS])
    total = table(frame)[at_.WORDS]
    for w in range(total):
        mask[total + w] = mask[w]
    count, constant, error, apart, extra = _linear(frame, scratch, at)
    if count < 0:
        return -1
    start = np.float32(constant)
    if 0 < count <= FEW and not apart:
        best = bound_few(frame, scratch, count, start)
    else:
        best = bound_all(frame, scratch, count, start)
    bounds = singles(spaces[at_.BOUNDS])
    least = _below(np.float64(reached_by(bounds, total, best, wanted)) - 2.0 * error)
    least_apart = _below(np.float64(least) - extra)
    columns = longs(table(frame)[at_.SINGLE_COLUMNS])
    rows = integers(spaces[at_.SURVIVORS])
    found = 0
    for w in range(total):
        lanes = at_least(load_singles(bounds, w * PIECE), least)
        if apart:
            lanes |= at_least(load_singles(bounds, (total + w) * PIECE), least_apart)
        if lanes == 0:
            continue
        a, b, c, d = sums(scratch, columns, count, in_all(start), w * LANES)
        bits = mask[total + w] & reaching(a, b, c, d, least)
        if apart:
            bits |= mask[w] & ~mask[total + w] & reaching(a, b, c, d, least_apart)
        while bits:
            rows[found] = w * LANES + lowest(bits)
            found += 1
            bits &= bits - np.uint64(1)
    return found


@part
def blend_scores(frame: Any, scratch: Any, at: int, rows: Any, count: int) -> None:
    """Score rows under a blend, as `scored` does, eight at a time.

    Parameters
    ----------
    frame, scratch : see `frames`; the ``ENDS`` are found, the lowest of the ``VECTORS`` is written
    at : where the program begins
    rows : int32, of which the first ``count`` count; up to seven behind them are overwritten
    """
    entries = table(frame)
    code = integers(entries[at_.CODE])
    columns = longs(entries[at_.COLUMNS])
    spaces = table(scratch)
    ends = doubles(spaces[at_.ENDS])
    scores = doubles(spaces[at_.VECTORS])
    numbers = code[at + op.NUMBERS]
    constants = doubles(entries[at_.NUMBERS])
    begin = at + op.HEADER + 3 * code[at + op.FILTER]
    finish = begin + 3 * code[at + op.SCORE]
    one = double_in_all(1.0)
    last = count
    while last % EIGHT:
        rows[last] = rows[0]
        last += 1
    for i in range(0, count, EIGHT):
        # The first instruction pushes the 0 that the sum starts from.
        total = double_in_all(constants[numbers + code[begin + 2]])
        block = total
        for j in range(begin + 3, finish, 3):
            operation = code[j]
            if operation == op.FIELD:
                block = gathered(doubles(columns[code[j + 1]]), rows, i)
            elif operation == op.NORMALIZE:
                pair = 2 * code[j + 1]
                block = rescaled(block, ends[pair], ends[pair + 1])
            elif operation == op.SCALE:
                block = times(double_in_all(constants[numbers + code[j + 2]]), block)
            elif operation == op.NEGATE:
                block = minus(one, block)
            elif operation == op.ADD:
                total = added(total, block)
            else:
                block = double_in_all(constants[numbers + code[j + 2]])
        store_doubles(scores, i, total)


@part
def _below(value: float) -> np.float32:
    """Give a single-precision number that is no greater."""
    return np.float32(value - abs(value) * _UNIT - _LEAST)
