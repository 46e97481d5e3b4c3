"""Rules: which one decides, and that never two, none or another do."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tenantrank as tr
from tenantrank.gateway.auth import Caller
from tenantrank.gateway.body import GATEWAY_MEMBERS, Body
from tenantrank.gateway.directory import Directory
from tenantrank.gateway.problem import Problem
from tenantrank.gateway.rules import LONGEST_POLICY, Rule, rule_of
from tenantrank.policy.memory import Memory

PLAN = ["always", {"action": "next_candidate"}]
POLICY = ["policy", ["provider_eq", "openai"], ["zero"], ["argmax"], ["id"], PLAN]
OLD_POLICY = ["policy", ["ev_zero"], *[["top"], ["zero"], ["argmax"], ["id"], PLAN]]
STATE = {"tenant_id": "acme", "plan": "enterprise"}
CATALOG = tr.Catalog.from_records(
    [
        {"id": "a", "provider_id": "openai", "model_family": "gpt-4o", "price_in": 1, "price_out": 1},
        {"id": "b", "provider_id": "azure", "model_family": "gpt-4o", "price_in": 1, "price_out": 1},
    ]
)
RULEBOOK = tr.Rulebook.from_value(
    {
        "version": 1,
        "fields": {"plan": {"type": "enum", "values": ["free", "enterprise"]}},
        "ignore": ["note"],
        "rules": [
            {"id": "base", "require": [["is", "priced"]]},
            {"id": "big", "when": {"plan": "enterprise"}, "require": [["provider_eq", "azure"]]},
        ],
    }
).bind(CATALOG.fields)
DEFAULT = tr.admit(["policy", ["top"], ["zero"], ["argmax"], ["id"], PLAN], CATALOG.fields)
EVERYTHING = Caller("all", ways=frozenset({"policy_ir", "tenant", "provider", "default"}))


@dataclass
class Server:
    fields: tr.Fields = field(default_factory=lambda: CATALOG.fields)
    directory: Directory = field(default_factory=lambda: Directory.of(CATALOG))
    rulebook: tr.Rulebook | None = field(default_factory=lambda: RULEBOOK)
    tenants: Mapping[str, Mapping[str, Any]] = field(default_factory=lambda: {"acme": STATE, "broken": {"plan": "x"}})
    default: tr.Policy | tr.CompiledPolicy | None = field(default_factory=lambda: DEFAULT)
    remembered: Memory[Rule] = field(default_factory=Memory)


def rule(members: dict[str, Any] | bytes, caller: Caller = EVERYTHING, server: Server | None = None) -> Rule:
    raw = members if isinstance(members, bytes) else json.dumps({"model": "gpt-4o", "messages": [], **members}).encode()
    return rule_of(Body.read(raw), caller, server or Server())


def refused(members: dict[str, Any] | bytes, caller: Caller = EVERYTHING, server: Server | None = None) -> Problem:
    with pytest.raises(Problem) as caught:
        rule(members, caller, server)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 1000
    return caught.value


def encoding(found: Rule) -> str:
    return (found.policy.policy if isinstance(found.policy, tr.CompiledPolicy) else found.policy).encoding


def test_rule_of__a_policy_in_the_call() -> None:
    server = Server()
    found = rule({"policy_ir": POLICY}, server=server)
    assert (found.source, found.tenant, found.shown) == ("policy_ir", None, None)
    assert encoding(found) == tr.admit(POLICY, CATALOG.fields).encoding
    assert rule({"policy_ir": POLICY}, server=server) is found
    assert rule({"policy_ir": OLD_POLICY}).policy.version == "sigma-pol/v1"  # type: ignore[union-attr]


def test_rule_of__a_state_in_the_call() -> None:
    server = Server()
    found = rule({"tenant": STATE}, server=server)
    assert (found.source, found.tenant) == ("tenant", "acme")
    assert isinstance(found.policy, tr.CompiledPolicy)
    assert found.policy.rules == ("base", "big")
    assert rule({"tenant": STATE}, server=server) is found
    nameless = rule({"tenant": {"plan": "free", "note": [None, {"a": None}]}})
    assert nameless.tenant is not None
    assert nameless.tenant.startswith("state:")
    assert nameless.tenant != rule({"tenant": {"plan": "free"}}).tenant
    assert rule({"tenant": {"plan": "free", "note": None}}).tenant == rule({"tenant": {"plan": "free"}}).tenant


def test_rule_of__a_tenant_that_the_server_knows() -> None:
    found = rule({"tenant": "acme"})
    assert (found.source, found.tenant) == ("tenant", "acme")
    assert encoding(found) == encoding(rule({"tenant": STATE}))


def test_rule_of__a_provider_object_is_translated_and_shown() -> None:
    server = Server()
    found = rule({"provider": {"only": ["OpenAI"]}}, server=server)
    assert found.source == "provider"
    assert found.shown is not None
    assert tr.admit(found.shown, CATALOG.fields) == found.policy
    assert rule({"provider": {"only": ["OpenAI"]}}, server=server) is found
    assert rule({"provider": {"only": ["OpenAI"]}, "model": "openai/gpt-4o"}, server=server) is not found
    assert rule({"provider": {}}).shown is not None


def test_rule_of__required_parameters_follow_the_call() -> None:
    server = Server()
    plain = rule({"provider": {"require_parameters": True}}, server=server)
    more = rule({"provider": {"require_parameters": True}, "temperature": 1}, server=server)
    assert "supports_temperature" in encoding(more)
    assert "supports_temperature" not in encoding(plain)


def test_rule_of__the_default_where_nothing_is_said() -> None:
    assert rule({}).policy is DEFAULT
    assert rule({}).source == "default"


@pytest.mark.parametrize("tenant", ["acme", STATE])
def test_rule_of__the_keys_tenant(tenant: Any) -> None:
    server, caller = Server(), Caller("k", tenant)
    found = rule({}, caller, server)
    assert (found.source, found.tenant) == ("key", "acme")
    assert encoding(found) == encoding(rule({"tenant": STATE}))
    assert rule({}, caller, server) is found


@pytest.mark.parametrize("way", ["policy_ir", "tenant", "provider"])
@pytest.mark.parametrize("value", [None, POLICY, STATE, "acme", {}, "", False])
def test_rule_of__a_key_that_stands_for_a_tenant_hears_no_other_rule(way: str, value: Any) -> None:
    caller = Caller("k", "acme", ways=frozenset({"policy_ir", "tenant", "provider", "default"}))
    problem = refused({way: value}, caller)
    assert (problem.status, problem.code, problem.param) == (400, "ambiguous_rule", way)


@pytest.mark.parametrize(
    "members",
    [
        {"policy_ir": POLICY, "tenant": STATE},
        {"tenant": "acme", "provider": {}},
        {"provider": {}, "policy_ir": POLICY},
        {"policy_ir": None, "tenant": "acme"},
        {"policy_ir": POLICY, "tenant": None},
        {"policy_ir": POLICY, "tenant": STATE, "provider": {}},
    ],
)
def test_rule_of__two_rules_at_once_are_refused(members: dict[str, Any]) -> None:
    assert refused(members).code == "ambiguous_rule"


def test_rule_of__no_rule_is_refused() -> None:
    problem = refused({}, Caller("k", ways=frozenset({"policy_ir", "tenant"})))
    assert (problem.status, problem.code) == (400, "rule_required")
    assert "policy_ir, tenant" in str(problem)
    assert refused({}, server=Server(default=None)).code == "rule_required"
    assert refused({}, Caller("k")).code == "rule_required"


@pytest.mark.parametrize("way", ["policy_ir", "tenant", "provider"])
def test_rule_of__a_way_that_the_key_does_not_allow_is_refused_whatever_it_holds(way: str) -> None:
    caller = Caller("k", ways=EVERYTHING.ways - {way})
    for value in (POLICY, STATE, "acme", None, {}):
        problem = refused({way: value}, caller)
        assert (problem.status, problem.code, problem.param) == (403, "not_permitted", way)


@pytest.mark.parametrize(
    "value",
    [
        *(
            None,
            True,
            0,
            1.5,
            "",
            "policy",
            [],
            {},
            [[]],
            ["policy"],
            POLICY[:-1],
            [*POLICY, ["top"]],
            {"policy": POLICY},
        ),
        json.dumps(POLICY),
        ["policy", ["is", "no_logs"], *POLICY[2:]],
        ["policy", ["cmp", "price_out", "le", True], *POLICY[2:]],
        ["policy", ["cmp", "price_out", "le", "1"], *POLICY[2:]],
        ["policy", {"top": 1}, *POLICY[2:]],
    ],
)
def test_rule_of__refuses_what_is_no_policy(value: Any) -> None:
    problem = refused({"policy_ir": value})
    assert (problem.status, problem.code, problem.param) == (400, "invalid_policy", "policy_ir")
    assert problem.details["path"].startswith("$")
    assert problem.details["reason"]


def test_rule_of__refuses_policies_that_are_too_deep_or_too_long() -> None:
    deep: Any = ["top"]
    for _ in range(61):
        deep = ["not", deep]
    assert rule({"policy_ir": ["policy", deep, *POLICY[2:]]})
    assert refused({"policy_ir": ["policy", ["not", ["not", deep]], *POLICY[2:]]}).code == "invalid_policy"
    long = ["policy", ["provider_eq", "x" * LONGEST_POLICY], *POLICY[2:]]
    assert refused({"policy_ir": long}).code == "invalid_policy"
    assert refused({"tenant": {"plan": "x" * LONGEST_POLICY}}).code == "invalid_tenant"
    assert refused({"provider": {"only": ["x" * LONGEST_POLICY]}}).code == "invalid_provider"


@pytest.mark.parametrize(
    "xform", [["filter_text", ["pii"]], ["custom", "x"], ["when", ["top"], ["filter_image", ["a"]]]]
)
def test_rule_of__refuses_transforms_that_nothing_here_runs(xform: Any) -> None:
    policy = [*POLICY[:4], ["seq", ["set_param", "n", 1], xform], PLAN]
    assert refused({"policy_ir": policy}).code == "invalid_policy"
    assert rule({"policy_ir": [*POLICY[:4], ["seq", ["set_param", "n", 1], ["clamp_param", "n", 0, 1]], PLAN]})


@pytest.mark.parametrize(
    "value",
    [
        *(None, True, 1, 1.5, [], [STATE], "", "ACME", "acme ", "unknown", {}),
        {"plan": "Enterprise"},
        {"plan": ["enterprise"]},
        {"plan": {"eq": "enterprise"}},
        {"plan": True},
        {"plan": None},
        {"plan": "free", "Plan": "enterprise"},
        {"plan": "free", "envelope": ["top"]},
    ],
)
def test_rule_of__refuses_what_is_no_tenant(value: Any) -> None:
    problem = refused({"tenant": value})
    assert (problem.status, problem.code, problem.param) == (400, "invalid_tenant", "tenant")
    assert "acme" not in str(problem)


def test_rule_of__a_rulebook_is_needed_for_tenants() -> None:
    server = Server(rulebook=None)
    assert refused({"tenant": STATE}, server=server).code == "invalid_tenant"
    for members, caller in (
        ({"tenant": "acme"}, EVERYTHING),
        ({}, Caller("k", "acme")),
        ({}, Caller("k", STATE)),
    ):
        assert (refused(members, caller, server).status, refused(members, caller, server).code) == (
            503,
            "tenant_unavailable",
        )


def test_rule_of__a_state_of_the_servers_own_that_does_not_compile_lets_nothing_through_and_says_nothing() -> None:
    for members, caller in (
        ({"tenant": "broken"}, EVERYTHING),
        ({}, Caller("k", "broken")),
        ({}, Caller("k", "absent")),
        ({}, Caller("k", {"plan": "secret-plan"})),
    ):
        problem = refused(members, caller)
        assert (problem.status, problem.code) == (503, "tenant_unavailable")
        assert "plan" not in str(problem)


@pytest.mark.parametrize("value", [None, True, 1, "openai", ["openai"], [], {"onyl": []}, {"only": "openai"}])
def test_rule_of__refuses_what_is_no_provider_object(value: Any) -> None:
    assert refused({"provider": value}).code == "invalid_provider"


def test_rule_of__a_provider_object_needs_a_model() -> None:
    assert refused(b'{"provider":{}}').param == "model"
    assert refused({"provider": {}, "model": 5}).param == "model"
    assert refused({"provider": {}, "model": "unheard-of"}).code == "model_not_found"


@pytest.mark.parametrize(
    "raw",
    [
        b'{"policy_ir":["top"],"policy\\u005fir":["top"]}',
        b'{"tenant":{"plan":"free","plan":"enterprise"}}',
        b'{"tenant":{"plan":"free","pl\\u0061n":"enterprise"}}',
        b'{"provider":{"only":["azure"],"only":["openai"]}}',
    ],
)
def test_rule_of__doubled_keys_never_get_here(raw: bytes) -> None:
    assert refused(raw).code == "invalid_json"


def test_rule_of__escaped_names_are_the_same_members() -> None:
    raw = b'{"policy\\u005fir":' + json.dumps(POLICY).encode() + b',"\\u0074enant":"acme"}'
    assert refused(raw).code == "ambiguous_rule"
    assert refused(raw, Caller("k", "acme")).code == "ambiguous_rule"


@pytest.mark.parametrize("name", ["Policy_IR", "policy", "extra_body", "models", "route", "fallbacks", "api_base"])
def test_rule_of__neither_hides_rules_nor_lets_others_route(name: str) -> None:
    for caller in (EVERYTHING, Caller("k", "acme")):
        assert refused({name: {"policy_ir": POLICY}}, caller).code in ("unknown_member", "unsupported_member")


def test_rule_of__rules_within_messages_are_content() -> None:
    hidden = {"messages": [{"role": "user", "content": "x", "policy_ir": POLICY, "tenant": "acme"}], "metadata": STATE}
    assert rule(hidden).source == "default"
    assert rule(hidden, Caller("k", "acme")).source == "key"


ANY = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-9, 9)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=4),
    lambda inner: (
        st.lists(inner | st.sampled_from(["policy", "and", "top", "provider_eq", "openai", "acme"]), max_size=4)
        | st.dictionaries(st.sampled_from(["plan", "only", "sort", "max_price", "note", "x"]), inner, max_size=3)
    ),
    max_leaves=10,
)


@given(
    st.dictionaries(st.sampled_from([*GATEWAY_MEMBERS, "model", "messages"]), ANY, max_size=4),
    st.sampled_from([EVERYTHING, Caller("k", "acme"), Caller("p", ways=frozenset({"policy_ir"})), Caller("n")]),
)
def test_rule_of__gives_a_rule_that_the_key_allows_or_a_problem(members: dict[str, Any], caller: Caller) -> None:
    try:
        found = rule(json.dumps(members).encode(), caller)
    except Problem as problem:
        status = problem.status
    else:
        assert (found.source == "key") == (caller.tenant is not None)
        assert found.source == "key" or found.source in caller.ways
        given_ways = {"policy_ir", "tenant", "provider"} & members.keys()
        assert given_ways == ({found.source} - {"default", "key"})
        return
    assert status in (400, 403, 404)
