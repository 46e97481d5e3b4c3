"""A small rulebook with offers, and prices of a call by hand, that the tests of clause and rule prices share."""

from __future__ import annotations

import math
from collections.abc import Iterator
from random import Random
from typing import Any

import tenantrank as tr
from tenantrank.catalog.costs import Tokens
from tests.tenants.books import plain_compile

TOKENS = Tokens(2_000, 500)
FIELDS: dict[str, Any] = {
    "plan": {"type": "enum", "values": ["free", "team", "enterprise"]},
    "approved": {"type": "list", "optional": True},
    "most": {"type": "number", "optional": True},
}
SCORERS: list[Any] = [
    ["neg", ["field", "price_out"]],
    ["field", "price_in"],
    ["add", ["normalize", ["field", "price_out"]], ["neg", ["normalize", ["field", "price_in"]]]],
]
PROVIDERS = ("p", "q", "r")


def cost_of(price_in: float | None, price_out: float | None, tokens: Tokens = TOKENS) -> float | None:
    """USD a call by list prices; ``None`` where one that tokens are billed at is unknown."""
    total = 0.0
    for count, price in ((tokens.input, price_in), (tokens.output, price_out)):
        if count and (price is None or not math.isfinite(price)):
            return None
        total += count * (price or 0.0) if count else 0.0
    cost = total / 1_000_000
    return cost if math.isfinite(cost) else None


def random_offers(rng: Random, count: int) -> list[dict[str, Any]]:
    """Offers with few prices, so that some tie, some are free and some are unknown."""
    offers: list[dict[str, Any]] = []
    for at in range(count):
        made: dict[str, Any] = {"id": f"o{at}", "provider_id": rng.choice(PROVIDERS), "model_family": f"m{at % 3}"}
        for name in ("price_in", "price_out"):
            if rng.random() < 0.85:
                made[name] = rng.choice((0, 0.5, 1, 2, 3.5, 8))
        offers.append(made)
    return offers


def random_book(rng: Random) -> dict[str, Any]:
    """A rulebook of the kind that `plain_compile` understands; its rules compete for bounds and for the preference."""
    rules: list[dict[str, Any]] = []
    for at in range(rng.randint(2, 6)):
        rule: dict[str, Any] = {"id": f"r{at}"}
        if rng.random() < 0.6:
            rule["when"] = {"plan": rng.sample(["free", "team", "enterprise"], rng.randint(1, 2))}
        if rng.random() < 0.4:
            rule["require"] = [["provider_in", rng.sample(PROVIDERS, rng.choice((0, 1, 2, 2, 3, 3)))]]
        if rng.random() < 0.4:
            rule["ceiling"] = {rng.choice(("price_in", "price_out")): rng.choice((0, 1, 2, 3.5))}
        if rng.random() < 0.3:
            rule["floor"] = {rng.choice(("price_in", "price_out")): rng.choice((0, 0.5, 2))}
        if rng.random() < 0.4:
            rule["preference"] = rng.choice(SCORERS)
        if len(rule.keys() - {"id", "when"}) == 0:
            rule["preference"] = SCORERS[0]
        rules.append(rule)
    return {"version": 1, "fields": FIELDS, "rules": rules}


def without(book: dict[str, Any], rule: str) -> dict[str, Any]:
    """The rulebook's text without a rule."""
    return {**book, "rules": [each for each in book["rules"] if each["id"] != rule]}


def plain_term(book: dict[str, Any], tenant: dict[str, Any]) -> list[Any] | None:
    """The tenant's policy by the text of the rulebook; ``None`` where no rule says what it may use."""
    term = plain_compile(book, tenant) if book["rules"] else None
    return None if term is None or term[1] == ["and"] else term


def random_cases(seed: int, count: int) -> Iterator[tuple[list[dict[str, Any]], dict[str, Any], tr.Catalog]]:
    """Random offers with a rulebook and the catalog of the offers."""
    for number in range(count):
        rng = Random(f"{seed}/{number}")
        offers = random_offers(rng, rng.choice((0, 3, 8, 20)))
        yield offers, random_book(rng), tr.Catalog.from_records(offers)
