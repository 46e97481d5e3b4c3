"""Rulebook files as strict JSON values."""

import pytest

from tenantrank.errors import RulebookError
from tenantrank.tenants.reading import parse_json, parse_yaml, read


def test_parse_yaml__reads_the_scalars_that_all_versions_agree_on():
    text = """{a: no, b: on, c: 2026-01-01, d: 012, e: 1_000, f: 12:30,
    g: true, h: 7, i: 1e3, j: -.5, m: 0, n: 1., o: 0.50, k: ~, l: 'true'}"""
    assert parse_yaml(text) == {
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
    }


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("rules: []\nrules: [1]", "line 2, column 1: key 'rules' is given twice"),
        ("a: {b: 1, b: 2}", "key 'b' is given twice"),
        ("a: &x [1]\nb: *x", "line 2, column 4: aliases are not allowed"),
        ("[a]: 1", "a key must be a string"),
        ("a: !!python/object:os.system {}", "could not determine a constructor"),
        ("a: [1", "expected ',' or ']'"),
        ("a: \x00", "special characters are not allowed"),
        ("a: .nan\n---\nb: 1", "but found another document"),
    ],
)
def test_parse_yaml__refuses_what_could_be_misread(text, reason):
    with pytest.raises(RulebookError, match="not valid YAML") as caught:
        parse_yaml(text)
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


def test_parse_yaml__takes_other_numbers_for_strings():
    assert parse_yaml("[.nan, .inf, 0x1f, 0o17]") == [".nan", ".inf", "0x1f", "0o17"]


@pytest.mark.parametrize(
    "text", ['{"a": 1, "a": 2}', '{"a": NaN}', '{"a": -Infinity}', "{", '{"a": 1} x', '{"a": 1e999}', r'["\ud800"]']
)
def test_parse_json__refuses_what_could_be_misread(text):
    with pytest.raises(RulebookError):
        parse_json(text)


def test_read__takes_json_by_suffix_and_yaml_otherwise(tmp_path):
    (tmp_path / "r.json").write_text('{"a": [1, "x"]}')
    (tmp_path / "r.yaml").write_text("a: [1, x]")
    assert read(tmp_path / "r.json") == read(tmp_path / "r.yaml") == {"a": [1, "x"]}


def test_read__names_the_file_in_every_error(tmp_path):
    twice, binary, deep = tmp_path / "twice.yaml", tmp_path / "binary.yaml", tmp_path / "deep.yaml"
    twice.write_text("a: 1\na: 2")
    binary.write_bytes(b"\xff\xfe\xfa")
    deep.write_text("[" * 5000)
    for file in (twice, binary, deep, tmp_path / "missing.yaml"):
        with pytest.raises(RulebookError) as caught:
            read(file)
        assert str(caught.value).startswith(f"{file}: ")


def test_read__refuses_a_file_beyond_the_limit(tmp_path, monkeypatch):
    monkeypatch.setattr("tenantrank.tenants.reading.MAX_BYTES", 10)
    (tmp_path / "r.yaml").write_text("a: 1234567890")
    with pytest.raises(RulebookError, match="larger than the 10 bytes"):
        read(tmp_path / "r.yaml")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (r'a: "\ud800"', "lone surrogate"),
        ("a: 9007199254740993", "outside"),
        ("a: 1e999", "not a JSON number"),
        ("a: !!float .nan", "not a JSON number"),
        ("a: !!binary aGk=", "no JSON value"),
        pytest.param("[" * 5000, "nested too deeply", id="deep"),
    ],
)
def test_parse_yaml__refuses_what_strict_json_refuses(text, reason):
    with pytest.raises(RulebookError, match="not valid YAML") as caught:
        parse_yaml(text)
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("path", ["a\0b", "a\0b.json", 5, None])
def test_read__refuses_what_is_no_path(path):
    with pytest.raises(RulebookError) as caught:
        read(path)
    assert "\n" not in str(caught.value)
