"""Importer of the price table inside the litellm package (``model_prices_and_context_window_backup.json``, MIT).

One JSON object of model key to record. Prices are per token; a capability is listed where it is known, mostly where it
is true, so an absent key stays unknown. The key holds the routing prefix and, for some providers, the region.
"""

from __future__ import annotations

import json
import re
from datetime import date
from typing import Any

from tenantrank.catalog.sources.identity import is_text_model, provider_of
from tenantrank.catalog.sources.offers import SourceInfo, SourceOffer, SourceTable, dated
from tenantrank.catalog.sources.prices import per_million
from tenantrank.catalog.sources.reading import Fetch, Where, read
from tenantrank.errors import CatalogError

NAME = "litellm"
LICENCE = "MIT"
TEXT_MODES = ("chat", "completion", "responses")

_PRICES = {
    "price_in": ("input_cost_per_token",),
    "price_out": ("output_cost_per_token",),
    "price_cache_read": ("cache_read_input_token_cost", "input_cost_per_token_cache_hit"),
    "price_cache_write": ("cache_creation_input_token_cost",),
    "price_reasoning": ("output_cost_per_reasoning_token",),
    "price_audio_in": ("input_cost_per_audio_token",),
    "price_audio_out": ("output_cost_per_audio_token",),
    "price_in_batch": ("input_cost_per_token_batches",),
    "price_out_batch": ("output_cost_per_token_batches",),
}
_FLAGS = {
    "supports_tools": "supports_function_calling",
    "supports_parallel_tools": "supports_parallel_function_calling",
    "supports_tool_choice": "supports_tool_choice",
    "supports_structured_output": "supports_response_schema",
    "supports_reasoning": "supports_reasoning",
    "supports_vision": "supports_vision",
    "supports_audio_in": "supports_audio_input",
    "supports_audio_out": "supports_audio_output",
    "supports_video_in": "supports_video_input",
    "supports_pdf_in": "supports_pdf_input",
    "supports_prompt_caching": "supports_prompt_caching",
    "supports_web_search": "supports_web_search",
    "supports_streaming": "supports_native_streaming",
}
_UPLIFTS = {
    "residency_uplift_eu": "regional_processing_uplift_multiplier_eu",
    "residency_uplift_us": "regional_processing_uplift_multiplier_us",
    "regional_endpoint_uplift": "regional_endpoint_uplift_multiplier",
}
_LONG = re.compile(r"^input_cost_per_token_above_(\d+)k_tokens$")
_AZURE_PLACES = {
    "eu": "eu",
    "us": "us",
    "us-gov": "us-gov",
    "apac": "apac",
    "global": "global",
    "global-standard": "global",
}
_CLOUD_REGION = re.compile(r"^[a-z]{2}(-gov)?-[a-z]+-\d$")
# Reserved throughput, price brackets by model size, and templates for a customer's own tuned model.
_NOT_AN_OFFER = re.compile(r"commitment/|(^|/)\*/|^(together-ai|fireworks-ai)-|^ft:|/container$")
_SAMPLE = "sample_spec"


def load(where: Where, *, read_on: date, fetch: Fetch | None = None) -> SourceTable:
    """Read litellm's price table.

    Raises
    ------
    CatalogError
        where the source cannot be read, or is not one JSON object of records
    """
    document = read(where, "litellm", ("litellm/model_prices_and_context_window_backup.json",), fetch)
    path, content = document.members[0]
    try:
        models = json.loads(content)
    except ValueError as error:
        raise CatalogError(f"source {NAME}: {path} is not whole JSON ({error})") from error
    if not isinstance(models, dict) or not any(
        isinstance(m, dict) and "litellm_provider" in m for m in models.values()
    ):
        raise CatalogError(f"source {NAME}: {path} is not a table of models")
    as_of, dated_by = dated(None, where.as_of, read_on)
    table = SourceTable(SourceInfo(NAME, document.origin, as_of, dated_by, LICENCE))
    for key, model in models.items():
        reason = _why_left_out(key, model)
        if reason:
            table.left_out[reason] += 1
        else:
            table.add(_offer(key, model))
    return table


def _why_left_out(key: str, model: Any) -> str | None:
    if key == _SAMPLE or not isinstance(model, dict) or not isinstance(model.get("litellm_provider"), str):
        return "not a model"
    mode = model.get("mode")
    if mode not in TEXT_MODES:
        return f"mode {mode}" if mode else "no mode: price brackets and rules"
    modalities = model.get("supported_output_modalities")
    if (isinstance(modalities, list) and "text" not in modalities) or not is_text_model(key):
        return "no text output"
    return "reserved capacity, price bracket or template" if _NOT_AN_OFFER.search(key) else None


def _offer(key: str, model: dict[str, Any]) -> SourceOffer:
    provider, wire, region = _identity(key, model["litellm_provider"])
    offer = SourceOffer(provider, wire, region, {"mode": model["mode"]})
    values = offer.values
    priced = {**model, **_first_tier(model)}
    for column, names in _PRICES.items():
        price = next((p for p in (per_million(priced.get(name), 1_000_000) for name in names) if p is not None), None)
        if price is not None:
            values[column] = price
    _long_prices(model, values)
    for column, name in (("max_input", "max_input_tokens"), ("max_output", "max_output_tokens")):
        if isinstance(model.get(name), int) and model[name] > 0:
            values[column] = model[name]
    if "max_input" in values:
        values["context"] = values["max_input"]
        offer.notes["context"] = "max_input_tokens"
    for column, name in _FLAGS.items():
        if isinstance(model.get(name), bool):
            values[column] = model[name]
    if values.get("supports_structured_output"):
        values["supports_json_mode"] = True
        offer.notes["supports_json_mode"] = "supports_response_schema"
    for column, name in _UPLIFTS.items():
        if isinstance(model.get(name), int | float):
            values[column] = float(model[name])
    pinned = [place for place in ("eu", "us") if f"residency_uplift_{place}" in values]
    if pinned:
        values["residency_options"] = pinned
    regions = model.get("supported_regions")
    if isinstance(regions, list) and regions and all(isinstance(place, str) for place in regions):
        values["regions"] = regions
    try:
        values["deprecation_date"] = date.fromisoformat(model.get("deprecation_date", ""))
    except (TypeError, ValueError):
        values.pop("deprecation_date", None)
    return offer


def _identity(key: str, litellm_provider: str) -> tuple[str, str, str | None]:
    """Split a key into the catalog's provider, the model id on the wire, and the region."""
    provider = provider_of(litellm_provider)
    head, slash, rest = key.partition("/")
    prefixes = {
        litellm_provider,
        litellm_provider.split("-")[0],
        litellm_provider.replace("_", "-"),
        "bedrock",
        "azure",
    }
    wire = rest if slash and head in prefixes else key
    region = None
    if provider == "amazon-bedrock":
        wire = wire.removeprefix("invoke/").removeprefix("converse/")
        place, slash, rest = wire.partition("/")
        if slash and _CLOUD_REGION.match(place):
            wire, region = rest, place
    elif provider == "azure":
        place, slash, rest = wire.partition("/")
        if slash and place in _AZURE_PLACES:
            wire, region = rest, _AZURE_PLACES[place]
    return provider, wire, region


def _first_tier(model: dict[str, Any]) -> dict[str, Any]:
    tiers = model.get("tiered_pricing")
    first = tiers[0] if isinstance(tiers, list) and tiers else None
    return first if isinstance(first, dict) else {}


def _long_prices(model: dict[str, Any], values: dict[str, Any]) -> None:
    """Take the lowest threshold above which another price holds, from the key's name or the second tier."""
    thresholds = sorted(int(match[1]) for match in map(_LONG.match, model) if match)
    tiers = model.get("tiered_pricing")
    if thresholds:
        suffix, threshold = f"_above_{thresholds[0]}k_tokens", thresholds[0] * 1000
        long = {name: model.get(f"{name}{suffix}") for name in ("input_cost_per_token", "output_cost_per_token")}
    elif isinstance(tiers, list) and len(tiers) > 1 and isinstance(tiers[1], dict) and tiers[1].get("range"):
        long, threshold = tiers[1], int(tiers[1]["range"][0])
    else:
        return
    price_in = per_million(long.get("input_cost_per_token"), 1_000_000)
    price_out = per_million(long.get("output_cost_per_token"), 1_000_000)
    if price_in is not None and price_out is not None:
        values.update(price_in_long=price_in, price_out_long=price_out, long_ctx_threshold=threshold)
