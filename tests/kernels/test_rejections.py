"""The first clause that each offer fails, against trying the clauses offer by offer."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest

from tenantrank_kernels import clause_counts, clause_fails, fail_counts, first_failing, handle_of
from tenantrank_kernels import opcodes as op
from tests.kernels import reference
from tests.kernels.bound import Bound, bound, words_of
from tests.kernels.reference import Program, bits_of
from tests.kernels.samples import SEEDS, SIZES, draw_filter, draw_offers, draw_program

UNTOUCHED = -9


def counts_of(at: Bound, place: int, program: Program) -> tuple[list[int], int]:
    counts = np.full(len(program.clauses) + 1, UNTOUCHED, dtype=np.int32)
    left = clause_counts(at.frame.handle, at.scratch.handle, int(at.starts[place]), handle_of(counts))
    assert counts[-1] == UNTOUCHED
    return counts[:-1].tolist(), left


def first_of(at: Bound, place: int, program: Program, size: int) -> tuple[list[int], list[int]]:
    clauses = len(program.clauses)
    fails = np.empty(clauses * at.words, dtype=np.uint64)
    clause_fails(at.frame.handle, at.scratch.handle, int(at.starts[place]), handle_of(fails))
    first = np.full(64 * at.words + 1, 60000, dtype=np.uint16)
    counts = np.full(clauses + 1, UNTOUCHED, dtype=np.int32)
    first_failing(handle_of(fails), clauses, at.words, handle_of(first), handle_of(counts))
    assert (first[-1], counts[-1]) == (60000, UNTOUCHED)
    return first[:size].tolist(), counts[:-1].tolist()


@pytest.mark.parametrize("size", SIZES)
def test_rejections__agree_with_trying_each_clause(size: int) -> None:
    for seed in SEEDS:
        rng = Random(f"{size}/{seed}")
        offers = draw_offers(rng, size)
        programs = [draw_program(rng, size) for _ in range(4)]
        at = bound(offers, programs)
        for place, program in enumerate(programs):
            wanted = reference.first_failing(program, offers)
            passed = wanted.count(len(program.clauses))
            counts = [wanted.count(clause) for clause in range(len(program.clauses))]
            assert first_of(at, place, program, size) == (wanted, counts)
            assert counts_of(at, place, program) == (counts, passed)


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
    counts, left = counts_of(at, 0, twice)
    assert left == 0
    assert counts[-3] == counts[-1] == 0
    assert sum(counts) == 65


def test_rejections__of_very_many_clauses_have_distinct_places() -> None:
    offers = reference.Offers(300, [[float(row) for row in range(300)]], [set(range(300)), set()], [[set()] * 5], [[]])
    numbers = [0.0, *(float(row) for row in range(300))]
    code = [(op.LE | op.INVERT | (op.AND if row else op.PUSH), 0, row + 1) for row in range(300)]
    program = Program(code, [], numbers, clauses=list(range(1, 301)))
    at = bound(offers, [program])
    assert first_of(at, 0, program, 300) == (list(range(300)), [1] * 300)
    assert counts_of(at, 0, program) == ([1] * 300, 0)


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
