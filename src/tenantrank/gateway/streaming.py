"""Streams: a provider's events on their way to the client, unchanged, and never ended falsely.

Before the first event with content nothing is sent, so that the failure plan can go on. After it, a break is one error
event within the stream: no ``[DONE]`` and no finish reason is ever made up. Bytes go out as they came in; each event is
read once, to see errors, the usage and the finish reasons.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from time import monotonic
from typing import Any, Literal, Self

from pydantic_core import from_json

from tenantrank.gateway.classify import failure_of_error
from tenantrank.gateway.events import Events, data_of
from tenantrank.gateway.failure import Failure
from tenantrank.gateway.incoming import Incoming
from tenantrank.gateway.quirks import Quirks

DONE = b"[DONE]"
EVENT_BYTES = 1024 * 1024
STREAM_BYTES = 64 * 1024 * 1024


class Relay:
    """A stream whose first event is there: an asynchronous iterator of the bytes for the client.

    It is made by `first_event` and must be closed, at best in a ``finally``; what the iterator gives ends between two
    events, and the ``[DONE]`` is given alone.

    Attributes
    ----------
    trailer : called once a complete stream is about to end; its bytes, whole events, go out before ``[DONE]``
    usage : the last usage record of the stream, or ``None``
    finish_reasons : by the index of the choice
    first_s, last_s : when the first and the last event with content came, by the clock passed in
    events : how many data events came
    bytes, received : how many bytes of the provider's went out, and how many came
    outcome : ``"complete"``, the `Failure` that ended it, ``"left"`` where it was closed before its end, ``None``
        while it runs
    """

    def __init__(
        self,
        incoming: Incoming,
        kind: str,
        quirks: Quirks,
        clock: Callable[[], float],
        event_bytes: int,
        stream_bytes: int,
    ) -> None:
        self.trailer: Callable[[], bytes] | None = None
        self.usage: dict[str, Any] | None = None
        self.finish_reasons: dict[int, str] = {}
        self.first_s: float | None = None
        self.last_s: float | None = None
        self.events = 0
        self.bytes = 0
        self.received = 0
        self.outcome: Literal["complete", "left"] | Failure | None = None
        self._incoming = incoming
        self._kind = kind
        self._quirks = quirks
        self._clock = clock
        self._splitter = Events(event_bytes)
        self._most = stream_bytes
        self._choices: set[int] = set()
        self._ready: list[bytes] = []
        self._failure: Failure | None = None
        self._done: bytes | None = None
        self._ended = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        while not self._ready:
            if self._ended:
                if self.outcome == "complete":
                    await self._incoming.finish()
                self.close()
                raise StopAsyncIteration
            if self._failure is not None:
                return self._break(self._failure)
            if self._done is None:
                await self._more()
            elif last := self._finish(self._done):
                return last
        block = self._ready[0] if len(self._ready) == 1 else b"".join(self._ready)
        self._ready.clear()
        self.bytes += len(block)
        return block

    def close(self) -> None:
        """Close the provider's connection at once, unless the stream came to its end."""
        if self.outcome is None:
            self.outcome = "left"
        self._ended = True
        self._ready.clear()
        self._incoming.close()

    async def start(self) -> None:
        """Wait for the first event with content; nothing has been sent until then.

        Raises
        ------
        Failure
            for an error, a broken event, the end, or no such event in time
        """
        try:
            async with asyncio.timeout_at(self._incoming.deadline):
                while self.first_s is None and self._failure is None and self._done is None:
                    await self._more()
        except TimeoutError:
            self._failure = Failure("timeout", "no event with content in time", status=200, accepted=True)
        except BaseException:
            self.close()
            raise
        if self._failure is None and self.first_s is None:
            self._failure = Failure("bad_response", "the stream ended without content", status=200, accepted=True)
        if self._failure is not None:
            self.outcome = self._failure
            self.close()
            raise self._failure
        self._incoming.begun()

    async def _more(self) -> None:
        try:
            piece = await self._incoming.read()
            if piece:
                self.received += len(piece)
                if self.received > self._most:
                    raise Failure("bad_response", "the stream is longer than is allowed", accepted=True)
                for event in self._splitter.feed(piece):
                    self._take(event)
                    if self._failure is not None or self._done is not None:
                        return
            else:
                self._at_end()
        except Failure as failure:
            self._failure = failure

    def _take(self, event: bytes) -> None:
        data = data_of(event) if not event.lstrip().startswith(b"{") else event
        if data is None:
            self._ready.append(event)
            return
        if data.strip() == DONE:
            if not self._choices <= self.finish_reasons.keys():
                raise Failure("bad_response", "the stream ended in the middle of an answer", accepted=True)
            self._done = event
            return
        try:
            record = from_json(data, allow_inf_nan=False)
        except ValueError:
            raise Failure("bad_response", "an event of the stream is not JSON", accepted=True) from None
        if not isinstance(record, dict) or data is event:
            raise self._error(record)
        if record.get("error") or _is_bare_error(record):
            raise self._error(record)
        choices = record.get("choices")
        if choices:
            self._note(choices)
        own = record.get("x_groq")  # where Groq puts the usage when it was not asked for
        usage = record.get("usage") or (own.get("usage") if isinstance(own, dict) else None)
        if isinstance(usage, dict):
            self.usage = usage
        self.events += 1
        self._ready.append(event)

    def _note(self, choices: Any) -> None:
        if not isinstance(choices, list):
            raise Failure("bad_response", "an event of the stream has choices that are no list", accepted=True)
        for choice in choices:
            if not isinstance(choice, dict):
                raise Failure("bad_response", "an event of the stream has a choice that is no record", accepted=True)
            index = choice.get("index", 0)
            if not isinstance(index, int):
                index = 0
            self._choices.add(index)
            reason = choice.get("finish_reason")
            if reason == "error":
                raise Failure("server_error", "the provider ended the stream with an error", accepted=True)
            if isinstance(reason, str):
                self.finish_reasons[index] = reason[:64]
        self.last_s = self._clock()
        if self.first_s is None:
            self.first_s = self.last_s

    def _error(self, record: Any) -> Failure:
        if isinstance(record, dict) and (record.get("error") or _is_bare_error(record)):
            return failure_of_error(self._kind, record)
        return Failure("bad_response", "the stream holds what is no event", accepted=True)

    def _at_end(self) -> None:
        rest = bytes(self._splitter.rest).strip()
        self._splitter.rest.clear()
        if rest.startswith(b"{"):  # an error without the form of an event
            self._take(rest)
        elif rest.startswith(b"data:") and rest[5:].strip() == DONE:
            self._done = b"data: [DONE]\n\n"
        elif not self._quirks.done and not rest and self._choices and self._choices <= set(self.finish_reasons):
            self._done = b""
        else:
            raise Failure("network_error", "the stream ended before it was complete", accepted=True)

    def _finish(self, done: bytes) -> bytes:
        if self.trailer is not None:
            trailer, self.trailer = self.trailer, None
            if last := trailer():
                return last
        self.outcome = "complete"
        self._ended = True
        return done

    def _break(self, failure: Failure) -> bytes:
        self.outcome = failure
        self._ended = True
        self._incoming.close()
        return error_event(failure)


async def first_event(
    incoming: Incoming,
    kind: str,
    quirks: Quirks,
    *,
    clock: Callable[[], float] = monotonic,
    event_bytes: int = EVENT_BYTES,
    stream_bytes: int = STREAM_BYTES,
) -> Relay:
    """Wait for a stream's first event with content, and give the stream from its beginning on.

    Parameters
    ----------
    incoming
        of the answer; it is closed where this raises
    kind, quirks
        the endpoint's
    clock
        for the times of the first and the last event
    event_bytes, stream_bytes
        the longest event, and the longest stream

    Raises
    ------
    Failure
        as `Relay.start`
    """
    relay = Relay(incoming, kind, quirks, clock, event_bytes, stream_bytes)
    await relay.start()
    return relay


def _is_bare_error(record: Mapping[str, Any]) -> bool:
    """Say whether a record is an error without the member ``error``, as Mistral's, vLLM's and Bedrock's are."""
    if "choices" in record:
        return False
    said = record.get("message", record.get("detail", record.get("Message")))
    return isinstance(said, str | list | dict) or "error" in (record.get("object"), record.get("type"))


def error_event(failure: Failure) -> bytes:
    """Give the one event that ends a broken stream, in the shape that OpenAI's clients raise."""
    shown = {
        "message": f"the stream broke off: {failure}",
        "type": "server_error",
        "param": None,
        "code": failure.kind,
    }
    return b"data: " + json.dumps({"error": shown}, separators=(",", ":")).encode() + b"\n\n"
