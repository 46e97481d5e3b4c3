"""What each Num field of an offer is to policies: the catalog's own value, the live state's, or the field's default.

Source: the language's specification, section 4 (fields) and section 5 (the first version's scorers).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cache
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
_NO_METRICS: Mapping[str, float] = {}
_OF_ENGINE = frozenset({"credits", "*partner"})  # which are worked out in other ways


class Source(NamedTuple):
    """Where a value may come from: observed metrics, or the offer itself."""

    live: bool
    name: str


class Part(NamedTuple):
    """Some offers: their rows, how many they are, and where among them each key of observed metrics stands."""

    rows: Any
    offers: int
    places: list[tuple[str, Sequence[int]]]

    @classmethod
    def whole(cls, index: CatalogIndex, health: Health) -> Part:
        """Give the part that is every offer."""
        return cls(slice(None), index.size, list(zip(health.ema, index.rows_under(health.ema), strict=True)))

    @classmethod
    def under(cls, index: CatalogIndex, keys: Sequence[str]) -> Part:
        """Give the offers under some keys of observed metrics."""
        rows: list[int] = []
        places: list[tuple[str, Sequence[int]]] = []
        for key, found in zip(keys, index.rows_under(keys), strict=True):
            first = len(rows)
            rows += found
            places.append((key, range(first, len(rows))))
        return cls(np.array(rows, dtype=np.intp), len(rows), places)


def column(name: str, index: CatalogIndex, health: Health, version: Version, part: Part) -> Doubles:
    """Give one column as policies of a version see it, (offers of the part,); no NaN, no negative zero."""
    if name == "credits":
        return np.asarray(index.provider_values(health.credits, 0.0, np.float64)[part.rows])
    if name == "*partner":
        codes, names = index.catalog.strings("tier")
        worth = np.array([{"partner": 1.0, "marketplace": 0.5}.get(tier, 0.0) for tier in names] or [0.0])
        return np.asarray(np.where(codes < 0, 0.0, worth[codes])[part.rows])
    known = [
        observed(source.name, health, part) if source.live else index.known(source.name)[part.rows]
        for source in sources_of(name, version)
    ]
    values = first_known(*known, default_of(name, index))
    return clamp01(values) if name == "*quality" else values


def value_at(name: str, index: CatalogIndex, version: Version, row: int, metrics: Mapping[str, float]) -> float:
    """Give what `column` has for one offer, of which these metrics are observed; of `OBSERVED` columns alone."""
    for live, source in sources_of(name, version):
        value = metrics.get(source, math.nan) if live else index.known(source).item(row)
        if value == value:
            break
    else:
        value = default_of(name, index)
    value += 0.0
    return min(max(value, 0.0), 1.0) if name == "*quality" else value


@cache
def sources_of(name: str, version: Version) -> tuple[Source, ...]:
    """Give where the values of a column come from, the first that is known being taken."""
    if version == V2:
        return (Source(False, name), Source(True, name)) if name in _PRICES else (Source(False, name),)
    if name in ("quality", "*quality"):
        return Source(True, "last_quality_eval"), Source(False, "quality_hint")
    if name in STATE_METRIC_V1:
        return (Source(True, STATE_METRIC_V1[name]),)
    return (Source(True, name), Source(False, name)) if name in _PRICES else (Source(False, name),)


def is_offers_own(name: str, version: Version) -> bool:
    """Say whether a column is what the catalog has, or else its default."""
    return name not in _OF_ENGINE and sources_of(name, version) == (Source(False, name),)


def default_of(name: str, index: CatalogIndex) -> float:
    """Give the value of a column where nothing is known."""
    return 0.5 if name == "*quality" else float(index.catalog.fields[name].default)


def observed(metric: str, health: Health, part: Part) -> Doubles:
    """Give a metric of the live state for each offer of a part, NaN where there is none."""
    values = np.full(part.offers, np.nan)
    offers: list[int] = []
    found: list[float] = []
    for key, places in part.places:
        value = health.ema.get(key, _NO_METRICS).get(metric)
        if value is not None:
            offers += places
            found += [value] * len(places)
    values[offers] = found
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
