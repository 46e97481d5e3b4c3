from __future__ import annotations

from tenantrank.catalog.precedence import PRECEDENCE, PRICE_EXTRAS, PRICE_PAIR, SOURCES
from tenantrank.catalog.schema import BY_NAME


def test_precedence__names_documented_columns_and_known_sources_once() -> None:
    for column, order in PRECEDENCE.items():
        assert column in BY_NAME
        assert order
        assert set(order) <= set(SOURCES)
        assert len(set(order)) == len(order)


def test_precedence__all_prices_share_one_order() -> None:
    assert len({PRECEDENCE[column] for column in (*PRICE_PAIR, *PRICE_EXTRAS)}) == 1


def test_precedence__covers_every_price_and_capability_of_the_schema_that_a_source_states() -> None:
    priced = {name for name in BY_NAME if name.startswith("price_")} - {"price_zero_listed"}
    capable = {name for name in BY_NAME if name.startswith("supports_")} - {"supports_seed"}
    assert priced | capable <= set(PRECEDENCE)
