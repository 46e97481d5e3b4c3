"""The requests in a stream of bytes: HTTP/1.1 as clients send it, no more checked than framing needs."""

from __future__ import annotations

import re
from typing import NamedTuple

MAX_HEAD = 256 * 1024
"""Most bytes of a request line with its headers."""
_HEX = re.compile(rb"[0-9a-fA-F]{1,15}")


class WireError(ValueError):
    """What came is no request in HTTP/1.1 whose end can be known."""


class Arrived(NamedTuple):
    """One complete request: its bytes, where its head ends in them, and its body without framing."""

    raw: bytes
    head_end: int
    body: bytes


class Reader:
    """Cuts what comes on one connection into requests; several may come at once, and one in many pieces.

    Attributes
    ----------
    awaits_continue : whether the request under way asked for ``100 Continue`` before its body, and no byte of the
        body has come; cleared by whoever answers it
    """

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0
        self._need = 0
        self.awaits_continue = False

    @property
    def has_rest(self) -> bool:
        """Whether there are bytes that do not make a whole request yet."""
        return bool(self._parts)

    @property
    def rest(self) -> bytes:
        """Those bytes."""
        return b"".join(self._parts)

    def feed(self, data: bytes) -> list[Arrived]:
        """Take further bytes and give the requests that are complete now, in order.

        Raises
        ------
        WireError
            where the framing cannot be understood; nothing can be read from this connection afterwards
        """
        if self._parts:
            self._parts.append(data)
            self._size += len(data)
            # Joined only when there may be enough of it, so that a large body in small pieces is copied once.
            if self._size < self._need:
                return []
            data = b"".join(self._parts)
            self._parts = []
        found: list[Arrived] = []
        at = 0
        while at < len(data):
            head_end = data.find(b"\r\n\r\n", at) + 4
            if head_end == 3:
                if len(data) - at > MAX_HEAD:
                    raise WireError("the head of a request is too long")
                self._keep(data[at:], len(data) - at + 1)
                break
            body, end = _body(data, at, head_end)
            if body is None:
                rest = data[at:] if at else data
                self.awaits_continue = len(data) == head_end and b"100-continue" in rest[: head_end - at].lower()
                self._keep(rest, end - at)
                break
            raw = data if at == 0 and end == len(data) else data[at:end]
            found.append(Arrived(raw, head_end - at, body))
            at = end
        return found

    def _keep(self, rest: bytes, need: int) -> None:
        self._parts, self._size, self._need = [rest], len(rest), need


def _body(data: bytes, at: int, head_end: int) -> tuple[bytes | None, int]:
    """Give the body and the end of the request that begins at ``at``; ``None`` and the least end it can have where
    more is needed.
    """
    head = data[at:head_end].lower()
    named = head.find(b"\r\ncontent-length:")
    if head.find(b"\r\ntransfer-encoding:") >= 0:
        if named >= 0 or b"chunked" not in head:
            raise WireError("the length of a body is given in two ways, or in an unknown one")
        return _unchunked(data, head_end)
    if named < 0:
        return b"", head_end
    digits = head[named + 17 : head.index(b"\r\n", named + 2)].strip()
    if not digits.isdigit():
        raise WireError("a content-length is no number")
    end = head_end + int(digits)
    return (data[head_end:end], end) if end <= len(data) else (None, end)


def _unchunked(data: bytes, at: int) -> tuple[bytes | None, int]:
    parts: list[bytes] = []
    while True:
        line_end = data.find(b"\r\n", at)
        if line_end < 0:
            return None, len(data) + 1
        digits = data[at:line_end].partition(b";")[0].strip()
        if not _HEX.fullmatch(digits):
            raise WireError("the size of a chunk is no number")
        size = int(digits, 16)
        if size == 0:
            # Trailers, which nobody sends to a model, end with an empty line as the head does.
            end = data.find(b"\r\n\r\n", line_end)
            return (b"".join(parts), end + 4) if end >= 0 else (None, len(data) + 1)
        at = line_end + 2 + size + 2
        if at > len(data):
            return None, at
        parts.append(data[line_end + 2 : at - 2])
