"""One call's guard: what is shared, what is the tenant's own, and that no tenant reaches another."""

from __future__ import annotations

import pytest

from tenantrank.gateway.breakers import BreakerSettings
from tenantrank.gateway.failure import Failure
from tenantrank.gateway.guard import Guards, PlainGuard
from tenantrank.policy.failover import Target

A, A2, B = Target("a/m", "a", "m"), Target("a/n", "a", "n"), Target("b/m", "b", "m")


def guards(**settings: int) -> Guards:
    return Guards(lambda target: f"{target.provider_id}/KEY", BreakerSettings(**settings))


def fail(every: Guards, scope: str, kind: str, times: int = 1, target: Target = A, now: float = 0.0) -> None:
    for _ in range(times):
        guard = every.of(scope)
        if guard.blocked(target, now) is None:
            guard.begin(target, now)
            guard.refused(Failure(kind, "as scripted"), now)


def test_a_tenants_failures_open_its_own_breaker_alone() -> None:
    every = guards()
    fail(every, "t1", "server_error", 50)

    assert every.of("t1").blocked(A, 0.0) == "own_breaker_open:provider"
    assert every.of("t2").blocked(A, 0.0) is None
    assert every.of("t1").blocked(B, 0.0) is None


def test_failures_of_several_tenants_open_it_for_all() -> None:
    every = guards()
    fail(every, "t1", "server_error", 2)
    fail(every, "t2", "timeout")

    assert every.of("t3").blocked(A, 0.0) == "breaker_open:provider"
    assert every.of("t3").blocked(A2, 0.0) == "breaker_open:provider"
    assert every.of("t3").wait_ms([B, A], 1000.0) == 29_000.0
    assert every.of("t3").wait_ms([B], 1000.0) is None


@pytest.mark.parametrize("kind", ["bad_request", "content_filter", "context_overflow"])
def test_bad_requests_open_nothing(kind: str) -> None:
    every = guards(threshold=1, callers=1)
    fail(every, "t1", kind, 100)
    every.of("t1").failed("a", kind, True, 0.0)

    assert len(every.shared) == len(every.own) == 0


def test_a_plans_wishes_reach_its_tenant_alone() -> None:
    every = guards(threshold=1, callers=1)
    guard = every.of("t1")
    guard.failed("a", "timeout", True, 0.0)
    guard.disable("b", 0.0)

    assert every.of("t1").blocked(A, 1.0) == "own_breaker_open:provider"
    assert every.of("t1").is_disabled("b", 1.0)
    assert every.of("t2").blocked(A, 1.0) is None
    assert not every.of("t2").is_disabled("b", 1.0)
    assert every.shared.open_providers(1.0) == []


def test_a_calls_own_next_try_passes_the_breaker_that_it_opened() -> None:
    every = guards()
    guard = every.of("t1")
    guard.begin(A, 0.0)
    guard.refused(Failure("timeout", "as scripted"), 1.0)
    guard.failed("a", "timeout", True, 1.0)
    assert guard.blocked(A, 2.0) is None
    assert every.of("t1").blocked(A, 2.0) is not None
    guard.begin(A, 2.0)
    guard.answered(3.0)

    assert every.of("t1").blocked(A, 4.0) is None, "an answer closes it"


def test_a_bad_key_blocks_what_it_is_used_for() -> None:
    every = guards(threshold=1, callers=1)
    fail(every, "t1", "auth_error")

    assert every.of("t2").blocked(A2, 0.0) == "breaker_open:credential"
    assert every.of("t2").blocked(B, 0.0) is None
    assert every.shared.open_providers(0.0) == []


def test_a_dropped_probe_is_given_to_the_next() -> None:
    every = guards(threshold=1, callers=1)
    fail(every, "t1", "timeout")
    probe = every.of("t2")
    probe.begin(A, 30_000.0)
    assert every.of("t3").blocked(A, 30_000.0) is not None
    probe.dropped()

    assert every.of("t3").blocked(A, 30_000.0) is None


def test_an_attempt_ends_once() -> None:
    guard = guards().of("t")
    guard.begin(A, 0.0)
    guard.answered(0.0)
    with pytest.raises(RuntimeError, match="no attempt is under way"):
        guard.dropped()


def test_the_plain_guard_holds_nothing_back() -> None:
    guard = PlainGuard()
    for _ in range(5):
        guard.begin(A, 0.0)
        guard.refused(Failure("timeout", "as scripted"), 0.0)
        guard.failed("a", "timeout", True, 0.0)
    guard.begin(A, 0.0)
    guard.dropped()

    assert guard.blocked(A, 0.0) is None
    assert guard.may_retry(A, 0.0)
    assert guard.wait_ms([A], 0.0) is None
    assert guard.health(0.0)["breakers"] == {"a": True}
