"""A column's order mended where a few rows have other values, in place of being made anew."""

from __future__ import annotations

from typing import Any

import numpy as np

from tenantrank_kernels._compile import brief_kernel, small_part
from tenantrank_kernels.machine import doubles, integers, longs, shorts, singles, words
from tenantrank_kernels.shorts import short_of, write_scale

_ONE = np.uint64(1)


@brief_kernel
def mend_order(
    rows: Any,
    now: Any,
    moved: int,
    size: int,
    shift: int,
    count: int,
    column: Any,
    single: Any,
    short: Any,
    scale: Any,
    order: Any,
    falling: Any,
    ordered: Any,
    run_first: Any,
    run_end: Any,
    marks: Any,
) -> None:
    """Move rows to the places that they have by other values.

    Parameters
    ----------
    rows : (moved,) int64, in any order; now : (moved,) doubles, the value that each shall have
    size : rows of the column; shift, count : as of `fill_order`
    column, single, short : (at least size,), also in single precision and in 16 bits; scale, order, falling, ordered,
    run_first, run_end, marks : as `fill_order` left them; all written
    """
    places, last, next_ = integers(order), integers(run_end), integers(run_first)
    values, down, sets = doubles(ordered), integers(falling), words(marks)
    for each in range(moved):
        row, value = longs(rows)[each], doubles(now)[each]
        was = doubles(column)[row]
        doubles(column)[row] = value
        singles(single)[row] = np.float32(value)
        place = _place_of(values, places, size, was, row)
        target = _place_of(values, places, size, value, row)
        if target > place:
            target -= 1  # its own place becomes free
        low, high = min(place, target), max(place, target)
        if target > place:
            for at in range(low, high):
                places[at], values[at] = places[at + 1], values[at + 1]
        else:
            for at in range(high, low, -1):
                places[at], values[at] = places[at - 1], values[at - 1]
        places[target], values[target] = row, value
        # A mark between the two places has the row or has not, and the other way about the one that took its place.
        for mark in range((low >> shift) + 1, (high >> shift) + 1):
            first = mark * count
            other = places[(mark << shift) - 1 if target > place else mark << shift]
            sets[first + (row >> 6)] ^= _ONE << np.uint64(row & 63)
            sets[first + (other >> 6)] ^= _ONE << np.uint64(other & 63)
        # Stretches of equal values that begin before the first place or end behind the last do so still.
        begin = next_[low - 1] if low else 0
        end = last[high + 1] if high + 1 < size else size
        first = begin
        for at in range(begin, end + 1):
            if at == end or values[at] != values[first]:
                for inner in range(first, at):
                    next_[inner], last[inner] = first, at
                    down[size - at + inner - first] = places[inner]
                first = at
    scales, every = doubles(scale), shorts(short)
    least, step = scales[0], scales[1]
    write_scale(values, next_, size, scales)
    if scales[0] == least and scales[1] == step:
        for each in range(moved):
            row = longs(rows)[each]
            every[row] = short_of(doubles(column)[row], least, step)
    else:
        for row in range(size):
            every[row] = short_of(doubles(column)[row], scales[0], scales[1])


@small_part
def _place_of(ordered: Any, order: Any, size: int, value: float, row: int) -> int:
    """Give the place of the first row that comes no sooner than a row of some value would."""
    below, above = 0, size
    while below < above:
        middle = (below + above) >> 1
        if ordered[middle] < value or (ordered[middle] == value and order[middle] < row):
            below = middle + 1
        else:
            above = middle
    return below
