"""Synthetic catalogs: as many offers as wanted, with the skew, the ties and the gaps of real ones.

Prices are log-normal and rounded to two digits, so that many are equal; a model's scores are the same wherever it is
served; a few providers have most offers; every column has values that nobody states. The same seed gives the same
catalog on every machine: the generator is NumPy's `RandomState`, whose stream is frozen, and values are rounded.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tenantrank.catalog import Catalog

NUMBERS = (
    "price_in", "price_out", "price_cache_read", "price_in_batch", "context", "max_output", "latency_ms", "tok_s",
    "success_rate", "quality_hint", "bench_intelligence", "bench_coding", "bench_math", "popularity",
)  # fmt: skip
"""The number columns."""
FLAGS = (
    "supports_tools", "supports_vision", "supports_json_mode", "supports_reasoning", "supports_prompt_caching",
    "supports_seed", "supports_structured_output", "open_weights", "no_log", "has_tee", "region_eu", "region_us",
)  # fmt: skip
"""The flag columns."""
CATEGORIES = ("provider_id", "model_family", "tier", "lab", "quantization")
"""The categorical columns."""
PROVIDERS = tuple(f"provider-{at:02d}" for at in range(48))
"""Every provider, the one with most offers first."""

_CONTEXTS = (8_192, 16_384, 32_768, 65_536, 131_072, 200_000, 262_144, 1_048_576)
_LABS = tuple(f"lab-{at:02d}" for at in range(20))
_FORMATS = ("bf16", "fp8", "fp16", "int4", "int8")
_FLAG_SHARES = (0.75, 0.45, 0.6, 0.4, 0.3, 0.5, 0.45, 0.55, 0.4, 0.06, 0.35, 0.6)
_FLAG_GAPS = (0.03, 0.05, 0.1, 0.08, 0.3, 0.3, 0.15, 0.1, 0.25, 0.3, 0.1, 0.1)

Values = npt.NDArray[Any]


def synthetic_catalog(offers: int, seed: int = 1) -> Catalog:
    """Make a catalog of synthetic offers: 14 numbers, 12 flags and 5 categorical columns beside the key.

    Parameters
    ----------
    offers
        how many
    seed
        decides every value; 0 to 2^32 − 1
    """
    return Catalog.from_table(synthetic_table(offers, seed))


def synthetic_table(offers: int, seed: int = 1) -> pa.Table:
    """Make the table of `synthetic_catalog`, nulls where a value is not stated."""
    rng = np.random.RandomState(seed)
    families = max(8, offers // 12)
    family = _skewed(rng, offers, families)
    provider = _skewed(rng, offers, len(PROVIDERS))
    quality = rng.beta(2.0, 2.5, families)
    numbers = _prices(rng, family, provider, quality)
    numbers |= _limits(rng, family, families)
    numbers |= _measured(rng, provider, offers)
    numbers |= _scores(rng, family, quality)
    numbers["popularity"] = (np.floor(1e6 / (1 + family * 7 + rng.randint(0, 50, offers))), 0.05)
    columns: dict[str, pa.Array] = {
        "offer_id": pa.array(
            [f"{PROVIDERS[p]}|model-{m:05d}|{at}" for at, (p, m) in enumerate(zip(provider, family, strict=True))]
        ),
        "provider_id": pa.array([PROVIDERS[at] for at in provider]),
        "model_family": pa.array([f"model-{at:05d}" for at in family]),
    }
    for name in NUMBERS:
        values, gap = numbers[name]
        unstated = np.isnan(values) | (rng.random_sample(offers) < gap)
        columns[name] = pa.array(values, mask=unstated)
    for name, share, gap in zip(FLAGS, _FLAG_SHARES, _FLAG_GAPS, strict=True):
        columns[name] = pa.array(rng.random_sample(offers) < share, mask=rng.random_sample(offers) < gap)
    tiers = np.array(["fallback", "marketplace", "partner"])[rng.choice(3, offers, p=[0.3, 0.5, 0.2])]
    columns["tier"] = pa.array(tiers, mask=rng.random_sample(offers) < 0.2)
    columns["lab"] = pa.array([_LABS[at % len(_LABS)] for at in family])
    formats = np.array(_FORMATS)[rng.choice(len(_FORMATS), offers, p=[0.4, 0.3, 0.1, 0.1, 0.1])]
    columns["quantization"] = pa.array(formats, mask=rng.random_sample(offers) < 0.5)
    return pa.table(columns)


def _skewed(rng: np.random.RandomState, count: int, of: int) -> npt.NDArray[np.intp]:
    """Draw ``count`` positions below ``of`` by a flattened Zipf law."""
    weights = 1.0 / (np.arange(of) + 3.0)
    return rng.choice(of, count, p=weights / weights.sum())


def _prices(
    rng: np.random.RandomState, family: Values, provider: Values, quality: Values
) -> dict[str, tuple[Values, float]]:
    """Draw prices, each with the share of offers whose price nobody states; a fiftieth are listed as free."""
    base = np.exp(rng.normal(-1.2, 0.9, len(quality)) + 2.2 * quality)
    margin = np.exp(rng.normal(0.0, 0.2, len(PROVIDERS)))
    asked = _two_digits(base[family] * margin[provider])
    asked[rng.random_sample(len(family)) < 0.02] = 0.0
    times = np.array([2.0, 3.0, 4.0, 5.0, 8.0])[rng.choice(5, len(quality))][family]
    return {
        "price_in": (asked, 0.07),
        "price_out": (_two_digits(asked * times), 0.08),
        "price_cache_read": (_two_digits(asked * 0.1), 0.45),
        "price_in_batch": (_two_digits(asked * 0.5), 0.7),
    }


def _limits(rng: np.random.RandomState, family: Values, families: int) -> dict[str, tuple[Values, float]]:
    context = np.array(_CONTEXTS)[rng.choice(len(_CONTEXTS), families)]
    most = np.minimum(context // 2, 2 ** rng.randint(11, 17, families))
    return {"context": (context[family], 0.03), "max_output": (most[family], 0.15)}


def _measured(rng: np.random.RandomState, provider: Values, offers: int) -> dict[str, tuple[Values, float]]:
    slow = np.exp(rng.normal(0.0, 0.3, len(PROVIDERS)))[provider]
    return {
        "latency_ms": (np.round(np.exp(rng.normal(6.3, 0.6, offers)) * slow), 0.3),
        "tok_s": (np.round(np.exp(rng.normal(4.1, 0.6, offers)) / slow, 1), 0.3),
        "success_rate": (np.round(1.0 - 0.1 * rng.beta(1.0, 6.0, offers), 4), 0.4),
    }


def _scores(rng: np.random.RandomState, family: Values, quality: Values) -> dict[str, tuple[Values, float]]:
    """Draw a model's scores, which all its offers share; the gaps are a model's too."""
    scores: dict[str, tuple[Values, float]] = {}
    for name, gap in (("quality_hint", 0.2), ("bench_intelligence", 0.25), ("bench_coding", 0.35), ("bench_math", 0.5)):
        value = np.round(np.clip(quality + rng.normal(0.0, 0.08, len(quality)), 0.0, 1.0), 3)
        value[rng.random_sample(len(quality)) < gap] = np.nan
        scores[name] = (value[family], 0.0)
    return scores


def _two_digits(values: Values) -> Values:
    """Round to two significant digits, as prices are listed."""
    with np.errstate(divide="ignore"):
        scale = np.where(values > 0, 10.0 ** (np.floor(np.log10(values)) - 1), 1.0)
    # Through text, so that 0.15 is the double of that literal.
    return np.array([float(f"{value:.8g}") for value in np.round(values / scale) * scale])
