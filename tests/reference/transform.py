"""What a policy does to the request before an attempt, and what its failure plan says after one."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tests.reference.evaluate import MODULUS, clamp, random_draws
from tests.reference.language import normal_form
from tests.reference.observe import Offer, Setting
from tests.reference.predicates import failure
from tests.reference.signature import TIER_ORDER, V2, Fields, Term

Request = dict[str, Any]
Custom = Callable[[Request], Request]


def transform(
    term: Term,
    request: Mapping[str, Any],
    offer: Offer,
    ctx: Mapping[str, Any],
    fields: Fields,
    tier_order: Sequence[str] = TIER_ORDER,
    version: str = V2,
    customs: Mapping[str, Custom] | None = None,
) -> Request:
    """A transformed copy of the request for one attempt at an offer; the term is admitted."""
    setting = Setting(ctx, fields, tier_order, version)
    changed = copy.deepcopy(dict(request))
    return apply(normal_form(term, version), changed, offer, setting, customs or {})


def apply(term: Term, request: Request, offer: Offer, setting: Setting, customs: Mapping[str, Custom]) -> Request:
    """Apply a transform in normal form to a request, in place unless a custom transform makes another."""
    op, seed = term[0], setting.seed
    if op == "seq":
        for step in term[1:]:
            request = apply(step, request, offer, setting, customs)
    elif op == "when":
        if failure(term[1], offer, setting) is None:
            request = apply(term[2], request, offer, setting, customs)
    elif op == "inject_seed" or (op == "set_param" and term[2] == "from_ctx"):
        if seed is None:
            request.pop(term[1], None)
        else:
            request[term[1]] = seed
    elif op == "set_param":
        request[term[1]] = term[2]
    elif op == "clamp_param":
        if is_numeric(request.get(term[1])):
            request[term[1]] = clamp(request[term[1]], term[2], term[3])
    elif op == "jitter":
        if seed is not None:
            delta = (random_draws((seed + text_hash(f"jitter:{term[1]}")) % MODULUS)() * 2.0 - 1.0) * term[2]
            present = request.get(term[1])
            request[term[1]] = present + delta if is_numeric(present) else delta
    elif op in ("filter_text", "filter_image"):
        entry: dict[str, Any] = {"recipe": term[1]}
        if seed is not None:
            entry["seed"] = seed % MODULUS
        request.setdefault("_filters", {})[op.removeprefix("filter_")] = entry
    elif op == "custom" and term[1] in customs:
        request = customs[term[1]](request)
    return request


def is_numeric(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def text_hash(text: str) -> int:
    value = 0
    for byte in text.encode():
        value = (value * 31 + byte) % MODULUS
    return value


def classify(plan: Term, reason: str, version: str = V2) -> dict[str, Any]:
    """The action of an admitted failure plan for a reason."""
    plan = normal_form(plan, version)
    actions: dict[str, dict[str, Any]] = {}
    while plan[0] == "override":
        plan, name, action = plan[1:]
        actions[name] = action
    base: dict[str, Any] = plan[1]
    return actions.get(reason, actions.get("unknown", base))
