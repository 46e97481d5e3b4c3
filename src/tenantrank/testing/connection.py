"""One connection to a mock provider: requests in, answers out in their order, written without a task where possible."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections import deque
from collections.abc import Iterator
from typing import Protocol, cast

from tenantrank.testing.course import Step, head_of
from tenantrank.testing.recorded import ANSWERED, CLOSED, CUT, LEFT, OPEN, RESET, Recorded
from tenantrank.testing.reply import Reply
from tenantrank.testing.wire import Reader, WireError

_MOST_WAITING = 1000
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
_BAD = head_of(400, [("content-length", "0"), ("connection", "close")])
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Serving(Protocol):
    """What a connection needs of its mock provider."""

    def clock(self) -> float:
        """Give the time in seconds."""

    def opened(self, connection: Connection) -> int:
        """Take note of a connection and number it."""

    def closed(self, connection: Connection) -> None:
        """Take note that a connection is no more."""

    def record(self, recorded: Recorded) -> None:
        """Take note of a request, complete or not, and number it."""

    def noted(self) -> None:
        """Take note that the outcome of a request is known."""

    def choose(self, recorded: Recorded) -> Reply:
        """Say how a request is answered."""

    def answer(self, recorded: Recorded, reply: Reply) -> bytes | Iterator[Step]:
        """Give what is written: all of it, or step by step."""


class Connection(asyncio.Protocol):
    """Reads requests, also several at once, and answers them one after the other."""

    def __init__(self, serving: Serving) -> None:
        self._serving = serving
        self._reader = Reader()
        self._begun_s: float | None = None
        self._waiting: deque[Recorded] = deque()
        self._current: Recorded | None = None
        self._task: asyncio.Task[None] | None = None
        self._writable: asyncio.Event | None = None
        self._stopping = False
        self._paused = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast(asyncio.Transport, transport)
        self._number = self._serving.opened(self)
        sock = transport.get_extra_info("socket")
        if sock is not None:
            # uvloop does this by itself, asyncio too, but not for every kind of transport.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def data_received(self, data: bytes) -> None:
        """Record what became a request, and answer it or put it in line."""
        now = self._serving.clock()
        begun, self._begun_s = now if self._begun_s is None else self._begun_s, None
        try:
            arrived = self._reader.feed(data)
        except WireError:
            self._transport.write(_BAD)
            self._transport.close()
            return
        for raw, head_end, body in arrived:
            recorded = Recorded(0, self._number, raw, head_end, body, begun, now)
            begun = now
            self._serving.record(recorded)
            recorded.reply = self._serving.choose(recorded)
            if self._transport.is_closing():
                self._note(recorded, CUT)
            elif self._current is None and not self._waiting:
                self._start(recorded)
            else:
                self._waiting.append(recorded)
        if self._reader.has_rest:
            self._begun_s = begun
            if self._reader.awaits_continue:
                self._reader.awaits_continue = False
                self._transport.write(_CONTINUE)
        if len(self._waiting) > _MOST_WAITING and not self._paused:
            self._paused = True
            self._transport.pause_reading()

    def pause_writing(self) -> None:
        """Let steps wait: the client reads too slowly."""
        self._writable = asyncio.Event()

    def resume_writing(self) -> None:
        """Let steps go on."""
        if self._writable is not None:
            self._writable.set()
            self._writable = None

    def connection_lost(self, error: Exception | None) -> None:
        """Note what was left unanswered, and what never became a request."""
        if self._task is not None:
            self._task.cancel()
        for recorded in [self._current, *self._waiting]:
            if recorded is not None and recorded.outcome == OPEN:
                self._note(recorded, CLOSED if self._stopping else LEFT)
        self._current = None
        self._waiting.clear()
        if self._reader.has_rest:
            rest, now = self._reader.rest, self._serving.clock()
            begun = now if self._begun_s is None else self._begun_s
            head_end = rest.find(b"\r\n\r\n") + 4
            head_end = head_end if head_end > 3 else len(rest)
            recorded = Recorded(0, self._number, rest, head_end, rest[head_end:], begun, now)
            recorded.complete = False
            self._serving.record(recorded)
            self._note(recorded, CLOSED if self._stopping else LEFT)
        self._serving.closed(self)

    def stop(self) -> None:
        """Drop the connection, because the mock provider stops."""
        self._stopping = True
        self._transport.abort()

    def _start(self, recorded: Recorded) -> None:
        answer = self._serving.answer(recorded, recorded.reply)
        if isinstance(answer, bytes):
            self._transport.write(answer)
            recorded.sent = len(answer)
            self._finish(recorded)
        else:
            self._current = recorded
            self._task = asyncio.get_running_loop().create_task(self._run(recorded, answer))

    async def _run(self, recorded: Recorded, steps: Iterator[Step]) -> None:
        for step in steps:
            if self._transport.is_closing():
                # Nothing would ever pause the writing of an endless answer that nobody takes any more.
                await asyncio.sleep(0)
                return
            if isinstance(step, bytes):
                # Counted first: whoever reads the bytes may look at the record at once.
                recorded.sent += len(step)
                self._transport.write(step)
                if self._writable is not None:
                    await self._writable.wait()
            else:
                await asyncio.sleep(step)
        self._task = None
        self._finish(recorded)

    def _finish(self, recorded: Recorded) -> None:
        reply: Reply = recorded.reply
        if reply.end == "stall":
            self._current = recorded
            return
        self._current = None
        if reply.end == "reset":
            self._note(recorded, RESET)
            self._reset()
            return
        self._note(recorded, CUT if reply.is_cut else ANSWERED)
        head = recorded.raw[: recorded.head_end]
        if reply.end == "close" or reply.framing == "close" or b"onnection: close\r\n" in head:
            self._transport.close()
            for waiting in self._waiting:
                self._note(waiting, CUT)
        elif self._waiting:
            # By way of the loop: thousands of requests in line would be as many nested calls.
            asyncio.get_running_loop().call_soon(self._next)

    def _next(self) -> None:
        if self._waiting and self._current is None and not self._transport.is_closing():
            self._start(self._waiting.popleft())
        if self._paused and len(self._waiting) < _MOST_WAITING // 2 and not self._transport.is_closing():
            self._paused = False
            self._transport.resume_reading()

    def _reset(self) -> None:
        sock = self._transport.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        self._transport.abort()

    def _note(self, recorded: Recorded, outcome: str) -> None:
        recorded.outcome = outcome
        recorded.ended_s = self._serving.clock()
        self._serving.noted()
