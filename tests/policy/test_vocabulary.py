"""Declared names as admission looks them up, and the atoms that are kept."""

from __future__ import annotations

from typing import Any

import pytest

from tenantrank.policy.normal_form import normalize
from tenantrank.policy.signature import V1, V2, VERSIONS, Fields, Sort, Version
from tenantrank.policy.vocabulary import Kept, Vocabulary, vocabulary_of

FIELDS = Fields({"bench": {"sort": "Num"}, "eu": {"sort": "Bool"}, 'q"': {"sort": "Num"}}, ["low", "é"])


def known(table: Any, name: str) -> bool:
    try:
        table[name]
    except KeyError:
        return False
    return True


@pytest.mark.parametrize("version", VERSIONS)
def test_vocabulary__has_the_names_that_are_declared_in_its_version(version: Version) -> None:
    words = Vocabulary(FIELDS, version)
    for _ in range(2):
        for name in (*FIELDS, "nope", "low", ""):
            sort = FIELDS.sort_of(name, version)
            assert known(words.flags, name) == (sort == "Bool")
            assert known(words.columns, name) == known(words.numbers, name) == (sort == "Num")
            assert known(words.tiers, name) == (name in FIELDS.tier_order)
    assert known(words.columns, "quality") == (version == V1)


def test_vocabulary__gives_nodes_and_quoted_names() -> None:
    words = Vocabulary(FIELDS, V2)
    assert words.flags["eu"] == normalize(["is", "eu"], V2)
    assert words.columns["bench"] == normalize(["field", "bench"], V2)
    assert words.columns["bench"] is words.columns["bench"]
    assert words.numbers['q"'] == '"q\\""'
    assert words.tiers["é"] == '"é"'


def test_vocabulary__without_fields_takes_any_name_and_keeps_none() -> None:
    words = Vocabulary(None, V2)
    for table in (words.flags, words.columns, words.numbers, words.tiers):
        assert known(table, "anything")
        assert not table


def test_vocabulary__a_name_that_utf8_cannot_hold_is_none() -> None:
    words = Vocabulary(Fields({"\ud800": {"sort": "Num"}}, ["\ud800"]), V2)
    for table in (words.columns, words.numbers, words.tiers):
        with pytest.raises(ValueError):
            table["\ud800"]


def test_vocabulary_of__is_one_object_for_fields_and_version() -> None:
    fields = Fields()
    assert vocabulary_of(fields, V1) is vocabulary_of(fields, V1)
    assert vocabulary_of(fields, V1) is not vocabulary_of(fields, V2)
    assert vocabulary_of(fields, V2) is not vocabulary_of(Fields(), V2)


def test_vocabulary_of__asks_fields_of_another_class_anew() -> None:
    class Growing(Fields):
        __slots__ = ("names",)

        def sort_of(self, name: str, version: Version) -> Sort | None:
            return "Num" if name in self.names else None

    fields = Growing()
    fields.names = set()
    assert not known(vocabulary_of(fields, V2).columns, "x")
    fields.names.add("x")
    assert known(vocabulary_of(fields, V2).columns, "x")
    fields.names.clear()
    assert not known(vocabulary_of(fields, V2).columns, "x")


def test_kept__starts_anew_when_full() -> None:
    kept: Kept[int] = Kept()
    node = normalize(["top"], V2)
    for key in range(5000):
        kept.keep(key, node)
        assert kept.get(key) is node
        assert len(kept) <= 1024
