"""What each kernel has to answer, worked out offer by offer on plain lists and sets, from the docstrings and the
language's specification. A bitset is here the set of the catalog rows whose bit is set.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tenantrank_kernels import opcodes as op

RELATION: dict[int, Callable[[float, float], bool]] = {
    op.LT: operator.lt,
    op.LE: operator.le,
    op.EQ: operator.eq,
    op.NE: operator.ne,
    op.GE: operator.ge,
    op.GT: operator.gt,
}
MODULUS = 2**31 - 1

Instruction = tuple[int, int, int]
Rows = set[int]


def rows_of(bits: Sequence[int] | NDArray[np.uint64]) -> Rows:
    """The catalog rows whose bit is set."""
    return {64 * word + bit for word, value in enumerate(bits) for bit in range(64) if int(value) >> bit & 1}


def bits_of(rows: Rows, words: int) -> NDArray[np.uint64]:
    """The bitset of catalog rows."""
    return np.array([sum(1 << row - 64 * word for row in rows if row // 64 == word) for word in range(words)], "uint64")


def instructions(code: Sequence[int] | NDArray[np.int32]) -> list[Instruction]:
    numbers = [int(number) for number in code]
    return list(zip(numbers[0::3], numbers[1::3], numbers[2::3], strict=True))


def compare(values: Sequence[float], relation: int, bound: float) -> Rows:
    """The places whose value stands in the relation to the bound."""
    return {place for place, value in enumerate(values) if RELATION[relation](value, bound)}


def condition_step(
    instruction: Instruction,
    constants: Sequence[float],
    columns: Sequence[Sequence[float]],
    rows: Sequence[Rows],
    live_rows: Sequence[Rows],
    stack: list[Rows],
) -> None:
    """Run one condition instruction on a stack of sets, rows[0] being every offer."""
    operation, a, b = instruction
    if operation == op.ROW:
        stack.append(set(live_rows[-a - 1] if a < 0 else rows[a]))
    elif operation == op.AND:
        upper = stack.pop()
        stack.append(stack.pop() & upper)
    elif operation == op.OR:
        upper = stack.pop()
        stack.append(stack.pop() | upper)
    elif operation == op.NOT:
        stack.append(rows[0] - stack.pop())
    else:
        stack.append(compare(columns[a], operation, constants[b]) & rows[0])


def condition(
    code: Sequence[Instruction],
    constants: Sequence[float],
    columns: Sequence[Sequence[float]],
    rows: Sequence[Rows],
    live_rows: Sequence[Rows],
) -> Rows:
    """The offers that pass a condition."""
    stack: list[Rows] = []
    for instruction in code:
        condition_step(instruction, constants, columns, rows, live_rows, stack)
    (passed,) = stack
    return passed


def normalize(values: Sequence[float], pinned: bool) -> list[float]:
    """The values between their own least and greatest, a NaN being neither."""
    numbers = [value for value in values if not math.isnan(value)]
    low, high = min(numbers, default=math.inf), max(numbers, default=-math.inf)
    if not high > low:
        return [0.0 for _ in values]
    return [_pinned(value, low, high) if pinned else (value - low) / (high - low) for value in values]


def _pinned(value: float, low: float, high: float) -> float:
    if math.isnan(value):
        return 0.0
    if value == high:
        return 1.0
    if value == low:
        return 0.0
    scaled = (value - low) / (high - low)
    return 0.0 if math.isnan(scaled) else scaled


def score_step(
    instruction: Instruction,
    constants: Sequence[float],
    columns: Sequence[Sequence[float]],
    request_columns: Sequence[Sequence[float]],
    survivors: Sequence[int],
    passed: Rows,
    stack: list[list[float]],
) -> None:
    """Run one score instruction on a stack of lists, one number a survivor; a gate looks at the offers ``passed``."""
    operation, a, b = instruction
    if operation == op.FIELD:
        column = columns[a] if a < len(columns) else request_columns[a - len(columns)]
        stack.append([float(column[row]) for row in survivors])
    elif operation == op.LITERAL:
        stack.append([float(constants[b]) for _ in survivors])
    elif operation == op.ADD:
        upper = stack.pop()
        stack.append([one + other for one, other in zip(stack.pop(), upper, strict=True)])
    elif operation == op.SCALE:
        stack.append([float(constants[b]) * value for value in stack.pop()])
    elif operation == op.NEGATE:
        stack.append([1.0 - value for value in stack.pop()])
    elif operation == op.CLAMP:
        low, high = float(constants[b]), float(constants[b + 1])
        stack.append([_clamped(value, low, high) for value in stack.pop()])
    elif operation == op.GATE:
        kept = zip(survivors, stack.pop(), strict=True)
        stack.append([value if row in passed else 0.0 for row, value in kept])
    else:
        stack.append(normalize(stack.pop(), operation == op.NORMALIZE))


def _clamped(value: float, low: float, high: float) -> float:
    if value < low:
        return low
    if value > high:
        return high
    return value


def before(score: float, other: float) -> bool:
    """Whether a score comes strictly first: by number, any number before NaN."""
    if math.isnan(score):
        return False
    return math.isnan(other) or score > other


def best_first(scores: Sequence[float], wanted: int) -> list[int]:
    """The best places, found by looking for the best one left again and again."""
    left, order = list(range(len(scores))), list[int]()
    while left and len(order) < wanted:
        best = left[0]
        for place in left[1:]:
            if before(scores[place], scores[best]):
                best = place
        order.append(best)
        left.remove(best)
    return order


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


def rank_program(
    code: Sequence[Instruction],
    constants: Sequence[float],
    columns: Sequence[Sequence[float]],
    rows: Sequence[Rows],
    live_rows: Sequence[Rows],
    request_columns: Sequence[Sequence[float]],
    selector: int,
    wanted: int,
    temperature: float,
    chain: Sequence[tuple[int, int]],
    seed: int,
) -> tuple[list[int], list[float], int]:
    """The rows and scores of the best ``wanted`` offers under one program, and how many offers passed its filter."""
    end = [instruction[0] for instruction in code].index(op.SURVIVE)
    passed = condition(code[:end], constants, columns, rows, live_rows)
    survivors = sorted(passed)
    if selector == op.CHAIN:
        listed = [(row, -float(place)) for row, place in chain if row in passed][:wanted]
        return [row for row, _ in listed], [score for _, score in listed], len(survivors)
    conditions: list[Rows] = []
    vectors: list[list[float]] = []
    for instruction in code[end + 1 :]:
        if instruction[0] < op.SURVIVE:
            condition_step(instruction, constants, columns, rows, live_rows, conditions)
        else:
            gate: Any = conditions.pop() if instruction[0] == op.GATE else set()
            score_step(instruction, constants, columns, request_columns, survivors, gate, vectors)
    (scores,) = vectors
    if selector == op.ORDERED:
        order = list(range(len(survivors)))[:wanted]
    elif selector == op.SAMPLE:
        order = sampled(best_first(scores, len(scores)), wanted, temperature, seed)
    else:
        order = best_first(scores, wanted)
    return [survivors[place] for place in order], [scores[place] for place in order], len(survivors)
