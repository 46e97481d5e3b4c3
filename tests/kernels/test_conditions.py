"""Conditions against sets of rows: cuts, every way an instruction joins, and whole conditions."""

from __future__ import annotations

import math
from random import Random
from typing import Any

import numpy as np
import pytest

from tenantrank_kernels import JIT_DISABLED, bind_programs, condition_masks, handle_of
from tenantrank_kernels import frames as at_
from tenantrank_kernels import opcodes as op
from tenantrank_kernels.conditions import bind, only_offers, pass_conditions, write_cut
from tests.kernels import reference
from tests.kernels.bound import NO_CUT, Bound, bare, bound
from tests.kernels.reference import Program, bits_of, cut_of, order_of, rows_of
from tests.kernels.samples import FIELDS, NUMBERS, SEEDS, SIZES, draw_condition, draw_offers, draw_program, offers_of

INF = math.inf
SOURCES = (op.ROW, op.LIVE, op.LE, op.LT, op.TOP)
JOINS = (op.PUSH, op.AND, op.OR)


def only(code: list[tuple[int, int, int]], numbers: list[float]) -> Program:
    """A program that is a filter alone."""
    return Program(code, [], numbers)


def run(bound: Bound, program: Program, request: int = 0, height: int = 0) -> int:
    """Run a whole filter; the one program begins at 0 and its numbers at 1."""
    end = op.HEADER + 3 * len(program.filter)
    return int(pass_conditions(bound.frame.handle, bound.scratch.handle, op.HEADER, end, 1, request, height))


def offers_in(bound: Bound, height: int) -> set[int]:
    """The offers in one bitset of the stack, whatever its padding."""
    return {row for row in rows_of(bound.level(height)) if row < bound.kept[at_.SIZE]}


@pytest.mark.parametrize("shift", [0, 1, 4, 6, 11])
@pytest.mark.parametrize("size", SIZES)
def test_write_cut__is_the_first_rows_of_the_order_at_every_place(size: int, shift: int) -> None:
    rng = Random(f"{size}/{shift}")
    offers = offers_of([rng.choice((*NUMBERS, INF, -INF, 7.0)) for _ in range(size)])
    order = order_of(offers.columns[0])
    at = bound(offers, shift=shift)
    cuts = range(size + 1)
    for cut in sorted(rng.sample(cuts, min(len(cuts), 60))) if JIT_DISABLED else cuts:
        write_cut(at.frame.handle, 0, cut, at.spaces[at_.BITS], 2 * at.words, False)
        assert at.level(2).tolist() == bits_of(order[:cut], at.words).tolist(), cut
        write_cut(at.frame.handle, 0, cut, at.spaces[at_.BITS], 2 * at.words, True)
        assert offers_in(at, 2) == set(order[cut:]), cut


def test_write_cut__touches_no_other_bitset() -> None:
    at = bound(offers_of([float(row % 7) for row in range(513)]))
    before = at.spaces[at_.BITS].copy()
    write_cut(at.frame.handle, 0, 300, at.spaces[at_.BITS], 3 * at.words, False)
    changed = np.flatnonzero(at.spaces[at_.BITS] != before) // at.words
    assert set(changed.tolist()) == {3}


@pytest.mark.parametrize("turned", [0, op.INVERT])
@pytest.mark.parametrize(
    ("source", "join"), [(source, join) for source in SOURCES for join in JOINS if source != op.TOP or join != op.PUSH]
)
@pytest.mark.parametrize("size", SIZES)
def test_pass_conditions__joins_any_source_in_any_way(size: int, source: int, join: int, turned: int) -> None:
    rng = Random(f"{size}/{source}/{join}/{turned}")
    offers = draw_offers(rng, size)
    below = [{row for row in range(size) if rng.random() < 0.6} for _ in range(3)]
    for a in (0, 2):
        number = rng.choice(offers.columns[a]) if size else 1.0
        program = only([(source | join | turned, a, 1)], [0.0, number])
        at = bound(offers, [program])
        for height, rows in enumerate(below):
            at.put(height, rows)
        stack = [set(rows) for rows in below]
        reference.condition_step(program.filter[0], program.numbers, offers, 1, stack)
        assert run(at, program, request=1, height=3) == len(stack)
        assert [offers_in(at, height) for height in range(len(stack))] == stack


@pytest.mark.parametrize("size", SIZES)
def test_pass_conditions__agrees_with_the_reference_after_every_instruction(size: int) -> None:
    for seed in SEEDS:
        rng = Random(f"{size}/{seed}")
        offers, numbers = draw_offers(rng, size), [0.0]
        program = only(draw_condition(rng, numbers), numbers)
        at = bound(offers, [program])
        stack: list[set[int]] = []
        height = 0
        for step, instruction in enumerate(program.filter):
            begin = op.HEADER + 3 * step
            height = pass_conditions(at.frame.handle, at.scratch.handle, begin, begin + 3, 1, 1, height)
            reference.condition_step(instruction, numbers, offers, 1, stack)
            assert height == len(stack)
            assert [offers_in(at, place) for place in range(height)] == stack, instruction
        assert height == 1


def test_pass_conditions__reads_the_live_rows_of_its_own_request() -> None:
    offers = draw_offers(Random(3), 65, requests=3)
    for request in range(3):
        for live in range(op.LIVE_ROWS):
            program = only([(op.LIVE, live, 0)], [0.0])
            at = bound(offers, [program])
            run(at, program, request)
            assert offers_in(at, 0) == offers.live_rows[request][live]


@pytest.mark.parametrize("size", SIZES)
def test_bind__counts_the_values_on_the_lower_side(size: int) -> None:
    rng = Random(size)
    offers = draw_offers(rng, size)
    numbers = [0.0]
    code = []
    for column in range(FIELDS):
        near = [*offers.columns[column][:5], *sorted(offers.columns[column])[-2:], INF, -INF, 0.0, 5e-324, 1e308]
        for value in near:
            numbers.append(value)
            code.append((rng.choice((op.LE, op.LT)) | rng.choice(JOINS) | rng.choice((0, op.INVERT)), column, 0))
            code[-1] = (*code[-1][:2], len(numbers) - 1)
    at = bound(offers, [only(code, numbers)])
    wanted = [cut_of(offers.columns[a], operation & op.SOURCE, numbers[b]) for operation, a, b in code]
    at.cuts[:] = NO_CUT
    bind(at.frame.handle, op.HEADER, op.HEADER + 3 * len(code), 1, -1)
    # The rubbish before the numbers, the temperature and the rubbish behind are compared with nothing.
    assert at.cuts.tolist() == [NO_CUT, NO_CUT, *wanted, NO_CUT]


def test_bind__passes_over_all_that_is_no_comparison() -> None:
    offers = offers_of([3.0, 1.0, 2.0])
    scores = (op.FIELD, op.LITERAL, op.ADD, op.SCALE, op.NEGATE, op.CLAMP, op.NORMALIZE, op.NORMALIZE_V1, op.GATE)
    others = [source | join | turned for source in (op.ROW, op.LIVE) for join in JOINS for turned in (0, op.INVERT)]
    code = [(operation, 0, 1) for operation in (*scores, *others, op.TOP | op.AND, op.TOP | op.OR)]
    at = bound(offers, [Program([], code, [0.0, 2.0])])
    bind(at.frame.handle, op.HEADER, op.HEADER + 3 * len(code), 1, -1)
    assert at.cuts.tolist() == [NO_CUT] * 4


def test_bind_programs__finds_the_cuts_of_those_named_gates_included() -> None:
    rng = Random(8)
    offers = draw_offers(rng, 65)
    programs = [draw_program(rng, 65) for _ in range(12)]
    gated = Program([(op.ROW, 0, 0)], [(op.LITERAL, 0, 1), (op.LE, 2, 2), (op.GATE, 0, 0)], [0.0, 1.0, 0.25])
    programs.append(gated)
    at = bound(offers, programs)
    wanted = at.cuts.copy()
    assert (wanted[-2:-1] >= 0).all()
    for named in ([], [12], [0, 3, 12], list(range(13))):
        at.cuts[:] = NO_CUT
        starts = np.concatenate([at.starts[5:7], at.starts[named], at.starts[1:2]])  # those around are not named
        bind_programs(at.frame.handle, handle_of(starts), 2, 2 + len(named), -1)
        first = 1
        for place, program in enumerate(programs):
            end = first + len(program.numbers) + 1
            found = at.cuts[first:end].tolist()
            assert found == (wanted[first:end].tolist() if place in named else [NO_CUT] * (end - first))
            first = end


@pytest.mark.parametrize("size", SIZES)
def test_only_offers__clears_the_padding_and_counts(size: int) -> None:
    at = bound(offers_of([0.0] * size))
    rng = Random(size)
    for share in (0.0, 0.5, 1.0):
        kept = {row for row in range(size) if rng.random() < share}
        at.put(0, {*kept, *range(size, 64 * at.words)})
        before = at.level(1).copy()
        assert only_offers(at.frame.handle, at.spaces[at_.BITS]) == len(kept)
        assert rows_of(at.level(0)) == kept
        assert at.level(1).tolist() == before.tolist()


def masks_of(bound: Bound, starts: list[int]) -> Any:
    """Each condition's offers; the code of the conditions is all there is."""
    count = len(starts) - 1
    masks = np.full(count * bound.words + 1, 77, dtype=np.uint64)
    limits = np.array(starts, dtype=np.int64)
    condition_masks(bound.frame.handle, bound.scratch.handle, handle_of(limits), count, handle_of(masks))
    assert masks[-1] == 77
    return masks[:-1].reshape(count, bound.words)


@pytest.mark.parametrize("size", SIZES)
def test_condition_masks__agrees_with_the_reference_for_each_condition(size: int) -> None:
    for seed in SEEDS:
        rng = Random(f"masks {size}/{seed}")
        offers = draw_offers(rng, size)
        numbers: list[float] = []
        conditions = [draw_condition(rng, numbers) for _ in range(rng.randint(0, 4))]
        starts = [0]
        for one in conditions:
            starts.append(starts[-1] + 3 * len(one))
        masks = masks_of(bare(offers, [step for one in conditions for step in one], numbers), starts)
        assert [rows_of(mask) for mask in masks] == [reference.condition(one, numbers, offers) for one in conditions]


@pytest.mark.parametrize("bound_at", [-INF, -1e308, -5e-324, 0.0, -0.0, 5e-324, 1.0, 1e308, INF])
def test_condition_masks__compares_as_doubles_do(bound_at: float) -> None:
    values = [0.0, 1.0, -1.0, INF, -INF, 5e-324, -5e-324, 1e308, -1e308, 1.7976931348623157e308, 0.0, INF]
    code = [(op.LE, 0, 0), (op.LT, 0, 1), (op.LE | op.INVERT, 0, 2), (op.LT | op.INVERT, 0, 3)]
    masks = masks_of(bare(offers_of(values), code, [bound_at] * 4), [0, 3, 6, 9, 12])
    ways = (lambda x: x <= bound_at, lambda x: x < bound_at, lambda x: x > bound_at, lambda x: x >= bound_at)
    wanted = [{row for row, value in enumerate(values) if holds(value)} for holds in ways]
    assert [rows_of(mask) for mask in masks] == wanted


def test_bind_programs__of_one_field_leaves_the_cuts_of_others_as_they_are() -> None:
    rng = Random(9)
    programs = [draw_program(rng, 65) for _ in range(12)]
    at = bound(draw_offers(rng, 65), programs)
    wanted = at.cuts.copy()
    at.cuts[:] = NO_CUT
    found = set()
    for field in range(FIELDS):
        before = at.cuts.copy()
        bind_programs(at.frame.handle, handle_of(at.starts), 0, len(programs), field)
        written = set(np.flatnonzero(at.cuts != before).tolist())
        assert not found & written
        found |= written
    assert at.cuts.tolist() == wanted.tolist()
