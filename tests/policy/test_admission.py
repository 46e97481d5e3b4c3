"""Admission: every op, every slot with every wrong value, the path to the fault, and values made to do harm."""

from __future__ import annotations

import copy
import math
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenantrank.errors import PolicyError
from tenantrank.policy.admission import check
from tenantrank.policy.signature import V1, V2, VERSIONS, Fields, Version
from tests.policy.samples import (
    ALWAYS,
    FIELDS,
    OPS,
    follow,
    generated,
    refusal,
    sample,
    slots_of,
)
from tests.policy.values import FOREIGN_VALUES, JSON_VALUES
from tests.reference import generate
from tests.reference.language import sort_of
from tests.reference.signature import SIGNATURES, Term


def walks_to(value: Any, holder: Any) -> bool:
    """Whether a value is an element, by identity, of a JSON value, or that value itself."""
    if value is holder:
        return True
    if type(holder) is dict:
        return any(walks_to(value, entry) for entry in holder.values())
    return type(holder) is list and any(walks_to(value, entry) for entry in holder)


@pytest.mark.parametrize(("op", "version"), OPS)
def test_check__admits_every_op_in_its_own_versions_only(op: str, version: Version) -> None:
    term = sample(op, version)
    assert check(term, FIELDS, version) == SIGNATURES[version][op][0]
    (other,) = {*VERSIONS} - {version}
    if op not in SIGNATURES[other]:
        error = refusal(term, other)
        assert (error.path, error.reason) == ("$", f"unknown op '{op}' in {other}")


@pytest.mark.parametrize(("op", "version"), OPS)
def test_check__counts_arguments(op: str, version: Version) -> None:
    term, kinds = sample(op, version), SIGNATURES[version][op][1]
    wrong = [[op]] if kinds and kinds[0].endswith("+") else [term[:-1], [*term, term[-1]], [*term, None]]
    for given_ in wrong:
        if given_ and given_ != term:
            error = refusal(given_, version)
            assert error.path == "$"
            assert error.reason.startswith(f"{op} takes ")


@pytest.mark.parametrize("version", VERSIONS)
def test_check__every_slot_with_every_json_value_answers_as_the_reference(version: Version) -> None:
    refused = admitted = 0
    for op in SIGNATURES[version]:
        for index in range(1, len(slots_of(op, version)) + 1):
            for value in JSON_VALUES:
                term = sample(op, version)
                term[index] = value
                expected = sort_of(term, generate.FIELDS, version=version)
                if expected is not None:
                    assert check(term, FIELDS, version) == expected
                    admitted += 1
                    continue
                error = refusal(term, version)
                assert error.path.startswith(f"$.{op}[{index}]"), (term, error)
                refused += 1
    assert refused > 3000
    assert admitted > 200


@pytest.mark.parametrize("version", VERSIONS)
def test_check__every_slot_refuses_every_foreign_value(version: Version) -> None:
    for op in SIGNATURES[version]:
        for index in range(1, len(slots_of(op, version)) + 1):
            for value in FOREIGN_VALUES:
                term = sample(op, version)
                term[index] = value
                error = refusal(term, version)
                assert error.path.startswith(f"$.{op}[{index}]")
                assert walks_to(follow(error.path, term), term[index])


def test_check__a_value_as_a_whole_term_or_an_op_answers_as_the_reference() -> None:
    for value in JSON_VALUES:
        for term in (value, [value], [value, ["top"]]):
            expected = sort_of(term, generate.FIELDS)
            if expected is None:
                refusal_of_value(term)
            else:
                assert check(term, FIELDS, V2) == expected
    for value in FOREIGN_VALUES:
        for term in (value, [value], [value, ["top"]]):
            refusal_of_value(term)


def refusal_of_value(term: Any) -> PolicyError:
    """The error of `check`, which unlike the functions above it never takes a value for text."""
    with pytest.raises(PolicyError) as caught:
        check(term, FIELDS, V2)
    assert str(caught.value).isprintable()
    return caught.value


@pytest.mark.parametrize("version", VERSIONS)
def test_check__points_at_the_one_fault_wherever_it_is(version: Version) -> None:
    rng = Random(11)
    for term in generated(version):
        spoiled = copy.deepcopy(term)
        node, steps = spoiled, 0
        while True:
            keys = [key for key, entry in (enumerate(node) if isinstance(node, list) else node.items()) if entry]
            inner = [key for key in keys if isinstance(node[key], list | dict)]
            if not inner or rng.random() < 0.1:
                break
            node, steps = node[rng.choice(inner)], steps + 1
        if not keys:
            continue
        key = rng.choice(keys)
        fault = node[key] = object()
        found = follow(refusal(spoiled, version).path, spoiled)
        # A fault in the place of the op's name is the term's own.
        assert found is (node if key == 0 and found is not fault else fault)


@pytest.mark.parametrize(
    ("term", "path", "reason"),
    [
        (["and", ["top"], ["nope"]], "$.and[2]", "unknown op 'nope' in sigma-pol/v2"),
        (["and", ["top"], ["zero"]], "$.and[2]", "expected a Pred, got zero, a Scorer"),
        (["and"], "$", "and takes one argument or more, got none"),
        (["not", ["top"], ["top"]], "$", "not takes 1 argument(s), got 2"),
        (["not", "top"], "$.not[1]", "a term is an array that begins with an op name, got 'top'"),
        (["not", []], "$.not[1]", "a term is an array that begins with an op name, got an array"),
        (["not", [1]], "$.not[1]", "a term is an array that begins with an op name, got an array"),
        (["not", {}], "$.not[1]", "a term is an array that begins with an op name, got a record"),
        (["is", "price_in"], "$.is[1]", "field 'price_in' is a Num field, expected a Bool field"),
        (["field", "nope"], "$.field[1]", "undeclared field 'nope'"),
        (["field", 1], "$.field[1]", "expected a field name, got 1"),
        (["field", "quality"], "$.field[1]", "undeclared field 'quality'"),
        (["cmp", "price_in", "=", 1], "$.cmp[2]", "expected a relation (lt le eq ne ge gt), got '='"),
        (["cmp", "price_in", "le", True], "$.cmp[3]", "expected a finite number, got True"),
        (["cmp", "price_in", "le", math.nan], "$.cmp[3]", "expected a finite number, got nan"),
        (["cmp", "price_in", "le", -math.inf], "$.cmp[3]", "expected a finite number, got -inf"),
        (["tier_eq", "gold"], "$.tier_eq[1]", "unknown tier 'gold', expected one of fallback, marketplace, partner"),
        (["top_k", 0, ["argmax"]], "$.top_k[1]", "expected an integer of at least 1, got 0"),
        (["top_k", True, ["argmax"]], "$.top_k[1]", "expected an integer of at least 1, got True"),
        (["top_k", 1.5, ["argmax"]], "$.top_k[1]", "expected an integer of at least 1, got 1.5"),
        (["lit", 2**53 + 1], "$.lit[1]", "9007199254740993 is outside ±2^53, where a double holds every integer"),
        (["family_eq", "\ud800"], "$.family_eq[1]", "string with a lone surrogate, which no UTF-8 text holds"),
        (["set_param", "p", None], "$.set_param[2]", "expected a string, a boolean or a finite number, got None"),
        (["chain", {}], "$.chain[1]", "expected a list of provider and model pairs, got a record"),
        (["chain", [{"provider": "p"}]], "$.chain[1][0]", "a pair needs 'model' or 'model_family'"),
        (["chain", [{"model": "m"}]], "$.chain[1][0]", "a pair needs 'provider' or 'provider_id'"),
        (["chain", [{"provider": "p", "model": 1}]], "$.chain[1][0].model", "expected a string, got 1"),
        (["filter_text", ["a", {"b": "c"}]], "$.filter_text[1][1].b", "expected a finite number, got 'c'"),
        (["filter_text", ["a", 1]], "$.filter_text[1][1]", "expected a string or a flat record of numbers, got 1"),
        (["always", {}], "$.always[1]", "an action needs the key 'action'"),
        (["always", []], "$.always[1]", "an action is a record, got an array"),
        (["always", {"action": "abort", "backoff_ms": [1, None]}], "$.always[1].backoff_ms[1]",
         "expected a finite number, got None"),
        (["always", {"action": "abort", "a b": None}], "$.always[1]['a b']", "expected a finite number, got None"),
        (["override", ALWAYS, "x", {"action": "go"}], "$.override[3].action",
         "expected an action (retry_same next_candidate next_provider_same_model disable_provider abort), got 'go'"),
        (["seq", ["id"], ["when", ["top"], ["custom", 1]]], "$.seq[2].when[2].custom[1]", "expected a string, got 1"),
    ],
)  # fmt: skip
def test_check__says_what_is_wrong_and_where(term: Term, path: str, reason: str) -> None:
    error = refusal(term, V2)
    assert (error.path, error.reason) == (path, reason)


def test_check__refuses_another_sort_than_the_one_asked_for() -> None:
    assert check(["top"], FIELDS, V2, "Pred") == "Pred"
    error = refusal(["top"], V2, "Scorer")
    assert (error.path, error.reason) == ("$", "expected a Scorer, got top, a Pred")


def test_check__reports_the_first_fault_in_reading_order() -> None:
    assert refusal(["and", ["or", ["is", "x"], ["nope"]], ["nope"]], V2).path == "$.and[1].or[1].is[1]"
    assert refusal(["cmp", "nope", "nope", "nope"], V2).path == "$.cmp[1]"


@pytest.mark.parametrize(("op", "leaf"), [("not", ["top"]), ("neg", ["zero"]), ("and", ["top"])])
def test_check__admits_sixty_four_levels_and_no_more(op: str, leaf: Term) -> None:
    term = leaf
    for _ in range(63):
        term = [op, term]
    check(term, FIELDS, V2)
    error = refusal([op, term], V2)
    assert (error.path, error.reason) == ("$" + f".{op}[1]" * 64, "deeper than 64 levels")


def test_check__parameters_are_no_level_of_depth() -> None:
    term: Term = ["always", {"action": "abort", "backoff_ms": [1]}]
    for _ in range(63):
        term = ["override", term, "x", {"action": "abort"}]
    assert check(term, FIELDS, V2) == "FailPlan"


def test_check__admits_4096_subterms_and_no_more() -> None:
    assert check(["and", *[["top"]] * 4095], FIELDS, V2) == "Pred"
    error = refusal(["and", *[["top"]] * 4096], V2)
    assert (error.path, error.reason) == ("$.and[4096]", "more than 4096 subterms")
    halves = ["or", *[["is", "no_log"]] * 2047]
    assert check(["and", halves[:-1], halves], FIELDS, V2) == "Pred"
    assert refusal(["and", halves, halves], V2).path == "$.and[2].or[2047]"


def test_check__counts_shared_subterms_as_often_as_they_occur() -> None:
    term: Term = ["top"]
    for _ in range(60):
        term = ["and", term, term]
    assert refusal(term, V2).reason == "more than 4096 subterms"


def test_check__values_that_contain_themselves_are_refused() -> None:
    term: Term = ["not"]
    term.append(term)
    assert refusal(term, V2).reason == "deeper than 64 levels"
    wide: Term = ["and"]
    wide += [wide] * 3
    refusal(wide, V2)
    links: list[Any] = []
    links.append(links)
    for op in ("chain", "filter_text"):
        assert refusal([op, links], V2).path == f"$.{op}[1][0]"
    waits: list[Any] = [1]
    waits.append(waits)
    assert refusal(["always", {"action": "abort", "backoff_ms": waits}], V2).path == "$.always[1].backoff_ms[1]"
    action: dict[str, Any] = {"action": "abort"}
    action["self"] = action
    assert refusal(["always", action], V2).path == "$.always[1].self"
    op_in_itself: list[Any] = []
    op_in_itself.append(op_in_itself)
    assert refusal(op_in_itself, V2).path == "$"


def test_check__names_a_key_of_any_form_in_one_line() -> None:
    for key, step in [
        ("ok_-9", ".ok_-9"),
        ("", "['']"),
        ("a.b[0]", "['a.b[0]']"),
        ("line\nbreak", "['line\\nbreak']"),
        ("日本", "['\\u65e5\\u672c']"),
        ("x" * 64, "." + "x" * 64),
        ("x" * 65, "['" + "x" * 56 + "…]"),
    ]:
        assert refusal(["always", {"action": "abort", key: "no number"}], V2).path == f"$.always[1]{step}"


def test_check__takes_tiers_and_fields_from_the_vocabulary() -> None:
    fields = Fields({"bench": {"sort": "Num"}, "eu": {"sort": "Bool"}}, ("bronze", "gold"))
    assert check(["and", ["tier_eq", "gold"], ["is", "eu"], ["cmp", "bench", "lt", 1]], fields, V2) == "Pred"
    for term in (["tier_eq", "partner"], ["is", "bench"], ["field", "eu"], ["field", "bench_coding"]):
        with pytest.raises(PolicyError):
            check(term, fields, V2)
    assert check(["field", "quality"], fields, V1) == "Scorer"


@pytest.mark.parametrize("version", VERSIONS)
def test_check__spoiled_terms_answer_as_the_reference(version: Version) -> None:
    rng = Random(5)
    answers = set()
    for term in generated(version) * 4:
        spoiled = generate.spoiled(rng, term)
        expected = sort_of(spoiled, generate.FIELDS, version=version)
        answers.add(expected)
        if expected is None:
            refusal(spoiled, version)
        else:
            assert check(spoiled, FIELDS, version) == expected
    assert {None, "Policy"} <= answers


_WORDS = st.sampled_from([*SIGNATURES[V1], *SIGNATURES[V2], "price_in", "no_log", "le", "partner", "action", "abort"])
_SCALARS = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats() | st.text(max_size=3) | _WORDS
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.builds(lambda op, arguments: [op, *arguments], _WORDS, st.lists(inner, max_size=3))
        | st.dictionaries(st.text(max_size=3) | _WORDS, inner, max_size=3)
    ),
    max_leaves=20,
)


@given(_VALUES, st.sampled_from(VERSIONS))
def test_check__any_json_value_answers_as_the_reference(value: Any, version: Version) -> None:
    expected = sort_of(value, generate.FIELDS, version=version)
    if expected is None:
        refusal(value, version)
    else:
        assert check(value, FIELDS, version) == expected


class Place:
    """Stands for a foreign value until the test begins: drawing one, hypothesis would run its code."""

    def __init__(self, position: int) -> None:
        self.position = position

    def __repr__(self) -> str:
        return f"Place({self.position})"


def filled(value: Any) -> Any:
    if isinstance(value, list):
        return [filled(entry) for entry in value]
    if isinstance(value, dict):
        return {key: filled(entry) for key, entry in value.items()}
    return FOREIGN_VALUES[value.position] if isinstance(value, Place) else value


_FOREIGN = st.integers(0, len(FOREIGN_VALUES) - 1).map(Place)
_OBJECTS = _FOREIGN | st.binary(max_size=3) | st.complex_numbers() | st.decimals()
_ANYTHING = st.recursive(
    _SCALARS | _OBJECTS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.builds(lambda op, arguments: [op, *arguments], _WORDS, st.lists(inner, max_size=3))
        | st.dictionaries(st.text(max_size=2) | st.integers() | st.none(), inner, max_size=3)
    ),
    max_leaves=15,
)


@given(_ANYTHING, st.sampled_from(VERSIONS))
def test_check__any_python_value_is_admitted_or_refused(value: Any, version: Version) -> None:
    value = filled(value)
    try:
        check(value, FIELDS, version)
    except PolicyError as refused:
        message = str(refused)
    else:
        message = "admitted"
    assert message.isprintable()
