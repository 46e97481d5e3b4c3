"""The state machine that walks a ranked list through provider failures, with one shared state and no limits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.reference.evaluate import rank
from tests.reference.observe import Offer, offer_id
from tests.reference.signature import TIER_ORDER, V2, Fields, Term
from tests.reference.transform import classify

CLIENT_FAULTS = frozenset({"bad_request", "content_filter", "context_overflow"})


@dataclass
class Breaker:
    """A provider's breaker: its failures in a row, and when it was last opened (None: closed)."""

    failures: int = 0
    opened_ms: float | None = None


@dataclass
class Outcome:
    """How a call ended; the fields are those of the vectors."""

    ok: bool = False
    error: str | None = None
    chosen: tuple[str, str] | None = None
    path: list[dict[str, Any]] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    end_ms: float = 0.0


class World:
    """Offers with the breaker and disable state that successive calls share."""

    def __init__(
        self,
        offers: Sequence[Offer],
        fields: Fields,
        tier_order: Sequence[str] = TIER_ORDER,
        version: str = V2,
        call_latency_ms: float = 10.0,
        threshold: int = 3,
        breaker_ms: float = 30_000.0,
        disable_ms: float = 300_000.0,
    ) -> None:
        self.offers = {offer_id(offer): offer for offer in offers}
        self.fields, self.tier_order, self.version = fields, tier_order, version
        self.call_latency_ms, self.threshold = call_latency_ms, threshold
        self.breaker_ms, self.disable_ms = breaker_ms, disable_ms
        self.breakers: dict[str, Breaker] = {}
        self.disabled_until: dict[str, float] = {}
        self.now = 0.0

    def is_disabled(self, provider: str) -> bool:
        return provider in self.disabled_until and self.now < self.disabled_until[provider]

    def state(self) -> dict[str, Any]:
        """The live state as a policy sees it when a call begins; breakers whose time has come close here."""
        for breaker in self.breakers.values():
            if breaker.opened_ms is not None and self.now - breaker.opened_ms >= self.breaker_ms:
                breaker.opened_ms, breaker.failures = None, 0
        return {
            "breakers": {name: True for name, breaker in self.breakers.items() if breaker.opened_ms is not None},
            "disabled": {name: {} for name in self.disabled_until if self.is_disabled(name)},
        }

    def call(self, at_ms: float, term: Term, answers: Sequence[str]) -> Outcome:
        """One call: rank, then walk the ranked offers until one answers or the plan ends the run."""
        self.now = at_ms
        outcome = Outcome()
        ctx = {"request": {}, "state": self.state()}
        decision = rank(term, list(self.offers.values()), ctx, self.fields, self.tier_order, self.version)
        ranked = [self.offers[name] for name in decision.ordered]
        outcome.error = self._walk(ranked, term[-1], list(answers), outcome) if ranked else "no_candidates"
        outcome.ok = outcome.error is None
        outcome.end_ms = self.now
        return outcome

    def _walk(self, ranked: list[Offer], plan: Term, answers: list[str], outcome: Outcome) -> str | None:
        """The error with which the walk ends, None for an answer."""
        last_kind = "no_candidates"
        at = 0
        while at < len(ranked):
            provider, family = ranked[at]["provider_id"], ranked[at]["model_family"]
            who = {"provider_id": provider, "model_family": family}
            if self.is_disabled(provider):
                outcome.path.append({"event": "skipped", **who, "reason": "disabled_provider"})
                at += 1
                continue
            kind, action = self._attempts(who, plan, answers, outcome)
            if kind is None:
                outcome.chosen = (provider, family)
                return None
            last_kind = kind
            if "abort" in (action["action"], action["action"] == "retry_same" and action.get("then_action")):
                return kind
            if action["action"] == "disable_provider":
                self.disabled_until[provider] = self.now + self.disable_ms
                outcome.path.append({"event": "provider_disabled", "provider_id": provider, "reason": kind})
            if action["action"] == "next_provider_same_model":
                later = range(at + 1, len(ranked))
                at = next((index for index in later if ranked[index]["model_family"] == family), len(ranked))
            else:
                at += 1
        return f"exhausted: {last_kind}"

    def _attempts(
        self, who: dict[str, Any], plan: Term, answers: list[str], outcome: Outcome
    ) -> tuple[str | None, dict[str, Any]]:
        """Try one offer, again as long as each failure's own action says so: the last failure and its action."""
        attempt = 1
        while True:
            kind = answers.pop(0) if answers else "ok"
            self.now += self.call_latency_ms
            event = {"event": "attempted", **who, "attempt": attempt}
            breaker = self.breakers.setdefault(who["provider_id"], Breaker())
            if kind == "ok":
                outcome.path.append(event)
                breaker.failures, breaker.opened_ms = 0, None
                return None, {}
            outcome.path.append({**event, "error_kind": kind})
            action = classify(plan, kind, self.version)
            self._count_failure(breaker, kind, action)
            if action["action"] != "retry_same" or attempt > action.get("attempts", 1.0):
                return kind, action
            wait = backoff(action.get("backoff_ms", 0.0), attempt)
            outcome.path.append({"event": "retry_scheduled", **who, "attempt": attempt, "backoff_ms": wait})
            if wait > 0.0:
                outcome.waits.append(wait)
                self.now += wait
            attempt += 1

    def _count_failure(self, breaker: Breaker, kind: str, action: dict[str, Any]) -> None:
        if kind in CLIENT_FAULTS:
            return
        breaker.failures += 1
        if breaker.failures >= self.threshold or breaker.opened_ms is not None or "open_breaker_ms" in action:
            breaker.opened_ms = self.now


def backoff(waits: float | list[float], attempt: int) -> float:
    """The wait after an attempt: a list is indexed by try and its last entry repeats; an empty one is no wait."""
    if not isinstance(waits, list):
        return waits
    return waits[min(attempt, len(waits)) - 1] if waits else 0.0
