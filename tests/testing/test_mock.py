"""The mock provider over real sockets: routes, checks, scripts, records, its own life."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from tenantrank.testing import MockProvider, Recorded, Reply, faults
from tenantrank.testing.mock import TEXT
from tests.testing.raw import BODY, STREAMED, Client, client_of, events, loops, request, with_mock

LOOPS = pytest.mark.parametrize("loop", loops())


def said(body: bytes) -> str:
    text = json.loads(body)["choices"][0]["message"]["content"]
    assert isinstance(text, str)
    return text


@LOOPS
def test_mock__answers_plain_and_streaming_on_one_connection(loop: Any) -> None:
    async def test(mock: MockProvider, client: Client) -> None:
        for _ in range(3):
            await client.send(request())
            status, headers, body = await client.answer()
            assert (status, headers["content-type"], said(body)) == (200, "application/json", TEXT)
            await client.send(request(STREAMED))
            status, headers, body = await client.answer()
            assert (status, headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
            assert events(body)[-1] == "[DONE]"
        assert mock.connections == 1

    mock = with_mock(test, loop=loop)
    assert [recorded.outcome for recorded in mock.requests] == ["answered"] * 6
    assert [recorded.number for recorded in mock.requests] == [1, 2, 3, 4, 5, 6]
    assert mock.open_connections == 0


@LOOPS
def test_mock__pipelined_requests_are_answered_in_order(loop: Any) -> None:
    async def test(mock: MockProvider, client: Client) -> None:
        mock.script(faults.late(0.05), "second", faults.slow_body(piece=10, each_s=0.001), "fourth")
        await client.send(request() + request() + request(STREAMED) + request())
        texts = [(await client.answer())[2] for _ in range(4)]
        assert (said(texts[0]), said(texts[1]), said(texts[3])) == (TEXT, "second", "fourth")
        assert events(texts[2])[-1] == "[DONE]"

    assert [recorded.outcome for recorded in with_mock(test, loop=loop).requests] == ["answered"] * 4


@LOOPS
def test_mock__many_pipelined_requests(loop: Any) -> None:
    async def test(mock: MockProvider, client: Client) -> None:
        mock.script(faults.late(0.05))
        sending = asyncio.create_task(client.send(request() * 5000))
        for _ in range(5000):
            status, _, _ = await client.answer()
            assert status == 200
        await sending
        assert mock.count == 5000

    with_mock(test, loop=loop)


def test_mock__records_every_byte_with_the_time() -> None:
    now = iter(range(100))
    raw = request(path="/openai/deployments/x/chat/completions?api-version=1", headers="X-A: 1\r\nX-A: 2\r\n")

    async def test(mock: MockProvider, client: Client) -> None:
        await client.send(raw)
        await client.answer()

    (one,) = with_mock(test, MockProvider(clock=lambda: float(next(now)))).requests
    assert one.raw == raw
    assert one.headers[1:3] == [("x-a", "1"), ("x-a", "2")]
    assert one.json == BODY
    assert one.ended_s is not None
    assert one.begun_s <= one.received_s < one.ended_s


def test_mock__counts_the_bytes_that_it_sent() -> None:
    async def test(mock: MockProvider, client: Client) -> None:
        for _ in range(2):
            await client.send(request())
            await client.answer()
        mock.script(faults.slow_body(piece=100))
        await client.send(request(Connection="close"))
        answer = await client.rest()
        await mock.settled()
        assert mock.requests[-1].sent == len(answer)
        assert mock.requests[0].sent == mock.requests[1].sent > len(TEXT)

    with_mock(test)


def test_mock__records_what_never_became_a_request() -> None:
    async def test(mock: MockProvider, client: Client) -> None:
        await client.send(request()[:-5])
        await asyncio.sleep(0.05)
        assert mock.count == 0
        client.leave()
        (one,) = await mock.arrived(1)
        assert not one.complete
        assert one.raw == request()[:-5]
        assert one.outcome == "left"

    with_mock(test)


def test_mock__a_client_that_leaves_is_noticed_at_once() -> None:
    async def test(mock: MockProvider, client: Client) -> None:
        mock.script(faults.slow_body(each_s=0.01, piece=1), faults.silence())
        await client.send(request())
        await client.head()
        client.leave()
        async with await client_of(mock) as other:
            await other.send(request())
            await mock.arrived(2)
            other.leave()
        await mock.settled(1.0)

    mock = with_mock(test)
    assert [recorded.outcome for recorded in mock.requests] == ["left", "left"]
    assert 0 < mock.requests[0].sent < 2000


def test_mock__sends_the_go_ahead_that_a_client_waits_for() -> None:
    raw = request(headers="Expect: 100-continue\r\n")
    body_at = raw.index(b"\r\n\r\n") + 4

    async def test(mock: MockProvider, client: Client) -> None:
        await client.send(raw[:body_at])
        assert (await client.head())[0] == 100
        await client.send(raw[body_at:])
        assert (await client.answer())[0] == 200

    with_mock(test)


def test_mock__refuses_what_is_no_http() -> None:
    async def test(mock: MockProvider, client: Client) -> None:
        await client.send(b"POST / HTTP/1.1\r\nContent-Length: many\r\n\r\n")
        assert (await client.rest()).startswith(b"HTTP/1.1 400 ")

    with_mock(test)


def test_mock__a_request_may_close_its_connection() -> None:
    async def test(mock: MockProvider, client: Client) -> None:
        await client.send(request(Connection="close") + request())
        assert (await client.rest()).count(b"HTTP/1.1 200 OK") == 1

    assert [recorded.outcome for recorded in with_mock(test).requests] == ["answered", "cut"]


@pytest.mark.parametrize("prefix", ["/v1", "", "/v1beta/openai", "/openai/deployments/gpt-4o"])
def test_mock__serves_the_paths_of_every_provider(prefix: str) -> None:
    async def test(mock: MockProvider, client: Client) -> None:
        await client.send(request(path=f"{prefix}/chat/completions?api-version=1"))
        assert (await client.answer())[0] == 200
        await client.send(request({"model": "e", "input": "a"}, path=f"{prefix}/embeddings"))
        assert len(json.loads((await client.answer())[2])["data"][0]["embedding"]) == 8
        await client.send(request(b"", path=f"{prefix}/models", method="GET"))
        assert json.loads((await client.answer())[2])["object"] == "list"

    with_mock(test)


@pytest.mark.parametrize(
    ("raw", "status", "code"),
    [
        (request(path="/v1/other"), 404, "unknown_url"),
        (request(method="PUT"), 405, "method_not_supported"),
        (request(b"{"), 400, None),
        (request([BODY]), 400, None),
        (request({"messages": BODY["messages"]}), 400, "missing_required_parameter"),
        (request({"model": "m-1"}), 400, "missing_required_parameter"),
        (request({"model": "m-1", "messages": "Hello"}), 400, "missing_required_parameter"),
        (request({"model": "m-1", "input": ""}, path="/v1/embeddings"), 400, "missing_required_parameter"),
        (request({**BODY, "model": "m-9"}), 404, "model_not_found"),
        (request(b"", path="/v1/models/m-9", method="GET"), 404, "model_not_found"),
    ],
)
def test_mock__refuses_what_a_provider_refuses(raw: bytes, status: int, code: str | None) -> None:
    async def test(mock: MockProvider, client: Client) -> None:
        await client.send(raw)
        got, _, body = await client.answer()
        assert (got, json.loads(body)["error"]["code"]) == (status, code)

    with_mock(test, MockProvider(models=("m-1",)))


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ("", 401),
        ("Authorization: Bearer sk-wrong\r\n", 401),
        ("Authorization: Bearer sk-right\r\n", 200),
        ("api-key: sk-right\r\n", 200),
        ("X-Api-Key: sk-right\r\n", 200),
    ],
)
def test_mock__asks_for_its_key(headers: str, status: int) -> None:
    async def test(mock: MockProvider, client: Client) -> None:
        await client.send(request(headers=headers))
        got, _, body = await client.answer()
        assert got == status
        assert b"sk-" not in body

    with_mock(test, MockProvider(key="sk-right"))


def test_mock__knows_its_models() -> None:
    async def test(mock: MockProvider, client: Client) -> None:
        await client.send(request(b"", path="/v1/models", method="GET"))
        assert [entry["id"] for entry in json.loads((await client.answer())[2])["data"]] == ["a", "b/c"]
        await client.send(request(b"", path="/v1/models/b/c", method="GET"))
        assert json.loads((await client.answer())[2])["id"] == "b/c"

    with_mock(test, MockProvider(models=("a", "b/c")))


def test_mock__script_first_then_respond_then_the_usual() -> None:
    def respond(recorded: Recorded) -> Reply | None:
        return Reply(text="respond") if recorded.json["model"] == "special" else None

    async def test(mock: MockProvider, client: Client) -> None:
        mock.script("one", Reply(status=503))
        assert mock.scripted == 2
        heard = []
        for model in ("special", "special", "special", "other"):
            await client.send(request({**BODY, "model": model}))
            status, _, body = await client.answer()
            heard.append(said(body) if status == 200 else status)
        assert heard == ["one", 503, "respond", "usual"]
        assert mock.scripted == 0

    with_mock(test, MockProvider(respond=respond, text="usual"))


def statuses_of(rate: float, seed: int) -> list[int]:
    statuses = []

    async def test(mock: MockProvider, client: Client) -> None:
        mock.break_randomly(rate, seed, among={"a": Reply(status=500), "b": Reply(status=429)})
        for _ in range(200):
            await client.send(request())
            statuses.append((await client.answer())[0])

    with_mock(test)
    return statuses


def test_mock__random_faults_are_those_of_the_seed() -> None:
    first = statuses_of(0.3, 1)

    assert first == statuses_of(0.3, 1) != statuses_of(0.3, 2)
    assert 30 < first.count(500) + first.count(429) < 90
    assert first.count(500)
    assert first.count(429)


def test_mock__remembers_so_many() -> None:
    async def test(mock: MockProvider, client: Client) -> None:
        for _ in range(5):
            await client.send(request())
            await client.answer()

    mock = with_mock(test, MockProvider(keep=2))
    assert [recorded.number for recorded in mock.requests] == [4, 5]
    assert mock.count == 5


def test_mock__forgets_on_reset() -> None:
    async def test(mock: MockProvider, client: Client) -> None:
        mock.script("one")
        mock.break_randomly(1.0, 1)
        await client.send(request())
        await client.answer()
        mock.script("two")
        mock.reset()
        assert (mock.requests, mock.count, mock.scripted) == ((), 0, 0)
        await client.send(request())
        assert said((await client.answer())[2]) == TEXT

    with_mock(test)


@LOOPS
def test_mock__refuses_connections_and_takes_them_again(loop: Any) -> None:
    async def test(mock: MockProvider, client: Client) -> None:
        port = mock.port
        await mock.refuse()
        with pytest.raises(ConnectionRefusedError):
            await client_of(mock)
        await client.send(request())
        assert (await client.answer())[0] == 200
        await mock.start()
        assert mock.port == port
        async with await client_of(mock) as other:
            await other.send(request())
            assert (await other.answer())[0] == 200

    with_mock(test, loop=loop)


@LOOPS
def test_mock__stopping_drops_what_is_under_way(loop: Any) -> None:
    async def test(mock: MockProvider, client: Client) -> None:
        mock.script(faults.silence())
        await client.send(request())
        await mock.arrived(1)
        await mock.stop()
        with pytest.raises((ConnectionError, EOFError)):
            await client.answer()

    mock = with_mock(test, loop=loop)
    assert [recorded.outcome for recorded in mock.requests] == ["closed"]


def test_arrived__gives_up_after_its_time() -> None:
    async def test(mock: MockProvider, client: Client) -> None:
        with pytest.raises(TimeoutError):
            await mock.arrived(1, timeout_s=0.02)

    with_mock(test)


def test_url__names_the_port_it_got() -> None:
    mock = with_mock(lambda mock, client: asyncio.sleep(0))

    assert mock.url == f"http://127.0.0.1:{mock.port}/v1"
    assert mock.url_of("groq") == f"http://127.0.0.1:{mock.port}/groq/v1"
    assert mock.port > 0
