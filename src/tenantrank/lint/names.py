"""Names that no offer has: a list that excludes a misspelt provider excludes nobody."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from tenantrank.lint.finding import Finding, Part
from tenantrank.lint.spelling import KINDS
from tenantrank.lint.subject import Subject
from tenantrank.policy.normal_form import Node

_MOST_TOLD = 3  # providers of a family that a chain asks somebody else for


def unknown_names(subject: Subject) -> Iterator[Finding]:
    """Name each provider, server, family and capability that a condition names and no offer has, once."""
    told: set[tuple[str, str]] = set()
    policy = subject.policy
    places: list[tuple[Part, Node]] = [("filter", clause) for clause in subject.clauses]
    places += [("scorer", policy.scorer), ("transform", policy.transform)]
    for part, root in places:
        for leaf, negated in _named(root):
            name = leaf.parameters[0]
            if (leaf.op, name) in told or subject.around.spelling.occurs(leaf.op, name):
                continue
            told.add((leaf.op, name))
            yield _unknown(subject, leaf.op, name, part, root, negated)


def names_nobody(subject: Subject, clause: Node) -> bool:
    """Say whether a clause names what no offer has."""
    spelling = subject.around.spelling
    return any(not spelling.occurs(leaf.op, leaf.parameters[0]) for leaf, _ in _named(clause))


def unserved_entries(subject: Subject) -> Iterator[Finding]:
    """Name each entry of a chain that is no offer's provider and family, once."""
    if subject.order.op != "chain":
        return
    seen: set[tuple[str, str]] = set()
    providers, provider_names = subject.around.catalog.strings("provider_id")
    families, family_names = subject.around.catalog.strings("model_family")
    for pair in subject.order.parameters[0]:
        provider = pair["provider"] if "provider" in pair else pair["provider_id"]
        family = pair["model"] if "model" in pair else pair["model_family"]
        if (provider, family) in seen:
            continue
        seen.add((provider, family))
        serving = families == _code(family_names, family)
        if not (serving & (providers == _code(provider_names, provider))).any():
            by = np.unique(providers[serving & subject.around.within]).tolist()
            yield _unserved(subject, provider, family, sorted(provider_names[code] for code in by))


def _named(node: Node, negated: bool = False) -> Iterator[tuple[Node, bool]]:
    """Give the leaves that name something, each with whether it is an odd number of `not`s deep."""
    if node.op in KINDS:
        yield node, negated
    for child in node.children:
        yield from _named(child, negated is not (node.op == "not"))


def _unknown(subject: Subject, op: str, name: str, part: Part, root: Node, negated: bool) -> Finding:
    meant = subject.around.spelling.nearest(op, name)
    words = f"no offer {'states' if op == 'has_cap' else 'has'} the {KINDS[op]} {name!r}"
    words += ", and excluding it excludes nobody" if negated else ""
    words += "" if meant is None else f"; did you mean {meant!r}?"
    data = {"kind": KINDS[op], "nearest": meant, "negated": negated}
    return Finding("TR101", words, part, root.encoding if part == "filter" else None, None, name, data=data)


def _unserved(subject: Subject, provider: str, family: str, serving: list[str]) -> Finding:
    spelling = subject.around.spelling
    data: dict[str, Any] = {"provider": provider, "family": family, "nearest": None, "serving": serving}
    words = f"the chain lists {family!r} at {provider!r}, and "
    for op, name in (("provider_eq", provider), ("family_eq", family)):
        if not spelling.occurs(op, name):
            data["nearest"] = spelling.nearest(op, name)
            words += f"no offer has the {KINDS[op]} {name!r}"
            words += "" if data["nearest"] is None else f"; did you mean {data['nearest']!r}?"
            break
    else:
        words += "no offer is that"
        if serving:
            more = f" and {len(serving) - _MOST_TOLD} more" if len(serving) > _MOST_TOLD else ""
            words += f"; it is served by {', '.join(map(repr, serving[:_MOST_TOLD]))}{more}"
    return Finding("TR102", words, "selector", name=f"{provider}|{family}", data=data)


def _code(names: tuple[str, ...], name: str) -> int:
    """Give the code of a name; one that no row has where it does not occur."""
    return names.index(name) if name in names else -2
