"""A server over real sockets that says exactly the bytes it is told to, and remembers what it was sent."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from pathlib import Path

from tenantrank.gateway.providers import Endpoint, ProviderSettings, providers_of

KEY = "sk-canary-0123456789abcdef"


class RawServer:
    """``say`` is bytes, or is called with the writer; the connection is kept open afterwards unless ``then_close``."""

    def __init__(
        self, say: bytes | Callable[[asyncio.StreamWriter], Awaitable[None]], *, then_close: bool = True
    ) -> None:
        self.say = say
        self.then_close = then_close
        self.heads: list[bytes] = []
        self.bodies: list[bytes] = []
        self.connections = 0
        self.left = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> "RawServer":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/v1"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self.connections += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                size = next(int(h.split(b":")[1]) for h in head.split(b"\r\n") if h.lower().startswith(b"content-len"))
                self.heads.append(head)
                self.bodies.append(await reader.readexactly(size))
                if isinstance(self.say, bytes):
                    writer.write(self.say)
                    await writer.drain()
                else:
                    await self.say(writer)
                if self.then_close:
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            self.left.set()
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError, asyncio.CancelledError):
                await writer.wait_closed()

    def endpoint(self, kind: str = "openai", **settings: object) -> Endpoint:
        given = ProviderSettings.model_validate(
            {"kind": kind, "base_url": self.url, "key": "os.environ/KEY", **settings}
        )
        found = providers_of({kind: given}, {"KEY": KEY}, Path())[kind].endpoint(None)
        assert found is not None
        return found


def answer(body: bytes, *, status: str = "200 OK", headers: str = "content-type: application/json\r\n") -> bytes:
    return f"HTTP/1.1 {status}\r\n{headers}content-length: {len(body)}\r\n\r\n".encode() + body


def chunk(piece: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(piece), piece)


STREAM_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
