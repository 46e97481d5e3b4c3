"""The conditions of a clause: which hold, on what values, and who might pass if more were known."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np
import pytest

import tenantrank as tr
from tenantrank.engine.atoms import Atoms, leaves_of, subject_of
from tests.engine.samples import catalog_of, offer, policy_of, worlds
from tests.reference.generate import FIELDS as WORLD_FIELDS
from tests.reference.language import normal_form
from tests.reference.observe import NEEDS, Setting, record
from tests.reference.predicates import failure
from tests.reference.signature import V1, Term

OFFERS = catalog_of(
    offer("a", "p", "m", price_out=3.0, region_eu=True, capabilities={"context": 100, "supports_tools": True}),
    offer("b", "q", "m", region_eu=False, tier="partner", scope="agent:1", no_log=False),
    offer("c", "r", "n", trains=False),
)
COMPOUND = ("and", "or", "not")


def atoms_of(condition: Term, request: Any = None) -> tuple[Atoms, tr.Policy]:
    policy = policy_of(OFFERS, condition)
    return Atoms(policy.clauses, tr.Engine(OFFERS).stated(policy.version, request)), policy


def seen(condition: Term, row: int, request: Any = None) -> list[tuple[str, Any, Any, bool]]:
    atoms, policy = atoms_of(condition, request)
    return [
        (atom.words, atom.bound, None if atom.observed is None else atom.observed.value, atom.holds)
        for atom in atoms.of(policy.clauses[0], row)
    ]


def test_of__gives_each_condition_with_its_bound_its_value_and_whether_it_holds() -> None:
    condition = ["or", ["cmp", "price_out", "le", 2], ["not", ["is", "region_eu"]], ["and", ["has_cap", "x"], ["top"]]]
    assert seen(condition, 0) == [
        ("price_out is at most 2", 2.0, 3.0, False),
        ("the offer has the capability x", "x", None, False),
        ("region_eu holds", True, True, True),
    ]
    assert seen(condition, 2) == [
        ("price_out is at most 2", 2.0, None, False),
        ("the offer has the capability x", "x", None, False),
        ("region_eu holds", True, None, False),
    ]


@pytest.mark.parametrize("negated", [False, True])
def test_of__a_list_of_names_is_one_condition(negated: bool) -> None:
    listed = ["or", ["provider_eq", "p"], ["provider_eq", "q"]]
    words = "the provider is one of p, q"
    condition = ["not", listed] if negated else listed
    assert seen(condition, 1) == [(words, ["p", "q"], "q", True)]
    assert seen(condition, 2) == [(words, ["p", "q"], "r", False)]


def test_of__repeated_conditions_are_told_once() -> None:
    twice = ["or", ["is", "no_log"], ["and", ["is", "no_log"], ["is", "has_tee"]]]
    assert [words for words, *_ in seen(twice, 0)] == ["no_log holds", "has_tee holds"] or [
        words for words, *_ in seen(twice, 0)
    ] == ["has_tee holds", "no_log holds"]


@pytest.mark.parametrize(
    ("condition", "row", "bound", "value"),
    [
        (["scope_matches"], 1, "agent:2", "agent:1"),
        (["min_tier", "partner"], 0, "partner", None),
        (["tier_eq", "fallback"], 1, "fallback", "partner"),
        (["family_eq", "z"], 2, "z", "n"),
        (["served_by_eq", "z"], 2, "z", "r"),
        (["has_cap", "context"], 0, "context", True),
        (["meets_req"], 0, None, None),
        (["bot"], 0, None, None),
    ],
)
def test_bound_and_value__are_those_of_the_condition(condition: Term, row: int, bound: Any, value: Any) -> None:
    atoms, policy = atoms_of(condition, {"scope": "agent:2"})
    (clause,) = policy.clauses
    assert (atoms.bound(clause), atoms.value(clause, row)) == (bound, value)


@pytest.mark.parametrize(
    ("requirements", "reason", "told"),
    [
        ({"needs": ["tools"]}, "missing_capability:tools", [("the offer has the capability supports_tools", None)]),
        ({"min_context": 500}, "min_context", [("context is at least 500", None)]),
        ({"model_family": "z"}, "model_family", [("the model family is z", "m")]),
        ({"tier": "marketplace"}, "tier", [("the tier is marketplace", "partner")]),
        ({"privacy": "tee_required"}, "tee_required", [("has_tee holds", None)]),
        ({"privacy": "no_log"}, "no_log", [("no_log holds", False), ("has_tee holds", None)]),
        ({"min_tok_s": 9}, "min_tok_s", [("tok_s is at least 9", None)]),
    ],
)
def test_of_need__says_what_the_request_asks_for(requirements: Any, reason: str, told: list[tuple[str, Any]]) -> None:
    engine = tr.Engine(OFFERS)
    failures = engine.rank(policy_of(OFFERS, ["meets_req"]), {"requirements": requirements}).explain().of("b")
    assert [failure.reason for failure in failures] == [reason]
    found = [(atom.words, atom.observed.value) for atom in failures[0].atoms if atom.observed is not None]
    assert found == told
    assert not any(atom.holds for atom in failures[0].atoms)
    single = len(told) == 1
    assert failures[0].observed == (told[0][1] if single else None)
    assert (failures[0].bound is None) == (not single)


UNSURE = catalog_of(
    offer("a", "p", price_out=3.0, has_tee=None),
    offer("b", "q", price_out=9.0, has_tee=None, tier="fallback"),
    offer("c", "r"),
)


def test_failing_unknown__are_those_whom_some_values_of_the_unknown_would_let_through() -> None:
    """Every combination of what unknown conditions might come to, each by itself, is tried by the reference."""
    nested, hopeful, hopeless = 0, 0, 0
    for world, catalog in worlds(92, 36):
        engine = tr.Engine(catalog, world.state)
        for case in world.cases[:5]:
            policy = tr.admit(case.term, catalog.fields)
            version = policy.version
            stated = engine.stated(version, case.request)
            setting = Setting({"request": case.request, "state": world.state}, WORLD_FIELDS, world.tier_order, version)
            for clause in policy.clauses:
                term = with_needs(clause.term(), setting)
                if len(list(conditions_in(term))) > 7:
                    continue
                passing = [failure(normal_form(clause.term(), version), one, setting) is None for one in world.offers]
                fails = stated.view.index.pack(np.array([not passes for passes in passing], dtype=bool))
                found = stated.view.index.unpack(Atoms([clause], stated).failing_unknown(fails[np.newaxis])[0]).tolist()
                for one, passes, unknown in zip(world.offers, passing, found, strict=True):
                    wanted = any(might_be(term, one, setting))
                    assert unknown == (wanted and not passes), (clause.encoding, one)
                    assert wanted or not passes
                    nested += any(part.op in ("and", "or") for part in clause.children)
                    hopeful, hopeless = hopeful + unknown, hopeless + (not wanted)
    assert min(nested, hopeful, hopeless) > 20


@pytest.mark.parametrize(
    ("condition", "unknown"),
    [
        # Parts that look at one thing each, however they are put together.
        (["not", ["or", ["cmp", "price_out", "lt", 20], ["cmp", "price_out", "gt", 30]]], {"c"}),
        (
            ["or", ["and", ["cmp", "price_out", "ge", 20], ["cmp", "price_out", "le", 30]], ["is", "has_tee"]],
            {"a", "b", "c"},
        ),
        (["or", ["not", ["or", ["provider_eq", "p"], ["provider_eq", "q"], ["provider_eq", "r"]]], ["bot"]], set()),
        (["or", ["tier_eq", "partner"], ["tier_eq", "marketplace"]], {"a", "c"}),
        # One that looks at two things: of who is known to be too cheap the speed does not matter.
        (["or", ["and", ["cmp", "price_out", "ge", 20], ["cmp", "tok_s", "ge", 1]], ["is", "disabled"]], {"c"}),
    ],
)
def test_failing_unknown__by_what_a_clause_looks_at(condition: Any, unknown: set[str]) -> None:
    explanation = tr.Engine(UNSURE).rank(policy_of(UNSURE, condition)).explain()
    (row,) = explanation.failing_unknown
    assert {name for name, holds in zip(UNSURE.offer_ids, row.tolist(), strict=True) if holds} == unknown


def test_failing_unknown__what_a_request_needs_may_not_be_met_after_all() -> None:
    # An unknown speed reads 0 and meets a need of 0; nothing is known that would keep it from falling short of one.
    request = {"requirements": {"min_tok_s": 0, "model_family": "m"}}
    explanation = tr.Engine(OFFERS).rank(policy_of(OFFERS, ["not", ["meets_req"]]), request).explain()
    assert explanation.failing.tolist() == [[True, True, False]]
    assert explanation.failing_unknown.tolist() == [[True, True, False]]


def with_needs(term: Term, setting: Setting) -> Term:
    """Write `meets_req` as the conditions that it stands for; a missing tier meets none."""
    if term[0] in COMPOUND:
        return [term[0], *(with_needs(child, setting) for child in term[1:])]
    if term[0] != "meets_req":
        return term
    wanted = setting.requirements
    parts: list[Term] = [["has_cap", capability] for _, capability in setting.needs]
    named = {"min_context": ["cmp", "context", "ge"], "min_tok_s": ["cmp", "tok_s", "ge"]}
    if setting.version == V1:
        named["min_quality"] = ["cmp", "quality_hint", "ge"]
    parts += [[*start, float(wanted[key])] for key, start in named.items() if wanted.get(key) is not None]
    if wanted.get("model_family") is not None:
        parts.append(["family_eq", wanted["model_family"]])
    if wanted.get("tier") is not None:
        parts.append(["own_tier", wanted["tier"]])
    if wanted.get("privacy") == "tee_required":
        parts.append(["is", "has_tee"])
    if wanted.get("privacy") == "no_log":
        parts.append(["or", ["is", "no_log"], ["is", "has_tee"]])
    return ["and", ["top"], *parts]


def conditions_in(term: Term) -> Iterator[Term]:
    if term[0] in COMPOUND:
        for child in term[1:]:
            yield from conditions_in(child)
    else:
        yield term


def might_be(term: Term, one: Any, setting: Setting) -> Iterator[bool]:
    leaves = list(conditions_in(term))
    choices = [possible(leaf, one, setting) for leaf in leaves]
    for values in product(*choices):
        left = iter(values)
        yield truth(term, left)


def truth(term: Term, values: Iterator[bool]) -> bool:
    if term[0] not in COMPOUND:
        return next(values)
    parts = [truth(child, values) for child in term[1:]]
    return not parts[0] if term[0] == "not" else all(parts) if term[0] == "and" else any(parts)


def possible(leaf: Term, one: Any, setting: Setting) -> tuple[bool, ...]:
    """What a condition may come to for an offer: one value, or both where what it looks at is not known."""
    name = leaf[0]
    if name == "cmp":
        known = setting._number(leaf[1], one) is not None
    elif name == "is":
        known = leaf[1] in ("breaker_open", "disabled") or one.get(leaf[1]) is not None
    elif name == "has_cap":
        has = record(one.get("capabilities"))
        known = has.get(leaf[1]) is not None or (leaf[1].startswith("supports_") and one.get(leaf[1]) is not None)
    else:
        known = name not in ("tier_eq", "min_tier", "own_tier") or one.get("tier") is not None
    if not known:
        return (True, False)
    if name == "own_tier":
        return (one["tier"] == leaf[1],)
    return (failure(leaf, one, setting) is None,)


def test_needs__are_those_of_the_reference() -> None:
    assert {capability for _, capability in NEEDS} == {
        leaf.parameters[0]
        for needs in [
            Atoms((), tr.Engine(OFFERS).stated(V1, {"requirements": {"needs": [need]}})).needs(
                f"missing_capability:{need}"
            )
            for need, _ in NEEDS
        ]
        for leaf in needs
    }


def test_subject_of__is_one_thing_or_nothing() -> None:
    policy = policy_of(OFFERS, ["or", ["is", "no_log"], ["not", ["cmp", "price_in", "gt", 1]], ["meets_req"]])
    subjects = {leaf.op: subject_of(leaf) for leaf in leaves_of(policy.filter)}
    assert subjects == {"is": ("field", "no_log"), "cmp": ("field", "price_in"), "meets_req": None}
    assert subject_of(policy.filter) is None
