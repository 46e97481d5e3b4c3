"""Strict JSON: what is read, and what is refused in one line."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tenantrank.policy.strict_json import MAX_INTEGER, decode_finite, loads


@pytest.mark.parametrize("value", [None, True, 0, MAX_INTEGER, -MAX_INTEGER, 1.5, 1e300, "é", [], {"a": {"a": [1]}}])
@pytest.mark.parametrize("ascii_only", [True, False])
def test_loads__reads_what_json_means(value: Any, ascii_only: bool) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only)

    assert loads(text) == loads(text.encode()) == value


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "not valid JSON"),
        ("{", "not valid JSON"),
        ("1 2", "not valid JSON"),
        ('"a\nb"', "not valid JSON"),
        ("\ufeff1", "not valid JSON"),
        (b"\xff", "not valid UTF-8"),
        ('"\\ud800"', "lone surrogate"),
        ('{"\\udc00": 1}', "lone surrogate"),
        ("NaN", "not a JSON number"),
        ("-Infinity", "not a JSON number"),
        ("1e999", "beyond the range"),
        (str(MAX_INTEGER + 1), "outside"),
        ("9" * 5000, "outside"),
        ('{"a": 1, "a": 1}', "duplicate key 'a'"),
        ('{"a": 1, "\\u0061": 2}', "duplicate key 'a'"),
        ('[{"b": {"a": 1, "a": 2}}]', "duplicate key 'a'"),
        ("[" * 100_000, "nested too deeply"),
    ],
)
def test_loads__refuses_in_one_line(text: str | bytes, why: str) -> None:
    with pytest.raises(ValueError, match=why) as caught:
        loads(text)

    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("before", ["", " ", "\n\t\r "])
@pytest.mark.parametrize("after", ["", "\n", " \t\r\n"])
def test_loads__passes_over_space_around_the_value(before: str, after: str) -> None:
    assert loads(f"{before}[1]{after}") == [1]


@pytest.mark.parametrize("text", ["\n [1,]", " \n[1] x", "  ", "\n\n{", "[1,\n  ", "\x0b[1]", "[1]\u2028", " 01"])
def test_loads__tells_the_place_as_the_standard_parser_does(text: str) -> None:
    with pytest.raises(json.JSONDecodeError) as expected:
        json.loads(text)
    with pytest.raises(ValueError) as caught:
        loads(text)
    assert str(caught.value) == f"not valid JSON: {expected.value}"


@pytest.mark.parametrize("literal", ["999999999999999", "-999999999999999", "9007199254740991", "-9007199254740991"])
def test_loads__reads_the_longest_integers(literal: str) -> None:
    assert loads(literal) == int(literal)


@pytest.mark.parametrize("text", ["1e999", "[-1e999]", '{"a": 1E400}'])
def test_decode_finite__leaves_infinities_to_the_caller(text: str) -> None:
    assert decode_finite(text) == json.loads(text)


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "{", "1 2", "[1]\u00a0", '"a\nb"', "\ufeff1", "NaN", "[Infinity]", "-Infinity", "9007199254740992"),
        *("-" + "9" * 5000, '{"a": 1, "a": 1}', '[{"a": 1, "\\u0061": 2}]', "01", "1.", "[1,]", "'a'", "nul"),
        *('{"a": NaN}', '{"a": 9007199254740992}', '{"a": "b\nc"}', '{"a":1', '{"": 0, "": 0}', '{"a":{"b":1,"b":1}}'),
    ],
)
def test_decode_finite__refuses_what_decode_refuses(text: str) -> None:
    for read in (decode_finite, loads):
        with pytest.raises(ValueError):
            read(text)


@pytest.mark.parametrize(
    "text",
    [
        *(" 1", "\n[0.1, -0, -0.0, 1e5, true, null]\t\r ", '{"é": ["\\u00e9", {}]}', "123456789012345", '{"a": -0}'),
        *('["a:b"]', '{"a\\u003a": 1, "b": 2}', '[{"a": 1}, {"a": 2}]', "{}", '[{}, {"a": 0.5}]'),
    ],
)
def test_decode_finite__reads_what_decode_reads(text: str) -> None:
    assert repr(decode_finite(text)) == repr(loads(text))
