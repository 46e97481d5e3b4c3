"""A mock provider: OpenAI-compatible, over a real socket, recording what it gets and failing on script."""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping

from tenantrank.testing.connection import Connection
from tenantrank.testing.course import Step, at_once, course
from tenantrank.testing.faults import BROKEN
from tenantrank.testing.recorded import Recorded
from tenantrank.testing.reply import USUAL, Reply
from tenantrank.testing.usual import JSON, Usual, refusal

TEXT = "This answer comes from a mock provider. No model was asked."
"""What it says where nothing else was given."""


class MockProvider:
    """An OpenAI-compatible provider: ``/chat/completions``, plain and streaming, ``/embeddings`` and ``/models``.

    Any prefix before these paths is accepted, so that Azure's and Gemini's longer ones work too. Every request is
    recorded before it is answered. What answers a request is, in this order: the next scripted reply; what ``respond``
    gives; a fault drawn by `break_randomly`; the usual answer. Without a script it checks what a provider checks: the
    key, that the body is JSON, the model.

    ``async with MockProvider() as mock`` serves on the running event loop; `running` serves in a thread.

    Parameters
    ----------
    text
        what the assistant says
    key
        the only credential accepted, as a bearer token, ``api-key`` or ``x-api-key``; ``None``: anything, also nothing
    models
        the models there are; empty: whatever is asked for
    respond
        called with a request that no scripted reply is left for; ``None`` from it means the usual answer
    keep
        how many requests are remembered at most; ``None``: all of them
    embedding_size
        numbers of an embedding, where the request does not say
    host, port
        where it listens; port 0 takes a free one
    clock
        gives the seconds that requests are recorded with
    """

    def __init__(
        self,
        *,
        text: str = TEXT,
        key: str | None = None,
        models: tuple[str, ...] = (),
        respond: Callable[[Recorded], Reply | None] | None = None,
        keep: int | None = None,
        embedding_size: int = 8,
        host: str = "127.0.0.1",
        port: int = 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.usual = Usual(text, key, models, embedding_size)
        self.respond = respond
        self.host = host
        self.port = port
        self.clock = clock
        self._script: deque[Reply] = deque()
        self._random: Callable[[], Reply | None] | None = None
        self._requests: deque[Recorded] = deque(maxlen=keep)
        self._count = 0
        self._connections: set[Connection] = set()
        self._connection_count = 0
        self._server: asyncio.Server | None = None
        self._arrivals: set[asyncio.Event] = set()

    # What a test does with it.

    @property
    def url(self) -> str:
        """The base URL, such as ``http://127.0.0.1:41234/v1``."""
        return f"http://{self.host}:{self.port}/v1"

    def url_of(self, name: str) -> str:
        """Give a base URL below a path of its own, as each simulated provider has one."""
        return f"http://{self.host}:{self.port}/{name}/v1"

    @property
    def requests(self) -> tuple[Recorded, ...]:
        """The requests so far, in the order in which they were complete."""
        return tuple(self._requests)

    @property
    def count(self) -> int:
        """How many requests there were, also those no longer remembered."""
        return self._count

    @property
    def connections(self) -> int:
        """How many connections there were."""
        return self._connection_count

    @property
    def open_connections(self) -> int:
        """How many connections there are now."""
        return len(self._connections)

    def script(self, *replies: Reply | str) -> None:
        """Answer the next requests with these, one each, after those scripted before.

        A text is what the assistant says.
        """
        self._script.extend(Reply(text=reply) if isinstance(reply, str) else reply for reply in replies)

    @property
    def scripted(self) -> int:
        """How many scripted replies nobody has had yet."""
        return len(self._script)

    def break_randomly(self, rate: float, seed: int, among: Mapping[str, Reply] = BROKEN) -> None:
        """Answer that part of the requests with a fault; the same seed draws the same faults for the same order."""
        drawn = random.Random(seed)
        replies = list(among.values())
        self._random = lambda: drawn.choice(replies) if drawn.random() < rate else None

    def reset(self) -> None:
        """Forget requests, script and random faults; connections stay."""
        self._requests.clear()
        self._count = 0
        self._script.clear()
        self._random = None

    async def arrived(self, count: int, timeout_s: float = 5.0) -> tuple[Recorded, ...]:
        """Wait until there were so many requests, complete or not, and give those remembered.

        Raises
        ------
        TimeoutError
            where they do not come
        """
        await self._wait(lambda: self._count >= count, timeout_s)
        return self.requests

    async def settled(self, timeout_s: float = 5.0) -> None:
        """Wait until the outcome of every remembered request is known.

        Raises
        ------
        TimeoutError
            where one stays open
        """
        await self._wait(lambda: all(recorded.ended_s is not None for recorded in self._requests), timeout_s)

    # Its life.

    async def start(self) -> None:
        """Listen; also again after `refuse`, at the same port."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Connection(self), self.host, self.port, backlog=1024)
        self.port = self._server.sockets[0].getsockname()[1]

    async def refuse(self) -> None:
        """Listen no more: new connections are refused, those that are open go on."""
        if self._server is not None:
            self._server.close()
            self._server = None
            # The event loop closes the socket in one of its next turns.
            await asyncio.sleep(0.01)

    async def stop(self) -> None:
        """Listen no more, and drop every connection."""
        server, self._server = self._server, None
        for connection in list(self._connections):
            connection.stop()
        if server is not None:
            server.close()
            await server.wait_closed()
        while self._connections:
            await asyncio.sleep(0)

    async def __aenter__(self) -> MockProvider:
        await self.start()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.stop()

    # What its connections need.

    def opened(self, connection: Connection) -> int:
        """Take note of a connection and number it."""
        self._connections.add(connection)
        self._connection_count += 1
        return self._connection_count

    def closed(self, connection: Connection) -> None:
        """Take note that a connection is no more."""
        self._connections.discard(connection)
        self.noted()

    def record(self, recorded: Recorded) -> None:
        """Take note of a request, complete or not, and number it."""
        self._count += 1
        recorded.number = self._count
        self._requests.append(recorded)
        self.noted()

    def noted(self) -> None:
        """Let those look who wait for something to happen."""
        for event in self._arrivals:
            event.set()

    def choose(self, recorded: Recorded) -> Reply:
        """Say how a request is answered."""
        if self._script:
            return self._script.popleft()
        reply = self.respond(recorded) if self.respond is not None else None
        if reply is None and self._random is not None:
            reply = self._random()
        return reply or USUAL

    def answer(self, recorded: Recorded, reply: Reply) -> bytes | Iterator[Step]:
        """Give what is written: all of it, or step by step."""
        if reply.body is not None or reply.raw is not None:
            status, kind, pieces = reply.status, JSON, [reply.body or b""]
        elif reply.status != 200:
            status, kind, pieces = refusal(reply.status, f"mock status {reply.status}", None)
        else:
            status, kind, pieces = self.usual.answer(recorded, reply)
        if reply is USUAL:
            return at_once(recorded.number, status, kind, pieces)
        headers = (("content-type", kind), ("x-request-id", f"req_{recorded.number}"))
        steps = course(reply, status, headers, pieces)
        if reply.is_timed or reply.edit is not None or reply.piece is not None:
            return steps
        return b"".join(steps)  # type: ignore[arg-type]

    async def _wait(self, is_so: Callable[[], bool], timeout_s: float) -> None:
        event = asyncio.Event()
        self._arrivals.add(event)
        try:
            async with asyncio.timeout(timeout_s):
                while not is_so():
                    event.clear()
                    await event.wait()
        finally:
            self._arrivals.discard(event)
