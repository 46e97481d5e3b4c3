"""Whole programs, three ways: compiled, as plain Python, and offer by offer."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Any

import numpy as np
import pytest

from tenantrank_kernels import opcodes as op
from tenantrank_kernels import rank_programs
from tests.kernels import reference
from tests.kernels.samples import (
    SEEDS,
    SIZES,
    Arrays,
    Draft,
    both,
    doubles,
    draw_arrays,
    draw_condition,
    draw_scorer,
    packed,
    same,
)

DEPTH = 8
UNTOUCHED = -9


@dataclass(frozen=True)
class Drawn:
    """One program with what it is ranked for."""

    draft: Draft
    request: int
    selector: int
    limit: int
    temperature: float
    chain: list[tuple[int, int]]
    seed: int


def draw_program(rng: Random, size: int) -> Drawn:
    draft = Draft([], [])
    if rng.random() < 0.3:
        draft.code.append((op.ROW, 0, 0))
    else:
        draw_condition(rng, draft)
    draft.code.append((op.SURVIVE, 0, 0))
    selector = rng.choice((op.ARGMAX, op.ARGMAX, op.ORDERED, op.SAMPLE, op.CHAIN))
    chain: list[tuple[int, int]] = []
    if selector == op.CHAIN:
        listed = rng.sample(range(size), rng.randint(0, min(size, 9)))
        chain = sorted(((row, rng.randint(1, 4)) for row in listed), key=lambda pair: (pair[1], pair[0]))
    else:
        draw_scorer(rng, draft)
    return Drawn(
        draft,
        rng.randrange(2),
        selector,
        rng.choice((1, 3, 2**62)),
        rng.choice((0.0, 0.5, 10.0, -1.0)) if selector == op.SAMPLE else 0.0,
        chain,
        rng.choice((0, 1, 2147483646, rng.randrange(2147483647))),
    )


def bounds_of(lengths: list[int]) -> np.ndarray[Any, Any]:
    return np.cumsum([0, *lengths], dtype=np.int64)


def rank(run: Any, arrays: Arrays, programs: list[Drawn], places: int) -> tuple[Any, Any, Any, Any]:
    count = len(programs)
    result = (
        np.full((count, places), UNTOUCHED, dtype=np.int32),
        np.full((count, places), float(UNTOUCHED)),
        np.full(count, UNTOUCHED, dtype=np.int32),
        np.full(count, UNTOUCHED, dtype=np.int32),
    )
    chains = [pair for program in programs for pair in program.chain]
    run(
        arrays.columns,
        arrays.rows,
        arrays.live_rows,
        arrays.request_columns,
        np.array([program.request for program in programs], dtype=np.int32),
        packed([instruction for program in programs for instruction in program.draft.code]),
        bounds_of([3 * len(program.draft.code) for program in programs]),
        doubles([number for program in programs for number in program.draft.constants]),
        bounds_of([len(program.draft.constants) for program in programs]),
        np.array([program.selector for program in programs], dtype=np.int32),
        np.array([program.limit for program in programs], dtype=np.int64),
        doubles([program.temperature for program in programs]),
        np.array([row for row, _ in chains], dtype=np.int32),
        np.array([place for _, place in chains], dtype=np.int32),
        bounds_of([len(program.chain) for program in programs]),
        np.array([program.seed for program in programs], dtype=np.int64),
        DEPTH,
        *result,
    )
    return result


@both(rank_programs)
@pytest.mark.parametrize("size", SIZES)
def test_rank_programs__agrees_with_the_reference_for_each_program(run: Any, size: int) -> None:
    for seed in SEEDS:
        rng = Random(f"{size}/{seed}")
        arrays = draw_arrays(rng, size)
        programs = [draw_program(rng, size) for _ in range(rng.randint(0, 8))]
        places = rng.choice((0, 1, 3, 8, 50, size))
        rows, scores, ranked, survived = rank(run, arrays, programs, places)
        for at, program in enumerate(programs):
            wanted = reference.rank_program(
                program.draft.code,
                program.draft.constants,
                arrays.columns.tolist(),
                arrays.row_sets,
                arrays.live_sets[program.request],
                arrays.request_columns[program.request].tolist(),
                program.selector,
                min(places, program.limit),
                program.temperature,
                program.chain,
                program.seed,
            )
            filled = int(ranked[at])
            assert rows[at, :filled].tolist() == wanted[0], (seed, at)
            assert same(scores[at, :filled], wanted[1]), (seed, at)
            assert survived[at] == wanted[2]
            assert (rows[at, filled:] == UNTOUCHED).all()
            assert (scores[at, filled:] == UNTOUCHED).all()


@both(rank_programs)
def test_rank_programs__answers_each_program_as_if_it_were_alone(run: Any) -> None:
    rng = Random(5)
    arrays = draw_arrays(rng, 65)
    programs = [draw_program(rng, 65) for _ in range(12)]
    together = rank(run, arrays, programs, 8)
    for at, program in enumerate(programs):
        alone = rank(run, arrays, [program], 8)
        for one, other in zip(together, alone, strict=True):
            assert one[at].tobytes() == other[0].tobytes()
