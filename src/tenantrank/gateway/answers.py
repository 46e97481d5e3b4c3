"""What the gateway adds to an answer: a few headers, and the ``x_router`` record where a request asks for it.

The record is put into the provider's answer by a splice: every other byte stays as it came.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from tenantrank.gateway.plain import json_bytes
from tenantrank.gateway.problem import Problem
from tenantrank.gateway.records import DecisionRecord

MEMBER = "x_router"
"""The member of a request that asks for the record, and the one of the answer that holds it."""

_SPACE = b" \t\n\r"
_SEPARATORS = " \t\n\r,"
_DECODER = json.JSONDecoder()
_VISIBLE = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) != "%")


def headers_of(
    trace_id: str, fingerprint: str | None = None, offer: str | None = None, attempts: int | None = None
) -> dict[str, str]:
    """Give the gateway's own headers of an answer, those left out whose value is not known.

    Values are visible ASCII: anything else in an offer's id is percent-encoded, as is the percent sign.
    """
    found = {
        "x-tenantrank-trace-id": trace_id,
        "x-tenantrank-policy-fingerprint": fingerprint,
        "x-tenantrank-offer": None if offer is None else quote(offer, safe=_VISIBLE),
        "x-tenantrank-attempts": None if attempts is None else str(attempts),
    }
    return {name: value for name, value in found.items() if value is not None}


def problem_answer(problem: Problem, headers: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
    """Give status, headers and body of an answer that is no success; the gateway's own headers win."""
    kind = {"content-type": "application/json"}
    return problem.status, {**problem.headers, **headers, **kind}, json_bytes(problem.to_json())


def router_of(record: DecisionRecord, shown: Any = None) -> dict[str, Any]:
    """Give what ``x_router`` holds: how the answer came about, short; the trace holds the rest.

    Parameters
    ----------
    record
        as far as it is known when the answer is sent
    shown
        the policy that a ``provider`` object was translated to (`tenantrank.gateway.rules.Rule.shown`)
    """
    rule = record.rule
    policy: dict[str, Any] | None = None
    if rule is not None:
        policy = {
            "source": rule.source,
            "version": rule.version,
            "identity": rule.identity,
            "fingerprint": rule.fingerprint,
            "rules": list(rule.rules),
        }
        if shown is not None:
            policy["term"] = shown
    return {
        "trace_id": record.trace_id,
        "policy": policy,
        "catalog_id": record.catalog_id,
        "survivors": record.survivors,
        "offer": record.chosen,
        "attempts": [
            {"offer": attempt.offer_id, "number": attempt.number, "kind": attempt.kind, "status": attempt.status}
            for attempt in record.attempts
        ],
        "retries": record.retries,
        "fallbacks": record.fallbacks,
        "cut": record.cut,
    }


def with_router(answer: bytes, router: dict[str, Any]) -> bytes:
    """Put a record into an answer's JSON object as its last member; what is no JSON object stays as it is.

    A member of that name which the provider sent gives way: it would pass for ours.
    """
    end = len(answer.rstrip(_SPACE)) - 1
    if end < 1 or answer[end] != ord("}") or not answer.lstrip(_SPACE).startswith(b"{"):
        return answer
    # A name may be spelled with escapes, but not without a backslash or its own letters.
    if b"_router" in answer or b"\\u" in answer:
        answer = _without(answer)
        end = len(answer.rstrip(_SPACE)) - 1
    empty = answer[:end].rstrip(_SPACE).endswith(b"{")  # which no value ends with
    return b"".join((answer[:end], b"" if empty else b",", b'"x_router":', json_bytes(router), answer[end:]))


def router_event(router: dict[str, Any], created: int) -> bytes:
    """Give a record as an event of a stream: a chunk without choices, as the one with the usage is.

    It is what `tenantrank.gateway.streaming.Relay` takes as its trailer, which goes out before ``[DONE]``.

    Parameters
    ----------
    router
        what `router_of` gives
    created
        the moment, in seconds since 1970
    """
    chunk = {
        "id": router["trace_id"],
        "object": "chat.completion.chunk",
        "created": created,
        "model": router["offer"] or "",
        "choices": [],
        MEMBER: router,
    }
    return b"data: " + json_bytes(chunk) + b"\n\n"


def _without(answer: bytes) -> bytes:
    """Take the member `MEMBER` out of a JSON object, wherever and however often it stands."""
    try:
        text = answer.decode()
        spans = list(_members(text))
    except (ValueError, IndexError, RecursionError):  # no JSON: the caller is not the one to say so
        return answer
    if all(name != MEMBER for name, _, _ in spans):
        return answer
    pieces: list[str] = []
    before = 0
    for name, start, end in spans:
        if name != MEMBER:
            # What separates it from the member before goes with it, but for the first that is kept.
            pieces.append(text[before if pieces else start : end])
        before = end
    return (text[: spans[0][1]] + "".join(pieces) + text[before:]).encode()


def _members(text: str) -> Iterator[tuple[Any, int, int]]:
    """Give name, begin and end of each top-level member of a JSON object, begin and end without space around."""
    at = text.index("{") + 1
    while True:
        while text[at] in _SEPARATORS:
            at += 1
        if text[at] == "}":
            return
        start = at
        name, at = _DECODER.raw_decode(text, at)
        at = text.index(":", at) + 1
        while text[at] in _SEPARATORS:
            at += 1
        _, at = _DECODER.raw_decode(text, at)
        yield name, start, at
