"""Preferences of a provider object: the orders that their scorers give."""

from __future__ import annotations

from typing import Any

import pytest

import tenantrank as tr
from tenantrank.gateway.preferences import score_of
from tenantrank.gateway.problem import Problem

PLAN = ["always", {"action": "next_candidate"}]


def offer(
    name: str, price: float | None, latency_ms: float | None = None, tok_s: float | None = None
) -> dict[str, Any]:
    return {
        "id": name,
        "provider_id": name,
        "model_family": "m",
        "price_in": price,
        "price_out": price,
        "latency_ms": latency_ms,
        "tok_s": tok_s,
    }


CATALOG = tr.Catalog.from_records(
    [
        offer("unpriced", None, 50, 10),
        offer("dear", 900, 900, 90),
        offer("cheap", 1, None, None),
        offer("mid", 5, 400, 40),
    ]
)


def order_of(provider: dict[str, Any], *order: str) -> tuple[str, ...]:
    policy = tr.admit(["policy", ["top"], score_of(provider, order), ["argmax"], ["id"], PLAN], CATALOG.fields)
    return tuple(tr.Engine(CATALOG).rank(policy).offer_ids)


@pytest.mark.parametrize(
    ("provider", "order", "expected"),
    [
        ({}, (), "cheap mid dear unpriced"),
        ({"sort": "price"}, (), "cheap mid dear unpriced"),
        ({"sort": {"by": "throughput", "partition": "none"}}, (), "dear mid unpriced cheap"),
        ({"sort": {"by": None, "partition": None}}, (), "cheap mid dear unpriced"),
        ({"sort": "latency"}, (), "unpriced mid dear cheap"),
        ({}, ("unpriced",), "unpriced cheap mid dear"),
        ({}, ("dear", "unpriced"), "dear unpriced cheap mid"),
        ({"preferred_min_throughput": 40}, (), "mid dear cheap unpriced"),
        ({"preferred_min_throughput": {"p50": 40}, "preferred_max_latency": 0.5}, (), "mid dear unpriced cheap"),
        ({"preferred_min_throughput": 40, "preferred_max_latency": 0.5}, ("cheap", "dear"), "cheap dear mid unpriced"),
    ],
)
def test_score_of__orders(provider: dict[str, Any], order: tuple[str, ...], expected: str) -> None:
    assert " ".join(order_of(provider, *order)) == expected


@pytest.mark.parametrize(
    "provider",
    [
        *({"sort": sort} for sort in ("Price", "cost", "", 1, True, [], ["price"], {"by": "cost"}, {"by": ["price"]})),
        {"sort": {"by": "price", "order": "desc"}},
        {"sort": {"by": "price", "partition": "provider"}},
        *({"preferred_max_latency": value} for value in ("5", -1, True, [], {"p90": 1}, {"p50": "x"}, 1e300)),
        {"preferred_min_throughput": {"p50": 1, "p99": 2}},
    ],
)
def test_score_of__refuses_what_nothing_measures(provider: dict[str, Any]) -> None:
    with pytest.raises(Problem) as caught:
        score_of(provider, ())
    assert (caught.value.status, caught.value.code) == (400, "invalid_provider")
    assert caught.value.param == f"provider.{next(iter(provider))}"
