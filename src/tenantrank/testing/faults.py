"""Ways to answer badly, late or strangely. Each function gives a `Reply`; ``reply.but(...)`` combines them.

A fault for streams does little to a plain answer, which is one piece, and the other way round.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from types import MappingProxyType

from tenantrank.testing.answers import DONE, event
from tenantrank.testing.provider_errors import ERRORS
from tenantrank.testing.reply import USUAL, End, Reply

_HTML = b"<html><head><title>502 Bad Gateway</title></head><body><center>nginx</center></body></html>"


def error(kind: str, provider: str = "openai", *, retry_after: str | None = None) -> Reply:
    """Fail as a provider does: a kind of `provider_errors.KINDS` in that provider's words.

    Raises
    ------
    KeyError
        where the provider is not known, or fails in no such way
    """
    status, body, headers = ERRORS[provider][kind]
    if retry_after is not None:
        headers = (*(pair for pair in headers if "retry-after" not in pair[0]), ("retry-after", retry_after))
    return Reply(status=status, headers=headers, body=body)


def status(code: int, body: bytes = b"", **headers: str) -> Reply:
    """Answer with a status, a body and headers; ``_`` in a header's name stands for ``-``."""
    return Reply(
        status=code, body=body, headers=tuple((name.replace("_", "-"), text) for name, text in headers.items())
    )


def html_page(code: int = 502) -> Reply:
    """Answer with a proxy's error page instead of JSON."""
    return status(code, _HTML, content_type="text/html")


def redirect(location: str, code: int = 307) -> Reply:
    """Send the client elsewhere."""
    return status(code, b"", location=location)


def late(seconds: float) -> Reply:
    """Say nothing for a while, then answer."""
    return Reply(head_after_s=seconds)


def slow_head(each_byte_s: float) -> Reply:
    """Give the head byte by byte."""
    return Reply(head_byte_s=each_byte_s)


def slow_body(first_s: float = 0.0, each_s: float = 0.0, piece: int | None = None) -> Reply:
    """Give the body in pieces: events of a stream, or so many bytes."""
    return Reply(first_s=first_s, each_s=each_s, piece=piece)


def silence() -> Reply:
    """Take the request and never answer; the connection stays open."""
    return Reply(raw=b"", end="stall")


def hang_up(how: End = "close") -> Reply:
    """Take the request and end the connection without a byte."""
    return Reply(raw=b"", end=how)


def quietly_closed() -> Reply:
    """Answer well, then close the connection without having said so, as a server does whose patience is over.

    A client that keeps connections may send its next request into the closed one.
    """
    return Reply(end="close")


def cut(after: int | None = None, *, at: int | None = None, how: End = "reset") -> Reply:
    """Stop in the middle of the body, after so many pieces or bytes.

    ``how`` is ``"reset"``, ``"close"``, ``"stall"`` (the connection stays open, nothing more comes), or ``"keep"`` (the
    framing says that this was all).
    """
    return Reply(cut_after=after, cut_at=at, end=how)


def cut_head(at: int, how: End = "close") -> Reply:
    """Stop in the middle of the head."""
    return Reply(cut_head_at=at, end=how)


def wrong_length(by: int) -> Reply:
    """Announce more bytes (or, negative, fewer) than are sent; the connection is closed after them."""
    return Reply(framing="length", length_off=by, end="close")


def garbage() -> Reply:
    """Answer with something that is not HTTP."""
    return Reply(raw=b"\x00\x01\x02 SSH-2.0-mock\r\n", end="close")


def malformed_json() -> Reply:
    """Answer 200 with a body that is no JSON."""
    return Reply(body=b'{"id": "chatcmpl-1", "object": "chat.completion", "choices": [')


def other_shape(body: bytes = b'["not", "an", "object"]') -> Reply:
    """Answer 200 with JSON of another shape than the protocol's."""
    return Reply(body=body)


def empty() -> Reply:
    """Answer 200 with no body at all."""
    return Reply(edit=lambda pieces: [], framing="length")


def error_in_200(provider: str = "openrouter", kind: str = "server") -> Reply:
    """Answer 200 with an error record."""
    return Reply(body=ERRORS[provider][kind].body)


def error_event(after: int, provider: str = "openrouter", kind: str = "server") -> Reply:
    """Break a stream off with an error event after so many events; no ``[DONE]`` follows."""
    record = json.loads(ERRORS[provider][kind].body)
    return Reply(edit=lambda pieces: [*pieces[:after], event(record)])


def malformed_event(after: int) -> Reply:
    """Send one event that is no JSON after so many events, then go on."""
    return Reply(edit=lambda pieces: [*pieces[:after], b'data: {"choices": [{"del\n\n', *pieces[after:]])


def without_done() -> Reply:
    """Leave ``[DONE]`` out; the stream ends all the same."""
    return Reply(edit=lambda pieces: [piece for piece in pieces if piece != DONE])


def without_finish() -> Reply:
    """Leave every finish reason out, so that the answer stops in the middle although ``[DONE]`` comes."""
    marks = b'"finish_reason":"', b'"finish_reason": "'
    return Reply(edit=lambda pieces: [piece for piece in pieces if not any(mark in piece for mark in marks)])


def huge_line(size: int) -> Reply:
    """Send one event of so many bytes before the last one."""
    return Reply(edit=lambda pieces: [*pieces[:-1], b'data: {"x":"' + b"x" * size + b'"}\n\n', *pieces[-1:]])


def endless(each_s: float = 0.0) -> Reply:
    """Repeat the second event of a stream for ever."""

    def repeated(pieces: list[bytes]) -> Iterator[bytes]:
        yield pieces[0]
        while True:
            yield pieces[min(1, len(pieces) - 1)]

    return Reply(edit=repeated, each_s=each_s)


def huge_head(size: int) -> Reply:
    """Answer with a header of so many bytes."""
    return Reply(headers=(("x-huge", "x" * size),))


def bomb(size: int) -> Reply:
    """Answer with a body that is small on the wire and so many bytes when unpacked."""
    return Reply(body=b'{"x":"' + b"x" * size + b'"}', compress="gzip")


def crlf_events() -> Reply:
    """End the lines of a stream with CR LF."""
    return Reply(edit=lambda pieces: [piece.replace(b"\n", b"\r\n") for piece in pieces])


def comments() -> Reply:
    """Put a comment before each event of a stream, as providers do that keep a connection alive."""
    return Reply(edit=lambda pieces: [part for piece in pieces for part in (b": PROCESSING\n\n", piece)])


STRANGE: MappingProxyType[str, Reply] = MappingProxyType(
    {
        "usual": USUAL,
        "late": late(0.02),
        "byte by byte": slow_body(piece=1),
        "a packet an event": slow_body(),
        "gzip": Reply(compress="gzip"),
        "deflate": Reply(compress="deflate"),
        "chunked": Reply(framing="chunked"),
        "until the end": Reply(framing="close"),
        "closed afterwards": Reply(headers=(("connection", "close"),), end="close"),
        "early hints": Reply(informational=3),
    }
)
"""Answers that are unusual and right: a client has to take them, streamed or not."""

BROKEN: MappingProxyType[str, Reply] = MappingProxyType(
    {
        **{f"openai {kind}": error(kind) for kind in ERRORS["openai"]},
        "no answer": hang_up(),
        "no answer, reset": hang_up("reset"),
        "half a head": cut_head(20),
        "half a body": cut(at=10, how="close"),
        "half a body, reset": cut(at=10),
        "half a body, framed as whole": cut(at=10, how="keep"),
        "wrong length": wrong_length(10),
        "empty": empty(),
        "garbage": garbage(),
        "malformed": malformed_json(),
        "other shape": other_shape(),
        "error in 200": error_in_200(),
        "html": html_page(),
        "redirect": redirect("http://127.0.0.1:9/v1/chat/completions"),
    }
)
"""Answers that are none, streamed or not: a client has to fail, and at once."""
