"""Calls to chat and embeddings: from the first byte of a request to the last of its answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Any

from tenantrank.gateway.answers import headers_of, problem_answer, router_event, router_of, with_router
from tenantrank.gateway.auth import Caller
from tenantrank.gateway.body import Body
from tenantrank.gateway.call import Call, Served
from tenantrank.gateway.durable import Durable
from tenantrank.gateway.endings import problem_of
from tenantrank.gateway.failure import Failure
from tenantrank.gateway.near import check_near
from tenantrank.gateway.needs import Route
from tenantrank.gateway.problem import Problem
from tenantrank.gateway.providers import PATHS
from tenantrank.gateway.rate import Rates
from tenantrank.gateway.reading import ClientLeftError, Message, Receive, Scope, Send, read_body
from tenantrank.gateway.records import BROKEN, FAILED, LEFT, REFUSED, DecisionRecord
from tenantrank.gateway.spans import Spans
from tenantrank.gateway.state import State
from tenantrank.gateway.streaming import Relay
from tenantrank.gateway.traces import Traces, new_trace_id
from tenantrank.gateway.upstream import Upstream

_JSON = (b"content-type", b"application/json")
_STREAM = ((b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-cache"))
_CLIENT_LEFT = 499


class Calls:
    """What all calls share; `chat` and `embeddings` are ASGI applications.

    Parameters
    ----------
    state
        of the gateway
    upstream
        the client for providers
    rates
        the keys' limits on requests
    traces, spans
        where records and spans go; counts and lines go to the state's ``metrics`` and ``log``
    random_bits
        gives a number of so many random bits, for trace ids
    durable
        the durable trace, ``None`` where the operator wants none
    """

    def __init__(
        self,
        state: State,
        upstream: Upstream,
        rates: Rates,
        traces: Traces,
        spans: Spans,
        random_bits: Callable[[int], int],
        durable: Durable | None = None,
    ) -> None:
        self.state = state
        self.upstream = upstream
        self.rates = rates
        self.traces = traces
        self.spans = spans
        self.random_bits = random_bits
        self.durable = durable

    async def chat(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer ``POST /v1/chat/completions``."""
        await _Request(self, "chat", scope, receive, send).run()

    async def embeddings(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer ``POST /v1/embeddings``."""
        await _Request(self, "embeddings", scope, receive, send).run()

    def admitted(self, scope: Scope, access: str) -> tuple[Caller, dict[str, str]]:
        """Tell who calls and count the request; gives the caller, and headers of the answer.

        Raises
        ------
        Problem
            401, 403, 429, and 503 while the gateway is not ready or its catalog has lapsed
        """
        caller = self.identified(scope, access)
        return caller, self.rates.take(caller.name, caller.rate)

    def identified(self, scope: Scope, access: str) -> Caller:
        """Tell who calls, by the generation of now, without counting the request; problems as `admitted`."""
        state = self.state
        if not state.ready:
            raise Problem(503, "not_ready", "the gateway is not ready", headers={"retry-after": "1"})
        if state.lapsed(state.wall()):
            raise Problem(503, "catalog_lapsed", "an attestation that the catalog rests on has ended")
        if state.now.keys is None:
            check_near(scope)
        caller = state.now.caller(scope["headers"])
        caller.check_route(access)
        return caller


class _Request:
    """One request under way."""

    def __init__(self, calls: Calls, route: Route, scope: Scope, receive: Receive, send: Send) -> None:
        state = calls.state
        self._calls, self._state, self._route = calls, state, route
        self._scope, self._receive, self._send = scope, receive, send
        self._began: datetime = state.wall()
        self._began_ms = state.now_ms()
        self._trace_id = new_trace_id(calls.random_bits)
        self._span = calls.spans.request(f"/v1{PATHS[route]}", self._traceparent())
        self._caller_name = ""
        self._headers: dict[str, str] = {}
        self._body: Body | None = None
        self._call: Call | None = None
        self._answering = False
        self._left = False
        self._recorded = False
        # What the record says of the end.
        self._ended: dict[str, Any] = {}

    async def run(self) -> None:
        metrics = self._state.metrics
        metrics.began(self._route)
        watcher: asyncio.Task[None] | None = None
        try:
            caller, self._headers = self._admit()
            admitted_by = self._state.now
            raw = await read_body(
                self._scope, self._receive, self._state.now.limits.body_bytes, self._state.settings.server.body_s
            )
            if self._state.now is not admitted_by:
                # The key may have been taken back, or stand for less, while the body arrived.
                caller = self._calls.identified(self._scope, self._route)
            self._body = body = Body.read(raw, self._state.now.limits.body_bytes)
            stream, wants_record = self._route == "chat" and body.stream, body.wants_record
            self._call = call = Call(self._state, self._calls.upstream, self._span, self._route, caller, body, stream)
            call.decide()
            task = asyncio.current_task()
            assert task is not None
            watcher = asyncio.create_task(self._watch(task))
            await self._record_decision(call)
            outcome = await call.run()
            if outcome.answer is None:
                raise problem_of(outcome)
            if stream:
                await self._stream(call, outcome.answer, wants_record)
            else:
                await self._whole(call, outcome.answer, wants_record)
        except Problem as problem:
            await self._refuse(problem)
        except ClientLeftError:
            self._ended = {"outcome": LEFT, "status": _CLIENT_LEFT}
        except asyncio.CancelledError:
            self._ended = {"outcome": LEFT, "status": _CLIENT_LEFT}
            if not self._left:
                raise
        except Exception as error:
            # A fault of ours: told by its type alone, since its text may hold what must not be shown.
            self._state.log.event("fault", trace_id=self._trace_id, error=type(error).__name__)
            await self._refuse(Problem(500, "internal_error", "the gateway failed; the trace id tells where to look"))
        finally:
            if watcher is not None:
                watcher.cancel()
            metrics.ended(self._route)
            self._finish()

    def _admit(self) -> tuple[Caller, dict[str, str]]:
        caller, headers = self._calls.admitted(self._scope, self._route)
        self._caller_name = caller.name
        return caller, headers

    async def _record_decision(self, call: Call) -> None:
        durable, decision = self._calls.durable, call.decision
        if durable is not None and decision is not None:
            await durable.decided(self._trace_id, self._caller_name, self._label(), call.rule, call.rulebook, decision)
            self._recorded = True

    def _label(self) -> str | None:
        label = None if self._body is None else self._body.members.get("model")
        return label if isinstance(label, str) else None

    async def _watch(self, task: asyncio.Task[Any]) -> None:
        """Cancel the request when its client leaves, which closes the provider's connection."""
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                self._left = True
                task.cancel()
                return

    async def _whole(self, call: Call, served: Served, wants_record: bool) -> None:
        body = served.answer.body
        call.count(served.answer.record.get("usage"))
        if wants_record:
            body = with_router(body, router_of(self._record(), call.rule.shown))
        await self._start(200, [_JSON, (b"content-length", b"%d" % len(body))], call)
        await self._send({"type": "http.response.body", "body": body})

    async def _stream(self, call: Call, served: Served, wants_record: bool) -> None:
        relay = served.relay
        assert relay is not None
        if wants_record:
            created = int(self._began.timestamp())
            relay.trailer = lambda: router_event(router_of(self._record(), call.rule.shown), created)
        try:
            await self._start(200, list(_STREAM), call)
            async for block in relay:
                await self._send_within({"type": "http.response.body", "body": block, "more_body": True})
            await self._send_within({"type": "http.response.body", "body": b""})
        except TimeoutError:
            # A client that reads nothing for so long has left, whatever its connection says.
            raise ClientLeftError from None
        finally:
            relay.close()
            self._note_stream(call, relay)

    async def _send_within(self, message: Message) -> None:
        async with asyncio.timeout(self._state.now.limits.idle_s):
            await self._send(message)

    def _note_stream(self, call: Call, relay: Relay) -> None:
        call.streamed(relay)
        outcome = relay.outcome
        if isinstance(outcome, Failure):
            self._ended = {"outcome": BROKEN, "broke": outcome.kind}
        self._ended["finish_reasons"] = tuple(relay.finish_reasons[at] for at in sorted(relay.finish_reasons))

    async def _refuse(self, problem: Problem) -> None:
        failed = self._call is not None and self._call.outcome is not None
        self._ended = {"outcome": FAILED if failed else REFUSED, "status": problem.status, "code": problem.code}
        if self._answering:  # what has begun cannot become an error
            self._ended["outcome"] = BROKEN
            return
        status, headers, body = problem_answer(problem, {**self._headers, **self._own_headers()})
        self._answering = True
        shown = [(name.encode(), value.encode("latin-1", "replace")) for name, value in headers.items()]
        await self._send(
            {
                "type": "http.response.start",
                "status": status,
                "headers": [*shown, (b"content-length", b"%d" % len(body))],
            }
        )
        await self._send({"type": "http.response.body", "body": body})

    async def _start(self, status: int, headers: list[tuple[bytes, bytes]], call: Call) -> None:
        self._answering = True
        added = {**self._headers, **self._own_headers()}
        shown = [(name.encode(), value.encode()) for name, value in added.items()]
        await self._send({"type": "http.response.start", "status": status, "headers": [*headers, *shown]})

    def _own_headers(self) -> dict[str, str]:
        call = self._call
        if call is None or call.decision is None:
            return headers_of(self._trace_id)
        chosen, attempts = None, 0
        if call.outcome is not None:
            attempts = len(call.outcome.attempts)
            chosen = None if call.outcome.chosen is None else call.outcome.chosen.offer_id
        return headers_of(self._trace_id, call.decision.policy.fingerprint, chosen, attempts)

    def _record(self) -> DecisionRecord:
        facts: dict[str, Any] = {} if self._call is None else self._call.facts(self._began_ms, self._calls.traces)
        total_ms = self._state.now_ms() - self._began_ms
        away_ms = facts.pop("away_ms", 0.0)
        return DecisionRecord(
            self._trace_id,
            self._route,
            self._began,
            self._caller_name,
            label=self._label(),
            total_ms=total_ms,
            added_ms=max(0.0, total_ms - away_ms),
            **{**facts, **self._ended},
        )

    def _finish(self) -> None:
        record = self._record()
        self._calls.traces.keep(record)
        durable = self._calls.durable
        if durable is not None and self._recorded and self._call is not None:
            why = durable.ended(record, self._call.cost_usd)
            if why is not None:
                self._state.log.event("trace_unavailable", trace_id=self._trace_id, why=why)
        self._state.metrics.finished(record)
        self._state.log.request(record)
        self._span.finished(record)

    def _traceparent(self) -> str | None:
        if not self._state.settings.telemetry.trust_traceparent:
            return None
        found = [value for name, value in self._scope["headers"] if name == b"traceparent"]
        return found[0].decode("latin-1") if len(found) == 1 else None
