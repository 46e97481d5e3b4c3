"""Arrays that begin where a line of the processor's cache does.

NumPy's own begin at any multiple of 16 octets, so that every second block that a kernel reads or writes lies across two
lines, and takes two accesses.
"""

from __future__ import annotations

from ctypes import addressof, c_char
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

_octet_of: Any = c_char.from_buffer  # in a third of the time of an array's own `ctypes`
LINE = 64
"""Octets of a line, and of the widest register."""


def zeros(count: int, kind: DTypeLike) -> NDArray[Any]:
    """Make an array of zeros, (count,), that begins at a line."""
    size = count * np.dtype(kind).itemsize
    room = np.zeros(size + LINE, dtype=np.uint8)
    first = _line_of(room)
    return room[first : first + size].view(kind)


def copied(array: NDArray[Any]) -> NDArray[Any]:
    """Make a copy of an array without gaps that begins at a line.

    NumPy would give the interpreter lock up for it, and get it back from a busy thread after milliseconds.
    """
    size = array.nbytes
    if not size:
        return array
    room = np.empty(size + LINE, dtype=np.uint8)
    first = _line_of(room)
    room.data[first : first + size] = array.data.cast("B")
    return np.ndarray(array.shape, array.dtype, room, first)


def _line_of(room: NDArray[np.uint8]) -> int:
    """Give the first place in memory of single octets at which a line begins."""
    return -addressof(_octet_of(room)) % LINE
