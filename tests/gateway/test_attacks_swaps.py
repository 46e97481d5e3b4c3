"""What is revoked is called no more: reloads while calls are under way, at every point where one waits, and under load.

The moment that counts is the one at which the operator's reload is acknowledged.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tenantrank.testing import Reply, faults
from tests.gateway.attacks import (
    BY_WIRE,
    KEYS,
    LONG,
    NAMES,
    OFFERS,
    RULES,
    Fleet,
    Script,
    attack,
    body_of,
    fleet,
    ledger,
    mark,
    provider_settings,
    run,
    scaled,
)
from tests.gateway.worlds import CLIENT_KEY, key_entry, write_catalog

NEXT = ["always", {"action": "next_candidate"}]
CHEAPEST = ["neg", ["field", "price_out"]]
MARK = "mark-000000000001"
_marks = Random(0)


def policy(filter_: Any = ("meets_req",), plan: Any = NEXT) -> list[Any]:
    return ["policy", list(filter_), CHEAPEST, ["argmax"], ["id"], plan]


def table(world: Fleet, strict: str, approved: str) -> None:
    (world.path.parent / "tenants.csv").write_text(f"tenant_id,approved,strict\nacme,{approved},{strict}\n")


# Each way to revoke p1 and p3; the call under way was to go to p0, p1, p2, p3, p4 and p5.
REVOCATIONS: dict[str, Callable[[Fleet], dict[str, Any]]] = {}


def revocation(change: Callable[[Fleet], dict[str, Any]]) -> Callable[[Fleet], dict[str, Any]]:
    REVOCATIONS[change.__name__] = change
    return change


@revocation
def account(world: Fleet) -> dict[str, Any]:
    return {"providers": provider_settings(world.mocks, ["p0", "p2", "p4", "p5"])}


@revocation
def models_of_account(world: Fleet) -> dict[str, Any]:
    given = provider_settings(world.mocks)
    given["p1"]["models"] = given["p3"]["models"] = ["another"]
    return {"providers": given}


@revocation
def envelope(world: Fleet) -> dict[str, Any]:
    return {"envelope": ["not", ["or", ["provider_eq", "p1"], ["provider_eq", "p3"]]]}


@revocation
def envelope_of_key(world: Fleet) -> dict[str, Any]:
    narrow = ["not", ["or", ["provider_eq", "p1"], ["provider_eq", "p3"]]]
    return {"keys": [key_entry("caller", envelope=narrow)]}


@revocation
def offers(world: Fleet) -> dict[str, Any]:
    write_catalog(world.path.parent, [each for each in OFFERS if each["provider_id"] not in ("p1", "p3")])
    return {}


@revocation
def flag(world: Fleet) -> dict[str, Any]:
    # Only under a rule that asks for it.
    changed = [{**each, "no_log": each["no_log"] and each["provider_id"] not in ("p1", "p3")} for each in OFFERS]
    write_catalog(world.path.parent, changed)
    return {}


@revocation
def price(world: Fleet) -> dict[str, Any]:
    changed = [{**each, "price_out": 99.0} if each["provider_id"] in ("p1", "p3") else each for each in OFFERS]
    write_catalog(world.path.parent, changed)
    return {}


@revocation
def region(world: Fleet) -> dict[str, Any]:
    changed = [{**each, "region_key": "us"} if each["provider_id"] in ("p1", "p3") else each for each in OFFERS]
    write_catalog(world.path.parent, changed)
    return {}


FILTER = ["and", ["meets_req"], ["is", "no_log"], ["cmp", "price_out", "le", 50.0]]


async def each(folder: Path, world: Fleet, attempt: Callable[[str, str], Awaitable[None]]) -> None:
    """Try one attack with every kind of revocation, each after everything was restored."""
    usual = {name: world.file.get(name) for name in ("providers", "envelope", "keys")}
    for change in REVOCATIONS:
        write_catalog(folder, OFFERS)
        assert (await world.reload(**usual)).status == 200
        for mock in world.mocks.values():
            mock.respond = None
        await attempt(change, mark(_marks))


async def revoked_meanwhile(
    world: Fleet,
    change: str,
    marked: str,
    script: list[Reply],
    before: Callable[[], Awaitable[Any]],
    after: Callable[[], Awaitable[Any]],
    plan: Any = NEXT,
) -> list[str]:
    """Make a call, revoke when it waits, and give whom it was sent to after that was acknowledged."""
    Script(world).set(marked, *script)
    call = asyncio.create_task(world.chat(body_of(marked, policy_ir=policy(FILTER, plan)), key=CLIENT_KEY))
    await before()
    got = await world.reload(**REVOCATIONS[change](world))
    assert got.status == 200, got.raw
    acknowledged = world.p0.clock()
    await after()
    await call
    return [offer.partition("|")[0] for offer, sent in ledger(world)[marked] if sent.begun_s > acknowledged]


async def arrived(world: Fleet, marked: str, count: int = 1) -> None:
    """Wait until a call was sent to providers so many times."""
    for _ in range(500):
        if len(ledger(world).get(marked, [])) >= count:
            return
        await asyncio.sleep(0.005)
    raise TimeoutError(f"{marked} never arrived")


def test_while_the_first_provider_thinks(tmp_path: Path) -> None:
    async def test(world: Fleet) -> None:
        async def drop() -> None:
            await world.p0.stop()
            await world.p0.start()

        async def attempt(change: str, marked: str) -> None:
            script = [faults.silence(), *[faults.error("server")] * 12]
            after = await revoked_meanwhile(world, change, marked, script, lambda: arrived(world, marked), drop)
            assert not {"p1", "p3"} & set(after), change
            assert {"p2", "p4"} <= set(after), change

        await each(tmp_path, world, attempt)

    attack(tmp_path, test, keys=[key_entry("caller")], limits={"attempts": 20})


def test_while_the_plan_waits_for_another_try_at_the_revoked_one(tmp_path: Path) -> None:
    plan = ["always", {"action": "retry_same", "attempts": 3, "backoff_ms": 400, "then_action": "next_candidate"}]
    only_p1 = ["override", plan, "bad_request", {"action": "next_candidate"}]

    async def test(world: Fleet) -> None:
        async def attempt(change: str, marked: str) -> None:
            async def before() -> None:
                await arrived(world, marked, 2)
                await asyncio.sleep(0.02)

            script = [faults.error("bad_request"), *[faults.error("server")] * 2]
            after = await revoked_meanwhile(world, change, marked, script, before, lambda: asyncio.sleep(0), only_p1)
            assert set(after) == {"p2"}, change

        await each(tmp_path, world, attempt)

    attack(tmp_path, test, keys=[key_entry("caller")])


async def slow_call(world: Fleet, body: dict[str, Any], meanwhile: Callable[[], Awaitable[None]]) -> int:
    """Send a body half of which comes only after something happened; gives the answer's status."""
    raw = json.dumps(body).encode()
    half = asyncio.Event()

    async def slowly() -> AsyncIterator[bytes]:
        yield raw[:40]
        await half.wait()
        yield raw[40:]

    headers = {"authorization": f"Bearer {CLIENT_KEY}", "content-type": "application/json"}
    call = asyncio.create_task(
        world.http.post(f"{world.running.url}/v1/chat/completions", data=slowly(), headers=headers)
    )
    await asyncio.sleep(0.05)
    await meanwhile()
    half.set()
    async with await call as got:
        return got.status


def test_while_the_body_arrives(tmp_path: Path) -> None:
    async def test(world: Fleet) -> None:
        async def attempt(change: str, marked: str) -> None:
            async def revoke() -> None:
                assert (await world.reload(**REVOCATIONS[change](world))).status == 200

            body = body_of(marked, policy_ir=policy(["and", FILTER, ["provider_eq", "p1"]]))
            assert await slow_call(world, body, revoke) == 422, change
            assert marked not in ledger(world)

        await each(tmp_path, world, attempt)

    attack(tmp_path, test, keys=[key_entry("caller")])


def test_a_key_taken_back_while_the_body_arrives(tmp_path: Path) -> None:
    async def test(world: Fleet) -> None:
        async def revoke() -> None:
            assert (await world.reload(keys=[key_entry("other", "trk_another_key_of_somebody")])).status == 200

        assert await slow_call(world, body_of(MARK, policy_ir=policy()), revoke) == 401
        assert world.sent == {}

    attack(tmp_path, test, keys=[key_entry("caller")])


@pytest.mark.parametrize("stream", [False, True])
def test_while_it_waits_for_a_connection(tmp_path: Path, stream: bool) -> None:
    async def test(world: Fleet) -> None:
        async def attempt(change: str, marked: str) -> None:
            # The one connection to p1 that there may be is taken, until its client leaves.
            first, script = mark(_marks), Script(world)
            only = ["and", FILTER, ["provider_eq", "p1"]]
            script.set(first, faults.silence())
            holding = asyncio.create_task(world.chat(body_of(first, policy_ir=policy(only)), key=CLIENT_KEY))
            await arrived(world, first)
            body = body_of(marked, policy_ir=policy(only), stream=stream)
            call = asyncio.create_task(world.chat(body, key=CLIENT_KEY))
            await asyncio.sleep(0.05)
            assert (await world.reload(**REVOCATIONS[change](world))).status == 200
            holding.cancel()
            assert (await call).status == 503, change
            assert marked not in ledger(world), change

        await each(tmp_path, world, attempt)

    attack(tmp_path, test, keys=[key_entry("caller")], upstream={"connections_per_host": 1}, limits={"connect_s": 20})


def test_a_tenants_own_change_counts_for_calls_under_way(tmp_path: Path) -> None:
    async def test(world: Fleet) -> None:
        Script(world).set(MARK, faults.error("server").but(head_after_s=0.2), *[faults.error("server")] * 9)
        call = asyncio.create_task(world.chat(body_of(MARK, tenant="acme"), key=CLIENT_KEY))
        await world.p0.arrived(1)
        table(world, "false", "p0;p2")
        assert (await world.reload()).status == 200
        await call
        assert set(world.sent) == {"p0", "p2"}

    (tmp_path / "tenants.csv").write_text("tenant_id,approved,strict\nacme,p0;p1;p2,false\n")
    attack(tmp_path, test, keys=[key_entry("caller")], tenants="tenants.csv")


def test_a_rulebook_made_stricter_counts_for_calls_under_way(tmp_path: Path) -> None:
    async def test(world: Fleet) -> None:
        state = {"tenant_id": "t", "approved": ["p0", "p1", "p2"], "strict": False}
        Script(world).set(MARK, faults.error("server").but(head_after_s=0.2), *[faults.error("server")] * 9)
        call = asyncio.create_task(world.chat(body_of(MARK, tenant=state), key=CLIENT_KEY))
        await world.p0.arrived(1)
        (tmp_path / "rules.yaml").write_text(RULES.replace("[meets_req]]", "[meets_req], [not, [provider_eq, p1]]]"))
        assert (await world.reload()).status == 200
        await call
        assert set(world.sent) == {"p0", "p2"}

    attack(tmp_path, test, keys=[key_entry("caller")])


@pytest.mark.parametrize("how", ["key gone", "route gone", "ways gone", "another tenant's"])
def test_a_key_taken_back_makes_no_further_attempt(tmp_path: Path, how: str) -> None:
    async def test(world: Fleet) -> None:
        Script(world).set(MARK, faults.error("server").but(head_after_s=0.2))
        call = asyncio.create_task(world.chat(body_of(MARK, policy_ir=policy()), key=CLIENT_KEY))
        await world.p0.arrived(1)
        state = {"tenant_id": "t", "approved": ["p5"], "strict": False}
        keys = {
            "key gone": [key_entry("other", "trk_another_key_of_somebody")],
            "route gone": [key_entry("caller", routes=["models"])],
            "ways gone": [key_entry("caller", ways=["tenant"])],
            "another tenant's": [key_entry("caller", tenant=state)],
        }[how]
        assert (await world.reload(keys=keys)).status == 200
        assert (await call).status >= 400
        assert world.sent == {"p0": 1}

    attack(tmp_path, test, keys=[key_entry("caller")])


def test_a_key_in_a_new_holders_hand_is_not_the_old_one(tmp_path: Path) -> None:
    # The name stays, the key does not: what is under way was begun with a key that is no more.
    async def test(world: Fleet) -> None:
        Script(world).set(MARK, faults.error("server").but(head_after_s=0.2))
        call = asyncio.create_task(world.chat(body_of(MARK, policy_ir=policy()), key=CLIENT_KEY))
        await world.p0.arrived(1)
        assert (await world.reload(keys=[key_entry("caller", "trk_another_key_of_somebody")])).status == 200
        await call
        assert (await world.chat(body_of("mark-0000000000ff", policy_ir=policy()), key=CLIENT_KEY)).status == 401

    attack(tmp_path, test, keys=[key_entry("caller")])


def test_keys_and_addresses_of_now_are_used(tmp_path: Path) -> None:
    async def test(world: Fleet) -> None:
        Script(world).set(MARK, faults.error("server").but(head_after_s=0.2))
        call = asyncio.create_task(world.chat(body_of(MARK, policy_ir=policy()), key=CLIENT_KEY))
        await world.p0.arrived(1)
        given = provider_settings(world.mocks)
        # p0's second offer, which is next, moves to another address with another key.
        given["p0"] = {**given["p0"], "base_url": world.p5.url, "key": "os.environ/KEY_P5"}
        assert (await world.reload(providers=given)).status == 200
        await call
        assert world.p0.count == 1
        assert [recorded.header("authorization") for recorded in world.p5.requests] == [f"Bearer {KEYS['p5']}"]

    # The ledger knows offers by who got them, so that nothing is reconciled here.
    async def whole() -> None:
        async with asyncio.timeout(20), fleet(tmp_path, keys=[key_entry("caller")]) as world:
            await test(world)

    run(whole())


def test_an_envelope_that_asks_for_no_retention_is_told_to_providers_at_once(tmp_path: Path) -> None:
    async def test(world: Fleet) -> None:
        Script(world).set(MARK, faults.error("server").but(head_after_s=0.2))
        body = body_of(MARK, policy_ir=policy(), store=True)
        call = asyncio.create_task(world.chat(body, key=CLIENT_KEY))
        await world.p0.arrived(1)
        assert (await world.reload(envelope=["is", "no_log"])).status == 200
        assert (await call).status == 200
        (_, first), (_, second) = ledger(world)[MARK]
        assert first.json["store"] is True
        assert "store" not in second.json

    attack(tmp_path, test, keys=[key_entry("caller")])


def test_a_refused_reload_changes_nothing(tmp_path: Path) -> None:
    async def test(world: Fleet) -> None:
        rng = Random(6)
        good = (tmp_path / "catalog.json").read_bytes()
        for number in range(scaled(60, 2000)):
            at = rng.randrange(len(good) - 1)
            (tmp_path / "catalog.json").write_bytes(good[:at])
            got = await world.reload()
            assert got.status == 409, at
            if number % 10 == 0:
                got = await world.chat(body_of(mark(rng), policy_ir=policy(["provider_eq", "p1"])))
                assert got.offer == "p1|m"
        (tmp_path / "catalog.json").write_bytes(good)
        assert (await world.reload()).json["generation"] == 2

    attack(tmp_path, test)


@pytest.mark.parametrize("seed", range(scaled(1, 6)))
def test_reloads_under_load(tmp_path: Path, seed: int) -> None:
    # Whoever is revoked gets nothing from the acknowledgement on until the next reload begins.
    slack_s = 0.02

    async def test(world: Fleet) -> None:
        rng = Random(seed)
        for at, mock in enumerate(world.mocks.values()):
            mock.break_randomly(0.4, seed * 10 + at)
        done, answered = asyncio.Event(), [0]
        epochs: list[tuple[float, float, set[str]]] = [(0.0, 0.0, {each["id"] for each in OFFERS})]
        statuses: set[int] = set()

        async def calling(number: int) -> None:
            mine = Random(seed * 1000 + number)
            while not done.is_set():
                plan = mine.choice([NEXT, ["always", {"action": "retry_same", "attempts": 2, "backoff_ms": 5}]])
                body = body_of(mark(mine), policy_ir=policy(plan=plan), stream=mine.random() < 0.5)
                statuses.add((await world.chat(body)).status)
                answered[0] += 1

        async def reloads() -> None:
            for _ in range(300 if LONG else 12):
                gone = set(rng.sample(NAMES, rng.randrange(1, 5)))
                way = rng.randrange(3)
                providers, envelope, catalog = provider_settings(world.mocks), None, OFFERS
                if way == 0:
                    providers = provider_settings(world.mocks, [name for name in NAMES if name not in gone])
                elif way == 1:
                    envelope = ["not", ["or", ["bot"], *(["provider_eq", name] for name in sorted(gone))]]
                else:
                    catalog = [each for each in OFFERS if each["provider_id"] not in gone]
                write_catalog(tmp_path, catalog)
                begun = time.monotonic()
                got = await world.reload(providers=providers, envelope=envelope)
                assert got.status == 200, got.raw
                allowed = {each["id"] for each in OFFERS if each["provider_id"] not in gone}
                epochs.append((begun, time.monotonic(), allowed))
                # However slow the machine is, some calls begin and end under each.
                enough = answered[0] + rng.randrange(20, 60)
                while answered[0] < enough:
                    await asyncio.sleep(0.01)

        async def reloading() -> None:
            try:
                await reloads()
            finally:
                done.set()

        await asyncio.gather(reloading(), *(calling(number) for number in range(16)))
        assert statuses <= {200, 400, 429, 502, 503, 504}
        checked = 0
        for name, mock in world.mocks.items():
            for recorded in mock.requests:
                offer = BY_WIRE[recorded.json["model"]]
                assert offer.startswith(name)
                at = recorded.begun_s
                # The epochs that may have been the one of the sending: acknowledged, not surely replaced.
                ends = [begun for begun, _, _ in epochs[1:]] + [float("inf")]
                last = [taken for _, taken, _ in epochs[1:]] + [float("inf")]
                could = [
                    allowed
                    for (begun, _, allowed), _, replaced in zip(epochs, ends, last, strict=True)
                    if begun <= at <= replaced + slack_s
                ]
                assert any(offer in allowed for allowed in could), (offer, at)
                checked += len(could) == 1 and len(could[0]) < len(OFFERS)
        assert checked > len(epochs)

    attack(tmp_path, test)
