"""What a comparison of two sides comes to, in numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Counts:
    """How many tenants.

    All but the first four are about ``compared`` ones. A winner is a first offer; a tenant whose state is refused has
    no winner, no order and no survivors.

    Attributes
    ----------
    tenants : in the table of either side; compared : in both; only_before, only_after : in one
    winner : have another winner, or one where there was none, or none where there was one
    order : whose first ``k`` offers, or their order, differ, those of ``winner`` included
    survivors : with another number of offers that pass the filter
    policy : with a policy of another identity, or one on one side only
    stranded : had an offer, and now a policy that leaves none; gained : the other way round
    one_left : had several offers that pass the filter, and now exactly one
    refused : had a policy, and now their state is refused; accepted : the other way round
    none_before, none_after : with a policy that leaves no offer
    one_before, one_after : with exactly one offer that passes the filter
    refused_before, refused_after : with a state that is refused
    """

    tenants: int
    compared: int
    only_before: int
    only_after: int
    winner: int
    order: int
    survivors: int
    policy: int
    stranded: int
    gained: int
    one_left: int
    refused: int
    accepted: int
    none_before: int
    none_after: int
    one_before: int
    one_after: int
    refused_before: int
    refused_after: int


@dataclass(frozen=True, slots=True)
class Cost:
    """What one call of each tenant at its winner costs, in USD.

    Attributes
    ----------
    known : tenants with a winner of known cost on both sides, whom ``before`` and ``after`` add up
    dearer, cheaper : of these, whose call costs more, and less
    unknown : tenants with a winner on both sides whose cost is unknown on one of them or both
    newly_unknown : of these, whose cost was known before and is not after
    """

    known: int
    before: float
    after: float
    dearer: int
    cheaper: int
    unknown: int
    newly_unknown: int

    @property
    def percent(self) -> float | None:
        """By how much per cent cost goes up: infinite from 0, ``None`` where it is known on both sides for nobody."""
        if not self.known:
            return None
        change = self.after - self.before
        if self.before:
            return change / self.before * 100.0
        return math.inf if change else 0.0


@dataclass(frozen=True, slots=True)
class Move:
    """Tenants that go from one winner to another.

    Attributes
    ----------
    old, new : offer ids, ``None`` for none
    tenants : how many; example : the id of the first
    cost_before, cost_after : USD for a call, ``None`` where unknown or where there is no offer
    """

    old: str | None
    new: str | None
    tenants: int
    example: str
    cost_before: float | None
    cost_after: float | None


@dataclass(frozen=True, slots=True)
class Reason:
    """Why some tenants are hit.

    Attributes
    ----------
    what : a kind of `Fate`, or ``no_offer`` or ``one_left``
    why : in words, or ``None``
    tenants : how many; example : the id of the first
    """

    what: str
    why: str | None
    tenants: int
    example: str


@dataclass(frozen=True, slots=True)
class RuleSet:
    """Tenants to whom the same rules apply.

    Attributes
    ----------
    before, after : ids of the rules, in file order, joined by ``, ``; ``None`` where there is no policy
    tenants : how many; winner, order, stranded, one_left : of these, as in `Counts`
    cost : theirs
    """

    before: str | None
    after: str | None
    tenants: int
    winner: int
    order: int
    stranded: int
    one_left: int
    cost: Cost
