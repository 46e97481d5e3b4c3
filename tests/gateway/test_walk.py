"""The runner, on a virtual clock: plans, limits, permission at every attempt, breakers, cancelling."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from tenantrank.gateway.breakers import BreakerSettings
from tenantrank.gateway.failure import Failure
from tenantrank.gateway.guard import Guard, Guards
from tenantrank.gateway.limits import DEFAULT, Limits
from tenantrank.gateway.outcome import BROKEN, CANCELLED, Outcome, Tried
from tenantrank.gateway.walk import walk
from tenantrank.policy.failover import Target
from tenantrank.policy.normal_form import Node, normalize
from tenantrank.policy.signature import V2
from tests.gateway.virtual import now_ms, play

A, B, C = Target("a|m", "a", "m"), Target("b|n", "b", "n"), Target("c|m", "c", "m")
NEXT = {"action": "next_candidate"}


def plan(action: dict[str, Any], **overrides: dict[str, Any]) -> Node:
    term: list[Any] = ["always", action]
    for kind, other in overrides.items():
        term = ["override", term, kind, other]
    return normalize(term, V2)


def guards(threshold: int = 3, callers: int = 2, limits: Limits = DEFAULT) -> Guards:
    settings = BreakerSettings(threshold=threshold, callers=callers)
    return Guards(lambda target: f"{target.provider_id}/KEY", settings, limits)


@dataclass
class Providers:
    """Answers attempts from a script, "ok" when it runs out, and remembers what it was sent."""

    script: Iterable[str | Failure | BaseException] = ()
    latency_s: float = 0.01
    sent: list[tuple[Target, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.script = iter(self.script)

    async def __call__(self, target: Target, number: int) -> str:
        self.sent.append((target, number))
        await asyncio.sleep(self.latency_s)
        answer = next(self.script, "ok")  # type: ignore[call-overload]
        if isinstance(answer, BaseException):
            raise answer
        if answer != "ok":
            raise Failure(answer, "as scripted", status=500)
        return f"from {target.offer_id}"


async def go(
    send: Any,
    how: Node,
    targets: list[Target] | None = None,
    guard: Guard | None = None,
    limits: Limits = DEFAULT,
    permitted: Callable[[Target], str | None] = lambda target: None,
    note: Callable[[Tried], None] | None = None,
) -> Outcome[str]:
    return await walk(
        [A, B, C] if targets is None else targets,
        how,
        send,
        guard=guard or guards(limits=limits).of("t"),
        limits=limits,
        now_ms=now_ms,
        permitted=permitted,
        note=note,
    )


def events(outcome: Outcome[str], *keys: str) -> list[tuple[Any, ...]]:
    return [tuple(event.get(key) for key in ("event", *keys)) for event in outcome.events]


def test_the_first_that_answers_is_chosen() -> None:
    outcome = play(go(Providers(["timeout", "rate_limit"]), plan(NEXT)))

    assert (outcome.chosen, outcome.answer, outcome.error) == (C, "from c|m", None)
    assert [(tried.target, tried.number, tried.kind, tried.status) for tried in outcome.attempts] == [
        (A, 1, "timeout", 500),
        (B, 1, "rate_limit", 500),
        (C, 1, None, None),
    ]
    assert [tried.ended_ms - tried.started_ms for tried in outcome.attempts] == pytest.approx([10.0] * 3)
    assert (outcome.retries, outcome.fallbacks, outcome.cut, outcome.limited) == (0, 2, None, ())
    assert outcome.failure is None


def test_nothing_ranked_is_no_candidates() -> None:
    outcome = play(go(Providers(), plan(NEXT), []))

    assert (outcome.error, outcome.attempts, outcome.answer) == ("no_candidates", (), None)


def test_retries_and_fallbacks_are_counted_apart() -> None:
    how = plan({"action": "retry_same", "attempts": 2, "backoff_ms": [50, 70]})
    outcome = play(go(Providers(["timeout"] * 4), how))

    assert (outcome.retries, outcome.fallbacks) == (3, 1)
    assert outcome.waits == [50.0, 70.0, 50.0]
    assert outcome.ended_ms - outcome.began_ms == pytest.approx(5 * 10.0 + 170.0)


def test_attempts_are_capped() -> None:
    send = Providers(["timeout"] * 100)
    outcome = play(go(send, plan(NEXT), [A, B, C] * 5, limits=replace(DEFAULT, attempts=4)))

    assert len(send.sent) == 4
    assert (outcome.error, outcome.cut) == ("exhausted: timeout", "attempts")
    assert outcome.events[-1] == {"event": "cut", "limit": "attempts"}
    assert outcome.failure is not None


def test_a_retry_beyond_the_cap_is_not_waited_for() -> None:
    how = plan({"action": "retry_same", "attempts": 9, "backoff_ms": 1000, "then_action": "abort"})
    outcome = play(go(Providers(["timeout"] * 100), how, limits=replace(DEFAULT, attempts=2)))

    assert (outcome.error, outcome.cut, outcome.limited) == ("timeout", "attempts", ("attempts",))
    assert outcome.waits == [1000.0]


def test_offers_beyond_the_ranked_limit_are_not_considered() -> None:
    outcome = play(go(Providers(["timeout"] * 9), plan(NEXT), limits=replace(DEFAULT, ranked=2)))

    assert [tried.target for tried in outcome.attempts] == [A, B]
    assert (outcome.error, outcome.cut) == ("exhausted: timeout", "ranked")


def test_the_total_time_ends_an_attempt_under_way() -> None:
    every = guards(threshold=1, callers=1)
    send = Providers(latency_s=100.0)
    limits = replace(DEFAULT, total_s=90.0, first_byte_s=60.0)
    outcome = play(go(send, plan({"action": "disable_provider"}), guard=every.of("t"), limits=limits))

    assert (outcome.error, outcome.cut, outcome.limited) == ("exhausted: timeout", "total_s", ("total_s",))
    assert outcome.ended_ms == 90_000.0
    assert [(tried.kind, tried.accepted) for tried in outcome.attempts] == [("timeout", True)]
    assert events(outcome, "error_kind") == [("attempted", "timeout"), ("cut", None)]
    assert every.shared.open_providers(90_000.0) == ["a"], "it had all the time that it is allowed"


def test_a_provider_that_got_little_time_is_not_blamed() -> None:
    every = guards(threshold=1, callers=1)

    async def send(target: Target, number: int) -> str:
        await asyncio.sleep(50.0)
        if target == A:
            raise Failure("bad_request", "as scripted")
        return "late"

    limits = replace(DEFAULT, total_s=80.0, first_byte_s=60.0)
    outcome = play(go(send, plan(NEXT), guard=every.of("t"), limits=limits))

    assert (outcome.cut, outcome.ended_ms) == ("total_s", 80_000.0)
    assert len(every.shared) == len(every.own) == 0


def test_a_wait_that_would_outlast_the_call_is_not_begun() -> None:
    how = plan({"action": "retry_same", "attempts": 3, "backoff_ms": 1500})
    outcome = play(go(Providers(["timeout"]), how, limits=replace(DEFAULT, total_s=1.0)))

    assert (outcome.chosen, outcome.waits, outcome.limited, outcome.cut) == (B, [], ("total_s",), None)
    assert ("retry_refused", "total_s") in events(outcome, "reason")


def test_backoff_is_capped() -> None:
    how = plan({"action": "retry_same", "attempts": 2, "backoff_ms": [1e308, 10]})
    outcome = play(go(Providers(["timeout"] * 2), how))

    assert outcome.waits == [2000.0, 10.0]
    assert (outcome.chosen, outcome.cut, outcome.limited) == (A, None, ("backoff_ms",))
    assert ("retry_scheduled", 2000.0) in events(outcome, "backoff_ms")


def asks(seconds: float) -> Failure:
    return Failure("rate_limit", "as scripted", status=429, retry_after_s=seconds)


def test_the_longer_of_the_plans_wait_and_the_providers_is_made() -> None:
    how = plan({"action": "retry_same", "attempts": 5, "backoff_ms": 1000})
    outcome = play(go(Providers([asks(3.0), asks(0.2), asks(-1.0), asks(float("nan"))]), how))

    assert outcome.waits == [3000.0, 1000.0, 1000.0, 1000.0]


@pytest.mark.parametrize("seconds", [5.1, 1e9, float("inf")])
def test_a_provider_that_asks_for_too_long_a_wait_is_left(seconds: float) -> None:
    outcome = play(go(Providers([asks(seconds)]), plan({"action": "retry_same", "attempts": 5})))

    assert (outcome.chosen, outcome.waits, outcome.limited) == (B, [], ("retry_after_s",))
    assert ("retry_refused", "retry_after_s") in events(outcome, "reason")


def test_a_retry_budget_that_is_used_up_sends_the_plan_on() -> None:
    limits = replace(DEFAULT, retry_floor=0.0, retry_ratio=0.0)
    outcome = play(go(Providers(["timeout"]), plan({"action": "retry_same"}), limits=limits))
    assert (outcome.chosen, outcome.limited, outcome.cut) == (B, ("retry_ratio",), None)

    how = plan({"action": "retry_same", "then_action": "abort"})
    outcome = play(go(Providers(["timeout"]), how, limits=limits))
    assert (outcome.error, outcome.cut) == ("timeout", "retry_ratio")


def test_permission_is_asked_before_every_attempt() -> None:
    asked: list[Target] = []

    def permitted(target: Target) -> str | None:
        asked.append(target)
        return "not_in_catalog" if len(asked) in (3, 4) else None

    send = Providers(["timeout"] * 2)
    outcome = play(go(send, plan({"action": "retry_same", "attempts": 5}), permitted=permitted))

    assert asked == [A, A, A, B, C]
    assert send.sent == [(A, 1), (A, 2), (C, 1)]
    assert [event for event in outcome.events if event["event"] == "skipped"] == [
        {"event": "skipped", "provider_id": t.provider_id, "model_family": t.model_family, "offer_id": t.offer_id,
         "reason": "not_in_catalog"} for t in (A, B)
    ]  # fmt: skip


def test_permission_that_ends_while_waiting_is_seen() -> None:
    revoked: set[Target] = set()
    send = Providers(["timeout"] * 9, latency_s=1.0)

    async def main() -> Outcome[str]:
        asyncio.get_running_loop().call_later(1.5, revoked.update, [A, B])
        how = plan({"action": "retry_same", "backoff_ms": 1000}, rate_limit=NEXT)
        return await go(send, how, permitted=lambda target: "revoked" if target in revoked else None)

    outcome = play(main())
    assert send.sent == [(A, 1), (C, 1), (C, 2)]
    assert outcome.error == "exhausted: timeout"


def test_all_forbidden_sends_nothing() -> None:
    send = Providers()
    outcome = play(go(send, plan(NEXT), permitted=lambda target: "revoked"))

    assert send.sent == []
    assert (outcome.error, outcome.cut, outcome.failure) == ("exhausted: no_candidates", None, None)


def test_an_error_in_asking_for_permission_sends_nothing() -> None:
    def permitted(target: Target) -> str | None:
        raise LookupError("no generation")

    send = Providers()
    with pytest.raises(LookupError):
        play(go(send, plan(NEXT), permitted=permitted))
    assert send.sent == []


def test_open_breakers_are_skipped_and_say_how_long() -> None:
    every = guards(threshold=1, callers=1)

    async def main() -> tuple[Outcome[str], Outcome[str]]:
        await go(Providers(["timeout"] * 3), plan(NEXT), guard=every.of("t1"))
        await asyncio.sleep(10.0)
        return await go(Providers(), plan(NEXT), guard=every.of("t2")), await go(
            Providers(), plan(NEXT), [B], guard=guards().of("t2")
        )

    blocked, free = play(main())
    assert (blocked.error, blocked.attempts) == ("exhausted: no_candidates", ())
    assert events(blocked, "reason") == [("skipped", "breaker_open:provider")] * 3
    assert blocked.retry_after_ms == pytest.approx(20_000.0 - 20.0)
    assert (free.error, free.retry_after_ms) == (None, None)


def test_a_retry_of_a_provider_whose_breaker_opened_meanwhile_is_skipped() -> None:
    every = guards(threshold=3, callers=3)

    async def main() -> list[Outcome[str]]:
        how = plan({"action": "retry_same", "backoff_ms": 100})
        send = Providers(["timeout"] * 3)
        return await asyncio.gather(*(go(send, how, [A, B], every.of(scope)) for scope in ("t1", "t2", "t3")))

    for outcome in play(main()):
        assert outcome.chosen == B
        assert ("skipped", "breaker_open:provider") in events(outcome, "reason")


def test_a_plan_that_opens_a_breaker_may_still_try_again() -> None:
    every = guards()
    how = plan({"action": "retry_same", "attempts": 2, "open_breaker_ms": 1})

    async def main() -> tuple[Outcome[str], Outcome[str], Outcome[str]]:
        first = await go(Providers(["timeout"] * 9), how, [A], every.of("t1"))
        return (
            first,
            await go(Providers(), how, [A, B], every.of("t1")),
            await go(Providers(), how, [A], every.of("t2")),
        )

    first, same, other = play(main())
    assert len(first.attempts) == 3
    assert events(same, "reason") == [("skipped", "own_breaker_open:provider"), ("attempted", None)]
    assert other.chosen == A


def test_disable_provider_reaches_only_its_tenant() -> None:
    every = guards()
    how = plan({"action": "disable_provider"})

    async def main() -> list[Outcome[str]]:
        scripts = (["timeout"], [], [])
        return [
            await go(Providers(script), how, guard=every.of(scope))
            for script, scope in zip(scripts, ("t1", "t1", "t2"), strict=True)
        ]

    first, same, other = play(main())
    assert ("provider_disabled", "timeout") in events(first, "reason")
    assert (same.chosen, events(same, "reason")[0]) == (B, ("skipped", "disabled_provider"))
    assert other.chosen == A


def test_half_open_lets_exactly_one_of_many_callers_through() -> None:
    every = guards(threshold=1, callers=1)
    send = Providers(["timeout"], latency_s=1.0)

    async def main() -> list[Outcome[str]]:
        await go(send, plan(NEXT), [A], every.of("t0"))
        await asyncio.sleep(30.0)
        send.sent.clear()
        calls = (go(send, plan(NEXT), [A], every.of(f"t{number}")) for number in range(500))
        return await asyncio.gather(*calls)

    outcomes = play(main())
    assert len(send.sent) == 1
    assert [outcome.error for outcome in outcomes[1:]] == ["exhausted: no_candidates"] * 499


@pytest.mark.parametrize("moment", [0.0, 0.5])
def test_cancelling_releases_a_probe_and_counts_nothing(moment: float) -> None:
    every = guards(threshold=1, callers=1)
    noted: list[Tried] = []

    async def main() -> Outcome[str]:
        await go(Providers(["timeout"]), plan(NEXT), [A], every.of("t1"))
        await asyncio.sleep(31.0)
        call = asyncio.create_task(go(Providers(latency_s=1.0), plan(NEXT), [A, B], every.of("t2"), note=noted.append))
        await asyncio.sleep(moment)
        assert every.of("t3").blocked(A, now_ms()) == "breaker_open:provider"
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert every.of("t3").blocked(A, now_ms()) is None
        return await go(Providers(), plan(NEXT), [A], every.of("t3"))

    assert play(main()).chosen == A
    assert [(tried.target, tried.kind) for tried in noted] == [(A, CANCELLED)]
    assert len(every.own) == 2, "the first caller's own breakers, nobody else's"


def test_cancelling_a_wait_leaves_nothing_behind() -> None:
    every = guards()

    async def main() -> None:
        how = plan({"action": "retry_same", "backoff_ms": 2000})
        call = asyncio.create_task(go(Providers(["rate_limit"]), how, [A], every.of("t")))
        await asyncio.sleep(1.0)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call

    play(main())
    assert every.of("t").blocked(A, 0.0) is None


@pytest.mark.parametrize("error", [ValueError("a fault of ours"), TimeoutError("not the call's")])
def test_an_error_of_our_own_passes_and_counts_nothing(error: Exception) -> None:
    every = guards(threshold=1, callers=1)
    noted: list[Tried] = []

    async def main() -> None:
        with pytest.raises(type(error)):
            await go(Providers([error]), plan(NEXT), guard=every.of("t"), note=noted.append)

    play(main())
    assert len(every.shared) == len(every.own) == 0
    assert [tried.kind for tried in noted] == [BROKEN]


def test_each_attempt_is_noted() -> None:
    noted: list[Tried] = []
    outcome = play(go(Providers(["timeout"]), plan(NEXT), note=noted.append))

    assert tuple(noted) == outcome.attempts


def test_the_total_time_does_not_swallow_a_cancelling_from_outside() -> None:
    async def main() -> None:
        call = asyncio.create_task(go(Providers(latency_s=500.0), plan(NEXT)))
        asyncio.get_running_loop().call_later(120.0, call.cancel)
        with pytest.raises(asyncio.CancelledError):
            await call

    play(main())


def test_a_failure_keeps_nothing_of_the_attempt() -> None:
    async def send(target: Target, number: int) -> str:
        try:
            raise ValueError("holds the body")
        except ValueError as error:
            raise Failure("timeout", "as scripted") from error

    failure = play(go(send, plan(NEXT))).failure
    assert failure is not None
    assert (failure.__traceback__, failure.__context__, failure.__cause__) == (None, None, None)
