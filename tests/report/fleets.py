"""A small fleet that has one of everything a report tells of, and the same told again without the report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import date
from typing import Any

import pyarrow as pa

import tenantrank as tr

DAY = date(2026, 11, 23)
OFFERS: list[dict[str, Any]] = [
    {"id": "a|big", "provider_id": "a", "price_in": 5.0, "price_out": 15.0, "bench_x": 0.9, "no_log": True},
    {"id": "a|small", "provider_id": "a", "price_in": 0.5, "price_out": 1.5, "bench_x": 0.5},
    {"id": "b|small", "provider_id": "b", "price_in": 0.4, "price_out": 1.2, "bench_x": 0.5, "status": "deprecated"},
    {"id": "b|ends", "provider_id": "b", "price_in": 1.0, "price_out": 1.0, "bench_x": 0.7,
     "deprecation_date": date(2026, 12, 24)},
    {"id": "b|free", "provider_id": "b", "price_in": 0.0, "price_out": 0.0, "bench_x": 0.3, "price_zero_listed": True},
    {"id": "c|unpriced", "provider_id": "c", "bench_x": 0.8, "no_log": True},
    {"id": "c|mute", "provider_id": "c", "price_in": 2.0, "price_out": 2.0},
]  # fmt: skip
RULEBOOK: dict[str, Any] = {
    "version": 1,
    "name": "small",
    "fields": {
        "plan": {"type": "enum", "values": ["free", "paid", "best", "quiet"]},
        "region": {"type": "string", "values": ["eu", "us"], "optional": True},
        "vip": {"type": "boolean", "optional": True},
        "providers": {"type": "list", "optional": True},
        "most": {"type": "number", "optional": True},
        "note": {"type": "string", "optional": True},
    },
    "rules": [
        {"id": "base", "require": [["provider_in", ["a", "b", "c"]]], "preference": {"lowest": "price_out"}},
        {
            "id": "paid",
            "when": {"plan": "paid"},
            "require": [["is", "priced"], ["not", ["is", "price_zero_listed"]]],
            "unknown_passes": ["price_zero_listed"],
        },
        {"id": "best", "when": {"plan": "best"}, "floor": {"bench_x": 0.4}, "preference": {"highest": "bench_x"}},
        {
            "id": "quiet",
            "when": {"plan": "quiet"},
            "require": [["is", "no_log"]],
            "preference": {"highest": "price_out"},
        },
        {"id": "vip", "when": {"vip": {"eq": True, "or_absent": False}}, "floor": {"bench_x": 0.5}},
        {"id": "only", "when": {"providers": {"absent": False}}, "require": [["provider_in", {"tenant": "providers"}]]},
        {"id": "cap", "when": {"most": {"absent": False}}, "ceiling": {"price_out": {"tenant": "most"}}},
    ],
}
_NAMES = ("tenant_id", "plan", "region", "vip", "providers", "most")
_ROWS: list[tuple[Any, ...]] = [
    ("t01", "free", "eu", None, None, None),  # b|free, listed at 0
    ("t02", "free", "us", False, None, None),
    ("t03", "free", "us", None, None, None),
    ("t04", "paid", "eu", False, None, None),  # b|ends
    ("t05", "paid", "eu", True, None, None),
    ("t06", "paid", None, False, ["a"], None),  # a|small, one provider
    ("t07", "paid", "us", False, ["c"], None),  # c|mute alone
    ("t08", "paid", "us", False, None, 0.5),  # none left
    ("t09", "paid", "us", True, ["a"], 1.0),  # none left
    ("t10", "best", "eu", True, None, None),  # a|big
    ("t11", "best", "us", False, ["b"], None),  # b|ends
    ("t12", "quiet", "eu", None, ["c"], None),  # c|unpriced alone
    ("t13", "quiet", None, False, ["a"], None),  # a|big alone
    ("t14", "gold", "eu", None, None, None),  # refused
    ("t15", "paid", "eu", False, ["b"], 1.3),
    ("t16", "free", None, False, ["b"], None),  # three left, which is not few
    ("", "free", "eu", None, None, None),  # refused: no id
]
TABLE = pa.Table.from_pylist([dict(zip(_NAMES, row, strict=True)) for row in _ROWS])


def offers(*more: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"model_family": offer["id"], **offer} for offer in (*OFFERS, *more)]


def catalog() -> tr.Catalog:
    return tr.Catalog.from_records(offers(), as_of=DAY)


def engine() -> tr.Engine:
    return tr.Engine(catalog(), threads=1)


def rulebook() -> tr.Rulebook:
    return tr.Rulebook.from_value(RULEBOOK)


def table_of(rows: list[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(rows, TABLE.schema)


def answers(engine: tr.Engine, rulebook: tr.Rulebook, tenants: pa.Table) -> list[dict[str, Any]]:
    """What each tenant has and gets: the rows of `rank_tenants`, with the tenant's own fields."""
    told = engine.rank_tenants(rulebook, tenants).to_pylist()
    return [{**state, **row} for state, row in zip(tenants.to_pylist(), told, strict=True)]


def counted(rows: list[dict[str, Any]], belongs: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Count what some tenants get, one by one."""
    members = [row for row in rows if belongs(row)]
    winners = Counter(row["offer_ids"][0] for row in members if row["offer_ids"])
    survivors = [row["survivors"] for row in members if row["survivors"] is not None]
    return {
        "tenants": len(members),
        "none_left": sum(row["status"] == "no_offer" for row in members),
        "refused": sum(row["status"] == "error" for row in members),
        "winners": dict(winners),
        "survivors": (min(survivors), max(survivors)) if survivors else None,
    }
