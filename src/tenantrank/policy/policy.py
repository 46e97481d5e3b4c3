"""Admitted terms: what `admit` gives, and what everything above the language works with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from tenantrank.errors import CatalogError, PolicyError
from tenantrank.policy import admission, encoding
from tenantrank.policy.normal_form import Node, clauses_of, normalize
from tenantrank.policy.parsing import parse
from tenantrank.policy.signature import V1, V2, VERSIONS, Fields, Version
from tenantrank.policy.stack import whatever_the_stack


@dataclass(frozen=True)
class Term:
    """An admitted term of any sort, held in normal form. Equal terms have equal `encoding`.

    Attributes
    ----------
    version : ``"sigma-pol/v1"`` or ``"sigma-pol/v2"``
    sort : ``Pred``, ``Scorer``, ``Selector``, ``Xform``, ``FailPlan``, ``Policy`` (v1 also ``Evidence``)
    root : the normal form as a tree of nodes
    fields : the vocabulary it was admitted against
    """

    version: Version
    sort: str
    root: Node
    fields: Fields

    @property
    def term(self) -> list[Any]:
        """The normal form as a JSON value; a fresh copy at each use."""
        return self.root.term()

    @cached_property
    def encoding(self) -> str:
        """The canonical text with its version prefix (section 3)."""
        return f"{self.version}:{self.root.encoding}"

    @cached_property
    def fingerprint(self) -> str:
        """A short checksum for people to read; never a key."""
        return encoding.fingerprint(self.encoding)

    @cached_property
    def identity(self) -> str:
        """The sha256 of `encoding` in hex: the key of every cache, lookup and proof."""
        return encoding.identity(self.encoding)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Term) and self.encoding == other.encoding

    def __hash__(self) -> int:
        return hash(self.encoding)

    def __repr__(self) -> str:
        shown = self.encoding if len(self.encoding) <= 100 else self.encoding[:97] + "…"
        return f"<{type(self).__name__} {shown}>"


class Policy(Term):
    """An admitted policy: five parts in normal form (Evidence, which decides nothing, stays in `root` only)."""

    @property
    def filter(self) -> Node:
        """The Pred that an offer must pass."""
        return self.root.children[-5]

    @property
    def scorer(self) -> Node:
        """The Scorer that values each survivor."""
        return self.root.children[-4]

    @property
    def selector(self) -> Node:
        """The Selector that orders the survivors."""
        return self.root.children[-3]

    @property
    def transform(self) -> Node:
        """The Xform applied to the request of each attempt."""
        return self.root.children[-2]

    @property
    def failure_plan(self) -> Node:
        """The FailPlan."""
        return self.root.children[-1]

    @property
    def clauses(self) -> tuple[Node, ...]:
        """The conditions of the filter that must all hold, in normal-form order: the order in which they are tried."""
        return clauses_of(self.filter)


def admit(source: Any, fields: Fields | Mapping[str, Any], version: str | None = None) -> Policy:
    """Admit a policy: check it, bring it into normal form, give it its identity.

    Parameters
    ----------
    source
        a JSON value (a list), or JSON as ``str`` or ``bytes``
    fields
        the vocabulary: ``catalog.fields``, or a mapping of field declarations ``{name: {"sort": …, "default": …}}``
    version
        ``"sigma-pol/v1"``, ``"sigma-pol/v2"``, or ``None``: a policy of seven elements is v1, any other v2

    Raises
    ------
    PolicyError
        for any source that is not such a policy, with the path to the fault; no source raises anything else
    """
    admitted = _admit(source, fields, version, "Policy")
    return Policy(admitted.version, admitted.sort, admitted.root, admitted.fields)


def admit_term(
    source: Any, fields: Fields | Mapping[str, Any], version: str | None = None, sort: str | None = None
) -> Term:
    """Admit a term of any sort, or of the one given; otherwise as `admit`, which serves whole policies."""
    return _admit(source, fields, version, sort)


def _admit(source: Any, fields: Fields | Mapping[str, Any], given: str | None, sort: str | None) -> Term:
    def work() -> Term:
        vocabulary = _vocabulary(fields)
        version = next((known for known in VERSIONS if type(given) is str and known == given), None)
        if given is not None and version is None:
            shown = f" {given[:60]!r}" if type(given) is str else ""
            raise PolicyError("$", f"unknown version{shown}, expected one of {', '.join(VERSIONS)}")
        if sort is not None and type(sort) is not str:
            raise PolicyError("$", f"a sort is a name such as Pred, got {admission.shown(sort)}")
        # By type, not by isinstance, which asks the value itself for its class.
        value = parse(source) if issubclass(type(source), str | bytes) else source
        chosen = version or _version_of(value)
        found = admission.check(value, vocabulary, chosen, sort)
        return Term(chosen, found, normalize(value, chosen), vocabulary)

    return whatever_the_stack(work)


def _vocabulary(fields: Fields | Mapping[str, Any]) -> Fields:
    if isinstance(fields, Fields):
        return fields
    if isinstance(fields, Mapping):
        return Fields(fields)
    raise CatalogError(f"fields must be a catalog's fields or a mapping of declarations, got {type(fields).__name__}")


def _version_of(value: Any) -> Version:
    if type(value) is list and len(value) == 7 and type(value[0]) is str and value[0] == "policy":
        return V1
    return V2
