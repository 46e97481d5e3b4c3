"""The terms of a rulebook, gathered and tried with sample values."""

from tenantrank.tenants.conditions import prepare_condition
from tenantrank.tenants.document import Document
from tenantrank.tenants.drafts import Draft, default_drafts, rule_drafts, sampled, scorer_drafts
from tests.tenants.books import BASE, FIELDS


def document(rule=None, **top):
    fields = FIELDS | {"only": {"type": "list", "values": ["a", "b"]}, "size": {"type": "integer", "minimum": 3}}
    rules = [BASE] if rule is None else [{"id": "r", **rule}]
    return Document.model_validate({"version": 1, "fields": fields, "rules": rules, **top})


def samples(term, when=None, key="require"):
    found = document({"when": when or {}, "require": [["top"]]})
    condition, faults = prepare_condition(found.rules[0], found.fields)
    draft = sampled(Draft("r", key, "path", "Pred", term), condition, found, faults)
    return list(draft.samples), faults


def test_rule_drafts__gathers_every_part_with_sort_and_place():
    rule = {
        "require": [["top"], ["is", "x"]],
        "floor": {"bench": 0.5},
        "ceiling": {"price_out": {"tenant": "floor"}},
        "transform": ["id"],
        "preference": {"highest": "bench"},
        "selector": ["argmax"],
        "failure_plan": ["always", {"action": "abort"}],
    }
    found = document(rule)
    condition, _ = prepare_condition(found.rules[0], found.fields)
    faults = []
    assert [(d.path, d.sort, d.term) for d in rule_drafts(found.rules[0], condition, found, faults)] == [
        ("require[0]", "Pred", ["top"]),
        ("require[1]", "Pred", ["is", "x"]),
        ("floor.bench", "Pred", ["cmp", "bench", "ge", 0.5]),
        ("ceiling.price_out", "Pred", ["cmp", "price_out", "le", {"tenant": "floor"}]),
        ("transform", "Xform", ["id"]),
        ("preference", "Scorer", ["field", "bench"]),
        ("selector", "Selector", ["argmax"]),
        ("failure_plan", "FailPlan", ["always", {"action": "abort"}]),
    ]
    assert faults == []


def test_default_and_scorer_drafts__cover_what_no_rule_uses():
    found = document(scorers={"own": ["field", "x"]}, defaults={"preference": "nobody"})
    faults = []
    assert [d.path for d in default_drafts(found, faults)] == ["selector", "failure_plan"]
    assert faults == ["defaults, preference: unknown scorer 'nobody'"]
    assert [(d.rule, d.term) for d in scorer_drafts(found)] == [("scorers", ["field", "x"])]


def test_sampled__tries_each_allowed_value_that_the_condition_leaves():
    term = ["region_in", {"tenant": "region"}]
    assert samples(term, {"region": ["eu", "us"]}) == (
        [["or", ["is", "region_eu"]], ["or", ["is", "region_us"]]],
        [],
    )
    assert len(samples(term)[0]) == 3


def test_sampled__tries_each_item_of_a_list_and_none():
    found, _ = samples(["provider_in", {"tenant": "only"}])
    assert found == [["or", ["provider_eq", "a"]], ["or", ["provider_eq", "b"]], ["bot"]]


def test_sampled__tries_numbers_within_their_range():
    assert samples(["cmp", "x", "ge", {"tenant": "floor"}])[0] == [["cmp", "x", "ge", 0.5]]
    assert samples(["cmp", "x", "ge", {"tenant": "size"}])[0] == [["cmp", "x", "ge", 3]]


def test_sampled__varies_one_field_at_a_time():
    term = ["or", ["provider_in", {"tenant": "only"}], ["is", {"tenant": "region"}]]
    assert len(samples(term)[0]) == 1 + 2 + 2


def test_sampled__faults_what_no_tenant_can_fill():
    for term, when, reason in (
        (["provider_in", {"tenant": "aproved"}], {}, "undeclared tenant field 'aproved', did you mean 'approved'?"),
        (["provider_in", {"tenant": "approved", "or": []}], {}, "has the keys 'tenant' and 'default', not 'or'"),
        (["provider_in", {"tenant": "approved", "default": []}], {}, "a default is not allowed"),
        (["is", {"tenant": "region"}], {"region": {"not_in": ["eu", "us", "global"]}}, "leaves no value"),
        (["provider_in", 5], {}, "provider_in takes one argument"),
    ):
        found, faults = samples(term, when)
        assert found == []
        assert len(faults) == 1
        assert faults[0].startswith("rule 'r', path: ")
        assert reason in faults[0]


def test_sampled__allows_a_default_where_nothing_gets_looser():
    assert samples(["lit", {"tenant": "floor", "default": 1}], key="preference")[1] == []
