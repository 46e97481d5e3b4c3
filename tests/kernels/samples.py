"""Seeded arrays and programs for kernels, at the sizes where words of 64 bits begin and end."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import ParamSpec, TypeVar

import numpy as np
import pytest
from numpy.typing import NDArray

from tenantrank_kernels import JIT_DISABLED, python_body
from tenantrank_kernels import opcodes as op
from tests.kernels.reference import Rows, bits_of

P = ParamSpec("P")
R = TypeVar("R")

SIZES = (0, 1, 2, 63, 64, 65, 127, 128, 129)
SEEDS = range(4) if JIT_DISABLED else range(12)
NUMBERS = (0.0, 0.1, 0.25, 0.5, 1.0, 1.0, 2.0, 3.5, -1.0, 1e308, -1e308, 5e-324, 1.7976931348623157e308)
SCORES = (*NUMBERS, -0.0, math.inf, -math.inf, math.nan)
FIELDS = 4
ATOMS = 6


def both(kernel: Callable[P, R]) -> pytest.MarkDecorator:
    """Run a test with a kernel's compiled form and with its plain Python body."""
    return pytest.mark.parametrize("run", [kernel, python_body(kernel)], ids=["compiled", "plain"])


@dataclass(frozen=True)
class Arrays:
    """What programs run on: the kernels' arrays, with rubbish in the padding of the columns, and the same as sets."""

    size: int
    columns: NDArray[np.float64]
    rows: NDArray[np.uint64]
    live_rows: NDArray[np.uint64]
    request_columns: NDArray[np.float64]
    row_sets: list[Rows]
    live_sets: list[list[Rows]]

    @property
    def words(self) -> int:
        return int(self.rows.shape[1])


def draw_arrays(rng: Random, size: int, requests: int = 2) -> Arrays:
    words = max(1, -(-size // 64))
    offers = set(range(size))
    row_sets = [offers, set(), *(_some(rng, size) for _ in range(ATOMS - 2))]
    live_sets = [[_some(rng, size) for _ in range(op.LIVE_ROWS)] for _ in range(requests)]
    return Arrays(
        size,
        np.array([_column(rng, size, words) for _ in range(FIELDS)]),
        np.array([bits_of(rows, words) for rows in row_sets]),
        np.array([[bits_of(rows, words) for rows in live] for live in live_sets]),
        np.array([[_column(rng, size, words) for _ in range(op.REQUEST_COLUMNS)] for _ in range(requests)]),
        row_sets,
        live_sets,
    )


def _some(rng: Random, size: int) -> Rows:
    share = rng.choice((0.0, 0.2, 0.7, 1.0))
    return {row for row in range(size) if rng.random() < share}


def _column(rng: Random, size: int, words: int) -> list[float]:
    few = [rng.choice((*NUMBERS, math.inf)) for _ in range(rng.randint(1, 6))]
    wide = rng.random() < 0.3
    values = [rng.uniform(-3.0, 30.0) if wide else rng.choice(few) for _ in range(size)]
    return values + [rng.choice((7.0, -1e300, math.inf)) for _ in range(64 * words - size)]


@dataclass
class Draft:
    """A program under construction: its code and numbers."""

    code: list[tuple[int, int, int]]
    constants: list[float]

    def number(self, value: float) -> int:
        self.constants.append(value)
        return len(self.constants) - 1


def draw_condition(rng: Random, draft: Draft, depth: int = 0) -> None:
    """Append a condition that needs at most 8 places of the stack."""
    style = rng.random() if depth < 5 else 1.0
    if style < 0.25:
        draw_condition(rng, draft, depth + 1)
        draft.code.append((op.NOT, 0, 0))
    elif style < 0.6:
        draw_condition(rng, draft, depth + 1)
        for _ in range(rng.randint(1, 3)):
            draw_condition(rng, draft, depth + 1)
            draft.code.append((rng.choice((op.AND, op.OR)), 0, 0))
    elif rng.random() < 0.5:
        draft.code.append((op.ROW, rng.randrange(-op.LIVE_ROWS, ATOMS), 0))
    else:
        relation = rng.choice((op.LT, op.LE, op.EQ, op.NE, op.GE, op.GT))
        draft.code.append((relation, rng.randrange(FIELDS), draft.number(rng.choice(NUMBERS))))


def draw_scorer(rng: Random, draft: Draft, depth: int = 0) -> None:
    """Append a scorer that needs at most 8 places of either stack."""
    style = rng.randrange(8) if depth < 5 else 0
    if style <= 1:
        if rng.random() < 0.8:
            draft.code.append((op.FIELD, rng.randrange(FIELDS + op.REQUEST_COLUMNS), 0))
        else:
            draft.code.append((op.LITERAL, 0, draft.number(rng.choice(NUMBERS))))
        return
    draw_scorer(rng, draft, depth + 1)
    if style == 2:
        draw_scorer(rng, draft, depth + 1)
        draft.code.append((op.ADD, 0, 0))
    elif style == 3:
        draft.code.append((op.SCALE, 0, draft.number(rng.choice(NUMBERS))))
    elif style == 4:
        draft.code.append((op.NEGATE, 0, 0))
    elif style == 5:
        low = draft.number(rng.choice(NUMBERS))
        draft.number(rng.choice(NUMBERS))
        draft.code.append((op.CLAMP, 0, low))
    elif style == 6:
        draw_condition(rng, draft, depth + 1)
        draft.code.append((op.GATE, 0, 0))
    else:
        draft.code.append((rng.choice((op.NORMALIZE, op.NORMALIZE_V1)), 0, 0))


def packed(code: Sequence[tuple[int, int, int]]) -> NDArray[np.int32]:
    return np.array(code, dtype=np.int32).reshape(-1)


def doubles(values: Sequence[float]) -> NDArray[np.float64]:
    return np.array(values, dtype=np.float64)


def same(found: Sequence[float] | NDArray[np.float64], wanted: Sequence[float] | NDArray[np.float64]) -> bool:
    """Whether two lists of doubles are equal to the bit, all NaN being one value."""
    one, other = doubles(list(found)), doubles(list(wanted))
    number = ~np.isnan(one)
    return np.array_equal(one, other, equal_nan=True) and np.array_equal(
        np.signbit(one[number]), np.signbit(other[number])
    )
