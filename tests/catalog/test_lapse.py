"""What a lapse leaves behind: the days on which entries stand, and the columns that unknown closes."""

import math
from datetime import date

import pytest

from tenantrank.catalog import Catalog
from tenantrank.catalog.lapse import holds_from, holds_until, lapse_of, unknown_shuts_out
from tenantrank.catalog.overlay_file import EVIDENCED, Attestation
from tenantrank.catalog.schema import BY_NAME, COLUMNS

TODAY = date(2026, 11, 23)


def entry(verified=None, until=None):
    return Attestation.model_validate(
        {"match": {"lab": "x"}, "set": {"tier": "y"}, "verified_at": verified, "valid_until": until}
    )


@pytest.mark.parametrize(
    ("verified", "until", "said"),
    [
        (None, None, None),
        ("2026-11-23", "2026-11-23", None),
        ("2026-11-24", None, "is not in force before 2026-11-24"),
        (None, "2026-11-22", "expired after 2026-11-22"),
    ],
)
def test_lapse_of__counts_both_days_in(verified, until, said):
    assert lapse_of(entry(verified, until), TODAY) == said


def test_holds_until__is_the_last_day_before_anything_changes():
    for day in range(1, 29):
        until = holds_until([entry(None, "2026-02-10"), entry("2026-02-20", "2026-02-25")], date(2026, 2, day))
        expected = next((date(2026, 2, change) for change in (10, 19, 25) if day <= change), None)
        assert until == expected
    assert holds_until([], TODAY) is None


def test_holds_from__is_the_first_day_after_the_last_change():
    for day in range(1, 29):
        since = holds_from([entry(None, "2026-02-10"), entry("2026-02-20", "2026-02-25")], date(2026, 2, day))
        expected = [date(2026, 2, change) for change in (11, 20, 26) if change <= day]
        assert since == (expected[-1] if expected else None)
    assert holds_from([entry("2026-02-20")], None) is None


def test_unknown_shuts_out__is_so_for_promises_capabilities_prices_and_merits_only():
    fields = Catalog.from_records([]).fields
    closed = {column.name for column in COLUMNS if unknown_shuts_out(column.name, column.kind, fields)}
    bools = {column.name for column in COLUMNS if column.kind == "bool" and column.name.startswith("supports_")}
    worst = {column.name for column in COLUMNS if column.default == math.inf}
    merits = {"context", "max_input", "max_output", "tok_s", "quality_hint"}
    assert closed == EVIDENCED | bools | worst | merits
    assert unknown_shuts_out("capability:odd", "bool", fields)
    assert not unknown_shuts_out("bench_x", "double", fields)
    own = Catalog.from_records([], {"region_eu": {"sort": "Bool"}, "blocked": {"sort": "Bool"}}).fields
    assert unknown_shuts_out("region_eu", "bool", own)
    assert not unknown_shuts_out("blocked", "bool", own)


@pytest.mark.parametrize(
    ("name", "sort", "default"),
    [
        ("supports_tools", "Bool", True),
        ("retention_days", "Num", 0.0),
        ("price_reasoning", "Num", 0.0),
        ("max_output", "Num", 1.0),
        ("zdr", "Bool", True),
        ("own", "Num", math.inf),
        ("own", "Bool", True),
    ],
)
def test_unknown_shuts_out__heeds_a_declared_default(name, sort, default):
    fields = Catalog.from_records([], {name: {"sort": sort, "default": default}}).fields
    kind = "bool" if sort == "Bool" else "int64" if name in BY_NAME and BY_NAME[name].kind == "int64" else "double"
    assert not unknown_shuts_out(name, kind, fields)


def test_unknown_shuts_out__heeds_the_default_of_a_fact_derived_from_promises():
    fields = Catalog.from_records([], {"region_only_eu": {"sort": "Bool", "default": True}}).fields
    assert not unknown_shuts_out("geo", "list", fields)
    assert unknown_shuts_out("no_log", "bool", fields)
