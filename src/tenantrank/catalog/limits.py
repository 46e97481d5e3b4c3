"""What a source's value may be: anything outside is refused, reported, and left unknown."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType
from typing import Any

from tenantrank.catalog.sources.offers import Refusal, SourceTable


@dataclass(frozen=True, slots=True)
class Limit:
    """Bounds of a number, both included."""

    low: float
    high: float
    unit: str


_PRICE_IN = Limit(0.0, 300.0, "USD per 1M tokens")
_PRICE_OUT = Limit(0.0, 1200.0, "USD per 1M tokens")
_TOKENS = Limit(1, 16_000_000, "tokens")
_FACTOR = Limit(1.0, 3.0, "factor")

LIMITS: Mapping[str, Limit] = MappingProxyType(
    {
        "price_in": _PRICE_IN,
        "price_in_batch": _PRICE_IN,
        "price_in_long": _PRICE_IN,
        "price_cache_read": _PRICE_IN,
        "price_cache_write": _PRICE_IN,
        "price_audio_in": _PRICE_IN,
        "price_out": _PRICE_OUT,
        "price_out_batch": _PRICE_OUT,
        "price_out_long": _PRICE_OUT,
        "price_reasoning": _PRICE_OUT,
        "price_audio_out": _PRICE_OUT,
        "context": _TOKENS,
        "max_input": _TOKENS,
        "max_output": _TOKENS,
        "long_ctx_threshold": _TOKENS,
        "residency_uplift_eu": _FACTOR,
        "residency_uplift_us": _FACTOR,
        "regional_endpoint_uplift": _FACTOR,
    }
)
"""Bounds by column.

Prices end at twice the dearest published list price of a text model (150 in, 600 out). Token counts end above the
largest published window (10 million) and below the placeholders that sources use (20 million and 99,999,999).
"""

SMALLEST_PRICE = 1e-4
"""A price above 0 and below this was entered in another unit."""

EARLIEST = date(2018, 1, 1)
"""No text model in a catalog was released before, nor announced an end."""
LATEST = date(2040, 1, 1)
"""No announced date lies beyond."""


def refusal(column: str, value: Any) -> str | None:
    """Say why a value cannot be right, or give ``None`` where nothing speaks against it."""
    limit = LIMITS.get(column)
    if limit is not None:
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            return "not a finite number"
        if not limit.low <= value <= limit.high:
            return f"outside {limit.low:g} to {limit.high:g} {limit.unit}"
        if limit.unit.startswith("USD") and 0 < value < SMALLEST_PRICE:
            return f"above 0 but below {SMALLEST_PRICE:g} {limit.unit}"
    if isinstance(value, date) and not EARLIEST <= value <= LATEST:
        return f"outside {EARLIEST} to {LATEST}"
    return None


def refuse_absurd(table: SourceTable) -> None:
    """Take absurd values out of a source's offers and list them in its ``refused``.

    A record whose input or output price is refused loses all its prices: they were entered in one unit.
    """
    for offer in table.offers:
        name = "|".join(part for part in (offer.provider_id, offer.wire_model_id, offer.region_key) if part)
        bad = {column: why for column, value in offer.values.items() if (why := refusal(column, value))}
        if "price_in" in bad or "price_out" in bad:
            for column in offer.values:
                if column.startswith("price_"):
                    bad.setdefault(column, "listed beside a price that is refused")
        for column, why in bad.items():
            table.refused.append(Refusal(name, column, offer.values.pop(column), table.info.origin, why))
        if "price_in_long" in bad or "price_out_long" in bad:
            for column in ("price_in_long", "price_out_long", "long_ctx_threshold"):
                offer.values.pop(column, None)
