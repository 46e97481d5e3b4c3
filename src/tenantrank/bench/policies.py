"""The policies that are ranked: six shapes that B2B products have, with seeded constants.

Every shape has a ceiling on each field that it ranks by and whose unknown value is infinite, so that no survivor has an
infinite value there. Without that guard all known prices tie, which is both a poor policy and a flattering one to time.
The weights of a blend are drawn from bands that do not overlap, so that the normal form of every policy of one shape
has its parts in the same order, and one query can serve a whole shape.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from types import MappingProxyType
from typing import Any

from tenantrank.bench.offers import PROVIDERS
from tenantrank.policy.builder import Pred, Score, blend, cheapest, f, has, highest, is_, lowest, policy, provider

Term = list[Any]

_HIGH, _MIDDLE, _LOW = (0.5, 0.69), (0.3, 0.49), (0.1, 0.29)


class Draws:
    """Constants of one policy after the other.

    ``exact`` leaves drawn reals as they are, so that hardly any two policies are equal; otherwise they have the few
    digits that people write.
    """

    def __init__(self, seed: int, exact: bool) -> None:
        self._random = random.Random(seed).random
        self._exact = exact

    def between(self, ends: tuple[float, float], digits: int = 2) -> float:
        """Draw a real from a range."""
        low, high = ends
        value = low + (high - low) * self._random()
        return value if self._exact else round(value, digits)

    def providers(self, least: int, most: int) -> list[str]:
        """Draw distinct providers, the larger ones more often."""
        count = least + int((most - least + 1) * self._random())
        names: list[str] = []
        while len(names) < count:
            name = PROVIDERS[int(len(PROVIDERS) * self._random() ** 2)]
            if name not in names:
                names.append(name)
        return names


def _free(draw: Draws) -> tuple[Pred, Score]:
    """Rank the cheapest over a quality floor."""
    floor = f.bench_intelligence >= draw.between((0.2, 0.6))
    return floor & (f.price_out <= draw.between((1.0, 8.0))), cheapest("price_out")


def _enterprise(draw: Draws) -> tuple[Pred, Score]:
    """Rank a contract's providers under a price ceiling, the cheapest first."""
    agreed = provider.is_in(*draw.providers(3, 8))
    return agreed & (f.price_in <= draw.between((2.0, 20.0))), cheapest("price_in")


def _eu(draw: Draws) -> tuple[Pred, Score]:
    """Rank what is processed in the EU, the fastest first."""
    affordable = f.price_out <= draw.between((4.0, 40.0))
    return is_("region_eu") & affordable & (f.latency_ms <= draw.between((800.0, 3000.0), 0)), lowest("latency_ms")


def _regulated(draw: Draws) -> tuple[Pred, Score]:
    """Rank what keeps no logs, not with these providers, the best first."""
    allowed = is_("no_log") & provider.not_in(*draw.providers(2, 5))
    return allowed & (f.price_out <= draw.between((5.0, 60.0))), highest("bench_coding")


def _premium(draw: Draws) -> tuple[Pred, Score]:
    """Rank by quality mostly, and a little by price."""
    able = has("supports_tools") & (f.context >= draw.between((16_000.0, 120_000.0), 0))
    guard = f.price_out <= draw.between((20.0, 80.0))
    weights = {
        "bench_intelligence": draw.between(_HIGH),
        "bench_coding": draw.between(_MIDDLE),
        "price_out": -draw.between(_LOW),
    }
    return able & guard, blend(weights)


def _mixed(draw: Draws) -> tuple[Pred, Score]:
    """Rank under several clauses, one of them an or, by quality, speed and price together."""
    place = is_("region_eu") | is_("region_us") | is_("open_weights")
    able = has("supports_json_mode") & (f.success_rate >= draw.between((0.93, 0.98), 3))
    guard = (f.price_in <= draw.between((3.0, 30.0))) & (f.price_out <= draw.between((6.0, 60.0)))
    weights = {
        "bench_coding": draw.between(_HIGH),
        "tok_s": draw.between(_MIDDLE),
        "price_in": -draw.between(_LOW),
    }
    return place & able & guard & provider.not_in(*draw.providers(2, 3)), blend(weights)


Shape = Callable[[Draws], tuple[Pred, Score]]

SHAPES: MappingProxyType[str, Shape] = MappingProxyType(
    {
        "free": _free,
        "enterprise": _enterprise,
        "eu": _eu,
        "regulated": _regulated,
        "premium": _premium,
        "mixed": _mixed,
    }
)
"""The six shapes by name."""

MIXES: MappingProxyType[str, tuple[str, ...]] = MappingProxyType(
    {
        "six shapes": tuple(SHAPES),
        "monotone": ("free", "enterprise", "eu", "regulated"),
        "blends": ("premium", "mixed"),
        "distinct": tuple(SHAPES),
    }
)
"""Shapes interleaved in equal parts; ``distinct`` has random reals as constants, so that no two policies are equal."""


def terms(mix: str, seed: int) -> Iterator[Term]:
    """Give the terms of a mix one after the other, without end.

    Parameters
    ----------
    mix
        a name of `MIXES`, or of one shape
    seed
        decides every constant

    Raises
    ------
    ValueError
        for a mix that is not known
    """
    names = MIXES.get(mix, (mix,))
    if not SHAPES.keys() >= set(names):
        raise ValueError(f"no mix is called {mix!r}; there are {', '.join([*MIXES, *SHAPES])}")
    draws = Draws(seed, exact=mix == "distinct")
    while True:
        for name in names:
            yield policy(*SHAPES[name](draws))
