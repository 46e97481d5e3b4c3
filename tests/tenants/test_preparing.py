"""A document checked and made ready."""

import pytest

from tenantrank.policy.signature import Fields
from tenantrank.tenants.document import Document
from tenantrank.tenants.preparing import prepare
from tests.tenants.books import BASE, FIELDS

CATALOG = Fields(
    {
        "priced": {"sort": "Bool", "default": False},
        "bench": {"sort": "Num", "default": 0.0},
        "region_eu": {"sort": "Bool", "default": False},
        "region_us": {"sort": "Bool", "default": False},
    }
)


def prepared(*rules, fields=CATALOG, **top):
    document = Document.model_validate({"version": 1, "fields": FIELDS, "rules": [BASE, *rules], **top})
    return prepare(document, fields)


def faults(*rules, fields=CATALOG, **top):
    found, reasons = prepared(*rules, fields=fields, **top)
    assert (found is None) == bool(reasons)
    return reasons


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        (
            {"require": [["is", "region_ue"]]},
            "require[0]: the catalog has no field 'region_ue', did you mean 'region_eu'?",
        ),
        (
            {"require": [["cmp", "priced", "ge", 1]]},
            "require[0]: field 'priced' is a Bool field, and it is used as a Num field",
        ),
        ({"floor": {"bemch": 1}}, "floor.bemch: the catalog has no field 'bemch', did you mean 'bench'?"),
        ({"floor": {"bench": {"tenant": "plan"}}}, "floor.bench: expected a finite number, got 'free' (at $.cmp[3])"),
        ({"require": [["min_tier", "gold"]]}, "require[0]: unknown tier 'gold', expected one of fallback"),
        ({"require": [["argmax"]]}, "require[0]: expected a Pred, got argmax, a Selector"),
        ({"require": [["or"]]}, "require[0]: or takes one argument or more, got none"),
        ({"require": [["top"], ["ist", "priced"]]}, "require[1]: unknown op 'ist', did you mean 'is'?"),
        (
            {"selector": ["top_k", {"tenant": "floor"}, ["argmax"]]},
            "selector: expected an integer of at least 1, got 0.5",
        ),
        ({"require": [["provider_eq", {"tenant": "approved"}]]}, "require[0]: expected a string, got an array"),
        ({"require": [["region_in", {"tenant": "region"}]]}, "require[0]: the catalog has no field 'region_global'"),
        (
            {"require": [["region_in", {"tenant": "approved"}]]},
            "require[0]: the catalog has no field 'region_any_text'",
        ),
        ({"preference": "fastest"}, "preference: unknown scorer 'fastest'"),
        ({"when": {"plan": "gold"}, "require": [["top"]]}, "when.plan: 'gold' is not an allowed value"),
        ({}, "adds nothing"),
    ],
)
def test_prepare__names_rule_place_and_reason(rule, reason):
    found = faults({"id": "bad", **rule})
    assert len(found) == 1
    assert found[0].startswith("rule 'bad'")
    assert reason in found[0]


def test_prepare__finds_all_faults_in_one_go():
    found = faults(
        {"id": "one", "require": [["is", "nothing"]]},
        {"id": "two", "when": {"plan": "gold", "vip": 3}, "require": [["top"]]},
        {"id": "two", "require": [["top"]]},
        {"id": "defaults", "require": [["top"]]},
        scorers={"unused": ["field", "nothing_either"]},
        ignore=["plan"],
    )
    assert len(found) == 7
    for text in ("rule 'one'", "when.plan", "when.vip", "used twice", "reserved", "scorers, unused", "ignore: 'plan'"):
        assert sum(text in fault for fault in found) == 1


def test_prepare__checks_only_the_values_that_a_condition_leaves():
    assert faults({"id": "r", "when": {"region": ["eu", "us"]}, "require": [["region_in", {"tenant": "region"}]]}) == []


def test_prepare__infers_a_vocabulary_without_a_catalog():
    found, reasons = prepared({"id": "r", "require": [["is", "anything"], ["min_tier", "gold"]]}, fields=None)
    assert reasons == []
    assert found.fields["anything"].sort == "Bool"
    assert found.warnings == ()
    reasons = faults({"id": "r", "require": [["is", "x"], ["cmp", "x", "ge", 1], ["is", "price_in"]]}, fields=None)
    assert len(reasons) == 2


def test_prepare__warns_of_bounds_that_unknown_values_pass():
    found, _ = prepared(
        {"id": "r", "floor": {"success_rate": 0.9, "bench": 0.5}, "ceiling": {"bench": 0.5, "price_out": 3}}
    )
    assert len(found.warnings) == 2
    assert "floor.success_rate: an offer that states no success_rate counts as 1 and passes" in found.warnings[0]
    assert "ceiling.bench: an offer that states no bench counts as 0 and passes" in found.warnings[1]


def test_prepare__ranks_rules_by_fields_tested_then_priority_then_place():
    found, _ = prepared(
        {"id": "a", "when": {"plan": "free", "vip": {"ne": True}}, "selector": ["argmax"]},
        {"id": "b", "priority": 9, "when": {"seats": {"ge": 1, "lt": 5}}, "selector": ["argmax"]},
        {"id": "c", "when": {"plan": "free"}, "selector": ["argmax"]},
    )
    assert [rule.strength for rule in found.rules] == [(0, 0, 0), (2, 0, 1), (1, 9, 2), (1, 0, 3)]


def test_prepare__holds_rules_hard_that_limit_or_transform():
    found, _ = prepared(
        {"id": "a", "transform": ["set_param", "store", False]},
        {"id": "b", "preference": ["zero"], "failure_plan": ["always", {"action": "abort"}]},
        {"id": "c", "ceiling": {"price_out": 1}},
        {"id": "d", "selector": ["top_k", 1, ["chain", [{"provider": "a", "model": "m"}]]]},
        {"id": "e", "selector": ["top_k", 1, ["argmax"]]},
    )
    assert [rule.hard for rule in found.rules] == [True, True, False, True, True, False]


def test_prepare__warns_of_bans_and_comparisons_that_unknown_values_pass():
    found, _ = prepared(
        {
            "id": "r",
            "require": [
                ["not", ["is", "region_us"]],
                ["cmp", "success_rate", "ge", 0.9],
                ["not", ["region_in", ["eu", "us"]]],
                ["not", ["is", "disabled"]],
                ["is", "region_eu"],
                ["cmp", "bench", "ge", 0.5],
            ],
        }
    )
    assert found.warnings == (
        "rule 'r', require[0]: an offer that states no region_us counts as false and passes 'not is region_us'",
        "rule 'r', require[1]: an offer that states no success_rate counts as 1 and passes 'cmp success_rate ge 0.9'",
        "rule 'r', require[2]: an offer that states no region_eu counts as false and passes 'not is region_eu'",
        "rule 'r', require[2]: an offer that states no region_us counts as false and passes 'not is region_us'",
    )


def test_prepare__does_not_warn_of_what_a_rule_says_is_meant():
    rule = {"require": [["not", ["is", "region_us"]]], "floor": {"success_rate": 0.9}}
    found, _ = prepared({"id": "r", **rule, "unknown_passes": ["region_us", "success_rate"]})
    assert found.warnings == ()
    found, _ = prepared({"id": "r", **rule, "unknown_passes": ["region_us"]}, {"id": "s", **rule})
    assert [warning.split(":")[0] for warning in found.warnings] == [
        "rule 'r', floor.success_rate",
        "rule 's', require[0]",
        "rule 's', floor.success_rate",
    ]


def test_prepare__refuses_unknown_passes_for_what_no_hard_clause_tests():
    rule = {"id": "r", "require": [["not", ["is", "region_us"]]], "preference": ["field", "bench"]}
    assert faults(rule | {"unknown_passes": ["region_su", "bench"]}) == [
        "rule 'r', unknown_passes: no hard clause tests 'region_su', did you mean 'region_us'?",
        "rule 'r', unknown_passes: no hard clause tests 'bench'",
    ]


def test_prepare__refuses_a_default_inside_a_chain():
    chain = ["chain", [{"provider": {"tenant": "plan", "default": "a"}, "model": "m"}]]
    assert faults({"id": "r", "selector": chain}) == [
        "rule 'r', selector: a default is not allowed where a missing value would loosen the policy"
    ]
