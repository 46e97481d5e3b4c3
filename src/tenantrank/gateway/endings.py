"""How calls that nobody answered end: problems in words of our own, never a provider's."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from tenantrank.engine import Decision
from tenantrank.gateway.failure import KINDS
from tenantrank.gateway.problem import Problem
from tenantrank.gateway.rejected import Rejected
from tenantrank.gateway.walk import Outcome
from tenantrank.policy.policy import Policy

_STATUSES: Mapping[str, int] = MappingProxyType(
    {"bad_request": 400, "content_filter": 400, "context_overflow": 400, "rate_limit": 429, "timeout": 504}
)
"""The status of an answer by the kind of the last failure; of all others 502."""
_CODES: Mapping[str, str] = MappingProxyType(
    {"content_filter": "content_filter", "context_overflow": "context_length_exceeded"}
)
"""Codes that OpenAI's clients know, where a plan gives up for such a reason."""


def no_eligible_model(decision: Decision, policy: Policy, offer_ids: tuple[str, ...]) -> Problem:
    """Say which clauses left no offer; what the operator's envelope says stays the operator's."""
    rejected = Rejected(decision, policy, offer_ids)
    deciding = rejected.deciding()
    if deciding:
        words = " and ".join(f"“{clause['words']}”" for clause in deciding[:4])
        message = f"no offer passes the rule; what keeps the nearest out: {words}"
    elif decision.survivors:
        message = f"the rule's selector keeps none of the {decision.survivors} offers that pass"
    else:
        message = "no offer passes the rule"
    details = {"deciding": deciding, "survivors": decision.survivors}
    return Problem(422, "no_eligible_model", message, details=details)


def problem_of(outcome: Outcome[Any]) -> Problem:
    """Say why a walk ended without an answer."""
    error = outcome.error or "no_candidates"
    kind = error.removeprefix("exhausted: ")
    tried = len(outcome.attempts)
    details: dict[str, Any] = {"reason": error, "attempts": tried}
    if outcome.cut is not None:
        details["cut"] = outcome.cut
    headers = {}
    wait_ms = outcome.retry_after_ms
    if wait_ms is None and outcome.failure is not None and outcome.failure.retry_after_s is not None:
        wait_ms = outcome.failure.retry_after_s * 1000.0
    if not tried:
        if wait_ms is not None:
            headers["retry-after"] = str(max(1, math.ceil(wait_ms / 1000.0)))
        message = "no offer may be tried now: breakers are open, the tenant's plan disabled the providers, or the "
        message += "catalog of now permits none of them"
        return Problem(503, "exhausted", message, headers=headers, details=details)
    status = _STATUSES.get(kind, 502)
    if wait_ms is not None and status in (429, 502):
        headers["retry-after"] = str(max(1, math.ceil(wait_ms / 1000.0)))
    what = KINDS.get(kind, KINDS["unknown"])
    if error == kind:
        code = _CODES.get(kind, kind)
        return Problem(status, code, f"the plan gave up: {what}", headers=headers, details=details)
    cut = f"; the limit {outcome.cut} ended the plan" if outcome.cut is not None else ""
    message = f"nobody answered in {tried} attempt{'s' * (tried > 1)}; of the last: {what}{cut}"
    return Problem(status, "exhausted", message, headers=headers, details=details)
