"""One part of a rule, ready to be placed into policies: a term, what fills it, and where its origins come from."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tenantrank.errors import PolicyError, TenantError
from tenantrank.policy.normal_form import Node, normalize
from tenantrank.policy.policy import admit_term
from tenantrank.policy.signature import V2, Fields
from tenantrank.tenants.lowering import MissingValueError, lower, placeholders
from tenantrank.tenants.origin import Origin
from tenantrank.tenants.states import State, Value, shown

_MEMO_LIMIT = 65_536
"""Placed parts kept for reuse; past it the memory starts anew, so that a server's use of it stays bounded."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A part filled for one tenant, in normal form.

    Attributes
    ----------
    node : the normal form; for a hard clause possibly an `and`, whose children become clauses of their own
    origins : why the tenant has it, at least one
    size, depth : subterms and levels of `node`
    leveled : fields under `normalize` whose unknown value is infinite
    """

    node: Node
    origins: tuple[Origin, ...]
    size: int
    depth: int
    leveled: frozenset[str]


class Part:
    """A term that a rule adds, with placeholders.

    Parameters
    ----------
    rule, path
        id of the rule, and the place of the term in it
    sort
        the sort that the term must have
    term
        the rule's term; it was checked with sample values when the rulebook was prepared
    tested
        tenant fields that the rule's condition tests: the origins of a term without placeholders
    fields
        the vocabulary it is admitted against
    """

    __slots__ = ("_fields", "_memo", "_term", "path", "reads", "rule", "sort")

    def __init__(self, rule: str, path: str, sort: str, term: Any, tested: tuple[str, ...], fields: Fields) -> None:
        self.rule = rule
        self.path = path
        self.sort = sort
        self.reads = tuple(dict.fromkeys(found["tenant"] for found in placeholders(term))) or tested
        """The tenant fields whose values decide what is placed: the term and its origins."""
        self._term = term
        self._fields = fields
        self._memo: dict[tuple[Value, ...], Placed] = {}

    def place(self, state: State) -> Placed:
        """Fill the part for one tenant; equal values read give the same object while it is remembered.

        Raises
        ------
        TenantError
            where a tenant field that fills it is absent, or its value makes no valid term
        """
        values = tuple([state[name] for name in self.reads])
        placed = self._memo.get(values)
        if placed is None:
            placed = self._placed(state)
            if len(self._memo) >= _MEMO_LIMIT:
                self._memo.clear()
            self._memo[values] = placed
        return placed

    def _node(self, state: State) -> Node:
        return admit_term(lower(self._term, state), self._fields, V2, self.sort).root

    def _placed(self, state: State) -> Placed:
        try:
            node = self._node(state)
        except MissingValueError as missing:
            message = f"rule {self.rule!r} needs field {missing.field!r} ({self.path}), which the tenant lacks"
            raise TenantError(message, missing.field, self.rule) from None
        except PolicyError as error:
            filled = ", ".join(f"{name}={shown(state[name])}" for name in self.reads)
            message = f"rule {self.rule!r}, {self.path} with {filled}: {error.reason}"
            raise TenantError(message, self.reads[0] if self.reads else None, self.rule) from None
        origins = tuple(Origin(self.rule, name, state[name]) for name in self.reads)
        leveled = frozenset(_leveled(node, self._fields)) if self.sort == "Scorer" else frozenset()
        return Placed(node, origins or (Origin(self.rule),), *measure(node), leveled)


class BoundPart(Part):
    """A bound that a tenant's number fills: the rest of the clause was admitted with the rulebook; it is only built."""

    __slots__ = ()

    def _node(self, state: State) -> Node:
        _, field, relation, bound = self._term
        value = state[bound["tenant"]]
        if value is None:
            raise MissingValueError(bound["tenant"])
        return normalize(["cmp", field, relation, value], V2)


def measure(node: Node) -> tuple[int, int]:
    """Count the subterms of a node and its levels, itself included in both."""
    size, depth = 1, 0
    for child in node.children:
        child_size, child_depth = measure(child)
        size += child_size
        depth = max(depth, child_depth)
    return size, depth + 1


def _leveled(node: Node, fields: Fields, normalized: bool = False) -> Iterator[str]:
    if node.op == "field" and normalized and math.isinf(float(fields[node.parameters[0]].default)):
        yield node.parameters[0]
    for child in node.children:
        yield from _leveled(child, fields, normalized or node.op == "normalize")
