"""Rulebook files to plain JSON values, strictly: nothing that a reader of the file could take for something else.

Of YAML's scalars only those that its versions agree on are more than strings: `no`, `012` and `2026-01-01` are strings,
and only `true` and `false` are booleans. A key given twice is refused, since the last one would silently replace the
rule that the first one states; aliases are refused, since a few lines of them can stand for any amount of data.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import yaml

from tenantrank.errors import RulebookError
from tenantrank.policy import strict_json

MAX_BYTES = 4 * 1024 * 1024
"""Largest rulebook file that is read."""


def read(path: str | Path) -> Any:
    """Read a rulebook file: ``.json`` as JSON, anything else as YAML.

    Raises
    ------
    RulebookError
        for a file that cannot be read, is too large, or is not strict JSON or YAML of plain JSON values
    """
    try:
        file = Path(path)
    except TypeError:
        raise RulebookError(f"expected the path of a rulebook file, got {type(path).__name__}") from None
    try:
        if file.stat().st_size > MAX_BYTES:
            raise RulebookError(f"{file}: larger than the {MAX_BYTES} bytes allowed")
        content = file.read_bytes()
    except OSError as error:
        raise RulebookError(f"{file}: cannot be read: {error.strerror or error}") from None
    except ValueError as error:  # a path that no file can have
        raise RulebookError(f"{str(file)!r}: cannot be read: {error}") from None
    try:
        return parse_json(content) if file.suffix.lower() == ".json" else parse_yaml(content)
    except RulebookError as error:
        raise RulebookError(f"{file}: {error}") from None


def parse_json(text: str | bytes) -> Any:
    """Read JSON text strictly: whatever two parsers could read differently is refused."""
    try:
        return strict_json.loads(text)
    except ValueError as error:
        raise RulebookError(str(error)) from None


def parse_yaml(text: str | bytes) -> Any:
    """Read YAML text as plain JSON values; what strict JSON refuses, aliases and tags of other types are refused."""
    try:
        value = yaml.load(text if isinstance(text, str) else text.decode(), Loader=_CoreLoader)
        strict_json.loads(json.dumps(value, ensure_ascii=False))
    except UnicodeDecodeError as error:
        raise RulebookError(f"not valid UTF-8: {error.reason}") from None
    except RecursionError:
        raise RulebookError("not valid YAML: nested too deeply") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = "" if mark is None else f" at line {mark.line + 1}, column {mark.column + 1}"
        raise RulebookError(f"not valid YAML{where}: {error.problem or error.context}") from None
    except TypeError:
        raise RulebookError("not valid YAML: a tag gives a value that is no JSON value") from None
    except (yaml.YAMLError, ValueError) as error:
        raise RulebookError(f"not valid YAML: {str(error).splitlines()[0]}") from None
    return value


class _CoreLoader(yaml.SafeLoader):
    """A safe loader with the scalars that YAML 1.1 and 1.2 agree on, and neither aliases nor duplicate keys."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - as the base declares it

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.events.AliasEvent):
            event = self.peek_event()  # type: ignore[no-untyped-call]
            raise yaml.MarkedYAMLError(problem="aliases are not allowed", problem_mark=event.start_mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.MarkedYAMLError(problem="a key must be a string", problem_mark=key.start_mark)
            if key.value in seen:
                raise yaml.MarkedYAMLError(problem=f"key {key.value!r} is given twice", problem_mark=key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep=deep)


for _tag, _pattern, _first in (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?(?:0|[1-9][0-9]*)", list("-+0123456789")),
    ("float", r"[-+]?(?:(?:0|[1-9][0-9]*)?\.[0-9]+|(?:0|[1-9][0-9]*)\.?)(?:[eE][-+]?[0-9]+)?", list("-+.0123456789")),
):
    _CoreLoader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), _first)
