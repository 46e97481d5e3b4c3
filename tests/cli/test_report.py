"""`tenantrank report`: a page of the same figures as `tenants`, whole or not at all, and one line for bad input."""

from __future__ import annotations

import json
import subprocess
from datetime import date
from pathlib import Path

import pytest

import tenantrank as tr
from tenantrank.report import fleet_report
from tenantrank.tenants import read_tenants
from tests.cli.running import OFFERS, command, refused, small, tenants
from tests.report.reading import Reader

DAY = ("--as-of", "2026-11-23")


def report(world: Path, *more: object, out: str = "out.html") -> subprocess.CompletedProcess[str]:
    given = ("--tenants", world / "tenants.csv", "--rulebook", world / "rules.yaml", *small(world))
    return command("report", *given, *DAY, "-o", world / out, *more)


def test_report__writes_the_page_of_the_library(world: Path) -> None:
    done = report(world)
    assert done.returncode == 0, done.stderr
    engine = tr.Engine(tr.Catalog.load(world / "catalog.json", as_of=date(2026, 11, 23)))
    made = fleet_report(engine, tr.Rulebook.load(world / "rules.yaml"), read_tenants(world / "tenants.csv"))

    assert (world / "out.html").read_text(encoding="utf-8") == made
    assert "4 tenants × 3 offers: 2 ranked, 1 with no offer, 1 refused" in done.stdout
    assert "costs for 3,000 tokens in, 1,000 out" in done.stdout


def test_report__json_has_the_figures_of_tenants(world: Path) -> None:
    done = report(world, "--json")
    document, other = json.loads(done.stdout), json.loads(tenants(world, *DAY, "--json").stdout)

    for key in ("catalog_id", "as_of", "rulebook_id", "tenants", "status", "distinct_policies", "winners"):
        assert document[key] == other[key], key
    assert document["report"] == str(world / "out.html")
    assert document["bytes"] == (world / "out.html").stat().st_size
    assert document["at_risk"]["none_left"] == 1
    assert document["tokens"] == {"input": 3000, "output": 1000, "cached_share": 0, "residency": None}


def test_report__takes_mix_quality_health_and_envelope(world: Path) -> None:
    (world / "health.json").write_text('{"disabled": {"a": true}}')
    (world / "envelope.json").write_text('["not", ["is", "disabled"]]')
    done = report(
        world, "--input-tokens", 1, "--output-tokens", 3, "--quality", "price_in",
        "--health", world / "health.json", "--envelope", world / "envelope.json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    page = Reader((world / "out.html").read_text(encoding="utf-8"))

    assert "1 tokens in, 3 out" in page.text
    assert "1 provider disabled" in page.text
    # 1 USD in, 2 out, one to three.
    assert [(row["offer"], row["USD per 1M tokens"], row["price_in"]) for row in page.rows(
        "offers by the tenants who get them"
    )] == [("b|x", "$1.75", "1")]  # fmt: skip


def test_report__replaces_what_was_there_and_leaves_nothing_else(world: Path) -> None:
    (world / "out.html").write_text("before")
    before = {entry.name for entry in world.iterdir()}
    done = report(world)

    assert done.returncode == 0, done.stderr
    assert {entry.name for entry in world.iterdir()} == before
    assert (world / "out.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    assert report(world, out="new/deep/out.HTM").returncode == 0


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (
            ("--quality", "price_inn"),
            "--quality: no number field 'price_inn' in this catalog, did you mean 'price_in'?",
        ),
        (("--input-tokens", 0, "--output-tokens", 0), "a mix of no tokens has no cost"),
        (("--input-tokens", -1), "input must be a number of tokens"),
        (("--residency", "moon"), "residency must be one of"),
        (("--as-of", "today"), "--as-of must be a day"),
        (("--health", "absent.json"), "--health absent.json"),
    ],
    ids=["quality", "no tokens", "tokens", "residency", "day", "health"],
)
def test_report__bad_input_is_one_line_and_writes_nothing(world: Path, more: tuple[object, ...], words: str) -> None:
    assert words in refused(report(world, *more))
    assert not (world / "out.html").exists()


def test_report__bad_output_is_refused_before_anything_is_read(world: Path) -> None:
    (world / "tenants.csv").rename(world / "t.html")
    given = ("--tenants", world / "t.html", "--rulebook", world / "absent.yaml", *small(world))

    assert "results are written as one of .html, .htm" in refused(command("report", *given, "-o", world / "out.txt"))
    assert "would be replaced" in refused(command("report", *given, "-o", world / "t.html"))
    assert "cannot be written" in refused(command("report", *given, "-o", world / "t.html" / "out.html"))


def test_report__names_the_file_at_fault(world: Path) -> None:
    (world / "tenants.csv").write_text("tenant_id\nt1\n")
    assert "tenants.csv: the table has no column for field 'plan'" in refused(report(world))
    (world / "rules.yaml").write_text("version: [")
    assert f"tenantrank: {world / 'rules.yaml'}: " in refused(report(world))


def test_report__offers_of_the_world_are_all_there(world: Path) -> None:
    report(world)

    assert f"offers in it{len(OFFERS)}" in Reader((world / "out.html").read_text(encoding="utf-8")).text.replace(
        "\n", ""
    )
