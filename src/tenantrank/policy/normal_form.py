"""The normal form of an admitted term: the one spelling that stands for all spellings of the same structure.

Source: the language's specification, section 2. A term is rebuilt from its leaves up, its encoding along with it, since
the children of `and`, `or`, `add` and `ev_add` are ordered by their encodings. Nothing beyond the listed rewrites
happens: no arithmetic, and duplicated children stay.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tenantrank.policy.encoding import encode_parameter
from tenantrank.policy.signature import OPS, Op, Version, is_subterm

_UNITS = {"and": "top", "or": "bot", "add": "zero", "seq": "id", "ev_add": "ev_zero"}
_ABSORBING = {"and": "bot", "or": "top"}
_SORTED = frozenset({"and", "or", "add", "ev_add"})


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """A subterm in normal form. Equal nodes have equal ``encoding``.

    ``encoding`` is its canonical text without the version prefix; ``children`` are its subterms in normal-form order;
    ``parameters`` its plain arguments in the order of the signature, every number a double.
    """

    op: str
    encoding: str
    children: tuple[Node, ...] = ()
    parameters: tuple[Any, ...] = ()
    slots: tuple[str, ...] = ()

    def term(self) -> list[Any]:
        """Give the JSON value of this node, as a fresh copy."""
        children, parameters = iter(self.children), iter(self.parameters)
        if not self.slots:
            return [self.op, *(child.term() for child in children)]
        return [self.op, *(next(children).term() if is_subterm(s) else _plain(next(parameters)) for s in self.slots)]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Node) and self.encoding == other.encoding

    def __hash__(self) -> int:
        return hash(self.encoding)


def normalize(term: list[Any], version: Version) -> Node:
    """Rewrite an admitted term into normal form.

    The term must have been admitted in this version; it is not changed. Idempotent:
    ``normalize(normalize(t).term()) == normalize(t)``.
    """
    return _normalize(term, OPS[version])


def clauses_of(condition: Node) -> tuple[Node, ...]:
    """Give the clauses of a Pred in normal form that must all hold, in the order in which they are tried."""
    return condition.children if condition.op == "and" else (condition,)


def conjunction(nodes: list[Node]) -> Node:
    """Give the normal form of the `and` of nodes that are in normal form already; of none, `top`."""
    return _gathered("and", nodes)


def _normalize(term: list[Any], ops: Mapping[str, Op]) -> Node:
    op = ops[term[0]]
    if op.variadic:
        return _gathered(op.name, [_normalize(child, ops) for child in term[1:]])
    if not op.slots:
        return Node(op.name, f"({op.name})")
    children = tuple(_normalize(arg, ops) for slot, arg in zip(op.slots, term[1:], strict=True) if is_subterm(slot))
    parameters = tuple(_plain(arg) for slot, arg in zip(op.slots, term[1:], strict=True) if not is_subterm(slot))
    rewrite = _REWRITES.get(op.name)
    if rewrite is not None:
        rewritten = rewrite(children, parameters)
        if rewritten is not None:
            return rewritten
    return _node(op, children, parameters)


def _node(op: Op, children: tuple[Node, ...], parameters: tuple[Any, ...]) -> Node:
    parts = [op.name]
    nodes, plain = iter(children), iter(parameters)
    parts += [next(nodes).encoding if is_subterm(s) else encode_parameter(next(plain)) for s in op.slots]
    return Node(op.name, f"({' '.join(parts)})", children, parameters, op.slots)


def _gathered(name: str, nodes: list[Node]) -> Node:
    """Flatten, drop units, absorb, sort: the rules of the variadic ops."""
    unit, absorbing = _UNITS[name], _ABSORBING.get(name)
    children: list[Node] = []
    for node in nodes:
        if node.op == name:
            children.extend(node.children)
        elif node.op == absorbing:
            return node
        elif node.op != unit:
            children.append(node)
    if not children:
        return Node(unit, f"({unit})")
    if len(children) == 1:
        return children[0]
    if name in _SORTED:
        children.sort(key=_by_encoding)
    return Node(name, f"({name} {' '.join([child.encoding for child in children])})", tuple(children))


def _by_encoding(node: Node) -> str:
    # Comparing str by code point is comparing its UTF-8 by bytes.
    return node.encoding


_TOP = Node("top", "(top)")
_BOT = Node("bot", "(bot)")
_ZERO = Node("zero", "(zero)")


def _not(children: tuple[Node, ...], _: tuple[Any, ...]) -> Node | None:
    (child,) = children
    if child.op == "not":
        return child.children[0]
    return {"top": _BOT, "bot": _TOP}.get(child.op)


def _scale(children: tuple[Node, ...], parameters: tuple[Any, ...]) -> Node | None:
    (child,), (factor,) = children, parameters
    if factor == 0 or child.op == "zero":
        return _ZERO
    return child if factor == 1 else None


def _gate(children: tuple[Node, ...], _: tuple[Any, ...]) -> Node | None:
    condition, scorer = children
    if condition.op == "bot" or scorer.op == "zero":
        return _ZERO
    return scorer if condition.op == "top" else None


def _idempotent(children: tuple[Node, ...], _: tuple[Any, ...]) -> Node | None:
    (child,) = children
    return child if child.op == "normalize" else None


_OVERRIDE = OPS["sigma-pol/v2"]["override"]


def _override(children: tuple[Node, ...], parameters: tuple[Any, ...]) -> Node:
    """Rebuild a failure plan: one override a reason, ascending from the inside out, none that equals the base.

    The child is in normal form already, so this override, being outermost, only has to take its reason's place.
    """
    (plan,), (reason, action) = children, parameters
    chosen = {reason: action}
    while plan.op == "override":
        chosen.setdefault(plan.parameters[0], plan.parameters[1])
        plan = plan.children[0]
    base = encode_parameter(plan.parameters[0])
    for name in sorted(chosen):
        if encode_parameter(chosen[name]) != base:
            plan = _node(_OVERRIDE, (plan,), (name, chosen[name]))
    return plan


_REWRITES: dict[str, Callable[[tuple[Node, ...], tuple[Any, ...]], Node | None]] = {
    "not": _not,
    "scale": _scale,
    "gate": _gate,
    "normalize": _idempotent,
    "override": _override,
}


def _plain(value: Any) -> Any:
    """Copy a parameter so that a node never shares state with its caller; numbers become doubles without a sign on
    zero and records have their keys in order, wherever they stand, so that equal encodings are equal JSON.
    """
    kind = type(value)
    if kind is float or kind is int:
        return float(value) + 0.0
    if kind is list:
        return [_plain(entry) for entry in value]
    if kind is dict:
        return {key: _plain(value[key]) for key in sorted(value)}
    return value
