"""Walks along a field's order against scoring every row that passes."""

from __future__ import annotations

import math
from random import Random

import numpy as np
import pytest

from tenantrank_kernels import opcodes as op
from tenantrank_kernels.monotone import MOST, UNDECIDED, value_score, walk
from tests.kernels import reference
from tests.kernels.bound import bound, with_mask
from tests.kernels.reference import Instruction, Offers, Program
from tests.kernels.samples import SEEDS, SIZES, draw_filter, draw_monotone, draw_offers, offers_of, same

INF = math.inf
UNTOUCHED = -9
FALLING, RISING = op.LEAST_FIRST, op.GREATEST_FIRST
PLACES = (1, 2, 3, 5, 32, MOST, MOST + 1, 64, 10**6)


def program_of(
    steps: list[Instruction], numbers: list[float], mode: int, bounds: tuple[int, int] = (-1, -1)
) -> Program:
    """A program that reads column 0 and then takes some steps; its numbers begin with the temperature."""
    return Program([], [(op.FIELD, 0, 0), *steps], [0.0, *numbers], mode, ends=[(0, *bounds)])


def walked(program: Program, offers: Offers, passed: set[int], wanted: int) -> tuple[list[int], list[float]] | None:
    """What a walk finds; ``None`` where it is undecided."""
    at = with_mask(bound(offers, [program]), passed)
    rows = np.full(wanted + 5, UNTOUCHED, dtype=np.int32)
    scores = np.full(wanted + 5, float(UNTOUCHED))
    filled = walk(at.frame.handle, at.scratch.handle, 0, wanted, rows, scores, 3)
    assert rows[:3].tolist() == [UNTOUCHED] * 3
    assert rows[wanted + 3 :].tolist() == [UNTOUCHED] * 2
    if filled == UNDECIDED:
        return None
    assert filled == wanted
    return rows[3:-2].tolist(), scores[3:-2].tolist()


def compare(program: Program, offers: Offers, passed: set[int], wanted: int) -> bool:
    """Compare a walk with scoring all; say whether it was decided."""
    survivors = sorted(passed)
    scores = reference.scores(program, offers, 0, survivors)
    order = reference.best_first(scores, wanted)
    found = walked(program, offers, passed, wanted)
    if found is None:
        column = offers.columns[program.ends[0][0]]
        alike = {(score, column[row]) for row, score in zip(survivors, scores, strict=True)}
        assert wanted > MOST
        assert len({score for score, _ in alike}) < len(alike)
        return False
    assert found[0] == [survivors[place] for place in order]
    assert same(found[1], [scores[place] for place in order])
    return True


@pytest.mark.parametrize("size", SIZES[1:])
def test_walk__agrees_with_scoring_all(size: int) -> None:
    decided = 0
    for seed in range(3 * len(SEEDS)):
        rng = Random(f"{size}/{seed}")
        offers = draw_offers(rng, size)
        numbers = [0.0]
        code, clauses, bounds = draw_filter(rng, numbers)
        field = rng.randrange(len(offers.columns))
        score, mode = draw_monotone(rng, numbers, field)
        ends = [(field, *bounds.get(field, (-1, -1)))]
        program = Program(code, score, numbers, mode, ends=ends, clauses=clauses)
        passed = reference.condition(code, numbers, offers)
        for wanted in sorted({min(places, len(passed)) for places in PLACES} - {0}):
            decided += compare(program, offers, passed, wanted)
    assert decided


@pytest.mark.parametrize("wanted", [1, 2, 3, 5, 6, 7])
@pytest.mark.parametrize(
    ("steps", "numbers", "mode"),
    [
        ([], [], RISING),
        ([(op.NEGATE, 0, 0)], [], FALLING),
        ([(op.NORMALIZE, 0, 0)], [], RISING),
        ([(op.NORMALIZE, 0, 0), (op.NEGATE, 0, 0)], [], FALLING),
        # Rounding: 1 - s is 1 for every s too small to matter.
        ([(op.SCALE, 0, 1), (op.NEGATE, 0, 0)], [1e-20], FALLING),
        ([(op.SCALE, 0, 1), (op.NEGATE, 0, 0), (op.NEGATE, 0, 0)], [1e-17], RISING),
        # A clamp: all below 2 and all above 5 score alike.
        ([(op.CLAMP, 0, 1)], [2.0, 5.0], RISING),
        ([(op.CLAMP, 0, 1), (op.NEGATE, 0, 0)], [2.0, 5.0], FALLING),
        ([(op.CLAMP, 0, 1)], [3.0, 3.0], RISING),
        # Underflow and overflow.
        ([(op.SCALE, 0, 1)], [5e-324], RISING),
        ([(op.SCALE, 0, 1)], [1e308], RISING),
        ([(op.SCALE, 0, 1)], [-1e308], FALLING),
    ],
)
def test_walk__orders_values_that_differ_and_score_alike_by_catalog_order(
    steps: list[Instruction], numbers: list[float], mode: int, wanted: int
) -> None:
    columns = [
        [5.0, 3.0, 9.0, 1.0, 2.0, 6.0, 2.0],
        [9.0, 8.0, 7.0, 6.0, 5.0, 4.0, 3.0],
        [1.0, 1.0, 2.0, 2.0, 3.0, 3.0, 1.0],
        [INF, 4.0, INF, 1.0, 4.0, 0.0, 2.0],
        [INF] * 7,
        [-INF, INF, 3.0, -INF, 2.0, INF, 1.0],
        [-1e308, 1e308, 0.0, 5e-324, -1e308, 1e308, 1.0],
        # The last place of all, or the first, ties with the one that is nearest to it.
        [9.0, 1.0, 2.0, 3.0, 4.0, 4.5, 6.0],
        [1.0, 9.0, 8.0, 7.0, 6.0, 5.5, 1.5],
        # Of the best value not all rows pass, and others tie with those that do.
        [7.0, 7.0, 7.0, 7.0, 6.5, 6.0, 1.0],
        [1.0, 1.0, 1.0, 1.0, 1.5, 1.75, 9.0],
    ]
    for column in columns:
        offers = offers_of(column)
        for passed in (set(range(7)), {0, 2, 3, 6}, {1, 4, 5}, {3, 4, 5}):
            if wanted <= len(passed):
                assert compare(program_of(steps, numbers, mode), offers, passed, wanted)


@pytest.mark.parametrize("mode", [FALLING, RISING])
@pytest.mark.parametrize("wanted", [1, 2, 47, 48, 49, 200, 511])
def test_walk__of_one_value_is_catalog_order(mode: int, wanted: int) -> None:
    steps = [(op.NEGATE, 0, 0)] if mode == FALLING else []
    for value in (3.0, INF, -INF):
        found = walked(program_of(steps, [], mode), offers_of([value] * 513), set(range(1, 512)), wanted)
        assert found is not None
        assert found[0] == list(range(1, wanted + 1))


@pytest.mark.parametrize("mode", [FALLING, RISING])
def test_walk__begins_at_the_bounds_of_the_filter(mode: int) -> None:
    """Numbers 1 and 2 bound the field; the cuts that they have decide where the order is looked at."""
    offers = offers_of([float(row * 7 % 65) for row in range(65)])
    column = offers.columns[0]
    steps = [(op.NORMALIZE, 0, 0), *([(op.NEGATE, 0, 0)] if mode == FALLING else [])]
    for low, high in ((10.0, 50.0), (0.0, 64.0), (20.5, 20.6), (63.0, 64.0)):
        numbers = [low, high]
        passed = {row for row, value in enumerate(column) if low <= value <= high and value != 30.0}
        code = [(op.LT | op.INVERT, 0, 1), (op.LE | op.AND, 0, 2)]
        for bounds in ((-1, -1), (1, -1), (-1, 2), (1, 2)):
            plain = program_of(steps, numbers, mode, bounds)
            program = Program(code, plain.score, plain.numbers, mode, ends=plain.ends)
            for wanted in {1, 2, len(passed)} if passed else ():
                assert compare(program, offers, passed, min(wanted, len(passed)))


def test_walk__is_undecided_only_where_more_is_wanted_than_is_put_in_order() -> None:
    """Half of the rows clamp to one score: up to `MOST` places are right, beyond that the walk gives up or is right."""
    offers = offers_of([float(row) for row in range(200)])
    backwards = offers_of([float(199 - row) for row in range(200)])
    for mode, steps in ((RISING, [(op.CLAMP, 0, 1)]), (FALLING, [(op.CLAMP, 0, 1), (op.NEGATE, 0, 0)])):
        top = program_of(steps, [-5.0, 100.0] if mode == RISING else [100.0, 500.0], mode)
        assert compare(top, offers, set(range(200)), MOST)
        assert not compare(top, offers, set(range(200)), MOST + 1)
        # Only the last place ties with what follows: it goes to the first of the catalog, however many are wanted.
        last = program_of(steps, [60.0, 500.0] if mode == RISING else [-5.0, 139.0], mode)
        for wanted in (138, 139, 140):
            assert compare(last, offers, set(range(200)), wanted)
            assert compare(last, backwards, set(range(200)), wanted)


@pytest.mark.parametrize("size", [1, 7, 65])
def test_value_score__takes_the_steps_that_scoring_takes(size: int) -> None:
    for seed in range(3 * len(SEEDS)):
        rng = Random(f"{size}/{seed}")
        numbers = [0.0]
        score, mode = draw_monotone(rng, numbers, 1)
        offers = draw_offers(rng, size)
        program = Program([], score, numbers, mode, ends=[(1, -1, -1)])
        column = offers.columns[1]
        wanted = reference.scores(program, offers, 0, range(size))
        at = bound(offers, [program])
        end = op.HEADER + 3 * len(score)
        low, high = min(column), max(column)
        assert same([value_score(at.frame.handle, op.HEADER, end, 1, low, high, value) for value in column], wanted)
        ordered = [wanted[row] for row in reference.order_of(column)]
        assert ordered == sorted(ordered, reverse=mode == FALLING)


@pytest.mark.parametrize(
    ("column", "steps", "numbers", "mode"),
    [
        # clamp(0, 1, scale(-1, field)): a field of 0 scores -0.0, any greater one 0.0.
        ([0.0, 1.0] * 5, [(op.SCALE, 0, 1), (op.CLAMP, 0, 2)], [-1.0, 0.0, 1.0], FALLING),
        ([-5e-324, 0.0] * 5, [(op.SCALE, 0, 1)], [0.1], RISING),
    ],
)
def test_walk__gives_each_row_the_zero_of_its_own_score(
    column: list[float], steps: list[Instruction], numbers: list[float], mode: int
) -> None:
    program, offers = program_of(steps, numbers, mode), offers_of(column)
    found = walked(program, offers, set(range(10)), 3)
    assert found is not None
    assert found[0] == [0, 1, 2]
    assert same(found[1], reference.scores(program, offers, 0, found[0]))
