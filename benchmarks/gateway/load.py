"""A load client on raw protocols: so many connections, one request at a time on each, every answer checked."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast
from urllib.parse import urlsplit


class WrongAnswerError(Exception):
    """An answer is not the one expected; nothing was measured."""


@dataclass(frozen=True)
class Call:
    """One request, sent again and again.

    Attributes
    ----------
    url : where to
    body : JSON
    headers : further ones
    expects : bytes that every answer has
    ends : the last bytes of every answer's body, which a broken stream lacks
    """

    url: str
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()
    expects: bytes = b'"object":"chat.completion"'
    ends: bytes = b"}"

    def wire(self) -> bytes:
        """Give it as it is sent."""
        parts = urlsplit(self.url)
        lines = [
            f"POST {parts.path} HTTP/1.1",
            f"host: {parts.netloc}",
            "content-type: application/json",
            f"content-length: {len(self.body)}",
            *(f"{name}: {value}" for name, value in self.headers),
        ]
        return "\r\n".join([*lines, "", ""]).encode() + self.body


@dataclass
class Load:
    """What was measured: nanoseconds of each call, in the order of their ends.

    Attributes
    ----------
    total_ns : to the last byte
    first_ns : to the first byte of the body
    wall_s : from the first request to the last answer
    """

    total_ns: list[int]
    first_ns: list[int]
    wall_s: float


class _Client(asyncio.Protocol):
    """One connection that sends its request again as soon as the answer is complete, for as long as more are wanted."""

    def __init__(self, request: bytes, call: Call) -> None:
        self._request = request
        self._call = call
        self._buffer = b""
        self._begun = 0
        self._first = 0
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def begin(self, wants_more: Callable[[], bool], load: Load) -> asyncio.Future[None]:
        """Make calls; the future is done when no more are wanted."""
        self._wants_more = wants_more
        self._load = load
        if self.ended.done() and not self._transport.is_closing():
            self.ended = asyncio.get_running_loop().create_future()
        self._send()
        return self.ended

    def close(self) -> None:
        if not self.ended.done():
            self.ended.cancel()
        self._transport.close()

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer = self._buffer + data if self._buffer else data
        head_end = buffer.find(b"\r\n\r\n") + 4
        if head_end == 3:
            return
        if not self._first and len(buffer) > head_end:
            self._first = time.perf_counter_ns()
        head = buffer[:head_end].lower()
        at = head.find(b"\r\ncontent-length:")
        if at >= 0:
            if len(buffer) < head_end + int(head[at + 17 : head.index(b"\r\n", at + 2)]):
                return
            body_end = len(buffer)
        elif buffer.endswith(b"\r\n0\r\n\r\n"):
            body_end = len(buffer) - 7
        else:
            return
        now = time.perf_counter_ns()
        self._check(buffer, body_end)
        self._load.total_ns.append(now - self._begun)
        self._load.first_ns.append(self._first - self._begun)
        self._buffer = b""
        if not self.ended.done():
            self._send()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.ended.done():
            self.ended.set_exception(WrongAnswerError(f"the connection broke: {error}"))

    def _send(self) -> None:
        if not self._wants_more():
            self.ended.set_result(None)
            return
        self._first = 0
        self._begun = time.perf_counter_ns()
        self._transport.write(self._request)

    def _check(self, buffer: bytes, body_end: int) -> None:
        call = self._call
        whole = buffer.startswith(b"HTTP/1.1 200 ") and call.expects in buffer
        if not (whole and buffer.endswith(call.ends, 0, body_end)) and not self.ended.done():
            self.ended.set_exception(WrongAnswerError(f"not the answer expected: {buffer[:600]!r}"))
            self._transport.close()


async def load(call: Call, *, connections: int, requests: int) -> Load:
    """Make so many calls over so many connections at once.

    Before them each connection makes one call that is not counted: opening connections is not what is measured.

    Raises
    ------
    WrongAnswerError
        where an answer is not the expected one, or a connection breaks
    """
    parts, request = urlsplit(call.url), call.wire()
    loop = asyncio.get_running_loop()
    clients: list[_Client] = []
    try:
        for _ in range(min(connections, requests)):
            opened = await loop.create_connection(
                lambda: _Client(request, call), parts.hostname or "", parts.port or 80
            )
            clients.append(opened[1])
        await asyncio.gather(*(client.begin(_so_many(1), Load([], [], 0.0)) for client in clients))
        measured, wants_more = Load([], [], 0.0), _so_many(requests)
        begun = time.perf_counter()
        await asyncio.gather(*(client.begin(wants_more, measured) for client in clients))
        measured.wall_s = time.perf_counter() - begun
    finally:
        for client in clients:
            client.close()
    return measured


def _so_many(count: int) -> Callable[[], bool]:
    left = count

    def wants_more() -> bool:
        nonlocal left
        left -= 1
        return left >= 0

    return wants_more
