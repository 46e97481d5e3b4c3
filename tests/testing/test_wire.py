"""Requests are found in a stream of bytes however it is cut."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenantrank.testing.wire import MAX_HEAD, Arrived, Reader, WireError
from tests.testing.raw import request

CHUNKED = b"POST /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;note=1\r\n world\r\n0\r\n\r\n"
SEVERAL = request(b"one") + b"GET /v1/models HTTP/1.1\r\nHost: a\r\n\r\n" + CHUNKED + request(b"") + request(b"x" * 300)


def test_reader__finds_several_requests_at_once() -> None:
    found = Reader().feed(SEVERAL)

    assert [arrived.body for arrived in found] == [b"one", b"", b"hello world", b"", b"x" * 300]
    assert b"".join(arrived.raw for arrived in found) == SEVERAL
    assert all(arrived.raw[: arrived.head_end].endswith(b"\r\n\r\n") for arrived in found)


@given(st.lists(st.integers(0, len(SEVERAL)), max_size=12))
def test_reader__finds_the_same_however_the_stream_is_cut(places: list[int]) -> None:
    reader = Reader()
    edges = [0, *sorted(places), len(SEVERAL)]
    found: list[Arrived] = []
    for begin, end in pairwise(edges):
        if begin < end:
            found += reader.feed(SEVERAL[begin:end])

    assert found == Reader().feed(SEVERAL)
    assert not reader.has_rest


def test_reader__byte_by_byte() -> None:
    reader = Reader()
    found = [arrived for at in range(len(SEVERAL)) for arrived in reader.feed(SEVERAL[at : at + 1])]

    assert found == Reader().feed(SEVERAL)


def test_reader__keeps_what_is_not_complete() -> None:
    reader = Reader()

    assert [arrived.body for arrived in reader.feed(request(b"one") + request(b"two")[:-1])] == [b"one"]
    assert reader.has_rest
    assert reader.rest == request(b"two")[:-1]
    assert [arrived.body for arrived in reader.feed(b"o")] == [b"two"]


def test_reader__sees_who_waits_for_a_go_ahead() -> None:
    reader = Reader()
    wanting = request(b"body", headers="Expect: 100-continue\r\n")
    reader.feed(wanting[:-4])

    assert reader.awaits_continue
    assert Reader().feed(wanting)[0].body == b"body"


@pytest.mark.parametrize(
    "data",
    [
        b"POST / HTTP/1.1\r\nContent-Length: ten\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: identity\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"x" * (MAX_HEAD + 1),
    ],
)
def test_reader__refuses_what_has_no_certain_end(data: bytes) -> None:
    with pytest.raises(WireError):
        Reader().feed(data)


def test_reader__a_large_body_in_many_pieces() -> None:
    data = request(b"x" * 4_000_000)
    reader = Reader()
    found = [arrived for at in range(0, len(data), 1500) for arrived in reader.feed(data[at : at + 1500])]

    assert [len(arrived.body) for arrived in found] == [4_000_000]
