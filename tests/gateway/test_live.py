"""Live state: means with a half-life, what is published of them, and that a state changes only when something did."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

import tenantrank as tr
from tenantrank.gateway.live import Live, LiveSettings
from tenantrank.policy.failover import Target

A, A2, B = Target("a/m", "a", "m"), Target("a/m@eu", "a", "m"), Target("b/m", "b", "m")


def live(least: float = 0.5, **settings: Any) -> Live:
    return Live(LiveSettings(half_life_s=100.0, least=least, refresh_s=0.0, **settings))


def test_means_are_published_by_provider_and_family_and_by_offer() -> None:
    observed = live()
    observed.observe(A, 0.0, latency_ms=100.0, tok_s=50.0)
    observed.observe(A2, 0.0, latency_ms=300.0, tok_s=150.0)
    observed.observe(B, 0.0, kind="timeout")

    assert observed.health(0.0).ema == {
        "a|m": {"ema_latency_ms": 200.0, "ema_tok_s": 100.0, "success_rate_ewma": 1.0},
        "b|m": {"success_rate_ewma": 0.0},
    }
    assert observed.per_offer(0.0) == {
        "a/m": {"ema_latency_ms": 100.0, "ema_tok_s": 50.0, "success_rate_ewma": 1.0, "weight": 1.0},
        "a/m@eu": {"ema_latency_ms": 300.0, "ema_tok_s": 150.0, "success_rate_ewma": 1.0, "weight": 1.0},
        "b/m": {"success_rate_ewma": 0.0, "weight": 1.0},
    }


def test_an_observation_counts_half_after_the_half_life() -> None:
    observed = live()
    observed.observe(A, 0.0, latency_ms=100.0)
    observed.observe(A, 100_000.0, latency_ms=400.0)

    assert observed.health(100_000.0).ema["a|m"]["ema_latency_ms"] == 300.0


def test_faults_of_requests_are_not_observed() -> None:
    observed = live()
    before = observed.health(0.0)
    for kind in ("bad_request", "content_filter", "context_overflow"):
        observed.observe(A, 0.0, kind=kind)

    assert observed.health(1.0) is before


def test_little_is_not_published_and_what_is_old_no_longer() -> None:
    observed = live(least=3.0)
    for _ in range(2):
        observed.observe(A, 0.0, kind="server_error")
    assert observed.health(0.0).ema == {}
    for _ in range(2):
        observed.observe(A, 0.0, kind="server_error")
    assert observed.health(0.0).ema == {"a|m": {"success_rate_ewma": 0.0}}

    assert observed.health(100_000.0).ema == {"a|m": {}}
    assert observed.per_offer(100_000.0) == {"a/m": {"weight": 2.0}}


def test_a_stream_adds_its_speed_when_it_is_over() -> None:
    observed = live()
    observed.observe(A, 0.0, latency_ms=100.0)
    observed.speed(A, 1.0, 80.0)

    assert observed.health(1.0).ema["a|m"] == {"ema_latency_ms": 100.0, "ema_tok_s": 80.0, "success_rate_ewma": 1.0}
    assert observed.per_offer(1.0)["a/m"]["weight"] == pytest.approx(1.0, rel=1e-4)


def test_a_state_is_kept_until_something_changed_and_time_has_passed() -> None:
    observed = Live(LiveSettings(least=0.5, refresh_s=1.0))
    first = observed.health(0.0)
    observed.observe(A, 1.0, latency_ms=100.0)
    assert observed.health(999.0, ["a"]) is first
    second = observed.health(1000.0)
    assert second.ema["a|m"]["ema_latency_ms"] == 100.0
    assert first.ema == {}, "a state does not change"

    assert observed.health(2000.0) is second
    observed.observe(A, 2001.0, latency_ms=100.0)
    assert observed.health(3001.0) is second, "an observation that moves nothing"


def test_breakers_come_and_go() -> None:
    observed = live()
    assert observed.health(0.0, ["a", "b"]).breakers == {"a": True, "b": True}
    opened = observed.health(1.0, ["b"])
    assert opened.breakers == {"a": False, "b": True}
    assert observed.health(2.0, ["b"]) is opened
    assert observed.health(3.0).breakers == {"a": False, "b": False}


def test_credits_are_the_operators() -> None:
    observed = live(credits={"a": 5.0})
    assert observed.health(0.0).credits == {"a": 5.0}


def test_memory_is_bounded() -> None:
    observed = Live(LiveSettings(least=0.5, refresh_s=0.0), keys=10)
    for number in range(500):
        observed.observe(Target(f"o{number}", f"p{number}", "m"), float(number), latency_ms=1.0)
        health = observed.health(float(number), [f"p{number}"])
        assert len(health.ema) <= 21
        assert len(health.breakers) <= 11

    assert list(health.ema)[-1] == "p499|m"
    assert len(observed.per_offer(500.0)) == 10


@given(st.lists(st.tuples(st.floats(0.0, 1e6), st.floats(0.0, 1e9), st.booleans()), min_size=1, max_size=40))
def test_means_lie_within_what_was_observed(steps: list[tuple[float, float, bool]]) -> None:
    observed, now = live(least=0.0), 0.0
    for passed, latency, ok in steps:
        now += passed
        observed.observe(A, now, None if ok else "timeout", latency_ms=latency)
        found = observed.health(now).ema["a|m"]
        assert 0.0 <= found["success_rate_ewma"] <= 1.0
        seen = [value for _, value, _ in steps]
        assert min(seen) * 0.999 <= found["ema_latency_ms"] <= max(seen) * 1.001


def test_engines_rank_on_it() -> None:
    """Policies of the first version observe these metrics; those of the second see what the catalog states."""
    offers = [{"id": name, "provider_id": name, "model_family": "m"} for name in ("a", "b")]
    catalog = tr.Catalog.from_records(offers, fields={})
    plan = ["always", {"action": "abort"}]
    term = ["policy", ["ev_zero"], ["top"], ["field", "success_rate"], ["argmax"], ["id"], plan]
    policy = tr.admit(term, catalog.fields)
    observed = live()
    engine = tr.Engine(catalog)
    assert engine.with_health(observed.health(0.0)).rank(policy).offer_ids == ("a", "b")
    observed.observe(Target("a", "a", "m"), 0.0, kind="timeout")

    assert engine.with_health(observed.health(0.0)).rank(policy).offer_ids == ("b", "a")


@pytest.mark.parametrize("given_", [{"half_life_s": 0}, {"credits": {"a": "5"}}, {"speed": 1}], ids=str)
def test_settings_refuse(given_: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        LiveSettings.model_validate(given_)
