"""One call: the rule that decides it, the decision, and its attempts at the operator's providers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from tenantrank.catalog.costs import Tokens
from tenantrank.engine import Decision, Engine, Request
from tenantrank.gateway.auth import Caller
from tenantrank.gateway.body import Body
from tenantrank.gateway.endings import no_eligible_model
from tenantrank.gateway.failure import Failure, Withheld
from tenantrank.gateway.generation import Reach
from tenantrank.gateway.incoming import Answer
from tenantrank.gateway.needs import Route, request_of, seed_of
from tenantrank.gateway.providers import Endpoint
from tenantrank.gateway.quirks import adapted
from tenantrank.gateway.record_parts import AttemptRecord
from tenantrank.gateway.rules import Rule, rule_of
from tenantrank.gateway.ruling import Ruling, first_ruling, later_ruling
from tenantrank.gateway.spans import AttemptSpan, RequestSpan
from tenantrank.gateway.state import State
from tenantrank.gateway.streaming import Relay, first_event
from tenantrank.gateway.traces import Traces
from tenantrank.gateway.upstream import Upstream
from tenantrank.gateway.views import policy_of
from tenantrank.gateway.walk import BROKEN, CANCELLED, Outcome, Tried, walk
from tenantrank.policy.failover import Target
from tenantrank.policy.policy import Policy
from tenantrank.tenants import Rulebook

_SHOWN = 16  # ranked offers in a record
NOT_PERMITTED = "not_permitted"
"""Why an attempt is skipped: the catalog or the configuration of now does not permit the offer any more."""


@dataclass(frozen=True, slots=True)
class Served:
    """An answer, and how it came: ``relay`` is a stream whose first event is there."""

    reach: Reach
    answer: Answer
    relay: Relay | None = None


@dataclass(slots=True)
class _Sent:
    """What was sent in one attempt, and what came back, as far as it has come."""

    reach: Reach
    catalog_id: str
    bytes_sent: int
    first_ms: float | None = None
    upstream_id: str | None = None
    bytes_received: int | None = None


class Call:
    """One call under way.

    Attributes
    ----------
    rule, decision, outcome : as far as it has come
    """

    def __init__(
        self,
        state: State,
        upstream: Upstream,
        span: RequestSpan,
        route: Route,
        caller: Caller,
        body: Body,
        stream: bool,
    ) -> None:
        self._state, self._upstream, self._span = state, upstream, span
        self._route, self._caller, self._body, self._stream = route, caller, body, stream
        self._generation = state.now
        self.rule: Rule
        self.decision: Decision | None = None
        self.outcome: Outcome[Served] | None = None
        self._engine: Engine
        self._ruling: Ruling
        self._policy: Policy
        self._request: Request
        self._seed: int | None = None
        self._decision_us: float | None = None
        self._sent: list[_Sent] = []
        self._spans: list[AttemptSpan] = []
        self._tried: list[Tried] = []
        self._tokens: tuple[int | None, int | None] = (None, None)
        self._stream_ms = 0.0

    def decide(self) -> None:
        """Find the rule and rank.

        Raises
        ------
        Problem
            as `rules.rule_of` and `needs.request_of`
        """
        made, caller, body = self._generation, self._caller, self._body
        self.rule = rule_of(body, caller, made)
        self._policy = policy_of(self.rule)
        self._request = request_of(body, self._route)
        self._seed = seed_of(body)
        self._engine = engine = made.engine_of(caller, self._route)
        began_ms = self._state.now_ms()
        self.decision = engine.rank(self.rule.policy, self._request, self._seed, made.limits.ranked + 1)
        self._decision_us = (self._state.now_ms() - began_ms) * 1000.0
        self._ruling = first_ruling(made, engine, self._policy, self._request)

    async def run(self) -> Outcome[Served]:
        """Try the ranked offers as the failure plan says until one answers.

        Raises
        ------
        Problem
            422 ``no_eligible_model`` where none is ranked
        """
        assert self.decision is not None
        if not self.decision.offer_ids:
            raise no_eligible_model(self.decision, self._policy, self._generation.catalog.offer_ids)
        reaches = self._generation.reaches[self._route]
        self.outcome = await walk(
            [reaches[offer].target for offer in self.decision.offer_ids],
            self._policy.failure_plan,
            self._attempt,
            guard=self._state.guards.of(self._scope),
            limits=self._generation.limits,
            now_ms=self._state.now_ms,
            permitted=self._permitted,
            note=self._note,
        )
        return self.outcome

    @property
    def rulebook(self) -> Rulebook | None:
        """The rulebook of the generation that decides."""
        return self._generation.rulebook

    @property
    def cost_usd(self) -> float | None:
        """What the answer cost by the catalog's prices and the provider's count of tokens; ``None`` where unknown."""
        outcome, (taken, made) = self.outcome, self._tokens
        # Embeddings have no output to count; a chat whose output nobody counted has an unknown cost, not a lower one.
        if outcome is None or outcome.chosen is None or taken is None or (made is None and self._route == "chat"):
            return None
        if (tokens := Tokens.sensible(taken, made or 0)) is None:
            return None
        row = self._engine.row_of_offer(outcome.chosen.offer_id)
        cost = float(self._engine.costs(tokens, rows=[row])[0])
        return None if math.isnan(cost) else cost

    @property
    def _scope(self) -> str:
        """The tenant, under its key's name, since callers choose what they call their tenants."""
        tenant = self.rule.tenant
        return self._caller.name if tenant is None else f"{self._caller.name}/{tenant}"

    def _permitted(self, target: Target) -> str | None:
        """Check an offer against the generation of now."""
        now = self._state.now
        if self._state.lapsed(self._state.wall()):
            return NOT_PERMITTED
        if self._ruling.generation is not now:
            self._ruling = later_ruling(
                now,
                self._generation,
                self._caller,
                self._body,
                self._route,
                self._policy,
                self._request,
                self._seed,
                self._engine.health,
            )
        return None if self._ruling.permits(target.offer_id) else NOT_PERMITTED

    def _withheld(self, target: Target, endpoint: Endpoint) -> str | None:
        """Check an offer once more as its connection is there, which may have taken a while."""
        reason = self._permitted(target)
        if reason is None:
            reach = self._state.now.reaches[self._route].get(target.offer_id)
            here = None if reach is None else (reach.endpoint.base_url, reach.endpoint.credential)
            if here != (endpoint.base_url, endpoint.credential):
                return NOT_PERMITTED
        return reason

    async def _attempt(self, target: Target, number: int) -> Served:
        # Read before anything is waited for: the generation that has just permitted the offer.
        now = self._state.now
        reach = now.reaches[self._route][target.offer_id]
        endpoint = reach.endpoint
        content = self._content(reach)
        sent = _Sent(reach, now.catalog.catalog_id, len(content))
        self._sent.append(sent)
        span = self._span.attempt(
            self._route, target.provider_id, reach.wire_id, endpoint.base_url, len(self._sent), stream=self._stream
        )
        self._spans.append(span)
        timeouts = reach.timeouts if self._stream else reach.whole_timeouts
        try:
            answer = await self._upstream.post(
                endpoint,
                self._route,
                content,
                stream=self._stream,
                timeouts=timeouts,
                permitted=lambda: self._withheld(target, endpoint),
            )
        except Withheld:
            self._sent.pop()
            self._spans.pop().failed(NOT_PERMITTED)
            raise
        relay = None
        if answer.stream is not None:
            relay = await first_event(
                answer.stream,
                endpoint.kind,
                endpoint.quirks,
                clock=self._now_s,
                stream_bytes=self._generation.limits.answer_bytes,
            )
        sent.first_ms = self._state.now_ms()
        sent.upstream_id = next(iter(answer.headers.values()), None)
        sent.bytes_received = len(answer.body) if relay is None else relay.received
        return Served(reach, answer, relay)

    def _now_s(self) -> float:
        return self._state.now_ms() / 1000.0

    def _content(self, reach: Reach) -> bytes:
        """Give the bytes for one attempt: the client's, with what the policy and the provider change."""
        body, offer = self._body, reach.target.offer_id
        transform = self._policy.transform
        members: Any = body.forwarded
        changes: dict[str, Any] = {}
        removed: frozenset[str] = frozenset()
        engine = self._ruling.engine
        if transform.op != "id" and engine is not None:
            after = engine.transform(self._policy, body.forwarded, offer, self._request, self._seed)
            changes, removed = body.difference(after)
            members = after
        suited, unsuited = adapted(members, reach.endpoint.quirks, no_retention=self._ruling.keeps_nothing)
        for name in unsuited:
            changes.pop(name, None)
        return body.outgoing(reach.wire_id, {**changes, **suited}, removed | unsuited)

    def _note(self, tried: Tried) -> None:
        """Take note of an attempt as it ends."""
        self._tried.append(tried)
        first_ms = self._sent[-1].first_ms
        span = self._spans[-1]
        if tried.kind is not None:
            span.failed(tried.kind, tried.status)
        elif not self._stream:
            span.answered()
        if tried.kind not in (CANCELLED, BROKEN):
            latency_ms = None if first_ms is None else first_ms - tried.started_ms
            self._state.live.observe(tried.target, tried.ended_ms, tried.kind, latency_ms)

    def count(self, usage: Any) -> None:
        """Take note of the tokens that a provider counted."""
        if not isinstance(usage, dict):
            return
        self._tokens = _whole(usage.get("prompt_tokens")), _whole(usage.get("completion_tokens"))
        assert self.outcome is not None
        tried, made = self.outcome.attempts[-1], self._tokens[1]
        took_ms = tried.ended_ms - tried.started_ms
        if made and not self._stream and took_ms > 0.0:
            self._state.live.speed(tried.target, tried.ended_ms, made * 1000.0 / took_ms)

    def streamed(self, relay: Relay) -> None:
        """Take note of a stream that is over."""
        assert self.outcome is not None
        tried, now_ms = self.outcome.attempts[-1], self._state.now_ms()
        self._stream_ms = now_ms - tried.ended_ms
        self._sent[-1].bytes_received = relay.received
        self.count(relay.usage)
        made = self._tokens[1]
        span = self._spans[-1]
        if isinstance(relay.outcome, Failure):
            # The attempt was counted as answered when it began to answer; that it broke counts beside it.
            self._state.live.observe(tried.target, now_ms, relay.outcome.kind)
            guard = self._state.guards.of(self._scope)
            if guard.blocked(tried.target, now_ms) is None:
                guard.begin(tried.target, now_ms)
                guard.refused(relay.outcome, now_ms)
            span.failed(relay.outcome.kind)
            return
        first_s, last_s = relay.first_s, relay.last_s
        if made and made > 1 and first_s is not None and last_s is not None and last_s > first_s:
            self._state.live.speed(tried.target, now_ms, (made - 1) / (last_s - first_s))
        reasons = [relay.finish_reasons[at] for at in sorted(relay.finish_reasons)]
        span.answered(
            first_byte_s=None if first_s is None else first_s - tried.started_ms / 1000.0,
            tokens_in=self._tokens[0],
            tokens_out=made,
            finish_reasons=reasons,
        )

    def facts(self, began_ms: float, traces: Traces) -> dict[str, Any]:
        """Give what a record of the call says of it; times are since ``began_ms``."""
        found: dict[str, Any] = {"stream": self._stream, "limits": self._generation.limits_shown}
        if self.decision is None:
            return found
        engine, made = self._engine, self._generation
        ranked = zip(self.decision.offer_ids[:_SHOWN], self.decision.scores[:_SHOWN], strict=True)
        found |= {
            "tenant": self.rule.tenant,
            "rule": traces.rule(self.rule.policy, self.rule.source),
            "catalog_id": made.catalog.catalog_id,
            "envelope_identity": None if engine.envelope is None else engine.envelope.identity,
            "rulebook_id": None if made.rulebook is None else made.rulebook.rulebook_id,
            "generation": made.number,
            "request": self._request,
            "seed": self._seed,
            "ranked": tuple(ranked),
            "survivors": self.decision.survivors,
            "decision_us": self._decision_us,
        }
        attempts = []
        for tried, sent in zip(self._tried, self._sent, strict=False):
            first = None if sent.first_ms is None else sent.first_ms - began_ms
            attempts.append(
                AttemptRecord.of(
                    tried,
                    began_ms,
                    first_byte_ms=first,
                    credential=sent.reach.endpoint.credential,
                    upstream_id=sent.upstream_id,
                    catalog_id=sent.catalog_id,
                    bytes_sent=sent.bytes_sent,
                    bytes_received=sent.bytes_received,
                )
            )
        outcome = self.outcome
        waited_ms = 0.0 if outcome is None else sum(outcome.waits)
        away_ms = sum(tried.ended_ms - tried.started_ms for tried in self._tried) + waited_ms + self._stream_ms
        found |= {"attempts": tuple(attempts), "away_ms": away_ms}
        if outcome is None:
            return found
        return found | {
            "events": tuple(outcome.events),
            "chosen": None if outcome.chosen is None else outcome.chosen.offer_id,
            "retries": outcome.retries,
            "fallbacks": outcome.fallbacks,
            "waited_ms": waited_ms,
            "cut": outcome.cut,
            "limited": outcome.limited,
            "tokens_in": self._tokens[0],
            "tokens_out": self._tokens[1],
            "first_byte_ms": attempts[-1].first_byte_ms if attempts else None,
        }


def _whole(value: Any) -> int | None:
    return value if type(value) is int and value >= 0 else None
