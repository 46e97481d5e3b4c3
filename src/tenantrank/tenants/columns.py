"""Tables of tenants at the edge: each column read once a distinct value, and rows grouped by equal state."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tenantrank.errors import TenantError

Codes = npt.NDArray[np.int64]


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


def read_column(column: pa.ChunkedArray | None, rows: int, check: Callable[[Any], Any]) -> Column:
    """Read a column, checking each distinct value once.

    Parameters
    ----------
    column
        any Arrow type; ``None`` for a column that the table lacks: absent in every row
    rows
        rows of the table
    check
        Python value, ``None`` for null, to checked value; raises `TenantError`
    """
    codes, raw = _distinct(column, rows)
    values: list[Any] = []
    for value in raw:
        try:
            values.append(check(value))
        except TenantError as error:
            values.append(error)
    is_error = np.array([isinstance(value, TenantError) for value in values], dtype=np.bool_)
    return Column(codes, values, is_error[codes] if rows else np.zeros(0, np.bool_))


def _distinct(column: pa.ChunkedArray | None, rows: int) -> tuple[Codes, list[Any]]:
    """Give each row's index into a list of the distinct Python values."""
    if column is None or pa.types.is_null(column.type):
        return np.zeros(rows, np.int64), [None]
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_string_view(column.type):
        column = column.cast(pa.string())
    kind = column.type
    if not (_is_text(kind) or pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)):
        return _distinct_by_representation(column.to_pylist())
    encoded = column.dictionary_encode(null_encoding="encode").combine_chunks()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = pa.concat_arrays(encoded.chunks) if encoded.num_chunks else pa.array([], encoded.type)
    return encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64), encoded.dictionary.to_pylist()


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _distinct_by_representation(values: list[Any]) -> tuple[Codes, list[Any]]:
    index: dict[str, int] = {}
    distinct: list[Any] = []
    codes = np.empty(len(values), np.int64)
    for row, value in enumerate(values):
        key = repr(value)
        code = index.get(key)
        if code is None:
            code = index[key] = len(distinct)
            distinct.append(float(value) if isinstance(value, Decimal) else value)
        codes[row] = code
    return codes, distinct


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
