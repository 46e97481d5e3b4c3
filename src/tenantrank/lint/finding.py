"""Findings: what is said of a policy, by a code that stays the same whatever the words."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal

from tenantrank.policy.normal_form import Node
from tenantrank.tenants.origin import Origin, attributed

CODES: Mapping[str, str] = MappingProxyType(
    {
        "TR101": "a name that no offer has",
        "TR102": "a chain lists what nobody serves",
        "TR201": "a clause that no offer passes",
        "TR202": "a clause that every offer passes",
        "TR203": "a clause on a field known for few offers",
        "TR204": "a clause that never decides beside another",
        "TR205": "clauses that contradict each other",
        "TR206": "a clause passed by stating nothing",
        "TR301": "unknown values flatten a normalized score",
        "TR302": "unknown values may flatten a normalized score",
        "TR303": "a listed price of 0 wins",
        "TR304": "a deprecated offer wins",
        "TR305": "a tie decides who is first",
        "TR306": "catalog order decides who is first",
        "TR307": "an expected cost without token estimates",
        "TR401": "no offer passes",
        "TR402": "the selector keeps no offer",
    }
)
"""The codes of findings, and what each is about. A code is never given to anything else."""

PAGE = "docs/warnings.md"
"""Where each code is explained."""

Part = Literal["filter", "scorer", "selector", "transform"]
"""The part of a policy that a finding is about."""


@dataclasses.dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a policy may not do as its author expects.

    Attributes
    ----------
    code : of `CODES`
    words : one line of plain English, without code and origins
    part : the part of the policy it is about; ``None`` for the policy as a whole
    clause : canonical text of the clause of the filter, where it is about one
    field, name : the field, and the provider, family, capability or offer, where it is about one
    origins : the rules that asked for what it is about; empty for a policy that no rulebook compiled
    data : what the words were made of, as JSON values by name; which they are depends on the code
    """

    code: str
    words: str
    part: Part | None = None
    clause: str | None = None
    field: str | None = None
    name: str | None = None
    origins: tuple[Origin, ...] = ()
    data: Mapping[str, Any] = dataclasses.field(default_factory=dict, hash=False)

    @property
    def page(self) -> str:
        """The place of the documentation that explains the code."""
        return f"{PAGE}#{self.code.lower()}"

    @property
    def remark(self) -> str:
        """The words, and whose the part is that they are about."""
        return attributed(self.words, self.origins)

    def __str__(self) -> str:
        return f"{self.code}: {self.remark}"

    def to_json(self) -> dict[str, Any]:
        """Give the finding as a JSON value."""
        return {
            "code": self.code,
            "words": self.words,
            "page": self.page,
            "part": self.part,
            "clause": self.clause,
            "field": self.field,
            "name": self.name,
            "origins": [
                {"rule": o.rule, "field": o.field, "value": list(o.value) if isinstance(o.value, tuple) else o.value}
                for o in self.origins
            ],
            "data": dict(self.data),
        }


def of_clause(
    code: str, words: str, clause: Node, field: str | None = None, name: str | None = None, **data: Any
) -> Finding:
    """Make a finding on one clause of the filter."""
    return Finding(code, words, "filter", clause.encoding, field, name, data=data)
