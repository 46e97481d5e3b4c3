"""One side of a comparison: its answer for each compiled policy, and what an offer of the other side is there."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tenantrank.catalog.costs import Tokens
from tenantrank.engine import Engine
from tenantrank.engine.envelope import HELD_APART, Envelope
from tenantrank.engine.fleet import ERROR, NO_OFFER, RANKED
from tenantrank.policy.describe import describe_clause
from tenantrank.policy.normal_form import Node, clauses_of
from tenantrank.tenants import Fleet
from tenantrank.tenants.origin import attributed

STATUSES = (RANKED, NO_OFFER, ERROR, "absent")
"""What a side has for a tenant: as in a table of `rank_tenants`, and ``absent`` where it is not in the side's table."""
IS_RANKED, IS_NO_OFFER, IS_ERROR, IS_ABSENT = range(4)

REFUSED, ABSENT = -1, -2
"""Positions, beside those of compiled policies, of a tenant whose state was refused and of one that is not there: from
the end, where each array of `Answers` has a row for them.
"""
NONE = -1
"""The number of no offer."""

Codes = NDArray[np.int32]


class Fate(NamedTuple):
    """What an offer that comes first for a tenant on one side is on the other, where it does not come first.

    Attributes
    ----------
    what : ``not_offered`` (the catalog does not have it), ``rejected`` (it fails the filter), ``unselected`` (it
        passes, and the selector does not list it), ``outranked`` (it passes, and others come first), ``refused`` (the
        tenant's state was refused)
    why : for ``rejected`` the first clause that it fails, in words with whose it is; else ``None``
    """

    what: str
    why: str | None = None


def numbered(before: Engine, after: Engine) -> tuple[tuple[str, ...], Codes, Codes]:
    """Give the offers of two catalogs numbers by id: those of the first as they stand, then what only the other has.

    Returns
    -------
    ids by number; and for each catalog the number of the offer in each row
    """
    old, new = before.catalog.offer_ids, after.catalog.offer_ids
    numbers = np.arange(len(old), dtype=np.int32)
    if after.catalog is before.catalog:
        return tuple(old), numbers, numbers
    found = pc.index_in(pa.array(new, pa.string()), pa.array(old, pa.string()))
    there = found.fill_null(NONE).to_numpy(zero_copy_only=False).astype(np.int32)
    extra = there == NONE
    there[extra] = len(old) + np.arange(int(extra.sum()), dtype=np.int32)
    return (*old, *(name for name, only in zip(new, extra.tolist(), strict=True) if only)), numbers, there


class Answers:
    """What one side answers: a row for each compiled policy of its fleet, one for ``ABSENT`` and one for ``REFUSED``.

    Parameters
    ----------
    engine, fleet
        the side
    numbers
        the number of the offer in each row of the catalog; see `numbered`
    offers
        how many numbers there are
    k
        the most offers wanted for each policy
    tokens
        what a call takes
    on_progress
        called with how many policies more are ranked, now and then

    Attributes
    ----------
    offers : (rows, places) int32, numbers of the ranked offers, best first, `NONE` behind the last
    ranked, survivors : (rows,) int32, how many offers are ranked, and how many pass the filter
    status : (rows,) int8, places in `STATUSES`
    cost : (rows,) USD for a call at the first offer, NaN where unknown or where there is none
    """

    def __init__(
        self,
        engine: Engine,
        fleet: Fleet,
        numbers: Codes,
        offers: int,
        k: int,
        tokens: Tokens,
        on_progress: Callable[[int], None] | None,
    ) -> None:
        self.engine = engine
        self.fleet = fleet
        policies = {compiled.policy.identity: compiled.policy for compiled in fleet.policies}
        place = {identity: at for at, identity in enumerate(policies)}
        found = engine.rank_rows(tuple(policies.values()), k=k, on_progress=on_progress)
        at = np.array([place[compiled.policy.identity] for compiled in fleet.policies], dtype=np.int64)
        count, width = len(fleet.policies), found.rows.shape[1]
        self.ranked = np.zeros(count + 2, dtype=np.int32)
        self.survivors = self.ranked.copy()
        self.offers = np.full((count + 2, width), NONE, dtype=np.int32)
        self.cost = np.full(count + 2, np.nan)
        self.ranked[:count], self.survivors[:count] = found.ranked[at], found.survived[at]
        rows, there = found.rows[at], np.arange(width) < self.ranked[:count, None]
        self.offers[:count][there] = numbers[rows[there]]
        if width:
            first = self.ranked[:count] > 0
            self.cost[:count][first] = engine.costs(tokens)[rows[first, 0]]
        self.status = np.where(self.ranked > 0, IS_RANKED, IS_NO_OFFER).astype(np.int8)
        self.status[REFUSED], self.status[ABSENT] = IS_ERROR, IS_ABSENT
        self._row_of = np.full(offers, NONE, dtype=np.int32)
        self._row_of[numbers] = np.arange(len(numbers), dtype=np.int32)
        self._envelope = Envelope(engine.envelope, engine.catalog)
        self._fates: dict[tuple[int, int], Fate] = {}
        self._deciding: dict[int, str] = {}

    @property
    def winner(self) -> Codes:
        """The number of the first offer of each row, `NONE` where there is none."""
        if not self.offers.shape[1]:
            return np.full(len(self.offers), NONE, dtype=np.int32)
        return self.offers[:, 0]

    def rules(self, position: int) -> str | None:
        """Give the ids of the rules behind a policy, joined; ``None`` where there is no policy."""
        return None if position < 0 else ", ".join(self.fleet.policies[position].rules)

    def identity(self, position: int) -> str | None:
        """Give the identity of a policy; ``None`` where there is none."""
        return None if position < 0 else self.fleet.policies[position].policy.identity

    def deciding(self, position: int) -> str:
        """Say what leaves a policy without an offer: the fewest clauses that would have to give way, or a selector."""
        known = self._deciding.get(position)
        if known is None:
            compiled, passing = self.fleet.policies[position], int(self.survivors[position])
            known = self._deciding[position] = (
                f"the selector keeps none of the {passing} offers that pass ({compiled.selector})"
                if passing
                else "; ".join(self.engine.nearest_miss(compiled)) or "the catalog has no offers"
            )
        return known

    def fate(self, position: int, offer: int) -> Fate:
        """Say what an offer, by number, is here for a policy under which it does not come first."""
        if position == REFUSED:
            return Fate("refused")
        known = self._fates.get((position, offer))
        if known is None:
            known = self._fates[position, offer] = self._fate(position, offer)
        return known

    def _fate(self, position: int, offer: int) -> Fate:
        row = int(self._row_of[offer])
        if row == NONE:
            return Fate("not_offered")
        if (self.offers[position] == offer).any():
            return Fate("outranked")
        compiled = self.fleet.policies[position]
        clauses, _, first = self.engine.rejections(compiled.policy)
        failed = int(first[row])
        if failed == len(clauses):
            return Fate("outranked" if self._lists(compiled.policy.selector, row) else "unselected")
        clause = clauses_of(self._envelope.effective(compiled.policy))[failed]
        whose = self._envelope.origins(compiled.origins).get(clause.encoding, ())
        return Fate("rejected", attributed(_words(clause), whose))

    def _lists(self, selector: Node, row: int) -> bool:
        """Whether a selector lists an offer that passes; all but a chain list every one, and at most cut by rank."""
        while selector.op == "top_k":
            selector = selector.children[0]
        if selector.op != "chain":
            return True
        own = tuple(self._text(column, row) for column in ("provider_id", "model_family"))
        return any(
            own == (pair.get("provider", pair.get("provider_id")), pair.get("model", pair.get("model_family")))
            for pair in selector.parameters[0]
        )

    def _text(self, column: str, row: int) -> str | None:
        codes, names = self.engine.catalog.strings(column)
        return names[codes[row]] if codes[row] >= 0 else None


def _words(clause: Node) -> str:
    return "the operator's envelope" if clause == HELD_APART else describe_clause(clause)
