"""Orders of scored survivors against sorting, and draws against drawing from a list."""

from __future__ import annotations

import math
from random import Random

import numpy as np
import pytest

from tenantrank_kernels.selection import _INSERTION_LIMIT, before, best_first, sampled
from tests.kernels import reference
from tests.kernels.samples import SCORES, SEEDS, doubles

INF, NAN = math.inf, math.nan
SIZES = (0, 1, 2, 63, 64, 65, 127, 129, 300)


def order_of(scores: list[float], wanted: int) -> list[int]:
    """The order found, the scratch being longer than the scores and full of rubbish."""
    order, spare = np.full(len(scores) + 3, -7, dtype=np.int32), np.full(len(scores) + 3, 99, dtype=np.int32)
    filled = best_first(doubles([*scores, INF, NAN]), len(scores), wanted, order, spare)
    assert filled == min(wanted, len(scores))
    assert order[len(scores) :].tolist() == [-7, -7, -7]
    found: list[int] = order[:filled].tolist()
    return found


def drawn_of(order: list[int], wanted: int, temperature: float, seed: int, first: int = 5) -> list[int]:
    """The drawn order, the weights being kept from a place of a longer array on."""
    places = np.array([*order, -7], dtype=np.int32)
    weights = np.full(first + len(order) + 1, NAN)
    weights[:first] = weights[-1] = 33.0
    spare = np.full(len(order), -7, dtype=np.int32)
    filled = sampled(places, len(order), wanted, temperature, seed, weights, first, spare)
    assert filled == min(wanted, len(order))
    assert places[-1] == -7
    assert weights[:first].tolist() == [33.0] * first
    assert weights[-1] == 33.0
    found: list[int] = places[:filled].tolist()
    return found


def test_before__is_by_number_with_nan_last() -> None:
    for score in SCORES:
        for other in SCORES:
            assert bool(before(score, other)) == reference.before(score, other), (score, other)


@pytest.mark.parametrize("wanted", [0, 1, 2, 5, 10])
def test_best_first__works_out_by_hand(wanted: int) -> None:
    scores = [NAN, 1.0, -INF, 3.0, -0.0, 3.0, 0.0, NAN, INF]
    assert order_of(scores, wanted) == [8, 3, 5, 1, 4, 6, 2, 0, 7][:wanted]


@pytest.mark.parametrize("size", SIZES)
def test_best_first__agrees_with_sorting_for_any_number_of_places(size: int) -> None:
    """Both ways of sorting are met: few places of many, and all of them."""
    limits = {0, 1, 2, 8, _INSERTION_LIMIT - 1, _INSERTION_LIMIT, _INSERTION_LIMIT + 1, size - 1, size, size + 1}
    for seed in SEEDS:
        rng = Random(f"{size}/{seed}")
        few = [rng.choice(SCORES) for _ in range(rng.randint(1, 6))]
        scores = [rng.choice(few) if seed % 2 else rng.random() for _ in range(size)]
        whole = reference.best_first(scores, size)
        for wanted in sorted(limit for limit in limits if limit >= 0):
            assert order_of(scores, wanted) == whole[:wanted], (seed, wanted)


@pytest.mark.parametrize("scores", [[1.0] * 129, [NAN] * 129, list(map(float, range(129)))])
def test_best_first__keeps_catalog_order_among_equals(scores: list[float]) -> None:
    wanted = list(range(129)) if scores[0] == scores[-1] or math.isnan(scores[0]) else list(range(128, -1, -1))
    for limit in (1, 48, 49, 129):
        assert order_of(scores, limit) == wanted[:limit]


def test_sampled__works_out_by_hand() -> None:
    # q = 3/4: weights 1, .75, .5625, .421875. Seed 1 draws .5328, .2190, .0470: targets 1.457 of 2.734 (the second),
    # .434 of 1.984 (the first), .046 of .984 (the first).
    for wanted in range(6):
        assert drawn_of([4, 0, 2, 9], wanted, 3.0, 1) == [0, 4, 2, 9][:wanted]


@pytest.mark.parametrize("temperature", [0.0, -0.0, -5.0])
def test_sampled__keeps_the_order_without_heat(temperature: float) -> None:
    for seed in (0, 1, 5, 2147483646):
        assert drawn_of([3, 1, 2, 0], 4, temperature, seed) == [3, 1, 2, 0]


@pytest.mark.parametrize("size", SIZES)
def test_sampled__agrees_with_the_reference(size: int) -> None:
    for seed in SEEDS:
        rng = Random(f"{size}/{seed}")
        order = rng.sample(range(1000), size)
        temperature = rng.choice((0.0, 0.1, 0.5, 1.0, 10.0, 1e6, 1e308))
        state = rng.choice((0, 1, 2, 2147483646, rng.randrange(2147483647)))
        for wanted in (1, 8, size):
            found = drawn_of(order, wanted, temperature, state, first=rng.choice((0, 5)))
            assert found == reference.sampled(order, wanted, temperature, state), (seed, wanted)
