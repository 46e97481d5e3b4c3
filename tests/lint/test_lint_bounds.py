"""Bounds on one field: what is said of them is what holds for every number."""

from __future__ import annotations

import math
import operator
from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st

from tenantrank.lint.bounds import Bound, Bounds
from tenantrank.policy.node import Node

HOLDS = {
    "lt": operator.lt,
    "le": operator.le,
    "eq": operator.eq,
    "ne": operator.ne,
    "ge": operator.ge,
    "gt": operator.gt,
}
# Every stretch between the numbers that bounds have has one of these in it.
POINTS = [-math.inf, *(half / 2 for half in range(-1, 10)), math.inf]
BOUND = st.tuples(st.sampled_from(sorted(HOLDS)), st.integers(0, 4).map(float))
SETS = st.lists(BOUND, min_size=2, max_size=5, unique=True)


def satisfied(bound: Bound) -> frozenset[float]:
    return frozenset(point for point in POINTS if HOLDS[bound.relation](point, bound.number))


def bounds_of(given: list[tuple[str, float]]) -> list[Bound]:
    return [Bound(Node("cmp", f"{relation} {number}"), relation, number) for relation, number in given]


@given(SETS)
def test_contradiction__is_a_pair_that_no_number_satisfies(given: list[tuple[str, float]]) -> None:
    bounds = bounds_of(given)
    pair = Bounds(bounds).contradiction()
    apart = [(one, other) for one, other in permutations(bounds, 2) if not satisfied(one) & satisfied(other)]

    assert (pair is not None) == bool(apart)
    assert pair is None or pair in apart


@given(SETS)
def test_shadowed__are_the_bounds_that_another_implies(given: list[tuple[str, float]]) -> None:
    bounds = bounds_of(given)
    found = list(Bounds(bounds).shadowed())
    weaker = [bound for bound, _ in found]

    for bound, stronger in found:
        assert satisfied(stronger) <= satisfied(bound)
    implied = [one for one in bounds if any(satisfied(other) < satisfied(one) for other in bounds)]
    if len([bound for bound in bounds if bound.relation == "eq"]) < 2:  # else they contradict each other
        assert set(implied) <= set(weaker)
    left = [bound for bound in bounds if bound not in weaker]
    assert frozenset.intersection(*map(satisfied, bounds)) == frozenset.intersection(*map(satisfied, left))
