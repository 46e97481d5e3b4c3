"""Decisions: what ranking one policy gives."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import date
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from tenantrank.engine.accepted import Outcome
from tenantrank.engine.given import parts_of, policy_of
from tenantrank.policy.policy import Policy

if TYPE_CHECKING:
    from tenantrank.engine.engine import Engine
    from tenantrank.engine.explain import Explanation
    from tenantrank.engine.request import Request
    from tenantrank.tenants import CompiledPolicy, Origin


class Decision:
    """The answer to one `Engine.rank`, with the ids of all that went into it.

    Attributes
    ----------
    offer_ids : best first; scores : likewise, higher is better (a chain's are minus the place)
    survivors : how many offers passed the filter, whether ranked or cut by the selector or ``k``
    seed, k : as given; engine, request : what it was ranked by and for
    """

    __slots__ = (
        "_explained",
        "_given",
        "_rejected",
        "engine",
        "k",
        "offer_ids",
        "request",
        "scores",
        "seed",
        "survivors",
    )

    offer_ids: tuple[str, ...]
    scores: tuple[float, ...]
    survivors: int
    seed: int | None
    k: int | None
    engine: Engine
    request: Request
    _given: Policy | CompiledPolicy
    _rejected: Mapping[str, str]
    _explained: Explanation

    @property
    def policy(self) -> Policy:
        """The caller's policy."""
        return policy_of(self._given)

    @property
    def origins(self) -> Mapping[str, tuple[Origin, ...]] | None:
        """The origins of the policy's clauses where a rulebook compiled it, else ``None``."""
        return parts_of(self._given)[1]

    @property
    def catalog_id(self) -> str:
        """The sha256 of the content of the catalog that was ranked."""
        return self.engine.catalog.catalog_id

    @property
    def as_of(self) -> date | None:
        """The day by which the catalog judged deprecation and the like, ``None`` without one."""
        return self.engine.catalog.judged_at

    @property
    def expected_costs(self) -> tuple[float | None, ...]:
        """What the call is expected to cost in USD at each ranked offer, by the request's token estimates.

        ``None`` where a price that counts is unknown, and throughout where the request estimates no tokens; see
        `tenantrank.catalog.costs.expected_costs`.
        """
        tokens = self.request.tokens
        if tokens is None:
            return (None,) * len(self.offer_ids)
        rows = [self.engine.row_of_offer(offer) for offer in self.offer_ids]
        costs = self.engine.costs(tokens, self.policy.version, rows).tolist()
        return tuple([None if math.isnan(cost) else cost for cost in costs])

    @property
    def envelope_identity(self) -> str | None:
        """The sha256 of the operator's envelope, ``None`` without one."""
        envelope = self.engine.envelope
        return None if envelope is None else envelope.identity

    @property
    def rejected(self) -> Mapping[str, str]:
        """Why each other offer did not pass: the reason of its first failing clause, by offer id in catalog order.

        Worked out on first use. An offer that passed and was then cut by the selector or by ``k`` is not in it.
        """
        try:
            return self._rejected
        except AttributeError:
            self._rejected = MappingProxyType(self.explain().first_reasons())
            return self._rejected

    def explain(self) -> Explanation:
        """Give every failing clause of every offer: its bound, the value observed, the rule that asked for it."""
        try:
            return self._explained
        except AttributeError:
            outcome = Outcome(self.offer_ids, self.scores, self.seed, self.k)
            policy, origins = parts_of(self._given)
            self._explained = self.engine.explain(policy, self.request, origins, outcome)
            return self._explained

    def __getstate__(self) -> tuple[None, dict[str, Any]]:
        """Go into a pickle or a copy without what was worked out since; it is worked out there when it is asked for."""
        return None, {name: getattr(self, name) for name in self.__slots__ if name not in ("_explained", "_rejected")}

    def __repr__(self) -> str:
        best = f"{self.offer_ids[0]} first" if self.offer_ids else "no offer"
        return f"<Decision {best}, {self.survivors} survivors, policy {self.policy.fingerprint}>"
