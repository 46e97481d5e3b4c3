"""Seeded random catalogs and contexts for differential testing; the terms are in `terms`."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from tests.reference.observe import Offer
from tests.reference.signature import TIER_ORDER, V1
from tests.reference.terms import (
    Vocabulary,
    random_failplan,
    random_pred,
    random_scorer,
    random_selector,
    random_term,
    random_xform,
    spoiled,
)
from tests.reference.words import ABSENT, CAPABILITIES, FAMILIES, FIELDS, PEERS, PROVIDERS, SCOPES, TIERS

__all__ = [
    "FIELDS",
    "SEEDS",
    "TIER_ORDER",
    "Vocabulary",
    "random_catalog",
    "random_ctx",
    "random_failplan",
    "random_pred",
    "random_request",
    "random_scorer",
    "random_selector",
    "random_state",
    "random_term",
    "random_xform",
    "spoiled",
]

# Every whole seed below is exact as a double too, so that it is one number however it is read.
SEEDS: tuple[int, ...] = (0, 1, -1, 2, 7, 42, -5, 2147483646, 2147483647, -2147483647, 2147483648, 4294967294)
HUGE_SEEDS: tuple[int, ...] = (2**40, -(2**40), 2**53, -(2**53), 2**62, -(2**70), 10**18)

NUMBER_COLUMNS = (
    "price_in",
    "price_out",
    "latency_ms",
    "tok_s",
    "success_rate",
    "quality_hint",
    "bench_intelligence",
    "bench_coding",
    "bench_handicap",
    "max_output",
)
FLAG_COLUMNS = ("has_tee", "no_log", "region_eu", "region_us", "zdr", "trained_on")
MISSING = (0.0, 0.0, 0.05, 0.3, 0.6, 0.9)

Draw = Callable[[], Any]


def ulps_above(value: float, steps: int) -> float:
    for _ in range(steps):
        value = math.nextafter(value, math.inf)
    return value


def number_draw(rng: Random) -> Draw:
    """A way to draw one column's numbers: constant, tied, spread out, or as close and as extreme as doubles get."""
    style = rng.randrange(9)
    base = rng.choice((0.1, 0.25, 1.0, 2.0, 3.0, 1e-3, 1000.0))
    if style == 0:
        return lambda: base
    if style == 1:
        few = [rng.choice((0, 0.0, 0.1, 0.2, 0.3, 0.5, 1, 2, 2.5, 3.0, 10, 75.0)) for _ in range(rng.randint(2, 5))]
        return lambda: rng.choice(few)
    if style == 2:
        return lambda: rng.uniform(0.0, 30.0)
    if style == 3:
        return lambda: round(10.0 ** rng.uniform(-3.0, 3.0), 3)
    if style == 4:
        near = [ulps_above(base, steps) for steps in range(6)]
        return lambda: rng.choice(near)
    if style == 5:
        return lambda: rng.choice((0, 5e-324, 1e-308, 2.2250738585072014e-308, 1e300, 1e308, 1.7976931348623157e308))
    if style == 6:
        return lambda: rng.randrange(0, 200000)
    if style == 7:
        return lambda: rng.choice((4000, 8000, 8192, 16000, 32768, 128000, 200000, 1000000))
    return lambda: rng.choice((-1e308, -3.0, -1, -5e-324, 0, 0.1, 1, 1e308))


def random_catalog(rng: Random, n: int) -> list[dict[str, Any]]:
    """Records of n offers in catalog order, with unique ids; each catalog has its own kind of every column."""
    providers = rng.sample(PROVIDERS, rng.randint(1, len(PROVIDERS)))
    families = rng.sample(FAMILIES, rng.randint(1, len(FAMILIES)))
    if rng.random() < 0.2:
        families += [f"model-{index}" for index in range(max(1, n // 3))]
    tiers = [rng.choice((*TIERS, None)) for _ in range(rng.randint(1, 5))]
    scopes = [None, rng.choice(SCOPES)] if rng.random() < 0.3 else [None] * 6 + list(SCOPES)
    numbers = [(name, number_draw(rng), rng.choice(MISSING)) for name in NUMBER_COLUMNS if rng.random() < 0.95]
    flags = [(name, rng.random(), rng.choice(MISSING)) for name in FLAG_COLUMNS if rng.random() < 0.95]
    capabilities = [(name, rng.random(), rng.choice(MISSING)) for name in CAPABILITIES if rng.random() < 0.9]
    context, context_missing = number_draw(rng), rng.choice(MISSING)
    peers = rng.choice((0.0, 0.1, 0.5))
    key = rng.choice(("id", "id", "offer_id"))
    chance, pick = rng.random, rng.choice

    offers: list[dict[str, Any]] = []
    for index in range(n):
        family = pick(families)
        offer: dict[str, Any] = {key: f"o{index}", "provider_id": pick(providers), "model_family": family}
        offer["served_model_id"] = family
        known: dict[str, Any] = {name: chance() < share for name, share, gap in capabilities if chance() >= gap}
        if chance() >= context_missing:
            known["context"] = context()
        if known or chance() < 0.5:
            offer["capabilities"] = known
        tier, scope = pick(tiers), pick(scopes)
        if tier is not None:
            offer["tier"] = tier
        if scope is not None:
            offer["scope"] = scope
        for name, draw, gap in numbers:
            if chance() >= gap:
                offer[name] = draw()
        for name, share, gap in flags:
            if chance() >= gap:
                offer[name] = chance() < share
        if chance() < peers:
            offer["offer"] = {"peer_id": pick(PEERS)}
        offers.append(offer)
    return offers


def random_state(rng: Random, offers: Sequence[Offer], version: str) -> dict[str, Any]:
    """Live state for some of the catalog's providers and pairs, and for some that it does not hold."""
    pairs = list({(str(offer["provider_id"]), str(offer["model_family"])): None for offer in offers})
    rng.shuffle(pairs)
    chosen = pairs[: rng.choice((0, len(pairs) // 4, len(pairs) // 2, len(pairs)))]
    chosen.append((ABSENT, rng.choice(FAMILIES)))
    names = ["price_in", "price_out"]
    if version == V1 or rng.random() < 0.2:
        names += ["ema_latency_ms", "ema_tok_s", "success_rate_ewma", "last_quality_eval"]
    columns = [(name, number_draw(rng), rng.choice(MISSING)) for name in names]
    ema = {
        f"{provider}|{family}": {name: draw() for name, draw, gap in columns if rng.random() >= gap}
        for provider, family in chosen
    }
    providers = [*sorted({str(offer["provider_id"]) for offer in offers}), ABSENT]
    share = rng.choice((0.0, 0.2, 0.6))
    return {
        "ema": ema,
        "breakers": {name: rng.random() < 0.7 for name in providers if rng.random() < share},
        "disabled": {name: {"kind": "auth_error", "at_ms": 0} for name in providers if rng.random() < share / 2},
        "credits": {name: rng.choice((0, 0.5, 1, 1.0, 5, 20, -1)) for name in providers if rng.random() < 0.5},
    }


def random_request(rng: Random, vocabulary: Vocabulary) -> dict[str, Any]:
    """A request with its requirements; now and then several needs are missing at once."""
    wanted: dict[str, Any] = {}
    if rng.random() < 0.4:
        wanted["needs"] = rng.sample(("seed", "json_mode", "vision", "tools", "telepathy"), rng.randint(1, 3))
    for name, chance in (("min_context", 0.25), ("min_quality", 0.15), ("min_tok_s", 0.2)):
        if rng.random() < chance:
            field = {"min_context": "context", "min_quality": "quality_hint", "min_tok_s": "tok_s"}[name]
            wanted[name] = vocabulary.number(rng, field)
    if rng.random() < 0.08:
        wanted["model_family"] = rng.choice(vocabulary.families)
    if rng.random() < 0.08:
        wanted["tier"] = rng.choice(TIERS)
    if rng.random() < 0.25:
        wanted["privacy"] = rng.choice(("no_log", "tee_required", "standard"))
    if rng.random() < 0.3:
        wanted["max_latency_ms"] = rng.choice((1, 120, 400, 5000, 1e-300))
        wanted["max_cost_usd"] = rng.choice((0.001, 0.01, 0.05, 1))
        wanted["estimated_input_tokens"] = rng.choice((0, 100, 1000, 250000))
        wanted["estimated_output_tokens"] = rng.choice((0, 50, 500))
    if rng.random() < 0.1:
        wanted["free_credit_threshold_usd"] = rng.choice((0, 0.5, 5))
    request: dict[str, Any] = {}
    if wanted or rng.random() < 0.5:
        request["requirements"] = wanted
    if rng.random() < 0.15:
        request["images"] = rng.choice(([], ["x"]))
    if rng.random() < 0.15:
        request["tools"] = rng.choice(([], [{"type": "function"}]))
    if rng.random() < 0.15:
        request["response_format"] = {"type": rng.choice(("json_object", "text"))}
    if rng.random() < 0.4:
        request["scope"] = rng.choice((*SCOPES, "nobody"))
    return request


def random_ctx(rng: Random, offers: Sequence[Offer], vocabulary: Vocabulary, version: str) -> dict[str, Any]:
    """What a ranking looks at besides the catalog: request, state and, mostly, a seed."""
    ctx: dict[str, Any] = {
        "request": random_request(rng, vocabulary),
        "state": random_state(rng, offers, version),
        "now_ms": 0,
    }
    if rng.random() < 0.7:
        ctx["seed"] = rng.choice((rng.choice(SEEDS), rng.choice(HUGE_SEEDS), rng.randrange(2**31)))
    return ctx
