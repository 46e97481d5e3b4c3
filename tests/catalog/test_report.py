from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest

from tenantrank.catalog import Catalog
from tenantrank.catalog.build import build_catalog
from tenantrank.catalog.report import coverage
from tests.catalog.sources.samples import litellm_wheel, models_dev_json

TODAY = date(2026, 11, 23)


def test_to_json__is_plain_json_and_tells_counts_refusals_and_conflicts(tmp_path: Path) -> None:
    old = Catalog.from_records([{"id": "a", "provider_id": "x", "model_family": "m", "price_in": 1.0}])
    places = {"litellm": litellm_wheel(tmp_path), "models-dev": models_dev_json(tmp_path)}
    report = build_catalog(places, as_of=TODAY, old=old).report.to_json()
    assert json.loads(json.dumps(report)) == report
    assert [(s["name"], s["offers"]) for s in report["sources"]] == [("litellm", 8), ("models-dev", 3)]
    assert report["sources"][0]["left_out"]["mode embedding"] == 1
    assert {r["column"] for r in report["refused"]} == {"price_in", "price_out", "price_cache_read", "max_output"}
    assert report["conflicts"]["price_in"]["differing"] == 1
    assert report["conflicts"]["price_in"]["examples"] == [
        {"offer": "openai|gpt-9", "stated": {"litellm": "0.15", "models-dev": "0.2"}}
    ]
    assert (report["offers"], report["offers_before"]) == (10, 1)
    assert report["coverage_before"]["price_in"] == 1.0
    assert report["coverage"]["price_in"] == pytest.approx(8 / 10)


def test_coverage__is_the_share_of_offers_with_a_value() -> None:
    records = [{"id": str(i), "provider_id": "x", "model_family": "m"} for i in range(3)]
    records[0]["price_in"] = 1.0  # type: ignore[assignment]
    shares = coverage(Catalog.from_records(records))
    assert (shares["offer_id"], shares["price_in"], shares["price_out"]) == (1.0, 0.3333, 0.0)


def test_coverage__of_an_empty_catalog_is_no_division_by_zero() -> None:
    assert set(coverage(Catalog.from_records([])).values()) == {1.0}
