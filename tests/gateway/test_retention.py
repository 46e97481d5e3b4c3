from __future__ import annotations

from typing import Any

import pytest

import tenantrank as tr
from tenantrank.gateway.retention import needs_no_retention

FIELDS = tr.Catalog.from_records(
    [{"id": "a", "provider_id": "a", "model_family": "m", "retention_days": 0, "zdr": "yes", "no_log": True}]
).fields
NO_REQUEST = tr.Request()


def asks(condition: list[Any], request: tr.Request = NO_REQUEST) -> bool:
    term = ["policy", condition, ["zero"], ["argmax"], ["id"], ["always", {"action": "abort"}]]
    return needs_no_retention(tr.admit(term, FIELDS).clauses, request)


@pytest.mark.parametrize(
    "condition",
    [
        ["is", "no_log"],
        ["is", "zdr_available"],
        ["is", "zdr_default"],
        ["and", ["meets_req"], ["is", "no_log"]],
        ["cmp", "retention_days", "le", 0],
        ["cmp", "retention_days", "eq", 0],
        ["cmp", "retention_days", "lt", 1],
    ],
)
def test_needs_no_retention__a_condition_that_holds_by_itself(condition: list[Any]) -> None:
    assert asks(condition)


@pytest.mark.parametrize(
    "condition",
    [
        ["top"],
        ["meets_req"],
        ["not", ["is", "no_log"]],
        ["or", ["is", "no_log"], ["provider_eq", "a"]],
        ["is", "priced"],
        ["cmp", "retention_days", "le", 30],
        ["cmp", "retention_days", "lt", 2],
        ["cmp", "retention_days", "ge", 0],
        ["cmp", "price_out", "le", 0],
    ],
)
def test_needs_no_retention__a_condition_that_does_not_ask_for_it(condition: list[Any]) -> None:
    assert not asks(condition)


def test_needs_no_retention__a_request_asks_for_it_where_a_clause_looks_at_requests() -> None:
    private = tr.Request.of({"requirements": {"privacy": "no_log"}})

    assert asks(["meets_req"], private)
    assert not asks(["is", "priced"], private)
