"""Rule terms to plain terms of the language."""

import pytest

from tenantrank.errors import PolicyError
from tenantrank.tenants.lowering import LIST_FORMS, MissingValueError, lower, placeholders, restricts

STATE = {"names": ("a", "b"), "one": "x", "none": (), "number": 2.5, "absent": None}


@pytest.mark.parametrize(
    ("term", "expected"),
    [
        (["provider_in", ["a", "b"]], ["or", ["provider_eq", "a"], ["provider_eq", "b"]]),
        (["provider_in", {"tenant": "names"}], ["or", ["provider_eq", "a"], ["provider_eq", "b"]]),
        (["provider_in", {"tenant": "one"}], ["or", ["provider_eq", "x"]]),
        (["provider_in", "x"], ["or", ["provider_eq", "x"]]),
        (["provider_in", ["z", {"tenant": "names"}, {"tenant": "one"}]], ["or", *(["provider_eq", n] for n in "zabx")]),
        (["provider_in", ["a", "a"]], ["or", ["provider_eq", "a"]]),
        (
            ["provider_not_in", {"tenant": "names"}],
            ["and", ["not", ["provider_eq", "a"]], ["not", ["provider_eq", "b"]]],
        ),
        (["family_in", ["m"]], ["or", ["family_eq", "m"]]),
        (["family_not_in", ["m"]], ["and", ["not", ["family_eq", "m"]]]),
        (["served_by_in", ["p"]], ["or", ["served_by_eq", "p"]]),
        (["served_by_not_in", ["p"]], ["and", ["not", ["served_by_eq", "p"]]]),
        (["tier_in", ["partner"]], ["or", ["tier_eq", "partner"]]),
        (["region_in", ["eu", "us-gov"]], ["or", ["is", "region_eu"], ["is", "region_us_gov"]]),
        (["region_only_in", ["EU"]], ["or", ["is", "region_only_eu"]]),
        (["has_all_caps", ["t", "v"]], ["and", ["has_cap", "t"], ["has_cap", "v"]]),
        (["not", ["provider_in", ["a"]]], ["not", ["or", ["provider_eq", "a"]]]),
        (
            ["gate", ["family_in", ["m"]], ["lit", {"tenant": "number"}]],
            ["gate", ["or", ["family_eq", "m"]], ["lit", 2.5]],
        ),
        (["cmp", "price_out", "le", {"tenant": "number"}], ["cmp", "price_out", "le", 2.5]),
        (["lit", {"tenant": "absent", "default": 7}], ["lit", 7]),
        (["chain", [{"provider": {"tenant": "one"}, "model": "m"}]], ["chain", [{"provider": "x", "model": "m"}]]),
        (["filter_text", ["r", {"tenant": "names"}]], ["filter_text", ["r", "a", "b"]]),
        (["always", {"action": "abort", "n": {"tenant": "number"}}], ["always", {"action": "abort", "n": 2.5}]),
    ],
)
def test_lower__fills_and_spells_out(term, expected):
    assert lower(term, STATE) == expected


@pytest.mark.parametrize("form", sorted(LIST_FORMS))
def test_lower__of_nothing_allowed_is_bot_and_of_nothing_forbidden_is_top(form):
    expected = ["top"] if form.endswith("_not_in") or form == "has_all_caps" else ["bot"]
    assert lower([form, {"tenant": "none"}], STATE) == expected


def test_lower__reads_parameters_by_signature_not_by_looks():
    # A list under `filter_text` is a recipe although it could be a term.
    term = ["filter_text", ["provider_in", "a"]]
    assert lower(term, STATE) == term


def test_lower__misses_a_value_without_default():
    with pytest.raises(MissingValueError) as caught:
        lower(["or", ["provider_in", {"tenant": "absent"}]], STATE)
    assert caught.value.field == "absent"


@pytest.mark.parametrize(
    ("term", "path", "reason"),
    [
        (["and", ["provder_in", ["a"]]], "$.and[1]", "unknown op 'provder_in', did you mean 'provider_in'?"),
        (["or", ["top"], ["provider_in", 5]], "$.or[2]", "provider_in takes one argument"),
        (["provider_in", ["a"], ["b"]], "$", "provider_in takes one argument"),
        (["provider_in"], "$", "provider_in takes one argument"),
        (["provider_in", {"tenant": "number"}], "$", "provider_in takes one argument"),
    ],
)
def test_lower__refuses_what_is_no_form(term, path, reason):
    with pytest.raises(PolicyError) as caught:
        lower(term, STATE)
    assert caught.value.path == path
    assert reason in caught.value.reason


@pytest.mark.parametrize("term", [None, 5, "top", [], [5], ["cmp"], ["top", "extra"], ["and", 5]])
def test_lower__leaves_to_admission_what_it_does_not_understand(term):
    assert lower(term, STATE) == term


def test_lower__ends_on_terms_of_any_depth():
    term = ["top"]
    for _ in range(100_000):
        term = ["not", term]
    assert lower(term, STATE)[0] == "not"


def test_placeholders__are_found_wherever_they_stand():
    term = ["chain", [{"provider": {"tenant": "a"}, "model": "m"}, {"tenant": "b"}]]
    assert [found["tenant"] for found in placeholders(term)] == ["a", "b"]


@pytest.mark.parametrize(
    ("selector", "restricting"),
    [
        (["chain", [{"provider": "a", "model": "m"}]], True),
        (["top_k", 3, ["chain", []]], True),
        (["top_k", 3, ["argmax"]], False),
        (["sample", 1], False),
        ("chain", False),
        ([], False),
    ],
)
def test_restricts__finds_a_chain_at_any_depth(selector, restricting):
    assert restricts(selector) is restricting
