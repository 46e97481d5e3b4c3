"""What one generation makes of a call: the engine that decides it, the offers it permits, what providers are told.

A call begins under one generation. When a reload makes another one while the call is under way, what both permit is
called, and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tenantrank.catalog.health import Health
from tenantrank.engine import Engine, Request
from tenantrank.errors import TenantrankError
from tenantrank.gateway.auth import Caller
from tenantrank.gateway.body import Body
from tenantrank.gateway.generation import Generation
from tenantrank.gateway.needs import Route
from tenantrank.gateway.problem import Problem
from tenantrank.gateway.retention import needs_no_retention
from tenantrank.gateway.rules import rule_of
from tenantrank.gateway.views import policy_of
from tenantrank.policy.normal_form import clauses_of
from tenantrank.policy.policy import Policy

_NOTHING: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Ruling:
    """What a generation makes of a call.

    Attributes
    ----------
    engine : the one that decides, ``None`` where the call is not allowed any more
    allowed : the offers that are permitted; ``None`` for those of the decision, which this generation made
    keeps_nothing : whether providers are told to keep nothing of the call
    """

    generation: Generation
    engine: Engine | None
    allowed: frozenset[str] | None
    keeps_nothing: bool = True

    def permits(self, offer_id: str) -> bool:
        """Say whether an offer that was ranked may be called."""
        return self.allowed is None or offer_id in self.allowed


def first_ruling(generation: Generation, engine: Engine, policy: Policy, request: Request) -> Ruling:
    """Give the ruling of the generation that decides a call."""
    return Ruling(generation, engine, None, _keeps_nothing(engine, [policy], request))


def later_ruling(
    now: Generation,
    before: Generation,
    caller: Caller,
    body: Body,
    route: Route,
    policy: Policy,
    request: Request,
    seed: int | None,
    health: Health,
) -> Ruling:
    """Give what another generation makes of a call that was decided by ``policy`` before.

    Permitted is what passes the rule that decided and what the generation makes of the rule, each under its catalog,
    its envelope and what the caller's key stands for in it. The live state is the decision's: an attempt under way
    consults no breaker of a policy's (specification, section 7).
    """
    try:
        known = _caller_of(now, before, caller, route)
        engine = now.engine_of(known, route).with_health(health)
        policies = [policy]
        again = policy_of(rule_of(body, known, now))
        if again != policy:
            policies.append(again)
        ranked = [frozenset(engine.rank(each, request, seed).offer_ids) for each in policies]
    except TenantrankError:
        return Ruling(now, None, _NOTHING)
    return Ruling(now, engine, frozenset.intersection(*ranked), _keeps_nothing(engine, policies, request))


def _keeps_nothing(engine: Engine, policies: Iterable[Policy], request: Request) -> bool:
    envelope = engine.envelope
    clauses = () if envelope is None else clauses_of(envelope.root)
    return any(needs_no_retention((*policy.clauses, *clauses), request) for policy in policies)


def _caller_of(now: Generation, before: Generation, caller: Caller, route: Route) -> Caller:
    """Give what the call's key stands for now.

    Raises
    ------
    Problem
        where it stands for nothing any more, or may not be used for this route
    """
    for known in () if now.keys is None else now.keys.callers:
        if known.name == caller.name:
            known.check_route(route)
            return known
    if now.keys is None and before.keys is None:
        return caller
    raise Problem(401, "invalid_api_key", "the key is not known any more")
