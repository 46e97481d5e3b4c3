"""What each Num field of an offer is to policies: the catalog's own value, the live state's, or the field's default.

Source: the language's specification, section 4 (fields) and section 5 (the first version's scorers).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tenantrank.catalog.health import Health
from tenantrank.engine.index import CatalogIndex
from tenantrank.policy.signature import V1, V2, Version

Doubles = NDArray[np.float64]

STATE_METRIC_V1 = {"latency_ms": "ema_latency_ms", "tok_s": "ema_tok_s", "success_rate": "success_rate_ewma"}
"""The fields that the first version reads from the live state alone, and the metric of each."""
_PRICES = ("price_in", "price_out")
OBSERVED: dict[Version, tuple[str, ...]] = {V1: ("*quality", "quality", *STATE_METRIC_V1, *_PRICES), V2: _PRICES}
"""The columns that observed metrics have a part in."""


class Part(NamedTuple):
    """Some offers: their rows, how many they are, and where among them each key of observed metrics stands."""

    rows: Any
    offers: int
    places: list[tuple[str, Any]]

    @classmethod
    def whole(cls, index: CatalogIndex, health: Health) -> Part:
        """Give the part that is every offer."""
        return cls(slice(None), index.size, [(key, index.rows_by_key.get(key, [])) for key in health.ema])

    @classmethod
    def under(cls, index: CatalogIndex, keys: Sequence[str]) -> Part:
        """Give the offers under some keys of observed metrics."""
        rows: list[int] = []
        places = []
        for key in keys:
            first = len(rows)
            rows += index.rows_by_key.get(key, [])
            places.append((key, slice(first, len(rows))))
        return cls(np.array(rows, dtype=np.intp), len(rows), places)


def column(name: str, index: CatalogIndex, health: Health, version: Version, part: Part) -> Doubles:
    """Give one column as policies of a version see it, (offers of the part,); no NaN, no negative zero."""
    if name == "credits":
        return np.asarray(index.provider_values(health.credits, 0.0, np.float64)[part.rows])
    if name == "*partner":
        codes, names = index.catalog.strings("tier")
        worth = np.array([{"partner": 1.0, "marketplace": 0.5}.get(tier, 0.0) for tier in names] or [0.0])
        return np.asarray(np.where(codes < 0, 0.0, worth[codes])[part.rows])
    if name == "*quality":
        quality = first_known(observed("last_quality_eval", health, part), index.known("quality_hint")[part.rows], 0.5)
        return clamp01(quality)
    default = float(index.catalog.fields[name].default)
    known = index.known(name)[part.rows]
    if version == V1:
        if name == "quality":
            hint = index.known("quality_hint")[part.rows]
            return first_known(observed("last_quality_eval", health, part), hint, default)
        if name in STATE_METRIC_V1:
            return first_known(observed(STATE_METRIC_V1[name], health, part), default)
        if name in _PRICES:
            return first_known(observed(name, health, part), known, default)
    if name in _PRICES:
        return first_known(known, observed(name, health, part), default)
    return first_known(known, default)


def observed(metric: str, health: Health, part: Part) -> Doubles:
    """Give a metric of the live state for each offer of a part, NaN where there is none."""
    values = np.full(part.offers, np.nan)
    for key, places in part.places:
        metrics = health.ema.get(key, {})
        if metric in metrics:
            values[places] = metrics[metric]
    return values


def first_known(*choices: Doubles | float) -> Doubles:
    """Take the first choice that is known, offer by offer; the last is a number."""
    result = np.asarray(choices[0], dtype=np.float64)
    for choice in choices[1:]:
        result = np.where(np.isnan(result), choice, result)
    return result + 0.0


def clamp01(values: Doubles) -> Doubles:
    """Hold values between 0 and 1; NaN stays."""
    return np.where(values < 0.0, 0.0, np.where(values > 1.0, 1.0, values))
