"""Decisions: what ranking one policy gives."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import date
from types import MappingProxyType
from typing import TYPE_CHECKING

from tenantrank.engine.accepted import Outcome
from tenantrank.policy.policy import Policy

if TYPE_CHECKING:
    from tenantrank.engine.engine import Engine
    from tenantrank.engine.explain import Explanation
    from tenantrank.engine.request import Request
    from tenantrank.tenants import Origin


class Decision:
    """The answer to one `Engine.rank`, with the ids of all that went into it.

    Attributes
    ----------
    offer_ids : best first; scores : likewise, higher is better (a chain's are minus the place)
    survivors : how many offers passed the filter, whether ranked or cut by the selector or ``k``
    policy : the caller's policy; seed, k : as given
    engine, request, origins : what it was ranked by and for, and the origins of a compiled policy's clauses
    """

    __slots__ = (
        "_explained",
        "_rejected",
        "engine",
        "k",
        "offer_ids",
        "origins",
        "policy",
        "request",
        "scores",
        "seed",
        "survivors",
    )

    def __init__(
        self,
        offer_ids: tuple[str, ...],
        scores: tuple[float, ...],
        survivors: int,
        policy: Policy,
        seed: int | None,
        engine: Engine,
        request: Request,
        origins: Mapping[str, tuple[Origin, ...]] | None,
        k: int | None,
    ) -> None:
        self.offer_ids = offer_ids
        self.scores = scores
        self.survivors = survivors
        self.policy = policy
        self.seed = seed
        self.k = k
        self.engine = engine
        self.request = request
        self.origins = origins
        self._rejected: Mapping[str, str] | None = None
        self._explained: Explanation | None = None

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
        if self._rejected is None:
            self._rejected = MappingProxyType(self.explain().first_reasons())
        return self._rejected

    def explain(self) -> Explanation:
        """Give every failing clause of every offer: its bound, the value observed, the rule that asked for it."""
        if self._explained is None:
            outcome = Outcome(self.offer_ids, self.scores, self.seed, self.k)
            self._explained = self.engine.explain(self.policy, self.request, self.origins, outcome)
        return self._explained

    def __repr__(self) -> str:
        best = f"{self.offer_ids[0]} first" if self.offer_ids else "no offer"
        return f"<Decision {best}, {self.survivors} survivors, policy {self.policy.fingerprint}>"
