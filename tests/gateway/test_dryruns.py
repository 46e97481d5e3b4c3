"""Dry runs: the decision of the real call, told without a call, and nothing of the operator's envelope."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

import tenantrank as tr
from tenantrank.gateway.body import Body
from tenantrank.gateway.dryruns import MOST_REQUESTS, compile_tenant, normalize, rank, rank_batch
from tenantrank.gateway.listings import catalog, fields, models
from tenantrank.gateway.needs import request_of, seed_of
from tenantrank.gateway.plain import json_bytes
from tenantrank.gateway.problem import Problem
from tenantrank.gateway.rejected import ENVELOPE_WORDS
from tenantrank.gateway.rules import rule_of
from tests.gateway.shown import OFFERS, Server, caller_of, term_of

SERVER = Server()
CALLER = caller_of()
CHEAPEST = term_of(["is", "priced"], ["neg", ["normalize", ["field", "price_out"]]])
MESSAGES = [{"role": "user", "content": "canary prompt"}]


def body_of(**members: Any) -> Body:
    return Body.read(json_bytes(members))


def ranking(**members: Any) -> dict[str, Any]:
    found = rank(body_of(**members), CALLER, SERVER)
    assert json.loads(json_bytes(found)) == found
    return found


def test_rank__is_the_decision_of_the_real_call() -> None:
    body = body_of(policy_ir=CHEAPEST, model="any", messages=MESSAGES, routing_seed=3)
    rule = rule_of(body, CALLER, SERVER)
    wanted = SERVER.engine.rank(rule.policy, request_of(body, "chat"), seed_of(body))
    found = rank(body, CALLER, SERVER)

    assert [entry["offer"] for entry in found["ranked"]] == list(wanted.offer_ids)
    assert [entry["score"] for entry in found["ranked"]] == list(wanted.scores)
    assert (found["survivors"], found["seed"]) == (wanted.survivors, 3)
    assert found["policy"]["identity"] == wanted.policy.identity
    assert (found["catalog_id"], found["envelope_identity"]) == (wanted.catalog_id, wanted.envelope_identity)
    assert found["ranked"][0] == {
        "offer": "beta|m-2",
        "provider": "beta",
        "family": "m-2",
        "score": 1.0,
        "price_in": 0.1,
        "price_out": 0.2,
        "expected_cost_usd": None,
    }
    assert "canary" not in json.dumps(found)


def test_rank__says_who_is_rejected_and_why() -> None:
    found = ranking(policy_ir=term_of(["and", ["is", "priced"], ["cmp", "price_out", "le", 2]]))
    first, second, envelope = found["rejected"]["by_clause"]

    assert (first["words"], first["rejected"], first["failed"]) == ("price_out is at most 2", 3, 3)
    assert (second["words"], second["rejected"], second["failed"]) == ("priced holds", 0, 1)
    assert envelope["clause"] is None
    assert envelope["words"] == ENVELOPE_WORDS
    assert sum(clause["rejected"] for clause in found["rejected"]["by_clause"]) == 3
    assert found["rejected"]["offers"] == [
        {"offer": "alpha|m-1", "reason": "cmp:price_out:le"},
        {"offer": "gamma|m-2", "reason": "cmp:price_out:le"},
    ]
    assert found["rejected"]["left_out"] == 1


def test_rank__explains_every_failing_clause() -> None:
    condition = ["and", ["is", "priced"], ["cmp", "price_out", "le", 2]]
    found = ranking(policy_ir=term_of(condition), explain=True, rejected=1)
    (entry,) = found["rejected"]["offers"]

    assert entry["failing"] == [
        {
            "clause": '(cmp "price_out" "le" 2)',
            "words": "price_out is at most 2",
            "origins": [],
            "reason": "cmp:price_out:le",
            "bound": 2.0,
            "observed": 4.0,
        }
    ]
    assert found["rejected"]["left_out"] == 2


def test_rank__tells_nothing_of_the_envelope_and_of_what_lies_outside() -> None:
    everything = term_of(["top"])
    found = ranking(policy_ir=everything, explain=True, rejected=200, offers=["secret|m-3", "nobody", "alpha|m-1"])
    nothing = ranking(policy_ir=term_of(["provider_eq", "secret"]), explain=True, rejected=200)

    assert found["asked"] == [
        {"offer": "secret|m-3", "outcome": "not_available"},
        {"offer": "nobody", "outcome": "not_available"},
        {"offer": "alpha|m-1", "outcome": "ranked", "place": 1},
    ]
    assert found["rejected"] == {
        "by_clause": [{"clause": None, "words": ENVELOPE_WORDS, "origins": [], "rejected": 1, "failed": 1, "alone": 1}],
        "offers": [],
        "left_out": 1,
    }
    assert "secret|m-3" not in [entry["offer"] for entry in nothing["rejected"]["offers"]]
    assert [clause["words"] for clause in nothing["deciding"]] in ([ENVELOPE_WORDS], ["the provider is secret"])
    assert nothing["warnings"] == ["TR401: none of the 5 offers passes the filter"]


def test_rank__shows_an_own_clause_that_the_envelope_has_as_well() -> None:
    found = ranking(policy_ir=term_of(["not", ["provider_eq", "secret"]]))

    assert [clause["clause"] for clause in found["rejected"]["by_clause"]] == ['(not (provider_eq "secret"))'] * 2
    assert all(clause["origins"] == [] for clause in found["rejected"]["by_clause"])


def test_rank__takes_a_tenant_and_names_its_rules() -> None:
    found = ranking(tenant={"plan": "paid", "most": 1})
    known = ranking(tenant="acme")

    assert found["policy"]["source"] == "tenant"
    assert found["policy"]["rules"] == ["base", "cap"]
    capped = next(clause for clause in found["rejected"]["by_clause"] if "at most" in clause["words"])
    assert capped["origins"] == [{"rule": "cap", "field": "most", "value": 1}]
    assert known["tenant"] == "acme"


def test_rank__shows_what_a_provider_object_was_translated_to() -> None:
    found = ranking(provider={"only": ["beta"]}, model="m-1", messages=MESSAGES)

    assert found["policy"]["source"] == "provider"
    assert found["policy"]["term"][0] == "policy"


def test_rank__warnings_name_nothing_that_lies_outside_the_envelope() -> None:
    chain = [{"provider": "alpha", "model": "m-3"}, {"provider": "secre", "model": "m-3"}]
    condition = ["and", ["not", ["provider_eq", "secre"]], ["not", ["family_eq", "m-33"]]]
    found = ranking(policy_ir=term_of(condition, None, ["chain", chain]))

    assert [finding["code"] for finding in found["findings"]] == ["TR101", "TR101", "TR102", "TR102", "TR402"]
    assert "secret" not in json.dumps([found["warnings"], found["findings"]])


def test_rank__warns_of_unknown_names_and_flattened_prices() -> None:
    misspelt = ranking(policy_ir=term_of(["not", ["provider_eq", "alphq"]], ["field", "price_out"]))
    flat = ranking(policy_ir=term_of(["top"], ["add", ["neg", ["normalize", ["field", "price_out"]]], ["lit", 1]]))
    kept = ranking(policy_ir=CHEAPEST)
    empty = ranking(policy_ir=term_of(["top"], None, ["chain", []]))

    assert misspelt["warnings"] == [
        "TR101: no offer has the provider 'alphq', and excluding it excludes nobody; did you mean 'alpha'?"
    ]
    assert misspelt["findings"] == [
        {
            "code": "TR101",
            "words": misspelt["warnings"][0].removeprefix("TR101: "),
            "page": "docs/warnings.md#tr101",
            "part": "filter",
            "clause": '(not (provider_eq "alphq"))',
            "field": None,
            "name": "alphq",
            "origins": [],
            "data": {"kind": "provider", "nearest": "alpha", "negated": True},
        }
    ]
    assert flat["warnings"] == [
        "TR301: 1 of the 4 offers that pass have no price_out: rescaled between survivors, every known price_out is 0; "
        "require that it is known",
        "TR305: the best 3 of the 4 offers that pass have the same score; catalog order decides who is first",
    ]
    assert kept["warnings"] == []
    assert empty["warnings"] == ["TR402: the selector keeps none of the 4 offers that pass"]


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("k", 0),
        ("k", True),
        ("k", 1.5),
        ("k", 1001),
        ("rejected", -1),
        ("explain", 1),
        ("offers", "alpha"),
        ("offers", [1]),
        ("offers", ["x"] * 51),
        ("endpoint", "images"),
        ("endpoint", []),
    ],
)
def test_rank__refuses_options_of_another_shape(option: str, value: Any) -> None:
    with pytest.raises(Problem) as raised:
        ranking(policy_ir=CHEAPEST, **{option: value})

    assert (raised.value.status, raised.value.code, raised.value.param) == (400, "invalid_request", option)


def test_rank__options_bound_what_is_shown() -> None:
    found = ranking(policy_ir=term_of(["top"]), k=1, rejected=0, offers=["beta|m-1"])

    assert [entry["offer"] for entry in found["ranked"]] == ["alpha|m-1"]
    assert found["survivors"] == 4
    assert found["asked"] == [{"offer": "beta|m-1", "outcome": "cut"}]


def test_rank__serves_policies_of_the_first_version() -> None:
    old = ["policy", ["ev_zero"], ["is", "no_log"], ["quality"], ["argmax"], ["id"], ["always", {"action": "abort"}]]
    found = ranking(policy_ir=old)

    assert found["policy"]["version"] == "sigma-pol/v1"
    assert found["survivors"] == 0
    assert found["rejected"]["by_clause"][0]["words"] == "no_log holds"


def test_rank__without_a_body_takes_requirements() -> None:
    policy = term_of(["meets_req"])

    assert ranking(policy_ir=policy, requirements={"min_context": 10})["survivors"] == 0
    assert ranking(policy_ir=policy)["survivors"] == 4
    with pytest.raises(Problem, match="no key 'min_contxt'"):
        ranking(policy_ir=policy, requirements={"min_contxt": 10})


def test_rank__of_an_empty_catalog() -> None:
    server = Server(catalog=tr.Catalog.from_records([], {"priced": {"sort": "Bool"}}))
    server.rulebook = None
    found = rank(body_of(policy_ir=term_of(["top"])), CALLER, server)

    assert found["survivors"] == 0
    assert found["rejected"]["offers"] == found["deciding"] == []


def test_rank__refuses_what_the_real_call_refuses() -> None:
    for members in ({}, {"policy_ir": CHEAPEST, "tenant": "acme"}, {"policy_ir": ["policy"]}, {"tenant": "nobody"}):
        with pytest.raises(Problem) as raised:
            ranking(**members)
        with pytest.raises(Problem) as wanted:
            rule_of(body_of(**members), CALLER, SERVER)
        assert raised.value.to_json() == wanted.value.to_json()


def batch(**members: Any) -> dict[str, Any]:
    return asyncio.run(rank_batch(body_of(**members), CALLER, SERVER))


def test_batch__is_each_alone() -> None:
    requests = [
        {"policy_ir": CHEAPEST, "model": "é", "messages": [{"role": "user", "content": "é" * 9000}]},
        {"tenant": {"plan": "gold"}},
        {"policy_ir": term_of(["bot"]), "endpoint": "embeddings", "input": "x"},
        7,
        *[{"tenant": "acme"}] * 20,
    ]
    found = batch(requests=requests, k=2)["data"]
    alone = ranking(**requests[0], k=2)

    assert found[0]["ranked"] == alone["ranked"]
    assert found[1]["error"]["code"] == "invalid_tenant"
    assert found[2]["deciding"][0]["words"] == "no offer passes"
    assert found[3]["error"]["code"] == "invalid_json"
    assert all(entry["survivors"] == 2 for entry in found[4:])
    assert len(found) == len(requests)


def test_batch__estimates_from_the_bytes_that_came() -> None:
    policy = json.dumps(term_of(["meets_req"]))
    content = "é" * 5000
    raw = f'{{"requests": [ {{"policy_ir":{policy},"messages":[{{"role":"user","content":"{content}"}}]}} ]}}'
    server = Server(catalog=tr.Catalog.from_records([{**OFFERS[0], "capabilities": {"context": 3072}}]))
    found = asyncio.run(rank_batch(Body.read(raw.encode()), CALLER, server))["data"]
    alone = rank(Body.read(raw[len('{"requests": [ ') : -3].encode()), CALLER, server)

    # Written with escapes the text would be three times as long, and the context too small.
    assert found[0]["survivors"] == alone["survivors"] == 1


@pytest.mark.parametrize(
    "members",
    [{}, {"requests": []}, {"requests": {}}, {"requests": [{}] * (MOST_REQUESTS + 1)}, {"requests": [{}], "kk": 1}],
)
def test_batch__refuses_another_shape(members: dict[str, Any]) -> None:
    with pytest.raises(Problem) as raised:
        batch(**members)

    assert raised.value.code == "invalid_request"


def test_normalize__gives_what_a_policy_is() -> None:
    found = normalize(body_of(policy_ir=term_of(["and", ["top"], ["is", "no_log"]])), CALLER, SERVER)
    policy = tr.admit(term_of(["is", "no_log"]), SERVER.fields)

    assert found["term"] == policy.term
    assert (found["encoding"], found["identity"]) == (policy.encoding, policy.identity)
    assert found["words"] == tr.describe(policy)
    assert [finding["code"] for finding in found["findings"]] == ["TR201", "TR203", "TR401"]


def test_compile__gives_the_rule_behind_each_part() -> None:
    found = compile_tenant(body_of(tenant={"plan": "paid", "most": 2}), CALLER, SERVER)

    assert found["clauses"][0]["origins"] == [{"rule": "cap", "field": "most", "value": 2}]
    assert found["preference"]["rule"] == "base"
    assert found["rules"] == ["base", "cap"]
    assert found["conflicts"] == []
    assert found["warnings"] == found["findings"] == []
    assert json.loads(json_bytes(found)) == found


def test_compile__findings_name_the_rule_behind_them() -> None:
    found = compile_tenant(body_of(tenant={"plan": "paid", "most": 0}), CALLER, SERVER)

    assert found["warnings"][0] == ("TR201: none of the 5 offers passes: price_out is at most 0 (cap <- most=0.0)")
    assert found["findings"][0]["origins"] == [{"rule": "cap", "field": "most", "value": 0}]


def test_compile__needs_a_tenant() -> None:
    with pytest.raises(Problem) as raised:
        compile_tenant(body_of(policy_ir=CHEAPEST), CALLER, SERVER)

    assert raised.value.code == "invalid_tenant"


def test_fields__are_the_vocabulary() -> None:
    found = fields(SERVER.fields)
    names = {entry["name"]: entry for entry in found["data"]}

    assert list(names) == list(SERVER.fields)
    assert names["price_out"]["default"] is None
    assert names["no_log"]["default"] is False
    assert found["tier_order"] == ["fallback", "marketplace", "partner"]


def test_catalog__is_what_the_caller_can_reach() -> None:
    found = catalog(CALLER, SERVER)

    assert found["offers"] == {"chat": 4, "embeddings": 4}
    assert found["providers"] == [
        {"id": "alpha", "offers": 1},
        {"id": "beta", "offers": 2},
        {"id": "gamma", "offers": 1},
    ]
    assert found["rulebook_id"] == SERVER.rulebook.rulebook_id  # type: ignore[union-attr]
    assert "secret" not in json.dumps(found)


def test_models__are_those_within_the_envelope_and_the_keys_tenant() -> None:
    found = models(CALLER, SERVER)
    bound = models(caller_of(tenant={"plan": "free", "most": 1}, ways=frozenset()), SERVER)

    assert [entry["id"] for entry in found["data"]] == ["m-1", "m-2"]
    assert found["data"][0]["providers"] == ["alpha", "beta"]
    assert found["data"][0]["routes"] == ["chat", "embeddings"]
    assert [(entry["id"], entry["providers"]) for entry in bound["data"]] == [("m-2", ["beta"])]
