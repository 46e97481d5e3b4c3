"""Ranking by a policy: every offer is asked one after the other, every sum is added from left to right."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from tests.reference.language import RefusedError, admit, normal_form
from tests.reference.observe import Offer, Setting, first, offer_id, own_tier
from tests.reference.predicates import failure
from tests.reference.signature import TIER_ORDER, V1, V2, Fields, Term

MODULUS = 2147483647


@dataclass(frozen=True)
class Result:
    """What a policy decides: the offers it keeps, best first, and each offer its filter rejects in catalog order."""

    ordered: list[str]
    scores: list[float]
    rejected: list[tuple[str, str]]


def rank(
    term: Any,
    offers: Sequence[Offer],
    ctx: Mapping[str, Any],
    fields: Fields,
    tier_order: Sequence[str] = TIER_ORDER,
    version: str = V2,
    envelope: Any = None,
) -> Result:
    """Filter, score and select the offers.

    An envelope is a Pred of the second version, and-ed onto the policy's own filter. A policy of the first version does
    not change how the envelope observes: it is then tried first, by the second version's rules.
    """
    if admit(term, fields, tier_order, version) != "Policy":
        raise RefusedError("$", "expected a policy")
    pred, scorer, selector = normal_form(term, version)[-5:-2]
    if envelope is not None:
        if admit(envelope, fields, tier_order, V2) != "Pred":
            raise RefusedError("$", "an envelope is a predicate")
        envelope = normal_form(envelope, V2)
        if version == V2:
            pred = normal_form(["and", envelope, pred], V2)
    setting = Setting(ctx, fields, tier_order, version)
    apart = Setting(ctx, fields, tier_order, V2)
    survivors: list[Offer] = []
    rejected: list[tuple[str, str]] = []
    for offer in offers:
        reason = None
        if envelope is not None and version == V1:
            reason = failure(envelope, offer, apart)
        if reason is None:
            reason = failure(pred, offer, setting)
        if reason is None:
            survivors.append(offer)
        else:
            rejected.append((offer_id(offer), reason))
    chosen = select(selector, survivors, score(scorer, survivors, setting), setting.seed)
    return Result([offer_id(offer) for offer, _ in chosen], [value for _, value in chosen], rejected)


def score(scorer: Term, survivors: Sequence[Offer], setting: Setting) -> list[float]:
    """The score that a scorer in normal form gives each survivor of the filter."""
    op = scorer[0]
    if op == "zero":
        return [0.0 for _ in survivors]
    if op == "lit":
        return [scorer[1] for _ in survivors]
    if op == "field":
        return [setting.number(scorer[1], offer) for offer in survivors]
    if op == "add":
        totals = [0.0 for _ in survivors]
        for child in scorer[1:]:
            totals = [total + value for total, value in zip(totals, score(child, survivors, setting), strict=True)]
        return totals
    if op == "scale":
        return [scorer[1] * value for value in score(scorer[2], survivors, setting)]
    if op == "gate":
        values = score(scorer[2], survivors, setting)
        return [
            value if failure(scorer[1], offer, setting) is None else 0.0
            for offer, value in zip(survivors, values, strict=True)
        ]
    if op == "neg":
        return [1.0 - value for value in score(scorer[1], survivors, setting)]
    if op == "clamp":
        return [clamp(value, scorer[1], scorer[2]) for value in score(scorer[3], survivors, setting)]
    if op == "normalize":
        return normalize(score(scorer[1], survivors, setting), setting.version)
    return [float(OLD_SCORERS[op](offer, setting)) for offer in survivors]


def clamp(value: float, lo: float, hi: float) -> float:
    if value < lo:
        return lo
    if value > hi:
        return hi
    return value


def normalize(values: list[float], version: str) -> list[float]:
    lo, hi = math.inf, -math.inf
    for value in values:  # a NaN is neither smaller nor larger than anything
        if value < lo:
            lo = value
        if value > hi:
            hi = value
    if hi <= lo:
        return [0.0 for _ in values]
    if version == V1:
        return [(value - lo) / (hi - lo) for value in values]
    return [pinned(value, lo, hi) for value in values]


def pinned(value: float, lo: float, hi: float) -> float:
    if value >= hi:
        return 1.0
    if value <= lo:
        return 0.0
    between = (value - lo) / (hi - lo)
    return 0.0 if math.isnan(between) else between


def _quality(offer: Offer, setting: Setting) -> float:
    return clamp(first(setting.observed(offer).get("last_quality_eval"), offer.get("quality_hint"), 0.5), 0.0, 1.0)


def _speed(offer: Offer, setting: Setting) -> float:
    latency = setting.observed(offer).get("ema_latency_ms")
    if latency is None:
        return 0.5
    return clamp(1.0 - divide(latency, first(setting.requirements.get("max_latency_ms"), 5000.0)), 0.0, 1.0)


def _cost(offer: Offer, setting: Setting) -> float:
    wanted, live = setting.requirements, setting.observed(offer)
    price_in, price_out = first(live.get("price_in"), 0.0), first(live.get("price_out"), 0.0)
    tokens_in = float(first(wanted.get("estimated_input_tokens"), 1000.0))
    tokens_out = float(first(wanted.get("estimated_output_tokens"), 500.0))
    cost = (price_in * tokens_in + price_out * tokens_out) / 1e6
    if cost <= 0.0:
        return 1.0
    return clamp(1.0 - divide(cost, first(wanted.get("max_cost_usd"), 0.01)), 0.0, 1.0)


def _free_credit(offer: Offer, setting: Setting) -> float:
    threshold = first(setting.requirements.get("free_credit_threshold_usd"), 1.0)
    return 1.0 if setting.number("credits", offer) >= threshold else 0.0


def _partner(offer: Offer, setting: Setting) -> float:
    return {"partner": 1.0, "marketplace": 0.5}.get(own_tier(offer), 0.0)


OLD_SCORERS: dict[str, Callable[[Offer, Setting], float]] = {
    "quality": _quality,
    "speed": _speed,
    "cost": _cost,
    "free_credit": _free_credit,
    "partner": _partner,
}


def divide(numerator: float, denominator: float) -> float:
    """Division of doubles, by zero too."""
    if denominator != 0:
        return float(numerator) / float(denominator)
    if numerator == 0:
        return math.nan
    return math.copysign(math.inf, numerator) * math.copysign(1.0, denominator)


def select(selector: Term, survivors: Sequence[Offer], scores: list[float], seed: Any) -> list[tuple[Offer, float]]:
    """The survivors that a selector keeps, best first, each with the score that is shown."""
    op = selector[0]
    if op == "ordered":
        return list(zip(survivors, scores, strict=True))
    if op == "argmax":
        return best_first(survivors, scores)
    if op == "sample":
        return sample(selector[1], best_first(survivors, scores), seed)
    if op == "top_k":
        return select(selector[2], survivors, scores, seed)[: int(selector[1])]
    return chain(selector[1], survivors)


def best_first(survivors: Sequence[Offer], scores: list[float]) -> list[tuple[Offer, float]]:
    """Score descending, NaN last, ties in catalog order (the sort is stable)."""
    pairs = list(zip(survivors, scores, strict=True))
    return sorted(pairs, key=lambda pair: (math.isnan(pair[1]), 0.0 if math.isnan(pair[1]) else -pair[1]))


def chain(links: list[dict[str, str]], survivors: Sequence[Offer]) -> list[tuple[Offer, float]]:
    position: dict[tuple[str, str], int] = {}
    for place, link in enumerate(links, start=1):  # a later mention overwrites an earlier one
        position[
            first(link.get("provider"), link.get("provider_id")), first(link.get("model"), link.get("model_family"))
        ] = place
    listed = [
        (offer, -float(position[offer["provider_id"], offer["model_family"]]))
        for offer in survivors
        if (offer["provider_id"], offer["model_family"]) in position
    ]
    return sorted(listed, key=lambda pair: -pair[1])


def sample(temperature: float, ranked: list[tuple[Offer, float]], seed: Any) -> list[tuple[Offer, float]]:
    heat = max(temperature, 0.0)
    ratio = heat / (heat + 1.0)
    weights, weight = [], 1.0
    for _ in ranked:
        weights.append(weight)
        weight *= ratio
    draw = random_draws(0 if seed is None else seed)
    remaining, drawn = list(ranked), []
    while remaining:
        running = list(accumulate(weights))
        target = draw() * running[-1]
        at = next((index for index, so_far in enumerate(running) if so_far >= target), len(remaining) - 1)
        drawn.append(remaining.pop(at))
        weights.pop(at)
    return drawn


def random_draws(seed: int | float) -> Callable[[], float]:
    """The language's random numbers from a seed."""
    state = int(seed % MODULUS)
    if state <= 0:
        state += MODULUS - 1

    def draw() -> float:
        nonlocal state
        state = state * 16807 % MODULUS
        return state / MODULUS

    for _ in range(4):
        draw()
    return draw
