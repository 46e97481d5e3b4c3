"""Decisions: what ranking one policy gives."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from types import MappingProxyType
from typing import TYPE_CHECKING

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
    policy : the caller's policy; seed : the seed given
    """

    __slots__ = (
        "_engine",
        "_explained",
        "_origins",
        "_rejected",
        "_request",
        "offer_ids",
        "policy",
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
    ) -> None:
        self.offer_ids = offer_ids
        self.scores = scores
        self.survivors = survivors
        self.policy = policy
        self.seed = seed
        self._engine = engine
        self._request = request
        self._origins = origins
        self._rejected: Mapping[str, str] | None = None
        self._explained: Explanation | None = None

    @property
    def catalog_id(self) -> str:
        """The sha256 of the content of the catalog that was ranked."""
        return self._engine.catalog.catalog_id

    @property
    def as_of(self) -> date | None:
        """The day by which the catalog judged deprecation and the like, ``None`` without one."""
        return self._engine.catalog.judged_at

    @property
    def envelope_identity(self) -> str | None:
        """The sha256 of the operator's envelope, ``None`` without one."""
        envelope = self._engine.envelope
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
            self._explained = self._engine.explain(self.policy, self._request, self._origins)
        return self._explained

    def __repr__(self) -> str:
        best = f"{self.offer_ids[0]} first" if self.offer_ids else "no offer"
        return f"<Decision {best}, {self.survivors} survivors, policy {self.policy.fingerprint}>"
