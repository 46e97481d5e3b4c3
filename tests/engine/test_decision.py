"""Decisions: what they say of themselves, and that the costly parts wait until they are asked for."""

from __future__ import annotations

import copy
import pickle
from datetime import date
from typing import Any

import pytest

import tenantrank as tr
from tests.engine.samples import catalog_of, offer, policy_of

CATALOG = catalog_of(offer("a", "p"), offer("b", "q"), offer("c", "p"))


def test_decision__carries_the_ids_of_all_that_went_into_it() -> None:
    policy = policy_of(CATALOG, ["provider_eq", "p"])
    engine = tr.Engine(CATALOG, envelope=["top"])
    decision = engine.rank(policy, seed=-9)
    assert decision.policy is policy
    assert decision.seed == -9
    assert (decision.k, engine.rank(policy, k=2).k) == (None, 2)
    assert decision.engine is engine
    assert (decision.request, decision.origins) == (tr.Request(), None)
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


def test_decision__says_the_day_its_catalog_was_judged_by() -> None:
    dated = tr.Catalog.from_records([offer("a")], as_of=date(2026, 11, 23))
    assert tr.Engine(dated).rank(policy_of(dated, ["top"])).as_of == date(2026, 11, 23)
    assert tr.Engine(CATALOG).rank(policy_of(CATALOG, ["top"])).as_of is None


def test_decision__works_out_reasons_once_and_only_when_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    explain = tr.Engine.explain

    def counted(*arguments: Any) -> Any:
        asked.append("explanation")
        return explain(*arguments)

    monkeypatch.setattr(tr.Engine, "explain", counted)
    decision = tr.Engine(CATALOG).rank(policy_of(CATALOG, ["bot"]))
    assert asked == []
    assert decision.rejected is decision.rejected
    assert decision.explain() is decision.explain()
    assert asked == ["explanation"]


def test_decision__holds_plain_python_numbers() -> None:
    decision = tr.Engine(CATALOG).rank(policy_of(CATALOG, ["provider_eq", "p"]), k=1)
    assert type(decision.survivors) is int
    assert all(type(score) is float for score in decision.scores)


def test_decision__goes_to_another_process_also_after_its_reasons_were_read() -> None:
    request = {"requirements": {"min_context": 1}}
    decision = tr.Engine(CATALOG, envelope=["top"]).rank(policy_of(CATALOG, ["provider_eq", "p"]), request, 7, 2)
    reasons, clauses = dict(decision.rejected), decision.explain().clauses
    for other in (pickle.loads(pickle.dumps(decision)), copy.copy(decision), copy.deepcopy(decision)):
        assert dict(other.rejected) == reasons
        assert other.explain().clauses == clauses
        for name in ("offer_ids", "scores", "survivors", "seed", "k", "request", "catalog_id", "envelope_identity"):
            assert getattr(other, name) == getattr(decision, name)
        assert other.policy.identity == decision.policy.identity
