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
from tenantrank_kernels.double_lanes import added, double_in_all, gathered, minus, rescaled, store_doubles, times
from tenantrank_kernels.machine import EIGHT, doubles, integers, longs, table, words
from tenantrank_kernels.shortfalls import FEW, rows_of_few
from tenantrank_kernels.shorts import HALF
from tenantrank_kernels.sums import rows_of_all

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
    write_cut(frame, field, last, stack, 2 * count, False)
    for w in range(count):
        stack[count + w] &= stack[2 * count + w]


@part
def _copy_mask(frame: Any, scratch: Any) -> None:
    """Write the rows that pass, the lowest bitset of the stack, as the second one too."""
    stack = words(table(scratch)[at_.BITS])
    count = table(frame)[at_.WORDS]
    for w in range(count):
        stack[count + w] = stack[w]


@part
def _linear(frame: Any, scratch: Any, at: int) -> tuple[int, float, float, float, float, float, float, bool, float]:
    """Write a blend as a constant and a coefficient for each field.

    A field that some row passes with +inf normalizes to 0 for all others and to 1 there. The second bitset of the stack
    is then written: the rows that pass but for these.

    Returns
    -------
    how many coefficients the scratch's ``COEFFICIENTS`` and ``PARTS`` (fields) now hold, or -1 where no bound can be
    given; the constant; the greatest error of a sum in single precision, and in doubles; of the sums, as `rows_of_few`
    wants them, spread, middle and steepest; whether rows were taken away, and the most that one of them may score above
    the sum
    """
    entries = table(frame)
    code = integers(entries[at_.CODE])
    constants = doubles(entries[at_.NUMBERS])
    spaces = table(scratch)
    ends = doubles(spaces[at_.ENDS])
    coefficients = doubles(spaces[at_.COEFFICIENTS])
    rates = doubles(spaces[at_.RATES])
    scales = longs(entries[at_.SCALES])
    fields = integers(spaces[at_.PARTS])
    numbers = code[at + op.NUMBERS]
    i = at + op.HEADER + 3 * code[at + op.FILTER]
    finish = i + 3 * code[at + op.SCORE]
    count, apart = 0, False
    spread, middle, steepest = 0.0, 0.0, 0.0
    # Of all parts together: extent is how large columns and coefficients are, magnitude what parts and the sums on the
    # way come to at most, lost how far a sum may be off beside what single precision loses of that.
    total, extra, extent, magnitude, lost, steps = 0.0, 0.0, 0.0, 0.0, _LEAST, 4.0
    while i < finish:
        operation, field = code[i], code[i + 1]
        factor = constants[numbers + code[i + 2]]
        i += 3
        # Of the part at hand: jump is what a row with +inf adds, largest the greatest magnitude of the field's values.
        constant, slope, jump, largest, low, high = factor, 0.0, 0.0, 0.0, 0.0, 0.0
        # No less than constant, slope times largest, and jump, here and after each step.
        reach = abs(factor)
        if not operation & op.CONSTANT:
            pair = 2 * (operation >> op.PLACE)
            low, high = ends[pair], ends[pair + 1]
            largest = max(abs(low), abs(high))
            constant, slope = 0.0, 1.0
            if operation & op.NORMALIZED:
                if not high > low:
                    slope, largest = 0.0, 0.0
                elif high == np.inf:
                    slope, jump, largest = 0.0, 1.0, abs(low)
                    if not apart:
                        _copy_mask(frame, scratch)
                    _without_unknown(frame, scratch, field)
                    apart = True
                else:
                    slope = 1.0 / (high - low)
                    constant = -low * slope
            reach *= 1.0 + 2.0 * slope * largest
            if operation & op.REVERSED:
                constant, slope, jump = 1.0 - constant, -slope, -jump
            constant, slope, jump = constant * factor, slope * factor, jump * factor
        # How far constant and slope may take the part from what the instructions make of it in doubles.
        error = 8.0 * _DOUBLE * reach + (_LOST + 4.0 * _LEAST)
        while i < finish and code[i] < op.PART:
            if code[i] == op.NEGATE:
                constant, slope, jump = 1.0 - constant, -slope, -jump
                reach += 1.0
                error += 4.0 * _DOUBLE * reach
            else:
                factor = constants[numbers + code[i + 2]]
                constant, slope, jump = constant * factor, slope * factor, jump * factor
                reach *= abs(factor)
                error = error * abs(factor) + 4.0 * _DOUBLE * reach + (_LOST + 4.0 * _LEAST)
            i += 3
        total += constant
        extra += max(0.0, jump)
        extent += largest + abs(slope)
        magnitude += reach + abs(total) + abs(jump)
        lost += error
        steps += 2.0
        if slope != 0.0:
            coefficients[count] = slope
            fields[count] = field
            scale = doubles(scales[field])
            rates[count] = slope * scale[1]
            steepest = max(steepest, abs(rates[count]))
            spread += abs(slope) * (high - low)
            middle += slope * (0.5 * (low + high) - (scale[0] + HALF * scale[1]))
            count += 1
    lost += extent * _LEAST
    if not (extent <= _LARGEST and magnitude <= _LARGEST and lost <= _LARGEST):
        return -1, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, False, 0.0
    magnitude *= steps
    error = magnitude * _UNIT + lost
    return count, total, error, magnitude * _DOUBLE + lost, spread, middle, steepest, apart, extra


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
    count, constant, error, lost, spread, middle, steepest, apart, extra = _linear(frame, scratch, at)
    if count < 0:
        return -1
    if 0 < count <= FEW and not apart:
        found = rows_of_few(frame, scratch, count, spread, middle, steepest, lost, wanted)
        if found >= 0:
            return found
    start = np.float32(constant)
    # 2 E, and what rounding takes when it is taken off a sum: no sum is so great that this were a fourth of E.
    slack = np.float32(2.5 * error)
    if not apart:
        _copy_mask(frame, scratch)
    slack_apart = np.float32((2.5 * error + extra) * (1.0 + _UNIT))
    return rows_of_all(frame, scratch, count, start, slack, slack_apart, wanted)


@part
def blend_scores(frame: Any, scratch: Any, at: int, rows: Any, count: int) -> None:
    """Score rows under a blend, eight at a time.

    Parameters
    ----------
    frame, scratch : see `frames`; the ``ENDS`` are found, the lowest of the ``VECTORS`` is written
    at : where the program begins
    rows : int32, of which the first ``count`` count; up to seven behind them are overwritten

    Notes
    -----
    IEEE doubles in the written order, nothing fused. Source: specification, section 5.
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
    # As many as the last eight may want: a loop over those alone is a branch that is hard to predict.
    filler = rows[0]
    for i in range(count, count + EIGHT - 1):
        rows[i] = filler
    for i in range(0, count, EIGHT):
        total = double_in_all(0.0)
        # A part is added where the next one begins; at first nothing is, which changes nothing.
        block = total
        for j in range(begin, finish, 3):
            operation = code[j]
            factor = double_in_all(constants[numbers + code[j + 2]])
            if operation >= op.PART:
                total = added(total, block)
                if operation & op.CONSTANT:
                    block = factor
                else:
                    block = gathered(doubles(columns[code[j + 1]]), rows, i)
                    if operation & op.NORMALIZED:
                        pair = 2 * (operation >> op.PLACE)
                        block = rescaled(block, ends[pair], ends[pair + 1])
                    if operation & op.REVERSED:
                        block = minus(one, block)
                    block = times(factor, block)
            elif operation == op.NEGATE:
                block = minus(one, block)
            else:
                block = times(factor, block)
        store_doubles(scores, i, added(total, block))
