"""One call at its providers: what is sent where, in which order, and what a change of the catalog in between does."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from tenantrank.policy import builder
from tenantrank.testing import Reply, faults
from tests.gateway.worlds import (
    CHAT,
    CHEAPEST,
    CLIENT_KEY,
    HELLO,
    OFFERS,
    PROMPT,
    PROVIDER_KEYS,
    World,
    ask,
    key_entry,
    only,
    run,
    write_catalog,
)

RAW = (
    '{ "temperature":0.70,\n "policy_ir": %s , "messages":[{"role":"user","content":"h\\u00e9 \\/ "}],"new_member":'
    '{"a": [1.0, 1e2,\t"x"]}, "model" : "label","x_router":false,"routing_seed":7,"requirements":{"needs":[]},'
    '"scope":null, "tools":[{"type":"function","function":{"name":"f"}}]}'
)


def test_call__the_bytes_that_a_provider_gets_are_the_clients_own(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        got = await world.chat((RAW % json.dumps(CHEAPEST)).encode())

        assert got.status == 200
        (sent,) = world.alpha.requests
        assert sent.body == (
            b'{ "temperature":0.70 , "messages":[{"role":"user","content":"h\\u00e9 \\/ "}],"new_member":'
            b'{"a": [1.0, 1e2,\t"x"]}, "model" : "alpha/m-1", "tools":[{"type":"function","function":{"name":"f"}}]}'
        )

    run(tmp_path, test)


def test_call__no_header_of_the_client_reaches_a_provider(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        theirs = {"user-agent": "client/1", "cookie": "a=b", "x-api-version": "1", "openai-organization": "org"}
        got = await world.chat(key=CLIENT_KEY, headers=theirs | {"traceparent": f"00-{'1' * 32}-{'2' * 16}-01"})

        assert got.status == 200
        (sent,) = world.alpha.requests
        assert [value for name, value in sent.headers if name == "authorization"] == [
            f"Bearer {PROVIDER_KEYS['alpha']}"
        ]
        names = {name for name, _ in sent.headers}
        assert not names & {"cookie", "x-api-version", "openai-organization", "traceparent", "x-forwarded-for"}
        assert str(sent.header("user-agent")).startswith("tenantrank/")
        assert CLIENT_KEY.encode() not in sent.raw
        assert b"client/1" not in sent.raw

    run(tmp_path, test, keys=[key_entry("app")])


def test_call__goes_down_the_ranked_offers(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        world.alpha.script(faults.error("server"))
        world.beta.script(faults.hang_up())
        got = await world.chat()

        assert (got.status, got.offer, got.headers["x-tenantrank-attempts"]) == (200, "gamma", "3")
        assert world.sent == {"alpha": 1, "beta": 1, "gamma": 1}
        assert world.gamma.requests[0].json["model"] == "m-2"

    run(tmp_path, test)


def test_call__no_path_leads_to_an_offer_that_the_rule_rejects(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        for mock in (world.alpha, world.alpha_eu):
            mock.break_randomly(1.0, 1)
        for stream in (False, True):
            got = await world.chat(ask(only("alpha"), stream=stream))
            assert got.error["code"] == "exhausted"
        # Alpha's European offer is the same provider's, and so within the rule.
        assert world.sent == {"alpha": 2, "alpha_eu": 2}

    run(tmp_path, test)


def test_call__an_offer_of_a_region_is_called_at_that_regions_endpoint_alone(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        rule = builder.policy(builder.f.price_out >= 4, builder.cheapest("price_out"))
        got = await world.chat(ask(rule))

        assert got.offer == "eu"
        assert world.sent == {"alpha_eu": 1}
        assert world.alpha_eu.requests[0].header("authorization") == f"Bearer {PROVIDER_KEYS['alpha_eu']}"
        # There is an offer for "us", cheaper than all, and no endpoint for it.
        assert (await world.chat(ask(builder.policy(builder.f.price_out <= 0.5)))).status == 422

    run(tmp_path, test)


def test_call__transforms_are_applied_for_the_offer_of_each_attempt(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        transform = ["when", ["provider_eq", "beta"], ["set_param", "temperature", 0.25]]
        world.alpha.script(faults.error("server"))
        got = await world.chat(ask(only("alpha", "beta", transform=transform), temperature=1))

        assert (got.status, got.offer) == (200, "beta")
        assert world.alpha.requests[0].json["temperature"] == 1
        assert world.beta.requests[0].json["temperature"] == 0.25
        assert world.beta.requests[0].json["messages"] == HELLO["messages"]

    run(tmp_path, test)


def test_call__no_retention_is_told_on_the_wire_where_the_rule_needs_it(tmp_path: Path) -> None:
    def told(file: dict[str, Any]) -> dict[str, Any]:
        file["alpha"]["kind"], file["beta"]["kind"] = "openrouter", "openai"
        return file

    async def test(world: World) -> None:
        world.rewrite(providers=told(world.file["providers"]))
        await world.running.state.reload()
        private = builder.policy(builder.meets_request & builder.is_("no_log"), builder.cheapest("price_out"))
        assert (await world.chat(ask(private, store=True, metadata={"a": "b"}))).offer == "beta"
        assert (await world.chat(ask(only("beta"), store=True))).offer == "beta"
        first, second = world.beta.requests
        assert first.json["store"] is False
        assert second.json["store"] is True

        days = builder.policy(builder.f.retention_days <= 0, builder.cheapest("price_out"))
        assert (await world.chat(ask(days))).offer == "alpha"
        assert world.alpha.requests[-1].json["provider"] == {"data_collection": "deny", "zdr": True}
        assert (await world.chat(ask(only("alpha")))).status == 200
        assert "provider" not in world.alpha.requests[-1].json

    offers = [{**OFFERS[0], "retention_days": 0.0}, *OFFERS[1:]]

    async def prepared(world: World) -> None:
        write_catalog(tmp_path, offers)
        await test(world)

    run(tmp_path, prepared)


def test_call__what_it_needs_is_derived_from_its_body(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        offers = [{**OFFERS[0], "capabilities": {"context": 8_000, "supports_tools": False}}, *OFFERS[1:]]
        write_catalog(tmp_path, offers)
        await world.running.state.reload()

        assert (await world.chat()).offer == "alpha"
        tools = [{"type": "function", "function": {"name": "f", "parameters": {}}}]
        assert (await world.chat(ask(tools=tools))).offer == "beta"
        assert (await world.chat(ask(max_tokens=50_000))).offer == "beta"
        image = [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]
        seen = await world.chat({**ask(), "messages": [{"role": "user", "content": image}]})
        assert seen.error["code"] == "no_eligible_model"

    run(tmp_path, test)


def test_call__an_embedding_goes_to_offers_that_make_them(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        got = await world.call("/v1/embeddings", {"model": "any", "input": [PROMPT, "b"], "policy_ir": CHEAPEST})

        assert (got.status, got.offer) == (200, "embed")
        assert len(got.json["data"]) == 2
        (sent,) = world.beta.requests
        assert sent.path.endswith("/embeddings")
        assert sent.json == {"model": "e-1", "input": [PROMPT, "b"]}

    run(tmp_path, test)


# What happens to a call when the catalog changes under it.


def without(*names: str) -> list[dict[str, Any]]:
    return [offer for offer in OFFERS if offer["id"] not in names]


async def swapped(world: World, offers: list[dict[str, Any]] | None = None, **sections: Any) -> None:
    if offers is not None:
        write_catalog(world.path.parent, offers)
    world.rewrite(**sections)
    await world.running.state.reload(force=True)


REVOCATIONS: dict[str, tuple[list[dict[str, Any]] | None, dict[str, Any]]] = {
    "the offer is gone": (without("beta"), {}),
    "the rule rejects it": ([{**offer, "no_log": False} for offer in OFFERS], {}),
    "the operator's envelope": (None, {"envelope": ["not", ["provider_eq", "beta"]]}),
    "the account is gone": (None, {"providers": {}}),
    "the key's envelope": (None, {"keys": [key_entry("app", envelope=["not", ["provider_eq", "beta"]])]}),
    "the key is gone": (None, {"keys": [key_entry("other")]}),
    "the key's routes": (None, {"keys": [key_entry("app", routes=["models"])]}),
    "the key's ways": (None, {"keys": [key_entry("app", ways=["tenant"])]}),
}


def test_call__an_offer_that_is_revoked_between_two_attempts_is_not_called(tmp_path: Path) -> None:
    rule = builder.policy(
        builder.provider.is_in("alpha") | builder.is_("no_log") & builder.provider.is_in("beta"),
        builder.cheapest("price_out"),
    )

    async def test(world: World) -> None:
        usual = dict(world.file)
        kept = {name: given for name, given in usual["providers"].items() if name != "beta"}
        for case, (offers, sections) in REVOCATIONS.items():
            await swapped(world, OFFERS, **usual, envelope=None)
            world.alpha.reset()
            world.alpha.script(faults.silence())
            waiting = asyncio.create_task(world.chat(ask(rule), key=CLIENT_KEY))
            await world.alpha.arrived(1)
            await swapped(world, offers, **{**sections, **({"providers": kept} if "providers" in sections else {})})
            await world.drop("alpha")
            got = await waiting

            assert got.status in (200, 502), case
            # Alpha's second offer is still permitted in some of the cases.
            assert set(world.sent) <= {"alpha", "alpha_eu"}, case
            trace = (await world.call(f"/x/traces/{got.headers['x-tenantrank-trace-id']}", operator=True)).json
            skipped = [event for event in trace["events"] if event["event"] == "skipped"]
            assert {"beta": "not_permitted"}.items() <= {
                event["offer_id"]: event["reason"] for event in skipped
            }.items(), case

    run(tmp_path, test, keys=[key_entry("app")])


def test_call__a_swap_that_revokes_nothing_stops_nothing(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        world.alpha.script(faults.silence())
        waiting = asyncio.create_task(world.chat(ask(only("alpha", "beta"))))
        await world.alpha.arrived(1)
        await swapped(world, [*OFFERS, {**OFFERS[0], "id": "more", "price_out": 0.01}])
        await world.drop("alpha")
        got = await waiting

        assert (got.status, got.offer) == (200, "beta")
        assert world.beta.count == 1

    run(tmp_path, test)


def test_call__a_swap_between_the_decision_and_the_first_attempt_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tenantrank.gateway import call as module

    async def test(world: World) -> None:
        write_catalog(tmp_path, without("alpha"))
        state = world.running.state
        made = (await asyncio.to_thread(state._remade))[1]
        walk = module.walk

        async def after_a_swap(*arguments: Any, **options: Any) -> Any:
            state.now = made
            return await walk(*arguments, **options)

        monkeypatch.setattr(module, "walk", after_a_swap)
        got = await world.chat()

        assert (got.status, got.offer) == (200, "beta")
        assert world.alpha.count == 0

    run(tmp_path, test)


def test_call__after_a_swap_the_new_address_and_key_are_used(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        world.alpha.script(faults.silence())
        waiting = asyncio.create_task(world.chat(ask(only("alpha", "beta"))))
        await world.alpha.arrived(1)
        providers = json.loads(json.dumps(world.file["providers"]))
        providers["beta"] = {**providers["beta"], "base_url": world.gamma.url, "key": "os.environ/KEY_GAMMA"}
        await swapped(world, None, providers=providers)
        await world.drop("alpha")
        got = await waiting

        assert (got.status, got.offer) == (200, "beta")
        assert world.sent == {"alpha": 1, "gamma": 1}

    run(tmp_path, test)


def test_call__a_retry_is_made_at_the_same_offer_and_counted_apart(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        rule = only("beta", failure_plan=["always", {"action": "retry_same", "attempts": 1}])
        world.beta.script(faults.error("server"))
        got = await world.chat(ask(rule, x_router=True))

        assert got.status == 200
        assert got.json["x_router"]["retries"] == 1
        assert got.json["x_router"]["fallbacks"] == 0

    run(tmp_path, test)


def test_call__a_plan_that_gives_up_tries_nothing_more(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        world.alpha.script(faults.error("context"))
        rule = only("alpha", "beta", failure_plan=["always", {"action": "abort"}])
        got = await world.chat(ask(rule))

        assert (got.status, got.error["code"]) == (400, "context_length_exceeded")
        assert world.sent == {"alpha": 1}

    run(tmp_path, test)


def test_call__disable_provider_reaches_its_own_tenant_alone(tmp_path: Path) -> None:
    disabling = only("alpha", "beta", failure_plan=["always", {"action": "disable_provider"}])
    keys = [key_entry("one"), key_entry("two", "trk_second-key-000001")]

    async def test(world: World) -> None:
        world.alpha.script(faults.error("server"))
        assert (await world.chat(ask(disabling), key=CLIENT_KEY)).offer == "beta"
        assert (await world.chat(ask(disabling), key=CLIENT_KEY)).offer == "beta"
        assert (await world.chat(ask(disabling), key="trk_second-key-000001")).offer == "alpha"

    run(tmp_path, test, keys=keys)


def test_call__breakers_open_for_all_after_failures_of_several_callers(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        world.alpha.script(*[faults.error("server")] * 4)
        for key in (CLIENT_KEY, "trk_second-key-000001"):
            for _ in range(2):
                await world.chat(ask(only("alpha", "beta")), key=key)
        tried = world.alpha.count
        got = await world.chat(ask(only("alpha", "beta")), key=CLIENT_KEY)

        assert got.offer == "beta"
        assert world.alpha.count == tried
        nobody = await world.chat(ask(builder.policy(builder.f.price_out <= 1)), key=CLIENT_KEY)
        assert (nobody.status, nobody.error["code"]) == (503, "exhausted")
        assert 1 <= int(nobody.headers["retry-after"]) <= 30

    keys = [key_entry("one"), key_entry("two", "trk_second-key-000001")]
    run(tmp_path, test, keys=keys, breakers={"threshold": 2, "open_s": 30})


def test_call__a_clients_fault_opens_no_breaker(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        world.alpha.script(*[faults.error("bad_request")] * 3)
        for _ in range(3):
            await world.chat(ask(only("alpha")))
        assert (await world.chat(ask(only("alpha")))).offer == "alpha"

    run(tmp_path, test, breakers={"threshold": 1, "callers": 1})


def test_call__limits_of_the_operator_end_a_plan(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        for name in ("alpha", "beta", "gamma"):
            world.mocks[name].script(faults.error("server"))
        got = await world.chat()

        assert (got.status, got.error["code"]) == (502, "exhausted")
        assert got.error["cut"] == "attempts"
        assert world.sent == {"alpha": 1, "beta": 1}

    run(tmp_path, test, limits={"attempts": 2})


def test_call__a_slow_provider_is_given_up_in_time(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        world.alpha.script(faults.silence())
        got = await world.chat(ask(only("alpha", "beta")))

        assert (got.status, got.offer) == (200, "beta")
        await world.alpha.settled(1.0)
        assert world.alpha.requests[0].outcome == "left"

    run(tmp_path, test, limits={"first_byte_s": 0.2})


def test_call__live_state_comes_of_the_traffic(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        world.alpha.script(Reply(), faults.error("server"))
        for _ in range(2):
            await world.chat(ask(only("alpha", "beta")))
        found = (await world.call("/x/live", operator=True)).json

        assert found["offers"]["alpha"]["success_rate_ewma"] == pytest.approx(0.5, abs=0.01)
        assert found["offers"]["beta"]["success_rate_ewma"] == 1.0
        assert found["offers"]["alpha"]["ema_latency_ms"] > 0

    run(tmp_path, test, live={"least": 0.5, "refresh_s": 0})


def test_call__the_path_is_that_of_openai(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        assert (await world.call(CHAT, ask())).status == 200
        assert world.alpha.requests[0].target == "/v1/chat/completions"

    run(tmp_path, test)
