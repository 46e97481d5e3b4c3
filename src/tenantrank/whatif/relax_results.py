"""What could give way for a policy that ranks no offer: the answer of `relax`, as data, in words, and for machines."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal

from tenantrank.catalog.costs import Tokens
from tenantrank.policy.policy import Policy
from tenantrank.tenants import Origin
from tenantrank.tenants.hard_clauses import WeakerBound
from tenantrank.tenants.origin import attributed
from tenantrank.whatif.relax_reach import Why
from tenantrank.whatif.relax_words import number

Cause = Literal["none", "clauses", "selector", "catalog"]
"""What leaves a policy without an offer: nothing does, its clauses, a `chain` that lists none of what passes, a catalog
without offers.
"""


@dataclass(frozen=True, slots=True)
class Change:
    """How one clause would give way.

    Attributes
    ----------
    clause : its encoding; words : the same as a line of plain English
    origins : the rules that ask for it; empty for a policy that no rulebook compiled
    text : what to do, as in ``raise price_out from 2.1 to 2.4``
    instead : encoding of the clause that would stand in its place, ``None`` where it is dropped
    field, bound, to : of a bound, what it bounds, its value now and then; else ``None``
    distance : of a bound, how far it moves, relative to its value now (infinite where that is 0); else ``None``
    admits : of any other clause, what the offers then ranked have there, the best offer's first: names, or ``false``,
    ``true`` or ``unknown`` of a flag, or what a request asks and they lack; empty where there is no one thing to name
    weaker : bounds of other rules that gave way to this one and would have to move as well, since they stand then
    """

    clause: str
    words: str
    origins: tuple[Origin, ...]
    text: str
    instead: str | None = None
    field: str | None = None
    bound: float | None = None
    to: float | None = None
    distance: float | None = None
    admits: tuple[str, ...] = ()
    weaker: tuple[WeakerBound, ...] = ()

    def __str__(self) -> str:
        also = "; ".join(f"{number(bound.value)} of {bound.origin} likewise" for bound in self.weaker)
        return attributed(self.text, self.origins) + (f" ({also})" if also else "")


@dataclass(frozen=True, slots=True)
class Relaxation:
    """One set of clauses that would have to give way together.

    Attributes
    ----------
    changes : how each of them would, in the order in which they are tried
    policy : the policy with these changes and no other
    offer_ids : what it would rank, best first, at most ``k``; at least one
    costs : (offers,) USD that a call is expected to cost at each, ``None`` where unknown
    survivors : how many offers would pass
    """

    changes: tuple[Change, ...]
    policy: Policy
    offer_ids: tuple[str, ...]
    costs: tuple[float | None, ...]
    survivors: int

    def __str__(self) -> str:
        return " and ".join(map(str, self.changes))


@dataclass(frozen=True, slots=True)
class Standing:
    """A clause that stands in the way whatever else gives way.

    Attributes
    ----------
    clause, words, origins : as of a `Change`; the origin of the operator's envelope is the rule ``envelope``
    why : what keeps it from giving way, see `tenantrank.whatif.relax_reach.Why`
    text : the same in words
    """

    clause: str
    words: str
    origins: tuple[Origin, ...]
    why: tuple[Why, ...]
    text: str

    def __str__(self) -> str:
        return f"{attributed(self.words, self.origins)}, {self.text}"


@dataclass(frozen=True, slots=True)
class Relaxations:
    """What could give way for a policy that ranks no offer.

    Attributes
    ----------
    cause : why it ranks none; reason : the same in words
    alternatives : sets of equally many clauses, the best first, at most ``limit``; empty where nothing is wrong and
    where no relaxation helps
    sets : how many such sets there are
    standing : where no relaxation helps, the fewest clauses that stand in the way; else empty
    tokens : what costs are for
    """

    cause: Cause
    reason: str
    alternatives: tuple[Relaxation, ...]
    sets: int
    standing: tuple[Standing, ...]
    tokens: Tokens

    @property
    def lines(self) -> list[str]:
        """All of it for people, a line each."""
        return ["; ".join(filter(None, (self.reason, self.remedy))), *map(str, self.alternatives)]

    @property
    def remedy(self) -> str:
        """Whether something could give way, in words: in how many ways, or what stands in the way; empty where there is
        nothing to say of clauses.
        """
        if self.alternatives:
            size = len(self.alternatives[0].changes)
            clauses = "one clause" if size == 1 else f"{size} clauses together"
            return f"{clauses} could give way" + ("" if self.sets == 1 else f", in {self.sets} ways")
        if not self.standing:
            return ""
        if all(one.why == ("never_relax",) for one in self.standing):
            what = " and ".join(attributed(one.words, one.origins) for one in self.standing)
            return f"only clauses that are never relaxed keep the nearest out: {what}"
        what = " and ".join(map(str, self.standing))
        return f"nothing that may give way would help; in the way stands: {what}"

    @property
    def document(self) -> dict[str, Any]:
        """All of it for machines, as a JSON value; an infinite distance is null."""
        return {
            "cause": self.cause,
            "reason": self.reason,
            "remedy": self.remedy,
            "sets": self.sets,
            "tokens": asdict(self.tokens),
            "alternatives": [
                {
                    "changes": [
                        {
                            "clause": change.clause,
                            "words": change.words,
                            "origins": _origins(change.origins),
                            "text": change.text,
                            "instead": change.instead,
                            "field": change.field,
                            "bound": change.bound,
                            "to": change.to,
                            "distance": None if change.distance == math.inf else change.distance,
                            "admits": list(change.admits),
                            "weaker": [{"bound": one.value, **_origins([one.origin])[0]} for one in change.weaker],
                        }
                        for change in one.changes
                    ],
                    "survivors": one.survivors,
                    "offers": [
                        {"offer_id": offer, "expected_cost_usd": cost}
                        for offer, cost in zip(one.offer_ids, one.costs, strict=True)
                    ],
                }
                for one in self.alternatives
            ],
            "standing": [
                {"clause": one.clause, "words": one.words, "origins": _origins(one.origins), "why": list(one.why)}
                for one in self.standing
            ],
        }


def _origins(origins: Iterable[Origin]) -> list[dict[str, Any]]:
    return [{"rule": origin.rule, "field": origin.field, "value": origin.value} for origin in origins]
