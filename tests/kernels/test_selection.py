"""Orders, three ways: compiled, as plain Python, and by looking for the best again and again."""

from __future__ import annotations

import math
from random import Random
from typing import Any

import numpy as np
import pytest

from tenantrank_kernels import before, best_first, sampled
from tenantrank_kernels.selection import _INSERTION_LIMIT
from tests.kernels import reference
from tests.kernels.samples import SCORES, SEEDS, SIZES, both, doubles

INF, NAN = math.inf, math.nan


def order_of(run: Any, scores: list[float], wanted: int) -> list[int]:
    """The order found, the scratch being longer than the scores and full of rubbish."""
    order, spare = np.full(len(scores) + 3, -7, dtype=np.int32), np.full(len(scores) + 3, 99, dtype=np.int32)
    filled = run(doubles([*scores, INF, NAN]), len(scores), wanted, order, spare)
    assert filled == min(wanted, len(scores))
    assert order[len(scores) :].tolist() == [-7, -7, -7]
    found: list[int] = order[:filled].tolist()
    return found


def drawn_of(run: Any, order: list[int], wanted: int, temperature: float, seed: int) -> list[int]:
    places = np.array(order, dtype=np.int32)
    filled = run(places, len(order), wanted, temperature, seed, np.full(len(order), NAN), places.copy())
    assert filled == min(wanted, len(order))
    found: list[int] = places[:filled].tolist()
    return found


@both(before)
def test_before__is_by_number_with_nan_last(run: Any) -> None:
    for score in SCORES:
        for other in SCORES:
            assert bool(run(score, other)) == reference.before(score, other), (score, other)


@both(best_first)
@pytest.mark.parametrize("wanted", [0, 1, 2, 5, 10])
def test_best_first__works_out_by_hand(run: Any, wanted: int) -> None:
    scores = [NAN, 1.0, -INF, 3.0, -0.0, 3.0, 0.0, NAN, INF]
    assert order_of(run, scores, wanted) == [8, 3, 5, 1, 4, 6, 2, 0, 7][:wanted]


@both(best_first)
@pytest.mark.parametrize("size", SIZES)
def test_best_first__agrees_with_the_reference_for_any_number_of_places(run: Any, size: int) -> None:
    """Both ways of sorting are met: few places of many, and all of them."""
    limits = {0, 1, 2, 8, _INSERTION_LIMIT - 1, _INSERTION_LIMIT, _INSERTION_LIMIT + 1, size - 1, size, size + 1}
    for seed in SEEDS:
        rng = Random(f"{size}/{seed}")
        few = [rng.choice(SCORES) for _ in range(rng.randint(1, 6))]
        scores = [rng.choice(few) if seed % 2 else rng.random() for _ in range(size)]
        whole = reference.best_first(scores, size)
        for wanted in sorted(limit for limit in limits if limit >= 0):
            assert order_of(run, scores, wanted) == whole[:wanted], (seed, wanted)


@both(best_first)
@pytest.mark.parametrize("scores", [[1.0] * 129, [NAN] * 129, list(map(float, range(129)))])
def test_best_first__keeps_catalog_order_among_equals(run: Any, scores: list[float]) -> None:
    wanted = list(range(129)) if scores[0] == scores[-1] or math.isnan(scores[0]) else list(range(128, -1, -1))
    for limit in (1, 48, 49, 129):
        assert order_of(run, scores, limit) == wanted[:limit]


@both(sampled)
def test_sampled__works_out_by_hand(run: Any) -> None:
    # q = 3/4: weights 1, .75, .5625, .421875. Seed 1 draws .5328, .2190, .0470: targets 1.457 of 2.734 (the second),
    # .434 of 1.984 (the first), .046 of .984 (the first).
    for wanted in range(6):
        assert drawn_of(run, [4, 0, 2, 9], wanted, 3.0, 1) == [0, 4, 2, 9][:wanted]


@both(sampled)
@pytest.mark.parametrize("temperature", [0.0, -0.0, -5.0])
def test_sampled__keeps_the_order_without_heat(run: Any, temperature: float) -> None:
    for seed in (0, 1, 5, 2147483646):
        assert drawn_of(run, [3, 1, 2, 0], 4, temperature, seed) == [3, 1, 2, 0]


@both(sampled)
@pytest.mark.parametrize("size", SIZES)
def test_sampled__agrees_with_the_reference(run: Any, size: int) -> None:
    for seed in SEEDS:
        rng = Random(f"{size}/{seed}")
        order = rng.sample(range(1000), size)
        temperature = rng.choice((0.0, 0.1, 0.5, 1.0, 10.0, 1e6, 1e308))
        state = rng.choice((0, 1, 2, 2147483646, rng.randrange(2147483647)))
        for wanted in (1, 8, size):
            found = drawn_of(run, order, wanted, temperature, state)
            assert found == reference.sampled(order, wanted, temperature, state), (seed, wanted)
