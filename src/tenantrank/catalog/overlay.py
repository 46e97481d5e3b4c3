"""Laying an operator's attestations over a catalog.

These rules keep the result on the safe side. An attestation that is not in force on the day of judging makes its
columns unknown for the offers it matches: the public value does not come back. One in force wins over one that is not,
and the later over the earlier. ``geo`` and ``regions`` are one statement: where only one of them is attested, the other
becomes unknown.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tenantrank.catalog.catalog import Catalog, checked_day
from tenantrank.catalog.changes import Change, Rows, changed_provenance, changed_table
from tenantrank.catalog.overlay_file import Attestation, Match, Overlay, OwnOffer, read_overlay
from tenantrank.catalog.records import array_of_value
from tenantrank.catalog.schema import BY_NAME, Kind, kind_of_type
from tenantrank.catalog.tables import canonical_table, kind_of_column
from tenantrank.errors import CatalogError

_KEYS = frozenset({"offer_id", "provider_id", "model_family"})
_PLACES = ("geo", "regions")
_UNKNOWN_PERMITS = frozenset({"scope", "deprecation_date", "success_rate"})
"""Columns in which a null shuts out less than any value: a lapsed value stays, a lapsed withdrawal has no effect."""


def apply_overlay(
    catalog: Catalog, overlay: Mapping[str, Any] | str | os.PathLike[str], as_of: date | None = None
) -> Catalog:
    """Give a catalog with an overlay laid over it; see `Catalog.with_overlay`."""
    read = read_overlay(overlay)
    today = catalog.as_of if as_of is None else checked_day(as_of)
    for place, entry in _entries(read):
        if today is None and entry.valid_until is not None:
            raise CatalogError(f"overlay {read.name}: {place}.valid_until cannot be judged without as_of")
    kinds = {place: _kinds(catalog, entry, f"overlay {read.name}: {place}") for place, entry in _entries(read)}
    warnings: list[str] = []
    added = _added(catalog, read, today, warnings)
    table = _with_copies(catalog.table, added)
    own = _own_changes(read, added, kinds, table.num_rows)
    table = changed_table(table, own)
    attested = _attested(read, table, own, kinds, today, warnings)
    table = changed_table(table, attested)
    canonical = canonical_table(table, catalog.metadata.declared)
    changes = [*own, *attested]
    copies = [(entry.like, entry.offer_id) for _, entry, _ in added]

    def side_table() -> pa.Table:
        return changed_provenance(catalog.provenance, canonical["offer_id"], copies, changes)

    said = [*catalog.warnings, *(f"overlay {read.name}: {warning}" for warning in warnings)]
    return Catalog(canonical, catalog.metadata, today, side_table, said)


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
        except CatalogError as error:
            raise CatalogError(f"{place}.set.{name}: {error}") from None
        kinds[name] = kind
    return kinds


def _lapse(entry: Attestation | OwnOffer, today: date | None) -> str | None:
    if today is not None and entry.valid_until is not None and entry.valid_until < today:
        return f"expired after {entry.valid_until}"
    if today is not None and entry.verified_at is not None and entry.verified_at > today:
        return f"is not in force before {entry.verified_at}"
    return None


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
        lapse = _lapse(entry, today)
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


def _own_changes(
    overlay: Overlay, added: Sequence[tuple[int, OwnOffer, int]], kinds: Mapping[str, Mapping[str, Kind]], count: int
) -> list[Change]:
    changes = []
    for offset, (position, entry, _) in enumerate(added):
        rows = np.zeros(count, dtype=bool)
        rows[count - len(added) + offset] = True
        changes += _changes(entry, kinds[f"offers[{position}]"], rows, _source(overlay, entry), None)
        changes += _companions(entry, rows, _source(overlay, entry))
    return changes


def _changes(
    entry: Attestation | OwnOffer, kinds: Mapping[str, Kind], rows: Rows, source: str, lapse: str | None
) -> list[Change]:
    changes = []
    for name, kind in kinds.items():
        value = array_of_value(entry.set[name], kind)
        said = source
        if lapse:
            said = f"{source}: attestation {lapse}"
            if name not in _UNKNOWN_PERMITS:
                value = array_of_value(None, kind)
            elif not value[0].is_valid:
                continue
        changes.append(Change(name, value, rows, said, entry.verified_at))
    return changes


def _companions(entry: Attestation | OwnOffer, rows: Rows, source: str) -> list[Change]:
    """Withdraw the half of a place that an entry does not set."""
    set_, unset = [name for name in _PLACES if name in entry.set], [name for name in _PLACES if name not in entry.set]
    if not set_ or not unset:
        return []
    said = f"{source}: unknown, for only {set_[0]} is attested"
    return [Change(unset[0], array_of_value(None, "list"), rows, said, entry.verified_at)]


def _attested(
    overlay: Overlay,
    table: pa.Table,
    own: Sequence[Change],
    kinds: Mapping[str, Mapping[str, Kind]],
    today: date | None,
    warnings: list[str],
) -> list[Change]:
    """Work out what each attestation changes: rows that a stronger statement sets are left out."""
    values: list[Change] = []
    lapsed: list[Change] = []
    for position, entry in enumerate(overlay.attestations):
        rows, source = _matching(entry.match, table), _source(overlay, entry)
        if not rows.any():
            warnings.append(f"attestations[{position}] matches no offer")
            continue
        lapse = _lapse(entry, today)
        if lapse:
            names = ", ".join(sorted(entry.set))
            warnings.append(f"attestations[{position}] {lapse}: {names} of {int(rows.sum())} offers not attested")
        group = lapsed if lapse else values
        group += _changes(entry, kinds[f"attestations[{position}]"], rows, source, lapse)
        lapsed += _companions(entry, rows, source)
    # From the strongest to the weakest; each row of a column is set by the first that reaches it.
    settled: dict[str, Rows] = {}
    for change in own:
        settled[change.column] = settled.get(change.column, np.zeros(table.num_rows, dtype=bool)) | change.rows
    kept = []
    for change in [*reversed(values), *reversed(lapsed)]:
        before = settled.get(change.column, np.zeros(table.num_rows, dtype=bool))
        rows = change.rows & ~before
        settled[change.column] = before | rows
        if rows.any():
            kept.append(Change(change.column, change.value, rows, change.source, change.as_of))
    return kept[::-1]


def _matching(match: Match, table: pa.Table) -> Rows:
    rows = np.ones(table.num_rows, dtype=bool)
    for name in match.model_fields_set:
        patterns = getattr(match, name)
        column = table[name].combine_chunks()
        if name in _PLACES:
            listed = pc.is_in(pc.list_flatten(column), pa.array(patterns)).to_numpy(zero_copy_only=False)
            here = np.zeros(table.num_rows, dtype=bool)
            here[pc.list_parent_indices(column).to_numpy()[listed]] = True
        else:
            plain = column.dictionary_decode() if pa.types.is_dictionary(column.type) else column
            spelled = "|".join(".*".join(re.escape(part) for part in pattern.split("*")) for pattern in patterns)
            accept = re.compile(spelled, re.DOTALL)
            names = [text for text in plain.unique().to_pylist() if text is not None and accept.fullmatch(text)]
            here = pc.is_in(plain, pa.array(names, pa.string())).to_numpy(zero_copy_only=False)
        rows &= here
    return rows
