"""Scores, three ways: compiled, as plain Python, and survivor by survivor."""

from __future__ import annotations

import math
from random import Random
from typing import Any

import numpy as np
import pytest

from tenantrank_kernels import normalize, score_step
from tenantrank_kernels import opcodes as op
from tests.kernels import reference
from tests.kernels.samples import SCORES, SEEDS, SIZES, Draft, both, doubles, draw_arrays, draw_scorer, packed, same

INF, NAN = math.inf, math.nan
HUGE = 1.7976931348623157e308


@both(normalize)
@pytest.mark.parametrize(
    ("values", "pinned", "plain"),
    [
        ([], [], []),
        ([3.0], [0.0], [0.0]),
        ([2.0, 2.0], [0.0, 0.0], [0.0, 0.0]),
        ([0.0, -0.0], [0.0, 0.0], [0.0, 0.0]),
        ([1.0, 3.0, 2.0], [0.0, 1.0, 0.5], [0.0, 1.0, 0.5]),
        ([INF, INF], [0.0, 0.0], [0.0, 0.0]),
        ([1.0, INF, 3.0], [0.0, 1.0, 0.0], [0.0, NAN, 0.0]),
        ([-INF, 1.0, 3.0], [0.0, 0.0, 1.0], [NAN, NAN, NAN]),
        ([-INF, 0.0, INF], [0.0, 0.0, 1.0], [NAN, NAN, NAN]),
        ([NAN, NAN], [0.0, 0.0], [0.0, 0.0]),
        ([NAN, 1.0, 3.0], [0.0, 0.0, 1.0], [NAN, 0.0, 1.0]),
        ([-HUGE, 0.0, HUGE], [0.0, 0.0, 1.0], [0.0, 0.0, NAN]),
        ([0.0, 5e-324], [0.0, 1.0], [0.0, 1.0]),
    ],
)
def test_normalize__works_out_by_hand(run: Any, values: list[float], pinned: list[float], plain: list[float]) -> None:
    for flag, wanted in ((True, pinned), (False, plain)):
        found = doubles([*values, 77.0])
        run(found, len(values), flag)
        assert same(found[:-1], wanted), (flag, found, wanted)
        assert found[-1] == 77.0  # what is past the count stays


@both(normalize)
@pytest.mark.parametrize("pinned", [True, False])
def test_normalize__agrees_with_the_reference(run: Any, pinned: bool) -> None:
    for size in SIZES:
        for seed in SEEDS:
            rng = Random(f"{size}/{seed}")
            few = [rng.choice(SCORES) for _ in range(rng.randint(1, 5))]
            values = [rng.choice(few) if seed % 2 else rng.uniform(-1.0, 40.0) for _ in range(size)]
            found = doubles(values)
            run(found, size, pinned)
            assert same(found, reference.normalize(values, pinned)), values


@both(score_step)
@pytest.mark.parametrize(
    ("instruction", "stack", "wanted"),
    [
        ((op.FIELD, 1, 0), [], [[10.0, 30.0]]),
        ((op.FIELD, 2 + op.COST, 0), [], [[0.5, 0.75]]),
        ((op.LITERAL, 0, 1), [[1.0, 2.0]], [[1.0, 2.0], [2.5, 2.5]]),
        ((op.ADD, 0, 0), [[1e16, 1.0], [-1e16, INF]], [[0.0, INF]]),
        ((op.ADD, 0, 0), [[INF, 0.0], [-INF, -0.0]], [[NAN, 0.0]]),
        ((op.SCALE, 0, 0), [[3.0, INF]], [[-6.0, -INF]]),
        ((op.NEGATE, 0, 0), [[0.25, -INF]], [[0.75, INF]]),
        ((op.CLAMP, 0, 0), [[-3.0, 9.0]], [[-2.0, 2.5]]),
        ((op.CLAMP, 0, 0), [[NAN, 1.0]], [[NAN, 1.0]]),
        # Low above high: what is below low becomes low, even where that is above high.
        ((op.CLAMP, 0, 1), [[2.0, 3.0]], [[2.5, 1.0]]),
        ((op.GATE, 0, 0), [[4.0, NAN]], [[4.0, 0.0]]),
        ((op.NORMALIZE, 0, 0), [[5.0, 7.0]], [[0.0, 1.0]]),
        ((op.NORMALIZE, 0, 0), [[5.0, INF]], [[0.0, 1.0]]),
        ((op.NORMALIZE_V1, 0, 0), [[5.0, INF]], [[0.0, NAN]]),
    ],
)
def test_score_step__works_out_by_hand(
    run: Any, instruction: tuple[int, int, int], stack: list[list[float]], wanted: list[list[float]]
) -> None:
    """Rows 1 and 64 survive, of which a gate passes row 1."""
    columns = np.zeros((2, 128))
    columns[1, [1, 64]] = 10.0, 30.0
    request_columns = np.zeros((op.REQUEST_COLUMNS, 128))
    request_columns[op.COST, [1, 64]] = 0.5, 0.75
    vectors = np.zeros((3, 2))
    for at, values in enumerate(stack):
        vectors[at] = values
    height = run(
        packed([instruction]),
        0,
        doubles([-2.0, 2.5, 1.0]),
        columns,
        request_columns,
        np.array([1, 64], dtype=np.int32),
        2,
        np.array([2, 0], dtype=np.uint64),
        vectors,
        len(stack),
    )
    assert height == len(wanted)
    for found, values in zip(vectors, wanted, strict=False):
        assert same(found, values)


@both(score_step)
@pytest.mark.parametrize("size", SIZES)
def test_score_step__agrees_with_the_reference_after_every_instruction(run: Any, size: int) -> None:
    for seed in SEEDS:
        rng = Random(f"{size}/{seed}")
        arrays, draft = draw_arrays(rng, size), Draft([], [])
        draw_scorer(rng, draft)
        survivors = sorted(arrays.row_sets[rng.choice((0, 2, 3))])
        constants = doubles([*draft.constants, 0.0])
        vectors = np.full((8, 64 * arrays.words), NAN)
        height = 0
        stack: list[list[float]] = []
        gates: list[set[int]] = []
        for at, instruction in enumerate(draft.code):
            if instruction[0] < op.SURVIVE:
                reference.condition_step(
                    instruction, draft.constants, arrays.columns.tolist(), arrays.row_sets, arrays.live_sets[0], gates
                )
                continue
            passed = gates.pop() if instruction[0] == op.GATE else set()
            height = run(
                packed(draft.code),
                3 * at,
                constants,
                arrays.columns,
                arrays.request_columns[0],
                np.array(survivors, dtype=np.int32),
                len(survivors),
                reference.bits_of(passed, arrays.words),
                vectors,
                height,
            )
            reference.score_step(
                instruction,
                draft.constants,
                arrays.columns.tolist(),
                arrays.request_columns[0].tolist(),
                survivors,
                passed,
                stack,
            )
            assert height == len(stack)
            for found, wanted in zip(vectors, stack, strict=False):
                assert same(found[: len(survivors)], wanted), instruction
        assert height == 1
