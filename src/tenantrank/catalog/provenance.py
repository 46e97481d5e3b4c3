"""Where each value comes from: a side table beside the offers, and its form inside a catalog file."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tenantrank.errors import CatalogError

_NAME = pa.dictionary(pa.int32(), pa.string())
SCHEMA = pa.schema(
    [pa.field("offer_id", pa.string()), pa.field("column", _NAME), pa.field("source", _NAME), pa.field("as_of", _NAME)]
)
"""Columns of a provenance table; ``as_of`` is text, for sources date themselves in several ways, and may be null."""

_PARTS = ("column", "source", "as_of")


def canonical_provenance(table: pa.Table, offer_ids: pa.ChunkedArray) -> pa.Table:
    """Bring a provenance table into the catalog's form.

    Parameters
    ----------
    table
        columns ``offer_id``, ``column``, ``source`` and optionally ``as_of``: strings, or dates for ``as_of``
    offer_ids
        the catalog's offers in order

    Returns
    -------
    pa.Table
        with `SCHEMA`, by offer in catalog order; rows of one offer keep their order

    Raises
    ------
    CatalogError
        for a missing column, or a row whose offer is not in the catalog or whose column or source is null
    """
    missing = [name for name in ("offer_id", "column", "source") if name not in table.column_names]
    if missing:
        raise CatalogError(f"provenance has no column {missing[0]!r}")
    given = {name: _text(table, name) for name in ("offer_id", *_PARTS)}
    rows = _positions(given["offer_id"], offer_ids)
    for name in ("column", "source"):
        if given[name].null_count:
            raise CatalogError(f"provenance names no {name} in row {pc.index(pc.is_null(given[name]), True).as_py()}")
    order = np.argsort(rows, kind="stable")
    return _table({name: array.take(pa.array(order)) for name, array in given.items()})


def nest(provenance: pa.Table, offer_ids: pa.ChunkedArray) -> pa.Array:
    """Give a canonical provenance table as one list of (column, source, as_of) an offer, for a column of a file."""
    rows = _positions(provenance["offer_id"].combine_chunks(), offer_ids)
    counts = np.bincount(rows, minlength=len(offer_ids))
    offsets = np.concatenate(([0], np.cumsum(counts))).astype(np.int32)
    parts = [_plain(provenance[name]) for name in _PARTS]
    return pa.ListArray.from_arrays(pa.array(offsets), pa.StructArray.from_arrays(parts, names=list(_PARTS)))


def unnest(nested: pa.ChunkedArray, offer_ids: pa.ChunkedArray) -> pa.Table:
    """Undo `nest`."""
    lists = nested.combine_chunks()
    parents = pc.list_parent_indices(lists)
    items = pc.list_flatten(lists)
    columns = {"offer_id": offer_ids.combine_chunks().take(parents)}
    return _table(columns | {name: pc.struct_field(items, name) for name in _PARTS})


def replace_rows(provenance: pa.Table | None, replaced: Mapping[str, pa.Array], rows: pa.Table) -> pa.Table:
    """Give a provenance table without what was said of some values, and with other rows for them at its end.

    Parameters
    ----------
    provenance
        the table so far
    replaced
        by column, the ids of the offers whose value there is replaced
    rows
        the new rows, with the columns of `SCHEMA`
    """
    rows = _table({name: _text(rows, name) for name in SCHEMA.names})
    if provenance is None:
        return rows
    drop = np.zeros(provenance.num_rows, dtype=bool)
    for column, offers in replaced.items():
        said = pc.and_(pc.equal(provenance["column"], column), pc.is_in(provenance["offer_id"], offers))
        drop |= pc.fill_null(said, False).to_numpy()
    return pa.concat_tables([provenance.filter(pa.array(~drop)), rows]).unify_dictionaries()


def _positions(offers: pa.Array, offer_ids: pa.ChunkedArray) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    found = pc.index_in(offers, offer_ids.combine_chunks())
    if found.null_count:
        unknown = offers[pc.index(pc.is_null(found), True).as_py()].as_py()
        raise CatalogError(f"provenance names offer {unknown!r}, which is not in the catalog")
    return found.to_numpy().astype(np.int64)  # type: ignore[no-any-return]


def _text(table: pa.Table, name: str) -> pa.Array:
    if name not in table.column_names:
        return pa.nulls(table.num_rows, pa.string())
    return _plain(table[name])


def _plain(column: pa.ChunkedArray) -> pa.Array:
    array = column.combine_chunks()
    if isinstance(array, pa.ChunkedArray):
        array = pa.concat_arrays(array.chunks) if array.num_chunks else pa.array([], array.type)
    return (array.dictionary_decode() if pa.types.is_dictionary(array.type) else array).cast(pa.string())


def _table(columns: Mapping[str, pa.Array]) -> pa.Table:
    arrays = [columns[name] if name == "offer_id" else columns[name].dictionary_encode() for name in SCHEMA.names]
    return pa.table(arrays, schema=SCHEMA)
