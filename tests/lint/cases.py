"""A small catalog in which a plain policy has no warning, and for every code what calls it up and what nearly does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

import tenantrank as tr
from tenantrank.lint import Finding, lint

TODAY = date(2026, 11, 23)
PLAN = ["always", {"action": "next_candidate"}]
TALKS: dict[str, Any] = {"context": 8000, "supports_tools": True}
DEAREST = ["field", "price_out"]
CHEAPEST = ["neg", ["normalize", DEAREST]]


def offer(name: str, provider: str, family: str, price: float | None, **rest: Any) -> dict[str, Any]:
    prices = {} if price is None else {"price_in": price / 4, "price_out": price}
    return {"id": name, "provider_id": provider, "model_family": family, "capabilities": TALKS, **prices, **rest}


OFFERS = (
    offer("a", "alpha", "m", 4.0, no_log=True, bench=0.5),
    offer("b", "beta", "m", 2.0, bench=0.7),
    offer("c", "beta", "n", 9.0, peer_id="someone"),
    offer("d", "gamma", "n", 6.0, geo=["us"], tier="partner"),
)


@dataclass(frozen=True)
class Case:
    """A policy over some offers; what is not given asks for nothing that any code is about."""

    condition: Any = field(default_factory=lambda: ["top"])
    scorer: Any = field(default_factory=lambda: ["neg", DEAREST])
    selector: Any = field(default_factory=lambda: ["argmax"])
    transform: Any = field(default_factory=lambda: ["id"])
    offers: Sequence[Mapping[str, Any]] = OFFERS
    request: Mapping[str, Any] | None = None
    health: Mapping[str, Any] | None = None
    version: int = 2

    @property
    def engine(self) -> tr.Engine:
        declared = {"bench": {"sort": "Num", "default": 0.0}}
        return tr.Engine(tr.Catalog.from_records(self.offers, declared, as_of=TODAY), self.health)

    @property
    def term(self) -> list[Any]:
        evidence = [["ev_zero"]] if self.version == 1 else []
        return ["policy", *evidence, self.condition, self.scorer, self.selector, self.transform, PLAN]

    def findings(self) -> tuple[Finding, ...]:
        engine = self.engine
        return lint(engine, tr.admit(self.term, engine.catalog.fields), self.request)

    def codes(self) -> list[str]:
        return [finding.code for finding in self.findings()]


def also(**changes: Any) -> tuple[dict[str, Any], ...]:
    """The offers, and one more of these values."""
    return (*OFFERS, offer("e", "delta", "k", **{"price": 5.0, **changes}))


def both(*clauses: Any) -> list[Any]:
    return ["and", *clauses]


UNPRICED = also(price=None)
FREE = also(price=0.0)
ENDED = also(price=1.0, deprecation_date=date(2026, 11, 1))
ENDING = also(price=1.0, deprecation_date=date(2026, 12, 1))
EXPECTED = ["neg", ["field", "expected_cost_usd"]]
ESTIMATES = {"requirements": {"estimated_input_tokens": 10, "estimated_output_tokens": 10}}
OWN_COST = tuple({**each, "expected_cost_usd": 1.0 + at} for at, each in enumerate(OFFERS))
BENCH_HALF = Case(["cmp", "bench", "ge", 0.4])
PAIR = {"provider": "alpha", "model": "m"}
ELSEWHERE = {"provider": "alpha", "model": "n"}
GATED = ["add", ["neg", DEAREST], ["gate", ["family_eq", "mm"], ["lit", 0.0]]]
WHEN = ["when", ["provider_eq", "alphq"], ["inject_seed", "seed"]]
GUARDED = ["neg", ["normalize", ["gate", ["is", "priced"], DEAREST]]]
CLAMPED = ["neg", ["normalize", ["clamp", 0, 100, DEAREST]]]

APPEARS: dict[str, list[Case]] = {
    "TR101": [
        Case(["not", ["provider_eq", "betta"]]),
        Case(["or", ["provider_eq", "beta"], ["provider_eq", "delta"]]),
        Case(["not", ["served_by_eq", "somebody"]]),
        Case(["not", ["family_eq", "M"]]),
        Case(["not", ["has_cap", "tools"]]),
        Case(["not", ["has_cap", "supports_seed"]]),
        Case(scorer=GATED),
        Case(transform=WHEN),
    ],
    "TR102": [
        Case(selector=["chain", [PAIR, ELSEWHERE]]),
        Case(selector=["top_k", 3, ["chain", [PAIR, {"provider_id": "alphq", "model_family": "m"}]]]),
    ],
    "TR201": [
        Case(["cmp", "price_out", "le", 1.9]),
        Case(["provider_eq", "someone"]),
        Case(["bot"]),
        Case(both(["is", "breaker_open"], ["cmp", "price_out", "le", 5])),
        Case(["meets_req"], request={"requirements": {"min_context": 8001}}),
        Case(["cmp", "latency_ms", "le", 500], version=1),
    ],
    "TR202": [
        Case(["cmp", "context", "ge", 8000]),
        Case(["is", "priced"]),
        Case(["min_tier", "fallback"]),
        Case(["has_cap", "supports_tools"]),
        Case(["or", ["is", "no_log"], ["not", ["is", "no_log"]]]),
        Case(["cmp", "price_out", "le", 9], health={"breakers": {"beta": True}}),
    ],
    "TR203": [
        Case(["is", "no_log"]),
        Case(["cmp", "bench", "ge", 0.1], offers=also()),
        Case(["not", ["cmp", "bench", "lt", 0.1]], offers=also()),
        Case(both(["is", "no_log"], ["cmp", "price_out", "ge", 9])),
        Case(["cmp", "expected_cost_usd", "ge", 0.5], offers=(*OFFERS[1:], OWN_COST[0]), request=ESTIMATES),
    ],
    "TR204": [
        Case(both(["cmp", "price_out", "le", 5], ["cmp", "price_out", "le", 8])),
        Case(both(["cmp", "price_out", "le", 5], ["cmp", "price_out", "lt", 5])),
        Case(both(["cmp", "price_out", "ge", 5], ["not", ["cmp", "price_out", "le", 3]])),
        Case(both(["cmp", "price_out", "eq", 4], ["cmp", "price_out", "le", 5])),
        Case(both(["cmp", "price_out", "le", 5], ["cmp", "price_out", "ne", 6])),
        Case(both(["cmp", "price_out", "le", 5], ["cmp", "price_out", "le", 5])),
        Case(both(["min_tier", "marketplace"], ["min_tier", "partner"])),
    ],
    "TR205": [
        Case(both(["cmp", "price_out", "le", 3], ["cmp", "price_out", "ge", 5])),
        Case(both(["cmp", "price_out", "lt", 4], ["cmp", "price_out", "ge", 4])),
        Case(both(["cmp", "price_out", "eq", 4], ["cmp", "price_out", "ne", 4])),
        Case(both(["cmp", "price_out", "eq", 4], ["cmp", "price_out", "eq", 5])),
        Case(both(["is", "no_log"], ["not", ["is", "no_log"]])),
        Case(both(["provider_eq", "alpha"], ["provider_eq", "beta"])),
        Case(both(["provider_eq", "alpha"], ["not", ["provider_eq", "alpha"]])),
        Case(
            both(
                ["or", ["family_eq", "m"], ["family_eq", "n"]], ["not", ["family_eq", "m"]], ["not", ["family_eq", "n"]]
            )
        ),
        Case(both(["tier_eq", "partner"], ["not", ["or", ["tier_eq", "partner"], ["tier_eq", "fallback"]]])),
    ],
    "TR206": [
        Case(["not", ["is", "region_us"]]),
        Case(["cmp", "bench", "le", 0.6]),
        Case(["or", ["cmp", "bench", "le", 0.6], ["provider_eq", "beta"]]),
    ],
    "TR301": [
        Case(scorer=CHEAPEST, offers=UNPRICED),
        Case(scorer=["add", ["scale", 2, CHEAPEST], ["scale", 0.1, ["field", "context"]]], offers=UNPRICED),
        Case(scorer=CHEAPEST, offers=UNPRICED, version=1),
        Case(
            scorer=["normalize", ["neg", ["field", "latency_ms"]]],
            offers=tuple({**each, "latency_ms": 5.0 * at} if at else dict(each) for at, each in enumerate(OFFERS)),
        ),
        Case(scorer=["normalize", ["gate", ["cmp", "context", "ge", 1], DEAREST]], offers=UNPRICED),
    ],
    "TR303": [
        Case(offers=FREE),
        Case(scorer=CHEAPEST, offers=FREE),
        Case(scorer=EXPECTED, offers=FREE, request=ESTIMATES),
        Case(selector=["sample", 0.5], offers=FREE),
        Case(scorer=["cost"], offers=FREE, version=1, condition=["cmp", "price_out", "lt", 2]),
    ],
    "TR304": [Case(offers=ENDED), Case(selector=["chain", [{"provider": "delta", "model": "k"}]], offers=ENDED)],
    "TR305": [
        Case(scorer=["zero"]),
        Case(offers=also(price=2.0)),
        Case(offers=also(price=2.0), selector=["top_k", 1, ["argmax"]]),
        Case(scorer=CHEAPEST, offers=UNPRICED),
        Case(scorer=["add", DEAREST, ["neg", DEAREST]], offers=(UNPRICED[-1], offer("f", "z", "k", None))),
    ],
    "TR306": [Case(selector=["ordered"]), Case(selector=["top_k", 1, ["ordered"]], scorer=["zero"])],
    "TR307": [
        Case(scorer=EXPECTED),
        Case(["cmp", "expected_cost_usd", "le", 1]),
        Case(scorer=EXPECTED, request={"requirements": {"estimated_input_tokens": 10}}),
    ],
    "TR401": [Case(["bot"]), Case(offers=()), Case(both(["provider_eq", "alpha"], ["family_eq", "n"]))],
    "TR402": [Case(["provider_eq", "gamma"], selector=["chain", [PAIR]]), Case(selector=["chain", []])],
}
"""Policies of which each code is told; TR302 is told of compiled policies alone."""

NEARLY: dict[str, list[Case]] = {
    "TR101": [
        Case(["not", ["provider_eq", "beta"]]),
        Case(["not", ["served_by_eq", "someone"]]),
        Case(["not", ["served_by_eq", "gamma"]]),
        Case(["not", ["has_cap", "context"]]),
        Case(["not", ["has_cap", "supports_seed"]], offers=also(capabilities={"supports_seed": False})),
        Case(selector=["chain", [{"provider": "beta", "model": "m"}]]),
    ],
    "TR102": [Case(selector=["chain", [PAIR, {"provider_id": "beta", "model_family": "n"}]])],
    "TR201": [
        Case(["cmp", "price_out", "le", 2]),
        Case(["meets_req"]),
        Case(["cmp", "expected_cost_usd", "le", 1]),
        Case(["is", "no_log"], offers=OFFERS[:1]),
        Case(["bot"], offers=()),
    ],
    "TR202": [
        Case(),
        Case(["cmp", "context", "ge", 8000], offers=also(capabilities={"context": 7999})),
        Case(["is", "priced"], offers=UNPRICED),
        Case(both(["meets_req"], ["scope_matches"])),
        Case(both(["not", ["is", "disabled"]], ["not", ["is", "breaker_open"]])),
        Case(["cmp", "credits", "ge", 0]),
        Case(["not", ["provider_eq", "betta"]]),
        Case(["cmp", "success_rate", "ge", 0.5], version=1),
        Case(["cmp", "context", "ge", 1], offers=()),
        Case(["cmp", "expected_cost_usd", "le", 1], request=ESTIMATES),
    ],
    "TR203": [
        BENCH_HALF,
        Case(["cmp", "bench", "le", 0.6], offers=also()),
        Case(both(["is", "no_log"], ["cmp", "price_out", "eq", 4])),
        Case(["is", "no_log"], offers=tuple({**each, "no_log": at == 1} for at, each in enumerate(OFFERS))),
        Case(["or", ["is", "no_log"], ["is", "no_log"]]),
    ],
    "TR204": [
        Case(both(["cmp", "price_out", "le", 8], ["cmp", "price_out", "ge", 3])),
        Case(both(["cmp", "price_out", "le", 8], ["cmp", "price_in", "le", 3])),
        Case(both(["cmp", "price_out", "le", 5], ["cmp", "price_out", "ne", 4])),
        Case(both(["cmp", "price_out", "le", 5], ["cmp", "price_out", "ne", 5])),
        Case(["or", ["cmp", "price_out", "le", 5], ["cmp", "price_out", "le", 8]]),
    ],
    "TR205": [
        Case(both(["cmp", "price_out", "le", 4], ["cmp", "price_out", "ge", 4])),
        Case(both(["cmp", "price_out", "eq", 4], ["cmp", "price_out", "ne", 5])),
        Case(both(["or", ["provider_eq", "alpha"], ["provider_eq", "beta"]], ["provider_eq", "beta"])),
        Case(both(["provider_eq", "alpha"], ["not", ["provider_eq", "beta"]])),
        Case(both(["provider_eq", "alpha"], ["family_eq", "n"])),
        Case(both(["or", ["provider_eq", "alpha"], ["is", "no_log"]], ["provider_eq", "beta"])),
    ],
    "TR206": [
        Case(["not", ["is", "disabled"]]),
        Case(["not", ["is", "deprecated"]]),
        Case(["not", ["is", "no_log"]], offers=tuple({**each, "no_log": at == 1} for at, each in enumerate(OFFERS))),
        Case(both(["not", ["is", "region_us"]], ["is", "region_eu"])),
        Case(["cmp", "bench", "ge", 0.1]),
    ],
    "TR301": [
        Case(scorer=CHEAPEST),
        Case(["is", "priced"], scorer=CHEAPEST, offers=UNPRICED),
        Case(scorer=CLAMPED, offers=UNPRICED),
        Case(scorer=GUARDED, offers=UNPRICED),
        Case(offers=UNPRICED),
        Case(scorer=CHEAPEST, offers=UNPRICED[-2:]),
        Case(scorer=CHEAPEST, offers=UNPRICED[-1:]),
        Case(scorer=CHEAPEST, offers=UNPRICED, selector=["ordered"]),
    ],
    "TR303": [
        Case(["not", ["is", "price_zero_listed"]], offers=FREE),
        Case(scorer=DEAREST, offers=FREE),
        Case(scorer=["field", "bench"], offers=tuple(reversed(FREE))),
        Case(selector=["ordered"], offers=tuple(reversed(FREE))),
        Case(offers=(*OFFERS, {**FREE[-1], "price_in": 0.1})),
    ],
    "TR304": [
        Case(offers=ENDING),
        Case(scorer=DEAREST, offers=ENDED),
        Case(["not", ["is", "deprecated"]], offers=ENDED),
    ],
    "TR305": [
        Case(),
        Case(scorer=DEAREST, offers=also(price=2.0)),
        Case(["provider_eq", "alpha"], scorer=["zero"]),
        Case(selector=["ordered"]),
        Case(selector=["sample", 1], scorer=["zero"]),
    ],
    "TR306": [Case(), Case(["provider_eq", "alpha"], selector=["ordered"])],
    "TR307": [
        Case(scorer=EXPECTED, request=ESTIMATES),
        Case(scorer=EXPECTED, offers=OWN_COST),
        Case(scorer=EXPECTED, selector=["ordered"]),
        Case(),
    ],
    "TR401": [Case(), Case(["provider_eq", "gamma"], selector=["chain", [PAIR]])],
    "TR402": [Case(["bot"]), Case(selector=["chain", [PAIR]])],
}
"""Policies of which each code is not told, though it is not far off."""


def v1(case: Case) -> Case:
    return replace(case, version=1)
