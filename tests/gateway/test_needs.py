"""Needs: what a call is found to need of an offer."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenantrank.engine.request import Request
from tenantrank.gateway.body import Body
from tenantrank.gateway.needs import request_of, seed_of
from tenantrank.gateway.problem import Problem

MESSAGES = [{"role": "user", "content": "hello"}]


def body_of(**members: Any) -> Body:
    return Body.read(json.dumps({"model": "m", **members}).encode())


def chat(**members: Any) -> Request:
    return request_of(body_of(**{"messages": MESSAGES, **members}), "chat")


def user(*parts: Any) -> list[dict[str, Any]]:
    return [{"role": "system", "content": "s"}, {"role": "user", "content": list(parts)}]


TEXT = {"type": "text", "text": "what is this?"}
IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 100_000}}


@pytest.mark.parametrize(
    ("members", "needs"),
    [
        ({}, ()),
        ({"tools": [], "functions": None, "response_format": None, "seed": None}, ()),
        ({"tools": [{"type": "function"}]}, ("tools",)),
        ({"tools": [{"type": "some_new_tool"}]}, ("tools",)),
        ({"functions": [{"name": "f"}]}, ("tools",)),
        ({"response_format": {"type": "text"}}, ()),
        ({"response_format": {"type": "json_object"}}, ("json_mode",)),
        ({"response_format": {"type": "json_schema", "json_schema": {}}}, ("json_mode",)),
        ({"seed": 0}, ("seed",)),
        ({"seed": 1, "tools": [1], "response_format": {"type": "json_object"}}, ("tools", "json_mode", "seed")),
        ({"messages": user(TEXT)}, ()),
        ({"messages": user(TEXT, IMAGE)}, ("vision",)),
        ({"messages": user(IMAGE | {"type": "some_new_type"})}, ("vision",)),
        ({"messages": user({"image_url": "https://x"})}, ("vision",)),
        ({"messages": user({"type": "input_image", "file_id": "f"})}, ("vision",)),
        ({"messages": user({"type": "text", "text": "x", "image_url": {"url": "x"}})}, ("vision",)),
        ({"messages": user({"type": "tool_result", "content": [TEXT, {"type": "image", "source": {}}]})}, ("vision",)),
        ({"messages": [{"role": "tool", "content": [IMAGE]}]}, ("vision",)),
        ({"messages": user({"type": "input_audio", "input_audio": {"data": "A", "format": "wav"}})}, ()),
        ({"messages": user({"type": ["image_url"]})}, ()),
    ],
)
def test_request_of__finds_needs(members: dict[str, Any], needs: tuple[str, ...]) -> None:
    assert chat(**members).needs == needs


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("messages", value) for value in (None, {}, "hi", 1, [1], ["hi"], [None], [{"content": 1}])),
        ("messages", [{"content": {"type": "image_url"}}]),
        ("messages", [{"content": [1]}]),
        ("messages", [{"content": [{"type": "x", "content": {"type": "image_url"}}]}]),
        *(("tools", value) for value in ({}, "x", 1, True, {"type": "function"})),
        ("functions", {}),
        *(("response_format", value) for value in ("json_object", [], 1, {}, {"type": 1}, {"type": ["json_object"]})),
        *(("max_tokens", value) for value in ("1", -1, 1.5, True, [1], 2**60)),
        ("max_completion_tokens", "5"),
        *(("requirements", value) for value in (None, [], "x", {"needs": "vision"}, {"min_contxt": 1})),
        ("requirements", {"privacy": "none"}),
        ("requirements", {"min_context": True}),
        *(("scope", value) for value in (1, [], {})),
    ],
)
def test_request_of__refuses_what_it_cannot_read(name: str, value: Any) -> None:
    with pytest.raises(Problem) as caught:
        chat(**{name: value})
    assert (caught.value.status, caught.value.code, caught.value.param) == (400, "invalid_request", name)
    assert "\n" not in str(caught.value)


def test_request_of__needs_messages() -> None:
    with pytest.raises(Problem) as caught:
        request_of(body_of(), "chat")
    assert caught.value.param == "messages"


def test_request_of__takes_the_stricter_of_body_and_requirements() -> None:
    request = chat(
        tools=[1],
        requirements={"needs": ["seed", "some_other"], "min_context": 500_000, "privacy": "no_log", "tier": "partner"},
        scope="eu",
    )
    assert request.needs == ("tools", "seed")
    assert (request.min_context, request.privacy, request.tier, request.scope) == (500_000, "no_log", "partner", "eu")
    less = chat(messages=user({"type": "text", "text": "x" * 100_000}), requirements={"min_context": 5, "needs": []})
    assert less.min_context is not None
    assert less.min_context > 28_000
    assert chat(requirements={}) == chat()


def test_request_of__lets_requirements_estimate() -> None:
    request = chat(max_tokens=50, requirements={"estimated_input_tokens": 7})
    assert (request.estimated_input_tokens, request.estimated_output_tokens) == (7, 50)


def test_request_of__counts_the_answer_into_the_context() -> None:
    request = chat(max_tokens=50_000, max_completion_tokens=60_000.0)
    assert request.estimated_output_tokens == 60_000
    assert request.min_context is not None
    assert 60_000 < request.min_context <= 65_536


@pytest.mark.parametrize("text", ["word " * 40_000, "é" * 100_000, "日本" * 50_000, "{x: [1, 2]}\n" * 9000])
def test_request_of__estimates_no_less_than_a_token_for_seven_bytes_and_no_more_than_one_for_three(text: str) -> None:
    raw = json.dumps({"model": "m", "messages": [{"role": "user", "content": text}]}, ensure_ascii=False).encode()
    context = request_of(Body.read(raw), "chat").min_context
    assert context is not None
    assert len(text.encode()) * 2 / 7 <= context <= len(raw) / 3


def test_request_of__counts_images_and_not_their_bytes() -> None:
    context = chat(messages=user(TEXT, IMAGE, IMAGE)).min_context
    assert context is not None
    assert 3200 <= context <= 4096
    sound = {"type": "input_audio", "input_audio": {"data": "A" * 170_000, "format": "mp3"}}
    context = chat(messages=user(TEXT, sound)).min_context
    assert context is not None
    assert 1000 <= context <= 1400


def test_request_of__makes_calls_of_about_one_size_equal() -> None:
    contexts = {chat(messages=[{"role": "user", "content": "x" * n}]).min_context for n in range(0, 120_000, 500)}
    assert len(contexts) <= 48
    assert chat() == chat(messages=[{"role": "user", "content": "something else"}])


@given(st.integers(0, 2**45))
def test_request_of__rounds_up_by_no_more_than_an_eighth(tokens: int) -> None:
    context = chat(max_tokens=tokens, messages=[]).min_context
    assert context is not None
    assert tokens < context <= max(1024, (tokens + 1) * 1.125 + 1)


@pytest.mark.parametrize(
    ("given", "least", "most"),
    [
        ("x" * 7000, 2000, 2304),
        (["x" * 7000, "y" * 700], 2000, 2304),
        ([1] * 5000, 5000, 5632),
        ([[1] * 5000, [2] * 10], 5000, 5632),
        ([], 0, 1024),
        ("", 0, 1024),
    ],
)
def test_request_of__embeddings_need_room_for_the_longest_input(given: Any, least: int, most: int) -> None:
    request = request_of(body_of(input=given), "embeddings")
    assert request.needs == ()
    assert request.min_context is not None
    assert least <= request.min_context <= most


@pytest.mark.parametrize("given", [None, 1, {}, [None], [1, "x"], [[1, "x"]], [1.5], [True], [[[1]]], {"a": "b"}])
def test_request_of__refuses_other_inputs(given: Any) -> None:
    with pytest.raises(Problem) as caught:
        request_of(body_of(input=given), "embeddings")
    assert caught.value.param == "input"


def test_seed_of__is_the_routing_seed_before_the_calls_own() -> None:
    assert seed_of(body_of()) is None
    assert seed_of(body_of(seed=5)) == 5
    assert seed_of(body_of(seed=5, routing_seed=6)) == 6
    assert seed_of(body_of(seed=5, routing_seed=None)) == 5
    for value in ("5", 1.5, True, []):
        with pytest.raises(Problem) as caught:
            seed_of(body_of(routing_seed=value))
        assert caught.value.param == "routing_seed"


ANY = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**50), 2**50)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "content", "image_url", "role", "file", "needs", "min_context", "text"]),
            inner | st.sampled_from(["text", "image_url", "json_object", "input_audio"]),
            max_size=4,
        )
    ),
    max_leaves=8,
)
READ = ["messages", "tools", "functions", "response_format", "seed", "max_tokens", "requirements", "scope", "input"]


@given(st.dictionaries(st.sampled_from(READ), ANY, max_size=6), st.sampled_from(["chat", "embeddings"]))
def test_request_of__gives_a_request_or_a_problem(members: dict[str, Any], route: Any) -> None:
    try:
        request = request_of(Body.read(json.dumps(members).encode()), route)
    except Problem:
        return
    assert isinstance(request, Request)
    if members.get("seed") is not None and route == "chat":
        assert "seed" in request.needs
