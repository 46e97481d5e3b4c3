"""Seeded offers and programs for kernels, at the sizes where words of 64 bits and blocks of 512 begin and end."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from random import Random

import numpy as np
from numpy.typing import NDArray

from tenantrank_kernels import JIT_DISABLED
from tenantrank_kernels import opcodes as op
from tests.kernels.reference import Offers, Program, Rows

SIZES = (0, 1, 2, 63, 64, 65, 511, 512, 513, 1025)
SEEDS = range(2) if JIT_DISABLED else range(12)
NUMBERS = (0.0, 0.1, 0.25, 0.5, 1.0, 1.0, 2.0, 3.5, -1.0, 1e308, -1e308, 5e-324, 1.7976931348623157e308)
INFINITE = (math.inf, -math.inf)
SCORES = (*NUMBERS, -0.0, math.inf, -math.inf, math.nan)
FIELDS = 4
ATOMS = 6

Draw = Callable[[], float]


def draw_offers(rng: Random, size: int, requests: int = 2) -> Offers:
    everything = set(range(size))
    return Offers(
        size,
        [draw_column(rng, size) for _ in range(FIELDS)],
        [everything, set(), *(some(rng, size) for _ in range(ATOMS - 2))],
        [[some(rng, size) for _ in range(op.LIVE_ROWS)] for _ in range(requests)],
        [[draw_column(rng, size) for _ in range(op.REQUEST_COLUMNS)] for _ in range(requests)],
    )


def offers_of(*columns: Sequence[float]) -> Offers:
    """Offers by their columns alone, all of which pass row 0 of the index and none row 1."""
    size = len(columns[0])
    everything = set(range(size))
    nothing: list[Rows] = [set() for _ in range(op.LIVE_ROWS)]
    none = [[0.0] * size for _ in range(op.REQUEST_COLUMNS)]
    return Offers(size, [list(column) for column in columns], [everything, set()], [nothing], [none])


def some(rng: Random, size: int) -> Rows:
    """Rows of a catalog: none, few, many or all."""
    share = rng.choice((0.0, 0.02, 0.2, 0.7, 1.0))
    return {row for row in range(size) if rng.random() < share}


def draw_column(rng: Random, size: int) -> list[float]:
    """A column without NaN or negative zero: constant, few values, many, or with infinities."""
    draw = draw_values(rng)
    return [draw() for _ in range(size)]


def draw_values(rng: Random) -> Draw:
    style = rng.randrange(7)
    if style == 0:
        few = [rng.choice((*NUMBERS, *INFINITE)) for _ in range(rng.randint(1, 6))]
        return lambda: rng.choice(few)
    if style == 1:
        few = [rng.choice(NUMBERS) for _ in range(rng.randint(1, 4))]
        return lambda: rng.choice(few)
    if style == 2:
        return lambda: rng.uniform(-3.0, 30.0)
    if style == 3:
        return lambda: float(rng.randrange(20))
    if style == 4:
        return lambda: math.inf if rng.random() < 0.2 else round(rng.uniform(0.0, 9.0), 1)
    if style == 5:
        return lambda: 1e9 + rng.random() * 1e-5
    return lambda: 10.0 ** rng.uniform(-3.0, 3.0)


def draw_condition(rng: Random, numbers: list[float], least: int = 1) -> list[tuple[int, int, int]]:
    """A condition: any source joined in any way, at most 6 bitsets high."""
    code: list[tuple[int, int, int]] = []
    height = 0
    for _ in range(rng.randint(least, 9)):
        joins = [op.PUSH] if not height else [op.AND, op.OR] if height == 6 else [op.PUSH, op.AND, op.OR]
        join = rng.choice(joins)
        if join != op.PUSH and height >= 2 and rng.random() < 0.3:
            code.append((op.TOP | join | _turn(rng), 0, 0))
            height -= 1
            continue
        code.append(draw_leaf(rng, numbers, join))
        height += join == op.PUSH
    return code + [(op.TOP | rng.choice((op.AND, op.OR)) | _turn(rng), 0, 0) for _ in range(height - 1)]


def draw_leaf(rng: Random, numbers: list[float], join: int) -> tuple[int, int, int]:
    joined = join | _turn(rng)
    style = rng.random()
    if style < 0.4:
        return op.ROW | joined, rng.randrange(ATOMS), 0
    if style < 0.6:
        return op.LIVE | joined, rng.randrange(op.LIVE_ROWS), 0
    numbers.append(rng.choice((*NUMBERS, *INFINITE, rng.uniform(-3.0, 30.0), float(rng.randrange(20)))))
    return rng.choice((op.LE, op.LT)) | joined, rng.randrange(FIELDS), len(numbers) - 1


def _turn(rng: Random) -> int:
    return op.INVERT if rng.random() < 0.4 else 0


def draw_filter(
    rng: Random, numbers: list[float]
) -> tuple[list[tuple[int, int, int]], list[int], dict[int, list[int]]]:
    """A conjunction: its code, where its clauses end, and the numbers that its clauses bound each field with."""
    code: list[tuple[int, int, int]] = []
    clauses: list[int] = []
    bounds: dict[int, list[int]] = {}
    for at in range(rng.randint(1, 3)):
        join = op.AND if at else op.PUSH
        if rng.random() < 0.3:
            inner = draw_condition(rng, numbers)
            code += [*inner, (op.TOP | op.AND, 0, 0)] if at else inner
        elif rng.random() < 0.4:
            code.append((op.ROW | join, 0, 0))
        else:
            operation, a, b = draw_leaf(rng, numbers, join)
            code.append((operation, a, b))
            if operation & op.SOURCE in (op.LE, op.LT):
                bounds.setdefault(a, [-1, -1])[0 if operation & op.INVERT else 1] = b
        clauses.append(len(code))
    return code, clauses, bounds


def draw_scorer(rng: Random, numbers: list[float], depth: int = 0) -> list[tuple[int, int, int]]:
    """Any scorer that needs at most 8 places of either stack."""
    style = rng.randrange(8) if depth < 5 else 0
    if style <= 1:
        if rng.random() < 0.8:
            return [(op.FIELD, rng.randrange(FIELDS + op.REQUEST_COLUMNS), 0)]
        numbers.append(rng.choice(NUMBERS))
        return [(op.LITERAL, 0, len(numbers) - 1)]
    code = draw_scorer(rng, numbers, depth + 1)
    if style == 2:
        return [*code, *draw_scorer(rng, numbers, depth + 1), (op.ADD, 0, 0)]
    if style == 3:
        numbers.append(rng.choice(NUMBERS))
        return [*code, (op.SCALE, 0, len(numbers) - 1)]
    if style == 4:
        return [*code, (op.NEGATE, 0, 0)]
    if style == 5:
        numbers += [rng.choice(NUMBERS), rng.choice(NUMBERS)]
        return [*code, (op.CLAMP, 0, len(numbers) - 2)]
    if style == 6:
        return [*code, *draw_condition(rng, numbers), (op.GATE, 0, 0)]
    return [*code, (rng.choice((op.NORMALIZE, op.NORMALIZE_V1)), -1, 0)]


def draw_monotone(rng: Random, numbers: list[float], field: int) -> tuple[list[tuple[int, int, int]], int]:
    """A scorer that rises or falls with one field, whose ends are the program's first, and its mode."""
    code = [(op.FIELD, field, 0)]
    if rng.random() < 0.5:
        code.append((op.NORMALIZE, 0, 0))
    rising = True
    for _ in range(rng.randrange(4)):
        style = rng.randrange(3)
        if style == 0:
            numbers.append(rng.choice((0.1, 0.5, 2.0, -1.0, -0.25, 1e-300, 1e308, 1e16, -1e-16)))
            rising ^= numbers[-1] < 0
            code.append((op.SCALE, 0, len(numbers) - 1))
        elif style == 1:
            rising = not rising
            code.append((op.NEGATE, 0, 0))
        else:
            numbers += sorted((rng.choice((*NUMBERS, 5.0)), rng.choice((*NUMBERS, 20.0))))
            code.append((op.CLAMP, 0, len(numbers) - 2))
    return code, op.GREATEST_FIRST if rising else op.LEAST_FIRST


def part_of(
    source: int | float, normalized: bool, factors: Sequence[float | None], numbers: list[float], places: dict[int, int]
) -> list[tuple[int, int, int]]:
    """A part of a blend: of a field, or of a constant where ``source`` is no integer.

    ``factors`` are steps, ``None`` for neg; ``places`` gets each field's place among the program's ends.
    """
    steps = list(factors)
    if not isinstance(source, int):
        operation, field, weight = op.PART | op.CONSTANT, 0, source
    else:
        operation, field, weight = op.PART | places.setdefault(source, len(places)) << op.PLACE, source, 1.0
        if normalized:
            operation |= op.NORMALIZED
        if steps and steps[0] is None:
            operation |= op.REVERSED
            steps.pop(0)
        if steps and steps[0] is not None:
            weight = steps.pop(0) or 0.0
    numbers.append(weight)
    code = [(operation, field, len(numbers) - 1)]
    for step in steps:
        if step is not None:
            numbers.append(step)
        code.append((op.NEGATE, 0, 0) if step is None else (op.SCALE, 0, len(numbers) - 1))
    return code


def draw_blend(rng: Random, numbers: list[float], places: dict[int, int]) -> list[tuple[int, int, int]]:
    """A sum of scores each linear in one field; ``places`` gets each field's place among the program's ends."""
    code = []
    for _ in range(rng.randint(1, 4)):
        source = rng.choice((0.0, 1.0, -3.5, 0.1)) if rng.random() < 0.1 else rng.randrange(FIELDS)
        steps: list[float | None] = [None] if rng.random() < 0.5 else []
        factors = (round(rng.random(), 2), 0.5, 2.0, -1.0, -0.1, 1e-3, 1e5)
        steps += [rng.choice(factors) for _ in range(rng.choice((0, 1, 1, 1, 1, 1, 2)))]
        if rng.random() < 0.1:
            steps.append(None)
        code += part_of(source, rng.random() < 0.7, steps, numbers, places)
    return code


def draw_program(rng: Random, size: int) -> Program:
    """A program of any mode and selector, as the lowering writes them."""
    numbers = [rng.choice((0.0, 0.5, 10.0, -1.0))]
    code, clauses, bounds = draw_filter(rng, numbers)
    selector = rng.choice((op.ARGMAX, op.ARGMAX, op.ARGMAX, op.ORDERED, op.SAMPLE, op.CHAINED))
    limit = rng.choice((1, 3, 2**31 - 1, 2**31 - 1))
    if selector == op.CHAINED:
        listed = rng.sample(range(size), rng.randint(0, min(size, 9)))
        chain = sorted(((row, rng.randint(1, 4)) for row in listed), key=lambda pair: (pair[1], pair[0]))
        return Program(code, [], numbers, selector=selector, limit=limit, clauses=clauses, chain=chain)
    mode = rng.choice((op.GENERAL, op.BLEND, op.BLEND, op.LEAST_FIRST))
    places: dict[int, int] = {}
    if mode == op.BLEND:
        score = draw_blend(rng, numbers, places)
    elif mode == op.LEAST_FIRST:
        places[rng.randrange(FIELDS)] = 0
        score, mode = draw_monotone(rng, numbers, next(iter(places)))
    else:
        score = draw_scorer(rng, numbers)
    ends = [(at, *bounds.get(at, (-1, -1))) for at in places]
    return Program(code, score, numbers, mode, selector, limit, ends, clauses)


def general(program: Program) -> Program:
    """The same program without a shortcut: that of a blend is spelled out."""
    if program.mode != op.BLEND:
        return replace(program, mode=op.GENERAL)
    numbers = [*program.numbers, 0.0]
    code = [(op.LITERAL, 0, len(numbers) - 1)]
    for at, (operation, a, b) in enumerate(program.score):
        if operation < op.PART:
            code.append((operation, a, b))
            continue
        if at:
            code.append((op.ADD, 0, 0))
        if operation & op.CONSTANT:
            code.append((op.LITERAL, 0, b))
            continue
        place = operation >> op.PLACE
        code.append((op.FIELD, a, place))
        code += [(op.NORMALIZE, place, 0)] * bool(operation & op.NORMALIZED)
        code += [(op.NEGATE, 0, 0)] * bool(operation & op.REVERSED)
        code.append((op.SCALE, 0, b))
    code += [(op.ADD, 0, 0)] * bool(program.score)
    return replace(program, mode=op.GENERAL, numbers=numbers, score=code)


def doubles(values: Sequence[float]) -> NDArray[np.float64]:
    return np.array(values, dtype=np.float64)


def same(found: Sequence[float] | NDArray[np.float64], wanted: Sequence[float] | NDArray[np.float64]) -> bool:
    """Whether two lists of doubles are equal to the bit, all NaN being one value."""
    one, other = doubles(list(found)), doubles(list(wanted))
    number = ~np.isnan(one)
    return np.array_equal(one, other, equal_nan=True) and np.array_equal(
        np.signbit(one[number]), np.signbit(other[number])
    )
