"""Clients that people use take the mock provider for a provider: openai, LangChain, aiohttp."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest

from tenantrank.testing import MockProvider, Reply, ToolCall, faults, running
from tenantrank.testing.mock import TEXT

HELLO = [{"role": "user", "content": "Hello?"}]
TOOL = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


@pytest.fixture
def mock() -> Iterator[MockProvider]:
    with running(MockProvider(key="sk-test", models=("m-1", "e-1"))) as serving:
        yield serving


@pytest.fixture
def openai() -> Any:
    return pytest.importorskip("openai", reason="openai is not installed: pip install openai")


@pytest.fixture
def client(mock: MockProvider, openai: Any) -> Iterator[Any]:
    with openai.OpenAI(base_url=mock.url, api_key="sk-test", max_retries=0, timeout=10) as made:
        yield made


def test_openai__completion(client: Any, mock: MockProvider) -> None:
    answer = client.chat.completions.create(model="m-1", messages=HELLO)

    assert answer.choices[0].message.content == TEXT
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens
    assert answer.usage.completion_tokens == len(TEXT.split())
    (recorded,) = mock.requests
    assert recorded.header("authorization") == "Bearer sk-test"
    assert recorded.json == {"model": "m-1", "messages": HELLO}


def test_openai__stream(client: Any) -> None:
    with client.chat.completions.create(
        model="m-1", messages=HELLO, stream=True, stream_options={"include_usage": True}
    ) as stream:
        chunks = list(stream)

    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == TEXT
    assert chunks[-1].usage.completion_tokens == len(TEXT.split())
    assert chunks[-2].choices[0].finish_reason == "stop"


def test_openai__stream_of_calls(client: Any, mock: MockProvider) -> None:
    mock.script(Reply(calls=(ToolCall("weather", '{"city": "Rome"}'), ToolCall("weather", '{"city": "Oslo"}'))))
    with client.chat.completions.stream(model="m-1", messages=HELLO, tools=[TOOL]) as stream:
        message = stream.get_final_completion().choices[0].message

    assert [json.loads(call.function.arguments)["city"] for call in message.tool_calls] == ["Rome", "Oslo"]


def test_openai__demanded_call(client: Any) -> None:
    answer = client.chat.completions.create(model="m-1", messages=HELLO, tools=[TOOL], tool_choice="required")

    (call,) = answer.choices[0].message.tool_calls
    assert (call.function.name, json.loads(call.function.arguments)) == ("weather", {"city": "x"})


def test_openai__structured_output(client: Any) -> None:
    pydantic = pytest.importorskip("pydantic")
    form = pydantic.create_model("Form", city=(str, ...), warm=(bool, ...))
    answer = client.chat.completions.parse(model="m-1", messages=HELLO, response_format=form)

    assert answer.choices[0].message.parsed == form(city="x", warm=False)


def test_openai__embeddings(client: Any) -> None:
    answer = client.embeddings.create(model="e-1", input=["a", "b"], dimensions=4)
    as_lists = client.embeddings.create(model="e-1", input=["a", "b"], dimensions=4, encoding_format="float")

    assert [len(entry.embedding) for entry in answer.data] == [4, 4]
    assert answer.data[0].embedding == pytest.approx(as_lists.data[0].embedding)


def test_openai__models(client: Any) -> None:
    assert [model.id for model in client.models.list()] == ["m-1", "e-1"]
    assert client.models.retrieve("m-1").id == "m-1"


def test_openai__errors_are_its_own(client: Any, mock: MockProvider, openai: Any) -> None:
    for kind, raised in (
        ("auth", openai.AuthenticationError),
        ("permission", openai.PermissionDeniedError),
        ("rate_limit", openai.RateLimitError),
        ("context", openai.BadRequestError),
        ("model", openai.NotFoundError),
        ("server", openai.InternalServerError),
    ):
        mock.script(faults.error(kind))
        with pytest.raises(raised):
            client.chat.completions.create(model="m-1", messages=HELLO)
    for broken in (faults.hang_up("reset"), faults.hang_up(), faults.cut(at=10), faults.garbage()):
        mock.script(broken)
        with pytest.raises(openai.APIConnectionError):
            client.chat.completions.create(model="m-1", messages=HELLO)
    with pytest.raises(openai.NotFoundError):
        client.chat.completions.create(model="m-2", messages=HELLO)


def test_openai__gives_up_on_silence(client: Any, mock: MockProvider, openai: Any) -> None:
    mock.script(faults.silence())
    with pytest.raises(openai.APITimeoutError):
        client.with_options(timeout=0.2).chat.completions.create(model="m-1", messages=HELLO)


def test_openai__retries_by_itself(client: Any, mock: MockProvider) -> None:
    mock.script(faults.error("overloaded").but(headers=(("retry-after-ms", "1"),)))
    answer = client.with_options(max_retries=1).chat.completions.create(model="m-1", messages=HELLO)

    assert answer.choices[0].message.content == TEXT
    assert mock.count == 2


@pytest.mark.parametrize("name", faults.STRANGE)
def test_openai__takes_strange_answers(client: Any, mock: MockProvider, name: str) -> None:
    mock.script(faults.STRANGE[name], faults.STRANGE[name])
    answer = client.chat.completions.create(model="m-1", messages=HELLO)
    chunks = list(client.chat.completions.create(model="m-1", messages=HELLO, stream=True))

    assert answer.choices[0].message.content == TEXT
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == TEXT


def in_loop(openai: Any, test: Callable[[MockProvider, Any], Coroutine[Any, Any, None]]) -> None:
    async def run() -> None:
        serving = MockProvider(key="sk-test")
        async with serving, openai.AsyncOpenAI(base_url=serving.url, api_key="sk-test", max_retries=0) as made:
            await test(serving, made)

    asyncio.run(run())


def test_async_openai__many_at_once(openai: Any) -> None:
    async def test(serving: MockProvider, made: Any) -> None:
        async def plain() -> str:
            answer = await made.chat.completions.create(model="m-1", messages=HELLO)
            return str(answer.choices[0].message.content)

        async def streamed() -> str:
            stream = await made.chat.completions.create(model="m-1", messages=HELLO, stream=True)
            return "".join([chunk.choices[0].delta.content or "" async for chunk in stream])

        assert set(await asyncio.gather(*(call() for _ in range(15) for call in (plain, streamed)))) == {TEXT}
        assert serving.count == 30

    in_loop(openai, test)


def test_async_openai__leaving_a_stream_is_noticed(openai: Any) -> None:
    async def test(serving: MockProvider, made: Any) -> None:
        serving.script(faults.slow_body(each_s=0.02))
        stream = await made.chat.completions.create(model="m-1", messages=HELLO, stream=True)
        async for _ in stream:
            break
        await stream.close()
        await serving.settled(1.0)
        assert serving.requests[0].outcome == "left"

    in_loop(openai, test)


def test_aiohttp__takes_strange_answers_and_fails_on_broken_ones() -> None:
    aiohttp = pytest.importorskip("aiohttp", reason="aiohttp is not installed: pip install 'tenantrank[gateway]'")

    async def run() -> None:
        async with MockProvider() as serving, aiohttp.ClientSession() as session:

            async def post() -> Any:
                body = {"model": "m-1", "messages": HELLO}
                async with session.post(
                    serving.url + "/chat/completions", json=body, raise_for_status=True, allow_redirects=False
                ) as answer:
                    return (await answer.json())["choices"][0]["message"]["content"]

            for reply in faults.STRANGE.values():
                serving.script(reply)
                assert await post() == TEXT
            for name, reply in faults.BROKEN.items():
                serving.script(reply)
                with pytest.raises((aiohttp.ClientError, ValueError, TypeError, KeyError)):
                    await post()
                    pytest.fail(name)

    asyncio.run(run())


@pytest.fixture
def chat(mock: MockProvider) -> Any:
    langchain = pytest.importorskip(
        "langchain_openai", reason="langchain-openai is not installed: pip install langchain-openai"
    )
    return langchain.ChatOpenAI(base_url=mock.url, api_key="sk-test", model="m-1", max_retries=0, timeout=10)


def test_langchain__invoke_and_stream(chat: Any, mock: MockProvider) -> None:
    answer = chat.invoke("Hello?")

    assert answer.content == TEXT
    assert answer.usage_metadata["output_tokens"] == len(TEXT.split())
    assert "".join(chunk.content for chunk in chat.stream("Hello?")) == TEXT
    assert mock.requests[-1].json["stream"] is True


def test_langchain__async(chat: Any) -> None:
    async def run() -> tuple[str, str]:
        parts = [chunk.content async for chunk in chat.astream("Hello?")]
        whole = await chat.ainvoke("Hello?")
        # LangChain keeps its connections for the next loop, which there is none of.
        await chat.root_async_client.close()
        return whole.content, "".join(parts)

    assert asyncio.run(run()) == (TEXT, TEXT)


def test_langchain__tools_and_structured_output(chat: Any, mock: MockProvider) -> None:
    pydantic = pytest.importorskip("pydantic")
    form = pydantic.create_model("Form", city=(str, ...))
    mock.script(Reply(calls=(ToolCall("weather", '{"city": "Rome"}'),)))
    (call,) = chat.bind_tools([TOOL]).invoke("Weather?").tool_calls

    assert (call["name"], call["args"]) == ("weather", {"city": "Rome"})
    for method in ("json_schema", "function_calling"):
        assert chat.with_structured_output(form, method=method).invoke("Where?") == form(city="x")
