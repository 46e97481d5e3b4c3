"""Clients that people use, through the whole gateway: openai (sync, async, streaming) and LangChain, over real sockets.

Four mock providers stand behind it. Each test looks at what the client got and at what every provider was sent.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import tenantrank as tr
from tenantrank.gateway.logs import Log
from tenantrank.gateway.server import serving
from tenantrank.gateway.settings import settings_of
from tenantrank.policy import builder
from tenantrank.testing import (
    KEY_CANARY,
    PROMPT_CANARY,
    MockProvider,
    Pace,
    Recorded,
    Reply,
    ToolCall,
    faults,
    simulated,
)
from tenantrank.testing.mock import TEXT

openai = pytest.importorskip("openai", reason="openai is not installed: pip install openai")

HELLO = [{"role": "user", "content": "Hello?"}]
NAMES = ("alpha", "beta", "gamma", "forbidden")
KEYS = {name: f"sk-{name}-7f3c" for name in NAMES}
OFFERS = [
    {
        "id": f"{name}|m-1",
        "provider_id": name,
        "model_family": "m-1",
        "wire_model_id": f"{name}/m-1",
        "mode": "chat",
        "price_in": price,
        "price_out": price,
        "capabilities": {"context": 100_000, "supports_tools": True, "supports_json_mode": True},
    }
    # Cheapest of all is the one that no rule here allows.
    for name, price in zip(NAMES, (1.0, 2.0, 3.0, 0.01), strict=True)
] + [
    {
        "id": "beta|e-1",
        "provider_id": "beta",
        "model_family": "e-1",
        "mode": "embedding",
        "price_in": 1.0,
        "price_out": 0.0,
        "capabilities": {"context": 8_000},
    }
]
ALLOWED = builder.provider.is_in("alpha", "beta", "gamma")
RULE = builder.policy(builder.meets_request & ALLOWED, builder.cheapest("price_out"))
EMBEDDING_RULE = builder.policy(ALLOWED, builder.cheapest("price_in"))
BY_RULE = {"policy_ir": RULE}
TOOL = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


@dataclass
class Gateway:
    """A gateway with its providers, all on one event loop."""

    url: str
    mocks: dict[str, MockProvider]
    log: list[str]

    def __getattr__(self, name: str) -> MockProvider:
        return self.mocks[name]

    def sent(self) -> dict[str, list[Recorded]]:
        """Give what each provider was sent, those left out that were sent nothing."""
        return {name: list(mock.requests) for name, mock in self.mocks.items() if mock.count}


class _Lines:
    def __init__(self, lines: list[str]) -> None:
        self._lines = lines

    def write(self, text: str) -> int:
        self._lines.append(text)
        return len(text)

    def flush(self) -> None:
        pass


@asynccontextmanager
async def gateway_on_loop(folder: Path) -> AsyncIterator[Gateway]:
    tr.Catalog.from_records(OFFERS).save(folder / "catalog.parquet")
    mocks = {name: MockProvider(key=KEYS[name]) for name in NAMES}
    lines: list[str] = []
    for mock in mocks.values():
        await mock.start()
    try:
        settings = settings_of(
            {
                "server": {"listen": "127.0.0.1:0", "operator_listen": "127.0.0.1:0", "without_keys": True},
                "catalog": {"file": "catalog.parquet"},
                "providers": {
                    name: {"kind": "openai-compatible", "base_url": mock.url, "key": f"os.environ/KEY_{name.upper()}"}
                    for name, mock in mocks.items()
                },
                # One test's failures are not another's: breakers have tests of their own.
                "breakers": {"threshold": 1000, "open_s": 0.001},
                "watch_s": 0,
            }
        )
        environ = {f"KEY_{name.upper()}": key for name, key in KEYS.items()}
        async with serving(settings, folder, environ=environ, log=Log(_Lines(lines))) as running:
            yield Gateway(running.url + "/v1", mocks, lines)
    finally:
        for mock in mocks.values():
            await mock.stop()


@contextmanager
def gateway_in_thread(folder: Path) -> Iterator[Gateway]:
    """Serve while the block lasts, for clients without an event loop."""
    found: list[Any] = []
    ready = threading.Event()

    async def run() -> None:
        ended = asyncio.Event()
        loop = asyncio.get_running_loop()
        async with gateway_on_loop(folder) as gateway:
            found.extend([gateway, lambda: loop.call_soon_threadsafe(ended.set)])
            ready.set()
            await ended.wait()

    def serve() -> None:
        try:
            asyncio.run(run())
        finally:
            ready.set()

    thread = threading.Thread(target=serve, name="gateway")
    thread.start()
    ready.wait()
    try:
        yield found[0]
    finally:
        if found:
            found[1]()
        thread.join()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with gateway_in_thread(tmp_path_factory.mktemp("gateway")) as gateway:
        yield gateway


@pytest.fixture
def gateway(shared: Gateway) -> Iterator[Gateway]:
    for mock in shared.mocks.values():
        mock.reset()
    shared.log.clear()
    yield shared
    # What holds for every call, whatever happened to it.
    check(shared)


def check(gateway: Gateway) -> None:
    """No forbidden provider was sent anything, each got its own key and nothing of the client's or of another's."""
    assert gateway.forbidden.count == 0
    for name, requests in gateway.sent().items():
        for recorded in requests:
            assert recorded.header("authorization") == f"Bearer {KEYS[name]}"
            for secret in [key for other, key in KEYS.items() if other != name] + ["client-key"]:
                assert secret.encode() not in recorded.raw
            assert not {"policy_ir", "tenant", "provider", "x_router"} & set(recorded.json)
    lines = "".join(gateway.log)
    assert "Hello?" not in lines
    assert not any(key in lines for key in [*KEYS.values(), "client-key"])


@pytest.fixture
def client(gateway: Gateway) -> Iterator[Any]:
    with openai.OpenAI(base_url=gateway.url, api_key="client-key", max_retries=0, timeout=20) as made:
        yield made


def ask(client: Any, **members: Any) -> Any:
    return client.chat.completions.create(model="anything", messages=HELLO, extra_body=BY_RULE, **members)


def ask_raw(client: Any, **members: Any) -> Any:
    return client.chat.completions.with_raw_response.create(
        model="anything", messages=HELLO, extra_body={**BY_RULE, "x_router": True}, **members
    )


def text_of(chunks: Any) -> str:
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)


def test_openai__the_rule_decides_who_answers(client: Any, gateway: Gateway) -> None:
    answer = ask(client)

    assert answer.choices[0].message.content == TEXT
    assert answer.usage.completion_tokens == len(TEXT.split())
    assert list(gateway.sent()) == ["alpha"]
    assert gateway.alpha.requests[0].json == {"model": "alpha/m-1", "messages": HELLO}


def test_openai__headers_and_record_say_how(client: Any) -> None:
    answer = ask_raw(client)
    record = answer.parse().model_extra["x_router"]

    assert answer.headers["x-tenantrank-offer"] == "alpha|m-1"
    assert answer.headers["x-tenantrank-attempts"] == "1"
    assert answer.headers["x-tenantrank-policy-fingerprint"] == tr.admit(RULE, {}).fingerprint
    assert answer.headers["x-tenantrank-trace-id"] == record["trace_id"]
    assert record["offer"] == "alpha|m-1"


def test_openai__stream(client: Any, gateway: Gateway) -> None:
    with ask(client, stream=True, stream_options={"include_usage": True}) as stream:
        chunks = list(stream)

    assert text_of(chunks) == TEXT
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "stop"
    assert chunks[-1].usage.completion_tokens == len(TEXT.split())
    assert gateway.alpha.requests[0].json["stream_options"] == {"include_usage": True}


def test_openai__calls_in_a_stream(client: Any, gateway: Gateway) -> None:
    gateway.alpha.script(
        Reply(calls=(ToolCall("weather", '{"city": "Rome"}'), ToolCall("weather", '{"city": "Oslo"}')))
    )
    with client.chat.completions.stream(model="x", messages=HELLO, tools=[TOOL], extra_body=BY_RULE) as stream:
        message = stream.get_final_completion().choices[0].message

    assert [json.loads(call.function.arguments)["city"] for call in message.tool_calls] == ["Rome", "Oslo"]
    assert gateway.alpha.requests[0].json["tools"] == [TOOL]


def test_openai__structured_output(client: Any) -> None:
    pydantic = pytest.importorskip("pydantic")
    form = pydantic.create_model("Form", city=(str, ...), warm=(bool, ...))
    answer = client.chat.completions.parse(model="x", messages=HELLO, response_format=form, extra_body=BY_RULE)

    assert answer.choices[0].message.parsed == form(city="x", warm=False)


def test_openai__members_nobody_knows_pass_unchanged(client: Any, gateway: Gateway) -> None:
    members = {"new_member": {"a": [1.50, 1e3, "\u2028"]}, "logit_bias": {"5": -1}}
    client.chat.completions.create(
        model="x", messages=HELLO, temperature=0.1, extra_body={**BY_RULE, **members}, extra_headers={"x-client": "1"}
    )

    (recorded,) = gateway.alpha.requests
    assert recorded.json == {"model": "alpha/m-1", "messages": HELLO, "temperature": 0.1, **members}
    assert recorded.header("x-client") is None


def test_openai__embeddings(client: Any, gateway: Gateway) -> None:
    answer = client.embeddings.create(
        model="x", input=["a", "b"], dimensions=4, extra_body={"policy_ir": EMBEDDING_RULE}
    )

    assert [len(entry.embedding) for entry in answer.data] == [4, 4]
    assert list(gateway.sent()) == ["beta"]


def test_openai__models(client: Any) -> None:
    names = [model.id for model in client.models.list()]

    assert names
    assert client.models.retrieve(names[0]).id == names[0]


@pytest.mark.parametrize("name", faults.BROKEN)
@pytest.mark.parametrize("stream", [False, True])
def test_openai__a_failing_provider_is_passed_over(client: Any, gateway: Gateway, name: str, stream: bool) -> None:
    if name == "wrong length" and stream:
        pytest.skip("a whole stream came, whatever its length was said to be")
    gateway.alpha.script(faults.BROKEN[name])
    if stream:
        assert text_of(ask(client, stream=True)) == TEXT
    else:
        answer = ask_raw(client)
        assert answer.parse().choices[0].message.content == TEXT
        assert answer.headers["x-tenantrank-offer"] == "beta|m-1"
        assert answer.headers["x-tenantrank-attempts"] == "2"
    assert {name: len(requests) for name, requests in gateway.sent().items()} == {"alpha": 1, "beta": 1}


@pytest.mark.parametrize("name", faults.STRANGE)
@pytest.mark.parametrize("stream", [False, True])
def test_openai__strange_answers_are_answers(client: Any, gateway: Gateway, name: str, stream: bool) -> None:
    gateway.alpha.script(faults.STRANGE[name])
    found = text_of(ask(client, stream=True)) if stream else ask(client).choices[0].message.content

    assert found == TEXT
    assert list(gateway.sent()) == ["alpha"]


def test_openai__all_down_is_an_error_of_the_gateway(client: Any, gateway: Gateway) -> None:
    for name in ("alpha", "beta", "gamma"):
        gateway.mocks[name].script(faults.error("server"))
    with pytest.raises(openai.APIStatusError) as caught:
        ask(client)

    assert caught.value.status_code >= 500
    assert caught.value.body["code"]
    assert caught.value.response.headers["x-tenantrank-attempts"] == "3"
    assert sorted(gateway.sent()) == ["alpha", "beta", "gamma"]


def test_openai__what_providers_repeat_stays_with_the_gateway(client: Any, gateway: Gateway) -> None:
    for name in ("alpha", "beta", "gamma"):
        gateway.mocks[name].script(faults.error("auth" if name == "alpha" else "content_filter"))
    with pytest.raises(openai.APIStatusError) as caught:
        ask(client)

    shown = caught.value.response.text + "".join(gateway.log)
    assert KEY_CANARY not in shown
    assert PROMPT_CANARY not in shown


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"policy_ir": ["policy"]}, "invalid_policy"),
        ({"policy_ir": builder.policy(builder.provider.is_in("nobody"))}, "no_eligible_model"),
        ({**BY_RULE, "tenant": "t1"}, "ambiguous_rule"),
        ({}, "rule_required"),
    ],
)
def test_openai__refusals_have_their_codes(client: Any, gateway: Gateway, body: Any, code: str) -> None:
    with pytest.raises(openai.APIStatusError) as caught:
        client.chat.completions.create(model="x", messages=HELLO, extra_body=body)

    assert 400 <= caught.value.status_code < 500
    assert caught.value.code == code
    assert gateway.sent() == {}


@pytest.mark.parametrize("after", range(1, len(TEXT.split()) + 2))
@pytest.mark.parametrize("how", ["close", "reset", "keep"])
def test_openai__a_broken_stream_is_an_error_and_never_a_stop(
    client: Any, gateway: Gateway, after: int, how: Any
) -> None:
    gateway.alpha.script(faults.cut(after, how=how))
    chunks: list[Any] = []
    with pytest.raises(openai.APIError):
        for chunk in ask(client, stream=True):
            chunks.append(chunk)  # noqa: PERF402

    assert text_of(chunks) == " ".join(TEXT.split()[: after - 1])
    assert not any(choice.finish_reason for chunk in chunks for choice in chunk.choices)
    assert list(gateway.sent()) == ["alpha"]


def test_openai__an_error_event_after_the_first_one_is_an_error(client: Any, gateway: Gateway) -> None:
    # In packets of their own: what comes together with the first event may still be passed over.
    gateway.alpha.script(faults.error_event(3).but(each_s=0.02))
    with pytest.raises(openai.APIError):
        list(ask(client, stream=True))

    assert list(gateway.sent()) == ["alpha"]


def test_openai__nothing_before_the_first_event_is_passed_over(client: Any, gateway: Gateway) -> None:
    for broken in (faults.error_event(0), faults.malformed_event(0), faults.cut(0), faults.cut(0, how="keep")):
        gateway.alpha.script(broken)
        assert text_of(ask(client, stream=True)) == TEXT


def in_loop(folder: Path, test: Callable[[Gateway, Any], Coroutine[Any, Any, None]]) -> None:
    async def run() -> None:
        async with asyncio.timeout(60), gateway_on_loop(folder) as gateway:
            async with openai.AsyncOpenAI(base_url=gateway.url, api_key="client-key", max_retries=0) as made:
                await test(gateway, made)
            check(gateway)

    asyncio.run(run())


def test_async_openai__many_at_once_get_their_own_answers(tmp_path: Path) -> None:
    def own(recorded: Recorded) -> Reply:
        # Each answer repeats its prompt, so that a mix-up would be seen.
        return Reply(text=f"You said: {recorded.json['messages'][0]['content']}")

    async def test(gateway: Gateway, made: Any) -> None:
        for mock in gateway.mocks.values():
            mock.respond = own

        async def call(number: int) -> tuple[str, str]:
            messages = [{"role": "user", "content": f"number {number}"}]
            given = {"model": "x", "messages": messages, "extra_body": BY_RULE}
            if number % 2:
                answer = await made.chat.completions.create(**given)
                return f"You said: number {number}", answer.choices[0].message.content
            stream = await made.chat.completions.create(**given, stream=True)
            return f"You said: number {number}", text_of([chunk async for chunk in stream])

        for expected, found in await asyncio.gather(*(call(number) for number in range(100))):
            assert found == expected
        assert gateway.alpha.count == 100

    in_loop(tmp_path, test)


def test_async_openai__a_third_of_faults_is_hardly_noticed(tmp_path: Path) -> None:
    async def test(gateway: Gateway, made: Any) -> None:
        for seed, name in enumerate(("alpha", "beta", "gamma")):
            gateway.mocks[name].break_randomly(0.3, seed)
        lost = 0

        async def call(number: int) -> None:
            nonlocal lost
            try:
                given = {"model": "x", "messages": HELLO, "extra_body": BY_RULE}
                if number % 2:
                    answer = await made.chat.completions.create(**given)
                    assert answer.choices[0].message.content == TEXT
                else:
                    stream = await made.chat.completions.create(**given, stream=True)
                    assert text_of([chunk async for chunk in stream]) == TEXT
            except openai.APIError:
                lost += 1

        for first in range(0, 200, 20):
            await asyncio.gather(*(call(number) for number in range(first, first + 20)))
        # Of 1,000 calls three providers in a row fail 27.
        assert lost < 20

    in_loop(tmp_path, test)


def test_async_openai__a_client_that_leaves_ends_the_call_within_a_second(tmp_path: Path) -> None:
    async def test(gateway: Gateway, made: Any) -> None:
        gateway.alpha.script(faults.slow_body(each_s=0.05), faults.silence())
        stream = await made.chat.completions.create(model="x", messages=HELLO, extra_body=BY_RULE, stream=True)
        async for _ in stream:
            break
        await stream.close()
        await gateway.alpha.settled(1.0)

        waiting = asyncio.create_task(made.chat.completions.create(model="x", messages=HELLO, extra_body=BY_RULE))
        await gateway.alpha.arrived(2)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await gateway.alpha.settled(1.0)
        assert [recorded.outcome for recorded in gateway.alpha.requests] == ["left", "left"]
        assert list(gateway.sent()) == ["alpha"]

    in_loop(tmp_path, test)


def test_async_openai__simulated_providers_stream_through(tmp_path: Path) -> None:
    async def test(gateway: Gateway, made: Any) -> None:
        gateway.alpha.respond = simulated({"v1": Pace(first_s=0.0, tok_s=2000)}).respond
        stream = await made.chat.completions.create(model="x", messages=HELLO, extra_body=BY_RULE, stream=True)
        assert "simulated" in text_of([chunk async for chunk in stream])

    in_loop(tmp_path, test)


@pytest.fixture
def chat(gateway: Gateway) -> Any:
    langchain = pytest.importorskip(
        "langchain_openai", reason="langchain-openai is not installed: pip install langchain-openai"
    )
    return langchain.ChatOpenAI(
        base_url=gateway.url, api_key="client-key", model="x", max_retries=0, timeout=20, extra_body=BY_RULE
    )


def test_langchain__invoke_and_stream(chat: Any, gateway: Gateway) -> None:
    answer = chat.invoke("Hello?")

    assert answer.content == TEXT
    assert answer.usage_metadata["output_tokens"] == len(TEXT.split())
    assert "".join(chunk.content for chunk in chat.stream("Hello?")) == TEXT
    assert list(gateway.sent()) == ["alpha"]


def test_langchain__async(chat: Any) -> None:
    async def run() -> tuple[str, str]:
        parts = [chunk.content async for chunk in chat.astream("Hello?")]
        whole = await chat.ainvoke("Hello?")
        await chat.root_async_client.close()
        return whole.content, "".join(parts)

    assert asyncio.run(run()) == (TEXT, TEXT)


def test_langchain__tools_and_structured_output(chat: Any, gateway: Gateway) -> None:
    pydantic = pytest.importorskip("pydantic")
    form = pydantic.create_model("Form", city=(str, ...))
    gateway.alpha.script(Reply(calls=(ToolCall("weather", '{"city": "Rome"}'),)))
    (call,) = chat.bind_tools([TOOL]).invoke("Weather?").tool_calls

    assert (call["name"], call["args"]) == ("weather", {"city": "Rome"})
    for method in ("json_schema", "function_calling"):
        assert chat.with_structured_output(form, method=method).invoke("Where?") == form(city="x")


def test_langchain__a_failing_provider_is_passed_over(chat: Any, gateway: Gateway) -> None:
    gateway.alpha.script(faults.error("overloaded"))

    assert chat.invoke("Hello?").content == TEXT
    assert sorted(gateway.sent()) == ["alpha", "beta"]
