"""How a call at providers went: each attempt, and what came of all of them."""

from __future__ import annotations

from typing import Any, Generic, NamedTuple, TypeVar

from tenantrank.gateway.failure import Failure
from tenantrank.policy.failover import Target

Answer = TypeVar("Answer")

CANCELLED = "cancelled"
"""The kind of an attempt that was broken off from outside, as when the client left."""
BROKEN = "broken"
"""The kind of an attempt that ended in an error of the gateway's own."""


class Tried(NamedTuple):
    """One attempt as it went.

    Attributes
    ----------
    number : counts the tries at the offer from 1
    kind : of the failure, one of `tenantrank.gateway.failure.KINDS`, or `CANCELLED` or `BROKEN`; ``None`` for an answer
    status : the provider's HTTP status where it failed with one
    accepted : whether the provider may have begun to work on it although it failed
    started_ms, ended_ms : by the caller's clock
    """

    target: Target
    number: int
    kind: str | None
    status: int | None
    accepted: bool
    started_ms: float
    ended_ms: float


class Outcome(NamedTuple, Generic[Answer]):
    """How a call ended.

    Attributes
    ----------
    chosen, answer : the offer that answered, and with what; ``None`` where none did
    error : ``None``, ``"no_candidates"``, ``"exhausted: <last kind>"`` or the kind upon which the plan gave up
    attempts : in order
    events : as of `tenantrank.policy.failover.Failover`
    waits : made before tries at the same offer, in ms
    cut : the name of the limit that ended the call, ``None`` where the plan ended it
    limited : names of all limits that changed its course, in order of their first effect
    retries : tries at an offer after the first
    fallbacks : further offers that were tried
    failure : the last one, where the call was not answered
    retry_after_ms : where breakers held offers back and nobody answered, when the first lets an attempt through
    began_ms, ended_ms : by the caller's clock
    """

    chosen: Target | None
    answer: Answer | None
    error: str | None
    attempts: tuple[Tried, ...]
    events: list[dict[str, Any]]
    waits: list[float]
    cut: str | None
    limited: tuple[str, ...]
    retries: int
    fallbacks: int
    failure: Failure | None
    retry_after_ms: float | None
    began_ms: float
    ended_ms: float
