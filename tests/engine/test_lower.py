"""Lowering: what instructions a policy becomes, and that stacks never run out."""

from __future__ import annotations

from random import Random
from typing import Any

import numpy as np
import pytest

import tenantrank as tr
from tenantrank.catalog.health import Health
from tenantrank.engine.index import CatalogIndex
from tenantrank.engine.lower import lower
from tenantrank.engine.plan import Plan
from tenantrank.engine.view import View
from tenantrank.policy.signature import V1, V2
from tenantrank_kernels import opcodes as op
from tests.engine.samples import catalog_of, offer, old_term_of, policy_of
from tests.fuzz.differential import draw_world
from tests.reference.generate import FIELDS as WORLD_FIELDS

CATALOG = catalog_of(offer("a", "p", price_in=1.0), offer("b", "q", "n"), offer("c", "p", "n"), offer("d", "q", "n"))


def lowered(policy: tr.Policy, catalog: tr.Catalog = CATALOG) -> Plan:
    index = CatalogIndex(catalog)
    return lower(policy.filter, policy.scorer, policy.selector, index, View(index, Health(), policy.version))


def plan_of(condition: list[Any], scorer: list[Any] | None = None, selector: list[Any] | None = None) -> Plan:
    return lowered(policy_of(CATALOG, condition, scorer, selector))


def instructions(plan: Plan) -> list[tuple[int, ...]]:
    return [tuple(step) for step in plan.code.reshape(-1, 3).tolist()]


def heights(plan: Plan) -> tuple[int, int, int, int]:
    """The greatest and the last height of either stack when a plan runs."""
    bits = vectors = most_bits = most_vectors = 0
    for operation, _, _ in instructions(plan):
        if operation == op.SURVIVE:
            assert bits == 1
            bits = 0
        elif operation <= op.GT:
            bits += 1
        elif operation in (op.AND, op.OR):
            assert bits >= 2
            bits -= 1
        elif operation in (op.FIELD, op.LITERAL):
            vectors += 1
        elif operation == op.ADD:
            assert vectors >= 2
            vectors -= 1
        elif operation == op.GATE:
            assert bits >= 1
            bits -= 1
        most_bits, most_vectors = max(most_bits, bits), max(most_vectors, vectors)
    return most_bits, most_vectors, bits, vectors


def test_lower__a_small_policy_instruction_by_instruction() -> None:
    view = View(CatalogIndex(CATALOG), Health(), V2)
    price = view.position["price_in"]
    condition = ["and", ["cmp", "price_in", "le", 5], ["not", ["is", "disabled"]], ["meets_req"]]
    plan = plan_of(condition, ["neg", ["normalize", ["field", "price_in"]]])
    assert instructions(plan) == [
        (op.LE, price, 0),
        (op.ROW, -op.MEETS_REQUEST - 1, 0),
        (op.AND, 0, 0),
        (op.ROW, -op.DISABLED - 1, 0),
        (op.NOT, 0, 0),
        (op.AND, 0, 0),
        (op.SURVIVE, 0, 0),
        (op.FIELD, price, 0),
        (op.NORMALIZE, 0, 0),
        (op.NEGATE, 0, 0),
    ]
    assert plan.constants.tolist() == [5.0]
    assert (plan.selector, plan.version) == (op.ARGMAX, V2)


def test_lower__an_add_begins_at_zero() -> None:
    plan = plan_of(["top"], ["add", ["lit", 1], ["lit", 2]])
    assert [step[0] for step in instructions(plan)[2:]] == [op.LITERAL, op.LITERAL, op.ADD, op.LITERAL, op.ADD]
    assert plan.constants.tolist() == [0.0, 1.0, 2.0]


def test_lower__older_policies_normalize_by_plain_division_and_have_scorers_of_their_own() -> None:
    scorer = ["add", ["normalize", ["cost"]], ["partner"]]
    plan = lowered(tr.admit(old_term_of(["top"], scorer), CATALOG.fields))
    view = View(CatalogIndex(CATALOG), Health(), V1)
    assert instructions(plan)[2:] == [
        (op.LITERAL, 0, 0),
        (op.FIELD, len(view.position) + op.COST, 0),
        (op.NORMALIZE_V1, 0, 0),
        (op.ADD, 0, 0),
        (op.FIELD, view.position["*partner"], 0),
        (op.ADD, 0, 0),
    ]


@pytest.mark.parametrize(
    ("selector", "kind", "limit", "temperature"),
    [
        (["argmax"], op.ARGMAX, 2**62, 0.0),
        (["ordered"], op.ORDERED, 2**62, 0.0),
        (["sample", -2], op.SAMPLE, 2**62, -2.0),
        (["top_k", 5, ["top_k", 3.0, ["argmax"]]], op.ARGMAX, 3, 0.0),
        (["top_k", 3, ["top_k", 5, ["sample", 1]]], op.SAMPLE, 3, 1.0),
        (["top_k", 1e300, ["ordered"]], op.ORDERED, 2**62, 0.0),
    ],
)
def test_lower__selectors(selector: list[Any], kind: int, limit: int, temperature: float) -> None:
    plan = plan_of(["top"], ["zero"], selector)
    assert (plan.selector, plan.limit, plan.temperature) == (kind, limit, temperature)


def test_lower__a_chain_lists_rows_by_the_last_place_of_their_pair() -> None:
    links = [
        {"provider": "q", "model": "n"},
        {"provider_id": "p", "model_family": "m"},
        {"provider": "ghost", "model": "n"},
        {"provider": "q", "model": "n"},
        {"provider": "p", "provider_id": "q", "model": "n", "model_family": "m"},
    ]
    plan = plan_of(["top"], ["field", "price_in"], ["chain", links])
    assert plan.selector == op.CHAIN
    assert plan.chain_rows.tolist() == [0, 1, 3, 2]
    assert plan.chain_places.tolist() == [2, 4, 4, 5]
    # A chain scores by place alone: nothing else is computed.
    assert instructions(plan)[-1] == (op.SURVIVE, 0, 0)


def test_lower__a_name_that_no_offer_has_is_the_empty_row() -> None:
    assert instructions(plan_of(["provider_eq", "ghost"]))[0] == (op.ROW, 1, 0)
    assert instructions(plan_of(["bot"]))[0] == (op.ROW, 1, 0)
    assert instructions(plan_of(["top"]))[0] == (op.ROW, 0, 0)


def test_lower__states_the_depth_that_a_plan_reaches() -> None:
    for number in range(15):
        world = draw_world(41, number, size=12)
        catalog = tr.Catalog.from_records(world.offers, WORLD_FIELDS, world.tier_order)
        for case in world.cases:
            plan = lowered(tr.admit(case.term, catalog.fields), catalog)
            most_bits, most_vectors, bits, vectors = heights(plan)
            assert max(most_bits, most_vectors, 2) == plan.depth
            assert bits == 0
            assert vectors == (0 if plan.selector == op.CHAIN else 1)
            assert plan.code.dtype == np.int32


def test_lower__deep_terms_fit_their_depth() -> None:
    condition: list[Any] = ["is", "region_eu"]
    scorer: list[Any] = ["field", "price_in"]
    rng = Random(1)
    for _ in range(20):
        condition = [rng.choice(("and", "or")), ["is", "trains"], ["not", condition]]
        scorer = ["add", ["lit", 1], ["gate", ["is", "trains"], ["neg", scorer]]]
    plan = plan_of(condition, scorer)
    most_bits, most_vectors, _, _ = heights(plan)
    assert plan.depth == max(most_bits, most_vectors)
    assert plan.depth > 15
