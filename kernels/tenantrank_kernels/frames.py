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

    ``handle`` is what a kernel takes.
    """

    __slots__ = ("_kept", "_table", "entries", "handle")

    def __init__(self, entries: Sequence[Any]) -> None:
        self.entries = tuple(handle_of(entry) for entry in entries)
        self._kept = tuple(entries)
        self.handle: Any = self.entries
        if not PLAIN:
            self._bind()

    def _bind(self) -> None:
        self._table = array("q", self.entries)
        self.handle = self._table.buffer_info()[0]

    def replaced(self, at: int, entry: Any) -> Frame:
        """Give a frame with one entry replaced."""
        other = object.__new__(Frame)
        other._kept = (*self._kept[:at], entry, *self._kept[at + 1 :])
        other.entries = (*self.entries[:at], handle_of(entry), *self.entries[at + 1 :])
        other.handle = other.entries
        if not PLAIN:
            other._bind()
        return other


def handle_of(entry: Any) -> Any:
    """Give what a kernel takes in an array's place; integers and handles are taken as they are."""
    if isinstance(entry, Frame):
        return entry.handle
    if PLAIN or isinstance(entry, int):
        return entry
    try:
        return addressof(_octet_of(entry))
    except (TypeError, ValueError):  # an array that is read-only, empty or has gaps
        return int(entry.ctypes.data)


# A third of the time of an array's own `ctypes`, which takes longer than many a kernel.
_octet_of = c_char.from_buffer
