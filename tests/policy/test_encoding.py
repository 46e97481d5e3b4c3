"""Canonical encoding, fingerprint and identity, against the reference and the published forms."""

from __future__ import annotations

import hashlib
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenantrank.policy.encoding import encode_number, encode_parameter, encode_text, fingerprint, identity
from tests.reference import language

_FINITE = st.floats(allow_nan=False, allow_infinity=False)
_TEXT = st.text(st.characters(codec="utf-8"), max_size=8)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0, "0"),
        (-0.0, "0"),
        (1, "1"),
        (1.0, "1"),
        (-3.0, "-3"),
        (1e15, "1000000000000000"),
        (2**53, "9007199254740992"),
        (-(2.0**53), "-9007199254740992"),
        (2.0**53 + 2, "9007199254740994"),
        (2.0**54, "18014398509481984"),
        (1e17, "1e+17"),
        (1e100, "1e+100"),
        (-1e-5, "-1.0000000000000001e-05"),
        (0.1, "0.10000000000000001"),
        (0.5, "0.5"),
        (123.456, "123.456"),
        (5e-324, "4.9406564584124654e-324"),
        (1.7976931348623157e308, "1.7976931348623157e+308"),
        (0.0001, "0.0001"),
    ],
)
def test_encode_number__writes_the_published_form(value: float, expected: str) -> None:
    assert encode_number(value) == expected


@given(_FINITE | st.integers(-(2**53), 2**53))
def test_encode_number__is_exact_and_the_references(value: float) -> None:
    text = encode_number(value)
    assert float(text) == value
    assert text == language.encode_number(value) == encode_number(float(value))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("", '""'),
        ("plain", '"plain"'),
        ('a"b\\c', '"a\\"b\\\\c"'),
        ("\n\r\t", '"\\n\\r\\t"'),
        ("\\n", '"\\\\n"'),
        ("\x00\x1f\x7f", '"\x00\x1f\x7f"'),
        ("é/日本😀\u2028", '"é/日本😀\u2028"'),
        ("\b\f\v", '"\b\f\v"'),
        ('\x01"', '"\x01\\""'),
    ],
)
def test_encode_text__escapes_five_characters(value: str, expected: str) -> None:
    assert encode_text(value) == expected == language.encode_string(value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (True, "true"),
        (False, "false"),
        (1, "1"),
        ("true", '"true"'),
        ([], "[]"),
        ({}, "[]"),
        ([1, "a", {}], '[1,"a",[]]'),
        ({"b": 1, "a": [2.5, []]}, '{"a":[2.5,[]],"b":1}'),
        ({"😀": 1, "\uffff": 2, "Z": 3, "é": 4, "a": 5}, '{"Z":3,"a":5,"é":4,"\uffff":2,"😀":1}'),
    ],
)
def test_encode_parameter__writes_values_with_keys_by_bytes(value: Any, expected: str) -> None:
    assert encode_parameter(value) == expected == language.encode_value(value)


_VALUES = st.recursive(
    st.booleans() | _FINITE | st.integers(-(2**53), 2**53) | _TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_TEXT, inner, max_size=4),
    max_leaves=12,
)


@given(_VALUES)
def test_encode_parameter__equals_the_reference(value: Any) -> None:
    assert encode_parameter(value) == language.encode_value(value)


@given(_TEXT, _TEXT)
def test_encode_text__no_two_strings_share_an_encoding(one: str, other: str) -> None:
    assert (encode_text(one) == encode_text(other)) == (one == other)
    assert encode_text(one).count('"') - encode_text(one).count('\\"') <= 2


def test_fingerprint__is_the_published_one() -> None:
    assert fingerprint("") == "5381-52711"
    assert fingerprint("a") == f"{5381 * 31 + 97}-{52711 * 37 + 97}"
    assert fingerprint('sigma-pol/v2:(cmp "price_in" "le" 5)') == "921304031-1509639523"


@given(_TEXT)
def test_digests__equal_the_references(text: str) -> None:
    assert fingerprint(text) == language.fingerprint(text)
    assert identity(text) == language.identity(text)


@pytest.mark.parametrize("length", [0, 1, 2, 3, 7, 8, 9, 63, 64, 65, 255, 4095, 4096, 4097, 8192, 8193, 20_000])
def test_fingerprint__equals_the_references_at_any_length(length: int) -> None:
    rng = Random(length)
    for text in ("\x7f" * length, "\0" * length, "".join(rng.choices("a~\x00(é\U0010ffff", k=length))):
        assert fingerprint(text) == language.fingerprint(text)


def test_identity__is_sha256_of_the_utf8_bytes() -> None:
    assert identity("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert identity("é") == hashlib.sha256(b"\xc3\xa9").hexdigest()


@pytest.mark.parametrize("form", ["{}", '(family_eq "{}")', '(or (is "no_log") (provider_eq "{}"))'])
def test_identity__tells_apart_what_a_fingerprint_cannot(form: str) -> None:
    # Found by reducing the lattice of differences that change neither sum.
    one, other = form.format("qninmkkskkoktl"), form.format("imqlnoohpokpfn")
    assert fingerprint(one) == fingerprint(other)
    assert identity(one) != identity(other)
