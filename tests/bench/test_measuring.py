"""Calls are timed in turn, and percentiles are of microseconds."""

from __future__ import annotations

import gc

import pytest

from tenantrank.bench.measuring import interleaved, no_collection, percentiles, timed_calls


def test_interleaved__calls_take_turns_and_each_begins_a_round() -> None:
    made: list[str] = []
    timings = interleaved({name: lambda name=name: made.append(name) for name in "abc"}, 3, 0.0)

    assert "".join(made[6:]) == "abcbcacab"
    assert {name: timing.repeats for name, timing in timings.items()} == {"a": 3, "b": 3, "c": 3}
    assert all(0 <= timing.least <= timing.median for timing in timings.values())


def test_interleaved__short_calls_are_repeated_within_a_measurement() -> None:
    count = 0

    def call() -> None:
        nonlocal count
        count += 1

    timing = interleaved({"a": call}, 2, 0.001)["a"]

    assert timing.passes > 10
    assert count == 2 + 2 * timing.passes


def test_interleaved__of_nothing_is_nothing() -> None:
    assert interleaved({}, 3) == {}


def test_timed_calls__a_time_a_call() -> None:
    made: list[int] = []

    assert len(timed_calls(made.append, [1, 2], 3)) == 6
    assert made == [1, 2] * 3


def test_percentiles__are_in_microseconds() -> None:
    found = percentiles([1000] * 99 + [5000])

    assert found == pytest.approx({"p50": 1.0, "p99": 1.04, "p99.9": 4.604, "max": 5.0})


def test_no_collection__leaves_the_collector_as_it_was() -> None:
    with no_collection():
        assert not gc.isenabled()
    assert gc.isenabled()
