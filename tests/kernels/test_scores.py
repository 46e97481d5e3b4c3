"""Scores against scoring survivor by survivor."""

from __future__ import annotations

import math
from random import Random

import numpy as np
import pytest

from tenantrank_kernels import frames as at_
from tenantrank_kernels import opcodes as op
from tenantrank_kernels.scores import end_places, find_ends, normalize, score_step, scored
from tests.kernels import reference
from tests.kernels.bound import Bound, bound, with_mask
from tests.kernels.reference import Program, order_of
from tests.kernels.samples import (
    SCORES,
    SEEDS,
    SIZES,
    doubles,
    draw_blend,
    draw_filter,
    draw_offers,
    draw_program,
    draw_scorer,
    general,
    offers_of,
    same,
)

INF, NAN = math.inf, math.nan
HUGE = 1.7976931348623157e308


@pytest.mark.parametrize(
    ("values", "ends", "pinned", "plain"),
    [
        ([], (INF, -INF), [], []),
        ([3.0], (3.0, 3.0), [0.0], [0.0]),
        ([2.0, 2.0], (2.0, 2.0), [0.0, 0.0], [0.0, 0.0]),
        ([0.0, -0.0], (0.0, 0.0), [0.0, 0.0], [0.0, 0.0]),
        ([1.0, 3.0, 2.0], (1.0, 3.0), [0.0, 1.0, 0.5], [0.0, 1.0, 0.5]),
        ([INF, INF], (INF, INF), [0.0, 0.0], [0.0, 0.0]),
        ([1.0, INF, 3.0], (1.0, INF), [0.0, 1.0, 0.0], [0.0, NAN, 0.0]),
        ([-INF, 1.0, 3.0], (-INF, 3.0), [0.0, 0.0, 1.0], [NAN, NAN, NAN]),
        ([-INF, 0.0, INF], (-INF, INF), [0.0, 0.0, 1.0], [NAN, NAN, NAN]),
        ([NAN, NAN], (INF, -INF), [0.0, 0.0], [0.0, 0.0]),
        ([NAN, 1.0, 3.0], (1.0, 3.0), [0.0, 0.0, 1.0], [NAN, 0.0, 1.0]),
        ([-HUGE, 0.0, HUGE], (-HUGE, HUGE), [0.0, 0.0, 1.0], [0.0, 0.0, NAN]),
        ([0.0, 5e-324], (0.0, 5e-324), [0.0, 1.0], [0.0, 1.0]),
        # Ends that are wider or narrower than the values.
        ([1.0, 2.0], (0.0, 4.0), [0.25, 0.5], [0.25, 0.5]),
        ([-1.0, 9.0], (0.0, 4.0), [0.0, 1.0], [-0.25, 2.25]),
        ([1.0, 2.0], (4.0, 0.0), [0.0, 0.0], [0.0, 0.0]),
    ],
)
def test_normalize__works_out_by_hand(
    values: list[float], ends: tuple[float, float], pinned: list[float], plain: list[float]
) -> None:
    for flag, wanted in ((True, pinned), (False, plain)):
        found = doubles([66.0, *values, 77.0])
        normalize(found, 1, len(values), *ends, flag)
        assert same(found[1:-1], wanted), (flag, found, wanted)
        assert (found[0], found[-1]) == (66.0, 77.0)  # what is before and behind stays


@pytest.mark.parametrize("pinned", [True, False])
def test_normalize__agrees_with_the_reference(pinned: bool) -> None:
    for size in SIZES:
        for seed in SEEDS:
            rng = Random(f"{size}/{seed}")
            few = [rng.choice(SCORES) for _ in range(rng.randint(1, 5))]
            values = [rng.choice(few) if seed % 2 else rng.uniform(-1.0, 40.0) for _ in range(size)]
            ends = reference.ends(values)
            found = doubles(values)
            normalize(found, 0, size, *ends, pinned)
            assert same(found, reference.normalize(values, *ends, pinned)), values


def filtered(rng: Random, size: int) -> tuple[Bound, Program, reference.Offers, set[int]]:
    """A blend spelled out over offers, its ends bounded by its filter's clauses, with the rows that pass."""
    offers = draw_offers(rng, size)
    numbers = [0.0]
    code, clauses, bounds = draw_filter(rng, numbers)
    places: dict[int, int] = {}
    score = draw_blend(rng, numbers, places)
    ends = [(field, *bounds.get(field, (-1, -1))) for field in places]
    program = general(Program(code, score, numbers, op.BLEND, ends=ends, clauses=clauses))
    passed = reference.condition(code, numbers, offers)
    return with_mask(bound(offers, [program]), passed), program, offers, passed


@pytest.mark.parametrize("size", SIZES[1:])
def test_ends__are_those_of_the_rows_that_pass(size: int) -> None:
    met = 0
    for seed in range(3 * len(SEEDS)):
        at, program, offers, passed = filtered(Random(f"{size}/{seed}"), size)
        if not passed or not program.ends:
            continue
        met += 1
        find_ends(at.frame.handle, at.scratch.handle, 0, at.level(0))
        found = at.spaces[at_.ENDS].reshape(-1, 2)
        first = op.HEADER + 3 * (len(program.filter) + len(program.score))
        for place, (field, _, _) in enumerate(program.ends):
            column = offers.columns[field]
            order = order_of(column)
            passing = [one for one, row in enumerate(order) if row in passed]
            assert end_places(at.frame.handle, at.level(0), first + 3 * place, 1) == (passing[0], passing[-1])
            wanted = reference.ends(column[row] for row in passed)
            assert tuple(found[place].tolist()) == wanted
        assert np.isnan(found[len(program.ends) :]).all()
    assert met


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
        ((op.NORMALIZE, -1, 0), [[5.0, 7.0]], [[0.0, 1.0]]),
        ((op.NORMALIZE, -1, 0), [[5.0, INF]], [[0.0, 1.0]]),
        ((op.NORMALIZE_V1, -1, 0), [[5.0, INF]], [[0.0, NAN]]),
        # Between the ends of a field, here 0 and 8, which are not those of the vector.
        ((op.NORMALIZE, 1, 0), [[2.0, 6.0]], [[0.25, 0.75]]),
        ((op.NORMALIZE, 1, 0), [[-1.0, 9.0]], [[0.0, 1.0]]),
    ],
)
def test_score_step__works_out_by_hand(
    instruction: tuple[int, int, int], stack: list[list[float]], wanted: list[list[float]]
) -> None:
    """Rows 1 and 64 survive, of which a gate passes row 1; request 1 is asked for."""
    columns = [[0.0] * 70, [float(row) for row in range(70)]]
    columns[1][1], columns[1][64] = 10.0, 30.0
    plain = offers_of(*columns)
    asked = [[0.0] * 70 for _ in range(op.REQUEST_COLUMNS)]
    asked[op.COST] = [0.5 if row == 1 else 0.75 for row in range(70)]
    offers = reference.Offers(70, columns, plain.rows, plain.live_rows * 2, [*plain.request_columns, asked])
    at = bound(offers, [Program([], [instruction], [-2.0, 2.5, 1.0])])
    at.put(3, {1, 30})
    at.spaces[at_.ENDS][2:4] = 0.0, 8.0
    vectors = at.spaces[at_.VECTORS].reshape(-1, 64 * at.words)
    for height, values in enumerate(stack):
        vectors[height, :2] = values
    rows = np.array([1, 64], dtype=np.int32)
    height = score_step(at.frame.handle, at.scratch.handle, op.HEADER, 1, 1, rows, 2, 3, len(stack))
    assert height == len(wanted)
    for found, values in zip(vectors, wanted, strict=False):
        assert same(found[:2], values)


@pytest.mark.parametrize("size", SIZES)
def test_scored__agrees_with_the_reference(size: int) -> None:
    for seed in SEEDS:
        rng = Random(f"{size}/{seed}")
        offers = draw_offers(rng, size)
        numbers = [0.0]
        program = Program([], draw_scorer(rng, numbers), numbers)
        survivors = sorted(offers.rows[rng.choice((0, 2, 3))])
        at = bound(offers, [program])
        rows = np.array([*survivors, -7], dtype=np.int32)
        end = op.HEADER + 3 * len(program.score)
        scored(at.frame.handle, at.scratch.handle, op.HEADER, end, 1, 1, rows, len(survivors), 1)
        wanted = reference.scores(program, offers, 1, survivors)
        assert same(at.spaces[at_.VECTORS][: len(survivors)], wanted), program.score


@pytest.mark.parametrize("size", SIZES[1:])
def test_scored__between_the_ends_of_fields_agrees_with_the_reference(size: int) -> None:
    """Some of the survivors are scored, between ends that are those of all."""
    for seed in range(2 * len(SEEDS)):
        rng = Random(f"ends {size}/{seed}")
        at, program, offers, passed = filtered(rng, size)
        if not passed:
            continue
        find_ends(at.frame.handle, at.scratch.handle, 0, at.level(0))
        survivors = sorted(passed)
        whole = dict(zip(survivors, reference.scores(program, offers, 0, survivors), strict=True))
        chosen = sorted(rng.sample(survivors, rng.randint(1, len(survivors))))
        first = op.HEADER + 3 * len(program.filter)
        rows = np.array(chosen, dtype=np.int32)
        end = first + 3 * len(program.score)
        scored(at.frame.handle, at.scratch.handle, first, end, 1, 0, rows, len(chosen), 1)
        assert same(at.spaces[at_.VECTORS][: len(chosen)], [whole[row] for row in chosen])


def test_scored__evaluates_gates_above_the_filters_own_bitset() -> None:
    rng = Random(6)
    for _ in range(30):
        offers = draw_offers(rng, 65)
        program = general(draw_program(rng, 65))
        if not program.score:
            continue
        at = with_mask(bound(offers, [program]), {1, 2, 3})
        first = op.HEADER + 3 * len(program.filter)
        rows = np.array([1, 2, 3], dtype=np.int32)
        at.spaces[at_.ENDS][:] = 0.0
        scored(at.frame.handle, at.scratch.handle, first, first + 3 * len(program.score), 1, 0, rows, 3, 1)
        assert reference.rows_of(at.level(0)) == {1, 2, 3}
