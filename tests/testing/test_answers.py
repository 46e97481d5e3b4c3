"""Answers have OpenAI's shapes, and say the same streamed as in one piece."""

from __future__ import annotations

import base64
import json
import math
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenantrank.testing import Reply, ToolCall
from tenantrank.testing.answers import Completion, embeddings, tokens
from tests.testing.raw import BODY, events

NUMBER = 7, 1_700_000_000
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "add",
            "parameters": {
                "type": "object",
                "properties": {"a": {"type": "integer"}, "b": {"type": "string", "enum": ["x", "y"]}},
                "required": ["a", "b"],
            },
        },
    }
]


def completion(reply: Reply = Reply(), text: str = "Three little words", **members: Any) -> Completion:  # noqa: B008
    return Completion({**BODY, **members}, reply, text)


def plain(reply: Reply = Reply(), **members: Any) -> Any:  # noqa: B008
    return json.loads(completion(reply, **members).plain(*NUMBER))


def streamed(reply: Reply = Reply(), **members: Any) -> list[Any]:  # noqa: B008
    *chunks, done = events(b"".join(completion(reply, stream=True, **members).events(*NUMBER)))
    assert done == "[DONE]"
    return chunks


def test_plain__has_every_member() -> None:
    answer = plain()

    assert answer["id"] == "chatcmpl-7"
    assert (answer["object"], answer["created"], answer["model"]) == ("chat.completion", 1_700_000_000, "m-1")
    (choice,) = answer["choices"]
    assert choice["message"] == {"role": "assistant", "content": "Three little words", "refusal": None}
    assert (choice["index"], choice["finish_reason"]) == (0, "stop")
    assert answer["usage"]["completion_tokens"] == 3
    assert answer["usage"]["total_tokens"] == answer["usage"]["prompt_tokens"] + 3


def test_streamed__says_the_same() -> None:
    chunks = streamed()

    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
    assert {chunk["id"] for chunk in chunks} == {"chatcmpl-7"}
    assert "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks) == "Three little words"
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks] == [None] * 4 + ["stop"]
    assert chunks[0]["choices"][0]["delta"]["role"] == "assistant"
    assert "usage" not in chunks[0]


def test_streamed__usage_where_it_is_asked_for() -> None:
    *chunks, last = streamed(stream_options={"include_usage": True})

    assert {chunk["usage"] for chunk in chunks} == {None}
    assert last["choices"] == []
    assert last["usage"] == plain()["usage"]


def test_completion__stops_at_the_most_tokens() -> None:
    for member in ("max_tokens", "max_completion_tokens"):
        (choice,) = plain(**{member: 2})["choices"]
        assert (choice["message"]["content"], choice["finish_reason"]) == ("Three little", "length")


def test_completion__several_choices() -> None:
    assert [choice["index"] for choice in plain(n=3)["choices"]] == [0, 1, 2]
    assert {choice["index"] for chunk in streamed(n=3) for choice in chunk["choices"]} == {0, 1, 2}
    assert plain(n=3)["usage"]["completion_tokens"] == 9


def test_completion__scripted_calls() -> None:
    reply = Reply(calls=(ToolCall("add", '{"a": 1, "b": 2}'),))
    (choice,) = plain(reply)["choices"]
    deltas = [call for chunk in streamed(reply) for call in chunk["choices"][0]["delta"].get("tool_calls", ())]

    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"]["content"] is None
    assert choice["message"]["tool_calls"][0]["function"] == {"name": "add", "arguments": '{"a": 1, "b": 2}'}
    assert deltas[0]["function"] == {"name": "add", "arguments": ""}
    assert "".join(delta["function"]["arguments"] for delta in deltas) == '{"a": 1, "b": 2}'


@pytest.mark.parametrize("choice", ["required", {"type": "function", "function": {"name": "add"}}])
def test_completion__demanded_calls_get_arguments_that_fit(choice: Any) -> None:
    (call,) = plain(tools=TOOLS, tool_choice=choice)["choices"][0]["message"]["tool_calls"]

    assert json.loads(call["function"]["arguments"]) == {"a": 0, "b": "x"}


@pytest.mark.parametrize("choice", [None, "auto", "none"])
def test_completion__calls_that_are_not_demanded_are_left_out(choice: Any) -> None:
    assert plain(tools=TOOLS, tool_choice=choice)["choices"][0]["message"]["content"] == "Three little words"


def test_completion__answers_in_the_format_asked_for() -> None:
    schema = {"type": "object", "properties": {"ok": {"type": "boolean"}}, "required": ["ok"]}
    by_schema = plain(response_format={"type": "json_schema", "json_schema": {"name": "x", "schema": schema}})
    as_object = plain(response_format={"type": "json_object"})

    assert json.loads(by_schema["choices"][0]["message"]["content"]) == {"ok": False}
    assert json.loads(as_object["choices"][0]["message"]["content"]) == {"answer": "Three little words"}


def test_completion__a_scripted_text_goes_before_everything() -> None:
    reply = Reply(text="No.", finish="content_filter")
    (choice,) = plain(reply, tools=TOOLS, tool_choice="required", response_format={"type": "json_object"})["choices"]

    assert choice["message"]["content"] == "No."
    assert choice["finish_reason"] == "content_filter"


@given(st.text())
def test_tokens__make_up_the_text(text: str) -> None:
    assert "".join(tokens(text)) == text


@given(st.text(), st.text(min_size=1))
def test_completion__any_text_and_model(text: str, model: str) -> None:
    # Lone surrogates come in as escapes, and cannot be written as UTF-8.
    text, model = (value.encode("utf-8", "replace").decode() for value in (text, model))
    answer = json.loads(completion(text=text, model=model).plain(*NUMBER))
    chunks = events(b"".join(completion(text=text, model=model).events(*NUMBER)))[:-1]

    assert answer["choices"][0]["message"]["content"] == text
    assert "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks) == text
    assert answer["model"] == chunks[0]["model"] == model


def test_embeddings__are_the_same_for_the_same_text_and_of_length_one() -> None:
    answer = json.loads(embeddings({"model": "e", "input": ["a", "b", "a"]}, 8))
    first, second, third = (entry["embedding"] for entry in answer["data"])

    assert first == third != second
    assert len(first) == 8
    assert math.isclose(sum(value * value for value in first), 1.0)
    assert [entry["index"] for entry in answer["data"]] == [0, 1, 2]


def test_embeddings__in_base64_are_the_same_numbers() -> None:
    body = {"model": "e", "input": "a", "dimensions": 3}
    (as_list,) = json.loads(embeddings(body, 8))["data"]
    (packed,) = json.loads(embeddings({**body, "encoding_format": "base64"}, 8))["data"]

    unpacked = struct.unpack("<3f", base64.b64decode(packed["embedding"]))
    assert unpacked == pytest.approx(as_list["embedding"])


@pytest.mark.parametrize(("given", "count"), [("a", 1), ([1, 2, 3], 1), (["a", "b"], 2), ([[1, 2], [3]], 2)])
def test_embeddings__one_for_each_text(given: Any, count: int) -> None:
    assert len(json.loads(embeddings({"model": "e", "input": given}, 8))["data"]) == count
