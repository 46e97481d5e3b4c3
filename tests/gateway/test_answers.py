"""What is added to answers: the record by a splice, and headers that hold nothing but visible ASCII."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from tenantrank.gateway.answers import headers_of, problem_answer, router_event, router_of, with_router
from tenantrank.gateway.problem import Problem
from tests.gateway.shown import TRACE_ID, record

NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.sampled_from(["x_router", "x_\x00router"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | NAMES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)
OBJECTS = st.dictionaries(NAMES, VALUES, max_size=5)
SPACES = st.text(" \t\r\n", max_size=3)
ROUTER = router_of(record())


@given(value=OBJECTS, ascii_only=st.booleans(), indent=st.sampled_from([None, 0, 2]), before=SPACES, after=SPACES)
@example({}, True, None, "", "")
@example({}, True, 2, " \n", " \n")
@example({"a": {}}, False, None, "", "")
def test_with_router__parses_to_the_original_and_the_record(
    value: dict[str, Any], ascii_only: bool, indent: int | None, before: str, after: str
) -> None:
    raw = f"{before}{json.dumps(value, ensure_ascii=ascii_only, indent=indent)}{after}".encode()
    found = with_router(raw, ROUTER)

    assert json.loads(found) == {**value, "x_router": ROUTER}
    assert list(json.loads(found))[-1] == "x_router"
    if "x_router" not in value:
        head, tail = raw[: raw.rindex(b"}")], raw[raw.rindex(b"}") :]
        assert found.startswith(head)
        assert found.endswith(tail)
        inserted = found[len(head) : len(found) - len(tail)]
        assert json.loads(b"{" + inserted.removeprefix(b",") + b"}") == {"x_router": ROUTER}


def escaped(name: str) -> str:
    return "".join(f"\\u{ord(mark):04x}" for mark in name)


@pytest.mark.parametrize("name", ["x_router", escaped("x_router"), "x\\u005frouter", "\\u0078_router"])
@pytest.mark.parametrize(
    ("before", "after"), [("", ""), ('"a": 1.50 , ', ""), ("", ' , "b":[1e5 ,{}]'), ('"a":"}", ', ', "b" : "\\u00e9"')]
)
def test_with_router__is_never_the_providers_own(name: str, before: str, after: str) -> None:
    raw = f'{{ {before}"{name}":{{"trace_id":"forged"}}{after} }}'.encode()
    found = with_router(raw, ROUTER)
    pairs = json.loads(found, object_pairs_hook=lambda pairs: [key for key, _ in pairs])

    assert json.loads(found)["x_router"] == ROUTER
    assert pairs.count("x_router") == 1
    assert b"forged" not in found
    for part in (b"1.50", b"1e5 ", b"\\u00e9"):
        assert (part in found) == (part in raw)


@pytest.mark.parametrize("raw", [b"", b"{", b"}", b"[1]", b'[{"a":1}', b"null", b'"}"', b"  "])
def test_with_router__leaves_what_is_no_object(raw: bytes) -> None:
    assert with_router(raw, ROUTER) == raw


@given(st.binary(max_size=60))
@example(b'{"a\\u":}')
@example(b'{"a_router"}')
@example(b'{"x_router":1,,}')
def test_with_router__raises_for_nothing(raw: bytes) -> None:
    assume(not raw.rstrip(b" \t\n\r").endswith(b"}") or b"_router" in raw or b"\\u" in raw)
    with_router(raw, ROUTER)


def test_router__is_short_and_shows_a_translated_policy() -> None:
    assert ROUTER["trace_id"] == TRACE_ID
    assert ROUTER["offer"] == "alpha|m-1"
    assert [attempt["kind"] for attempt in ROUTER["attempts"]] == ["timeout", None]
    assert "term" not in ROUTER["policy"]
    assert router_of(record(), ["policy"])["policy"]["term"] == ["policy"]
    assert router_of(record(rule=None))["policy"] is None


def test_router_event__is_one_chunk_without_choices() -> None:
    event = router_event(ROUTER, 1_764_000_000)
    assert event.startswith(b"data: {")
    assert event.endswith(b"}\n\n")
    assert event.count(b"\n") == 2
    chunk = json.loads(event[6:])
    assert chunk["choices"] == []
    assert chunk["object"] == "chat.completion.chunk"
    assert chunk["x_router"] == ROUTER


@given(offer=st.text(max_size=40), fingerprint=st.none() | st.just("1-2"), attempts=st.none() | st.integers(0, 9))
@example("a\r\nset-cookie: x=1", None, 1)
@example("dé|%41", "1-2", None)
def test_headers__hold_visible_ascii(offer: str, fingerprint: str | None, attempts: int | None) -> None:
    assume(not any("\ud800" <= mark <= "\udfff" for mark in offer))
    found = headers_of(TRACE_ID, fingerprint, offer, attempts)

    assert all(0x20 < ord(mark) < 0x7F for value in found.values() for mark in value)
    assert ("x-tenantrank-attempts" in found) == (attempts is not None)
    assert unquote(found["x-tenantrank-offer"]) == offer


def test_headers__show_plain_offers_as_they_are() -> None:
    assert headers_of(TRACE_ID, offer="openai|gpt-4.1|us:east/1")["x-tenantrank-offer"] == "openai|gpt-4.1|us:east/1"
    assert headers_of(TRACE_ID) == {"x-tenantrank-trace-id": TRACE_ID}


def test_problem__is_an_error_of_openais_shape() -> None:
    problem = Problem(429, "rate_limited", "too\nmany", headers={"retry-after": "1"}, details={"path": "$"})
    status, headers, body = problem_answer(problem, headers_of(TRACE_ID))

    assert status == 429
    assert headers == {
        "retry-after": "1",
        "x-tenantrank-trace-id": TRACE_ID,
        "content-type": "application/json",
    }
    assert json.loads(body)["error"] == {
        "message": "too\nmany",
        "type": "rate_limit_error",
        "param": None,
        "code": "rate_limited",
        "path": "$",
    }
