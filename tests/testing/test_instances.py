"""The least value of a schema is one that the schema accepts."""

from __future__ import annotations

from typing import Any

import pytest

from tenantrank.testing.instances import instance_of


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "string"}, "x"),
        ({"type": "string", "minLength": 3}, "xxx"),
        ({"type": "integer"}, 0),
        ({"type": "number", "minimum": 2}, 2),
        ({"type": "boolean"}, False),
        ({"type": "null"}, None),
        ({"type": ["string", "null"]}, "x"),
        ({"type": "array", "items": {"type": "integer"}, "minItems": 2}, [0, 0]),
        ({"type": "array"}, []),
        ({"enum": ["a", "b"]}, "a"),
        ({"const": 4}, 4),
        ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, 0),
        ({"allOf": [{"const": {"a": 1}}, {"const": {"b": 2}}]}, {"a": 1, "b": 2}),
        ({"type": "object", "properties": {"a": {"type": "string"}, "b": {}}, "required": ["a"]}, {"a": "x"}),
        (
            {"$defs": {"n": {"type": "integer"}}, "properties": {"a": {"$ref": "#/$defs/n"}}, "required": ["a"]},
            {"a": 0},
        ),
        ({}, None),
        (True, None),
        ({"$ref": "#/$defs/absent"}, None),
    ],
)
def test_instance_of(schema: Any, value: Any) -> None:
    assert instance_of(schema) == value


def test_instance_of__a_schema_that_holds_itself_comes_to_an_end() -> None:
    schema = {"type": "object", "properties": {"next": {"$ref": "#"}}, "required": ["next"]}

    assert instance_of(schema)["next"]["next"] is not None
