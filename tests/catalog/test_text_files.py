"""JSON and CSV as other tools write them."""

import json
import math

import pytest

from tenantrank.catalog import Catalog, text_files
from tenantrank.errors import CatalogError

RECORD = {"offer_id": "a", "provider_id": "p", "model_family": "m"}


def from_json(value):
    return text_files.read_json(json.dumps(value).encode(), None)


def from_csv(text):
    return text_files.read_csv(text.encode(), None)


def test_read_json__takes_a_list_or_an_object_of_records():
    nested = {"id": "a", "provider_id": "p", "model_family": "m", "capabilities": {"supports_tools": True}}
    expected = Catalog.from_records([nested]).catalog_id
    assert from_json([nested]).catalog_id == expected
    assert from_json({"offers": [nested]}).catalog_id == expected
    declared = from_json({"offers": [nested], "fields": {"vip": {"sort": "Bool"}}, "tier_order": ["x"]})
    assert declared.fields.tier_order == ("x",)
    assert declared.fields["vip"].sort == "Bool"


def test_read_json__refuses_other_values():
    for value in (
        {},
        {"offers": {}},
        "offers",
        3,
        {"offers": [], "columns": {"x": "text"}},
        {"offers": [], "format": "x"},
    ):
        with pytest.raises(CatalogError):
            from_json(value)
    with pytest.raises(ValueError, match="NaN is not a JSON number"):
        text_files.read_json(b'[{"offer_id": "a", "price_in": NaN}]', None)
    with pytest.raises(ValueError, match="duplicate key 'no_log'"):
        text_files.read_json(b'[{"offer_id": "a", "no_log": false, "no_log": true}]', None)
    with pytest.raises(ValueError, match="integer 9007199254740992 is outside"):
        text_files.read_json(b'[{"offer_id": "a", "context": 9007199254740992}]', None)
    with pytest.raises(CatalogError, match="but the file says"):
        from_json({"offers": [RECORD], "catalog_id": "0" * 64})


def test_write_json__is_plain_json_with_an_offer_a_line():
    catalog = Catalog.from_records(
        [RECORD | {"price_in": math.inf, "lab": "ü"}, RECORD | {"offer_id": "b", "own": None}]
    )
    text = text_files.write_json(catalog).decode()
    document = json.loads(text, parse_constant=pytest.fail)
    assert document["offers"] == [RECORD | {"lab": "ü", "price_in": "inf"}, RECORD | {"offer_id": "b"}]
    assert document["catalog_id"] == catalog.catalog_id
    assert sum('"offer_id"' in line for line in text.splitlines()) == 2


@pytest.mark.parametrize("context", [2**53, -(2**53)])
def test_write_json__refuses_a_whole_number_that_reading_refuses(context):
    text_files.write_json(Catalog.from_records([RECORD | {"context": 2**53 - 1}]))
    with pytest.raises(CatalogError, match="column 'context': JSON cannot hold a whole number beyond"):
        text_files.write_json(Catalog.from_records([RECORD | {"context": context}]))


def test_read_csv__reads_documented_columns_by_their_kind():
    catalog = from_csv(
        "offer_id,provider_id,model_family,price_in,no_log,regions,release_date,context,lab\r\n"
        "a,1,2,.5,true,eu|us,2026-01-02,8000,\r\n"
        'b,1,2,inf,,,,,""\r\n'
    )
    first, second = catalog.table.to_pylist()
    assert (first["provider_id"], first["price_in"], first["no_log"], first["context"]) == ("1", 0.5, True, 8000)
    assert (first["regions"], str(first["release_date"]), first["lab"]) == (["eu", "us"], "2026-01-02", None)
    assert (second["price_in"], second["no_log"], second["regions"], second["lab"]) == (math.inf, None, None, "")


def test_read_csv__lets_the_cells_of_an_unmarked_column_decide():
    catalog = from_csv("offer_id,provider_id,model_family,x,y,z,w::string\na,p,m,1,true,1,1\nb,p,m,-2e3,,two,2\n")
    assert catalog.numbers("x").tolist() == [1.0, -2000.0]
    assert catalog.flags("y").tolist() == [1, -1]
    assert catalog.strings("z")[1] == ("1", "two")
    assert catalog.strings("w")[1] == ("1", "2")


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        ({"price_in": "cheap"}, "column 'price_in' in row 0: expected double, got 'cheap'"),
        ({"price_in": "nan"}, "column 'price_in' in row 0: expected double"),
        ({"no_log": "yes"}, "column 'no_log' in row 0: expected bool, got 'yes'"),
        ({"context": "8000.5"}, "column 'context' in row 0: expected int64"),
        ({"release_date": "soon"}, "column 'release_date' in row 0: expected date32"),
        ({"own::double": "x"}, "column 'own' in row 0: expected double"),
    ],
)
def test_read_csv__refuses_a_cell_that_its_column_cannot_hold(cells, words):
    cells = RECORD | cells
    with pytest.raises(CatalogError) as caught:
        from_csv(f"{','.join(cells)}\n{','.join(cells.values())}\n")
    assert words in str(caught.value)


def test_read_csv__shows_no_more_of_a_cell_than_fits_a_line():
    with pytest.raises(CatalogError) as caught:
        from_csv(f"offer_id,price_in\na,{'x' * 10**6}\n")
    assert str(caught.value).endswith("xxx…")
    assert len(str(caught.value)) < 250


def test_read_csv__refuses_broken_files():
    with pytest.raises(CatalogError, match="the last line does not end"):
        from_csv("offer_id,provider_id,model_family\na,p,m")
    with pytest.raises(CatalogError, match="names a column twice"):
        from_csv("offer_id,provider_id,model_family,lab,lab\na,p,m,x,y\n")
    with pytest.raises(CatalogError, match="'own' occurs twice"):
        from_csv("offer_id,provider_id,model_family,own,own::double\na,p,m,1,2\n")
    with pytest.raises(ValueError, match="columns"):
        from_csv("offer_id,provider_id,model_family\na,p\n")


def test_write_csv__marks_the_kind_of_further_columns_and_quotes_what_needs_it():
    catalog = Catalog.from_records([RECORD | {"own": 1.5, "lab": 'x,"y"', "geo": ["eu", "uk"]}])
    header, row = text_files.write_csv(catalog).decode().splitlines()
    assert header == "offer_id,provider_id,model_family,lab,geo,own::double"
    assert row == '"a","p","m","x,""y""","eu|uk",1.5'


@pytest.mark.parametrize("places", [[], [""], ["a|b"]])
def test_write_csv__refuses_lists_that_it_could_not_read_back(places):
    with pytest.raises(CatalogError, match="column 'geo': CSV cannot hold"):
        text_files.write_csv(Catalog.from_records([RECORD | {"geo": places}]))
