"""What changes from one catalog to another: offers, values, declared fields, order."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tenantrank.catalog.catalog import Catalog
from tenantrank.catalog.schema import kind_of_type
from tenantrank.errors import CatalogError
from tenantrank.policy.arguments import check_type
from tenantrank.policy.signature import Fields

SCHEMA = pa.schema(
    [
        pa.field("kind", pa.string(), nullable=False),
        pa.field("offer_id", pa.string()),
        pa.field("name", pa.string()),
        pa.field("old", pa.string()),
        pa.field("new", pa.string()),
    ]
)


@dataclass(frozen=True, slots=True)
class CatalogDiff:
    """The differences from an old catalog to a new one.

    Attributes
    ----------
    added : offers that only the new one has, in its order
    removed : offers that only the old one has, in its order
    changed : ``offer_id``, ``column``, ``old``, ``new`` for each value that differs in an offer of both, by the old
        catalog's order and then by column name; values as JSON text, null where unknown
    fields : name, old and new of each field whose sort or default differs, as text such as ``Num 0.0``; ``None`` where
        a catalog does not have it; by name
    tier_order : old and new, where they differ
    reordered : whether the offers of both stand in another order
    """

    old_id: str
    new_id: str
    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: pa.Table
    fields: tuple[tuple[str, str | None, str | None], ...]
    tier_order: tuple[tuple[str, ...], tuple[str, ...]] | None
    reordered: bool

    def __bool__(self) -> bool:
        """Say whether anything that a policy can see differs."""
        rest = self.fields or self.tier_order or self.reordered
        return bool(self.added or self.removed or self.changed.num_rows or rest)

    @property
    def table(self) -> pa.Table:
        """All differences as one table: ``kind``, ``offer_id``, ``name``, ``old``, ``new``.

        Rows in order of kind: ``removed``, ``added``, ``changed`` (name is the column), ``field`` (name is the field),
        ``tier_order``, ``reordered``; within a kind in the order of the attributes.
        """
        rows: list[tuple[str, str | None, str | None, str | None, str | None]] = []
        rows += [("removed", offer, None, None, None) for offer in self.removed]
        rows += [("added", offer, None, None, None) for offer in self.added]
        rows += [("changed", *values) for values in zip(*self.changed.to_pydict().values(), strict=True)]
        rows += [("field", None, name, old, new) for name, old, new in self.fields]
        if self.tier_order:
            old, new = (" < ".join(order) for order in self.tier_order)
            rows.append(("tier_order", None, None, old, new))
        if self.reordered:
            rows.append(("reordered", None, None, None, None))
        columns = zip(*rows, strict=True) if rows else [()] * len(SCHEMA)
        arrays = [pa.array(values, pa.string()) for values in columns]
        return pa.table(arrays, schema=SCHEMA)

    def summary(self) -> str:
        """Give the differences in a few lines of text, the columns that change most first."""
        if not self:
            return f"no difference ({self.old_id[:12]})"
        lines = [
            f"{self.old_id[:12]} -> {self.new_id[:12]}",
            f"offers: {len(self.added)} added, {len(self.removed)} removed, "
            f"{pc.count_distinct(self.changed['offer_id']).as_py()} changed in {self.changed.num_rows} values",
        ]
        counts = sorted(Counter(self.changed["column"].to_pylist()).items(), key=lambda item: (-item[1], item[0]))
        lines += [f"  {column}: {count}" for column, count in counts]
        lines += [f"field {name}: {old or 'none'} -> {new or 'none'}" for name, old, new in self.fields]
        if self.tier_order:
            lines.append("tier order: {} -> {}".format(*(" < ".join(order) for order in self.tier_order)))
        if self.reordered:
            lines.append("the order of the offers differs")
        return "\n".join(lines)


def diff_catalogs(old: Catalog, new: Catalog) -> CatalogDiff:
    """Say what changes from one catalog to another.

    Parameters
    ----------
    old, new
        compared offer by offer through ``offer_id``; provenance, sources and dates are not compared

    Raises
    ------
    CatalogError
        for what is no catalog
    """
    for given in (old, new):
        check_type(given, Catalog, "a Catalog to compare", CatalogError)
    old_ids, new_ids = old.table["offer_id"].combine_chunks(), new.table["offer_id"].combine_chunks()
    place = pc.index_in(old_ids, new_ids)
    common = np.flatnonzero(place.is_valid().to_numpy(zero_copy_only=False))
    there = place.drop_null().to_numpy()
    tiers = (old.metadata.tier_order, new.metadata.tier_order)
    return CatalogDiff(
        old.catalog_id,
        new.catalog_id,
        tuple(new_ids.filter(pc.invert(pc.is_in(new_ids, old_ids))).to_pylist()),
        tuple(old_ids.filter(pc.is_null(place)).to_pylist()),
        _changed(old.table.take(pa.array(common)), new.table.take(pa.array(there))),
        tuple(_changed_fields(old.fields, new.fields)),
        tiers if tiers[0] != tiers[1] else None,
        bool(np.any(np.diff(there) < 0)),
    )


def _changed(old: pa.Table, new: pa.Table) -> pa.Table:
    rows: list[np.ndarray[Any, np.dtype[np.int64]]] = []
    columns: list[str] = []
    values: dict[str, list[str | None]] = {"old": [], "new": []}
    for name in sorted({*old.column_names, *new.column_names} - {"offer_id"}):
        before, after = _column(old, name), _column(new, name)
        found = np.flatnonzero(_differ(before, after))
        if len(found):
            rows.append(found)
            columns += [name] * len(found)
            for side, array in (("old", before), ("new", after)):
                values[side] += [_text(value) for value in array.take(pa.array(found)).to_pylist()]
    all_rows = np.concatenate(rows) if rows else np.empty(0, dtype=np.int64)
    order = pa.array(np.argsort(all_rows, kind="stable"))
    return pa.table(
        {
            "offer_id": old["offer_id"].combine_chunks().take(pa.array(all_rows)).take(order),
            "column": pa.array(columns, pa.string()).take(order),
            "old": pa.array(values["old"], pa.string()).take(order),
            "new": pa.array(values["new"], pa.string()).take(order),
        }
    )


def _column(table: pa.Table, name: str) -> pa.Array:
    if name not in table.column_names:
        return pa.nulls(table.num_rows)
    array = table[name].combine_chunks()
    return array.dictionary_decode() if pa.types.is_dictionary(array.type) else array


def _differ(before: pa.Array, after: pa.Array) -> np.ndarray[Any, np.dtype[np.bool_]]:
    if before.type != after.type or kind_of_type(before.type) == "list":
        # Arrow compares neither lists nor values of two types.
        before, after = (pa.array([_text(value) for value in array.to_pylist()]) for array in (before, after))
        before, after = before.cast(pa.string()), after.cast(pa.string())
    unlike = pc.fill_null(pc.not_equal(before, after), False)
    one_null = pc.xor(before.is_valid(), after.is_valid())
    return pc.or_(unlike, one_null).to_numpy(zero_copy_only=False)  # type: ignore[no-any-return]


def _text(value: Any) -> str | None:
    return None if value is None else json.dumps(value, ensure_ascii=False, default=str)


def _changed_fields(old: Fields, new: Fields) -> list[tuple[str, str | None, str | None]]:
    found = []
    for name in sorted({*old, *new}):
        before, after = (
            None if name not in fields else f"{fields[name].sort} {fields[name].default}" for fields in (old, new)
        )
        if before != after:
            found.append((name, before, after))
    return found
