from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from tenantrank.catalog.sources.genai_prices import PriceRules, load
from tenantrank.catalog.sources.reading import Where
from tenantrank.errors import CatalogError
from tests.catalog.sources.samples import GENAI, genai_wheel

TODAY = date(2026, 11, 23)


@pytest.fixture
def rules(tmp_path: Path) -> PriceRules:
    return load(Where(str(genai_wheel(tmp_path))), read_on=TODAY)


def priced(rules: PriceRules, provider: str, wire: str) -> dict[str, object] | None:
    offers = rules.price([(provider, wire)]).offers
    return offers[0].values if offers else None


def test_price__takes_the_price_in_force_on_the_day(rules: PriceRules) -> None:
    assert priced(rules, "openai", "gpt-9") == {
        "price_in": 0.15,
        "price_out": 0.6,
        "price_cache_write": 0.1875,
        "price_in_long": 0.3,
        "price_out_long": 0.9,
        "long_ctx_threshold": 272000,
        "context": 400000,
        "status": "deprecated",
    }


def test_price__an_earlier_day_has_the_earlier_price(tmp_path: Path) -> None:
    rules = load(Where(str(genai_wheel(tmp_path)), date(2026, 2, 28)), read_on=TODAY)
    found = priced(rules, "openai", "gpt-9")
    assert found is not None
    assert (found["price_in"], found["price_out"]) == (1.0, 2.0)


@pytest.mark.parametrize(
    ("wire", "price_in"),
    [("GPT-9", 0.15), ("gpt-9-2030-01-01", 0.15), ("gpt-9-mini", 0.05), ("gpt-9-turbo", None), ("my-gpt-9-mini", None)],
)
def test_price__matches_by_rule_in_the_order_listed(rules: PriceRules, wire: str, price_in: float | None) -> None:
    found = priced(rules, "openai", wire)
    assert (found["price_in"] if found else None) == price_in


def test_price__googles_rules_serve_both_of_its_endpoints(rules: PriceRules) -> None:
    for provider in ("google", "google-vertex"):
        found = priced(rules, provider, "models/gemini-9")
        assert found is not None
        assert found["price_in"] == 1.0
    assert priced(rules, "azure", "gemini-9") is None


def test_load__does_not_run_the_file(tmp_path: Path) -> None:
    (tmp_path / "data.py").write_text(GENAI + "\nraise SystemExit('was run')\n")
    assert "openai" in load(Where(str(tmp_path / "data.py")), read_on=TODAY).models


@pytest.mark.parametrize("content", [GENAI[:-40], "providers: list = []", "x = 1", "providers: list = [open('f')]"])
def test_load__refuses_a_file_cut_short_or_of_another_form(tmp_path: Path, content: str) -> None:
    (tmp_path / "data.py").write_text(content)
    with pytest.raises(CatalogError, match="genai-prices"):
        load(Where(str(tmp_path / "data.py")), read_on=TODAY)
