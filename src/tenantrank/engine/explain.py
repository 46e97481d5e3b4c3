"""Explanations: which clauses each offer failed, on what values, and whose rules the clauses are.

Everything is read from the same observations and the same conditions that ranking used; nothing is decided anew.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tenantrank.engine.clauses import Check, checks_of, first_failing
from tenantrank.engine.index import EVERY_OFFER, Bits
from tenantrank.engine.misses import fewest
from tenantrank.engine.request import Request
from tenantrank.engine.view import View
from tenantrank.policy.arguments import check_type
from tenantrank.policy.describe import describe_clause
from tenantrank.policy.normal_form import Node
from tenantrank.tenants.origin import Origin, attributed

_NAMING_OPS = {
    "provider_eq": "provider_id",
    "family_eq": "model_family",
    "tier_eq": "tier",
    "min_tier": "tier",
}


@dataclass(frozen=True, slots=True)
class Clause:
    """One clause of the effective filter over the whole catalog.

    Attributes
    ----------
    encoding : its canonical text; words : the same as a line of plain English
    origins : the rules that asked for it; empty for a policy that no rulebook compiled
    failed : how many offers fail it; alone : how many fail it and no other clause
    """

    encoding: str
    words: str
    origins: tuple[Origin, ...]
    failed: int
    alone: int

    def __str__(self) -> str:
        return attributed(self.words, self.origins)


@dataclass(frozen=True, slots=True)
class Failure:
    """One clause that one offer fails. ``observed`` is what the policy saw, ``None`` where nothing is known."""

    clause: Clause
    reason: str
    bound: Any
    observed: Any


@dataclass(frozen=True, slots=True)
class Part:
    """Clauses of an effective filter that observe through one view, with their origins by encoding."""

    clauses: tuple[Node, ...]
    view: View
    origins: Mapping[str, tuple[Origin, ...]]


class Explanation:
    """Every failing clause of every offer of one decision."""

    def __init__(self, parts: Sequence[Part], request: Request) -> None:
        self._index = parts[0].view.index
        self._nodes: list[Node] = []
        self._parts: list[Part] = []
        self._checks: list[Check] = []
        for part in parts:
            self._checks += checks_of(part.clauses, part.view, request, len(self._nodes))
            self._nodes += part.clauses
            self._parts += [part] * len(part.clauses)

    @cached_property
    def clauses(self) -> tuple[Clause, ...]:
        """The clauses in the order they are tried."""
        return tuple(self._clause(at) for at in range(len(self._nodes)))

    def _clause(self, at: int) -> Clause:
        node, fails = self._nodes[at], self._fails[at]
        return Clause(
            node.encoding,
            describe_clause(node),
            self._parts[at].origins.get(node.encoding, ()),
            int(np.bitwise_count(fails).sum()),
            int(np.bitwise_count(fails & self._fails_one).sum()),
        )

    @cached_property
    def _fails(self) -> Bits:
        """The offers that fail each clause, (clauses, words)."""
        fails = np.zeros((len(self._nodes), self._index.words), dtype=np.uint64)
        for check in self._checks:
            fails[check.clause] |= self._index.rows[EVERY_OFFER] & ~check.passes
        return fails

    @cached_property
    def _fails_one(self) -> Bits:
        """The offers that fail one clause and no other, (words,)."""
        one = np.zeros(self._index.words, dtype=np.uint64)
        more = one.copy()
        for fails in self._fails:
            more |= one & fails
            one |= fails
        return one & ~more

    @cached_property
    def failing(self) -> NDArray[np.bool_]:
        """Whether each clause, (clauses, offers), is failed by each offer, in catalog order."""
        return self._index.unpack(self._fails)

    def first_reasons(self) -> dict[str, str]:
        """Give the reason of the first failing check of each rejected offer, by offer id in catalog order."""
        first = first_failing(self._checks, self._index).tolist()
        ids = self._index.catalog.offer_ids
        reasons = [check.reason for check in self._checks]
        return {ids[row]: reasons[at] for row, at in enumerate(first) if at < len(reasons)}

    def of(self, offer_id: str) -> tuple[Failure, ...]:
        """Give what one offer fails, in the order tried; nothing for an offer that passes.

        Raises
        ------
        KeyError
            for an id that is not in the catalog
        RequestError
            for an id that is no string
        """
        check_type(offer_id, str, "an offer id")
        row = self._index.row_of_offer(offer_id)
        word, bit = row >> 6, row & 63
        return tuple(
            Failure(
                self.clauses[check.clause],
                check.reason,
                _bound(self._nodes[check.clause]),
                self._observed(self._nodes[check.clause], self._parts[check.clause].view, row),
            )
            for check in self._checks
            if not (int(check.passes[word]) >> bit) & 1
        )

    def deciding(self) -> tuple[Clause, ...]:
        """Give the fewest clauses whose removal would leave an offer; nothing where an offer passes or none exists.

        See `tenantrank.engine.misses.fewest` for which of several sets of equal size it is.
        """
        return tuple(self._clause(at) for at in fewest(self._fails, self._index.rows[EVERY_OFFER]))

    def _observed(self, node: Node, view: View, row: int) -> Any:
        catalog = self._index.catalog
        if node.op == "cmp":
            field = node.parameters[0]
            value = float(view.values(field)[row])
            unstated = np.isnan(self._index.known(field)[row])
            return None if unstated and value == catalog.fields[field].default else value
        if node.op == "is":
            field = node.parameters[0]
            if field in ("breaker_open", "disabled"):
                return bool((int(view.holds(field)[row >> 6]) >> (row & 63)) & 1)
            return _flag(catalog.flags(field)[row])
        if node.op == "has_cap":
            return _flag(catalog.capability(node.parameters[0])[row])
        if node.op in _NAMING_OPS:
            codes, names = catalog.strings(_NAMING_OPS[node.op])
            return names[codes[row]] if codes[row] >= 0 else None
        if node.op == "served_by_eq":
            peers, peer_names = catalog.strings("peer_id")
            providers, provider_names = catalog.strings("provider_id")
            return peer_names[peers[row]] if peers[row] >= 0 else provider_names[providers[row]]
        return None


def _flag(value: np.int8) -> bool | None:
    return None if value < 0 else bool(value)


def _bound(node: Node) -> Any:
    if node.op == "cmp":
        return node.parameters[2]
    if node.op == "is":
        return True
    return node.parameters[0] if node.parameters else None
