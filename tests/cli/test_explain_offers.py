"""`tenantrank explain` of offers and clauses: values with their sources, score parts, tables, and unknown names."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pyarrow.csv
import pyarrow.parquet as pq
import pytest

import tenantrank as tr
from tests.cli.running import RULEBOOK, command, refused, small


def explain(world: Path, tenant: str, *more: object) -> Any:
    rest = ("--tenants", world / "tenants.csv", "--rulebook", world / "rules.yaml", *small(world))
    return command("explain", tenant, *rest, *more)


def document(world: Path, tenant: str, *more: object) -> dict[str, Any]:
    done = explain(world, tenant, *more, "--json")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_offer__a_rejected_one_is_told_with_sources(world: Path) -> None:
    found = document(world, "t3", "--offer", "b|y")["offer"]
    assert found["accepted"] is None
    first, second = found["failed"]
    assert (first["reason"], first["bound"], first["observed"]) == ("cmp:price_out:le", 1.0, None)
    assert first["atoms"] == [
        {
            "words": "price_out is at most 1",
            "bound": 1.0,
            "observed": {
                "name": "price_out",
                "value": None,
                "read": None,
                "kind": "unstated",
                "source": None,
                "as_of": None,
                "words": "price_out: unknown, no source states it",
            },
            "holds": False,
        }
    ]
    assert second["atoms"][0]["observed"]["parts"][0]["words"] == "price_in: unknown, no source states it"

    shown = explain(world, "t3", "--offer", "b|y").stdout
    assert "b|y fails 2 things" in shown
    assert "price_out unknown" in shown
    assert "no source states it" in shown


def test_offer__an_accepted_one_is_told_with_its_parts(world: Path) -> None:
    found = document(world, "t1", "--offer", "a|x")["offer"]
    assert found["failed"] == []
    accepted = found["accepted"]
    assert (accepted["place"], accepted["score"], accepted["next_id"]) == (2, -3.0, None)
    assert accepted["parts"][0]["parts"][0]["observed"][0]["value"] == 4.0
    shown = explain(world, "t1", "--offer", "a|x").stdout
    assert "a|x passes: place 2 of 2 by score" in shown
    assert "price_out 4" in shown


def test_clauses__of_several_conditions_are_told_line_by_line(world: Path) -> None:
    (world / "rules.yaml").write_text(
        RULEBOOK.replace("[[is, priced]]", "[[or, [is, no_log], [cmp, price_out, le, 3], [meets_req]]]")
    )
    needs = world / "needs.json"
    needs.write_text('{"requirements": {"needs": ["tools"]}}')
    shown = explain(world, "t1", "--offer", "a|x", "--request", needs).stdout
    assert "· no_log holds" in shown
    assert "· price_out is at most 3" in shown
    (failed,) = document(world, "t1", "--offer", "a|x", "--request", needs)["offer"]["failed"]
    told = [(atom["words"], atom["holds"]) for atom in failed["atoms"]]
    assert (failed["reason"], failed["bound"], failed["observed"]) == ("or", None, None)
    assert sorted(told) == [
        ("no_log holds", False),
        ("price_out is at most 3", False),
        ("the offer meets the request's requirements", False),
    ]


def test_ranked__margins_ties_and_what_the_selector_did(world: Path) -> None:
    found = document(world, "t1")
    best, second = found["ranked"]
    assert (best["offer_id"], best["margin"], best["next_id"], best["tied"]) == ("b|x", 2.0, "a|x", 0)
    assert (second["margin"], second["place"]) == (None, 2)
    assert found["selection"]["by"] == "score"
    assert (found["selection"]["passed"], found["selection"]["kept"]) == (2, 2)
    assert found["clauses"][0] == {
        "bit": 0,
        "clause": '(is "priced")',
        "words": "priced holds",
        "origins": [{"rule": "base", "field": None, "value": None}],
        "failed": 1,
        "alone": 1,
        "unknown": 0,
    }
    assert [one["offer_id"] for one in document(world, "t1", "-k", "1")["ranked"]] == ["b|x"]
    shown = explain(world, "t1").stdout
    assert "2 offers pass; highest score first" in shown
    assert "what the scores are made of" in shown


def test_explain__decides_as_rank_does(world: Path) -> None:
    found = document(world, "t2")
    (world / "same.json").write_text(json.dumps(found["policy"]))
    ranked = json.loads(command("rank", world / "same.json", *small(world), "--json").stdout)
    assert [one["offer_id"] for one in ranked["ranked"]] == found["offer_ids"]
    assert [one["score"] for one in ranked["ranked"]] == found["scores"]
    assert ranked["identity"] == found["identity"]


def test_seed__decides_what_a_sampling_policy_draws(world: Path) -> None:
    sampling = "    require: [[top]]\n    selector: [sample, 5]\n"
    (world / "rules.yaml").write_text(RULEBOOK.replace("    require: [[is, priced]]\n", sampling))
    drawn = {tuple(document(world, "t1", "--seed", seed)["offer_ids"]) for seed in range(8)}
    assert len(drawn) > 1
    assert document(world, "t1", "--seed", 3)["selection"]["seed"] == 3
    assert "drawn by seed 3" in explain(world, "t1", "--seed", 3, "--offer", "a|x").stdout


@pytest.mark.parametrize("name", ["0", "base", "priced holds", '(is "priced")'])
def test_clause__is_found_by_each_of_its_names(world: Path, name: str) -> None:
    (clause,) = document(world, "t1", "--clause", name)["failing"]
    assert (clause["bit"], clause["failed"]) == (0, 1)
    (offer,) = clause["offers"]
    assert (offer["offer_id"], offer["alone"]) == ("b|y", True)
    assert offer["atoms"][0]["observed"]["name"] == "priced"
    shown = explain(world, "t1", "--clause", name).stdout
    assert "1 offers fail: priced holds" in shown
    assert "b|y" in shown


def test_clause__those_that_fail_nothing_else_come_first(world: Path) -> None:
    # b|y fails both clauses, a|x the ceiling alone.
    (world / "tenants.csv").write_text("tenant_id,plan,most\nt1,paid,3\n")
    (ceiling,) = document(world, "t1", "--clause", "cap", "--all")["failing"]
    assert [(one["offer_id"], one["alone"]) for one in ceiling["offers"]] == [("a|x", True), ("b|y", False)]
    (first,) = document(world, "t1", "--clause", "cap", "-k", "1")["failing"]
    assert [one["offer_id"] for one in first["offers"]] == ["a|x"]
    (world / "tenants.csv").write_text("tenant_id,plan,most\nt1,paid,9\n")
    (world / "rules.yaml").write_text(RULEBOOK.replace("[[is, priced]]", "[[not, [is, no_log]]]"))
    assert "no offer fails: no_log does not hold" in explain(world, "t1", "--clause", "base").stdout


def test_all__shows_every_offer(world: Path) -> None:
    rows = document(world, "t3", "--all")["offers"]
    assert [(row["offer_id"], row["failed"], row["failed_count"]) for row in rows] == [
        ("a|x", 1, 1),
        ("b|x", 1, 1),
        ("b|y", 3, 2),
    ]
    shown = explain(world, "t3", "--all").stdout
    assert "all 3 offers" in shown
    assert all(name in shown for name in ("a|x", "b|x", "b|y", "0 1"))


@pytest.mark.parametrize("suffix", [".parquet", ".arrow", ".jsonl", ".csv"])
def test_out__has_every_offer(world: Path, suffix: str) -> None:
    path = world / f"every{suffix}"
    done = explain(world, "t3", "-o", path)
    assert done.returncode == 0, done.stderr
    assert f"every offer written to {path}" in done.stdout.replace("\n", "")
    if suffix == ".parquet":
        table = pq.read_table(path)
        assert [clause["bit"] for clause in json.loads(table.schema.metadata[b"clauses"])] == [0, 1]
        rows = table.to_pylist()
    elif suffix == ".csv":
        rows = pyarrow.csv.read_csv(path).to_pylist()
    elif suffix == ".arrow":
        rows = pyarrow.ipc.open_file(path).read_all().to_pylist()
    else:
        rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert [(row["offer_id"], row["failed"], row["unknown"], row["passes"]) for row in rows] == [
        ("a|x", 1, 0, False),
        ("b|x", 1, 0, False),
        ("b|y", 3, 1, False),
    ]


def test_out__many_clauses_are_one_number_in_csv(world: Path) -> None:
    excluded = ", ".join(f"[not, [provider_eq, x{at}]]" for at in range(70))
    (world / "rules.yaml").write_text(RULEBOOK.replace("[[is, priced]]", f"[{excluded}, [not, [family_eq, y]]]"))
    assert explain(world, "t1", "-o", world / "every.csv").returncode == 0
    bit = [clause["bit"] for clause in document(world, "t1")["clauses"] if "family" in clause["words"]]
    with (world / "every.csv").open(newline="") as file:
        masks = [row["failed"] for row in csv.DictReader(file)]
    assert [int(mask, 16) for mask in masks] == [0, 0, 1 << bit[0]]


def test_out__is_refused_before_anything_is_read(world: Path) -> None:
    assert "written as one of .parquet" in refused(explain(world, "t1", "-o", world / "every.txt"))
    assert "would be replaced" in refused(explain(world, "t1", "-o", world / "tenants.csv"))
    assert (world / "tenants.csv").read_text().startswith("tenant_id")


@pytest.mark.parametrize(
    ("tenant", "more", "message"),
    [
        ("t11", (), "no tenant 't11' in the table, did you mean 't1'?"),
        ("zebra", (), "no tenant 'zebra' in the table\n"),
        ("t1", ("--offer", "a|xx"), "no offer 'a|xx' in this catalog, did you mean 'a|x'?"),
        ("t1", ("--clause", "bsae"), "no clause 'bsae' in this policy, did you mean 'base'?"),
        ("t1", ("--clause", "17"), "no clause '17' in this policy"),
    ],
)
def test_explain__an_unknown_name_gets_the_nearest(
    world: Path, tenant: str, more: tuple[str, ...], message: str
) -> None:
    assert message in refused(explain(world, tenant, *more))


def test_offer__sources_of_the_bundled_catalog_are_named(world: Path) -> None:
    (world / "rules.yaml").write_text(RULEBOOK.replace("[[is, priced]]", "[[is, no_log]]"))
    catalog = tr.Catalog.bundled()
    stated = catalog.provenance
    assert stated is not None
    flags = dict(zip(catalog.offer_ids, catalog.flags("no_log").tolist(), strict=True))
    known = next(name for name, flag in flags.items() if flag == 0)
    unknown = next(name for name, flag in flags.items() if flag < 0)
    rest = ("--tenants", world / "tenants.csv", "--rulebook", world / "rules.yaml", "--as-of", "2026-11-23", "--json")
    told = [
        json.loads(command("explain", "t1", *rest, "--offer", name).stdout)["offer"]["failed"][0]["atoms"][0][
            "observed"
        ]
        for name in (known, unknown)
    ]
    assert (told[0]["value"], told[0]["kind"]) == (False, "stated")
    assert told[0]["source"].startswith("policy:")
    assert told[0]["as_of"]
    assert (told[1]["value"], told[1]["kind"], told[1]["words"]) == (
        None,
        "unstated",
        "no_log: unknown, no source states it",
    )
