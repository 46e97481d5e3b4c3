"""The dearest rules of a fleet: the sum over its tenants one by one, and the rulebook's own answers without a rule."""

from __future__ import annotations

import math
import pickle
from collections import Counter
from datetime import date
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pytest

import tenantrank as tr
from tenantrank.catalog.costs import USUAL, Tokens
from tenantrank.errors import RulebookError
from tenantrank.tenants import read_tenants
from tenantrank.whatif.clause_price import ClausePrices, clause_prices
from tenantrank.whatif.rule_price import SCHEMA, DearestRules, FleetRule, dearest_rules
from tenantrank_kernels import JIT_DISABLED
from tests.engine.samples import catalog_of, offer
from tests.whatif.prices import FIELDS, TOKENS, cost_of, random_cases, without

DATA = Path(__file__).resolve().parents[2] / "data"
TODAY = date(2026, 11, 23)
COUNTS = ("tenants", "unchanged", "changed", "dearer", "cheaper", "level", "unknown", "gained", "lost", "refused")
CHEAPEST = ["neg", ["field", "price_out"]]


def table_of(*plans: str) -> pa.Table:
    return pa.table({"tenant_id": [f"t{at}" for at in range(len(plans))], "plan": list(plans)})


def of_rules(catalog: tr.Catalog, rules: list[dict[str, Any]], plans: tuple[str, ...], **options: Any) -> DearestRules:
    rulebook = tr.Rulebook.from_value({"version": 1, "fields": FIELDS, "rules": rules})
    return dearest_rules(tr.Engine(catalog), rulebook, table_of(*plans), TOKENS, **options)


def one_of(found: DearestRules, rule: str) -> FleetRule:
    (one,) = [each for each in found.rules if each.rule == rule]
    return one


def counts_of(rule: FleetRule) -> dict[str, int]:
    return {name: getattr(rule, name) for name in COUNTS if getattr(rule, name)}


def test_dearest_rules__are_the_sum_over_tenants_one_by_one() -> None:
    seen: Counter[str] = Counter()
    for _, book, catalog in random_cases(seed=3, count=25):
        engine = tr.Engine(catalog)
        rulebook = tr.Rulebook.from_value(book).bind(catalog.fields)
        known = {plan: prices_of(engine, rulebook, plan) for plan in ("free", "team", "enterprise", "gold")}
        plans = Random(str(book)).choices(["free", "team", "enterprise", "gold"], (5, 3, 2, 1), k=20)
        found = dearest_rules(engine, rulebook, table_of(*plans), TOKENS, top=None)
        tenants: dict[str, Counter[str]] = {rule["id"]: Counter() for rule in book["rules"]}
        differences: dict[str, list[float]] = {rule["id"]: [] for rule in book["rules"]}
        costs: list[float] = []
        whole: Counter[str] = Counter()
        for plan in plans:
            prices = known[plan]
            if prices is None:
                whole["refused"] += 1
                continue
            whole["tenants"] += 1
            whole["stranded"] += prices.now.offer_id is None
            whole["unknown"] += prices.now.offer_id is not None and prices.now.cost is None
            costs += [] if prices.now.cost is None else [prices.now.cost]
            for rule in prices.rules:
                tenants[rule.rule]["tenants"] += 1
                tenants[rule.rule]["stranded"] += rule.now.offer_id is None
                tenants[rule.rule][kind_of(rule)] += 1
                tenants[rule.rule]["changed"] += rule.changes
                differences[rule.rule] += [] if rule.difference is None else [rule.difference]
        for rule in found.rules:
            expected = {name: count for name, count in tenants[rule.rule].items() if count and name != "stranded"}
            assert counts_of(rule) == expected
            assert rule.stranded == tenants[rule.rule]["stranded"]
            assert rule.total == math.fsum(differences[rule.rule])
            count = len(differences[rule.rule])
            assert rule.mean == (rule.total / count if count else None)
            assert rule.tenants == rule.unchanged + rule.changed + rule.refused
            seen.update(expected)
        assert {"tenants": found.tenants, "refused": found.refused} == {
            "tenants": whole["tenants"],
            "refused": whole["refused"],
        }
        assert (found.stranded, found.unknown) == (whole["stranded"], whole["unknown"])
        assert found.total == math.fsum(costs)
        order = {rule["id"]: at for at, rule in enumerate(book["rules"])}
        assert list(found.rules) == sorted(found.rules, key=lambda rule: (-rule.total, order[rule.rule]))
        assert len(found.rules) == len(order)
    assert min(seen[name] for name in COUNTS if name not in ("level", "lost")) >= 5, seen


def prices_of(engine: tr.Engine, rulebook: tr.Rulebook, plan: str) -> ClausePrices | None:
    try:
        return clause_prices(engine, rulebook.compile({"plan": plan}), tokens=TOKENS)
    except tr.TenantError:
        return None


def kind_of(rule: Any) -> str:
    """Which one of a rule's counts a tenant is in, told from the two winners."""
    if rule.refused is not None:
        return "refused"
    before, after = rule.now, rule.without
    if before.offer_id == after.offer_id:
        return "unchanged"
    if before.offer_id is None or after.offer_id is None:
        return "gained" if before.offer_id is None else "lost"
    if before.cost is None or after.cost is None:
        return "unknown"
    return "level" if before.cost == after.cost else "dearer" if before.cost > after.cost else "cheaper"


@pytest.mark.skipif(JIT_DISABLED, reason="the whole catalog for the whole sample takes too long as plain Python")
@pytest.mark.parametrize("name", ["free-tier", "enterprise-ranking", "residency", "enterprise-providers"])
def test_dearest_rules__of_the_sample_agree_with_its_rulebook_without_the_rule(name: str) -> None:
    catalog = tr.Catalog.bundled(TODAY).with_overlay(DATA / "overlay.example.yaml", TODAY)
    engine, tenants = tr.Engine(catalog), read_tenants(DATA / "tenants.csv")
    rulebook = tr.Rulebook.load(DATA / "rules.yaml")
    book = rulebook.document.model_dump(by_alias=True, exclude_none=True)
    now = engine.rank_tenants(rulebook, tenants, k=1).to_pylist()
    then = engine.rank_tenants(tr.Rulebook.from_value(without(book, name)), tenants, k=1).to_pylist()
    costs = dict(zip(catalog.offer_ids, engine.costs(USUAL).tolist(), strict=True))
    differences, changed, gained = [], 0, 0
    for before, after in zip(now, then, strict=True):
        changed += before["offer_ids"] != after["offer_ids"]
        gained += not before["offer_ids"] and bool(after["offer_ids"])
        if before["offer_ids"] and after["offer_ids"]:
            differences.append(costs[before["offer_ids"][0]] - costs[after["offer_ids"][0]])

    rule = one_of(dearest_rules(engine, rulebook, tenants, top=None), name)
    assert rule.tenants == sum(name in row["rules"].split(", ") for row in now)
    assert (rule.changed, rule.gained) == (changed, gained)
    assert rule.total == math.fsum(differences)
    assert (changed > 0) is True


def test_counts__tell_apart_what_a_rule_does_to_each_tenant() -> None:
    catalog = catalog_of(
        offer("cheap", "p", price_in=1, price_out=1),
        offer("dear", "q", price_in=5, price_out=5, region_eu=True),
        offer("unpriced", "r", price_in=1),
    )
    rules: list[dict[str, Any]] = [
        {"id": "base", "require": [["top"]], "preference": CHEAPEST},
        {"id": "eu", "when": {"plan": "team"}, "require": [["is", "region_eu"]]},
        {"id": "only-r", "when": {"plan": "free"}, "require": [["provider_eq", "r"]]},
        {"id": "nobody", "when": {"plan": "enterprise"}, "require": [["provider_eq", "x"]]},
    ]
    found = of_rules(catalog, rules, ("team", "team", "free", "enterprise"), top=None)

    assert counts_of(one_of(found, "eu")) == {"tenants": 2, "changed": 2, "dearer": 2}
    assert one_of(found, "eu").total == 2 * ((cost_of(5, 5) or 0.0) - (cost_of(1, 1) or 0.0))
    assert one_of(found, "eu").mean_per_million == pytest.approx(4.0)
    assert counts_of(one_of(found, "only-r")) == {"tenants": 1, "changed": 1, "unknown": 1}
    assert (one_of(found, "only-r").total, one_of(found, "only-r").mean) == (0.0, None)
    assert counts_of(one_of(found, "nobody")) == {"tenants": 1, "changed": 1, "gained": 1}
    assert one_of(found, "nobody").stranded == 1
    assert one_of(found, "nobody").mean is None
    assert (found.tenants, found.stranded, found.unknown) == (4, 1, 1)
    assert [rule.rule for rule in found.rules] == ["eu", "base", "only-r", "nobody"]


def test_level__is_another_winner_of_the_same_cost_and_lost_one_that_no_longer_wins() -> None:
    catalog = catalog_of(offer("a", "p", price_in=1, price_out=1), offer("b", "q", price_in=1, price_out=1))
    rules: list[dict[str, Any]] = [
        {"id": "base", "require": [["top"]], "selector": ["chain", [{"model": "nobody", "provider": "p"}]]},
        {"id": "first", "when": {"plan": ["free", "team"]}, "selector": ["argmax"]},
        {"id": "not-p", "when": {"plan": "team"}, "require": [["not", ["provider_eq", "p"]]]},
    ]
    found = of_rules(catalog, rules, ("free", "team", "enterprise"))

    assert counts_of(one_of(found, "not-p")) == {"tenants": 1, "changed": 1, "level": 1}
    assert (one_of(found, "not-p").total, one_of(found, "not-p").mean) == (0.0, 0.0)
    assert counts_of(one_of(found, "first")) == {"tenants": 2, "changed": 2, "lost": 2}
    assert one_of(found, "first").mean is None
    assert found.stranded == 1


def test_free_offers__cost_nothing_and_count() -> None:
    catalog = catalog_of(offer("free", price_in=0, price_out=0), offer("dear", price_in=2, price_out=2, region_eu=True))
    rules = [
        {"id": "base", "require": [["top"]], "preference": CHEAPEST},
        {"id": "eu", "when": {"plan": "team"}, "require": [["is", "region_eu"]]},
    ]
    found = of_rules(catalog, rules, ("team", "free"))

    assert found.total == one_of(found, "eu").total == cost_of(2, 2)
    assert found.unknown == 0


def test_rule__that_lowers_costs_has_a_total_below_zero_and_comes_last() -> None:
    catalog = catalog_of(offer("dear", price_in=9, price_out=9), offer("cheap", price_in=1, price_out=1))
    rules: list[dict[str, Any]] = [
        {"id": "ceiling", "when": {"plan": "team"}, "ceiling": {"price_out": 2}},
        {"id": "base", "require": [["top"]]},
        {"id": "sets", "transform": ["set_param", "store", False]},
    ]
    found = of_rules(catalog, rules, ("team",))

    assert [rule.rule for rule in found.rules] == ["base", "sets", "ceiling"]
    assert found.rules[-1].total == (cost_of(1, 1) or 0.0) - (cost_of(9, 9) or 0.0)
    assert found.rules[-1].cheaper == 1
    assert found.rules[1].adds == ("transform",)


def test_rule__that_ranks_is_told_from_one_that_only_filters() -> None:
    catalog = catalog_of(offer("dear", price_in=9, price_out=9), offer("cheap", price_in=1, price_out=1))
    rules: list[dict[str, Any]] = [
        {"id": "base", "description": "All.", "require": [["top"]], "floor": {"price_in": 0}, "preference": CHEAPEST},
        {"id": "best", "when": {"plan": "team"}, "preference": ["field", "price_out"]},
        {"id": "first", "when": {"plan": "free"}, "selector": ["top_k", 1, ["argmax"]]},
    ]
    found = of_rules(catalog, rules, ("team", "free"))

    assert {rule.rule: (rule.adds, rule.ranks) for rule in found.rules} == {
        "base": (("require", "floor", "preference"), True),
        "best": (("preference",), True),
        "first": (("selector",), True),
    }
    assert found.rules[0].rule == "best"
    assert one_of(found, "base").description == "All."
    # Without the only rule with hard clauses nobody has a policy.
    assert counts_of(one_of(found, "base")) == {"tenants": 2, "refused": 2}


def test_top__bounds_the_rules_and_ten_are_given_unless_said() -> None:
    rules = [{"id": f"r{at}", "require": [["top"]]} for at in range(12)]
    catalog = catalog_of(offer("a"))

    assert [rule.rule for rule in of_rules(catalog, rules, ("free",)).rules] == [f"r{at}" for at in range(10)]
    assert len(of_rules(catalog, rules, ("free",), top=3).rules) == 3
    assert len(of_rules(catalog, rules, ("free",), top=None).rules) == 12


def test_table__holds_every_figure_and_says_what_it_was_worked_out_from() -> None:
    catalog = catalog_of(offer("a", price_in=1, price_out=1))
    book = {"version": 1, "fields": FIELDS, "rules": [{"id": "base", "require": [["top"]]}]}
    rulebook = tr.Rulebook.from_value(book)
    engine = tr.Engine(catalog, envelope=["top"])
    table = dearest_rules(engine, rulebook, table_of("free"), Tokens(10, 0, 0.5, "eu")).table()

    assert table.schema.equals(SCHEMA)
    (row,) = table.to_pylist()
    assert (row["rule"], row["adds"], row["refused"], row["mean"]) == ("base", ["require"], 1, None)
    assert table.schema.metadata == {
        b"catalog_id": catalog.catalog_id.encode(),
        b"envelope_identity": engine.provenance["envelope_identity"].encode(),
        b"rulebook_id": rulebook.rulebook_id.encode(),
        b"input_tokens": b"10",
        b"output_tokens": b"0",
        b"cached_share": b"0.5",
        b"residency": b"eu",
    }


def test_fleet__that_was_compiled_already_gives_the_same_and_is_as_it_was() -> None:
    for _, book, catalog in random_cases(seed=8, count=3):
        engine = tr.Engine(catalog)
        rulebook = tr.Rulebook.from_value(book).bind(catalog.fields)
        tenants = table_of("free", "team", "team", "enterprise")
        fleet = rulebook.compile_many(tenants)
        before = engine.rank_tenants(rulebook, tenants)

        steps: list[int] = []
        found = dearest_rules(engine, rulebook, fleet, TOKENS, on_progress=steps.append)
        assert found == dearest_rules(engine, rulebook, tenants, TOKENS)
        assert sum(steps) >= len(fleet.by_identity()[0])
        assert engine.rank_tenants(rulebook, tenants).equals(before)
        assert fleet.by_identity()[0] == rulebook.compile_many(tenants).by_identity()[0]


def test_fleet__of_another_rulebook_or_from_a_pickle_is_refused() -> None:
    catalog = catalog_of(offer("a"))
    one, other = (
        tr.Rulebook.from_value({"version": 1, "fields": FIELDS, "rules": [{"id": name, "require": [["top"]]}]})
        for name in ("base", "other")
    )
    fleet = one.bind(catalog.fields).compile_many(table_of("free"))
    with pytest.raises(RulebookError, match="another rulebook: this one has no rule 'base'"):
        dearest_rules(tr.Engine(catalog), other, fleet)
    with pytest.raises(RulebookError, match="pickled"):
        dearest_rules(tr.Engine(catalog), one, pickle.loads(pickle.dumps(fleet)))
    with pytest.raises(RulebookError, match="a Rulebook"):
        dearest_rules(tr.Engine(catalog), {}, fleet)  # type: ignore[arg-type]


def test_table_of_tenants__may_be_empty_or_all_refused() -> None:
    catalog = catalog_of(offer("a", price_in=1, price_out=1))
    for plans, refused in (((), 0), (("gold", "gold"), 2)):
        tenants = table_of(*plans) if plans else table_of("free").slice(0, 0)
        book = {"version": 1, "fields": FIELDS, "rules": [{"id": "base", "require": [["top"]]}]}
        found = dearest_rules(tr.Engine(catalog), tr.Rulebook.from_value(book), tenants)
        assert (found.tenants, found.refused, found.total) == (0, refused, 0.0)
        assert [(rule.tenants, rule.total, rule.mean) for rule in found.rules] == [(0, 0.0, None)]


def test_catalog__without_offers_strands_everybody() -> None:
    rules = [{"id": "base", "require": [["top"]]}, {"id": "more", "require": [["is", "region_eu"]]}]
    found = of_rules(catalog_of(), rules, ("free", "team"))

    assert (found.tenants, found.stranded, found.total) == (2, 2, 0.0)
    assert counts_of(found.rules[0]) == {"tenants": 2, "unchanged": 2}
