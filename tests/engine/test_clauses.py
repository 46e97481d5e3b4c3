"""Clauses one by one: the reason each gives and the offers that pass it, against the reference."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from random import Random
from typing import Any

import pytest

import tenantrank as tr
from tenantrank.catalog.health import Health
from tenantrank.engine.clauses import checks_of, clause_masks, reason_of
from tenantrank.engine.index import CatalogIndex
from tenantrank.engine.request import Request
from tenantrank.engine.view import View
from tenantrank.policy.normal_form import Node, clauses_of
from tenantrank.policy.signature import V2
from tests.engine.samples import catalog_of, offer, policy_of, worlds
from tests.kernels.reference import rows_of
from tests.reference.generate import FIELDS as WORLD_FIELDS
from tests.reference.generate import Vocabulary, random_pred
from tests.reference.predicates import holds


def node_of(term: list[Any], catalog: tr.Catalog) -> Node:
    return tr.admit_term(term, catalog.fields, V2, "Pred").root


@pytest.mark.parametrize(
    ("term", "reason"),
    [
        (["bot"], "bot"),
        (["or", ["is", "no_log"], ["is", "has_tee"]], "or"),
        (["not", ["is", "no_log"]], "not"),
        (["is", "no_log"], "is:no_log"),
        (["cmp", "price_in", "le", 1], "cmp:price_in:le"),
        (["tier_eq", "partner"], "tier"),
        (["min_tier", "partner"], "min_tier"),
        (["family_eq", "x"], "model_family"),
        (["provider_eq", "x"], "provider_id"),
        (["served_by_eq", "x"], "served_by"),
        (["has_cap", "supports_tools"], "missing_capability:supports_tools"),
        (["scope_matches"], "scope"),
    ],
)
def test_reason_of__names_what_failed(term: list[Any], reason: str) -> None:
    assert reason_of(node_of(term, tr.Catalog.from_records([]))) == reason


def test_clauses_of__are_the_roots_conjuncts_in_normal_form_order() -> None:
    catalog = tr.Catalog.from_records([])
    root = node_of(["and", ["provider_eq", "p"], ["and", ["is", "no_log"], ["top"]]], catalog)
    assert [clause.term() for clause in clauses_of(root)] == [["is", "no_log"], ["provider_eq", "p"]]
    single = node_of(["or", ["is", "no_log"], ["is", "has_tee"]], catalog)
    assert clauses_of(single) == (single,)


def test_clause_masks__are_what_the_reference_decides_for_each_on_its_own() -> None:
    rng = Random(1)
    for world, catalog in worlds(71, 18):
        words = Vocabulary.of(world.offers, V2)
        terms = [random_pred(rng, V2, words, rng.randint(1, 8)) for _ in range(6)]
        case = world.cases[0]
        ctx = {"request": case.request, "state": world.state}
        view = View(CatalogIndex(catalog), Health.of(world.state), V2)
        nodes = [node_of(term, catalog) for term in terms]
        request = Request.of(case.request)
        masks = clause_masks(nodes, view, request)
        reasons = [
            [holds(term, one, ctx, WORLD_FIELDS, world.tier_order, V2) for one in world.offers] for term in terms
        ]
        for mask, found in zip(masks, reasons, strict=True):
            assert rows_of(mask) == {at for at, reason in enumerate(found) if reason is None}

        # An `and` that is no root gives its first child's reason; only roots without one are compared here.
        plain = [at for at, node in enumerate(nodes) if node.op != "and"]
        checks = checks_of([nodes[at] for at in plain], [view] * len(plain), request)
        passes = [rows_of(masks[plain[check.clause]] if check.need is None else check.need) for check in checks]
        first = [
            next((at for at, rows in enumerate(passes) if offer_at not in rows), -1)
            for offer_at in range(len(world.offers))
        ]
        named = [*(check.reason for check in checks), None]
        for offer_at, at in enumerate(first):
            wanted = [reasons[clause][offer_at] for clause in plain if reasons[clause][offer_at] is not None]
            assert named[at] == (wanted[0] if wanted else None)


def test_clause_masks__are_the_same_from_several_threads() -> None:
    catalog = catalog_of(*(offer(f"o{at}", f"p{at % 5}", price_in=float(at % 11)) for at in range(300)))
    engine = tr.Engine(catalog)
    condition = ["and", ["cmp", "price_in", "le", 6], ["not", ["provider_eq", "p3"]], ["cmp", "price_in", "ne", 4]]
    policy = policy_of(catalog, condition)
    wanted = [clause.failed for clause in engine.rank(policy).explain().clauses]

    def work(_: int) -> bool:
        return all([clause.failed for clause in engine.rank(policy).explain().clauses] == wanted for _ in range(50))

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(work, range(8)))
