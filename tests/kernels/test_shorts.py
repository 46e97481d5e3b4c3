"""Columns in 16 bits: how near they are to the values, and where there is none."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest

from tenantrank_kernels import fill_order
from tests.kernels.reference import order_of

INF = float("inf")


def scaled(values: list[float]) -> tuple[list[int], float, float]:
    """The column, signed, and its least value and step."""
    size = len(values)
    shorts, scale, order = np.full(size, 7, np.uint16), np.full(2, -1.0), np.array(order_of(values), np.int32)
    rest = np.zeros(size, np.int32), np.zeros(size), np.zeros(size, np.int32), np.zeros(size, np.int32)
    fill_order(np.array(values), order, 12, 8, shorts, scale, *rest, np.zeros(16, np.uint64))
    return shorts.view(np.int16).tolist(), scale.item(0), scale.item(1)


@pytest.mark.parametrize("low", [-1e30, -5.0, 0.0, 1.0, 1e9])
@pytest.mark.parametrize("span", [1e-7, 1.0, 3e5, 1e31])
def test_shorts__are_off_by_half_a_step_at_most(low: float, span: float) -> None:
    rng = Random(f"{low}/{span}")
    values = [low, low + span, *(low + span * rng.random() for _ in range(200))]
    if len(set(values)) == 1:
        return
    shorts, least, step = scaled(values)
    assert least == low
    assert min(shorts) == -32767
    assert max(shorts) == 32767
    for value, short in zip(values, shorts, strict=True):
        assert abs((value - least) / step - (short + 32767)) <= 0.5


def test_shorts__unknown_values_leave_the_scale_as_it_is() -> None:
    shorts, least, step = scaled([3.0, INF, 1.0, 2.0, INF])
    assert (least, step) == (1.0, 2.0 / 65534)
    assert shorts == [32767, 32767, -32767, 0, 32767]


@pytest.mark.parametrize(
    "values", [[INF, INF], [2.0], [7.0] * 9, [7.0, INF], [-INF, 1.0], [-1e308, 1e308], [0.0, 5e-324]]
)
def test_shorts__there_is_no_step_where_values_do_not_differ_or_too_much(values: list[float]) -> None:
    shorts, _, step = scaled(values)
    assert step == INF
    assert shorts == [0] * len(values)


def test_shorts__of_no_offers() -> None:
    assert scaled([]) == ([], 0.0, INF)
