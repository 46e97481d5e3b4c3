"""Nothing passes: the smallest sets of a policy's clauses that would have to give way for an offer to be left, and by
how much.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tenantrank.catalog.costs import USUAL, Tokens
from tenantrank.engine import Engine, Explanation, Request
from tenantrank.engine.given import parts_of, request_of
from tenantrank.errors import RequestError
from tenantrank.policy.admission import shown
from tenantrank.policy.arguments import check_type
from tenantrank.policy.describe import describe_clause
from tenantrank.policy.normal_form import Node, conjunction, normalize
from tenantrank.policy.policy import Policy
from tenantrank.tenants import CompiledPolicy
from tenantrank.tenants.hard_clauses import HardClause
from tenantrank.whatif.relax_reach import Flags, Held, Why, held_clauses
from tenantrank.whatif.relax_results import Cause, Change, Relaxation, Relaxations, Standing
from tenantrank.whatif.relax_sets import Failed, fewest_failed
from tenantrank.whatif.relax_words import dropped, moved, number

Rows = NDArray[np.intp]

_RELATION = {"most": "le", "least": "ge"}


def relax(
    engine: Engine,
    policy: Policy | CompiledPolicy,
    request: Mapping[str, Any] | Request | None = None,
    limit: int = 3,
    k: int = 3,
    tokens: Tokens | None = None,
) -> Relaxations:
    """Find the smallest sets of clauses whose relaxation leaves an offer.

    A bound (a `cmp` with `lt`, `le`, `ge` or `gt`, or a `not` of one) gives way by moving to a value that an offer
    states, and not so far that what states none would pass, if it does not pass already: unknown never counts as
    permission. Any other clause gives way by being dropped. The envelope's clauses and those of rules marked
    `never_relax` do not give way, and a bound does not move past a weaker one of such a rule. An offer is reached where
    all clauses that it fails can give way; with a `chain` only offers count that it lists.

    The sets are those that reached offers fail, of the least size. Those in which the fewest clauses are dropped come
    first, then those whose bounds move least, by the sum of the distances relative to the bounds, then by the plain
    sum; then those that let most offers be ranked, then the one with the first clause not shared. Bounds move to what
    the nearest offer has, the first in the catalog of several.

    Parameters
    ----------
    engine
        catalog, health and envelope
    policy
        an admitted policy, all of whose clauses may give way, or a compiled one
    request
        what the call needs, as for `Engine.rank`
    limit
        the most sets wanted
    k
        the most offers wanted of each
    tokens
        what costs are for; by default what the request estimates, else `USUAL`

    Raises
    ------
    PolicyError, RequestError
        as `Engine.rank`, and RequestError for another argument that is not of the documented type
    """
    check_type(engine, Engine, "an Engine")
    for name, value in (("limit", limit), ("k", k)):
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise RequestError(f"{name} must be an integer of at least 1, got {shown(value)}")
    if tokens is not None:
        check_type(tokens, Tokens, "tokens as tenantrank.catalog.costs.Tokens")
    admitted, origins = parts_of(policy)
    needed = request_of(request)
    mix = tokens or needed.tokens or USUAL
    decision = engine.rank(policy, needed, k=1)
    if decision.offer_ids:
        return Relaxations("none", "an offer passes; nothing has to give way", (), 0, (), mix)
    if not len(engine.catalog):
        return Relaxations("catalog", "the catalog has no offers", (), 0, (), mix)
    selector = f" ({policy.selector})" if isinstance(policy, CompiledPolicy) else ""
    ranked = _listed(engine, admitted)
    if not ranked.any():
        return Relaxations("selector", f"the selector lists no offer of the catalog{selector}", (), 0, (), mix)
    hard = policy.hard_clauses if isinstance(policy, CompiledPolicy) else _bare(admitted)
    with_clauses = partial(_with_clauses, admitted)
    held, explanation = held_clauses(engine, admitted, hard, needed, origins or {}, with_clauses)
    asked = _Asked(engine, admitted, needed, explanation, k, mix)
    fails = np.array([one.fails for one in held])
    blocks = np.array([one.blocks for one in held])
    sets = fewest_failed(held, fails, ranked & ~blocks.any(axis=0))
    alternatives = tuple(_relaxation(one, held, hard, asked) for one in sets[:limit])
    standing = () if sets else _standing(held, fails, blocks, ranked)
    if decision.survivors:
        cause: Cause = "selector"
        reason = f"the selector keeps none of the {decision.survivors} offers that pass{selector}"
    else:
        cause, reason = "clauses", "no offer passes"
    return Relaxations(cause, reason, alternatives, len(sets), standing, mix)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What all the relaxations of one policy share."""

    engine: Engine
    policy: Policy
    request: Request
    explanation: Explanation
    k: int
    tokens: Tokens

    def lacking(self, row: int) -> list[str]:
        """Give what an offer fails of the request's needs."""
        failures = self.explanation.of(self.engine.catalog.offer_ids[row])
        return list(dict.fromkeys(one.reason for one in failures if one.clause.encoding == "(meets_req)"))


def _bare(policy: Policy) -> tuple[HardClause, ...]:
    nodes = {node.encoding: node for node in policy.clauses}
    return tuple(HardClause(node, (), False) for node in nodes.values())


def _with_clauses(policy: Policy, nodes: Sequence[Node]) -> Policy:
    """Give the policy that differs in its filter alone."""
    children = list(policy.root.children)
    children[-5] = conjunction(list(nodes))
    encoding = f"(policy {' '.join(child.encoding for child in children)})"
    return Policy(
        policy.version, policy.sort, policy.root._replace(encoding=encoding, children=tuple(children)), policy.fields
    )


def _listed(engine: Engine, policy: Policy) -> Flags:
    """Give the offers that a policy's selector may keep, (offers,): with a `chain` those that it lists."""
    selector = policy.selector
    while selector.op == "top_k":
        (selector,) = selector.children
    catalog = engine.catalog
    if selector.op != "chain":
        return np.ones(len(catalog), dtype=bool)
    providers, provider_names = catalog.strings("provider_id")
    families, family_names = catalog.strings("model_family")
    listed = np.zeros(len(catalog), dtype=bool)
    for pair in selector.parameters[0]:
        provider, family = pair.get("provider", pair.get("provider_id")), pair.get("model", pair.get("model_family"))
        if provider in provider_names and family in family_names:
            listed |= (providers == provider_names.index(provider)) & (families == family_names.index(family))
    return listed


def _relaxation(found: Failed, held: Sequence[Held], hard: Sequence[HardClause], asked: _Asked) -> Relaxation:
    """Make the changes, and rank what they leave."""
    engine, policy = asked.engine, asked.policy
    giving = [held[at] for at in found.clauses]
    replaced = {one.clause.node.encoding: _moved(one, found.nearest, policy) for one in giving}
    kept = [replaced.get(clause.node.encoding, clause.node) for clause in hard]
    relaxed = _with_clauses(policy, [node for node in kept if node is not None])
    decision = engine.rank(relaxed, asked.request)
    rows = np.array([engine.row_of_offer(offer) for offer in decision.offer_ids], dtype=np.intp)
    changes = [_change(one, found.nearest, replaced[one.clause.node.encoding], rows, asked) for one in giving]
    costs = engine.costs(asked.tokens, policy.version, rows[: asked.k].tolist()).tolist()
    known = tuple(None if math.isnan(cost) else cost for cost in costs)
    return Relaxation(tuple(changes), relaxed, decision.offer_ids[: asked.k], known, decision.survivors)


def _moved(held: Held, nearest: int, policy: Policy) -> Node | None:
    """Give what a bound becomes, ``None`` for what is no bound and is dropped."""
    if held.bound is None or held.values is None:
        return None
    to = float(held.values[nearest])
    return normalize(["cmp", held.bound.field, _RELATION[held.bound.side], to], policy.version)


def _change(held: Held, nearest: int, instead: Node | None, rows: Rows, asked: _Asked) -> Change:
    clause, bound = held.clause, held.bound
    words = describe_clause(clause.node)
    if bound is None or instead is None:
        text, admits = dropped(held, asked.engine, rows, asked.lacking(int(rows[0])))
        return Change(clause.node.encoding, words, clause.origins, text, admits=admits)
    to: float = instead.parameters[2]
    return Change(
        clause.node.encoding,
        words,
        clause.origins,
        moved(bound, to),
        instead.encoding,
        bound.field,
        bound.value,
        to,
        float(held.moves[0][nearest]),
        weaker=tuple(one for one in clause.weaker if (one.value < to if bound.side == "most" else one.value > to)),
    )


def _standing(held: Sequence[Held], fails: Flags, blocks: Flags, offers: Flags) -> tuple[Standing, ...]:
    """Give the fewest clauses that keep out whatever else gives way: of the offers that fail fewest clauses in all."""
    for counts in (blocks.sum(axis=0), fails.sum(axis=0)):
        offers = offers & (counts == counts[offers].min())
    nearest = fewest_failed((), blocks, offers)[0]
    found = []
    for one in [held[at] for at in nearest.clauses]:
        why, clause = one.why(nearest.offers), one.clause
        text = " and ".join(_why(reason, one) for reason in why)
        found.append(Standing(clause.node.encoding, describe_clause(clause.node), clause.origins, why, text))
    return tuple(found)


def _why(reason: Why, held: Held) -> str:
    if reason == "limit":
        furthest = held.clause.furthest
        assert furthest is not None
        return f"may move no further than {number(furthest.value)} ({furthest.origin}, never relaxed)"
    if reason in ("unknown", "assumed"):
        assert held.bound is not None
        field = held.bound.field
        if reason == "unknown":
            return f"cannot move to offers that state no {field}"
        return f"cannot move as far as {number(held.unknown)}, which an unknown {field} is taken for"
    return "the operator's own" if reason == "envelope" else "never relaxed"
