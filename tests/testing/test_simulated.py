"""Simulated providers: several on one socket, each at its own pace."""

from __future__ import annotations

import json
import time
from typing import Any

from tenantrank.testing import MockProvider, Pace, simulated
from tests.testing.raw import STREAMED, Client, events, request, with_mock

FAST = Pace(first_s=0.0, tok_s=10_000)


def path_of(name: str) -> str:
    return f"/{name}/v1/chat/completions"


def texts(seed: int) -> list[str]:
    found = []

    async def test(mock: MockProvider, client: Client) -> None:
        for name in ("groq", "openai", "groq"):
            await client.send(request(path=path_of(name)))
            found.append(json.loads((await client.answer())[2])["choices"][0]["message"]["content"])

    with_mock(test, simulated({"groq": FAST, "openai": FAST}, seed=seed))
    return found


def test_simulated__says_what_it_is_and_the_same_for_a_seed() -> None:
    first = texts(1)

    assert first == texts(1) != texts(2)
    assert all("simulated" in text.lower() for text in first)
    assert "m-1" in first[0]
    assert "groq" in first[0]
    assert "openai" in first[1]


def test_simulated__streams_at_its_pace() -> None:
    async def test(mock: MockProvider, client: Client) -> None:
        begun = time.monotonic()
        await client.send(request(STREAMED, path=path_of("slow")))
        await client.head()
        first = time.monotonic() - begun
        count = len([chunk async for chunk in client.chunks()])
        assert first >= 0.05
        assert time.monotonic() - begun - first >= (count - 1) / 500 * 0.9

    with_mock(test, simulated({"slow": Pace(first_s=0.05, tok_s=500, spread=0.0)}))


def test_simulated__others_are_not_there() -> None:
    async def test(mock: MockProvider, client: Client) -> None:
        await client.send(request(path=path_of("other")))
        assert (await client.answer())[0] == 404

    with_mock(test, simulated({"groq": FAST}))


def test_simulated__fails_as_often_as_told() -> None:
    statuses: list[int] = []

    async def test(mock: MockProvider, client: Client) -> None:
        for _ in range(100):
            await client.send(request(path=path_of("groq")))
            statuses.append((await client.answer())[0])

    with_mock(test, simulated({"groq": Pace(first_s=0.0, tok_s=100_000, fault_rate=0.3)}))
    assert set(statuses) == {200, 503}
    assert 15 < statuses.count(503) < 50


def test_simulated__gives_the_form_that_is_asked_for() -> None:
    body: dict[str, Any] = {**STREAMED, "response_format": {"type": "json_object"}}

    async def test(mock: MockProvider, client: Client) -> None:
        await client.send(request(body, path=path_of("groq")))
        chunks = events((await client.answer())[2])[:-1]
        json.loads("".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks))

    with_mock(test, simulated({"groq": FAST}))
