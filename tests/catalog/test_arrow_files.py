"""Parquet and IPC: foreign files, the stated id, provenance on demand."""

import io
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tenantrank.catalog import Catalog, arrow_files
from tenantrank.errors import CatalogError

PLAIN = pa.table({"offer_id": ["a", "b"], "provider_id": ["p", "q"], "model_family": ["m", "n"], "price_in": [1, None]})


def parquet(table):
    sink = io.BytesIO()
    pq.write_table(table, sink)
    return sink.getvalue()


def test_read__takes_a_plain_table_of_another_maker():
    expected = Catalog.from_table(PLAIN).catalog_id
    assert arrow_files.read_parquet(parquet(PLAIN), None).catalog_id == expected
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, PLAIN.schema) as writer:
        writer.write_table(PLAIN)
    assert arrow_files.read_ipc(sink.getvalue(), None).catalog_id == expected


def with_header(catalog, **changes):
    table = arrow_files._file_table(catalog)
    header = json.loads(table.schema.metadata[arrow_files.KEY]) | changes
    return parquet(table.replace_schema_metadata({arrow_files.KEY: json.dumps(header).encode()}))


def test_read__refuses_content_that_is_not_what_the_file_says():
    catalog = Catalog.from_table(PLAIN)
    assert arrow_files.read_parquet(with_header(catalog), None).catalog_id == catalog.catalog_id
    with pytest.raises(CatalogError, match=f"id is {catalog.catalog_id}, but the file says 0+"):
        arrow_files.read_parquet(with_header(catalog, catalog_id="0" * 64), None)
    with pytest.raises(CatalogError, match="but the file says"):
        arrow_files.read_parquet(with_header(catalog, tier_order=["other"]), None)
    with pytest.raises(CatalogError, match="format is not tenantrank-catalog/1"):
        arrow_files.read_parquet(with_header(catalog, format="tenantrank-catalog/9"), None)


def test_provenance__is_decoded_when_it_is_asked_for(monkeypatch):
    said = pa.table({"offer_id": ["b"], "column": ["price_in"], "source": ["s"], "as_of": ["2026-11-12"]})
    catalog = Catalog.from_table(PLAIN, provenance=said)
    calls = []
    monkeypatch.setattr(arrow_files, "unnest", lambda *arguments: calls.append(arguments))
    for write, read in (
        (arrow_files.write_parquet, arrow_files.read_parquet),
        (arrow_files.write_ipc, arrow_files.read_ipc),
    ):
        loaded = read(write(catalog), None)
        loaded.numbers("price_in")
        assert not calls
        assert arrow_files.PROVENANCE not in loaded.table.column_names
        assert loaded.provenance is None
        assert calls.pop()[1].to_pylist() == ["a", "b"]


def test_provenance__of_another_shape_is_refused_when_asked_for():
    table = PLAIN.append_column(arrow_files.PROVENANCE, pa.array([1, 2]))
    catalog = arrow_files.read_parquet(parquet(table), None)
    assert len(catalog) == 2
    with pytest.raises(CatalogError, match="the provenance of catalog None cannot be read"):
        catalog.provenance  # noqa: B018
