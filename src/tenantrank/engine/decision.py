"""Decisions: what ranking one policy gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING

from tenantrank.catalog import Catalog
from tenantrank.policy.policy import Policy

if TYPE_CHECKING:
    from tenantrank.engine.explain import Explanation


class Decision:
    """The answer to one `Engine.rank`, with the ids of all that went into it.

    Attributes
    ----------
    offer_ids : best first; scores : likewise, higher is better (a chain's are minus the place)
    survivors : how many offers passed the filter, whether ranked or cut by the selector or ``k``
    policy : the caller's policy; envelope_identity : sha256 of the operator's envelope, ``None`` without one
    seed : the seed given; as_of : the day by which the catalog judged deprecation and the like, ``None`` without one
    """

    def __init__(
        self,
        offer_ids: Sequence[str],
        scores: Sequence[float],
        survivors: int,
        policy: Policy,
        envelope_identity: str | None,
        catalog: Catalog,
        seed: int | None,
        explanation: Callable[[], Explanation],
    ) -> None:
        self.offer_ids = tuple(offer_ids)
        self.scores = tuple(scores)
        self.survivors = survivors
        self.policy = policy
        self.envelope_identity = envelope_identity
        self.seed = seed
        self.as_of = catalog.judged_at
        self._catalog = catalog
        self._explanation = explanation

    @property
    def catalog_id(self) -> str:
        """The sha256 of the content of the catalog that was ranked."""
        return self._catalog.catalog_id

    @cached_property
    def rejected(self) -> Mapping[str, str]:
        """Why each other offer did not pass: the reason of its first failing clause, by offer id in catalog order.

        Worked out on first use. An offer that passed and was then cut by the selector or by ``k`` is not in it.
        """
        return MappingProxyType(self.explain().first_reasons())

    def explain(self) -> Explanation:
        """Give every failing clause of every offer: its bound, the value observed, the rule that asked for it."""
        return self._explained

    @cached_property
    def _explained(self) -> Explanation:
        return self._explanation()

    def __repr__(self) -> str:
        best = f"{self.offer_ids[0]} first" if self.offer_ids else "no offer"
        return f"<Decision {best}, {self.survivors} survivors, policy {self.policy.fingerprint}>"
