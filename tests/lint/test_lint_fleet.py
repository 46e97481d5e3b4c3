"""Linting a fleet: what is counted is what each tenant's own policy has."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

import pyarrow as pa
import pytest

import tenantrank as tr
from tenantrank.lint import Finding, lint, lint_fleet
from tests.lint.cases import OFFERS, UNPRICED

BLEND: dict[str, Any] = {"blend": {"cheap": 0.5, "good": 0.5}}
BOOK: dict[str, Any] = {
    "version": 1,
    "fields": {
        "plan": {"type": "enum", "values": ["free", "paid", "gold"]},
        "most": {"type": "number", "optional": True},
        "banned": {"type": "list", "optional": True},
    },
    "scorers": {"cheap": {"lowest": "price_out"}, "good": {"highest": "context"}},
    "defaults": {"preference": {"lowest": "price_out"}},
    "rules": [
        {"id": "base", "require": [["meets_req"], ["cmp", "price_out", "le", 50]]},
        {"id": "cap", "when": {"most": {"absent": False}}, "ceiling": {"price_out": {"tenant": "most"}}},
        {"id": "bans", "when": {"banned": {"absent": False}}, "require": [["provider_not_in", {"tenant": "banned"}]]},
        {"id": "private", "when": {"plan": "gold"}, "require": [["is", "no_log"]]},
        {"id": "blended", "when": {"plan": "paid"}, "preference": BLEND},
        {
            "id": "twice",
            "when": {"plan": "gold"},
            "require": [["cmp", "price_in", "le", 5], ["cmp", "price_in", "le", 7]],
        },
    ],
}
ROWS: list[dict[str, Any]] = [
    {"plan": "free", "most": None, "banned": None},
    {"plan": "free", "most": 3.0, "banned": ["betta"]},
    {"plan": "free", "most": 3.0, "banned": ["betta"]},
    {"plan": "paid", "most": 5.0, "banned": ["betta", "nobody"]},
    {"plan": "paid", "most": None, "banned": ["beta"]},
    {"plan": "gold", "most": 1.0, "banned": None},
    {"plan": "gold", "most": None, "banned": None},
    {"plan": "gold", "most": 0.5, "banned": ["nobody"]},
    {"plan": "lead", "most": None, "banned": None},
]


def made(offers: Any = OFFERS, book: dict[str, Any] = BOOK) -> tuple[tr.Engine, tr.Rulebook, tr.Fleet]:
    engine = tr.Engine(tr.Catalog.from_records(offers, {"bench": {"sort": "Num", "default": 0}}))
    rulebook = tr.Rulebook.from_value(book).bind(engine.catalog.fields)
    rows = [{"tenant_id": f"t{number}", **row} for number, row in enumerate(ROWS)]
    return engine, rulebook, rulebook.compile_many(pa.Table.from_pylist(rows))


def rules_of(finding: Finding) -> str | None:
    return ", ".join(dict.fromkeys(origin.rule for origin in finding.origins)) or None


def test_fleet__counts_are_those_of_each_tenant_alone() -> None:
    engine, rulebook, fleet = made()
    tenants: Counter[tuple[str, str | None]] = Counter()
    identities: dict[tuple[str, str | None], set[str]] = defaultdict(set)
    first: dict[tuple[str, str | None], str] = {}
    for number, row in enumerate(ROWS[:-1]):
        compiled = rulebook.compile(row)
        for key in {(finding.code, rules_of(finding)) for finding in lint(engine, compiled)}:
            tenants[key] += 1
            identities[key].add(compiled.policy.identity)
            first.setdefault(key, f"t{number}")
    found = lint_fleet(engine, fleet, rulebook.warnings)
    told = [each for each in found if each.tenants is not None and each.finding.code not in ("TR101", "TR401")]

    assert fleet.errors[0].row == len(ROWS) - 1
    wanted = {key: count for key, count in tenants.items() if key[0] not in ("TR101", "TR401")}
    assert {(each.finding.code, each.rule): each.tenants for each in told} == wanted
    for each in told:
        key = (each.finding.code, each.rule)
        assert each.policies == len(identities[key])
        assert each.example == first[key]
    assert {"TR201", "TR203", "TR204"} <= {each.finding.code for each in told}


def test_fleet__names_are_told_apart_and_numbers_are_not() -> None:
    engine, _, fleet = made()
    found = lint_fleet(engine, fleet)
    names = {(each.finding.name, each.rule): each.tenants for each in found if each.finding.code == "TR101"}
    (capped,) = [each for each in found if each.finding.code == "TR201" and each.rule == "cap"]

    assert names == {("betta", "bans"): 3, ("nobody", "bans"): 2}
    assert (capped.tenants, capped.policies, capped.example) == (2, 2, "t5")
    assert "price_out is at most" in capped.finding.words


def test_fleet__says_what_keeps_everybody_out_and_whose_it_is() -> None:
    engine, _, fleet = made()
    outcomes = [each for each in lint_fleet(engine, fleet) if each.finding.code == "TR401"]

    assert sorted(each.tenants or 0 for each in outcomes) == [1, 1]
    assert all("(cap <- most=" in each.finding.words for each in outcomes)


def test_compiled__bounds_of_different_rules_narrow_each_other() -> None:
    engine, rulebook, _ = made()
    narrowed = rulebook.compile({"plan": "free", "most": 3})
    twice = rulebook.compile({"plan": "gold"})

    assert "TR204" in [finding.code for finding in lint(engine, narrowed.policy)]
    assert "TR204" not in [finding.code for finding in lint(engine, narrowed)]
    (shadowed,) = [finding for finding in lint(engine, twice) if finding.code == "TR204"]
    assert rules_of(shadowed) == "twice"
    assert str(shadowed).endswith("(twice <- plan='gold')")


@pytest.mark.parametrize("offers", [OFFERS, UNPRICED])
def test_compiled__a_score_that_may_flatten_is_told_until_it_does(offers: Any) -> None:
    book = {**BOOK, "rules": [{"id": "base", "require": [["meets_req"]]}, BOOK["rules"][4]]}
    engine, rulebook, fleet = made(offers, book)
    compiled = rulebook.compile({"plan": "paid"})
    (found,) = [finding for finding in lint(engine, compiled) if finding.code in ("TR301", "TR302")]

    assert compiled.warnings
    assert found.code == ("TR301" if offers is UNPRICED else "TR302")
    assert (found.field, rules_of(found)) == ("price_out", "blended")
    assert "TR302" not in [finding.code for finding in lint(engine, rulebook.compile({"plan": "free"}))]
    assert [each.tenants for each in lint_fleet(engine, fleet) if each.finding.code == found.code] == [2]


def test_compiled__guarded_score_is_not_told() -> None:
    engine, rulebook, _ = made(UNPRICED)
    codes = [finding.code for finding in lint(engine, rulebook.compile({"plan": "paid"}))]

    assert "TR301" not in codes
    assert "TR302" not in codes


def test_rulebook__its_own_warnings_come_once() -> None:
    rules = [*BOOK["rules"], {"id": "not-us", "require": [["not", ["is", "region_us"]]]}]
    engine, rulebook, fleet = made(OFFERS, {**BOOK, "rules": rules})
    found = [each for each in lint_fleet(engine, fleet, rulebook.warnings) if each.finding.code == "TR206"]

    assert [(each.finding.words, each.tenants, each.rule) for each in found] == [(rulebook.warnings[0], None, None)]
    assert str(found[0]) == f"TR206: {rulebook.warnings[0]}"
    assert "TR206" in [finding.code for finding in lint(engine, fleet.policies[0].policy)]
    assert "TR206" not in [finding.code for finding in lint(engine, fleet.policies[0])]


def test_fleet__order_and_progress() -> None:
    engine, rulebook, fleet = made()
    steps: list[int] = []
    found = lint_fleet(engine, fleet, rulebook.warnings, steps.append)
    keys = [(each.finding.code, -(each.tenants or 0)) for each in found]

    assert keys == sorted(keys)
    assert sum(steps) == len(fleet.policies)
    assert found == lint_fleet(engine, fleet, rulebook.warnings)


def test_fleet__without_tenants() -> None:
    engine, rulebook, _ = made()
    empty = rulebook.compile_many(pa.table({"tenant_id": pa.array([], pa.string()), "plan": pa.array([], pa.string())}))

    assert lint_fleet(engine, empty) == ()
    assert [each.to_json()["words"] for each in lint_fleet(engine, empty, ["careful"])] == ["careful"]
