"""The rules that apply together, and the policies they make."""

import pytest

from tenantrank.errors import TenantError
from tenantrank.policy.policy import admit
from tenantrank.tenants.origin import Origin
from tenantrank.tenants.rule_set import RuleSet
from tests.tenants.books import book

PLAN = ["always", {"action": "next_candidate"}]


def rule_set(*rules, **top):
    prepared = book(*rules, **top)._prepared
    return RuleSet(prepared, range(len(prepared.rules)))


def term_of(found, *values):
    return found.policy(values, {}).term


def test_reads__are_the_fields_of_parts_and_defaults_in_rule_order():
    found = rule_set(
        {"id": "a", "floor": {"x": {"tenant": "floor"}}},
        {"id": "b", "when": {"plan": "free", "vip": {"absent": False}}, "require": [["is", "no_log"]]},
        {"id": "c", "when": {"plan": "free"}, "require": [["provider_in", {"tenant": "approved"}]]},
        defaults={"preference": ["lit", {"tenant": "seats", "default": 1}]},
    )
    assert found.reads == ("floor", "plan", "vip", "approved", "seats")
    assert found.rules == ("base", "a", "b", "c")


def test_policy__holds_what_is_fixed_and_what_the_tenant_fills():
    found = rule_set(
        {"id": "a", "require": [["provider_in", {"tenant": "approved"}], ["and", ["is", "no_log"], ["is", "priced"]]]},
        {"id": "b", "transform": ["set_param", "p", {"tenant": "floor"}]},
        {"id": "c", "transform": ["seq", ["id"], ["inject_seed", "s"]]},
        {"id": "d", "selector": ["top_k", {"tenant": "seats"}, ["argmax"]]},
    )
    assert found.reads == ("approved", "floor", "seats")
    assert term_of(found, ("b", "a"), 0.5, 3) == [
        "policy",
        ["and", ["is", "no_log"], ["is", "priced"], ["or", ["provider_eq", "a"], ["provider_eq", "b"]]],
        ["zero"],
        ["top_k", 3, ["argmax"]],
        ["seq", ["set_param", "p", 0.5], ["inject_seed", "s"]],
        PLAN,
    ]


@pytest.mark.parametrize(("floor", "stands"), [(0.1, 0.5), (0.5, 0.5), (0.75, 0.75)])
def test_policy__holds_the_strictest_of_fixed_and_filled_bounds(floor, stands):
    found = rule_set(
        {"id": "a", "floor": {"x": 0.25}},
        {"id": "b", "floor": {"x": {"tenant": "floor"}}, "ceiling": {"x": {"tenant": "floor"}}},
        {"id": "c", "floor": {"x": 0.5}, "ceiling": {"y": 2}},
        {"id": "d", "ceiling": {"y": 3}},
    )
    clauses = ["cmp", "x", "ge", stands], ["cmp", "x", "le", floor], ["cmp", "y", "le", 2], ["is", "priced"]
    assert term_of(found, floor)[1] == ["and", *clauses]


def test_policy__shares_one_of_equal_identity():
    found = rule_set({"id": "a", "require": [["provider_in", {"tenant": "approved"}]]})
    known = {}
    first = found.policy((("a", "b"),), known)
    assert found.policy((("b", "a"),), known) is first
    assert found.policy((("a",),), known) is not first
    assert admit(first.term, first.fields) == first


def test_policy__names_the_first_value_missing_clauses_before_choices_before_bounds():
    found = rule_set(
        {"id": "a", "floor": {"x": {"tenant": "floor"}}, "selector": ["top_k", {"tenant": "seats"}, ["argmax"]]},
        {"id": "b", "require": [["provider_in", {"tenant": "approved"}]], "selector": ["argmax"]},
    )
    assert found.reads == ("floor", "seats", "approved")
    for values, field in (((None, None, None), "approved"), ((None, None, ()), "seats"), ((None, 1, ()), "floor")):
        with pytest.raises(TenantError, match="which the tenant lacks") as caught:
            found.policy(values, {})
        assert caught.value.field == field


def test_policy__needs_a_hard_clause():
    empty = RuleSet(book()._prepared, [])
    with pytest.raises(TenantError, match="no rule says what this tenant may use"):
        empty.policy((), {})


def test_preference__is_the_origin_of_what_stands():
    found = rule_set(
        {"id": "a", "when": {"plan": "free"}, "preference": ["lit", 1]}, {"id": "b", "preference": ["lit", 2]}
    )
    assert found.preference(("free",)) == Origin("a", "plan", "free")
    assert rule_set().preference(()) == Origin("defaults")


def test_reasons__are_those_of_the_policy():
    found = rule_set({"id": "a", "floor": {"x": {"tenant": "floor"}}})
    policy = found.policy((0.5,), {})
    reasons = found.reasons((0.5,), policy)
    assert list(reasons.origins) == [clause.encoding for clause in policy.clauses]
    assert reasons.preference == found.preference((0.5,))
    assert reasons.rules == found.rules
