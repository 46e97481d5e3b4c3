"""What is remembered of a request is what was sent."""

from __future__ import annotations

from tenantrank.testing import Recorded
from tenantrank.testing.wire import Reader
from tests.testing.raw import BODY, request


def recorded(raw: bytes) -> Recorded:
    (arrived,) = Reader().feed(raw)
    return Recorded(1, 2, *arrived, begun_s=1.0, received_s=2.0)


def test_recorded__reads_the_request() -> None:
    raw = request(
        path="/v1/chat/completions?api-version=1", headers="X-Two: a\r\nx-two: b\r\n", Authorization="Bearer k"
    )
    one = recorded(raw)

    assert (one.method, one.target, one.path) == (
        "POST",
        "/v1/chat/completions?api-version=1",
        "/v1/chat/completions",
    )
    assert one.raw == raw
    assert one.headers[:4] == [("host", "mock"), ("x-two", "a"), ("x-two", "b"), ("authorization", "Bearer k")]
    assert one.header("X-Two") == "a, b"
    assert one.header("cookie") is None
    assert one.json == BODY
    assert one.json is one.json
    assert (one.number, one.connection, one.complete, one.outcome, one.ended_s) == (1, 2, True, "open", None)


def test_recorded__a_body_that_is_no_json_is_none() -> None:
    assert recorded(request(b"{")).json is None
    assert recorded(request(b"\xff\xff")).json is None
    assert recorded(request(b"[" * 100_000)).json is None


def test_recorded__shows_no_content() -> None:
    shown = repr(recorded(request(b"secret prompt", Authorization="Bearer secret-key")))

    assert "secret" not in shown
    assert "POST /v1/chat/completions" in shown
