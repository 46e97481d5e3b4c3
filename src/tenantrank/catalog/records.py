"""Offers as plain records, the form in which people and JSON files write them, into a table's columns."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa

from tenantrank.catalog.schema import CAPABILITY_PREFIX, OFFER_PREFIX, Kind, arrow_type
from tenantrank.catalog.tables import kind_of_column
from tenantrank.errors import CatalogError
from tenantrank.policy.admission import shown
from tenantrank.policy.signature import Field

_EXACT = 1 << 53
_INT64 = 1 << 63
_TYPES: Mapping[Kind, frozenset[type]] = {
    "string": frozenset({str}),
    "bool": frozenset({bool}),
    "int64": frozenset({int, float}),
    "double": frozenset({int, float}),
    "date32": frozenset({date, str}),
    "list": frozenset({list, tuple}),
}
_NONE = type(None)
_JSON_TYPES = (bool, int, float, str, list, tuple, Mapping)


def table_of_records(
    offers: Iterable[Mapping[str, Any]], declared: Mapping[str, Field], kinds: Mapping[str, Kind] | None = None
) -> pa.Table:
    """Turn records into a table with a column for every key that occurs.

    Parameters
    ----------
    offers
        one mapping an offer, in catalog order. ``id`` stands for ``offer_id``; ``capabilities`` holds ``context`` and
        flags by name (false is known to be missing, any other JSON value is read by its truth, ``None`` is unknown);
        ``offer`` holds ``peer_id``. Every other key is a column: a string, a bool, a number, a date (or its ISO form
        where the column is documented as one) or a list of strings. ``"inf"`` is accepted for an infinite number.
    declared
        the fields that the operator declares, by name
    kinds
        kinds of further columns, where they are known

    Returns
    -------
    pa.Table
        rows in the order given, a column for each key that has a value or a known kind

    Raises
    ------
    CatalogError
        naming row, offer and key, for anything that is not of this form
    """
    if not isinstance(offers, Iterable) or isinstance(offers, Mapping | str | bytes):
        raise CatalogError(f"offers are a list of records, not a {type(offers).__name__}")
    rows = [_flat(row, record) for row, record in enumerate(offers)]
    columns: dict[str, list[Any]] = {name: [None] * len(rows) for name in kinds or {}}
    for row, flat in enumerate(rows):
        for name, value in flat.items():
            if value is None:
                continue
            column = columns.get(name)
            if column is None:
                column = columns[name] = [None] * len(rows)
            column[row] = value
    columns.setdefault("offer_id", [None] * len(rows))
    ids = columns["offer_id"]
    known = kinds or {}
    arrays: dict[str, pa.Array] = {}
    for name, values in columns.items():
        if not _is_text(name):
            raise CatalogError(f"column name {shown(name)} is not text that UTF-8 can hold")
        try:
            arrays[name] = _array(values, kind_of_column(name, declared) or known.get(name))
        except _MisfitError as misfit:
            row = misfit.row
            raise CatalogError(f"column {shown(name)} in row {row}, offer {shown(ids[row])}: {misfit}") from None
    return pa.table(arrays)


def array_of_value(value: Any, kind: Kind) -> pa.Array:
    """Give one value, as a record may hold it, as an array of length 1.

    Raises
    ------
    CatalogError
        saying what was expected, for a value that a column of this kind cannot hold
    """
    try:
        value = _scalar(value)
        if isinstance(value, float) and not value > -math.inf:
            raise _MisfitError(0, value, f"expected {kind}")
        return _array([value], kind)
    except _MisfitError as misfit:
        raise CatalogError(str(misfit)) from None


class _MisfitError(ValueError):
    def __init__(self, row: int, value: Any, expected: str) -> None:
        super().__init__(f"{expected}, got {shown(value)}")
        self.row = row


def _flat(row: int, record: Any) -> dict[str, Any]:
    if not isinstance(record, Mapping):
        raise CatalogError(f"row {row} is not a record: {shown(record)}")
    flat: dict[str, Any] = {}
    capabilities: Any = None
    for key, value in record.items():
        if key == "capabilities":
            capabilities = value
        elif key == "offer":
            for inner, scalar in _inner(row, record, key, value).items():
                _put(row, flat, "peer_id" if inner == "peer_id" else OFFER_PREFIX + inner, scalar)
        elif isinstance(key, str):
            _put(row, flat, "offer_id" if key == "id" else key, value)
        else:
            raise CatalogError(f"row {row} has a key that is not a string: {shown(key)}")
    if capabilities is not None:
        for name, value in _inner(row, record, "capabilities", capabilities).items():
            if name == "context":
                _put(row, flat, name, value)
            elif (given := _scalar(value)) is not None:
                if not isinstance(given, _JSON_TYPES):
                    raise CatalogError(f"row {row}: capability {shown(name)} is no JSON value: {shown(given)}")
                if given != given:
                    raise CatalogError(f"row {row}: capability {shown(name)} is NaN")
                _put(row, flat, name if name.startswith("supports_") else CAPABILITY_PREFIX + name, bool(given))
    return flat


def _inner(row: int, record: Mapping[str, Any], key: str, value: Any) -> Mapping[str, Any]:
    if value is None or (isinstance(value, Sequence) and not isinstance(value, str) and not value):
        return {}  # an empty list stands for an empty record
    if not isinstance(value, Mapping) or not all(isinstance(name, str) for name in value):
        offer = record.get("offer_id", record.get("id"))
        raise CatalogError(f"row {row}, offer {shown(offer)}: {key!r} is not a record: {shown(value)}")
    return value


def _put(row: int, flat: dict[str, Any], name: str, value: Any) -> None:
    before = flat.get(name)
    if before is not None and value is not None and _differ(before, value):
        raise CatalogError(f"row {row} gives {shown(name)} twice: {shown(before)} and {shown(value)}")
    if before is None:
        flat[name] = value


def _differ(one: Any, other: Any) -> bool:
    """Say whether two values differ; those that cannot be compared do."""
    try:
        return bool(one != other)
    except (ValueError, TypeError, ArithmeticError, RecursionError):
        return True


def _scalar(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _array(values: list[Any], kind: Kind | None) -> pa.Array:
    present = set(map(type, values)) - {_NONE}
    if any(issubclass(cls, np.generic) for cls in present):
        values = [_scalar(value) for value in values]
        present = set(map(type, values)) - {_NONE}
    if kind is None:
        kind = _kind_of_types(present, values)
    odd = present - _TYPES[kind]
    if odd == {str} and kind in ("double", "int64"):
        values = [_infinite(row, value) for row, value in enumerate(values)]
    elif odd:
        row = next(row for row, value in enumerate(values) if type(value) in odd)
        raise _MisfitError(row, values[row], f"expected {kind}")
    if int in present and kind == "double":
        values = [_exact(row, value) for row, value in enumerate(values)]
    elif kind == "int64":
        values = [_whole(row, value) for row, value in enumerate(values)]
    elif kind == "date32":
        values = [_date(row, value) for row, value in enumerate(values)]
    elif kind == "list":
        values = [_strings(row, value) for row, value in enumerate(values)]
    elif kind == "string":
        values = [_encodable(row, value) for row, value in enumerate(values)]
    return pa.array(values, pa.string() if kind == "string" else arrow_type(kind))


def _kind_of_types(present: set[type], values: list[Any]) -> Kind:
    if not present:
        return "string"
    kinds: tuple[Kind, ...] = ("string", "bool", "double", "list", "date32")
    for kind in kinds:
        if present & _TYPES[kind]:
            return kind
    row = next(row for row, value in enumerate(values) if value is not None)
    raise _MisfitError(row, values[row], "a column holds strings, bools, numbers, dates or lists of strings")


def _infinite(row: int, value: Any) -> Any:
    if isinstance(value, str):
        if value != "inf":
            raise _MisfitError(row, value, "expected a number")
        return math.inf
    return value


def _exact(row: int, value: Any) -> float | None:
    if type(value) is int and not -_EXACT <= value <= _EXACT:
        raise _MisfitError(row, value, "expected a number that a double holds exactly")
    return None if value is None else float(value)


def _whole(row: int, value: Any) -> int | None:
    if value is None:
        return None
    if not -_INT64 <= value < _INT64 or value != int(value):
        raise _MisfitError(row, value, "expected a whole number of 64 bits")
    return int(value)


def _date(row: int, value: Any) -> date | None:
    if value is None or isinstance(value, date):
        return value
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise _MisfitError(row, value, "expected a date as YYYY-MM-DD") from None


def _strings(row: int, value: Any) -> list[str] | None:
    if value is None:
        return None
    for item in value:
        if type(item) is not str:
            raise _MisfitError(row, item, "expected a list of strings, and in it")
    return [_encodable(row, item) for item in value]


def _encodable(row: int, value: Any) -> Any:
    if value is not None and not _is_text(value):
        raise _MisfitError(row, value, "expected text that UTF-8 can hold")
    return value


def _is_text(value: str) -> bool:
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            return False
    return True
