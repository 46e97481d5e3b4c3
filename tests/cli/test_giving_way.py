"""What could give way for a tenant with no offer, as the commands say it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import tenantrank as tr
from tests.cli.running import RULEBOOK, command, small, tenants

CAP = "  - id: cap\n"


def explain(world: Path, tenant: str, *more: object) -> str:
    given = ("--tenants", world / "tenants.csv", "--rulebook", world / "rules.yaml")
    done = command("explain", tenant, *given, *(more or small(world)))
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_explain__says_what_could_give_way_and_what_that_would_bring(world: Path) -> None:
    assert explain(world, "t3").splitlines()[-2:] == [
        "no offer passes; what keeps the nearest out: price_out is at most 1 (cap <- most=1.0)",
        "could give way: raise price_out from 1 to 2 (cap <- most=1.0); then 1 offer passes, b|x first, "
        "at 0.005 USD a call (3,000 tokens in, 1,000 out)",
    ]
    assert "could give way" not in explain(world, "t1")


def test_explain__suggests_nothing_that_is_never_relaxed(world: Path) -> None:
    (world / "rules.yaml").write_text(RULEBOOK.replace(CAP, f"{CAP}    never_relax: true\n"))
    assert explain(world, "t3").splitlines()[-1] == (
        "only clauses that are never relaxed keep the nearest out: price_out is at most 1 (cap <- most=1.0)"
    )


def test_explain__gives_relaxations_as_json(world: Path) -> None:
    found = json.loads(explain(world, "t3", *small(world), "--json"))["relaxations"]
    assert (found["cause"], found["sets"]) == ("clauses", 1)
    ((one,), (made,)) = found["alternatives"][0]["changes"], found["alternatives"][0]["offers"]
    assert (one["text"], one["bound"], one["to"], one["distance"]) == ("raise price_out from 1 to 2", 1.0, 2.0, 1.0)
    assert one["origins"] == [{"rule": "cap", "field": "most", "value": 1}]
    assert (made["offer_id"], round(made["expected_cost_usd"], 9)) == ("b|x", 0.005)
    assert json.loads(explain(world, "t1", *small(world), "--json"))["relaxations"]["cause"] == "none"


@pytest.mark.parametrize(
    ("chain", "last"),
    [
        (
            "{provider: a, model: x}",
            "could give way: raise price_out from 1 to 4 (cap <- most=1.0); then 2 offers pass, a|x",
        ),
        ("{provider: z, model: x}", "the selector lists no offer of the catalog (base)"),
    ],
)
def test_explain__with_a_chain_counts_what_it_lists(world: Path, chain: str, last: str) -> None:
    (world / "rules.yaml").write_text(RULEBOOK.replace("  - id: cap", f"    selector: [chain, [{chain}]]\n  - id: cap"))
    assert explain(world, "t3").splitlines()[-1].startswith(last)


def test_explain__of_a_catalog_without_offers_suggests_nothing(world: Path) -> None:
    tr.Catalog.from_records([]).save(world / "empty.json")
    assert explain(world, "t3", "--catalog", world / "empty.json").splitlines()[-1] == "the catalog has no offers"


def test_tenants__say_what_could_give_way_for_an_example_of_each_cause(world: Path) -> None:
    shown = " ".join(tenants(world).stdout.split())
    assert "what could give way" in shown
    assert "│ t3 │ raise price_out from 1 to 2 (cap <- most=1.0) │" in shown
    assert json.loads(tenants(world, "--json").stdout)["no_offer"] == [
        {
            "tenants": 1,
            "because": "price_out is at most 1 (cap <- most=1.0)",
            "example": "t3",
            "could_give_way": "raise price_out from 1 to 2 (cap <- most=1.0)",
        }
    ]
    (world / "tenants.csv").write_text("tenant_id,plan,most\nt1,free,\n")
    assert "give way" not in tenants(world).stdout


def test_tenants__work_out_what_could_give_way_for_the_causes_that_are_shown(world: Path) -> None:
    rows = "".join(f"t{at},paid,{at / 100}\n" for at in range(20))
    (world / "tenants.csv").write_text(f"tenant_id,plan,most\n{rows}")
    found = json.loads(tenants(world, "--json").stdout)["no_offer"]
    assert [one["could_give_way"] is None for one in found] == [False] * 15 + [True] * 5
    assert found[3]["could_give_way"] == "raise price_out from 0.03 to 2 (cap <- most=0.03)"
