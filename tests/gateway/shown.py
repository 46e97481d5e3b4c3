"""Records by hand, a small server to ask, and what must never be seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import tenantrank as tr
from tenantrank.gateway.auth import Caller
from tenantrank.gateway.directory import Directory
from tenantrank.gateway.record_parts import AttemptRecord
from tenantrank.gateway.records import DecisionRecord
from tenantrank.gateway.rules import Rule
from tenantrank.gateway.traces import Traces
from tenantrank.policy.memory import Memory
from tenantrank.policy.signature import Fields

TRACE_ID = "tr_0123456789abcdefghjkmnpqrs"
PLAN: list[Any] = ["always", {"action": "next_candidate"}]
OFFERS: list[dict[str, Any]] = [
    {"id": "alpha|m-1", "provider_id": "alpha", "model_family": "m-1", "price_in": 1, "price_out": 4},
    {"id": "beta|m-1", "provider_id": "beta", "model_family": "m-1", "price_in": 0.5, "price_out": 2},
    {"id": "beta|m-2", "provider_id": "beta", "model_family": "m-2", "price_in": 0.1, "price_out": 0.2},
    {"id": "gamma|m-2", "provider_id": "gamma", "model_family": "m-2"},
    {"id": "secret|m-3", "provider_id": "secret", "model_family": "m-3", "price_in": 9, "price_out": 9},
]
BOOK: dict[str, Any] = {
    "version": 1,
    "fields": {
        "plan": {"type": "enum", "values": ["free", "paid"]},
        "most": {"type": "number", "optional": True},
    },
    "rules": [
        {"id": "base", "require": [["is", "priced"]], "preference": {"lowest": "price_out"}},
        {"id": "cap", "when": {"most": {"absent": False}}, "ceiling": {"price_out": {"tenant": "most"}}},
    ],
}
ENVELOPE: list[Any] = ["not", ["provider_eq", "secret"]]


def term_of(condition: list[Any], scorer: list[Any] | None = None, selector: list[Any] | None = None) -> list[Any]:
    return ["policy", condition, scorer or ["zero"], selector or ["argmax"], ["id"], PLAN]


@dataclass
class Server:
    """What dry runs ask of a server."""

    catalog: tr.Catalog = field(default_factory=lambda: tr.Catalog.from_records(OFFERS))
    tenants: Mapping[str, Mapping[str, Any]] = field(default_factory=lambda: {"acme": {"plan": "paid", "most": 2}})
    default: tr.Policy | None = None
    remembered: Memory[Rule] = field(default_factory=Memory)

    def __post_init__(self) -> None:
        self.directory = Directory.of(self.catalog)
        self.rulebook: tr.Rulebook | None = tr.Rulebook.from_value(BOOK).bind(self.catalog.fields)
        self.engine = tr.Engine(self.catalog, envelope=ENVELOPE)

    @property
    def fields(self) -> Fields:
        return self.catalog.fields

    def engine_of(self, caller: Caller, route: str) -> tr.Engine:
        return self.engine


def caller_of(**changes: Any) -> Caller:
    return Caller("backend", **{"ways": frozenset({"policy_ir", "tenant", "provider"}), **changes})


def attempt(**changes: Any) -> AttemptRecord:
    values = {"offer_id": "alpha|m-1", "provider_id": "alpha", "number": 1, "kind": None, "status": 200}
    times = {"started_ms": 1.0, "ended_ms": 21.0, "first_byte_ms": 11.0}
    return AttemptRecord(**{**values, **times, **changes})


def record(traces: Traces | None = None, **changes: Any) -> DecisionRecord:
    policy = tr.admit(term_of(["is", "priced"]), tr.Catalog.from_records(OFFERS).fields)
    values: dict[str, Any] = {
        "trace_id": TRACE_ID,
        "route": "chat",
        "began": datetime(2026, 11, 25, 20, 0, 0, 123456, tzinfo=UTC),
        "caller": "backend",
        "tenant": "acme",
        "label": "gpt-x",
        "rule": (traces or Traces()).rule(policy, "policy_ir"),
        "catalog_id": "c" * 64,
        "request": tr.Request(needs=("tools",), min_context=1024, estimated_input_tokens=10),
        "ranked": (("alpha|m-1", 0.5), ("beta|m-1", 0.25)),
        "survivors": 4,
        "limits": {"attempts": 6},
        "attempts": (attempt(offer_id="beta|m-1", provider_id="beta", kind="timeout", status=None), attempt()),
        "chosen": "alpha|m-1",
        "fallbacks": 1,
        "tokens_in": 12,
        "tokens_out": 34,
        "finish_reasons": ("stop",),
        "decision_us": 8.5,
        "first_byte_ms": 11.0,
        "total_ms": 22.5,
        "added_ms": 0.75,
    }
    return DecisionRecord(**{**values, **changes})
