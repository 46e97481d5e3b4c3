"""No failure, plan, envelope or way to give a rule leads a prompt to a provider that the rule rejects.

An oracle of its own says who is allowed; every failure is tried at every position, under rules and plans by seed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tenantrank.testing import ERRORS, Reply, faults
from tests.gateway import attacks
from tests.gateway.attacks import (
    FAMILIES,
    KEYS,
    NAMES,
    OFFERS,
    Fleet,
    Script,
    attack,
    body_of,
    check_wire,
    ledger,
    mark,
    scaled,
)
from tests.gateway.worlds import key_entry

Allows = Callable[[dict[str, Any]], bool]

FAILURES: dict[str, Reply] = {
    **faults.BROKEN,
    **{f"{name} {kind}": faults.error(kind, name) for name, kinds in ERRORS.items() for kind in kinds},
    **{
        f"status {code}": Reply(status=code) for code in (400, 401, 403, 404, 408, 409, 413, 422, 429, *range(500, 505))
    },
    **{
        f"redirect {code}": faults.redirect("http://127.0.0.1:9/v1/chat/completions", code)
        for code in (301, 302, 303, 308)
    },
    "no stream": faults.cut(0),
    "an error first": faults.error_event(0),
    "no event first": faults.malformed_event(0),
    "a silent stream": faults.cut(0, how="keep"),
    "asks to wait": faults.error("rate_limit", retry_after="0"),
    "asks to wait for ever": faults.error("rate_limit", retry_after="1e9"),
    "asks to wait backwards": faults.error("rate_limit", retry_after="-1"),
    "packed garbage": faults.status(200, b"\x1f\x8b garbage", content_encoding="gzip"),
    "packed strangely": faults.status(200, b"{}", content_encoding="br"),
    "no content": Reply(status=204, body=b""),
    "partial content": Reply(status=206),
    "an early answer": Reply(raw=b"HTTP/1.1 100 Continue\r\n\r\n" * 3, end="close"),
    "a switch": Reply(
        raw=b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n", end="close"
    ),
    "half a header": faults.cut_head(60),
    "a huge head": faults.huge_head(300_000).but(end="close"),
    "nothing in it": faults.other_shape(b"{}"),
    "a null": faults.other_shape(b"null"),
    "no list": faults.other_shape(b'{"choices": 5}'),
}
ACTIONS = ("next_candidate", "next_candidate", "retry_same", "disable_provider", "next_provider_same_model", "abort")
KINDS = ("auth_error", "bad_request", "rate_limit", "server_error", "network_error", "context_overflow", "unknown")
CLIENT_KEYS = {name: f"trk_{name}_0123456789abcdef" for name in ("free", "narrow", "tenant", "both")}


def some_predicate(rng: Random, depth: int = 2) -> tuple[list[Any], Allows]:
    """Make a condition, and say in plain Python whom it lets pass."""
    kind = rng.randrange(7 if depth else 4)
    if kind == 0:
        name = rng.choice(NAMES)
        return ["provider_eq", name], lambda each: each["provider_id"] == name
    if kind == 1:
        family = rng.choice(FAMILIES)
        return ["family_eq", family], lambda each: each["model_family"] == family
    if kind == 2:
        bound = rng.choice([1.2, 2.0, 3.5, 5.0, 6.5])
        return ["cmp", "price_out", "le", bound], lambda each: each["price_out"] <= bound
    if kind == 3:
        return ["is", "no_log"], lambda each: each["no_log"]
    parts = [some_predicate(rng, depth - 1) for _ in range(rng.choice([1, 2, 3]))]
    terms, allows = [term for term, _ in parts], [allow for _, allow in parts]
    if kind == 4:
        return ["not", terms[0]], lambda each: not allows[0](each)
    if kind == 5:
        return ["or", *terms], lambda each: any(allow(each) for allow in allows)
    return ["and", *terms], lambda each: all(allow(each) for allow in allows)


def some_plan(rng: Random) -> list[Any]:
    plan: list[Any] = ["always", some_action(rng)]
    for _ in range(rng.randrange(3)):
        plan = ["override", plan, rng.choice(KINDS), some_action(rng)]
    return plan


def some_action(rng: Random) -> dict[str, Any]:
    action: dict[str, Any] = {"action": rng.choice(ACTIONS)}
    if action["action"] == "retry_same":
        action |= {"attempts": rng.choice([1, 3]), "backoff_ms": rng.choice([0, 1])}
        action["then_action"] = rng.choice(["abort", "next_candidate", "disable_provider"])
    if rng.random() < 0.2:
        action["open_breaker_ms"] = 1
    return action


def some_rule(rng: Random) -> tuple[dict[str, Any], Allows, str | None]:
    """Make a rule in one of the ways to give one: members of the body, whom it allows, and the key to call with."""
    way = rng.randrange(6)
    if way <= 2:
        term, allow = some_predicate(rng)
        selector = rng.choice([["argmax"], ["ordered"], ["sample", 0.7], ["top_k", 3, ["argmax"]]])
        scorer = rng.choice([["zero"], ["neg", ["field", "price_out"]], ["field", "price_out"]])
        policy = ["policy", ["and", ["meets_req"], term], scorer, selector, ["id"], some_plan(rng)]
        return {"policy_ir": policy, "routing_seed": rng.randrange(1000)}, allow, rng.choice(["free", "narrow"])
    if way == 3:
        approved = rng.sample(NAMES, rng.randrange(len(NAMES)))
        strict = rng.random() < 0.5
        state = {"tenant_id": f"t{rng.randrange(9)}", "approved": approved, "strict": strict}
        return (
            {"tenant": state},
            lambda each: each["provider_id"] in approved and (not strict or each["no_log"]),
            rng.choice(["free", "narrow"]),
        )
    if way == 4:
        only, ignored = rng.sample(NAMES, 3), rng.sample(NAMES, 2)
        given = {"only": only, "ignore": ignored, "order": rng.sample(only, 2)}
        if rng.random() < 0.3:
            given["allow_fallbacks"] = False
        family = rng.choice(FAMILIES)
        return (
            {"provider": given, "model": family},
            lambda each: (
                each["model_family"] == family and each["provider_id"] in only and each["provider_id"] not in ignored
            ),
            rng.choice(["free", "narrow"]),
        )
    key = rng.choice(["tenant", "both"])
    return {}, lambda each: each["provider_id"] in ("p1", "p3", "p4") and each["no_log"], key


def sections(envelope: Any = None) -> dict[str, Any]:
    state = {"tenant_id": "bound", "approved": ["p1", "p3", "p4"], "strict": True}
    return {
        "envelope": envelope,
        "keys": [
            key_entry("free", CLIENT_KEYS["free"]),
            key_entry("narrow", CLIENT_KEYS["narrow"], envelope=["not", ["provider_eq", "p1"]]),
            key_entry("tenant", CLIENT_KEYS["tenant"], tenant=state),
            key_entry("both", CLIENT_KEYS["both"], tenant=state, envelope=["not", ["provider_eq", "p3"]]),
        ],
        # Whatever a plan asks for is tried out quickly.
        "limits": {"backoff_ms": 2, "retry_after_s": 0, "first_byte_s": 5, "attempts": 12},
    }


OF_KEY: dict[str | None, Allows] = {
    "narrow": lambda each: each["provider_id"] != "p1",
    "both": lambda each: each["provider_id"] != "p3",
}


class Attacker:
    """Makes calls that fail on script, and remembers whom each of them may reach."""

    def __init__(self, world: Fleet, seed: int, of_operator: Allows) -> None:
        self.world, self.rng, self.of_operator = world, Random(seed), of_operator
        self.script = Script(world)
        self.allowed: dict[str, set[str]] = {}
        self.reached = 0

    async def call(self, failing: list[Reply]) -> None:
        """Make one call whose first attempts fail so."""
        rng = self.rng
        members, allows, key = some_rule(rng)
        marked = mark(rng)
        of_key = OF_KEY.get(key, lambda each: True)
        allowed = {e["id"] for e in OFFERS if allows(e) and of_key(e) and self.of_operator(e)}
        self.allowed[marked] = allowed
        self.script.set(marked, *failing)
        body = {**body_of(marked), **members}
        if "provider" in members:  # where the model is a name that counts, the label cannot be the mark
            body["model"] = members["model"]
            body["user"] = marked
        if rng.random() < 0.5:
            body["stream"] = True
        got = await self.world.chat(body, key=None if key is None else CLIENT_KEYS[key])
        self.world.marks[got.headers["x-tenantrank-trace-id"]] = marked
        assert got.status != 500, got.raw
        if not allowed:
            assert got.status == 422, (members, got.raw)
            assert got.error["code"] == "no_eligible_model"
        elif got.status == 200:
            assert got.offer in allowed
            self.reached += 1

    def check(self) -> None:
        """Hold what the providers got against what the oracle allows."""
        for marked, sent in ledger(self.world).items():
            for offer, recorded in sent:
                assert offer in self.allowed[marked], (marked, offer, recorded.body)


async def attack_with(world: Fleet, seed: int, each: int, of_operator: Allows = lambda each: True) -> None:
    attacker = Attacker(world, seed, of_operator)
    for failure in FAILURES.values():
        for position in range(4):
            for _ in range(each):
                await attacker.call([failure] * position if position < 3 else [failure] * 12)
    attacker.check()
    check_wire(world, *CLIENT_KEYS.values())
    assert attacker.reached > 100
    for mock in world.mocks.values():  # each of them was somebody's best
        assert mock.count > 20


@pytest.mark.parametrize("seed", range(scaled(1, 20)))
def test_no_failure_leads_to_a_provider_that_the_rule_rejects(tmp_path: Path, seed: int) -> None:
    attack(tmp_path, lambda world: attack_with(world, seed, scaled(3, 10)), **sections())


def test_nor_past_the_operators_envelope(tmp_path: Path) -> None:
    def of_operator(each: dict[str, Any]) -> bool:
        return each["provider_id"] != "p0" and each["price_out"] <= 5.0

    async def test(world: Fleet) -> None:
        attacker = Attacker(world, 77, of_operator)
        for number in range(scaled(600, 20_000)):
            failing = [attacker.rng.choice(list(FAILURES.values())) for _ in range(number % 5)]
            await attacker.call(failing)
        attacker.check()
        assert world.p0.count == 0
        assert world.p5.count == 0
        assert world.p1.count > 0

    attack(tmp_path, test, **sections(["and", ["not", ["provider_eq", "p0"]], ["cmp", "price_out", "le", 5.0]]))


def test_nor_when_everything_fails_at_once_under_load(tmp_path: Path) -> None:
    # With breakers that open, plans that disable, and one provider dead altogether.
    async def test(world: Fleet) -> None:
        attacker = Attacker(world, 5, lambda each: True)
        for seed, mock in enumerate(world.mocks.values()):
            mock.break_randomly(0.5, seed)
            mock.respond = None
        await world.p2.refuse()
        for _ in range(scaled(12, 300)):
            await asyncio.gather(*(attacker.call([]) for _ in range(24)))
        for marked, sent in ledger(world).items():
            assert {offer for offer, _ in sent} <= attacker.allowed[marked]
        await world.p2.start()

    async def whole(world: Fleet) -> None:
        await test(world)

    given = {**sections(), "breakers": {"threshold": 3, "open_s": 0.2}}

    async def run() -> None:
        async with asyncio.timeout(60 * scaled(1, 20)), attacks.fleet(tmp_path, **given) as world:
            await whole(world)
            await attacks.settled(world)
            attacks.reconcile(world, down=["p2"])

    attacks.run(run())


def test_a_provider_that_is_down_is_no_way_round(tmp_path: Path) -> None:
    async def test(world: Fleet) -> None:
        rng = Random(3)
        for name in NAMES[1:]:
            world.mocks[name].break_randomly(1.0, 1)
        policy = [
            "policy",
            ["not", ["provider_eq", "p0"]],
            ["zero"],
            ["argmax"],
            ["id"],
            ["always", {"action": "next_candidate"}],
        ]
        for _ in range(20):
            got = await world.chat(body_of(mark(rng), policy_ir=policy))
            assert got.status >= 400
        # The one that is rejected is healthy, and the cheapest.
        assert world.p0.count == 0

    attack(tmp_path, test, breakers={"threshold": 3})


def test_where_redirects_point_nothing_is_sent(tmp_path: Path) -> None:
    async def test(world: Fleet) -> None:
        rng, script = Random(4), Script(world)
        policy = [
            "policy",
            ["provider_eq", "p1"],
            ["zero"],
            ["argmax"],
            ["id"],
            ["always", {"action": "next_candidate"}],
        ]
        here = world.p0.url
        places = (
            f"{here}/chat/completions",
            here.replace("127.0.0.1", "localhost"),
            "/v1/chat/completions",
            "//p0/",
            "file:///etc/passwd",
            "",
        )
        for code in (300, 301, 302, 303, 304, 305, 307, 308):
            for place in places:
                for stream in (False, True):
                    marked = mark(rng)
                    script.set(marked, *[faults.redirect(place, code)] * 12)
                    got = await world.chat(body_of(marked, policy_ir=policy, stream=stream))
                    assert got.status == 502
                    assert b"passwd" not in got.raw
        assert world.p0.count == 0
        # Each of p1's two offers is asked once, at the address in the operator's file.
        assert world.p1.count == 2 * 8 * len(places) * 2
        assert {recorded.path for recorded in world.p1.requests} == {"/v1/chat/completions"}

    attack(tmp_path, test)


def test_dry_runs_call_nobody_and_decide_as_the_call_does(tmp_path: Path) -> None:
    async def test(world: Fleet) -> None:
        rng = Random(11)
        for _ in range(scaled(200, 5000)):
            members, allows, key = some_rule(rng)
            if "provider" in members:
                continue
            body = {**body_of(mark(rng)), **members}
            shown = await world.call("/x/rank", {**body, "k": 100}, key=CLIENT_KEYS[key or "free"])
            assert shown.status == 200
            ranked = [each["offer"] for each in shown.json["ranked"]]
            of_key = OF_KEY.get(key, lambda each: True)
            allowed = {e["id"] for e in OFFERS if allows(e) and of_key(e)}
            assert set(ranked) <= allowed
            sent = sum(world.sent.values())
            got = await world.chat(body, key=CLIENT_KEYS[key or "free"])
            assert sum(world.sent.values()) == sent + bool(ranked)
            assert got.offer == (ranked[0] if ranked else None)
        for path in ("/x/policy/normalize", "/x/policy/compile", "/x/fields", "/x/catalog", "/v1/models"):
            sent = sum(world.sent.values())
            await world.call(path, None if path[3] in "fcm" else body, key=CLIENT_KEYS["tenant"])
            assert sum(world.sent.values()) == sent
        # Nobody without a key learns anything.
        for path in ("/x/rank", "/x/rank/batch", "/x/policy/normalize", "/x/policy/compile"):
            assert (await world.call(path, body)).status == 401
        for path in ("/x/fields", "/x/catalog", "/v1/models", "/x/traces/tr_0"):
            assert (await world.call(path)).status == 401

    attack(tmp_path, test, **sections())


def test_the_oracle_is_no_empty_word() -> None:
    rng = Random(1)
    sizes = [sum(allows(each) for each in OFFERS) for _, allows, _ in (some_rule(rng) for _ in range(500))]
    assert sizes.count(0) > 20
    assert sum(0 < size < len(OFFERS) for size in sizes) > 300
    assert len(KEYS) == len(set(KEYS.values()))
