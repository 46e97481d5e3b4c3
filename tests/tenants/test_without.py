"""A tenant compiled again without one of its rules: as the rulebook without that rule compiles it."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from tenantrank.errors import RulebookError, TenantError
from tenantrank.policy.policy import Policy
from tenantrank.tenants import Rulebook
from tests.tenants.books import BASE, FIELDS, book

RULES: list[dict[str, Any]] = [
    {"id": "cap", "ceiling": {"price_out": 20}, "selector": ["top_k", 3, ["argmax"]]},
    {"id": "team-cap", "when": {"plan": "team"}, "ceiling": {"price_out": 5}, "preference": ["field", "price_in"]},
    {"id": "agreed", "when": {"floor": {"absent": False}}, "floor": {"price_in": {"tenant": "floor"}}},
    {"id": "low", "floor": {"price_in": 0.25}, "transform": ["set_param", "store", False]},
    {"id": "named", "when": {"plan": "enterprise"}, "require": [["provider_in", {"tenant": "approved"}]]},
    {"id": "first", "when": {"plan": ["team", "enterprise"], "vip": True}, "priority": 2, "preference": ["lit", 1]},
    {"id": "plan", "failure_plan": ["always", {"action": "abort"}], "preference": ["lit", 2]},
    {"id": "same-cap", "when": {"vip": True}, "ceiling": {"price_out": 5}},
]
TENANTS: list[dict[str, Any]] = [
    {"plan": "free", "vip": False},
    {"plan": "team", "vip": True},
    {"plan": "team", "vip": False, "floor": 0.125},
    {"plan": "enterprise", "vip": True, "floor": 0.5, "approved": ["p", "q"]},
    {"plan": "enterprise", "vip": False, "floor": 0.25, "approved": []},
]


@pytest.mark.parametrize("tenant", TENANTS, ids=str)
def test_without__is_what_the_rulebook_without_the_rule_compiles(tenant: dict[str, Any]) -> None:
    rulebook = book(*RULES)
    compiled = rulebook.compile(tenant)
    for rule in compiled.rules:
        rest = [each for each in [BASE, *RULES] if each["id"] != rule]
        other = Rulebook.from_value({"version": 1, "fields": FIELDS, "rules": rest})
        assert compiled.without(rule) == other.compile(tenant)
        # Reasons that were worked out before change nothing.
        assert compiled.origins
        assert compiled.without(rule) == other.compile(tenant)


def test_without__of_what_is_left_goes_on_to_the_next_rule() -> None:
    compiled = book(*RULES).compile(TENANTS[3])
    rest = [each for each in [BASE, *RULES] if each["id"] not in ("cap", "named")]
    other = Rulebook.from_value({"version": 1, "fields": FIELDS, "rules": rest})

    assert compiled.without("named").without("cap") == other.compile(TENANTS[3])


def test_without__takes_known_policies_and_adds_new_ones() -> None:
    compiled = book(*RULES).compile(TENANTS[1])
    known: dict[str, Policy] = {compiled.policy.identity: compiled.policy}

    assert compiled.without("same-cap", known).policy is compiled.policy
    fewer = compiled.without("low", known)
    assert known[fewer.policy.identity] is fewer.policy
    assert len(known) == 2


def test_without__refuses_a_rule_that_does_not_apply_and_a_tenant_that_is_then_refused() -> None:
    compiled = book().compile(TENANTS[0])

    with pytest.raises(RulebookError, match="rule 'bose' does not apply to this tenant, did you mean 'base'"):
        compiled.without("bose")
    with pytest.raises(TenantError, match="no rule says what this tenant may use"):
        compiled.without("base")


def test_without__refuses_a_pickled_policy() -> None:
    compiled = book(*RULES).compile(TENANTS[0])

    with pytest.raises(RulebookError, match="pickled"):
        pickle.loads(pickle.dumps(compiled)).without("base")
