"""Two policies beside each other: what one gives that the other does not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from rich.table import Table

from tenantrank.cli.output import table
from tenantrank.engine import Decision

_NAMED = 5  # offers gained or lost that are named


@dataclass(frozen=True)
class Beside:
    """A decision, and what another policy would have decided of the same offers for the same request.

    Attributes
    ----------
    new, other : both with the whole order
    name : what the other policy is called
    """

    new: Decision
    other: Decision
    name: str

    @property
    def gained(self) -> list[str]:
        """The offers that pass now and do not pass the other policy, in catalog order."""
        return self._passing_only(self.new, self.other)

    @property
    def lost(self) -> list[str]:
        """The offers that pass the other policy and do not pass now, in catalog order."""
        return self._passing_only(self.other, self.new)

    @property
    def same_places(self) -> int | None:
        """How many places from the first on hold the same offers; ``None`` where the whole order is the same."""
        pairs = zip_longest(self.new.offer_ids, self.other.offer_ids)
        return next((place for place, (one, other) in enumerate(pairs) if one != other), None)

    def to_json(self, ranked: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """Give what the other policy decides, with its ranked offers as shown, and what differs."""
        policy = self.other.policy
        return {
            "fingerprint": policy.fingerprint,
            "identity": policy.identity,
            "version": policy.version,
            "survivors": self.other.survivors,
            "ranked": list(ranked),
            "winner_changed": self.new.offer_ids[:1] != self.other.offer_ids[:1],
            "order_changed": self.same_places is not None,
            "gained": self.gained,
            "lost": self.lost,
        }

    def table(self, k: int) -> Table:
        """Give the first places of both."""
        orders = (self.new.offer_ids[:k], self.new.scores[:k], self.other.offer_ids[:k], self.other.scores[:k])
        rows = [(place, *row) for place, row in enumerate(zip_longest(*orders), 1)]
        return table(
            f"beside {self.name}",
            ["place", "offer", "score", self.name, "its score"],
            rows,
            ["place", "score", "its score"],
        )

    def lines(self) -> list[str]:
        """Say what differs: who is first, the order, who passes."""
        same = self.same_places
        first, other = ((decision.offer_ids or ("no offer",))[0] for decision in (self.new, self.other))
        return [
            f"first: {first}, as with {self.name}" if first == other else f"first: {first}; with {self.name} {other}",
            "order: the same" if same is None else f"order: differs from place {same + 1} on",
            f"pass: {self.new.survivors}, with {self.name} {self.other.survivors}"
            f"{_listed('gained', self.gained)}{_listed('lost', self.lost)}",
        ]

    @staticmethod
    def _passing_only(one: Decision, other: Decision) -> list[str]:
        ids = one.engine.catalog.offer_ids
        return [offer for offer in ids if offer not in one.rejected and offer in other.rejected]


def _listed(word: str, offers: Sequence[str]) -> str:
    if not offers:
        return ""
    more = ", …" if len(offers) > _NAMED else ""
    return f"; {len(offers)} {word}: {', '.join(offers[:_NAMED])}{more}"
