"""The gateway's description: a valid document that says what the code gives and takes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest
import schemathesis

import tenantrank as tr
from tenantrank.gateway import dryruns, listings
from tenantrank.gateway.answers import problem_answer, router_of
from tenantrank.gateway.body import Body
from tenantrank.gateway.openapi import document
from tenantrank.gateway.plain import json_bytes
from tenantrank.gateway.problem import Problem
from tests.engine.samples import worlds
from tests.gateway.shown import Server, caller_of, record, term_of

POLICY_IR = "#/components/schemas/PolicyIR"
SERVER, CALLER = Server(), caller_of()
DOCUMENT = document("1.2.3", SERVER.fields)
POLICY = term_of(
    ["and", ["is", "priced"], ["cmp", "price_out", "le", 2]], ["neg", ["normalize", ["field", "price_in"]]]
)


def valid(name: str, value: Any) -> bool:
    schema = {"$ref": f"#/components/schemas/{name}", "components": DOCUMENT["components"]}
    return jsonschema_rs.Draft202012Validator(schema).is_valid(value)


def body_of(**members: Any) -> Body:
    return Body.read(json_bytes(members))


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for entry in value.values():
            yield from references(entry)
    elif isinstance(value, list):
        for entry in value:
            yield from references(entry)


def test_document__is_json_and_every_reference_leads_somewhere() -> None:
    assert json.loads(json_bytes(DOCUMENT)) == DOCUMENT
    assert DOCUMENT["openapi"] == "3.1.0"
    for target in references(DOCUMENT):
        name = target.removeprefix("#/components/schemas/")
        assert name in DOCUMENT["components"]["schemas"], target
    names = [
        op["operationId"] for path in DOCUMENT["paths"].values() for key, op in path.items() if key != "parameters"
    ]
    assert len(set(names)) == len(names)


def test_document__is_read_by_schemathesis() -> None:
    schema = schemathesis.openapi.from_dict(DOCUMENT)
    schema.validate()

    assert {operation.ok().label for operation in schema.get_all_operations()} >= {
        "POST /v1/chat/completions",
        "POST /x/rank",
        "GET /x/traces/{id}",
    }


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Ranking", lambda: dryruns.rank(body_of(policy_ir=POLICY, explain=True, offers=["x"]), CALLER, SERVER)),
        ("Ranking", lambda: dryruns.rank(body_of(tenant={"plan": "paid", "most": 0}), CALLER, SERVER)),
        ("Batch", lambda: asyncio.run(dryruns.rank_batch(body_of(requests=[{}, {"tenant": "acme"}]), CALLER, SERVER))),
        ("NormalPolicy", lambda: dryruns.normalize(body_of(policy_ir=POLICY), CALLER, SERVER)),
        ("TenantPolicy", lambda: dryruns.compile_tenant(body_of(tenant="acme"), CALLER, SERVER)),
        ("Fields", lambda: listings.fields(SERVER.fields)),
        ("Catalog", lambda: listings.catalog(CALLER, SERVER)),
        ("Models", lambda: listings.models(CALLER, SERVER)),
        ("Trace", lambda: record().to_json()),
        ("Router", lambda: router_of(record())),
        ("Error", lambda: json.loads(problem_answer(Problem(404, "x", "y"), {})[2])),
    ],
)
def test_schemas__are_those_of_what_is_given(name: str, value: Any) -> None:
    found = json.loads(json_bytes(value()))

    assert valid(name, found)
    assert not valid(name, {**found, "object": 7, "trace_id": 7, "error": 7})


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        ("ChatRequest", {"model": "m", "messages": [{"role": "user", "content": "x"}], "anything": {"new": 1}}, True),
        ("ChatRequest", {"model": "m", "messages": [{"role": "user", "content": "x"}], "policy_ir": POLICY}, True),
        ("ChatRequest", {"model": "m", "messages": []}, False),
        ("ChatRequest", {"model": "", "messages": [{"role": "user", "content": "x"}]}, False),
        ("RankRequest", {"policy_ir": POLICY, "tenant": "t"}, False),
        ("RankRequest", {"provider": {"only": ["a"]}}, False),
        ("RankRequest", {"provider": {"only": ["a"]}, "model": "m"}, True),
        ("RankRequest", {"provider": {"onyl": ["a"]}, "model": "m"}, False),
        ("RankRequest", {"policy_ir": POLICY, "fallbacks": []}, False),
        ("RankRequest", {"policy_ir": POLICY, "k": 0}, False),
        ("BatchRequest", {"requests": []}, False),
        ("PolicyIR", term_of(["is", "unheard_of"]), False),
        ("PolicyIR", term_of(["and"]), False),
        ("PolicyIR", ["policy", ["ev_zero"], *term_of(["top"], ["quality"])[1:]], True),
    ],
)
def test_schemas__are_those_of_what_is_taken(name: str, value: Any, wanted: bool) -> None:
    assert valid(name, value) is wanted


def test_schemas__of_terms_take_what_admission_does() -> None:
    for world, catalog in worlds(5, 12):
        components = document("1", catalog.fields)["components"]
        taken = jsonschema_rs.Draft202012Validator({"$ref": POLICY_IR, "components": components})
        for case in world.cases:
            term = json.loads(json.dumps(case.term))
            tr.admit(term, catalog.fields)
            assert taken.is_valid(term)
            assert not taken.is_valid([*term, ["id"], ["id"]])


def test_document__without_a_vocabulary_takes_any_name() -> None:
    schema = {"$ref": POLICY_IR, "components": document("1")["components"]}

    assert jsonschema_rs.Draft202012Validator(schema).is_valid(term_of(["is", "unheard_of"]))
    assert not valid("PolicyIR", term_of(["is", "unheard_of"]))
