"""Derived facts: true, false and unknown, each where the manual says."""

from datetime import date

import numpy as np
import pyarrow as pa
import pytest

from tenantrank.catalog import Catalog
from tenantrank.catalog.derive import bool_values, code_values, number_values, place_name


def catalog(*rows, **options):
    keys = {"provider_id": "p", "model_family": "m"}
    return Catalog.from_records([keys | {"id": f"o{row}"} | values for row, values in enumerate(rows)], **options)


def test_region__is_judged_by_geo_for_coarse_places_and_by_regions_for_cloud_regions():
    found = catalog(
        {"geo": ["eu"], "regions": ["eu-central-1"]},
        {"geo": ["eu", "us"]},
        {"geo": []},
        {"regions": ["eu"]},
        {"regions": ["us-east-1"]},
        {},
    )
    assert found.flags("region_eu").tolist() == [1, 1, 0, 1, -1, -1]
    assert found.flags("region_us").tolist() == [0, 1, 0, -1, -1, -1]
    assert found.flags("region_eu_central_1").tolist() == [1, -1, -1, 0, 0, -1]
    assert found.flags("region_uk").tolist() == [0, 0, 0, -1, -1, -1]


def test_region_only__needs_every_place_to_be_the_one():
    found = catalog(
        {"geo": ["eu"], "regions": ["eu-central-1"]},
        {"geo": ["eu", "us"]},
        {"geo": []},
        {"regions": ["eu"]},
        {"regions": ["eu", "us"]},
        {"regions": ["eu-central-1"]},
        {},
    )
    assert found.flags("region_only_eu").tolist() == [1, 0, 0, 1, -1, -1, -1]
    assert found.flags("region_only_us").tolist() == [0, 0, 0, -1, -1, -1, -1]


def test_region_only__is_unknown_where_regions_name_a_place_elsewhere():
    found = catalog(
        {"geo": ["eu"], "regions": ["us"]},
        {"geo": ["eu"], "regions": ["eu-central-1", "us-east-1"]},
        {"geo": ["eu"], "regions": ["eu-west-2"]},
        {"geo": ["eu"], "regions": ["eu-central-1", "swedencentral", "eu"]},
        {"geo": ["eu"], "regions": []},
        {"geo": ["eu", "us"], "regions": ["us"]},
        {"geo": ["mars"], "regions": ["Mars"]},
        {"geo": ["eu"], "regions": ["mars"]},
    )
    assert found.flags("region_only_eu").tolist() == [-1, -1, -1, 1, 1, 0, 0, -1]
    assert found.flags("region_only_mars").tolist() == [0, 0, 0, 0, 0, 0, 1, 0]
    assert found.flags("region_us").tolist()[0] == 1


def test_region__shares_a_field_between_spellings_of_one_name():
    found = catalog({"regions": ["Eu-West-1"]}, {"regions": ["eu_west_1"]}, {"geo": ["US-GOV"]}, {"geo": ["us-gov"]})
    assert found.flags("region_eu_west_1").tolist() == [1, 1, -1, -1]
    assert found.flags("region_us_gov").tolist() == [-1, -1, 1, 1]
    assert place_name("Süd 1") == "s_d_1"


def test_price_facts__know_a_price_of_nothing_from_no_price():
    found = catalog({"price_in": 0, "price_out": -0.0}, {"price_in": 0, "price_out": 1}, {"price_in": 0}, {})
    assert found.flags("priced").tolist() == [1, 1, 0, 0]
    assert found.flags("price_zero_listed").tolist() == [1, 0, -1, -1]


DATED = (
    {"deprecation_date": "2026-11-23", "release_date": "2026-11-13"},
    {"deprecation_date": "2026-11-24", "status": "deprecated"},
    {"status": "deprecated"},
    {"status": "beta", "release_date": "2026-11-24"},
    {},
)


def test_date_facts__are_judged_by_the_day_given():
    found = catalog(*DATED, as_of=date(2026, 11, 23))
    assert found.flags("deprecated").tolist() == [1, 0, 1, -1, -1]
    assert catalog(*DATED, as_of=date(2026, 11, 22)).flags("deprecated").tolist() == [0, 0, 1, -1, -1]
    np.testing.assert_array_equal(found.numbers("age_days"), [10, np.nan, np.nan, -1, np.nan])
    assert found.flags("beta").tolist() == [-1, 0, 0, 1, -1]


def test_date_facts__fall_back_to_the_build_date_and_else_are_unknown():
    undated = catalog(*DATED)
    assert undated.flags("deprecated").tolist() == [-1, 1, 1, -1, -1]
    assert np.isnan(undated.numbers("age_days")).all()
    built = Catalog.from_table(undated.table, built=date(2026, 11, 23))
    assert built.flags("deprecated").tolist() == [1, 0, 1, -1, -1]
    assert Catalog.from_table(undated.table, built=date(2026, 11, 23), as_of=date(2026, 11, 25)).flags(
        "deprecated"
    ).tolist() == [1, 1, 1, -1, -1]


@pytest.mark.parametrize(
    ("field", "column", "expected"),
    [
        ("trains_on_data_no", "trains_on_data", {"no": 1, "yes": 0, "tier_dependent": -1, "upstream_dependent": -1}),
        ("zdr_available", "zdr", {"default": 1, "self_serve": 1, "approval": 0, "none": 0, "conditional": -1, "?": -1}),
        ("zdr_default", "zdr", {"default": 1, "self_serve": 0, "approval": 0, "none": 0, "conditional": 0, "?": -1}),
        ("chat_mode", "mode", {"chat": 1, "completion": 0, "responses": 0}),
    ],
)
def test_labels__are_true_false_or_unknown(field, column, expected):
    found = catalog(*({column: label} for label in expected), {})
    assert found.flags(field).tolist() == [*expected.values(), -1]


def test_zero_retention__of_a_gateway_is_unknown_where_its_upstream_decides():
    gateway = {"trains_on_data": "upstream_dependent"}
    found = catalog({"zdr": "default"} | gateway, {"zdr": "self_serve"} | gateway, {"zdr": "none"} | gateway)
    assert found.flags("zdr_available").tolist() == [-1, -1, 0]
    assert found.flags("zdr_default").tolist() == [-1, 0, 0]


def test_labels__are_unknown_where_a_declaration_made_the_column_a_bool():
    found = catalog({"zdr": True}, {"zdr": False}, fields={"zdr": {"sort": "Bool", "default": False}})
    assert found.flags("zdr").tolist() == [1, 0]
    assert found.flags("zdr_available").tolist() == [-1, -1]


COLUMNS = {
    "doubles": [1.5, 2.0, float("inf"), 0.0, 7.25] * 9,
    "doubles with gaps": [None, 2.0, None, 0.0, 7.25] * 9,
    "integers": [2**53, -1, 0, 3, 4] * 9,
    "integers with gaps": [2**53, None, 0, None, 4] * 9,
    "bools": [True, False, False, True, True] * 9,
    "bools with gaps": [None, False, True, None, True] * 9,
    "texts": ["a", "b", "a", "c", "b"] * 9,
    "texts with gaps": ["a", None, "a", None, "b"] * 9,
    "nothing": [None] * 45,
}


@pytest.mark.parametrize("name", COLUMNS)
@pytest.mark.parametrize(("first", "count"), [(0, 45), (0, 0), (3, 0), (3, 42), (9, 20), (16, 1), (0, 8)])
@pytest.mark.parametrize("parts", [1, 3])
def test_values__are_read_of_any_part_of_a_column(name, first, count, parts):
    values = COLUMNS[name]
    kind = pa.float64() if name == "nothing" else None
    whole = pa.array(values, kind)
    array = (whole.dictionary_encode() if name.startswith("texts") else whole).slice(first, count)
    wanted = values[first : first + count]
    if name.startswith("texts"):
        dictionary = array.dictionary.to_pylist()
        codes = code_values(array)
        assert (codes.dtype, [None if code < 0 else dictionary[code] for code in codes]) == (np.int32, wanted)
        return
    step = -(-max(count, 1) // parts)
    column = pa.chunked_array([array.slice(at, step) for at in range(0, max(count, 1), step)], array.type)
    if name.startswith("bools"):
        found = bool_values(column)
        assert (found.dtype, found.tolist()) == (np.int8, [-1 if value is None else int(value) for value in wanted])
    else:
        found = number_values(column)
        assert found.dtype == np.float64
        assert [None if np.isnan(value) else value for value in found] == wanted
