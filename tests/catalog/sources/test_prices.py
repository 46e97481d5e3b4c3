from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenantrank.catalog.sources.prices import per_million


@pytest.mark.parametrize(
    ("listed", "factor", "expected"),
    [
        (1.5e-07, 1_000_000, 0.15),
        (8.25e-08, 1_000_000, 0.0825),
        (0.12499999999999997, 1, 0.125),
        (0.30000000000000004, 1, 0.3),
        (Decimal("2.75"), 1, 2.75),
        (3, 1, 3.0),
        (0, 1, 0.0),
        (-0.0, 1, 0.0),
    ],
)
def test_per_million__gives_the_listed_decimal(listed: float, factor: int, expected: float) -> None:
    assert per_million(listed, factor) == expected


def test_per_million__never_gives_negative_zero() -> None:
    result = per_million(-0.0, 1_000_000)
    assert result is not None
    assert math.copysign(1.0, result) == 1.0


@pytest.mark.parametrize("listed", [None, "free", True, math.nan, math.inf, -math.inf, [1], Decimal("NaN")])
def test_per_million__gives_nothing_for_what_is_no_price(listed: object) -> None:
    assert per_million(listed) is None


@given(st.integers(0, 10**9), st.integers(0, 12))
def test_per_million__is_exact_for_short_decimals(digits: int, places: int) -> None:
    listed = float(Fraction(digits, 10**places))
    assert per_million(listed, 1_000_000) == float(Fraction(digits * 10**6, 10**places))
