"""Clauses beside each other: those that never decide, and those that cannot hold together."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from tenantrank.lint.finding import Finding, of_clause
from tenantrank.lint.subject import Subject
from tenantrank.policy.describe import describe_clause
from tenantrank.policy.normal_form import Node

_HOLDS: Mapping[str, Callable[[float, float], bool]] = {
    "lt": operator.lt,
    "le": operator.le,
    "eq": operator.eq,
    "ne": operator.ne,
    "ge": operator.ge,
    "gt": operator.gt,
}
_NEGATED = {"lt": "ge", "le": "gt", "eq": "ne", "ne": "eq", "ge": "lt", "gt": "le"}
_NAMES = ("provider_eq", "family_eq", "served_by_eq", "tier_eq")


class Bound(NamedTuple):
    """A comparison of one field, a `not` around it worked in."""

    clause: Node
    relation: str
    number: float


class Bounds:
    """The comparisons of one field: the strictest of each kind, and the rest.

    Parameters
    ----------
    bounds
        the comparisons, no clause twice; of equally strict ones the first stands
    """

    def __init__(self, bounds: Sequence[Bound]) -> None:
        self.bounds = bounds
        below = [bound for bound in bounds if bound.relation in ("lt", "le")]
        above = [bound for bound in bounds if bound.relation in ("gt", "ge")]
        exact = [bound for bound in bounds if bound.relation == "eq"]
        self.below = min(below, key=lambda b: (b.number, b.relation == "le"), default=None)
        self.above = min(above, key=lambda b: (-b.number, b.relation == "ge"), default=None)
        self.exact = exact[0] if exact else None

    def contradiction(self) -> tuple[Bound, Bound] | None:
        """Give two comparisons that no number satisfies together."""
        if self.exact is not None:
            for bound in self.bounds:
                if not _HOLDS[bound.relation](self.exact.number, bound.number):
                    return self.exact, bound
        below, above = self.below, self.above
        if below is not None and above is not None:
            closed = (below.relation, above.relation) == ("le", "ge")
            if below.number < above.number or (below.number == above.number and not closed):
                return above, below
        return None

    def shadowed(self) -> Iterator[tuple[Bound, Bound]]:
        """Give each comparison that another implies, and that other."""
        for bound in self.bounds:
            for stronger in (self.exact, self.below, self.above):
                if stronger is not None and stronger is not bound and _implies(stronger, bound):
                    yield bound, stronger
                    break


def never_deciding(subject: Subject) -> Iterator[Finding]:
    """Name the clauses that turn away no offer that another does not: bounds within bounds, and repetitions."""
    clauses = list(dict.fromkeys(subject.clauses))
    if len(clauses) < len(subject.clauses):
        seen: set[Node] = set()
        for clause in subject.clauses:
            if clause in seen:
                yield _shadowed(clause, clause, None)
            seen.add(clause)
    for field, bounds in _by_field(clauses).items():
        for weaker, stronger in bounds.shadowed():
            yield _shadowed(weaker.clause, stronger.clause, field)
    tiers = [clause for clause in clauses if clause.op == "min_tier"]
    rank = subject.around.catalog.fields.tier_order.index
    highest = max(tiers, key=lambda tier: rank(tier.parameters[0]), default=None)
    for clause in tiers:
        if highest is not None and clause is not highest:
            yield _shadowed(clause, highest, None)


def contradicting(subject: Subject) -> Iterator[Finding]:
    """Name pairs of clauses that no offer can pass, whatever the catalog holds: at most one a field or kind of name."""
    clauses = list(dict.fromkeys(subject.clauses))
    for field, bounds in _by_field(clauses).items():
        pair = bounds.contradiction()
        if pair is not None:
            yield _contradiction(pair[0].clause, pair[1].clause, field)
    stated = set(clauses)
    for clause in clauses:
        # Of comparisons the bounds tell it, of names what follows.
        if clause.op == "not" and clause.children[0].op not in ("cmp", *_NAMES) and clause.children[0] in stated:
            yield _contradiction(clause.children[0], clause, None)
    for op in _NAMES:
        yield from _no_name_left(op, clauses)


def _by_field(clauses: Sequence[Node]) -> dict[str, Bounds]:
    found: dict[str, list[Bound]] = {}
    for clause in clauses:
        test = clause.children[0] if clause.op == "not" else clause
        if test.op == "cmp":
            field, relation, number = test.parameters
            relation = relation if test is clause else _NEGATED[relation]
            found.setdefault(field, []).append(Bound(clause, relation, number))
    return {field: Bounds(bounds) for field, bounds in found.items() if len(bounds) > 1}


def _implies(stronger: Bound, weaker: Bound) -> bool:
    """Say whether every number that satisfies the one, which is no `ne`, satisfies the other."""
    if stronger.relation == "eq":
        return _HOLDS[weaker.relation](stronger.number, weaker.number)
    upwards = ("gt", "ge") if stronger.relation in ("gt", "ge") else ("lt", "le")
    beyond = stronger.number > weaker.number if upwards[0] == "gt" else stronger.number < weaker.number
    strict = stronger.relation in ("gt", "lt")
    if weaker.relation == "ne":
        return beyond or (strict and stronger.number == weaker.number)
    if weaker.relation not in upwards:
        return False
    return beyond or (stronger.number == weaker.number and (strict or weaker.relation in ("ge", "le")))


def _no_name_left(op: str, clauses: Sequence[Node]) -> Iterator[Finding]:
    """Follow what clauses leave of the names that are allowed, up to the one that leaves none."""
    first: Node | None = None
    left: frozenset[str] = frozenset()
    for clause in clauses:
        names = _listed(clause, op)
        if names is not None:
            left = names if first is None else left & names
            first = first or clause
            if not left:
                yield _contradiction(first, clause, None)
                return
    for clause in clauses:
        names = _listed(clause.children[0], op) if first is not None and clause.op == "not" else None
        if first is not None and names is not None:
            left -= names
            if not left:
                yield _contradiction(first, clause, None)
                return


def _listed(node: Node, op: str) -> frozenset[str] | None:
    """Give the names that a clause allows, where all it does is list names of one kind."""
    leaves = node.children if node.op == "or" else (node,)
    if any(leaf.op != op for leaf in leaves):
        return None
    return frozenset(leaf.parameters[0] for leaf in leaves)


def _shadowed(weaker: Node, stronger: Node, field: str | None) -> Finding:
    beside = "the same again" if weaker == stronger else describe_clause(stronger)
    words = f"{describe_clause(weaker)}: never decides, since there is {beside}"
    return of_clause("TR204", words, weaker, field, beside=stronger.encoding)


def _contradiction(one: Node, other: Node, field: str | None) -> Finding:
    words = f"no offer can pass both: {describe_clause(one)}; {describe_clause(other)}"
    return of_clause("TR205", words, other, field, beside=one.encoding)
