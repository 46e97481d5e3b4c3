"""The side table of sources: checked, ordered, nested for a file and back."""

from datetime import date

import pyarrow as pa
import pytest

from tenantrank.catalog.provenance import SCHEMA, canonical_provenance, nest, replace_rows, unnest
from tenantrank.errors import CatalogError

OFFERS = pa.chunked_array([["a", "b", "c"]])


def said(*rows):
    return pa.table({name: [row[place] for row in rows] for place, name in enumerate(SCHEMA.names)})


ROWS = said(
    ("c", "price_in", "list", "2026-11-12"),
    ("a", "no_log", "policy", None),
    ("c", "context", "list", "2026-11-12"),
    ("c", "context", "other", "2026-01..2026-03"),
)


def test_canonical_provenance__is_by_offer_and_keeps_the_order_within_one():
    table = canonical_provenance(ROWS, OFFERS)
    assert table.schema == SCHEMA
    assert table["offer_id"].to_pylist() == ["a", "c", "c", "c"]
    assert table["column"].to_pylist() == ["no_log", "price_in", "context", "context"]
    assert table["as_of"].to_pylist() == [None, "2026-11-12", "2026-11-12", "2026-01..2026-03"]


def test_canonical_provenance__takes_dates_and_no_dates():
    dated = ROWS.set_column(3, "as_of", pa.array([date(2026, 1, 2), None, None, None]))
    assert canonical_provenance(dated, OFFERS)["as_of"].to_pylist() == [None, "2026-01-02", None, None]
    assert canonical_provenance(ROWS.drop_columns("as_of"), OFFERS)["as_of"].null_count == 4


def test_canonical_provenance__refuses_what_it_cannot_place():
    with pytest.raises(CatalogError, match="no column 'source'"):
        canonical_provenance(ROWS.drop_columns("source"), OFFERS)
    with pytest.raises(CatalogError, match="offer 'd', which is not in the catalog"):
        canonical_provenance(said(("d", "x", "y", None)), OFFERS)
    with pytest.raises(CatalogError, match="names no source in row 1"):
        canonical_provenance(said(("a", "x", "y", None), ("a", "x", None, None)), OFFERS)


@pytest.mark.parametrize("rows", [ROWS, ROWS.slice(0, 0)])
def test_nest__is_undone_by_unnest(rows):
    table = canonical_provenance(rows, OFFERS)
    nested = nest(table, OFFERS)
    assert len(nested) == len(OFFERS)
    assert unnest(pa.chunked_array([nested]), OFFERS).equals(table)


def test_replace_rows__drops_what_was_said_of_the_same_values_only():
    table = canonical_provenance(ROWS, OFFERS)
    after = replace_rows(table, {"context": pa.array(["c", "a"])}, said(("c", "context", "overlay:x", None)))
    rows = [(row["offer_id"], row["column"], row["source"]) for row in after.to_pylist()]
    assert rows == [("a", "no_log", "policy"), ("c", "price_in", "list"), ("c", "context", "overlay:x")]
    assert replace_rows(None, {}, said(("c", "x", "y", None))).num_rows == 1
