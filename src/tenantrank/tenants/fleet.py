"""A whole table of tenants to the distinct policies among them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tenantrank.errors import TenantError
from tenantrank.policy.policy import Policy
from tenantrank.policy.strict_json import MAX_INTEGER
from tenantrank.tenants.columns import Column, group_rows, read_cells, read_column
from tenantrank.tenants.compiling import CompiledPolicy, Compiler
from tenantrank.tenants.document import Document, FieldSpec
from tenantrank.tenants.nearest import nearest
from tenantrank.tenants.preparing import Prepared
from tenantrank.tenants.states import Value, parse_cell, parse_value, shown

Progress = Callable[[int, int], None]
"""Called with the rows done so far and the rows in all."""

_STEP = 1000
_HINTS = 20  # how many distinct bad values of a column are told with the nearest allowed one, which is slow to find


@dataclass(frozen=True, slots=True)
class RowError:
    """Why one row of a table got no policy.

    Attributes
    ----------
    row : position in the table, from 0
    tenant : its id, empty where it has none
    field, rule : the tenant field at fault and the rule that needed it, each ``None`` where there is none
    message : one line, without the tenant
    """

    row: int
    tenant: str
    field: str | None
    rule: str | None
    message: str

    def __str__(self) -> str:
        return f"row {self.row}, tenant {self.tenant!r}: {self.message}"


@dataclass(frozen=True)
class Fleet:
    """Every tenant of a table, and the distinct policies among them.

    Attributes
    ----------
    tenants : tenant ids in table order, empty where a row has none
    policies : compiled policies in the order of their first tenant. Two tenants share one exactly when the same rules
        apply to them and those rules read the same values, so that policy, origins and conflicts are all equal;
        policies that differ in origins alone hold the same ``policy`` object
    index : int32 (n,), read-only: the position in `policies` for each row, −1 where the row failed
    errors : one for each failed row, in row order
    ignored : columns of the table that the rulebook does not declare, and that decided nothing
    """

    tenants: tuple[str, ...]
    policies: tuple[CompiledPolicy, ...]
    index: npt.NDArray[np.int32]
    errors: tuple[RowError, ...] = ()
    ignored: tuple[str, ...] = field(default=())

    def __len__(self) -> int:
        return len(self.tenants)

    def compiled(self, row: int) -> CompiledPolicy | None:
        """Give the compiled policy of a row, ``None`` where the row failed."""
        position = int(self.index[row])
        return None if position < 0 else self.policies[position]

    def by_identity(self) -> tuple[tuple[Policy, ...], npt.NDArray[np.int32]]:
        """Give the policies that differ in identity, for work that needs no origins, such as ranking.

        Returns
        -------
        distinct policies in the order of their first tenant; and int32 (n,) with the position of each row's policy,
        −1 where the row failed
        """
        position: dict[Policy, int] = {}
        of_compiled = np.array(
            [position.setdefault(compiled.policy, len(position)) for compiled in self.policies] + [-1], dtype=np.int32
        )
        return tuple(position), of_compiled[self.index]


def compile_table(
    document: Document, prepared: Prepared, table: pa.Table, on_progress: Progress | None = None
) -> Fleet:
    """Compile every row of a table, each distinct state once; see `Rulebook.compile_many`."""
    if not isinstance(table, pa.Table):
        raise TenantError(f"tenants come as a pyarrow.Table, got {type(table).__name__}")
    _check_names(table)
    ids, faults = _ids(document, table)
    ignored = _undeclared(document, table)
    columns = {name: _column(name, spec, table) for name, spec in document.fields.items()}
    _note_bad_values(columns, faults)

    good = np.setdiff1d(np.arange(len(ids), dtype=np.int64), np.fromiter(faults, np.int64, len(faults)))
    used = [name for name in document.fields if name in _fields_read(prepared)]
    groups, first_rows = group_rows([columns[name].codes for name in used], good)
    sizes = np.bincount(groups, minlength=len(first_rows))

    compiler = Compiler(prepared)
    positions: dict[int, int] = {}
    found: list[CompiledPolicy] = []
    of_group = np.full(len(first_rows), -1, np.int32)
    failures: dict[int, TenantError] = {}
    lacking: dict[str, Value] = dict.fromkeys(document.fields)
    done = len(ids) - len(good)
    for group, row in enumerate(first_rows.tolist()):
        state = lacking | {name: columns[name].values[columns[name].codes[row]] for name in used}
        try:
            policy = compiler.compile(state)
        except TenantError as error:
            failures[group] = error.with_traceback(None)
        else:
            position = positions.setdefault(id(policy), len(found))
            if position == len(found):
                found.append(policy)
            of_group[group] = position
        done += int(sizes[group])
        if on_progress is not None and group % _STEP == _STEP - 1:
            on_progress(done, len(ids))
    if on_progress is not None:
        on_progress(len(ids), len(ids))

    index = np.full(len(ids), -1, np.int32)
    index[good] = of_group[groups]
    failed = good[index[good] < 0]
    faults.update(zip(failed.tolist(), [failures[g] for g in groups[index[good] < 0].tolist()], strict=True))
    index.setflags(write=False)
    errors = [RowError(row, ids[row], faults[row].field, faults[row].rule, str(faults[row])) for row in sorted(faults)]
    return Fleet(tuple(ids), tuple(found), index, tuple(errors), ignored)


def _check_names(table: pa.Table) -> None:
    for place in range(table.num_columns):
        try:
            table.field(place).name  # noqa: B018 - it is decoded here
        except UnicodeDecodeError:
            raise TenantError(f"the name of column {place} of the table is not valid UTF-8") from None


def _ids(document: Document, table: pa.Table) -> tuple[list[str], dict[int, TenantError]]:
    key = document.key
    if table.column_names.count(key) != 1:
        count = table.column_names.count(key)
        raise TenantError(f"the table has {count or 'no'} column(s) {key!r}, which names the tenants", key)
    ids: list[str] = []
    faults: dict[int, TenantError] = {}
    seen: dict[str, int] = {}
    cells = read_cells(table, key)
    names = [_name(value) for value in cells.values]
    for row, code in enumerate(cells.codes.tolist()):
        name = names[code]
        if not name:
            lacking = cells.values[code] is None or cells.values[code] == ""
            given = "" if lacking else f", which is a string or a whole number, got {shown(cells.values[code])}"
            faults[row] = TenantError(f"the row has no tenant id in {key!r}{given}", key)
        elif (earlier := seen.setdefault(name, row)) != row:
            faults[row] = TenantError(f"tenant {name!r} is in row {earlier} already", key)
        ids.append(name)
    return ids, faults


def _name(value: Any) -> str:
    """Give a tenant's id as text, empty where the value is none; a column that holds nulls may make integers floats."""
    if isinstance(value, float) and value.is_integer() and abs(value) <= MAX_INTEGER:
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) and value.strip() else ""


def _undeclared(document: Document, table: pa.Table) -> tuple[str, ...]:
    """Give the columns that decide nothing, having made sure that none is a declared field misspelt."""
    names = table.column_names
    for name in document.fields:
        if names.count(name) > 1:
            raise TenantError(f"the table has {names.count(name)} columns {name!r}", name)
    lacking = [name for name in document.fields if name not in names]
    extra = [name for name in names if name not in {*document.fields, document.key, *document.ignore}]
    for name in extra:
        meant = nearest(name, lacking)
        if meant is not None:
            raise TenantError(
                f"the table has a column {name!r} and none for field {meant!r}; name it so, or list it under 'ignore'",
                meant,
            )
    for name in lacking:
        if not document.fields[name].optional:
            raise TenantError(f"the table has no column for field {name!r}, which is not optional", name)
    return tuple(extra)


def _column(name: str, spec: FieldSpec, table: pa.Table) -> Column:
    cells = read_cells(table, name)
    parse = parse_cell if cells.are_text else parse_value

    refused = 0

    def check(cell: Any) -> Value:
        nonlocal refused
        try:
            return parse(name, spec, cell, refused < _HINTS)
        except TenantError:
            refused += 1
            raise

    return read_column(cells, check)


def _note_bad_values(columns: dict[str, Column], faults: dict[int, TenantError]) -> None:
    for column in columns.values():
        for row in np.flatnonzero(column.bad).tolist():
            faults.setdefault(row, column.values[column.codes[row]])


def _fields_read(prepared: Prepared) -> frozenset[str]:
    tested = {name for rule in prepared.rules for name in rule.applies.fields}
    filling = {name for rule in prepared.rules for name in rule.reads}
    default = {name for part in prepared.defaults.values() for name in part.reads}
    return frozenset(tested | filling | default)
