"""What checks look at: a policy, what each of its clauses lets through, and who comes out first."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from tenantrank.engine import Ranked
from tenantrank.lint.surroundings import Surroundings
from tenantrank.policy.normal_form import Node
from tenantrank.policy.policy import Policy, admit

Flags = NDArray[np.bool_]
Doubles = NDArray[np.float64]


class Subject:
    """One policy over one engine, for one request.

    Attributes
    ----------
    policy, around : the policy, and what every policy over the engine shares
    clauses : the clauses of its own filter, in the order tried; `top`, which asks for nothing, is none
    """

    def __init__(self, policy: Policy, around: Surroundings) -> None:
        self.policy = policy
        self.around = around
        self.clauses = tuple([clause for clause in policy.clauses if clause.op != "top"])

    @cached_property
    def passes(self) -> Flags:
        """The offers that pass each clause by itself, (clauses, offers)."""
        return self.around.holds(self.clauses, self.policy.version)

    @cached_property
    def survivors(self) -> Flags:
        """The offers that pass the filter and the envelope, (offers,)."""
        passing: Flags = self.passes.all(axis=0) & self.around.within
        return passing

    @cached_property
    def passing(self) -> int:
        """How many offers pass the filter and the envelope."""
        return int(self.survivors.sum())

    def observed(self, field: str) -> Doubles:
        """Give a Num field as this policy sees it, (offers,)."""
        return self.around.observed(field, self.policy.version)

    def unknown(self, field: str) -> Flags:
        """Say for which offers this policy knows nothing of a field, (offers,)."""
        return self.around.unknown(field, self.policy.version)

    @cached_property
    def order(self) -> Node:
        """The selector without the limits around it: what decides the order."""
        return base_of(self.policy.selector)

    @cached_property
    def ranked(self) -> Ranked:
        """The first two places by the policy itself."""
        return self.around.ranked(self.policy, 2)

    @cached_property
    def by_score(self) -> Policy:
        """The policy with the best score first and nobody cut; itself where it is one that does that."""
        if self.policy.selector.op == "argmax":
            return self.policy
        term = self.policy.term
        return admit([*term[:-3], ["argmax"], *term[-2:]], self.policy.fields, self.policy.version)

    @cached_property
    def first(self) -> int | None:
        """The catalog row that comes first: of a draw, the likeliest; ``None`` where nothing is ranked."""
        ranked = self.around.ranked(self.by_score, 1) if self.order.op == "sample" else self.ranked
        return int(ranked.rows[0, 0]) if ranked.ranked[0] else None


def base_of(selector: Node) -> Node:
    """Give a selector without the limits around it."""
    while selector.op == "top_k":
        selector = selector.children[0]
    return selector


def walk(node: Node) -> Iterator[Node]:
    """Give a subterm and all below it, in normal-form order."""
    yield node
    for child in node.children:
        yield from walk(child)


def fields_of(node: Node) -> Iterator[str]:
    """Give the fields that a subterm reads, as often as it does."""
    for each in walk(node):
        if each.op in ("is", "cmp", "field"):
            yield each.parameters[0]
