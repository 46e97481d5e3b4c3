"""The language's own failover worlds, walked by the gateway's runner with the operator's limits off."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tenantrank.cli.vectors import World, read_vectors
from tenantrank.gateway.failure import Failure
from tenantrank.gateway.guard import PlainGuard
from tenantrank.gateway.limits import Limits
from tenantrank.gateway.walk import walk
from tenantrank.policy.failover import Target
from tenantrank.policy.normal_form import normalize
from tenantrank.policy.policy import admit
from tenantrank.policy.signature import V2
from tests.reference import record
from tests.reference.failover import World as Reference
from tests.reference.generate import random_failplan

KINDS = ("timeout", "rate_limit", "auth_error", "server_error", "bad_request", "content_filter", "context_overflow")


class Clock:
    """A clock in ms that moves only when it is told to."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += round(seconds * 1000.0, 6)


async def called(
    targets: list[Target], plan: Any, guard: PlainGuard, answers: list[str], at_ms: float, latency_ms: float
) -> dict[str, Any]:
    """Walk one call through scripted answers; give what the vectors say of it."""
    clock, script = Clock(at_ms), iter(answers)

    async def send(target: Target, number: int) -> str:
        clock.now += latency_ms
        kind = next(script, "ok")
        if kind != "ok":
            raise Failure(kind, "as scripted", retry_after_s=100.0)
        return target.offer_id

    outcome = await walk(
        targets,
        plan,
        send,
        guard=guard,
        limits=Limits.off(),
        now_ms=clock,
        permitted=lambda target: None,
        sleep=clock.sleep,
    )
    assert (outcome.cut, outcome.limited, outcome.retry_after_ms) == (None, (), None)
    assert outcome.answer == (outcome.chosen.offer_id if outcome.chosen else None)
    return {
        "ok": outcome.error is None,
        "error": outcome.error,
        "chosen": None if outcome.chosen is None else [outcome.chosen.provider_id, outcome.chosen.model_family],
        "path": outcome.events,
        "waits": outcome.waits,
        "end_ms": outcome.ended_ms,
    }


def targets_of(offers: list[dict[str, Any]]) -> dict[str, Target]:
    return {row["id"]: Target(row["id"], row["provider_id"], row["model_family"]) for row in offers}


async def replayed(world: World, case: Mapping[str, Any]) -> None:
    targets = targets_of(case["offers"])
    engine, guard = world.engine_over(case["offers"]), PlainGuard()
    for call in case["calls"]:
        policy = admit(call["term"], world.vocabulary, world.version)
        ranked = engine.with_health(guard.health(call["at_ms"])).rank(policy).offer_ids
        found = await called(
            [targets[offer] for offer in ranked],
            policy.failure_plan,
            guard,
            call["answers"],
            call["at_ms"],
            world.call_latency_ms,
        )
        assert found == {key: call["expect"].get(key) for key in found}


def replay_all(path: Path) -> int:
    world, cases = read_vectors(path)

    async def all_of_them() -> None:
        for case in cases:
            await replayed(world, case)

    asyncio.run(all_of_them())
    return len(cases)


def test_walk__own_worlds() -> None:
    assert replay_all(record.FAILOVER) == record.WORLDS


def test_walk__published_worlds(conformance_folder: Path) -> None:
    path = conformance_folder / "failover.jsonl.gz"
    if not path.is_file():
        pytest.skip(f"no failover vectors at {path}")

    assert replay_all(path) == 400


@pytest.mark.parametrize("seed", range(100))
def test_walk__agrees_with_the_reference(seed: int) -> None:
    rng = Random(f"walk {seed}")
    offers = [
        {"id": f"o{at}", "provider_id": rng.choice("abc"), "model_family": rng.choice("mn")}
        for at in range(rng.randrange(5))
    ]
    reference, guard, now = Reference(offers, {}), PlainGuard(), 0.0
    targets = list(targets_of(offers).values())

    async def run() -> None:
        nonlocal now
        for _ in range(6):
            term = random_failplan(rng)
            answers = rng.choices(KINDS, k=rng.randrange(9)) + ["ok"] * rng.randrange(2)
            expected = reference.call(now, ["policy", ["top"], ["zero"], ["ordered"], ["id"], term], answers)
            found = await called(targets, normalize(term, V2), guard, answers, now, 10.0)
            chosen = None if expected.chosen is None else list(expected.chosen)
            assert found == {
                "ok": expected.ok,
                "error": expected.error,
                "chosen": chosen,
                "path": expected.path,
                "waits": expected.waits,
                "end_ms": expected.end_ms,
            }
            now = expected.end_ms + rng.choice([0.0, 1.0, 20_000.0, 400_000.0])

    asyncio.run(run())
