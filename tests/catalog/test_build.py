from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from tenantrank.catalog.build import build_catalog
from tenantrank.catalog.data_policy import COLUMNS as POLICY_COLUMNS
from tenantrank.catalog.quality import COLUMNS as QUALITY_COLUMNS
from tenantrank.catalog.report import BuildResult
from tenantrank.errors import CatalogError
from tests.catalog.sources.samples import (
    MODELS_DEV,
    genai_wheel,
    litellm_wheel,
    models_dev_json,
    models_dev_sqlite,
    profiles_wheel,
)

TODAY = date(2026, 11, 23)


def sources(tmp_path: Path) -> dict[str, Any]:
    policy = ("openai", "false", "30", "approval", "no", "default traffic", "", "primary", "https://o.example/", "2026")
    figure = ("bench_aider_polyglot", "gpt-9", "", "50", "percent", "Aider Polyglot", "https://b.example/")
    (tmp_path / "policy.csv").write_text(f"{','.join(POLICY_COLUMNS)}\n{','.join(policy)}\n")
    (tmp_path / "quality.csv").write_text(
        f"{','.join(QUALITY_COLUMNS)}\n{','.join((*figure, '2026-01-02', '2026-11-23', 'a repository', 'MIT'))}\n"
    )
    return {
        "litellm": f"{litellm_wheel(tmp_path)}#2026-11-12",
        "models-dev": [models_dev_sqlite(tmp_path), f"{models_dev_json(tmp_path)}#2026-05-21"],
        "genai-prices": genai_wheel(tmp_path),
        "langchain": [f"{profiles_wheel(tmp_path)}#2026-11-04"],
        "policy": tmp_path / "policy.csv",
        "quality": tmp_path / "quality.csv",
    }


@pytest.fixture
def result(tmp_path: Path) -> BuildResult:
    return build_catalog(sources(tmp_path), as_of=TODAY)


def offer(result: BuildResult, offer_id: str) -> dict[str, Any]:
    rows = [row for row in result.catalog.table.to_pylist() if row["offer_id"] == offer_id]
    assert len(rows) == 1
    return rows[0]


def origin(result: BuildResult, offer_id: str, column: str) -> tuple[str, str]:
    assert result.catalog.provenance is not None
    rows = result.catalog.provenance.to_pylist()
    (found,) = [row for row in rows if (row["offer_id"], row["column"]) == (offer_id, column)]
    return found["source"], found["as_of"]


def test_build_catalog__merges_all_sources_into_one_row(result: BuildResult) -> None:
    row = offer(result, "openai|gpt-9")
    assert row["source_set"] == "litellm+models-dev+genai-prices+langchain"
    assert (row["price_in"], row["price_out"], row["price_cache_write"]) == (0.15, 0.6, 0.1875)
    assert (row["context"], row["max_output"], row["supports_vision"]) == (400000, 128000, True)
    assert (row["no_log"], row["retention_days"]) == (False, 30)
    assert (row["bench_aider_polyglot"], row["bench_coding"], row["bench_coding_figures"]) == (0.5, 0.5, 1.0)


def test_build_catalog__each_value_knows_its_source_and_date(result: BuildResult) -> None:
    where = "openai|gpt-9"
    assert origin(result, where, "price_in") == ("litellm@9.9.9", "2026-11-12")
    assert origin(result, where, "price_cache_write") == ("genai-prices@0.9", "2026-11-23")
    assert origin(result, where, "context") == ("_db.sqlite", "2030-08-18")
    assert origin(result, where, "supports_vision") == ("langchain-openai@1.0", "2026-11-04")
    assert origin(result, where, "no_log") == ("policy:primary:https://o.example/", "2026")
    assert origin(result, where, "bench_aider_polyglot") == ("quality:https://b.example/", "2026-01-02")


def test_build_catalog__every_value_resolves_to_a_stated_source(result: BuildResult) -> None:
    catalog = result.catalog
    assert catalog.provenance is not None
    traced = {(row["offer_id"], row["column"]): row["source"] for row in catalog.provenance.to_pylist()}
    derived = {"offer_id", "provider_id", "wire_model_id", "region_key", "model_family", "model_key", "source_set"}
    for row in catalog.table.to_pylist():
        for column, value in row.items():
            if value is not None and column not in derived:
                source = traced[row["offer_id"], column]
                assert source.split(":")[0].split("+")[0] in catalog.metadata.sources


def test_build_catalog__rows_are_sorted_by_offer_id(result: BuildResult) -> None:
    assert list(result.catalog.offer_ids) == sorted(result.catalog.offer_ids)


def test_build_catalog__refuses_absurd_values_and_reports_them(result: BuildResult) -> None:
    row = offer(result, "azure|overpriced")
    assert row["price_in"] is row["price_out"] is row["price_cache_read"] is None
    assert row["context"] == 8192
    refused = {(r.offer, r.column) for r in result.report.refused}
    assert refused == {
        ("azure|overpriced", "price_in"),
        ("azure|overpriced", "price_out"),
        ("azure|overpriced", "price_cache_read"),
        ("router|OpenAI/GPT-9", "max_output"),
    }


def test_build_catalog__an_older_snapshot_fills_dates_and_nothing_else(tmp_path: Path) -> None:
    older = json.loads(json.dumps(MODELS_DEV))
    older["openai"]["models"]["gpt-9"].update(tool_call=False, release_date="2030-05-05")
    older["openai"]["models"]["gpt-8"] = older["openai"]["models"]["gpt-9"]
    (tmp_path / "older.json").write_text(json.dumps(older))
    result = build_catalog({"models-dev": [models_dev_sqlite(tmp_path), tmp_path / "older.json"]}, as_of=TODAY)
    assert offer(result, "openai|gpt-9")["release_date"] == date(2030, 5, 5)
    assert offer(result, "openai|gpt-9")["supports_tools"] is True
    assert "openai|gpt-8" not in result.catalog.offer_ids


def test_build_catalog__price_rules_do_not_reach_regional_rows(tmp_path: Path) -> None:
    models = {f"azure/{where}gpt-9": {"litellm_provider": "azure", "mode": "chat"} for where in ("", "eu/")}
    rules = tmp_path / "data.py"
    rules.write_text(
        "providers: list[Provider] = [Provider(id='azure', models=[ModelInfo(id='gpt-9', match=ClauseContains("
        "contains='gpt-9'), prices=ModelPrice(input_mtok=Decimal('1'), output_mtok=Decimal('2')))])]"
    )
    result = build_catalog({"litellm": litellm_wheel(tmp_path, models), "genai-prices": rules}, as_of=TODAY)
    assert offer(result, "azure|gpt-9")["price_in"] == 1.0
    assert offer(result, "azure|gpt-9|eu")["price_in"] is None


def test_build_catalog__a_pair_of_zeros_is_kept_and_flagged(result: BuildResult) -> None:
    row = offer(result, "router|OpenAI/GPT-9")
    assert (row["price_in"], row["price_zero_listed"]) == (0.0, True)


def test_build_catalog__same_inputs_same_bytes(tmp_path: Path) -> None:
    given = sources(tmp_path)
    one, two = build_catalog(given, as_of=TODAY), build_catalog(dict(reversed(given.items())), as_of=TODAY)
    one.catalog.save(tmp_path / "one.parquet")
    two.catalog.save(tmp_path / "two.parquet")
    assert (tmp_path / "one.parquet").read_bytes() == (tmp_path / "two.parquet").read_bytes()
    assert one.report.to_json() == two.report.to_json()


def test_build_catalog__reads_urls_through_the_given_function_only(tmp_path: Path) -> None:
    url = "https://models.example/api.json"
    body = models_dev_json(tmp_path).read_bytes()
    result = build_catalog({"models-dev": url}, as_of=TODAY, fetch={url: body}.__getitem__)
    assert result.report.sources[0].info.origin == url
    with pytest.raises(CatalogError, match="URL"):
        build_catalog({"models-dev": url}, as_of=TODAY)


def test_build_catalog__without_a_quality_table_there_are_no_bench_fields(tmp_path: Path) -> None:
    catalog = build_catalog({"litellm": litellm_wheel(tmp_path)}, as_of=TODAY).catalog
    assert not any(name.startswith("bench_") for name in catalog.fields)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "at least one"),
        ({"huggingface": "x"}, "unknown source"),
        ({"litellm": ["a", "b"]}, "one location"),
        ({"litellm": "absent.json"}, "no file"),
        ({"quality": "package", "litellm": "{litellm}"}, "table of the project"),
        ({"genai-prices": "{genai}"}, "at least one"),
    ],
)
def test_build_catalog__refuses_what_it_cannot_build_from(tmp_path: Path, given: dict[str, Any], message: str) -> None:
    places = {"{litellm}": str(litellm_wheel(tmp_path)), "{genai}": str(genai_wheel(tmp_path))}
    named = {name: places.get(place, place) if isinstance(place, str) else place for name, place in given.items()}
    with pytest.raises(CatalogError, match=message):
        build_catalog(named, as_of=TODAY)


def test_build_catalog__one_source_cut_short_stops_the_build(tmp_path: Path) -> None:
    (tmp_path / "api.json").write_bytes(models_dev_json(tmp_path).read_bytes()[:-20])
    with pytest.raises(CatalogError, match="not a whole snapshot"):
        build_catalog({"litellm": litellm_wheel(tmp_path), "models-dev": tmp_path / "api.json"}, as_of=TODAY)
