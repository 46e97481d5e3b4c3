"""Whether a decision asks that nothing of a call is kept, so that providers are told so on the wire."""

from __future__ import annotations

from collections.abc import Iterable

from tenantrank.engine import Request
from tenantrank.policy.normal_form import Node

_FLAGS = frozenset({"no_log", "zdr_available", "zdr_default"})


def needs_no_retention(clauses: Iterable[Node], request: Request) -> bool:
    """Say whether a filter lets an offer pass only if nothing of the call is kept.

    Parameters
    ----------
    clauses
        all that must hold: the policy's, and those of the envelopes
    request
        what the call needs; its ``privacy`` counts where a clause is `meets_req`

    Notes
    -----
    Looked at are conditions that hold by themselves: ``is no_log``, ``is zdr_available`` or ``is zdr_default``, no
    retention (``cmp retention_days`` at most 0, or below 1), and `meets_req` for a request that asks for ``no_log``. A
    caller's wish counts with the envelope's, for telling a provider to keep nothing harms no rule.
    """
    return any(_asks(clause, request) for clause in clauses)


def _asks(clause: Node, request: Request) -> bool:
    if clause.op == "is":
        return clause.parameters[0] in _FLAGS
    if clause.op == "cmp":
        field, relation, bound = clause.parameters
        if field != "retention_days":
            return False
        return bool(bound <= 0 if relation in ("le", "eq") else relation == "lt" and bound <= 1)
    return clause.op == "meets_req" and request.privacy == "no_log"
