"""Spans of a request and its attempts: real ones where a tracer is given, else none at no cost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from tenantrank.gateway.records import DecisionRecord

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer


class AttemptSpan(Protocol):
    """The span of one attempt, which either `answered` or `failed` ends."""

    def answered(
        self,
        *,
        first_byte_s: float | None = None,
        tokens_in: int | None = None,
        tokens_out: int | None = None,
        finish_reasons: Sequence[str] = (),
    ) -> None:
        """End it: the answer came, with what is known of it."""

    def failed(self, kind: str, status: int | None = None) -> None:
        """End it: the attempt failed, in one of the ways of `tenantrank.gateway.failure.KINDS`."""


class RequestSpan(Protocol):
    """The span of one request, which `finished` ends."""

    def attempt(
        self, operation: str, provider_id: str, model: str, base_url: str, number: int, *, stream: bool = False
    ) -> AttemptSpan:
        """Begin the span of an attempt.

        Parameters
        ----------
        operation
            ``chat`` or ``embeddings``
        provider_id, model
            as the catalog names the provider, and as the provider names the model
        base_url
            of the endpoint, of which host and port are shown
        number
            of the request's attempts, from 1
        stream
            whether a stream was asked for
        """

    def finished(self, record: DecisionRecord) -> None:
        """End it, with what the request came to."""


class Spans(Protocol):
    """What begins spans."""

    def request(self, path: str, traceparent: str | None = None) -> RequestSpan:
        """Begin the span of a request to one of the gateway's paths.

        Parameters
        ----------
        path
            the route's own path, without anything that a client chose
        traceparent
            the client's trace context (W3C) where the operator trusts it; malformed ones are ignored
        """


def spans_of(tracer: Tracer | None) -> Spans:
    """Give what begins spans: with a tracer of OpenTelemetry real ones, without one none."""
    if tracer is None:
        return NO_SPANS
    from tenantrank.gateway.traced import TracedSpans

    return TracedSpans(tracer)


class _Nothing:
    """A span of any kind that is none."""

    def request(self, path: str, traceparent: str | None = None) -> RequestSpan:
        return self

    def attempt(
        self, operation: str, provider_id: str, model: str, base_url: str, number: int, *, stream: bool = False
    ) -> AttemptSpan:
        return self

    def answered(self, **_: Any) -> None: ...

    def failed(self, kind: str, status: int | None = None) -> None: ...

    def finished(self, record: DecisionRecord) -> None: ...


NO_SPANS: Spans = _Nothing()
"""Begins no spans."""
