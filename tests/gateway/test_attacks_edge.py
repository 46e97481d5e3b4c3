"""At the edge: credentials in doubt, spoofed tenants, strange bodies and framing, slow clients, load with faults."""

from __future__ import annotations

import asyncio
import gc
import gzip
import json
import resource
import time
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import urlsplit

import pytest

from tenantrank.gateway import protocol
from tenantrank.gateway.members import REROUTING
from tenantrank.testing import Recorded, Reply, faults
from tenantrank.testing.mock import TEXT
from tests.gateway.attacks import (
    LONG,
    NAMES,
    OFFERS,
    Fleet,
    attack,
    body_of,
    fleet,
    ledger,
    mark,
    reconcile,
    records,
    run,
    scaled,
    settled,
)
from tests.gateway.worlds import CLIENT_KEY, key_entry

NEXT = ["always", {"action": "next_candidate"}]
CHEAPEST = ["neg", ["field", "price_out"]]
ANY = ["policy", ["meets_req"], CHEAPEST, ["argmax"], ["id"], NEXT]
P3 = ["policy", ["and", ["meets_req"], ["provider_eq", "p3"]], CHEAPEST, ["argmax"], ["id"], NEXT]
MARK = "mark-0000000000e1"
OTHER_KEY = "trk_other_key_canary_0002"


async def raw(url: str, data: bytes, wait_s: float = 0.4) -> tuple[bytes, bool]:
    """Send bytes; give what came back, and whether the connection was closed."""
    host, port = urlsplit(url).hostname, urlsplit(url).port
    reader, writer = await asyncio.open_connection(host, port)
    got, closed = b"", False
    try:
        writer.write(data)
        with suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                while piece := await reader.read(65536):
                    got += piece
                closed = True
    except ConnectionError:
        closed = True
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
    return got, closed


def request(body: bytes, *headers: str, length: bool = True) -> bytes:
    lines = ["POST /v1/chat/completions HTTP/1.1", "Host: localhost", "Content-Type: application/json", *headers]
    if length:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


BEARER = f"Authorization: Bearer {CLIENT_KEY}"


def call(marked: str = MARK, **more: Any) -> bytes:
    return json.dumps(body_of(marked, policy_ir=ANY, **more)).encode()


DOUBTS: dict[str, list[str]] = {
    "twice": [BEARER, BEARER],
    "two keys": [BEARER, f"Authorization: Bearer {OTHER_KEY}"],
    "two keys, the other first": [f"Authorization: Bearer {OTHER_KEY}", BEARER],
    "two headers": [BEARER, f"x-api-key: {OTHER_KEY}"],
    "three headers": [BEARER, f"x-api-key: {CLIENT_KEY}", f"api-key: {CLIENT_KEY}"],
    "in one line": [f"Authorization: Bearer {CLIENT_KEY}, Bearer {OTHER_KEY}"],
    "another scheme": [f"Authorization: Basic {CLIENT_KEY}"],
    "no scheme": [f"Authorization: {CLIENT_KEY}"],
    "an empty one": ["Authorization: ", BEARER],
    "a tab": [f"Authorization: Bearer\t{CLIENT_KEY}"],
    "spaces after": [f"Authorization: Bearer {CLIENT_KEY} x"],
    "an underscore": [f"x_api_key: {CLIENT_KEY}"],
    "a cookie": [f"Cookie: authorization=Bearer {CLIENT_KEY}"],
    "behind a proxy": [f"Proxy-Authorization: Bearer {CLIENT_KEY}", f"X-Forwarded-Authorization: Bearer {CLIENT_KEY}"],
    "Latin-1": [f"Authorization: Bearer {CLIENT_KEY}\xff"],
}


def test_credentials_in_doubt_are_none(tmp_path: Path) -> None:
    async def test(world: Fleet) -> None:
        for name, headers in DOUBTS.items():
            lines = [line.encode("latin-1") for line in headers]
            body = call()
            head = request(body).replace(
                b"Host: localhost\r\n",
                b"Host: localhost\r\nConnection: close\r\n" + b"".join(line + b"\r\n" for line in lines),
            )
            got, _ = await raw(world.running.url, head)
            assert b" 401 " in got.split(b"\r\n")[0] or b" 400 " in got.split(b"\r\n")[0], (name, got[:200])
        assert world.sent == {}
        got, _ = await raw(world.running.url, request(call(), f"authorization:   bearer {CLIENT_KEY}"))
        assert b" 200 " in got.split(b"\r\n")[0]

    attack(tmp_path, test, keys=[key_entry("one"), key_entry("other", OTHER_KEY)])


def test_a_bound_key_is_its_tenants_whatever_the_request_says(tmp_path: Path) -> None:
    tenant = {"tenant_id": "bound", "approved": ["p3"], "strict": False}

    async def test(world: Fleet) -> None:
        for more in (
            {"policy_ir": ANY},
            {"tenant": {"tenant_id": "bound", "strict": False}},
            {"tenant": "bound"},
            {"provider": {"only": ["p0"]}},
            {"policy_ir": None},
            {"tenant": None},
            {"provider": None},
        ):
            got = await world.chat(body_of(MARK, **more), key=CLIENT_KEY)
            assert (got.status, got.error["code"]) == (400, "ambiguous_rule")
        assert world.sent == {}
        names = ("x-tenant", "x-tenant-id", "tenant", "x-tenantrank-tenant", "openai-organization")
        headers = dict.fromkeys(names, "other")
        rng = Random(1)
        for more in (
            {},
            {"user": "tenant:other"},
            {"metadata": {"tenant": "other", "tenant_id": "other"}},
            {"scope": "other"},
        ):
            got = await world.call(
                "/v1/chat/completions?tenant=other&policy_ir=[]",
                body_of(mark(rng), **more),
                key=CLIENT_KEY,
                headers=headers,
            )
            assert got.offer == "p3|m"
        assert set(world.sent) == {"p3"}
        assert {record.tenant for record in records(world) if record.status == 200} == {"bound"}

    attack(tmp_path, test, keys=[key_entry("bound", tenant=tenant)])


def test_two_rules_at_once_are_refused(tmp_path: Path) -> None:
    ways = {"policy_ir": ANY, "tenant": {"tenant_id": "t", "strict": False}, "provider": {"only": ["p1"]}}

    async def test(world: Fleet) -> None:
        for first in ways:
            for second in ways:
                if first != second:
                    got = await world.chat(body_of(MARK, **{first: ways[first], second: ways[second]}))
                    assert (got.status, got.error["code"]) == (400, "ambiguous_rule")
        got = await world.chat({**body_of(MARK), "tenant": {"tenant_id": "t", "strict": False, "policy_ir": ANY}})
        assert got.error["code"] == "invalid_tenant"
        for key in (
            "Policy_IR",
            "policyIr",
            "POLICY_IR",
            "policy-ir",
            "Tenant",
            "tenantId",
            "Provider",
            "ｐｏｌｉｃｙ_ｉｒ",
            "policy_ir ",
        ):
            got = await world.chat(body_of(MARK, policy_ir=P3, **{key: ANY}))
            assert (got.status, got.error["code"]) == (400, "unknown_member"), key
        assert world.sent == {}

    attack(tmp_path, test)


def test_no_member_leads_elsewhere(tmp_path: Path) -> None:
    evil = "http://127.0.0.1:9/v1"

    async def test(world: Fleet) -> None:
        rng = Random(2)
        for name in sorted(REROUTING):
            for value in (evil, [evil], {"p0": evil}, None, True):
                got = await world.chat(body_of(MARK, policy_ir=P3, **{name: value}))
                assert (got.status, got.error["code"]) == (400, "unsupported_member"), name
        assert world.sent == {}
        # Within other members they mean nothing to anybody, and change nothing here.
        for name in [*sorted(REROUTING), "policy_ir", "tenant", "provider", "model", "requirements", "scope"]:
            inner = {name: [evil] if name == "models" else "p0"}
            for more in ({"metadata": inner}, {"new": {"deep": [inner]}}, {"user": json.dumps(inner)}):
                got = await world.chat(body_of(mark(rng), policy_ir=P3, **more))
                assert got.offer == "p3|m", name
        assert set(world.sent) == {"p3"}
        for recorded in world.p3.requests:
            assert recorded.json["model"] == "p3-m"

    attack(tmp_path, test)


def deep(levels: int) -> bytes:
    return b"[" * levels + b"]" * levels


STRANGE_BODIES: dict[str, bytes] = {
    "a rule twice": call()[:-1] + b', "policy_ir": ' + json.dumps(P3).encode() + b"}",
    "a rule twice, escaped": call()[:-1] + b', "policy\\u005fir": ' + json.dumps(P3).encode() + b"}",
    "messages twice": call()[:-1] + b', "messages": []}',
    "stream twice": call(stream=False)[:-1] + b', "stream": true}',
    "a key twice within": call()[:-1] + b', "metadata": {"a": 1, "a": 2}}',
    "deep": call()[:-1] + b', "x": ' + deep(200) + b"}",
    "very deep": call()[:-1] + b', "x": ' + deep(200_000) + b"}",
    "deep objects": call()[:-1] + b', "x": ' + b'{"a":' * 50_000 + b"1" + b"}" * 50_000 + b"}",
    "a deep rule": b'{"model":"m","messages":[],"policy_ir":' + deep(5000) + b"}",
    "a huge number": call()[:-1] + b', "seed": ' + b"9" * 5000 + b"}",
    "a number beyond": call()[:-1] + b', "temperature": 1e999}',
    "NaN": call()[:-1] + b', "temperature": NaN}',
    "two bodies": call() + call(),
    "a mark before": b"\xef\xbb\xbf" + call(),
    "UTF-16": call().decode().encode("utf-16"),
    "not UTF-8": call()[:-1] + b', "x": "\xff"}',
    "a lone surrogate": call()[:-1] + b', "x": "\\ud800"}',
    "a NUL after": call() + b"\0",
    "nothing": b"",
    "a list": b"[" + call() + b"]",
    "a rule of many nodes": json.dumps(
        body_of(MARK, policy_ir=["policy", ["and", *[["top"]] * 5000], *ANY[2:]])
    ).encode(),
    "a long rule": json.dumps(body_of(MARK, policy_ir=["policy", ["family_eq", "x" * 300_000], *ANY[2:]])).encode(),
}


def test_strange_bodies_are_refused_quickly(tmp_path: Path) -> None:
    async def test(world: Fleet) -> None:
        for name, body in STRANGE_BODIES.items():
            began = time.monotonic()
            got = await world.chat(body)
            assert 400 <= got.status < 500, (name, got.raw[:200])
            assert time.monotonic() - began < 20.0, name
            shown = await world.call("/x/rank", body)
            assert 400 <= shown.status < 500, name
        packed = gzip.compress(call())
        for coding in ("gzip", "br", "deflate", "zstd", "GZIP", "gzip, identity", "x"):
            got = await world.chat(packed, headers={"content-encoding": coding})
            assert got.status == 415, coding
        got = await world.chat(gzip.compress(b"x" * 100_000_000), headers={"content-encoding": "gzip"})
        assert got.status == 415
        for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/xml", ""):
            got = await world.chat(call(), headers={"content-type": kind})
            assert got.status == 415 or kind == "", kind
        got_raw, _ = await raw(world.running.url, request(call(), "Content-Type: text/plain"))
        assert b" 415 " in got_raw.split(b"\r\n")[0]
        assert all("x" not in (record.label or "") or not record.attempts for record in records(world))
        assert sum(world.sent.values()) <= 1

    attack(tmp_path, test)


def test_bodies_have_a_greatest_length(tmp_path: Path) -> None:
    async def test(world: Fleet) -> None:
        large = call()[:-1] + b', "x": "' + b"y" * 300_000 + b'"}'
        got = await world.chat(large)
        assert got.status == 413
        # Without a declared length, and with one that is not true.
        chunks = b"".join(
            b"%x\r\n%b\r\n" % (len(part), part) for part in [large[at : at + 9000] for at in range(0, len(large), 9000)]
        )
        got_raw, _ = await raw(
            world.running.url,
            request(b"", "Transfer-Encoding: chunked", length=False) + chunks + b"0\r\n\r\n",
            2.0,
        )
        assert b" 413 " in got_raw.split(b"\r\n")[0]
        got_raw, _ = await raw(world.running.url, request(b"", "Content-Length: 99999999999999999999", length=False))
        assert got_raw.split(b" ")[1] in (b"413", b"400")
        assert world.sent == {}

    attack(tmp_path, test, limits={"body_bytes": 200_000})


SMUGGLED = b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n"
FRAMING: dict[str, bytes] = {
    "two lengths": request(call(), "Content-Length: 5"),
    "two equal lengths": request(call(), f"Content-Length: {len(call())}"),
    "length and chunks": request(b"0\r\n\r\n" + SMUGGLED, "Transfer-Encoding: chunked"),
    "chunks and length": request(
        b"0\r\n\r\n" + SMUGGLED, "Transfer-Encoding: chunked", "Content-Length: 4", length=False
    ),
    "chunked twice": request(b"0\r\n\r\n" + SMUGGLED, "Transfer-Encoding: chunked, chunked"),
    "chunked and identity": request(b"0\r\n\r\n" + SMUGGLED, "Transfer-Encoding: chunked, identity", length=False),
    "a strange coding": request(b"0\r\n\r\n" + SMUGGLED, "Transfer-Encoding: xchunked", length=False),
    "a tab before chunked": request(b"0\r\n\r\n" + SMUGGLED, "Transfer-Encoding:\tchunked", "Content-Length: 3"),
    "a space before the colon": request(call(), "Transfer-Encoding : chunked"),
    "a folded header": request(call(), "X: a\r\n b", "Transfer-Encoding:\r\n chunked"),
    "a length with a sign": request(call(), "Content-Length: +5", length=False),
    "a length with a comma": request(call(), f"Content-Length: {len(call())}, {len(call())}", length=False),
    "a length in hex": request(call(), "Content-Length: 0x10", length=False),
    "a negative length": request(call(), "Content-Length: -1", length=False),
    "bare line feeds": request(call()).replace(b"\r\n", b"\n"),
    "a bare CR": request(call(), "X: a\rTransfer-Encoding: chunked"),
    "a NUL": request(call(), "X: a\0b"),
    "a bad chunk": request(b"zz\r\nabc\r\n0\r\n\r\n" + SMUGGLED, "Transfer-Encoding: chunked", length=False),
    "a huge chunk": request(b"ffffffffffffffffff\r\nabc", "Transfer-Encoding: chunked", length=False),
    "a chunk with LF": request(b"3\nabc\n0\n\n" + SMUGGLED, "Transfer-Encoding: chunked", length=False),
    "a chunk's extension": request(
        b"0;" + b"a" * 100_000 + b"\r\n\r\n" + SMUGGLED, "Transfer-Encoding: chunked, x", length=False
    ),
    "an old version": request(call(), "Transfer-Encoding: chunked").replace(b"HTTP/1.1", b"HTTP/1.0"),
    "a strange version": request(call()).replace(b"HTTP/1.1", b"HTTP/9.9"),
    "a version 2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "no request": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "a header without a name": request(call(), ": x"),
    "a name with a space": request(call(), "X Y: x"),
}


@pytest.mark.parametrize("listener", ["clients", "operators"])
def test_framing_in_doubt_is_refused_and_nothing_is_smuggled(tmp_path: Path, listener: str) -> None:
    async def test(world: Fleet) -> None:
        url = world.running.url if listener == "clients" else world.running.operator_url
        faults_found = []
        for name, data in FRAMING.items():
            if listener == "operators":
                data = data.replace(b"/v1/chat/completions", b"/x/reload").replace(b"/v1/models", b"/metrics")
            got, closed = await raw(url, data)
            answers = got.count(b"HTTP/1.1 ")
            well = answers <= 1 and b'"object":"list"' not in got and b"# HELP" not in got
            refused = answers == 0 or got.split(b" ")[1].startswith(b"4") or got.split(b" ")[1] == b"505"
            if not (well and refused and (closed or answers == 0)):
                faults_found.append((name, got[:80], closed))
        assert faults_found == []
        assert world.sent == {}

    attack(tmp_path, test)


def test_pipelined_requests_each_have_their_own_answer(tmp_path: Path) -> None:
    async def test(world: Fleet) -> None:
        for mock in world.mocks.values():
            mock.respond = lambda recorded: Reply(text=recorded.json["messages"][0]["content"])
        marks = [f"mark-{number:012x}" for number in range(8)]
        got, _ = await raw(world.running.url, b"".join(request(call(marked)) for marked in marks), 1.5)
        places = [got.find(f"say {marked}".encode()) for marked in marks]
        assert -1 not in places
        assert places == sorted(places)

    attack(tmp_path, test)


def test_a_slow_body_is_given_up(tmp_path: Path) -> None:
    async def test(world: Fleet) -> None:
        host, port = urlsplit(world.running.url).hostname, urlsplit(world.running.url).port
        writers = []
        for _ in range(20):
            reader, writer = await asyncio.open_connection(host, port)
            writer.write(request(call())[:-50])
            writers.append((reader, writer))
        began = time.monotonic()
        # Others are unharmed meanwhile.
        assert (await world.chat(body_of(MARK, policy_ir=ANY))).status == 200
        for reader, writer in writers:
            async with asyncio.timeout(5):
                answer = await reader.read()
            assert b" 408 " in answer.split(b"\r\n")[0]
            writer.close()
        assert time.monotonic() - began < 20.0

    attack(tmp_path, test, server={"body_s": 0.5})


async def drip(url: str, start: bytes, each: bytes, seconds: float) -> bool:
    """Send a start, then a bit every now and then; tells whether the server closed within so many seconds."""
    host, port = urlsplit(url).hostname, urlsplit(url).port
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(start)
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            with suppress(TimeoutError):
                async with asyncio.timeout(0.1):
                    if await reader.read(65536) == b"" or reader.at_eof():
                        return True
            writer.write(each)
            await writer.drain()
    except ConnectionError:
        return True
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
    return False


@pytest.mark.parametrize("listener", ["clients", "operators"])
@pytest.mark.parametrize(
    ("start", "each"),
    [
        (b"", b""),
        (b"POST /v1/chat/completions HTTP/1.1\r\n", b"X: y\r\n"),
        (b"POST /v1/chat/completions HTTP/1.1\r\nX: ", b"y"),
        (request(b"", "Content-Length: 1000", length=False), b" "),
    ],
    ids=["nothing", "headers", "one header", "body without a key"],
)
def test_slow_connections_are_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, listener: str, start: bytes, each: bytes
) -> None:
    monkeypatch.setattr(protocol, "HEAD_S", 0.5)

    async def test(world: Fleet) -> None:
        url = world.running.url if listener == "clients" else world.running.operator_url
        assert await drip(url, start, each, 3.0)

    attack(tmp_path, test, server={"body_s": 0.5}, keys=[key_entry("one")])


def test_endless_headers_are_cut(tmp_path: Path) -> None:
    async def test(world: Fleet) -> None:
        for start, each in (
            (b"GET /health HTTP/1.1\r\n", b"X-%d: " + b"y" * 8000 + b"\r\n"),
            (b"GET /health HTTP/1.1\r\nX: ", b"y" * 8000),
            (b"GET /", b"y" * 8000),
        ):
            data = start + each * 250  # two MB
            got, closed = await raw(world.running.url, data, 2.0)
            assert closed, start
            assert got == b"" or got.split(b" ")[1].startswith(b"4")

    attack(tmp_path, test)


def test_nobody_is_redirected(tmp_path: Path) -> None:
    async def test(world: Fleet) -> None:
        for path in ("/v1/chat/completions/", "/v1/models/", "/x/rank/", "//evil/v1/models", "/metrics/"):
            for url in (world.running.url, world.running.operator_url):
                head = f"POST {path} HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 0\r\n\r\n".encode()
                got, _ = await raw(url, head, 0.2)
                assert b"evil.example" not in got, path
                assert got.split(b" ")[1].startswith(b"4"), (path, got[:60])

    attack(tmp_path, test)


INJECTIONS = (
    "a\r\nx-injected: 1",
    "a\nb",
    'a","event":"forged","x":"',
    "a\u2028b\u2029c\u0085d",
    "\x1b[2J\x1b[31mred",
    "a\x7fb\x00c",
    "\u202egpj.exe",
    "é" * 50,
    "x" * 10_000,
    "</script>",
    "%0d%0ax: 1",
    "${jndi:ldap://x}",
)


def test_names_break_out_of_no_line_and_no_header(tmp_path: Path) -> None:
    offers = [
        *OFFERS,
        *({**OFFERS[0], "id": f"odd{at}{text[:200]}", "price_out": 0.01} for at, text in enumerate(INJECTIONS)),
    ]

    async def test(world: Fleet) -> None:
        for text in INJECTIONS:
            for more in ({"model": text}, {"tenant": {"tenant_id": text, "strict": False}}, {"scope": text}):
                body = {**body_of(MARK), **more}
                if "tenant" not in more:
                    body["policy_ir"] = ANY
                got = await world.chat(body)
                assert "x-injected" not in got.headers
                assert got.status in (200, 400, 422), got.raw
        await world.logged(len(INJECTIONS) * 3)
        text = world.lines.getvalue()
        assert text.isascii()
        assert not any(ord(letter) < 32 or ord(letter) == 127 for letter in text.replace("\n", ""))
        for line in text.splitlines():
            assert json.loads(line)["event"] in ("request", "warning")
            assert len(line) < 4000
        assert text.count("\n") == len(text.splitlines()) == len(text.split("\n")) - 1

    async def whole() -> None:
        async with asyncio.timeout(30), fleet(tmp_path, offers) as world:
            await test(world)

    run(whole())


def open_sockets() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.parametrize("seed", range(scaled(1, 5)))
def test_load_with_faults_and_cancels_mixes_nothing_up(tmp_path: Path, seed: int) -> None:
    def own(recorded: Recorded) -> Reply:
        # Each answer repeats its prompt, so that a mix-up is seen.
        content = recorded.json["messages"][0]["content"]
        return Reply(text=f"you: {content} " * 5, each_s=rng.choice([None, 0.0, 0.001]))

    rng = Random(seed)
    broken = [
        *faults.BROKEN.values(),
        faults.cut(3),
        faults.cut(4, how="close"),
        faults.error_event(3),
    ]

    def respond(recorded: Recorded) -> Reply:
        if rng.random() < 0.3:
            return rng.choice(broken) if rng.random() < 0.9 else own(recorded).but(head_after_s=0.05)
        return own(recorded)

    async def test(world: Fleet) -> None:
        for mock in world.mocks.values():
            mock.respond = respond
        ended: dict[str, int] = {}

        async def one(number: int) -> None:
            mine = Random(seed * 100_000 + number)
            marked, stream = mark(mine), mine.random() < 0.5
            body = body_of(marked, policy_ir=ANY, stream=stream)
            cancelled = mine.random() < 0.2
            try:
                async with asyncio.timeout(mine.uniform(0, 0.05) if cancelled else 20):
                    got = await world.chat(body)
            except TimeoutError:
                assert cancelled
                ended["cancelled"] = ended.get("cancelled", 0) + 1
                return
            ended[str(got.status)] = ended.get(str(got.status), 0) + 1
            if got.status == 200:
                text = got.raw.decode()
                if not stream:
                    assert got.text in (f"you: say {marked} " * 5, TEXT)
                # No other call's mark is in it.
                assert all(part.startswith(marked[5:]) for part in text.split("mark-")[1:])

        async def batch(first: int, count: int) -> None:
            for at in range(first, first + count, 40):
                await asyncio.gather(*(one(number) for number in range(at, at + 40)))

        await batch(0, 200)
        await settled(world)
        gc.collect()
        sockets, memory, tasks = (
            open_sockets(),
            resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
            len(asyncio.all_tasks()),
        )
        await batch(10_000, scaled(600, 40_000))
        await settled(world)
        await asyncio.sleep(0.3)
        gc.collect()
        assert ended["200"] > 300
        assert ended["cancelled"] > 50
        assert len(asyncio.all_tasks()) <= tasks + 5
        assert open_sockets() <= sockets + 60
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory < (200_000 if LONG else 80_000)
        for marked, sent in ledger(world).items():
            assert all(marked.encode() in recorded.raw for _, recorded in sent)
        reconcile(world, lossy=True)
        assert set(world.sent) <= set(NAMES)

    attack(tmp_path, test, lossy=True)
