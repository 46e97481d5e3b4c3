"""Breakers: what opens them, what does not, who gets through, and that late results do not count."""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tenantrank.gateway.blame import counts_against
from tenantrank.gateway.breakers import Breakers, BreakerSettings, Pass

A = ("a", "a/m", "a/KEY")
SERVICE = counts_against("server_error")


def fail(breakers: Breakers, now: float = 0.0, caller: str = "", against: frozenset[str] = SERVICE) -> None:
    breakers.failed(breakers.begin(*A, now, caller=caller), against, now)


def opened(threshold: int = 3, **settings: Any) -> Breakers:
    breakers = Breakers(threshold=threshold, open_ms=100.0, **settings)
    for _ in range(threshold):
        fail(breakers)
    return breakers


def test_failures_in_a_row_open() -> None:
    breakers = Breakers(threshold=3, open_ms=100.0)
    for _ in range(2):
        fail(breakers)
    breakers.succeeded(breakers.begin(*A, 0.0))
    for _ in range(2):
        fail(breakers)
    assert breakers.blocked(*A, 0.0) is None
    fail(breakers)

    assert breakers.blocked(*A, 99.0) == ("", "provider", "a")
    assert breakers.open_providers(99.0) == ["a"]
    assert breakers.open_providers(100.0) == []
    assert breakers.wait_ms(("", "provider", "a"), 40.0) == 60.0


def test_parts_are_apart() -> None:
    breakers = Breakers(threshold=1)
    fail(breakers, against=counts_against("auth_error"))

    assert breakers.blocked(*A, 0.0) == ("", "credential", "a/KEY")
    assert breakers.blocked("a", "a/m", "a/OTHER", 0.0) is None
    assert breakers.blocked("b", "b/n", "a/KEY", 0.0) == ("", "credential", "a/KEY")

    breakers = Breakers(threshold=1)
    fail(breakers, against=counts_against("unknown", "offer"))
    assert breakers.blocked(*A, 0.0) == ("", "offer", "a/m")
    assert breakers.blocked("a", "a/n", "a/KEY", 0.0) is None


def test_scopes_are_apart() -> None:
    breakers = Breakers()
    breakers.open("a", 0.0, scope="t1")

    assert breakers.blocked(*A, 1.0, scope="t1") == ("t1", "provider", "a")
    assert breakers.blocked(*A, 1.0, scope="t2") is None
    assert breakers.blocked(*A, 1.0) is None
    assert breakers.blocked(*A, 1.0, scope="t1", passing=[("t1", "provider", "a")]) is None


def test_half_open_lets_one_probe_through() -> None:
    breakers = opened()
    assert breakers.blocked(*A, 100.0) is None
    probe = breakers.begin(*A, 100.0)
    assert [breakers.blocked(*A, 100.0) for _ in range(500)] == [("", "provider", "a")] * 500
    assert dict(breakers.states(100.0)) == {("", "provider", "a"): "half_open", ("", "offer", "a/m"): "half_open"}
    breakers.succeeded(probe)

    assert breakers.blocked(*A, 100.0) is None
    assert list(breakers.states(100.0)) == []


def test_a_failed_probe_opens_anew() -> None:
    breakers = opened()
    fail(breakers, 100.0)

    assert breakers.blocked(*A, 199.0) is not None
    assert breakers.blocked(*A, 200.0) is None


@pytest.mark.parametrize("against", [counts_against("bad_request"), counts_against("auth_error")])
def test_a_probe_that_shows_nothing_leaves_it_to_the_next(against: frozenset[str]) -> None:
    breakers = opened()
    fail(breakers, 100.0, against=against)
    assert breakers.blocked(*A, 100.0) is None
    probe = breakers.begin(*A, 100.0)
    assert breakers.blocked(*A, 100.0) is not None
    breakers.released(probe)

    assert breakers.blocked(*A, 100.0) is None
    assert dict(breakers.states(100.0))["", "provider", "a"] == "half_open"


def test_results_of_calls_begun_before_the_opening_do_not_count() -> None:
    breakers = Breakers(threshold=3, open_ms=100.0)
    early = [breakers.begin(*A, 0.0) for _ in range(8)]
    for given_ in early[:3]:
        breakers.failed(given_, SERVICE, 10.0)
    breakers.succeeded(early[3])
    assert breakers.blocked(*A, 109.0) is not None
    breakers.failed(early[4], SERVICE, 60.0)
    assert breakers.blocked(*A, 110.0) is None, "a late failure does not renew the opening"
    breakers.succeeded(breakers.begin(*A, 110.0))
    for given_ in early[5:]:
        breakers.failed(given_, SERVICE, 111.0)

    assert breakers.blocked(*A, 111.0) is None, "nor does it count after the closing"


def test_one_caller_alone_opens_nothing_that_is_shared() -> None:
    breakers = Breakers(threshold=3, open_ms=100.0, callers=2)
    for _ in range(1000):
        fail(breakers, caller="t1")
    assert breakers.blocked(*A, 0.0, caller="t2") is None
    fail(breakers, caller="t2")

    assert breakers.blocked(*A, 0.0, caller="t3") == ("", "provider", "a")


def test_a_caller_whose_probe_failed_lets_others_go_first() -> None:
    breakers = Breakers(threshold=2, open_ms=100.0, callers=2)
    fail(breakers, caller="t1")
    fail(breakers, caller="t2")
    fail(breakers, 100.0, caller="t1")

    assert breakers.blocked(*A, 200.0, caller="t1") is not None
    assert breakers.blocked(*A, 200.0, caller="t2") is None
    assert breakers.blocked(*A, 300.0, caller="t1") is None


def test_a_breaker_can_be_opened_and_opened_again() -> None:
    breakers = Breakers(open_ms=100.0)
    assert breakers.open("a", 0.0) == breakers.open("a", 50.0) == ("", "provider", "a")
    assert breakers.blocked(*A, 149.0) is not None
    assert breakers.blocked(*A, 150.0) is None


def test_memory_is_bounded_and_success_forgets() -> None:
    breakers = Breakers(entries=30)
    for number in range(2000):
        breakers.failed(breakers.begin(f"p{number}", f"o{number}", "k", 0.0), SERVICE, 0.0)
        assert len(breakers) <= 30
    breakers = Breakers()
    fail(breakers)
    assert len(breakers) == 2
    breakers.succeeded(breakers.begin(*A, 0.0))

    assert len(breakers) == 0


def test_an_open_breaker_outlives_closed_ones() -> None:
    breakers = Breakers(entries=10)
    breakers.open("a", 0.0)
    for number in range(100):
        breakers.failed(breakers.begin(f"p{number}", f"o{number}", "k", 0.0), SERVICE, 0.0)

    assert breakers.open_providers(0.0) == ["a"]


@pytest.mark.parametrize("given_", [{"threshold": 0}, {"open_s": 0}, {"callers": 4}, {"opens": 1}], ids=str)
def test_settings_refuse(given_: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        BreakerSettings.model_validate(given_)


@given(st.integers(0, 10**9))
def test_breakers_keep_their_promises(seed: int) -> None:
    """Whatever happens: one probe at a time, and at most one change of state in the time that a breaker stays open."""
    rng = Random(seed)
    open_ms = rng.choice([1.0, 50.0, 200.0])
    breakers = Breakers(rng.randint(1, 4), open_ms, callers=1)
    flying: list[tuple[Pass, bool]] = []
    counted = Counter[str]()
    openings: list[float] = []
    now, was_open = 0.0, False
    for _ in range(150):
        now += rng.choice([0.0, 1.0, 30.0])
        if rng.random() < 0.5:
            is_open = dict(breakers.states(now)).get(("", "provider", "a")) is not None
            if breakers.blocked(*A, now) is None:
                flying.append((breakers.begin(*A, now), is_open))
                assert sum(probing for _, probing in flying) <= 1
        elif flying:
            given_, _ = flying.pop(rng.randrange(len(flying)))
            end = rng.choice(["ok", "fail", "fail", "drop"])
            counted[end] += 1
            if end == "ok":
                breakers.succeeded(given_)
            elif end == "fail":
                breakers.failed(given_, counts_against(rng.choice(["timeout", "bad_request"])), now)
            else:
                breakers.released(given_)
        is_open = ("", "provider", "a") in dict(breakers.states(now))
        if is_open and not was_open:
            openings.append(now)
        if was_open and not is_open:
            assert now - openings[-1] >= open_ms
            # Those still flying began before the closing: they are late, and no probes any more.
            flying = [(given_, False) for given_, _ in flying]
        was_open = is_open
