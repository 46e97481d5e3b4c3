"""The conditions that a clause is made of: what each holds an offer against, and what is known of the offer there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from tenantrank.engine.clauses import clause_masks
from tenantrank.engine.index import EVERY_OFFER, NO_OFFER, Bits
from tenantrank.engine.observed import Observed
from tenantrank.engine.stated import Stated, Subject
from tenantrank.engine.view import CAPABILITY_OF_NEED
from tenantrank.policy.describe import describe_clause
from tenantrank.policy.normal_form import Node
from tenantrank.policy.signature import V1

_COMPOUND = ("and", "or", "not")
_NAMING = {
    "provider_eq": ("column", "provider_id"),
    "family_eq": ("column", "model_family"),
    "tier_eq": ("column", "tier"),
    "min_tier": ("column", "tier"),
    "served_by_eq": ("server", ""),
    "scope_matches": ("column", "scope"),
}


@dataclass(frozen=True, slots=True)
class Atom:
    """One condition within a clause, held against one offer.

    Attributes
    ----------
    words : in a line of plain English
    bound : what the offer is held against: a number, a name, a list of names of which one will do, ``True`` for a flag;
        ``None`` where there is nothing
    observed : what the policy saw, with its source; ``None`` for a condition that looks at nothing of the offer
    holds : whether the offer meets it
    """

    words: str
    bound: Any
    observed: Observed | None
    holds: bool

    def to_json(self) -> dict[str, Any]:
        """Give it as a JSON value."""
        observed = None if self.observed is None else self.observed.to_json()
        return {"words": self.words, "bound": self.bound, "observed": observed, "holds": self.holds}


class Atoms:
    """The conditions of some clauses, over the whole catalog."""

    def __init__(self, clauses: Sequence[Node], stated: Stated) -> None:
        self.stated = stated
        self._index = stated.view.index
        self._clauses = clauses

    def failing_unknown(self, fails: Bits) -> Bits:
        """Give those of the offers that fail each clause, (clauses, words), that would pass if what is unknown of them
        were as it wants it.

        Each condition is looked at by itself: two that look at the same unknown value may come to what one value could
        not give both.
        """
        possible = [self._might_pass(clause, fails[at]) for at, clause in enumerate(self._clauses)]
        return fails & np.array(possible)

    def _might_pass(self, clause: Node, fails: Bits) -> Bits:
        """Give those of the offers that fail a clause that might pass it; of the others, any."""
        if clause.op not in _COMPOUND and clause.op != "meets_req":
            return self._unknown(subject_of(clause))
        subjects = _sole_subjects(clause)
        if subjects is None:
            return self._possible(clause, True) if fails.any() else fails
        unknown: Bits = np.bitwise_or.reduce([self._unknown(subject) for subject in subjects])
        return unknown

    def of(self, clause: Node, row: int) -> tuple[Atom, ...]:
        """Give the conditions of a clause for one offer, in normal-form order, each once; a list of names is one."""
        units = {unit.encoding: unit for unit in _units(clause)}
        return tuple(self._atom(unit, row, self._holds_for(unit, row)) for unit in units.values())

    def of_need(self, needs: Sequence[Node], row: int, met: bool = False) -> tuple[Atom, ...]:
        """Give what an offer has or lacks of one thing that the request needs, and whether that is met; see `needs`."""
        one = len(needs) == 1
        return tuple(self._atom(leaf, row, met and (one or self.value(leaf, row) is True)) for leaf in needs)

    def needs(self, reason: str) -> list[Node]:
        """Give one thing that the request needs, by its reason, as the conditions of which one would do."""
        return self._needs[reason]

    def bound(self, leaf: Node) -> Any:
        """Give what a condition holds an offer against; ``None`` where there is nothing."""
        if leaf.op == "scope_matches":
            return self.stated.request.scope
        if leaf.op == "cmp":
            return leaf.parameters[2]
        if leaf.op == "is":
            return True
        if _is_list_of_names(leaf):
            return [child.parameters[0] for child in leaf.children]
        return leaf.parameters[0] if leaf.parameters else None

    def value(self, leaf: Node, row: int) -> Any:
        """Give what is known of an offer where a condition looks; ``None`` where nothing is."""
        subject = subject_of(leaf)
        return None if subject is None else self.stated.value(subject, row)

    @cached_property
    def _holds(self) -> dict[str, Bits]:
        """The offers that each atomic condition holds for."""
        leaves = {leaf.encoding: leaf for clause in self._clauses for leaf in leaves_of(clause)}
        masks = clause_masks(tuple(leaves.values()), self.stated.view, self.stated.request)
        return dict(zip(leaves, masks, strict=True))

    def _holds_for(self, unit: Node, row: int) -> bool:
        masks = (self._holds[leaf.encoding] for leaf in leaves_of(unit))
        return any((int(mask[row >> 6]) >> (row & 63)) & 1 for mask in masks)

    def _atom(self, leaf: Node, row: int, holds: bool) -> Atom:
        subject = subject_of(leaf)
        observed = None if subject is None else self.stated.observed(subject, row)
        return Atom(describe_clause(leaf), self.bound(leaf), observed, holds)

    def _possible(self, node: Node, wanted: bool) -> Bits:
        """Give the offers for which a condition may come to what is wanted."""
        if node.op == "not":
            return self._possible(node.children[0], not wanted)
        if node.op in ("and", "or"):
            parts = [self._possible(child, wanted) for child in node.children]
            join = np.bitwise_and if (node.op == "and") is wanted else np.bitwise_or
            return np.asarray(join.reduce(parts))
        every = self._index.rows[EVERY_OFFER]
        if node.op == "meets_req":
            return self._needs_possible(wanted)
        holds = self._holds[node.encoding]
        chosen: Bits = (holds if wanted else every & ~holds) | self._unknown(subject_of(node))
        return chosen

    def _needs_possible(self, wanted: bool) -> Bits:
        every: Bits = self._index.rows[EVERY_OFFER]
        found: Bits = every if wanted else self._index.rows[NO_OFFER]
        for reason, passes in self.stated.view.requirements(self.stated.request):
            unknown = np.bitwise_or.reduce([self._unknown(subject_of(leaf)) for leaf in self._needs[reason]])
            found = found & (passes | unknown) if wanted else found | (every & ~passes) | unknown
        return found

    def _unknown(self, subject: Subject | None) -> Bits:
        # An offer without a scope is open to every request.
        if subject is None or subject == ("column", "scope"):
            nothing: Bits = self._index.rows[NO_OFFER]
            return nothing
        return self.stated.unknown(subject)

    @cached_property
    def _needs(self) -> dict[str, list[Node]]:
        """Give what `meets_req` looks at, by reason, as the conditions that say the same."""
        request = self.stated.request
        found = {f"missing_capability:{need}": [_leaf("has_cap", CAPABILITY_OF_NEED[need])] for need in request.needs}
        found["min_context"] = [_leaf("cmp", "context", "ge", request.min_context)]
        found["model_family"] = [_leaf("family_eq", request.model_family)]
        found["tier"] = [_leaf("tier_eq", request.tier)]
        found["tee_required"] = [_leaf("is", "has_tee")]
        found["no_log"] = [_leaf("is", "no_log"), _leaf("is", "has_tee")]
        if self.stated.view.version == V1:
            found["min_quality"] = [_leaf("cmp", "quality_hint", "ge", request.min_quality)]
        found["min_tok_s"] = [_leaf("cmp", "tok_s", "ge", request.min_tok_s)]
        return found


def leaves_of(node: Node) -> Iterator[Node]:
    """Give the atomic conditions of a Pred, in normal-form order."""
    if node.op in _COMPOUND:
        for child in node.children:
            yield from leaves_of(child)
    else:
        yield node


def _sole_subjects(clause: Node) -> set[Subject | None] | None:
    """Give the one thing that a clause looks at, or each part of an `or`; ``None`` where one looks at several.

    Where a part fails that looks at one thing, it might pass just where that is unknown, however it is put together;
    and all parts fail where the clause does.
    """
    found: set[Subject | None] = set()
    for part in clause.children if clause.op == "or" else (clause,):
        leaves = list(leaves_of(part))
        subjects = {subject_of(leaf) for leaf in leaves}
        if len(subjects) > 1 or any(leaf.op == "meets_req" for leaf in leaves):
            return None
        found |= subjects
    return found


def _units(node: Node) -> Iterator[Node]:
    """Give the atomic conditions of a Pred, but a list of names of one kind whole."""
    if node.op in _COMPOUND and not _is_list_of_names(node):
        for child in node.children:
            yield from _units(child)
    else:
        yield node


def _is_list_of_names(node: Node) -> bool:
    kinds = {child.op for child in node.children}
    return node.op == "or" and len(kinds) == 1 and kinds <= _NAMING.keys() - {"min_tier", "scope_matches"}


def subject_of(leaf: Node) -> Subject | None:
    """Give what an atomic condition looks at; ``None`` for one that looks at nothing, or at many things."""
    if leaf.op in ("cmp", "is"):
        return "field", leaf.parameters[0]
    if leaf.op == "has_cap":
        return "capability", leaf.parameters[0]
    return _NAMING.get(leaf.children[0].op if _is_list_of_names(leaf) else leaf.op)


def _leaf(op: str, *parameters: Any) -> Node:
    return Node(op, "", (), parameters)
