"""Why a tenant has each part of its policy."""

import pickle

import pytest

from tenantrank.tenants.origin import Origin
from tenantrank.tenants.reasons import reasons_of
from tests.tenants.books import book

RULES = (
    {
        "id": "a",
        "when": {"plan": "free"},
        "require": [["is", "no_log"], ["is", "priced"]],
        "transform": ["inject_seed", "s"],
    },
    {"id": "b", "when": {"vip": {"eq": True, "or_absent": False}}, "floor": {"x": {"tenant": "floor"}}},
    {"id": "c", "floor": {"x": 0.25}, "preference": ["lit", 1]},
    {"id": "d", "when": {"plan": "free"}, "preference": ["lit", 2], "selector": ["ordered"]},
)
STATE = {"plan": "free", "vip": True, "floor": 0.5}


@pytest.fixture
def reasons():
    rulebook = book(*RULES)
    prepared = rulebook._prepared
    return reasons_of(prepared.rules, prepared.defaults, STATE, rulebook.compile(STATE).policy.clauses)


def test_reasons__name_rule_field_and_value_of_each_clause_and_choice(reasons):
    assert {key: [str(origin) for origin in found] for key, found in reasons.origins.items()} == {
        '(is "priced")': ["base", "a <- plan='free'"],
        '(is "no_log")': ["a <- plan='free'"],
        '(cmp "x" "ge" 0.5)': ["b <- floor=0.5"],
    }
    assert list(reasons.origins) == sorted(reasons.origins)
    assert (reasons.preference, reasons.selector) == (Origin("d", "plan", "free"), Origin("d", "plan", "free"))
    assert reasons.failure_plan == Origin("defaults")
    assert reasons.transforms == (Origin("a", "plan", "free"),)
    assert reasons.rules == ("base", "a", "b", "c", "d")


def test_reasons__name_what_gave_way_bounds_first(reasons):
    assert [(found.kind, found.kept.rule, found.dropped.rule) for found in reasons.conflicts] == [
        ("floor", "b", "c"),
        ("preference", "d", "c"),
    ]


def test_reasons__are_read_only_and_survive_a_pickle(reasons):
    with pytest.raises(TypeError):
        reasons.origins["(bot)"] = ()
    assert pickle.loads(pickle.dumps(reasons)) == reasons
