"""Small engines by hand, and random worlds that the engine's tests share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

import tenantrank as tr
from tenantrank_kernels import JIT_DISABLED
from tests.fuzz.differential import Case, World, draw_world
from tests.reference.generate import FIELDS as WORLD_FIELDS
from tests.reference.signature import Term

PLAN: Term = ["always", {"action": "next_candidate"}]
FIELDS: dict[str, dict[str, Any]] = {
    "bench": {"sort": "Num", "default": 0.5},
    "region_eu": {"sort": "Bool", "default": False},
    "trains": {"sort": "Bool", "default": True},
}


def offer(name: str, provider: str = "p", family: str = "m", **rest: Any) -> dict[str, Any]:
    return {"id": name, "provider_id": provider, "model_family": family, **rest}


def catalog_of(*offers: dict[str, Any]) -> tr.Catalog:
    return tr.Catalog.from_records(list(offers), FIELDS)


def term_of(condition: Term, scorer: Term | None = None, selector: Term | None = None) -> Term:
    return ["policy", condition, scorer or ["zero"], selector or ["argmax"], ["id"], PLAN]


def old_term_of(condition: Term, scorer: Term | None = None, selector: Term | None = None) -> Term:
    return ["policy", ["ev_zero"], *term_of(condition, scorer, selector)[1:]]


def policy_of(
    catalog: tr.Catalog, condition: Term, scorer: Term | None = None, selector: Term | None = None
) -> tr.Policy:
    return tr.admit(term_of(condition, scorer, selector), catalog.fields)


def worlds(seed: int, count: int) -> Iterator[tuple[World, tr.Catalog]]:
    """Random worlds with their catalogs; a third of them, at least three, where kernels run as plain Python."""
    for number in range(max(3, count // 3) if JIT_DISABLED else count):
        world = draw_world(seed, number, size=(0, 1, 5, 12, 30, 65)[number % 6])
        yield world, world_catalog(world)


def world_catalog(world: World) -> tr.Catalog:
    return tr.Catalog.from_records(world.offers, WORLD_FIELDS, world.tier_order)


def survivors(decision: tr.Decision, catalog: tr.Catalog) -> set[str]:
    """The offers that pass the filter, whether or not the selector keeps them."""
    return set(catalog.offer_ids) - set(decision.rejected)


ABC = catalog_of(
    offer("a", "p", price_out=3.0, region_eu=True),
    offer("b", "q", price_out=1.0, tier="partner"),
    offer("c", "r", price_out=2.0, region_eu=True),
    offer("d", "q"),
)


def same(one: tr.Decision, other: tr.Decision) -> bool:
    """Whether two decisions are equal to the bit, reasons included."""
    return (
        one.offer_ids == other.offer_ids
        and np.array(one.scores).tobytes() == np.array(other.scores).tobytes()
        and one.survivors == other.survivors
        and dict(one.rejected) == dict(other.rejected)
    )


def ranked(seed: int, count: int) -> Iterator[tuple[World, Case, tr.Catalog, tr.Engine, tr.Policy, tr.Decision]]:
    """Random cases with their decisions."""
    for world, catalog in worlds(seed, count):
        engine = tr.Engine(catalog, world.state, world.envelope)
        for case in world.cases[:5]:
            policy = tr.admit(case.term, catalog.fields)
            yield world, case, catalog, engine, policy, engine.rank(policy, case.request, case.seed)
