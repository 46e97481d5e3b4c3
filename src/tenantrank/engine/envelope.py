"""The operator's envelope: one condition of the second version, held against policies of either.

Beside a policy of the second version it is one more part of the filter's conjunction. A policy of the first version
observes offers in another way (live state before the offer's own values), and a caller chooses the version: there the
envelope keeps its own way of observing, and its clauses are tried before the policy's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tenantrank.catalog import Catalog
from tenantrank.engine.explain import Part
from tenantrank.engine.view import View
from tenantrank.policy.normal_form import Node, clauses_of, conjunction
from tenantrank.policy.policy import Policy, Term, admit_term
from tenantrank.policy.signature import V1, V2, Version
from tenantrank.tenants import Origin

ORIGIN = Origin("envelope", None, None)
"""The origin of the clauses that the envelope adds."""
HELD_APART = Node("envelope", "(envelope)")
"""What stands for the envelope as a whole in the filter of a policy of the first version."""


def effective_filter(envelope: Term | None, policy: Policy) -> Node:
    """Give the filter to lower: the policy's and the envelope's, or `HELD_APART` in the envelope's place."""
    if envelope is None:
        return policy.filter
    return conjunction([HELD_APART if policy.version == V1 else envelope.root, policy.filter])


class Envelope:
    """An operator's envelope, or none.

    Parameters
    ----------
    source
        a Pred: a JSON value, text, an admitted `Term`, or ``None``
    catalog
        whose fields and tiers it is admitted against

    Raises
    ------
    PolicyError
        for a source that is not a Pred of the second version
    """

    def __init__(self, source: Any, catalog: Catalog) -> None:
        self.term: Term | None = None
        if source is not None:
            value = source.term if isinstance(source, Term) else source
            self.term = admit_term(value, catalog.fields, V2, "Pred")

    @property
    def clauses(self) -> tuple[Node, ...]:
        """Its clauses in normal-form order; none without an envelope."""
        return () if self.term is None else clauses_of(self.term.root)

    def effective(self, policy: Policy) -> Node:
        """Give the filter to lower; see `effective_filter`."""
        return effective_filter(self.term, policy)

    def apart(self, policy: Policy) -> bool:
        """Say whether it is held against a policy apart from the policy's own clauses."""
        return policy.version == V1 and self.term is not None

    def parts(
        self, policy: Policy, origins: Mapping[str, tuple[Origin, ...]], view_of: Callable[[Version], View]
    ) -> list[Part]:
        """Give the clauses that decide in the order tried, each with the view it observes through and its origins."""
        view = view_of(policy.version)
        if self.apart(policy):
            return [Part(self.clauses, view_of(V2), self.origins({})), Part(policy.clauses, view, origins)]
        return [Part(clauses_of(self.effective(policy)), view, self.origins(origins))]

    def origins(self, of_policy: Mapping[str, tuple[Origin, ...]]) -> Mapping[str, tuple[Origin, ...]]:
        """Give the origins of a policy's clauses with its own added, by the encoding of the clause."""
        if self.term is None:
            return of_policy
        own = {clause.encoding: (*of_policy.get(clause.encoding, ()), ORIGIN) for clause in self.clauses}
        return {**of_policy, **own}
