"""Rates: buckets, headers, and clocks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenantrank.gateway.problem import Problem
from tenantrank.gateway.rate import Rate, Rates


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_take__lets_a_burst_through_and_then_one_at_a_time() -> None:
    clock = Clock()
    rates, rate = Rates(clock), Rate(60, 3)
    headers = [rates.take("a", rate) for _ in range(3)]
    assert [h["x-ratelimit-remaining-requests"] for h in headers] == ["2", "1", "0"]
    assert headers[-1]["x-ratelimit-limit-requests"] == "3"
    assert headers[-1]["x-ratelimit-reset-requests"] == "3.000s"
    with pytest.raises(Problem) as caught:
        rates.take("a", rate)
    assert (caught.value.status, caught.value.code, caught.value.type) == (
        429,
        "rate_limit_exceeded",
        "rate_limit_error",
    )
    assert caught.value.headers["retry-after"] == "1"
    assert caught.value.headers["x-ratelimit-remaining-requests"] == "0"
    clock.now += 1
    rates.take("a", rate)
    with pytest.raises(Problem):
        rates.take("a", rate)


def test_take__keeps_keys_apart_and_counts_nothing_without_a_limit() -> None:
    rates = Rates(Clock())
    rates.take("a", Rate(1, 1))
    rates.take("b", Rate(1, 1))
    assert [rates.take("c", None) for _ in range(9)] == [{}] * 9


def test_take__waiting_as_long_as_told_is_enough() -> None:
    clock = Clock()
    rates, rate = Rates(clock), Rate(7, 1)
    rates.take("a", rate)
    for _ in range(5):
        with pytest.raises(Problem) as caught:
            rates.take("a", rate)
        clock.now += float(caught.value.headers["retry-after"])
        rates.take("a", rate)


def test_take__a_clock_that_goes_back_gives_nothing() -> None:
    clock = Clock()
    rates, rate = Rates(clock), Rate(60, 1)
    rates.take("a", rate)
    for moved in (-500.0, 499.5, -1e9):
        clock.now += moved
        with pytest.raises(Problem):
            rates.take("a", rate)


def test_take__holds_to_a_lower_limit_at_once() -> None:
    rates = Rates(Clock())
    rates.take("a", Rate(60, 100))
    assert rates.take("a", Rate(60, 2))["x-ratelimit-remaining-requests"] == "1"


@given(st.lists(st.floats(0, 30), max_size=60), st.integers(1, 5), st.floats(1, 600))
def test_take__never_lets_more_through_than_burst_and_rate(pauses: list[float], burst: int, per_minute: float) -> None:
    clock = Clock()
    rates, rate, through = Rates(clock), Rate(per_minute, burst), 0
    for pause in pauses:
        clock.now += pause
        try:
            rates.take("a", rate)
        except Problem:
            continue
        through += 1
    assert through <= burst + (clock.now - 1000) * per_minute / 60 + 1e-6


@pytest.mark.parametrize(("per_minute", "burst"), [(0, 1), (-1, 1), (float("inf"), 1), (float("nan"), 1), (1, 0)])
def test_rate__is_more_than_nothing(per_minute: float, burst: int) -> None:
    with pytest.raises(ValueError):
        Rate(per_minute, burst)
