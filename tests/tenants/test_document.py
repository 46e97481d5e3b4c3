"""The shape of a rulebook, and its JSON Schema."""

import copy
import re
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from tenantrank.tenants import Rulebook
from tenantrank.tenants.document import Document

VALUE: dict[str, Any] = {
    "version": 1,
    "fields": {"plan": {"type": "enum", "values": ["free"]}, "n": {"type": "number", "optional": True}},
    "scorers": {"cheap": {"lowest": "price_out"}},
    "rules": [
        {
            "id": "r",
            "when": {"plan": ["free"], "n": {"ge": 1, "or_absent": False}},
            "require": [["top"]],
            "floor": {"x": {"tenant": "n"}, "y": 1},
            "preference": {"blend": {"cheap": {"tenant": "n", "default": 1}}},
        }
    ],
}

# Each names a path and what to put there; None takes the key away.
BROKEN = [
    (("version",), 2),
    (("version",), None),
    (("surprise",), 1),
    (("fields",), {}),
    (("fields", "plan", "type"), "text"),
    (("fields", "plan", "optional"), "yes"),
    (("rules",), []),
    (("rules", 0, "id"), "no spaces"),
    (("rules", 0, "id"), None),
    (("rules", 0, "whem"), {}),
    (("rules", 0, "when", "plan"), []),
    (("rules", 0, "when", "plan"), None),
    (("rules", 0, "when", "n"), {"gee": 1}),
    (("rules", 0, "when", "n"), {"ge": "1"}),
    (("rules", 0, "require"), ["top"]),
    (("rules", 0, "require"), [[]]),
    (("rules", 0, "floor", "x"), {"tenant": "n", "default": 0}),
    (("rules", 0, "floor", "y"), "1"),
    (("rules", 0, "floor", "y"), True),
    (("rules", 0, "priority"), 1.5),
    (("rules", 0, "preference"), {"blend": {}}),
    (("rules", 0, "preference"), {"best": 1}),
    (("scorers", "cheap"), "other"),
]


def changed(path: tuple[Any, ...], replacement: Any) -> dict[str, Any]:
    value = copy.deepcopy(VALUE)
    inner: Any = value
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = replacement
    if replacement is None and path != ("rules", 0, "when", "plan"):
        del inner[path[-1]]
    return value


def conforms(value: Any, schema: dict[str, Any], root: dict[str, Any]) -> bool:
    """Say whether a value conforms to the part of JSON Schema that the rulebook's schema uses."""
    if "$ref" in schema:
        return conforms(value, root["$defs"][schema["$ref"].removeprefix("#/$defs/")], root)
    if "const" in schema and value != schema["const"]:
        return False
    if isinstance(schema.get("type"), list):
        return any(conforms(value, {"type": kind}, root) for kind in schema["type"])
    if "enum" in schema and value not in schema["enum"]:
        return False
    if "anyOf" in schema and not any(conforms(value, option, root) for option in schema["anyOf"]):
        return False
    if "oneOf" in schema and sum(conforms(value, option, root) for option in schema["oneOf"]) != 1:
        return False
    kinds = {"object": dict, "array": list, "string": str, "boolean": bool, "integer": int, "null": type(None)}
    kind = schema.get("type")
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if (kind == "number" and not number) or (kind == "integer" and not (number and value == int(value))):
        return False
    if kind in kinds and kind != "integer" and not isinstance(value, kinds[kind]):
        return False
    if isinstance(value, str):
        return re.search(schema.get("pattern", ""), value) is not None and len(value) <= schema.get("maxLength", 10**9)
    if isinstance(value, list):
        if len(value) < schema.get("minItems", 0):
            return False
        heads = schema.get("prefixItems", [])
        items = [*heads, *[schema.get("items", {})] * (len(value) - len(heads))]
        return all(conforms(item, part, root) for item, part in zip(value, items, strict=False))
    if isinstance(value, dict):
        properties, rest = schema.get("properties", {}), schema.get("additionalProperties", {})
        names = schema.get("propertyNames", {})
        for pattern, part in schema.get("patternProperties", {}).items():
            properties = {**{key: part for key in value if re.search(pattern, key)}, **properties}
        return (
            len(value) >= schema.get("minProperties", 0)
            and set(schema.get("required", [])) <= set(value)
            and all(conforms(key, names, root) for key in value)
            and all(
                conforms(item, properties[key], root)
                if key in properties
                else rest is not False and conforms(item, rest, root)
                for key, item in value.items()
            )
        )
    return True


def test_document__takes_every_spelling_of_a_part():
    rule = Document.model_validate(VALUE).rules[0]
    assert rule.when["plan"] == ["free"]
    assert rule.floor["y"] == 1


@pytest.mark.parametrize(("path", "replacement"), BROKEN)
def test_document__refuses_other_shapes(path, replacement):
    with pytest.raises(ValidationError):
        Document.model_validate(changed(path, replacement))


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ({"type": "enum"}, "an enum needs its values"),
        ({"type": "number", "values": ["1"]}, "a number has no list of values"),
        ({"type": "list", "values": ["a", "a"]}, "listed twice"),
        ({"type": "string", "minimum": 1}, "neither minimum nor maximum"),
        ({"type": "number", "minimum": 2, "maximum": 1}, "minimum is greater than maximum"),
    ],
)
def test_document__refuses_inconsistent_fields(spec, reason):
    with pytest.raises(ValidationError, match=reason):
        Document.model_validate(changed(("fields", "plan"), spec))


def test_schema__accepts_what_the_model_accepts(repository):
    schema = Rulebook.json_schema()
    assert conforms(VALUE, schema, schema)
    sample = yaml.safe_load((repository / "data" / "rules.yaml").read_text())
    assert conforms(sample, schema, schema)


@pytest.mark.parametrize(("path", "replacement"), BROKEN)
def test_schema__refuses_what_the_model_refuses(path, replacement):
    schema = Rulebook.json_schema()
    assert not conforms(changed(path, replacement), schema, schema)
