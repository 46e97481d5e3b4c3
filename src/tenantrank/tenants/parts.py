"""One part of a rule, ready to be placed into policies: a term, what fills it, and where its origins come from."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from tenantrank.errors import PolicyError, TenantError
from tenantrank.policy.encoding import encode_number
from tenantrank.policy.normal_form import Node, normalize
from tenantrank.policy.policy import admit_term
from tenantrank.policy.rewrites import gathered
from tenantrank.policy.signature import MAX_NODES, V2, Fields
from tenantrank.tenants.lowering import LIST_FORMS, MissingValueError, is_placeholder, lower, placeholders
from tenantrank.tenants.origin import Origin
from tenantrank.tenants.states import State, Value, shown

_MEMO_LIMIT = 65_536
"""Placed parts kept for reuse; past it the memory starts anew, so that a server's use of it stays bounded."""

_Measured: TypeAlias = tuple[Node, int, int]
"""A node, its subterms and its levels."""

_NONE: frozenset[str] = frozenset()  # every call of frozenset() makes a new one


@dataclass(slots=True)
class Placed:
    """A part filled for one tenant, in normal form; shared, so nothing changes it.

    Attributes
    ----------
    node : the normal form; for a hard clause possibly an `and`, whose children become clauses of their own
    size, depth : subterms and levels of `node`
    rule, reads, values : id of the rule, the tenant fields that decide the part, and what the tenant has there
    leveled : fields under `normalize` whose unknown value is infinite
    """

    node: Node
    size: int
    depth: int
    rule: str
    reads: tuple[str, ...]
    values: tuple[Value, ...]
    leveled: frozenset[str]
    _origins: tuple[Origin, ...] | None = field(default=None, init=False, compare=False, repr=False)

    @property
    def origins(self) -> tuple[Origin, ...]:
        """Why the tenant has it, at least one; worked out when first asked for, since of most it never is."""
        found = self._origins
        if found is None:
            named = [Origin(self.rule, *read) for read in zip(self.reads, self.values, strict=True)]
            found = tuple(named) or (Origin(self.rule),)
            self._origins = found
        return found


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

    __slots__ = ("_fields", "_memo", "_term", "fixed", "path", "reads", "rule", "sort")

    def __init__(self, rule: str, path: str, sort: str, term: Any, tested: tuple[str, ...], fields: Fields) -> None:
        self.rule = rule
        self.path = path
        self.sort = sort
        filling = tuple(dict.fromkeys(found["tenant"] for found in placeholders(term)))
        self.reads = filling or tested
        """The tenant fields whose values decide what is placed: the term and its origins."""
        self._term = term
        self._fields = fields
        self.fixed = None if filling else _measured(admit_term(lower(term, {}), fields, V2, sort).root)
        """Of a term that no tenant's values fill: the one node there is, its size and its depth."""
        self._memo: dict[tuple[Value, ...], Placed] = {}

    def place(self, state: State) -> Placed:
        """Fill the part for one tenant, as `fill` does with the values of the fields read."""
        return self.fill(tuple([state[name] for name in self.reads]))

    def fill(self, values: tuple[Value, ...]) -> Placed:
        """Fill the part with the values of the fields in `reads`; equal ones give one object while it is remembered.

        Raises
        ------
        TenantError
            where a tenant field that fills it is absent, or its value makes no valid term
        """
        placed = self._memo.get(values)
        if placed is None:
            placed = self._placed(values)
            if len(self._memo) >= _MEMO_LIMIT:
                self._memo.clear()
            self._memo[values] = placed
        return placed

    def _formed(self, values: tuple[Value, ...]) -> _Measured:
        state = dict(zip(self.reads, values, strict=True))
        return _measured(admit_term(lower(self._term, state), self._fields, V2, self.sort).root)

    def _placed(self, values: tuple[Value, ...]) -> Placed:
        try:
            node, size, depth = self.fixed or self._formed(values)
        except MissingValueError as missing:
            message = f"rule {self.rule!r} needs field {missing.field!r} ({self.path}), which the tenant lacks"
            raise TenantError(message, missing.field, self.rule) from None
        except PolicyError as error:
            filled = ", ".join(f"{name}={shown(value)}" for name, value in zip(self.reads, values, strict=True))
            message = f"rule {self.rule!r}, {self.path} with {filled}: {error.reason}"
            raise TenantError(message, self.reads[0] if self.reads else None, self.rule) from None
        leveled = frozenset(_leveled(node, self._fields)) if self.sort == "Scorer" else _NONE
        return Placed(node, size, depth, self.rule, self.reads, values, leveled)


class BoundPart(Part):
    """A `cmp` that a tenant's number fills: the rest of it was admitted with the rulebook, only the number is new."""

    __slots__ = ("_at_zero", "head")

    def __init__(self, rule: str, path: str, sort: str, term: Any, tested: tuple[str, ...], fields: Fields) -> None:
        super().__init__(rule, path, sort, term, tested, fields)
        self._at_zero = normalize([*term[:-1], 0], V2)
        self.head = self._at_zero.encoding.removesuffix("0)")
        """The text before the bound."""

    @staticmethod
    def fits(term: Any) -> bool:
        """Say whether a checked Pred is a `cmp` with a placeholder for its bound and for nothing else."""
        return (
            len(term) == 4 and term[0] == "cmp" and is_placeholder(term[3]) and not any(map(is_placeholder, term[:3]))
        )

    def _placed(self, values: tuple[Value, ...]) -> Placed:
        (value,) = values
        if not isinstance(value, int | float):
            return super()._placed(values)
        number, same = float(value) + 0.0, self._at_zero
        encoding = f"{self.head}{encode_number(number)})"
        node = Node(same.op, encoding, (), (*same.parameters[:-1], number), same.slots)
        return Placed(node, 1, 1, self.rule, self.reads, values, _NONE)


class ListPart(Part):
    """A list form that a tenant's list or name fills: each name is admitted once, and terms are joined from those.

    A term admitted in a form's leaf is admitted beside others there, until the whole has too many subterms.
    """

    __slots__ = ("_leaves",)

    def __init__(self, rule: str, path: str, sort: str, term: Any, tested: tuple[str, ...], fields: Fields) -> None:
        super().__init__(rule, path, sort, term, tested, fields)
        self._leaves: dict[str, _Measured] = {}

    @staticmethod
    def fits(term: Any) -> bool:
        """Say whether a checked Pred is a list form with a placeholder for its argument."""
        return len(term) == 2 and term[0] in LIST_FORMS and is_placeholder(term[1])

    def _formed(self, values: tuple[Value, ...]) -> _Measured:
        (value,) = values
        names = (value,) if isinstance(value, str) else value
        if not isinstance(names, tuple) or not names or 2 * len(names) >= MAX_NODES:
            return super()._formed(values)
        try:
            leaves = [self._leaves.get(name) or self._leaf(name) for name in dict.fromkeys(names)]
        except PolicyError:
            return super()._formed(values)
        if len(leaves) == 1:
            return leaves[0]
        _, size, depth = leaves[0]  # those of one form are all of one size
        node = gathered(LIST_FORMS[self._term[0]].join, [leaf for leaf, _, _ in leaves])
        return node, 1 + size * len(leaves), 1 + depth

    def _leaf(self, name: str) -> _Measured:
        term = LIST_FORMS[self._term[0]].leaf(name)
        leaf = _measured(admit_term(term, self._fields, V2, self.sort).root)
        if len(self._leaves) >= _MEMO_LIMIT:
            self._leaves.clear()
        self._leaves[name] = leaf
        return leaf


def measure(node: Node) -> tuple[int, int]:
    """Count the subterms of a node and its levels, itself included in both."""
    size, depth = 1, 0
    for child in node.children:
        child_size, child_depth = measure(child)
        size += child_size
        depth = max(depth, child_depth)
    return size, depth + 1


def _measured(node: Node) -> _Measured:
    return node, *measure(node)


def _leveled(node: Node, fields: Fields, normalized: bool = False) -> Iterator[str]:
    if node.op == "field" and normalized and math.isinf(float(fields[node.parameters[0]].default)):
        yield node.parameters[0]
    for child in node.children:
        yield from _leveled(child, fields, normalized or node.op == "normalize")
