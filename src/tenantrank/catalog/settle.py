"""What the attestations of an overlay come to together.

One in force holds for the offers that it is surely about (see `tenantrank.catalog.matching`); for those that it may be
about it counts only against them (see `tenantrank.catalog.doubt`). One that is not in force takes its columns from all
of these, where unknown shuts out, and else the offers themselves (see `tenantrank.catalog.lapse`): in neither case does
the public value come back. One in force wins over one that is not, and the later over the earlier.

What attestations match by may itself be attested, so they are settled again until each is about what it leaves. That
ends: what is sure only shrinks, what may be only grows.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tenantrank.catalog.changes import Change, Rows, changed_table
from tenantrank.catalog.doubt import doubted
from tenantrank.catalog.lapse import unknown_shuts_out
from tenantrank.catalog.matching import Reach, copies_of, matching
from tenantrank.catalog.records import array_of_value
from tenantrank.catalog.schema import Kind
from tenantrank.catalog.statements import Statement, changes_of, companions
from tenantrank.catalog.zero_listed import NAME as ZERO_LISTED
from tenantrank.catalog.zero_listed import PAIR, is_listed, zero_listed
from tenantrank.policy.signature import Fields

_By = tuple[int, Change]
"""A change and the statement that makes it; −1 is none."""


@dataclass(frozen=True, slots=True)
class Settled:
    """What becomes of a table.

    Attributes
    ----------
    changes : disjoint in the rows of each column
    kept : which offers stay, one bool a row
    warnings : a line each
    """

    changes: list[Change]
    kept: Rows
    warnings: list[str]


def settle(
    statements: Sequence[Statement],
    table: pa.Table,
    blank: Sequence[Change],
    own: Sequence[Change],
    originals: npt.NDArray[np.int64],
    fields: Fields,
) -> Settled:
    """Work out what attestations change and which offers stay.

    Parameters
    ----------
    statements
        the attestations, in their order
    table
        the offers, the operator's own last, with all that these say of themselves
    blank
        what was withdrawn from the operator's own offers, and any attestation may state again
    own
        what the operator's own offers set, and no attestation changes
    originals
        the row that each of the operator's own offers is a copy of
    fields
        the catalog's vocabulary
    """
    first = [matching(statement.entry.match, table) for statement in statements]
    reaches = [Reach(rows, rows) for rows in first]
    while True:
        pass_ = _Pass(statements, table, blank, own, originals, fields, reaches)
        changes = pass_.settled_changes()
        after = changed_table(table, [change for _, change in changes])
        seen = [_seen(k, statement, reaches[k], after, changes) for k, statement in enumerate(statements)]
        if all(reach.equals(again) for reach, again in zip(reaches, seen, strict=True)):
            return Settled([change for _, change in changes], pass_.kept, pass_.warnings)
        reaches = seen


def _seen(k: int, statement: Statement, reach: Reach, after: pa.Table, changes: Sequence[_By]) -> Reach:
    """Look again at what a statement matches, now that all are settled; what it says itself is not held against it."""
    changed = [(by, change) for by, change in changes if change.column in statement.entry.match.model_fields_set]
    if not changed:
        return reach
    excepted = _union(change for by, change in changed if by == k)
    return reach.seen(matching(statement.entry.match, after, excepted))


class _Pass:
    """One settling, with the offers of each attestation given."""

    def __init__(
        self,
        statements: Sequence[Statement],
        table: pa.Table,
        blank: Sequence[Change],
        own: Sequence[Change],
        originals: npt.NDArray[np.int64],
        fields: Fields,
        reaches: Sequence[Reach],
    ) -> None:
        self.statements, self.reaches = statements, reaches
        self.table, self.originals, self.fields = table, originals, fields
        self.none = np.zeros(table.num_rows, dtype=bool)
        self.kept = ~self.none
        self.warnings: list[str] = []
        self.own = _union(own)
        self.stated: dict[str, Rows] = {}
        for statement, reach in zip(statements, reaches, strict=True):
            for name in statement.kinds if statement.lapse is None else ():
                self.stated[name] = self.stated.get(name, self.none) | reach.sure
        self.weak: list[_By] = [(-1, change) for change in blank]
        self.values: list[_By] = []
        self.doubts: dict[str, dict[int, Rows]] = defaultdict(dict)

    def settled_changes(self) -> list[_By]:
        """Work everything out, and give the changes; of several in one row of a column the strongest only."""
        withheld = []
        for k, statement in enumerate(self.statements):
            reach = self.reaches[k]
            about = reach.maybe | copies_of(reach.maybe, self.originals)
            if not about.any():
                self.warnings.append(f"{statement.place} matches no offer")
                continue
            entry, source = statement.entry, statement.source
            self.weak += [(k, change) for change in companions(entry, about, source, self.table)]
            if statement.lapse is not None:
                withheld.append((statement, self._lapsed(k, statement)))
            elif unsure := int((reach.maybe & ~reach.sure).sum()):
                self.warnings.append(
                    f"{statement.place} may not be about {unsure} offers and counts only against them: this overlay "
                    "changes what it matches by"
                )
        for k, statement in enumerate(self.statements):
            if statement.lapse is None:
                self._in_force(k, statement)
        for statement, open_ in withheld:
            self._withhold(f"{statement.place} {statement.lapse}:", open_, "for their {} is not attested")
        for k, statement in enumerate(self.statements):
            open_ = {name: rows[k] for name, rows in self.doubts.items() if k in rows}
            self._withhold(f"{statement.place}:", open_, "for it is not sure whether their {} is attested")
        # From the strongest to the weakest; each row of a column is set by the first that reaches it.
        settled = dict(self.own)
        changes = _unsettled(reversed(self.values), settled)
        changes += _unsettled(reversed(self.weak), settled)
        return changes[::-1]

    def _lapsed(self, k: int, statement: Statement) -> dict[str, Rows]:
        """Make unknown what a statement not in force names; give the rows by column where that is no way."""
        reach, copies = self.reaches[k], copies_of(self.reaches[k].maybe, self.originals)
        rows = {}
        for name in statement.kinds:
            # A copy of an offer follows it where another statement says the same of that offer.
            renewed = copies_of(self.stated.get(name, self.none), self.originals)
            rows[name] = reach.maybe | (copies & ~renewed)
        closed = [name for name, kind in statement.kinds.items() if unknown_shuts_out(name, kind, self.fields)]
        said = f"{statement.source}: attestation {statement.lapse}"
        for name in closed:
            unknown = array_of_value(None, statement.kinds[name])
            self.weak.append((k, Change(name, unknown, rows[name], said, statement.entry.verified_at)))
        if closed:
            count = int(np.logical_or.reduce([rows[name] for name in closed]).sum())
            self.warnings.append(
                f"{statement.place} {statement.lapse}: {', '.join(sorted(closed))} of {count} offers not attested"
            )
        open_ = {name: here & ~self._said(name) for name, here in rows.items() if name not in closed}
        prices = PAIR.intersection(closed)
        if prices and ZERO_LISTED not in rows:
            # Neither the flag of prices that no longer count nor its absence is safe.
            listed = is_listed(self.table) | zero_listed(self.table, {name: statement.value(name) for name in prices})
            lapsed = np.logical_or.reduce([rows[name] & ~self._said(name) for name in prices])
            open_[ZERO_LISTED] = lapsed & listed & ~self._said(ZERO_LISTED)
        return open_

    def _in_force(self, k: int, statement: Statement) -> None:
        """Apply a statement in force: to the offers that it is surely about, and against those that it may be about."""
        reach, entry = self.reaches[k], statement.entry
        unsure = (reach.maybe | copies_of(reach.maybe, self.originals)) & ~reach.sure
        found = changes_of(entry, statement.kinds, reach.sure, statement.source)
        prices = {name: statement.value(name) for name in PAIR.intersection(statement.kinds)}
        if unsure.any() and prices and ZERO_LISTED not in statement.kinds:
            now = self._now({"price_in": "double", "price_out": "double"})
            unlike = zero_listed(now, {}) != zero_listed(now, prices)
            moved = np.logical_or.reduce([unsure & ~self.own.get(name, self.none) for name in prices])
            self.doubts[ZERO_LISTED][k] = moved & unlike & ~self._said(ZERO_LISTED)
        for name, kind in statement.kinds.items():
            for settled in (name, ZERO_LISTED) if prices.keys() == PAIR else (name,):
                self.doubts[settled] = {by: rows & ~reach.sure for by, rows in self.doubts[settled].items()}
            rows = unsure & ~self.own.get(name, self.none)
            if not rows.any():
                continue
            column, value = self._now({name: kind})[name].combine_chunks(), statement.value(name)
            doubt = doubted(name, kind, value, column, self.fields)
            said = f"{statement.source}: unknown, for this offer may not be the one attested"
            unknown = array_of_value(None, kind)
            found.append(Change(name, value, rows & doubt.takes, statement.source, entry.verified_at))
            found.append(Change(name, unknown, rows & doubt.unknown, said, entry.verified_at))
            self.doubts[name][k] = rows & doubt.unsafe
        self.values += [(k, change) for change in found]

    def _said(self, name: str) -> Rows:
        return self.own.get(name, self.none) | self.stated.get(name, self.none)

    def _now(self, kinds: Mapping[str, Kind]) -> pa.Table:
        """Give some columns as they are after the statements so far, those that the table lacks too; strings plain."""
        held = self.table.select([name for name in ("offer_id", *kinds) if name in self.table.column_names])
        nothing = [Change(name, array_of_value(None, kind), self.none, "", None) for name, kind in kinds.items()]
        return changed_table(held, [*nothing, *(c for _, c in (*self.weak, *self.values) if c.column in kinds)])

    def _withhold(self, said: str, open_: Mapping[str, Rows], why: str) -> None:
        rows = np.logical_or.reduce([self.none, *open_.values()])
        if rows.any():
            self.kept &= ~rows
            told = ", ".join(sorted(name for name, missing in open_.items() if missing.any()))
            self.warnings.append(f"{said} {int(rows.sum())} offers withheld, {why.format(told)}")


def _union(changes: Iterable[Change]) -> dict[str, Rows]:
    rows: dict[str, Rows] = {}
    for change in changes:
        rows[change.column] = rows[change.column] | change.rows if change.column in rows else change.rows
    return rows


def _unsettled(changes: Iterable[_By], settled: dict[str, Rows]) -> list[_By]:
    kept = []
    for by, change in changes:
        before = settled.get(change.column)
        rows = change.rows if before is None else change.rows & ~before
        settled[change.column] = rows if before is None else before | rows
        if rows.any():
            kept.append((by, replace(change, rows=rows)))
    return kept
