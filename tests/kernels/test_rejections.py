"""The first clause that each offer fails, against trying the clauses offer by offer."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest

from tenantrank_kernels import (
    FIRST_COUNTS,
    FIRST_OF_EVERY,
    MOST_DIGITS,
    OWN_COUNTS,
    Frame,
    clause_fails,
    fail_counts,
    first_failing,
    handle_of,
    turned_away,
)
from tenantrank_kernels import opcodes as op
from tests.kernels import reference
from tests.kernels.bound import Bound, bound, words_of
from tests.kernels.reference import Program, bits_of
from tests.kernels.samples import SEEDS, SIZES, draw_filter, draw_offers, draw_program

UNTOUCHED = -9
RUBBISH = 0xDEAD_BEEF_0BAD_CAFE


class Room:
    """What `turned_away` writes to, with a place more of each array behind what it may write."""

    def __init__(self, at: Bound, clauses: int, words: int | None = None) -> None:
        count = at.words if words is None else words
        self.desk = Frame([at.frame, at.scratch])
        self.counts = np.full(clauses + 1, UNTOUCHED, dtype=np.int32)
        self.digits = np.full(min(clauses.bit_length(), MOST_DIGITS) * count + 1, RUBBISH, dtype=np.uint64)
        self.first = np.full(64 * count + 1, 60000, dtype=np.uint16)
        self.frame = Frame([clauses, count, self.counts, self.digits, self.first])

    def find(self, at: Bound, place: int, wanted: int) -> int:
        clauses = int(turned_away(self.desk.handle, int(at.starts[place]), self.frame.handle, wanted))
        assert (self.counts[-1], self.digits[-1], self.first[-1]) == (UNTOUCHED, RUBBISH, 60000)
        return clauses


def counts_of(at: Bound, place: int, program: Program, wanted: int = FIRST_COUNTS) -> list[int]:
    room = Room(at, len(program.clauses))
    assert room.find(at, place, wanted) == len(program.clauses)
    assert (room.first == 60000).all()
    return room.counts[:-1].tolist()


def first_of(at: Bound, place: int, program: Program, size: int) -> tuple[list[int], list[int]]:
    room = Room(at, len(program.clauses))
    assert room.find(at, place, FIRST_OF_EVERY) == len(program.clauses)
    return room.first[:size].tolist(), room.counts[:-1].tolist()


def first_by_bits(at: Bound, place: int, program: Program, size: int) -> tuple[list[int], list[int]]:
    """The first clause that each offer fails, and how many fail each clause, from the bitsets of who fails it."""
    clauses = len(program.clauses)
    fails = np.empty(clauses * at.words, dtype=np.uint64)
    desk = Frame([at.frame, at.scratch])
    clause_fails(desk.handle, int(at.starts[place]), handle_of(fails))
    first = np.full(64 * at.words + 1, 60000, dtype=np.uint16)
    first_failing(handle_of(fails), clauses, at.words, handle_of(first))
    assert first[-1] == 60000
    counts = np.bitwise_count(fails.reshape(clauses, -1)).sum(axis=1).tolist()
    return first[:size].tolist(), counts


@pytest.mark.parametrize("size", SIZES)
def test_rejections__agree_with_trying_each_clause(size: int) -> None:
    for seed in SEEDS:
        rng = Random(f"{size}/{seed}")
        offers = draw_offers(rng, size)
        programs = [draw_program(rng, size) for _ in range(4)]
        at = bound(offers, programs)
        for place, program in enumerate(programs):
            wanted = reference.first_failing(program, offers)
            counts = [wanted.count(clause) for clause in range(len(program.clauses))]
            assert first_of(at, place, program, size) == (wanted, counts)
            assert counts_of(at, place, program) == counts
            assert first_by_bits(at, place, program, size) == (wanted, counts_of(at, place, program, OWN_COUNTS))


def test_rejections__count_a_clause_by_what_the_clauses_before_it_left() -> None:
    rng = Random(4)
    offers = draw_offers(rng, 65)
    numbers = [0.0]
    code, clauses, _ = draw_filter(rng, numbers)
    every = [(op.ROW | op.AND, 0, 0)]
    none = [(op.ROW | op.AND, 1, 0)]
    twice = Program(
        [*code, *every, *none, *none], [], numbers, clauses=[*clauses, *(len(code) + at for at in (1, 2, 3))]
    )
    at = bound(offers, [twice])
    counts = counts_of(at, 0, twice)
    assert counts[-3] == counts[-1] == 0
    assert sum(counts) == 65
    own = counts_of(at, 0, twice, OWN_COUNTS)
    assert own[-3:] == [0, 65, 65]
    assert own[0] == counts[0]


def test_rejections__of_very_many_clauses_have_distinct_places() -> None:
    offers = reference.Offers(300, [[float(row) for row in range(300)]], [set(range(300)), set()], [[set()] * 5], [[]])
    numbers = [0.0, *(float(row) for row in range(300))]
    code = [(op.LE | op.INVERT | (op.AND if row else op.PUSH), 0, row + 1) for row in range(300)]
    program = Program(code, [], numbers, clauses=list(range(1, 301)))
    at = bound(offers, [program])
    assert first_of(at, 0, program, 300) == (list(range(300)), [1] * 300)
    assert counts_of(at, 0, program) == [1] * 300
    assert first_by_bits(at, 0, program, 300) == (list(range(300)), list(range(1, 301)))
    assert counts_of(at, 0, program, OWN_COUNTS) == list(range(1, 301))


@pytest.mark.parametrize("clauses", [1, 2, 3, 4, 7, 8, 15, 16, 31, 255, 256, 257, 511, 512, 600])
def test_rejections__of_each_number_of_clauses_have_the_places_that_offers_reach(clauses: int) -> None:
    size = 1100
    reached = [(7 * row) % (clauses + 1) for row in range(size)]
    every = set(range(size))
    offers = reference.Offers(size, [[float(place) for place in reached]], [every, set()], [[set()] * 5], [[]])
    # Of those who reach a clause, the ones whose number is at most its place fail it.
    code = [(op.LE | op.INVERT | (op.AND if place else op.PUSH), 0, place) for place in range(clauses)]
    program = Program(code, [], [float(place) for place in range(clauses)], clauses=list(range(1, clauses + 1)))
    at = bound(offers, [program])
    counts = [reached.count(place) for place in range(clauses)]
    assert first_of(at, 0, program, size) == (reached, counts)
    assert counts_of(at, 0, program) == counts


def test_rejections__for_which_there_is_no_room_are_left() -> None:
    rng = Random(5)
    offers = draw_offers(rng, 600)
    program = next(one for one in iter(lambda: draw_program(rng, 600), None) if len(one.clauses) > 1)
    at = bound(offers, [program])
    for clauses, words in ((len(program.clauses) - 1, at.words), (len(program.clauses), at.words - 8)):
        for wanted in (FIRST_COUNTS, FIRST_OF_EVERY, OWN_COUNTS):
            room = Room(at, clauses, words)
            assert room.find(at, 0, wanted) == 0
            assert (room.counts == UNTOUCHED).all()
            assert (room.digits == RUBBISH).all()
            assert (room.first == 60000).all()


def test_rejections__are_worked_out_in_more_room_than_they_need() -> None:
    rng = Random(6)
    offers = draw_offers(rng, 65)
    program = draw_program(rng, 65)
    at = bound(offers, [program])
    wanted = reference.first_failing(program, offers)
    room = Room(at, len(program.clauses) + 40, at.words + 16)
    for _ in range(2):
        assert room.find(at, 0, FIRST_OF_EVERY) == len(program.clauses)
        assert room.first[:65].tolist() == wanted
        assert (room.first[64 * at.words :] == 60000).all()
        assert (room.counts[len(program.clauses) :] == UNTOUCHED).all()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("clauses", [1, 2, 3, 9])
def test_fail_counts__are_those_of_each_clause_alone_and_unknown(size: int, clauses: int) -> None:
    rng = Random(f"{size}/{clauses}")
    words = words_of(size)
    for share in (0.0, 0.1, 0.6, 1.0):
        fails = [{row for row in range(size) if rng.random() < share} for _ in range(clauses)]
        unknown = [{row for row in rows if rng.random() < 0.5} for rows in fails]
        counts = np.full(3 * clauses + 1, UNTOUCHED, dtype=np.int32)
        given = [np.concatenate([bits_of(rows, words) for rows in each]) for each in (fails, unknown)]
        fail_counts(*map(handle_of, given), clauses, words, handle_of(counts))
        failed = [len(rows) for rows in fails]
        alone = [sum(1 for row in rows if sum(row in each for each in fails) == 1) for rows in fails]
        assert counts.tolist() == [*failed, *alone, *map(len, unknown), UNTOUCHED]
