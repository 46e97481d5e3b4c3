"""`tenantrank clauses`: prices of one tenant's clauses, the dearest rules of a table, and what is refused."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import tenantrank as tr
from tenantrank.catalog.costs import USUAL, Tokens
from tenantrank.tenants import read_tenants
from tenantrank.whatif.clause_price import clause_prices
from tenantrank.whatif.rule_price import SCHEMA, dearest_rules
from tests.cli.running import command, refused, small


def clauses(world: Path, *more: object) -> subprocess.CompletedProcess[str]:
    return command(
        "clauses", *more, "--tenants", world / "tenants.csv", "--rulebook", world / "rules.yaml", *small(world)
    )


def test_tenant__table_puts_the_dearest_first_and_says_for_which_mix(world: Path) -> None:
    done = clauses(world, "t2")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()

    assert lines[0].startswith("tenant t2: policy ")
    assert lines[1] == "costs are for a call of 3,000 tokens in, 1,000 out"
    assert lines[2] == "1 offers pass; b|x wins, at $0.005 a call, $1.25/M"
    assert "cap <- most=3" in done.stdout
    assert "(the same)" in done.stdout


def test_tenant__json_holds_what_the_library_gives(world: Path) -> None:
    done = clauses(world, "t3", "--json", "--input-tokens", 1000, "--output-tokens", 0)
    document = json.loads(done.stdout)
    catalog = tr.Catalog.load(world / "catalog.json")
    compiled = tr.Rulebook.load(world / "rules.yaml").bind(catalog.fields).compile({"plan": "paid", "most": 1.0})
    prices = clause_prices(tr.Engine(catalog), compiled, tokens=Tokens(1000, 0))

    assert (document["tenant"], document["identity"]) == ("t3", compiled.policy.identity)
    assert document["catalog_id"] == catalog.catalog_id
    assert document["tokens"] == {"input": 1000.0, "output": 0.0, "cached_share": 0.0, "residency": None}
    assert document["now"] == {"offer_id": None, "cost": None, "survivors": 0}
    first = document["clauses"][0]
    assert first["clause"] == prices.dearest_clauses()[0].encoding
    assert first["origins"] == [{"rule": "cap", "field": "most", "value": 1.0}]
    assert (first["gains"], first["difference"], first["more"]) == (True, None, 2)
    assert first["without"] == {"offer_id": "b|x", "cost": 0.001, "survivors": 2}
    assert [rule["rule"] for rule in document["rules"]] == ["cap", "base"]
    assert document["rules"][1] == {
        "rule": "base",
        "gives": [],
        "refused": None,
        "without": {"offer_id": None, "cost": None, "survivors": 0},
        "changes": False,
        "gains": False,
        "more": 0,
        "difference": None,
        "difference_per_million": None,
    }


def test_tenant__without_an_offer_or_with_a_winner_of_unknown_cost_is_told_so(world: Path) -> None:
    assert "no offer passes" in clauses(world, "t3").stdout
    (world / "rules.yaml").write_text(
        "version: 1\nfields:\n  plan: {type: string}\n  most: {type: number, optional: true}\n"
        "rules: [{id: y, require: [[family_eq, y]]}]\n"
    )
    done = clauses(world, "t1")
    assert "1 offers pass; b|y wins, at an unknown amount" in done.stdout
    assert "unknown │ unknown" in " ".join(done.stdout.split())
    assert "without y there is no policy: no rule says what this tenant may use" in done.stderr


def test_tenant__envelope_is_listed_and_left_out_on_request(world: Path) -> None:
    (world / "envelope.json").write_text('["provider_eq", "a"]')
    given = ("t1", "--envelope", world / "envelope.json", "--json")
    kept, left = (json.loads(clauses(world, *given, *more).stdout) for more in ((), ("--envelope-too",)))

    (kept_clause,) = [clause for clause in kept["clauses"] if clause["enveloped"]]
    (left_clause,) = [clause for clause in left["clauses"] if clause["enveloped"]]
    assert kept_clause["without"] is None
    assert left_clause["without"]["offer_id"] == "b|x"
    assert kept["envelope_identity"] == left["envelope_identity"]
    assert "(not left out)" in clauses(world, "t1", "--envelope", world / "envelope.json").stdout


def test_tenant__request_and_number_shown_are_taken(world: Path) -> None:
    (world / "request.json").write_text('{"requirements": {"model_family": "y"}}')
    assert clauses(world, "t1", "--request", world / "request.json", "--seed", 3).returncode == 0
    document = json.loads(clauses(world, "t2", "-n", 1, "--json").stdout)
    assert (len(document["clauses"]), len(document["rules"])) == (1, 1)


def test_rules__json_and_file_hold_what_the_library_gives(world: Path) -> None:
    out = world / "out.parquet"
    done = clauses(world, "--json", "-n", 1, "-o", out)
    document = json.loads(done.stdout)
    catalog = tr.Catalog.load(world / "catalog.json")
    rulebook = tr.Rulebook.load(world / "rules.yaml")
    found = dearest_rules(tr.Engine(catalog), rulebook, read_tenants(world / "tenants.csv"), USUAL)

    assert document["rules"] == found.table().slice(0, 1).to_pylist()
    assert {name: document[name] for name in ("tenants", "refused", "stranded", "unknown", "total")} == {
        "tenants": 3,
        "refused": 1,
        "stranded": 1,
        "unknown": 0,
        "total": 2 * 0.005,
    }
    assert document["rulebook_id"] == rulebook.rulebook_id
    written = pq.read_table(out)
    assert written.schema.names == SCHEMA.names
    assert written.to_pylist() == found.table().to_pylist()
    assert (written.schema.metadata or {})[b"input_tokens"] == b"3000"


def test_rules__table_says_what_ranks_and_whom_it_leaves_out(world: Path) -> None:
    text = (world / "rules.yaml").read_text() + "  - id: best\n    preference: {highest: price_out}\n"
    (world / "rules.yaml").write_text(text)
    done = clauses(world, "--output-tokens", 0)

    assert done.returncode == 0, done.stderr
    assert "the dearest of 3 rules" in done.stdout
    assert "best *" in done.stdout
    assert "3 tenants, a call of 3,000 tokens in, 0 out each: $0.006 in all" in done.stdout
    assert "1 tenants with no offer, 1 refused" in done.stdout


def test_bad_input__is_refused_in_one_line(world: Path) -> None:
    assert "no tenant 't9' in the table" in refused(clauses(world, "t9"))
    assert "did you mean 't1'?" in refused(clauses(world, "T1"))
    assert "tenant 't4' has no policy: field 'plan'" in refused(clauses(world, "t4"))
    assert "cached_share must be a share from 0 to 1" in refused(clauses(world, "--cached-share", 2))
    assert "go with a tenant's id" in refused(clauses(world, "--seed", 1))
    assert "go with a tenant's id" in refused(clauses(world, "--envelope-too"))
    assert "goes without a tenant's id" in refused(clauses(world, "t1", "-o", world / "out.parquet"))
    assert "results are written as one of" in refused(clauses(world, "-o", world / "tenants.csv"))


@pytest.mark.parametrize("more", [("-n", 0), ("--as-of", "soon"), ("--residency", "mars")], ids=str)
def test_bad_option__is_exit_code_two(world: Path, more: tuple[object, ...]) -> None:
    assert clauses(world, *more).returncode == 2
