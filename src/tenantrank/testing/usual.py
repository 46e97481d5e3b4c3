"""What a provider answers where nothing else is scripted: routes, the checks that providers make, refusals."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import Any, NamedTuple

from tenantrank.testing import answers
from tenantrank.testing.recorded import Recorded
from tenantrank.testing.reply import USUAL, Reply

JSON = "application/json"
STREAM = "text/event-stream; charset=utf-8"
_MOST_KNOWN, _MOST_KNOWN_BYTES = 256, 16_384
_NEEDED: MappingProxyType[str, tuple[tuple[str, type | tuple[type, ...]], ...]] = MappingProxyType(
    {
        "chat": (("model", str), ("messages", list)),
        "embeddings": (("model", str), ("input", (list, str))),
    }
)


class Answer(NamedTuple):
    """A status, a content type, and a body in pieces: the events of a stream, or one."""

    status: int
    kind: str
    pieces: list[bytes]


class _Said(NamedTuple):
    completion: answers.Completion
    streams: bool


@dataclass(frozen=True)
class Usual:
    """What is served.

    Attributes
    ----------
    text : what the assistant says
    key : the only credential accepted, ``None`` where any is
    models : the models there are; empty: whatever is asked for
    embedding_size : numbers of an embedding, where the request does not say
    """

    text: str
    key: str | None
    models: tuple[str, ...]
    embedding_size: int
    _known: dict[tuple[bytes, bytes], _Said] = field(default_factory=dict, repr=False, compare=False)

    def answer(self, recorded: Recorded, reply: Reply) -> Answer:
        """Answer a request; of the reply only counts what the assistant says."""
        if self.key is not None and not self._is_authorized(recorded):
            return refusal(401, "Incorrect API key provided.", "invalid_api_key")
        # A load test sends the same few bodies: what answers them is worked out once, or this would be the bottleneck.
        key = recorded.line, recorded.body
        known = self._known.get(key) if reply is USUAL else None
        found = known or self._find(recorded, reply)
        if not isinstance(found, _Said):
            return found
        if reply is USUAL and known is None and len(recorded.body) <= _MOST_KNOWN_BYTES:
            if len(self._known) == _MOST_KNOWN:
                self._known.clear()
            self._known[key] = found
        created = int(time.time())
        if found.streams:
            return Answer(200, STREAM, found.completion.events(recorded.number, created))
        return Answer(200, JSON, [found.completion.plain(recorded.number, created)])

    def _find(self, recorded: Recorded, reply: Reply) -> Answer | _Said:
        route = _route(recorded.method, recorded.path)
        if isinstance(route, Answer):
            return route
        if route == "models":
            records = [answers.model_record(name) for name in self.models or ("mock-model",)]
            return Answer(200, JSON, [answers.dump({"object": "list", "data": records})])
        if route == "model":
            name = recorded.path.partition("/models/")[2]
            return self._no_model(name) or Answer(200, JSON, [answers.dump(answers.model_record(name))])
        body: Any = recorded.json
        if not isinstance(body, dict):
            return refusal(400, "We could not parse the JSON body of your request.", None)
        for name, kinds in _NEEDED[route]:
            if not isinstance(body.get(name), kinds) or not body[name]:
                return refusal(400, f"Missing required parameter: '{name}'.", "missing_required_parameter", name)
        unknown = self._no_model(body["model"])
        if unknown is not None:
            return unknown
        if route == "embeddings":
            return Answer(200, JSON, [answers.embeddings(body, self.embedding_size)])
        return _Said(answers.Completion(body, reply, self.text), bool(body.get("stream")))

    def _no_model(self, name: str) -> Answer | None:
        if not self.models or name in self.models:
            return None
        return refusal(404, f"The model `{name}` does not exist or you do not have access to it.", "model_not_found")

    def _is_authorized(self, recorded: Recorded) -> bool:
        given = dict(recorded.headers)
        bearer = given.get("authorization", "").removeprefix("Bearer ")
        return self.key in (bearer, given.get("api-key"), given.get("x-api-key"))


@lru_cache(maxsize=256)
def _route(method: str, path: str) -> str | Answer:
    if method == "GET" and path.endswith("/models"):
        return "models"
    if method == "GET" and "/models/" in path:
        return "model"
    route = "chat" if path.endswith("/chat/completions") else "embeddings" if path.endswith("/embeddings") else None
    if route is None:
        return refusal(404, f"Unknown request URL: {method} {path}.", "unknown_url")
    if method != "POST":
        return refusal(405, f"Not allowed to {method} on {path}.", "method_not_supported")
    return route


def refusal(status: int, message: str, code: str | None, param: str | None = None) -> Answer:
    """Make an error record in OpenAI's style."""
    kind = "invalid_request_error" if status < 500 else "server_error"
    record = {"error": {"message": message, "type": kind, "param": param, "code": code}}
    return Answer(status, JSON, [answers.dump(record)])
