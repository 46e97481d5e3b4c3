"""A column's rows by value, in one piece of memory, so that it is copied as a whole."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tenantrank.engine.lines import LINE, copied, zeros
from tenantrank_kernels import entry_point, fill_order, frames, handle_of, mend_order

_MARKS = 256  # marks of an order, about, where more would take more memory than these octets
_MARKED = 1 << 16
KINDS = (np.float32, np.uint16, np.float64, np.int32, np.int32, np.float64, np.int32, np.int32, np.uint64)
"""What the parts of an order are made of."""
_AT_ONCE = 16  # columns that are put in order together


Moved = Mapping[int, float]
"""Rows of a column that are not what they were, and their values now."""


class Layout(NamedTuple):
    """How orders of columns of one catalog lie in memory.

    ``size``, ``words``, ``shift`` and ``marks`` as `frames` has them; ``firsts`` are the octets at which each part of
    an order begins, a line of the cache each, ``counts`` how long it is, ``octets`` how many there are in all.
    """

    size: int
    words: int
    shift: int
    marks: int
    firsts: tuple[int, ...]
    counts: tuple[int, ...]
    octets: int

    @classmethod
    def of(cls, size: int, words: int) -> Layout:
        """Lay orders out for a catalog of so many offers, whose bitsets have so many words."""
        # More marks make cuts cheaper, as long as those of some columns stay in the second cache.
        shift = (max(1, size) // _MARKS).bit_length()
        while shift and (size >> shift - 1) * words * 8 <= _MARKED:
            shift -= 1
        marks = -(-size // (1 << shift)) + 1
        counts = (words * 64, words * 64, 2, size, size, size, size, size, marks * words)
        firsts, end = [], 0
        for kind, count in zip(KINDS, counts, strict=True):
            firsts.append(end)
            end += -(-count * np.dtype(kind).itemsize // LINE) * LINE
        return cls(size, words, shift, marks, tuple(firsts), counts, end)


class Order:
    """A column's rows by value, as `frames` describes the parts of it.

    Attributes
    ----------
    handles : what kernels take of the parts, in the order of a frame's tables; ``memory`` is what has them all
    """

    __slots__ = ("_layout", "handles", "memory")

    def __init__(self, layout: Layout, memory: NDArray[np.uint64]) -> None:
        self._layout = layout
        self.memory = memory
        if frames.PLAIN:
            self.handles: tuple[Any, ...] = self.parts
        else:
            first = handle_of(memory)
            self.handles = tuple([first + begin for begin in layout.firsts])

    @classmethod
    def all_of(cls, columns: Sequence[NDArray[np.float64]], layout: Layout) -> list[Order]:
        """Make the orders of some columns, (width,) each.

        All at once: NumPy gives the interpreter lock up at each step, and beside a busy thread waits to get it back.
        """
        found = []
        for few in _parted(columns):
            values = np.stack(few)
            with np.errstate(over="ignore", under="ignore"):
                singles = values.astype(np.float32)
            orders = np.argsort(values[:, : layout.size], kind="stable").astype(np.int32)
            for single, order, column in zip(singles, orders, few, strict=True):
                made = cls(layout, zeros(layout.octets // 8, np.uint64))
                made_single, shorts, scale, made_order, *rest = made.parts
                made_single.data[:] = single.data
                made_order.data[:] = order.data
                fill_order(column, made_order, layout.shift, layout.words, shorts, scale, *rest)
                found.append(made)
        return found

    @property
    def parts(self) -> tuple[NDArray[Any], ...]:
        """The arrays in the order of a frame's tables: singles, shorts, scale, order, falling, ordered, run_first,
        run_end, marks.
        """
        octets = self.memory.view(np.uint8)
        return tuple(
            octets[first : first + count * np.dtype(kind).itemsize].view(kind)
            for first, kind, count in zip(self._layout.firsts, KINDS, self._layout.counts, strict=True)
        )

    def copied(self) -> Order:
        """Give a copy."""
        return Order(self._layout, copied(self.memory))

    def mend(self, column: NDArray[np.float64], moved: Moved) -> None:
        """Have other values in some rows, and the column of which this is the order too."""
        layout = self._layout
        # Python's own arrays: NumPy takes longer to make one, and to give its address, than the kernel for all of it.
        rows, now = array("q", moved), array("d", moved.values())
        sizes = len(moved), layout.size, layout.shift, layout.words
        _mender()(_place_of(rows), _place_of(now), *sizes, handle_of(column), *self.handles)


def _parted(columns: Sequence[NDArray[np.float64]]) -> Iterator[Sequence[NDArray[np.float64]]]:
    """Give columns by so many as take no more memory for a while than the orders of some."""
    for first in range(0, len(columns), _AT_ONCE):
        yield columns[first : first + _AT_ONCE]


def _place_of(numbers: array[Any]) -> Any:
    """Give what a kernel takes of Python's own array."""
    return np.asarray(numbers) if frames.PLAIN else numbers.buffer_info()[0]


@cache
def _mender() -> Any:
    """Give the shortest way to call `mend_order`."""
    return mend_order if frames.PLAIN else entry_point(mend_order, 16)
