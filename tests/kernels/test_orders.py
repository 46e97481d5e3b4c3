"""Orders against sorting, and the walk past rows that did not pass against looking at every place."""

from __future__ import annotations

import math
from random import Random
from typing import Any

import numpy as np
import pytest

from tenantrank_kernels import JIT_DISABLED, fill_order, orders, python_body
from tenantrank_kernels import frames as at_
from tenantrank_kernels._compile import part
from tenantrank_kernels.machine import integers
from tenantrank_kernels.orders import first_places, last_passing, next_passing, passes
from tests.kernels.bound import Bound, bound, mark_count, marks_of, with_mask, words_of
from tests.kernels.reference import order_of, rows_of
from tests.kernels.samples import NUMBERS, SEEDS, SIZES, doubles, draw_column, offers_of

LONG = 1025 if JIT_DISABLED else 5000


@pytest.mark.parametrize("run", [fill_order, python_body(fill_order)], ids=["compiled", "plain"])
@pytest.mark.parametrize("shift", [1, 4, 7, 12])
@pytest.mark.parametrize("size", SIZES)
def test_fill_order__makes_what_sorting_makes(run: Any, size: int, shift: int) -> None:
    for seed in range(2) if run is not fill_order else SEEDS:
        values = draw_column(Random(f"{size}/{seed}"), size)
        order = order_of(values)
        ordered = [values[row] for row in order]
        words, marks = words_of(size), mark_count(size, shift)
        falling = np.full(size, -7, np.int32)
        made = np.full(size, math.nan), np.full(size, -7, np.int32), np.full(size, -7, np.int32)
        bits = np.full(marks * words, 77, dtype=np.uint64)
        short = np.zeros(size + 1, np.uint16), np.zeros(2)
        run(doubles([*values, -5.0]), np.array(order, dtype=np.int32), shift, words, *short, falling, *made, bits)
        assert falling.tolist() == sorted(range(size), key=lambda row: -values[row])
        assert made[0].tolist() == ordered
        assert made[1].tolist() == [ordered.index(value) for value in ordered]
        assert made[2].tolist() == [ordered.index(value) + ordered.count(value) for value in ordered]
        assert bits.tolist() == marks_of(order, shift, words).tolist()
        assert rows_of(bits[-words:]) == set(range(size))


def test_passes__reads_one_bit() -> None:
    mask = np.array([1 << 63 | 5, 2], dtype=np.uint64)
    assert [row for row in range(128) if passes(mask, row)] == [0, 2, 63, 65]


def bound_with(size: int, passing: set[int], shift: int = 4, seed: int = 0) -> Bound:
    """Offers whose places of the order that pass are given; values repeat in stretches."""
    rng = Random(seed)
    values = [float(rng.randrange(size // 3 + 1)) for _ in range(size)]
    order = order_of(values)
    return with_mask(bound(offers_of(values), shift=shift), {order[place] for place in passing})


def check(at: Bound, passing: set[int], first: int, stop: int) -> None:
    """Both walks between two places; of the first the order's first place is begun at too."""
    mask = at.level(0)
    inside = [place for place in range(first, stop) if place in passing]
    found = next_passing(at.frame.handle, mask, 0, at.order(0), first, stop)
    assert found == (inside[0] if inside else stop), (first, stop)
    found = last_passing(at.frame.handle, mask, 0, at.order(0), first, stop)
    assert found == (inside[-1] if inside else first - 1), (first, stop)


@pytest.mark.parametrize("size", [1, 2, 17, 63, 64, 65, 80])
def test_passing__is_found_between_any_two_places(size: int) -> None:
    for seed, share in enumerate((0.0, 0.03, 0.5, 1.0)):
        rng = Random(f"{size}/{seed}")
        passing = {place for place in range(size) if rng.random() < share}
        at = bound_with(size, passing, seed=seed)
        for first in range(0, size + 1, 1 if size < 64 or not JIT_DISABLED else 7):
            for stop in range(first, size + 1):
                check(at, passing, first, stop)


@pytest.mark.parametrize("shift", [3, 4, 5, 9])
@pytest.mark.parametrize("size", [129, 511, 512, 513, LONG])
def test_passing__is_found_beyond_long_stretches_without_any(size: int, shift: int) -> None:
    """Places are looked at one by one only near the start; behind that marks are met, on both sides of every limit."""
    rng = Random(f"{size}/{shift}")
    edges = sorted({0, 1, 63, 64, 65, 79, 80, 81, 127, 128, size - 1, size - 64, size - 65, size - 66, size // 2})
    for count in (0, 1, 2, 5):
        passing = set(rng.sample(range(size), count))
        if count == 2:
            passing = {0, size - 1}
        at = bound_with(size, passing, shift)
        near = sorted({*edges, *(place + step for place in passing for step in (-1, 0, 1))})
        limits = [place for place in near if 0 <= place <= size] + [size]
        for first in limits:
            for stop in limits:
                if first <= stop:
                    check(at, passing, first, stop)


@pytest.mark.parametrize("size", SIZES[1:])
def test_passing__agrees_for_random_masks_and_limits(size: int) -> None:
    for seed in SEEDS:
        rng = Random(f"{size}/{seed}")
        passing = {place for place in range(size) if rng.random() < rng.choice((0.0, 0.002, 0.02, 0.3))}
        at = bound_with(size, passing, rng.choice((2, 4, 6)), seed)
        for _ in range(30):
            first, stop = sorted((rng.randint(0, size), rng.randint(0, size)))
            check(at, passing, first, stop)


@part
def find_places(
    frame: Any, mask: Any, order: Any, falling: bool, place: int, stop: int, wanted: int, places: Any
) -> None:
    first_places(frame, mask, 0, order, falling, place, stop, wanted, integers(places))


@pytest.mark.parametrize("falling", [False, True], ids=["rising", "falling"])
@pytest.mark.parametrize("size", [1, 7, 8, 9, 65, 513, LONG])
def test_first_places__are_those_that_pass_whatever_lies_between(size: int, falling: bool) -> None:
    """By either order, over stretches of equal values, near and far from each other."""
    for seed in SEEDS:
        rng = Random(f"{size}/{seed}")
        values = [float(rng.randrange(rng.choice((2, 20, size + 1)))) for _ in range(size)]
        share = rng.choice((1.0, 0.5, 0.1, 0.002))
        passing = {row for row in range(size) if rng.random() < share} | {rng.randrange(size)}
        at = with_mask(bound(offers_of(values), shift=rng.choice((2, 4, 7))), passing)
        order = at.kept[at_.FALLING if falling else at_.ORDER]._kept[0]
        wanted = [place for place, row in enumerate(order.tolist()) if row in passing]
        for count in {1, len(wanted) // 2 + 1, len(wanted)}:
            begin, stop = rng.randint(0, wanted[0]), rng.randint(wanted[-1] + 1, size)
            found = np.full(64 * at.words, -7, dtype=np.int32)
            find_places(at.frame.handle, at.level(0), order, falling, begin, stop, count, found)
            assert found[:count].tolist() == wanted[:count], (seed, count)


def test_passing__skips_by_marks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the first places few rows are looked at: what stands between marks is passed over whole."""
    if not JIT_DISABLED:
        pytest.skip("calls within compiled code cannot be watched")
    looked: list[int] = []
    monkeypatch.setattr(orders, "passes", lambda mask, row: looked.append(row) or passes(mask, row))
    for passing in ({1000}, {3}, set[int]()):
        at = bound_with(1025, passing)
        check(at, passing, 0, 1025)
        assert len(looked) < 2 * (64 + 16 + 16 + 2)
        looked.clear()


@pytest.mark.parametrize("value", [math.inf, -math.inf, *NUMBERS[:3]])
def test_passing__of_equal_values_is_catalog_order(value: float) -> None:
    at = with_mask(bound(offers_of([value] * 513)), {400, 3, 512})
    assert at.kept[at_.SIZE] == 513
    places = [0]
    for _ in range(3):
        places.append(next_passing(at.frame.handle, at.level(0), 0, at.order(0), places[-1], 513) + 1)
    assert [place - 1 for place in places[1:]] == [3, 400, 512]
