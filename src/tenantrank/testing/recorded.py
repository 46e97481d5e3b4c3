"""What a mock provider remembers of one request: every byte of it, when it came, and how its answer ended."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

_decode = json.JSONDecoder().decode
OPEN, ANSWERED, CUT, RESET, LEFT, CLOSED = "open", "answered", "cut", "reset", "left", "closed"
"""Values of `Recorded.outcome`."""


class Recorded:
    """One request, as it came.

    Attributes
    ----------
    number : of the request at its mock provider, from 1, in the order in which requests were complete
    connection : number of the connection that it came on, from 1
    raw : every byte of it, with the framing of a chunked body
    body : the body without framing; as it came, so compressed where the client compressed it
    complete : false for bytes that never became a whole request before their connection ended
    begun_s, received_s : when its first byte and its last byte came, by the mock provider's clock
    reply : what was scripted for it (a `Reply`), ``None`` for an incomplete one
    sent : bytes of the answer that were handed to the socket
    outcome : ``"open"`` while the answer goes on; ``"answered"`` where all was sent that was scripted, right or wrong;
        ``"cut"`` or ``"reset"`` on script;
        ``"left"`` where the client closed the connection before the answer was complete; ``"closed"`` where the mock
        provider was stopped before
    ended_s : when the outcome was known, ``None`` before
    """

    __slots__ = (
        "_json",
        "begun_s",
        "body",
        "complete",
        "connection",
        "ended_s",
        "head_end",
        "number",
        "outcome",
        "raw",
        "received_s",
        "reply",
        "sent",
    )

    def __init__(
        self, number: int, connection: int, raw: bytes, head_end: int, body: bytes, begun_s: float, received_s: float
    ) -> None:
        self.number = number
        self.connection = connection
        self.raw = raw
        self.head_end = head_end
        self.body = body
        self.complete = True
        self.begun_s = begun_s
        self.received_s = received_s
        self.reply: Any = None
        self.sent = 0
        self.outcome = OPEN
        self.ended_s: float | None = None
        self._json: Any = _UNREAD

    def __repr__(self) -> str:
        size = len(self.body)
        return f"<Recorded {self.number}: {self.method} {self.target}, {size} bytes of body, {self.outcome}>"

    @property
    def line(self) -> bytes:
        """The request line."""
        return self.raw[: self.raw.find(b"\r\n")]

    @property
    def method(self) -> str:
        """The method, such as ``POST``."""
        return _words(self.line)[0]

    @property
    def target(self) -> str:
        """What was asked for, with its query."""
        return _words(self.line)[1]

    @property
    def path(self) -> str:
        """The target without its query."""
        return _words(self.line)[2]

    @property
    def headers(self) -> list[tuple[str, str]]:
        """Every header in the order sent, names in lower case, repeated ones as often as they came."""
        lines = self.raw[: self.head_end].decode("latin-1").split("\r\n")[1:]
        pairs = (line.partition(":") for line in lines if line)
        return [(name.strip().lower(), value.strip()) for name, _, value in pairs]

    def header(self, name: str) -> str | None:
        """Give the value of a header, several joined by a comma; ``None`` where there is none."""
        values = [value for known, value in self.headers if known == name.lower()]
        return ", ".join(values) if values else None

    @property
    def json(self) -> Any:
        """The body read as JSON, ``None`` where it is not; the same object each time."""
        if self._json is _UNREAD:
            try:
                self._json = _decode(self.body.decode())
            except (ValueError, RecursionError):
                self._json = None
        return self._json


@lru_cache(maxsize=256)
def _words(line: bytes) -> tuple[str, str, str]:
    """Give method, target, and the target without its query; clients send the same few lines again and again."""
    words = [*line.decode("latin-1").split(" "), "", ""]
    return words[0], words[1], words[1].partition("?")[0]


_UNREAD = object()
