"""The id is worked out a second time here, value by value from the manual, and moves with content alone."""

import hashlib
import json
import struct
from datetime import date

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tenantrank.catalog import Catalog
from tenantrank.catalog.schema import COLUMNS

TAGS = {"double": b"d", "int64": b"i", "bool": b"b", "string": b"s", "date32[day]": b"t"}


def mask(bits):
    packed = bytearray((len(bits) + 7) // 8)
    for row, bit in enumerate(bits):
        packed[row // 8] |= bool(bit) << (row % 8)
    return bytes(packed)


def values_of(tag, values):
    if tag == b"b":
        return mask([value or False for value in values])
    if tag == b"i":
        return b"".join(struct.pack("<q", value or 0) for value in values)
    if tag == b"d":
        return b"".join(struct.pack("<d", value or 0.0) for value in values)
    if tag == b"t":
        days = [(value - date(1970, 1, 1)).days if value else 0 for value in values]
        return b"".join(struct.pack("<i", day) for day in days)
    if tag == b"l":
        items = [item for value in values for item in value or []]
        return b"".join(struct.pack("<I", len(value or [])) for value in values) + values_of(b"s", items)
    texts = [(value or "").encode() for value in values]
    return b"".join(struct.pack("<I", len(text)) for text in texts) + b"".join(texts)


def id_by_the_manual(catalog, fields, tier_order):
    table = catalog.table
    declared = json.dumps(
        {"fields": fields, "tier_order": list(tier_order)}, sort_keys=True, separators=(",", ":")
    ).encode()
    parts = [b"tenantrank-catalog/1\n", struct.pack("<QQ", table.num_rows, len(declared)), declared]
    documented = {column.name for column in COLUMNS} - {"offer_id", "provider_id", "model_family"}
    for name in sorted(table.column_names, key=lambda name: name.encode()):
        values = table[name].to_pylist()
        if name in documented and all(value is None for value in values):
            continue
        dtype = table.schema.field(name).type
        tag = b"l" if pa.types.is_list(dtype) else TAGS.get(str(dtype), b"s")
        parts += [struct.pack("<I", len(name.encode())), name.encode(), tag]
        parts += [mask([value is not None for value in values]), values_of(tag, values)]
    return hashlib.sha256(b"".join(parts)).hexdigest()


RECORDS = [
    {
        "id": f"o{row}",
        "provider_id": "prøvider" if row % 2 else "q",
        "model_family": "m",
        "price_in": None if row == 3 else row / 7,
        "context": row * 1000,
        "no_log": [True, False, None][row % 3],
        "regions": [["eu", "uk"], [], None][row % 3],
        "release_date": date(1969, 12, 30 + row % 2),
        "lab": "" if row == 2 else None,
        "bench_x": float("inf"),
        "capabilities": {"off": False},
    }
    for row in range(11)
]


def test_catalog_id__is_what_the_manual_says():
    fields = {"bench_x": {"sort": "Num", "default": 2.0}, "vip": {"sort": "Bool", "default": True}}
    catalog = Catalog.from_records(RECORDS, fields, ["low", "high"])
    declared = {"bench_x": ["Num", "4000000000000000"], "vip": ["Bool", True]}
    assert catalog.catalog_id == id_by_the_manual(catalog, declared, ["low", "high"])


def test_catalog_id__of_no_offers_is_what_the_manual_says():
    catalog = Catalog.from_records([])
    assert catalog.catalog_id == id_by_the_manual(catalog, {}, ["fallback", "marketplace", "partner"])


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.one_of(st.none(), st.floats(allow_nan=False, min_value=-1e300)),
            st.one_of(st.none(), st.text(st.characters(exclude_categories=["Cs"]), max_size=5)),
            st.one_of(st.none(), st.lists(st.sampled_from(["eu", "us", ""]), max_size=3)),
        ),
        max_size=20,
    )
)
def test_catalog_id__is_what_the_manual_says_of_any_content(rows):
    records = [
        {"id": str(row), "provider_id": "p", "model_family": "m", "own": number, "lab": text, "geo": places}
        for row, (number, text, places) in enumerate(rows)
    ]
    catalog = Catalog.from_records(records)
    assert catalog.catalog_id == id_by_the_manual(catalog, {}, ["fallback", "marketplace", "partner"])


def test_catalog_id__is_the_same_for_equal_content():
    catalog = Catalog.from_records(RECORDS)
    shuffled = [dict(reversed(record.items())) for record in RECORDS]
    chunks = pa.concat_tables([catalog.table.slice(0, 4), catalog.table.slice(4)])
    fewer = catalog.table.drop_columns(["supports_tools", "price_out"])
    assert Catalog.from_records(shuffled).catalog_id == catalog.catalog_id
    assert Catalog.from_table(chunks).catalog_id == catalog.catalog_id
    assert Catalog.from_table(fewer).catalog_id == catalog.catalog_id
    stated = Catalog.from_table(catalog.table, as_of=date(2026, 1, 1), built=date(2025, 1, 1), sources={"x": 1})
    assert stated.catalog_id == catalog.catalog_id


@pytest.mark.parametrize(
    "change",
    [
        lambda records: records[::-1],
        lambda records: records[:-1],
        lambda records: [records[0] | {"price_in": 1e-300}, *records[1:]],
        lambda records: [records[0] | {"price_in": None}, *records[1:]],
        lambda records: [records[0] | {"no_log": False}, *records[1:]],
        lambda records: [records[0] | {"no_log": None}, *records[1:]],
        lambda records: [records[0] | {"regions": ["euu", "k"]}, *records[1:]],
        lambda records: [records[0] | {"regions": None}, *records[1:]],
        lambda records: [records[0] | {"lab": ""}, *records[1:]],
        lambda records: [record | {"own": None} if row else record | {"own": 0} for row, record in enumerate(records)],
    ],
)
def test_catalog_id__moves_with_any_content(change):
    assert Catalog.from_records(change(RECORDS)).catalog_id != Catalog.from_records(RECORDS).catalog_id


def test_catalog_id__moves_with_declarations_and_tiers():
    ids = {
        Catalog.from_records(RECORDS, *extra).catalog_id
        for extra in (
            (),
            ({"vip": {"sort": "Bool"}},),
            ({"vip": {"sort": "Num"}},),
            ({"vip": {"sort": "Num", "default": 1}},),
            (None, ["a", "b"]),
            (None, ["b", "a"]),
        )
    }
    assert len(ids) == 6
    told = Catalog.from_records(RECORDS, {"vip": {"sort": "Bool", "description": "a text"}}).catalog_id
    assert told == Catalog.from_records(RECORDS, {"vip": {"sort": "Bool"}}).catalog_id
