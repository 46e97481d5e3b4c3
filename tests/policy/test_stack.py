"""The same answer at any depth of the caller's stack."""

from __future__ import annotations

import inspect
import sys
from typing import Any

import pytest

import tenantrank as tr
from tenantrank.policy.stack import whatever_the_stack
from tests.engine.samples import ABC, policy_of


def recursing(depth: int) -> int:
    return 0 if depth == 0 else 1 + recursing(depth - 1)


def near_the_limit(left: int, work: Any) -> Any:
    """Call work with about so many frames of the stack left."""
    used = len(inspect.stack())

    def down(more: int) -> Any:
        return work() if more <= 0 else down(more - 1)

    return down(sys.getrecursionlimit() - used - left)


def test_whatever_the_stack__runs_bounded_work_where_the_stack_is_nearly_full() -> None:
    with pytest.raises(RecursionError):
        near_the_limit(60, lambda: recursing(200))
    assert near_the_limit(60, lambda: whatever_the_stack(lambda: recursing(200))) == 200


def test_whatever_the_stack__passes_errors_on() -> None:
    for left in (60, sys.getrecursionlimit() - 200):
        with pytest.raises(ZeroDivisionError):
            near_the_limit(left, lambda: whatever_the_stack(lambda: recursing(150) // 0))


def test_rank__answers_alike_near_the_recursion_limit() -> None:
    term: list[Any] = ["is", "region_eu"]
    for _ in range(29):
        term = ["or", ["and", term, ["provider_eq", "p"]], ["provider_eq", "q"]]
    policy = policy_of(ABC, term)
    expected = tr.Engine(ABC).rank(policy)
    reasons = dict(expected.rejected)

    def deep(left: int) -> tuple[tuple[str, ...], dict[str, str]]:
        if left:
            return deep(left - 1)
        decision = tr.Engine(ABC).rank(policy)
        return decision.offer_ids, dict(decision.rejected)

    used = len(inspect.stack())
    assert deep(sys.getrecursionlimit() - used - 90) == (expected.offer_ids, reasons)
