"""JSON Schemas of what goes in and out of the gateway's own routes, and of calls as far as the gateway reads them."""

from __future__ import annotations

from typing import Any

from tenantrank.catalog.schema import GEOS
from tenantrank.engine.request import NEEDS
from tenantrank.gateway.dryruns import MOST_REQUESTS
from tenantrank.gateway.members import REROUTING
from tenantrank.gateway.openrouter import MEMBERS
from tenantrank.gateway.options import MOST_ASKED, MOST_PLACES, MOST_REJECTED, ROUTES
from tenantrank.lint import CODES

_LARGEST = 2**53 - 1
STRING: dict[str, Any] = {"type": "string"}
NUMBER: dict[str, Any] = {"type": "number"}
COUNT: dict[str, Any] = {"type": "integer", "minimum": 0}
FLAG: dict[str, Any] = {"type": "boolean"}
STRINGS: dict[str, Any] = {"type": "array", "items": STRING}


def ref(name: str) -> dict[str, Any]:
    """Give a reference to a schema of the document."""
    return {"$ref": f"#/components/schemas/{name}"}


def nullable(schema: dict[str, Any]) -> dict[str, Any]:
    """Give a schema that also takes null."""
    return {**schema, "type": [schema["type"], "null"]} if "type" in schema else {"anyOf": [schema, {"type": "null"}]}


def listed(schema: dict[str, Any], **bounds: int) -> dict[str, Any]:
    """Give the schema of a list."""
    return {"type": "array", "items": schema, **bounds}


def record(required: dict[str, Any], optional: dict[str, Any] | None = None, *, more: bool = False) -> dict[str, Any]:
    """Give the schema of an object; ``more`` says that other members may be there as well."""
    return {
        "type": "object",
        "properties": {**required, **(optional or {})},
        "required": list(required),
        "additionalProperties": more,
    }


_AMOUNT: dict[str, Any] = {"type": "number", "minimum": 0, "maximum": 1_000_000}
_REQUIREMENTS = record(
    {},
    {
        "needs": listed({"enum": list(NEEDS)}),
        "min_context": {"type": "number", "minimum": 0, "maximum": _LARGEST},
        "min_quality": _AMOUNT,
        "min_tok_s": _AMOUNT,
        "max_latency_ms": _AMOUNT,
        "max_cost_usd": _AMOUNT,
        "estimated_input_tokens": _AMOUNT,
        "estimated_output_tokens": _AMOUNT,
        "estimated_cached_share": {"type": "number", "minimum": 0, "maximum": 1},
        "estimated_residency": {"enum": list(GEOS)},
        "free_credit_threshold_usd": _AMOUNT,
        "model_family": STRING,
        "tier": STRING,
        "privacy": {"enum": ["standard", "tee_required", "no_log"]},
    },
)
_NAMES = listed({"type": "string", "minLength": 1}, maxItems=64)
_MEMBERS: dict[str, dict[str, Any]] = {
    **{name: {} for name in MEMBERS},
    **dict.fromkeys(("only", "ignore", "order"), _NAMES),
    **dict.fromkeys(("allow_fallbacks", "require_parameters", "zdr"), FLAG),
    "data_collection": {"enum": ["allow", "deny"]},
    "max_price": record({}, dict.fromkeys(("prompt", "completion"), _AMOUNT)),
}
_PROVIDER = {
    **record({}, _MEMBERS),
    "description": "OpenRouter's provider object; it stands beside the model that it is for.",
}
_RULE = {
    "policy_ir": ref("PolicyIR"),
    "tenant": {
        "description": "A tenant's state by the fields of the server's rulebook, or the id of a tenant it knows.",
        "anyOf": [{"type": "object"}, {"type": "string", "minLength": 1}],
    },
    "provider": ref("Provider"),
    "requirements": ref("Requirements"),
    "scope": STRING,
    "routing_seed": {"type": "integer", "minimum": -_LARGEST, "maximum": _LARGEST},
}
_ONE_RULE = [
    {"not": {"required": list(pair)}}
    for pair in (("policy_ir", "tenant"), ("policy_ir", "provider"), ("tenant", "provider"))
]
_BESIDE = {"provider": ["model"]}
_NOT_REROUTING = {"propertyNames": {"not": {"enum": sorted(REROUTING)}}}
_TOKENS = {"type": "integer", "minimum": 0, "maximum": 2**31 - 1}
_MESSAGE = record(
    {"role": {"enum": ["assistant", "developer", "function", "system", "tool", "user"]}},
    {"content": {"anyOf": [STRING, {"type": "null"}, listed(record({"type": STRING}, {"text": STRING}, more=True))]}},
    more=True,
)
_CHAT_MEMBERS = {
    "stream": FLAG,
    "x_router": {**FLAG, "description": "Asks for a record of the decision in the answer."},
    "tools": listed({"type": "object"}),
    "response_format": record({"type": {"enum": ["text", "json_object", "json_schema"]}}, more=True),
    "max_tokens": _TOKENS,
    "max_completion_tokens": _TOKENS,
    "seed": {"type": "integer", "minimum": -_LARGEST, "maximum": _LARGEST},
}
_OPTIONS = {
    "endpoint": {"enum": list(ROUTES)},
    "k": {"type": "integer", "minimum": 1, "maximum": MOST_PLACES},
    "rejected": {"type": "integer", "minimum": 0, "maximum": MOST_REJECTED},
    "explain": FLAG,
    "offers": listed(STRING, maxItems=MOST_ASKED),
}
_INPUT = {"anyOf": [STRING, listed(STRING), listed(COUNT), listed(listed(COUNT))]}
_LABEL = {
    "type": "string",
    "minLength": 1,
    "description": "A label where a policy or a tenant decides; the model with a provider object.",
}


def _call(required: dict[str, Any], optional: dict[str, Any]) -> dict[str, Any]:
    return {
        **record(required, {**_RULE, **optional}, more=True),
        **_NOT_REROUTING,
        "allOf": _ONE_RULE,
        "dependentRequired": _BESIDE,
    }


_ORIGIN = record({"rule": STRING, "field": nullable(STRING), "value": {}})
_CLAUSE_MEMBERS = {"clause": nullable(STRING), "words": STRING, "origins": listed(ref("Origin"))}
_FAILING = record({**_CLAUSE_MEMBERS, "reason": STRING, "bound": {}, "observed": {}})
_KNOWN_BY = {"source": STRING, "version": STRING, "identity": STRING, "fingerprint": STRING, "rules": STRINGS}
_RANKED = record(
    {
        "offer": STRING,
        "provider": STRING,
        "family": STRING,
        "score": nullable(NUMBER),
        "price_in": nullable(NUMBER),
        "price_out": nullable(NUMBER),
        "expected_cost_usd": nullable(NUMBER),
    }
)
_PROVENANCE = {"catalog_id": STRING, "as_of": nullable(STRING), "envelope_identity": nullable(STRING)}
_FIELD = record(
    {
        "name": STRING,
        "sort": {"enum": ["Num", "Bool"]},
        "default": {"type": ["number", "boolean", "null"]},
        "unit": STRING,
        "description": STRING,
        "source": STRING,
        "coverage": nullable(NUMBER),
        "versions": STRINGS,
    }
)
_MODEL = record(
    {
        "id": STRING,
        "object": {"const": "model"},
        "created": COUNT,
        "owned_by": STRING,
        "routes": STRINGS,
        "providers": STRINGS,
    }
)
_NAMED = listed(record({"id": STRING, "offers": COUNT}))


def _list_of(name: str, more: dict[str, Any] | None = None) -> dict[str, Any]:
    return record({"object": {"const": "list"}, "data": listed(ref(name)), **(more or {})})


SCHEMAS: dict[str, dict[str, Any]] = {
    "Error": record(
        {
            "error": record(
                {"message": STRING, "type": STRING, "param": nullable(STRING), "code": STRING},
                more=True,
            )
        }
    ),
    "Requirements": _REQUIREMENTS,
    "Provider": _PROVIDER,
    "ChatRequest": _call({"model": _LABEL, "messages": listed(_MESSAGE, minItems=1)}, _CHAT_MEMBERS),
    "ChatAnswer": record({"choices": listed({"type": "object"})}, {"x_router": ref("Router")}, more=True),
    "EmbeddingsRequest": _call({"model": _LABEL, "input": _INPUT}, {"x_router": FLAG}),
    "EmbeddingsAnswer": record({"data": listed({"type": "object"})}, {"x_router": ref("Router")}, more=True),
    "Router": record({"trace_id": STRING}, more=True),
    "RankRequest": _call({}, {"model": _LABEL, "messages": listed(_MESSAGE), "input": _INPUT, **_OPTIONS}),
    "BatchRequest": record(
        {"requests": listed(ref("RankRequest"), minItems=1, maxItems=MOST_REQUESTS)},
        {"k": {"type": "integer", "minimum": 1, "maximum": 100}},
    ),
    "PolicyRequest": _call({}, {"model": _LABEL}),
    "Finding": record(
        {
            "code": {"enum": list(CODES)},
            "words": STRING,
            "page": STRING,
            **dict.fromkeys(("part", "clause", "field", "name"), nullable(STRING)),
            "origins": listed(ref("Origin")),
            "data": {"type": "object"},
        }
    ),
    "Origin": _ORIGIN,
    "Clause": record(_CLAUSE_MEMBERS),
    "Failing": _FAILING,
    "RankedOffer": _RANKED,
    "Ranking": record(
        {
            "object": {"const": "tenantrank.ranking"},
            "policy": record({**_KNOWN_BY, "words": STRINGS}, {"term": {}}),
            "tenant": nullable(STRING),
            **_PROVENANCE,
            "request": {"type": "object"},
            "seed": nullable({"type": "integer"}),
            "survivors": COUNT,
            "ranked": listed(ref("RankedOffer")),
            "rejected": record(
                {
                    "by_clause": listed(
                        record({**_CLAUSE_MEMBERS, "rejected": COUNT, "failed": COUNT, "alone": COUNT})
                    ),
                    "offers": listed(record({"offer": STRING, "reason": STRING}, {"failing": listed(ref("Failing"))})),
                    "left_out": COUNT,
                }
            ),
            "deciding": listed(ref("Clause")),
            "asked": listed(
                record(
                    {"offer": STRING, "outcome": {"enum": ["ranked", "cut", "rejected", "not_available"]}},
                    {"place": COUNT, "failing": listed(ref("Failing"))},
                )
            ),
            "warnings": STRINGS,
            "findings": listed(ref("Finding")),
        }
    ),
    "BatchEntry": {
        "anyOf": [
            ref("Error"),
            record(
                {
                    "policy": record(_KNOWN_BY, {"term": {}}),
                    "tenant": nullable(STRING),
                    "survivors": COUNT,
                    "ranked": listed(ref("RankedOffer")),
                },
                {"deciding": listed(ref("Clause"))},
            ),
        ]
    },
    "Batch": _list_of("BatchEntry"),
    "NormalPolicy": record(
        {
            "object": {"const": "tenantrank.policy"},
            **_KNOWN_BY,
            "term": {"type": "array"},
            "encoding": STRING,
            "words": STRINGS,
            "warnings": STRINGS,
            "findings": listed(ref("Finding")),
        }
    ),
    "TenantPolicy": record(
        {
            "object": {"const": "tenantrank.policy"},
            **_KNOWN_BY,
            "tenant": nullable(STRING),
            "term": {"type": "array"},
            "encoding": STRING,
            "words": STRINGS,
            "clauses": listed(ref("Clause")),
            "preference": ref("Origin"),
            "selector": ref("Origin"),
            "failure_plan": ref("Origin"),
            "transforms": listed(ref("Origin")),
            "conflicts": STRINGS,
            "warnings": STRINGS,
            "findings": listed(ref("Finding")),
        }
    ),
    "Field": _FIELD,
    "Fields": _list_of("Field", {"tier_order": STRINGS}),
    "Catalog": record(
        {
            "object": {"const": "tenantrank.catalog"},
            **_PROVENANCE,
            "built": nullable(STRING),
            "rulebook_id": nullable(STRING),
            "offers": record(dict.fromkeys(ROUTES, COUNT)),
            "providers": _NAMED,
            "families": _NAMED,
        }
    ),
    "Model": _MODEL,
    "Models": _list_of("Model"),
    "Trace": record(
        {
            "trace_id": STRING,
            "route": STRING,
            "began": STRING,
            "outcome": STRING,
            "attempts": listed({"type": "object"}),
        },
        more=True,
    ),
}
"""The schemas by name, without those of terms."""
