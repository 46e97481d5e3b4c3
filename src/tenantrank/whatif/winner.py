"""Who wins under each of several policies, and what a call costs there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tenantrank.catalog.costs import Tokens
from tenantrank.engine import Engine, Request
from tenantrank.policy.policy import Policy


@dataclass(frozen=True, slots=True)
class Winner:
    """The first offer of one ranking.

    Attributes
    ----------
    offer_id : its id; ``None`` where nothing is ranked
    cost : USD a call; ``None`` where nothing is ranked, and where a price that the call is billed at is unknown
    survivors : how many offers pass the filter
    """

    offer_id: str | None
    cost: float | None
    survivors: int


def winners(
    engine: Engine,
    policies: Sequence[Policy],
    tokens: Tokens,
    request: Mapping[str, Any] | Request | None = None,
    seed: int | None = None,
) -> list[Winner]:
    """Give the winner of each policy, all for one request and one seed, as `Engine.rank` would.

    Errors as of `Engine.rank`.
    """
    count = len(policies)
    requests = None if request is None else [request] * count
    ranked = engine.rank_rows(policies, requests, 1, [seed] * count)
    costs = {version: engine.costs(tokens, version) for version in {policy.version for policy in policies}}
    found = []
    for at, policy in enumerate(policies):
        survivors = int(ranked.survived[at])
        if not ranked.ranked[at]:
            found.append(Winner(None, None, survivors))
            continue
        row = int(ranked.rows[at, 0])
        cost = float(costs[policy.version][row])
        found.append(Winner(engine.catalog.offer_ids[row], None if np.isnan(cost) else cost, survivors))
    return found


def difference(now: Winner, without: Winner) -> float | None:
    """Give by how much the one winner costs more than the other, USD a call.

    One and the same offer differs from itself by 0, whatever it costs; otherwise ``None`` where a cost is unknown or
    nothing is ranked.
    """
    if now.offer_id == without.offer_id:
        return None if now.offer_id is None else 0.0
    return None if now.cost is None or without.cost is None else now.cost - without.cost


def per_million(cost: float | None, tokens: Tokens) -> float | None:
    """Give USD a call as USD per 1M tokens of the mix; ``None`` where it is unknown or the mix is of no tokens."""
    return None if cost is None or not tokens.total else cost * 1e6 / tokens.total
