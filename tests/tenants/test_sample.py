"""The sample rulebook and customer base: what the product promises, on the data that it ships."""

import importlib.util
from collections import Counter
from datetime import date

import pytest

import tenantrank as tr
from tenantrank.tenants import read_tenants

AS_OF = date(2026, 11, 23)
UNSERVED = {"t0137", "t0348", "t0559", "t0770"}
STATE = {"plan": "team", "region": "global", "data_class": "public", "workload": "interactive", "vip": False}


@pytest.fixture(scope="module")
def data(repository):
    return repository / "data"


@pytest.fixture(scope="module")
def catalog(data):
    return tr.Catalog.load(data / "catalog.parquet", as_of=AS_OF).with_overlay(
        data / "overlay.example.yaml", as_of=AS_OF
    )


@pytest.fixture(scope="module")
def rulebook(data, catalog):
    return tr.Rulebook.load(data / "rules.yaml").bind(catalog.fields)


@pytest.fixture(scope="module")
def engine(catalog):
    return tr.Engine(catalog)


@pytest.fixture(scope="module")
def values(catalog):
    codes, names = catalog.strings("provider_id")
    return {
        offer: {
            "provider": names[codes[row]],
            "price": catalog.numbers("price_out")[row],
            "quality": catalog.numbers("bench_coding")[row],
            "no_log": catalog.flags("no_log")[row],
            "eu": catalog.flags("region_only_eu")[row],
        }
        for row, offer in enumerate(catalog.offer_ids)
    }


@pytest.fixture(scope="module")
def accepted(rulebook, engine, values):
    def ranked(**state):
        decision = engine.rank(rulebook.compile(STATE | state))
        assert decision.offer_ids
        return [values[offer] for offer in decision.offer_ids]

    return ranked


def test_tenants__are_what_their_script_makes(data):
    spec = importlib.util.spec_from_file_location("make_tenants", data / "make_tenants.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    assert (data / "tenants.csv").read_text(encoding="utf-8") == script.csv_text()


def test_sample__is_clean_and_about_a_thousand_tenants(data, rulebook):
    table = read_tenants(data / "tenants.csv")
    fleet = rulebook.compile_many(table)
    assert len(fleet) == 1000
    assert fleet.errors == ()
    assert fleet.ignored == ()
    assert rulebook.warnings == ()
    assert not any(compiled.warnings for compiled in fleet.policies)
    plans = Counter(table["plan"].to_pylist())
    assert plans["free"] > plans["team"] > plans["enterprise"] > plans["premium"] > 50
    used = {rule for compiled in fleet.policies for rule in compiled.rules}
    assert used == {rule.id for rule in rulebook.document.rules}


def test_sample__leaves_out_only_those_whose_contract_no_offer_meets(data, rulebook, engine):
    fleet = rulebook.compile_many(read_tenants(data / "tenants.csv"))
    policies, index = fleet.by_identity()
    served = [bool(engine.rank(policy, k=1).offer_ids) for policy in policies]
    assert {tenant for tenant, place in zip(fleet.tenants, index, strict=True) if not served[place]} == UNSERVED


def test_free_tier__has_a_relaxed_floor_and_the_cheapest_wins(accepted):
    offers = accepted(plan="free")
    assert [offer["price"] for offer in offers] == sorted(offer["price"] for offer in offers)
    assert all(offer["quality"] >= 0.3 and 0 < offer["price"] <= 2 for offer in offers)
    assert min(offer["quality"] for offer in offers) < 0.6


def test_vip__gets_a_raised_floor_without_a_model_being_named(rulebook, accepted):
    assert min(offer["quality"] for offer in accepted(vip=True)) >= 0.75 > min(o["quality"] for o in accepted())
    policy = rulebook.compile(STATE | {"vip": True}).policy
    assert not {"family_eq", "chain"} & {clause.op for clause in policy.clauses}


def test_enterprise__is_served_by_approved_providers_only(accepted, rulebook):
    offers = accepted(plan="enterprise", approved_providers=["azure", "mistral"])
    assert {offer["provider"] for offer in offers} == {"azure", "mistral"}
    with pytest.raises(tr.TenantError) as caught:
        rulebook.compile(STATE | {"plan": "enterprise"})
    assert (caught.value.field, caught.value.rule) == ("approved_providers", "enterprise-providers")


def test_eu__is_processed_nowhere_else(accepted):
    assert all(offer["eu"] == 1 for offer in accepted(region="eu"))


def test_sensitive_data__leaves_no_log_and_avoids_the_excluded(accepted):
    offers = accepted(data_class="sensitive", dpa_signed=True, excluded_providers=["azure"])
    assert all(offer["no_log"] == 1 for offer in offers)
    assert not {"azure", "openrouter", "deepinfra"} & {offer["provider"] for offer in offers}


def test_premium__pays_for_the_best_answer(accepted, values):
    best = accepted(plan="premium")
    assert [offer["quality"] for offer in best] == sorted((offer["quality"] for offer in best), reverse=True)
    assert best[0]["price"] > accepted(plan="team")[0]["price"]


def test_every_rejection__names_the_rule_behind_it(rulebook, engine):
    compiled = rulebook.compile(STATE | {"region": "eu", "data_class": "sensitive", "dpa_signed": True})
    decision = engine.rank(compiled)
    assert decision.rejected
    assert {origin.rule for origins in compiled.origins.values() for origin in origins} >= {
        "base",
        "paid-floor",
        "residency",
        "sensitive-data",
    }
