"""Explanations as a table: the bits are the clauses, as the reference evaluates them."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import tenantrank as tr
from tenantrank.engine.offers_table import SCHEMA
from tests.engine.samples import ABC, catalog_of, offer, policy_of, ranked
from tests.engine.test_explain import clause_terms
from tests.reference.generate import FIELDS as WORLD_FIELDS
from tests.reference.predicates import holds


def described(table: pa.Table) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(table.schema.metadata[b"clauses"])
    return found


def test_table__has_a_row_an_offer() -> None:
    engine = tr.Engine(ABC, envelope=["provider_eq", "q"])
    condition = ["and", ["is", "region_eu"], ["cmp", "price_out", "le", 2]]
    policy = policy_of(ABC, condition, ["field", "price_out"])
    table = engine.rank(policy).explain().table()

    assert table.schema.equals(SCHEMA)
    assert [clause["bit"] for clause in described(table)] == [0, 1, 2]
    assert described(table)[2] == {
        "bit": 2,
        "clause": '(provider_eq "q")',
        "words": "the provider is q",
        "origins": [{"rule": "envelope", "field": None, "value": None}],
        "failed": 2,
        "alone": 1,
        "unknown": 0,
    }
    assert table.schema.metadata[b"catalog_id"].decode() == ABC.catalog_id
    assert table.schema.metadata[b"policy_identity"].decode() == policy.identity
    assert table.schema.metadata[b"envelope_identity"].decode() == engine.provenance["envelope_identity"]
    assert table.to_pylist() == [
        row("a", failed=0b101, count=2, reason="cmp:price_out:le"),
        row("b", failed=0b010, unknown=0b010, count=1, reason="is:region_eu"),
        row("c", failed=0b100, count=1, reason="provider_id"),
        row("d", failed=0b011, unknown=0b011, count=2, reason="cmp:price_out:le"),
    ]


def row(name: str, failed: int, count: int, reason: str, unknown: int = 0) -> dict[str, Any]:
    return {
        "offer_id": name,
        "passes": False,
        "place": None,
        "score": None,
        "failed": failed,
        "unknown": unknown,
        "failed_count": count,
        "first_reason": reason,
    }


def test_table__places_are_those_of_the_decision_and_scores_those_of_all_that_pass() -> None:
    policy = policy_of(ABC, ["cmp", "price_out", "le", 3], ["neg", ["field", "price_out"]], ["top_k", 2, ["argmax"]])
    table = tr.Engine(ABC).rank(policy).explain().table()
    assert table["place"].to_pylist() == [None, 1, 2, None]
    assert table["score"].to_pylist() == [-2.0, 0.0, -1.0, None]
    assert table["failed"].to_pylist() == [0, 0, 0, 1]
    assert tr.Engine(ABC).rank(policy, k=1).explain().table()["place"].to_pylist() == [None, 1, None, None]

    listed = policy_of(ABC, ["top"], None, ["chain", [{"provider": "r", "model": "m"}]])
    table = tr.Engine(ABC).rank(listed).explain().table()
    assert table["score"].to_pylist() == [None, None, -1.0, None]


@pytest.mark.parametrize("clauses", [63, 64, 65, 130])
def test_table__more_than_64_clauses_are_lists_of_words(clauses: int) -> None:
    wanted = [["not", ["provider_eq", f"x{at}"]] for at in range(clauses - 2)]
    condition = ["and", *wanted, ["not", ["provider_eq", "p"]], ["not", ["family_eq", "m"]]]
    policy = policy_of(ABC, condition)
    table = tr.Engine(ABC).rank(policy).explain().table()
    named = [clause["clause"] for clause in described(table)]
    family, provider = named.index('(not (family_eq "m"))'), named.index('(not (provider_eq "p"))')
    masks = [1 << family | (1 << provider if name == "a" else 0) for name in ABC.offer_ids]

    if clauses <= 64:
        assert table["failed"].type == pa.uint64()
        assert table["failed"].to_pylist() == masks
    else:
        assert table["failed"].type == pa.list_(pa.uint64())
        words = -(-clauses // 64)
        assert table["failed"].to_pylist() == [[mask >> 64 * at & 2**64 - 1 for at in range(words)] for mask in masks]
        assert table["unknown"].to_pylist() == [[0] * words] * 4
    assert len(named) == clauses


def test_table__bits_are_what_the_reference_finds_clause_by_clause() -> None:
    failed = 0
    for world, case, catalog, engine, policy, decision in ranked(95, 24):
        table = decision.explain().table()
        terms = clause_terms(engine, policy)
        ctx = {"request": case.request, "state": world.state}
        for at, one in enumerate(world.offers):
            reasons = [holds(term, one, ctx, WORLD_FIELDS, world.tier_order, version) for term, version in terms]
            found = table.slice(at, 1).to_pylist()[0]
            mask = sum(1 << bit for bit, reason in enumerate(reasons) if reason is not None)
            assert found["failed"] == mask
            assert found["unknown"] & ~mask == 0
            assert found["failed_count"] == mask.bit_count()
            assert found["passes"] == (mask == 0)
            name = catalog.offer_ids[at]
            assert found["offer_id"] == name
            assert found["first_reason"] == decision.rejected.get(name)
            places = {other: place for place, other in enumerate(decision.offer_ids, 1)}
            assert found["place"] == places.get(name)
            failed += mask != 0
        counts = np.array([[mask >> bit & 1 for bit in range(len(terms))] for mask in table["failed"].to_pylist()])
        if len(catalog):
            assert counts.sum(axis=0).tolist() == [clause["failed"] for clause in described(table)]
    assert failed > 100


def test_table__of_an_empty_catalog_has_no_rows() -> None:
    nothing = tr.Catalog.from_records([])
    table = tr.Engine(nothing).rank(policy_of(nothing, ["is", "no_log"])).explain().table()
    assert table.num_rows == 0
    assert table.schema.equals(SCHEMA)


def test_table__with_sources_survives_a_file(tmp_path: Any) -> None:
    import pyarrow.parquet as pq

    offers = catalog_of(offer("a"), offer("b", no_log=True))
    table = tr.Engine(offers).rank(policy_of(offers, ["is", "no_log"])).explain().table()
    pq.write_table(table, tmp_path / "t.parquet")
    again = pq.read_table(tmp_path / "t.parquet")
    assert again.to_pylist() == table.to_pylist()
    assert described(again) == described(table)
