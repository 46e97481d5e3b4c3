"""What callers hand to the engine, taken in the forms it has."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from tenantrank.engine.request import Request
from tenantrank.errors import RequestError
from tenantrank.policy.admission import shown
from tenantrank.policy.arguments import listed
from tenantrank.policy.policy import Policy

if TYPE_CHECKING:
    from tenantrank.tenants import CompiledPolicy, Origin

NO_REQUEST = Request()
"""The request that asks for nothing."""


@cache
def _compiled_policy() -> type[CompiledPolicy]:
    # Not at the top: who has no rulebook is spared what one is made of.
    from tenantrank.tenants import CompiledPolicy

    return CompiledPolicy


def policy_of(policy: Policy | CompiledPolicy) -> Policy:
    """Give the policy itself of one that was admitted, or compiled from a rulebook.

    Raises
    ------
    RequestError
        for anything else, such as a term that was not admitted
    """
    if isinstance(policy, Policy):
        return policy
    if isinstance(policy, _compiled_policy()):
        return policy.policy
    kind = type(policy).__name__
    raise RequestError(f"expected an admitted policy (tenantrank.admit) or a compiled one, got {kind}")


def parts_of(policy: Policy | CompiledPolicy) -> tuple[Policy, Mapping[str, tuple[Origin, ...]] | None]:
    """Give a policy, and the origins of its clauses where a rulebook compiled it; errors as of `policy_of`."""
    admitted = policy_of(policy)
    return admitted, None if policy is admitted else policy.origins  # type: ignore[union-attr]


def admitted_of(policies: Any) -> list[Policy]:
    """Give the admitted policies of a list of admitted or compiled ones.

    Raises
    ------
    RequestError
        for what is no list, and for an item that is neither
    """
    given = listed(policies, "policies")
    if set(map(type, given)) <= {Policy}:
        return given
    return [policy if type(policy) is Policy else policy_of(policy) for policy in given]


def request_of(request: Mapping[str, Any] | Request | None) -> Request:
    """Give a checked request; ``None`` asks for nothing."""
    return NO_REQUEST if request is None else Request.of(request)


def places_of(k: int | None, offers: int) -> int:
    """Give how many places a caller wants of a catalog of so many offers.

    Raises
    ------
    RequestError
        for anything but an integer of at least 1, or ``None``
    """
    if k is None:
        return offers
    if isinstance(k, bool) or not isinstance(k, int) or k < 1:
        raise RequestError(f"k must be an integer of at least 1, or None for the whole order, got {shown(k)}")
    return min(k, offers)


def threads_of(threads: int | None) -> int:
    """Give how many threads may rank a batch; ``None`` for as many as the process may use processors.

    Raises
    ------
    RequestError
        for anything but an integer of at least 1, or ``None``
    """
    if threads is None:
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if isinstance(threads, bool) or not isinstance(threads, int) or threads < 1:
        raise RequestError(f"threads must be an integer of at least 1, or None, got {shown(threads)}")
    return threads
