"""Server-sent events: raw bytes in, whole events out, byte for byte."""

from __future__ import annotations

import re

from tenantrank.gateway.failure import Failure

_BLANK_LINE = re.compile(rb"\r\n\r\n|\n\r\n|\r\n\n|\n\n|\r\r")
_LINE_END = re.compile(rb"\r\n|\n|\r")
_FIELDS = (b"data", b"event", b"id", b"retry")
_MARK = b"\xef\xbb\xbf"


class Events:
    """Splits a stream into its events.

    Parameters
    ----------
    cap
        the most bytes of one event

    Attributes
    ----------
    rest : the bytes of the event that is not complete yet
    """

    __slots__ = ("_cap", "rest")

    def __init__(self, cap: int = 1024 * 1024) -> None:
        self._cap = cap
        self.rest = bytearray()

    def feed(self, piece: bytes) -> list[bytes]:
        """Give the events that a piece of the stream completes, each with the blank line that ends it.

        Raises
        ------
        Failure
            for an event above the cap, complete or not
        """
        rest = self.rest
        if b"\r" in piece or b"\r" in rest:
            return self._with_returns(piece)
        if rest:
            # Only the seam can hold a new end before the piece's own, so that many small pieces cost no more than one.
            searched = max(len(rest) - 1, 0)
            rest += piece
            if rest.find(b"\n\n", searched) < 0:
                self._limit(len(rest))
                return []
            piece = bytes(rest)
            rest.clear()
        end = piece.rfind(b"\n\n") + 2
        if end == 1:
            rest += piece
            self._limit(len(rest))
            return []
        if end != len(piece):
            rest += piece[end:]
            self._limit(len(rest))
            piece = piece[:end]
        events = [event + b"\n\n" for event in piece[:-2].split(b"\n\n")]
        self._limit(max(map(len, events)))
        return events

    def _with_returns(self, piece: bytes) -> list[bytes]:
        searched = max(len(self.rest) - 3, 0)
        self.rest += piece
        events: list[bytes] = []
        start = 0
        for found in _BLANK_LINE.finditer(self.rest, searched):
            events.append(bytes(self.rest[start : found.end()]))
            start = found.end()
        del self.rest[:start]
        self._limit(max([len(self.rest), *map(len, events)]))
        return events

    def _limit(self, size: int) -> None:
        if size > self._cap:
            raise Failure("bad_response", f"an event of the stream is longer than {self._cap} bytes", accepted=True)


def data_of(event: bytes) -> bytes | None:
    """Give the data of an event, its lines joined; ``None`` where it has none, as a comment.

    Raises
    ------
    Failure
        for lines that are neither fields of an event nor comments
    """
    if event.startswith(b"data: ") and event.find(b"\n") == len(event) - 2 and b"\r" not in event:
        return event[6:-2]
    data: list[bytes] = []
    for line in _LINE_END.split(event.removeprefix(_MARK)):
        if not line or line.startswith(b":"):
            continue
        field, _, value = line.partition(b":")
        if field == b"data":
            data.append(value.removeprefix(b" "))
        elif field not in _FIELDS:
            raise Failure("bad_response", "the stream holds what is no event", accepted=True)
    return b"\n".join(data) if data else None
