"""The vocabulary of a catalog: what is in it, with which defaults, coverage and values."""

import copy
import gc
import math
import pickle
import weakref
from dataclasses import FrozenInstanceError, replace

import numpy as np
import pyarrow as pa
import pytest

from tenantrank.catalog import Catalog
from tenantrank.catalog.derive import _Membership
from tenantrank.errors import CatalogError
from tenantrank.policy.signature import BUILTIN_FIELDS, V1, V2, Field

LISTING = _Membership.listing

RECORDS = [
    {"id": "a", "provider_id": "p", "model_family": "m", "price_in": 1, "bench_x": 0.5, "price_own": 2, "vip": True},
    {"id": "b", "provider_id": "p", "model_family": "m", "price_in": -0.0, "capabilities": {"off": True}, "note": "n"},
    {"id": "c", "provider_id": "p", "model_family": "m", "retention_days": 0, "region_eu": True, "geo": ["us"]},
]


def test_fields__hold_the_languages_own_every_column_and_the_derived_facts():
    fields = Catalog.from_records(RECORDS).fields
    assert {field.name for field in BUILTIN_FIELDS} <= set(fields)
    assert {"bench_x", "vip", "retention_days", "supports_tools", "region_only_eu", "priced", "age_days"} <= set(fields)
    assert not {"note", "lab", "zdr", "geo", "deprecation_date", "capability:off", "offer_id"} & set(fields)


def test_fields__default_to_nothing_except_where_less_is_better():
    fields = Catalog.from_records(RECORDS).fields
    assert (fields["bench_x"].sort, fields["bench_x"].default) == ("Num", 0.0)
    assert (fields["vip"].sort, fields["vip"].default) == ("Bool", False)
    assert fields["price_own"].default == math.inf
    assert fields["retention_days"].default == math.inf
    assert fields["success_rate"].default == 1.0


def test_fields__tell_coverage_unit_description_and_source():
    fields = Catalog.from_records(RECORDS).fields
    assert fields["price_in"].coverage == pytest.approx(2 / 3)
    assert fields["latency_ms"].coverage == 0
    assert fields["priced"].coverage == 1
    assert fields["region_us"].coverage == pytest.approx(1 / 3)
    assert fields["breaker_open"].coverage is None
    assert fields["price_in"].unit == "USD per 1M tokens"
    assert fields["price_in"].source == "offer"
    assert fields["region_us"].source == "derived from geo and regions"
    assert fields["region_eu"].source == "offer"
    assert all(field.description for name, field in fields.items() if name not in ("bench_x", "price_own", "vip"))
    assert Catalog.from_records([]).fields["price_in"].coverage is None


def test_fields__keep_the_old_versions_own_fields_out_of_the_new_one():
    fields = Catalog.from_records([RECORDS[0] | {"quality_hint": 0.7}]).fields
    assert fields.sort_of("quality_hint", V1) == "Num"
    assert fields.sort_of("quality_hint", V2) is None
    declared = Catalog.from_records(RECORDS[:1], {"quality_hint": {"sort": "Num", "default": 0.0}}).fields
    assert declared.sort_of("quality_hint", V2) == "Num"


def test_values__are_given_as_they_are_without_defaults():
    catalog = Catalog.from_records(RECORDS)
    np.testing.assert_array_equal(catalog.numbers("price_in"), [1, 0, np.nan])
    assert not np.signbit(catalog.numbers("price_in")[1])
    np.testing.assert_array_equal(catalog.numbers("retention_days"), [np.nan, np.nan, 0])
    assert catalog.flags("vip").tolist() == [1, -1, -1]
    assert catalog.numbers("price_in").dtype == np.float64
    assert catalog.flags("vip").dtype == np.int8


def test_values__are_made_once_and_read_only():
    catalog = Catalog.from_records(RECORDS)
    for values in (
        catalog.numbers("price_in"),
        catalog.numbers("credits"),
        catalog.flags("vip"),
        catalog.flags("priced"),
    ):
        with pytest.raises(ValueError, match="read-only"):
            values[0] = 1
    assert catalog.numbers("price_in") is catalog.numbers("price_in")
    assert catalog.flags("priced") is catalog.flags("priced")


def test_values__of_an_own_column_win_over_a_derived_fact():
    catalog = Catalog.from_records(RECORDS)
    assert catalog.flags("region_eu").tolist() == [-1, -1, 1]
    listed = Catalog.from_records([RECORDS[0] | {"price_in": 0, "price_out": 0, "price_zero_listed": False}])
    assert listed.flags("price_zero_listed").tolist() == [0]


def test_declared_field__without_a_column_is_unknown_everywhere():
    fields = {"own": {"sort": "Num", "default": 3, "unit": "USD"}, "gold": {"sort": "Bool", "default": True}}
    catalog = Catalog.from_records(RECORDS, fields)
    assert np.isnan(catalog.numbers("own")).all()
    assert catalog.flags("gold").tolist() == [-1, -1, -1]
    assert (catalog.fields["own"].default, catalog.fields["own"].coverage) == (3.0, 0.0)
    assert catalog.fields["gold"].default is True


def test_declared_field__gives_its_default_and_texts_to_a_column_or_fact():
    fields = {"bench_x": {"sort": "Num", "default": 9, "unit": "points"}, "priced": {"sort": "Bool", "default": True}}
    catalog = Catalog.from_records(RECORDS, fields)
    assert (catalog.fields["bench_x"].default, catalog.fields["bench_x"].unit) == (9.0, "points")
    assert catalog.fields["priced"].default is True
    assert catalog.flags("priced").tolist() == [0, 0, 0]


def test_declared_field__of_another_sort_replaces_a_derived_fact():
    catalog = Catalog.from_records(RECORDS, {"deprecated": {"sort": "Num", "default": 0.0}})
    assert np.isnan(catalog.numbers("deprecated")).all()
    with pytest.raises(CatalogError, match="'deprecated' is a Num field of this catalog, not a Bool field"):
        catalog.flags("deprecated")


def test_values__refuse_names_of_another_sort_or_of_nothing():
    catalog = Catalog.from_records(RECORDS)
    with pytest.raises(CatalogError, match="'vip' is a Bool field"):
        catalog.numbers("vip")
    with pytest.raises(CatalogError, match="'nope' is no field"):
        catalog.flags("nope")
    with pytest.raises(CatalogError, match="'note' is no field"):
        catalog.numbers("note")


def test_coverage__of_facts_is_counted_when_it_is_asked_for(monkeypatch):
    counted = []
    monkeypatch.setattr(_Membership, "listing", lambda *given: counted.append(given[1]) or LISTING(*given))
    field = Catalog.from_records(RECORDS).fields["region_us"]
    assert (field.name, counted) == ("region_us", [])
    assert [field.coverage, field.coverage] == [1 / 3, 1 / 3]
    assert counted == [["us"], ["us"]]  # by geo and by regions, once


def test_coverage__of_facts_keeps_no_catalog():
    """Fields live as long as the policies that were admitted against them, and catalogs come and go."""
    gc.collect()
    gc.disable()
    try:
        names, count = [f"o{at}" for at in range(9000)], 9000
        same = {"provider_id": ["p"] * count, "model_family": ["m"] * count}
        catalog = Catalog.from_table(pa.table({"offer_id": names, **same, "bench_x": np.arange(float(count))}))
        fields, held = catalog.fields, weakref.ref(catalog._observations)
        before = pa.total_allocated_bytes()
        del catalog
        assert held() is None
    finally:
        gc.enable()
    assert before - pa.total_allocated_bytes() > 8 * count
    assert fields["region_us"].coverage == 0


def test_fields__of_facts_are_fields_like_others():
    one, other = (Catalog.from_records(RECORDS).fields["region_us"] for _ in range(2))
    plain = Field(one.name, one.sort, one.default, one.unit, one.description, one.source, one.coverage)
    assert one == other == plain == one
    assert [one != plain, plain != one] == [False, False]
    assert len({one, other, plain}) == 1
    assert repr(one) == repr(plain)
    assert one != replace(plain, coverage=0.5) != one
    assert one != plain.name
    for again in (pickle.loads(pickle.dumps(other)), copy.deepcopy(other), replace(other)):
        assert again == one
    assert replace(other, coverage=None).coverage is None
    with pytest.raises(FrozenInstanceError):
        one.coverage = 0.3
