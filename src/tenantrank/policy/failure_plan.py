"""Failure plans: which action follows a failure.

Source: the language's specification, section 7. Classification looks at the normal form.
"""

from __future__ import annotations

import copy
from typing import Any

from tenantrank.policy.normal_form import Node

UNKNOWN = "unknown"
"""An override of this reason takes the base's place for every reason that is not named."""


def classify(plan: Node, reason: str) -> dict[str, Any]:
    """Give the action that a FailPlan in normal form prescribes for a reason, as a fresh record.

    Numbers are doubles. Reasons are compared exactly; any string is a reason.
    """
    actions: dict[str, Any] = {}
    while plan.op == "override":
        actions[plan.parameters[0]] = plan.parameters[1]
        plan = plan.children[0]
    base = actions.get(UNKNOWN, plan.parameters[0])
    return copy.deepcopy(actions.get(reason, base))
