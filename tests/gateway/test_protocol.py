"""What comes before a body is bounded in time and size, over real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvicorn

from tenantrank.gateway import protocol
from tenantrank.gateway.protocol import BoundedProtocol


async def echo(scope: Any, receive: Any, send: Any) -> None:
    size, more = 0, True
    while more:
        message = await receive()
        size += len(message.get("body", b""))
        more = message.get("more_body", False)
    body = str(size).encode()
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@asynccontextmanager
async def listening() -> AsyncIterator[int]:
    config = uvicorn.Config(
        echo, port=0, http=BoundedProtocol, lifespan="off", ws="none", log_config=None, timeout_graceful_shutdown=1
    )
    sockets = [config.bind_socket()]
    server = uvicorn.Server(config)
    task = asyncio.create_task(server._serve(sockets))
    while not server.started:
        await asyncio.sleep(0.005)
    try:
        yield sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        await task


async def exchange(port: int, *pieces: bytes, pause_s: float = 0.0) -> bytes:
    """Send pieces, and give all that comes back until the server closes or nothing more comes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for piece in pieces:
            writer.write(piece)
            await asyncio.sleep(pause_s)
        async with asyncio.timeout(5):
            return await reader.read(-1)
    except ConnectionError:
        return b""
    finally:
        writer.close()


def told(*pieces: bytes, pause_s: float = 0.0) -> bytes:
    async def run() -> bytes:
        async with listening() as port:
            return await exchange(port, *pieces, pause_s=pause_s)

    return asyncio.run(run())


HEAD = b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"


def test_request__is_answered_whatever_its_pieces() -> None:
    body = b"x" * 200_000
    request = HEAD + b"Content-Length: 200000\r\n\r\n" + body
    assert told(request).endswith(b"200000")
    assert told(*[request[at : at + 16_384] for at in range(0, len(request), 16_384)]).endswith(b"200000")
    assert told(HEAD[:20], HEAD[20:], b"Content-Length: 2\r\n\r\nab", pause_s=0.02).endswith(b"\r\n\r\n2")


def test_request__many_on_one_connection_are_each_within_the_bound() -> None:
    one = b"POST / HTTP/1.1\r\nHost: x\r\nX-Long: " + b"a" * 30_000 + b"\r\nContent-Length: 3\r\n\r\nabc"
    answers = told(one, one, one, HEAD + b"\r\n", pause_s=0.02)
    assert answers.count(b"200 OK") == 4


@pytest.mark.parametrize("end", [b"", b"\r\n\r\n"])
def test_head__too_long_is_refused(end: bytes) -> None:
    answer = told(HEAD + b"X-Long: " + b"a" * (protocol.HEAD_BYTES + 10) + end)
    assert b"400 Bad Request" in answer or answer == b""
    assert b"200 OK" not in answer


@pytest.mark.parametrize("hosts", [b"", b"Host: a\r\nHost: b\r\n", b"Host: a\r\nhost: a\r\n"])
def test_head__needs_exactly_one_host(hosts: bytes) -> None:
    answer = told(b"POST / HTTP/1.1\r\n" + hosts + b"Content-Length: 0\r\n\r\n")
    assert b"400 Bad Request" in answer
    assert b"200 OK" not in answer


def test_head__that_does_not_come_in_time_ends_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "HEAD_S", 0.1)
    assert told() == b""
    assert told(b"POST / HTTP/1.1\r\nHo") == b""
    assert (
        told(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", b"GET / HT", pause_s=0.05).count(b"200 OK")
        == 1
    )


def test_head__in_time_leaves_a_slow_body_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "HEAD_S", 0.1)
    assert told(HEAD + b"Content-Length: 2\r\n\r\n", b"a", b"b", pause_s=0.15).endswith(b"\r\n\r\n2")
