"""Every predicate with the reason it gives, worked out by hand."""

from __future__ import annotations

from typing import Any

import pytest

from tests.reference.predicates import holds
from tests.reference.samples import FIELDS, offer
from tests.reference.signature import V1, V2, Term

RICH = offer(
    "rich",
    tier="partner",
    scope="acme",
    price_in=2.0,
    no_log=True,
    region_eu=True,
    capabilities={"context": 8000, "supports_tools": True, "off": False},
    offer={"peer_id": "peer"},
)
POOR = offer("poor", "q", tier="gold")


@pytest.mark.parametrize(
    ("pred", "rich", "poor"),
    [
        (["top"], None, None),
        (["bot"], "bot", "bot"),
        (["meets_req"], None, None),
        (["scope_matches"], "scope", None),
        (["and", ["top"], ["is", "no_log"], ["is", "has_tee"]], "is:has_tee", "is:has_tee"),
        (["and", ["tier_eq", "partner"], ["family_eq", "x"]], "model_family", "model_family"),
        (["or", ["is", "has_tee"], ["is", "no_log"]], None, "or"),
        (["not", ["is", "no_log"]], "not", None),
        (["is", "region_eu"], None, "is:region_eu"),
        (["is", "trains"], None, None),
        (["is", "disabled"], None, "is:disabled"),
        (["is", "breaker_open"], "is:breaker_open", "is:breaker_open"),
        (["cmp", "price_in", "le", 2], None, "cmp:price_in:le"),
        (["cmp", "price_in", "lt", 2], "cmp:price_in:lt", "cmp:price_in:lt"),
        (["cmp", "price_in", "eq", 2], None, "cmp:price_in:eq"),
        (["cmp", "price_in", "ne", 2], "cmp:price_in:ne", None),
        (["cmp", "price_in", "ge", 2], None, None),
        (["cmp", "price_in", "gt", 2], "cmp:price_in:gt", None),
        (["cmp", "credits", "ge", 3], "cmp:credits:ge", None),
        (["cmp", "success_rate", "ge", 1], None, None),
        (["cmp", "bench", "eq", 0.5], None, None),
        (["tier_eq", "partner"], None, "tier"),
        (["min_tier", "fallback"], None, "min_tier"),
        (["family_eq", "m"], None, None),
        (["provider_eq", "q"], "provider_id", None),
        (["served_by_eq", "peer"], None, "served_by"),
        (["served_by_eq", "q"], "served_by", None),
        (["has_cap", "supports_tools"], None, "missing_capability:supports_tools"),
        (["has_cap", "off"], "missing_capability:off", "missing_capability:off"),
    ],
)
def test_holds__gives_the_reason(pred: Term, rich: str | None, poor: str | None) -> None:
    # An entry disables a provider whatever it says; a breaker is open only where it is true.
    state = {"disabled": {"p": {"kind": "auth_error"}}, "breakers": {"p": False}, "credits": {"q": 3}}
    ctx = {"request": [], "state": state}
    assert (holds(pred, RICH, ctx, FIELDS), holds(pred, POOR, ctx, FIELDS)) == (rich, poor)


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        ({}, None),
        ({"requirements": []}, None),
        ({"requirements": {"needs": ["telepathy", "tools"]}}, None),
        ({"requirements": {"needs": ["seed", "vision"]}}, "missing_capability:vision"),
        ({"images": ["x"], "response_format": {"type": "json_object"}}, "missing_capability:vision"),
        ({"images": [], "response_format": {"type": "json_object"}}, "missing_capability:json_mode"),
        ({"tools": [{}], "response_format": {"type": "text"}}, None),
        ({"requirements": {"min_context": 8000}}, None),
        ({"requirements": {"min_context": 8001, "model_family": "x"}}, "min_context"),
        ({"requirements": {"model_family": "x", "tier": "gold"}}, "model_family"),
        ({"requirements": {"tier": "gold", "privacy": "tee_required"}}, "tier"),
        ({"requirements": {"privacy": "tee_required"}}, "tee_required"),
        ({"requirements": {"privacy": "no_log"}}, None),
        ({"requirements": {"min_tok_s": 0}}, None),
        ({"requirements": {"min_tok_s": 1}}, "min_tok_s"),
    ],
)
def test_holds__meets_req_names_the_first_failure(request_: dict[str, Any], reason: str | None) -> None:
    assert holds(["meets_req"], RICH, {"request": request_}, FIELDS) == reason


def test_holds__an_offer_without_a_tier_is_fallback_but_fails_a_required_one() -> None:
    plain = offer("plain")
    assert holds(["tier_eq", "fallback"], plain, {}, FIELDS) is None
    wanted = {"requirements": {"tier": "fallback", "privacy": "no_log"}}
    assert holds(["meets_req"], plain, {"request": wanted}, FIELDS) == "tier"
    assert holds(["meets_req"], plain, {"request": {"requirements": {"privacy": "no_log"}}}, FIELDS) == "no_log"


def test_holds__the_older_version_reads_live_state_first() -> None:
    one = offer("one", price_in=9.0, latency_ms=1.0, tok_s=50.0, quality_hint=0.4)
    state = {"ema": {"p|m": {"price_in": 1.0, "last_quality_eval": 0.9}}}
    ctx = {"state": state, "request": {"requirements": {"min_quality": 0.5}}}
    assert holds(["cmp", "price_in", "le", 1], one, ctx, FIELDS, version=V1) is None
    assert holds(["cmp", "price_in", "le", 1], one, ctx, FIELDS, version=V2) == "cmp:price_in:le"
    assert holds(["cmp", "latency_ms", "le", 1], one, ctx, FIELDS, version=V1) == "cmp:latency_ms:le"
    assert holds(["cmp", "quality", "eq", 0.9], one, ctx, FIELDS, version=V1) is None
    assert holds(["meets_req"], one, ctx, FIELDS, version=V1) == "min_quality"
    no_speed = {"request": {"requirements": {"min_tok_s": 0}}}
    assert holds(["meets_req"], one, no_speed, FIELDS, version=V1) == "min_tok_s"


def test_holds__empty_images_and_tools_are_no_needs() -> None:
    assert holds(["meets_req"], POOR, {"request": {"images": [], "tools": []}}, FIELDS) is None
    assert holds(["meets_req"], POOR, {"request": {"tools": [{}]}}, FIELDS) == "missing_capability:tools"


def test_holds__an_unknown_quality_hint_reads_zero() -> None:
    wanted = {"request": {"requirements": {"min_quality": 0.25}}}
    assert holds(["meets_req"], POOR, wanted, FIELDS, version=V1) == "min_quality"
    assert holds(["meets_req"], POOR, wanted, FIELDS, version=V2) is None
