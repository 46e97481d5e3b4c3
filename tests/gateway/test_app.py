"""Routes over real sockets: every way to a rule, dry runs beside the calls they stand for, and who may ask what."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tenantrank.policy import builder
from tenantrank.testing import faults
from tests.gateway.worlds import (
    CHAT,
    CHEAPEST,
    CLIENT_KEY,
    EMBEDDINGS,
    HELLO,
    OPERATOR_KEY,
    PROMPT,
    World,
    ask,
    key_entry,
    only,
    run,
)

OTHER_KEY = "trk_other-key-canary-02"
BOOK: dict[str, Any] = {"rulebook": "rules.yaml", "tenants": "tenants.csv"}
WAYS: list[tuple[dict[str, Any], str, str]] = [
    ({"policy_ir": only("beta")}, "policy_ir", "beta"),
    ({"tenant": {"plan": "paid"}}, "tenant", "alpha"),
    ({"tenant": {"plan": "free", "tenant_id": "own-name"}}, "tenant", "gamma"),
    ({"tenant": "acme"}, "tenant", "alpha"),
    ({"tenant": "frugal"}, "tenant", "gamma"),
    ({"provider": {"only": ["beta"]}, "model": "m-1"}, "provider", "beta"),
    ({"provider": {"order": ["beta"]}, "model": "m-1"}, "provider", "beta"),
    (
        {"provider": {"max_price": {"completion": 3.5}, "ignore": ["alpha", "beta"]}, "model": "m-2"},
        "provider",
        "gamma",
    ),
    ({}, "default", "gamma"),
]


def test_app__every_way_to_a_rule_and_its_dry_run(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        for rule, source, offer in WAYS:
            body = {**HELLO, **rule, "x_router": True}
            got = await world.chat(body)
            assert (got.status, got.offer) == (200, offer), rule
            shown = got.json["x_router"]
            assert shown["policy"]["source"] == source
            assert ("term" in shown["policy"]) is (source == "provider")
            called = dict(world.sent)

            dry = (await world.call("/x/rank", {**HELLO, **rule, "k": 100})).json
            trace = (await world.call(f"/x/traces/{shown['trace_id']}")).json
            assert [each["offer"] for each in dry["ranked"]] == [each["offer"] for each in trace["ranked"]], rule
            assert [each["score"] for each in dry["ranked"]] == [each["score"] for each in trace["ranked"]]
            assert dry["policy"]["fingerprint"] == got.headers["x-tenantrank-policy-fingerprint"]
            assert dry["tenant"] == trace["tenant"]
            assert dry["catalog_id"] == trace["catalog_id"]
            assert dry["survivors"] == trace["survivors"] == shown["survivors"]
            assert dry["request"] == trace["request"]
            assert world.sent == called
        assert (await world.call("/x/rank", {**HELLO, "tenant": "acme"})).json["tenant"] == "acme"

    run(tmp_path, test, **BOOK, default=only("gamma"))


def test_app__two_rules_at_once_are_refused(tmp_path: Path) -> None:
    rules: list[dict[str, Any]] = [{"policy_ir": CHEAPEST}, {"tenant": "acme"}, {"provider": {"only": ["beta"]}}]

    async def test(world: World) -> None:
        for one in rules:
            for path in (CHAT, "/x/rank"):
                own = await world.call(path, {**HELLO, **one}, key=CLIENT_KEY)
                assert (own.status, own.error["code"]) == (400, "ambiguous_rule"), one
                for other in rules:
                    if one is not other:
                        got = await world.call(path, {**HELLO, **one, **other}, key=OTHER_KEY)
                        assert (got.status, got.error["code"]) == (400, "ambiguous_rule")
                        assert got.error["param"] in {*one, *other}
        assert world.sent == {}

    run(tmp_path, test, **BOOK, keys=[key_entry("bound", tenant="acme"), key_entry("free", OTHER_KEY)])


def test_app__a_key_that_stands_for_a_tenant(tmp_path: Path) -> None:
    keys = [
        key_entry("known", tenant="frugal"),
        key_entry("state", OTHER_KEY, tenant={"plan": "paid", "most": 2}),
    ]

    async def test(world: World) -> None:
        assert (await world.chat(HELLO, key=CLIENT_KEY)).offer == "gamma"
        assert (await world.chat(HELLO, key=OTHER_KEY)).offer == "alpha"
        models = (await world.call("/v1/models", key=CLIENT_KEY)).json["data"]
        assert [model["id"] for model in models] == ["m-2"]

    run(tmp_path, test, **BOOK, keys=keys)


def test_app__what_a_key_may_not_choose(tmp_path: Path) -> None:
    keys = [key_entry("tenants", ways=["tenant"]), key_entry("default", OTHER_KEY, ways=["default"])]

    async def test(world: World) -> None:
        assert (await world.chat(ask(), key=CLIENT_KEY)).error["code"] == "not_permitted"
        assert (await world.chat({**HELLO, "tenant": "acme"}, key=CLIENT_KEY)).status == 200
        assert (await world.chat(HELLO, key=CLIENT_KEY)).error["code"] == "rule_required"
        assert (await world.chat(HELLO, key=OTHER_KEY)).offer == "gamma"
        assert (await world.chat({**HELLO, "tenant": "acme"}, key=OTHER_KEY)).status == 403
        for tenant in ("nobody", "broken", 7, {"plan": "gold"}, {"plam": "paid"}):
            got = await world.chat({**HELLO, "tenant": tenant}, key=CLIENT_KEY)
            assert (got.status, got.error["code"]) == (400, "invalid_tenant")

    run(tmp_path, test, **BOOK, keys=keys, default=only("gamma"))


def test_app__envelopes_of_the_operator_and_of_a_key(tmp_path: Path) -> None:
    keys = [key_entry("narrow", envelope=["not", ["provider_eq", "beta"]]), key_entry("wide", OTHER_KEY)]

    async def test(world: World) -> None:
        assert (await world.chat(key=OTHER_KEY)).offer == "beta"
        assert (await world.chat(key=CLIENT_KEY)).offer == "gamma"
        world.gamma.break_randomly(1.0, 1)
        assert (await world.chat(key=CLIENT_KEY)).error["code"] == "exhausted"
        got = await world.chat(ask(only("alpha")), key=OTHER_KEY)
        assert got.error["code"] == "no_eligible_model"
        # What the operator permits is not told in detail.
        assert "provider_eq" not in json.dumps(got.error["deciding"]).replace('(provider_eq "alpha")', "")
        assert world.sent == {"beta": 1, "gamma": 2}
        dry = (await world.call("/x/rank", ask(offers=["alpha", "gamma"]), key=CLIENT_KEY)).json
        assert [each["offer"] for each in dry["ranked"]] == ["gamma"]
        assert [each["outcome"] for each in dry["asked"]] == ["not_available", "ranked"]
        for path, key, names in (
            ("/v1/models", CLIENT_KEY, ["m-2"]),
            ("/v1/models", OTHER_KEY, ["e-1", "m-1", "m-2"]),
        ):
            assert [model["id"] for model in (await world.call(path, key=key)).json["data"]] == names
        short = (await world.call("/x/catalog", key=CLIENT_KEY)).json
        assert [each["id"] for each in short["providers"]] == ["gamma"]
        assert "alpha" not in json.dumps(short)

    run(tmp_path, test, keys=keys, envelope=["not", ["provider_eq", "alpha"]])


def test_app__models(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        got = (await world.call("/v1/models")).json

        assert got["object"] == "list"
        assert {model["id"]: model["routes"] for model in got["data"]} == {
            "e-1": ["embeddings"],
            "m-1": ["chat"],
            "m-2": ["chat"],
        }
        assert {"id", "object", "created", "owned_by"} <= set(got["data"][0])
        assert (await world.call("/v1/models/m-1")).json["providers"] == ["alpha", "beta"]
        missing = await world.call("/v1/models/vendor/m-9")
        assert (missing.status, missing.error["code"]) == (404, "model_not_found")

    run(tmp_path, test)


def test_app__an_embedding_and_its_dry_run(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        body = {"model": "any", "input": PROMPT, "policy_ir": CHEAPEST}
        got = await world.call(EMBEDDINGS, {**body, "x_router": True})
        dry = (await world.call("/x/rank", {**body, "endpoint": "embeddings"})).json

        assert got.json["x_router"]["offer"] == dry["ranked"][0]["offer"] == "embed"
        assert len(got.json["data"][0]["embedding"]) == 8
        nobody = await world.call(EMBEDDINGS, {**body, "policy_ir": only("alpha")})
        assert nobody.error["code"] == "no_eligible_model"
        chat = await world.call(CHAT, ask(builder.policy(builder.family == "e-1")))
        assert chat.error["code"] == "no_eligible_model"

    run(tmp_path, test)


def test_app__dry_runs_call_nobody(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        batch = await world.call("/x/rank/batch", {"requests": [ask(), ask(["policy"]), ask(only("nobody"))]})
        first, second, third = batch.json["data"]
        assert first["ranked"][0]["offer"] == "alpha"
        assert second["error"]["code"] == "invalid_policy"
        assert third["survivors"] == 0
        normal = (await world.call("/x/policy/normalize", {"policy_ir": CHEAPEST})).json
        assert normal["term"][0] == "policy"
        compiled = (await world.call("/x/policy/compile", {"tenant": "frugal"})).json
        assert "frugal" in json.dumps(compiled["clauses"])
        fields = (await world.call("/x/fields")).json
        assert {"price_out", "reachable_chat"} <= {field["name"] for field in fields["data"]}
        rejected = (await world.call("/x/rank", ask(only("beta"), rejected=10))).json
        assert {each["offer"] for each in rejected["rejected"]["offers"]} == {"alpha", "gamma", "eu"}
        assert world.sent == {}

    run(tmp_path, test, **BOOK)


def test_app__what_there_is_not(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        for path in ("/", "/v1/chat", "/v1/completions", "/x/reload", "/metrics", "/x/live", "/v1/chat/completions/"):
            got = await world.call(path)
            assert (got.status, got.error["code"]) == (404, "unknown_route"), path
            assert got.headers["content-type"] == "application/json"
        for path, method, allowed in (
            (CHAT, "GET", "POST"),
            (EMBEDDINGS, "PUT", "POST"),
            ("/v1/models", "POST", "GET"),
            ("/x/rank", "DELETE", "POST"),
        ):
            got = await world.call(path, method=method)
            assert (got.status, got.error["code"]) == (405, "method_not_allowed"), path
            assert allowed in got.headers["allow"]
        for path in (CHAT, "/v1/models", "/x/rank"):
            got = await world.call(path, operator=True)
            assert got.status == 404, path

    run(tmp_path, test)


def test_app__health_and_the_document_need_no_key(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        assert (await world.call("/health")).json == {"status": "alive"}
        ready = (await world.call("/ready")).json
        assert ready["status"] == "ready"
        assert (await world.call("/openapi.json")).json["openapi"].startswith("3.1")
        for path in ("/v1/models", "/x/fields", "/x/catalog", f"/x/traces/tr_{'0' * 26}"):
            got = await world.call(path)
            assert (got.status, got.error["code"]) == (401, "missing_api_key"), path
        for path in (CHAT, EMBEDDINGS, "/x/rank", "/x/rank/batch", "/x/policy/normalize", "/x/policy/compile"):
            assert (await world.call(path, {})).status == 401, path

    run(tmp_path, test, keys=[key_entry("app")])


def test_app__the_operators_listener_is_guarded_by_its_key(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        for path, method in (
            ("/metrics", "GET"),
            ("/x/live", "GET"),
            ("/x/reload", "POST"),
            (f"/x/traces/tr_{'0' * 26}", "GET"),
        ):
            for options in (
                {},
                {"key": CLIENT_KEY},
                {"key": OPERATOR_KEY + "x"},
                {"headers": {"x-api-key": OPERATOR_KEY}},
            ):
                got = await world.call(path, operator=True, method=method, **options)
                assert (got.status, got.error["code"]) == (401, "invalid_api_key"), (path, options)
            assert (await world.call(path, operator=True, method=method, key=OPERATOR_KEY)).status in (200, 404)
        assert (await world.call("/health", operator=True)).status == 200
        assert (await world.call("/ready", operator=True)).status == 200
        # The operator's key is nobody's among clients.
        assert (await world.chat(key=OPERATOR_KEY)).status == 401
        assert OPERATOR_KEY not in world.lines.getvalue()

    run(tmp_path, test, keys=[key_entry("app")], server={"operator_key": "os.environ/OPERATOR_KEY"})


def test_app__what_operators_see_of_the_traffic(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        world.alpha.script(*[faults.error("server")] * 2)
        for _ in range(2):
            await world.chat(ask(only("alpha", "beta")))
        live = (await world.call("/x/live", operator=True)).json
        metrics = (await world.call("/metrics", operator=True)).raw.decode()

        assert {"generation", "catalog_id", "health", "offers", "breakers"} <= set(live)
        assert {"part": "provider", "name": "alpha", "state": "open"} in live["breakers"]
        assert live["health"]["breakers"]["alpha"] is True
        assert 'name="alpha"' in metrics
        missing = await world.call(f"/x/traces/tr_{'0' * 26}", operator=True)
        assert (missing.status, missing.error["code"]) == (404, "trace_not_found")

    run(tmp_path, test, breakers={"threshold": 2, "callers": 1}, live={"refresh_s": 0})


def test_app__dry_runs_too_end_with_an_attestation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from datetime import UTC, datetime

    moment = datetime(2026, 3, 31, 23, 59, 59, tzinfo=UTC)
    monkeypatch.setattr("tenantrank.gateway.server.utc_now", lambda: moment)
    (tmp_path / "overlay.yaml").write_text(
        "attestations:\n  - match: {provider_id: gamma}\n    set: {no_log: true}\n    contract: C-1\n"
        "    verified_at: 2026-01-01\n    valid_until: 2026-03-31\n"
    )

    async def test(world: World) -> None:
        nonlocal moment
        assert (await world.call("/x/rank", ask())).status == 200
        moment = datetime(2026, 4, 1, tzinfo=UTC)
        got = await world.call("/x/rank", ask())
        assert (got.status, got.error["code"]) == (503, "catalog_lapsed")

    run(tmp_path, test, catalog={"file": "catalog.json", "overlay": "overlay.yaml"})
