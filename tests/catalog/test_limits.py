from __future__ import annotations

import math
from datetime import date
from typing import Any

import pytest

from tenantrank.catalog.limits import LIMITS, refusal, refuse_absurd
from tenantrank.catalog.schema import BY_NAME
from tenantrank.catalog.sources.offers import SourceInfo, SourceOffer, SourceTable


def table_of(**values: Any) -> SourceTable:
    table = SourceTable(SourceInfo("litellm", "litellm@1", "2026-01-01", "given", "MIT"))
    table.add(SourceOffer("x", "m", None, values))
    return table


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("price_in", 3200.0),
        ("price_in", 500.0),
        ("price_in", -0.1),
        ("price_in", math.nan),
        ("price_in", math.inf),
        ("price_in", 1e-9),
        ("price_in", "free"),
        ("price_out", 1200.5),
        ("context", 20_000_000),
        ("context", 99_999_999),
        ("max_output", 0),
        ("context", True),
        ("residency_uplift_eu", 0.9),
        ("release_date", date(1970, 1, 1)),
        ("deprecation_date", date(2999, 1, 1)),
    ],
)
def test_refusal__gives_a_reason(column: str, value: Any) -> None:
    assert refusal(column, value)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("price_in", 150.0),
        ("price_out", 600.0),
        ("price_in", 0.0),
        ("price_in", 0.0023),
        ("context", 10_000_000),
        ("release_date", date(2019, 2, 14)),
        ("model_name", "anything"),
        ("supports_tools", False),
    ],
)
def test_refusal__lets_real_values_pass(column: str, value: Any) -> None:
    assert refusal(column, value) is None


def test_limits__are_about_documented_columns() -> None:
    assert set(LIMITS) <= set(BY_NAME)


def test_refuse_absurd__one_absurd_price_takes_all_prices_of_the_record() -> None:
    table = table_of(price_in=3200.0, price_out=30.0, price_cache_read=0.1, context=8192)
    refuse_absurd(table)
    assert table.offers[0].values == {"context": 8192}
    assert {(r.offer, r.column, r.value) for r in table.refused} == {
        ("x|m", "price_in", 3200.0),
        ("x|m", "price_out", 30.0),
        ("x|m", "price_cache_read", 0.1),
    }
    assert all(r.source == "litellm@1" and r.why for r in table.refused)


def test_refuse_absurd__an_absurd_extra_price_takes_only_itself() -> None:
    table = table_of(price_in=1.0, price_out=2.0, price_cache_write=900.0)
    refuse_absurd(table)
    assert table.offers[0].values == {"price_in": 1.0, "price_out": 2.0}


def test_refuse_absurd__a_long_price_goes_with_its_threshold() -> None:
    table = table_of(price_in=1.0, price_out=2.0, price_in_long=900.0, price_out_long=3.0, long_ctx_threshold=200000)
    refuse_absurd(table)
    assert table.offers[0].values == {"price_in": 1.0, "price_out": 2.0}


def test_refuse_absurd__leaves_an_honest_table_alone() -> None:
    table = table_of(price_in=1.0, price_out=2.0, context=8192)
    refuse_absurd(table)
    assert table.refused == []
    assert table.offers[0].values == {"price_in": 1.0, "price_out": 2.0, "context": 8192}
