"""The data that comes with the package: what it must hold, and that its description is true."""

from __future__ import annotations

import math
import re
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tenantrank.catalog import Catalog
from tenantrank.catalog.data_policy import read_policies
from tenantrank.catalog.limits import LIMITS, refusal
from tenantrank.catalog.precedence import PRECEDENCE
from tenantrank.catalog.quality import FIELDS, best_figures, read_figures
from tenantrank.catalog.report import coverage
from tenantrank.catalog.sources.normalize import model_names

DATA = Path(__file__).resolve().parents[2] / "data"
TODAY = date(2026, 11, 23)


@cache
def catalog() -> Catalog:
    return Catalog.load(DATA / "catalog.parquet", as_of=TODAY)


@cache
def rows() -> list[dict[str, Any]]:
    return catalog().table.to_pylist()


def readme() -> str:
    return (DATA / "README.md").read_text(encoding="utf-8")


def test_catalog__is_the_one_that_the_readme_describes() -> None:
    assert catalog().catalog_id in readme().split()
    assert f"{len(catalog()):,} text offers" in readme()
    assert catalog().built == TODAY


def test_catalog__is_small_enough_to_travel_in_a_wheel() -> None:
    assert (DATA / "catalog.parquet").stat().st_size < 1_500_000


def test_catalog__has_offers_and_providers_enough() -> None:
    assert len(catalog()) >= 8000
    assert len({row["provider_id"] for row in rows()}) >= 200


@pytest.mark.parametrize(
    ("column", "least"),
    [
        ("price_in", 0.95),
        ("price_out", 0.95),
        ("context", 0.98),
        ("max_output", 0.975),
        ("supports_tools", 0.93),
        ("supports_reasoning", 0.87),
        ("supports_vision", 0.865),
        ("supports_structured_output", 0.64),
        ("release_date", 0.71),
        ("open_weights", 0.89),
        ("geo", 0.076),
        ("no_log", 0.078),
        ("zdr", 0.30),
        ("bench_coding", 0.25),
    ],
)
def test_catalog__knows_enough(column: str, least: float) -> None:
    assert coverage(catalog())[column] >= least


def test_catalog__ids_are_distinct_sorted_and_made_of_their_parts() -> None:
    ids = [row["offer_id"] for row in rows()]
    assert ids == sorted(set(ids))
    for row in rows():
        parts = (row["provider_id"], row["wire_model_id"], row["region_key"])
        assert row["offer_id"] == "|".join(part for part in parts if part)


def test_catalog__holds_no_absurd_value() -> None:
    absurd = [
        (row["offer_id"], column, row[column])
        for row in rows()
        for column in (*LIMITS, "release_date", "deprecation_date")
        if row[column] is not None and refusal(column, row[column])
    ]
    assert absurd == []
    assert max(row["price_in"] or 0 for row in rows()) <= 150
    assert all(row["price_in"] is None for row in rows() if "jais" in row["model_key"])


def test_catalog__prices_carry_no_noise_of_binary_fractions() -> None:
    for row in rows():
        for column, value in row.items():
            if column.startswith("price_") and isinstance(value, float):
                assert value == float(f"{value:.12g}")


def test_catalog__a_zero_pair_is_flagged_and_nothing_else_is() -> None:
    for row in rows():
        pair = (row["price_in"], row["price_out"])
        assert row["price_zero_listed"] == (None if None in pair else pair == (0.0, 0.0))


def test_catalog__eu_is_the_union_and_no_offer_there_is_free_of_logs_without_an_overlay() -> None:
    eu = [row for row in rows() if "eu" in (row["geo"] or [])]
    assert len(eu) >= 113
    assert not any(row["no_log"] for row in eu)
    for row in rows():
        if row["cloud_region"] in ("eu-west-2", "europe-west2"):
            assert row["geo"] == ["uk"]
    field = catalog().flags("region_eu")
    assert int((field == 1).sum()) == len(eu)


def test_catalog__leaves_what_nobody_states_unknown() -> None:
    for column in ("tier", "scope", "latency_ms", "tok_s", "success_rate", "quality_hint"):
        assert all(row[column] is None for row in rows())
    assert {row["has_tee"] for row in rows()} == {True, None}


def test_catalog__names_follow_from_the_wire_id() -> None:
    for row in rows()[::7]:
        names = model_names(row["wire_model_id"])
        assert (row["model_key"], row["model_family"]) == (names.key, names.family)


def test_catalog__every_value_of_a_sample_resolves_to_a_dated_source() -> None:
    side = catalog().provenance
    assert side is not None
    sample = {row["offer_id"]: row for row in rows()[::97]}
    origins = {(entry["offer_id"], entry["column"]): entry for entry in side.to_pylist() if entry["offer_id"] in sample}
    derived = {"offer_id", "provider_id", "wire_model_id", "region_key", "model_family", "model_key", "source_set"}
    stated = catalog().metadata.sources
    for offer_id, row in sample.items():
        for column, value in row.items():
            if value is None or column in derived:
                continue
            entry = origins[offer_id, column]
            assert re.split(r"[:+]", entry["source"])[0] in stated
            assert re.fullmatch(r"\d{4}(-\d\d-\d\d)?", entry["as_of"])
    assert {offer_id for offer_id, _ in origins} == set(sample)


def test_catalog__bench_fields_are_the_tables_figures() -> None:
    best = best_figures(read_figures((DATA / "quality.csv").read_bytes()))
    assert set(best) == set(FIELDS)
    for row in rows():
        for field in FIELDS:
            figure = best[field].get(row["model_key"])
            assert row[field] == (figure.value if figure else None)
        assert row["bench_coding"] is None or 0 < row["bench_coding"] < 1
        assert (row["bench_coding"] is None) == (row["bench_coding_figures"] is None)
    for field in FIELDS:
        assert catalog().fields[field].sort == "Num"
        assert catalog().fields[field].unit == "0-1"


def test_catalog__data_policies_are_the_tables() -> None:
    policies = read_policies((DATA / "provider_policy.csv").read_bytes())
    assert len(policies) >= 16
    providers = {row["provider_id"] for row in rows()}
    assert set(policies) <= providers
    for row in rows():
        policy = policies.get(row["provider_id"])
        covered = policy is not None and not row["wire_model_id"].lower().startswith(policy.except_models or (" ",))
        values = policy.values if covered and policy is not None else {}
        for column in ("no_log", "retention_days", "zdr", "trains_on_data"):
            assert row[column] == values.get(column)


def test_overlay_example__opens_the_eu_without_logs_at_several_providers() -> None:
    overlaid = catalog().with_overlay(DATA / "overlay.example.yaml")
    found = [row for row in overlaid.table.to_pylist() if row["no_log"] and "eu" in (row["geo"] or [])]
    priced = [row for row in found if row["price_in"] is not None and row["price_out"] is not None]
    assert len(priced) >= 20
    assert len({row["provider_id"] for row in priced}) >= 3
    assert sum((row["bench_coding"] or 0) >= 0.7 for row in priced) >= 10
    assert {row["tier"] for row in overlaid.table.to_pylist()} == {None, "marketplace", "partner"}


def test_overlay_example__its_expired_attestation_counts_for_nothing() -> None:
    overlaid = catalog().with_overlay(DATA / "overlay.example.yaml")
    assert any("expired" in warning for warning in overlaid.warnings)
    scaleway = [row for row in overlaid.table.to_pylist() if row["provider_id"] == "scaleway"]
    assert scaleway
    assert all(row["no_log"] is None and row["geo"] is None for row in scaleway)


def test_readme__its_table_of_precedence_is_the_one_in_force() -> None:
    listed = {}
    for line in readme().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 2 and (" > " in cells[1] or cells[1] in {"litellm", "models-dev"}):
            listed |= dict.fromkeys(re.findall(r"`([a-z_]+)`", cells[0]), tuple(cells[1].split(" > ")))
    assert listed == dict(PRECEDENCE)


def test_readme__its_coverage_is_the_catalogs() -> None:
    shares = coverage(catalog())
    stated = re.findall(r"^\| `(\w+)` \| ([\d.]+)% \|$", readme(), re.MULTILINE)
    assert len(stated) >= 15
    for column, percent in stated:
        assert math.isclose(float(percent), 100 * shares[column], abs_tol=0.06)


def test_notice__names_every_source_of_the_catalog_with_its_version() -> None:
    notice = (DATA / "NOTICE").read_text(encoding="utf-8")
    for origin, source in catalog().metadata.sources.items():
        if "@" in origin:
            name, version = origin.split("@")
            assert re.search(rf"{re.escape(name)}\s+{re.escape(version)}", notice)
            assert source["licence"] == "MIT"
