"""Spans of OpenTelemetry.

A request is a server span of our own namespace ``tenantrank.*``; each attempt below it is a client span after the
conventions for generative AI (status: development; https://github.com/open-telemetry/semantic-conventions-genai).
No prompt, answer, key, header or tenant is ever an attribute: pipelines turn attributes into labels of metrics.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from tenantrank.gateway.plain import clipped
from tenantrank.gateway.records import DecisionRecord
from tenantrank.gateway.spans import AttemptSpan, RequestSpan

PROVIDER_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "amazon-bedrock": "aws.bedrock",
        "azure": "azure.ai.openai",
        "google": "gcp.gemini",
        "google-vertex": "gcp.vertex_ai",
        "mistral": "mistral_ai",
        "moonshotai": "moonshot_ai",
        "xai": "x_ai",
    }
)
"""The conventions' name of a provider where it is not the catalog's own."""

_CONTEXT = TraceContextTextMapPropagator()
_PORTS = {"http": 80, "https": 443}


class TracedSpans:
    """Begins spans of a tracer of OpenTelemetry; see `tenantrank.gateway.spans.Spans`."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer

    def request(self, path: str, traceparent: str | None = None) -> RequestSpan:
        """Begin the span of a request."""
        parent = Context()
        if traceparent is not None:
            parent = _CONTEXT.extract({"traceparent": traceparent}, context=parent)
        attributes = {"http.request.method": "POST", "http.route": path}
        # An empty context for a parent, else the span of whatever task called would be it.
        span = self._tracer.start_span(f"POST {path}", parent, SpanKind.SERVER, attributes)
        return _TracedRequest(self._tracer, span)


class _TracedRequest:
    def __init__(self, tracer: Tracer, span: Span) -> None:
        self._tracer = tracer
        self._span = span

    def attempt(
        self, operation: str, provider_id: str, model: str, base_url: str, number: int, *, stream: bool = False
    ) -> AttemptSpan:
        attributes: dict[str, Any] = {
            "gen_ai.operation.name": operation,
            "gen_ai.provider.name": PROVIDER_NAMES.get(provider_id, provider_id),
            "gen_ai.request.model": model,
            "tenantrank.attempt": number,
            **_address(base_url),
        }
        if stream:
            attributes["gen_ai.request.stream"] = True
        below = set_span_in_context(self._span, Context())
        return _TracedAttempt(self._tracer.start_span(f"{operation} {model}", below, SpanKind.CLIENT, attributes))

    def finished(self, record: DecisionRecord) -> None:
        span = self._span
        found: dict[str, Any] = {
            "http.response.status_code": record.status,
            "tenantrank.trace_id": record.trace_id,
            "tenantrank.outcome": record.outcome,
            "tenantrank.code": record.code,
            "tenantrank.policy.fingerprint": None if record.rule is None else record.rule.fingerprint,
            "tenantrank.policy.identity": None if record.rule is None else record.rule.identity,
            "tenantrank.catalog.id": record.catalog_id,
            "tenantrank.offer": record.chosen,
            "tenantrank.attempts": len(record.attempts),
            "tenantrank.retries": record.retries,
            "tenantrank.fallbacks": record.fallbacks,
            "tenantrank.cut": record.cut,
        }
        span.set_attributes({name: value for name, value in found.items() if value is not None})
        # After the conventions for HTTP a fault of the client's is none of the server's span.
        if record.status >= 500 or record.broke is not None:
            _mark_failed(span, record.broke or record.code or str(record.status))
        span.end()


class _TracedAttempt:
    def __init__(self, span: Span) -> None:
        self._span = span

    def answered(
        self,
        *,
        first_byte_s: float | None = None,
        tokens_in: int | None = None,
        tokens_out: int | None = None,
        finish_reasons: Sequence[str] = (),
    ) -> None:
        found: dict[str, Any] = {
            "gen_ai.response.time_to_first_chunk": first_byte_s,
            "gen_ai.usage.input_tokens": tokens_in,
            "gen_ai.usage.output_tokens": tokens_out,
            "gen_ai.response.finish_reasons": [clipped(reason, 32) for reason in finish_reasons[:8]] or None,
        }
        self._span.set_attributes({name: value for name, value in found.items() if value is not None})
        self._span.end()

    def failed(self, kind: str, status: int | None = None) -> None:
        if status is not None:
            self._span.set_attribute("http.response.status_code", status)
        _mark_failed(self._span, kind)
        self._span.end()


def _mark_failed(span: Span, what: str) -> None:
    span.set_attribute("error.type", what)
    span.set_status(Status(StatusCode.ERROR, what))


def _address(base_url: str) -> dict[str, Any]:
    parts = urlsplit(base_url)
    port = parts.port or _PORTS.get(parts.scheme)
    return {"server.address": parts.hostname or "", **({} if port is None else {"server.port": port})}
