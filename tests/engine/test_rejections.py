"""Rejections in bulk: the same clauses that explanations name, for every offer."""

from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

import tenantrank as tr
from tenantrank.engine import compiled as compiled_module
from tenantrank.engine import programs as programs_module
from tenantrank.engine import rejections
from tenantrank_kernels import JIT_DISABLED
from tests.engine.samples import ABC, catalog_of, offer, old_term_of, policy_of, ranked, term_of

MANY = catalog_of(*(offer(f"o{at}", price_in=float(at % 13), context=float(at % 7)) for at in range(150)))


def said(engine: tr.Engine, policy: Any, request: Any = None) -> tuple[Any, ...]:
    """All that is said of rejections in numbers, which must all say the same."""
    found, counts = engine.rejections(policy, request), engine.clause_counts(policy, request)
    assert counts.tolist() == found.counts.tolist()
    assert (found.counts.dtype, counts.dtype, found.first.dtype) == (np.int32, np.int32, np.uint16)
    failed = engine.rank(policy, request, k=1).explain().failed
    assert failed.dtype == np.intp
    return found.clauses, counts.tolist(), found.first.tolist(), failed.tolist()


def afresh(engine: tr.Engine, policy: Any, request: Any = None) -> tuple[Any, ...]:
    """The same by an engine that never ranked anything, of a policy that never was."""
    again = tr.Engine(engine.catalog, engine.health, None if engine.envelope is None else engine.envelope.term)
    return said(again, pickle.loads(pickle.dumps(policy)), request)


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


def test_rejections__are_the_callers_own_to_change() -> None:
    engine, policy = tr.Engine(ABC), policy_of(ABC, ["and", ["is", "region_eu"], ["cmp", "price_out", "le", 2]])
    before = said(engine, policy)
    for _ in range(3):
        found, counts = engine.rejections(policy), engine.clause_counts(policy)
        failed = engine.rank(policy, k=1).explain().failed
        for array in (*found[1:], counts, failed):
            assert array.flags.owndata
            array[:] = 99
    assert said(engine, policy) == before


def test_rejections__of_one_policy_by_several_engines_in_turn() -> None:
    new = policy_of(ABC, ["and", ["is", "region_eu"], ["cmp", "price_out", "le", 2]])
    old = tr.admit(old_term_of(["and", ["is", "region_eu"], ["cmp", "price_out", "le", 2]]), ABC.fields)
    plain = tr.Engine(ABC)
    narrow = plain.narrowed(["provider_eq", "r"])
    dear = plain.with_health({"ema": {"r|m": {"price_out": 99.0}}, "disabled": {"p": True}})
    fenced = tr.Engine(ABC, envelope=["not", ["provider_eq", "p"]])
    other = tr.Engine(catalog_of(offer("x", price_out=1.0), offer("y", price_out=7.0)))
    for _ in range(2):
        for engine in (plain, narrow, dear, fenced, other, plain, plain, other, other):
            for policy in (new, old, new):
                assert said(engine, policy) == afresh(engine, policy)
                assert engine.rejections(policy).first.tolist() == afresh(engine, policy)[2]


def test_rejections__for_requests_in_turn() -> None:
    offers = [offer("a", capabilities={"supports_tools": True}), offer("b", tier="partner"), offer("c", scope="s")]
    catalog = catalog_of(*offers)
    policies = [
        policy_of(catalog, ["and", ["meets_req"], ["scope_matches"]]),
        tr.admit(old_term_of(["and", ["meets_req"], ["scope_matches"]]), catalog.fields),
    ]
    engine = tr.Engine(catalog)
    tools = tr.Request(needs=("tools",))
    seen = set()
    for _ in range(2):
        for policy in policies:
            for request in (None, tools, {"tools": [{}]}, tr.Request(), None, tr.Request(scope="s"), tools, None):
                assert said(engine, policy, request) == afresh(engine, policy, request)
                seen.add(str(said(engine, policy, request)))
    assert len(seen) >= 3


@pytest.mark.parametrize("first", ["rank", "rejections", "clause_counts"])
def test_rejections__of_policies_that_come_while_others_are_known(first: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs_module, "_FIRST_CAPACITY", 64)
    one = tr.Engine(MANY)
    engines = [one, one.with_health({"ema": {"p|m": {"price_in": 5.0}}})]
    known: list[tuple[tr.Policy, list[tuple[Any, ...]]]] = []
    for at in range(6 if JIT_DISABLED else 30):
        policy = policy_of(MANY, ["and", ["cmp", "price_in", "le", at / 3], ["cmp", "context", "ge", at % 4]])
        getattr(engines[at % 2], first)(policy)
        known.append((policy, [afresh(engine, policy) for engine in engines]))
        for each, wanted in known:
            assert [said(engine, each) for engine in engines] == wanted


def test_rejections__after_the_set_of_programs_was_made_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    policies = [policy_of(MANY, ["cmp", "price_in", "le", at / 5]) for at in range(40)]
    wanted = [afresh(tr.Engine(MANY), policy) for policy in policies]
    monkeypatch.setattr(compiled_module, "_PROGRAM_BYTES", 2000)
    engine = tr.Engine(MANY)
    for _ in range(2):
        for policy, numbers in zip(policies, wanted, strict=True):
            assert said(engine, policy) == numbers
            assert said(engine, policies[0]) == wanted[0]


def test_rejections__of_compiled_policies() -> None:
    rules = [{"id": "base", "require": [["cmp", "price_out", "le", {"tenant": "most"}], ["is", "region_eu"]]}]
    value = {"version": 1, "fields": {"most": {"type": "number"}}, "rules": rules}
    book = tr.Rulebook.from_value(value).bind(ABC.fields)
    for engine in (tr.Engine(ABC), tr.Engine(ABC, envelope=["not", ["provider_eq", "p"]])):
        for most in (1.0, 2.5, 9.0):
            compiled = book.compile({"most": most})
            for _ in range(2):
                assert said(engine, compiled) == said(engine, compiled.policy) == afresh(engine, compiled.policy)


def test_rejections__of_terms_by_hand_are_refused() -> None:
    engine: Any = tr.Engine(ABC)
    for given in (term_of(["top"]), None, tr.admit_term(["top"], ABC.fields)):
        for ask in (engine.rejections, engine.clause_counts):
            with pytest.raises(tr.RequestError, match="admit"):
                ask(given)


def test_rejections__room_is_kept_for_few_sizes_of_catalogs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rejections, "_rooms", [])
    monkeypatch.setattr(rejections, "_MOST_PARTS", 3)
    for size in (9, 5, 7, 6, 8, 5, 9):
        catalog = catalog_of(*(offer(f"o{at}", price_out=float(at)) for at in range(size)))
        policy = policy_of(catalog, ["cmp", "price_out", "lt", 4])
        assert tr.Engine(catalog).rejections(policy).first.tolist() == [1] * 4 + [0] * (size - 4)
    (room,) = rejections._rooms
    assert len(room.first) <= 3


@pytest.mark.parametrize("most_kept", [0, rejections._MOST_KEPT])
def test_rejections__of_few_and_many_clauses_over_small_and_large_catalogs(
    most_kept: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rejections, "_MOST_KEPT", most_kept)
    monkeypatch.setattr(rejections, "_rooms", [])
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
    assert len(rejections._rooms) == bool(most_kept)


def test_rejections__are_the_same_from_several_threads() -> None:
    engines = [
        tr.Engine(catalog_of(*(offer(f"o{at}", f"p{at % 5}", price_out=float(at % 11)) for at in range(size))))
        for size in (40, 1300)
    ]
    conditions = [["cmp", "price_out", "le", 6], ["and", ["not", ["provider_eq", "p3"]], ["cmp", "price_out", "ge", 4]]]
    work = [(engine, policy_of(engine.catalog, condition)) for engine in engines for condition in conditions]
    wanted = [said(engine, policy) for engine, policy in work]

    def agree(at: int) -> bool:
        return all(
            said(engine, policy) == numbers
            for _ in range(20)
            for (engine, policy), numbers in zip(work[at:] + work[:at], wanted[at:] + wanted[:at], strict=True)
        )

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(agree, range(4)))
