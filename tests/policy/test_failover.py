"""The failure plan's state machine, step by step and against the reference."""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import Any

import pytest

from tenantrank.policy.failover import BREAKER_MS, DISABLE_MS, Attempt, End, Failover, FailureState, Target, Wait
from tenantrank.policy.normal_form import Node, normalize
from tenantrank.policy.signature import V2
from tests.reference.failover import World
from tests.reference.generate import random_failplan

KINDS = ("timeout", "rate_limit", "auth_error", "server_error", "bad_request", "content_filter", "context_overflow")
A, B, C = Target("a|m", "a", "m"), Target("b|n", "b", "n"), Target("c|m", "c", "m")


def plan(action: dict[str, Any]) -> Node:
    return normalize(["always", action], V2)


def play(run: Failover, answers: list[str], now: float = 0.0, latency: float = 10.0) -> tuple[End, list[float], float]:
    """Drive a run as a caller would; give how it ended, the waits, and the time then."""
    waits = []
    while not isinstance(step := run.step(now), End):
        if isinstance(step, Wait):
            waits.append(step.ms)
            now += step.ms
            continue
        now += latency
        kind = answers.pop(0) if answers else "ok"
        if kind == "ok":
            run.succeeded()
        else:
            run.failed(kind, now)
    return step, waits, now


def test_nothing_ranked_ends_at_once() -> None:
    assert Failover(plan({"action": "abort"}), [], FailureState()).step(0.0) == End(None, "no_candidates")


def test_next_candidate_walks_the_list_and_reports_the_last_kind() -> None:
    run = Failover(plan({"action": "next_candidate"}), [A, B], FailureState())
    end, _, _ = play(run, ["timeout", "rate_limit"])

    assert end == End(None, "exhausted: rate_limit")
    assert [event["provider_id"] for event in run.events] == ["a", "b"]


def test_retry_waits_by_try_and_then_goes_on() -> None:
    action = {"action": "retry_same", "attempts": 3, "backoff_ms": [100, 250]}
    run = Failover(plan(action), [A, B], FailureState())
    end, waits, now = play(run, ["timeout"] * 4)

    assert end == End(B, None)
    assert waits == [100, 250, 250]
    assert now == 5 * 10 + 600
    assert [event["attempt"] for event in run.events if event["event"] == "attempted"] == [1, 2, 3, 4, 1]


def test_abort_ends_with_the_reason() -> None:
    run = Failover(plan({"action": "retry_same", "attempts": 1, "then_action": "abort"}), [A, B], FailureState())
    end, _, _ = play(run, ["timeout", "server_error"])

    assert end == End(None, "server_error")


def test_next_provider_same_model_skips_other_families() -> None:
    end, _, _ = play(Failover(plan({"action": "next_provider_same_model"}), [A, B, C], FailureState()), ["timeout"])

    assert end == End(C, None)


def test_disable_lasts_for_its_time_and_skips() -> None:
    state = FailureState()
    play(Failover(plan({"action": "disable_provider"}), [A, B], state), ["auth_error"])
    run = Failover(plan({"action": "disable_provider"}), [A, B], state)
    end, _, _ = play(run, [], now=100.0)

    assert end == End(B, None)
    assert run.events[0] == {
        "event": "skipped", "provider_id": "a", "model_family": "m", "reason": "disabled_provider"
    }  # fmt: skip
    assert state.health(10.0 + DISABLE_MS - 1)["disabled"] == {"a": True}
    assert state.health(10.0 + DISABLE_MS)["disabled"] == {}


def test_three_failures_open_a_breaker_and_client_faults_never_do() -> None:
    state = FailureState()
    for kind in ("bad_request",) * 5 + ("timeout",) * 2:
        state.failed("a", kind, False, 0.0)
    assert state.health(0.0)["breakers"] == {}
    state.failed("a", "timeout", False, 0.0)
    assert state.health(BREAKER_MS - 1)["breakers"] == {"a": True}
    assert state.health(BREAKER_MS)["breakers"] == {}
    state.failed("a", "bad_request", True, 0.0)
    assert state.health(0.0)["breakers"] == {}
    state.failed("a", "timeout", True, BREAKER_MS)
    assert state.health(BREAKER_MS)["breakers"] == {"a": True}
    state.succeeded("a")
    assert state.health(BREAKER_MS)["breakers"] == {}


def test_an_attempt_under_way_is_asked_for_again_until_it_is_answered() -> None:
    run = Failover(plan({"action": "abort"}), [A], FailureState())

    assert run.step(0.0) == run.step(5.0) == Attempt(A, 1)


def test_a_skipped_offer_is_left_for_the_next_also_between_tries() -> None:
    run = Failover(plan({"action": "retry_same", "attempts": 5}), [A, B, C], FailureState())
    run.failed("timeout", 0.0)
    assert run.step(0.0) == Attempt(A, 2)
    run.skip("not_now")
    assert run.step(0.0) == Attempt(B, 1)
    run.skip("not_now")

    assert run.step(0.0) == Attempt(C, 1)
    assert run.events[-1] == {
        "event": "skipped", "provider_id": "b", "model_family": "n", "offer_id": "b|n", "reason": "not_now"
    }  # fmt: skip


def test_a_call_that_is_cut_ends_with_the_last_kind() -> None:
    run = Failover(plan({"action": "next_candidate"}), [A, B, C], FailureState())
    run.failed("rate_limit", 0.0)
    run.cut("attempts")
    assert run.step(0.0) == End(None, "exhausted: rate_limit")

    run = Failover(plan({"action": "next_candidate"}), [A, B, C], FailureState())
    run.cut("total_s", "timeout")
    assert run.step(0.0) == End(None, "exhausted: timeout")
    assert [event["event"] for event in run.events] == ["attempted", "cut"]


def test_a_pace_decides_over_the_wait_and_over_further_tries() -> None:
    asked = []

    def pace(target: Target, wait_ms: float) -> float | str:
        asked.append((target, wait_ms))
        return 7.0 if len(asked) == 1 else "enough"

    run = Failover(plan({"action": "retry_same", "attempts": 5, "backoff_ms": [100, 200]}), [A, B], FailureState())
    run.failed("timeout", 0.0, pace)
    assert (run.step(0.0), run.step(0.0)) == (Wait(7.0), Attempt(A, 2))
    run.failed("timeout", 0.0, pace)
    assert run.step(0.0) == Attempt(B, 1)
    assert asked == [(A, 100.0), (A, 200.0)]
    assert [event["event"] for event in run.events] == ["attempted", "retry_scheduled", "attempted", "retry_refused"]

    run = Failover(plan({"action": "retry_same", "then_action": "abort"}), [A, B], FailureState())
    run.failed("timeout", 0.0, lambda target, wait_ms: "enough")
    assert run.step(0.0) == End(None, "timeout")


@pytest.mark.parametrize("seed", range(150))
def test_run__agrees_with_the_reference(seed: int) -> None:
    rng = Random(seed)
    offers = [
        {"id": f"o{at}", "provider_id": rng.choice("abc"), "model_family": rng.choice("mn")}
        for at in range(rng.randrange(5))
    ]
    targets = [Target(o["id"], o["provider_id"], o["model_family"]) for o in offers]
    world, state, now, seen = World(offers, {}), FailureState(), 0.0, Counter[str]()
    for _ in range(6):
        term = random_failplan(rng)
        answers = rng.choices(KINDS, k=rng.randrange(9)) + ["ok"] * rng.randrange(2)
        policy = ["policy", ["top"], ["zero"], ["ordered"], ["id"], term]
        expected = world.call(now, policy, answers)
        run = Failover(normalize(term, V2), targets, state)
        end, waits, ended = play(run, list(answers), now)

        assert run.events == expected.path
        assert (end.error, waits, ended) == (expected.error, expected.waits, expected.end_ms)
        assert (end.chosen and (end.chosen.provider_id, end.chosen.model_family)) == expected.chosen
        now = ended + rng.choice((0.0, 100.0, BREAKER_MS, DISABLE_MS))
        world.now = now
        assert set(state.health(now)["breakers"]) == set(world.state()["breakers"])
        assert set(state.health(now)["disabled"]) == set(world.state()["disabled"])
        seen.update(event["event"] for event in run.events)
    assert seen or not offers
