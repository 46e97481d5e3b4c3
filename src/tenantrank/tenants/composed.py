"""Policies put together from parts that are admitted and in normal form already, with little kept of each.

A table of tenants may come to as many policies as it has rows, and the texts and trees of a policy are by far the
largest part of it. Only its clauses and its other four parts are kept here, which policies share; texts and trees are
made again whenever they are asked for.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any, TypeAlias

from tenantrank.policy import encoding
from tenantrank.policy.normal_form import Node, clauses_of, conjunction
from tenantrank.policy.policy import Policy
from tenantrank.policy.signature import OPS, V2, Fields, Version

Others: TypeAlias = tuple[Node, Node, Node, Node]
"""The parts of a policy beside its filter: scorer, selector, transform and failure plan."""

_SLOTS = OPS[V2]["policy"].slots


class ComposedPolicy(Policy):
    """A policy of the second version; made by `compose`, and equal to any other `Policy` of its encoding."""

    version: Version = V2
    sort = "Policy"

    def __init__(self, clauses: tuple[Node, ...], others: Others, fields: Fields, identity: str) -> None:
        self._clauses = clauses
        self._others = others
        self._fields = fields
        self.identity = identity

    @property
    def fields(self) -> Fields:
        """The vocabulary it was admitted against."""
        return self._fields

    @property
    def root(self) -> Node:
        """The normal form as a tree of nodes, made anew each time."""
        children = (self.filter, *self._others)
        return Node("policy", _text(children), children, (), _SLOTS)

    @property
    def encoding(self) -> str:
        """The canonical text with its version prefix, made anew each time."""
        return _encoding((self.filter, *self._others))

    @property
    def filter(self) -> Node:
        """The Pred that an offer must pass, made anew each time."""
        return conjunction(list(self._clauses))

    @property
    def scorer(self) -> Node:
        """The Scorer that values each survivor."""
        return self._others[0]

    @property
    def selector(self) -> Node:
        """The Selector that orders the survivors."""
        return self._others[1]

    @property
    def transform(self) -> Node:
        """The Xform applied to the request of each attempt."""
        return self._others[2]

    @property
    def failure_plan(self) -> Node:
        """The FailPlan."""
        return self._others[3]

    @property
    def clauses(self) -> tuple[Node, ...]:
        """The conditions of the filter that must all hold, in normal-form order: the order in which they are tried."""
        return self._clauses

    def __repr__(self) -> str:
        return repr(Policy(self.version, self.sort, self.root, self.fields))

    def __reduce__(self) -> tuple[Any, ...]:
        return Policy, (self.version, self.sort, self.root, self.fields)


def compose(filter_: Node, others: Others, fields: Fields, known: MutableMapping[str, Policy]) -> Policy:
    """Put a policy together.

    Parameters
    ----------
    filter_, others
        its parts, admitted as terms of the second version against `fields` and in normal form
    fields
        the vocabulary
    known
        policies by identity: where the policy is among them, that object is given, else it is added
    """
    key = encoding.identity(_encoding((filter_, *others)))
    policy = known.get(key)
    if policy is None:
        policy = known[key] = ComposedPolicy(clauses_of(filter_), others, fields, key)
    return policy


def _encoding(children: tuple[Node, ...]) -> str:
    return f"{V2}:{_text(children)}"


def _text(children: tuple[Node, ...]) -> str:
    return f"(policy {' '.join([child.encoding for child in children])})"
