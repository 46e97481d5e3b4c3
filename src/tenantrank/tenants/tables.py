"""Files of tenants to Arrow tables, read so that a bad cell is the error of its row alone."""

from __future__ import annotations

import json
from codecs import BOM_UTF8
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pv
import pyarrow.feather as pf
import pyarrow.parquet as pq

from tenantrank.errors import TenantError
from tenantrank.policy import strict_json
from tenantrank.tenants.columns import CELLS, CSV, JSON, PLAIN

_SUFFIXES = ".csv, .jsonl, .ndjson, .parquet, .arrow, .ipc or .feather"


def read_tenants(path: str | Path) -> pa.Table:
    """Read a table of tenants: CSV, JSON lines, Parquet or Arrow IPC, by the suffix of the path.

    Every CSV cell is kept as text, but for a column with a cell that is not UTF-8, which is kept as bytes. A column of
    JSON lines has the one type that its values have; where they differ, or are neither strings, numbers, booleans nor
    lists of strings, each cell is the text of its JSON value. What cells are is in the metadata of their Arrow field,
    so that `Rulebook.compile_many` takes each JSON value as `Rulebook.compile` would, and a cell which does not fit its
    field is an error of its row alone. Whatever drops that metadata on the way makes CSV text of the strings.

    Raises
    ------
    TenantError
        for a file that cannot be read as what its suffix says; of JSON lines it names the line
    """
    try:
        file = Path(path)
    except TypeError:
        raise TenantError(f"expected the path of a {_SUFFIXES} file, got {type(path).__name__}") from None
    suffix = file.suffix.lower()
    try:
        if suffix == ".csv":
            return _read_csv(file)
        if suffix in (".jsonl", ".ndjson"):
            return _read_lines(file)
        if suffix == ".parquet":
            return pq.read_table(file)
        if suffix in (".arrow", ".ipc", ".feather"):
            return pf.read_table(file)
    except (OSError, ValueError, pa.ArrowException) as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise TenantError(f"{str(file)!r}: cannot be read: {reason}") from None
    raise TenantError(f"{str(file)!r}: expected a {_SUFFIXES} file")


def _read_csv(file: Path) -> pa.Table:
    with pv.open_csv(file) as reader:
        names = reader.schema.names
    options = pv.ConvertOptions(column_types=dict.fromkeys(names, pa.binary()), strings_can_be_null=False)
    parse = pv.ParseOptions(newlines_in_values=True)
    table = pv.read_csv(file, parse_options=parse, convert_options=options)
    columns = [_text(column) for column in table.columns]
    meant = [None if pa.types.is_string(column.type) else {CELLS: CSV} for column in columns]
    fields = [
        pa.field(*each) for each in zip(names, [c.type for c in columns], [True] * len(names), meant, strict=True)
    ]
    return pa.Table.from_arrays(columns, schema=pa.schema(fields))


def _text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Give a column of bytes as text, or as it is where a cell is not UTF-8."""
    try:
        return column.cast(pa.string())
    except pa.ArrowInvalid:
        return column


def _read_lines(file: Path) -> pa.Table:
    """Read one JSON object a line, after a byte order mark if there is one; a key that a line lacks is null there."""
    columns: dict[str, list[Any]] = {}
    numbers: list[int] = []
    with file.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if number == 1:
                line = line.removeprefix(BOM_UTF8)
            if not line.strip():
                continue
            for name, value in _object(file, number, line).items():
                columns.setdefault(name, []).extend([None] * (len(numbers) - len(columns[name])))
                columns[name].append(value)
            numbers.append(number)
    fields: list[pa.Field] = []
    arrays: list[pa.Array] = []
    for name, values in columns.items():
        values.extend([None] * (len(numbers) - len(values)))
        array, meant = _array(values)
        fields.append(pa.field(name, array.type, metadata=None if meant is None else {CELLS: meant}))
        arrays.append(array)
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields))


def _object(file: Path, number: int, line: bytes) -> dict[str, Any]:
    try:
        value = strict_json.loads(line)
        # What is nested too deeply to be written again could not be kept as a cell.
        json.dumps(value)
    except ValueError as error:
        raise TenantError(f"{file}: line {number}: {error}") from None
    except RecursionError:
        raise TenantError(f"{file}: line {number}: nested too deeply") from None
    if not isinstance(value, dict):
        raise TenantError(f"{file}: line {number}: expected an object, got {type(value).__name__}")
    return value


def _array(values: list[Any]) -> tuple[pa.Array, bytes | None]:
    """Give the values of a column as the one Arrow type that they all have, or else each as its JSON text."""
    kinds = {type(value) for value in values if value is not None}
    if not kinds or kinds <= {int, float} or kinds == {bool}:
        return pa.array(values, pa.float64() if float in kinds else None), None
    if kinds == {str}:
        return pa.array(values, pa.string()), PLAIN
    if kinds == {list} and all(isinstance(item, str) for value in values if value is not None for item in value):
        return pa.array(values, pa.list_(pa.string())), None
    texts = [None if value is None else json.dumps(value, ensure_ascii=False) for value in values]
    return pa.array(texts, pa.string()), JSON
