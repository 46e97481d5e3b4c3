"""The sample customer base over the bundled catalog, every answer compared with the reference evaluator."""

from __future__ import annotations

import math
from datetime import date
from pathlib import Path
from typing import Any

import pytest

import tenantrank as tr
from tenantrank.engine.fleet import rank_fleet
from tenantrank.tenants import read_tenants
from tenantrank_kernels import JIT_DISABLED
from tests.reference.evaluate import rank as reference_rank

DATA = Path(__file__).resolve().parent.parent / "data"
TODAY = date(2026, 11, 23)
K = 5


@pytest.fixture(scope="module")
def catalog() -> tr.Catalog:
    return tr.Catalog.bundled(TODAY).with_overlay(DATA / "overlay.example.yaml", TODAY)


@pytest.fixture(scope="module")
def fleet(catalog: tr.Catalog) -> tr.Fleet:
    rulebook = tr.Rulebook.load(DATA / "rules.yaml").bind(catalog.fields)
    return rulebook.compile_many(read_tenants(DATA / "tenants.csv"))


def as_records(catalog: tr.Catalog) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Write a catalog as the records and field declarations that the reference evaluator reads."""
    records: list[dict[str, Any]] = [{"id": offer, "capabilities": {}} for offer in catalog.offer_ids]

    def put(key: str, values: list[Any], capability: bool = False) -> None:
        for record, value in zip(records, values, strict=True):
            if value is not None:
                (record["capabilities"] if capability else record)[key] = value

    declared = {}
    for name, field in catalog.fields.items():
        if name in ("credits", "breaker_open", "disabled", "quality"):
            continue
        if field.sort == "Num":
            values = [None if math.isnan(value) else value for value in catalog.numbers(name).tolist()]
        else:
            values = [None if flag < 0 else bool(flag) for flag in catalog.flags(name).tolist()]
        put(name, values, name == "context")
        if name.startswith("supports_"):
            put(name, values, True)
        declared[name] = {"sort": field.sort, "default": field.default}
    for name in ("provider_id", "model_family", "tier", "scope"):
        codes, names = catalog.strings(name)
        put(name, [names[code] if code >= 0 else None for code in codes.tolist()])
    return records, declared


def test_main_job__agrees_with_the_reference_on_every_policy(catalog: tr.Catalog, fleet: tr.Fleet) -> None:
    records, declared = as_records(catalog)
    policies = fleet.by_identity()[0][:: 12 if JIT_DISABLED else 1]
    ranked = tr.Engine(catalog).rank_rows(policies, k=K)

    compared = 0
    for at, policy in enumerate(policies):
        expected = reference_rank(policy.term, records, {}, declared, catalog.fields.tier_order, policy.version)
        count = int(ranked.ranked[at])
        found = [catalog.offer_ids[row] for row in ranked.rows[at, :count]]
        assert found == expected.ordered[:K]
        assert ranked.scores[at, :count].tolist() == expected.scores[:K]
        assert ranked.survived[at] == len(catalog) - len(expected.rejected)
        compared += count
    assert compared > len(policies)


def test_main_job__rejections_agree_with_the_reference(catalog: tr.Catalog, fleet: tr.Fleet) -> None:
    records, declared = as_records(catalog)
    engine = tr.Engine(catalog)
    for compiled in fleet.policies[::40]:
        policy = compiled.policy
        expected = reference_rank(policy.term, records, {}, declared, catalog.fields.tier_order, policy.version)
        assert dict(engine.rank(compiled, k=1).rejected) == dict(expected.rejected)


def test_main_job__every_tenant_has_an_answer_and_no_clause_is_without_a_rule(
    catalog: tr.Catalog, fleet: tr.Fleet
) -> None:
    table = rank_fleet(tr.Engine(catalog), fleet, K).to_pylist()

    assert len(table) == len(fleet.tenants) >= 1000
    assert {row["status"] for row in table} == {"ranked", "no_offer"}
    for row in table:
        assert row["rules"]
        assert row["ranked_by"]
        assert bool(row["offer_ids"]) == (row["status"] == "ranked") == (row["deciding"] is None)
        assert len(row["offer_ids"]) == len(row["scores"]) == len(row["prices_out"])
    for compiled in fleet.policies:
        assert all(compiled.origins[clause.encoding] for clause in compiled.policy.clauses)


def test_main_job__the_promises_hold(catalog: tr.Catalog, fleet: tr.Fleet) -> None:
    tenants = {row["tenant_id"]: row for row in read_tenants(DATA / "tenants.csv").to_pylist()}
    eu = dict(zip(catalog.offer_ids, catalog.flags("region_eu").tolist(), strict=True))
    no_log = dict(zip(catalog.offer_ids, catalog.flags("no_log").tolist(), strict=True))
    codes, names = catalog.strings("provider_id")
    provider = dict(zip(catalog.offer_ids, [names[code] for code in codes], strict=True))

    seen = {"eu": 0, "sensitive": 0, "approved": 0}
    for row in rank_fleet(tr.Engine(catalog), fleet, K).to_pylist():
        tenant = tenants[row["tenant"]]
        for offer in row["offer_ids"]:
            if tenant["region"] == "eu":
                assert eu[offer] == 1
                seen["eu"] += 1
            if tenant["data_class"] in ("sensitive", "regulated"):
                assert no_log[offer] == 1
                seen["sensitive"] += 1
            if tenant["plan"] == "enterprise" and tenant["approved_providers"]:
                assert provider[offer] in tenant["approved_providers"].split(";")
                seen["approved"] += 1
            assert provider[offer] not in (tenant["excluded_providers"] or "").split(";")
    assert all(seen.values())


def test_public_data_alone_serves_nobody_who_needs_eu_and_no_log() -> None:
    catalog = tr.Catalog.bundled(TODAY)
    assert not ((catalog.flags("region_eu") == 1) & (catalog.flags("no_log") == 1)).any()
