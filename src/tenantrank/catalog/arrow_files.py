"""Catalogs as Parquet and as Arrow IPC: everything in one file, and the id in it proves that it is whole.

The offers are the file's columns. The schema's metadata holds one JSON text under ``tenantrank`` (format, id, tier
order, declared fields, build date, sources). Provenance is one more column, ``__provenance__``, a list of (column,
source, as_of) an offer, which is decoded only when it is asked for. A file without that metadata is read as a plain
table of offers.
"""

from __future__ import annotations

import dataclasses
import io
import json
from collections.abc import Callable
from datetime import date

import pyarrow as pa
import pyarrow.parquet as pq

from tenantrank.catalog.catalog import Catalog
from tenantrank.catalog.metadata import FORMAT, Metadata, marked_days
from tenantrank.catalog.provenance import nest, unnest
from tenantrank.catalog.tables import canonical_table
from tenantrank.errors import CatalogError
from tenantrank.policy import strict_json

KEY = b"tenantrank"
PROVENANCE = "__provenance__"


def write_parquet(catalog: Catalog) -> bytes:
    """Give a catalog as the bytes of a Parquet file with page checksums."""
    sink = io.BytesIO()
    pq.write_table(_file_table(catalog), sink, compression="zstd", write_page_checksum=True)
    return sink.getvalue()


def read_parquet(content: bytes, as_of: date | None) -> Catalog:
    """Read a Parquet file.

    Raises
    ------
    CatalogError
        for content that is no catalog or differs from what was written; Arrow's own errors for a damaged file
    """
    file = pq.ParquetFile(pa.BufferReader(content), page_checksum_verification=True)
    names = [name for name in file.schema_arrow.names if name != PROVENANCE]
    table = file.read(columns=names)

    def provenance() -> pa.ChunkedArray:
        return file.read(columns=[PROVENANCE])[PROVENANCE]

    has_provenance = PROVENANCE in file.schema_arrow.names
    return _catalog(table, file.schema_arrow.metadata, provenance if has_provenance else None, as_of)


def write_ipc(catalog: Catalog) -> bytes:
    """Give a catalog as the bytes of an Arrow IPC file (Feather version 2)."""
    table = _file_table(catalog)
    sink = io.BytesIO()
    with pa.ipc.new_file(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
        writer.write_table(table)
    return sink.getvalue()


def read_ipc(content: bytes, as_of: date | None) -> Catalog:
    """Read an Arrow IPC file or stream.

    Raises
    ------
    CatalogError
        for content that is no catalog or differs from what was written; Arrow's own errors for a damaged file
    """
    open_ = pa.ipc.open_file if content.startswith(b"ARROW1") else pa.ipc.open_stream
    schema = open_(pa.BufferReader(content)).schema
    fields = [position for position, name in enumerate(schema.names) if name != PROVENANCE]

    def read(included: list[int]) -> pa.Table:
        options = pa.ipc.IpcReadOptions(included_fields=included)
        table = open_(pa.BufferReader(content), options=options).read_all()
        table.validate(full=True)
        return table

    def provenance() -> pa.ChunkedArray:
        return read([schema.names.index(PROVENANCE)])[PROVENANCE]

    has_provenance = PROVENANCE in schema.names
    return _catalog(read(fields), schema.metadata, provenance if has_provenance else None, as_of)


def _file_table(catalog: Catalog) -> pa.Table:
    table = catalog.table
    if catalog.provenance is not None:
        table = table.append_column(PROVENANCE, nest(catalog.provenance, table["offer_id"]))
    stated = {"format": FORMAT, "catalog_id": catalog.catalog_id, "offers": len(catalog), **catalog.metadata.to_json()}
    return table.replace_schema_metadata({KEY: json.dumps(stated, allow_nan=False).encode()})


def _catalog(
    table: pa.Table,
    stated: dict[bytes, bytes] | None,
    provenance: Callable[[], pa.ChunkedArray] | None,
    as_of: date | None,
) -> Catalog:
    header = strict_json.loads((stated or {}).get(KEY, b"{}"))
    if not isinstance(header, dict) or header.get("format", FORMAT) != FORMAT:
        raise CatalogError(f"the file's format is not {FORMAT}")
    metadata = Metadata.from_json(header)
    since, until = marked_days(stated)
    metadata = dataclasses.replace(
        metadata, holds_from=metadata.holds_from or since, holds_until=metadata.holds_until or until
    )
    canonical = canonical_table(table, metadata.declared)

    def side_table() -> pa.Table | None:
        if provenance is None:
            return None
        try:
            return unnest(provenance(), canonical["offer_id"])
        except (pa.ArrowException, OSError, ValueError) as error:
            raise CatalogError(
                f"the provenance of catalog {header.get('catalog_id')} cannot be read: {error}"
            ) from None

    catalog = Catalog(canonical, metadata, as_of, side_table)
    check_identity(catalog, header.get("catalog_id"))
    return catalog


def check_identity(catalog: Catalog, stated: object) -> None:
    """Refuse a catalog whose content is not what its file says it is.

    Raises
    ------
    CatalogError
        where an id is stated and is not the content's
    """
    if stated is not None and stated != catalog.catalog_id:
        raise CatalogError(f"the content's id is {catalog.catalog_id}, but the file says {stated}")
