"""Laying an operator's overlay over a catalog: its own offers, then what its attestations come to.

How attestations hold, lapse and meet is told in `tenantrank.catalog.settle`. An offer of the operator's own that stands
elsewhere than the one it copies, or is another model, takes over none of its promises.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tenantrank.catalog.catalog import Catalog, checked_day
from tenantrank.catalog.changes import Change, Rows, changed_provenance, changed_table
from tenantrank.catalog.labels import check_label
from tenantrank.catalog.lapse import holds_from, holds_until, lapse_of
from tenantrank.catalog.overlay_file import Attestation, Overlay, OwnOffer, is_promise, read_overlay
from tenantrank.catalog.records import array_of_value
from tenantrank.catalog.schema import BY_NAME, Kind, kind_of_type
from tenantrank.catalog.settle import settle
from tenantrank.catalog.statements import Statement, changes_of, companions
from tenantrank.catalog.tables import canonical_table, kind_of_column
from tenantrank.catalog.zero_listed import kept_in_step
from tenantrank.errors import CatalogError

_KEYS = frozenset({"offer_id", "provider_id", "model_family"})
_WHERE = (
    "provider_id", "base_url", "region_key", "cloud_region", "peer_id", "geo", "regions", "region_scope",
    "model_family", "wire_model_id",
)  # fmt: skip
"""Columns that say what is served, by whom and where: with another value in one of them, no promise is taken over."""


def apply_overlay(
    catalog: Catalog, overlay: Mapping[str, Any] | str | os.PathLike[str], as_of: date | None = None
) -> Catalog:
    """Give a catalog with an overlay laid over it; see `Catalog.with_overlay`."""
    read = read_overlay(overlay)
    today = catalog.as_of if as_of is None else checked_day(as_of)
    for place, entry in _entries(read):
        for key in ("valid_until", "verified_at"):
            if today is None and getattr(entry, key) is not None:
                raise CatalogError(f"overlay {read.name}: {place}.{key} cannot be judged without as_of")
    kinds = {place: _kinds(catalog, entry, f"overlay {read.name}: {place}") for place, entry in _entries(read)}
    warnings: list[str] = []
    added = _added(catalog, read, today, warnings)
    table = _with_copies(catalog.table, added)
    blank = _blanks(read, added, kinds, table)
    table = changed_table(table, blank)
    own = _own_changes(read, added, kinds, table)
    table = changed_table(table, own)
    statements = [
        Statement(place, entry, _source(read, entry), lapse_of(entry, today), kinds[place])
        for place, entry in _entries(read)
        if isinstance(entry, Attestation)
    ]
    originals = np.array([row for _, _, row in added], dtype=np.int64)
    flagged = changed_table(table, kept_in_step(table, own))
    settled = settle(statements, flagged, blank, own, originals, catalog.fields)
    table = changed_table(table, settled.changes)
    changes = [*own, *settled.changes]
    flags = kept_in_step(table, changes)
    table = changed_table(table, flags)
    changes += flags
    canonical = canonical_table(table.filter(pa.array(settled.kept)), catalog.metadata.declared)
    copies = [(entry.like, entry.offer_id) for _, entry, _ in added]

    def side_table() -> pa.Table:
        said = changed_provenance(catalog.provenance, table["offer_id"], copies, changes)
        return said.filter(pc.is_in(said["offer_id"], canonical["offer_id"].combine_chunks()))

    entries = [entry for _, entry in _entries(read)]
    ends = [day for day in (catalog.metadata.holds_until, holds_until(entries, today)) if day is not None]
    beginnings = [day for day in (catalog.metadata.holds_from, holds_from(entries, today)) if day is not None]
    until, since = min(ends, default=None), max(beginnings, default=None)
    metadata = replace(catalog.metadata, holds_until=until, holds_from=since)
    said = [*catalog.warnings, *(f"overlay {read.name}: {warning}" for warning in [*warnings, *settled.warnings])]
    return Catalog(canonical, metadata, today, side_table, said)


def _entries(overlay: Overlay) -> list[tuple[str, Attestation | OwnOffer]]:
    attestations = [(f"attestations[{k}]", entry) for k, entry in enumerate(overlay.attestations)]
    return [*attestations, *((f"offers[{k}]", entry) for k, entry in enumerate(overlay.offers))]


def _kinds(catalog: Catalog, entry: Attestation | OwnOffer, place: str) -> dict[str, Kind]:
    """Check what an entry sets against the columns there are, and give the kind of each."""
    kinds: dict[str, Kind] = {}
    declared = catalog.metadata.declared
    for name, value in entry.set.items():
        fixed = {"offer_id"} if isinstance(entry, OwnOffer) else _KEYS
        known = name in BY_NAME or name in catalog.table.column_names or name in declared
        if not known or name in fixed:
            hint = "cannot be set here" if name in fixed else "is not a column of this catalog"
            raise CatalogError(f"{place}.set: {name!r} {hint}")
        present = name in catalog.table.column_names
        kind = kind_of_type(catalog.table[name].type) if present else kind_of_column(name, declared)
        assert kind is not None, "a declared field has a kind, and a canonical table holds no other type"
        try:
            array_of_value(value, kind)
            if kind == "string":
                check_label(name, value, catalog.fields.tier_order)
        except CatalogError as error:
            raise CatalogError(f"{place}.set.{name}: {error}") from None
        if isinstance(value, int | float) and value < 0 and name.startswith(("price_", "retention_")):
            raise CatalogError(f"{place}.set.{name}: expected a number of at least 0, got {value!r}")
        kinds[name] = kind
    return kinds


def _source(overlay: Overlay, entry: Attestation | OwnOffer) -> str:
    account = f", account {entry.account}" if entry.account else ""
    return f"overlay:{entry.contract or overlay.name}{account}"


def _added(
    catalog: Catalog, overlay: Overlay, today: date | None, warnings: list[str]
) -> list[tuple[int, OwnOffer, int]]:
    """Give the operator's own offers that are added: position in the overlay, entry, row of the offer copied."""
    rows = {offer: row for row, offer in enumerate(catalog.offer_ids)}
    taken = set(rows)
    added = []
    for position, entry in enumerate(overlay.offers):
        if entry.offer_id in taken:
            raise CatalogError(
                f"overlay {overlay.name}: offers[{position}].offer_id: {entry.offer_id!r} already exists"
            )
        taken.add(entry.offer_id)
        lapse = lapse_of(entry, today)
        if entry.like not in rows:
            warnings.append(f"offers[{position}] is not added: there is no offer {entry.like!r} to be like")
        elif lapse is not None:
            warnings.append(f"offers[{position}] is not added: it {lapse}")
        else:
            added.append((position, entry, rows[entry.like]))
    return added


def _with_copies(table: pa.Table, added: Sequence[tuple[int, OwnOffer, int]]) -> pa.Table:
    if not added:
        return table
    copies = table.take(pa.array([row for _, _, row in added]))
    ids = pa.array([entry.offer_id for _, entry, _ in added])
    copies = copies.set_column(table.column_names.index("offer_id"), "offer_id", ids)
    return pa.concat_tables([table, copies]).unify_dictionaries().combine_chunks()


def _own_row(table: pa.Table, count: int, offset: int) -> Rows:
    rows = np.zeros(table.num_rows, dtype=bool)
    rows[table.num_rows - count + offset] = True
    return rows


def _blanks(
    overlay: Overlay,
    added: Sequence[tuple[int, OwnOffer, int]],
    kinds: Mapping[str, Mapping[str, Kind]],
    table: pa.Table,
) -> list[Change]:
    """Take the promises of the original out of copies that stand elsewhere; attestations may still make them."""
    changes = []
    for offset, (position, entry, original) in enumerate(added):
        moved = [
            name
            for name, kind in kinds[f"offers[{position}]"].items()
            if name in _WHERE and _plain(array_of_value(entry.set[name], kind)[0]) != _plain(table[name][original])
        ]
        for name in table.column_names if moved else ():
            promised = is_promise(name) or name == "policy_scope"
            if promised and name not in entry.set and table[name][table.num_rows - len(added) + offset].is_valid:
                blank = kind_of_type(table[name].type)
                assert blank is not None, "a canonical table holds no other type"
                said = f"{_source(overlay, entry)}: unknown, for {moved[0]} is its own"
                rows = _own_row(table, len(added), offset)
                changes.append(Change(name, array_of_value(None, blank), rows, said, entry.verified_at))
    return changes


def _plain(value: pa.Scalar) -> Any:
    plain = value.as_py()
    return set(plain) if isinstance(plain, list) else plain


def _own_changes(
    overlay: Overlay,
    added: Sequence[tuple[int, OwnOffer, int]],
    kinds: Mapping[str, Mapping[str, Kind]],
    table: pa.Table,
) -> list[Change]:
    changes = []
    for offset, (position, entry, _) in enumerate(added):
        rows, source = _own_row(table, len(added), offset), _source(overlay, entry)
        changes += changes_of(entry, kinds[f"offers[{position}]"], rows, source)
        changes += companions(entry, rows, source, table)
    return changes
