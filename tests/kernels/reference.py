"""What each kernel has to answer, worked out offer by offer on plain lists and sets, from the docstrings and the
language's specification. A bitset is here the set of the catalog rows whose bit is set.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tenantrank_kernels import opcodes as op

MODULUS = 2**31 - 1

Instruction = tuple[int, int, int]
Rows = set[int]


@dataclass(frozen=True)
class Offers:
    """A catalog under several requests; ``live_rows`` and ``request_columns`` have one entry a request."""

    size: int
    columns: list[list[float]]
    rows: list[Rows]
    live_rows: list[list[Rows]]
    request_columns: list[list[list[float]]]


@dataclass(frozen=True)
class Program:
    """A program in its parts, as `opcodes` describes them; the first of its numbers is the temperature."""

    filter: list[Instruction]
    score: list[Instruction]
    numbers: list[float]
    mode: int = op.GENERAL
    selector: int = op.ARGMAX
    limit: int = 2**31 - 1
    ends: list[tuple[int, int, int]] = field(default_factory=list)
    clauses: list[int] = field(default_factory=list)
    chain: list[tuple[int, int]] = field(default_factory=list)


def rows_of(bits: Sequence[int] | NDArray[np.uint64]) -> Rows:
    """The catalog rows whose bit is set."""
    return {64 * word + bit for word, value in enumerate(bits) for bit in range(64) if int(value) >> bit & 1}


def bits_of(rows: Iterable[int], words: int) -> NDArray[np.uint64]:
    """The bitset of catalog rows."""
    bits = [0] * words
    for row in rows:
        bits[row // 64] |= 1 << row % 64
    return np.array(bits, dtype=np.uint64)


def order_of(values: Sequence[float]) -> list[int]:
    """Rows by value, then by row."""
    return sorted(range(len(values)), key=lambda row: (values[row], row))


def cut_of(values: Sequence[float], source: int, bound: float) -> int:
    """How many values lie on the lower side of a bound, itself included or not."""
    return (bisect_right if source == op.LE else bisect_left)(sorted(values), bound)


def condition_step(
    instruction: Instruction, numbers: Sequence[float], offers: Offers, request: int, stack: list[Rows]
) -> None:
    """Run one condition instruction on a stack of sets."""
    operation, a, b = instruction
    source, join = operation & op.SOURCE, operation & op.JOIN
    if source == op.ROW:
        found = offers.rows[a]
    elif source == op.LIVE:
        found = offers.live_rows[request][a]
    elif source == op.TOP:
        found = stack.pop()
    else:
        below = {row for row, value in enumerate(offers.columns[a]) if value < numbers[b]}
        equal = {row for row, value in enumerate(offers.columns[a]) if value == numbers[b]}
        found = below | equal if source == op.LE else below
    if operation & op.INVERT:
        found = set(range(offers.size)) - found
    if join == op.PUSH:
        stack.append(set(found))
    elif join == op.AND:
        stack.append(stack.pop() & found)
    else:
        stack.append(stack.pop() | found)


def condition(code: Iterable[Instruction], numbers: Sequence[float], offers: Offers, request: int = 0) -> Rows:
    """The offers that pass a condition."""
    stack: list[Rows] = []
    for instruction in code:
        condition_step(instruction, numbers, offers, request, stack)
    (passed,) = stack
    return passed


def ends(values: Iterable[float]) -> tuple[float, float]:
    """The least and the greatest value, a NaN being neither."""
    numbers = [value for value in values if not math.isnan(value)]
    return min(numbers, default=math.inf), max(numbers, default=-math.inf)


def normalize(values: Sequence[float], low: float, high: float, pinned: bool) -> list[float]:
    """The values between two ends."""
    if not high > low:
        return [0.0 for _ in values]
    return [_pinned(value, low, high) if pinned else (value - low) / (high - low) for value in values]


def _pinned(value: float, low: float, high: float) -> float:
    if math.isnan(value):
        return 0.0
    if value >= high:
        return 1.0
    if value <= low:
        return 0.0
    scaled = (value - low) / (high - low)
    return 0.0 if math.isnan(scaled) else scaled


def score_step(
    instruction: Instruction,
    numbers: Sequence[float],
    offers: Offers,
    request: int,
    survivors: Sequence[int],
    passed: Rows,
    stack: list[list[float]],
) -> None:
    """Run one score instruction on a stack of lists, one number a survivor; a gate looks at the offers ``passed``."""
    operation, a, b = instruction
    if operation == op.FIELD:
        count = len(offers.columns)
        column = offers.columns[a] if a < count else offers.request_columns[request][a - count]
        stack.append([column[row] for row in survivors])
    elif operation == op.LITERAL:
        stack.append([numbers[b] for _ in survivors])
    elif operation == op.ADD:
        upper = stack.pop()
        stack.append([one + other for one, other in zip(stack.pop(), upper, strict=True)])
    elif operation == op.SCALE:
        stack.append([numbers[b] * value for value in stack.pop()])
    elif operation == op.NEGATE:
        stack.append([1.0 - value for value in stack.pop()])
    elif operation == op.CLAMP:
        stack.append([_clamped(value, numbers[b], numbers[b + 1]) for value in stack.pop()])
    elif operation == op.GATE:
        kept = zip(survivors, stack.pop(), strict=True)
        stack.append([value if row in passed else 0.0 for row, value in kept])
    else:
        values = stack.pop()
        stack.append(normalize(values, *ends(values), operation == op.NORMALIZE))


def _clamped(value: float, low: float, high: float) -> float:
    if value < low:
        return low
    if value > high:
        return high
    return value


def blended(program: Program, offers: Offers, survivors: Sequence[int]) -> list[float]:
    """What a scorer made of parts gives each survivor."""
    totals = [0.0 for _ in survivors]
    steps = list(program.score)
    while steps:
        operation, field, number = steps.pop(0)
        assert operation >= op.PART
        weight = program.numbers[number]
        column = offers.columns[field]
        part = [column[row] for row in survivors]
        if operation & op.NORMALIZED:
            assert program.ends[operation >> op.PLACE][0] == field
            part = normalize(part, *ends(part), True)
        if operation & op.REVERSED:
            part = [1.0 - value for value in part]
        part = [weight if operation & op.CONSTANT else weight * value for value in part]
        while steps and steps[0][0] < op.PART:
            stack = [part]
            score_step(steps.pop(0), program.numbers, offers, 0, survivors, set(), stack)
            (part,) = stack
        totals = [total + value for total, value in zip(totals, part, strict=True)]
    return totals


def scores(program: Program, offers: Offers, request: int, survivors: Sequence[int]) -> list[float]:
    """What a scorer gives each survivor of the filter."""
    if program.mode == op.BLEND:
        return blended(program, offers, survivors)
    conditions: list[Rows] = []
    vectors: list[list[float]] = []
    for instruction in program.score:
        if instruction[0] < op.FIELD:
            condition_step(instruction, program.numbers, offers, request, conditions)
        else:
            gate = conditions.pop() if instruction[0] == op.GATE else set()
            score_step(instruction, program.numbers, offers, request, survivors, gate, vectors)
    (found,) = vectors
    return found


def before(score: float, other: float) -> bool:
    """Whether a score comes strictly first: by number, any number before NaN."""
    if math.isnan(score):
        return False
    return math.isnan(other) or score > other


def best_first(scores: Sequence[float], wanted: int) -> list[int]:
    """The best places: numbers descending, then NaN, equal ones by place."""
    numbers = [place for place, score in enumerate(scores) if not math.isnan(score)]
    rest = [place for place, score in enumerate(scores) if math.isnan(score)]
    return (sorted(numbers, key=lambda place: (-scores[place], place)) + rest)[:wanted]


def sampled(order: Sequence[int], wanted: int, temperature: float, seed: int) -> list[int]:
    """The first places of the drawn order."""
    heat = max(temperature, 0.0)
    ratio = heat / (heat + 1.0)
    weights, weight = list[float](), 1.0
    for _ in order:
        weights.append(weight)
        weight *= ratio
    state = seed if seed > 0 else seed + MODULUS - 1
    for _ in range(4):
        state = state * 16807 % MODULUS
    left, drawn = list(order), list[int]()
    while left and len(drawn) < wanted:
        state = state * 16807 % MODULUS
        total = 0.0
        for weight in weights:
            total += weight
        target = state / MODULUS * total
        running, chosen = 0.0, len(left) - 1
        for place, weight in enumerate(weights):
            running += weight
            if running >= target:
                chosen = place
                break
        drawn.append(left.pop(chosen))
        weights.pop(chosen)
    return drawn


def rank(program: Program, offers: Offers, request: int, seed: int, places: int) -> tuple[list[int], list[float], int]:
    """The rows and scores of the best offers under one program, and how many offers passed its filter."""
    survivors = sorted(condition(program.filter, program.numbers, offers, request))
    wanted = min(places, program.limit)
    if program.selector == op.CHAINED:
        listed = [(row, -float(place)) for row, place in program.chain if row in survivors][:wanted]
        return [row for row, _ in listed], [score for _, score in listed], len(survivors)
    found = scores(program, offers, request, survivors)
    if program.selector == op.ORDERED:
        order = list(range(len(survivors)))[:wanted]
    elif program.selector == op.SAMPLE:
        order = sampled(best_first(found, len(found)), wanted, program.numbers[0], seed)
    else:
        order = best_first(found, wanted)
    return [survivors[place] for place in order], [found[place] for place in order], len(survivors)


def first_failing(program: Program, offers: Offers, request: int = 0) -> list[int]:
    """The place of the first clause that each offer fails, and how many there are where it passes them all."""
    found = [len(program.clauses)] * offers.size
    left = set(range(offers.size))
    for place, end in enumerate(program.clauses):
        passed = condition(program.filter[:end], program.numbers, offers, request)
        for row in left - passed:
            found[row] = place
        left = left & passed
    return found


def clause_fails(program: Program, offers: Offers, request: int = 0) -> list[Rows]:
    """The offers that fail each clause, each clause on its own."""
    everything = set(range(offers.size))
    found = []
    begin = 0
    for end in program.clauses:
        # The first is pushed, the others are joined: here to every offer, which is row 0.
        alone = [*([(op.ROW | op.PUSH, 0, 0)] if begin else []), *program.filter[begin:end]]
        found.append(everything - condition(alone, program.numbers, offers, request))
        begin = end
    return found


def fewest_failing(fails: list[Rows], size: int) -> list[int]:
    """The fewest conditions that an offer fails, the most shared set of them, the first in order of two; else none."""
    sets = [tuple(at for at, rows in enumerate(fails) if row in rows) for row in range(size)]
    if not sets or () in sets:
        return []
    fewest = min(map(len, sets))
    nearest = [each for each in sets if len(each) == fewest]
    return list(min(nearest, key=lambda each: (-nearest.count(each), each)))
