"""Strict reading of text and bytes: what two readers could read differently is refused, and nothing else."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenantrank.errors import PolicyError
from tenantrank.policy.parsing import MAX_BYTES, MAX_NESTING, parse
from tenantrank.policy.strict_json import MAX_INTEGER
from tests.policy.values import hostile


def refused(source: Any) -> str:
    """The reason that a text is refused with, which is one short printable line; the path is the whole."""
    with pytest.raises(PolicyError) as caught:
        parse(source)
    assert caught.value.path == "$"
    assert caught.value.reason.isprintable()
    assert len(caught.value.reason) <= 200
    return caught.value.reason


def both(text: str) -> tuple[str, str]:
    return refused(text), refused(text.encode())


_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-MAX_INTEGER, MAX_INTEGER)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner),
    max_leaves=20,
)


@given(_JSON, st.booleans(), st.sampled_from([None, 0, 3]))
def test_parse__reads_what_json_writes(value: Any, escaped: bool, indent: int | None) -> None:
    text = json.dumps(value, ensure_ascii=escaped, indent=indent)
    for read in (parse(text), parse(text.encode())):
        assert read == value
        assert json.dumps(read) == json.dumps(value)


@given(st.binary(max_size=60))
def test_parse__any_bytes_are_read_as_by_the_standard_parser_or_refused(source: bytes) -> None:
    try:
        value = parse(source)
    except PolicyError as refusal:
        assert str(refusal).isprintable()  # noqa: PT017
    else:
        assert value == json.loads(source)


@given(st.text(st.sampled_from('[]{}",:\\u0061 -+.eE019ntf\x00\ud800\n'), max_size=40))
def test_parse__any_text_is_read_as_by_the_standard_parser_or_refused(source: str) -> None:
    try:
        value = parse(source)
    except PolicyError as refusal:
        assert str(refusal).isprintable()  # noqa: PT017
    else:
        assert value == json.loads(source)


DUPLICATES = [
    '{"a":1,"a":2}',
    '{"a":1,"a":1}',
    '{"a":1,"b":2,"a":3}',
    r'{"a":1,"\u0061":2}',
    r'{"\u0061":1,"\u0061":2}',
    '{"":1,"":2}',
    '{"a":{},"a":[]}',
    r'{"😀":1,"\ud83d\ude00":2}',
    r'{"\n":1,"\u000a":2}',
    r'{"/":1,"\/":2}',
]


@pytest.mark.parametrize("text", DUPLICATES)
@pytest.mark.parametrize("depth", [0, 1, 2, 63])
def test_parse__refuses_duplicate_keys_at_every_depth(text: str, depth: int) -> None:
    for opening, closing in (("[", "]"), ('{"k":', "}"), ('[1,{"z":', "}]")):
        times = depth // len(closing)
        for reason in both(opening * times + text + closing * times):
            assert reason.startswith("duplicate key ")


def test_parse__names_the_duplicate_key_clipped_and_on_one_line() -> None:
    assert refused('{"a":1,"a":2}') == "duplicate key 'a'"
    assert refused(r'{"\n":1,"\n":2}') == "duplicate key '\\n'"
    refused(json.dumps({"x" * 10_000: 1})[:-1] + ',"' + "x" * 10_000 + '":2}')


def test_parse__keys_that_differ_are_no_duplicates() -> None:
    # Case, composition and width are differences.
    keys = ["a", "A", "é", "e\u0301", "a ", "ａ", ""]
    text = "{" + ",".join(f"{json.dumps(key)}:{at}" for at, key in enumerate(keys)) + "}"
    assert parse(text) == {key: at for at, key in enumerate(keys)}
    assert parse('[{"a":1},{"a":1}]') == [{"a": 1}, {"a": 1}]
    assert parse('{"a":{"a":{"a":1}}}') == {"a": {"a": {"a": 1}}}


@pytest.mark.parametrize("literal", ["NaN", "Infinity", "-Infinity"])
def test_parse__refuses_what_is_no_json_number(literal: str) -> None:
    for text in (literal, f"[{literal}]", f'{{"a":{literal}}}', f'[{{"a":[1,{literal}]}}]'):
        assert both(text) == (f"{literal} is not a JSON number",) * 2


@pytest.mark.parametrize(
    "literal", ["nan", "inf", "-NaN", "+1", "01", "-01", ".5", "1.", "1e", "0x1", "1_0", "١", "--1"]
)
def test_parse__refuses_other_spellings_of_numbers(literal: str) -> None:
    both(literal)
    both(f"[{literal}]")


@pytest.mark.parametrize("literal", ["1e999", "-1e999", "1e309", "1.8e308", "9" * 400 + ".0", "1" + "0" * 309 + "e0"])
def test_parse__refuses_numbers_beyond_doubles(literal: str) -> None:
    for reason in both(f"[{literal}]"):
        assert reason.endswith("is beyond the range of doubles")


@pytest.mark.parametrize("literal", [
    "1.7976931348623157e308", "-1.7976931348623157E+308", "5e-324", "1e-999", "-0.0", "1e0", "9007199254740993.0",
    "0." + "3" * 100_000, "1" + "0" * 300 + ".5",
])  # fmt: skip
def test_parse__reads_fractions_as_the_nearest_double(literal: str) -> None:
    value = parse(literal)
    assert type(value) is float
    assert (value, math.copysign(1, value)) == (float(literal), math.copysign(1, float(literal)))


@pytest.mark.parametrize("value", [0, 1, -1, 2**53 - 1, -(2**53 - 1), 10**15])
def test_parse__reads_integers_that_every_reader_holds(value: int) -> None:
    read = parse(str(value))
    assert type(read) is int
    assert read == value


@pytest.mark.parametrize("value", [2**53, -(2**53), 2**53 + 1, 2**63, 10**16, -(10**16), 10**17, 10**400])
def test_parse__refuses_integers_that_some_reader_would_round(value: int) -> None:
    for reason in both(f'{{"a":[{value}]}}'):
        assert reason.endswith("is outside ±(2^53 − 1)")


def test_parse__refuses_endless_integers_without_converting_them() -> None:
    assert refused("[" + "7" * 200_000 + "]") == "integer " + "7" * 24 + "… is outside ±(2^53 − 1)"
    assert refused("-" + "7" * 200_000) == "integer -" + "7" * 23 + "… is outside ±(2^53 − 1)"
    assert "bytes, more than" in refused("7" * 10**6)


@pytest.mark.parametrize("text", [
    "", " ", "\n", "[", "]", "{", "}", '"', "'a'", "[1,]", "[,1]", "[1 2]", '{"a"}', '{"a":}', '{"a":1,}', "{a:1}",
    "{1:2}", "[1]x", "[1] [2]", "[1]]", "[1]\x00", "\x00[1]", "\x00", "[1}", '{"a":1]', "nul", "True", "None",
    "undefined", "// c\n[1]", "[1]/**/", "\ufeff[1]", "[1]\ufeff", "\xa0[1]", "\u2028[1]", "\x0b[1]", "\x0c[1]",
    r'"\x41"', r'"\u12"', r'"\u12G4"', r'"\ud83d\u"', r'"\U00000041"', '"\\', '"\\"', r'"\'"',
])  # fmt: skip
def test_parse__refuses_what_is_not_json(text: str) -> None:
    for reason in both(text):
        assert reason.startswith("not valid JSON: ")


@pytest.mark.parametrize("code", range(32))
def test_parse__refuses_raw_control_characters_in_strings(code: int) -> None:
    for reason in both(f'["a{chr(code)}b"]'):
        assert reason.startswith("not valid JSON: Invalid control character")
    assert parse(f'["a\\u{code:04x}b"]') == [f"a{chr(code)}b"]


@pytest.mark.parametrize(
    "source",
    [
        b'"\xff"',
        b'"\xc0\xaf"',  # overlong
        b'"\xed\xa0\x80"',  # a surrogate
        b'"\xf4\x90\x80\x80"',  # beyond the last code point
        b'"\xe2\x82"',
        b'"\x80"',
        b"\xff\xfe[\x00]\x00",
        "[1]".encode("utf-16"),
        "[1]".encode("utf-32"),
        '"\ud800"',
        '["\ude00\ud83d"]',
        "\udcff",
    ],
)
def test_parse__refuses_what_is_not_utf8(source: str | bytes) -> None:
    assert refused(source).startswith("not valid UTF-8: ")


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be", "utf-8-sig", "utf-16"])
def test_parse__refuses_other_encodings_of_json(encoding: str) -> None:
    refused('["é"]'.encode(encoding))


def test_parse__measures_256_kib_in_bytes() -> None:
    for padding, size in ((" ", 1), ("\n", 1)):
        text = "[" + padding * (MAX_BYTES - 2) + "]"
        assert len(text.encode()) == MAX_BYTES == 262_144
        assert parse(text) == parse(text.encode()) == []
        assert both(text + padding * size) == (f"{MAX_BYTES + 1} bytes, more than the {MAX_BYTES} allowed",) * 2
    wide = '"' + "é" * (MAX_BYTES // 2 - 1) + '"'
    assert parse(wide) == parse(wide.encode()) == wide[1:-1]
    for reason in both('"' + "é" * (MAX_BYTES // 2) + '"'):
        assert "bytes, more than" in reason
    assert "bytes, more than" in refused(b"\xff" * (MAX_BYTES + 1))


def nested(opening: str, depth: int) -> str:
    closing = {"[": "]", '{"a":': "}", '[{"a":': "}]", '[ \n"[[",': "]"}[opening]
    return opening * depth + "0" + closing * depth


@pytest.mark.parametrize(("opening", "levels"), [("[", 1), ('{"a":', 1), ('[{"a":', 2), ('[ \n"[[",', 1)])
def test_parse__counts_the_depth_of_arrays_and_objects(opening: str, levels: int) -> None:
    assert MAX_NESTING == 66
    text = nested(opening, MAX_NESTING // levels)
    assert parse(text) == json.loads(text)
    for depth in (MAX_NESTING // levels + 1, 1024, 20_000):
        assert both(nested(opening, depth)) == ("nested deeper than 64 levels",) * 2


def nesting(text: str) -> int:
    """The deepest nesting of a text, bracket by bracket."""
    depth = deepest = 0
    inside = escaped = False
    for mark in text:
        if inside:
            inside, escaped = escaped or mark != '"', not escaped and mark == "\\"
        elif mark == '"':
            inside = True
        else:
            depth += (mark in "[{") - (mark in "]}")
            deepest = max(deepest, depth)
    return deepest


@given(st.lists(st.sampled_from(["[" * 30, "]" * 30, "{" * 9, "}" * 9, "[]", "{}", '"', '"[', '\\"', "é", "[" * 67])))
def test_parse__finds_the_depth_of_any_text(pieces: list[str]) -> None:
    text = "".join(pieces)
    deep = [reason == "nested deeper than 64 levels" for reason in both(text + ":")]
    assert deep == [nesting(text) > MAX_NESTING] * 2


@pytest.mark.parametrize("pairs", [1, 40, 500])
@pytest.mark.parametrize("filling", ["", '"["', '"\\"["', '"{}]"', "{}"])
def test_parse__many_brackets_side_by_side_are_no_depth(pairs: int, filling: str) -> None:
    text = "[" * (MAX_NESTING - 1) + ",".join([f"[{filling}]"] * pairs) + "]" * (MAX_NESTING - 1)
    if filling == "{}":
        assert both(text) == ("nested deeper than 64 levels",) * 2
    else:
        assert parse(text) == parse(text.encode()) == json.loads(text)


@pytest.mark.parametrize("text", ["[" * 10**5, '{"a":' * 10**4, '[{"' * 10**4, "[}" * 10**5, '["",[' * 10**4])
def test_parse__depth_is_found_before_malformed_text_is_parsed(text: str) -> None:
    refused(text)
    refused(text.encode())


@pytest.mark.parametrize("mark", ["[", "{", '[{\\"', "\\\\[", '\\"[', '[\\\\\\"'])
def test_parse__brackets_in_strings_are_no_depth(mark: str) -> None:
    text = '["' + mark * 5000 + '"]'
    assert parse(text) == json.loads(text)
    text = '{"' + mark * 5000 + '":1}'
    assert parse(text) == json.loads(text)


@pytest.mark.parametrize("prefix", ['["a",', '["\\\\",', '["\\"",', '["\\\\\\"[",', '["",'])
def test_parse__brackets_after_strings_are_depth(prefix: str) -> None:
    deep = "[" * MAX_NESTING + "]" * MAX_NESTING
    assert refused(prefix + deep + "]") == "nested deeper than 64 levels"
    assert parse(prefix + deep[1:-1] + "]")[-1] == json.loads(deep[1:-1])


@pytest.mark.parametrize(
    "text",
    ["]" * 5000 + "[" * 5000, "[]" * 5000 + "[" * 60, "[" + "]" * 5000 + "[" * 5000, '{"a":1' + "}[" * 5000, "[1}" * 9],
)
def test_parse__closing_brackets_buy_no_depth(text: str) -> None:
    refused(text)


@pytest.mark.parametrize(
    "pattern", ['"', "\\", '\\"', '"\\', '"a",', '["', '"[', "[]", "a", '\\\\"', "\\u0041", '"":', "é"]
)
@pytest.mark.parametrize("opening", ["", '"', '["', "[1,"])
def test_parse__finishes_on_the_longest_unclosed_text(pattern: str, opening: str) -> None:
    # A scan that went back over a string would need some 10^10 steps here.
    room = MAX_BYTES - len(opening)
    refused(opening + pattern * (room // len(pattern.encode())))


def test_parse__takes_subclasses_of_text_by_their_content() -> None:
    assert parse(hostile(str, "[1]")) == [1]
    assert parse(hostile(bytes, b"[1]")) == [1]
    assert parse(str.__new__(type("Word", (str,), {}), "[2]")) == [2]
    refused(hostile(str, "[1"))
    refused(hostile(bytes, b"\xff"))
    refused(hostile(bytes, b" " * (MAX_BYTES + 1)))
