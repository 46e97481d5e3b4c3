"""What a model would answer, in OpenAI's shapes: completions, streams of chunks, embeddings, models."""

from __future__ import annotations

import base64
import hashlib
import json
import math
import re
import struct
from functools import cached_property
from typing import Any

from tenantrank.testing.instances import instance_of
from tenantrank.testing.reply import Reply, ToolCall

DONE = b"data: [DONE]\n\n"
_TOKEN = re.compile(r"\s*\S+|\s+")


def dump(value: Any) -> bytes:
    """Write JSON as short as it gets."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def event(value: Any) -> bytes:
    """Write one event of a stream."""
    return b"data: " + dump(value) + b"\n\n"


def tokens(text: str) -> tuple[str, ...]:
    """Cut a text into what is counted and streamed as its tokens: words with the blanks before them."""
    return tuple(_TOKEN.findall(text))


class Completion:
    """The answer to one body of ``/chat/completions``, but for its id and time.

    Parameters
    ----------
    body
        as the client sent it, with ``model`` and ``messages``
    reply, text
        what is said: the reply's text or calls, else what the body asks for (a call where it demands one, JSON by its
        schema), else ``text``
    """

    def __init__(self, body: dict[str, Any], reply: Reply, text: str) -> None:
        self._body = body
        self.calls = reply.calls or (() if reply.text is not None else _demanded_calls(body))
        said = tokens("" if self.calls else reply.text if reply.text is not None else _in_format(body, text))
        most = body.get("max_completion_tokens") or body.get("max_tokens")
        is_short = isinstance(most, int) and len(said) > most
        self.said = said[:most] if is_short else said
        usual = "length" if is_short else "tool_calls" if self.calls else "stop"
        self.finish = reply.finish or usual
        count = len(self.said) + sum(len(call.arguments) // 4 + 1 for call in self.calls)
        choices = body.get("n")
        self._choices = choices if isinstance(choices, int) and 1 < choices <= 128 else 1
        self._usage = _usage(_prompt_tokens(body.get("messages")), count * self._choices)

    def plain(self, number: int, created: int) -> bytes:
        """Give it as one JSON record; the number makes its id, the time is in seconds of Unix time."""
        return b'{"id":"chatcmpl-%d","created":%d,%b' % (number, created, self._plain)

    def events(self, number: int, created: int) -> list[bytes]:
        """Give it as a stream's events, the last one ``[DONE]``."""
        head = b'data: {"id":"chatcmpl-%d","created":%d,' % (number, created)
        return [*(head + tail for tail in self._events), DONE]

    @cached_property
    def _plain(self) -> bytes:
        message: dict[str, Any] = {"role": "assistant", "content": "".join(self.said), "refusal": None}
        if self.calls:
            message |= {"content": None, "tool_calls": [_call(at, call) for at, call in enumerate(self.calls)]}
        choices = [
            {"index": index, "message": message, "logprobs": None, "finish_reason": self.finish}
            for index in range(self._choices)
        ]
        return _fields("chat.completion", self._body["model"], choices=choices, usage=self._usage)[1:]

    @cached_property
    def _events(self) -> list[bytes]:
        with_usage = (self._body.get("stream_options") or {}).get("include_usage")
        more: dict[str, Any] = {"usage": None} if with_usage else {}
        steps: list[tuple[dict[str, Any], str | None]] = [(delta, None) for delta in self._deltas()] + [
            ({}, self.finish)
        ]
        choices: list[list[Any]] = [
            [{"index": index, "delta": delta, "logprobs": None, "finish_reason": finish}]
            for index in range(self._choices)
            for delta, finish in steps
        ]
        every: list[dict[str, Any]] = [{**more, "choices": choice} for choice in choices]
        if with_usage:
            every.append({"choices": [], "usage": self._usage})
        model = self._body["model"]
        return [_fields("chat.completion.chunk", model, **fields)[1:] + b"\n\n" for fields in every]

    def _deltas(self) -> list[dict[str, Any]]:
        if not self.calls:
            first = {"role": "assistant", "content": "", "refusal": None}
            return [first, *({"content": token} for token in self.said)]
        deltas: list[dict[str, Any]] = [{"role": "assistant", "content": None}]
        for at, call in enumerate(self.calls):
            begun = _call(at, call._replace(arguments=""))
            deltas.append({"tool_calls": [{"index": at, **begun}]})
            middle = len(call.arguments) // 2
            parts = filter(None, (call.arguments[:middle], call.arguments[middle:]))
            deltas += [{"tool_calls": [{"index": at, "function": {"arguments": part}}]} for part in parts]
        return deltas


def _fields(kind: str, model: str, **more: Any) -> bytes:
    return dump({"object": kind, "model": model, "system_fingerprint": "fp_mock", **more})


def embeddings(body: dict[str, Any], size: int) -> bytes:
    """Give an answer of ``/embeddings``: vectors of length 1, the same for the same input.

    ``encoding_format`` ``"base64"`` gives little-endian float32, as OpenAI's client asks for where its user says
    nothing. ``dimensions`` of the body goes before ``size``.
    """
    given = body["input"]
    # A list of integers is one text as tokens, a list of anything else several texts.
    is_one = isinstance(given, str) or (isinstance(given, list) and bool(given) and isinstance(given[0], int))
    size = body.get("dimensions") or size
    data = []
    for index, part in enumerate([given] if is_one else given):
        vector: Any = _vector(dump(part), size)
        if body.get("encoding_format") == "base64":
            vector = base64.b64encode(struct.pack(f"<{size}f", *vector)).decode()
        data.append({"object": "embedding", "index": index, "embedding": vector})
    count = len(dump(given)) // 4
    usage = {"prompt_tokens": count, "total_tokens": count}
    return dump({"object": "list", "data": data, "model": body["model"], "usage": usage})


def model_record(name: str) -> dict[str, Any]:
    """Give an entry of ``/models``."""
    return {"id": name, "object": "model", "created": 1_700_000_000, "owned_by": "mock"}


def _vector(seed: bytes, size: int) -> list[float]:
    digest = hashlib.shake_128(seed).digest(2 * size)
    values = [value / 32768 for value in struct.unpack(f"<{size}h", digest)]
    length = math.sqrt(sum(value * value for value in values)) or 1.0
    return [value / length for value in values]


def _call(at: int, call: ToolCall) -> dict[str, Any]:
    function = {"name": call.name, "arguments": call.arguments}
    return {"id": f"call_{at}", "type": "function", "function": function}


def _demanded_calls(body: dict[str, Any]) -> tuple[ToolCall, ...]:
    """Give the call that the body does not leave to the model, with the least arguments that fit."""
    choice, tools = body.get("tool_choice"), body.get("tools")
    if choice in (None, "auto", "none") or not isinstance(tools, list):
        return ()
    functions = [tool.get("function") or {} for tool in tools if isinstance(tool, dict)]
    if isinstance(choice, dict):
        named = (choice.get("function") or {}).get("name")
        functions = [function for function in functions if function.get("name") == named]
    return tuple(
        ToolCall(str(function.get("name")), json.dumps(instance_of(function.get("parameters") or {})))
        for function in functions[:1]
    )


def _in_format(body: dict[str, Any], text: str) -> str:
    given = body.get("response_format")
    wanted = given if isinstance(given, dict) else {}
    kind = wanted.get("type")
    if kind == "json_schema":
        return json.dumps(instance_of((wanted.get("json_schema") or {}).get("schema") or {}))
    return json.dumps({"answer": text}) if kind == "json_object" else text


def _prompt_tokens(messages: Any) -> int:
    """Count roughly: four characters a token, a few for each message."""
    count = 3
    for message in messages if isinstance(messages, list) else ():
        content = message.get("content") if isinstance(message, dict) else None
        count += 4 + len(content if isinstance(content, str) else dump(content)) // 4
    return count


def _usage(prompt: int, completion: int) -> dict[str, Any]:
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
    }
