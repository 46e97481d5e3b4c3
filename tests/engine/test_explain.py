"""Explanations: every failing clause, the values behind it, whose it is, and the fewest that decide."""

from __future__ import annotations

from itertools import combinations
from random import Random
from typing import Any

import pytest

import tenantrank as tr
from tenantrank.engine import Explanation
from tenantrank_kernels import JIT_DISABLED
from tests.engine.samples import catalog_of, offer, policy_of, ranked, same, world_catalog, worlds
from tests.fuzz.differential import draw_world
from tests.reference.generate import FIELDS as WORLD_FIELDS
from tests.reference.generate import Vocabulary
from tests.reference.predicates import holds
from tests.reference.signature import V1, V2
from tests.reference.terms import random_atom

OFFERS = catalog_of(
    offer("a", "p", "m", price_out=3.0, region_eu=True, capabilities={"context": 100, "supports_tools": True}),
    offer("b", "q", "m", price_out=9.0, region_eu=False, tier="partner", offer={"peer_id": "peer"}),
    offer("c", "r", "n", capabilities={"supports_tools": False}),
)


def explained(condition: list[Any], request: Any = None, **engine: Any) -> Explanation:
    return tr.Engine(OFFERS, **engine).rank(policy_of(OFFERS, condition), request).explain()


def found(explanation: Explanation, name: str) -> list[tuple[str, Any, Any]]:
    return [(failure.reason, failure.bound, failure.observed) for failure in explanation.of(name)]


def test_of__gives_reason_bound_and_observed_value_of_each_failing_clause() -> None:
    condition = ["and", ["cmp", "price_out", "le", 5], ["is", "region_eu"], ["provider_eq", "p"], ["has_cap", "x"]]
    explanation = explained(condition)
    assert found(explanation, "a") == [("missing_capability:x", "x", None)]
    assert found(explanation, "b") == [
        ("cmp:price_out:le", 5.0, 9.0),
        ("missing_capability:x", "x", None),
        ("is:region_eu", True, False),
        ("provider_id", "p", "q"),
    ]
    # Nothing is known of c's price or region.
    assert found(explanation, "c") == [
        ("cmp:price_out:le", 5.0, None),
        ("missing_capability:x", "x", None),
        ("is:region_eu", True, None),
        ("provider_id", "p", "r"),
    ]
    with pytest.raises(KeyError):
        explanation.of("nobody")


@pytest.mark.parametrize(
    ("condition", "name", "reason", "bound", "observed"),
    [
        (["family_eq", "z"], "a", "model_family", "z", "m"),
        (["tier_eq", "partner"], "a", "tier", "partner", None),
        (["min_tier", "marketplace"], "a", "min_tier", "marketplace", None),
        (["tier_eq", "fallback"], "b", "tier", "fallback", "partner"),
        (["served_by_eq", "z"], "b", "served_by", "z", "peer"),
        (["served_by_eq", "z"], "a", "served_by", "z", "p"),
        (["has_cap", "supports_tools"], "c", "missing_capability:supports_tools", "supports_tools", False),
        (["cmp", "context", "ge", 500], "a", "cmp:context:ge", 500.0, 100.0),
        (["cmp", "context", "ge", 500], "b", "cmp:context:ge", 500.0, None),
        (["is", "breaker_open"], "a", "is:breaker_open", True, False),
        (["not", ["is", "disabled"]], "b", "not", None, None),
        (["bot"], "b", "bot", None, None),
    ],
)
def test_of__shows_what_the_policy_saw(condition: list[Any], name: str, reason: str, bound: Any, observed: Any) -> None:
    assert found(explained(condition, health={"disabled": {"q": 1}}), name) == [(reason, bound, observed)]


def test_of__splits_what_the_request_needs_into_one_failure_a_need() -> None:
    request = {"requirements": {"needs": ["vision", "tools"], "min_context": 500, "model_family": "n"}}
    explanation = explained(["and", ["meets_req"], ["is", "region_eu"]], request)
    reasons = [reason for reason, _, _ in found(explanation, "b")]
    assert reasons == [
        "is:region_eu",
        "missing_capability:tools",
        "missing_capability:vision",
        "min_context",
        "model_family",
    ]
    assert [clause.encoding for clause in explanation.clauses] == ['(is "region_eu")', "(meets_req)"]
    assert [clause.failed for clause in explanation.clauses] == [2, 3]


def test_met__holds_what_of_does_not() -> None:
    for number in range(3 if JIT_DISABLED else 10):
        world = draw_world(29, number, size=12)
        catalog = world_catalog(world)
        engine = tr.Engine(catalog, world.state, world.envelope)
        for case in world.cases:
            explanation = engine.rank(tr.admit(case.term, catalog.fields), case.request, case.seed).explain()
            for at, name in enumerate(catalog.offer_ids):
                met, failed = explanation.met(name), explanation.of(name)
                assert len(met) + len(failed) == len(explanation.reasons)
                fails = explanation.failing[:, at].tolist()
                passed = {one.encoding for one, failing in zip(explanation.clauses, fails, strict=True) if not failing}
                whole = {each.clause.encoding for each in met} - {each.clause.encoding for each in failed}
                assert whole == passed - {"(meets_req)"} or whole == passed
                for each in met:
                    assert each.to_json()["clause"] == each.clause.encoding
                    if not each.clause.encoding.startswith(("(not ", "(or ")):
                        assert [atom.holds for atom in each.atoms].count(True) >= min(1, len(each.atoms))


def test_met__tells_each_need_of_the_request_with_the_value_observed() -> None:
    catalog = catalog_of(
        offer("a", no_log=True, capabilities={"supports_tools": True, "context": 9000}),
        offer("b", has_tee=True, capabilities={"supports_tools": True, "context": 9000}),
    )
    wanted = {"needs": ["tools"], "min_context": 8000, "privacy": "no_log"}
    decision = tr.Engine(catalog).rank(policy_of(catalog, ["meets_req"]), {"requirements": wanted})
    told = {
        name: [(atom.words, atom.holds) for met in decision.explain().met(name) for atom in met.atoms]
        for name in ("a", "b")
    }
    assert [holds for _, holds in told["a"]] == [True, True, True, False]
    assert [holds for _, holds in told["b"]] == [True, True, False, True]
    with pytest.raises(KeyError):
        decision.explain().met("c")


def test_of__refuses_what_is_no_offer_id() -> None:
    explanation = tr.Engine(OFFERS).rank(policy_of(OFFERS, ["top"])).explain()
    unhashable: Any = []
    with pytest.raises(tr.RequestError, match=r"^expected an offer id, got an array$"):
        explanation.of(unhashable)
    with pytest.raises(KeyError):
        explanation.of("nobody")


def test_clauses__count_what_fails_them_and_what_fails_nothing_else() -> None:
    for world, catalog in worlds(31, 18):
        engine = tr.Engine(catalog, world.state, world.envelope)
        for case in world.cases[:4]:
            policy = tr.admit(case.term, catalog.fields)
            explanation = engine.rank(policy, case.request).explain()
            ctx = {"request": case.request, "state": world.state}
            failing = [
                [holds(term, one, ctx, WORLD_FIELDS, world.tier_order, version) is not None for one in world.offers]
                for term, version in clause_terms(engine, policy)
            ]
            assert explanation.failing.tolist() == failing
            for at, clause in enumerate(explanation.clauses):
                assert explanation.failed.tolist() == [sum(row) for row in failing]
                alone = [column[at] and sum(column) == 1 for column in zip(*failing, strict=True)]
                assert (clause.failed, clause.alone) == (sum(failing[at]), sum(alone))


def test_clauses__count_who_fails_for_want_of_knowledge() -> None:
    condition = ["and", ["cmp", "price_out", "le", 5], ["not", ["is", "trains"]], ["is", "region_eu"], ["has_cap", "x"]]
    explanation = explained(condition)
    assert {clause.encoding: (clause.failed, clause.unknown) for clause in explanation.clauses} == {
        '(cmp "price_out" "le" 5)': (2, 1),
        '(has_cap "x")': (3, 3),
        '(is "region_eu")': (2, 1),
        # Its default is true, so that nobody passes by default.
        '(not (is "trains"))': (3, 3),
    }
    unknown = explanation.failing_unknown
    assert unknown.sum(axis=1).tolist() == [clause.unknown for clause in explanation.clauses]
    assert not (unknown & ~explanation.failing).any()


def test_failed_and_first_reasons__put_nothing_into_words_and_look_no_source_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def looked(*_: object) -> Any:
        raise AssertionError

    monkeypatch.setattr("tenantrank.engine.explain.describe_clause", looked)
    monkeypatch.setattr("tenantrank.engine.explain.Stated", looked)
    condition = ["and", ["cmp", "price_out", "le", 5], ["is", "region_eu"]]
    decision = tr.Engine(OFFERS).rank(policy_of(OFFERS, condition))
    assert decision.rejected == {"b": "cmp:price_out:le", "c": "cmp:price_out:le"}
    assert list(decision.rejected) == ["b", "c"]
    assert decision.explain().failed.tolist() == [2, 2]
    with pytest.raises(AssertionError):
        _ = decision.explain().clauses


def test_rejected__is_by_the_first_need_that_an_offer_lacks() -> None:
    requirements = {"needs": ["tools", "vision"], "model_family": "m"}
    for condition in (["meets_req"], ["and", ["meets_req"], ["cmp", "price_out", "le", 5]]):
        rejected = tr.Engine(OFFERS).rank(policy_of(OFFERS, condition), {"requirements": requirements}).rejected
        first = ["missing_capability:vision", "missing_capability:tools", "missing_capability:tools"]
        if len(condition) == 3:
            first[1:] = ["cmp:price_out:le"] * 2
        assert list(rejected.items()) == list(zip(("a", "b", "c"), first, strict=True))
    # A request that needs nothing turns nobody away.
    assert tr.Engine(OFFERS).rank(policy_of(OFFERS, ["meets_req"]), {"requirements": {}}).rejected == {}


def test_of__says_where_each_value_comes_from() -> None:
    explanation = explained(["and", ["is", "region_eu"], ["or", ["is", "no_log"], ["cmp", "price_out", "le", 1]]])
    told = [[(str(atom.observed), atom.holds) for atom in failure.atoms] for failure in explanation.of("b")]
    assert told == [
        [("region_eu: false, the catalog, which does not say whence", False)],
        [
            ("price_out: 9, the catalog, which does not say whence", False),
            ("no_log: unknown, no source states it", False),
        ],
    ]


def test_explaining__changes_no_decision() -> None:
    for _, case, catalog, engine, policy, before in ranked(34, 24):
        explanation = engine.rank(policy, case.request, case.seed, case.k).explain()
        explanation.table()
        for name in catalog.offer_ids:
            failures, accepted = explanation.of(name), explanation.accepted(name)
            # Every offer is either, and what it fails first is what the decision says.
            assert bool(failures) != bool(accepted)
            assert (failures[0].reason if failures else None) == before.rejected.get(name)
            for failure in failures:
                assert failure.atoms
        explanation.deciding()
        after = engine.rank(policy, case.request, case.seed)
        assert same(before, after)
        again = tr.Engine(catalog, engine.health, engine.envelope).rank(policy, case.request, case.seed)
        assert same(after, again)


def test_explain__without_an_outcome_ranks_when_it_is_asked_for() -> None:
    policy = policy_of(OFFERS, ["top"], ["field", "price_out"])
    engine = tr.Engine(OFFERS)
    explanation = engine.explain(policy, tr.Request(), None)
    accepted = explanation.accepted("b")
    assert accepted is not None
    assert (accepted.place, explanation.selection.passed) == (2, 3)
    assert explanation.table().equals(engine.rank(policy).explain().table())


def clause_terms(engine: tr.Engine, policy: tr.Policy) -> list[tuple[list[Any], str]]:
    """The clauses that decide, as terms, each with the version by which it observes, in the order tried."""
    whole = policy.term[-5]
    if engine.envelope is None:
        return [(clause, policy.version) for clause in conjuncts(whole)]
    if policy.version == V1:
        apart = [(clause, V2) for clause in conjuncts(engine.envelope.term)]
        return apart + [(clause, V1) for clause in conjuncts(whole)]
    term = policy.term
    term[-5] = ["and", whole, engine.envelope.term]
    return [(clause, V2) for clause in conjuncts(tr.admit(term, engine.catalog.fields).term[-5])]


def conjuncts(condition: list[Any]) -> list[list[Any]]:
    return condition[1:] if condition[0] == "and" else [condition]


def test_of__begins_with_the_reason_of_the_rejection() -> None:
    for world, catalog in worlds(32, 24):
        engine = tr.Engine(catalog, world.state, world.envelope)
        for case in world.cases[:4]:
            decision = engine.rank(tr.admit(case.term, catalog.fields), case.request)
            explanation = decision.explain()
            for name in catalog.offer_ids:
                failures = explanation.of(name)
                assert (failures[0].reason if failures else None) == decision.rejected.get(name)
                at = [explanation.clauses.index(failure.clause) for failure in failures]
                assert at == sorted(at)


def test_deciding__is_the_smallest_set_whose_removal_leaves_an_offer() -> None:
    stranded = 0
    for number in range(12 if JIT_DISABLED else 120):
        world = draw_world(33, number, size=1 + number % 9)
        rng, words = Random(number), Vocabulary.of(world.offers, V2)
        catalog = tr.Catalog.from_records(world.offers, WORLD_FIELDS, world.tier_order)
        engine = tr.Engine(catalog, world.state)
        clauses = [random_atom(rng, V2, words) for _ in range(rng.randint(2, 6))]
        policy = policy_of(catalog, ["and", *clauses])
        clauses = [clause.term() for clause in policy.clauses]
        request = world.cases[0].request

        def left(removed: tuple[int, ...], clauses: Any = clauses, engine: Any = engine, request: Any = request) -> int:
            kept = [clause for at, clause in enumerate(clauses) if at not in removed]
            found: int = engine.rank(policy_of(engine.catalog, ["and", ["top"], *kept]), request).survivors
            return found

        explanation = engine.rank(policy, request).explain()
        deciding = explanation.deciding()
        if left(()):
            assert deciding == ()
            continue
        stranded += 1
        sizes = range(1, len(clauses) + 1)
        fewest = next(size for size in sizes if any(left(some) for some in combinations(range(len(clauses)), size)))
        assert len(deciding) == fewest
        # Equal clauses are told apart by their places, so the answer's are found by any places that fit its texts.
        texts = sorted(clause.encoding for clause in deciding)
        fitting = [
            some
            for some in combinations(range(len(clauses)), fewest)
            if sorted(explanation.clauses[at].encoding for at in some) == texts
        ]
        most = max(left(some) for some in combinations(range(len(clauses)), fewest))
        assert any(left(some) == most for some in fitting)
    assert stranded > 3


def test_deciding__prefers_what_most_offers_share_then_what_is_tried_first() -> None:
    one, two = ["provider_eq", "p"], ["is", "region_eu"]
    three = catalog_of(offer("a", "q", region_eu=True), offer("b", "p"), offer("c", "p"))
    explanation = tr.Engine(three).rank(policy_of(three, ["and", one, two])).explain()
    assert [clause.encoding for clause in explanation.deciding()] == ['(is "region_eu")']
    even = catalog_of(offer("a", "q", region_eu=True), offer("b", "p"))
    explanation = tr.Engine(even).rank(policy_of(even, ["and", one, two])).explain()
    assert [clause.encoding for clause in explanation.deciding()] == ['(is "region_eu")']
    nothing = tr.Catalog.from_records([])
    assert tr.Engine(nothing).rank(policy_of(nothing, ["bot"])).explain().deciding() == ()


def test_origins__tell_the_envelopes_clauses_from_the_callers() -> None:
    policy = policy_of(OFFERS, ["and", ["is", "region_eu"], ["cmp", "price_out", "le", 5]])
    engine = tr.Engine(OFFERS, envelope=["and", ["is", "region_eu"], ["provider_eq", "p"]])
    origins = {clause.encoding: clause.origins for clause in engine.rank(policy).explain().clauses}
    envelope = tr.Origin("envelope", None, None)
    assert origins == {
        '(cmp "price_out" "le" 5)': (),
        '(is "region_eu")': (envelope,),
        '(provider_eq "p")': (envelope,),
    }


def test_clause__is_written_with_its_origins() -> None:
    engine = tr.Engine(OFFERS, envelope=["provider_eq", "z"])
    clauses = engine.rank(policy_of(OFFERS, ["is", "region_eu"])).explain().clauses
    assert str(clauses[0]) == clauses[0].words
    assert str(clauses[1]) == f"{clauses[1].words} (envelope)"
