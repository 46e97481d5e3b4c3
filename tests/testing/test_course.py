"""What goes over the wire, without a wire."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenantrank.testing import Reply
from tenantrank.testing.course import at_once, course, head_of

HEADERS = (("content-type", "text/plain"), ("x-request-id", "req_1"))
PIECES = st.lists(st.binary(max_size=20), min_size=1, max_size=6)


def wire(reply: Reply, pieces: list[bytes], status: int = 200) -> bytes:
    return b"".join(step for step in course(reply, status, HEADERS, pieces) if isinstance(step, bytes))


def unchunked(body: bytes) -> bytes:
    content = b""
    while body:
        size, _, body = body.partition(b"\r\n")
        content += body[: int(size, 16)]
        body = body[int(size, 16) + 2 :]
    return content


@given(PIECES)
def test_at_once__is_the_course_of_the_usual_reply(pieces: list[bytes]) -> None:
    pieces = [piece for piece in pieces if piece] or [b"x"]

    assert at_once(1, 200, "text/plain", pieces) == wire(Reply(), pieces)


@given(PIECES, st.integers(0, 60), st.sampled_from(["length", "chunked", "close"]), st.sampled_from([None, 1, 7]))
def test_course__a_cut_body_is_a_prefix(pieces: list[bytes], at: int, framing: Any, size: int | None) -> None:
    whole = b"".join(pieces)
    head, _, body = wire(Reply(cut_at=at, framing=framing, piece=size, end="keep"), pieces).partition(b"\r\n\r\n")

    assert (unchunked(body) if framing == "chunked" else body) == whole[:at]
    assert framing != "length" or b"content-length: %d" % min(at, len(whole)) in head


@given(PIECES, st.integers(0, 60))
def test_course__a_broken_body_announces_all_of_it(pieces: list[bytes], at: int) -> None:
    whole = b"".join(pieces)
    reply = Reply(cut_at=at, framing="length", end="reset")
    head, _, body = wire(reply, pieces).partition(b"\r\n\r\n")

    assert body == whole[:at]
    assert b"content-length: %d" % len(whole) in head


def test_course__waits_where_it_is_told_to() -> None:
    reply = Reply(head_after_s=1.0, first_s=2.0, each_s=0.0, framing="close")
    steps = list(course(reply, 200, (), [b"a", b"b", b"c"]))

    assert steps == [1.0, head_of(200, [("connection", "close")]), 2.0, b"a", 0.0, b"b", 0.0, b"c"]


def test_course__gives_the_head_byte_by_byte() -> None:
    steps = list(course(Reply(head_byte_s=0.5, cut_head_at=3, end="close"), 200, (), [b"a"]))

    assert steps == [0.5, b"H", 0.5, b"T", 0.5, b"T"]


def test_course__own_headers_replace_and_add() -> None:
    head = wire(Reply(headers=(("Content-Type", "a/b"), ("x-a", "1"), ("x-a", "2"))), [b"x"]).partition(b"\r\n\r\n")[0]

    assert head.count(b"ontent-") == 0 + head.count(b"content-length") + 1
    assert b"Content-Type: a/b\r\nx-a: 1\r\nx-a: 2" in head


@pytest.mark.parametrize(
    ("status", "line"),
    [
        (200, b"HTTP/1.1 200 OK"),
        (529, b"HTTP/1.1 529 Overloaded"),
        (498, b"HTTP/1.1 498 Over Capacity"),
        (799, b"HTTP/1.1 799 Unknown"),
    ],
)
def test_head_of__names_the_status(status: int, line: bytes) -> None:
    assert head_of(status, []).startswith(line + b"\r\n")


def test_course__raw_is_written_as_it_is() -> None:
    assert list(course(Reply(raw=b"raw", framing="chunked", cut_at=1), 200, HEADERS, [b"x"])) == [b"raw"]
