"""One tenant to one policy."""

import copy
import pickle

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from tenantrank.errors import TenantError
from tenantrank.policy.policy import admit
from tenantrank.policy.signature import MAX_NODES
from tenantrank.tenants import Origin, Rulebook
from tests.reference.predicates import holds
from tests.tenants.books import BASE, FIELDS, book, plain_compile

_TESTS = {
    "plan": st.sampled_from(["free", ["free", "team"], {"ne": "free"}, {"in": ["enterprise"]}]),
    "region": st.sampled_from(["eu", {"in": ["eu", "us"], "or_absent": True}, {"absent": True}, {"ne": "eu"}]),
    "vip": st.sampled_from([True, False, {"in": [True], "or_absent": False}, {"absent": False}]),
    "seats": st.sampled_from([{"ge": 10}, {"ge": 5, "lt": 10, "or_absent": True}, 7]),
}
_BOUND = st.sampled_from([0.25, 0.5, 1, {"tenant": "floor"}])
_CLAUSES = st.sampled_from(
    [
        ["is", "eu"],
        ["is", "no_log"],
        ["provider_in", ["azure", "b"]],
        ["provider_in", {"tenant": "approved"}],
        ["provider_in", []],
    ]
)
_RULES = st.fixed_dictionaries(
    {"when": st.fixed_dictionaries({}, optional=_TESTS)},
    optional={
        "require": st.lists(_CLAUSES, min_size=1, max_size=2),
        "floor": st.dictionaries(st.sampled_from(["x", "price_out"]), _BOUND, min_size=1),
        "ceiling": st.dictionaries(st.sampled_from(["x", "price_out"]), _BOUND, min_size=1),
        "preference": st.sampled_from([["lit", 1], ["field", "x"], ["neg", ["field", "price_out"]]]),
        "priority": st.integers(-1, 1),
    },
).filter(lambda rule: set(rule) - {"when", "priority"})
_TENANTS = st.fixed_dictionaries(
    {"plan": st.sampled_from(["free", "team", "enterprise"])},
    optional={
        "region": st.sampled_from(["global", "eu", "us"]),
        "vip": st.booleans(),
        "seats": st.sampled_from([1, 7, 10]),
        "floor": st.sampled_from([0, 0.5, 0.75]),
        "approved": st.sampled_from([[], ["azure"], ["b", "azure"]]),
    },
)


def _value(rules):
    # The rules of the sample are all-or-nothing: each is named by its place.
    named = [{"id": f"r{place}", **rule} for place, rule in enumerate(rules)]
    return {"version": 1, "fields": FIELDS, "rules": [BASE, *named]}


@settings(max_examples=300, derandomize=True, deadline=None)
@given(st.lists(_RULES, max_size=5), st.lists(_TENANTS, min_size=1, max_size=4))
def test_compile__equals_the_plain_compiler(rules, tenants):
    value = _value(rules)
    rulebook = Rulebook.from_value(value)
    for tenant in tenants:
        term = plain_compile(value, tenant)
        if term is None:
            with pytest.raises(TenantError):
                rulebook.compile(tenant)
            continue
        compiled = rulebook.compile(tenant)
        assert compiled.policy == admit(term, rulebook.fields)


@settings(max_examples=150, derandomize=True, deadline=None)
@given(st.lists(_RULES, max_size=5), _TENANTS)
def test_compile__gives_every_clause_an_origin_that_the_tenant_bears_out(rules, tenant):
    value = _value(rules)
    try:
        compiled = Rulebook.from_value(value).compile(tenant)
    except TenantError:
        return
    assert set(compiled.origins) == {clause.encoding for clause in compiled.policy.clauses}
    by_id = {rule["id"]: rule for rule in value["rules"]}
    for origins in compiled.origins.values():
        assert origins
        for origin in origins:
            assert origin.rule in compiled.rules
            if origin.field is None:
                assert not by_id[origin.rule].get("when")
            else:
                has = tenant.get(origin.field)
                assert origin.value == (tuple(has) if isinstance(has, list) else has)


_OFFERS = [
    {"id": f"{provider}-{x}-{eu}", "provider_id": provider, "model_family": "m", "x": x, "eu": eu, **price}
    for provider in ("azure", "b", "c")
    for x in (0.3, 0.6)
    for eu in (True, False)
    for price in ({"price_out": 0.4, "priced": True, "no_log": True}, {"priced": True}, {})
]
_OFFER_FIELDS = {name: {"sort": "Bool", "default": False} for name in ("priced", "eu")} | {
    "x": {"sort": "Num", "default": 0.0}
}


@settings(max_examples=100, derandomize=True, deadline=None)
@given(st.lists(_RULES, max_size=4), _RULES, _TENANTS)
def test_compile__never_gains_an_offer_by_a_further_rule(rules, further, tenant):
    def accepted(chosen):
        filter_ = Rulebook.from_value(_value(chosen)).compile(tenant).policy.filter.term()
        return {offer["id"] for offer in _OFFERS if holds(filter_, offer, {}, _OFFER_FIELDS) is None}

    try:
        after = accepted([*rules, further])
    except TenantError:
        return
    assert after <= accepted(rules)


def test_compile__gives_what_admission_gives_for_its_own_term():
    rulebook = book(
        {"id": "a", "when": {"plan": "free"}, "require": [["and", ["is", "x"], ["is", "y"]]], "transform": ["id"]},
        {"id": "b", "transform": ["seq", ["set_param", "p", 1], ["inject_seed", "seed"]]},
        {"id": "c", "transform": ["clamp_param", "q", 0, 1], "selector": ["top_k", 3, ["sample", 0.5]]},
        {"id": "d", "failure_plan": ["override", ["always", {"action": "abort"}], "timeout", {"action": "retry_same"}]},
    )
    policy = rulebook.compile({"plan": "free"}).policy
    again = admit(policy.term, rulebook.fields, "sigma-pol/v2")
    assert again == policy
    assert (again.root, again.identity, again.sort) == (policy.root, policy.identity, policy.sort)
    assert policy.transform.encoding == '(seq (set_param "p" 1) (inject_seed "seed") (clamp_param "q" 0 1))'


def test_compile__keeps_the_origin_of_each_clause_of_an_and():
    compiled = book({"id": "a", "when": {"plan": "free"}, "require": [["and", ["is", "x"], ["is", "y"]]]}).compile(
        {"plan": "free"}
    )
    assert {key: [str(o) for o in found] for key, found in compiled.origins.items()} == {
        '(is "priced")': ["base"],
        '(is "x")': ["a <- plan='free'"],
        '(is "y")': ["a <- plan='free'"],
    }


def test_compile__states_a_clause_once_with_every_rule_that_asks_it():
    compiled = book({"id": "a", "require": [["is", "priced"], ["is", "priced"]]}).compile({"plan": "free"})
    assert compiled.policy.filter.encoding == '(is "priced")'
    assert [str(origin) for origin in compiled.origins['(is "priced")']] == ["base", "a"]


def test_compile__of_bot_names_the_rule_that_allows_nothing():
    compiled = book({"id": "a", "require": [["provider_in", {"tenant": "approved"}]]}).compile(
        {"plan": "free", "approved": []}
    )
    assert compiled.policy.filter.encoding == "(bot)"
    assert {key: [str(o) for o in found] for key, found in compiled.origins.items()} == {"(bot)": ["a <- approved=[]"]}


def test_compile__lets_everything_through_only_where_a_rule_says_so():
    value = {"version": 1, "fields": FIELDS, "rules": [{"id": "soft", "preference": ["lit", 1]}]}
    with pytest.raises(TenantError, match="no rule says what this tenant may use"):
        Rulebook.from_value(value).compile({"plan": "free"})
    value["rules"].append({"id": "open", "when": {"plan": "free"}, "require": [["top"]]})
    compiled = Rulebook.from_value(value).compile({"plan": "free"})
    assert [str(origin) for origin in compiled.origins["(top)"]] == ["open <- plan='free'"]


@pytest.mark.parametrize(
    "hard", [{"require": [["is", "x"]]}, {"floor": {"x": 1}}, {"ceiling": {"x": 1}}, {"transform": ["id"]}]
)
def test_compile__refuses_a_tenant_on_whose_missing_field_a_hard_rule_turns(hard):
    rulebook = book({"id": "a", "when": {"region": "eu"}, **hard})
    with pytest.raises(TenantError, match="rule 'a' turns on 'region', which the tenant lacks") as caught:
        rulebook.compile({"plan": "free"})
    assert (caught.value.field, caught.value.rule) == ("region", "a")


def test_compile__passes_over_a_soft_rule_on_a_missing_field():
    compiled = book({"id": "a", "when": {"region": "eu"}, "preference": ["lit", 1]}).compile({"plan": "free"})
    assert compiled.rules == ("base",)


def test_compile__fills_the_defaults_from_each_tenant():
    rulebook = book(defaults={"preference": ["lit", {"tenant": "floor", "default": 0.25}]})
    found = [
        rulebook.compile({"plan": "free", "floor": floor}).policy.scorer.term() for floor in (0.5, 0.75, None, 0.5)
    ]
    assert found == [["lit", 0.5], ["lit", 0.75], ["lit", 0.25], ["lit", 0.5]]


def test_compile__gives_one_object_for_states_that_differ_in_what_no_rule_reads():
    rulebook = book({"id": "a", "when": {"plan": "free"}, "floor": {"x": {"tenant": "floor"}}})
    first = rulebook.compile({"plan": "free", "floor": 0.5, "seats": 1})
    assert rulebook.compile({"plan": "free", "floor": 0.5, "seats": 2}) is first
    assert rulebook.compile({"plan": "team", "floor": 0.5}) is rulebook.compile({"plan": "team", "floor": 0.6})


def test_compile__shares_a_policy_between_different_origins():
    rulebook = book({"id": "a", "when": {"seats": {"ge": 5}}, "require": [["is", "x"]]})
    five, six = (rulebook.compile({"plan": "free", "seats": seats}) for seats in (5, 6))
    assert five.policy is six.policy
    assert five.origins != six.origins


def test_compile__is_the_same_after_forgetting(monkeypatch):
    monkeypatch.setattr("tenantrank.tenants.rulebook._MEMORY", 2)
    rulebook = book({"id": "a", "floor": {"x": {"tenant": "floor"}}})
    tenants = [{"plan": "free", "floor": place / 8} for place in (1, 2, 3, 4, 1, 2)]
    found = [rulebook.compile(tenant) for tenant in tenants]
    assert found[0] == found[4]
    assert found[0] is not found[4]


def test_compile__refuses_a_policy_larger_than_the_language_allows():
    rulebook = book({"id": "a", "require": [["provider_in", {"tenant": "approved"}]]})
    # Around the list: the policy, its and, priced, the or, scorer, selector, transform, plan.
    fits = [f"p{place}" for place in range(MAX_NODES - 8)]
    policy = rulebook.compile({"plan": "free", "approved": fits}).policy
    assert admit(policy.term, rulebook.fields) == policy
    with pytest.raises(TenantError, match="4097 subterms"):
        rulebook.compile({"plan": "free", "approved": [*fits, "one more"]})


# An `or` hangs below the filter's own `and`, on level 3; an `and` melts into that one, on level 2.
@pytest.mark.parametrize(
    ("top", "levels", "fits"), [("or", 62, True), ("or", 63, False), ("and", 63, True), ("and", 64, False)]
)
def test_compile__refuses_a_policy_deeper_than_the_language_allows(top, levels, fits):
    term, joins = ["is", "x"], {"or": "and", "and": "or"}
    for level in range(levels - 1):
        term = [top if (levels - level) % 2 == 0 else joins[top], term, ["is", f"y{level}"]]
    assert term[0] == top
    rulebook = book({"id": "a", "require": [term]})
    if fits:
        policy = rulebook.compile({"plan": "free"}).policy
        assert admit(policy.term, rulebook.fields) == policy
    else:
        with pytest.raises(TenantError, match="65 levels"):
            rulebook.compile({"plan": "free"})


def test_compile__warns_of_a_blend_that_one_unpriced_offer_would_level():
    blend = {"id": "a", "preference": {"blend": {"cheap": 1, "best": 1}}}
    scorers = {"cheap": {"lowest": "price_out"}, "best": {"highest": "x"}}
    (warning,) = (
        book(blend, scorers=scorers, fields=FIELDS, rules=[{"id": "base", "require": [["top"]]}, blend])
        .compile({"plan": "free"})
        .warnings
    )
    assert "normalizes price_out" in warning
    assert book(blend, scorers=scorers).compile({"plan": "free"}).warnings == ()
    ceiling = copy.deepcopy(blend) | {"ceiling": {"price_out": 5}}
    assert book(scorers=scorers, rules=[ceiling]).compile({"plan": "free"}).warnings == ()
    lowest = {"id": "a", "preference": "cheap", "require": [["top"]]}
    assert book(scorers=scorers, rules=[lowest]).compile({"plan": "free"}).warnings == ()


def test_compile__gives_what_nobody_can_change_for_others():
    rulebook = book({"id": "a", "require": [["provider_in", {"tenant": "approved"}]]})
    tenant = {"plan": "free", "approved": ["azure"]}
    compiled = rulebook.compile(tenant)
    with pytest.raises(TypeError):
        compiled.origins["(bot)"] = ()
    assert not hasattr(compiled.origins, "clear")
    for origins in compiled.origins.values():
        assert hash(origins) is not None
    again = copy.deepcopy(compiled)
    assert again == compiled
    assert again.origins is not compiled.origins


@pytest.mark.parametrize("name", ["policy", "origins", "preference", "rules", "warnings", "more"])
def test_compiled__cannot_be_changed(name):
    compiled = book().compile({"plan": "free"})
    with pytest.raises(AttributeError):
        setattr(compiled, name, None)


def test_compiled__is_equal_where_policy_and_reasons_are():
    rules = {"id": "a", "floor": {"x": {"tenant": "floor"}}}, {"id": "b", "when": {"plan": "team"}, "floor": {"x": 0.5}}
    one, other = book(*rules), book(*rules)
    first = one.compile({"plan": "free", "floor": 0.5})
    assert first == other.compile({"plan": "free", "floor": 0.5})
    team = one.compile({"plan": "team", "floor": 0.5})
    assert (team.policy, team != first, first != first.policy) == (first.policy, True, True)
    assert repr(team) == f"<CompiledPolicy of base, a, b: {team.policy!r}>"


def test_compiled__works_its_reasons_out_once():
    compiled = book({"id": "a", "preference": ["lit", 1]}).compile({"plan": "free"})
    before = compiled.preference, compiled.rules
    assert compiled.origins is compiled.origins
    assert (compiled.preference, compiled.rules) == before == (Origin("a"), ("base", "a"))


def test_compiled__survives_a_pickle_without_its_rules():
    compiled = book({"id": "a", "when": {"plan": "free"}, "floor": {"x": {"tenant": "floor"}}}).compile(
        {"plan": "free", "floor": 0.5}
    )
    content = pickle.dumps(compiled)
    again = pickle.loads(content)
    assert again == compiled
    assert (again.rules, again.preference, again.origins) == (compiled.rules, compiled.preference, compiled.origins)
    assert b"RuleSet" not in content


def test_compile__a_rule_with_a_chain_is_not_passed_over_where_its_condition_is_unknown():
    chain = ["chain", [{"provider": "azure", "model": "m"}]]
    for selector in (chain, ["top_k", 2, chain]):
        rulebook = book({"id": "gold", "when": {"vip": True}, "selector": selector})
        with pytest.raises(TenantError, match="rule 'gold' turns on 'vip'") as caught:
            rulebook.compile({"plan": "free"})
        assert caught.value.rule == "gold"
    soft = book({"id": "gold", "when": {"vip": True}, "selector": ["top_k", 2, ["argmax"]]})
    assert soft.compile({"plan": "free"}).policy.selector.op == "argmax"
