"""Counts and times for Prometheus, in a registry of their own.

Labels are the gateway's own words and the names in the operator's file. A tenant, a key, a model, an offer or anything
else that a client chooses is never one, and the number of series has a bound whatever happens.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from tenantrank.gateway.records import DecisionRecord
from tenantrank.gateway.series import Counters, Gauges, Histograms

CONTENT_TYPE = CONTENT_TYPE_LATEST
"""Media type of what `Metrics.render` gives."""

_Family = TypeVar("_Family", Counters, Gauges, Histograms)
_DECIDING = (2e-6, 5e-6, 1e-5, 2e-5, 5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 5e-3, 2e-2, 1e-1)
_ADDING = (1e-4, 2e-4, 5e-4, 1e-3, 1.5e-3, 2e-3, 5e-3, 1e-2, 2e-2, 5e-2, 1e-1, 1.0)
_WAITING = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)


class Metrics:
    """Everything that is counted. Used from the event loop's thread alone; nothing here raises for what it is told."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        made = self._made
        self._requests = made(Counters("requests", "Requests answered.", "route", "status", "code"))
        self._seconds = made(
            Histograms("request_seconds", "From a request to the end of its answer.", _WAITING, "route")
        )
        self._deciding = made(Histograms("decision_seconds", "The decision alone.", _DECIDING))
        self._adding = made(
            Histograms("added_seconds", "Of a request, what was spent in the gateway itself.", _ADDING, "route")
        )
        self._in_flight = made(Gauges("in_flight", "Requests under way.", "route"))
        self._streams = made(Counters("streams", "Streams by how they ended.", "route", "outcome"))
        self._attempts = made(
            Counters("attempts", "Attempts by how they ended: answered, or a failure's kind.", "provider", "kind")
        )
        self._first_byte = made(
            Histograms(
                "first_byte_seconds", "From an attempt's begin to the first byte of its answer.", _WAITING, "provider"
            )
        )
        self._retries = made(Counters("retries", "Attempts at the same offer again."))
        self._fallbacks = made(Counters("fallbacks", "Attempts at a further offer."))
        self._cut = made(Counters("plans_cut", "Failure plans that one of the operator's limits ended.", "limit"))
        self._tokens = made(Counters("tokens", "Tokens as providers count them.", "provider", "type"))
        self._breakers = made(Gauges("breakers_open", "Breakers that are open or half open.", "scope"))
        self._breaker = made(Gauges("breaker_state", "0 closed, 0.5 half open, 1 open.", "scope", "name"))
        self._generation = made(Gauges("catalog_generation", "Number of the catalog in use, counted from the start."))
        self._offers = made(Gauges("catalog_offers", "Offers in the catalog in use."))
        self._reloads = made(Counters("catalog_reloads", "Attempts to take a new catalog.", "outcome"))

    def began(self, route: str) -> None:
        """Count a request in; `ended` counts it out."""
        self._in_flight.add(1, route)

    def ended(self, route: str) -> None:
        """Count a request out, however it ended."""
        self._in_flight.add(-1, route)

    def answered(self, route: str, status: int, code: str | None, seconds: float) -> None:
        """Count an answer: of the gateway's routes by name, its status, and its error's code where it is one."""
        self._requests.add(1, route, status, code or "")
        self._seconds.observe(seconds, route)

    def finished(self, record: DecisionRecord) -> None:
        """Count what a finished request came to, its answer included."""
        route = record.route
        self.answered(route, record.status, record.code, (record.total_ms or 0.0) / 1e3)
        if record.decision_us is not None:
            self._deciding.observe(record.decision_us / 1e6)
        if record.added_ms is not None:
            self._adding.observe(record.added_ms / 1e3, route)
        if record.stream:
            self._streams.add(1, route, record.outcome)
        for attempt in record.attempts:
            self._attempts.add(1, attempt.provider_id, attempt.kind or "answered")
            if attempt.first_byte_ms is not None:
                taken = (attempt.first_byte_ms - attempt.started_ms) / 1e3
                self._first_byte.observe(taken, attempt.provider_id)
        if record.retries:
            self._retries.add(record.retries)
        if record.fallbacks:
            self._fallbacks.add(record.fallbacks)
        if record.cut is not None:
            self._cut.add(1, record.cut)
        if record.provider is not None:
            if record.tokens_in:
                self._tokens.add(record.tokens_in, record.provider, "input")
            if record.tokens_out:
                self._tokens.add(record.tokens_out, record.provider, "output")

    def breakers(self, states: Iterable[tuple[str, str, str]]) -> None:
        """Show the breakers that are not closed: ``(scope, name, "open" or "half_open")``; all others are closed.

        Providers and credentials, which the operator's file names, are shown by name; offers are counted alone.
        """
        self._breaker.clear()
        counts = dict.fromkeys(("provider", "offer", "credential"), 0)
        for scope, name, state in states:
            counts[scope] = counts.get(scope, 0) + 1
            if scope != "offer":
                self._breaker.set(1.0 if state == "open" else 0.5, scope, name)
        for scope, count in counts.items():
            self._breakers.set(count, scope)

    def catalog(self, generation: int, offers: int) -> None:
        """Show which catalog is in use."""
        self._generation.set(generation)
        self._offers.set(offers)

    def reloaded(self, outcome: str) -> None:
        """Count an attempt to take a new catalog: ``taken``, ``refused`` or ``unchanged``."""
        self._reloads.add(1, outcome)

    def render(self) -> bytes:
        """Give everything in Prometheus' text format."""
        return generate_latest(self.registry)

    def _made(self, family: _Family) -> _Family:
        self.registry.register(family)
        return family
