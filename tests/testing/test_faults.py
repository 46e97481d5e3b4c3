"""Every fault, as a client of raw sockets sees it."""

from __future__ import annotations

import asyncio
import gzip
import json
import time
import zlib
from typing import Any

import pytest

from tenantrank.testing import ERRORS, MockProvider, Reply, faults
from tenantrank.testing.mock import TEXT
from tenantrank.testing.reply import End
from tests.testing.raw import BODY, STREAMED, Client, events, loops, request, with_mock

CHUNKS = len(TEXT.split()) + 2
"""Events of the usual stream, without [DONE]."""
ENDS: tuple[End, ...] = ("close", "reset")


def played(reply: Reply, body: Any = BODY, loop: Any = None) -> tuple[int, dict[str, str], bytes]:
    """Have one request answered with a reply, and read the answer as it is framed."""
    found: list[Any] = []

    async def test(mock: MockProvider, client: Client) -> None:
        mock.script(reply)
        await client.send(request(body))
        found.append(await client.answer())

    with_mock(test, loop=loop)
    (answer,) = found
    return answer  # type: ignore[no-any-return]


def broken_off(reply: Reply, body: Any = BODY, loop: Any = None) -> tuple[bytes, bool, str]:
    """Give every byte that comes before the connection ends, whether it ended by a reset, and what was recorded."""
    found: list[Any] = []

    async def test(mock: MockProvider, client: Client) -> None:
        mock.script(reply)
        await client.send(request(body))
        data, is_reset = b"", False
        try:
            while part := await client.reader.read(65536):
                data += part
        except ConnectionResetError:
            is_reset = True
        found.extend((data, is_reset))

    (recorded,) = with_mock(test, loop=loop).requests
    return found[0], found[1], recorded.outcome


def stays_open(reply: Reply, body: Any = BODY) -> bytes:
    """Give what comes before nothing more comes, on a connection that stays open."""
    found: list[bytes] = []

    async def test(mock: MockProvider, client: Client) -> None:
        mock.script(reply)
        await client.send(request(body))
        data = b""
        try:
            while True:
                part = await asyncio.wait_for(client.reader.read(65536), 0.1)
                assert part, "the connection was closed"
                data += part
        except TimeoutError:
            found.append(data)
        assert mock.requests[0].outcome == "open"
        client.leave()
        await mock.settled(1.0)

    (recorded,) = with_mock(test).requests
    assert recorded.outcome == "left"
    return found[0]


@pytest.mark.parametrize(("provider", "kind"), [(name, kind) for name, kinds in ERRORS.items() for kind in kinds])
def test_error__is_the_provider_s(provider: str, kind: str) -> None:
    status, headers, body = played(faults.error(kind, provider))

    expected = ERRORS[provider][kind]
    assert (status, body, headers["content-type"]) == (expected.status, expected.body, "application/json")
    assert set(expected.headers) <= set(headers.items())


@pytest.mark.parametrize("after", ["3", "-1", "1e9", "Wed, 25 Nov 2026 20:00:00 GMT"])
def test_error__waits_as_long_as_wanted(after: str) -> None:
    status, headers, _ = played(faults.error("rate_limit", retry_after=after))

    assert (status, headers["retry-after"]) == (429, after)
    assert "retry-after-ms" not in headers


def test_status__with_headers() -> None:
    status, headers, body = played(faults.status(429, b"{}", x_ms_retry_after_ms="20", content_type="text/plain"))

    assert (status, body) == (429, b"{}")
    assert (headers["x-ms-retry-after-ms"], headers["content-type"]) == ("20", "text/plain")


def test_status__without_a_body_has_an_error_record() -> None:
    status, _, body = played(Reply(status=503), STREAMED)

    assert (status, json.loads(body)["error"]["type"]) == (503, "server_error")


def test_html_page() -> None:
    status, headers, body = played(faults.html_page())

    assert (status, headers["content-type"]) == (502, "text/html")
    assert body.startswith(b"<html>")


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_redirect(code: int) -> None:
    status, headers, _ = played(faults.redirect("http://elsewhere.invalid/", code))

    assert (status, headers["location"]) == (code, "http://elsewhere.invalid/")


@pytest.mark.parametrize(
    "reply",
    [
        faults.late(0.05),
        faults.slow_head(0.0005),
        faults.slow_body(first_s=0.05),
        faults.slow_body(each_s=0.005, piece=50),
    ],
)
def test_slowness__changes_nothing_else(reply: Reply) -> None:
    begun = time.monotonic()
    status, _, body = played(reply)

    assert time.monotonic() - begun > 0.03
    assert status == 200
    assert json.loads(body)["choices"][0]["message"]["content"] == TEXT


def test_slow_body__gives_each_event_a_packet_of_its_own() -> None:
    times: list[float] = []

    async def test(mock: MockProvider, client: Client) -> None:
        mock.script(faults.slow_body(each_s=0.01))
        await client.send(request(STREAMED))
        await client.head()
        times.extend([time.monotonic() async for _ in client.chunks()])

    with_mock(test)
    assert len(times) == CHUNKS + 1
    assert times[-1] - times[0] > 0.01 * CHUNKS * 0.9


def test_silence() -> None:
    assert stays_open(faults.silence()) == b""


@pytest.mark.parametrize("loop", loops())
@pytest.mark.parametrize("how", ENDS)
def test_hang_up(how: End, loop: Any) -> None:
    data, is_reset, outcome = broken_off(faults.hang_up(how), loop=loop)

    assert (data, is_reset) == (b"", how == "reset")
    assert outcome == ("reset" if how == "reset" else "answered")


@pytest.mark.parametrize("loop", loops())
@pytest.mark.parametrize("how", ENDS)
@pytest.mark.parametrize("at", [0, 1, 50])
def test_cut__at_a_byte_of_the_body(at: int, how: End, loop: Any) -> None:
    data, is_reset, outcome = broken_off(faults.cut(at=at, how=how), loop=loop)
    head, _, body = data.partition(b"\r\n\r\n")

    assert len(body) == at
    assert int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]) > 50
    assert (is_reset, outcome) == ((True, "reset") if how == "reset" else (False, "cut"))


@pytest.mark.parametrize("how", ENDS)
@pytest.mark.parametrize("after", range(CHUNKS + 1))
def test_cut__after_every_event(after: int, how: End) -> None:
    data, is_reset, _ = broken_off(faults.cut(after, how=how), STREAMED)
    body = data.partition(b"\r\n\r\n")[2]

    assert body.count(b"data: ") == after
    assert not body.endswith(b"\r\n0\r\n\r\n")
    assert is_reset == (how == "reset")


def test_cut__after_every_byte_of_a_stream() -> None:
    whole = played(Reply(), STREAMED)[2]
    cuts = range(0, len(whole), 7)

    async def test(mock: MockProvider, client: Client) -> None:
        mock.script(*(faults.cut(at=at, how="keep") for at in cuts))
        for at in cuts:
            await client.send(request(STREAMED))
            body = (await client.answer())[2]
            # The id of a completion is its number; the first one has one digit.
            assert len(body) == at

    with_mock(test)


def test_cut__framed_as_if_it_were_all() -> None:
    assert len(played(faults.cut(at=20, how="keep"))[2]) == 20
    assert b"[DONE]" not in played(faults.cut(3, how="keep"), STREAMED)[2]


def test_cut__and_nothing_more_comes() -> None:
    data = stays_open(faults.cut(3, how="stall"), STREAMED)

    assert data.count(b"data: ") == 3


@pytest.mark.parametrize("how", ENDS)
def test_cut_head(how: End) -> None:
    data, is_reset, _ = broken_off(faults.cut_head(20, how))

    assert data == b"HTTP/1.1 200 OK\r\ncon"[:20]
    assert is_reset == (how == "reset")


@pytest.mark.parametrize("by", [10, -10])
def test_wrong_length(by: int) -> None:
    data, _, _ = broken_off(faults.wrong_length(by))
    head, _, body = data.partition(b"\r\n\r\n")

    assert int(head.lower().partition(b"content-length: ")[2]) == len(body) + by


def test_quietly_closed() -> None:
    data, is_reset, outcome = broken_off(faults.quietly_closed())

    assert (is_reset, outcome) == (False, "answered")
    assert b"close" not in data
    assert TEXT.encode() in data


def test_garbage() -> None:
    assert broken_off(faults.garbage())[0] == b"\x00\x01\x02 SSH-2.0-mock\r\n"


def test_malformed_json() -> None:
    status, _, body = played(faults.malformed_json())

    assert status == 200
    with pytest.raises(ValueError):
        json.loads(body)


def test_other_shape() -> None:
    assert json.loads(played(faults.other_shape())[2]) == ["not", "an", "object"]
    assert played(faults.other_shape(b"{}"))[2] == b"{}"


@pytest.mark.parametrize("body", [BODY, STREAMED])
def test_empty(body: Any) -> None:
    status, headers, content = played(faults.empty(), body)

    assert (status, headers["content-length"], content) == (200, "0", b"")


def test_error_in_200() -> None:
    status, _, body = played(faults.error_in_200())

    assert (status, json.loads(body)["error"]["code"]) == (200, 502)


@pytest.mark.parametrize("after", [0, 3])
def test_error_event(after: int) -> None:
    chunks = events(played(faults.error_event(after), STREAMED)[2])

    assert len(chunks) == after + 1
    assert chunks[-1]["error"]["code"] == 502


def test_malformed_event() -> None:
    body = played(faults.malformed_event(2), STREAMED)[2]
    blocks = body.split(b"\n\n")

    with pytest.raises(ValueError):
        json.loads(blocks[2].removeprefix(b"data: "))
    assert blocks[-2] == b"data: [DONE]"


def test_without_done() -> None:
    chunks = events(played(faults.without_done(), STREAMED)[2])

    assert "[DONE]" not in chunks
    assert chunks[-1]["choices"][0]["finish_reason"] == "stop"


def test_without_finish() -> None:
    *chunks, done = events(played(faults.without_finish(), STREAMED)[2])

    assert done == "[DONE]"
    assert {choice["finish_reason"] for chunk in chunks for choice in chunk["choices"]} == {None}


def test_huge_line() -> None:
    body = played(faults.huge_line(100_000), STREAMED)[2]

    assert max(map(len, body.split(b"\n"))) > 100_000
    assert events(body)[-1] == "[DONE]"


def test_endless() -> None:
    async def test(mock: MockProvider, client: Client) -> None:
        mock.script(faults.endless())
        await client.send(request(STREAMED))
        await client.head()
        count = 0
        async for _ in client.chunks():
            count += 1
            if count == 1000:
                break
        client.leave()
        await mock.settled(1.0)

    (recorded,) = with_mock(test).requests
    assert recorded.outcome == "left"


@pytest.mark.parametrize("loop", loops())
def test_endless__waits_for_a_slow_reader(loop: Any) -> None:
    async def test(mock: MockProvider, client: Client) -> None:
        mock.script(faults.endless().but(each_s=None))
        await client.send(request(STREAMED))
        await client.head()
        client.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await asyncio.sleep(0.3)
        first = mock.requests[0].sent
        await asyncio.sleep(0.2)
        assert mock.requests[0].sent == first
        client.leave()
        await mock.settled(1.0)

    with_mock(test, loop=loop)


def test_huge_head() -> None:
    assert len(played(faults.huge_head(50_000))[1]["x-huge"]) == 50_000


def test_bomb() -> None:
    _, headers, body = played(faults.bomb(5_000_000))

    assert headers["content-encoding"] == "gzip"
    assert len(body) < 50_000
    assert len(gzip.decompress(body)) > 5_000_000


@pytest.mark.parametrize(("name", "unpack"), [("gzip", gzip.decompress), ("deflate", zlib.decompress)])
@pytest.mark.parametrize("body", [BODY, STREAMED])
def test_compressed(name: Any, unpack: Any, body: Any) -> None:
    _, headers, content = played(Reply(compress=name), body)

    assert headers["content-encoding"] == name
    assert TEXT.split()[0].encode() in unpack(content)


def test_crlf_events() -> None:
    body = played(faults.crlf_events(), STREAMED)[2]

    assert body.endswith(b"data: [DONE]\r\n\r\n")
    assert body.count(b"\n") == body.count(b"\r\n")


def test_comments() -> None:
    body = played(faults.comments(), STREAMED)[2]

    assert body.count(b": PROCESSING\n\n") == CHUNKS + 1
    assert events(body.replace(b": PROCESSING\n\n", b""))[-1] == "[DONE]"


@pytest.mark.parametrize("how", ["length", "chunked", "close"])
@pytest.mark.parametrize("body", [BODY, STREAMED])
def test_framing(how: Any, body: Any) -> None:
    content = played(Reply(framing=how), body)[2]

    assert content == played(Reply(), body)[2]


def test_early_hints() -> None:
    async def test(mock: MockProvider, client: Client) -> None:
        mock.script(Reply(informational=2))
        await client.send(request())
        assert [(await client.head())[0] for _ in range(2)] == [103, 103]
        assert (await client.answer())[0] == 200

    with_mock(test)


def test_faults__are_combined() -> None:
    reply = faults.comments().but(compress="gzip", each_s=0.0, cut_after=4, end="close")
    data, _, outcome = broken_off(reply, STREAMED)

    assert b"content-encoding: gzip" in data
    assert outcome == "cut"


@pytest.mark.parametrize("name", faults.STRANGE)
@pytest.mark.parametrize("body", [BODY, STREAMED])
def test_strange__answers_are_right(name: str, body: Any) -> None:
    data = broken_off(faults.STRANGE[name].but(end="close"), body)[0]
    while data.startswith(b"HTTP/1.1 103 "):
        data = data.partition(b"\r\n\r\n")[2]

    assert data.startswith(b"HTTP/1.1 200 OK\r\n")


@pytest.mark.parametrize("name", faults.BROKEN)
@pytest.mark.parametrize("body", [BODY, STREAMED])
def test_broken__answers_are_none_and_come_at_once(name: str, body: Any) -> None:
    begun = time.monotonic()
    data, is_reset, _ = broken_off(faults.BROKEN[name].but(), body) if ends(name) else (b"", False, "")
    if not ends(name):
        status, _, content = played(faults.BROKEN[name], body)
        data = b"HTTP/1.1 %d " % status + content

    assert time.monotonic() - begun < 20
    is_whole = data.startswith(b"HTTP/1.1 200 ") and (data.endswith(b"[DONE]\n\n") or b'"finish_reason":"stop"' in data)
    assert not is_whole or name == "wrong length"
    assert not is_reset or "reset" in name


def ends(name: str) -> bool:
    return faults.BROKEN[name].end != "keep"
