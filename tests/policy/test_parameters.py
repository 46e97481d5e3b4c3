"""Plain arguments: what is written and copied, against `encode_parameter`, and what is refused, against the checks."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenantrank.errors import PolicyError
from tenantrank.policy.admission import check
from tenantrank.policy.encoding import encode_number, encode_parameter, encode_text
from tenantrank.policy.parameters import READERS, RELATION, number, text
from tenantrank.policy.signature import RELATIONS, V2, Fields
from tests.policy.values import FOREIGN_VALUES, JSON_VALUES

_TERMS: dict[str, Any] = {
    "Num": lambda value: ["lit", value],
    "Count": lambda value: ["top_k", value, ["argmax"]],
    "Text": lambda value: ["custom", value],
    "Scalar": lambda value: ["set_param", "x", value],
    "Chain": lambda value: ["chain", value],
    "Recipe": lambda value: ["filter_text", value],
    "Action": lambda value: ["always", value],
}

_VALUES: list[Any] = [
    *JSON_VALUES,
    *FOREIGN_VALUES,
    {"action": "abort", "then_action": "abort", "b": -0.0, "attempts": 2, "é": 1.5, "backoff_ms": [1, -0.0, 2.5]},
    {"action": "abort", "backoff_ms": 3},
    {"action": "abort", "backoff_ms": True},
    {"then_action": "abort"},
    [{"z": 1, "a": -0.0}, "NFKC", {}, {"é": 2.0**53}],
    [{"model_family": "m", "provider_id": "p", "provider": "q", "model": "é\n"}],
    [{"provider": "p", "model": "m"}, {}],
    2**53,
    2.0**53 + 2,
    0.1,
    "\x7f",
    'a"b\\c\n\t\r\b',
]


@pytest.mark.parametrize("sort", READERS)
def test_readers__take_what_the_check_lets_through_and_write_it_as_encoding_does(sort: str) -> None:
    taken = 0
    for value in _VALUES:
        try:
            check(_TERMS[sort](value), Fields(), V2)
        except PolicyError:
            with pytest.raises((LookupError, ValueError)):
                READERS[sort](value)
            continue
        encoding, copied = READERS[sort](value)
        assert encoding == encode_parameter(value) == encode_parameter(copied)
        assert copied == value
        assert copied is not value or type(value) in (str, bool, float)
        assert "-0.0" not in json.dumps(copied)
        taken += 1
    assert taken > 2


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), lambda inner: (
    st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["action", "then_action", "backoff_ms", "provider", "model", "x", "é"]), inner)
    | st.fixed_dictionaries({"action": st.sampled_from(["abort", "retry_same"]), "backoff_ms": inner})
), max_leaves=6))  # fmt: skip
def test_readers__answer_as_the_check_on_any_value(value: Any) -> None:
    for sort, reader in READERS.items():
        try:
            check(_TERMS[sort](value), Fields(), V2)
        except PolicyError:
            with pytest.raises((LookupError, ValueError)):
                reader(value)
        else:
            assert reader(value)[0] == encode_parameter(value)


def test_readers__copy_all_that_can_be_changed() -> None:
    value: Any = {"action": "abort", "backoff_ms": [1]}
    _, copied = READERS["Action"](value)
    value["backoff_ms"].append(2)
    value["x"] = 1
    assert copied == {"action": "abort", "backoff_ms": [1.0]}
    for sort, entry in (("Chain", {"provider": "p", "model": "m"}), ("Recipe", {"noise": 1})):
        listed: Any = [entry]
        _, copied = READERS[sort](listed)
        entry.clear()
        assert copied[0]


def test_readers__put_records_in_order() -> None:
    _, copied = READERS["Action"]({"b": 1, "action": "abort", "a": 2})
    assert list(copied) == ["a", "action", "b"]


@given(st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**53), 2**53))
def test_number__is_written_alike_each_time(value: float) -> None:
    assert number(value) == number(value) == encode_number(value)


@given(st.text(st.characters(codec="utf-8")))
def test_text__is_quoted_as_encoding_does(value: str) -> None:
    assert text(value) == encode_text(value)


def test_relation__has_every_relation_quoted() -> None:
    assert {name: f'"{name}"' for name in RELATIONS} == RELATION
