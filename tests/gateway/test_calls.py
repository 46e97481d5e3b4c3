"""Requests from their first byte to the last of their answer: streams, records, clients that leave, what is told."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tenantrank.testing import KEY_CANARY, PROMPT_CANARY, Reply, faults
from tenantrank.testing.mock import TEXT
from tests.gateway.worlds import (
    CHAT,
    CHEAPEST,
    CLIENT_KEY,
    EMBEDDINGS,
    HELLO,
    OPERATOR_KEY,
    PROMPT,
    PROVIDER_KEYS,
    Got,
    World,
    ask,
    key_entry,
    only,
    run,
)

OTHER_KEY = "trk_other-key-canary-02"


def said(got: Got) -> str:
    """Give the text of a stream, its errors left out."""
    parts = []
    for event in got.events:
        if event != b"data: [DONE]":
            record = json.loads(event.removeprefix(b"data: "))
            parts += [choice["delta"].get("content") or "" for choice in record.get("choices", ())]
    return "".join(parts)


def test_calls__headers_say_how_an_answer_came(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        world.alpha.script(faults.error("server"))
        got = await world.chat()

        assert got.status == 200
        assert got.headers["content-type"] == "application/json"
        assert got.headers["x-tenantrank-trace-id"].startswith("tr_")
        assert got.headers["x-tenantrank-offer"] == "beta"
        assert got.headers["x-tenantrank-attempts"] == "2"
        assert got.headers["x-tenantrank-policy-fingerprint"]
        assert "server" not in got.headers
        assert "x_router" not in got.json
        other = await world.chat(ask(only("beta")))
        for name, differs in (("trace-id", True), ("policy-fingerprint", True), ("offer", False)):
            assert (got.headers[f"x-tenantrank-{name}"] != other.headers[f"x-tenantrank-{name}"]) is differs

    run(tmp_path, test)


def test_calls__an_answer_is_the_providers_own_bytes(tmp_path: Path) -> None:
    body = b'{ "id":"x", "choices":[ {"message":{"content":"\\u00e9"}} ],\n "new":1.0, "usage":{"prompt_tokens":3}}'

    async def test(world: World) -> None:
        world.alpha.script(Reply(body=body), Reply(body=body))
        plain, asked = await world.chat(), await world.chat(ask(x_router=True))

        assert plain.raw == body
        assert asked.raw.startswith(body[:-1] + b',"x_router":{')
        record = asked.json["x_router"]
        assert record["offer"] == "alpha"
        assert record["trace_id"] == asked.headers["x-tenantrank-trace-id"]
        assert record["policy"]["source"] == "policy_ir"
        assert record["policy"]["fingerprint"] == asked.headers["x-tenantrank-policy-fingerprint"]
        assert [attempt["offer"] for attempt in record["attempts"]] == ["alpha"]

    run(tmp_path, test)


def test_calls__a_stream_goes_through_unchanged_and_as_it_comes(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        direct = await world.http.post(
            f"{world.alpha.url}/chat/completions",
            json={**HELLO, "model": "alpha/m-1", "stream": True},
            headers={"authorization": f"Bearer {PROVIDER_KEYS['alpha']}"},
        )
        theirs = await direct.read()
        got = await world.chat(ask(stream=True))

        assert got.headers["content-type"].startswith("text/event-stream")
        assert got.headers["x-tenantrank-offer"] == "alpha"
        assert said(got) == TEXT
        assert got.events[-1] == b"data: [DONE]"
        assert len(got.events) == len([event for event in theirs.split(b"\n\n") if event])

        world.alpha.script(faults.slow_body(each_s=0.05))
        async with world.http.post(world.running.url + CHAT, json=ask(stream=True)) as slow:
            first = await slow.content.readuntil(b"\n\n")
            assert world.alpha.requests[-1].outcome == "open"
            assert first.startswith(b"data: ")
            assert (await slow.read()).endswith(b"data: [DONE]\n\n")

    run(tmp_path, test)


def test_calls__a_record_is_the_last_event_before_the_end(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        world.alpha.script(faults.error("rate_limit"))
        got = await world.chat(ask(stream=True, x_router=True))

        assert got.events[-1] == b"data: [DONE]"
        chunk = json.loads(got.events[-2].removeprefix(b"data: "))
        assert chunk["choices"] == []
        assert chunk["x_router"]["offer"] == "beta"
        assert [attempt["kind"] for attempt in chunk["x_router"]["attempts"]] == ["rate_limit", None]
        assert sum(b"x_router" in event for event in got.events) == 1

    run(tmp_path, test)


def test_calls__what_breaks_before_the_first_event_is_passed_over(tmp_path: Path) -> None:
    broken = (
        faults.cut(0),
        faults.cut(0, how="keep"),
        faults.error_event(0),
        faults.malformed_event(0),
        faults.error("server"),
        faults.hang_up("reset"),
    )

    async def test(world: World) -> None:
        for fault in broken:
            world.alpha.script(fault)
            got = await world.chat(ask(stream=True))
            assert (got.status, got.offer, said(got)) == (200, "beta", TEXT), fault
            assert got.events[-1] == b"data: [DONE]"

    run(tmp_path, test)


def test_calls__what_breaks_after_it_is_an_error_within_the_stream(tmp_path: Path) -> None:
    broken: dict[str, Reply] = {
        "reset": faults.cut(3),
        "closed": faults.cut(3, how="close"),
        "ended as if whole": faults.cut(3, how="keep"),
        "error": faults.error_event(3).but(each_s=0.01),
        "malformed": faults.malformed_event(3).but(each_s=0.01),
        "silent": faults.cut(3, how="stall"),
    }

    async def test(world: World) -> None:
        for number, (name, fault) in enumerate(broken.items(), 1):
            world.alpha.script(fault)
            got = await world.chat(ask(stream=True, x_router=True))

            assert got.status == 200
            assert b"[DONE]" not in got.raw, name
            assert b'"stop"' not in got.raw, name
            last = json.loads(got.events[-1].removeprefix(b"data: "))
            assert set(last) == {"error"}, name
            assert set(last["error"]) >= {"message", "type", "param", "code"}, name
            assert TEXT.startswith(said(got).strip()), name
            line = (await world.logged(number))[-1]
            assert (line["outcome"], line["broke"]) == ("broken", last["error"]["code"]), name
        # What has begun cannot be begun anew elsewhere.
        assert world.sent == {"alpha": len(broken)}

    run(tmp_path, test, limits={"idle_s": 0.3})


def test_calls__nobody_answers(tmp_path: Path) -> None:
    cases: dict[str, tuple[Reply, int, str]] = {
        "server": (faults.error("server"), 502, "exhausted: server_error"),
        "rate limit": (faults.error("rate_limit", retry_after="7"), 429, "exhausted: rate_limit"),
        "context": (faults.error("context"), 400, "exhausted: context_overflow"),
        "filter": (faults.error("content_filter", "azure"), 400, "exhausted: content_filter"),
        "auth": (faults.error("auth"), 502, "exhausted: auth_error"),
        "malformed": (faults.malformed_json(), 502, "exhausted: bad_response"),
        "hang up": (faults.hang_up(), 502, "exhausted: network_error"),
        "redirect": (faults.redirect("http://127.0.0.1:9/"), 502, "exhausted: "),
        "silence": (faults.silence(), 504, "exhausted: timeout"),
    }

    async def test(world: World) -> None:
        for name, (fault, status, reason) in cases.items():
            world.beta.script(fault)
            got = await world.chat(ask(only("beta")))

            assert (got.status, got.error["code"]) == (status, "exhausted"), name
            assert got.error["reason"].startswith(reason), name
            assert set(got.error) >= {"message", "type", "param", "code", "attempts"}
            assert got.headers["x-tenantrank-trace-id"]
            assert got.headers["x-tenantrank-attempts"] == "1"
            assert "x-tenantrank-offer" not in got.headers
            assert KEY_CANARY not in got.raw.decode()
            assert PROMPT_CANARY not in got.raw.decode()
            if name == "rate limit":
                assert got.headers["retry-after"] == "7"
        refused = [line for line in await world.logged(len(cases)) if line["outcome"] == "failed"]
        assert len(refused) == len(cases)
        assert refused[0]["failures"] == ["server_error"]

    run(tmp_path, test, limits={"first_byte_s": 0.3})


def test_calls__no_offer_passes(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        got = await world.chat(ask(only("nobody")))

        assert (got.status, got.error["code"]) == (422, "no_eligible_model")
        assert got.error["deciding"][0]["clause"]
        assert got.headers["x-tenantrank-policy-fingerprint"]
        assert world.sent == {}

    run(tmp_path, test)


REFUSED: list[tuple[Any, int, str]] = [
    (b"", 400, "invalid_json"),
    (b"{", 400, "invalid_json"),
    (b"[]", 400, "invalid_json"),
    (b'{"model":"a","model":"b"}', 400, "invalid_json"),
    (b"\xff{}", 400, "invalid_json"),
    (ask(["policy"]), 400, "invalid_policy"),
    (ask(["policy", ["is", "nonsense"], *CHEAPEST[2:]]), 400, "invalid_policy"),
    (HELLO, 400, "rule_required"),
    (ask(stream="yes"), 400, "invalid_request"),
    (ask(x_router=1), 400, "invalid_request"),
    (ask(tools={}), 400, "invalid_request"),
    (ask(tenant="acme"), 400, "ambiguous_rule"),
    (ask(provider={}), 400, "ambiguous_rule"),
    (ask(extra_body={}), 400, "unsupported_member"),
    (ask(api_base="http://127.0.0.1:9"), 400, "unsupported_member"),
    (b" " * 70_000, 413, "body_too_large"),
]


def test_calls__what_is_refused_before_anybody_is_called(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        for body, status, code in REFUSED:
            got = await world.chat(body)
            assert (got.status, got.error["code"]) == (status, code), body
            assert set(got.error) >= {"message", "type", "param", "code"}
            assert got.error["type"] == "invalid_request_error"
            assert PROMPT not in got.raw.decode()
            assert got.headers["x-tenantrank-trace-id"]
        assert world.sent == {}

    run(tmp_path, test, limits={"body_bytes": 65_536})


def test_calls__clients_that_leave_end_the_call_at_the_provider(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        url = world.running.url + CHAT
        loop = asyncio.get_running_loop()
        for number, (fault, stream) in enumerate(
            ((faults.silence(), False), (faults.silence(), True), (faults.slow_body(each_s=0.02), True)), 1
        ):
            world.alpha.script(fault.but() if fault.raw is not None else faults.endless(0.02))
            if fault.raw is not None:
                with suppress(TimeoutError):
                    async with asyncio.timeout(0.15):
                        await world.http.post(url, json=ask(stream=stream))
            else:
                answer = await world.http.post(url, json=ask(stream=stream))
                await answer.content.readuntil(b"\n\n")
                answer.close()
            left = loop.time()
            await world.alpha.settled(1.0)
            assert loop.time() - left < 10.0
            assert world.alpha.requests[-1].outcome == "left"
            line = (await world.logged(number))[-1]
            assert (line["outcome"], line["status"]) == ("left", 499)
        # Nobody else was asked in place of a call that nobody waits for.
        assert world.sent == {"alpha": 3}
        assert world.running.state.live.per_offer(0.0).get("beta") is None

    run(tmp_path, test)


def test_calls__a_client_that_leaves_while_a_plan_waits(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        plan = ["always", {"action": "retry_same", "attempts": 3, "backoff_ms": 2000}]
        world.alpha.script(*[faults.error("server")] * 4)
        with suppress(TimeoutError):
            async with asyncio.timeout(0.2):
                await world.http.post(world.running.url + CHAT, json=ask(only("alpha", failure_plan=plan)))
        (line,) = await world.logged(1)

        assert line["outcome"] == "left"
        assert world.alpha.count == 1

    run(tmp_path, test)


def test_calls__traces_are_the_callers_own_and_the_operators(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        world.alpha.script(faults.error("server"))
        got = await world.chat(key=CLIENT_KEY)
        path = f"/x/traces/{got.headers['x-tenantrank-trace-id']}"
        own = await world.call(path, key=CLIENT_KEY)
        theirs = await world.call(path, key=OTHER_KEY)
        all_of_it = await world.call(path, operator=True)

        assert own.status == 200
        assert own.json["caller"] == "one"
        assert own.json["offer"] == "beta"
        assert [attempt["kind"] for attempt in own.json["attempts"]] == ["server_error", None]
        assert own.json["ranked"][0]["offer"] == "alpha"
        assert own.json["limits"]["attempts"] == 6
        assert own.json["tokens"]["output"] == len(TEXT.split())
        assert (theirs.status, theirs.error["code"]) == (404, "trace_not_found")
        assert all_of_it.json["attempts"][0]["credential"] == "alpha/KEY_ALPHA"
        assert "credential" not in own.json["attempts"][0]
        for answer in (own, all_of_it):
            assert not any(text in answer.raw.decode() for text in (PROMPT, TEXT, CLIENT_KEY, *PROVIDER_KEYS.values()))
        refused = await world.chat({**ask(), "tenant": "x"}, key=CLIENT_KEY)
        record = await world.call(f"/x/traces/{refused.headers['x-tenantrank-trace-id']}", key=CLIENT_KEY)
        assert (record.json["outcome"], record.json["code"]) == ("refused", "ambiguous_rule")

    run(tmp_path, test, keys=[key_entry("one"), key_entry("two", OTHER_KEY)])


def test_calls__metrics_and_log_tell_of_every_call_and_nothing_of_what_was_said(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        world.alpha.script(faults.error("auth"), Reply(text="answer-canary-3c"))
        for body in (ask(), ask(x_router=True), ask(stream=True), ask(["policy"]), ask(only("nobody"))):
            await world.chat({**body, "user": "user-canary-5e"}, key=CLIENT_KEY)
        await world.call(EMBEDDINGS, {"model": "x", "input": PROMPT, "policy_ir": CHEAPEST}, key=CLIENT_KEY)
        await world.chat(key="trk_stranger-canary-000")
        lines = await world.logged(7)
        metrics = (await world.call("/metrics", operator=True, key=OPERATOR_KEY)).raw.decode()

        assert [line["status"] for line in lines] == [200, 200, 200, 400, 422, 200, 401]
        assert [line["route"] for line in lines] == ["chat"] * 5 + ["embeddings", "chat"]
        assert {line["caller"] for line in lines[:6]} == {"app"}
        assert lines[0]["attempts"] == 2
        assert 'tenantrank_requests_total{code="",route="chat",status="200"} 3.0' in metrics
        assert 'code="no_eligible_model",route="chat",status="422"' in metrics
        assert 'tenantrank_attempts_total{kind="auth_error",provider="alpha"} 1.0' in metrics
        assert 'tenantrank_in_flight{route="chat"} 0.0' in metrics
        assert "tenantrank_fallbacks_total 1.0" in metrics
        secrets = (*PROVIDER_KEYS.values(), CLIENT_KEY, OPERATOR_KEY, "trk_stranger-canary-000", KEY_CANARY)
        for told in (metrics, world.lines.getvalue()):
            for secret in (*secrets, PROMPT, PROMPT_CANARY, "answer-canary-3c", "user-canary-5e"):
                assert secret not in told
        assert "app" not in [part for part in metrics.split('"') if part == "app"]

    server = {"operator_key": "os.environ/OPERATOR_KEY"}
    run(tmp_path, test, keys=[key_entry("app")], server=server)


def test_calls__a_fault_of_the_gateways_own_is_told_by_its_type_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tenantrank.gateway import call

    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError(PROMPT)

    async def test(world: World) -> None:
        monkeypatch.setattr(call, "request_of", fail)
        got = await world.chat()

        assert (got.status, got.error["code"]) == (500, "internal_error")
        assert PROMPT not in got.raw.decode() + world.lines.getvalue()
        (fault,) = await world.logged(1, "fault")
        assert fault["error"] == "RuntimeError"

    run(tmp_path, test)


def test_calls__keys_and_their_limits(tmp_path: Path) -> None:
    keys = [
        key_entry("app", rate={"requests_per_minute": 1, "burst": 2}),
        key_entry("reader", OTHER_KEY, routes=["models"]),
    ]

    async def test(world: World) -> None:
        cases: list[tuple[dict[str, Any], int, str]] = [
            ({}, 401, "missing_api_key"),
            ({"key": "trk_nobodys-key-000001"}, 401, "invalid_api_key"),
            ({"key": CLIENT_KEY, "headers": {"x-api-key": CLIENT_KEY}}, 401, "ambiguous_credentials"),
            ({"key": OTHER_KEY}, 403, "not_permitted"),
        ]
        for options, status, code in cases:
            got = await world.chat(**options)
            assert (got.status, got.error["code"]) == (status, code)
            assert ("www-authenticate" in got.headers) is (status == 401)
        assert (await world.call("/v1/models", key=OTHER_KEY)).status == 200
        assert (await world.chat(headers={"api-key": CLIENT_KEY})).status == 200
        assert (await world.chat(key=CLIENT_KEY)).headers["x-ratelimit-limit-requests"]
        got = await world.chat(key=CLIENT_KEY)
        assert (got.status, got.error["code"]) == (429, "rate_limit_exceeded")
        assert int(got.headers["retry-after"]) > 0
        assert world.sent == {"alpha": 2}

    run(tmp_path, test, keys=keys)


def test_calls__an_attestation_that_ends_at_midnight_ends_all_calls_until_the_reload(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moment = datetime(2026, 3, 31, 23, 59, 59, tzinfo=UTC)
    monkeypatch.setattr("tenantrank.gateway.server.utc_now", lambda: moment)
    (tmp_path / "overlay.yaml").write_text(
        "attestations:\n  - match: {provider_id: gamma}\n    set: {no_log: true}\n    contract: C-1\n"
        "    verified_at: 2026-01-01\n    valid_until: 2026-03-31\n"
    )
    private = ["policy", ["and", ["is", "no_log"], ["provider_eq", "gamma"]], *CHEAPEST[2:]]

    async def test(world: World) -> None:
        nonlocal moment
        assert (await world.chat(ask(private))).offer == "gamma"
        world.alpha.script(faults.silence())
        waiting = asyncio.create_task(world.chat(ask(["policy", ["not", ["provider_eq", "beta"]], *CHEAPEST[2:]])))
        await world.alpha.arrived(1)
        moment = datetime(2026, 4, 1, tzinfo=UTC)
        got, ready = await world.chat(), await world.call("/ready")
        assert (got.status, got.error["code"]) == (503, "catalog_lapsed")
        assert ready.status == 503
        # Nor does a call under way go on to another offer.
        await world.drop("alpha")
        assert (await waiting).status in (502, 503)
        assert world.sent == {"gamma": 1, "alpha": 1}

        await world.running.state.reload(changed_only=True)
        assert (await world.chat()).offer == "alpha"
        assert (await world.chat(ask(private))).error["code"] == "no_eligible_model"
        assert (await world.call("/ready")).status == 200

    run(tmp_path, test, catalog={"file": "catalog.json", "overlay": "overlay.yaml"})


def test_calls__a_slow_request_is_not_waited_for(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        host, port = world.running.url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(
            b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
            b"content-length: 100\r\n\r\n{"
        )
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()

        assert answer.startswith(b"HTTP/1.1 408 ")
        assert b"request_timeout" in answer

    run(tmp_path, test, server={"body_s": 0.2})


def test_calls__a_body_that_never_comes_is_a_client_that_left(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        host, port = world.running.url.removeprefix("http://").split(":")
        _, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100\r\n\r\n{")
        await writer.drain()
        await asyncio.sleep(0.05)
        writer.close()
        await writer.wait_closed()
        (line,) = await world.logged(1)

        assert (line["outcome"], line["status"]) == ("left", 499)

    run(tmp_path, test)


def test_calls__many_at_once_do_not_mix(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        for mock in world.mocks.values():
            mock.respond = lambda recorded: Reply(text=f"to {recorded.json['messages'][0]['content']}")

        async def one(number: int) -> None:
            name = ("alpha", "beta", "gamma")[number % 3]
            body = {**ask(only(name)), "messages": [{"role": "user", "content": f"number {number}"}]}
            got = await world.chat(body)
            assert (got.offer, got.text) == (name, f"to number {number}")

        await asyncio.gather(*(one(number) for number in range(60)))

    run(tmp_path, test)
