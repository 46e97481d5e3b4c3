"""A client of raw sockets: what is sent and what comes is seen byte for byte."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable, Coroutine
from typing import Any

from tenantrank.testing import MockProvider

BODY = {"model": "m-1", "messages": [{"role": "user", "content": "Hello?"}]}
STREAMED = {**BODY, "stream": True}


def request(
    body: Any = BODY, path: str = "/v1/chat/completions", method: str = "POST", headers: str = "", **more: str
) -> bytes:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = "".join(f"{name}: {value}\r\n" for name, value in more.items())
    head = f"{method} {path} HTTP/1.1\r\nHost: mock\r\n{headers}{lines}Content-Length: {len(content)}\r\n\r\n"
    return head.encode() + content


class Client:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def head(self) -> tuple[int, dict[str, str]]:
        text = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = text.split("\r\n")
        headers = [line.partition(": ") for line in lines if line]
        return int(first.split(" ")[1]), {name: value for name, _, value in headers}

    async def answer(self) -> tuple[int, dict[str, str], bytes]:
        """Read one answer with its framing, chunked or by length."""
        status, headers = await self.head()
        if "content-length" in headers:
            return status, headers, await self.reader.readexactly(int(headers["content-length"]))
        if "transfer-encoding" not in headers:
            return status, headers, await self.reader.read()
        return status, headers, b"".join([chunk async for chunk in self.chunks()])

    async def chunks(self) -> Any:
        while True:
            size = int(await self.reader.readuntil(b"\r\n"), 16)
            chunk = await self.reader.readexactly(size + 2)
            if not size:
                return
            yield chunk[:-2]

    async def rest(self) -> bytes:
        """Read until the connection ends; a reset raises ConnectionResetError."""
        return await self.reader.read()

    def leave(self) -> None:
        self.writer.transport.abort()

    async def __aenter__(self) -> Client:
        return self

    async def __aexit__(self, *error: object) -> None:
        self.writer.close()
        with contextlib.suppress(ConnectionError):
            await self.writer.wait_closed()


async def client_of(mock: MockProvider) -> Client:
    # A large limit: some answers have lines that are longer than is reasonable.
    return Client(*await asyncio.open_connection(mock.host, mock.port, limit=2**24))


def loops() -> list[Any]:
    """Give the event loops that a mock provider is tried on: asyncio's, and uvloop's where it is installed."""
    found = [asyncio.new_event_loop]
    try:
        import uvloop
    except ImportError:
        return found
    return [*found, uvloop.new_event_loop]


def with_mock(
    test: Callable[[MockProvider, Client], Coroutine[Any, Any, None]],
    mock: MockProvider | None = None,
    loop: Callable[[], asyncio.AbstractEventLoop] | None = None,
) -> MockProvider:
    """Run a test with a mock provider and one connection to it, for at most some seconds."""

    async def run() -> MockProvider:
        async with asyncio.timeout(20), mock or MockProvider() as serving, await client_of(serving) as client:
            await test(serving, client)
        return serving

    with asyncio.Runner(loop_factory=loop) as runner:
        return runner.run(run())


def events(body: bytes) -> list[Any]:
    """Read the events of a stream; ``[DONE]`` as a text."""
    found = []
    for block in body.split(b"\n\n")[:-1]:
        data = block.removeprefix(b"data: ")
        found.append("[DONE]" if data == b"[DONE]" else json.loads(data))
    return found
