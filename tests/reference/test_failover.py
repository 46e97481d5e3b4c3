"""Walks through provider failures, worked out by hand."""

from __future__ import annotations

from typing import Any

from tests.reference.failover import World
from tests.reference.samples import ALWAYS, FIELDS, offer
from tests.reference.signature import Term


def policy_with(plan: Term) -> Term:
    return ["policy", ["not", ["is", "breaker_open"]], ["zero"], ["argmax"], ["id"], plan]


def events(outcome: Any) -> list[tuple[str, str]]:
    return [(event["event"], event["provider_id"]) for event in outcome.path]


def test_world__retries_with_backoff_then_goes_on() -> None:
    world = World([offer("a", "p"), offer("b", "q")], FIELDS)
    plan: Term = ["always", {"action": "retry_same", "attempts": 2.5, "backoff_ms": [100, 200]}]
    outcome = world.call(0.0, policy_with(plan), ["timeout", "timeout", "timeout"])
    assert events(outcome) == [
        ("attempted", "p"), ("retry_scheduled", "p"), ("attempted", "p"), ("retry_scheduled", "p"), ("attempted", "p"),
        ("attempted", "q"),
    ]  # fmt: skip
    assert (outcome.ok, outcome.chosen, outcome.waits, outcome.end_ms) == (True, ("q", "m"), [100.0, 200.0], 340.0)
    # Three failures in a row opened p's breaker at 330 ms; it closes when a call begins 30 s later.
    assert events(world.call(30_000.0, policy_with(ALWAYS), [])) == [("attempted", "q")]
    assert events(world.call(30_330.0, policy_with(ALWAYS), [])) == [("attempted", "p")]


def test_world__a_client_fault_never_opens_a_breaker() -> None:
    world = World([offer("a", "p")], FIELDS)
    plan: Term = ["always", {"action": "next_candidate", "open_breaker_ms": 0}]
    outcome = world.call(0.0, policy_with(plan), ["bad_request"])
    assert (outcome.ok, outcome.error) == (False, "exhausted: bad_request")
    assert world.call(10.0, policy_with(plan), ["timeout"]).error == "exhausted: timeout"
    assert world.call(20.0, policy_with(plan), []).error == "no_candidates"


def test_world__disables_a_provider_for_later_calls() -> None:
    world = World([offer("a", "p"), offer("b", "p", "n")], FIELDS)
    plan: Term = ["always", {"action": "disable_provider"}]
    outcome = world.call(0.0, policy_with(plan), ["auth_error"])
    assert events(outcome) == [("attempted", "p"), ("provider_disabled", "p"), ("skipped", "p")]
    assert outcome.error == "exhausted: auth_error"
    assert world.call(300_009.0, policy_with(plan), []).error == "exhausted: no_candidates"
    assert world.call(300_010.0, policy_with(plan), []).chosen == ("p", "m")


def test_world__next_provider_same_model_and_abort() -> None:
    offers = [offer("a", "p", "m"), offer("b", "q", "n"), offer("c", "r", "m")]
    plan: Term = ["override", ["always", {"action": "next_provider_same_model"}], "quota", {"action": "abort"}]
    outcome = World(offers, FIELDS).call(0.0, policy_with(plan), ["timeout", "timeout"])
    assert (events(outcome), outcome.error) == ([("attempted", "p"), ("attempted", "r")], "exhausted: timeout")
    assert World(offers, FIELDS).call(0.0, policy_with(plan), ["timeout", "quota"]).error == "quota"
    then: Term = ["always", {"action": "retry_same", "attempts": 0, "then_action": "abort"}]
    assert World(offers, FIELDS).call(0.0, policy_with(then), ["timeout"]).error == "timeout"


def is_open(world: World, at_ms: float) -> bool:
    return world.call(at_ms, policy_with(ALWAYS), []).error == "no_candidates"


def failing(world: World, at_ms: float, *kinds: str, **action: Any) -> None:
    """One call to a single offer, whatever its breaker says, that meets each kind of failure in turn."""
    plan: Term = ["always", {"action": "retry_same", "attempts": len(kinds) - 1, **action}]
    world.call(at_ms, ["policy", ["top"], ["zero"], ["argmax"], ["id"], plan], kinds)


def test_world__a_success_starts_the_count_anew_and_a_client_fault_does_not() -> None:
    world = World([offer("a", "p")], FIELDS)
    failing(world, 0.0, "timeout", "timeout")
    assert not is_open(world, 100.0)  # and so succeeds
    failing(world, 200.0, "timeout", "timeout")
    failing(world, 300.0, "content_filter")
    failing(world, 400.0, "timeout")
    assert is_open(world, 500.0)


def test_world__closing_by_time_starts_the_count_anew() -> None:
    world = World([offer("a", "p")], FIELDS)
    failing(world, 0.0, "timeout", "timeout", "timeout")
    failing(world, 30_030.0, "timeout", "timeout")
    assert not is_open(world, 30_100.0)


def test_world__a_success_closes_an_open_breaker_and_a_failure_renews_it() -> None:
    world = World([offer("a", "p")], FIELDS)
    failing(world, 0.0, "timeout", open_breaker_ms=0)
    failing(world, 20_000.0, "timeout")
    assert is_open(world, 50_009.0)
    failing(world, 60_000.0, "timeout", open_breaker_ms=0)
    assert is_open(world, 60_100.0)
    failing(world, 60_100.0, "ok")
    assert not is_open(world, 60_200.0)
