"""JSON Schemas of the policy language, made from its own tables of ops."""

from __future__ import annotations

from typing import Any

from tenantrank.policy.signature import ACTIONS, OPS, RELATIONS, V1, V2, Fields, Op, Version, is_subterm

_LARGEST = 2**53
_SPELLED_OUT = 16  # subterms of `and` and its like that are described; of further ones nothing is said
_NUM: dict[str, Any] = {"type": "number", "format": "double"}
_TEXT: dict[str, Any] = {"type": "string"}
_PAIR = [
    {
        "type": "object",
        "properties": dict.fromkeys(("provider", "provider_id", "model", "model_family"), _TEXT),
        "required": [provider, model],
        "additionalProperties": False,
    }
    for provider in ("provider", "provider_id")
    for model in ("model", "model_family")
]
_PARAMETERS: dict[str, dict[str, Any]] = {
    "Num": _NUM,
    "Count": {"type": "integer", "minimum": 1, "maximum": _LARGEST},
    "Rel": {"enum": list(RELATIONS)},
    "Text": _TEXT,
    "Scalar": {"anyOf": [_TEXT, {"type": "boolean"}, _NUM]},
    "Chain": {"type": "array", "items": {"anyOf": _PAIR}},
    "Recipe": {
        "type": "array",
        "items": {"anyOf": [_TEXT, {"type": "object", "additionalProperties": _NUM}]},
    },
    "Action": {"$ref": "#/components/schemas/Action"},
}


def term_schemas(fields: Fields | None = None) -> dict[str, dict[str, Any]]:
    """Give the schemas of terms by name: ``Policy`` (of either version), and each sort of each version.

    Parameters
    ----------
    fields
        whose names fields and tiers are limited to; ``None`` for any name
    """
    found: dict[str, dict[str, Any]] = {
        "Action": {
            "type": "object",
            "properties": {
                "action": {"enum": list(ACTIONS)},
                "then_action": {"enum": list(ACTIONS)},
                "attempts": _NUM,
                "backoff_ms": {"anyOf": [_NUM, {"type": "array", "items": _NUM}]},
                "open_breaker_ms": _NUM,
            },
            "required": ["action"],
            "additionalProperties": _NUM,
        }
    }
    for version, mark in ((V2, ""), (V1, "1")):
        sorts: dict[str, list[dict[str, Any]]] = {}
        for op in OPS[version].values():
            sorts.setdefault(op.sort, []).append(_op(op, version, mark, fields))
        found |= {f"{sort}{mark}": {"anyOf": ops} for sort, ops in sorts.items()}
    found["PolicyIR"] = {
        "description": "A policy in sigma-pol/v2 (six elements) or sigma-pol/v1 (seven).",
        "anyOf": [{"$ref": "#/components/schemas/Policy"}, {"$ref": "#/components/schemas/Policy1"}],
    }
    return found


def _op(op: Op, version: Version, mark: str, fields: Fields | None) -> dict[str, Any]:
    slots = [_slot(slot, version, mark, fields) for slot in op.slots]
    name: dict[str, Any] = {"const": op.name}
    if op.variadic:
        # Not by `items`: what draws examples from schemas cannot follow it into terms within terms without end.
        return {"type": "array", "prefixItems": [name, *slots * _SPELLED_OUT], "minItems": 2}
    size = len(slots) + 1
    return {"type": "array", "prefixItems": [name, *slots], "minItems": size, "maxItems": size}


def _slot(slot: str, version: Version, mark: str, fields: Fields | None) -> dict[str, Any]:
    if is_subterm(slot):
        return {"$ref": f"#/components/schemas/{slot}{mark}"}
    if slot == "Tier":
        return _TEXT if fields is None else {"enum": list(fields.tier_order)}
    if slot in ("NumField", "BoolField"):
        if fields is None:
            return _TEXT
        return {"enum": [name for name in fields if f"{fields.sort_of(name, version)}Field" == slot]}
    return _PARAMETERS[slot]
