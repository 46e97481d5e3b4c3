"""One form for every catalog's table: documented columns first, one chunk each, values checked.

Whatever file or library a table comes from, equal content becomes an equal table here; the catalog's id, its fields and
its accessors rest on that.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from tenantrank.catalog.schema import BY_NAME, CAPABILITY_PREFIX, COLUMNS, FIXED, Kind, arrow_type, kind_of_type
from tenantrank.errors import CatalogError
from tenantrank.policy.admission import shown
from tenantrank.policy.signature import Field

_SORT_KINDS: Mapping[str, tuple[Kind, ...]] = {"Bool": ("bool",), "Num": ("double", "int64")}


def kind_of_column(name: str, declared: Mapping[str, Field]) -> Kind | None:
    """Give the kind a column must have, or ``None`` where its values decide.

    A documented column has its documented kind, unless a field of that name is declared with another sort: the
    operator's declaration then decides (``zdr`` as a Bool, say), except for the columns of `FIXED`, which the package
    itself reads.

    Raises
    ------
    CatalogError
        for a declaration that would change the kind of such a column
    """
    column, field = BY_NAME.get(name), declared.get(name)
    if field is None:
        if column is not None:
            return column.kind
        return "bool" if name.startswith((CAPABILITY_PREFIX, "supports_")) else None
    kinds = _SORT_KINDS[field.sort]
    if column is None:
        return kinds[0]
    if column.kind in kinds:
        return column.kind
    if name in FIXED:
        raise CatalogError(f"field {name!r} cannot be declared as {field.sort}: the column holds {column.kind} values")
    return kinds[0]


def canonical_table(table: pa.Table, declared: Mapping[str, Field]) -> pa.Table:
    """Bring a table into the catalog's form.

    Parameters
    ----------
    table
        columns by their documented names; strings plain or dictionary-encoded, numbers of any width, any chunking
    declared
        the fields that the operator declares, by name

    Returns
    -------
    pa.Table
        the documented columns in their order, then the others by name; strings as int32 dictionary codes in order of
        first appearance, an empty ``tier`` as null; further numeric columns as doubles; −0.0 as 0.0; rows in the order
        given

    Raises
    ------
    CatalogError
        naming column and offer, for a duplicate column, a type that the column cannot hold, NaN, −inf, a null inside a
        list, a null or empty key, or an ``offer_id`` that occurs twice; and for a table that Arrow calls invalid
    """
    try:
        table.validate(full=True)
    except pa.ArrowInvalid as error:
        raise CatalogError(f"the table is damaged: {' '.join(str(error).split())}") from None
    names = table.column_names
    if len(set(names)) != len(names):
        raise CatalogError(f"column {shown(next(n for n in names if names.count(n) > 1))} occurs twice")
    given = set(names)
    if "offer_id" not in given:
        raise CatalogError("column 'offer_id' is missing")
    ids = _keys(_one_array(table.column("offer_id")))
    columns: dict[str, pa.Array] = {"offer_id": ids}
    for column in COLUMNS[1:]:
        name = column.name
        kind = kind_of_column(name, declared) or column.kind
        if name in given:
            columns[name] = _column(name, table.column(name), kind, ids)
        elif column.required and len(ids):
            raise CatalogError(f"column {shown(name)} is missing")
        else:
            columns[name] = pa.nulls(len(ids), arrow_type(kind))
        if column.required:
            _refuse_where(_is_blank(columns[name]), name, ids, "has no value")
    for name in sorted(given.difference(columns)):
        if not name or name.startswith("__"):
            raise CatalogError(f"column name {shown(name)} is reserved")
        data = table.column(name)
        found = kind_of_column(name, declared) or kind_of_type(data.type)
        if found is None and pa.types.is_null(data.type):
            found = "string"
        if found is None:
            raise CatalogError(f"column {shown(name)} has type {data.type}, which a catalog cannot hold")
        columns[name] = _column(name, data, "double" if found == "int64" else found, ids)
    return pa.table(columns)


def _one_array(data: pa.ChunkedArray) -> pa.Array:
    combined = data.combine_chunks()
    if isinstance(combined, pa.ChunkedArray):
        return pa.concat_arrays(combined.chunks) if combined.num_chunks else pa.array([], combined.type)
    return combined


def _keys(data: pa.Array) -> pa.Array:
    if len(data) and kind_of_type(data.type) != "string":
        raise CatalogError(f"column 'offer_id' has type {data.type}, expected string")
    ids = data.cast(pa.string())
    blank = _is_blank(ids)
    if pc.any(blank).as_py():
        raise CatalogError(f"column 'offer_id' has no value in row {pc.index(blank, True).as_py()}")
    if pc.count_distinct(ids).as_py() != len(ids):
        counts = pc.value_counts(ids)
        twice = counts.field("values").filter(pc.greater(counts.field("counts"), 1))[0].as_py()
        rows = pc.indices_nonzero(pc.equal(ids, twice)).to_pylist()
        raise CatalogError(f"offer_id {shown(twice)} occurs in rows {rows[0]} and {rows[1]}")
    return ids


def _is_blank(data: pa.Array) -> pa.Array:
    if pa.types.is_dictionary(data.type):
        data = data.dictionary_decode()
    return pc.or_(pc.is_null(data), pc.fill_null(pc.equal(data, ""), False))


def _refuse_where(mask: pa.Array, name: str, ids: pa.Array, what: str) -> None:
    if pc.any(mask).as_py():
        row = pc.index(mask, True).as_py()
        raise CatalogError(f"column {shown(name)} {what} in row {row}, offer {shown(ids[row].as_py())}")


def _column(name: str, data: pa.ChunkedArray, kind: Kind, ids: pa.Array) -> pa.Array:
    if data.null_count == len(data):
        return pa.nulls(len(ids), arrow_type(kind))
    found = kind_of_type(data.type)
    if found != kind and not (found in ("int64", "double") and kind in ("int64", "double")):
        raise CatalogError(f"column {shown(name)} has type {data.type}, expected {kind}")
    array = _one_array(data)
    if kind == "string":
        plain = array.dictionary_decode() if pa.types.is_dictionary(array.type) else array
        text = plain.cast(pa.string())
        if name == "tier":  # the language reads a tier of no letters as none
            text = pc.if_else(pc.equal(text, ""), pa.scalar(None, pa.string()), text)
        return text.dictionary_encode()
    if kind == "list":
        return _list(name, array, ids)
    try:
        cast = array.cast(arrow_type(kind))
    except pa.ArrowInvalid:
        cast = array.cast(arrow_type(kind), safe=False)
        kept = pc.equal(cast.cast(array.type, safe=False), array)
        _refuse_where(pc.invert(pc.fill_null(kept, True)), name, ids, f"is not exact as {kind}")
        raise CatalogError(f"column {shown(name)} of type {array.type} does not fit {kind}") from None
    return _double(name, cast, ids) if kind == "double" else cast


def _list(name: str, array: pa.Array, ids: pa.Array) -> pa.Array:
    lists = array.cast(arrow_type("list"))
    if pc.list_flatten(lists).null_count:
        parents = pc.list_parent_indices(lists).filter(pc.is_null(pc.list_flatten(lists)))
        row = parents[0].as_py()
        raise CatalogError(
            f"column {shown(name)} holds a null inside the list in row {row}, offer {shown(ids[row].as_py())}"
        )
    return lists


def _double(name: str, array: pa.Array, ids: pa.Array) -> pa.Array:
    _refuse_where(pc.fill_null(pc.is_nan(array), False), name, ids, "is NaN")
    _refuse_where(pc.fill_null(pc.equal(array, -math.inf), False), name, ids, "is -inf")
    return pc.add(array, 0.0)  # -0.0 + 0.0 is 0.0
