"""YAML text read strictly, as plain JSON values: nothing that a reader of the file could take for something else.

Of YAML's scalars only those that its versions agree on are more than strings: `no`, `012`, `1:30` and `2026-01-01` are
strings, and only `true` and `false` are booleans. A tag may ask for another type, and only for one that JSON has and
that the text spells. A key given twice is refused, since the last one would silently replace what the first one states;
aliases are refused, since a few lines of them can stand for any amount of data. Rulebooks and overlays are read through
here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, ClassVar

import yaml

from tenantrank.policy import strict_json
from tenantrank.policy.admission import shown

_PREFIX = "tag:yaml.org,2002:"
_STRING = f"{_PREFIX}str"


def loads(text: str | bytes) -> Any:
    """Read one YAML document.

    Raises
    ------
    ValueError
        one line, with line and column where there are any, for text that is not UTF-8 or not YAML, is nested too deeply
        to read, or holds an alias, a key that is given twice or is no string, a tag of a type that JSON does not have
        or of one that the value does not spell, and whatever `strict_json` refuses in a value
    """
    try:
        value = yaml.load(text if isinstance(text, str) else text.decode(), Loader=_CoreLoader)
        strict_json.loads(json.dumps(value, ensure_ascii=False))
    except UnicodeDecodeError as error:
        raise ValueError(f"not valid UTF-8: {error.reason}") from None
    except RecursionError:
        raise ValueError("not valid YAML: nested too deeply") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = "" if mark is None else f" at line {mark.line + 1}, column {mark.column + 1}"
        raise ValueError(f"not valid YAML{where}: {error.problem or error.context}") from None
    except (yaml.YAMLError, ValueError) as error:
        raise ValueError(f"not valid YAML: {str(error).splitlines()[0]}") from None
    return value


def _fault(at: Any, problem: str) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=at.start_mark)


class _CoreLoader(yaml.SafeLoader):
    """A loader of the scalars that YAML 1.1 and 1.2 agree on, with neither aliases nor duplicate keys."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - as the base declares it
    yaml_constructors: ClassVar[dict[str | None, Callable[..., Any]]] = {}  # none of the base's many types

    def compose_node(self, parent: Any, index: Any) -> Any:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.events.AliasEvent):
            raise _fault(event, "aliases are not allowed")
        if getattr(event, "tag", None) == "!":  # a string by the standard, and not to this parser
            raise _fault(event, "the tag '!' is read in more than one way")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        if not isinstance(node, yaml.MappingNode):
            raise _fault(node, "the value is no map, as its tag says")
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.tag != _STRING:
                raise _fault(key, "a key must be a string")
            if key.value in seen:
                raise _fault(key, f"key {shown(key.value)} is given twice")
            seen.add(key.value)
        return super().construct_mapping(node, deep=deep)


_SCALARS: tuple[tuple[str, str, list[str], Callable[[str], Any]], ...] = (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""], lambda text: None),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF"), lambda text: text[0] in "tT"),
    (
        "int",
        r"[-+]?(?:0|[1-9][0-9]*)",
        list("-+0123456789"),
        lambda text: strict_json.decode(text.lstrip("+")),
    ),
    (
        "float",
        r"[-+]?(?:(?:0|[1-9][0-9]*)?\.[0-9]+|(?:0|[1-9][0-9]*)\.?)(?:[eE][-+]?[0-9]+)?",
        list("-+.0123456789"),
        float,
    ),
    ("str", r"(?s:.*)", [], str),
)
"""By the name of a type: what spells it, the letters that may begin it, and how it is read."""


def _constructor(name: str, pattern: re.Pattern[str], read: Callable[[str], Any]) -> Callable[[Any, Any], Any]:
    def construct(_: Any, node: Any) -> Any:
        if not isinstance(node, yaml.ScalarNode) or not pattern.fullmatch(node.value):
            given = shown(node.value) if isinstance(node, yaml.ScalarNode) else "the value"
            raise _fault(node, f"{given} is no {name}, as its tag says")
        try:
            return read(node.value)
        except ValueError as error:
            raise _fault(node, str(error)) from None

    return construct


def _refuse_tag(_: Any, node: Any) -> Any:
    known = ", ".join([*(name for name, *_ in _SCALARS), "seq and map"])
    raise _fault(node, f"the tag {shown(node.tag.replace(_PREFIX, '!!'))} is none of those of JSON's types: {known}")


for _name, _spelling, _first, _read in _SCALARS:
    _pattern = re.compile(_spelling)
    if _first:
        _CoreLoader.add_implicit_resolver(_PREFIX + _name, re.compile(f"^(?:{_spelling})$"), _first)
    _CoreLoader.add_constructor(_PREFIX + _name, _constructor(_name, _pattern, _read))
_CoreLoader.add_constructor(f"{_PREFIX}seq", _CoreLoader.construct_yaml_seq)  # type: ignore[type-var]
_CoreLoader.add_constructor(f"{_PREFIX}map", _CoreLoader.construct_yaml_map)  # type: ignore[type-var]
_CoreLoader.add_constructor(None, _refuse_tag)
