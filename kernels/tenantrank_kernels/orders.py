"""Orders: a column's rows by value, made once, and walked from either end past the rows that did not pass."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tenantrank_kernels import frames as at_
from tenantrank_kernels._compile import brief_kernel, part, small_part
from tenantrank_kernels.machine import WORDS, any_set, both, integers, load_bits, longs, table, without, words
from tenantrank_kernels.shorts import short_of, write_scale

_ONE = np.uint64(1)
_STRIDE = 8  # places looked at together
_PATIENCE = 64  # places looked at one by one before whole stretches are skipped


@brief_kernel
def fill_order(
    values: NDArray[np.float64],
    order: NDArray[np.int32],
    shift: int,
    count: int,
    shorts: NDArray[np.uint16],
    scale: NDArray[np.float64],
    falling: NDArray[np.int32],
    ordered: NDArray[np.float64],
    run_first: NDArray[np.int32],
    run_end: NDArray[np.int32],
    marks: NDArray[np.uint64],
) -> None:
    """Make what kernels read of a column's order.

    Parameters
    ----------
    values : (at least n,), no NaN
    order : (n,), its rows by value, then by row
    shift : marks stand 1 << shift places apart; count : words of a bitset
    shorts : (at least n,), written: the column in 16 bits; scale : (2,), written: its least value and step
    falling : (n,), written: the rows by value, the greatest first, then by row
    ordered : (n,), written: the values in the order given
    run_first, run_end : (n,), written: the stretch of equal values that each place belongs to
    marks : (m count,), written: bitsets of the rows before each mark, the last of all rows
    """
    size = order.shape[0]
    first = 0
    for place in range(size):
        value = values[order[place]]
        ordered[place] = value
        if value != ordered[first]:
            for earlier in range(first, place):
                run_end[earlier] = place
            first = place
        run_first[place] = first
    for earlier in range(first, size):
        run_end[earlier] = size
    for place in range(size):
        falling[size - run_end[place] + place - run_first[place]] = order[place]
    write_scale(ordered, run_first, size, scale)
    for row in range(size):
        shorts[row] = short_of(values[row], scale[0], scale[1])
    for w in range(count):
        marks[w] = np.uint64(0)
    for mark in range(1, marks.shape[0] // count):
        first = mark * count
        for w in range(first, first + count):
            marks[w] = marks[w - count]
        for place in range((mark - 1) << shift, min(mark << shift, size)):
            row = order[place]
            marks[first + (row >> 6)] |= _ONE << np.uint64(row & 63)


@small_part
def passes(mask: Any, row: int) -> bool:
    """Say whether a row's bit is set."""
    return (mask[row >> 6] >> np.uint64(row & 63)) & _ONE != 0


@part
def _any_between(frame: Any, mask: Any, field: int, low: int, high: int) -> bool:
    """Say whether any row that passes stands between two marks of a field's order."""
    entries = table(frame)
    marks = words(longs(entries[at_.MARKS])[field])
    count = entries[at_.WORDS]
    first = low * count
    second = high * count
    for w in range(0, count, WORDS):
        between = without(load_bits(marks, second + w), load_bits(marks, first + w))
        if any_set(both(load_bits(mask, w), between)):
            return True
    return False


@small_part
def first_places(
    frame: Any, mask: Any, field: int, order: Any, falling: bool, place: int, stop: int, wanted: int, places: Any
) -> None:
    """Write the first places of an order, from ``place`` on, before ``stop``, whose rows pass.

    Parameters
    ----------
    frame : see `frames`; mask : a bitset, of rows
    field : whose order this is; ``falling`` says that it begins with the greatest values
    wanted : how many places are needed; there are so many
    places : int32, written
    """
    found: Any = 0
    while True:
        patient = min(stop, place + _PATIENCE)
        # Each place is written, and counts only if it passes: a branch for each would be mispredicted too often.
        while found < wanted and place + _STRIDE <= patient:
            for i in range(place, place + _STRIDE):
                row = order[i]
                places[found] = i
                found += np.int64((mask[row >> 6] >> np.uint64(row & 63)) & _ONE)
            place += _STRIDE
        while found < wanted and place < patient:
            places[found] = place
            found += np.int64(passes(mask, order[place]))
            place += 1
        if found >= wanted:
            return
        if falling:
            place = _next_falling(frame, mask, field, place, stop)
        else:
            place = _far_next(frame, mask, field, place, stop)


@part
def _next_falling(frame: Any, mask: Any, field: int, place: int, stop: int) -> int:
    """Give the first place of the falling order from ``place`` on whose row passes; there is one before ``stop``."""
    entries = table(frame)
    size = entries[at_.SIZE]
    order = integers(longs(entries[at_.ORDER])[field])
    run_first = integers(longs(entries[at_.RUN_FIRST])[field])
    run_end = integers(longs(entries[at_.RUN_END])[field])
    # Places of the order hold the same stretches of equal values, from behind.
    first, end = run_first[size - 1 - place], run_end[size - 1 - place]
    found = next_passing(frame, mask, field, order, first + place - (size - end), end)
    if found == end:
        within = last_passing(frame, mask, field, order, size - stop, first)
        first, end = run_first[within], run_end[within]
        found = next_passing(frame, mask, field, order, first, end)
    return size - end + found - first


@small_part
def next_passing(frame: Any, mask: Any, field: int, order: Any, place: int, stop: int) -> int:
    """Give the first place from ``place`` on, before ``stop``, whose row passes; ``stop`` where there is none.

    ``order`` is the field's.
    """
    patient = min(stop, place + _PATIENCE)
    while place < patient:
        if passes(mask, order[place]):
            return place
        place += 1
    return stop if place == stop else _far_next(frame, mask, field, place, stop)


@part
def _far_next(frame: Any, mask: Any, field: int, place: int, stop: int) -> int:
    """Give what `next_passing` does, by whole stretches."""
    entries = table(frame)
    order = integers(longs(entries[at_.ORDER])[field])
    shift = entries[at_.SHIFT]
    aligned = min(stop, ((place + (1 << shift) - 1) >> shift) << shift)
    while place < aligned:
        if passes(mask, order[place]):
            return place
        place += 1
    if place == stop:
        return stop
    start = place >> shift
    low, high = start, entries[at_.MARK_COUNT] - 1
    if not _any_between(frame, mask, field, start, high):
        return stop
    while high - low > 1:
        middle = (low + high) >> 1
        if _any_between(frame, mask, field, start, middle):
            high = middle
        else:
            low = middle
    place = low << shift
    while place < stop and not passes(mask, order[place]):
        place += 1
    return min(place, stop)


@small_part
def last_passing(frame: Any, mask: Any, field: int, order: Any, begin: int, stop: int) -> int:
    """Give the last place from ``begin`` on, before ``stop``, whose row passes; ``begin - 1`` where there is none.

    ``order`` is the field's.
    """
    place = stop - 1
    patient = max(begin, place - _PATIENCE)
    while place >= patient:
        if passes(mask, order[place]):
            return place
        place -= 1
    return begin - 1 if place < begin else _far_last(frame, mask, field, begin, place)


@part
def _far_last(frame: Any, mask: Any, field: int, begin: int, place: int) -> int:
    """Give what `last_passing` does, by whole stretches, from ``place`` down."""
    entries = table(frame)
    order = integers(longs(entries[at_.ORDER])[field])
    shift = entries[at_.SHIFT]
    # Down to a mark: everything at or behind it has been looked at.
    while place >= begin and (place + 1) & ((1 << shift) - 1):
        if passes(mask, order[place]):
            return place
        place -= 1
    if place < begin:
        return begin - 1
    end = (place + 1) >> shift
    low, high = 0, end
    if not _any_between(frame, mask, field, 0, end):
        return begin - 1
    while high - low > 1:
        middle = (low + high) >> 1
        if _any_between(frame, mask, field, middle, end):
            low = middle
        else:
            high = middle
    place = (high << shift) - 1
    while place >= begin and not passes(mask, order[place]):
        place -= 1
    return max(place, begin - 1)
