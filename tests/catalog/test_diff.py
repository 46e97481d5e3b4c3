"""What changes between two catalogs, counted against a plain walk over their records."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tenantrank.catalog import Catalog
from tenantrank.catalog.diff import diff_catalogs
from tenantrank.errors import CatalogError

BASE = {"provider_id": "p", "model_family": "m"}
OLD = [
    BASE | {"id": "a", "price_in": 1.0, "geo": ["eu"], "lab": "x"},
    BASE | {"id": "b", "no_log": True, "own": 3},
    BASE | {"id": "c"},
]
NEW = [
    BASE | {"id": "d"},
    BASE | {"id": "b", "no_log": None, "own": "three"},
    BASE | {"id": "a", "price_in": 2.0, "geo": ["eu", "us"], "lab": "x", "release_date": "2026-01-02"},
]


def test_diff__tells_every_change_from_old_to_new():
    diff = Catalog.from_records(OLD).diff(Catalog.from_records(NEW))
    assert diff.added == ("d",)
    assert diff.removed == ("c",)
    assert [tuple(row.values()) for row in diff.changed.to_pylist()] == [
        ("a", "geo", '["eu"]', '["eu", "us"]'),
        ("a", "price_in", "1.0", "2.0"),
        ("a", "release_date", None, '"2026-01-02"'),
        ("b", "no_log", "true", None),
        ("b", "own", "3.0", '"three"'),
    ]
    assert diff.reordered
    assert diff.fields == (("own", "Num 0.0", None),)
    assert diff.tier_order is None
    assert diff


def test_diff__tells_declarations_and_tiers():
    old = Catalog.from_records(OLD, {"vip": {"sort": "Bool"}, "cap": {"sort": "Num", "default": 1}})
    new = Catalog.from_records(OLD, {"cap": {"sort": "Num", "default": 2}}, ["low", "high"])
    diff = old.diff(new)
    assert diff.fields == (("cap", "Num 1.0", "Num 2.0"), ("vip", "Bool False", None))
    assert diff.tier_order == (("fallback", "marketplace", "partner"), ("low", "high"))
    assert diff
    assert diff.table.to_pylist()[-1]["new"] == "low < high"


def test_table__holds_all_of_it_in_order_of_kind():
    diff = Catalog.from_records(OLD).diff(Catalog.from_records(NEW))
    kinds = ["removed", "added", *["changed"] * 5, "field", "reordered"]
    assert diff.table["kind"].to_pylist() == kinds
    assert diff.table["offer_id"].to_pylist() == ["c", "d", "a", "a", "a", "b", "b", None, None]
    empty = Catalog.from_records(OLD).diff(Catalog.from_records(OLD)).table
    assert empty.num_rows == 0
    assert empty.schema == diff.table.schema


def test_summary__counts_and_names_the_columns():
    old, new = Catalog.from_records(OLD), Catalog.from_records(NEW)
    lines = old.diff(new).summary().splitlines()
    assert lines[0] == f"{old.catalog_id[:12]} -> {new.catalog_id[:12]}"
    assert lines[1] == "offers: 1 added, 1 removed, 2 changed in 5 values"
    assert "  price_in: 1" in lines
    assert lines[-1] == "the order of the offers differs"
    assert old.diff(old).summary() == f"no difference ({old.catalog_id[:12]})"


def test_diff__of_equal_content_is_false():
    assert not Catalog.from_records(OLD).diff(Catalog.from_records(list(OLD)))


offer = st.fixed_dictionaries(
    {"id": st.sampled_from("abcdefgh")},
    optional={
        "price_in": st.sampled_from([0, 1.5, None]),
        "no_log": st.booleans(),
        "lab": st.sampled_from(["x", "y", ""]),
        "regions": st.lists(st.sampled_from(["eu", "us"]), max_size=2),
    },
)
offers = st.lists(offer, max_size=6, unique_by=lambda record: record["id"])


@settings(max_examples=40, deadline=None)
@given(offers, offers)
def test_diff__agrees_with_a_walk_over_the_records(old, new):
    diff = Catalog.from_records([BASE | record for record in old]).diff(
        Catalog.from_records([BASE | record for record in new])
    )
    before, after = ({record["id"]: record for record in records} for records in (old, new))
    assert diff.added == tuple(key for key in after if key not in before)
    assert diff.removed == tuple(key for key in before if key not in after)
    expected = [
        (key, name, before[key].get(name), after[key].get(name))
        for key in before
        if key in after
        for name in ("lab", "no_log", "price_in", "regions")
        if before[key].get(name) != after[key].get(name)
    ]
    shown = [
        (key, name, *(None if value is None else json.loads(value) for value in (was, now)))
        for key, name, was, now in zip(*diff.changed.to_pydict().values(), strict=True)
    ]
    assert shown == expected
    common = [key for key in before if key in after]
    assert diff.reordered == (common != [key for key in after if key in before])


def test_diff__compares_offers_by_id_not_by_row():
    old, new = Catalog.from_records(OLD), Catalog.from_records(OLD[::-1])
    diff = old.diff(new)
    assert diff.reordered
    assert diff.changed.num_rows == 0
    assert diff.table["kind"].to_pylist() == ["reordered"]
    with pytest.raises(AttributeError):
        diff.added = ()


def test_diff__refuses_what_is_no_catalog():
    catalog = Catalog.from_records(OLD)
    with pytest.raises(CatalogError, match=r"^expected a Catalog to compare, got None$"):
        catalog.diff(None)
    with pytest.raises(CatalogError, match=r"^expected a Catalog to compare, got a Python Table$"):
        diff_catalogs(catalog.table, catalog)
