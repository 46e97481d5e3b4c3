"""Frames: what a kernel reads and writes, as one argument.

A frame is a table of arrays, each an address when compiled, and of plain integers. A call from Python pays for each
array it hands over more than the arithmetic on it costs; a frame is bound once and handed over as one integer.

Compiled with bounds checks and without the JIT a frame is a tuple of the arrays themselves.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from ctypes import addressof, c_char
from typing import Any

from tenantrank_kernels._compile import BOUNDS_CHECKED, JIT_DISABLED

PLAIN = JIT_DISABLED or BOUNDS_CHECKED
"""Whether kernels take arrays in place of addresses."""

# A catalog under one set of observations, n offers padded to the width: a multiple of 512, 64 to a word. The first
# ten are tables with one array for each field; those behind COLUMNS are there only for fields that some program
# compares, or ranks by.
COLUMNS = 0  # (width,) doubles, unknown values replaced by the field's default; no NaN, no negative zero
SINGLE_COLUMNS = 1  # (width,) the same in single precision, rounded to nearest
SHORT_COLUMNS = 2  # (width,) uint16, in signed 16 bits: how many steps above the least value, rounded, less 32,767
SCALES = 3  # (2,) doubles, the least value and a step; the step is infinite where the column has no such form
ORDER = 4  # (n,) int32, rows by value, then by row
FALLING = 5  # (n,) int32, rows by value, the greatest first, then by row
ORDERED = 6  # (n,) doubles, the values in the first order
RUN_FIRST = 7  # (n,) int32, for each place of the first order, the first place with an equal value
RUN_END = 8  # (n,) int32, and one past the last
MARKS = 9  # (marks, words), bitsets of the first 0, step, 2 step, … rows of the order
ROWS = 10  # (atoms, words), bitsets; row 0 has the bit of every offer and no other
LIVE_ROWS = 11  # (requests, 5, words)
REQUEST_COLUMNS = 12  # (requests, 3, width)
CODE = 13  # int32, programs
NUMBERS = 14  # doubles, the numbers of programs
CUTS = 15  # int32, for each number a field is compared with, how many values of the field lie on its lower side
WORDS = 16  # integers from here on: words of a bitset
WIDTH = 17
SIZE = 18  # offers
FIELDS = 19
SHIFT = 20  # the step of the marks is 1 << shift
MARK_COUNT = 21  # marks of a field

# Scratch: written anew for each program, shared with no other thread.
BITS = 0  # (depth, words), with two places more than any program's stack needs
VECTORS = 1  # (depth, width) doubles
SURVIVORS = 2  # (width + 8,) int32: as many as the last eight may lack are filled up
PLACES = 3  # (width,) int32
SPARE = 4  # (width,) int32
BOUNDS = 5  # (width,) singles
ENDS = 6  # (ends, 2) doubles
COEFFICIENTS = 7  # (parts,) doubles
PARTS = 8  # (parts,) int32
RATES = 9  # (parts,) doubles
FACTORS = 10  # (3,) uint16
SHORTFALLS = 11  # (words, up to a multiple of 64,) uint16


class Frame:
    """A frame, and the arrays that it keeps alive.

    ``handle`` is what a kernel takes; ``entries`` are those of the table, by their place.
    """

    __slots__ = ("_kept", "entries", "handle")

    def __init__(self, entries: Sequence[Any]) -> None:
        self._kept = list(entries)
        self._bind(list(map(handle_of, entries)) if PLAIN else array("q", map(handle_of, entries)))

    def _bind(self, table: Any) -> None:
        self.entries: Any = tuple(table) if PLAIN else table
        self.handle: Any = self.entries if PLAIN else table.buffer_info()[0]

    def replaced(self, *changes: tuple[int | slice, Any, Any]) -> Frame:
        """Give a frame with some entries replaced.

        A change is a place or several, what keeps alive that stands there, and what a kernel takes of it.
        """
        other = object.__new__(Frame)
        kept, table = self._kept.copy(), list(self.entries) if PLAIN else self.entries[:]
        for at, entry, handle in changes:
            kept[at] = entry
            table[at] = handle if PLAIN or type(at) is int else array("q", handle)
        other._kept = kept
        other._bind(table)
        return other

    def parts(self, count: int) -> list[Any]:
        """Give this frame as so many tables of equal length, one behind the other, each as another frame's entry."""
        length = len(self.entries) // count
        if PLAIN:
            return [self.entries[first : first + length] for first in range(0, count * length, length)]
        return [self.handle + 8 * length * at for at in range(count)]


def handle_of(entry: Any) -> Any:
    """Give what a kernel takes in an array's place; integers and handles are taken as they are."""
    kind = type(entry)
    if kind is Frame:
        return entry.handle
    if kind is int:
        return entry
    if PLAIN:
        # All that an array has in one row, as behind an address.
        return entry.reshape(-1) if getattr(entry, "ndim", 1) > 1 else entry
    try:
        return addressof(_octet_of(entry))
    except (TypeError, ValueError):  # an array that is read-only, empty or has gaps
        return int(entry.ctypes.data)


# A third of the time of an array's own `ctypes`, which takes longer than many a kernel.
_octet_of = c_char.from_buffer
