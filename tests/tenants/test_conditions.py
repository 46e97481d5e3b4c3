"""Whether a rule applies: true, false or unknown."""

import pytest

from tenantrank.tenants.conditions import prepare_condition
from tenantrank.tenants.document import Document
from tests.tenants.books import FIELDS

ABSENT = dict.fromkeys(FIELDS)


def prepared(when):
    value = {"version": 1, "fields": FIELDS, "rules": [{"id": "r", "when": when, "require": [["top"]]}]}
    document = Document.model_validate(value)
    return prepare_condition(document.rules[0], document.fields)


def applies(when, **state):
    condition, faults = prepared(when)
    assert faults == []
    return condition(ABSENT | state)


@pytest.mark.parametrize(
    ("when", "state", "expected"),
    [
        ({}, {}, True),
        ({"plan": "free"}, {"plan": "free"}, True),
        ({"plan": "free"}, {"plan": "team"}, False),
        ({"plan": ["free", "team"]}, {"plan": "team"}, True),
        ({"plan": {"in": ["free", "team"]}}, {"plan": "enterprise"}, False),
        ({"plan": {"not_in": ["free", "team"]}}, {"plan": "enterprise"}, True),
        ({"plan": {"ne": "free"}}, {"plan": "free"}, False),
        ({"vip": True}, {"vip": True}, True),
        ({"vip": False}, {"vip": False}, True),
        ({"vip": {"eq": False}}, {"vip": True}, False),
        ({"seats": {"ge": 100, "lt": 500}}, {"seats": 100}, True),
        ({"seats": {"ge": 100, "lt": 500}}, {"seats": 500}, False),
        ({"seats": {"gt": 100, "le": 500}}, {"seats": 100}, False),
        ({"seats": {"gt": 100, "le": 500}}, {"seats": 500}, True),
        ({"approved": {"contains": "azure"}}, {"approved": ("openai", "azure")}, True),
        ({"approved": {"contains": "azure"}}, {"approved": ()}, False),
        ({"seats": {"absent": True}}, {}, True),
        ({"seats": {"absent": True}}, {"seats": 0}, False),
        ({"seats": {"absent": False}}, {}, False),
        ({"seats": {"absent": False}}, {"seats": 0}, True),
        ({"seats": {"absent": False, "ge": 5}}, {"seats": 4}, False),
        ({"vip": {"eq": True, "or_absent": True}}, {}, True),
        ({"vip": {"eq": True, "or_absent": False}}, {}, False),
        ({"vip": {"eq": True, "or_absent": True}}, {"vip": False}, False),
        ({"plan": "free", "vip": True}, {"plan": "free", "vip": False}, False),
    ],
)
def test_condition__holds_by_equality_membership_comparison_and_absence(when, state, expected):
    assert applies(when, **state) == (expected, None)


@pytest.mark.parametrize("test", [True, {"ne": True}, [True], {"not_in": [True]}])
def test_condition__is_unknown_where_it_turns_on_an_absent_field(test):
    assert applies({"plan": "free", "vip": test}, plan="free") == (None, "vip")


def test_condition__fails_whatever_is_unknown_where_another_test_fails():
    assert applies({"vip": True, "plan": "free"}, plan="team") == (False, None)


def test_condition__names_the_first_field_that_it_turns_on():
    assert applies({"vip": True, "seats": {"ge": 1}}) == (None, "vip")


@pytest.mark.parametrize(
    ("when", "path", "reason"),
    [
        ({"plann": "free"}, "when.plann", "undeclared tenant field 'plann', did you mean 'plan'?"),
        ({"plan": "fre"}, "when.plan", "'fre' is not an allowed value of tenant field 'plan', did you mean 'free'?"),
        ({"plan": 1}, "when.plan", "1 can never equal tenant field 'plan', which is of type enum"),
        ({"plan": {"ge": 1}}, "when.plan", "'ge' compares numbers"),
        ({"plan": {"absent": True}}, "when.plan", "is not optional, so it is never absent"),
        ({"vip": 1}, "when.vip", "1 can never equal tenant field 'vip'"),
        ({"seats": True}, "when.seats", "True can never equal tenant field 'seats'"),
        ({"seats": {"contains": "x"}}, "when.seats", "'contains' asks a list"),
        ({"approved": "azure"}, "when.approved", "is a list; ask 'contains' or 'absent'"),
        ({"seats": {}}, "when.seats", "at least one operator"),
        ({"seats": {"or_absent": True}}, "when.seats", "needs another operator"),
        ({"seats": {"absent": True, "ge": 1}}, "when.seats", "stands alone"),
        ({"seats": {"absent": False, "or_absent": True}}, "when.seats", "stands alone"),
    ],
)
def test_prepare_condition__says_what_can_never_be_meant(when, path, reason):
    _, faults = prepared(when)
    assert [where for where, _ in faults] == [path]
    assert reason in faults[0][1]
