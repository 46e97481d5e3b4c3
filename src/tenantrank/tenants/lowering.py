"""Rule terms to terms of the language: placeholders filled from the tenant, and list forms spelled out.

A rule may write, wherever the language takes a plain parameter, ``{"tenant": "field"}``; the item of a list may be one
too, and a list that fills it is spliced in. Beyond the language's own ops a rule may use the ones of `LIST_FORMS`, each
with one argument: a list of strings, one string, or a placeholder. They stand for `or` and `and` of the language's ops,
in the order given, so the policy that comes out is plain ``sigma-pol``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from tenantrank.errors import PolicyError
from tenantrank.policy.places import place_name
from tenantrank.policy.signature import MAX_DEPTH, OPS, V2, is_subterm
from tenantrank.tenants.nearest import hint

_OPS = OPS[V2]


class ListForm(NamedTuple):
    """A form over a list of names: the leaf for one name, and how the leaves are joined.

    An empty list joined by `or` is `bot`: nothing is allowed. One joined by `and` is `top`: nothing is forbidden.
    """

    leaf: Callable[[str], list[Any]]
    join: str


def _leaf(op: str) -> Callable[[str], list[Any]]:
    return lambda name: [op, name]


def _denied(op: str) -> Callable[[str], list[Any]]:
    return lambda name: ["not", [op, name]]


def _place(prefix: str) -> Callable[[str], list[Any]]:
    return lambda name: ["is", prefix + place_name(name)]


LIST_FORMS: Mapping[str, ListForm] = {
    "provider_in": ListForm(_leaf("provider_eq"), "or"),
    "provider_not_in": ListForm(_denied("provider_eq"), "and"),
    "family_in": ListForm(_leaf("family_eq"), "or"),
    "family_not_in": ListForm(_denied("family_eq"), "and"),
    "served_by_in": ListForm(_leaf("served_by_eq"), "or"),
    "served_by_not_in": ListForm(_denied("served_by_eq"), "and"),
    "tier_in": ListForm(_leaf("tier_eq"), "or"),
    "region_in": ListForm(_place("region_"), "or"),
    "region_only_in": ListForm(_place("region_only_"), "or"),
    "has_all_caps": ListForm(_leaf("has_cap"), "and"),
}


class MissingValueError(Exception):
    """A placeholder's tenant field is absent, and the placeholder has no default."""

    def __init__(self, field: str) -> None:
        super().__init__(field)
        self.field = field


def is_placeholder(value: Any) -> bool:
    """Say whether a parameter is to be filled from the tenant."""
    return isinstance(value, dict) and isinstance(value.get("tenant"), str)


def placeholders(value: Any) -> Iterator[dict[str, Any]]:
    """Give every placeholder inside a rule term, in reading order."""
    if is_placeholder(value):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from placeholders(item)
    elif isinstance(value, list):
        for item in value:
            yield from placeholders(item)


def lower(term: Any, state: Mapping[str, Any]) -> Any:
    """Fill and spell out one rule term for one tenant.

    The term need not be valid: what is not understood is left as it is, for admission to refuse.

    Raises
    ------
    MissingValueError
        for a placeholder without a value
    PolicyError
        for a list form without one list of strings
    """
    return _lower(term, state, 1, "$")


def _lower(term: Any, state: Mapping[str, Any], depth: int, path: str) -> Any:
    if not isinstance(term, list) or not term or not isinstance(term[0], str) or depth > MAX_DEPTH:
        return term
    head, *arguments = term
    if head in LIST_FORMS:
        return _spelled_out(head, arguments, state, path)
    op = _OPS.get(head)
    if op is None:
        raise PolicyError(path, f"unknown op {head[:60]!r}{hint(head, [*_OPS, *LIST_FORMS])}")
    slots = op.slots * len(arguments) if op.variadic else op.slots
    lowered: list[Any] = [head]
    for index, argument in enumerate(arguments):
        if index < len(slots) and is_subterm(slots[index]):
            lowered.append(_lower(argument, state, depth + 1, f"{path}.{head}[{index + 1}]"))
        else:
            lowered.append(_filled(argument, state))
    return lowered


def _spelled_out(head: str, arguments: list[Any], state: Mapping[str, Any], path: str) -> list[Any]:
    names = _filled(arguments[0], state) if len(arguments) == 1 else None
    if isinstance(names, str):
        names = [names]
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise PolicyError(
            path, f"{head} takes one argument: a list of strings, one string, or a placeholder for either"
        )
    form = LIST_FORMS[head]
    if not names:
        return ["bot"] if form.join == "or" else ["top"]
    return [form.join, *(form.leaf(name) for name in dict.fromkeys(names))]


def _filled(value: Any, state: Mapping[str, Any]) -> Any:
    if is_placeholder(value):
        return _taken(value, state)
    if isinstance(value, dict):
        return {key: _filled(item, state) for key, item in value.items()}
    if not isinstance(value, list):
        return value
    items: list[Any] = []
    for item in value:
        filled = _filled(item, state)
        if is_placeholder(item) and isinstance(filled, list):
            items.extend(filled)
        else:
            items.append(filled)
    return items


def restricts(selector: Any) -> bool:
    """Say whether a selector's term decides which offers are ranked at all: whether a `chain` stands in it."""
    return isinstance(selector, list) and bool(selector) and (selector[0] == "chain" or any(map(restricts, selector)))


def _taken(placeholder: dict[str, Any], state: Mapping[str, Any]) -> Any:
    name = placeholder["tenant"]
    value = state.get(name)
    if value is None:
        if "default" not in placeholder:
            raise MissingValueError(name)
        return placeholder["default"]
    return list(value) if isinstance(value, tuple) else value
