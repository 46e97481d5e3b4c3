"""A column's order mended where a few rows have other values, in place of being made anew."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tenantrank_kernels._compile import brief_kernel, small_part

_ONE = np.uint64(1)


@brief_kernel
def mend_order(
    rows: NDArray[np.int64],
    before: NDArray[np.float64],
    now: NDArray[np.float64],
    shift: int,
    count: int,
    order: NDArray[np.int32],
    falling: NDArray[np.int32],
    ordered: NDArray[np.float64],
    run_first: NDArray[np.int32],
    run_end: NDArray[np.int32],
    marks: NDArray[np.uint64],
) -> None:
    """Move rows to the places that they have by other values.

    Parameters
    ----------
    rows : those that move, in any order; before, now : the value of each
    shift, count : as of `fill_order`; order, falling, ordered, run_first, run_end, marks : as it left them, and written
    """
    size = order.shape[0]
    for moved in range(rows.shape[0]):
        row, was, value = rows[moved], before[moved], now[moved]
        place = _place_of(ordered, order, size, was, row)
        target = _place_of(ordered, order, size, value, row)
        if target > place:
            target -= 1  # its own place becomes free
        step = 1 if target > place else -1
        for at in range(place, target, step):
            order[at], ordered[at] = order[at + step], ordered[at + step]
        order[target], ordered[target] = row, value
        low, high = min(place, target), max(place, target)
        # A mark between the two places has the row or has not, and the other way about the one that took its place.
        for mark in range((low >> shift) + 1, (high >> shift) + 1):
            first = mark * count
            other = order[(mark << shift) - 1 if target > place else mark << shift]
            marks[first + (row >> 6)] ^= _ONE << np.uint64(row & 63)
            marks[first + (other >> 6)] ^= _ONE << np.uint64(other & 63)
        # Stretches of equal values that begin before the first place or end behind the last do so still.
        begin = run_first[low - 1] if low else 0
        end = run_end[high + 1] if high + 1 < size else size
        first = begin
        for at in range(begin, end + 1):
            if at == end or ordered[at] != ordered[first]:
                for inner in range(first, at):
                    run_first[inner], run_end[inner] = first, at
                    falling[size - at + inner - first] = order[inner]
                first = at


@small_part
def _place_of(ordered: NDArray[np.float64], order: NDArray[np.int32], size: int, value: float, row: int) -> int:
    """Give the place of the first row that comes no sooner than a row of some value would."""
    below, above = 0, size
    while below < above:
        middle = (below + above) >> 1
        if ordered[middle] < value or (ordered[middle] == value and order[middle] < row):
            below = middle + 1
        else:
            above = middle
    return below
