"""Rulebook files as strict JSON values."""

import pytest

from tenantrank.errors import RulebookError
from tenantrank.tenants.reading import parse_json, parse_yaml, read


def test_parse_yaml__refuses_what_could_be_misread():
    assert parse_yaml("a: no\nb: 010") == {"a": "no", "b": "010"}
    for text in ("a: 1\na: 2", "a: &x 1\nb: *x", "a: !!timestamp x", "a: !!int ''", b"\xff"):
        with pytest.raises(RulebookError, match="not valid"):
            parse_yaml(text)


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


@pytest.mark.parametrize("path", ["a\0b", "a\0b.json", 5, None])
def test_read__refuses_what_is_no_path(path):
    with pytest.raises(RulebookError) as caught:
        read(path)
    assert "\n" not in str(caught.value)
