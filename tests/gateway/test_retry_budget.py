"""The retry budget: a share of the load, a floor, and nobody takes it all."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from tenantrank.gateway.retry_budget import WINDOW_S, RetryBudget


def taken(budget: RetryBudget, now_ms: float, caller: str = "t", tries: int = 10_000) -> int:
    return sum(budget.take("a", caller, now_ms) for _ in range(tries))


def test_one_caller_takes_half_and_all_together_no_more_than_there_is() -> None:
    budget = RetryBudget(ratio=0.1, floor=1.0)
    for _ in range(100):
        budget.attempted("a", 0.0)

    assert taken(budget, 0.0, "t1") == 10
    assert taken(budget, 0.0, "t2") == 10
    assert taken(budget, 0.0, "t3") == 0


def test_it_is_counted_by_provider_and_over_the_last_seconds() -> None:
    budget = RetryBudget(ratio=0.0, floor=0.4)
    assert taken(budget, 0.0, "t1") == taken(budget, 0.0, "t2") == 2
    assert budget.take("b", "t1", 0.0)
    assert taken(budget, WINDOW_S * 1000.0 - 1.0, "t1") == 0
    assert taken(budget, WINDOW_S * 1000.0, "t1") == 2


def test_an_infinite_ratio_is_no_budget() -> None:
    assert taken(RetryBudget(ratio=math.inf, floor=0.0), 0.0) == 10_000


def test_no_ratio_and_no_floor_allow_nothing() -> None:
    budget = RetryBudget(ratio=0.0, floor=0.0)
    budget.attempted("a", 0.0)
    assert taken(budget, 0.0) == 0


def test_memory_is_bounded() -> None:
    budget = RetryBudget(ratio=0.1, floor=0.1)
    for number in range(10_000):
        budget.attempted(f"p{number}", 0.0)
    for second in range(100):
        budget.attempted("a", second * 1000.0)

    assert len(budget._windows) <= 4096
    assert len(budget._windows["a"]) == WINDOW_S


@given(st.lists(st.tuples(st.floats(0.0, 3000.0), st.sampled_from("tuv"), st.booleans()), max_size=120))
def test_retries_stay_within_the_share(steps: list[tuple[float, str, bool]]) -> None:
    budget, now = RetryBudget(ratio=0.1, floor=0.3), 0.0
    attempts, retries = [], []
    for passed, caller, retry in steps:
        now += passed
        if retry and budget.take("a", caller, now):
            retries.append(now)
        budget.attempted("a", now)
        attempts.append(now)
        since = now // 1000.0 - WINDOW_S + 1
        within = [sum(at // 1000.0 >= since for at in times) for times in (attempts, retries)]
        # A retry was allowed by the attempts of its time; those may have left the window before it.
        earlier = [at for at in attempts if at // 1000.0 >= since - WINDOW_S]
        assert within[1] <= 0.1 * len(earlier) + 3.0
