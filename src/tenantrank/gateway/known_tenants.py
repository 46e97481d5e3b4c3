"""The tenants that a server knows: a table's rows as states."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tenantrank.errors import TenantError
from tenantrank.tenants import Rulebook, read_tenants
from tenantrank.tenants.columns import read_cells
from tenantrank.tenants.document import Document
from tenantrank.tenants.states import parse_cell, parse_value

_NONE: Mapping[str, Mapping[str, Any]] = MappingProxyType({})


def known_tenants(path: Path | None, rulebook: Rulebook | None) -> tuple[Mapping[str, Mapping[str, Any]], list[str]]:
    """Read the states of the tenants of a table, by id.

    Returns
    -------
    the states, as `Rulebook.compile` takes them; and a line for each row that is left out, because its state is not
    as the rulebook declares, it has no id, or another row has the same one

    Raises
    ------
    TenantError
        where the table cannot be read, or there is no rulebook to read it by
    """
    if path is None:
        return _NONE, []
    if rulebook is None:
        raise TenantError(f"{path}: a table of tenants needs a rulebook")
    table = read_tenants(path)
    document = rulebook.document
    if document.key not in table.column_names:
        raise TenantError(f"{path}: it has no column {document.key!r}, by which the rulebook names tenants")
    columns = {name: read_cells(table, name) for name in (document.key, *document.fields)}
    codes = {name: cells.codes.tolist() for name, cells in columns.items()}
    found: dict[str, Mapping[str, Any]] = {}
    seen: set[str] = set()
    left_out: list[str] = []
    for row in range(table.num_rows):
        key = columns[document.key].values[codes[document.key][row]]
        if not isinstance(key, str) or not key:
            left_out.append(f"row {row + 1}: it has no id in {document.key!r}")
        elif key in seen:
            # Nobody can tell which of the two is meant.
            found.pop(key, None)
            left_out.append(f"row {row + 1}: tenant {key[:100]!r} is there twice, and neither counts")
        else:
            seen.add(key)
            try:
                cells = {name: columns[name].values[codes[name][row]] for name in document.fields}
                found[key] = _state(key, cells, {name: columns[name].are_text for name in cells}, document)
            except TenantError as error:
                left_out.append(f"row {row + 1}: tenant {key[:100]!r}: {error}")
    return MappingProxyType(found), left_out


def _state(key: str, cells: Mapping[str, Any], are_text: Mapping[str, bool], document: Document) -> Mapping[str, Any]:
    state: dict[str, Any] = {document.key: key}
    for name, cell in cells.items():
        read = parse_cell if are_text[name] else parse_value
        value = read(name, document.fields[name], cell)
        if value is not None:
            state[name] = list(value) if isinstance(value, tuple) else value
    return MappingProxyType(state)
