"""Predicates: whether an offer passes, and the reason when it does not."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tests.reference.language import normal_form
from tests.reference.observe import Offer, Setting, first, has_capability, own_tier, record
from tests.reference.signature import TIER_ORDER, V1, V2, Fields, Term

RELATION: dict[str, Callable[[float, float], bool]] = {
    "lt": operator.lt,
    "le": operator.le,
    "eq": operator.eq,
    "ne": operator.ne,
    "ge": operator.ge,
    "gt": operator.gt,
}


def holds(
    pred: Term,
    offer: Offer,
    ctx: Mapping[str, Any],
    fields: Fields,
    tier_order: Sequence[str] = TIER_ORDER,
    version: str = V2,
) -> str | None:
    """Why an admitted predicate rejects an offer; None where it holds."""
    return failure(normal_form(pred, version), offer, Setting(ctx, fields, tier_order, version))


def failure(pred: Term, offer: Offer, setting: Setting) -> str | None:
    """Why a predicate in normal form rejects an offer; None where it holds."""
    return PREDICATES[pred[0]](pred, offer, setting)


def _top(pred: Term, offer: Offer, setting: Setting) -> str | None:
    return None


def _bot(pred: Term, offer: Offer, setting: Setting) -> str | None:
    return "bot"


def _and(pred: Term, offer: Offer, setting: Setting) -> str | None:
    for child in pred[1:]:
        reason = failure(child, offer, setting)
        if reason is not None:
            return reason
    return None


def _or(pred: Term, offer: Offer, setting: Setting) -> str | None:
    for child in pred[1:]:
        if failure(child, offer, setting) is None:
            return None
    return "or"


def _not(pred: Term, offer: Offer, setting: Setting) -> str | None:
    return "not" if failure(pred[1], offer, setting) is None else None


def _is(pred: Term, offer: Offer, setting: Setting) -> str | None:
    return None if setting.flag(pred[1], offer) else f"is:{pred[1]}"


def _cmp(pred: Term, offer: Offer, setting: Setting) -> str | None:
    _, name, relation, bound = pred
    value = setting.number(name, offer)
    return None if RELATION[relation](value, bound) else f"cmp:{name}:{relation}"


def _tier_eq(pred: Term, offer: Offer, setting: Setting) -> str | None:
    return None if own_tier(offer) == pred[1] else "tier"


def _min_tier(pred: Term, offer: Offer, setting: Setting) -> str | None:
    return None if setting.tier_rank(own_tier(offer)) >= setting.tier_rank(pred[1]) else "min_tier"


def _family_eq(pred: Term, offer: Offer, setting: Setting) -> str | None:
    return None if offer["model_family"] == pred[1] else "model_family"


def _provider_eq(pred: Term, offer: Offer, setting: Setting) -> str | None:
    return None if offer["provider_id"] == pred[1] else "provider_id"


def _served_by_eq(pred: Term, offer: Offer, setting: Setting) -> str | None:
    server = first(record(offer.get("offer")).get("peer_id"), offer["provider_id"])
    return None if server == pred[1] else "served_by"


def _has_cap(pred: Term, offer: Offer, setting: Setting) -> str | None:
    return None if has_capability(offer, pred[1]) else f"missing_capability:{pred[1]}"


def _scope_matches(pred: Term, offer: Offer, setting: Setting) -> str | None:
    scope = offer.get("scope")
    return None if scope is None or scope == setting.request.get("scope") else "scope"


def _meets_req(pred: Term, offer: Offer, setting: Setting) -> str | None:
    wanted = setting.requirements
    for need, capability in setting.needs:
        if not has_capability(offer, capability):
            return f"missing_capability:{need}"
    if wanted.get("min_context") is not None and float(wanted["min_context"]) > setting.number("context", offer):
        return "min_context"
    if wanted.get("model_family") is not None and wanted["model_family"] != offer["model_family"]:
        return "model_family"
    if wanted.get("tier") is not None and wanted["tier"] != offer.get("tier"):
        return "tier"
    privacy = wanted.get("privacy")
    if privacy == "tee_required" and not setting.flag("has_tee", offer):
        return "tee_required"
    if privacy == "no_log" and not (setting.flag("no_log", offer) or setting.flag("has_tee", offer)):
        return "no_log"
    if setting.version == V1 and wanted.get("min_quality") is not None:
        hint = offer.get("quality_hint")
        if float(wanted["min_quality"]) > float(0.0 if hint is None else hint):
            return "min_quality"
    if wanted.get("min_tok_s") is not None:
        if setting.version == V1 and setting.observed(offer).get("ema_tok_s") is None:
            return "min_tok_s"
        if float(wanted["min_tok_s"]) > setting.number("tok_s", offer):
            return "min_tok_s"
    return None


PREDICATES: dict[str, Callable[[Term, Offer, Setting], str | None]] = {
    "top": _top,
    "bot": _bot,
    "and": _and,
    "or": _or,
    "not": _not,
    "is": _is,
    "cmp": _cmp,
    "tier_eq": _tier_eq,
    "min_tier": _min_tier,
    "family_eq": _family_eq,
    "provider_eq": _provider_eq,
    "served_by_eq": _served_by_eq,
    "has_cap": _has_cap,
    "scope_matches": _scope_matches,
    "meets_req": _meets_req,
}
