"""Decisions and policies as JSON values, as dry runs give them."""

from __future__ import annotations

import math
from typing import Any

from tenantrank.engine import Decision, Engine
from tenantrank.gateway.rules import Rule
from tenantrank.policy.policy import Policy
from tenantrank.tenants import CompiledPolicy, Origin


def policy_of(rule: Rule) -> Policy:
    """Give the policy of a rule, however it came."""
    return rule.policy.policy if isinstance(rule.policy, CompiledPolicy) else rule.policy


def policy_json(rule: Rule) -> dict[str, Any]:
    """Give what a policy is known by; for one that a ``provider`` object was translated to, its term."""
    policy = policy_of(rule)
    shown: dict[str, Any] = {
        "source": rule.source,
        "version": policy.version,
        "identity": policy.identity,
        "fingerprint": policy.fingerprint,
        "rules": list(rule.policy.rules) if isinstance(rule.policy, CompiledPolicy) else [],
    }
    if rule.shown is not None:
        shown["term"] = rule.shown
    return shown


def provenance_json(engine: Engine) -> dict[str, Any]:
    """Give the ids of what a decision was worked out from."""
    day, envelope = engine.catalog.judged_at, engine.envelope
    return {
        "catalog_id": engine.catalog.catalog_id,
        "as_of": None if day is None else day.isoformat(),
        "envelope_identity": None if envelope is None else envelope.identity,
    }


def ranked_json(decision: Decision, engine: Engine) -> list[dict[str, Any]]:
    """Give ranked offers, best first: scores, prices in USD per 1M tokens as the policy saw them, expected costs."""
    catalog = engine.catalog
    rows = [engine.row_of_offer(offer) for offer in decision.offer_ids]
    prices_in, prices_out = (engine.observed(name)[rows].tolist() for name in ("price_in", "price_out"))
    providers, provider_names = catalog.strings("provider_id")
    families, family_names = catalog.strings("model_family")
    return [
        {
            "offer": offer,
            "provider": provider_names[providers[row]],
            "family": family_names[families[row]],
            "score": finite(score),
            "price_in": finite(price_in),
            "price_out": finite(price_out),
            "expected_cost_usd": cost,
        }
        for offer, row, score, price_in, price_out, cost in zip(
            decision.offer_ids, rows, decision.scores, prices_in, prices_out, decision.expected_costs, strict=True
        )
    ]


def origin_json(origin: Origin) -> dict[str, Any]:
    """Give an origin: the rule, the tenant's field that it read, and what the tenant has there."""
    value = list(origin.value) if isinstance(origin.value, tuple) else origin.value
    return {"rule": origin.rule, "field": origin.field, "value": value}


def finite(number: float) -> float | None:
    """Give a number, or ``None`` for one that JSON lacks."""
    return number if math.isfinite(number) else None
