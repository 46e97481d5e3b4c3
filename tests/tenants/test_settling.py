"""What stands where rules disagree."""

import pytest

from tests.tenants.books import book

TENANT = {"plan": "free", "vip": True, "floor": 0.5}
ALL = {"when": {"plan": "free"}}


def floors(compiled):
    return {
        c.parameters[0]: c.parameters[2] for c in compiled.policy.clauses if c.op == "cmp" and c.parameters[1] == "ge"
    }


def ceilings(compiled):
    return {
        c.parameters[0]: c.parameters[2] for c in compiled.policy.clauses if c.op == "cmp" and c.parameters[1] == "le"
    }


def test_bounds__the_stricter_stands_whatever_the_order():
    low, high = {"id": "low", **ALL, "floor": {"x": 0.2}}, {"id": "high", "floor": {"x": {"tenant": "floor"}}}
    for rules in ((low, high), (high, low)):
        compiled = book(*rules).compile(TENANT)
        assert floors(compiled) == {"x": 0.5}
        (conflict,) = compiled.conflicts
        assert str(conflict) == (
            "floor x: kept 0.5 (high <- floor=0.5) over 0.2 (low <- plan='free'): the stricter bound stands"
        )


def test_bounds__of_a_ceiling_the_lower_stands():
    compiled = book({"id": "a", "ceiling": {"x": 3}}, {"id": "b", "ceiling": {"x": 2}}).compile(TENANT)
    assert ceilings(compiled) == {"x": 2}
    assert (compiled.conflicts[0].kind, compiled.conflicts[0].kept.rule) == ("ceiling", "b")


def test_bounds__never_meet_across_fields_or_kinds():
    compiled = book({"id": "a", "ceiling": {"x": 3}, "floor": {"x": 1}}, {"id": "b", "ceiling": {"y": 2}}).compile(
        TENANT
    )
    assert (floors(compiled), ceilings(compiled)) == ({"x": 1}, {"x": 3, "y": 2})
    assert compiled.conflicts == ()


def test_bounds__equally_strict_stand_together():
    compiled = book({"id": "a", "floor": {"x": 0.5}}, {"id": "b", "floor": {"x": {"tenant": "floor"}}}).compile(TENANT)
    assert [str(origin) for origin in compiled.origins['(cmp "x" "ge" 0.5)']] == ["a", "b <- floor=0.5"]
    assert compiled.conflicts == ()


@pytest.mark.parametrize(
    ("first", "second", "kept", "reason"),
    [
        ({"when": {"plan": "free", "vip": True}}, ALL, "first", "more specific, 2 tenant field(s) against 1"),
        (ALL, {"when": {"plan": "free", "vip": True}}, "second", "more specific, 2 tenant field(s) against 1"),
        ({**ALL, "priority": 5}, {"when": {"plan": "free", "vip": True}}, "second", "more specific, 2 tenant"),
        ({**ALL, "priority": 5}, ALL, "first", "equally specific, priority 5 against 0"),
        (ALL, {**ALL, "priority": -1}, "first", "equally specific, priority 0 against -1"),
        (ALL, {"when": {"vip": True}}, "second", "equally specific, later in the file"),
        ({}, ALL, "second", "more specific, 1 tenant field(s) against 0"),
    ],
)
@pytest.mark.parametrize(
    ("key", "values"),
    [
        ("preference", (["lit", 1], ["lit", 2])),
        ("selector", (["argmax"], ["ordered"])),
        ("failure_plan", (["always", {"action": "abort"}], ["always", {"action": "retry_same"}])),
    ],
)
def test_choices__that_of_the_most_specific_rule_stands(first, second, kept, reason, key, values):
    rules = {"id": "first", **first, key: values[0]}, {"id": "second", **second, key: values[1]}
    compiled = book(*rules).compile(TENANT)
    part = {"preference": "scorer", "selector": "selector", "failure_plan": "failure_plan"}[key]
    assert getattr(compiled.policy, part).term() == dict(zip(("first", "second"), values, strict=True))[kept]
    assert getattr(compiled, key).rule == kept
    (conflict,) = compiled.conflicts
    assert (conflict.kind, conflict.kept.rule) == (key, kept)
    assert reason in conflict.reason


def test_choices__that_say_the_same_are_no_conflict():
    rules = {"id": "a", "preference": ["lit", 1]}, {"id": "b", **ALL, "preference": ["lit", 1.0]}
    compiled = book(*rules).compile(TENANT)
    assert (compiled.preference.rule, compiled.conflicts) == ("b", ())


def test_choices__of_the_defaults_give_way_without_conflict():
    rulebook = book({"id": "a", **ALL, "preference": ["lit", 1]}, defaults={"preference": ["lit", 7]})
    assert rulebook.compile(TENANT).conflicts == ()
    other = rulebook.compile({**TENANT, "plan": "team"})
    assert (other.policy.scorer.term(), other.preference.rule) == (["lit", 7], "defaults")
