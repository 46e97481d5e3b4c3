"""Tables of tenants at the edge: each column read once a distinct value, and rows grouped by equal state."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tenantrank.errors import TenantError
from tenantrank.policy import strict_json

Codes = npt.NDArray[np.int64]

CELLS = b"tenantrank"
"""Key in the metadata of an Arrow field that says how the text cells of its column are meant; without it, as CSV."""
JSON = b"json"
"""Under `CELLS`: each cell is the text of one JSON value."""
CSV = b"csv"
"""Under `CELLS`: each cell is the bytes of a CSV cell, of which not all are UTF-8."""
PLAIN = b"plain"
"""Under `CELLS`: each cell is the string itself, not the text of a number, a boolean or a list."""

_FAILURES = (
    ValueError,
    TypeError,
    ArithmeticError,
    LookupError,
    RecursionError,
    NotImplementedError,
    pa.ArrowException,
)
"""What Arrow raises on the way from a cell to a Python value."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Stands for a cell that no tenant field can take; every check refuses it, showing why."""

    why: str

    def __repr__(self) -> str:
        return f"<{self.why}>"


@dataclass(frozen=True, slots=True)
class Cells:
    """One column of a table by distinct value.

    Attributes
    ----------
    codes : int64 (n,), an index into `values` for each row
    values : Python values, ``None`` for null, `Unreadable` for what no field can take
    are_text : whether strings among the values are to be read as the declared type, as CSV gives it
    """

    codes: Codes
    values: Sequence[Any]
    are_text: bool = True


@dataclass(frozen=True, slots=True)
class Column:
    """One declared field of every row.

    Attributes
    ----------
    codes : int64 (n,), an index into `values` for each row
    values : distinct checked values; where a value is not allowed, the error that says so
    bad : bool (n,), rows whose value is an error
    """

    codes: Codes
    values: Sequence[Any]
    bad: npt.NDArray[np.bool_]


def read_column(cells: Cells, check: Callable[[Any], Any]) -> Column:
    """Check each distinct value of a column once.

    Parameters
    ----------
    cells
        the column
    check
        Python value, ``None`` for null, to checked value; raises `TenantError`
    """
    values: list[Any] = []
    for value in cells.values:
        try:
            values.append(check(value))
        except TenantError as error:
            # A traceback keeps every frame it passed through, which many errors cannot afford.
            values.append(error.with_traceback(None))
    is_error = np.array([isinstance(value, TenantError) for value in values], dtype=np.bool_)
    return Column(cells.codes, values, is_error[cells.codes] if len(cells.codes) else np.zeros(0, np.bool_))


def read_cells(table: pa.Table, name: str) -> Cells:
    """Read a column of any Arrow type; one that the table lacks is null in every row.

    Raises nothing for any cell: one that has no Python value, such as text that is not UTF-8, is `Unreadable`.
    """
    if name not in table.column_names:
        return Cells(np.zeros(table.num_rows, np.int64), [None])
    field, column = table.schema.field(name), table.column(name)
    meant: bytes | None = (field.metadata or {}).get(CELLS)
    if getattr(field.type, "extension_name", None) == "arrow.json":
        meant, column = JSON, pa.chunked_array([chunk.storage for chunk in column.chunks], field.type.storage_type)
    elif meant == CSV and pa.types.is_binary(field.type):
        # Nothing looks at the bytes here: a cell that is not UTF-8 is found out where its value is asked for.
        column = pa.chunked_array([chunk.view(pa.string()) for chunk in column.chunks], pa.string())
    codes, values = _distinct(column)
    if meant == JSON:
        values = [_decoded(value) if isinstance(value, str) else value for value in values]
    return Cells(codes, values, meant not in (JSON, PLAIN))


def _decoded(text: str) -> Any:
    try:
        return strict_json.loads(text)
    except ValueError as error:
        return Unreadable(str(error))


def _distinct(column: pa.ChunkedArray) -> tuple[Codes, list[Any]]:
    """Give each row's index into a list of the distinct Python values."""
    kind = column.type
    try:
        if pa.types.is_dictionary(kind):
            return _distinct(column.cast(kind.value_type))
        if pa.types.is_run_end_encoded(kind):
            chunks = [pc.run_end_decode(chunk) for chunk in column.chunks]
            return _distinct(pa.chunked_array(chunks, kind.value_type))
        if pa.types.is_string_view(kind):
            return _distinct(column.cast(pa.string()))
        if _is_text(kind) or pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind):
            return _encoded(column)
    except _FAILURES:
        pass
    return _by_key(_each(column), _as_tuple if _is_list_of_text(kind) else repr)


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _is_list_of_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind)) and _is_text(kind.value_type)


def _as_tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _encoded(column: pa.ChunkedArray) -> tuple[Codes, list[Any]]:
    encoded = column.dictionary_encode(null_encoding="encode").combine_chunks()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = pa.concat_arrays(encoded.chunks) if encoded.num_chunks else pa.array([], encoded.type)
    return encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64), list(_each(encoded.dictionary))


def _each(column: pa.ChunkedArray | pa.Array) -> Iterator[Any]:
    """Give the Python values of a column, `Unreadable` where one has none or none that a field could take."""
    try:
        values = column.to_pylist()
    except _FAILURES:
        for row in range(len(column)):
            try:
                yield _plain(column[row].as_py(), column.type)
            except _FAILURES:
                yield Unreadable(f"unreadable {column.type}"[:60])
        return
    kind = column.type
    if _is_text(kind) or _is_list_of_text(kind) or pa.types.is_integer(kind) or pa.types.is_float64(kind):
        yield from values
    else:
        yield from (_plain(value, kind) for value in values)


def _plain(value: Any, kind: pa.DataType) -> Any:
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, Decimal):
        # As a JSON reader takes a literal: a whole number is an integer, and is not rounded to the nearest double.
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, float | np.floating):
        return float(value)
    if isinstance(value, list) and all(item is None or isinstance(item, str) for item in value):
        return value
    return Unreadable(str(kind)[:60])


def _by_key(values: Iterable[Any], key: Callable[[Any], Hashable]) -> tuple[Codes, list[Any]]:
    """Give each value's index into a list of those that differ in their key."""
    index: dict[Hashable, int] = {}
    distinct: list[Any] = []
    codes: list[int] = []
    for value in values:
        code = index.setdefault(key(value), len(distinct))
        if code == len(distinct):
            distinct.append(value)
        codes.append(code)
    return np.array(codes, np.int64), distinct


def group_rows(columns: Sequence[Codes], rows: npt.NDArray[np.int64]) -> tuple[Codes, Codes]:
    """Group rows whose codes are equal in every column.

    Parameters
    ----------
    columns
        int64 codes (n,) of each column
    rows
        int64 (m,), the rows to group, ascending

    Returns
    -------
    group of each of those rows, (m,), groups numbered in the order of their first row; and that first row, (groups,)
    """
    combined = np.zeros(len(rows), np.int64)
    for codes in columns:
        chosen = codes[rows]
        width = int(chosen.max(initial=0)) + 1
        if int(combined.max(initial=0)) >= (2**62) // width:
            combined = np.unique(combined, return_inverse=True)[1].astype(np.int64)
        combined = combined * width + chosen
    _, first, inverse = np.unique(combined, return_index=True, return_inverse=True)
    order = np.argsort(first, kind="stable")
    position = np.empty(len(order), np.int64)
    position[order] = np.arange(len(order))
    return position[inverse], rows[first[order]]
