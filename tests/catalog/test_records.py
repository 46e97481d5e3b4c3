"""Records become columns; whatever is not of their form is refused with row, offer and key."""

import decimal
import math
from datetime import date

import numpy as np
import pyarrow as pa
import pytest

from tenantrank.catalog import Catalog
from tenantrank.catalog.records import array_of_value, table_of_records
from tenantrank.errors import CatalogError
from tenantrank.policy.signature import Field

KEYS = {"id": "a", "provider_id": "p", "model_family": "m"}


def column(name, *values, declared=None):
    records = [{**KEYS, "id": f"o{row}"} | ({} if value is ... else {name: value}) for row, value in enumerate(values)]
    return table_of_records(records, declared or {})[name]


def test_table_of_records__flattens_capabilities_and_offer():
    table = table_of_records(
        [
            KEYS | {"capabilities": {"context": 8000, "supports_tools": True, "off": False, "size": 3, "none": None}},
            KEYS | {"id": "b", "capabilities": [], "offer": {"peer_id": "peer", "note": "x"}},
        ],
        {},
    )
    assert table["offer_id"].to_pylist() == ["a", "b"]
    assert table["context"].to_pylist() == [8000, None]
    assert table["supports_tools"].to_pylist() == [True, None]
    assert table["capability:off"].to_pylist() == [False, None]
    assert table["capability:size"].to_pylist() == [True, None]
    assert "capability:none" not in table.column_names
    assert table["peer_id"].to_pylist() == [None, "peer"]
    assert table["offer:note"].to_pylist() == [None, "x"]


def test_table_of_records__gives_each_column_the_kind_of_its_values():
    assert column("x", 1, 2.5, ...).to_pylist() == [1.0, 2.5, None]
    assert column("x", 1, None).type == pa.float64()
    assert column("x", True, ...).type == pa.bool_()
    assert column("x", "text", ...).type == pa.string()
    assert column("x", ["eu"], ("us", "uk")).to_pylist() == [["eu"], ["us", "uk"]]
    assert column("release_date", "2026-02-03", date(2026, 2, 4)).to_pylist() == [date(2026, 2, 3), date(2026, 2, 4)]
    assert column("context", 8000.0, 8000).to_pylist() == [8000, 8000]
    assert column("price_in", "inf", 2).to_pylist() == [math.inf, 2.0]
    assert column("x", np.float64(1.5), np.int32(2)).to_pylist() == [1.5, 2.0]


def test_table_of_records__lets_a_declaration_decide_the_kind():
    declared = {"zdr": Field("zdr", "Bool", False)}
    assert column("zdr", True, False, declared=declared).type == pa.bool_()
    with pytest.raises(CatalogError, match="'zdr' in row 0, offer 'o0': expected string, got True"):
        column("zdr", True, False)
    with pytest.raises(CatalogError, match="'zdr' in row 1, offer 'o1': expected bool, got 'self_serve'"):
        column("zdr", True, "self_serve", declared=declared)


@pytest.mark.parametrize(
    ("name", "values", "words"),
    [
        ("no_log", (True, 1), "'no_log' in row 1, offer 'o1': expected bool, got 1"),
        ("price_in", (1.0, True), "'price_in' in row 1, offer 'o1': expected double, got True"),
        ("price_in", (1.0, "cheap"), "'price_in' in row 1, offer 'o1': expected a number, got 'cheap'"),
        ("price_in", (10**400,), "'price_in' in row 0, offer 'o0': expected a number that a double holds exactly"),
        ("price_in", (2**53 + 1,), "'price_in' in row 0, offer 'o0': expected a number that a double holds exactly"),
        ("context", (8000.5,), "'context' in row 0, offer 'o0': expected a whole number"),
        ("context", (math.inf,), "'context' in row 0, offer 'o0': expected a whole number"),
        ("context", (math.nan,), "'context' in row 0, offer 'o0': expected a whole number"),
        ("context", (2**63,), "'context' in row 0, offer 'o0': expected a whole number"),
        ("lab", (3,), "'lab' in row 0, offer 'o0': expected string, got 3"),
        ("lab", ("\ud800",), "'lab' in row 0, offer 'o0': expected text"),
        ("regions", ("eu",), "'regions' in row 0, offer 'o0': expected list, got 'eu'"),
        ("regions", (["eu", 1],), "'regions' in row 0, offer 'o0': expected a list of strings, and in it, got 1"),
        ("release_date", ("soon",), "'release_date' in row 0, offer 'o0': expected a date"),
        ("x", ({"deep": 1},), "'x' in row 0, offer 'o0': a column holds"),
        ("x", (1.0, "one"), "'x' in row 0, offer 'o0': expected string, got 1.0"),
    ],
)
def test_table_of_records__refuses_a_value_of_another_kind(name, values, words):
    with pytest.raises(CatalogError) as caught:
        column(name, *values)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("record", "words"),
    [
        (["not", "a", "record"], "row 0 is not a record"),
        (KEYS | {"offer_id": "other"}, "row 0 gives 'offer_id' twice"),
        (KEYS | {"context": 1, "capabilities": {"context": 2}}, "row 0 gives 'context' twice"),
        (KEYS | {"capabilities": "all"}, "row 0, offer 'a': 'capabilities' is not a record"),
        (KEYS | {"capabilities": {"off": math.nan}}, "capability 'off' is NaN"),
        (KEYS | {3: "x"}, "key that is not a string"),
        (KEYS | {"\ud800": "x"}, "not text that UTF-8 can hold"),
    ],
)
def test_table_of_records__refuses_a_record_of_another_form(record, words):
    with pytest.raises(CatalogError) as caught:
        table_of_records([record], {})
    assert words in str(caught.value)


def nested(depth):
    deep = []
    for _ in range(depth):
        deep = [deep]
    return deep


ODD = [
    np.array([1.0, 2.0]),
    np.array([]),
    decimal.Decimal("sNaN"),
    decimal.Decimal(1),
    nested(100_000),
    10**5000,
    "x" * 10**6,
    {"a": nested(100_000)},
    object(),
]


@pytest.mark.parametrize("value", ODD, ids=[str(place) for place in range(len(ODD))])
def test_table_of_records__answers_any_value_in_one_short_line(value):
    records = [
        value,
        {value: 1} if isinstance(value, str) else {"id": value},
        {"id": value, "offer_id": decimal.Decimal("sNaN")},
        KEYS | {"lab": 1, "id": value},
        KEYS | {"context": value, "capabilities": {"context": [value]}},
        KEYS | {"capabilities": [value]},
        KEYS | {"id": value, "capabilities": 1},
        KEYS | {"price_in": value},
        KEYS | {"regions": [value, value, 1]},
        KEYS | {"offer": {"peer_id": value}, "peer_id": 7},
    ]
    for record in records:
        with pytest.raises(CatalogError) as caught:
            Catalog.from_records([record])
        assert len(str(caught.value)) < 250
        assert "\n" not in str(caught.value)


def test_table_of_records__reads_capabilities_of_json_values_alone():
    values = {"a": np.True_, "b": np.float64(0), "c": "x", "d": [], "e": {"x": 1}, "f": 2}
    table = table_of_records([KEYS | {"capabilities": values}], {})
    assert [table[f"capability:{name}"][0].as_py() for name in values] == [True, False, True, False, True, True]
    for value, words in (
        (np.array([1, 2]), "capability 'x' is no JSON value: a Python ndarray"),
        (decimal.Decimal("sNaN"), "capability 'x' is no JSON value: a Python Decimal"),
        (np.float64("nan"), "capability 'x' is NaN"),
    ):
        with pytest.raises(CatalogError, match=words):
            table_of_records([KEYS | {"capabilities": {"x": value}}], {})


@pytest.mark.parametrize("value", ODD, ids=[str(place) for place in range(len(ODD))])
def test_array_of_value__answers_any_value_in_one_short_line(value):
    with pytest.raises(CatalogError) as caught:
        array_of_value(value, "double")
    assert len(str(caught.value)) < 250


def test_array_of_value__reads_one_value_or_says_what_it_expects():
    assert array_of_value(None, "double").to_pylist() == [None]
    assert array_of_value(2, "double").to_pylist() == [2.0]
    assert array_of_value(["eu"], "list").to_pylist() == [["eu"]]
    for value, kind in ((math.nan, "double"), (-math.inf, "double"), ("x", "bool"), (True, "int64")):
        with pytest.raises(CatalogError, match="expected"):
            array_of_value(value, kind)
