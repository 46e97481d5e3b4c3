"""The signature tables against the reference's, and the vocabulary of fields and tiers."""

from __future__ import annotations

import copy
import math
import pickle
from typing import Any

import numpy as np
import pytest

from tenantrank.errors import CatalogError
from tenantrank.policy import signature
from tenantrank.policy.signature import OPS, V1, V2, VERSIONS, Field, Fields, Version, is_subterm
from tests.reference import signature as reference


@pytest.mark.parametrize("version", VERSIONS)
def test_ops__are_the_references(version: Version) -> None:
    expected = reference.SIGNATURES[version]
    assert set(OPS[version]) == set(expected)
    for name, op in OPS[version].items():
        sort, kinds = expected[name]
        slots = tuple("String" if slot == "Text" else slot for slot in op.slots)
        assert (op.name, op.sort) == (name, sort)
        assert tuple(slot + "+" for slot in slots) == kinds if op.variadic else slots == kinds
        assert [is_subterm(slot) for slot in op.slots] == [kind.rstrip("+") in reference.TERM_SORTS for kind in kinds]


def test_constants__are_the_references() -> None:
    assert (signature.MAX_DEPTH, signature.MAX_NODES) == (reference.MAX_DEPTH, reference.MAX_NODES) == (64, 4096)
    assert signature.RELATIONS == reference.RELATIONS
    assert signature.ACTIONS == reference.ACTIONS
    assert signature.DEFAULT_TIER_ORDER == reference.TIER_ORDER
    assert VERSIONS == (reference.V1, reference.V2)


def test_builtin_fields__are_the_references() -> None:
    fields = Fields()
    for version, expected in ((V2, reference.BUILTINS), (V1, {**reference.BUILTINS, **reference.BUILTINS_V1})):
        found = {name: (field.sort, field.default) for name, field in fields.items() if version in field.versions}
        assert found == expected
        assert all(fields.sort_of(name, version) == sort for name, (sort, _) in expected.items())
    assert fields.sort_of("quality", V2) is None
    assert fields.sort_of("nope", V1) is None


def test_ops__cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        OPS[V2]["new"] = OPS[V2]["top"]  # type: ignore[index]
    with pytest.raises(AttributeError):
        OPS[V2]["top"].sort = "Scorer"  # type: ignore[misc]


def test_fields__is_a_mapping_with_the_built_in_fields_first() -> None:
    fields = Fields({"bench": {"sort": "Num", "default": 0.5}, "eu": {"sort": "Bool"}}, ["low", "high"])
    assert list(fields)[-2:] == ["bench", "eu"]
    assert next(iter(fields)) == "price_in"
    assert len(fields) == len(Fields()) + 2
    assert fields["bench"] == Field("bench", "Num", 0.5)
    assert (fields["eu"].sort, fields["eu"].default) == ("Bool", False)
    assert fields.tier_order == ("low", "high")
    assert fields.sort_of("bench", V1) == fields.sort_of("bench", V2) == "Num"
    assert "nope" not in fields
    with pytest.raises(KeyError):
        fields["nope"]
    assert repr(fields) == f"Fields({len(fields)} fields, tiers low < high)"


def test_fields__defaults_are_of_the_declared_sort() -> None:
    fields = Fields(
        {"a": {"sort": "Num"}, "b": {"sort": "Num", "default": 2}, "c": {"sort": "Num", "default": math.inf}}
    )
    assert [(type(fields[name].default), fields[name].default) for name in "abc"] == [
        (float, 0.0),
        (float, 2.0),
        (float, math.inf),
    ]
    assert Fields({"t": {"sort": "Bool", "default": True}})["t"].default is True
    assert Fields({"n": {"sort": "Num", "default": np.float64(3)}})["n"].default == 3.0


def test_fields__keep_the_languages_default_of_a_built_in_field_and_take_its_description() -> None:
    told = Field("price_in", "Num", 7.0, "USD", "what it costs", "a list", 0.5)
    merged = Fields({"price_in": told})["price_in"]
    assert merged.default == math.inf
    assert (merged.unit, merged.description, merged.source, merged.coverage) == ("USD", "what it costs", "a list", 0.5)
    plain = Fields({"price_in": {"sort": "Num", "default": 7}})["price_in"]
    assert (plain.default, plain.unit) == (math.inf, "USD per 1M tokens")


def test_fields__a_field_of_the_old_version_can_be_declared_for_both() -> None:
    fields = Fields({"quality_hint": {"sort": "Num", "default": 0.25}})
    assert fields.sort_of("quality_hint", V2) == fields.sort_of("quality_hint", V1) == "Num"
    assert fields["quality_hint"].default == 0.25
    assert fields.sort_of("quality", V2) is None


@pytest.mark.parametrize(
    ("extension", "message"),
    [
        ([], "field declarations are a mapping"),
        ("bench", "field declarations are a mapping"),
        ({1: {"sort": "Num"}}, "a field's name is a string, got a int"),
        ({"x": None}, "field 'x': a declaration is a mapping"),
        ({"x": "Num"}, "field 'x': a declaration is a mapping"),
        ({"x": {}}, "field 'x': sort must be 'Num' or 'Bool'"),
        ({"x": {"sort": "num"}}, "sort must be"),
        ({"x": {"sort": ["Num"]}}, "sort must be"),
        ({"x": {"sort": "Num", "default": None}}, "with a default of that sort"),
        ({"x": {"sort": "Num", "default": True}}, "with a default of that sort"),
        ({"x": {"sort": "Num", "default": "1"}}, "with a default of that sort"),
        ({"x": {"sort": "Num", "default": math.nan}}, "with a default of that sort"),
        ({"x": {"sort": "Num", "default": 10**400}}, "with a default of that sort"),
        ({"x": {"sort": "Bool", "default": 0}}, "with a default of that sort"),
        ({"x": Field("x", "Num", math.nan)}, "with a default of that sort"),
        ({"x": Field("x", "Text", 0.0)}, "sort must be"),  # type: ignore[arg-type]
        ({"x": Field("y", "Num", 0.0)}, "field 'x': declared under another name, 'y'"),
        ({"price_in": {"sort": "Bool"}}, "field 'price_in' is built in as Num and cannot be declared as Bool"),
        ({"no_log": Field("no_log", "Num", 0.0)}, "field 'no_log' is built in as Bool"),
        ({"quality": {"sort": "Bool"}}, "field 'quality' is built in as Num"),
    ],
)
def test_fields__refuse_declarations_without_a_usable_sort_or_default(extension: Any, message: str) -> None:
    with pytest.raises(CatalogError) as caught:
        Fields(extension)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_fields__show_no_more_of_a_name_than_fits_a_line() -> None:
    long = "x" * 10**6
    with pytest.raises(CatalogError, match=r"^field 'x{59}…': a declaration"):
        Fields({long: 1})  # type: ignore[dict-item]
    with pytest.raises(CatalogError, match=r"^tier_order names a tier twice: 'x{59}…'$"):
        Fields({}, [long, "a", long])


@pytest.mark.parametrize("order", [None, 1, "abc", [1], [["a"]], ["a", None], ["a", "b", "a"], {"a": 1}])
def test_fields__refuse_a_tier_order_that_is_no_list_of_distinct_names(order: Any) -> None:
    with pytest.raises(CatalogError, match="tier_order"):
        Fields({}, order)


def test_fields__survive_pickling_and_copying() -> None:
    fields = Fields({"bench": {"sort": "Num"}}, ("x", "y"))
    for again in (pickle.loads(pickle.dumps(fields)), copy.copy(fields), copy.deepcopy(fields)):
        assert dict(again) == dict(fields)
        assert again.tier_order == fields.tier_order
        assert again.memory is not fields.memory
        assert again.vocabularies == {}


def test_fields__keep_their_kind_when_copied() -> None:
    class Own(Fields):
        __slots__ = ()

    own = Own({"bench": {"sort": "Num"}})
    assert type(copy.copy(own)) is Own
    assert dict(copy.deepcopy(own)) == dict(own)


def test_admits__whatever_was_admitted_by_fields_that_are_all_there() -> None:
    fields = Fields({"bench": {"sort": "Num"}, "eu": {"sort": "Bool"}}, ["low", "high"])
    assert fields.admits(fields)
    assert fields.admits(Fields({"eu": {"sort": "Bool", "default": True}}, ["high"]))  # a default admits nothing
    assert fields.admits(Fields({"eu": {"sort": "Bool"}, "bench": {"sort": "Num"}}, ["high", "low"]))
    assert not fields.admits(Fields({"us": {"sort": "Bool"}}, ["low"]))
    assert not fields.admits(Fields({"eu": {"sort": "Num"}}, ["low"]))
    assert not fields.admits(Fields({}, ["low", "middle"]))
    assert not fields.admits(Fields({"quality_hint": {"sort": "Num"}}, ["low"]))  # of one version, and here of both
    of_both = Fields({"quality_hint": {"sort": "Num"}}, ["low"])
    assert of_both.admits(of_both)
    assert fields.admits(pickle.loads(pickle.dumps(fields)))


def test_admits__knows_nothing_of_fields_of_another_class() -> None:
    class Own(Fields):
        __slots__ = ()

        def sort_of(self, name: str, version: Version) -> Any:
            return "Num"

    assert not Fields().admits(Own())
    assert not Own().admits(Fields())
    own = Own()
    assert own.admits(own)
