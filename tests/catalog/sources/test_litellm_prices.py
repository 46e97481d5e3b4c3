from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from tenantrank.catalog.sources.litellm_prices import load
from tenantrank.catalog.sources.offers import SourceOffer, SourceTable
from tenantrank.catalog.sources.reading import Where
from tenantrank.errors import CatalogError
from tests.catalog.sources.samples import litellm_wheel

TODAY = date(2026, 11, 23)


@pytest.fixture
def table(tmp_path: Path) -> SourceTable:
    return load(Where(str(litellm_wheel(tmp_path)), date(2026, 11, 12)), read_on=TODAY)


def offer(table: SourceTable, name: str) -> SourceOffer:
    found = [o for o in table.offers if "|".join(filter(None, (o.provider_id, o.wire_model_id, o.region_key))) == name]
    assert len(found) == 1, (name, found)
    return found[0]


def test_load__states_its_origin_and_date(table: SourceTable) -> None:
    assert (table.info.origin, table.info.as_of, table.info.dated_by) == ("litellm@9.9.9", "2026-11-12", "given")


def test_load__reads_prices_per_million_limits_and_flags(table: SourceTable) -> None:
    values = offer(table, "openai|gpt-9").values
    assert values == {
        "mode": "chat",
        "price_in": 0.15,
        "price_out": 0.6,
        "price_cache_read": 0.075,
        "price_in_batch": 0.075,
        "price_in_long": 0.3,
        "price_out_long": 0.9,
        "long_ctx_threshold": 272000,
        "max_input": 272000,
        "context": 272000,
        "max_output": 128000,
        "supports_tools": True,
        "supports_structured_output": True,
        "supports_json_mode": True,
        "supports_vision": False,
        "residency_uplift_eu": 1.1,
        "residency_uplift_us": 1.1,
        "residency_options": ["eu", "us"],
        "deprecation_date": date(2027, 2, 3),
    }


def test_load__an_absent_flag_stays_unknown(table: SourceTable) -> None:
    assert "supports_reasoning" not in offer(table, "openai|gpt-9").values


def test_load__marks_a_window_that_is_really_an_input_limit(table: SourceTable) -> None:
    assert offer(table, "openai|gpt-9").notes["context"] == "max_input_tokens"


@pytest.mark.parametrize(
    "name",
    [
        "azure|gpt-9|eu",
        "azure|gpt-9",
        "amazon-bedrock|acme.claude-sonnet-7-20300101-v1:0|eu-west-2",
        "amazon-bedrock|eu.anthropic.claude-sonnet-7-20300101-v1:0",
        "alibaba|tiers",
    ],
)
def test_load__splits_provider_model_and_region(table: SourceTable, name: str) -> None:
    offer(table, name)


def test_load__two_keys_of_one_fireworks_model_are_one_offer_with_one_keys_prices(table: SourceTable) -> None:
    found = offer(table, "fireworks-ai|accounts/fireworks/models/qwen9p5")
    assert found.values["price_in"] == 0.2
    assert found.values["supports_tools"] is True


def test_load__takes_the_first_tier_and_the_second_as_the_long_price(table: SourceTable) -> None:
    values = offer(table, "alibaba|tiers").values
    assert (values["price_in"], values["price_out"]) == (0.05, 0.4)
    assert (values["price_in_long"], values["price_out_long"], values["long_ctx_threshold"]) == (0.25, 2.0, 256000)


def test_load__says_what_it_left_out(table: SourceTable) -> None:
    assert table.left_out == {
        "not a model": 1,
        "mode embedding": 1,
        "reserved capacity, price bracket or template": 2,
        "another key of an offer already read": 1,
    }


@pytest.mark.parametrize("content", [b'{"a": 1', b"[]", b'{"error": "rate limited"}', b""])
def test_load__refuses_a_table_cut_short_or_of_another_form(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "prices.json").write_bytes(content)
    with pytest.raises(CatalogError, match="litellm"):
        load(Where(str(tmp_path / "prices.json")), read_on=TODAY)
