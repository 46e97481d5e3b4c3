from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tenantrank.gateway.problem import Problem
from tenantrank.gateway.reading import ClientLeftError, read_body


def read(
    *pieces: bytes | float | None,
    headers: tuple[tuple[bytes, bytes], ...] = (),
    most: int = 100,
    seconds: float = 5.0,
) -> tuple[bytes, int]:
    """Read pieces of a body; a number waits, ``None`` is a client that leaves. Gives also how many were taken."""
    waiting = list(pieces)
    taken = 0

    async def receive() -> dict[str, Any]:
        nonlocal taken
        while waiting and isinstance(waiting[0], float):
            await asyncio.sleep(waiting.pop(0))  # type: ignore[arg-type]
        taken += 1
        piece = waiting.pop(0) if waiting else None
        if piece is None:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": piece, "more_body": bool(waiting)}

    body = asyncio.run(read_body({"headers": list(headers)}, receive, most, seconds))
    return body, taken


def refused(*pieces: bytes | float | None, **options: Any) -> Problem:
    with pytest.raises(Problem) as caught:
        read(*pieces, **options)
    return caught.value


def test_read_body__pieces_are_put_together() -> None:
    assert read(b"{}") == (b"{}", 1)
    assert read(b"") == (b"", 1)
    assert read(b"{", b"", b"}") == (b"{}", 3)
    assert read(b"x" * 50, b"y" * 50)[0] == b"x" * 50 + b"y" * 50


def test_read_body__one_that_declares_too_much_is_refused() -> None:
    problem = refused(b"{}", headers=((b"content-length", b"101"),))

    assert (problem.status, problem.code) == (413, "body_too_large")
    assert problem.headers["connection"] == "close"
    assert read(b"{}", headers=((b"content-length", b"100"),))[0] == b"{}"
    assert refused(headers=((b"content-length", b"9" * 5000),)).status == 413


def test_read_body__of_what_is_too_much_only_so_much_is_thrown_away() -> None:
    piece = b"x" * 65_536
    taken = 0

    async def receive() -> dict[str, Any]:
        nonlocal taken
        taken += 1
        return {"type": "http.request", "body": piece, "more_body": True}

    with pytest.raises(Problem) as caught:
        asyncio.run(read_body({"headers": []}, receive, 100, 5.0))
    assert caught.value.code == "body_too_large"
    assert 2 <= taken < 100
    assert refused(b"x" * 60, b"x" * 60, 60.0, b"x").code == "body_too_large"  # after a second


def test_read_body__what_is_too_much_and_whole_is_refused_at_once() -> None:
    async def receive() -> dict[str, Any]:
        if waiting:
            return {"type": "http.request", "body": waiting.pop()}
        raise AssertionError("there is no more to come")

    waiting = [b"x" * 101]
    with pytest.raises(Problem) as caught:
        asyncio.run(read_body({"headers": []}, receive, 100, 5.0))
    assert caught.value.code == "body_too_large"


def test_read_body__has_one_time_for_all_of_it() -> None:
    problem = refused(0.06, b"{", 0.06, b"}", seconds=0.1)

    assert (problem.status, problem.code) == (408, "request_timeout")
    assert problem.headers["connection"] == "close"
    assert read(0.01, b"{", 0.01, b"}", seconds=1.0)[0] == b"{}"
    assert refused(1.0, b"{}", seconds=0.01).status == 408


def test_read_body__a_client_that_leaves() -> None:
    for pieces in ((None,), (b"{", None)):
        with pytest.raises(ClientLeftError):
            read(*pieces)


@pytest.mark.parametrize("kind", [b"application/json", b"Application/JSON; charset=utf-8", b"text/json"])
def test_read_body__json_by_any_of_its_names(kind: bytes) -> None:
    assert read(b"{}", headers=((b"content-type", kind),))[0] == b"{}"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (b"content-type", b"text/plain"),
        (b"content-type", b"multipart/form-data; boundary=x"),
        (b"content-type", b"application/jsonx"),
        (b"content-encoding", b"gzip"),
        (b"content-encoding", b"identity, br"),
    ],
)
def test_read_body__anything_else_is_refused(name: bytes, value: bytes) -> None:
    problem = refused(b"{}", headers=((name, value),))

    assert (problem.status, problem.code) == (415, "unsupported_media_type")
    assert value.decode() not in str(problem)


def test_read_body__no_coding_may_be_said() -> None:
    assert read(b"{}", headers=((b"content-encoding", b"Identity"),))[0] == b"{}"
