"""Offers and programs as kernels read them: the frames that `frames` describes, worked out without any kernel.

What a kernel may not look at holds rubbish: the padding of columns, the numbers between those of two programs, the
whole scratch.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tenantrank_kernels import Frame
from tenantrank_kernels import frames as at_
from tenantrank_kernels import opcodes as op
from tenantrank_kernels.machine import EIGHT
from tests.kernels.reference import Offers, Program, Rows, bits_of, cut_of, order_of

SHIFT = 4
"""Marks stand 16 places apart."""
BITS, VECTORS, PARTS = 12, 12, 8
"""Heights of the stacks, and the most ends or parts of a program; of each the tests draw no more."""
NO_CUT = 1_000_000
_PADDING = (7.0, -1e300, np.inf)
_RUBBISH = 0xDEAD_BEEF_0BAD_CAFE


@dataclass(frozen=True)
class Bound:
    """A frame and a scratch.

    ``starts`` int64 are where the programs begin; ``kept`` and ``spaces`` are the arrays behind the two frames.
    """

    frame: Frame
    scratch: Frame
    starts: NDArray[np.int64]
    kept: list[Any]
    spaces: list[Any]

    @property
    def words(self) -> int:
        words: int = self.kept[at_.WORDS]
        return words

    @property
    def cuts(self) -> NDArray[np.int32]:
        cuts: NDArray[np.int32] = self.kept[at_.CUTS]
        return cuts

    def level(self, height: int) -> NDArray[np.uint64]:
        """One bitset of the stack."""
        bits: NDArray[np.uint64] = self.spaces[at_.BITS][height * self.words : (height + 1) * self.words]
        return bits

    def order(self, field: int) -> NDArray[np.int32]:
        """The rows by the values of a field."""
        order: NDArray[np.int32] = self.kept[at_.ORDER]._kept[field]
        return order

    def put(self, height: int, rows: Iterable[int]) -> None:
        """Write one bitset of the stack."""
        self.level(height)[:] = bits_of(rows, self.words)


def words_of(size: int) -> int:
    return max(8, -(-size // 512) * 8)


def bound(offers: Offers, programs: Sequence[Program] = (), shift: int = SHIFT, parts: int = PARTS) -> Bound:
    """Lay programs over offers, their cuts found already; no program has more ends or parts than ``parts``."""
    size, words = offers.size, words_of(offers.size)
    code: list[int] = []
    numbers: list[float] = [np.nan]
    cuts = [NO_CUT]
    starts: list[int] = []
    for program in programs:
        starts.append(len(code))
        code += code_of(program, len(numbers))
        cuts += cuts_of(program, offers)
        numbers += [*program.numbers, np.nan]
    columns = [_padded(column, words) for column in offers.columns]
    orders = [order_of(column) for column in offers.columns]
    sorted_columns = [[column[row] for row in order] for column, order in zip(offers.columns, orders, strict=True)]
    with np.errstate(all="ignore"):
        singles = [column.astype(np.float32) for column in columns]
        scaled = [_in_16_bits(padded, column) for padded, column in zip(columns, offers.columns, strict=True)]
    kept: list[Any] = [
        Frame(columns),
        Frame(singles),
        Frame([shorts for shorts, _ in scaled]),
        Frame([scale for _, scale in scaled]),
        Frame([_integers(order) for order in orders]),
        Frame(
            [
                _integers(sorted(order, key=lambda row: -column[row]))
                for order, column in zip(orders, offers.columns, strict=True)
            ]
        ),
        Frame([np.array(values, dtype=np.float64) for values in sorted_columns]),
        Frame([_integers([bisect_left(values, value) for value in values]) for values in sorted_columns]),
        Frame([_integers([bisect_right(values, value) for value in values]) for values in sorted_columns]),
        Frame([marks_of(order, shift, words) for order in orders]),
        _flat([bits_of(rows, words) for rows in offers.rows]),
        _flat([bits_of(rows, words) for live in offers.live_rows for rows in live]),
        _flat([_padded(column, words) for columns in offers.request_columns for column in columns]),
        _integers([*code, 0]),
        np.array(numbers, dtype=np.float64),
        _integers(cuts),
        words,
        64 * words,
        size,
        len(columns),
        shift,
        mark_count(size, shift),
    ]
    spaces = _spaces(words, parts)
    return Bound(Frame(kept), Frame(spaces), np.array(starts, dtype=np.int64), kept, spaces)


def bare(offers: Offers, code: Sequence[tuple[int, int, int]], numbers: Sequence[float]) -> Bound:
    """Lay instructions over offers that are no program, their numbers first; no cut is found."""
    at = bound(offers)
    kept = list(at.kept)
    kept[at_.CODE] = _integers([*_laid(code), 0])
    kept[at_.NUMBERS] = np.array([*numbers, np.nan])
    kept[at_.CUTS] = _integers([NO_CUT] * (len(numbers) + 1))
    return Bound(Frame(kept), at.scratch, at.starts, kept, at.spaces)


def mark_count(size: int, shift: int) -> int:
    return -(-size // (1 << shift)) + 1


def marks_of(order: Sequence[int], shift: int, words: int) -> NDArray[np.uint64]:
    """The rows before each mark of an order."""
    return np.concatenate([bits_of(order[: at << shift], words) for at in range(mark_count(len(order), shift))])


def code_of(program: Program, numbers_at: int) -> list[int]:
    header = [0] * op.HEADER
    header[op.MODE] = program.mode
    header[op.FILTER] = len(program.filter)
    header[op.SCORE] = len(program.score)
    header[op.NUMBERS] = numbers_at
    header[op.SELECTOR] = program.selector
    header[op.LIMIT] = program.limit
    header[op.ENDS] = len(program.ends)
    header[op.CLAUSES] = len(program.clauses)
    header[op.CHAIN] = len(program.chain)
    code = [*program.filter, *program.score, *program.ends]
    return [*header, *_laid(code), *program.clauses, *_laid(program.chain)]


def cuts_of(program: Program, offers: Offers) -> list[int]:
    """The cut of each number that a field is compared with, and one more for the rubbish behind them."""
    cuts = [NO_CUT] * (len(program.numbers) + 1)
    for operation, a, b in (*program.filter, *program.score):
        if operation < op.FIELD and operation & op.SOURCE in (op.LE, op.LT):
            cuts[b] = cut_of(offers.columns[a], operation & op.SOURCE, program.numbers[b])
    return cuts


def with_mask(bound: Bound, rows: Rows) -> Bound:
    """The same, with the rows that pass in the lowest bitset of the stack."""
    bound.put(0, rows)
    return bound


def _spaces(words: int, parts: int) -> list[Any]:
    width = 64 * words
    return [
        np.full((BITS + 2) * words, _RUBBISH, dtype=np.uint64),
        np.full(VECTORS * width, np.nan),
        np.full(width + EIGHT, -7, dtype=np.int32),
        np.full(width, -7, dtype=np.int32),
        np.full(width, -7, dtype=np.int32),
        np.full(width, np.nan, dtype=np.float32),
        np.full(2 * parts, np.nan),
        np.full(parts, np.nan),
        np.full(parts, -7, dtype=np.int32),
        np.full(parts, np.nan),
        np.full(3, _RUBBISH & 0xFFFF, dtype=np.uint16),
        np.full(-(-words // 64) * 64, _RUBBISH & 0xFFFF, dtype=np.uint16),
    ]


def _laid(groups: Iterable[Sequence[int]]) -> list[int]:
    return [number for group in groups for number in group]


def _padded(column: Sequence[float], words: int) -> NDArray[np.float64]:
    padding = [_PADDING[at % 3] for at in range(64 * words - len(column))]
    return np.array([*column, *padding], dtype=np.float64)


def _in_16_bits(padded: NDArray[np.float64], column: Sequence[float]) -> tuple[NDArray[np.uint16], NDArray[np.float64]]:
    """How many steps from the middle each value is, and the least one and the step; rubbish where there is none."""
    known = [value for value in column if value != np.inf]
    step = (max(known) - min(known)) / 65534 if known else 0.0
    if not 1e-290 < step < np.inf:
        return np.full(len(padded), _RUBBISH & 0xFFFF, dtype=np.uint16), np.array([0.0, np.inf])
    steps = [min(max(float(value - min(known)) / step, 0.0), 65534.0) for value in padded]
    return np.array([round(at) - 32767 & 0xFFFF for at in steps], dtype=np.uint16), np.array([min(known), step])


def _integers(values: Sequence[int]) -> NDArray[np.int32]:
    return np.array(values, dtype=np.int32)


def _flat(arrays: Sequence[Any]) -> Any:
    return np.concatenate(arrays) if arrays else np.zeros(0)
