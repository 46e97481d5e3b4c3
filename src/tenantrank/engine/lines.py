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
    first = -addressof(_octet_of(room)) % LINE
    return room[first : first + size].view(kind)


def copied(array: NDArray[Any]) -> NDArray[Any]:
    """Make a copy of an array, (count,), that begins at a line."""
    copy = zeros(len(array), array.dtype)
    copy[:] = array
    return copy
