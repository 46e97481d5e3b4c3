"""From a reply to what goes over the wire: bytes, and the waits between them."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from functools import lru_cache
from http import HTTPStatus

from tenantrank.testing.reply import Reply

Step = bytes | float
"""Bytes to be written, or seconds to wait."""

_REASONS = {status.value: status.phrase for status in HTTPStatus} | {498: "Over Capacity", 529: "Overloaded"}
_WINDOW_BITS = {"gzip": 31, "deflate": 15}
_HINTS = b"HTTP/1.1 103 Early Hints\r\nlink: </style.css>; rel=preload\r\n\r\n"


def course(reply: Reply, status: int, headers: Iterable[tuple[str, str]], pieces: list[bytes]) -> Iterator[Step]:
    """Give what is to be written and waited for, in order.

    Parameters
    ----------
    reply
        how it is framed, timed and cut; its own headers come after the others, and a ``content-type`` of its own
        replaces theirs
    status, headers, pieces
        the answer: ``content-type`` and the like, and the body in pieces; is a list of one for a plain body
    """
    if reply.raw is not None:
        yield reply.raw
        return
    framing = reply.framing or ("chunked" if len(pieces) != 1 or reply.edit is not None else "length")
    sent: Iterable[bytes] = pieces if reply.edit is None else reply.edit(pieces)
    if reply.compress is not None:
        sent = _compressed(sent, _WINDOW_BITS[reply.compress])
    if reply.piece is not None:
        sent = _resized(sent, reply.piece)
    clean = reply.end == "keep"
    if clean:
        sent = _cut(sent, reply)
    length = 0
    if framing == "length":
        sent = list(sent)
        length = sum(map(len, sent)) + reply.length_off
    if not clean:
        sent = _cut(sent, reply)

    head = _head(reply, status, headers, framing, length)
    if reply.head_after_s:
        yield reply.head_after_s
    yield from _head_steps(reply, head)
    if reply.cut_head_at is not None:
        return
    yield from _timed(reply, map(_chunk, filter(None, sent)) if framing == "chunked" else sent)
    if framing == "chunked" and (clean or not reply.is_cut):
        yield b"0\r\n\r\n"


def at_once(number: int, status: int, kind: str, pieces: list[bytes]) -> bytes:
    """Give what `course` gives for the usual reply, in one go."""
    if len(pieces) == 1:
        (body,) = pieces
        return _head_at_once(status, kind, "content-length: %d") % (number, len(body)) + body
    body = b"".join([b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces])
    return _head_at_once(status, kind, "transfer-encoding: chunked") % number + body + b"0\r\n\r\n"


@lru_cache(maxsize=64)
def _head_at_once(status: int, kind: str, framing: str) -> bytes:
    name, _, value = framing.partition(": ")
    return head_of(status, [("content-type", kind), ("x-request-id", "req_%d"), (name, value)])


def head_of(status: int, headers: Iterable[tuple[str, str]]) -> bytes:
    """Give a status line and headers as bytes, with the empty line."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
    return f"HTTP/1.1 {status} {_REASONS.get(status, 'Unknown')}\r\n{lines}\r\n".encode("latin-1")


def _head(reply: Reply, status: int, headers: Iterable[tuple[str, str]], framing: str, length: int) -> bytes:
    own = {name.lower() for name, _ in reply.headers}
    every = [pair for pair in headers if pair[0] not in own] + list(reply.headers)
    if reply.compress is not None:
        every.append(("content-encoding", reply.compress))
    if framing == "length":
        every.append(("content-length", str(length)))
    elif framing == "chunked":
        every.append(("transfer-encoding", "chunked"))
    else:
        every.append(("connection", "close"))
    return _HINTS * reply.informational + head_of(status, every)


def _head_steps(reply: Reply, head: bytes) -> Iterator[Step]:
    head = head[: reply.cut_head_at]
    if not reply.head_byte_s:
        yield head
        return
    for at in range(len(head)):
        yield reply.head_byte_s
        yield head[at : at + 1]


def _timed(reply: Reply, pieces: Iterable[bytes]) -> Iterator[Step]:
    if reply.first_s:
        yield reply.first_s
    for at, piece in enumerate(pieces):
        if at and reply.each_s is not None:
            yield reply.each_s
        yield piece


def _chunk(piece: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(piece), piece)


def _compressed(pieces: Iterable[bytes], window_bits: int) -> Iterator[bytes]:
    # Each piece is flushed, as servers do that compress a stream of events.
    packer = zlib.compressobj(wbits=window_bits)
    for piece in pieces:
        yield packer.compress(piece) + packer.flush(zlib.Z_SYNC_FLUSH)
    yield packer.flush()


def _resized(pieces: Iterable[bytes], size: int) -> Iterator[bytes]:
    for piece in pieces:
        for at in range(0, len(piece), size):
            yield piece[at : at + size]


def _cut(pieces: Iterable[bytes], reply: Reply) -> Iterator[bytes]:
    left = reply.cut_at
    for at, piece in enumerate(pieces):
        if at == reply.cut_after or left == 0:
            return
        yield piece[:left]
        if left is not None:
            left = max(left - len(piece), 0)
