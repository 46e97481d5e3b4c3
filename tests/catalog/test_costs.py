"""What calls cost: by hand, and offer by offer in plain Python."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tenantrank as tr
from tenantrank.catalog.costs import USUAL, Tokens, expected_costs


def catalog_of(*offers: dict[str, Any]) -> tr.Catalog:
    named = [{"id": f"o{at}", "provider_id": "p", "model_family": "m", **offer} for at, offer in enumerate(offers)]
    return tr.Catalog.from_records(named)


def costs(catalog: tr.Catalog, tokens: Tokens) -> list[float | None]:
    found = expected_costs(catalog, tokens, catalog.numbers("price_in"), catalog.numbers("price_out")).tolist()
    return [None if math.isnan(cost) else cost for cost in found]


def by_hand(offer: dict[str, Any], tokens: Tokens) -> float | None:
    """One offer's cost as the page on costs says it."""
    second = offer.get("price_in_long") is not None or offer.get("price_out_long") is not None
    threshold = offer.get("long_ctx_threshold")
    long = second if threshold is None else tokens.input > threshold
    price_in = offer.get("price_in_long" if long else "price_in")
    price_out = offer.get("price_out_long" if long else "price_out")
    price_cached = price_in if long or offer.get("price_cache_read") is None else offer["price_cache_read"]
    cached = tokens.input * tokens.cached_share
    total = 0.0
    for count, price in ((tokens.input - cached, price_in), (cached, price_cached), (tokens.output, price_out)):
        if count > 0:
            if price is None:
                return None
            total += count * price
    total /= 1e6
    place = tokens.residency
    if place is not None and offer.get("geo") != [place]:
        factor = offer.get(f"residency_uplift_{place}")
        factor = offer.get("regional_endpoint_uplift") if factor is None else factor
        total *= 1.0 if factor is None else factor
    return total


def test_a_call_costs_its_tokens_at_their_prices() -> None:
    catalog = catalog_of({"price_in": 2.0, "price_out": 8.0}, {"price_in": 0.0, "price_out": 0.0})
    assert costs(catalog, Tokens(500_000, 250_000)) == [3.0, 0.0]
    assert costs(catalog, USUAL) == [0.014, 0.0]


def test_an_unknown_price_makes_the_cost_unknown_where_a_token_is_billed_at_it() -> None:
    catalog = catalog_of({"price_in": 2.0}, {"price_out": 8.0}, {})
    assert costs(catalog, Tokens(1_000_000, 1_000_000)) == [None, None, None]
    assert costs(catalog, Tokens(1_000_000, 0)) == [2.0, None, None]
    assert costs(catalog, Tokens(0, 1_000_000)) == [None, 8.0, None]
    assert costs(catalog, Tokens(0, 0)) == [0.0, 0.0, 0.0]


def test_a_discount_for_cached_input_counts_only_where_it_is_stated() -> None:
    catalog = catalog_of(
        {"price_in": 2.0, "price_out": 8.0, "price_cache_read": 0.5}, {"price_in": 2.0, "price_out": 8.0}
    )
    assert costs(catalog, Tokens(1_000_000, 0, cached_share=0.5)) == [1.25, 2.0]
    assert costs(catalog, Tokens(1_000_000, 0, cached_share=1.0)) == [0.5, 2.0]


def test_the_long_prices_hold_above_the_threshold_and_for_cached_input_too() -> None:
    offer = {"price_in": 2.0, "price_out": 8.0, "price_cache_read": 0.5, "long_ctx_threshold": 200_000}
    catalog = catalog_of({**offer, "price_in_long": 4.0, "price_out_long": 12.0}, {**offer, "price_in_long": 4.0})
    assert costs(catalog, Tokens(200_000, 0)) == [0.4, 0.4]
    assert costs(catalog, Tokens(200_001, 1_000_000))[1] is None
    assert costs(catalog, Tokens(250_000, 1_000_000, cached_share=0.5))[0] == 13.0


def test_a_pinned_residency_multiplies_unless_the_offer_processes_nowhere_else() -> None:
    offer = {"price_in": 1.0, "price_out": 1.0}
    catalog = catalog_of(
        {**offer, "residency_uplift_eu": 1.1, "regional_endpoint_uplift": 1.5},
        {**offer, "regional_endpoint_uplift": 1.5},
        {**offer, "regional_endpoint_uplift": 1.5, "geo": ["eu"]},
        {**offer, "regional_endpoint_uplift": 1.5, "geo": ["eu", "us"]},
        offer,
    )
    assert costs(catalog, Tokens(1_000_000, 0, residency="eu")) == [1.1, 1.5, 1.0, 1.5, 1.0]
    assert costs(catalog, Tokens(1_000_000, 0, residency="us-gov")) == [1.5, 1.5, 1.5, 1.5, 1.0]
    assert costs(catalog, Tokens(1_000_000, 0)) == [1.0] * 5


_price = st.none() | st.sampled_from([0.0, 0.1, 2.5]) | st.floats(0, 1e4)
_offers = st.fixed_dictionaries(
    {},
    optional={
        **{f"price_{name}": _price for name in ("in", "out", "cache_read", "in_long", "out_long")},
        "long_ctx_threshold": st.sampled_from([0, 1000, 200_000]),
        "residency_uplift_eu": st.floats(1, 3),
        "regional_endpoint_uplift": st.floats(1, 3),
        "geo": st.sampled_from([["eu"], ["us"], ["eu", "us"]]),
    },
)
_tokens = st.builds(
    Tokens,
    st.sampled_from([0, 1, 1000, 1001]) | st.floats(0, 1e9),
    st.sampled_from([0, 1, 500]) | st.floats(0, 1e9),
    st.sampled_from([0.0, 1.0, 0.25]) | st.floats(0, 1),
    st.sampled_from([None, "eu", "us", "apac"]),
)


@given(st.lists(_offers, min_size=1, max_size=6), _tokens)
def test_costs_are_those_of_each_offer_alone(offers: list[dict[str, Any]], tokens: Tokens) -> None:
    catalog = catalog_of(*offers)
    assert costs(catalog, tokens) == [by_hand(offer, tokens) for offer in offers]
    price_in, price_out = catalog.numbers("price_in"), catalog.numbers("price_out")
    last = [len(offers) - 1]
    one = expected_costs(catalog, tokens, price_in[last], price_out[last], last)
    assert np.array_equal(one, expected_costs(catalog, tokens, price_in, price_out)[last], equal_nan=True)


def test_costs_beyond_the_doubles_are_unknown() -> None:
    assert costs(catalog_of({"price_in": 1e308, "price_out": 1.0}), Tokens(1e15, 1)) == [None]


def test_a_field_of_another_sort_states_no_price() -> None:
    catalog = tr.Catalog.from_records(
        [{"id": "o", "provider_id": "p", "model_family": "m", "price_in": 2.0, "price_out": 8.0}],
        {"price_cache_read": {"sort": "Bool", "default": False}},
    )
    assert costs(catalog, Tokens(1_000_000, 0, cached_share=1.0)) == [2.0]


@pytest.mark.parametrize(
    ("given_tokens", "wanted"),
    [
        ((-1, 0), "input must be a number of tokens"),
        ((0, math.nan), "output must be a number of tokens"),
        ((0, 2e15), "output must be a number of tokens"),
        ((True, 0), "input must be a number of tokens"),
        ((0, 0, 1.5), "cached_share must be a share from 0 to 1"),
        ((0, 0, 0.0, "europe"), "residency must be one of africa, "),
    ],
    ids=["negative", "nan", "many", "bool", "share", "place"],
)
def test_tokens_that_are_none_are_refused(given_tokens: tuple[Any, ...], wanted: str) -> None:
    with pytest.raises(tr.RequestError, match=wanted):
        Tokens(*given_tokens)
