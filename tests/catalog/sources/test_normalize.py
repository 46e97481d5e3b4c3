from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenantrank.catalog.sources.normalize import QUANTIZATIONS, model_names

SAME = [
    (
        "claude-sonnet-4-5",
        [
            "claude-sonnet-4-5",
            "anthropic/claude-sonnet-4.5",
            "anthropic--claude-4.5-sonnet",
            "claude-4.5-sonnet",
            "claude-sonnet-45",
            "databricks-claude-sonnet-4-5",
            "claude-sonnet-4-5@default",
            "claude-sonnet-4-5@eu",
            "anthropic/claude-sonnet-4.5:beta",
        ],
    ),
    (
        "claude-sonnet-4-5-20250929",
        [
            "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
            "global.anthropic.claude-sonnet-4-5-20250929-v1:0",
            "claude-sonnet-4-5@20250929",
            "anthropic.claude-sonnet-4-5-20250929-v1:0",
        ],
    ),
    ("gpt-5-4", ["gpt-5.4", "gpt-5-4", "openai-gpt-54", "openai/gpt-5.4", "openai-gpt-5.4"]),
    (
        "llama-3-3-70b-instruct",
        [
            "meta-llama/Llama-3.3-70B-Instruct",
            "meta.llama3-3-70b-instruct-v1:0",
            "accounts/fireworks/models/llama-v3p3-70b-instruct",
            "@cf/meta/llama-3.3-70b-instruct",
            "meta-llama/Meta-Llama-3.3-70B-Instruct-FP8",
        ],
    ),
    ("qwen3-8-max", ["qwen3.8-max", "qwen-3.8-max", "qwen-3-8-max", "Qwen/Qwen3.8-Max"]),
    ("glm-5-2", ["zai-org/GLM-5.2", "zai-org-glm-5-2", "accounts/fireworks/models/glm-5p2", "FW-GLM-5.2", "glm-5p2"]),
    ("deepseek-v3-2", ["eu.deepseek.v3.2", "deepseek-ai/DeepSeek-V3.2", "deepseek-ai/deepseek-v3.2-maas"]),
    ("deepseek-r1", ["us.deepseek.r1-v1:0", "deepseek/deepseek-r1", "deepseek.deepseek-r1-v1:0"]),
    ("gpt-oss-20b", ["openai.gpt-oss-20b-1:0", "openai/gpt-oss-20b-maas", "gpt-oss-20b"]),
    ("kimi-k3", ["moonshotai/Kimi-K3-TEE", "TEE/kimi-k3", "moonshotai/kimi-k3:free"]),
]


@pytest.mark.parametrize(("key", "wire"), [(key, wire) for key, wires in SAME for wire in wires])
def test_model_names__brings_spellings_of_one_model_to_one_key(key: str, wire: str) -> None:
    assert model_names(wire).key == key


DIFFERENT = [
    ("deepseek-v3", "deepseek-v3-0324"),
    ("kimi-k2.6", "kimi-k2.6:thinking"),
    ("gpt-5", "gpt-5-mini"),
    ("gpt-4o-2024-08-06", "gpt-4o-2024-11-20"),
    ("qwen3-8b", "qwen3.8-b"),
    ("o1", "o1-preview"),
    ("claude-v2:1", "claude-v2"),
]


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_model_names__keeps_different_models_apart(one: str, other: str) -> None:
    assert model_names(one).key != model_names(other).key


@pytest.mark.parametrize(
    ("wire", "family"),
    [
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "claude-sonnet-4.5"),
        ("gpt-4o-2024-08-06", "gpt-4o"),
        ("gemini-2.5-pro-preview-06-05", "gemini-2.5-pro"),
        ("mistral-large-2411", "mistral-large"),
        ("meta-llama/Llama-3.3-70B-Instruct", "llama-3.3-70b"),
        ("moonshotai/kimi-k2-0905", "kimi-k2"),
        ("deep-research-pro-preview-12-2025", "deep-research-pro"),
        ("2024", "2024"),
    ],
)
def test_model_names__family_drops_dates_and_release_words(wire: str, family: str) -> None:
    assert model_names(wire).family == family


@pytest.mark.parametrize("how", QUANTIZATIONS)
def test_model_names__reads_the_number_format(how: str) -> None:
    names = model_names(f"acme/thing-9b-{how.upper()}")
    assert (names.key, names.quantization) == ("thing-9b", how)


def test_model_names__reads_a_trusted_environment_and_nothing_alike() -> None:
    assert model_names("zai-org/GLM-5.2-TEE").tee
    assert model_names("TEE/kimi-k3").tee
    assert not model_names("nvidia/steerlm-70b").tee


@given(st.text(min_size=1, max_size=40))
def test_model_names__any_text_has_names_that_are_stable(wire: str) -> None:
    names = model_names(wire)
    assert names.key
    assert names.family
    assert names == model_names(wire)


@given(st.sampled_from([wire for _, wires in SAME for wire in wires]), st.randoms(use_true_random=False))
def test_model_names__case_does_not_count(wire: str, random: object) -> None:
    assert model_names(wire.upper()) == model_names(wire.lower())
