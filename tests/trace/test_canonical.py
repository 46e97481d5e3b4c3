"""The canonical text: one value, one text; and what is no JSON is refused."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from tenantrank.errors import TraceError
from tenantrank.trace.canonical import canonical, moment, parsed

_TEXT = some.text(some.characters(exclude_categories=["Cs"]))
_VALUES = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats(allow_nan=False, allow_infinity=False) | _TEXT,
    lambda inner: some.lists(inner) | some.dictionaries(_TEXT, inner),
    max_leaves=20,
)


@settings(max_examples=30)
@given(some.dictionaries(_TEXT, _VALUES))
def test_it_is_json_that_reads_as_it_was_and_is_written_the_same_again(value: dict) -> None:
    text = canonical(value)
    again = json.loads(text)
    assert repr(again) == repr(parsed(text))
    assert canonical(again) == text == canonical(dict(reversed(value.items())))
    assert again == value
    assert b"\n" not in text
    assert not any(byte < 0x20 for byte in text)


def test_the_documented_form() -> None:
    value = {"é": 1.0, "z": [True, None, -0.0, 1e16, 1e-05, 0.1, 10**20], "a": 'q"\\\b\t\n\f\r\x1b\x7f\u2028😀/'}
    expected = (
        '{"a":"q\\"\\\\\\b\\t\\n\\f\\r\\u001b\x7f\u2028😀/",'
        '"z":[true,null,-0.0,1e+16,1e-05,0.1,100000000000000000000],"é":1.0}'
    )
    assert canonical(value).decode() == expected


def test_members_are_in_the_order_of_their_bytes() -> None:
    names = ["\U0001f600", "\uffff", "é", "z", "", "Z", "a"]
    found = list(json.loads(canonical(dict.fromkeys(names))))
    assert found == sorted(names, key=str.encode)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), b"x", {1}, "\ud800", object()])
def test_what_is_no_json_is_refused(value: object) -> None:
    with pytest.raises(TraceError, match="cannot be written"):
        canonical({"a": value})


@pytest.mark.parametrize("text", [b"", b"[1]", b"{", b"\xff", b"7"])
def test_what_is_no_record_is_not_read(text: bytes) -> None:
    with pytest.raises(TraceError, match="not a record"):
        parsed(text)


def test_moments_sort_as_their_texts() -> None:
    moments = [datetime(1, 1, 2, tzinfo=UTC), datetime(1970, 1, 1, tzinfo=UTC), datetime(9999, 12, 30, tzinfo=UTC)]
    texts = [moment(each) for each in moments]
    assert texts == sorted(texts)
    assert {len(text) for text in texts} == {27}
    assert moment(datetime(2026, 1, 1, 1, tzinfo=timezone(timedelta(hours=1)))) == "2026-01-01T00:00:00.000000Z"
