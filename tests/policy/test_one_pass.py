"""The one pass against the check and the reference: it takes the same values, and gives the same forms."""

from __future__ import annotations

import copy
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenantrank.errors import PolicyError
from tenantrank.policy.admission import check
from tenantrank.policy.node import Node
from tenantrank.policy.one_pass import read_term
from tenantrank.policy.signature import OPS as SIGNATURE
from tenantrank.policy.signature import V1, V2, VERSIONS, Version, is_subterm
from tenantrank.policy.vocabulary import Vocabulary, vocabulary_of
from tests.policy.samples import FIELDS, OPS, generated, sample, slots_of, subterms
from tests.policy.values import FOREIGN_VALUES, JSON_VALUES, Collides, hostile
from tests.reference import generate, language


def checked(value: Any, version: Version, sort: str | None = None) -> str | None:
    try:
        return check(value, FIELDS, version, sort)
    except PolicyError:
        return None


def agrees(value: Any, version: Version, sort: str | None = None) -> bool:
    """Whether pass and check agree on a value, and the value was admitted."""
    found = read_term(value, vocabulary_of(FIELDS, version), sort)
    expected = checked(value, version, sort)
    assert (None if found is None else found[2]) == expected
    return found is not None


@pytest.mark.parametrize("version", VERSIONS)
def test_read_term__equals_the_reference_on_generated_policies(version: Version) -> None:
    words = vocabulary_of(FIELDS, version)
    for policy in generated(version):
        before = copy.deepcopy(policy)
        for term in subterms(policy, version):
            found = read_term(term, words)
            assert found is not None
            node, count, sort = found
            assert node.term() == language.normal_form(term, version)
            assert version + ":" + node.encoding == language.encode(term, version)
            assert count == sum(1 for _ in subterms(term, version))
            assert sort == SIGNATURE[version][term[0]].sort
        assert policy == before


@pytest.mark.parametrize("version", VERSIONS)
def test_read_term__nodes_are_built_as_their_signatures_say(version: Version) -> None:
    words = Vocabulary(FIELDS, version)

    def looks_right(node: Node) -> None:
        assert type(node) is Node
        assert type(node.children) is type(node.parameters) is tuple
        op = SIGNATURE[version][node.op]
        if op.variadic:
            assert (node.parameters, node.slots) == ((), ())
            assert len(node.children) > 1
        else:
            assert node.slots == op.slots
            assert len(node.children) == sum(map(is_subterm, op.slots))
            assert len(node.parameters) == len(op.slots) - len(node.children)
        for child in node.children:
            looks_right(child)

    for policy in generated(version):
        for _ in range(2):  # the second time with atoms that were kept
            found = read_term(policy, words)
            assert found is not None
            looks_right(found[0])


@pytest.mark.parametrize(("op", "version"), OPS)
def test_read_term__agrees_with_the_check_on_every_kind_of_argument(op: str, version: Version) -> None:
    good = sample(op, version)
    assert agrees(good, version)
    for value in (*JSON_VALUES, *FOREIGN_VALUES, 2**53, 2.0**53 + 2, 2**53 + 2, -(2**53) - 2, 1.0, -0.0, 0):
        for place in range(1, len(good)):
            agrees([*good[:place], value, *good[place + 1 :]], version)
        agrees([*good, value], version)
        agrees(value, version)
    for place in range(len(good)):
        agrees(good[:place] + good[place + 1 :], version)
        agrees([*good[:place], hostile(type(good[place]), good[place]), *good[place + 1 :]], version)
    agrees(hostile(list, good), version)
    agrees(tuple(good), version)


@pytest.mark.parametrize(("op", "version"), OPS)
def test_read_term__agrees_with_the_check_on_subterms_of_every_op(op: str, version: Version) -> None:
    good = sample(op, version)
    for place, slot in enumerate(slots_of(op, version), 1):
        for other, at in OPS:
            agrees([*good[:place], sample(other, at), *good[place + 1 :]], version, None if place % 2 else slot)


@pytest.mark.parametrize("version", VERSIONS)
def test_read_term__agrees_with_the_check_on_spoiled_terms(version: Version) -> None:
    rng = Random(21)
    admitted = sum(agrees(generate.spoiled(rng, term), version) for term in generated(version) * 4)
    assert admitted < 300


_WORDS = st.sampled_from([*SIGNATURE[V1], *SIGNATURE[V2], "le", "price_in", "no_log", "partner", "nope"])
_ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | _WORDS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.builds(lambda op, given: [op, *given], _WORDS, st.lists(inner, max_size=3))
    ),
    max_leaves=12,
)


@given(_ANY, st.sampled_from(VERSIONS), st.sampled_from([None, "Pred", "Scorer", "Nope"]))
def test_read_term__agrees_with_the_check_on_any_value(value: Any, version: Version, sort: str | None) -> None:
    agrees(value, version, sort)


def chain_of(op: str, levels: int, term: Any) -> Any:
    for _ in range(levels):
        term = {
            "gate": ["gate", ["top"], term],
            "scale": ["scale", 2, term],
            "clamp": ["clamp", 0, 1, term],
            "override": ["override", term, "x", {"action": "abort"}],
        }.get(op, [op, term])
    return term


@pytest.mark.parametrize("op", ["not", "and", "or", "neg", "normalize", "add", "scale", "clamp", "gate", "override"])
def test_read_term__stops_at_the_depth_at_which_the_check_stops(op: str) -> None:
    sort = SIGNATURE[V2][op].sort
    inner = {"Pred": ["is", "no_log"], "Scorer": ["lit", 3], "FailPlan": ["always", {"action": "retry_same"}]}[sort]
    assert [agrees(chain_of(op, levels, inner), V2) for levels in (62, 63, 64, 65, 500)] == [True, True] + [False] * 3


def test_read_term__stops_at_the_size_at_which_the_check_stops() -> None:
    for size, admitted in ((4095, True), (4096, True), (4097, False), (20_000, False)):
        assert agrees(["or", *[["meets_req"]] * (size - 1)], V2) == admitted
        assert agrees(["or", *[["not", ["is", "no_log"]]] * ((size - 2) // 2), ["top"]], V2) == (size < 5000)


@pytest.mark.parametrize("op", ["and", "or"])
def test_read_term__is_not_led_astray_by_lists_that_stand_in_many_places(op: str) -> None:
    term: Any = ["is", "no_log"]
    for _ in range(60):
        term = [op, term, ["not", term]]
    assert not agrees(term, V2)
    term.append(term)
    assert not agrees(term, V2)


def test_read_term__runs_no_foreign_code() -> None:
    for value in FOREIGN_VALUES:
        for term in (value, [value], ["not", value], ["not", [value]], ["is", value], ["cmp", value, value, value]):
            assert not agrees(term, V2)
    assert not agrees(["always", {Collides("action"): "abort"}], V2)
    assert not agrees(["chain", [{Collides("provider"): "p", "model": "m"}]], V2)


def test_read_term__a_kept_atom_is_not_given_for_what_only_equals_it() -> None:
    words = Vocabulary(FIELDS, V2)

    def read(bound: Any) -> str | None:
        found = read_term(["cmp", "price_in", "le", bound], words)
        return None if found is None else found[0].encoding

    assert read(1) == read(1.0) == '(cmp "price_in" "le" 1)'
    assert read(True) is None
    assert read(0) == read(-0.0) == '(cmp "price_in" "le" 0)'
    assert read(False) is None
    assert read(2.0**53 + 2) == '(cmp "price_in" "le" 9007199254740994)'
    assert read(2**53 + 2) is None
    assert read(2**53) == read(2.0**53) == '(cmp "price_in" "le" 9007199254740992)'
    # Short as it is written, but as an integer refused.
    assert read(1e22) == '(cmp "price_in" "le" 1e+22)'
    assert read(10**22) is None
    # What takes many digits is not kept.
    assert read(0.1 + 0.2) == '(cmp "price_in" "le" 0.30000000000000004)'
    assert len(words.bounds) == 2


def test_read_term__kept_atoms_stay_within_bounds() -> None:
    words = Vocabulary(FIELDS, V2)
    for at in range(3000):
        for term in (["cmp", "price_in", "le", at], ["provider_eq", f"{at}"], ["provider_eq", "x" * 100 + f"{at}"]):
            found = read_term(term, words)
            assert found is not None
            assert found[0].term() == term
    assert len(words.bounds) <= 1024


def test_read_term__kept_scorers_and_plans_are_those_that_were_read() -> None:
    """Of names that are declared nowhere, as when an admitted term is normalized: more than are kept."""
    words = Vocabulary(None, V2)
    for _ in range(2):
        for name in (*(f"field {at}" for at in range(1100)), "x" * 100):
            scorer = ["neg", ["normalize", ["field", name]]]
            found = read_term(scorer, words)
            assert found is not None
            assert (found[0].term(), found[1]) == (scorer, 3)
            assert found[0].encoding == f'(neg (normalize (field "{name}")))'
    # One that is kept is not made again.
    once, again = (read_term(["neg", ["field", "price_in"]], words) for _ in range(2))
    assert once is not None
    assert again is not None
    assert once[0] is again[0]
    plans = [{"action": "abort"}, {"action": "retry_same", "tries": 2}, {"action": "retry_same", "tries": 2.5}]
    for plan in [*plans, {"action": "retry_same", "tries": True}, *plans]:
        found = read_term(["always", plan], words)
        assert (None if found is None else found[0].term()) == (None if True in plan.values() else ["always", plan])
    # A number under `normalize` is no field: many of these would push the others out.
    for at in range(3):
        scorer = ["neg", ["normalize", ["scale", at + 2, ["field", "price_in"]]]]
        found = read_term(scorer, words)
        assert found is not None
        assert found[0].term() == scorer
