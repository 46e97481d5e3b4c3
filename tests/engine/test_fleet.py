"""A table of tenants ranked at once, row by row against compiling and ranking each alone."""

from __future__ import annotations

from datetime import date
from typing import Any

import pyarrow as pa
import pytest

import tenantrank as tr
from tenantrank.engine.fleet import SCHEMA, rank_fleet
from tests.engine.samples import FIELDS, offer

CATALOG = tr.Catalog.from_records(
    [
        offer("cheap", "p", price_in=0.5, price_out=1.0),
        offer("eu", "q", price_in=2.0, price_out=4.0, region_eu=True, bench=0.9),
        offer("eu dear", "r", price_in=9.0, price_out=30.0, region_eu=True, bench=0.95),
        offer("unpriced", "p", bench=0.1),
    ],
    FIELDS,
    as_of=date(2026, 11, 23),
)
RULEBOOK = tr.Rulebook.from_value(
    {
        "version": 1,
        "fields": {
            "plan": {"type": "enum", "values": ["free", "paid"]},
            "region": {"type": "enum", "values": ["global", "eu"]},
            "ceiling": {"type": "number", "optional": True},
            "approved": {"type": "list", "optional": True},
        },
        "scorers": {"cheapest": {"lowest": "price_out"}, "best": {"highest": "bench"}},
        "defaults": {"preference": "cheapest"},
        "rules": [
            {"id": "base", "require": [["not", ["is", "disabled"]]]},
            {"id": "eu-only", "when": {"region": "eu"}, "require": [["is", "region_eu"]]},
            {"id": "top", "when": {"ceiling": {"absent": False}}, "ceiling": {"price_out": {"tenant": "ceiling"}}},
            {"id": "paid", "when": {"plan": "paid"}, "preference": "best",
             "require": [["provider_in", {"tenant": "approved"}]]},
        ],
    }
)  # fmt: skip
ROWS: list[dict[str, Any]] = [
    {"tenant_id": "t1", "plan": "free", "region": "global", "ceiling": None, "approved": None},
    {"tenant_id": "t2", "plan": "free", "region": "eu", "ceiling": 2.5, "approved": None},
    {"tenant_id": "t3", "plan": "paid", "region": "eu", "ceiling": None, "approved": ["q", "r"]},
    {"tenant_id": "t4", "plan": "paid", "region": "eu", "ceiling": None, "approved": None},
    {"tenant_id": "t5", "plan": "free", "region": "global", "ceiling": None, "approved": ["p"]},
    {"tenant_id": "t6", "plan": "gold", "region": "global", "ceiling": None, "approved": None},
    {"tenant_id": "t7", "plan": "paid", "region": "global", "ceiling": 3.0, "approved": ["p"]},
]
STATES = pa.schema(
    [
        ("tenant_id", pa.string()),
        ("plan", pa.string()),
        ("region", pa.string()),
        ("ceiling", pa.float64()),
        ("approved", pa.list_(pa.string())),
    ]
)


def table_of(rows: list[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(rows, STATES)


@pytest.mark.parametrize("k", [1, 2, 8])
@pytest.mark.parametrize("state", [None, {"disabled": {"q": {}}, "ema": {"p|m": {"price_in": 7.0}}}])
@pytest.mark.parametrize("envelope", [None, ["cmp", "price_out", "lt", 20]])
def test_rank_tenants__is_compiling_and_ranking_each_alone(k: int, state: Any, envelope: Any) -> None:
    engine = tr.Engine(CATALOG, state, envelope)
    result = engine.rank_tenants(RULEBOOK, table_of(ROWS), k)
    assert result.schema.equals(SCHEMA)
    bound = RULEBOOK.bind(CATALOG.fields)
    for row, given in zip(result.to_pylist(), ROWS, strict=True):
        assert row["tenant"] == given["tenant_id"]
        try:
            compiled = bound.compile(given)
        except tr.TenantError:
            assert row["status"] == "error"
            assert row["error"]
            assert all(row[name] is None for name in row if name not in ("tenant", "status", "error"))
            continue
        decision = engine.rank(compiled, k=k)
        assert row["error"] is None
        assert row["status"] == ("ranked" if decision.survivors else "no_offer")
        assert (row["fingerprint"], row["identity"]) == (compiled.policy.fingerprint, compiled.policy.identity)
        assert row["survivors"] == decision.survivors
        assert (tuple(row["offer_ids"]), tuple(row["scores"])) == (decision.offer_ids, decision.scores)
        assert row["rules"] == ", ".join(compiled.rules)
        assert row["ranked_by"] == str(compiled.preference)
        stranded = decision.explain().deciding() if not decision.survivors else None
        assert row["deciding"] == (None if stranded is None else "; ".join(map(str, stranded)))
        seen = {name: engine.observed(name).tolist() for name in ("price_in", "price_out")}
        for column, name in (("prices_in", "price_in"), ("prices_out", "price_out")):
            prices = [seen[name][CATALOG.offer_ids.index(one)] for one in decision.offer_ids]
            assert row[column] == [None if price == float("inf") else price for price in prices]


def test_rank_tenants__names_the_rules_that_left_a_tenant_without_an_offer() -> None:
    result = tr.Engine(CATALOG).rank_tenants(RULEBOOK, table_of(ROWS))
    statuses = result["status"].to_pylist()
    assert statuses == ["ranked", "no_offer", "ranked", "error", "ranked", "error", "ranked"]
    deciding = result["deciding"][1].as_py()
    # One clause fewer is enough: without the ceiling the EU offers pass, without the region the cheap one does.
    assert "top <- ceiling=2.5" in deciding
    assert result["deciding"].null_count == 6
    assert result["offer_ids"][1].as_py() == []
    assert result["offer_ids"].null_count == 2
    assert "approved" in result["error"][3].as_py()


def test_rank_tenants__says_what_it_was_worked_out_from() -> None:
    envelope = tr.admit_term(["top"], CATALOG.fields)
    found = tr.Engine(CATALOG, envelope=envelope).rank_tenants(RULEBOOK, table_of(ROWS)).schema.metadata
    assert found == {
        b"catalog_id": CATALOG.catalog_id.encode(),
        b"as_of": b"2026-11-23",
        b"envelope_identity": envelope.identity.encode(),
    }


def test_rank_tenants__of_no_rows_and_of_none_that_compile() -> None:
    engine = tr.Engine(CATALOG)
    empty = engine.rank_tenants(RULEBOOK, table_of([]))
    assert empty.num_rows == 0
    assert empty.schema.equals(SCHEMA)
    failed = engine.rank_tenants(RULEBOOK, table_of([ROWS[3], ROWS[5]]))
    assert failed["status"].to_pylist() == ["error", "error"]
    assert failed["offer_ids"].to_pylist() == [None, None]
    assert failed["survivors"].to_pylist() == [None, None]


def test_rank_tenants__over_an_empty_catalog_strands_everybody() -> None:
    empty = tr.Catalog.from_records([], FIELDS)
    result = tr.Engine(empty).rank_tenants(RULEBOOK, table_of([ROWS[0], ROWS[2]]))
    assert result["status"].to_pylist() == ["no_offer", "no_offer"]
    assert result["deciding"].to_pylist() == ["", ""]


def test_rank_fleet__ranks_each_distinct_policy_once() -> None:
    fleet = RULEBOOK.bind(CATALOG.fields).compile_many(table_of(ROWS))
    done: list[int] = []
    rank_fleet(tr.Engine(CATALOG), fleet, 2, done.append)
    assert sum(done) == len(fleet.by_identity()[0]) < len(ROWS)


def test_rank_fleet__refuses_what_is_no_fleet() -> None:
    with pytest.raises(tr.RequestError, match=r"^expected a Fleet, got a Python Table$"):
        rank_fleet(tr.Engine(CATALOG), table_of(ROWS))  # type: ignore[arg-type]


def test_rank_tenants__refuses_a_rulebook_of_other_fields_and_a_bad_k() -> None:
    engine = tr.Engine(tr.Catalog.from_records([offer("a")]))
    with pytest.raises(tr.RulebookError):
        engine.rank_tenants(RULEBOOK, table_of(ROWS))
    with pytest.raises(tr.RequestError):
        tr.Engine(CATALOG).rank_tenants(RULEBOOK, table_of(ROWS), k=0)


def test_rank_fleet__tenants_of_one_policy_keep_their_own_rules_and_rankings() -> None:
    eu = {"require": [["is", "region_eu"]], "preference": {"highest": "bench"}}
    rulebook = tr.Rulebook.from_value(
        {
            "version": 1,
            "fields": {"plan": {"type": "enum", "values": ["a", "b", "c"]}},
            "rules": [
                {"id": "base", "require": [["top"]], "preference": {"lowest": "price_out"}},
                {"id": "first", "when": {"plan": "a"}, **eu},
                {"id": "second", "when": {"plan": "b"}, **eu},
            ],
        }
    )  # fmt: skip
    rows = [{"tenant_id": f"t{at}", "plan": plan} for at, plan in enumerate("cbacab")]
    table = tr.Engine(CATALOG).rank_tenants(rulebook, pa.Table.from_pylist(rows)).to_pylist()
    expected = {"a": ("base, first", "first"), "b": ("base, second", "second"), "c": ("base", "base")}
    assert len({row["identity"] for row in table}) == 2
    assert [(row["rules"], row["ranked_by"].split(" <- ")[0]) for row in table] == [expected[r["plan"]] for r in rows]


def test_rank_fleet__a_selector_that_keeps_no_offer_leaves_none_and_says_so() -> None:
    chain = [{"provider": "nobody", "model": "m"}]
    rulebook = tr.Rulebook.from_value(
        {
            "version": 1,
            "fields": {"plan": {"type": "enum", "values": ["a"]}},
            "rules": [{"id": "only", "require": [["is", "region_eu"]], "selector": ["chain", chain]}],
        }
    )
    (row,) = tr.Engine(CATALOG).rank_tenants(rulebook, pa.table({"tenant_id": ["t"], "plan": ["a"]})).to_pylist()
    assert (row["status"], row["survivors"], row["offer_ids"]) == ("no_offer", 2, [])
    assert row["deciding"] == "the selector keeps none of the 2 offers that pass (only)"
