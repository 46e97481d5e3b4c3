"""Dry runs: what a call would come to, by the same code, and without a call to anybody.

Each takes the body of a real call, and gives a JSON value. What the operator's envelope says stays the operator's.
"""

from __future__ import annotations

import asyncio
from typing import Any, Protocol

from tenantrank.engine import Decision, Engine, Request
from tenantrank.errors import RequestError
from tenantrank.gateway.auth import Caller
from tenantrank.gateway.body import Body
from tenantrank.gateway.items import items_of
from tenantrank.gateway.needs import Route, request_of, seed_of
from tenantrank.gateway.options import RankOptions, check_known, invalid, number_of
from tenantrank.gateway.problem import Problem
from tenantrank.gateway.records import needs_of
from tenantrank.gateway.rejected import Rejected
from tenantrank.gateway.rules import Rule, rule_of
from tenantrank.gateway.rules import Serving as RuleServing
from tenantrank.gateway.views import origin_json, policy_json, policy_of, provenance_json, ranked_json
from tenantrank.lint import lint
from tenantrank.policy.describe import describe, describe_clause
from tenantrank.policy.policy import Policy
from tenantrank.tenants import CompiledPolicy

MOST_REQUESTS = 256
"""Requests of one batch."""
_NEEDS = ("requirements", "scope", "tools", "response_format")
_BREATH = 8  # requests of a batch that are decided before other work has its turn


class Serving(RuleServing, Protocol):
    """What a server holds at one moment, as far as dry runs need it."""

    def engine_of(self, caller: Caller, route: Route) -> Engine:
        """Give the engine that decides a caller's requests to ``chat`` or ``embeddings``: the catalog and the health of
        now, under the operator's envelope and the caller's own.
        """


def rank(body: Body, caller: Caller, serving: Serving) -> dict[str, Any]:
    """Decide as for a real call, and say how: ``POST /x/rank``.

    Beside what a real call holds the body may have the members of `RankOptions`. Without ``messages`` (``input`` for
    embeddings) only ``requirements``, ``scope``, ``tools`` and ``response_format`` tell what the call needs.

    Raises
    ------
    Problem
        as for the real call, and 400 ``invalid_request`` for an option
    """
    options = RankOptions.of(body.members)
    rule, request, engine, decision = _decided(body, caller, serving, options.endpoint, options.k)
    policy = policy_of(rule)
    rejected = Rejected(decision, policy, engine.catalog.offer_ids)
    named, left_out = rejected.offers(options.rejected, options.explain)
    return {
        "object": "tenantrank.ranking",
        "policy": {**policy_json(rule), "words": describe(policy)},
        "tenant": rule.tenant,
        **provenance_json(engine),
        "request": needs_of(request),
        "seed": decision.seed,
        "survivors": decision.survivors,
        "ranked": ranked_json(decision, engine),
        "rejected": {"by_clause": rejected.by_clause(), "offers": named, "left_out": left_out},
        "deciding": rejected.deciding(),
        "asked": rejected.about(options.offers),
        **_linted(rule.policy, engine, request, decision.seed),
    }


async def rank_batch(body: Body, caller: Caller, serving: Serving) -> dict[str, Any]:
    """Decide several requests, each as for a real call: ``POST /x/rank/batch``.

    The body is ``{"requests": […], "k": …}``. A request that is refused has an error in its place, and does not stop
    the others.

    Raises
    ------
    Problem
        400 ``invalid_request`` for another shape
    """
    check_known(body.members, ("requests", "k"))
    k = number_of(body.members, "k", 3, 1, 100)
    requests = body.members.get("requests")
    if not isinstance(requests, list) or not 1 <= len(requests) <= MOST_REQUESTS:
        raise invalid("requests", f"must be a list of 1 to {MOST_REQUESTS} bodies")
    results = []
    for number, raw in enumerate(items_of(body.text_of("requests") or b"")):
        if number % _BREATH == _BREATH - 1:
            await asyncio.sleep(0)
        try:
            results.append(_short(Body.read(raw), caller, serving, k))
        except Problem as problem:
            results.append(problem.to_json())
    return {"object": "list", "data": results}


def normalize(body: Body, caller: Caller, serving: Serving) -> dict[str, Any]:
    """Give the normal form of the policy that a body carries, in any of the ways: ``POST /x/policy/normalize``.

    Raises
    ------
    Problem
        as for the real call
    """
    rule = rule_of(body, caller, serving)
    policy = policy_of(rule)
    return {
        "object": "tenantrank.policy",
        **policy_json(rule),
        "term": policy.term,
        "encoding": policy.encoding,
        "words": describe(policy),
        **_linted(rule.policy, serving.engine_of(caller, "chat")),
    }


def compile_tenant(body: Body, caller: Caller, serving: Serving) -> dict[str, Any]:
    """Compile a tenant, and say which rule each part of its policy is from: ``POST /x/policy/compile``.

    Raises
    ------
    Problem
        as for the real call, and 400 ``invalid_tenant`` where what the body carries is no tenant
    """
    rule = rule_of(body, caller, serving)
    compiled = rule.policy
    if not isinstance(compiled, CompiledPolicy):
        raise Problem(400, "invalid_tenant", "a tenant is needed: its state, or its id", param="tenant")
    policy = compiled.policy
    origins = compiled.origins
    return {
        "object": "tenantrank.policy",
        **policy_json(rule),
        "tenant": rule.tenant,
        "term": policy.term,
        "encoding": policy.encoding,
        "words": describe(policy),
        "clauses": [
            {
                "clause": clause.encoding,
                "words": describe_clause(clause),
                "origins": [origin_json(origin) for origin in origins.get(clause.encoding, ())],
            }
            for clause in policy.clauses
        ],
        "preference": origin_json(compiled.preference),
        "selector": origin_json(compiled.selector),
        "failure_plan": origin_json(compiled.failure_plan),
        "transforms": [origin_json(origin) for origin in compiled.transforms],
        "conflicts": [str(conflict) for conflict in compiled.conflicts],
        **_linted(compiled, serving.engine_of(caller, "chat")),
    }


def _linted(
    policy: Policy | CompiledPolicy, engine: Engine, request: Request | None = None, seed: int | None = None
) -> dict[str, Any]:
    """Give what the policy may not do as its author expects, as lines and as data."""
    findings = lint(engine, policy, request, seed)
    return {
        "warnings": [str(finding) for finding in findings],
        "findings": [finding.to_json() for finding in findings],
    }


def _decided(
    body: Body, caller: Caller, serving: Serving, route: Route, k: int
) -> tuple[Rule, Request, Engine, Decision]:
    rule = rule_of(body, caller, serving)
    request = _request(body, route)
    engine = serving.engine_of(caller, route)
    return rule, request, engine, engine.rank(rule.policy, request, seed_of(body), k)


def _request(body: Body, route: Route) -> Request:
    if ("messages" if route == "chat" else "input") in body.members:
        return request_of(body, route)
    try:
        return Request.of({name: body.members.get(name) for name in _NEEDS})
    except RequestError as error:
        raise Problem(400, "invalid_request", str(error)) from None


def _short(body: Body, caller: Caller, serving: Serving, k: int) -> dict[str, Any]:
    """Give the decision of one request of a batch: who is ranked, and where nobody passes, why."""
    options = RankOptions.of(body.members)
    rule, _, engine, decision = _decided(body, caller, serving, options.endpoint, k)
    shown = {
        "policy": policy_json(rule),
        "tenant": rule.tenant,
        "survivors": decision.survivors,
        "ranked": ranked_json(decision, engine),
    }
    if not decision.survivors:
        shown["deciding"] = Rejected(decision, policy_of(rule), engine.catalog.offer_ids).deciding()
    return shown
