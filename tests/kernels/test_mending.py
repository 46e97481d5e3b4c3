"""A mended order against one that is made anew."""

from __future__ import annotations

from random import Random
from typing import Any

import numpy as np
import pytest

from tenantrank_kernels import fill_order, handle_of, mend_order
from tests.kernels.bound import mark_count, words_of
from tests.kernels.reference import order_of
from tests.kernels.samples import SIZES, doubles, draw_column


def made(values: list[float], shift: int) -> list[np.ndarray[Any, Any]]:
    """The column, also in single precision and in 16 bits, and their scale; both orders, the values in the first, where
    stretches of equal values begin and end, and the marks.
    """
    size, words = len(values), words_of(len(values))
    order = np.array(order_of(values), dtype=np.int32)
    rest = [np.zeros(size, np.int32), np.zeros(size), np.zeros(size, np.int32), np.zeros(size, np.int32)]
    marks = np.zeros(mark_count(size, shift) * words, np.uint64)
    short = [np.zeros(size, np.uint16), np.full(2, -1.0)]
    fill_order(doubles(values), order, shift, words, *short, *rest, marks)
    with np.errstate(over="ignore", under="ignore"):
        return [doubles(values), doubles(values).astype(np.float32), *short, order, *rest, marks]


@pytest.mark.parametrize("shift", [1, 4, 12])
@pytest.mark.parametrize("size", [size for size in SIZES if size])
def test_mend_order__is_the_order_made_anew(size: int, shift: int) -> None:
    rng = Random(f"{size}/{shift}")
    values = draw_column(rng, size)
    mended = made(values, shift)
    for _ in range(6):
        rows = rng.sample(range(size), min(size, rng.choice((1, 1, 2, 5))))
        # Mostly values that others have, the least and the greatest among them; one may stay as it was.
        now = [rng.choice((min(values), max(values), values[row], rng.choice(values), rng.random())) for row in rows]
        for row, value in zip(rows, now, strict=True):
            values[row] = value
        given = [handle_of(array) for array in (np.array(rows, dtype=np.int64), doubles(now))]
        mend_order(*given, len(rows), size, shift, words_of(size), *map(handle_of, mended))
        for found, wanted in zip(mended, made(values, shift), strict=True):
            assert np.array_equal(found, wanted)
