"""Laying an operator's attestations over a catalog.

What an attestation says holds while it is in force on the day of judging. One that is not makes its columns unknown for
the offers it matches, where unknown shuts out, and else withholds these offers (see `tenantrank.catalog.lapse`): in
neither case does the public value come back. A policy that negates a promise reads unknown as false, as everywhere. One
in force wins over one that is not, and the later over the earlier.

Some columns are read together. Where only one of ``geo`` and ``regions`` is attested, the other becomes unknown; and
so does ``zdr`` where ``trains_on_data`` said that an upstream decides and is now attested alone. An offer of the
operator's own that stands elsewhere than the one it copies takes over none of its promises.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tenantrank.catalog.catalog import Catalog, checked_day
from tenantrank.catalog.changes import Change, Rows, changed_provenance, changed_table
from tenantrank.catalog.lapse import holds_until, lapse_of, unknown_shuts_out
from tenantrank.catalog.overlay_file import Attestation, Match, Overlay, OwnOffer, is_promise, read_overlay
from tenantrank.catalog.records import array_of_value
from tenantrank.catalog.schema import BY_NAME, Kind, kind_of_type
from tenantrank.catalog.tables import canonical_table, kind_of_column
from tenantrank.errors import CatalogError

_KEYS = frozenset({"offer_id", "provider_id", "model_family"})
_PLACES = ("geo", "regions")
_WHERE = ("provider_id", "base_url", "region_key", "cloud_region", "peer_id")
"""Columns that say who serves an offer and where: with another value in one of them, no promise is taken over."""


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
    blank = _blanks(read, added, table)
    table = changed_table(table, blank)
    own = _own_changes(read, added, kinds, table)
    table = changed_table(table, own)
    attested, kept = _attested(catalog, read, table, blank, own, kinds, today, warnings)
    table = changed_table(table, attested)
    canonical = canonical_table(table.filter(pa.array(kept)), catalog.metadata.declared)
    changes = [*own, *attested]
    copies = [(entry.like, entry.offer_id) for _, entry, _ in added]

    def side_table() -> pa.Table:
        said = changed_provenance(catalog.provenance, table["offer_id"], copies, changes)
        return said.filter(pc.is_in(said["offer_id"], canonical["offer_id"].combine_chunks()))

    ends = [catalog.metadata.holds_until, holds_until((entry for _, entry in _entries(read)), today)]
    metadata = replace(catalog.metadata, holds_until=min((day for day in ends if day is not None), default=None))
    said = [*catalog.warnings, *(f"overlay {read.name}: {warning}" for warning in warnings)]
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


def _blanks(overlay: Overlay, added: Sequence[tuple[int, OwnOffer, int]], table: pa.Table) -> list[Change]:
    """Take the promises of the original out of copies that stand elsewhere; attestations may still make them."""
    changes = []
    for offset, (_, entry, _) in enumerate(added):
        moved = [name for name in _WHERE if name in entry.set]
        for name in table.column_names if moved else ():
            promised = is_promise(name) or name == "policy_scope"
            if promised and name not in entry.set and table[name][table.num_rows - len(added) + offset].is_valid:
                kind = kind_of_type(table[name].type)
                assert kind is not None, "a canonical table holds no other type"
                said = f"{_source(overlay, entry)}: unknown, for {moved[0]} is its own"
                rows = _own_row(table, len(added), offset)
                changes.append(Change(name, array_of_value(None, kind), rows, said, entry.verified_at))
    return changes


def _own_changes(
    overlay: Overlay,
    added: Sequence[tuple[int, OwnOffer, int]],
    kinds: Mapping[str, Mapping[str, Kind]],
    table: pa.Table,
) -> list[Change]:
    changes = []
    for offset, (position, entry, _) in enumerate(added):
        rows, source = _own_row(table, len(added), offset), _source(overlay, entry)
        changes += _changes(entry, kinds[f"offers[{position}]"], rows, source)
        changes += _companions(entry, rows, source, table)
    return changes


def _changes(entry: Attestation | OwnOffer, kinds: Mapping[str, Kind], rows: Rows, source: str) -> list[Change]:
    return [
        Change(name, array_of_value(entry.set[name], kind), rows, source, entry.verified_at)
        for name, kind in kinds.items()
    ]


def _companions(entry: Attestation | OwnOffer, rows: Rows, source: str, table: pa.Table) -> list[Change]:
    """Withdraw what an entry does not set and what was said together with something that it sets."""
    changes = []
    set_, unset = [name for name in _PLACES if name in entry.set], [name for name in _PLACES if name not in entry.set]
    if set_ and unset:
        said = f"{source}: unknown, for only {set_[0]} is attested"
        changes.append(Change(unset[0], array_of_value(None, "list"), rows, said, entry.verified_at))
    texts = all(kind_of_type(table[name].type) == "string" for name in ("trains_on_data", "zdr"))
    if texts and "trains_on_data" in entry.set and "zdr" not in entry.set:
        # A gateway's `zdr` covers its own layer, which only its `trains_on_data` says.
        upstream = pc.fill_null(pc.equal(table["trains_on_data"], "upstream_dependent"), False).to_numpy()
        said = f"{source}: unknown, for only trains_on_data is attested of a gateway"
        changes.append(Change("zdr", array_of_value(None, "string"), rows & upstream, said, entry.verified_at))
    return changes


def _attested(
    catalog: Catalog,
    overlay: Overlay,
    table: pa.Table,
    blank: Sequence[Change],
    own: Sequence[Change],
    kinds: Mapping[str, Mapping[str, Kind]],
    today: date | None,
    warnings: list[str],
) -> tuple[list[Change], Rows]:
    """Work out what attestations change, leaving out rows that a stronger statement sets, and which offers stay."""
    values: list[Change] = []
    weak: list[Change] = list(blank)
    withholding: list[tuple[str, list[str], Rows]] = []
    for position, entry in enumerate(overlay.attestations):
        rows, source = _matching(entry.match, table), _source(overlay, entry)
        place, lapse = f"attestations[{position}]", lapse_of(entry, today)
        if not rows.any():
            warnings.append(f"{place} matches no offer")
            continue
        weak += _companions(entry, rows, source, table)
        if lapse is None:
            values += _changes(entry, kinds[place], rows, source)
            continue
        closed = [name for name, kind in kinds[place].items() if unknown_shuts_out(name, kind, catalog.fields)]
        for name in closed:
            unknown, said = array_of_value(None, kinds[place][name]), f"{source}: attestation {lapse}"
            weak.append(Change(name, unknown, rows, said, entry.verified_at))
        if closed:
            warnings.append(f"{place} {lapse}: {', '.join(sorted(closed))} of {int(rows.sum())} offers not attested")
        withholding.append((f"{place} {lapse}", sorted(set(entry.set).difference(closed)), rows))
    settled: dict[str, Rows] = {}
    for change in own:
        settled[change.column] = _settled(settled, change) | change.rows
    # From the strongest to the weakest; each row of a column is set by the first that reaches it.
    changes = _unsettled(reversed(values), settled)
    kept = np.ones(table.num_rows, dtype=bool)
    for said, names, rows in withholding:
        open_ = {name: rows & ~settled.get(name, np.zeros_like(rows)) for name in names}
        withheld = np.logical_or.reduce([np.zeros_like(rows), *open_.values()])
        kept &= ~withheld
        if withheld.any():
            told = ", ".join(name for name, missing in open_.items() if missing.any())
            warnings.append(f"{said}: {int(withheld.sum())} offers withheld, for their {told} is not attested")
    changes += _unsettled(reversed(weak), settled)
    return changes[::-1], kept


def _settled(settled: Mapping[str, Rows], change: Change) -> Rows:
    return settled.get(change.column, np.zeros_like(change.rows))


def _unsettled(changes: Iterable[Change], settled: dict[str, Rows]) -> list[Change]:
    kept = []
    for change in changes:
        before = _settled(settled, change)
        rows = change.rows & ~before
        settled[change.column] = before | rows
        if rows.any():
            kept.append(Change(change.column, change.value, rows, change.source, change.as_of))
    return kept


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
