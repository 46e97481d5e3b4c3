"""What policies may observe of a catalog: every numeric and bool column, and the facts derived from them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import astuple, replace
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa

from tenantrank.catalog.derive import Derived, Flags, Numbers, bool_values, derived_facts, number_values
from tenantrank.catalog.metadata import Metadata
from tenantrank.catalog.schema import BY_NAME, EXPECTED_COST, kind_of_type
from tenantrank.errors import CatalogError
from tenantrank.policy.signature import BUILTIN_FIELDS, VERSIONS, Field, Fields, Sort

_SORTS: dict[str, Sort] = {"bool": "Bool", "int64": "Num", "double": "Num"}
_OLD_BUILTINS = frozenset(field.name for field in BUILTIN_FIELDS if field.versions != VERSIONS)


class Observations:
    """The observable fields of one catalog and their values, each array made once and read-only.

    Parameters
    ----------
    table
        as `canonical_table` gives it
    metadata
        of which declared fields and tier order count
    judged_at
        day by which facts that depend on a date are judged
    """

    def __init__(self, table: pa.Table, metadata: Metadata, judged_at: date | None) -> None:
        self._table = table
        self._columns = {name: _sort_of(table[name]) for name in table.column_names}
        self._cache: dict[tuple[str, Sort], Flags | Numbers] = {}
        facts = {fact.name: fact for fact in derived_facts(table, judged_at)}
        self._derived = {name: fact for name, fact in facts.items() if not self._is_stated(name)}
        self.fields = self._vocabulary(metadata, facts)

    @property
    def expects_costs(self) -> bool:
        """Whether `expected_cost_usd` is worked out for each request, and the operator states none."""
        return EXPECTED_COST in self._derived

    def behind(self, name: str) -> tuple[str, ...]:
        """Give the columns that a derived field is worked out from; none for any other."""
        fact = self._derived.get(name)
        return () if fact is None else fact.columns

    def flags(self, name: str) -> Flags:
        """Give a Bool field as int8: 1 true, 0 false, −1 unknown."""
        return self._values(name, "Bool")  # type: ignore[return-value]

    def numbers(self, name: str) -> Numbers:
        """Give a Num field as float64: NaN where unknown, no default applied, never −0.0."""
        return self._values(name, "Num")  # type: ignore[return-value]

    def _values(self, name: str, sort: Sort) -> Flags | Numbers:
        values = self._cache.get((name, sort))
        if values is None:
            field = self.fields.get(name)
            if field is None or field.sort != sort:
                what = "no field" if field is None else f"a {field.sort} field"
                raise CatalogError(f"{name!r} is {what} of this catalog, not a {sort} field")
            values = self._cache[name, sort] = _read_only(self._work_out(name, sort))
        return values

    def _work_out(self, name: str, sort: Sort) -> Flags | Numbers:
        fact = self._derived.get(name)
        if fact is not None and fact.sort == sort:
            return fact.values()
        if self._columns.get(name) == sort:
            return bool_values(self._table[name]) if sort == "Bool" else number_values(self._table[name])
        rows = self._table.num_rows
        return np.full(rows, -1, dtype=np.int8) if sort == "Bool" else np.full(rows, math.nan)

    def _is_stated(self, name: str) -> bool:
        """Say whether the table itself holds this fact: any further column, or a documented one with a value."""
        if name not in self._columns:
            return False
        return name not in BY_NAME or self._table[name].null_count < self._table.num_rows

    def _vocabulary(self, metadata: Metadata, facts: Mapping[str, Derived]) -> Fields:
        extension: dict[str, Field] = {}
        for name, sort in self._columns.items():
            if sort is not None and ":" not in name and (name not in _OLD_BUILTINS or name in metadata.declared):
                described = facts[name].description if name in facts else ""
                extension[name] = _field_of_column(name, sort, self._table[name], described)
        for fact in self._derived.values():
            extension[fact.name] = self._field_of_fact(fact)
        for name, declared in metadata.declared.items():
            known = extension.get(name)
            if known is not None and known.sort == declared.sort:
                extension[name] = replace(
                    known,
                    default=declared.default,
                    unit=declared.unit or known.unit,
                    description=declared.description or known.description,
                    source=declared.source or known.source,
                )
            else:
                # The operator's word for something else: a derived fact of another sort is not that.
                if name in self._derived:
                    self._cache.pop((name, self._derived.pop(name).sort), None)
                extension[name] = replace(declared, coverage=_share(0, self._table.num_rows))
        return Fields(extension, metadata.tier_order)

    def _field_of_fact(self, fact: Derived) -> Field:
        described = fact.name, fact.sort, fact.default, fact.unit, fact.description, fact.source
        if fact.name == EXPECTED_COST:
            return Field(*described)

        rows = self._table.num_rows

        # Not by what is kept here, of which the field is a part: a catalog would be freed by the collector alone, and
        # with all of its columns by nobody as long as a policy has its fields.
        def coverage() -> float | None:
            values = fact.values()
            known = np.count_nonzero(~np.isnan(values)) if fact.sort == "Num" else np.count_nonzero(values >= 0)
            return _share(int(known), rows)

        field = CountedField(*described)
        field.count_by(coverage)
        return field


class CountedField(Field):
    """A field whose coverage is counted when it is first asked for: many facts of a catalog no policy ever reads.

    Otherwise it is the `Field` that it is copied and printed as.
    """

    __slots__ = ("_coverage",)
    __qualname__ = "Field"
    _coverage: float | Callable[[], float | None] | None

    def count_by(self, coverage: Callable[[], float | None]) -> None:
        """Have the coverage counted by a function."""
        object.__setattr__(self, "_coverage", coverage)

    @property
    def coverage(self) -> float | None:
        """The share of the offers for which the fact is known."""
        share = self._coverage
        if callable(share):
            share = share()
            object.__setattr__(self, "_coverage", share)
        return share

    @coverage.setter
    def coverage(self, share: float | None) -> None:
        object.__setattr__(self, "_coverage", share)

    def __eq__(self, other: object) -> bool:
        return astuple(self) == astuple(other) if isinstance(other, Field) else NotImplemented

    def __hash__(self) -> int:
        return Field.__hash__(self)

    def __reduce__(self) -> tuple[type[Field], tuple[Any, ...]]:
        return Field, astuple(self)


def _sort_of(column: pa.ChunkedArray) -> Sort | None:
    return _SORTS.get(kind_of_type(column.type) or "")


def _share(known: int, rows: int) -> float | None:
    return known / rows if rows else None


def _field_of_column(name: str, sort: Sort, column: pa.ChunkedArray, described: str) -> Field:
    documented = BY_NAME.get(name)
    default: float | bool = False
    if sort == "Num":
        default = documented.default if documented else math.inf if name.startswith("price_") else 0.0
    unit, text = (documented.unit, documented.description) if documented else ("", described)
    share = _share(len(column) - column.null_count, len(column))
    return Field(name, sort, default, unit if sort == "Num" else "", text, "offer", share)


def _read_only(values: Flags | Numbers) -> Flags | Numbers:
    values.flags.writeable = False
    return values
