"""Rejections in bulk: the same clauses that explanations name, for every offer."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import tenantrank as tr
from tenantrank.engine import rejections
from tests.engine.samples import ABC, catalog_of, offer, policy_of, ranked


def test_rejections__name_the_clause_that_each_offer_fails_first() -> None:
    for _, case, catalog, engine, policy, decision in ranked(77, 18):
        found = engine.rejections(policy, case.request)
        explanation = decision.explain()
        if engine.envelope is None or policy.version == "sigma-pol/v2":
            assert found.clauses == tuple(clause.encoding for clause in explanation.clauses)
            failing = explanation.failing
            wanted = [
                next((at for at, row in enumerate(failing[:, o]) if row), len(failing)) for o in range(len(catalog))
            ]
            assert found.first.tolist() == wanted
        assert found.counts.sum() == len(decision.rejected)
        assert np.array_equal(engine.clause_counts(policy, case.request), found.counts)
        assert {catalog.offer_ids[at] for at in np.flatnonzero(found.first < len(found.clauses))} == set(
            decision.rejected
        )


def test_rejections__count_each_offer_at_its_first_clause() -> None:
    policy = policy_of(ABC, ["and", ["is", "region_eu"], ["cmp", "price_out", "le", 2]])
    found = tr.Engine(ABC).rejections(policy)
    assert found.clauses == ('(cmp "price_out" "le" 2)', '(is "region_eu")')
    assert found.counts.tolist() == [2, 1]
    assert found.first.tolist() == [0, 1, 2, 0]
    assert found.counts.dtype == np.int32
    assert found.first.dtype == np.uint16


def test_rejections__are_not_written_over_by_those_of_other_policies() -> None:
    engine = tr.Engine(ABC)
    one, other = (policy_of(ABC, ["cmp", "price_out", relation, 2]) for relation in ("le", "gt"))
    kept, counts = engine.rejections(one), engine.clause_counts(one)
    before = kept.first.tolist(), kept.counts.tolist(), counts.tolist()
    after = engine.rejections(other)
    engine.clause_counts(other)
    assert after.first.tolist() != before[0]
    assert (kept.first.tolist(), kept.counts.tolist(), counts.tolist()) == before


@pytest.mark.parametrize("most_kept", [0, rejections._MOST_KEPT])
def test_rejections__of_few_and_many_clauses_over_small_and_large_catalogs(
    most_kept: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rejections, "_MOST_KEPT", most_kept)
    for size in (3, 1100, 3):
        catalog = catalog_of(*(offer(f"o{at}", price_out=float(at)) for at in range(size)))
        engine = tr.Engine(catalog)
        for clauses in (1, 70, 2):
            # Clause by clause in the order of their texts, of which each turns one more offer away.
            bounds = sorted(range(clauses), key=lambda bound: f"{float(bound)!r})")
            policy = policy_of(catalog, ["and", *(["cmp", "price_out", "ne", bound] for bound in bounds)])
            found = engine.rejections(policy)
            wanted = [
                found.clauses.index(f'(cmp "price_out" "ne" {at})') if at < clauses else clauses for at in range(size)
            ]
            assert found.first.tolist() == wanted
            counts = [wanted.count(at) for at in range(clauses)]
            assert found.counts.tolist() == engine.clause_counts(policy).tolist() == counts


def test_rejections__are_the_same_from_several_threads() -> None:
    engines = [
        tr.Engine(catalog_of(*(offer(f"o{at}", f"p{at % 5}", price_out=float(at % 11)) for at in range(size))))
        for size in (40, 1300)
    ]
    conditions = [["cmp", "price_out", "le", 6], ["and", ["not", ["provider_eq", "p3"]], ["cmp", "price_out", "ge", 4]]]
    work = [(engine, policy_of(engine.catalog, condition)) for engine in engines for condition in conditions]
    wanted = [engine.rejections(policy).first.tolist() for engine, policy in work]

    def agree(at: int) -> bool:
        return all(
            engine.rejections(policy).first.tolist() == first
            for _ in range(20)
            for (engine, policy), first in zip(work[at:] + work[:at], wanted[at:] + wanted[:at], strict=True)
        )

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(agree, range(4)))
