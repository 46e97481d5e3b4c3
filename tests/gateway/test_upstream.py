"""One call to a provider, over real sockets: what goes out, and what comes of every kind of bad answer."""

import asyncio
import gzip
import json
import time
import zlib

import pytest

from tenantrank.gateway.failure import Failure
from tenantrank.gateway.incoming import Timeouts
from tenantrank.gateway.upstream import Upstream
from tests.gateway.rawserver import KEY, STREAM_HEAD, RawServer, answer, chunk

CHAT = json.dumps({"id": "c", "choices": [{"index": 0, "message": {"content": "hi"}}], "usage": {}}).encode()
EMBEDDINGS = json.dumps({"object": "list", "data": [{"embedding": [0.5]}]}).encode()
BODY = b'{"model":"m","messages":[{"role":"user","content":"canary prompt"}]}'
SHORT = Timeouts(connect_s=2, first_byte_s=0.3, idle_s=0.3, total_s=5)


def calling(server, *, times=1, route="chat", stream=False, timeouts=SHORT, kind="openai", **settings):
    """Call the server; give the last answer or the failure."""

    async def call():
        async with server, Upstream("1.2.3", **settings) as upstream:
            for _ in range(times):
                try:
                    given = await upstream.post(server.endpoint(kind), route, BODY, stream=stream, timeouts=timeouts)
                except Failure as failure:
                    given = failure
                else:
                    if given.stream is not None:
                        given.stream.close()
            return given

    given = asyncio.run(call())
    assert KEY not in repr(given) + str(given)
    if isinstance(given, Failure):
        assert "canary" not in str(given)
        assert "127.0.0.1" not in str(given)
    return given


def test_a_success_is_given_as_it_came():
    server = RawServer(answer(CHAT, headers="X-Request-Id: r-1\r\nset-cookie: a=b\r\nopenai-organization: mine\r\n"))
    given = calling(server)
    assert given.body == CHAT
    assert given.record["choices"][0]["message"]["content"] == "hi"
    assert given.headers == {"x-request-id": "r-1"}
    assert given.stream is None


def test_embeddings_have_data():
    assert calling(RawServer(answer(EMBEDDINGS)), route="embeddings").body == EMBEDDINGS
    assert calling(RawServer(answer(CHAT)), route="embeddings").kind == "bad_response"


def test_the_request_is_built_from_nothing_but_the_endpoint():
    server = RawServer(answer(CHAT))
    calling(server)
    lines = server.heads[0].decode().split("\r\n")
    assert lines[0] == "POST /v1/chat/completions HTTP/1.1"
    assert {line.split(":")[0].lower() for line in lines[1:] if line} == {
        *("host", "user-agent", "accept", "accept-encoding", "content-type", "content-length", "authorization"),
    }
    assert f"authorization: Bearer {KEY}" in lines
    assert "user-agent: tenantrank/1.2.3" in [line[:10].lower() + line[10:] for line in lines]
    assert server.bodies == [BODY]


def test_connections_are_used_again_and_cookies_are_not():
    server = RawServer(answer(CHAT, headers="set-cookie: session=1; path=/\r\n"), then_close=False)
    calling(server, times=3)
    assert server.connections == 1
    assert len(server.heads) == 3
    assert all(b"cookie" not in head.lower() for head in server.heads)


@pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 307, 308])
def test_redirects_are_not_followed(status):
    async def call():
        target = RawServer(answer(CHAT))
        async with target:
            said = answer(b"", status=f"{status} Moved", headers=f"location: {target.url}/chat/completions\r\n")
            given = await asyncio.to_thread(calling, RawServer(said))
            return given, target.connections

    given, reached = asyncio.run(call())
    assert (given.kind, given.status, given.accepted) == ("bad_response", status, False)
    assert reached == 0


def test_the_environments_proxies_do_not_count(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert calling(RawServer(answer(CHAT))).body == CHAT


def test_a_configured_proxy_is_used():
    server = RawServer(answer(CHAT))

    async def call():
        async with server, Upstream("1", proxy=f"http://127.0.0.1:{server.port}") as upstream:
            other = RawServer(b"")
            other.url = "http://10.255.255.1/v1"
            return await upstream.post(other.endpoint(), "chat", BODY, stream=False, timeouts=SHORT)

    assert asyncio.run(call()).body == CHAT
    assert server.heads[0].startswith(b"POST http://10.255.255.1/v1/chat/completions")


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        (answer(b""), "bad_response"),
        (answer(b"<html>hello</html>"), "bad_response"),
        (answer(CHAT[:-1]), "bad_response"),
        (answer(CHAT + b"x"), "bad_response"),
        (answer(b"[]"), "bad_response"),
        (answer(b"null"), "bad_response"),
        (answer(b'{"choices":{}}'), "bad_response"),
        (answer(b'{"choices":null}'), "bad_response"),
        (answer(b'{"choices":[],"x":NaN}'), "bad_response"),
        (answer(b'{"choices":["\xff"]}'), "bad_response"),
        (answer(b"[" * 100_000), "bad_response"),
        (answer(CHAT, status="204 No Content"), "bad_response"),
        (answer(CHAT, status="202 Accepted"), "bad_response"),
        (answer(b'{"error":{"message":"m","code":"rate_limit_exceeded"}}'), "rate_limit"),
        (answer(b'{"choices":[],"error":{"message":"m","code":502}}'), "server_error"),
        (answer(b'[{"error":{"code":429,"status":"RESOURCE_EXHAUSTED"}}]'), "rate_limit"),
        (answer(b"", status="500 Oops"), "server_error"),
        (answer(b'{"error":{"code":"context_length_exceeded"}}', status="400 Bad"), "context_overflow"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 999\r\n\r\n" + CHAT, "network_error"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n" + CHAT, "bad_response"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: -5\r\n\r\n" + CHAT, "bad_response"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\n" + CHAT, "bad_response"),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + chunk(CHAT), "network_error"),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n" + CHAT, "bad_response"),
        (b"HTTP/1.1 200 OK\r\nx: " + b"a" * 200_000 + b"\r\n\r\n", "bad_response"),
        (b"HTTP/1.1 200 OK\r\n" + b"x: a\r\n" * 10_000 + b"\r\n", "bad_response"),
        (b"nonsense\r\n\r\n", "bad_response"),
        (b"HTTP/1.1 200", "network_error"),
        (b"", "network_error"),
    ],
    ids=range(29),
)
def test_bad_answers(said, kind):
    server = RawServer(said)
    given = calling(server)
    assert isinstance(given, Failure)
    assert given.kind == kind
    assert len(server.heads) == 1  # no call is repeated below the failure plan


def test_an_answer_without_a_length_ends_with_the_connection():
    assert calling(RawServer(b"HTTP/1.1 200 OK\r\n\r\n" + CHAT)).body == CHAT
    assert calling(RawServer(b"HTTP/1.1 200 OK\r\n\r\n" + CHAT[:-9])).kind == "bad_response"


def test_informational_answers_are_passed_over():
    said = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n" + answer(CHAT)
    assert calling(RawServer(said)).body == CHAT


def test_a_flood_of_informational_answers_ends():
    async def flood(writer):
        while True:
            writer.write(b"HTTP/1.1 103 Early Hints\r\n\r\n")
            await writer.drain()
            await asyncio.sleep(0.01)

    whole = Timeouts(connect_s=1, first_byte_s=0.3, idle_s=0.3, total_s=0.5)
    assert calling(RawServer(flood), timeouts=whole).kind == "timeout"
    assert calling(RawServer(flood), stream=True, timeouts=Timeouts(0.2, 0.3, 0.3, None)).kind == "timeout"


@pytest.mark.parametrize("packed", [gzip.compress(CHAT, mtime=0), zlib.compress(CHAT)])
def test_packed_answers_are_unpacked(packed):
    encoding = "gzip" if packed[:2] == b"\x1f\x8b" else "deflate"
    assert calling(RawServer(answer(packed, headers=f"content-encoding: {encoding}\r\n"))).body == CHAT


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (gzip.compress(CHAT, mtime=0)[:-5], "gzip"),
        (gzip.compress(CHAT, mtime=0) + b"more", "gzip"),
        (gzip.compress(CHAT, mtime=0) + gzip.compress(CHAT), "gzip"),
        (CHAT, "gzip"),
        (b"", "gzip"),
        (CHAT, "br"),
        (gzip.compress(gzip.compress(CHAT, mtime=0)), "gzip, gzip"),
        (gzip.compress(b"[" + b" " * 50_000_000 + b"]", mtime=0), "gzip"),
    ],
    ids=["cut", "more", "twice", "plain", "empty", "br", "nested", "bomb"],
)
def test_badly_packed_answers(body, encoding):
    given = calling(RawServer(answer(body, headers=f"content-encoding: {encoding}\r\n")))
    assert given.kind == "bad_response"
    assert (
        calling(RawServer(answer(body, headers=f"content-encoding: {encoding}\r\n", status="429 No"))).kind
        == "rate_limit"
    )


def test_long_answers_are_given_up():
    assert calling(RawServer(answer(b" " * 5000 + CHAT)), answer_bytes=4096).kind == "bad_response"

    async def endless(writer):
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while not writer.is_closing():
            writer.write(b" " * 65536)
            await writer.drain()

    server = RawServer(endless)
    assert calling(server, answer_bytes=1_000_000).kind == "bad_response"

    async def endless_error(writer):
        writer.write(b"HTTP/1.1 503 Oops\r\n\r\n")
        while not writer.is_closing():
            writer.write(b" " * 65536)
            await writer.drain()

    assert calling(RawServer(endless_error)).kind == "server_error"


def silent_after(said):
    async def say(writer):
        writer.write(said)
        await writer.drain()
        await asyncio.sleep(30)

    return say


@pytest.mark.parametrize(
    ("said", "stream", "timeouts"),
    [
        (b"", False, Timeouts(1, 9, 9, 0.3)),
        (b"HTTP/1.1 200 OK\r\n", False, Timeouts(1, 9, 9, 0.3)),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{", False, Timeouts(1, 9, 0.3, 9)),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{", False, Timeouts(1, 9, 9, 0.3)),
        (b"", True, Timeouts(1, 0.3, 9, None)),
        (b"HTTP/1.1 200 OK\r\n", True, Timeouts(1, 0.3, 9, None)),
    ],
    ids=range(6),
)
def test_silence_ends_in_time(said, stream, timeouts):
    began = time.monotonic()
    given = calling(RawServer(silent_after(said)), stream=stream, timeouts=timeouts)
    assert (given.kind, given.accepted) == ("timeout", True)
    assert time.monotonic() - began < 20


def test_slow_bytes_end_in_time():
    async def drip(writer):
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n")
        while True:
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.02)

    assert calling(RawServer(drip), timeouts=Timeouts(1, 9, 9, 0.4)).kind == "timeout"


def test_a_reset_is_a_network_error():
    async def reset(writer):
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{")
        await writer.drain()
        writer.transport.abort()

    given = calling(RawServer(reset))
    assert (given.kind, given.accepted) == ("network_error", True)


def test_a_closed_port_was_never_reached():
    async def call():
        async with RawServer(b"") as server:
            endpoint = server.endpoint()
        async with Upstream("1") as upstream:
            await upstream.post(endpoint, "chat", BODY, stream=False, timeouts=SHORT)

    with pytest.raises(Failure) as caught:
        asyncio.run(call())
    assert (caught.value.kind, caught.value.accepted) == ("network_error", False)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{", b"HTTP/1.1 500 No\r\n\r\n{"])
@pytest.mark.parametrize("stream", [False, True])
def test_cancelling_closes_the_connection_at_once(said, stream):
    async def call():
        async def say(writer):
            writer.write(said)
            await writer.drain()

        server = RawServer(say, then_close=False)
        async with server, Upstream("1") as upstream:
            task = asyncio.create_task(
                upstream.post(server.endpoint(), "chat", BODY, stream=stream, timeouts=Timeouts())
            )
            while not server.bodies:
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.05)
            if task.done():  # the head of a stream
                task.result().stream.close()
            else:
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
            await asyncio.wait_for(server.left.wait(), 1)

    asyncio.run(call())


def test_a_whole_answer_is_no_stream():
    given = calling(RawServer(answer(CHAT)), stream=True)
    assert given.kind == "bad_response"
    given = calling(RawServer(answer(b'{"error":{"code":"insufficient_quota"}}')), stream=True)
    assert (given.kind, given.scope) == ("rate_limit", "credential")


def test_a_stream_is_given_piece_by_piece():
    said = STREAM_HEAD + chunk(b"data: 1\n\n") + chunk(b"data: 2\n\n") + b"0\r\n\r\n"

    async def call():
        async with RawServer(said) as server, Upstream("1") as upstream:
            given = await upstream.post(server.endpoint(), "chat", BODY, stream=True, timeouts=SHORT)
            assert given.body == b""
            pieces = [piece async for piece in given.stream]
            given.stream.close()
            assert b"accept: text/event-stream" in server.heads[0].lower()
            return b"".join(pieces)

    assert asyncio.run(call()) == b"data: 1\n\ndata: 2\n\n"


def test_answers_are_never_mixed_up():
    """Calls that are cancelled at random leave no answer behind for another call."""

    async def call():
        async def echo(writer):
            said = json.loads(server.bodies[-1])["mark"]
            if said % 5 == 0:
                await asyncio.sleep(0.01)
            body = json.dumps({"choices": [said]}).encode()
            writer.write(answer(body))
            await writer.drain()

        server = RawServer(echo, then_close=False)
        async with server, Upstream("1") as upstream:
            endpoint = server.endpoint()

            async def one(mark):
                body = json.dumps({"mark": mark}).encode()
                given = await upstream.post(endpoint, "chat", body, stream=False, timeouts=SHORT)
                assert given.record["choices"] == [mark]

            for mark in range(300):
                task = asyncio.create_task(one(mark))
                if mark % 3 == 0:
                    for _ in range(mark % 7):
                        await asyncio.sleep(0)
                    task.cancel()
                await asyncio.gather(task, return_exceptions=True)
                assert task.cancelled() or task.exception() is None

    asyncio.run(call())


@pytest.mark.parametrize(
    "said",
    [answer(b'{"error":{"code":"x"}}', status="429 No"), answer(b"nonsense"), answer(b'{"error":{"code":"x"}}')],
)
def test_a_failure_that_was_read_to_its_end_leaves_the_connection_open(said):
    server = RawServer(said, then_close=False)
    assert isinstance(calling(server, times=3), Failure)
    assert server.connections == 1


def test_an_answer_that_nobody_asked_for_is_given_to_nobody():
    other = CHAT.replace(b'"c"', b'"evil"')

    async def call():
        async def late(writer):
            writer.write(answer(CHAT) + answer(other))
            await writer.drain()
            await asyncio.sleep(0.01)
            writer.write(answer(other))
            await writer.drain()

        async with RawServer(late, then_close=False) as server, Upstream("1") as upstream:
            for _ in range(10):
                given = await upstream.post(server.endpoint(), "chat", BODY, stream=False, timeouts=SHORT)
                assert given.body == CHAT
                await asyncio.sleep(0.03)

    asyncio.run(call())


def test_a_connection_that_the_provider_closed_meanwhile_is_not_used():
    async def call():
        async with RawServer(answer(CHAT), then_close=True) as server, Upstream("1") as upstream:
            for _ in range(3):
                given = await upstream.post(server.endpoint(), "chat", BODY, stream=False, timeouts=SHORT)
                assert given.body == CHAT
                await asyncio.sleep(0.05)
            assert server.connections == 3

    asyncio.run(call())


def test_a_packed_stream_is_unpacked():
    packer = zlib.compressobj(wbits=31)
    pieces = [packer.compress(b"data: 1\n\n") + packer.flush(zlib.Z_SYNC_FLUSH), packer.compress(b"data: 2\n\n")]
    pieces.append(packer.flush())
    head = STREAM_HEAD.replace(b"\r\n\r\n", b"\r\ncontent-encoding: gzip\r\n\r\n")

    async def read(said):
        async with RawServer(said) as server, Upstream("1") as upstream:
            given = await upstream.post(server.endpoint(), "chat", BODY, stream=True, timeouts=SHORT)
            try:
                return b"".join([piece async for piece in given.stream])
            finally:
                given.stream.close()

    whole = head + b"".join(chunk(piece) for piece in pieces if piece) + b"0\r\n\r\n"
    assert asyncio.run(read(whole)) == b"data: 1\n\ndata: 2\n\n"
    with pytest.raises(Failure, match="broken"):
        asyncio.run(read(head + chunk(pieces[0]) + b"0\r\n\r\n"))
