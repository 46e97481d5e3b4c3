"""What policies of one version observe of every offer: columns of doubles, and the order of those that decide."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tenantrank.engine.lines import copied, zeros
from tenantrank.engine.programs import Held, Programs
from tenantrank.engine.shorts import fill_scale, shorts_of
from tenantrank_kernels import Frame, bind_programs, entry_point, fill_order, frames, mend_order

_MARKS = 256  # marks of an order, about, where more would take more memory than these octets
_MARKED = 1 << 16
_FEW = 8  # moved rows up to which they are put into their places one by one
_BOUND_AT_ONCE = 2048  # programs, which takes some tenths of a millisecond
_ANY_FIELD = -1
_BY_VALUE = 3  # the first of an order's parts that is made by sorting


@dataclass(frozen=True, slots=True, eq=False)
class Order:
    """A column's rows by value, as `frames` describes its parts."""

    singles: NDArray[np.float32]
    shorts: NDArray[np.uint16]
    scale: NDArray[np.float64]
    order: NDArray[np.int32]
    falling: NDArray[np.int32]
    ordered: NDArray[np.float64]
    run_first: NDArray[np.int32]
    run_end: NDArray[np.int32]
    marks: NDArray[np.uint64]

    @property
    def parts(self) -> tuple[NDArray[Any], ...]:
        """The arrays in the order of a frame's tables."""
        return (
            self.singles,
            self.shorts,
            self.scale,
            self.order,
            self.falling,
            self.ordered,
            self.run_first,
            self.run_end,
            self.marks,
        )

    def mended(
        self, before: NDArray[np.float64], now: NDArray[np.float64], rows: NDArray[np.intp], shift: int, words: int
    ) -> Order:
        """Give the order of a column that differs in a few rows."""
        other = Order(*map(copied, self.parts))
        other.singles[rows] = _singles_of(now[rows])
        mend_order(rows, before[rows], now[rows], shift, words, *other.parts[_BY_VALUE:])
        fill_scale(other.ordered, other.scale)
        if np.array_equal(other.scale, self.scale):
            other.shorts[rows] = shorts_of(now[rows], self.scale)
        else:
            other.shorts[:] = shorts_of(now, other.scale)
        return other


_UNMADE = Order(
    np.zeros(0, np.float32),
    np.zeros(0, np.uint16),
    np.zeros(0, np.float64),
    np.zeros(0, np.int32),
    np.zeros(0, np.int32),
    np.zeros(0, np.float64),
    np.zeros(0, np.int32),
    np.zeros(0, np.int32),
    np.zeros(0, np.uint64),
)
_NO_CUTS: NDArray[np.int32] = np.zeros(0, dtype=np.int32)
_NO_FIELDS: frozenset[int] = frozenset()


@cache
def binder() -> Any:
    """Give the shortest way to call `bind_programs`."""
    return bind_programs if frames.PLAIN else entry_point(bind_programs, 5)


class Framed(NamedTuple):
    """A frame, the programs that it is good for, and what else it binds that may be replaced by something longer."""

    frame: Frame
    held: Held
    tables: list[Frame]
    rows: NDArray[np.uint64]
    cuts: NDArray[np.int32]

    def binds(self, held: Held, tables: list[Frame], rows: NDArray[np.uint64], cuts: NDArray[np.int32]) -> bool:
        """Say whether the frame binds these very arrays."""
        own = self.held
        return (
            own.code is held.code
            and own.numbers is held.numbers
            and self.tables is tables
            and self.rows is rows
            and self.cuts is cuts
        )


class Moved(NamedTuple):
    """Rows of a column that are not what they were, and their values now."""

    rows: NDArray[np.intp]
    values: NDArray[np.float64]


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
        # More marks make cuts cheaper, as long as those of some columns stay in the second cache.
        self._shift = (max(1, size) // _MARKS).bit_length()
        while self._shift and (size >> self._shift - 1) * words * 8 <= _MARKED:
            self._shift -= 1
        self._mark_count = -(-size // (1 << self._shift)) + 1
        self._orders: list[Order] = [_UNMADE] * len(columns)
        self._tables = [Frame(self.columns), *(Frame(parts) for parts in self._parts())]
        self._programs: Programs | None = None
        self._cuts = _NO_CUTS
        self._bound = 0
        self._ordered = self._stale = _NO_FIELDS
        self._lock = threading.Lock()

    def changed(self, moved: Mapping[int, Moved]) -> Observations:
        """Give observations that differ in some rows of some columns; all else is shared."""
        other = object.__new__(Observations)
        other.columns = list(self.columns)
        other.size, other.words = self.size, self.words
        other._shift, other._mark_count = self._shift, self._mark_count
        other._lock = threading.Lock()
        other._stale = frozenset(moved)
        with self._lock:
            other._orders, other._tables = list(self._orders), list(self._tables)
            other._programs, other._bound, other._ordered = self._programs, self._bound, self._ordered
            other._cuts = self._cuts.copy()
            other._stale |= self._stale
        for field, (rows, values) in moved.items():
            column = self.columns[field].copy()
            column[rows] = values
            other.columns[field] = column
            other._tables[0] = other._tables[0].replaced(field, column)
            earlier = other._orders[field]
            if earlier is _UNMADE:
                continue
            if len(rows) <= _FEW:
                other._hold(field, earlier.mended(self.columns[field], column, rows, self._shift, self.words))
            else:
                other._make_order(field)
        return other

    def with_column(self, field: int, column: NDArray[np.float64]) -> Observations:
        """Give observations that differ in one whole column, whose order is made when a program needs it."""
        other = self.changed({})
        other.columns[field] = column
        other._ordered, other._stale = _NO_FIELDS, other._stale | {field}
        other._orders[field] = _UNMADE
        other._tables[0] = other._tables[0].replaced(field, column)
        for table, part in enumerate(_UNMADE.parts, 1):
            other._tables[table] = other._tables[table].replaced(field, part)
        return other

    def frame_of(
        self,
        programs: Programs,
        rows_of: Callable[[], NDArray[np.uint64]],
        live_rows: NDArray[np.uint64],
        request_columns: NDArray[np.float64],
        before: Framed | None,
    ) -> Framed:
        """Give a frame that is good for the programs there are now.

        ``rows_of`` gives the atoms made so far; it is asked after the programs are. ``before`` is what this gave last
        for the same rows and columns; its frame is kept where no array that it binds had to grow.
        """
        with self._lock:
            held = programs.held
            if self._programs is not programs:
                self._programs, self._bound, self._cuts = programs, 0, _NO_CUTS
                self._stale = _NO_FIELDS
            if held.fields is not self._ordered:
                for field in held.fields:
                    if self._orders[field] is _UNMADE:
                        self._make_order(field)
                self._ordered = held.fields
            if len(self._cuts) < len(held.numbers):
                cuts = np.zeros(len(held.numbers), dtype=np.int32)
                cuts[: len(self._cuts)] = self._cuts
                self._cuts = cuts
            rows = rows_of()
            if before is not None and before.binds(held, self._tables, rows, self._cuts):
                frame = before.frame
            else:
                frame = self._frame(rows, live_rows, request_columns, held.code, held.numbers, self._cuts)
            for field in self._stale:
                self._bind(frame, held, 0, self._bound, field)
            self._stale = _NO_FIELDS
            self._bind(frame, held, self._bound, held.programs, _ANY_FIELD)
            self._bound = held.programs
            return Framed(frame, held, self._tables, rows, self._cuts)

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
            for field in fields:
                if self._orders[field] is _UNMADE:
                    self._make_order(field)
            cuts = np.zeros(len(numbers), dtype=np.int32)
            return self._frame(rows, live_rows, _UNMADE.ordered, code, numbers, cuts)

    @staticmethod
    def _bind(frame: Frame, held: Held, first: int, end: int, field: int) -> None:
        # Some at a time: the kernel keeps the interpreter lock, and others may be waiting for it.
        for begin in range(first, end, _BOUND_AT_ONCE):
            binder()(frame.handle, held.begins, begin, min(end, begin + _BOUND_AT_ONCE), field)

    def _frame(self, *arrays: NDArray[Any]) -> Frame:
        sizes = (self.words, self.words * 64, self.size, len(self.columns), self._shift, self._mark_count)
        return Frame([*self._tables, *(array.reshape(-1) for array in arrays), *sizes])

    def _make_order(self, field: int) -> None:
        values = self.columns[field]
        order = np.argsort(values[: self.size], kind="stable").astype(np.int32)
        made = Order(
            _singles_of(values),
            zeros(len(values), np.uint16),
            np.empty(2),
            order,
            np.empty(self.size, dtype=np.int32),
            np.empty(self.size),
            np.empty(self.size, dtype=np.int32),
            np.empty(self.size, dtype=np.int32),
            zeros(self._mark_count * self.words, np.uint64),
        )
        fill_order(values, order, self._shift, self.words, *made.parts[_BY_VALUE + 1 :])
        fill_scale(made.ordered, made.scale)
        made.shorts[:] = shorts_of(values, made.scale)
        self._hold(field, made)

    def _hold(self, field: int, made: Order) -> None:
        """Have a field's order, in tables of their own."""
        tables = list(self._tables)
        for table, part in enumerate(made.parts, 1):
            tables[table] = tables[table].replaced(field, part)
        # An interrupt between the two leaves an order that is made again.
        self._tables = tables
        self._orders[field] = made

    def _parts(self) -> list[list[NDArray[Any]]]:
        return [list(parts) for parts in zip(*(order.parts for order in self._orders), strict=True)]


def _singles_of(values: NDArray[np.float64]) -> NDArray[np.float32]:
    singles = zeros(len(values), np.float32)
    with np.errstate(over="ignore", under="ignore"):
        singles[:] = values
    return singles
