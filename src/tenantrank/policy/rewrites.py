"""The rewrites of the normal form, each applied to what is in normal form already.

Source: the language's specification, section 2. Nothing beyond the listed rewrites happens: no arithmetic, and
duplicated children stay.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter

from tenantrank.policy.node import Node

_UNITS = {"and": "top", "or": "bot", "add": "zero", "seq": "id", "ev_add": "ev_zero"}
_ABSORBING = {"and": "bot", "or": "top"}
_SORTED = frozenset({"and", "or", "add", "ev_add"})
REWRITTEN = {name: frozenset({name, unit, _ABSORBING.get(name, unit)}) for name, unit in _UNITS.items()}
"""For each variadic op the ops of children that `gathered` does more with than `joined`."""

# Comparing str by code point is comparing its UTF-8 by bytes.
_encoding = itemgetter(1)

TOP = Node("top", "(top)")
BOT = Node("bot", "(bot)")
ZERO = Node("zero", "(zero)")


def gathered(name: str, nodes: Sequence[Node]) -> Node:
    """Flatten, drop units, absorb, sort: the rules of the variadic op of this name."""
    unit, absorbing = _UNITS[name], _ABSORBING.get(name)
    children: list[Node] = []
    for node in nodes:
        if node.op == name:
            children.extend(node.children)
        elif node.op == absorbing:
            return node
        elif node.op != unit:
            children.append(node)
    return joined(name, children) if children else Node(unit, f"({unit})")


def joined(name: str, children: list[Node]) -> Node:
    """Sort: what remains to be done with children that none of the other rules of the variadic op apply to."""
    if len(children) == 1:
        return children[0]
    if len(children) == 2:
        first, second = children
        if second[1] < first[1] and name in _SORTED:
            first, second = second, first
        encoding = f"({name} {first[1]} {second[1]})"
        return tuple.__new__(Node, (name, encoding, (first, second), (), ()))
    if name in _SORTED:
        children.sort(key=_encoding)
    encoding = f"({name} {' '.join(map(_encoding, children))})"
    return tuple.__new__(Node, (name, encoding, tuple(children), (), ()))


def negated(child: Node) -> Node | None:
    """Give what `not` of a child is rewritten to, ``None`` where it stays."""
    if child.op == "not":
        return child.children[0]
    if child.op == "top":
        return BOT
    return TOP if child.op == "bot" else None


def normalized(child: Node) -> Node | None:
    """Give what `normalize` of a child is rewritten to, ``None`` where it stays."""
    return child if child.op == "normalize" else None


def scaled(factor: float, child: Node) -> Node | None:
    """Give what `scale` of a child is rewritten to, ``None`` where it stays."""
    if factor == 0 or child.op == "zero":
        return ZERO
    return child if factor == 1 else None


def gated(condition: Node, scorer: Node) -> Node | None:
    """Give what `gate` of two children is rewritten to, ``None`` where it stays."""
    if condition.op == "bot" or scorer.op == "zero":
        return ZERO
    return scorer if condition.op == "top" else None
