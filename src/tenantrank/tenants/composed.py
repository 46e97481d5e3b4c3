"""Policies put together from parts that are admitted and in normal form already, with little kept of each.

A table of tenants may come to as many policies as it has rows, and the texts and trees of a policy are by far the
largest part of it. Only the numbers that are its own are kept here, with the template that policies share; clauses,
texts and trees are made again whenever they are asked for.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

from tenantrank.policy.normal_form import Node, clauses_of, conjunction
from tenantrank.policy.policy import Policy
from tenantrank.policy.signature import OPS, V2, Fields, Version
from tenantrank.tenants.templates import Numbers, Others, Template

_SLOTS = OPS[V2]["policy"].slots


class ComposedPolicy(Policy):
    """A policy of the second version; made by `compose` or `filled`, and equal to any other `Policy` of its encoding.

    Attributes
    ----------
    template, numbers : what it shares with others, and the bounds that are its own
    """

    __slots__ = ("identity", "numbers", "template")

    version: Version = V2
    sort = "Policy"
    template: Template
    numbers: Numbers
    identity: str

    @property
    def fields(self) -> Fields:
        """The vocabulary it was admitted against."""
        return self.template.fields

    @property
    def root(self) -> Node:
        """The normal form as a tree of nodes, made anew each time."""
        children = (self.filter, *self.template.others)
        return Node("policy", f"(policy {' '.join([child.encoding for child in children])})", children, (), _SLOTS)

    def mentions(self, name: str) -> bool:
        """Say whether a name stands in the policy, as a field or another string."""
        return self.template.mentions(name)

    @property
    def encoding(self) -> str:
        """The canonical text with its version prefix, made anew each time."""
        return self.template.encoding(self.numbers)

    @property
    def filter(self) -> Node:
        """The Pred that an offer must pass, made anew each time."""
        return conjunction(list(self.clauses))

    @property
    def scorer(self) -> Node:
        """The Scorer that values each survivor."""
        return self.template.others[0]

    @property
    def selector(self) -> Node:
        """The Selector that orders the survivors."""
        return self.template.others[1]

    @property
    def transform(self) -> Node:
        """The Xform applied to the request of each attempt."""
        return self.template.others[2]

    @property
    def failure_plan(self) -> Node:
        """The FailPlan."""
        return self.template.others[3]

    @property
    def clauses(self) -> tuple[Node, ...]:
        """The conditions of the filter that must all hold, in normal-form order: the order in which they are tried."""
        return self.template.clauses_with(self.numbers)

    @property
    def clause_texts(self) -> tuple[str, ...]:
        """The canonical text of each of these clauses, made anew each time."""
        return tuple([clause.encoding for clause in self.clauses])

    def __repr__(self) -> str:
        return repr(Policy(self.version, self.sort, self.root, self.fields))

    def __reduce__(self) -> tuple[Any, ...]:
        return Policy, (self.version, self.sort, self.root, self.fields)


# Past the guard of a frozen class, which would take most of the time of making one.
_new = object.__new__
_set_template = ComposedPolicy.__dict__["template"].__set__
_set_numbers = ComposedPolicy.__dict__["numbers"].__set__
_set_identity = ComposedPolicy.__dict__["identity"].__set__


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
    return filled(Template(clauses_of(filter_), others, fields), (), known)


def filled(template: Template, numbers: Numbers, known: MutableMapping[str, Policy]) -> Policy:
    """Give the policy of a template with these bounds, finite and no negative zero; ``known`` as in `compose`."""
    key = template.identity(numbers)
    policy = known.get(key)
    if policy is None:
        made = _new(ComposedPolicy)
        _set_template(made, template)
        _set_numbers(made, numbers)
        _set_identity(made, key)
        policy = known[key] = made
    return policy
