"""The durable trace behind the gateway: on disk before a request leaves, found later, and calls refused without it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tenantrank.errors import InputError, TraceError
from tenantrank.gateway.durable import Durable, TraceSettings
from tenantrank.testing import MockProvider, Reply, running
from tenantrank.trace.reader import Reader
from tenantrank.trace.replay import replay
from tenantrank.trace.verify import verify
from tests.gateway.worlds import (
    CHEAPEST,
    CLIENT_KEY,
    PROMPT,
    World,
    ask,
    file_of,
    key_entry,
    only,
    run,
    world,
    write_files,
)

TRACE = {"file": "trace.db"}
KILLS = 200 if os.environ.get("TENANTRANK_LONG") else 2


def records(folder: Path) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    with Reader.open(folder / "trace.db") as store:
        for stored in store.records():
            if stored.record["kind"] != "note":
                found.setdefault(stored.record["id"], []).append(stored.record)
    return found


def test_call__leaves_a_decision_and_its_attempts_that_replay_to_the_same_bits(tmp_path: Path) -> None:
    ids: list[str] = []

    async def calls(it: World) -> None:
        it.alpha.script(Reply(status=503))
        got = [
            await it.chat(),
            await it.chat(ask(only("gamma"), routing_seed=7, stream=True)),
            await it.chat({**ask(), "policy_ir": only("nobody")}),
            await it.chat({"model": "m", "messages": [{"role": "user", "content": PROMPT}], "tenant": "acme"}),
        ]
        assert [each.status for each in got] == [200, 200, 422, 200]
        ids.extend(each.headers["x-tenantrank-trace-id"] for each in got)

    run(tmp_path, calls, trace=TRACE, rulebook="rules.yaml", tenants="tenants.csv")
    found = records(tmp_path)
    assert list(found) == ids
    decision, after = found[ids[0]]
    assert [(each["offer"], each["outcome"]) for each in after["attempts"]] == [
        ("alpha", "server_error"),
        ("beta", None),
    ]
    assert after["cost_usd"] > 0
    assert [offer for offer, _ in decision["ranked"]][:2] == ["alpha", "beta"]
    assert found[ids[1]][0]["seed"] == 7
    assert found[ids[2]][0]["survivors"] == 0
    assert found[ids[3]][0]["rules"] == ["base", "cap"]
    assert found[ids[3]][0]["tenant"] == "acme"
    whole = (tmp_path / "trace.db").read_bytes()
    assert PROMPT.encode() not in whole
    with Reader.open(tmp_path / "trace.db") as store:
        result = replay(store, store.records(kind="decision"))
        assert (result.count, result.failed) == (4, 0)
        assert verify(store).ok


def test_attempts__say_how_many_bytes_went_out_and_came_back(tmp_path: Path) -> None:
    sent: list[int] = []

    async def calls(it: World) -> None:
        it.alpha.script(Reply(status=503))
        it.gamma.script(Reply(text="one two three four five", each_s=0.01))  # not all there at the first event
        assert (await it.chat()).status == 200
        stream = await it.chat(ask(only("gamma"), stream=True))
        assert stream.status == 200
        sent.extend(len(provider.requests[0].body) for provider in (it.alpha, it.beta, it.gamma))
        sent.append(len(stream.raw))

    run(tmp_path, calls, trace=TRACE)
    (_, first), (_, second) = records(tmp_path).values()
    failed, answered = first["attempts"]
    (streamed,) = second["attempts"]
    assert [each["bytes_sent"] for each in (failed, answered, streamed)] == sent[:3]
    assert failed["bytes_received"] is None
    assert answered["bytes_received"] > 100
    assert streamed["bytes_received"] == sent[3]


@pytest.mark.parametrize(
    ("usage", "cost"),
    [
        ({"prompt_tokens": 8, "completion_tokens": 50}, 58e-6),
        ({"prompt_tokens": 8, "completion_tokens": 0}, 8e-6),
        ({"prompt_tokens": 8}, None),
        (None, None),
    ],
)
def test_cost__is_unknown_where_a_count_is_missing(usage: Any, cost: float | None, tmp_path: Path) -> None:
    answer = {"choices": [{"index": 0, "message": {"role": "assistant", "content": "x"}}], "usage": usage}

    async def calls(it: World) -> None:
        it.alpha.script(Reply(body=json.dumps(answer).encode()))
        assert (await it.chat()).status == 200

    run(tmp_path, calls, trace=TRACE)
    ((_, after),) = records(tmp_path).values()
    assert after["cost_usd"] == (None if cost is None else pytest.approx(cost))


def test_audited__nothing_leaves_before_its_decision_is_on_disk(tmp_path: Path) -> None:
    async def calls(it: World) -> None:
        seen: list[bool] = []

        def respond(_: Any) -> None:
            with Reader.open(tmp_path / "trace.db") as store:
                seen.append(len(list(store.records(kind="decision"))) == len(seen) + 1)

        it.alpha.respond = respond
        for _ in range(5):
            assert (await it.chat()).status == 200
        assert seen == [True] * 5

    run(tmp_path, calls, trace=TRACE)


@pytest.mark.parametrize("audited", ["all", ["other"]])
def test_store__that_cannot_write_refuses_calls_and_sends_nothing(tmp_path: Path, audited: Any) -> None:
    async def calls(it: World) -> None:
        assert (await it.chat(key=CLIENT_KEY)).status == 200
        durable = it.running.calls.durable
        assert durable is not None
        before = it.sent

        def failing(*_: Any, **__: Any) -> Any:
            raise TraceError("the disk is full", "failed")

        durable.log.submit = durable.log.record = failing  # type: ignore[method-assign]
        got = await it.chat(key=CLIENT_KEY)
        assert (got.status, got.error["code"]) == (503, "trace_unavailable")
        assert "retry-after" in got.headers
        assert it.sent == before

    run(tmp_path, calls, trace={**TRACE, "audited": audited}, keys=[key_entry("backend")])


def test_trace__is_found_on_disk_as_json_and_as_a_page_by_its_owner_alone(tmp_path: Path) -> None:
    async def calls(it: World) -> None:
        got = await it.chat(ask(CHEAPEST, model="<script>alert(1)</script>"), key=CLIENT_KEY)
        path = f"/x/traces/{got.headers['x-tenantrank-trace-id']}"
        html = {"accept": "text/html"}
        assert (await it.call(path, key=CLIENT_KEY)).json["caller"] == "one"
        shown = await it.call(path, key=CLIENT_KEY, headers=html)
        assert shown.headers["content-type"].startswith("text/html")
        assert "default-src 'none'" in shown.headers["content-security-policy"]
        assert b"<script" not in shown.raw
        assert b"alpha" in shown.raw
        assert (await it.call(path, key="trk_another-key-0000002", headers=html)).status == 404
        assert (await it.call(path, operator=True, headers=html)).status == 200
        assert b"far" in (await it.call(f"{path}?offer=far", key=CLIENT_KEY, headers=html)).raw
        unknown = f"/x/traces/tr_{'0' * 26}"
        assert (await it.call(unknown, key=CLIENT_KEY)).status == 404

    keys = [key_entry("one"), key_entry("two", "trk_another-key-0000002")]
    run(tmp_path, calls, trace=TRACE, keys=keys, traces=0)


def test_open__says_in_a_line_what_cannot_be_used(tmp_path: Path) -> None:
    async def another(_: World) -> None:
        with pytest.raises(InputError, match=r"^trace: "):
            async with world(tmp_path, trace=TRACE):
                pass

    run(tmp_path, another, trace=TRACE)
    (tmp_path / "no.pem").write_text("nothing")
    settings = TraceSettings(file="other.db", signing_key="no.pem")
    with pytest.raises(InputError, match=r"^trace: "), Durable.open(settings, tmp_path, lambda: None, os.urandom):  # type: ignore[arg-type, return-value]
        pass


def test_retain__runs_until_the_end(tmp_path: Path) -> None:
    async def calls(it: World) -> None:
        assert (await it.chat()).status == 200

    run(tmp_path, calls, trace={**TRACE, "keep_days": 1})
    assert len(records(tmp_path)) == 1


def test_killed__every_answered_request_has_its_record(tmp_path: Path) -> None:
    write_files(tmp_path)
    answered: list[str] = []
    with running(MockProvider()) as mock:
        config = file_of(dict.fromkeys(("alpha", "beta", "gamma", "alpha_eu"), mock.url), trace=TRACE)
        (tmp_path / "gateway.json").write_text(json.dumps(config))
        environ = os.environ | {f"KEY_{name}": "k" * 20 for name in ("ALPHA", "BETA", "GAMMA", "ALPHA_EU")}
        body = json.dumps(ask()).encode()
        command = [Path(sys.executable).parent / "tenantrank", "serve", "--config", tmp_path / "gateway.json"]
        for kill in range(KILLS):
            with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environ) as process:
                assert process.stderr is not None
                found = (re.match(r"serving at (http://[\d.:]+),", line) for line in process.stderr)
                url = next(match[1] for match in found if match)

                def call(url: str = url) -> None:
                    request = urllib.request.Request(
                        f"{url}/v1/chat/completions", body, {"content-type": "application/json"}
                    )
                    try:
                        with urllib.request.urlopen(request, timeout=5) as got:
                            answered.append(got.headers["x-tenantrank-trace-id"])
                    except OSError:
                        pass

                with ThreadPoolExecutor(4) as pool:
                    for at in range(40):
                        pool.submit(call)
                        if at == 20 + kill % 20:
                            while len(answered) < 5 * (kill + 1):
                                pass
                            process.send_signal(signal.SIGKILL)
    assert len(answered) >= 5 * KILLS
    found = records(tmp_path)
    assert [each for each in answered if each not in found] == []
    with Reader.open(tmp_path / "trace.db") as store:
        assert verify(store).ok
