"""The gateway's own description: an OpenAPI 3.1 document of every route that clients call."""

from __future__ import annotations

from typing import Any

from tenantrank.gateway.schemas import SCHEMAS, STRING, ref
from tenantrank.gateway.term_schemas import term_schemas
from tenantrank.policy.signature import Fields

_REFUSALS = {
    "400": "The request cannot be used as it is: `invalid_json`, `invalid_request`, `invalid_policy` and others.",
    "401": "No key, a key that is not known, or several credentials at once.",
    "403": "The key may not do this.",
    "408": "The body did not arrive in time.",
    "413": "The body is too large.",
    "415": "The body is not JSON, or has a content coding.",
    "429": "Too many requests with this key; `retry-after` says when to come back.",
    "500": "The gateway failed.",
    "503": "Not now: the server is not ready, or what the catalog rests on has ended.",
}
_NOT_FOUND = {"404": "No such model: `model_not_found`."}
_CALL_FAILURES = {
    **_NOT_FOUND,
    "422": "No offer is left: `no_eligible_model`, with the clauses that left none.",
    "502": "No provider answered.",
    "503": "Not now: the server is not ready, or no offer may be tried.",
    "504": "No provider answered in time.",
}
_HEADERS = {
    "x-tenantrank-trace-id": "The id under which `/x/traces/{id}` tells how the answer came about.",
    "x-tenantrank-policy-fingerprint": "A short checksum of the policy that decided, for people to compare.",
    "x-tenantrank-offer": "The offer that answered.",
    "x-tenantrank-attempts": "How many attempts it took.",
}


def document(version: str, fields: Fields | None = None) -> dict[str, Any]:
    """Give the document.

    Parameters
    ----------
    version
        of the package
    fields
        the vocabulary of the catalog in use, to which the schema of policies is then limited
    """
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "tenantrank gateway",
            "version": version,
            "description": "One OpenAI-compatible call; the rule of the tenant decides which offer answers it.",
        },
        "paths": _paths(),
        "components": {
            "schemas": {**SCHEMAS, **term_schemas(fields)},
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "x_api_key": {"type": "apiKey", "in": "header", "name": "x-api-key"},
                "api_key": {"type": "apiKey", "in": "header", "name": "api-key"},
            },
        },
        "security": [{"bearer": []}, {"x_api_key": []}, {"api_key": []}],
    }


def _paths() -> dict[str, Any]:
    trace_id = {
        "name": "id",
        "in": "path",
        "required": True,
        "schema": {"type": "string", "pattern": "^tr_[0-9a-hjkmnp-tv-z]{26}$"},
    }
    return {
        "/v1/chat/completions": _call("chat", "Answer a chat by the best offer that the rule permits.", "Chat", True),
        "/v1/embeddings": _call("embeddings", "Embed texts by the best offer that the rule permits.", "Embeddings"),
        "/v1/models": _get("models", "List the model families that the key can have.", "Models"),
        "/v1/models/{id}": {
            "parameters": [
                {"name": "id", "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
            ],
            **_get("model", "Show one of them.", "Model", {"404": "The key can have no such model."}),
        },
        "/x/rank": _dry("rank", "Say what a call would come to, without calling anybody.", "RankRequest", "Ranking"),
        "/x/rank/batch": _dry("rank_batch", "Do so for several calls.", "BatchRequest", "Batch"),
        "/x/policy/normalize": _dry("normalize", "Normalize a policy.", "PolicyRequest", "NormalPolicy"),
        "/x/policy/compile": _dry("compile", "Compile a tenant to its policy.", "PolicyRequest", "TenantPolicy"),
        "/x/fields": _get("fields", "List the fields that policies may use.", "Fields"),
        "/x/catalog": _get("catalog", "Show the catalog in short, as far as the key reaches.", "Catalog"),
        "/x/traces/{id}": {
            "parameters": [trace_id],
            **_get("trace", "Tell how one of the key's own requests was answered.", "Trace", {"404": "No such trace."}),
        },
        "/openapi.json": _open("openapi", "This document.", {"type": "object"}),
        "/health": _open("health", "Whether the process lives.", {"type": "object"}),
        "/ready": {
            "get": {
                **_open("ready", "Whether it takes calls.", {"type": "object"})["get"],
                "responses": {
                    "200": _answer("It does.", {"type": "object"}),
                    "503": _answer("It does not, or not yet.", {"type": "object"}),
                },
            }
        },
    }


def _call(name: str, summary: str, kind: str, streams: bool = False) -> dict[str, Any]:
    answer = _answer("The provider's answer.", ref(f"{kind}Answer"))
    if streams:
        answer["content"]["text/event-stream"] = {"schema": STRING}
    answer["headers"] = {header: {"description": text, "schema": STRING} for header, text in _HEADERS.items()}
    return {"post": _operation(name, summary, answer, ref(f"{kind}Request"), _CALL_FAILURES)}


def _dry(name: str, summary: str, taken: str, given: str) -> dict[str, Any]:
    return {"post": _operation(name, summary, _answer("What it would come to.", ref(given)), ref(taken), _NOT_FOUND)}


def _get(name: str, summary: str, given: str, failures: dict[str, str] | None = None) -> dict[str, Any]:
    return {"get": _operation(name, summary, _answer("It.", ref(given)), None, failures or {})}


def _open(name: str, summary: str, schema: dict[str, Any]) -> dict[str, Any]:
    """Describe a route that needs no key."""
    answer = {"200": _answer("It.", schema)}
    return {"get": {"operationId": name, "summary": summary, "security": [], "responses": answer}}


def _operation(
    name: str, summary: str, answer: dict[str, Any], body: dict[str, Any] | None, failures: dict[str, str]
) -> dict[str, Any]:
    told = {status: _answer(text, ref("Error")) for status, text in {**_REFUSALS, **failures}.items()}
    responses = {"200": answer, **dict(sorted(told.items())), "default": _answer("Any other error.", ref("Error"))}
    operation: dict[str, Any] = {"operationId": name, "summary": summary, "responses": responses}
    if body is not None:
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": body}}}
    return operation


def _answer(description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}
