"""What a call would cost at each offer: token estimates times the catalog's prices.

Prices are USD per 1M tokens, costs USD. A price that nobody states makes a cost unknown, unless no token is billed at
it; a price of 0 is 0.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tenantrank.catalog.catalog import Catalog
from tenantrank.catalog.schema import GEOS
from tenantrank.errors import RequestError
from tenantrank.policy.admission import shown
from tenantrank.policy.places import place_name
from tenantrank.policy.signature import Sort

_PER = 1_000_000.0
MOST_TOKENS = 1e15
"""The most tokens that a call is taken to have; beyond it a cost means nothing."""

Doubles = NDArray[np.float64]
Rows = slice | list[int]
EVERY = slice(None)


@dataclass(frozen=True, slots=True)
class Tokens:
    """How many tokens one call takes, and how they are billed.

    Attributes
    ----------
    input, output : tokens, the cached ones among the input
    cached_share : the share of the input that is read from the provider's cache, 0 to 1
    residency : the place that processing is pinned to, one of the catalog's geos; ``None``: not pinned

    Raises
    ------
    RequestError
        for what is not of that shape
    """

    input: float
    output: float
    cached_share: float = 0.0
    residency: str | None = None

    def __post_init__(self) -> None:
        for name, most in (("input", MOST_TOKENS), ("output", MOST_TOKENS), ("cached_share", 1.0)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most:
                wanted = "a share from 0 to 1" if most == 1.0 else "a number of tokens"
                raise RequestError(f"tokens: {name} must be {wanted}, got {shown(value)}")
            object.__setattr__(self, name, float(value) + 0.0)
        check_residency(self.residency, "tokens: residency")

    @classmethod
    def sensible(
        cls, taken: float | None, given: float | None, cached_share: float = 0.0, residency: str | None = None
    ) -> Tokens | None:
        """Give tokens as a request estimates or a provider counts them; ``None`` for numbers that are none."""
        if taken is None or given is None or not (0.0 <= taken <= MOST_TOKENS and 0.0 <= given <= MOST_TOKENS):
            return None
        return cls(taken, given, cached_share, residency)

    @property
    def words(self) -> str:
        """The tokens, as ``3,000 tokens in, 1,000 out``, with what else counts."""
        cached = f", {self.cached_share:.0%} of the input cached" if self.cached_share else ""
        pinned = f", pinned to {self.residency}" if self.residency else ""
        return f"{self.input:,.0f} tokens in, {self.output:,.0f} out{cached}{pinned}"

    @property
    def total(self) -> float:
        """Input and output together."""
        return self.input + self.output


def check_residency(place: object, at: str) -> None:
    """Refuse a place that no catalog knows.

    Raises
    ------
    RequestError
        naming the key ``at``
    """
    if place is not None and place not in GEOS:
        raise RequestError(f"{at} must be one of {', '.join(GEOS)}, got {shown(place)}")


USUAL = Tokens(3_000.0, 1_000.0)
"""Three tokens in for one out: the mix by which offers are compared where nobody says another."""


def expected_costs(
    catalog: Catalog, tokens: Tokens, price_in: Doubles, price_out: Doubles, rows: Rows = EVERY
) -> Doubles:
    """Give what one call costs at some offers, (rows,) USD, NaN where that is unknown.

    Above ``long_ctx_threshold`` input tokens the long prices hold, for the cached ones too: no source states a second
    cache price. Where long prices are stated and no threshold is, they hold throughout. Cached tokens cost
    ``price_cache_read``, and the input price where none is stated: a discount that nobody states is not counted on. A
    pinned residency multiplies by ``residency_uplift_*`` of the place, else by ``regional_endpoint_uplift``, and by
    nothing where neither is stated or the offer processes nowhere else anyway. Writing to a cache, reasoning, audio and
    batch prices are not counted.

    Parameters
    ----------
    catalog
        the offers
    tokens
        what the call takes
    price_in, price_out
        (rows,) as policies see them: an infinity or NaN where unknown
    rows
        which catalog rows; every one unless given
    """
    stated = _Stated(catalog, rows)
    long_in, long_out = stated.numbers("price_in_long"), stated.numbers("price_out_long")
    nowhere = np.where(np.isnan(long_in) & np.isnan(long_out), math.inf, -1.0)
    long = tokens.input > _or(stated.numbers("long_ctx_threshold"), nowhere)
    fresh, out = np.where(long, long_in, price_in), np.where(long, long_out, price_out)
    cached = np.where(long, fresh, _or(stated.numbers("price_cache_read"), fresh))
    read = tokens.input * tokens.cached_share
    with np.errstate(over="ignore", invalid="ignore"):
        cost = _billed(tokens.input - read, fresh) + _billed(read, cached) + _billed(tokens.output, out)
        cost = cost / _PER
        if tokens.residency is not None:
            cost = cost * _uplift(stated, tokens.residency)
    return np.where(np.isfinite(cost), cost, math.nan) + 0.0  # one zero


class _Stated(NamedTuple):
    """What a catalog states of some rows; nothing where its field of that name is of another sort."""

    catalog: Catalog
    rows: Rows

    def numbers(self, name: str) -> Doubles:
        """Give a Num field, NaN where unknown."""
        known = self._is(name, "Num")
        return np.asarray((self.catalog.numbers(name) if known else np.full(len(self.catalog), math.nan))[self.rows])

    def holds(self, name: str) -> NDArray[np.bool_]:
        """Say where a Bool field is known to be true."""
        known = self._is(name, "Bool")
        return np.asarray((self.catalog.flags(name) == 1 if known else np.zeros(len(self.catalog), bool))[self.rows])

    def _is(self, name: str, sort: Sort) -> bool:
        fields = self.catalog.fields
        return name in fields and fields[name].sort == sort


def _billed(count: float, price: Doubles) -> Doubles:
    return count * price if count > 0.0 else np.zeros(len(price))


def _uplift(stated: _Stated, place: str) -> Doubles:
    factor = _or(stated.numbers(f"residency_uplift_{place}"), stated.numbers("regional_endpoint_uplift"))
    only_there = stated.holds(f"region_only_{place_name(place)}")
    return np.where(only_there, 1.0, _or(factor, 1.0))


def _or(values: Doubles, default: Doubles | float) -> Doubles:
    return np.where(np.isnan(values), default, values)
