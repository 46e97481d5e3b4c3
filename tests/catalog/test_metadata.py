"""What a catalog states beside its offers survives as JSON and is checked on the way in."""

import copy
import json
import math
import pickle
from datetime import date

import pyarrow as pa
import pytest

from tenantrank.catalog.metadata import Metadata, canonical_declarations, declarations, marked_days, tiers_of
from tenantrank.errors import CatalogError
from tenantrank.policy.signature import Field, Fields

FULL = Metadata(
    declarations({"own_cost": {"sort": "Num", "default": math.inf, "unit": "USD"}, "vip": {"sort": "Bool"}}),
    ("low", "high"),
    date(2026, 11, 23),
    {"list": {"what": "a price list", "snapshot": "2026-11-12"}},
    date(2027, 6, 30),
    date(2026, 9, 1),
)


def test_metadata__survives_json():
    text = json.dumps(FULL.to_json(), allow_nan=False)
    assert Metadata.from_json(json.loads(text)) == FULL
    assert Metadata.from_json({}) == Metadata()


def test_metadata__survives_a_pickle_and_a_deep_copy():
    for again in (pickle.loads(pickle.dumps(FULL)), copy.deepcopy(FULL)):
        assert again == FULL
        assert canonical_declarations(again) == canonical_declarations(FULL)
        with pytest.raises(TypeError):
            again.sources["x"] = 1


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"fields": ["x"]}, "fields is not a mapping"),
        ({"sources": "x"}, "sources is not a mapping"),
        ({"built": "yesterday"}, "built is not a date"),
        ({"built": 5}, "built is not a date"),
        ({"holds_until": "soon"}, "holds_until is not a date"),
        ({"holds_from": "soon"}, "holds_from is not a date"),
        ({"tier_order": "abc"}, "tier_order is not a list"),
        ({"tier_order": ["a", "a"]}, "names a tier twice"),
        ({"fields": {"x": {"sort": "Text"}}}, "field 'x'"),
    ],
)
def test_metadata__refuses_other_shapes(values, words):
    with pytest.raises(CatalogError, match=words):
        Metadata.from_json(values)


def test_declarations__take_mappings_fields_and_the_additions_of_a_vocabulary():
    own = Field("own", "Num", 2.0, unit="USD")
    assert declarations({"own": own})["own"] is own
    assert dict(declarations(Fields({"own": own}))) == {"own": own}
    assert declarations({"x": {"sort": "Num"}})["x"] == Field("x", "Num", 0.0)
    assert math.copysign(1, declarations({"x": {"sort": "Num", "default": -0.0}})["x"].default) == 1
    assert declarations(None) == {}


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"price_in": {"sort": "Bool", "default": False}}, "'price_in' is built in as Num"),
        ({"quality_hint": {"sort": "Bool", "default": False}}, "'quality_hint' is built in as Num"),
        ({"x": {"sort": "Num", "default": math.nan}}, "'x'"),
        ({"x": {"sort": "Num", "dflt": 1}}, "unknown key 'dflt'"),
        ({"x": {"sort": "Num", "unit": 3}}, "'x'"),
        ({"x": "Num"}, "'x'"),
        (5, "a mapping from name to declaration, not a int"),
        ([1], "a mapping from name to declaration, not a list"),
        ({"x": Field("x", "Num", "1")}, "'x'"),
        ({"\ud800": {"sort": "Num"}}, "not text that UTF-8 can hold"),
        ({"\ud800": Field("\ud800", "Num", 0.0)}, "not text that UTF-8 can hold"),
    ],
)
def test_declarations__refuse_what_is_not_a_declaration(fields, words):
    with pytest.raises(CatalogError, match=words):
        declarations(fields)


def test_tiers_of__gives_a_tuple():
    assert tiers_of(["a", "b"]) == ("a", "b")
    with pytest.raises(CatalogError, match="tier_order"):
        tiers_of([1, 2])
    with pytest.raises(CatalogError, match="not text that UTF-8 can hold"):
        tiers_of(["\ud800"])


def test_check_day__passes_days_up_to_the_last_one():
    ends = Metadata(holds_until=date(2026, 12, 31))
    ends.check_day(date(2026, 12, 31))
    Metadata().check_day(None)
    for day in (None, date(2027, 1, 1)):
        with pytest.raises(CatalogError, match="holds until 2026-12-31"):
            ends.check_day(day)


def test_check_day__passes_days_from_the_first_one():
    begins = Metadata(holds_from=date(2026, 9, 1))
    begins.check_day(date(2026, 9, 1))
    # Today only ever comes later than the day on which the overlay was laid.
    begins.check_day(None)
    with pytest.raises(CatalogError, match="holds from 2026-09-01 and it is not for 2026-08-31: give a day from then"):
        begins.check_day(date(2026, 8, 31))


def test_mark__goes_with_a_bare_table():
    table = pa.table({"x": [1]})
    first, last = date(2026, 9, 1), date(2026, 12, 31)
    for days in ((None, last), (first, None), (first, last)):
        marked = Metadata(holds_from=days[0], holds_until=days[1]).mark(table)
        assert marked_days(marked.schema.metadata) == days
    assert Metadata().mark(table) is table
    assert marked_days(None) == (None, None)
    for name in ("holds_until", "holds_from"):
        with pytest.raises(CatalogError, match=f"{name} is not a date"):
            marked_days({f"tenantrank.{name}".encode(): b"\xff"})


def test_canonical_declarations__hold_sorts_defaults_and_tiers_only():
    told = Metadata(declarations({"b": {"sort": "Num", "default": 1.0, "unit": "USD"}, "a": {"sort": "Bool"}}), ("x",))
    expected = b'{"fields":{"a":["Bool",false],"b":["Num","3ff0000000000000"]},"tier_order":["x"]}'
    assert canonical_declarations(told) == expected
    ends = Metadata(holds_until=date(2026, 12, 31))
    assert canonical_declarations(ends).startswith(b'{"fields":{},"holds_until":"2026-12-31","tier_order":[')
    begins = Metadata(holds_from=date(2026, 9, 1))
    assert canonical_declarations(begins).startswith(b'{"fields":{},"holds_from":"2026-09-01","tier_order":[')
    assert canonical_declarations(Metadata(declarations({"a": {"sort": "Bool"}}))) != canonical_declarations(Metadata())
