"""The least value that a JSON Schema accepts, for answers that have to have a form."""

from __future__ import annotations

from typing import Any

_MOST_DEPTH = 16


def instance_of(schema: Any) -> Any:
    """Give a value for a schema: required properties only, first of an enum, shortest lists and texts.

    Covers what tools and structured outputs use: ``type``, ``properties``, ``required``, ``items``, ``enum``,
    ``const``, ``default``, ``anyOf``/``oneOf``/``allOf``, bounds, and ``$ref`` within the schema. Anything else counts
    as no condition.
    """
    return _instance(schema, schema, 0)


def _instance(schema: Any, root: Any, depth: int) -> Any:
    if not isinstance(schema, dict) or depth > _MOST_DEPTH:
        return None
    if "$ref" in schema:
        return _instance(_at(root, str(schema["$ref"])), root, depth + 1)
    for given in ("const", "default"):
        if given in schema:
            return schema[given]
    if schema.get("enum"):
        return schema["enum"][0]
    for several in ("anyOf", "oneOf"):
        if schema.get(several):
            return _instance(schema[several][0], root, depth + 1)
    if schema.get("allOf"):
        parts = [_instance(part, root, depth + 1) for part in schema["allOf"]]
        records = [part for part in parts if isinstance(part, dict)]
        return {key: value for part in records for key, value in part.items()} if records else parts[0]
    kind = schema.get("type")
    kind = kind[0] if isinstance(kind, list) and kind else kind
    if kind == "object" or (kind is None and "properties" in schema):
        known = schema.get("properties") or {}
        return {key: _instance(known.get(key), root, depth + 1) for key in schema.get("required") or ()}
    if kind == "array":
        return [_instance(schema.get("items"), root, depth + 1)] * int(schema.get("minItems") or 0)
    if kind == "string":
        return "x" * int(schema.get("minLength") or 1)
    if kind in ("integer", "number"):
        return schema.get("minimum", 0)
    return False if kind == "boolean" else None


def _at(root: Any, reference: str) -> Any:
    found = root
    for key in reference.removeprefix("#").split("/")[1:]:
        found = found.get(key.replace("~1", "/").replace("~0", "~")) if isinstance(found, dict) else None
    return found
