"""Whole programs against ranking offer by offer."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

import numpy as np
import pytest

from tenantrank_kernels import Frame, bind_programs, handle_of, rank_one, rank_programs
from tenantrank_kernels import opcodes as op
from tenantrank_kernels.rank import chained, first_rows
from tests.kernels import reference
from tests.kernels.bound import NO_CUT, Bound, bound, with_mask
from tests.kernels.reference import Offers, Program
from tests.kernels.samples import (
    SEEDS,
    SIZES,
    draw_blend,
    draw_filter,
    draw_monotone,
    draw_offers,
    draw_program,
    draw_scorer,
    general,
    offers_of,
    same,
)

UNTOUCHED = -9
PLACES = (0, 1, 5, 32, 33, 47, 48, 49, 64)
MODES = (op.GENERAL, op.LEAST_FIRST, op.GREATEST_FIRST, op.BLEND)
SELECTORS = (op.ARGMAX, op.ORDERED, op.SAMPLE, op.CHAINED)
Answer = tuple[list[int], list[float], int]


def bound_anew(offers: Offers, programs: list[Program]) -> Bound:
    """The programs, with cuts that the kernel found."""
    at = bound(offers, programs)
    at.cuts[:] = NO_CUT
    bind_programs(at.frame.handle, handle_of(at.starts), 0, len(programs), -1)
    return at


def rank(
    at: Bound, programs: list[int], requests: list[int], seeds: list[int], places: int, part: slice = slice(None)
) -> list[Answer]:
    """What a batch finds for some of the programs; ``part`` is what is ranked of it, the rest stays as it was."""
    count = len(programs)
    begin, end, _ = part.indices(count)
    rows = np.full(count * places + 1, UNTOUCHED, dtype=np.int32)
    scores = np.full(count * places + 1, float(UNTOUCHED))
    ranked, survived = np.full(count, UNTOUCHED, dtype=np.int32), np.full(count, UNTOUCHED, dtype=np.int32)
    given: list[Any] = [at.starts[programs], np.array(requests, dtype=np.int32), np.array(seeds, dtype=np.int64)]
    handles = [handle_of(array) for array in (*given, rows, scores, ranked, survived)]
    rank_programs(at.frame.handle, at.scratch.handle, *handles[:3], begin, end, places, *handles[3:])
    found: list[Answer] = []
    filled = np.zeros(len(rows), dtype=bool)
    for place in range(count):
        if not begin <= place < end:
            assert (ranked[place], survived[place]) == (UNTOUCHED, UNTOUCHED)
            found.append(([], [], UNTOUCHED))
            continue
        cells = slice(place * places, place * places + ranked[place])
        filled[place * places : (place + 1) * places] = True
        unfilled = slice(cells.stop, (place + 1) * places)
        assert (rows[unfilled] == -1).all()
        assert np.isnan(scores[unfilled]).all()
        found.append((rows[cells].tolist(), scores[cells].tolist(), int(survived[place])))
    assert (rows[~filled] == UNTOUCHED).all()
    assert (scores[~filled] == UNTOUCHED).all()
    return found


def ranked_alone(at: Bound, place: int, seed: int, places: int) -> Answer:
    """What a single call finds."""
    rows, scores = np.full(places + 1, UNTOUCHED, dtype=np.int32), np.full(places + 1, float(UNTOUCHED))
    desk, answer = Frame([at.frame, at.scratch]), Frame([rows, scores])
    asked = places + (seed << 32)
    filled, survived, row, score = rank_one(desk.handle, int(at.starts[place]), asked, answer.handle)
    assert (rows[filled:] == UNTOUCHED).all()
    assert (row, np.float64(score).tobytes()) == (rows[0], scores[0].tobytes())
    return rows[:filled].tolist(), scores[:filled].tolist(), survived


def equal(found: Answer, wanted: Answer) -> bool:
    """Whether two answers are equal to the bit, all NaN being one value."""
    return found[0] == wanted[0] and found[2] == wanted[2] and same(found[1], wanted[1])


def drawn_as(rng: Random, size: int, mode: int, selector: int) -> Program:
    """A program of one mode and one selector."""
    numbers = [rng.choice((0.0, 0.5, 10.0, -1.0))]
    code, clauses, bounds = draw_filter(rng, numbers)
    if selector == op.CHAINED:
        drawn = draw_program(rng, size)
        chain = [(row, place) for place, row in enumerate(rng.sample(range(size), min(size, 7)), 1)]
        return replace(drawn, score=[], selector=selector, mode=mode, chain=chain, ends=[], limit=2**31 - 1)
    places: dict[int, int] = {}
    if mode == op.BLEND:
        score = draw_blend(rng, numbers, places)
    elif mode == op.GENERAL:
        score = draw_scorer(rng, numbers)
    else:
        places[rng.randrange(4)] = 0
        found = op.GENERAL
        while found != mode:
            score, found = draw_monotone(rng, numbers, next(iter(places)))
    ends = [(at, *bounds.get(at, (-1, -1))) for at in places]
    return Program(code, score, numbers, mode, selector, 2**31 - 1, ends, clauses)


@pytest.mark.parametrize("selector", SELECTORS)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("size", SIZES)
def test_rank_one__agrees_with_the_reference_and_with_no_shortcut(size: int, mode: int, selector: int) -> None:
    for seed in SEEDS:
        rng = Random(f"{size}/{mode}/{selector}/{seed}")
        offers = draw_offers(rng, size, requests=1)
        program = drawn_as(rng, size, mode, selector)
        at = bound_anew(offers, [program, general(program)])
        drawn = rng.choice((0, 1, 2147483646, rng.randrange(2147483647)))
        whole = reference.rank(program, offers, 0, drawn, size)
        for places in (*PLACES, size):
            wanted = whole[0][:places], whole[1][:places], whole[2]
            assert equal(ranked_alone(at, 0, drawn, places), wanted), (seed, places)
            assert equal(ranked_alone(at, 1, drawn, places), wanted), (seed, places)


@pytest.mark.parametrize("size", SIZES)
def test_rank_programs__agrees_with_the_reference_for_each_program(size: int) -> None:
    for seed in SEEDS:
        rng = Random(f"{size}/{seed}")
        offers = draw_offers(rng, size, requests=3)
        programs = [draw_program(rng, size) for _ in range(rng.randint(0, 8))]
        at = bound_anew(offers, programs)
        order = rng.sample(range(len(programs)), len(programs)) * 2
        requests = [rng.randrange(3) for _ in order]
        seeds = [rng.choice((0, 1, 2147483646, rng.randrange(2147483647))) for _ in order]
        places = rng.choice((*PLACES, size))
        found = rank(at, order, requests, seeds, places)
        for answer, place, request, drawn in zip(found, order, requests, seeds, strict=True):
            wanted = reference.rank(programs[place], offers, request, drawn, places)
            assert equal(answer, wanted), (seed, place)


def test_rank_programs__ranks_the_part_that_is_asked_for() -> None:
    rng = Random(2)
    offers = draw_offers(rng, 65)
    programs = [draw_program(rng, 65) for _ in range(9)]
    at = bound_anew(offers, programs)
    order, requests, seeds = list(range(9)), [0, 1, 0] * 3, list(range(9))
    whole = rank(at, order, requests, seeds, 4)
    for begin, end in ((0, 9), (0, 0), (3, 5), (8, 9)):
        found = rank(at, order, requests, seeds, 4, slice(begin, end))
        for place, answer in enumerate(found):
            if begin <= place < end:
                assert equal(answer, whole[place])


def test_rank_programs__answers_each_program_as_if_it_were_alone() -> None:
    rng = Random(5)
    offers = draw_offers(rng, 513)
    programs = [draw_program(rng, 513) for _ in range(20)]
    at = bound_anew(offers, programs)
    together = rank(at, list(range(20)), [0] * 20, [9] * 20, 8)
    for place, answer in enumerate(together):
        alone = rank(bound_anew(offers, [programs[place]]), [0], [0], [9], 8)[0]
        assert equal(answer, alone)
        assert equal(answer, ranked_alone(at, place, 9, 8))


@pytest.mark.parametrize("limit", [1, 3, 48, 2**31 - 1])
@pytest.mark.parametrize("selector", SELECTORS)
def test_rank__keeps_no_more_than_the_selector_does(selector: int, limit: int) -> None:
    rng = Random(limit)
    offers = draw_offers(rng, 129, requests=1)
    for mode in MODES:
        program = replace(drawn_as(rng, 129, mode, selector), limit=limit)
        at = bound_anew(offers, [program])
        for places in (0, 1, 2, 64, 129):
            found = ranked_alone(at, 0, 5, places)
            assert equal(found, reference.rank(program, offers, 0, 5, places))
            assert len(found[0]) <= min(limit, places)


@pytest.mark.parametrize("temperature", [-1.0, 0.0, 0.3, 5.0, 1e300])
def test_rank__samples_by_the_programs_own_temperature(temperature: float) -> None:
    offers = offers_of([float(row % 11) for row in range(70)])
    everyone = (op.ROW, 0, 0)
    heats = [temperature, 0.0, 2.0]
    programs = [
        Program([everyone], [(op.FIELD, 0, 0)], [heat], op.GREATEST_FIRST, op.SAMPLE, ends=[(0, -1, -1)])
        for heat in heats
    ]
    at = bound_anew(offers, programs)
    for seed in (0, 7, 2147483646):
        for place, program in enumerate(programs):
            assert ranked_alone(at, place, seed, 9) == reference.rank(program, offers, 0, seed, 9)


def test_rank__of_a_filter_that_passes_nothing_is_empty() -> None:
    for size in (0, 65):
        offers = draw_offers(Random(1), size)
        for mode in MODES:
            for selector in SELECTORS:
                program = replace(drawn_as(Random(2), size, mode, selector), filter=[(op.ROW, 1, 0)], clauses=[1])
                at = bound_anew(offers, [program])
                assert ranked_alone(at, 0, 3, 8) == ([], [], 0)


def test_first_rows__are_the_lowest_bits_and_no_more_than_there_are() -> None:
    passed = {3, 63, 64, 200, 512}
    at = with_mask(bound(offers_of([0.0] * 513)), passed)
    for wanted in range(8):
        rows = np.full(8, UNTOUCHED, dtype=np.int32)
        first_rows(at.frame.handle, at.level(0), wanted, rows)
        kept = sorted(passed)[:wanted]
        assert rows.tolist() == [*kept, *[UNTOUCHED] * (8 - len(kept))]


def test_chained__is_behind_ends_and_clauses_and_scores_by_place() -> None:
    chain = [(9, 1), (4, 2), (5, 2), (8, 7)]
    offers = offers_of([0.0] * 70)
    program = Program(
        [(op.ROW, 0, 0), (op.ROW | op.AND, 0, 0)], [], [0.0], chain=chain, clauses=[1, 2], ends=[(0, -1, -1)]
    )
    at = with_mask(bound(offers, [program]), {4, 8, 9, 60})
    for wanted, listed in (
        (0, []),
        (1, [(9, -1.0)]),
        (2, [(9, -1.0), (4, -2.0)]),
        (9, [(9, -1.0), (4, -2.0), (8, -7.0)]),
    ):
        rows, scores = np.full(6, UNTOUCHED, dtype=np.int32), np.full(6, float(UNTOUCHED))
        count = chained(at.frame.handle, 0, at.level(0), wanted, rows, scores, 2)
        assert list(zip(rows[2 : 2 + count].tolist(), scores[2 : 2 + count].tolist(), strict=True)) == listed
        assert rows[:2].tolist() == [UNTOUCHED] * 2
