"""The server's side of HTTP/1.1: uvicorn's, with a limit in time and size on what comes before a body.

uvicorn waits for ever for a request's first line and headers, and keeps as many of them as a client sends.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from tenantrank.gateway.plain import json_bytes
from tenantrank.gateway.problem import Problem

HEAD_BYTES = 64 * 1024
"""Longest request line and headers together, in bytes; the piece of a body that came with them counts too."""
HEAD_S = 15.0
"""Longest time for them, in seconds, from the connection or from the first byte of a later request on it."""

_BODY = json_bytes(Problem(503, "overloaded", "there are too many connections").to_json())
_TOO_MANY = b"\r\n".join(
    [
        b"HTTP/1.1 503 Service Unavailable",
        b"content-type: application/json",
        b"content-length: %d" % len(_BODY),
        b"retry-after: 1",
        b"connection: close",
        b"",
        _BODY,
    ]
)


class BoundedProtocol(HttpToolsProtocol):
    """One connection of a client.

    A head that is too long, takes too long, or does not have exactly one ``Host`` ends the connection. One connection
    more than ``most`` is told so and closed.
    """

    def __init__(self, *args: Any, most: int | None = None, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self._most = most
        self._deadline: asyncio.TimerHandle | None = None
        self._before_body = True
        self._head_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request."""
        super().connection_made(transport)
        if self._most is not None and len(self.connections) > self._most:
            transport.write(_TOO_MANY)
            transport.close()
            return
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """End to wait."""
        self._waited()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take bytes, while the head is within its bound."""
        if self._before_body:
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_BYTES and self._head_bytes > HEAD_BYTES + self._body_with_head(data):
                self.send_400_response("The request's head is too long.")
                return
        super().data_received(data)

    def on_message_begin(self) -> None:
        """Begin a request's head."""
        super().on_message_begin()
        self._before_body = True
        if self._deadline is None:
            self._wait()

    def on_headers_complete(self) -> None:
        """End a request's head, and start to answer it."""
        self._waited()
        self._before_body, self._head_bytes = False, 0
        hosts = sum(name == b"host" for name, _ in self.headers)
        if hosts != 1 and not (hosts == 0 and self.parser.get_http_version() == "1.0"):
            # What one server takes for the host of a request, another one in front of it may not.
            raise ValueError("a request has exactly one Host")
        super().on_headers_complete()

    def on_response_complete(self) -> None:
        """End an answer; what is still to come of the request, which nobody reads, may not take for ever either."""
        super().on_response_complete()
        if not self._before_body and self._deadline is None and not self.transport.is_closing():
            self._wait()

    def on_message_complete(self) -> None:
        """End a request."""
        self._waited()
        super().on_message_complete()
        self._before_body, self._head_bytes = True, 0

    @staticmethod
    def _body_with_head(data: bytes) -> int:
        """Give how much of some bytes lies behind the end of a head in them."""
        end = data.find(b"\r\n\r\n")
        return 0 if end < 0 else len(data) - end - 4

    def _wait(self) -> None:
        self._deadline = self.loop.call_later(HEAD_S, self._late)

    def _waited(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _late(self) -> None:
        self._deadline = None
        self.transport.close()
