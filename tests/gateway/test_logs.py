"""The log: one line of JSON whatever a client sends in names."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tenantrank.gateway.logs import Log
from tenantrank.gateway.plain import clipped, json_line
from tests.gateway.shown import TRACE_ID, attempt, record

ANYTHING = st.text(st.characters(), max_size=300)  # halves of surrogate pairs among them
NASTY = 'a\r\nb\x00\x1b[31m\u2028\u2029\x85\x7f\u202e"}\\{\ud800'


def lines_of(stream: io.StringIO) -> list[str]:
    """Split as any reader of logs might."""
    text = stream.getvalue()
    assert text.endswith("\n")
    assert text[:-1].splitlines() == text[:-1].split("\n")
    return text[:-1].split("\n")


@given(label=ANYTHING, tenant=ANYTHING, caller=ANYTHING, offer=ANYTHING, code=ANYTHING)
@example(NASTY, NASTY, NASTY, NASTY, NASTY)
def test_request__is_one_line_of_json_whatever_names_hold(
    label: str, tenant: str, caller: str, offer: str, code: str
) -> None:
    stream = io.StringIO()
    Log(stream).request(record(label=label, tenant=tenant, caller=caller, chosen=offer, code=code))
    (line,) = lines_of(stream)

    assert line.isascii()
    assert line.isprintable()
    found = json.loads(line)
    # A pair of halves that stand side by side is one character to a reader of JSON.
    shown = json.loads(json.dumps([clipped(label), clipped(tenant), clipped(caller), offer, code]))
    assert [found["label"], found["tenant"], found["caller"], found["offer"], found["code"]] == shown


@given(name=ANYTHING)
@example(NASTY)
def test_event__is_one_line_likewise(name: str) -> None:
    stream = io.StringIO()
    Log(stream, lambda: datetime(2026, 1, 1, tzinfo=UTC)).event("reloaded", reason=name, offers=3, nothing=None)
    (line,) = lines_of(stream)

    assert line.isascii()
    assert line.isprintable()
    assert set(json.loads(line)) == {"time", "event", "reason", "offers"}


def test_request__says_what_came_of_it_and_leaves_out_what_is_not_known() -> None:
    stream = io.StringIO()
    Log(stream).request(record(retries=0, cut="attempts"))
    found = json.loads(stream.getvalue())

    assert found["time"] == "2026-11-25T20:00:00.123+00:00"
    assert found["trace_id"] == TRACE_ID
    assert (found["status"], found["outcome"], found["offer"]) == (200, "answered", "alpha|m-1")
    assert (found["attempts"], found["failures"], found["cut"]) == (2, ["timeout"], "attempts")
    assert (found["tokens_in"], found["total_ms"]) == (12, 22.5)
    assert "broke" not in found


def test_request__is_bounded() -> None:
    stream = io.StringIO()
    long = "😀" * 100_000
    Log(stream).request(record(label=long, tenant=long, caller=long, attempts=(attempt(kind="timeout"),) * 1000))

    assert len(stream.getvalue()) < 10_000


class Broken(io.StringIO):
    def write(self, text: str) -> int:
        raise OSError("no space")


@pytest.mark.parametrize("closed", [False, True])
def test_log__that_cannot_be_written_fails_nothing(closed: bool) -> None:
    stream = io.StringIO() if closed else Broken()
    if closed:
        stream.close()
    log = Log(stream)
    log.request(record())
    log.event("started")

    assert log.lost == 2


def test_log__without_a_stream_writes_nothing() -> None:
    log = Log(None)
    log.request(record())
    log.event("started")

    assert log.lost == 0


@given(st.recursive(st.none() | st.booleans() | st.floats() | ANYTHING, lambda inner: st.lists(inner), max_leaves=5))
def test_json_line__is_json_in_visible_ascii(value: object) -> None:
    text = json_line(value)
    json.loads(text, parse_constant=lambda name: pytest.fail(name))

    assert text.isascii()
    assert text.isprintable()


def test_json_line__has_null_for_numbers_that_json_lacks() -> None:
    assert (
        json_line({"a": [float("nan"), float("inf"), 1.5], "b": (-float("inf"),)}) == '{"a":[null,null,1.5],"b":[null]}'
    )
