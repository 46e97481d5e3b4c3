"""Spans after the conventions, with nothing in them that was said and nobody's name."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from tenantrank.gateway.spans import NO_SPANS, Spans, spans_of
from tests.gateway.shown import TRACE_ID, record

CANARY = "canary-7f3a"


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def spans(exporter: InMemorySpanExporter) -> Iterator[Spans]:
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    yield spans_of(provider.get_tracer("tenantrank"))
    provider.shutdown()


def by_name(exporter: InMemorySpanExporter) -> dict[str, ReadableSpan]:
    return {span.name: span for span in exporter.get_finished_spans()}


def test_spans__of_a_request_with_a_fallback(spans: Spans, exporter: InMemorySpanExporter) -> None:
    request = spans.request("/v1/chat/completions")
    first = request.attempt("chat", "mistral", "mistral-large", "https://api.mistral.ai/v1", 1)
    first.failed("rate_limit", 429)
    second = request.attempt("chat", "openai", "gpt-x", "http://localhost:8001/v1", 2, stream=True)
    second.answered(first_byte_s=0.25, tokens_in=12, tokens_out=34, finish_reasons=["stop"])
    request.finished(record())
    found = by_name(exporter)
    server, failed, answered = (
        found[name] for name in ("POST /v1/chat/completions", "chat mistral-large", "chat gpt-x")
    )

    assert (server.kind, failed.kind) == (SpanKind.SERVER, SpanKind.CLIENT)
    assert server.context is not None
    assert failed.parent is not None
    assert failed.parent.span_id == server.context.span_id
    assert dict(failed.attributes or {}) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "mistral_ai",
        "gen_ai.request.model": "mistral-large",
        "server.address": "api.mistral.ai",
        "server.port": 443,
        "tenantrank.attempt": 1,
        "http.response.status_code": 429,
        "error.type": "rate_limit",
    }
    assert failed.status.status_code is StatusCode.ERROR
    assert dict(answered.attributes or {}) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-x",
        "gen_ai.request.stream": True,
        "server.address": "localhost",
        "server.port": 8001,
        "tenantrank.attempt": 2,
        "gen_ai.response.time_to_first_chunk": 0.25,
        "gen_ai.usage.input_tokens": 12,
        "gen_ai.usage.output_tokens": 34,
        "gen_ai.response.finish_reasons": ("stop",),
    }
    assert answered.status.status_code is StatusCode.UNSET
    attributes = dict(server.attributes or {})
    assert attributes["tenantrank.trace_id"] == TRACE_ID
    assert attributes["tenantrank.offer"] == "alpha|m-1"
    assert attributes["http.response.status_code"] == 200
    assert "error.type" not in attributes


def test_spans__hold_no_tenant_no_key_and_no_label(spans: Spans, exporter: InMemorySpanExporter) -> None:
    request = spans.request("/v1/embeddings")
    request.attempt("embeddings", "openai", "m", "https://api.openai.com/v1", 1).answered()
    request.finished(record(tenant=CANARY, caller=CANARY, label=CANARY))

    assert all(CANARY not in span.to_json() for span in exporter.get_finished_spans())


@pytest.mark.parametrize(
    ("status", "code", "broke", "wanted"),
    [
        (400, "invalid_policy", None, StatusCode.UNSET),
        (502, "exhausted", None, StatusCode.ERROR),
        (200, None, "network_error", StatusCode.ERROR),
    ],
)
def test_spans__of_errors(
    spans: Spans,
    exporter: InMemorySpanExporter,
    status: int,
    code: str | None,
    broke: str | None,
    wanted: StatusCode,
) -> None:
    spans.request("/v1/embeddings").finished(record(status=status, code=code, broke=broke))
    (span,) = exporter.get_finished_spans()

    assert span.status.status_code is wanted
    assert (span.attributes or {}).get("error.type") == ((broke or code) if wanted is StatusCode.ERROR else None)


@pytest.mark.parametrize("text", ["00-zz", "", "00-" + "0" * 32 + "-" + "0" * 16 + "-01", CANARY * 100])
def test_spans__ignore_a_malformed_trace_context(spans: Spans, exporter: InMemorySpanExporter, text: str) -> None:
    spans.request("/x", text).finished(record())
    (span,) = exporter.get_finished_spans()

    assert span.parent is None


def test_spans__continue_the_clients_trace_where_it_is_given(spans: Spans, exporter: InMemorySpanExporter) -> None:
    spans.request("/x", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01").finished(record())
    (span,) = exporter.get_finished_spans()

    assert span.context is not None
    assert f"{span.context.trace_id:032x}" == "0af7651916cd43dd8448eb211c80319c"


def test_spans__without_a_tracer_are_none() -> None:
    request = spans_of(None).request("/x")
    attempt = request.attempt("chat", "openai", "m", "https://api.openai.com/v1", 1)
    attempt.answered(tokens_in=1)
    attempt.failed("timeout")
    request.finished(record())

    assert spans_of(None) is NO_SPANS
