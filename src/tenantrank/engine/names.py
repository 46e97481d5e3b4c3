"""Names in policies that occur in no offer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from difflib import get_close_matches

from tenantrank.catalog import Catalog
from tenantrank.policy.normal_form import Node

_COLUMNS = {"provider_eq": "provider_id", "served_by_eq": "provider_id", "family_eq": "model_family"}


def unknown_names(conditions: Iterable[Node], catalog: Catalog) -> dict[str, str]:
    """Give the providers and families that occur in no offer, in order of first mention, each with the nearest.

    A `served_by_eq` may also name a peer. The nearest is empty where no name is near.
    """
    peers = set(catalog.strings("peer_id")[1])
    known = {column: catalog.strings(column)[1] for column in set(_COLUMNS.values())}
    sets = {column: set(names) for column, names in known.items()}
    found: dict[str, str] = {}
    seen: set[str] = set()
    for condition in conditions:
        for node in _mentions(condition, seen):
            column, name = _COLUMNS[node.op], node.parameters[0]
            if name not in sets[column] and not (node.op == "served_by_eq" and name in peers) and name not in found:
                found[name] = next(iter(get_close_matches(name, known[column], n=1)), "")
    return found


def _mentions(node: Node, seen: set[str]) -> Iterator[Node]:
    """Give the leaves below a node that name a provider or a family; what was seen before is passed over."""
    if node.op in _COLUMNS:
        yield node
    elif node.children and node.encoding not in seen:
        seen.add(node.encoding)
        for child in node.children:
            yield from _mentions(child, seen)
