"""Catalogs as JSON records and as CSV, for people and other tools.

JSON is an object with ``offers`` (a list of records) beside the metadata, or the list of records alone. CSV has a
header and a row an offer: null is an empty cell, an empty string is ``""``, a list is joined by ``|``, and the header
of a column that is not a documented one ends in ``::`` and its kind, so that nothing is guessed when it is read back.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from tenantrank.catalog.arrow_files import check_identity
from tenantrank.catalog.catalog import Catalog
from tenantrank.catalog.metadata import FORMAT, Metadata
from tenantrank.catalog.records import table_of_records
from tenantrank.catalog.schema import BY_NAME, KINDS, Kind, arrow_type, kind_of_type
from tenantrank.catalog.tables import canonical_table
from tenantrank.errors import CatalogError
from tenantrank.policy import strict_json
from tenantrank.policy.admission import shown
from tenantrank.policy.signature import Field, Sort

LIST_SEPARATOR = "|"
_EXACT = strict_json.MAX_INTEGER
KIND_MARK = "::"
_DECLARED: Mapping[str, tuple[Sort, float | bool]] = {"bool": ("Bool", False), "double": ("Num", 0.0)}
"""What the mark on a documented column of another kind declares."""


def write_json(catalog: Catalog) -> bytes:
    """Give a catalog as UTF-8 JSON, one offer a line; nulls are left out and infinite numbers are ``"inf"``.

    Raises
    ------
    CatalogError
        for a whole number beyond ±(2^53 − 1), which not every JSON reader reads as it is
    """
    head = {
        "format": FORMAT,
        "catalog_id": catalog.catalog_id,
        **catalog.metadata.to_json(),
        "columns": {name: _kind(catalog.table, name) for name in catalog.table.column_names if _marked(catalog, name)},
    }
    opening = json.dumps(head, ensure_ascii=False, allow_nan=False, indent=1).removesuffix("\n}")
    offers = ",\n  ".join(json.dumps(offer, ensure_ascii=False, allow_nan=False) for offer in _records(catalog.table))
    return f'{opening},\n "offers": [\n  {offers}\n ]\n}}\n'.encode()


def read_json(content: bytes, as_of: date | None) -> Catalog:
    """Read JSON records.

    Raises
    ------
    CatalogError
        for content of another form, NaN, or a content that is not what its ``catalog_id`` says; ``ValueError`` for
        text that is no JSON or that two readers could read differently (see `tenantrank.policy.strict_json`)
    """
    document = strict_json.loads(content)
    head = {"offers": document} if isinstance(document, list) else document
    if not isinstance(head, dict) or not isinstance(head.get("offers"), list):
        raise CatalogError("not a list of offers, nor an object with one under 'offers'")
    if head.get("format", FORMAT) != FORMAT:
        raise CatalogError(f"the file's format is not {FORMAT}")
    kinds = head.get("columns") or {}
    if not isinstance(kinds, dict) or not all(kind in KINDS for kind in kinds.values()):
        raise CatalogError("'columns' does not map names to kinds of column")
    metadata = Metadata.from_json(head)
    table = table_of_records(head["offers"], metadata.declared, kinds)
    catalog = Catalog(canonical_table(table, metadata.declared), metadata, as_of)
    check_identity(catalog, head.get("catalog_id"))
    return catalog


def write_csv(catalog: Catalog) -> bytes:
    """Give a catalog's offers as UTF-8 CSV, a line feed after each row; columns without any value are left out.

    Raises
    ------
    CatalogError
        for a list that is empty, or that holds an empty string or the separator; and for a catalog whose overlay ends
        on some day
    """
    if catalog.metadata.holds_until is not None:
        raise CatalogError(
            f"CSV cannot say that the overlay applied to this catalog holds until {catalog.metadata.holds_until}: "
            "save it in another form"
        )
    columns: dict[str, pa.Array] = {}
    for name in catalog.table.column_names:
        column, kind = catalog.table[name], _kind(catalog.table, name)
        marked = _marked(catalog, name)
        if column.null_count == len(column) and not marked and not BY_NAME[name].required:
            continue
        columns[name + KIND_MARK + kind if marked else name] = _cells(name, column, kind)
    sink = io.BytesIO()
    header = io.StringIO()
    csv.writer(header, lineterminator="\n").writerow(columns)
    sink.write(header.getvalue().encode())
    if len(catalog):
        options = pacsv.WriteOptions(include_header=False, quoting_style="needed")
        pacsv.write_csv(pa.table(columns), sink, options)
    return sink.getvalue()


def read_csv(content: bytes, as_of: date | None) -> Catalog:
    """Read CSV with a header of column names.

    A column that is neither documented nor marked with its kind holds bools where all its cells are ``true`` or
    ``false``, else numbers where all are numbers, else strings.

    Raises
    ------
    CatalogError
        for a file that does not end in a line end, or a cell that its column cannot hold
    """
    if not content.endswith((b"\n", b"\r")):
        raise CatalogError("the last line does not end: the file was cut short")
    header = next(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")))
    if len(set(header)) != len(header):
        raise CatalogError("the header names a column twice")
    table = pacsv.read_csv(
        io.BytesIO(content),
        parse_options=pacsv.ParseOptions(newlines_in_values=True),
        convert_options=pacsv.ConvertOptions(
            column_types=dict.fromkeys(header, pa.string()),
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        ),
    )
    columns: dict[str, pa.ChunkedArray] = {}
    declared: dict[str, Field] = {}
    for title in table.column_names:
        name, kind = _unmarked(title)
        if name in columns:
            raise CatalogError(f"column {shown(name)} occurs twice")
        columns[name] = _parsed(name, kind, table[title])
        if name in BY_NAME and kind is not None and kind in _DECLARED and kind != BY_NAME[name].kind:
            declared[name] = Field(name, *_DECLARED[kind])
    return Catalog(canonical_table(pa.table(columns), declared), Metadata(declared), as_of)


def _unmarked(title: str) -> tuple[str, str | None]:
    name, _, kind = title.rpartition(KIND_MARK)
    return (name, kind) if name and kind in KINDS else (title, None)


def _kind(table: pa.Table, name: str) -> Kind:
    kind = kind_of_type(table[name].type)
    assert kind is not None, "a canonical table holds no other type"
    return kind


def _marked(catalog: Catalog, name: str) -> bool:
    return name not in BY_NAME or BY_NAME[name].kind != _kind(catalog.table, name)


def _records(table: pa.Table) -> Iterator[dict[str, Any]]:
    names = [name for name in table.column_names if table[name].null_count < table.num_rows]
    for name in names:
        if pa.types.is_int64(table[name].type) and max(map(abs, pc.min_max(table[name]).as_py().values())) > _EXACT:
            raise CatalogError(f"column {shown(name)}: JSON cannot hold a whole number beyond ±(2^53 − 1)")
    columns = [_json_values(table[name]) for name in names]
    for values in zip(*columns, strict=True):
        yield {name: value for name, value in zip(names, values, strict=True) if value is not None}


def _json_values(column: pa.ChunkedArray) -> list[Any]:
    kind = kind_of_type(column.type)
    if kind == "date32":
        return column.cast(pa.string()).to_pylist()  # type: ignore[no-any-return]
    values: list[Any] = column.to_pylist()
    if kind == "double" and math.inf in values:
        return ["inf" if value == math.inf else value for value in values]
    return values


def _cells(name: str, column: pa.ChunkedArray, kind: Kind) -> pa.ChunkedArray:
    if kind != "list":
        return column.cast(pa.string()) if kind == "string" else column
    lists = column.combine_chunks()
    items = pc.list_flatten(lists)
    bad = pc.or_(pc.equal(items, ""), pc.match_substring(items, LIST_SEPARATOR))
    if pc.any(bad).as_py() or pc.any(pc.equal(pc.list_value_length(lists), 0)).as_py():
        raise CatalogError(
            f"column {shown(name)}: CSV cannot hold an empty list or item, nor one with {LIST_SEPARATOR!r}"
        )
    return pc.binary_join(lists, LIST_SEPARATOR)


def _parsed(name: str, kind: str | None, cells: pa.ChunkedArray) -> pa.ChunkedArray:
    if kind is None:
        kind = BY_NAME[name].kind if name in BY_NAME else _guessed(cells)
    if kind == "string":
        return cells
    if kind == "list":
        return pc.split_pattern(cells, LIST_SEPARATOR)
    good = pc.fill_null(_are_bools(cells) if kind == "bool" else pc.match_substring_regex(cells, _CELLS[kind]), True)
    if not pc.all(good).as_py():
        row = pc.index(good, False).as_py()
        raise CatalogError(f"column {shown(name)} in row {row}: expected {kind}, got {shown(cells[row].as_py())}")
    return cells.cast(arrow_type(kind))  # type: ignore[arg-type]


def _are_bools(cells: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.is_in(cells, pa.array(["true", "false", None]))


_CELLS: Mapping[str, str] = {
    "int64": r"^[+-]?[0-9]{1,18}$",
    "double": r"^([+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?|inf)$",
    "date32": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$",
}


def _guessed(cells: pa.ChunkedArray) -> Kind:
    if cells.null_count == len(cells):
        return "string"
    if pc.all(_are_bools(cells)).as_py():
        return "bool"
    return "double" if pc.all(pc.match_substring_regex(cells, _CELLS["double"])).as_py() else "string"
