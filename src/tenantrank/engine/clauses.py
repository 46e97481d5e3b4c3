"""What a filter checks of each offer, clause by clause, with the reason that each check gives when it fails.

Source: the language's specification, section 4 (reasons). The conjunction at the root of a normal form is tried in
normal-form order; `meets_req` is several checks in one clause.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tenantrank.engine.index import Bits
from tenantrank.engine.lower import Program
from tenantrank.engine.request import Request
from tenantrank.engine.scratch import scratch_of
from tenantrank.engine.view import View
from tenantrank.policy.normal_form import Node
from tenantrank_kernels import condition_masks, handle_of

_FIXED_REASONS = {
    "tier_eq": "tier",
    "family_eq": "model_family",
    "provider_eq": "provider_id",
    "served_by_eq": "served_by",
    "scope_matches": "scope",
}


class Check(NamedTuple):
    """One thing checked of every offer.

    Attributes
    ----------
    clause : the place of the clause it belongs to; reason : what it gives where it fails
    need : the offers that pass it, where it is one of the request's needs; ``None`` where it is the whole clause
    """

    clause: int
    reason: str
    need: Bits | None


def reason_of(node: Node) -> str:
    """Give the reason of a Pred other than `and` and `meets_req`."""
    if node.op == "is":
        return f"is:{node.parameters[0]}"
    if node.op == "cmp":
        return f"cmp:{node.parameters[0]}:{node.parameters[1]}"
    if node.op == "has_cap":
        return f"missing_capability:{node.parameters[0]}"
    return _FIXED_REASONS.get(node.op, node.op)


def checks_of(clauses: Sequence[Node], views: Sequence[View], request: Request) -> list[Check]:
    """Give what clauses check, in order: one check each, but one for each need of the request for `meets_req`.

    ``views`` are what each clause observes.
    """
    checks: list[Check] = []
    for at, clause in enumerate(clauses):
        if clause.op == "meets_req":
            checks += [Check(at, reason, passes) for reason, passes in views[at].requirements(request)]
        else:
            checks.append(Check(at, reason_of(clause), None))
    return checks


def clause_masks(clauses: Sequence[Node], view: View, request: Request) -> Bits:
    """Give the offers that pass each clause, (clauses, words)."""
    program = Program(view.index, view)
    bounds = [0]
    for clause in clauses:
        program.condition(clause)
        program.forget()
        bounds.append(len(program.code))
    words = view.index.words
    frame = view.observations.frame(
        np.array(program.code, dtype=np.int32),
        np.array(program.numbers, dtype=np.float64),
        program.fields,
        view.index.rows,
        view.live_rows(request),
    )
    # Bound to names, since a kernel takes addresses, which keep nothing alive.
    ends = np.array(bounds)
    masks = np.empty((len(clauses), words), dtype=np.uint64)
    scratch = scratch_of(words, program.bits, 0, 0)
    condition_masks(frame.handle, scratch.handle, handle_of(ends), len(clauses), handle_of(masks.ravel()))
    return masks
