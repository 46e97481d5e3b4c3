"""A mended order against one that is made anew."""

from __future__ import annotations

from random import Random
from typing import Any

import numpy as np
import pytest

from tenantrank_kernels import fill_order, mend_order, python_body
from tests.kernels.bound import mark_count, words_of
from tests.kernels.reference import order_of
from tests.kernels.samples import SIZES, doubles, draw_column


def made(values: list[float], shift: int) -> list[np.ndarray[Any, Any]]:
    """Both orders, the values in the first, where stretches of equal values begin and end, and the marks."""
    size, words = len(values), words_of(len(values))
    order = np.array(order_of(values), dtype=np.int32)
    rest = [np.zeros(size, np.int32), np.zeros(size), np.zeros(size, np.int32), np.zeros(size, np.int32)]
    marks = np.zeros(mark_count(size, shift) * words, np.uint64)
    fill_order(doubles(values), order, shift, words, *rest, marks)
    return [order, *rest, marks]


@pytest.mark.parametrize("run", [mend_order, python_body(mend_order)], ids=["compiled", "plain"])
@pytest.mark.parametrize("shift", [1, 4, 12])
@pytest.mark.parametrize("size", [size for size in SIZES if size])
def test_mend_order__is_the_order_made_anew(run: Any, size: int, shift: int) -> None:
    rng = Random(f"{size}/{shift}")
    values = draw_column(rng, size)
    mended = made(values, shift)
    for _ in range(6):
        rows = rng.sample(range(size), min(size, rng.choice((1, 1, 2, 5))))
        # Mostly values that others have, the least and the greatest among them.
        now = [rng.choice((min(values), max(values), rng.choice(values), rng.random())) for _ in rows]
        before = [values[row] for row in rows]
        for row, value in zip(rows, now, strict=True):
            values[row] = value
        run(np.array(rows, dtype=np.int64), doubles(before), doubles(now), shift, words_of(size), *mended)
        for found, wanted in zip(mended, made(values, shift), strict=True):
            assert found.tolist() == wanted.tolist()
