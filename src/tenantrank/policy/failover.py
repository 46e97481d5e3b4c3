"""The failure plan's state machine: which offer to try next, when, and how a call ends.

It does no work itself. A caller asks for the next step, does it (an attempt, a wait), and says how the attempt went;
the time is passed in. Source: the language's specification, section 7, with its one shared state and without any
operator's limits; a caller that has limits or a state of its own passes them in, and may skip offers or cut the call
short. Nothing makes it go anywhere but down the list.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from tenantrank.policy.failure_plan import classify
from tenantrank.policy.normal_form import Node

BREAKER_THRESHOLD = 3
"""Failures in a row that open a provider's breaker."""
BREAKER_MS = 30_000.0
"""How long a breaker stays open after its last opening."""
DISABLE_MS = 300_000.0
"""How long `disable_provider` disables."""
CLIENT_FAULTS = frozenset({"bad_request", "content_filter", "context_overflow"})
"""Failures that are the request's and never count against a provider."""


class Target(NamedTuple):
    """What failover needs to know of one ranked offer."""

    offer_id: str
    provider_id: str
    model_family: str


@dataclass(frozen=True, slots=True)
class Attempt:
    """Call this offer now; ``number`` counts the tries at it from 1."""

    target: Target
    number: int


@dataclass(frozen=True, slots=True)
class Wait:
    """Wait, then ask for the next step."""

    ms: float


@dataclass(frozen=True, slots=True)
class End:
    """The call is over: ``chosen`` answered, or ``error`` says why nobody did."""

    chosen: Target | None
    error: str | None


Step = Attempt | Wait | End


class Memory(Protocol):
    """What outlives a call: which providers are disabled, and what is made of answers and failures."""

    def is_disabled(self, provider: str, now_ms: float) -> bool:
        """Say whether a provider is disabled now."""

    def disable(self, provider: str, now_ms: float) -> None:
        """Disable a provider from now."""

    def succeeded(self, provider: str) -> None:
        """Take note of an answer."""

    def failed(self, provider: str, kind: str, opens: bool, now_ms: float) -> None:
        """Take note of a failure; ``opens`` says that the action asks for an open breaker."""


Pace = Callable[[Target, float], float | str]
"""Is asked before a try at the same offer, with the wait in ms that the plan wants; gives the wait to make, or the
reason why there is no further try, upon which the call goes on as if the tries were used up."""


@dataclass(slots=True)
class _Breaker:
    failures: int = 0
    opened_ms: float | None = None


@dataclass
class FailureState:
    """Breakers and disabled providers, shared by successive calls."""

    _breakers: dict[str, _Breaker] = field(default_factory=dict)
    _disabled_until: dict[str, float] = field(default_factory=dict)

    def health(self, now_ms: float) -> dict[str, dict[str, Any]]:
        """Give ``breakers`` and ``disabled`` as a call that begins now sees them; breakers whose time has come
        close.
        """
        for breaker in self._breakers.values():
            if breaker.opened_ms is not None and now_ms - breaker.opened_ms >= BREAKER_MS:
                breaker.opened_ms, breaker.failures = None, 0
        return {
            "breakers": {name: True for name, breaker in self._breakers.items() if breaker.opened_ms is not None},
            "disabled": {name: True for name in self._disabled_until if self.is_disabled(name, now_ms)},
        }

    def is_disabled(self, provider: str, now_ms: float) -> bool:
        """Say whether a provider is disabled now."""
        return now_ms < self._disabled_until.get(provider, now_ms)

    def disable(self, provider: str, now_ms: float) -> None:
        """Disable a provider from now."""
        self._disabled_until[provider] = now_ms + DISABLE_MS

    def succeeded(self, provider: str) -> None:
        """Count a success, which closes the provider's breaker."""
        self._breakers[provider] = _Breaker()

    def failed(self, provider: str, kind: str, opens: bool, now_ms: float) -> None:
        """Count a failure; ``opens`` says that the action asks for an open breaker."""
        if kind in CLIENT_FAULTS:
            return
        breaker = self._breakers.setdefault(provider, _Breaker())
        breaker.failures += 1
        if opens or breaker.failures >= BREAKER_THRESHOLD or breaker.opened_ms is not None:
            breaker.opened_ms = now_ms


class Failover:
    """One call on its way down a ranked list.

    Ask `step` what to do; after an `Attempt` say `succeeded` or `failed`, or else `skip` or `cut`; after a `Wait` just
    ask again.

    Parameters
    ----------
    plan
        the policy's FailPlan in normal form
    ranked
        the offers, best first, ranked on ``state.health(now)`` as the call began
    state
        breakers and disabled providers, changed by what happens here

    Attributes
    ----------
    events : what happened, in order: records with ``event`` one of ``attempted``, ``retry_scheduled``,
        ``provider_disabled``, ``skipped``; where a caller has limits of its own also ``retry_refused`` and ``cut``
    """

    def __init__(self, plan: Node, ranked: Sequence[Target], state: Memory) -> None:
        self._plan = plan
        self._ranked = list(ranked)
        self._state = state
        self._at = 0
        self._number = 1
        self._wait_ms = 0.0
        self._last_kind = "no_candidates"
        self._end = None if self._ranked else End(None, "no_candidates")
        self.events: list[dict[str, Any]] = []

    def step(self, now_ms: float) -> Step:
        """Say what to do now."""
        if self._wait_ms > 0.0:
            wait, self._wait_ms = Wait(self._wait_ms), 0.0
            return wait
        while self._end is None:
            if self._at >= len(self._ranked):
                self._end = End(None, f"exhausted: {self._last_kind}")
                break
            target = self._ranked[self._at]
            if self._number > 1 or not self._state.is_disabled(target.provider_id, now_ms):
                return Attempt(target, self._number)
            self._note("skipped", target, reason="disabled_provider")
            self._at += 1
        return self._end

    def succeeded(self) -> None:
        """Say that the attempt was answered."""
        target = self._ranked[self._at]
        self._note("attempted", target, attempt=self._number)
        self._state.succeeded(target.provider_id)
        self._end = End(target, None)

    def failed(self, kind: str, now_ms: float, pace: Pace | None = None) -> None:
        """Say that the attempt failed, and how; ``pace`` is ``None`` for as the plan has it."""
        target = self._ranked[self._at]
        self._note("attempted", target, attempt=self._number, error_kind=kind)
        self._last_kind = kind
        action = classify(self._plan, kind)
        self._state.failed(target.provider_id, kind, "open_breaker_ms" in action, now_ms)
        name = action["action"]
        if name == "retry_same" and self._number <= action.get("attempts", 1.0):
            wait_ms = _backoff(action.get("backoff_ms", 0.0), self._number)
            paced = wait_ms if pace is None else pace(target, wait_ms)
            if not isinstance(paced, str):
                self._note("retry_scheduled", target, attempt=self._number, backoff_ms=paced)
                self._wait_ms = paced
                self._number += 1
                return
            self._note("retry_refused", target, attempt=self._number, reason=paced)
        self._number = 1
        if name == "abort" or (name == "retry_same" and action.get("then_action") == "abort"):
            self._end = End(None, kind)
        elif name == "next_provider_same_model":
            self._at = self._next_of_family(target.model_family)
        else:
            self._at += 1
        if name == "disable_provider":
            self._state.disable(target.provider_id, now_ms)
            self.events.append({"event": "provider_disabled", "provider_id": target.provider_id, "reason": kind})

    def skip(self, reason: str) -> None:
        """Say that the attempt is not made, for a reason of the caller's, and go to the next offer."""
        target = self._ranked[self._at]
        self._note("skipped", target, offer_id=target.offer_id, reason=reason)
        self._at += 1
        self._number = 1

    def cut(self, limit: str, kind: str | None = None) -> None:
        """End the call by a limit of the caller's: before the attempt, or in it, which then failed as ``kind`` says."""
        if kind is not None:
            self._note("attempted", self._ranked[self._at], attempt=self._number, error_kind=kind)
            self._last_kind = kind
        self.events.append({"event": "cut", "limit": limit})
        self._end = End(None, f"exhausted: {self._last_kind}")

    def _next_of_family(self, family: str) -> int:
        later = range(self._at + 1, len(self._ranked))
        return next((at for at in later if self._ranked[at].model_family == family), len(self._ranked))

    def _note(self, event: str, target: Target, **details: Any) -> None:
        named = {"provider_id": target.provider_id, "model_family": target.model_family}
        self.events.append({"event": event, **named, **details})


def _backoff(waits: float | list[float], number: int) -> float:
    """Give the wait after a try: a list is indexed by try and its last entry repeats, an empty one is no wait."""
    if not isinstance(waits, list):
        return waits
    return waits[min(number, len(waits)) - 1] if waits else 0.0
