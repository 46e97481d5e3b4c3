"""The normal form: each rule by hand, all of them against the reference, and the laws that hold between them."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import pytest

from tenantrank.errors import PolicyError
from tenantrank.policy.node import Node
from tenantrank.policy.normal_form import clauses_of, conjunction, normalize
from tenantrank.policy.signature import V1, V2, VERSIONS, Version
from tests.policy.samples import ALWAYS, generated, subterms
from tests.reference import language
from tests.reference.signature import SIGNATURES, TERM_SORTS, Term

A, B, C = ["is", "disabled"], ["is", "has_tee"], ["is", "no_log"]
"""Three predicates; by their encodings A < B < C."""
X, Y = ["field", "context"], ["lit", 1]
ABORT: dict[str, Any] = {"action": "abort"}
RETRY: dict[str, Any] = {"action": "retry_same"}
NEXT: dict[str, Any] = {"action": "next_candidate"}


@pytest.mark.parametrize(
    ("term", "expected"),
    [
        (["and", A], A),
        (["and", C, A, B], ["and", A, B, C]),
        (["and", C, ["and", B, ["and", A]]], ["and", A, B, C]),
        (["and", A, A], ["and", A, A]),
        (["and", ["top"], A, ["top"]], A),
        (["and", ["top"], ["top"]], ["top"]),
        (["and", A, ["bot"], B], ["bot"]),
        (["and", A, ["not", ["and", ["top"]]]], ["bot"]),
        (["and", A, ["or", C, B]], ["and", A, ["or", B, C]]),
        (["or", C, ["or", A, B]], ["or", A, B, C]),
        (["or", ["bot"], A], A),
        (["or", ["bot"]], ["bot"]),
        (["or", A, ["top"]], ["top"]),
        (["or", A, A], ["or", A, A]),
        (["and", ["is", "no_log"], ["meets_req"]], ["and", ["is", "no_log"], ["meets_req"]]),
        (["and", ["meets_req"], ["is", "no_log"]], ["and", ["is", "no_log"], ["meets_req"]]),
        (["or", ["family_eq", "b"], ["family_eq", "B"], ["family_eq", "é"], ["family_eq", ""]],
         ["or", ["family_eq", ""], ["family_eq", "B"], ["family_eq", "b"], ["family_eq", "é"]]),
        (["or", ["cmp", "context", "le", 10], ["cmp", "context", "le", 9], ["cmp", "context", "le", -1]],
         ["or", ["cmp", "context", "le", -1], ["cmp", "context", "le", 10], ["cmp", "context", "le", 9]]),
        (["not", ["not", A]], A),
        (["not", ["not", ["not", A]]], ["not", A]),
        (["not", ["top"]], ["bot"]),
        (["not", ["bot"]], ["top"]),
        (["not", ["and", A]], ["not", A]),
        (["not", ["or", A, B]], ["not", ["or", A, B]]),
        (["add", Y, X], ["add", X, Y]),
        (["add", ["add", Y, X], X], ["add", X, X, Y]),
        (["add", ["zero"], X], X),
        (["add", ["zero"]], ["zero"]),
        (["add", Y, Y], ["add", Y, Y]),
        (["add", ["lit", 2], ["lit", 10]], ["add", ["lit", 10], ["lit", 2]]),
        (["scale", 0, X], ["zero"]),
        (["scale", -0.0, X], ["zero"]),
        (["scale", 3, ["zero"]], ["zero"]),
        (["scale", 1, X], X),
        (["scale", 1.0, X], X),
        (["scale", 2, ["scale", 0.5, X]], ["scale", 2, ["scale", 0.5, X]]),
        (["scale", 5e-324, X], ["scale", 5e-324, X]),
        (["gate", ["top"], X], X),
        (["gate", ["bot"], X], ["zero"]),
        (["gate", A, ["zero"]], ["zero"]),
        (["gate", ["and", ["top"]], ["scale", 0, X]], ["zero"]),
        (["gate", A, ["gate", A, X]], ["gate", A, ["gate", A, X]]),
        (["normalize", ["normalize", X]], ["normalize", X]),
        (["normalize", ["normalize", ["normalize", X]]], ["normalize", X]),
        (["normalize", ["zero"]], ["normalize", ["zero"]]),
        (["neg", ["neg", X]], ["neg", ["neg", X]]),
        (["neg", ["zero"]], ["neg", ["zero"]]),
        (["clamp", 2, 1, ["zero"]], ["clamp", 2, 1, ["zero"]]),
        (["lit", 0], ["lit", 0]),
        (["top_k", 2.0, ["top_k", 3, ["argmax"]]], ["top_k", 2, ["top_k", 3, ["argmax"]]]),
        (["seq", ["id"], ["id"]], ["id"]),
        (["seq", ["custom", "b"], ["seq", ["custom", "a"], ["id"]]], ["seq", ["custom", "b"], ["custom", "a"]]),
        (["seq", ["seq", ["custom", "a"]]], ["custom", "a"]),
        (["when", ["top"], ["id"]], ["when", ["top"], ["id"]]),
        (["when", ["bot"], ["seq", ["custom", "a"]]], ["when", ["bot"], ["custom", "a"]]),
        (["override", ALWAYS, "x", NEXT], ALWAYS),
        (["override", ALWAYS, "x", {"action": "next_candidate", "attempts": 1}],
         ["override", ALWAYS, "x", {"action": "next_candidate", "attempts": 1}]),
        (["override", ["override", ALWAYS, "b", ABORT], "a", RETRY],
         ["override", ["override", ALWAYS, "a", RETRY], "b", ABORT]),
        (["override", ["override", ALWAYS, "a", ABORT], "a", RETRY], ["override", ALWAYS, "a", RETRY]),
        (["override", ["override", ALWAYS, "a", ABORT], "a", NEXT], ALWAYS),
        (["override", ["always", {"action": "abort", "attempts": 1}], "a", {"attempts": 1.0, "action": "abort"}],
         ["always", {"action": "abort", "attempts": 1}]),
        (["override", ["override", ["override", ALWAYS, "😀", ABORT], "\uffff", ABORT], "Z", ABORT],
         ["override", ["override", ["override", ALWAYS, "Z", ABORT], "\uffff", ABORT], "😀", ABORT]),
    ],
)  # fmt: skip
def test_normalize__follows_the_rules(term: Term, expected: Term) -> None:
    language.admit(term, {})
    node = normalize(term, V2)
    assert node.term() == expected
    assert node.encoding == language.encode_term(expected, V2)


@pytest.mark.parametrize(
    ("term", "expected"),
    [
        (["ev_add", ["ev_zero"], ["ev_zero"]], ["ev_zero"]),
        (["ev_add", ["from_prov", "b"], ["ev_add", ["from_prov", "a"], ["ev_zero"]]],
         ["ev_add", ["from_prov", "a"], ["from_prov", "b"]]),
        (["ev_scale", 0, ["from_prov", "a"]], ["ev_scale", 0, ["from_prov", "a"]]),
        (["ev_scale", 1, ["ev_zero"]], ["ev_scale", 1, ["ev_zero"]]),
        (["decay", 1, ["ev_add", ["from_prov", "a"]]], ["decay", 1, ["from_prov", "a"]]),
    ],
)  # fmt: skip
def test_normalize__evidence_flattens_and_is_kept(term: Term, expected: Term) -> None:
    assert normalize(term, V1).term() == expected


@pytest.mark.parametrize("version", VERSIONS)
def test_normalize__equals_the_reference_and_is_idempotent(version: Version) -> None:
    for policy in generated(version):
        for term in subterms(policy, version):
            node = normalize(term, version)
            form = node.term()
            assert form == language.normal_form(term, version)
            assert node.encoding == language.encode_term(form, version)
            assert normalize(form, version) == node
            assert json.dumps(normalize(form, version).term()) == json.dumps(form)


@pytest.mark.parametrize("version", VERSIONS)
def test_normalize__does_not_depend_on_how_an_equal_term_is_spelled(version: Version) -> None:
    rng = Random(4)
    changed = 0
    for term in generated(version):
        other = respelled(rng, term, version)
        changed += other != term
        assert language.sort_of(other, EVERY_FIELD, version=version) == "Policy"
        assert normalize(other, version) == normalize(term, version)
        assert json.dumps(normalize(other, version).term()) == json.dumps(normalize(term, version).term())
    assert changed > 100


EVERY_FIELD = {
    **{name: {"sort": "Num"} for name in ("bench_intelligence", "bench_coding", "bench_handicap", "max_output")},
    **{name: {"sort": "Bool"} for name in ("region_eu", "region_us", "zdr", "trained_on")},
}


def respelled(rng: Random, term: Term, version: Version, depth: int = 1) -> Term:
    """Another spelling of a term: shuffled, nested, padded with units, doubly negated, numbers written otherwise."""
    kinds = SIGNATURES[version][term[0]][1]
    variadic = bool(kinds) and kinds[0].endswith("+")
    kinds = (kinds[0][:-1],) * (len(term) - 1) if variadic else kinds
    result: Term = [term[0]]
    for kind, argument in zip(kinds, term[1:], strict=True):
        inner = kind in TERM_SORTS
        result.append(respelled(rng, argument, version, depth + 1) if inner else rewritten(argument))
    op = result[0]
    if op in ("and", "or", "add", "ev_add"):
        children = result[1:]
        rng.shuffle(children)
        cut = rng.randrange(len(children))
        result = [op, *children[cut:], [op, *children[:cut]]] if cut and depth < 50 else [op, *children]
    unit = {"and": "top", "or": "bot", "add": "zero", "seq": "id", "ev_add": "ev_zero"}.get(op)
    if unit and rng.random() < 0.5:
        result.insert(rng.randint(1, len(result)), [unit])
    if SIGNATURES[version][op][0] == "Pred" and rng.random() < 0.1 and depth < 50:
        result = ["not", ["not", result]]
    if op in ("field", "lit") and rng.random() < 0.2:
        result = ["scale", 1, ["gate", ["top"], result]]
    return result


def rewritten(value: Any) -> Any:
    """The same parameter with every integral number as the other type, and records in another order."""
    if isinstance(value, list):
        return [rewritten(entry) for entry in value]
    if isinstance(value, dict):
        return {key: rewritten(entry) for key, entry in reversed(value.items())}
    if isinstance(value, bool | str):
        return value
    if isinstance(value, int):
        return float(value)
    return int(value) if value.is_integer() and abs(value) <= 2**53 else value


def test_conjunction__is_the_normal_form_of_and() -> None:
    rng = Random(2)
    for policy in generated(V2):
        terms = [term for term in subterms(policy, V2) if SIGNATURES[V2][term[0]][0] == "Pred"]
        chosen = rng.sample(terms, rng.randint(1, min(4, len(terms))))
        nodes = [normalize(term, V2) for term in chosen]
        assert conjunction(nodes) == normalize(["and", *chosen], V2)
    assert conjunction([]) == Node("top", "(top)")
    for name, unit in (("top", "bot"), ("bot", "top")):
        assert conjunction([Node(name, f"({name})"), Node(unit, f"({unit})")]) == Node("bot", "(bot)")


def test_conjunction__leaves_the_list_it_is_given() -> None:
    nodes = [normalize(term, V2) for term in (C, A, B)]
    given = list(nodes)
    assert conjunction(nodes).term() == ["and", A, B, C]
    assert [node.encoding for node in nodes] == [node.encoding for node in given]


@pytest.mark.parametrize("term", [["nope"], ["and"], ["cmp", "price_in", "le", "1"], ["policy", ["top"]], [], None])
def test_normalize__refuses_what_was_never_admitted(term: Any) -> None:
    with pytest.raises(PolicyError, match="expected an admitted term"):
        normalize(term, V2)


def test_clauses_of__are_what_must_all_hold() -> None:
    both = normalize(["and", B, A], V2)
    assert clauses_of(both) == both.children
    assert clauses_of(normalize(A, V2)) == (normalize(A, V2),)
