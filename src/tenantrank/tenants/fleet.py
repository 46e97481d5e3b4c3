"""A whole table of tenants to the distinct policies among them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tenantrank.errors import TenantError
from tenantrank.policy.policy import Policy
from tenantrank.policy.strict_json import MAX_INTEGER
from tenantrank.tenants.collecting import collection_paused
from tenantrank.tenants.columns import Column, read_cells, read_column
from tenantrank.tenants.compiling import CompiledPolicy
from tenantrank.tenants.document import Document, FieldSpec
from tenantrank.tenants.grouping import Groups, group_by_policy
from tenantrank.tenants.nearest import nearest
from tenantrank.tenants.preparing import Prepared
from tenantrank.tenants.states import Value, parse_cell, parse_value, shown

Progress = Callable[[int, int], None]
"""Called with the rows done so far and the rows in all."""

_STEP = 1000
_MANY = 10_000  # rows, from which on it pays to hold Python's collector back
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
        distinct, of_compiled = self.distinct()
        return distinct, np.append(of_compiled, np.int32(-1))[self.index]

    def distinct(self) -> tuple[tuple[Policy, ...], npt.NDArray[np.int32]]:
        """Give the policies that differ in identity, and for each of `policies` the position of its own among them."""
        position: dict[str, int] = {}
        distinct: list[Policy] = []
        of_compiled: list[int] = []
        for compiled in self.policies:
            policy = compiled.policy
            at = position.setdefault(policy.identity, len(distinct))
            if at == len(distinct):
                distinct.append(policy)
            of_compiled.append(at)
        return tuple(distinct), np.array(of_compiled, dtype=np.int32)


def compile_table(
    document: Document, prepared: Prepared, table: pa.Table, on_progress: Progress | None = None
) -> Fleet:
    """Compile every row of a table, each distinct state once; see `Rulebook.compile_many`."""
    if not isinstance(table, pa.Table):
        raise TenantError(f"tenants come as a pyarrow.Table, got {type(table).__name__}")
    _check_names(table)
    # No policy, no origin and no error is part of a cycle.
    with collection_paused() if table.num_rows >= _MANY else nullcontext():
        return _fleet_of(document, prepared, table, on_progress)


def _fleet_of(document: Document, prepared: Prepared, table: pa.Table, on_progress: Progress | None) -> Fleet:
    ids, faults = _ids(document, table)
    ignored = _undeclared(document, table)
    columns = {name: _column(name, spec, table) for name, spec in document.fields.items()}
    _note_bad_values(columns, faults)

    good = np.setdiff1d(np.arange(len(ids), dtype=np.int64), np.fromiter(faults, np.int64, len(faults)))
    groups = group_by_policy(prepared, columns, good)
    faults.update(groups.undecided)
    policies, of_group, refused = _compiled(groups, len(ids), on_progress)
    position = of_group[groups.group]
    index = np.full(len(ids), -1, np.int32)
    index[groups.rows] = position
    index.setflags(write=False)
    failed = position < 0
    for row, group in zip(groups.rows[failed].tolist(), groups.group[failed].tolist(), strict=True):
        faults[row] = refused[group]
    errors = [RowError(row, ids[row], faults[row].field, faults[row].rule, str(faults[row])) for row in sorted(faults)]
    return Fleet(tuple(ids), tuple(policies), index, tuple(errors), ignored)


def _compiled(
    groups: Groups, rows: int, on_progress: Progress | None
) -> tuple[list[CompiledPolicy], npt.NDArray[np.int32], dict[int, TenantError]]:
    """Give the policies of groups, the position of each group's own among them, −1 for none, and why it has none."""
    sizes = np.bincount(groups.group).tolist()
    done = rows - len(groups.rows)
    found: list[CompiledPolicy] = []
    of_group = np.full(len(sizes), -1, np.int32)
    refused: dict[int, TenantError] = {}
    known: dict[str, Policy] = {}
    for group, (rule_set, values) in enumerate(groups.members):
        try:
            found.append(CompiledPolicy(rule_set.policy(values, known), rule_set, values))
        except TenantError as error:
            # A traceback keeps every frame it passed through, its own or that of the error it was made from.
            error.__context__ = None
            refused[group] = error.with_traceback(None)
        else:
            of_group[group] = len(found) - 1
        done += sizes[group]
        if on_progress is not None and group % _STEP == _STEP - 1:
            on_progress(done, rows)
    if on_progress is not None:
        on_progress(rows, rows)
    return found, of_group, refused


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
