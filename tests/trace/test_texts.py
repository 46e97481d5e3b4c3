"""Texts made fast are those of the standard library's encoder, whatever they are made of."""

from __future__ import annotations

import json
import math
import threading
from collections import OrderedDict
from enum import Enum, IntEnum
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as some

from tenantrank.trace import texts
from tenantrank.trace.chain import VERSION
from tenantrank.trace.texts import Fixed, FixedList, once, text_around, text_of


def defined(value: Any) -> str:
    """Write a value as the documents say, by the standard library alone."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":"))


class Name(str):
    __slots__ = ()


class Count(IntEnum):
    ONE = 1


_TEXT = some.text(some.characters(exclude_categories=["Cs"]), max_size=6) | some.sampled_from(
    ["%s", "%%", "%(a)s", "\0", '"', "\\", "seq", "time", "v", "sex", "seqs", "tim", "u", "w", "é", "\U0001f600"]
)
_NUMBERS = some.floats(allow_nan=False, allow_infinity=False) | some.sampled_from(
    [0.0, -0.0, 1.0, 1e16, 1e-05, 1e22, 5e-324, 0.1, 0.30000000000000004]
)
_SCALARS = some.none() | some.booleans() | some.integers() | some.sampled_from([0, 1, 10**30, Count.ONE]) | _NUMBERS
_VALUES = some.recursive(
    _SCALARS | _TEXT | _TEXT.map(Name),
    lambda inner: (
        some.lists(inner)
        | some.lists(some.lists(inner, min_size=2, max_size=2), max_size=3)
        | some.lists(some.tuples(_TEXT, _NUMBERS), max_size=3)
        | some.tuples(inner, inner)
        | some.dictionaries(_TEXT, inner)
        | some.dictionaries(_TEXT, inner).map(OrderedDict)
        | some.dictionaries(_TEXT, inner).map(Fixed)
        | some.lists(inner).map(FixedList)
    ),
    max_leaves=25,
)


@settings(max_examples=300)
@given(_VALUES)
@example([0.0, -0.0, 0, False, 0.0])
@example([[1, 1.0], [True, 1.0], [1.0, True]])
@example({"b": 1, "a": {"%s": "%d", "%": None}})
@example([["a", 1.0], "bc"])
@example([["a", 1.0], {"a": 1, "b": 2}])
def test_texts_are_those_of_the_standard_library(value: object) -> None:
    assert text_of(value) == text_of(value) == defined(value)


@settings(max_examples=200)
@given(some.dictionaries(_TEXT.filter(lambda name: name not in ("seq", "time", "v")), _VALUES, max_size=8))
@example({})
@example({"seqs": "\0", "sep": 1, "timd": 2, "timf": 3, "u": 4, "w": 5, "%s": "%s"})
def test_a_record_s_text_goes_around_its_number_and_its_time(record: dict[str, Any]) -> None:
    before, between, after = text_around(record)
    whole = defined({**record, "seq": 71, "time": "now", "v": VERSION})
    assert (before + b"71" + between + b"now" + after).decode() == whole


def test_equal_numbers_of_other_types_and_signs_are_told_apart() -> None:
    for _ in range(2):
        assert [text_of(value) for value in (1.0, 1, True, 0.0, -0.0, 0, False, -1.0)] == [
            *("1.0", "1", "true", "0.0", "-0.0", "0", "false", "-1.0")
        ]


def test_objects_with_the_same_names_in_another_order_are_written_alike() -> None:
    assert text_of({"a": 1, "b": 2}) == text_of({"b": 2, "a": 1}) == '{"a":1,"b":2}'


def test_names_that_are_no_texts_are_written_as_the_standard_library_writes_them() -> None:
    value = {"a": {1: 2, 0: 3}, "b": {True: None}, "c": {1.5: 1}, "d": {None: 1}}
    assert text_of(value) == defined(value)
    with pytest.raises(TypeError):
        text_of({"a": {1: 1, "1": 2}})
    with pytest.raises(TypeError):
        text_around({1: 1})  # type: ignore[dict-item]


def test_many_names_and_many_objects_are_written_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(texts, "_SHAPES", 3)
    long = {f"name-{number % 97}": number for number in range(200)}
    assert text_of(long) == defined(long)
    assert b"".join(text_around(long)).decode() == defined({**long, "seq": 0, "time": "", "v": VERSION}).replace(
        '"seq":0', '"seq":'
    )
    for number in range(20):
        value = {f"a{number}": number, "b": {f"c{number}": [number]}}
        assert text_of(value) == defined(value)
        assert b"".join(text_around(value)).startswith(b'{"a%d":%d,' % (number, number))
    assert len(texts._OBJECTS) <= 3
    assert len(texts._RECORDS) <= 3


def test_numbers_remembered_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(texts, "_NUMBERS", 10)
    numbers = texts._Numbers()
    assert [numbers[at / 7] for at in range(100)] == [repr(at / 7) for at in range(100)]
    assert len(numbers) <= 10


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, b"x", {1}, object(), Enum("E", "a").a])  # type: ignore[attr-defined]
@pytest.mark.parametrize("within", [lambda v: v, lambda v: [v], lambda v: [["a", v]], lambda v: {"a": {"b": v}}])
def test_what_json_lacks_is_refused(value: object, within: Any) -> None:
    for _ in range(2):
        with pytest.raises((TypeError, ValueError)):
            text_of(within(value))
        with pytest.raises((TypeError, ValueError)):
            text_around({"a": within(value)})


def test_what_utf_8_lacks_is_refused() -> None:
    with pytest.raises(ValueError, match="surrogates"):
        text_around({"a": "\ud800"})
    with pytest.raises(ValueError, match="surrogates"):
        text_around({"\ud800": "a"})


def test_what_refers_to_itself_is_refused_and_what_is_deep_is_not() -> None:
    endless: list[Any] = []
    endless.append(endless)
    for write in (text_of, lambda value: text_around({"a": value})):
        with pytest.raises(RecursionError):
            write(endless)
    deep: Any = 1
    for _ in range(600):
        deep = [deep, 2]
    assert text_of(deep) == "[" * 600 + "1" + ",2]" * 600
    assert text_of(deep).encode() in text_around({"a": deep})[0]


def test_fixed_parts_read_as_what_they_are_and_are_written_once(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = {"policy": {"b": 1, "a": [1.5]}, "rules": ["x", {"y": None}]}
    shared = {"policy": Fixed(plain["policy"]), "rules": FixedList(plain["rules"])}
    assert shared == plain
    assert text_of(shared) == text_of([shared])[1:-1] == defined(plain)
    monkeypatch.setattr(texts, "encode", lambda value: pytest.fail("written again"))
    assert text_of(shared) == defined(plain)
    with pytest.raises(AttributeError):
        shared["policy"].other  # noqa: B018  # type: ignore[attr-defined]


def test_what_is_worked_out_of_a_fixed_part_is_worked_out_once_by_each_who_does_so() -> None:
    asked: list[object] = []

    def first(part: Any) -> Any:
        asked.append(part)
        return part[0]

    part = FixedList([3, 4])
    assert [once(part, first), once(part, first), once(part, len)] == [3, 3, 2]
    assert [once([5], first), once([5], first)] == [5, 5]
    assert asked == [[3, 4], [5], [5]]


@pytest.mark.parametrize("missing", ["c_make_encoder", "c_encode_basestring"])
def test_where_there_is_no_compiled_encoder_the_other_is_used(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    monkeypatch.setattr(json.encoder, missing, None)
    assert texts.encoder() == texts.PLAIN.encode


def test_several_threads_write_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(texts, "_SHAPES", 2)
    values = [{f"n{number % 7}": number / 3, "a": [["x", number / 7]], "b": number} for number in range(300)]
    expected = [defined(value) for value in values]
    wrong: list[object] = []

    def write() -> None:
        for value, text in zip(values, expected, strict=True):
            if text_of(value) != text:
                wrong.append(value)

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
