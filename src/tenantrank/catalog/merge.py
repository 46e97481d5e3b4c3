"""Joining the sources' offers into one row each, with the source and date of every value.

Offers are the same where provider, model id (case aside) and region are. Each column takes the value of the first
source of `PRECEDENCE` that states one; prices have rules of their own, because figures of two price lists do not mix.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tenantrank.catalog.precedence import PRECEDENCE, PRICE_EXTRAS, PRICE_PAIR, SOURCES
from tenantrank.catalog.sources.offers import SourceInfo, SourceOffer, SourceTable

EXAMPLES = 5
"""Examples kept of each kind of conflict."""


@dataclass(slots=True)
class Row:
    """One offer of the merged catalog.

    Attributes
    ----------
    offer_id : ``provider|wire model id`` and, for a regional row, ``|region``
    key : identity by which sources were joined
    values : column to value
    origins : column to (source, date); the source is an origin, with ``:field`` where the source's own field is another
    sources : names of the sources that describe this very offer
    """

    offer_id: str
    provider_id: str
    wire_model_id: str
    region_key: str | None
    key: tuple[str, str, str] = ("", "", "")
    values: dict[str, Any] = field(default_factory=dict)
    origins: dict[str, tuple[str, str]] = field(default_factory=dict)
    sources: list[str] = field(default_factory=list)

    def put(self, column: str, value: Any, source: str, as_of: str) -> None:
        """Set a value with its origin."""
        self.values[column] = value
        self.origins[column] = (source, as_of)


@dataclass(slots=True)
class Conflicts:
    """Where sources differ: per column, how many offers two or more state, how many they disagree on, and examples."""

    stated_twice: Counter[str] = field(default_factory=Counter)
    differing: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[tuple[str, dict[str, Any]]]] = field(default_factory=dict)

    def note(self, offer_id: str, column: str, stated: Mapping[str, Any]) -> None:
        """Count one offer's statements about one column."""
        if len(stated) < 2:
            return
        self.stated_twice[column] += 1
        if len({repr(value) for value in stated.values()}) > 1:
            self.differing[column] += 1
            shown = self.examples.setdefault(column, [])
            if len(shown) < EXAMPLES:
                shown.append((offer_id, dict(stated)))


Stated = dict[str, tuple[SourceOffer, SourceInfo]]


def merge(tables: Sequence[SourceTable]) -> tuple[list[Row], Conflicts]:
    """Join source tables.

    Parameters
    ----------
    tables
        sources by name of their `SourceInfo`; of two tables of one source, the earlier wins

    Returns
    -------
    rows
        sorted by offer_id; that order is the catalog's and decides ties
    conflicts
        what the sources disagree on
    """
    grouped: dict[tuple[str, str, str], Stated] = {}
    for table in sorted(tables, key=lambda table: SOURCES.index(table.info.name)):
        for offer in table.offers:
            grouped.setdefault(offer.key, {}).setdefault(table.info.name, (offer, table.info))
    conflicts = Conflicts()
    rows = {}
    for stated in grouped.values():
        row = _row(stated, conflicts)
        rows[row.offer_id] = row
    return [rows[offer_id] for offer_id in sorted(rows)], conflicts


def _row(stated: Stated, conflicts: Conflicts) -> Row:
    offers = [offer for offer, _ in stated.values()]
    # A full path where any source gives it; else the spelling of the first source.
    first = next((offer for offer in offers if "/" in offer.wire_model_id), offers[0])
    parts = (first.provider_id, first.wire_model_id, first.region_key)
    row = Row("|".join(part for part in parts if part), *parts, key=first.key, sources=list(stated))
    for column, order in PRECEDENCE.items():
        named = [name for name in order if name in stated and column in stated[name][0].values]
        conflicts.note(row.offer_id, column, {name: stated[name][0].values[column] for name in named})
        if named and column not in PRICE_PAIR and column not in PRICE_EXTRAS:
            _take(row, column, *stated[named[0]])
    _take_prices(row, stated)
    return row


def _take(row: Row, column: str, offer: SourceOffer, info: SourceInfo) -> None:
    note = offer.notes.get(column)
    row.put(column, offer.values[column], f"{info.origin}:{note}" if note else info.origin, info.as_of)


def _take_prices(row: Row, stated: Stated) -> None:
    """Choose one source's pair of prices, and further prices from sources that list the same pair.

    A pair of zeros says that tokens are not billed there (a free tier, a subscription) or that nobody filled it in, so
    it yields to a pair that is not.
    """
    order = [name for name in PRECEDENCE["price_in"] if name in stated]
    pairs = {name: _pair(stated[name][0]) for name in order}
    whole = [name for name in order if None not in pairs[name]]
    chosen = next((name for name in whole if any(pairs[name])), whole[0] if whole else None)
    if chosen is None:
        for column in PRICE_PAIR:
            name = next((name for name in order if column in stated[name][0].values), None)
            if name is not None:
                _take(row, column, *stated[name])
        return
    for column in PRICE_PAIR:
        _take(row, column, *stated[chosen])
    agreeing = [name for name in order if pairs[name] == pairs[chosen]]
    for column in PRICE_EXTRAS:
        name = next((name for name in agreeing if column in stated[name][0].values), None)
        if name is not None and not (column in _LONG and _differs(row, stated[name][1])):
            _take(row, column, *stated[name])


_LONG = ("price_in_long", "price_out_long", "long_ctx_threshold")


def _differs(row: Row, info: SourceInfo) -> bool:
    """Whether the long prices taken so far come from another source: the three belong together."""
    taken = {row.origins[column][0] for column in _LONG if column in row.origins}
    return bool(taken) and taken != {info.origin}


def _pair(offer: SourceOffer) -> tuple[float | None, float | None]:
    return offer.values.get("price_in"), offer.values.get("price_out")
