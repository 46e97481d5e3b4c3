"""What policies of one version observe of every offer: columns of doubles, and the order of those that decide."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from sys import getrefcount
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tenantrank.engine.lines import copied
from tenantrank.engine.orders import KINDS, Layout, Moved, Order
from tenantrank.engine.programs import Held, Programs
from tenantrank_kernels import Frame, bind_programs, entry_point, frames, handle_of

_FEW = 8  # moved rows up to which they are put into their places one by one
_BOUND_AT_ONCE = 2048  # programs, which takes some tenths of a millisecond
_ANY_FIELD = -1
_TABLES = frames.ROWS  # of a frame, with one array for each field
_EACH_TABLE = slice(0, _TABLES)
_ARRAYS = (frames.ROWS, frames.LIVE_ROWS, frames.REQUEST_COLUMNS, frames.CODE, frames.NUMBERS, frames.CUTS)
# How many things have an object is known where one thread runs at a time.
_COUNTED = getattr(sys, "_is_gil_enabled", lambda: True)()
_HELD = [object()]
_ONCE = getrefcount(_HELD[0])  # of what one thing has
_NO_CUTS: NDArray[np.int32] = np.zeros(0, dtype=np.int32)
_NO_NUMBERS: NDArray[np.float64] = np.zeros(0)
_NO_FIELDS: frozenset[int] = frozenset()
_UNMADE = Order(Layout(0, 0, 0, 0, (0,) * len(KINDS), (0,) * len(KINDS), 0), np.zeros(0, np.uint64))


@cache
def binder() -> Any:
    """Give the shortest way to call `bind_programs`."""
    return bind_programs if frames.PLAIN else entry_point(bind_programs, 5)


class Spare(NamedTuple):
    """A column and its order, of observations that differ in some rows of it."""

    column: NDArray[np.float64]
    order: Order
    rows: Iterable[int]

    def is_free(self) -> bool:
        """Say whether nothing else has any of it: views and frames have the memory too."""
        if not (_COUNTED and getrefcount(self.column) == _ONCE and getrefcount(self.column.base) == _ONCE):
            return False
        return self.order is _UNMADE or (
            getrefcount(self.order) == getrefcount(self.order.memory) == getrefcount(self.order.memory.base) == _ONCE
        )


class Framed(NamedTuple):
    """A frame, the programs that it is good for, and the arrays that it binds."""

    frame: Frame
    held: Held
    arrays: tuple[Any, ...]

    def binds(self, held: Held, tables: Frame, rows: NDArray[np.uint64], cuts: NDArray[np.int32]) -> bool:
        """Say whether the frame binds these very arrays."""
        own_tables, own_rows, _, _, code, numbers, own_cuts = self.arrays
        return (
            code is held.code
            and numbers is held.numbers
            and own_tables is tables
            and own_rows is rows
            and own_cuts is cuts
        )


class Observations:
    """Columns with their orders, made when a program first needs them, and the cuts of programs. Safe to use from
    several threads.

    Attributes
    ----------
    columns : (width,) doubles each, padded; no NaN, no negative zero
    size : offers; words : of a bitset
    """

    def __init__(self, columns: Sequence[NDArray[np.float64]], size: int, words: int) -> None:
        self.columns = list(columns)
        self.size = size
        self.words = words
        self._layout = Layout.of(size, words)
        self._orders: list[Order] = [_UNMADE] * len(columns)
        self._tables = Frame([*self.columns, *(part for part in _UNMADE.parts for _ in columns)])
        self._programs: Programs | None = None
        self._cuts = _NO_CUTS
        self._bound = 0
        self._ordered = self._stale = _NO_FIELDS
        self._spares: dict[int, Spare] = {}
        self._lock = threading.Lock()

    def changed(self, moved: Mapping[int, Moved]) -> Observations:
        """Give observations that differ in some rows of some columns; all else is shared."""
        other = object.__new__(Observations)
        other.columns = list(self.columns)
        other.size, other.words, other._layout = self.size, self.words, self._layout
        other._lock = threading.Lock()
        with self._lock:
            other._orders, other._tables = list(self._orders), self._tables
            other._programs, other._bound, other._ordered = self._programs, self._bound, self._ordered
            other._cuts = copied(self._cuts)
            other._stale = self._stale.union(moved)
            other._spares = {}
        orders = {}
        for field, change in moved.items():
            column, order = self._mended(field, change)
            other.columns[field] = column
            orders[field] = order
            if len(change) <= _FEW:
                # What one of the two has becomes the next one's, once nobody else has it.
                self._spares[field] = Spare(column, order, change)
                other._spares[field] = Spare(self.columns[field], self._orders[field], change)
        if orders:
            other._hold(orders)
        return other

    def _mended(self, field: int, moved: Moved) -> tuple[NDArray[np.float64], Order]:
        """Give a column in which some rows have other values, and its order where there is one."""
        before, earlier, spare = self.columns[field], self._orders[field], self._spares.pop(field, None)
        made = earlier is not _UNMADE
        if len(moved) > _FEW:
            column = copied(before)
            column[list(moved)] = list(moved.values())
            return column, Order.all_of([column], self._layout)[0] if made else _UNMADE
        if spare is not None and (spare.order is not _UNMADE) == made and spare.is_free():
            column, order = spare.column, spare.order
            moved = {**{row: before.item(row) for row in spare.rows}, **moved}
        else:
            column, order = copied(before), earlier.copied() if made else _UNMADE
        if made:
            order.mend(column, moved)
        else:
            column[list(moved)] = list(moved.values())
        return column, order

    def with_column(self, field: int, column: NDArray[np.float64]) -> Observations:
        """Give observations that differ in one whole column, whose order is made when a program needs it."""
        other = self.changed({})
        other.columns[field] = column
        other._ordered, other._stale = _NO_FIELDS, other._stale | {field}
        other._hold({field: _UNMADE})
        return other

    def take_orders(self, other: Observations, fields: Iterable[int]) -> None:
        """Have the orders that observations of another catalog have of some columns that are the same here, or nearly.

        To be called before any order is made here, of as many columns that mean the same.
        """
        if other.size != self.size:
            return
        taken = {}
        for field in fields:
            order = other._orders[field]
            if order is _UNMADE:
                continue
            column, earlier = self.columns[field], other.columns[field]
            rows = np.flatnonzero(column != earlier)
            if 0 < len(rows) <= _FEW:
                order = order.copied()
                order.mend(copied(earlier), dict(zip(rows.tolist(), column[rows].tolist(), strict=True)))
            if len(rows) <= _FEW:
                taken[field] = order
        if taken:
            self._hold(taken)

    def frame_of(
        self,
        programs: Programs,
        rows_of: Callable[[], NDArray[np.uint64]],
        live_rows: NDArray[np.uint64],
        request_columns: NDArray[np.float64],
        before: Framed | None,
    ) -> Framed:
        """Give a frame that is good for the programs there are now.

        ``rows_of`` gives the atoms made so far; it is asked after the programs are. ``before`` is what was given last,
        by these observations or others of the same catalog: its frame is kept where all arrays are the same, and most
        of it where some are.
        """
        with self._lock:
            held = programs.held
            if self._programs is not programs:
                self._programs, self._bound, self._cuts = programs, 0, _NO_CUTS
                self._stale = _NO_FIELDS
            if held.fields is not self._ordered:
                self._make_orders(held.fields)
                self._ordered = held.fields
            if len(self._cuts) < len(held.numbers):
                cuts = np.zeros(len(held.numbers), dtype=np.int32)
                cuts[: len(self._cuts)] = self._cuts
                self._cuts = cuts
            arrays = self._tables, rows_of(), live_rows, request_columns, held.code, held.numbers, self._cuts
            frame = self._frame(*arrays) if before is None else self._frame_like(before, arrays)
            for field in self._stale:
                self._bind(frame, held, 0, self._bound, field)
            self._stale = _NO_FIELDS
            self._bind(frame, held, self._bound, held.programs, _ANY_FIELD)
            self._bound = held.programs
            return Framed(frame, held, arrays)

    def extended(self, framed: Framed, programs: Programs, rows: NDArray[np.uint64]) -> Held | None:
        """Have a frame be good for the programs that there are now, as `frame_of` does, and give these programs.

        Where that takes more than finding the cuts of a few, as it seldom does for a policy that is new, ``None``.
        """
        with self._lock:
            held, bound = programs.held, self._bound
            count = held.programs
            if (
                self._programs is not programs
                or held.fields is not self._ordered
                or self._stale
                or count > bound + _BOUND_AT_ONCE
                or not framed.binds(held, self._tables, rows, self._cuts)
            ):
                return None
            binder()(framed.frame.handle, held.begins, bound, count, _ANY_FIELD)
            self._bound = count
            return held

    def frame(
        self,
        code: NDArray[np.int32],
        numbers: NDArray[np.float64],
        fields: Iterable[int],
        rows: NDArray[np.uint64],
        live_rows: NDArray[np.uint64],
    ) -> Frame:
        """Give a frame for code that is no program."""
        with self._lock:
            self._make_orders(fields)
            cuts = np.zeros(len(numbers), dtype=np.int32)
            return self._frame(self._tables, rows, live_rows, _NO_NUMBERS, code, numbers, cuts)

    @staticmethod
    def _bind(frame: Frame, held: Held, first: int, end: int, field: int) -> None:
        # Some at a time: the kernel keeps the interpreter lock, and others may be waiting for it.
        for begin in range(first, end, _BOUND_AT_ONCE):
            binder()(frame.handle, held.begins, begin, min(end, begin + _BOUND_AT_ONCE), field)

    def _frame(self, tables: Frame, *arrays: NDArray[Any]) -> Frame:
        layout = self._layout
        sizes = (self.words, self.words * 64, self.size, len(self.columns), layout.shift, layout.marks)
        return Frame([*[0] * _TABLES, *arrays, *sizes]).replaced(
            (_EACH_TABLE, [tables] * _TABLES, tables.parts(_TABLES))
        )

    def _frame_like(self, before: Framed, arrays: tuple[Any, ...]) -> Frame:
        """Give the frame of some arrays, of which most are those of another frame."""
        changes: list[tuple[Any, Any, Any]] = [
            (place, array, handle_of(array))
            for place, array, other in zip(_ARRAYS, arrays[1:], before.arrays[1:], strict=True)
            if array is not other
        ]
        tables = arrays[0]
        if tables is not before.arrays[0]:
            changes.append((_EACH_TABLE, [tables] * _TABLES, tables.parts(_TABLES)))
        return before.frame.replaced(*changes) if changes else before.frame

    def _make_orders(self, fields: Iterable[int]) -> None:
        """Make the orders of some columns where they are not there."""
        lacking = [field for field in fields if self._orders[field] is _UNMADE]
        if lacking:
            made = Order.all_of([self.columns[field] for field in lacking], self._layout)
            self._hold(dict(zip(lacking, made, strict=True)))

    def _hold(self, orders: Mapping[int, Order]) -> None:
        """Have the orders of some fields, and their columns as they are now, in tables of one's own."""
        fields, columns = len(self.columns), self.columns
        changes = [
            (
                slice(field, None, fields),
                [columns[field], *[order.memory] * (_TABLES - 1)],
                (handle_of(columns[field]), *order.handles),
            )
            for field, order in orders.items()
        ]
        # An interrupt between the two leaves orders that are made again.
        self._tables = self._tables.replaced(*changes)
        for field, order in orders.items():
            self._orders[field] = order
