"""YAML text as strict JSON values."""

from __future__ import annotations

import pytest

from tenantrank.policy.strict_yaml import loads


def test_loads__reads_the_scalars_that_all_versions_agree_on() -> None:
    text = """{a: no, b: on, c: 2026-01-01, d: 012, e: 1_000, f: 12:30,
    g: true, h: 7, i: 1e3, j: -.5, m: 0, n: 1., o: 0.50, k: ~, l: 'true', p: +7, q: -0}"""
    assert loads(text) == {
        "a": "no",
        "b": "on",
        "c": "2026-01-01",
        "d": "012",
        "e": "1_000",
        "f": "12:30",
        "g": True,
        "h": 7,
        "i": 1000.0,
        "j": -0.5,
        "m": 0,
        "n": 1.0,
        "o": 0.5,
        "k": None,
        "l": "true",
        "p": 7,
        "q": 0,
    }


def test_loads__takes_bytes_with_and_without_a_mark_and_an_empty_text() -> None:
    assert loads(b"\xef\xbb\xbfa: \xc3\xa9") == loads("a: é") == {"a": "é"}
    assert loads("") is None


def test_loads__takes_other_numbers_for_strings() -> None:
    assert loads("[.nan, .inf, 0x1f, 0o17]") == [".nan", ".inf", "0x1f", "0o17"]


def test_loads__takes_a_tag_of_what_the_text_spells() -> None:
    text = "[!!str 012, !!int 12, !!float 3, !!bool true, !!null '', !!seq [1], !!map {!!str a: 1}]"
    assert loads(text) == ["012", 12, 3.0, True, None, [1], {"a": 1}]
    assert type(loads("!!float 3")) is float


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("rules: []\nrules: [1]", "line 2, column 1: key 'rules' is given twice"),
        ("a: {b: 1, b: 2}", "key 'b' is given twice"),
        (f"{'k' * 900}: 1\n{'k' * 900}: 2", "kkk… is given twice"),
        ("a: &x [1]\nb: *x", "line 2, column 4: aliases are not allowed"),
        ("[a]: 1", "a key must be a string"),
        ("1: a", "line 1, column 1: a key must be a string"),
        ("~: a", "a key must be a string"),
        ("!!merge <<: {a: 1}", "a key must be a string"),
        ("!!value =: 1", "a key must be a string"),
        ("a: !!python/object:os.system {}", "the tag '!!python/object:os.system' is none of those of JSON's types"),
        ("a: [1", "expected ',' or ']'"),
        ("a: \x00", "special characters are not allowed"),
        ("a: .nan\n---\nb: 1", "but found another document"),
        (r'a: "\ud800"', "lone surrogate"),
        ("a: 9007199254740993", "line 1, column 4: integer 9007199254740993 is outside"),
        pytest.param("a: " + "9" * 5000, "is outside", id="digits"),
        ("a: 1e999", "not a JSON number"),
        pytest.param("[" * 5000, "nested too deeply", id="deep"),
    ],
)
def test_loads__refuses_what_could_be_misread(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=r"^not valid YAML") as caught:
        loads(text)
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 250


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("!!timestamp 'x'", "the tag '!!timestamp' is none of those of JSON's types"),
        ("!!timestamp 2026-01-01", "the tag '!!timestamp' is none"),
        ("!!binary aGk=", "the tag '!!binary' is none"),
        ("!!binary 'ÿ'", "the tag '!!binary' is none"),
        ("!!omap [a: 1]", "the tag '!!omap' is none"),
        ("!!set {a}", "the tag '!!set' is none"),
        ("!own 3", "the tag '!own' is none"),
        ("!!int ''", "'' is no int, as its tag says"),
        ("!!int 0x1f", "'0x1f' is no int"),
        ("!!int {}", "the value is no int"),
        ("!!bool ''", "'' is no bool"),
        ("!!bool no", "'no' is no bool"),
        ("!!float ''", "'' is no float"),
        ("!!float .nan", "'.nan' is no float"),
        ("!!null x", "'x' is no null"),
        ("!!str [1]", "the value is no str"),
        ("!!str {=: x}", "the value is no str"),
        ("!!map [x]", "the value is no map"),
        ("!!seq {}", "expected a sequence"),
        ("! '3'", "the tag '!' is read in more than one way"),
    ],
)
def test_loads__refuses_a_tag_that_the_value_does_not_bear_out(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=r"^not valid YAML at line 1, column 4: ") as caught:
        loads(f"a: {text}")
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


def test_loads__refuses_what_is_not_utf_8() -> None:
    with pytest.raises(ValueError, match="not valid UTF-8"):
        loads(b"\xff")
