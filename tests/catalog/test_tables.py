"""Any table of offers comes to one form, or is refused with the column and the offer."""

import math

import pyarrow as pa
import pytest

from tenantrank.catalog.schema import COLUMNS
from tenantrank.catalog.tables import canonical_table, kind_of_column
from tenantrank.errors import CatalogError
from tenantrank.policy.signature import Field


def offers(**columns):
    base = {"offer_id": ["a", "b"], "provider_id": ["p", "q"], "model_family": ["m", "m"]}
    return pa.table(base | columns)


def test_canonical_table__holds_documented_columns_first_and_the_others_by_name():
    table = canonical_table(offers(zeta=[1, 2], alpha=[True, None], price_in=[1, 2]), {})
    assert table.column_names == [column.name for column in COLUMNS] + ["alpha", "zeta"]
    assert table["zeta"].type == pa.float64()
    assert table["price_in"].to_pylist() == [1.0, 2.0]
    assert table["no_log"].null_count == 2


def test_canonical_table__refuses_text_that_is_not_utf8():
    offsets = pa.array([0, 1, 1], pa.int32()).buffers()[1]
    broken = pa.Array.from_buffers(pa.string(), 2, [None, offsets, pa.py_buffer(b"\xff")])
    with pytest.raises(CatalogError, match=r"the table is damaged: .*UTF8"):
        canonical_table(offers(lab=broken), {})


def test_canonical_table__is_the_same_for_any_encoding_and_chunking():
    plain = offers(lab=["x", None], context=[8, None], regions=[["eu"], None], geo=[[], ["us", "eu"]])
    wide = plain.cast(
        pa.schema([pa.field(f.name, pa.large_string() if f.type == pa.string() else f.type) for f in plain.schema])
    ).set_column(4, "context", pa.array([8.0, None], pa.float32()))
    unused = pa.DictionaryArray.from_arrays(pa.array([2, None], pa.int8()), pa.array(["unused", "other", "x"]))
    encoded = plain.set_column(3, "lab", unused)
    chunked = pa.concat_tables([plain.slice(0, 1), plain.slice(1)])
    expected = canonical_table(plain, {})
    assert expected["lab"].chunk(0).dictionary.to_pylist() == ["x"]
    for other in (wide, encoded, chunked):
        table = canonical_table(other, {})
        assert table.equals(expected)
        assert table["lab"].chunk(0).dictionary.to_pylist() == ["x"]


def test_canonical_table__turns_minus_zero_into_zero_and_keeps_infinity():
    values = canonical_table(offers(price_in=[-0.0, math.inf]), {})["price_in"].to_pylist()
    assert math.copysign(1, values[0]) == 1
    assert values[1] == math.inf


def test_canonical_table__accepts_no_offers():
    assert canonical_table(pa.table({"offer_id": pa.array([], pa.string())}), {}).num_rows == 0
    assert canonical_table(offers().slice(0, 0), {}).num_rows == 0


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"price_in": [1.0, math.nan]}, ["price_in", "NaN", "row 1", "'b'"]),
        ({"bench": [-math.inf, 0.0]}, ["bench", "-inf", "row 0", "'a'"]),
        ({"offer_id": ["a", "a"]}, ["offer_id", "'a'", "rows 0 and 1"]),
        ({"offer_id": ["a", None]}, ["offer_id", "row 1"]),
        ({"offer_id": ["", "b"]}, ["offer_id", "row 0"]),
        ({"offer_id": [1, 2]}, ["offer_id", "int64", "string"]),
        ({"provider_id": ["p", None]}, ["provider_id", "row 1", "'b'"]),
        ({"model_family": ["", "m"]}, ["model_family", "row 0", "'a'"]),
        ({"no_log": ["yes", "no"]}, ["no_log", "string", "bool"]),
        ({"price_in": [True, False]}, ["price_in", "bool", "double"]),
        ({"lab": [1, 2]}, ["lab", "int64", "string"]),
        ({"regions": ["eu", "us"]}, ["regions", "string", "list"]),
        ({"context": [1.5, 2.0]}, ["context", "int64", "row 0", "'a'"]),
        ({"price_out": [2**60 + 1, 1]}, ["price_out", "double", "row 0"]),
        ({"regions": [["eu"], ["us", None]]}, ["regions", "null", "row 1", "'b'"]),
        ({"blob": [b"x", b"y"]}, ["blob", "binary"]),
        ({"supports_flying": ["y", "n"]}, ["supports_flying", "bool"]),
        ({"__provenance__": [1, 2]}, ["__provenance__", "reserved"]),
    ],
)
def test_canonical_table__refuses_and_names_the_fault(columns, words):
    with pytest.raises(CatalogError) as caught:
        canonical_table(offers(**columns), {})
    assert all(word in str(caught.value) for word in words), str(caught.value)


def test_canonical_table__refuses_missing_keys_and_repeated_columns():
    with pytest.raises(CatalogError, match="'offer_id' is missing"):
        canonical_table(pa.table({"provider_id": ["p"]}), {})
    with pytest.raises(CatalogError, match="'model_family' is missing"):
        canonical_table(offers().drop_columns("model_family"), {})
    with pytest.raises(CatalogError, match="'lab' occurs twice"):
        canonical_table(offers(lab=["x", "y"]).append_column("lab", pa.array(["x", "y"])), {})


def test_canonical_table__shows_no_more_of_a_name_or_an_id_than_fits_a_line():
    long = "x" * 10**6
    tables = [
        offers(**{long: pa.array([b"a", b"b"])}),
        offers(**{long: [math.nan, 1.0]}),
        offers(offer_id=[long, long]),
        offers(offer_id=[long, "b"], price_in=[math.nan, 1.0]),
        offers(offer_id=[long, "b"], regions=[[None], []]),
        pa.Table.from_arrays([pa.array(["a"])] * 3, ["offer_id", long, long]),
    ]
    for table in tables:
        with pytest.raises(CatalogError) as caught:
            canonical_table(table, {})
        assert len(str(caught.value)) < 250


def test_kind_of_column__follows_a_declaration_unless_the_package_reads_the_column_itself():
    zdr, depth = Field("zdr", "Bool", False), Field("context", "Bool", False)
    assert kind_of_column("zdr", {}) == "string"
    assert kind_of_column("zdr", {"zdr": zdr}) == "bool"
    assert kind_of_column("max_output", {"max_output": Field("max_output", "Num", 0.0)}) == "int64"
    assert kind_of_column("own", {"own": Field("own", "Num", 0.0)}) == "double"
    assert kind_of_column("own", {}) is None
    with pytest.raises(CatalogError, match="'context' cannot be declared as Bool"):
        kind_of_column("context", {"context": depth})
