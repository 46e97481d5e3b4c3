"""Rejections in bulk: the same clauses that explanations name, for every offer."""

from __future__ import annotations

import numpy as np

import tenantrank as tr
from tests.engine.samples import ABC, policy_of, ranked


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
