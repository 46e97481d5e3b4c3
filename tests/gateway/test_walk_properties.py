"""Whatever plans and providers do: where calls go, how long they take, and what one tenant can do to another."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from random import Random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tenantrank.gateway.breakers import BreakerSettings
from tenantrank.gateway.failure import KINDS, Failure
from tenantrank.gateway.guard import Guards
from tenantrank.gateway.limits import DEFAULT, Limits
from tenantrank.gateway.outcome import Outcome
from tenantrank.gateway.walk import walk
from tenantrank.policy.failover import CLIENT_FAULTS, Target
from tenantrank.policy.normal_form import Node, normalize
from tenantrank.policy.signature import V2
from tests.gateway.virtual import now_ms, play
from tests.reference.generate import random_failplan

SEEDS = st.integers(0, 10**9)
FAILURES = sorted(KINDS)
ACTIONS = ("abort", "next_candidate", "retry_same", "disable_provider", "next_provider_same_model")


def some_plan(rng: Random) -> Node:
    """A plan of the language, or one that asks for as much as it can."""
    if rng.random() < 0.4:
        return normalize(random_failplan(rng), V2)
    term: list[Any] = ["always", _action(rng)]
    for _ in range(rng.randrange(4)):
        term = ["override", term, rng.choice(FAILURES), _action(rng)]
    return normalize(term, V2)


def _action(rng: Random) -> dict[str, Any]:
    action: dict[str, Any] = {"action": rng.choice(ACTIONS)}
    if action["action"] == "retry_same":
        action["attempts"] = rng.choice([1, 3, 2.0**53])
        action["backoff_ms"] = rng.choice([0, 1, 700, 1e300, [], [5, 1e18, 0], -50])
        action["then_action"] = rng.choice(["abort", "next_candidate", "retry_same"])
    if rng.random() < 0.3:
        action["open_breaker_ms"] = rng.choice([0, 1e12])
    return action


def some_limits(rng: Random) -> Limits:
    return replace(
        DEFAULT,
        attempts=rng.choice([1, 2, 6, 40]),
        ranked=rng.choice([1, 3, 16]),
        total_s=rng.choice([0.05, 1.0, 30.0, 120.0]),
        backoff_ms=rng.choice([0.0, 10.0, 2000.0]),
        retry_after_s=rng.choice([None, 0.0, 0.5, 5.0]),
        retry_ratio=rng.choice([0.0, 0.1, 1.0]),
        retry_floor=rng.choice([0.0, 0.2, 10.0]),
        first_byte_s=rng.choice([0.04, 60.0]),
    )


def some_targets(rng: Random, most: int = 6) -> list[Target]:
    return [Target(f"o{at}", rng.choice("abcd"), rng.choice("mn")) for at in range(rng.randrange(most + 1))]


def some_guards(rng: Random, limits: Limits) -> Guards:
    settings = BreakerSettings(threshold=3, open_s=rng.choice([0.05, 3.0, 30.0]), callers=rng.choice([1, 2]))
    return Guards(lambda target: f"{target.provider_id}/KEY", settings, limits)


def some_failure(rng: Random) -> Failure:
    asked = rng.choice([None, None, 0.0, 0.2, 3.0, 60.0, -1.0, 1e9])
    scope = rng.choice(["provider", "offer", "credential"])
    return Failure(rng.choice(FAILURES), "as scripted", retry_after_s=asked, scope=scope)


async def slow(rng: Random) -> None:
    await asyncio.sleep(rng.choice([0.0, 0.001, 0.01, 0.4, 20.0, 500.0]))


@given(SEEDS)
def test_nothing_but_what_is_ranked_and_permitted_now_is_ever_sent(seed: int) -> None:
    rng = Random(seed)
    limits, targets = some_limits(rng), some_targets(rng)
    others = [Target("forbidden", "a", "m"), *some_targets(rng)]
    # When the catalog changes, and what is permitted from then on.
    changes = [
        (rng.uniform(0.0, 3000.0), {other for other in (*targets, *others) if rng.random() < 0.3}) for _ in range(4)
    ]

    def revoked(target: Target) -> bool:
        return any(target in gone for at_ms, gone in changes if at_ms <= now_ms())

    every = some_guards(rng, limits)
    sent: list[tuple[Target, int]] = []

    async def send(target: Target, number: int) -> str:
        # What is asked here is not what the runner was told, but what holds at this moment.
        assert target in targets[: limits.ranked]
        assert not revoked(target)
        assert not every.disabled.is_disabled("t", target.provider_id, now_ms()) or number > 1
        sent.append((target, number))
        await slow(rng)
        if rng.random() < 0.8:
            raise some_failure(rng)
        return target.offer_id

    async def main() -> None:
        for _ in range(3):
            began, before = now_ms(), len(sent)
            outcome: Outcome[str] = await walk(
                targets,
                some_plan(rng),
                send,
                guard=every.of("t"),
                limits=limits,
                now_ms=now_ms,
                permitted=lambda target: "revoked" if revoked(target) else None,
            )
            tried = sent[before:]
            assert len(tried) <= limits.attempts
            assert now_ms() - began <= limits.total_s * 1000.0 + 1e-3
            longest = max(limits.backoff_ms, (limits.retry_after_s or 0.0) * 1000.0)
            assert all(0.0 < wait <= longest for wait in outcome.waits)
            assert [(attempt.target, attempt.number) for attempt in outcome.attempts] == tried
            assert outcome.retries + outcome.fallbacks + 1 == len(tried) or not tried
            assert (outcome.chosen is None) == (outcome.answer is None) == (outcome.error is not None)
            if outcome.chosen is not None:
                assert outcome.answer == outcome.chosen.offer_id == tried[-1][0].offer_id
            at = [targets.index(target) for target, _ in tried]
            assert at == sorted(at), "a plan goes down the list and never back"
            assert outcome.cut is None or outcome.cut in limits.to_json()
            assert set(outcome.limited) <= set(limits.to_json())

    play(main())


@given(SEEDS)
def test_however_calls_end_nothing_is_left_in_flight(seed: int) -> None:
    """Many tenants at once, some of whom leave at any moment: probes are given back, and there is one at a time."""
    rng = Random(seed)
    limits = some_limits(rng)
    every = some_guards(rng, limits)
    targets = [Target(f"o{at}", rng.choice("ab"), "m") for at in range(3)]
    probing = Counter[str]()

    def half_open(target: Target) -> bool:
        return dict(every.shared.states(now_ms())).get(("", "provider", target.provider_id)) == "half_open"

    async def send(target: Target, number: int) -> str:
        probe = half_open(target)
        probing[target.provider_id] += probe
        assert probing[target.provider_id] <= 1 or not probe
        try:
            await asyncio.sleep(rng.choice([0.0, 0.01, 0.3]))
            if rng.random() < 0.7:
                raise some_failure(rng)
            return "ok"
        finally:
            probing[target.provider_id] -= probe

    async def call(scope: str) -> None:
        await asyncio.sleep(rng.uniform(0.0, 5.0))
        how = some_plan(rng)
        guard = every.of(scope)
        await walk(targets, how, send, guard=guard, limits=limits, now_ms=now_ms, permitted=lambda target: None)

    async def main() -> None:
        tasks = [asyncio.create_task(call(f"t{number % 7}")) for number in range(60)]
        for task in tasks:
            if rng.random() < 0.3:
                asyncio.get_running_loop().call_later(rng.uniform(0.0, 6.0), task.cancel)
        for result in await asyncio.gather(*tasks, return_exceptions=True):
            assert result is None or isinstance(result, asyncio.CancelledError), result

    play(main())
    for breakers in (every.shared, every.own):
        assert [key for key, breaker in breakers._breakers.items() if breaker.probe is not None] == []


def calls_of(seed: int, hostile: bool, at_fault: frozenset[str] | list[str], victims_fail: bool) -> list[Any]:
    """Let a tenant call for a while, with or without another beside it; give what its calls came to."""
    rng, other = Random(f"victim {seed}"), Random(f"hostile {seed}")
    limits = replace(DEFAULT, retry_ratio=float("inf"))
    every = Guards(lambda target: f"{target.provider_id}/KEY", BreakerSettings(), limits)
    targets = [Target("a|m", "a", "m"), Target("b|m", "b", "m"), Target("b|n", "b", "n")]
    found: list[Any] = []

    async def refuse(target: Target, number: int) -> str:
        scope = other.choice(["provider", "offer", "credential"])
        raise Failure(other.choice(sorted(at_fault)), "as scripted", scope=scope)

    async def answer(target: Target, number: int) -> str:
        await asyncio.sleep(0.01)
        if victims_fail and rng.random() < 0.5:
            raise Failure(rng.choice(FAILURES), "as scripted")
        return target.offer_id

    async def at_once(seconds: float) -> None:
        """A hostile tenant's own time is not the victim's."""

    async def call(scope: str, send: Any, how: Node, sleep: Any = asyncio.sleep) -> Outcome[str]:
        return await walk(
            targets,
            how,
            send,
            guard=every.of(scope),
            limits=limits,
            now_ms=now_ms,
            permitted=lambda target: None,
            sleep=sleep,
        )

    async def main() -> None:
        for _ in range(40):
            for _ in range(other.randrange(8)):
                how = some_plan(other)
                if hostile:
                    await call("hostile", refuse, how, at_once)
            outcome = await call("victim", answer, some_plan(rng))
            found.append((outcome.chosen, outcome.error, outcome.events))
            await asyncio.sleep(rng.choice([0.0, 1.0, 31.0]))

    play(main())
    return found


@given(SEEDS)
def test_bad_requests_and_plans_of_one_tenant_change_nothing_for_another(seed: int) -> None:
    alone = calls_of(seed, hostile=False, at_fault=CLIENT_FAULTS, victims_fail=True)

    assert calls_of(seed, hostile=True, at_fault=CLIENT_FAULTS, victims_fail=True) == alone


@given(SEEDS)
def test_one_tenants_failures_of_any_kind_block_no_other(seed: int) -> None:
    for chosen, error, events in calls_of(seed, hostile=True, at_fault=FAILURES, victims_fail=False):
        assert (chosen, error) == (Target("a|m", "a", "m"), None)
        assert [event["event"] for event in events] == ["attempted"]
