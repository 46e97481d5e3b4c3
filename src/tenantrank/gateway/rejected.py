"""Who is rejected and why, as a caller may see it.

The operator's envelope is not the caller's business: its clauses are shown as one, without their text, and offers that
lie outside it are counted and not named.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tenantrank.engine import Clause, Decision, Explanation
from tenantrank.engine.envelope import ORIGIN
from tenantrank.gateway.views import origin_json
from tenantrank.policy.policy import Policy

ENVELOPE_WORDS = "the offer is within what the operator permits and can reach"
"""What stands for the clauses of the envelope."""


class Rejected:
    """What one decision turned away.

    Parameters
    ----------
    decision
        the decision
    policy
        the caller's own, whose clauses may be shown
    offer_ids
        of the catalog that was ranked, in its order
    """

    def __init__(self, decision: Decision, policy: Policy, offer_ids: tuple[str, ...]) -> None:
        self._decision = decision
        self._ids = offer_ids
        self._explanation: Explanation = decision.explain()
        own = {clause.encoding for clause in policy.clauses}
        self._clauses = self._explanation.clauses
        self._own = [clause.encoding in own for clause in self._clauses]
        self._failing = self._explanation.failing

    @property
    def passing(self) -> NDArray[np.bool_]:
        """Whether each offer, in catalog order, passes every clause, (offers,)."""
        return np.logical_not(_any(self._failing))

    @property
    def hidden(self) -> NDArray[np.bool_]:
        """Whether each offer lies outside the envelope, (offers,)."""
        outside = [at for at, own in enumerate(self._own) if not own]
        return _any(self._failing[outside])

    def by_clause(self) -> list[dict[str, Any]]:
        """Give each clause with how many offers it is the first to turn away, how many fail it, and how many fail it
        alone; what the envelope turns away comes last, as one.
        """
        turned = self._turned_away()
        shown = [
            {**clause_json(clause), "rejected": turned[at], "failed": clause.failed, "alone": clause.alone}
            for at, clause in enumerate(self._clauses)
            if self._own[at]
        ]
        if not all(self._own):
            count = sum(turned[at] for at, own in enumerate(self._own) if not own)
            hidden: dict[str, Any] = {"clause": None, "words": ENVELOPE_WORDS, "origins": []}
            failed = int(self.hidden.sum())
            shown.append({**hidden, "rejected": count, "failed": failed, "alone": self._alone_outside()})
        return shown

    def offers(self, most: int, explain: bool) -> tuple[list[dict[str, Any]], int]:
        """Give rejected offers in catalog order with the first reason, or all; and how many are left out."""
        named = np.flatnonzero(~self.passing & ~self.hidden).tolist()
        ids = self._ids
        reasons = self._decision.rejected
        shown = []
        for row in named[:most]:
            entry: dict[str, Any] = {"offer": ids[row], "reason": reasons[ids[row]]}
            if explain:
                entry["failing"] = self.failing(ids[row])
            shown.append(entry)
        return shown, int((~self.passing).sum()) - len(shown)

    def failing(self, offer_id: str) -> list[dict[str, Any]]:
        """Give every clause that an offer fails: its bound, the value observed, and whose it is."""
        return [
            {
                **clause_json(failure.clause),
                "reason": failure.reason,
                "bound": failure.bound,
                "observed": failure.observed,
            }
            for failure in self._explanation.of(offer_id)
        ]

    def about(self, offers: Sequence[str]) -> list[dict[str, Any]]:
        """Say of each offer where it stands: ``ranked``, ``cut`` by the selector or ``k``, ``rejected``, or
        ``not_available``, which one is that is not in the catalog or outside the envelope.
        """
        ids = self._ids
        rows = {name: row for row, name in enumerate(ids)} if offers else {}
        places = {name: place for place, name in enumerate(self._decision.offer_ids, 1)}
        passing, hidden = self.passing, self.hidden
        shown: list[dict[str, Any]] = []
        for offer in offers:
            row = rows.get(offer)
            if row is None or hidden[row]:
                shown.append({"offer": offer, "outcome": "not_available"})
            elif not passing[row]:
                shown.append({"offer": offer, "outcome": "rejected", "failing": self.failing(offer)})
            elif offer in places:
                shown.append({"offer": offer, "outcome": "ranked", "place": places[offer]})
            else:
                shown.append({"offer": offer, "outcome": "cut"})
        return shown

    def deciding(self) -> list[dict[str, Any]]:
        """Give the fewest clauses that would have to give way for an offer to pass; nothing where one passes."""
        found = self._explanation.deciding()
        own = {clause.encoding for at, clause in enumerate(self._clauses) if self._own[at]}
        shown = [clause_json(clause) for clause in found if clause.encoding in own]
        if len(shown) < len(found):
            shown.append({"clause": None, "words": ENVELOPE_WORDS, "origins": []})
        return shown

    def _turned_away(self) -> list[int]:
        failing = self._failing
        first = np.where(_any(failing), failing.argmax(axis=0) if len(failing) else 0, len(failing))
        counts: list[int] = np.bincount(first, minlength=len(failing) + 1)[: len(failing)].tolist()
        return counts

    def _alone_outside(self) -> int:
        inside = [at for at, own in enumerate(self._own) if own]
        return int((self.hidden & ~_any(self._failing[inside])).sum())


def _any(failing: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Say of each offer whether it fails one of some clauses, (offers,)."""
    found: NDArray[np.bool_] = np.any(failing, axis=0)
    return found


def clause_json(clause: Clause) -> dict[str, Any]:
    """Give a clause as a JSON value: its canonical text, in words, and the rules that asked for it."""
    return {
        "clause": clause.encoding,
        "words": clause.words,
        "origins": [origin_json(origin) for origin in clause.origins if origin != ORIGIN],
    }
