"""Records of a request: what was decided, on what, and what each attempt came to; never what was said.

A record holds names, numbers and ids. Nothing of a prompt, an answer, a key or a client's header has a place in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import MappingProxyType
from typing import Any

from tenantrank.engine import Request
from tenantrank.gateway.plain import LONGEST, clipped
from tenantrank.gateway.record_parts import AttemptRecord, RuleRecord, rounded

_EMPTY: Mapping[str, Any] = MappingProxyType({})

ANSWERED, REFUSED, FAILED, BROKEN, LEFT = "answered", "refused", "failed", "broken", "left"
"""How a request ended: an answer was given whole; the gateway refused it before any attempt; nobody answered; a stream
broke after its first byte; the client went away."""


@dataclass(frozen=True, slots=True)
class DecisionRecord:
    """Everything about one request that may be shown. Names that a client chose are cut to a bounded length.

    Attributes
    ----------
    route : ``chat`` or ``embeddings``; began : the moment, in UTC
    caller : name of the API key's entry; tenant : the tenant's id, or the digest of its state
    label : the client's ``model``, which decides nothing where there is a policy; stream : whether it asked for one
    rule : ``None`` where the request was refused before a rule was found; likewise the ids of what it was held against
    request : what the call needs, with the estimates of tokens; seed : that of the decision
    ranked : the first offers with their scores, best first; survivors : how many passed the filter
    limits : the operator's limits in force, by name
    attempts : in order; events : the failure plan's (skips, waits, disables)
    outcome : one of `ANSWERED`, `REFUSED`, `FAILED`, `BROKEN`, `LEFT`; status : the answer's
    code : of the error, ``None`` where there is none; broke : the kind of failure that broke a stream
    chosen : the offer that answered; retries, fallbacks : attempts at the same offer again, and at a further one
    waited_ms : time spent waiting between attempts
    cut : the limit that ended the plan early; limited : all limits that changed its course
    tokens_in, tokens_out : as the provider counts them; finish_reasons : one a choice
    decision_us : the decision alone; first_byte_ms, total_ms : since the request began
    added_ms : of the total, what was not spent on providers and on waiting
    """

    trace_id: str
    route: str
    began: datetime
    caller: str
    tenant: str | None = None
    label: str | None = None
    stream: bool = False
    rule: RuleRecord | None = None
    catalog_id: str | None = None
    envelope_identity: str | None = None
    rulebook_id: str | None = None
    generation: int | None = None
    request: Request | None = None
    seed: int | None = None
    ranked: tuple[tuple[str, float], ...] = ()
    survivors: int | None = None
    limits: Mapping[str, Any] = field(default_factory=lambda: _EMPTY)
    attempts: tuple[AttemptRecord, ...] = ()
    events: tuple[Mapping[str, Any], ...] = ()
    outcome: str = ANSWERED
    status: int = 200
    code: str | None = None
    broke: str | None = None
    chosen: str | None = None
    retries: int = 0
    fallbacks: int = 0
    waited_ms: float = 0.0
    cut: str | None = None
    limited: tuple[str, ...] = ()
    tokens_in: int | None = None
    tokens_out: int | None = None
    finish_reasons: tuple[str, ...] = ()
    decision_us: float | None = None
    first_byte_ms: float | None = None
    total_ms: float | None = None
    added_ms: float | None = None

    def __post_init__(self) -> None:
        if self.label is not None and len(self.label) > LONGEST:
            object.__setattr__(self, "label", clipped(self.label))
        if self.tenant is not None and len(self.tenant) > LONGEST:
            object.__setattr__(self, "tenant", clipped(self.tenant))
        request = self.request
        if request is not None and (request.scope or request.model_family or request.tier):
            object.__setattr__(self, "request", _bounded(request))
        if self.finish_reasons:
            object.__setattr__(self, "finish_reasons", tuple([clipped(text, 32) for text in self.finish_reasons[:8]]))

    @property
    def provider(self) -> str | None:
        """The provider that answered, else the one that was tried last."""
        return self.attempts[-1].provider_id if self.attempts else None

    def to_json(self, *, operator: bool = False) -> dict[str, Any]:
        """Give the record as a JSON value; for the operator with what concerns nobody else."""
        return {
            "trace_id": self.trace_id,
            "route": self.route,
            "began": self.began.isoformat(timespec="milliseconds"),
            "caller": self.caller,
            "tenant": self.tenant,
            "label": self.label,
            "stream": self.stream,
            "rule": None if self.rule is None else self.rule.to_json(),
            "catalog_id": self.catalog_id,
            "envelope_identity": self.envelope_identity,
            "rulebook_id": self.rulebook_id,
            "generation": self.generation,
            "request": needs_of(self.request),
            "seed": self.seed,
            "ranked": [{"offer": offer, "score": score} for offer, score in self.ranked],
            "survivors": self.survivors,
            "limits": dict(self.limits),
            "attempts": [attempt.to_json(operator=operator) for attempt in self.attempts],
            "events": [dict(event) for event in self.events],
            "outcome": self.outcome,
            "status": self.status,
            "code": self.code,
            "broke": self.broke,
            "offer": self.chosen,
            "retries": self.retries,
            "fallbacks": self.fallbacks,
            "waited_ms": rounded(self.waited_ms),
            "cut": self.cut,
            "limited": list(self.limited),
            "tokens": {"input": self.tokens_in, "output": self.tokens_out},
            "finish_reasons": list(self.finish_reasons),
            "decision_us": rounded(self.decision_us),
            "first_byte_ms": rounded(self.first_byte_ms),
            "total_ms": rounded(self.total_ms),
            "added_ms": rounded(self.added_ms),
        }


def needs_of(request: Request | None) -> dict[str, Any] | None:
    """Give what a request needs as a JSON value, what it does not give left out."""
    if request is None:
        return None
    given = {name: getattr(request, name) for name in Request.__dataclass_fields__ if name != "needs"}
    return {"needs": list(request.needs), **{name: value for name, value in given.items() if value is not None}}


def _bounded(request: Request) -> Request:
    """Give a request whose texts, which a client chooses, are of bounded length."""
    texts = {name: getattr(request, name) for name in ("scope", "model_family", "tier")}
    long: dict[str, Any] = {name: clipped(text) for name, text in texts.items() if text and len(text) > LONGEST}
    return replace(request, **long) if long else request
