"""The directory: spellings of models and providers."""

from __future__ import annotations

import time

import pytest

import tenantrank as tr
from tenantrank.gateway.directory import Directory


@pytest.fixture(scope="module")
def bundled() -> Directory:
    return Directory.of(tr.Catalog.bundled())


@pytest.mark.parametrize(
    ("model", "family"),
    [
        ("gpt-4o", "gpt-4o"),
        ("openai/gpt-4o", "gpt-4o"),
        ("openai/gpt-4o-2024-08-06", "gpt-4o"),
        ("anthropic/claude-sonnet-4.5", "claude-sonnet-4.5"),
        ("claude-sonnet-4-5-20250929", "claude-sonnet-4.5"),
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "claude-sonnet-4.5"),
        ("meta-llama/llama-3.3-70b-instruct", "llama-3.3-70b"),
        ("deepseek/deepseek-r1:free", None),
        ("openai/gpt-4o:online", None),
        ("openai/gpt-99", None),
        ("", None),
        ("/", None),
        (":", None),
        ("x" * 10_000, None),
    ],
)
def test_family__is_found_by_the_spelling(bundled: Directory, model: str, family: str | None) -> None:
    assert bundled.family(model) == family


@pytest.mark.parametrize(
    ("name", "provider"),
    [
        ("openai", "openai"),
        ("OpenAI", "openai"),
        ("Azure", "azure"),
        ("together", "togetherai"),
        ("Together", "togetherai"),
        ("Fireworks", "fireworks-ai"),
        ("Amazon Bedrock", "amazon-bedrock"),
        ("google-vertex", "google-vertex"),
        ("vertex_ai", "google-vertex"),
        ("Google AI Studio", "google"),
        ("Z.AI", "zai"),
        ("wafer.ai", "wafer.ai"),
        ("cloudflare", "cloudflare-workers-ai"),
        ("parasail", "parasail"),
        ("deepinfra/turbo", None),
        ("ｏpenai", None),
        ("opеnai", None),
        ("openai.", None),
        ("openai\u200b", None),
        ("nobody", None),
        ("", None),
        ("a" * 100_000, None),
    ],
)
def test_provider__is_found_by_its_names(bundled: Directory, name: str, provider: str | None) -> None:
    assert bundled.provider(name) == provider


def test_hosts__are_providers_that_make_no_models(bundled: Directory) -> None:
    assert {"azure", "amazon-bedrock", "groq", "openrouter", "togetherai"} <= bundled.hosts
    assert not bundled.hosts & {"openai", "anthropic", "mistral", "deepseek", "google", "moonshotai", "zai"}


@pytest.mark.parametrize("vendor", ["azure", "Azure", "bedrock", "groq", "together", "vertex_ai", "openrouter"])
def test_is_host__of_whoever_makes_no_models(bundled: Directory, vendor: str) -> None:
    assert bundled.is_host(vendor)


def test_is_host__of_no_vendor_in_openrouters_names() -> None:
    catalog = tr.Catalog.bundled()
    directory = Directory.of(catalog)
    offers = catalog.table.select(["provider_id", "wire_model_id"]).to_pylist()
    vendors = {offer["wire_model_id"].partition("/")[0] for offer in offers if offer["provider_id"] == "openrouter"}
    assert {vendor for vendor in vendors if directory.is_host(vendor)} == {"openrouter"}


def test_nearest__is_found_without_looking_at_every_name(bundled: Directory) -> None:
    assert bundled.nearest_family("openai/gpt-4oo") == "gpt-4o"
    assert bundled.nearest_family("Claude-Sonet-4.5") is not None
    assert bundled.nearest_provider("opnai") == "openai"
    assert bundled.nearest_family("") is None
    started = time.perf_counter()
    for number in range(20):
        bundled.nearest_family(f"gpt-{number}{'x' * 5000}")
    assert time.perf_counter() - started < 20


def test_with_variants__takes_endings_along() -> None:
    directory = Directory(["minimax", "minimax-cn", "minimaxi", "openai"], [])
    assert directory.with_variants("minimax") == ("minimax", "minimax-cn")
    assert directory.with_variants("openai") == ("openai",)
    assert directory.with_variants("absent") == ("absent",)


def test_provider__knows_names_that_a_small_catalog_has_not() -> None:
    directory = Directory(["p"], ["m"])
    assert directory.provider("anthropic") == "anthropic"
    assert directory.provider("Together") == "togetherai"
    assert directory.provider("q") is None
