"""Files of tenants to Arrow tables, read so that a bad cell is the error of its row alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pv
import pyarrow.feather as pf
import pyarrow.parquet as pq

from tenantrank.errors import TenantError

_SUFFIXES = ".csv, .jsonl, .ndjson, .parquet, .arrow, .ipc or .feather"


def read_tenants(path: str | Path) -> pa.Table:
    """Read a table of tenants: CSV, JSON lines, Parquet or Arrow IPC, by the suffix of the path.

    Every CSV cell is kept as text, and so is every cell of a JSON lines column whose values differ in type, so that a
    cell which does not fit its field is an error of its row alone.

    Raises
    ------
    TenantError
        for a file that cannot be read as what its suffix says
    """
    file = Path(path)
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
    except (OSError, pa.ArrowException) as error:
        raise TenantError(f"{file}: cannot be read: {str(error).splitlines()[0]}") from None
    raise TenantError(f"{file}: expected a {_SUFFIXES} file")


def _read_csv(file: Path) -> pa.Table:
    with pv.open_csv(file) as reader:
        names = reader.schema.names
    options = pv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False)
    parse = pv.ParseOptions(newlines_in_values=True)
    return pv.read_csv(file, parse_options=parse, convert_options=options)


def _read_lines(file: Path) -> pa.Table:
    """Read one JSON object a line; a key that a line lacks is null there."""
    columns: dict[str, list[Any]] = {}
    count = 0
    with file.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            for name, value in _object(file, number, line).items():
                columns.setdefault(name, []).extend([None] * (count - len(columns[name])))
                columns[name].append(value)
            count += 1
    for values in columns.values():
        values.extend([None] * (count - len(values)))
    return pa.table({name: _array(values) for name, values in columns.items()})


def _object(file: Path, number: int, line: bytes) -> dict[str, Any]:
    try:
        # A line that names a key twice has no one meaning.
        value = json.loads(line, object_pairs_hook=_without_twins)
    except (ValueError, RecursionError) as error:
        raise TenantError(f"{file}: line {number}: not valid JSON: {error}") from None
    if not isinstance(value, dict):
        raise TenantError(f"{file}: line {number}: expected an object, got {type(value).__name__}")
    return value


def _without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) != len(pairs):
        raise ValueError("duplicate key")
    return record


def _array(values: list[Any]) -> pa.Array:
    if not any(isinstance(value, dict) for value in values):
        try:
            return pa.array(values)
        except (pa.ArrowException, OverflowError):
            pass
    return pa.array([_text(value) for value in values], pa.string())


def _text(value: Any) -> str | None:
    """Write a cell as a CSV file would hold it."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(entry, str) for entry in value):
        return ";".join(value)
    return json.dumps(value)
