"""`tenantrank diff`: what it prints and writes, when it says no, and how it refuses bad input."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

import tenantrank as tr
from tenantrank.whatif.impact_table import SCHEMA
from tests.cli.running import OFFERS, RULEBOOK, command, refused

CHEAPER = {"id": "c|x", "provider_id": "c", "model_family": "x", "price_in": 0.5, "price_out": 1.5}


@pytest.fixture
def sides(world: Path) -> Path:
    """The small world with another catalog, rulebook and table, an overlay and an envelope beside it."""
    tr.Catalog.from_records([*OFFERS, CHEAPER]).save(world / "more.json")
    tr.Catalog.from_records([OFFERS[0]]).save(world / "fewer.json")
    (world / "strict.yaml").write_text(
        RULEBOOK + "  - id: cheap\n    when: {plan: paid}\n    ceiling: {price_out: 1}\n"
    )
    (world / "gold.yaml").write_text(RULEBOOK.replace("[free, paid]", "[paid]"))
    (world / "fewer.csv").write_text("tenant_id,plan,most\nt1,free,\nt9,free,\n")
    (world / "only-a.json").write_text('["provider_eq", "a"]')
    (world / "health.json").write_text('{"disabled": {"b": {}}}')
    return world


def diff(world: Path, *more: object) -> subprocess.CompletedProcess[str]:
    given = (
        "--tenants",
        world / "tenants.csv",
        "--rulebook",
        world / "rules.yaml",
        "--catalog",
        world / "catalog.json",
    )
    return command("diff", *given, "--as-of", "2026-11-23", *more)


def document(world: Path, *more: object) -> dict[str, Any]:
    done = diff(world, "--json", *more)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_diff__of_two_catalogs_says_who_moves_and_what_it_costs(sides: Path) -> None:
    done = diff(sides, "--to-catalog", sides / "more.json")

    assert done.returncode == 0, done.stderr
    assert "of 4 tenants, 2 have another winner or none" in done.stdout
    for words in ("biggest moves", "b|x", "c|x", "by an offer that was not in the catalog before", "cheaper for 2"):
        assert words in done.stdout
    assert done.stderr == ""


def test_diff__json_is_one_document(sides: Path) -> None:
    found = document(sides, "--to-catalog", sides / "fewer.json", "--max-stranded", "1")

    assert found["counts"]["tenants"] == 4
    assert found["counts"]["winner"] == 2
    assert found["counts"]["stranded"] == 1
    assert found["counts"]["refused_before"] == found["counts"]["refused_after"] == 1
    (stranded,) = found["stranded"]
    assert stranded == {
        "what": "no_offer",
        "why": "price_out is at most 3 (cap <- most=3.0)",
        "tenants": 1,
        "example": "t2",
    }
    assert {(move["old"], move["new"], move["tenants"]) for move in found["moves"]} == {
        ("b|x", "a|x", 1),
        ("b|x", None, 1),
    }
    assert found["changed"] == [
        {"what": "catalog", "before": str(sides / "catalog.json"), "after": str(sides / "fewer.json")}
    ]
    assert found["before"]["catalog_id"] != found["after"]["catalog_id"]
    assert found["before"]["rulebook_id"] == found["after"]["rulebook_id"]
    assert found["limits"] == [
        {"option": "--max-stranded", "exceeded": False, "words": "1 tenant newly left with no offer, 1 allowed"}
    ]
    assert found["within_limits"] is True
    assert found["cost"]["known"] == 1
    assert found["tokens"] == {"input": 3000.0, "output": 1000.0, "cached_share": 0.0, "residency": None}


def test_diff__of_two_rulebooks(sides: Path) -> None:
    found = document(sides, "--to-rulebook", sides / "strict.yaml")
    assert (found["counts"]["policy"], found["counts"]["stranded"], found["counts"]["winner"]) == (1, 1, 1)
    assert {(group["before"], group["after"]) for group in found["rule_sets"]} == {
        ("base", "base"),
        ("base, cap", "base, cap, cheap"),
        (None, None),
    }
    refusing = document(sides, "--to-rulebook", sides / "gold.yaml")
    assert refusing["counts"]["refused"] == 1
    assert refusing["refused"][0]["example"] == "t1"
    assert "expected one of paid, got 'free'" in refusing["refused"][0]["why"]


def test_diff__of_two_envelopes_either_of_which_may_be_none(sides: Path) -> None:
    only_a = sides / "only-a.json"
    narrowed = document(sides, "--to-envelope", only_a)
    assert (narrowed["counts"]["winner"], narrowed["counts"]["stranded"]) == (2, 1)
    assert "envelope_identity" not in narrowed["before"]
    widened = document(sides, "--envelope", only_a, "--to-envelope", "none")
    assert (widened["counts"]["winner"], widened["counts"]["gained"]) == (2, 1)
    assert "envelope_identity" not in widened["after"]
    kept = document(sides, "--envelope", only_a, "--to-catalog", sides / "more.json")
    assert kept["counts"]["winner"] == 0
    assert kept["before"]["envelope_identity"] == kept["after"]["envelope_identity"]


def test_diff__reads_an_envelope_from_standard_input_once(sides: Path) -> None:
    given = (
        "--tenants",
        sides / "tenants.csv",
        "--rulebook",
        sides / "rules.yaml",
        "--catalog",
        sides / "catalog.json",
    )
    more = ("--envelope", "-", "--to-catalog", sides / "more.json", "--json")
    done = command("diff", *given, *more, stdin='["provider_eq", "a"]')
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["before"]["envelope_identity"] == found["after"]["envelope_identity"]


def test_diff__of_two_overlays_either_of_which_may_be_none(sides: Path) -> None:
    overlay = sides / "overlay.yaml"
    overlay.write_text(
        "name: ours\nattestations:\n  - match: {provider_id: b}\n    set: {price_in: 9, price_out: 9}\n"
        "    contract: C-1\n    verified_at: 2026-11-01\n    valid_until: 2026-12-01\n"
    )
    assert document(sides, "--to-overlay", overlay)["counts"]["winner"] == 2
    taken = document(sides, "--overlay", overlay, "--to-overlay", "none")
    assert taken["counts"]["winner"] == 2
    assert taken["changed"] == [{"what": "overlay", "before": str(overlay), "after": "none"}]
    lapsed = document(sides, "--overlay", overlay, "--to-as-of", "2026-12-02")
    assert lapsed["changed"] == [{"what": "day", "before": "2026-11-23", "after": "2026-12-02"}]
    assert lapsed["counts"]["survivors"] == 1


def test_diff__of_two_states_of_health_and_of_two_tables(sides: Path) -> None:
    (sides / "rules.yaml").write_text(RULEBOOK.replace("[[is, priced]]", "[[is, priced], [not, [is, disabled]]]"))
    health = sides / "health.json"
    failing = document(sides, "--to-health", health)["counts"]
    assert (failing["winner"], failing["stranded"]) == (2, 1)
    back = document(sides, "--health", health, "--to-health", "none")
    assert (back["counts"]["winner"], back["counts"]["gained"]) == (2, 1)
    assert back["changed"] == [{"what": "health", "before": str(health), "after": "none"}]
    kept = document(sides, "--health", health, "--to-envelope", sides / "only-a.json")["counts"]
    assert (kept["winner"], kept["none_after"]) == (0, 2)
    tables = document(sides, "--to-tenants", sides / "fewer.csv")
    counts = tables["counts"]
    assert (counts["tenants"], counts["compared"], counts["only_before"], counts["only_after"]) == (5, 1, 3, 1)
    assert counts["winner"] == 0


def test_diff__without_a_provider_says_what_breaks(sides: Path) -> None:
    found = document(sides, "--without-provider", "b")
    assert (found["counts"]["winner"], found["counts"]["stranded"]) == (2, 1)
    assert {reason["why"] for reason in found["reasons"]} == {"the provider is not b (envelope)"}
    assert found["changed"] == [{"what": "provider", "before": "b", "after": "left out"}]
    both = document(sides, "--without-provider", "b", "--without-provider", "a")
    assert both["counts"]["none_after"] == 3
    kept = document(sides, "--envelope", sides / "only-a.json", "--without-provider", "a")
    assert (kept["counts"]["none_after"], kept["counts"]["stranded"]) == (3, 1)


@pytest.mark.parametrize(
    ("option", "kept", "exceeded", "words"),
    [
        ("--max-winner-changes", "2", "1", "2 tenants with another winner, 1 allowed"),
        ("--max-winner-changes", "50%", "49.9%", "2 tenants (50.00% of 4) with another winner, 49.9% allowed"),
        ("--max-order-changes", "2", "1", "2 tenants with another order, 1 allowed"),
        ("--max-stranded", "1", "0", "1 tenant newly left with no offer, 0 allowed"),
        ("--max-one-left", "1", "0", "1 tenant newly left with one offer, 0 allowed"),
        ("--max-cost-increase", "40%", "39%", "cost +40.00%, 39% allowed"),
    ],
)
def test_diff__exits_1_past_a_limit_and_says_which(
    sides: Path, option: str, kept: str, exceeded: str, words: str
) -> None:
    change = ("--to-catalog", sides / "fewer.json")
    within = diff(sides, *change, option, kept)
    assert (within.returncode, within.stderr) == (0, "")
    assert "the limit is kept" in within.stdout
    past = diff(sides, *change, option, exceeded)
    assert past.returncode == 1
    assert past.stderr == f"limit exceeded: {words} ({option})\n"
    assert "another winner" in past.stdout
    told = json.loads(diff(sides, *change, option, exceeded, "--json").stdout)
    assert (told["within_limits"], told["limits"][0]["exceeded"]) == (False, True)


def test_diff__limits_on_refused_and_unknown_costs_are_a_line_each(sides: Path) -> None:
    unpriced = sides / "unpriced.json"
    tr.Catalog.from_records([{**OFFERS[1], "price_in": None, "price_out": None}]).save(unpriced)
    (sides / "rules.yaml").write_text(RULEBOOK.replace("[[is, priced]]", "[[top]]"))
    (sides / "free.yaml").write_text(RULEBOOK.replace("[[is, priced]]", "[[top]]").replace("[free, paid]", "[free]"))
    limits = ("--max-refused", "0", "--max-cost-unknown", "0", "--max-stranded", "5")
    done = diff(sides, "--to-catalog", unpriced, "--to-rulebook", sides / "free.yaml", *limits)
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "limit exceeded: 2 tenants newly refused, 0 allowed (--max-refused)",
        "limit exceeded: 1 tenant whose cost was known and no longer is, 0 allowed (--max-cost-unknown)",
    ]


def test_diff__writes_every_row(sides: Path) -> None:
    out = sides / "deep" / "out.parquet"
    assert diff(sides, "--to-catalog", sides / "fewer.json", "-o", out).returncode == 0
    table = pq.read_table(out)
    assert table.schema.equals(SCHEMA)
    assert table["tenant"].to_pylist() == ["t1", "t2", "t3", "t4"]
    assert {b"rulebook_id_before", b"rulebook_id_after", b"catalog_id_before", b"as_of_after"} <= set(
        table.schema.metadata
    )
    lines = sides / "out.jsonl"
    assert diff(sides, "--to-catalog", sides / "fewer.json", "-o", lines).returncode == 0
    assert [json.loads(line) for line in lines.read_text().splitlines()] == table.to_pylist()


def test_diff__writes_markdown_to_a_file_or_alone(sides: Path) -> None:
    change = ("--to-catalog", sides / "fewer.json", "--max-stranded", "0")
    path = sides / "deep" / "summary.md"
    beside = diff(sides, *change, "--markdown", path)
    alone = diff(sides, *change, "--markdown", "-")
    assert beside.returncode == alone.returncode == 1
    assert path.read_text(encoding="utf-8") == alone.stdout
    assert alone.stdout.startswith(
        "### Of 4 tenants, 2 have another winner or none and 1 is newly left with no offer\n"
    )
    assert "(`--max-stranded`)" in alone.stdout
    assert "biggest moves" in beside.stdout


def test_diff__says_the_same_bytes_again(sides: Path) -> None:
    runs = []
    for name in ("one", "two"):
        out, summary = sides / f"{name}.parquet", sides / f"{name}.md"
        change = ("--to-catalog", sides / "fewer.json", "--to-rulebook", sides / "strict.yaml")
        done = diff(sides, *change, "-o", out, "--markdown", summary, "--json")
        runs.append((done.stdout, out.read_bytes(), summary.read_bytes()))
    assert runs[0] == runs[1]


def test_diff__passes_on_what_there_is_to_say_of_its_input_once(sides: Path) -> None:
    (sides / "tenants.csv").write_text("tenant_id,plan,most,colour\nt1,free,,red\n")
    for name, provider in (("rules", "bb"), ("new", "cc")):
        excluding = f"  - id: excluding\n    require: [[provider_not_in, [{provider}]]]\n"
        (sides / f"{name}.yaml").write_text(RULEBOOK + excluding)
    done = diff(sides, "--to-rulebook", sides / "new.yaml", "--json")
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("columns that no rule uses: colour") == 1
    assert "no offer has the name 'cc'" in done.stderr
    assert "'bb'" not in done.stderr
    found = json.loads(done.stdout)
    assert (found["ignored"], list(found["unknown_names"])) == (["colour"], ["cc"])


def test_diff__of_no_tenants(sides: Path) -> None:
    (sides / "tenants.csv").write_text("tenant_id,plan,most\n")
    done = diff(sides, "--to-catalog", sides / "fewer.json", "--max-winner-changes", "0%", "-o", sides / "o.parquet")
    assert done.returncode == 0, done.stderr
    assert "there are no tenants to compare" in done.stdout
    assert pq.read_table(sides / "o.parquet").num_rows == 0


def test_diff__of_the_same_on_both_sides(sides: Path) -> None:
    done = diff(sides, "--to-catalog", sides / "catalog.json", "--to-rulebook", sides / "rules.yaml")
    assert done.returncode == 0
    assert done.stdout.startswith("nothing changes for 4 tenants\n")


def test_diff__refuses_bad_input_in_one_line(sides: Path) -> None:
    fewer = ("--to-catalog", sides / "fewer.json")
    assert "say what changes: --to-rulebook" in refused(diff(sides))
    assert "did you mean" not in refused(diff(sides, "--without-provider", "zzzz"))
    assert "no offer of provider 'zzzz'" in refused(diff(sides, "--without-provider", "zzzz"))
    assert "--max-stranded: expected a number of tenants" in refused(diff(sides, *fewer, "--max-stranded", "few"))
    assert "--max-cost-increase: expected a percentage" in refused(diff(sides, *fewer, "--max-cost-increase", "5"))
    assert "absent.json" in refused(diff(sides, "--to-catalog", sides / "absent.json"))
    assert "absent.yaml" in refused(diff(sides, "--to-rulebook", sides / "absent.yaml"))
    assert "absent.csv" in refused(diff(sides, "--to-tenants", sides / "absent.csv"))
    assert "--envelope" in refused(diff(sides, "--to-envelope", sides / "rules.yaml"))
    assert "--as-of" in refused(diff(sides, "--to-as-of", "tomorrow"))
    assert "standard output" in refused(diff(sides, *fewer, "--json", "--markdown", "-"))
    assert "out.csv" in refused(diff(sides, *fewer, "-o", sides / "out.csv"))
    assert "rules.yaml" in refused(diff(sides, *fewer, "--markdown", sides / "rules.yaml"))
    assert "would be replaced" in refused(diff(sides, *fewer, "--markdown", sides / "fewer.json"))
    assert "folder" in refused(diff(sides, *fewer, "--markdown", sides))
    assert "residency" in refused(diff(sides, *fewer, "--residency", "mars"))


def test_diff__names_the_nearest_provider(sides: Path) -> None:
    offers = [{**OFFERS[0], "provider_id": "mistral"}]
    tr.Catalog.from_records(offers).save(sides / "catalog.json")
    assert "did you mean 'mistral'?" in refused(diff(sides, "--without-provider", "mistrall"))


def test_diff__blames_the_catalog_after_for_what_the_same_rules_lack_there(sides: Path) -> None:
    fields = {"bench": {"sort": "Num", "default": 0.0}}
    tr.Catalog.from_records(OFFERS, fields).save(sides / "catalog.json")
    (sides / "rules.yaml").write_text(RULEBOOK + "  - id: good\n    floor: {bench: 0}\n")
    assert "with the catalog after: " in refused(diff(sides, "--to-catalog", sides / "fewer.json"))
