"""A doubtful statement: the worse value stays, or the value is unknown, or no value is safe."""

import math
from datetime import date

import pyarrow as pa
import pytest

from tenantrank.catalog import Catalog
from tenantrank.catalog.doubt import doubted
from tenantrank.catalog.records import array_of_value
from tenantrank.catalog.schema import COLUMNS, kind_of_type

DECLARED = {"blocked": {"sort": "Bool"}, "cleared": {"sort": "Bool", "default": True}, "risk": {"sort": "Num"}}
CATALOG = Catalog.from_records([], DECLARED)


def doubt(name, stated, there, catalog=CATALOG):
    kind = kind_of_type(catalog.table[name].type) if name in catalog.table.column_names else None
    kind = kind or {"Bool": "bool", "Num": "double"}[DECLARED[name]["sort"]]
    value, column = (array_of_value(given, kind) for given in (stated, there))
    found = doubted(name, kind, value, column, catalog.fields)
    assert [rows.shape for rows in found] == [(1,)] * 3
    assert sum(bool(rows[0]) for rows in found) <= 1
    return next((word for word, rows in found._asdict().items() if rows[0]), "stays")


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("no_log", [(False, None), True]),
        ("supports_tools", [(False, None), True]),
        ("price_in", [(None, math.inf), 2.0, 1.0, 0.0]),
        ("retention_days", [None, 30, 0]),
        ("latency_ms", [None, 30.0, 1.0]),
        ("residency_uplift_eu", [None, 1.1]),
        ("context", [(None, 0), 1000]),
        ("tok_s", [(None, 0.0), 1.0]),
        ("zdr", [("none", "approval", "conditional", None), "self_serve", "default"]),
        ("trains_on_data", ["upstream_dependent", ("yes", "tier_dependent", None), "no"]),
        ("tier", [("fallback", None), "marketplace", "partner"]),
        ("success_rate", [0.0, 0.9, (None, 1.0)]),
        ("deprecation_date", [date(2026, 1, 1), date(2027, 1, 1), None]),
    ],
)
def test_doubted__keeps_the_worse_of_two_values(name, values):
    """``values`` go from the worst to the best; those in one tuple count the same."""
    ranked = [(rank, one) for rank, same in enumerate(values) for one in (same if isinstance(same, tuple) else [same])]
    for low, stated in ranked:
        for high, there in ranked:
            assert doubt(name, stated, there) == ("takes" if low < high else "stays"), (stated, there)


@pytest.mark.parametrize(
    ("name", "one", "other"),
    [
        ("geo", ["eu"], ["eu", "us"]),
        ("regions", ["x"], []),
        ("residency_options", ["eu"], ["us"]),
        ("region_scope", "geo", "global"),
    ],
)
def test_doubted__makes_promises_unknown_that_are_neither_better_nor_worse(name, one, other):
    assert doubt(name, one, other) == doubt(name, None, other) == "unknown"
    assert doubt(name, one, None) == doubt(name, one, one) == "stays"


@pytest.mark.parametrize(
    ("name", "one", "other", "default"),
    [
        ("blocked", True, False, False),
        ("cleared", False, True, True),
        ("price_zero_listed", True, False, False),
        ("open_weights", True, False, False),
        ("risk", 1.0, 0.0, 0.0),
        ("long_ctx_threshold", 1, 2, 0),
        ("status", "deprecated", "beta", None),
        ("mode", "chat", "completion", None),
        ("peer_id", "p", "q", None),
        ("release_date", date(2026, 1, 1), date(2026, 1, 2), None),
    ],
)
def test_doubted__finds_no_safe_value_where_a_policy_may_want_either(name, one, other, default):
    assert doubt(name, one, other) == doubt(name, other, one) == "unsafe"
    assert doubt(name, one, one) == doubt(name, default, None) == doubt(name, None, default) == "stays"


def test_doubted__takes_a_scope_where_there_is_none():
    assert doubt("scope", "own", None) == "takes"
    assert doubt("scope", None, "own") == doubt("scope", "own", "own") == "stays"
    assert doubt("scope", "own", "other") == "unsafe"


def test_doubted__leaves_what_no_policy_reads():
    read = [column.name for column in COLUMNS if column.kind == "string" and doubt(column.name, "beta", "x") == "stays"]
    assert {"lab", "base_url", "wire_model_id", "quantization", "policy_scope"} <= set(read)
    assert not {"provider_id", "tier", "scope", "peer_id", "status", "mode"}.intersection(read) - {
        "tier",
        "provider_id",
    }


def test_doubted__heeds_a_declared_default():
    permissive = {"zdr_default": {"sort": "Bool", "default": True}, "max_output": {"sort": "Num", "default": 9.0}}
    catalog = Catalog.from_records([], permissive)
    assert doubt("zdr", "none", "default", catalog) == doubt("geo", ["eu"], ["us"], catalog) == "unsafe"
    assert doubt("max_output", 5, 7, catalog) == "unsafe"
    assert doubt("max_output", 9, None, catalog) == "stays"


def test_doubted__judges_row_by_row():
    column = CATALOG.table["price_in"].combine_chunks()
    found = doubted("price_in", "double", array_of_value(2.0, "double"), column, CATALOG.fields)
    assert all(len(rows) == 0 for rows in found)
    many = pa.array([1.0, None, 1.0])
    found = doubted("price_in", "double", array_of_value(2.0, "double"), many, CATALOG.fields)
    assert found.takes.tolist() == [True, False, True]
