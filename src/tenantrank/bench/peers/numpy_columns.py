"""NumPy: each policy as closures over columns, made once; masks joined in place, the best found by partition."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from operator import call
from typing import Any

import numpy as np
import numpy.typing as npt

from tenantrank.bench.ready import Ready
from tenantrank.bench.rules import Compare, Condition, Every, Flag, Not, OneOf, Part, Rule, Some
from tenantrank.bench.workload import Columns, K, Mask, Workload

MaskOf = Callable[[], Mask]
Floats = npt.NDArray[np.float64]


def prepare(work: Workload) -> Ready:
    """One call a policy."""
    columns = work.columns
    return Ready(call, [partial(_rank, _mask(rule.condition, columns), rule, columns) for rule in work.rules])


def _rank(mask: MaskOf, rule: Rule, columns: Columns) -> tuple[Any, Any]:
    survivors = np.flatnonzero(mask())
    if not len(survivors):
        return [], []
    total: Any = 0.0
    for part in rule.parts:
        total = total + _scored(columns.numbers[part.field].take(survivors), part)
    best = _best(total)
    return survivors[best], total[best]


def _scored(values: Floats, part: Part) -> Floats:
    low, high = values.min(), values.max()
    # No value is infinite here, so both ends come out as exactly 0 and 1.
    scored = (values - low) / (high - low) if high > low else np.zeros(len(values))
    if part.reversed:
        scored = 1.0 - scored
    return scored * part.weight if part.weight != 1.0 else scored


def _best(scores: Floats) -> npt.NDArray[np.intp]:
    """Give the positions of the best, ties in order: whatever ties with the last place takes part in a stable sort."""
    if len(scores) <= 4 * K:
        return np.argsort(-scores, kind="stable")[:K]
    last = np.partition(scores, len(scores) - K)[len(scores) - K]
    rivals = np.flatnonzero(scores >= last)
    return rivals[np.argsort(-scores[rivals], kind="stable")[:K]]


def _mask(condition: Condition, columns: Columns) -> MaskOf:
    """Give a call whose result is a fresh array, or a column that is not to be changed."""
    match condition:
        case Compare(field, relation, bound):
            compare = np.less_equal if relation == "le" else np.greater_equal
            return partial(compare, columns.numbers[field], bound)
        case Flag(name):
            flag = columns.flags[name]
            return lambda: flag
        case OneOf(names):
            # By a table over the codes: one look-up an offer, however many providers are listed.
            allowed = np.zeros(len(columns.names), dtype=bool)
            allowed[columns.codes(names)] = True
            return partial(allowed.take, columns.providers)
        case Not(part):
            return partial(_inverted, _mask(part, columns))
        case Every(parts):
            return partial(_joined, np.logical_and, [_mask(part, columns) for part in parts])
        case Some(parts):
            return partial(_joined, np.logical_or, [_mask(part, columns) for part in parts])


def _inverted(mask: MaskOf) -> Mask:
    return np.logical_not(mask())


def _joined(join: Any, masks: list[MaskOf]) -> Mask:
    total: Mask = join(masks[0](), masks[1]())
    for mask in masks[2:]:
        join(total, mask(), out=total)
    return total
