"""Decisions: what they say of themselves, and that the costly parts wait until they are asked for."""

from __future__ import annotations

from typing import Any

import pytest
from tests.engine.samples import catalog_of, offer, policy_of

import tenantrank as tr
from tenantrank.engine import Decision

CATALOG = catalog_of(offer("a", "p"), offer("b", "q"), offer("c", "p"))


def test_decision__carries_the_ids_of_all_that_went_into_it() -> None:
    policy = policy_of(CATALOG, ["provider_eq", "p"])
    engine = tr.Engine(CATALOG, envelope=["top"])
    decision = engine.rank(policy, seed=-9)
    assert decision.policy is policy
    assert decision.seed == -9
    assert decision.catalog_id == CATALOG.catalog_id
    assert decision.envelope_identity == tr.admit_term(["top"], CATALOG.fields).identity
    assert dict(decision.rejected) == {"b": "provider_id"}
    assert repr(decision) == f"<Decision a first, 2 survivors, policy {policy.fingerprint}>"
    nobody = engine.rank(policy_of(CATALOG, ["bot"]))
    assert repr(nobody).startswith("<Decision no offer, 0 survivors")
    assert list(nobody.rejected.items()) == [("a", "bot"), ("b", "bot"), ("c", "bot")]


def test_decision__is_read_only() -> None:
    decision = tr.Engine(CATALOG).rank(policy_of(CATALOG, ["provider_eq", "p"]))
    rejected: Any = decision.rejected
    with pytest.raises(TypeError):
        rejected["a"] = "x"
    assert isinstance(decision.offer_ids, tuple)
    assert isinstance(decision.scores, tuple)


def test_decision__works_out_ids_and_reasons_once_and_only_when_asked() -> None:
    explanation = tr.Engine(CATALOG).rank(policy_of(CATALOG, ["bot"])).explain()
    asked: list[str] = []

    def catalog_id() -> str:
        asked.append("id")
        return "f" * 64

    def explain() -> Any:
        asked.append("explanation")
        return explanation

    decision = Decision(["a"], [1.0], 1, policy_of(CATALOG, ["bot"]), None, catalog_id, None, explain)
    assert asked == []
    assert decision.catalog_id == decision.catalog_id == "f" * 64
    assert decision.rejected is decision.rejected
    assert decision.explain() is explanation
    assert asked == ["id", "explanation"]
