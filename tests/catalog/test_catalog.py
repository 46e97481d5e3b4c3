"""The catalog's own accessors: order, codes, capabilities, dates."""

import copy
import pickle
from datetime import date, datetime

import numpy as np
import pyarrow as pa
import pytest

from tenantrank.catalog import Catalog
from tenantrank.errors import CatalogError

RECORDS = [
    {"id": "z", "provider_id": "q", "model_family": "m", "tier": "partner", "regions": ["eu", "us"]},
    {"id": "a", "provider_id": "p", "model_family": "m", "capabilities": {"context": 0, "supports_tools": False}},
    {"id": "k", "provider_id": "q", "model_family": "n", "capabilities": {"context": 8, "odd": True}, "regions": []},
]


def test_catalog__keeps_the_order_of_records():
    catalog = Catalog.from_records(RECORDS)
    assert len(catalog) == 3
    assert catalog.offer_ids == ("z", "a", "k")
    assert catalog.table["offer_id"].to_pylist() == ["z", "a", "k"]


def test_strings__are_codes_in_order_of_first_appearance():
    catalog = Catalog.from_records(RECORDS)
    codes, names = catalog.strings("provider_id")
    assert (codes.tolist(), names) == ([0, 1, 0], ("q", "p"))
    assert codes.dtype == np.int32
    assert not codes.flags.writeable
    codes, names = catalog.strings("tier")
    assert (codes.tolist(), names) == ([0, -1, -1], ("partner",))
    assert catalog.strings("peer_id")[0].tolist() == [-1, -1, -1]
    assert catalog.strings("offer_id")[1] == ("z", "a", "k")
    with pytest.raises(CatalogError, match="'context' is not a string column"):
        catalog.strings("context")
    with pytest.raises(CatalogError, match="'nope' is not a string column"):
        catalog.strings("nope")


@pytest.mark.parametrize("read", ["numbers", "flags", "capability", "strings", "lists"])
@pytest.mark.parametrize("name", [[], {}, None, 3, b"context"])
def test_columns__are_asked_for_by_text_alone(read: str, name: object) -> None:
    with pytest.raises(CatalogError, match=r"^expected the name of a (field|capability|column), got "):
        getattr(Catalog.from_records(RECORDS), read)(name)


def test_capability__is_unknown_unless_an_offer_says_so():
    catalog = Catalog.from_records(RECORDS)
    assert catalog.capability("supports_tools").tolist() == [-1, 0, -1]
    assert catalog.capability("odd").tolist() == [-1, -1, 1]
    assert catalog.capability("context").tolist() == [-1, 0, 1]
    assert catalog.capability("supports_nothing").tolist() == [-1, -1, -1]
    assert catalog.capability("tier").tolist() == [-1, -1, -1]
    assert catalog.capability("odd") is catalog.capability("odd")
    assert not catalog.capability("unheard of").flags.writeable


def test_capability__keeps_nothing_for_names_that_no_offer_mentions():
    catalog = Catalog.from_records(RECORDS)
    shared = {id(catalog.capability(f"{prefix}{number}")) for prefix in ("x", "supports_x") for number in range(50)}
    assert len(shared) == 1
    assert not catalog._capabilities


def test_capability__is_read_only():
    catalog = Catalog.from_records(RECORDS)
    assert not catalog.capability("odd").flags.writeable


def test_lists__are_for_people():
    catalog = Catalog.from_records(RECORDS)
    assert catalog.lists("regions") == [["eu", "us"], None, []]
    with pytest.raises(CatalogError, match="'tier' is not a list column"):
        catalog.lists("tier")


def test_from_table__equals_from_records():
    table = pa.Table.from_pylist(
        [{"offer_id": "x", "provider_id": "p", "model_family": "m", "price_in": 2, "geo": ["eu"], "own": 1}]
    )
    records = [{"id": "x", "provider_id": "p", "model_family": "m", "price_in": 2.0, "geo": ["eu"], "own": 1.0}]
    assert Catalog.from_table(table).table.equals(Catalog.from_records(records).table)


def test_dates__are_those_given():
    catalog = Catalog.from_records(RECORDS)
    assert (catalog.as_of, catalog.built, catalog.judged_at) == (None, None, None)
    dated = Catalog.from_table(catalog.table, as_of=date(2026, 11, 23), built=date(2026, 11, 1))
    assert (dated.as_of, dated.judged_at) == (date(2026, 11, 23), date(2026, 11, 23))
    built = Catalog.from_table(catalog.table, built=date(2026, 11, 1))
    assert (built.as_of, built.judged_at) == (None, date(2026, 11, 1))
    for moment in (datetime(2026, 11, 23), "2026-11-23", 3):
        with pytest.raises(CatalogError, match="as_of is not a date"):
            Catalog.from_records(RECORDS, as_of=moment)


@pytest.mark.parametrize("offers", [None, 5, "x", b"x", {"id": "a"}, [5]])
def test_from_records__refuses_what_are_no_records(offers):
    with pytest.raises(CatalogError):
        Catalog.from_records(offers)
    assert len(Catalog.from_records(record for record in RECORDS)) == 3


def test_from_table__refuses_what_is_no_table():
    table = Catalog.from_records(RECORDS).table
    for given, words in ((None, "a NoneType"), ([1], "a list"), (table.schema, "a Schema")):
        with pytest.raises(CatalogError, match=f"the offers must be an Arrow table, not {words}"):
            Catalog.from_table(given)
    with pytest.raises(CatalogError, match="provenance must be an Arrow table"):
        Catalog.from_table(table, provenance=[1])
    with pytest.raises(CatalogError, match="sources must be a mapping"):
        Catalog.from_table(table, sources=5)
    with pytest.raises(CatalogError, match="built is not a date"):
        Catalog.from_table(table, built="2026-11-23")


def test_tier__of_no_letters_is_none_but_an_empty_scope_and_peer_stay():
    records = [RECORDS[0] | {"tier": "", "scope": "", "offer": {"peer_id": ""}}, RECORDS[1] | {"tier": "partner"}]
    catalog = Catalog.from_records(records)
    assert catalog.table["tier"].to_pylist() == [None, "partner"]
    assert catalog.table["scope"].to_pylist() == ["", None]
    assert catalog.table["peer_id"].to_pylist() == ["", None]
    assert catalog.strings("tier")[1] == ("partner",)
    bare = Catalog.from_records([{**RECORDS[0], "tier": ""}])
    assert bare.catalog_id == Catalog.from_records([{**RECORDS[0], "tier": None}]).catalog_id


def test_tier_order__is_the_operators():
    assert Catalog.from_records(RECORDS).fields.tier_order == ("fallback", "marketplace", "partner")
    assert Catalog.from_records(RECORDS, tier_order=["x", "y"]).fields.tier_order == ("x", "y")


def test_repr__names_size_and_id():
    catalog = Catalog.from_records(RECORDS)
    assert repr(catalog) == f"Catalog(3 offers, {catalog.catalog_id[:12]})"


def test_no_offers__are_a_catalog():
    catalog = Catalog.from_records([])
    assert len(catalog) == 0
    assert catalog.offer_ids == ()
    assert catalog.strings("provider_id") == (pytest.approx(np.empty(0)), ())
    assert catalog.numbers("price_in").shape == (0,)
    assert catalog.flags("region_eu").shape == (0,)
    assert catalog.flags("region_only_eu").shape == (0,)
    assert catalog.diff(catalog).summary().startswith("no difference")


def overlaid():
    built = Catalog.from_table(Catalog.from_records(RECORDS).table, built=date(2026, 1, 1), sources={"list": [1]})
    entries = [
        {"match": {"provider_id": "q"}, "set": {"no_log": True}, "contract": "c", "verified_at": "2026-09-01"},
        {"match": {"provider_id": "nobody"}, "set": {"tier": "partner"}, "valid_until": "2027-01-01"},
    ]
    return built.with_overlay({"attestations": entries}, date(2026, 11, 23))


@pytest.mark.parametrize("again", [lambda catalog: pickle.loads(pickle.dumps(catalog)), copy.copy, copy.deepcopy])
def test_catalog__survives_a_pickle_and_a_copy(tmp_path, again):
    overlaid().save(tmp_path / "x.parquet")
    declared = Catalog.from_records(RECORDS, {"vip": {"sort": "Num", "default": float("inf")}}, ["low", "high"])
    loaded = Catalog.load(tmp_path / "x.parquet", as_of=date(2026, 11, 23))
    for catalog in (declared, overlaid(), loaded, Catalog.from_records([])):
        catalog.flags("region_eu")
        other = again(catalog)
        assert other.catalog_id == catalog.catalog_id
        assert other.table.equals(catalog.table, check_metadata=True)
        assert (other.metadata, other.as_of, other.warnings) == (catalog.metadata, catalog.as_of, catalog.warnings)
        assert dict(other.fields) == dict(catalog.fields)
        assert other.provenance is catalog.provenance is None or other.provenance.equals(catalog.provenance)
        assert other.flags("region_eu").tolist() == catalog.flags("region_eu").tolist()


def test_from_records__does_not_know_until_when_a_table_holds():
    table = overlaid().table
    with pytest.raises(CatalogError, match="holds until 2027-01-01"):
        Catalog.from_table(table)
    assert Catalog.from_records(table.to_pylist()).metadata.holds_until is None
    assert "from_table" in Catalog.from_records.__doc__
