"""The operator's envelope: it narrows every policy, whatever version the caller writes."""

from __future__ import annotations

from typing import Any

import pytest

import tenantrank as tr
from tenantrank.engine.envelope import HELD_APART, effective_filter
from tenantrank.policy.normal_form import clauses_of
from tests.engine.samples import ABC, catalog_of, offer, old_term_of, policy_of, ranked, same, survivors, term_of
from tests.reference.signature import V2


def test_envelope__never_widens_and_is_one_more_clause() -> None:
    narrowed = 0
    for world, case, catalog, engine, policy, decision in ranked(16, 40):
        if engine.envelope is None:
            continue
        free = tr.Engine(catalog, world.state)
        without = free.rank(policy, case.request, case.seed)
        assert survivors(decision, catalog) <= survivors(without, catalog)
        narrowed += decision.survivors < without.survivors
        if policy.version == V2:
            term = list(case.term)
            term[-5] = ["and", world.envelope, term[-5]]
            assert same(free.rank(tr.admit(term, catalog.fields), case.request, case.seed), decision)
        assert decision.envelope_identity == engine.envelope.identity
        assert without.envelope_identity is None
        assert decision.policy == without.policy == policy
    assert narrowed > 0


def test_envelope__of_the_second_version_binds_policies_of_the_first() -> None:
    engine = tr.Engine(ABC, envelope=["or", ["provider_eq", "q"], ["served_by_eq", "r"]])
    old = tr.admit(old_term_of(["top"], selector=["ordered"]), ABC.fields)
    assert old.version == "sigma-pol/v1"
    assert engine.rank(old).offer_ids == ("b", "c", "d")
    assert dict(engine.rank(old).rejected) == {"a": "or"}


@pytest.mark.parametrize(
    "envelope",
    [
        ["cmp", "success_rate", "ge", 0.9],
        ["cmp", "price_out", "le", 10],
        ["cmp", "latency_ms", "le", 500],
        ["and", ["meets_req"], ["cmp", "tok_s", "ge", 20]],
    ],
)
def test_envelope__observes_alike_whatever_version_a_caller_chooses(envelope: list[Any]) -> None:
    catalog = catalog_of(
        offer("a", "p", success_rate=0.1, price_out=50.0, latency_ms=900, tok_s=5.0),
        offer("b", "q", success_rate=0.95, price_out=5.0, latency_ms=100, tok_s=50.0),
    )
    seen = {"price_out": 1.0, "ema_latency_ms": 1, "ema_tok_s": 99, "success_rate_ewma": 1.0}
    engine = tr.Engine(catalog, {"ema": {"p|m": seen}}, envelope)
    request = {"requirements": {"min_tok_s": 1}}
    new = engine.rank(tr.admit(term_of(["top"]), catalog.fields), request)
    old = engine.rank(tr.admit(old_term_of(["top"]), catalog.fields), request)
    assert new.offer_ids == old.offer_ids == ("b",)
    assert dict(new.rejected) == dict(old.rejected)
    assert [str(origin) for clause in old.explain().clauses for origin in clause.origins if clause.failed] == [
        "envelope"
    ]
    (failure,) = old.explain().of("a")
    assert failure.observed == new.explain().of("a")[0].observed


def test_envelope__is_taken_as_value_text_or_term_and_refused_otherwise() -> None:
    for envelope in (["is", "region_eu"], '["is", "region_eu"]', tr.admit_term(["is", "region_eu"], ABC.fields)):
        engine = tr.Engine(ABC, envelope=envelope)
        assert engine.rank(policy_of(ABC, ["top"])).offer_ids == ("a", "c")
        assert engine.envelope is not None
        assert engine.envelope.term == ["is", "region_eu"]
    for wrong in (["zero"], ["is", "price_out"], ["is", "nothing"], [], "{", 5):
        with pytest.raises(tr.PolicyError):
            tr.Engine(ABC, envelope=wrong)


@pytest.mark.parametrize("old", [False, True])
def test_effective_filter__has_the_clauses_that_are_counted(old: bool) -> None:
    condition = ["and", ["is", "region_eu"], ["is", "trains"]]
    policy = tr.admit(old_term_of(condition), ABC.fields) if old else policy_of(ABC, condition)
    engine = tr.Engine(ABC, None, ["and", ["provider_eq", "p"], ["cmp", "price_out", "le", 9]])
    nodes = clauses_of(effective_filter(engine.envelope, policy))

    assert tuple(node.encoding for node in nodes) == engine.rejections(policy).clauses
    assert (HELD_APART in nodes) is old
    assert effective_filter(None, policy) is policy.filter
