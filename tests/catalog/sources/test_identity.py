from __future__ import annotations

import pytest

from tenantrank.catalog.sources.identity import PROVIDERS, is_text_model, provider_of


@pytest.mark.parametrize(
    ("name", "provider"),
    [
        ("bedrock_converse", "amazon-bedrock"),
        ("vertex_ai-anthropic_models", "google-vertex"),
        ("gemini", "google"),
        ("azure-cognitive-services", "azure"),
        ("OpenAI", "openai"),
        ("qwen_ai_platform", "qwen-ai-platform"),
    ],
)
def test_provider_of__gives_one_name(name: str, provider: str) -> None:
    assert provider_of(name) == provider


def test_provider_of__a_catalog_name_names_itself() -> None:
    for provider in set(PROVIDERS.values()):
        assert provider_of(provider) == provider


@pytest.mark.parametrize(
    "wire",
    [
        "text-embedding-3-large",
        "openai/whisper-large-v3",
        "BAAI/bge-m3",
        "gpt-image-2",
        "gemini-2.5-flash-preview-tts",
        "black-forest-labs/FLUX.2-klein-4B",
        "alibaba/wan2.7-video",
        "google/veo-3.1",
    ],
)
def test_is_text_model__knows_other_kinds(wire: str) -> None:
    assert not is_text_model(wire)


@pytest.mark.parametrize(
    "wire",
    ["gpt-5", "claude-opus-4-5", "influx-7b", "gemini-2.5-flash-image", "mistral-large", "swan-70b", "gpt-audio"],
)
def test_is_text_model__keeps_models_that_answer_in_text(wire: str) -> None:
    assert is_text_model(wire)
