"""Failure plans: which action follows a failure.

Source: the language's specification, section 7. Classification looks at the normal form.
"""

from __future__ import annotations

import copy
from typing import Any

from tenantrank.errors import PolicyError
from tenantrank.policy.admission import shown
from tenantrank.policy.arguments import check_type
from tenantrank.policy.normal_form import Node

UNKNOWN = "unknown"
"""An override of this reason takes the base's place for every reason that is not named."""

_OPS = ("always", "override")


def classify(plan: Node, reason: str) -> dict[str, Any]:
    """Give the action that a FailPlan in normal form prescribes for a reason, as a fresh record.

    Numbers are doubles. Reasons are compared exactly; any string is a reason.

    Raises
    ------
    PolicyError
        for anything else than such a plan: a policy's is its ``failure_plan``, another term's its ``root``
    RequestError
        for a reason that is no string
    """
    if not isinstance(plan, Node) or plan.op not in _OPS:
        given = f"the op {plan.op}" if isinstance(plan, Node) else shown(plan)
        raise PolicyError("$", f"expected a FailPlan in normal form, as policy.failure_plan is, got {given}")
    check_type(reason, str, "the reason of a failure as a string")
    actions: dict[str, Any] = {}
    while plan.op == "override":
        actions[plan.parameters[0]] = plan.parameters[1]
        plan = plan.children[0]
    base = actions.get(UNKNOWN, plan.parameters[0])
    return copy.deepcopy(actions.get(reason, base))
