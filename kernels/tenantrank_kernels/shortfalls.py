"""Shortfalls: how far each row's sum under a blend stays behind, in 16 bits, where these tell enough.

A column in 16 bits (`frames`) takes half the memory of single precision, and an instruction works on twice as many of
its rows. A shortfall is a whole number of small steps of the score: a start, and for each coefficient the upper half of
a product of two signed integers of 16 bits, one of the column and one for the coefficient; none exceeds 32,767. Those
of the rows that pass lie around the middle of what 16 bits hold, whatever is lost on the way; a row that does not pass
has `_NOTHING`.

How far two shortfalls may be from what the two sums say: the product is rounded down, by less than a step. The factor
is rounded, by a half at most, and the column's value too, by a half of its own step; with the other factor, and divided
by 2^16, either is a quarter of a step at most, up or down. That makes two steps a coefficient.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tenantrank_kernels import frames as at_
from tenantrank_kernels._compile import part, small_part
from tenantrank_kernels.machine import LANES, PIECE, doubles, integers, longs, lowest, shorts, table, words
from tenantrank_kernels.short_lanes import (
    at_most,
    dropped,
    filled,
    least_short,
    lesser_shorts,
    load_shorts,
    plus_shorts,
    short_in_all,
    times_short,
)
from tenantrank_kernels.sums import write_rows

FEW = 3
"""Coefficients that `rows_of_few` takes at most."""
_NOTHING = np.uint16(0xFFFF)
_MIDDLE = 32768.0
_SPREAD = 60000.0  # of the shortfalls of rows that pass, at most: with what they may be off, they stay below `_NOTHING`
_WORTH = 1024.0  # less of that leaves too many rows
_SLACK = 64.0  # the most that two shortfalls may be off
_WHOLE = 65536.0  # what products are divided by
_GREATEST = 0.4999  # of a factor, divided by that
_ONE = np.uint64(1)
_PIECES = LANES // PIECE


@small_part
def _shortfalls(start: Any, factors: Any, x: Any, y: Any, z: Any, at: int) -> Any:
    """Give the shortfalls of a word's rows, of which the first is at a place.

    The factors are read from memory each time: what LLVM makes of them outside a loop does not fit the registers.
    """
    block = plus_shorts(start, times_short(load_shorts(x, at), short_in_all(factors[0])))
    block = plus_shorts(block, times_short(load_shorts(y, at), short_in_all(factors[1])))
    return plus_shorts(block, times_short(load_shorts(z, at), short_in_all(factors[2])))


@part
def rows_of_few(
    frame: Any, scratch: Any, count: int, spread: float, middle: float, steepest: float, lost: float, wanted: int
) -> int:
    """Find the rows whose sums come near to what ``wanted`` rows reach.

    Parameters
    ----------
    frame, scratch : see `frames`; the lowest bitset of the stack holds the rows that pass
    count : how many coefficients the scratch holds, 1 … `FEW`
    spread, middle : how far apart sums may be, and the middle between them, less the sum of the columns' middles
    steepest : the most that a step of a column makes in a sum
    lost : how far a sum may be off from a score
    wanted : how many places are needed, 1 … 64

    Returns
    -------
    how many rows the scratch's ``SURVIVORS`` now holds, ascending; -1 where 16 bits do not tell enough
    """
    entries = table(frame)
    spaces = table(scratch)
    total = entries[at_.WORDS]
    columns = longs(entries[at_.SHORT_COLUMNS])
    mask, rows = words(spaces[at_.BITS]), integers(spaces[at_.SURVIVORS])
    rates, fields = doubles(spaces[at_.RATES]), integers(spaces[at_.PARTS])
    least_of = shorts(spaces[at_.SHORTFALLS])
    # So many steps of a shortfall make a difference of 1; none where a column has no step.
    steps = 1.0 / max(spread * (1.0 / _SPREAD), steepest * (1.0 / _GREATEST))
    slack = 2.0 * count + 2.0 * steps * lost + 1.0
    if not (steps * spread >= _WORTH and slack <= _SLACK):
        return -1
    # A column times zero adds nothing.
    second, third = min(1, count - 1), count - 1
    x, y, z = shorts(columns[fields[0]]), shorts(columns[fields[second]]), shorts(columns[fields[third]])
    factors = shorts(spaces[at_.FACTORS])
    factors[1] = factors[2] = np.uint16(0)
    for j in range(count):
        factor: Any = np.int64(np.rint(rates[j] * (steps * -_WHOLE)))
        factors[j] = np.uint16(factor & 0xFFFF)
    begin: Any = np.int64(_MIDDLE + steps * middle)
    start = short_in_all(np.uint16(begin & 0xFFFF))
    best = short_in_all(_NOTHING)
    for w in range(total):
        least = _NOTHING
        if mask[w] != 0:
            block = filled(mask, w * _PIECES, _shortfalls(start, factors, x, y, z, w * LANES))
            best = lesser_shorts(best, block)
            least = least_short(block)
        least_of[w] = least
    # What `wanted` rows reach at least: each lane is the best of other rows.
    reached = least_short(best)
    for _ in range(wanted - 1):
        best = dropped(best, reached)
        reached = least_short(best)
    bound: Any = np.int64(reached) + np.int64(slack)
    limit = np.uint16(min(bound, 0xFFFF))
    found = 0
    for first in range(0, total, LANES):
        # Which words may hold such a row is found for many at once: a branch for each would be mispredicted often.
        near = at_most(load_shorts(least_of, first), limit)
        if total - first < LANES:
            near &= (_ONE << np.uint64(total - first)) - _ONE
        while near:
            w = first + lowest(near)
            near &= near - _ONE
            bits = mask[w] & at_most(_shortfalls(start, factors, x, y, z, w * LANES), limit)
            found = write_rows(rows, found, w * LANES, bits)
    return found
