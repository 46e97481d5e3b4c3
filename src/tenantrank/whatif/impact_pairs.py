"""Distinct pairs of policies, one of each side: what is worked out once for all tenants that have both."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from tenantrank.tenants import Fleet
from tenantrank.whatif.impact_figures import Cost, Counts
from tenantrank.whatif.impact_sides import ABSENT, IS_NO_OFFER, IS_RANKED, NONE, REFUSED, Answers
from tenantrank.whatif.impact_table import Bools, Rows

Key = TypeVar("Key", bound=Hashable)


class Group(NamedTuple):
    """Pairs that are alike: how many tenants, the row of the first of them, and one of the pairs."""

    tenants: int
    first: int
    pair: int


class Pairs:
    """The pairs of policies that tenants of either side have.

    Attributes
    ----------
    tenants : ids, as the table before has them, then who is only in the other
    old_rows, new_rows : (tenants,) the row of each side's table, −1 where the tenant has none
    of_tenant : (tenants,) the pair of each
    old, new : (pairs,) rows of each side's answers
    old_winner, new_winner : (pairs,) numbers of the first offers
    both : (pairs,) whether the tenants are in both tables; moved, reordered, stranded, one_left : which pairs are hit,
        as in `Counts`
    """

    def __init__(self, before: Answers, after: Answers) -> None:
        self._before, self._after = before, after
        self.tenants, self.old_rows, self.new_rows = _matched(before.fleet, after.fleet)
        old, new = _positions(before.fleet, self.old_rows), _positions(after.fleet, self.new_rows)
        width = len(after.fleet.policies) + 2
        pairs, self._first, self.of_tenant, self._sizes = np.unique(
            (old - ABSENT) * width + (new - ABSENT), return_index=True, return_inverse=True, return_counts=True
        )
        self.old: Rows = pairs // width + ABSENT
        self.new: Rows = pairs % width + ABSENT
        self.old_winner, self.new_winner = before.winner[self.old], after.winner[self.new]
        self.both: Bools = (self.old != ABSENT) & (self.new != ABSENT)
        self.moved: Bools = self.both & (self.old_winner != self.new_winner)
        self.reordered: Bools = self.both & _differ(before.offers[self.old], after.offers[self.new])
        old_status, new_status = before.status[self.old], after.status[self.new]
        self.stranded: Bools = self.both & (old_status == IS_RANKED) & (new_status == IS_NO_OFFER)
        old_passing, new_passing = before.survivors[self.old], after.survivors[self.new]
        self.one_left: Bools = self.both & (old_passing > 1) & (new_passing == 1)

    def count(self, chosen: Bools) -> int:
        """Count the tenants of the pairs chosen."""
        return int(self._sizes[chosen].sum())

    def counts(self) -> Counts:
        """Count who is hit, and how."""
        old, new, both = self.old, self.new, self.both
        old_status, new_status = self._before.status[old], self._after.status[new]
        old_passing, new_passing = self._before.survivors[old], self._after.survivors[new]
        return Counts(
            tenants=len(self.tenants),
            compared=self.count(both),
            only_before=self.count(new == ABSENT),
            only_after=self.count(old == ABSENT),
            winner=self.count(self.moved),
            order=self.count(self.reordered),
            survivors=self.count(both & (old_passing != new_passing)),
            policy=self.count(both & self.other_policy()),
            stranded=self.count(self.stranded),
            gained=self.count(both & (old_status == IS_NO_OFFER) & (new_status == IS_RANKED)),
            one_left=self.count(self.one_left),
            refused=self.count(both & (old >= 0) & (new == REFUSED)),
            accepted=self.count(both & (old == REFUSED) & (new >= 0)),
            none_before=self.count(both & (old_status == IS_NO_OFFER)),
            none_after=self.count(both & (new_status == IS_NO_OFFER)),
            one_before=self.count(both & (old_passing == 1)),
            one_after=self.count(both & (new_passing == 1)),
            refused_before=self.count(both & (old == REFUSED)),
            refused_after=self.count(both & (new == REFUSED)),
        )

    def other_policy(self) -> Bools:
        """Say which pairs are of policies that differ in identity."""
        pairs = zip(self.old.tolist(), self.new.tolist(), strict=True)
        return np.array([self._before.identity(old) != self._after.identity(new) for old, new in pairs], dtype=bool)

    def cost(self, chosen: Bools) -> Cost:
        """Add up what the tenants of the pairs chosen pay."""
        part = np.flatnonzero(chosen & self.both)
        before, after, sizes = self._before.cost[self.old[part]], self._after.cost[self.new[part]], self._sizes[part]
        had = (self.old_winner[part] != NONE) & (self.new_winner[part] != NONE)
        knew, knows = ~np.isnan(before), ~np.isnan(after)
        known = knew & knows
        return Cost(
            known=int(sizes[known].sum()),
            before=math.fsum((before * sizes)[known]),
            after=math.fsum((after * sizes)[known]),
            dearer=int(sizes[after > before].sum()),
            cheaper=int(sizes[after < before].sum()),
            unknown=int(sizes[had & ~known].sum()),
            newly_unknown=int(sizes[had & knew & ~knows].sum()),
        )

    def groups(self, chosen: Bools, keys: Iterable[Key]) -> list[tuple[Key, Group]]:
        """Gather the pairs chosen by a key that each pair has; the largest groups first, then as the keys sort."""
        found: dict[Key, list[int]] = {}
        for at, (wanted, key) in enumerate(zip(chosen.tolist(), keys, strict=True)):
            if wanted:
                found.setdefault(key, []).append(at)
        groups = [
            (key, Group(int(self._sizes[pairs].sum()), int(self._first[pairs].min()), pairs[0]))
            for key, pairs in found.items()
        ]
        return sorted(groups, key=lambda group: (-group[1].tenants, str(group[0])))


def _positions(fleet: Fleet, rows: Rows) -> Rows:
    """Give the position of each tenant's policy, `REFUSED` or `ABSENT`."""
    # A row of −1 takes what stands last.
    positions: Rows = np.append(fleet.index.astype(np.int64), ABSENT)[rows]
    return positions


def _matched(before: Fleet, after: Fleet) -> tuple[tuple[str, ...], Rows, Rows]:
    """Give the tenants of either side, and for each the row it has on each side, −1 where it has none."""
    rows = np.arange(len(before))
    if before.tenants == after.tenants:
        return before.tenants, rows, rows
    there = {key: row for row, key in enumerate(_counted(after.tenants))}
    found = np.array([there.pop(key, -1) for key in _counted(before.tenants)], dtype=np.int64)
    more = np.array(list(there.values()), dtype=np.int64)
    names = (*before.tenants, *(after.tenants[row] for row in more.tolist()))
    return names, np.concatenate([rows, np.full(len(more), -1)]), np.concatenate([found, more])


def _counted(names: Iterable[str]) -> list[tuple[str, int]]:
    """Tell the rows of one id apart by how many came before."""
    seen: dict[str, int] = {}
    found = []
    for name in names:
        seen[name] = seen.get(name, -1) + 1
        found.append((name, seen[name]))
    return found


def _differ(one: NDArray[np.int32], other: NDArray[np.int32]) -> Bools:
    """Say which rows of two lists of offers differ; what lies behind the last offer is `NONE`."""
    shared = min(one.shape[1], other.shape[1])
    longer = one if one.shape[1] > shared else other
    unlike: Bools = (one[:, :shared] != other[:, :shared]).any(axis=1) | (longer[:, shared:] != NONE).any(axis=1)
    return unlike
