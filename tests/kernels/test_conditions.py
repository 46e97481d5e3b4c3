"""Conditions, three ways: compiled, as plain Python, and offer by offer."""

from __future__ import annotations

import math
from itertools import pairwise
from random import Random
from typing import Any

import numpy as np
import pytest

from tenantrank_kernels import compare, condition_masks, condition_step
from tenantrank_kernels import opcodes as op
from tests.kernels import reference
from tests.kernels.reference import rows_of
from tests.kernels.samples import SEEDS, SIZES, Draft, both, doubles, draw_arrays, draw_condition, packed

RELATIONS = (op.LT, op.LE, op.EQ, op.NE, op.GE, op.GT)
DEPTH = 8


@both(compare)
@pytest.mark.parametrize(
    ("relation", "rows"),
    [
        (op.LT, {0, 3}),
        (op.LE, {0, 1, 2, 3}),
        (op.EQ, {1, 2}),
        (op.NE, {0, 3, 4, 63}),
        (op.GE, {1, 2, 4, 63}),
        (op.GT, {4, 63}),
    ],
)
def test_compare__sets_the_bits_worked_out_by_hand(run: Any, relation: int, rows: set[int]) -> None:
    values = np.full(64, 0.0)
    values[:5] = [-1.0, 0.0, -0.0, -5e-324, 5e-324]
    values[63] = math.inf
    out = np.full(1, 2**64 - 1, dtype=np.uint64)
    run(values, relation, 0.0, out)
    # The places between are all 0.
    zeros = set(range(5, 63)) if relation in (op.LE, op.EQ, op.GE) else set()
    assert rows_of(out) == rows | zeros


@both(compare)
@pytest.mark.parametrize("relation", RELATIONS)
def test_compare__agrees_with_the_reference_word_by_word(run: Any, relation: int) -> None:
    rng = Random(relation)
    for words in (0, 1, 2, 3):
        few = [rng.choice((0.0, -0.0, 1.0, math.inf, -1e308, 5e-324)) for _ in range(3)]
        values = [rng.choice(few) for _ in range(64 * words)]
        bound = rng.choice([*few[:1], 0.0, 1.0])
        out = np.zeros(words, dtype=np.uint64)
        run(doubles(values), relation, bound, out)
        assert rows_of(out) == reference.compare(values, relation, bound)


@both(condition_step)
@pytest.mark.parametrize("size", SIZES)
def test_condition_step__agrees_with_the_reference_after_every_instruction(run: Any, size: int) -> None:
    for seed in SEEDS:
        rng = Random(f"{size}/{seed}")
        arrays, draft = draw_arrays(rng, size), Draft([], [])
        draw_condition(rng, draft)
        code, constants = packed(draft.code), doubles([*draft.constants, 0.0])
        stack = np.full((DEPTH, arrays.words), 2**64 - 1, dtype=np.uint64)
        height = 0
        sets: list[set[int]] = []
        for at, instruction in enumerate(draft.code):
            height = run(code, 3 * at, constants, arrays.columns, arrays.rows, arrays.live_rows[0], stack, height)
            reference.condition_step(
                instruction, draft.constants, arrays.columns.tolist(), arrays.row_sets, arrays.live_sets[0], sets
            )
            assert height == len(sets)
            assert [rows_of(bits) for bits in stack[:height]] == sets
        assert height == 1


@both(condition_step)
def test_condition_step__not_never_sets_a_bit_of_the_padding(run: Any) -> None:
    rows = np.array([[2**64 - 1, 1], [0, 0]], dtype=np.uint64)
    stack = np.zeros((1, 2), dtype=np.uint64)
    none = np.zeros((4, 2), dtype=np.uint64)
    assert run(packed([(op.NOT, 0, 0)]), 0, doubles([0.0]), np.zeros((1, 128)), rows, none, stack, 1) == 1
    assert stack.tolist() == [[2**64 - 1, 1]]


@both(condition_masks)
@pytest.mark.parametrize("size", SIZES)
def test_condition_masks__agrees_with_the_reference_for_each_condition(run: Any, size: int) -> None:
    for seed in SEEDS:
        rng = Random(f"masks {size}/{seed}")
        arrays, draft = draw_arrays(rng, size), Draft([], [])
        bounds = [0]
        for _ in range(rng.randint(0, 4)):
            draw_condition(rng, draft)
            bounds.append(3 * len(draft.code))
        masks = run(
            packed(draft.code),
            np.array(bounds, dtype=np.int64),
            doubles([*draft.constants, 0.0]),
            arrays.columns,
            arrays.rows,
            arrays.live_rows[1],
            DEPTH,
        )
        wanted = [
            reference.condition(
                draft.code[first // 3 : end // 3],
                draft.constants,
                arrays.columns.tolist(),
                arrays.row_sets,
                arrays.live_sets[1],
            )
            for first, end in pairwise(bounds)
        ]
        assert masks.shape == (len(wanted), arrays.words)
        assert [rows_of(mask) for mask in masks] == wanted
