"""Prices in one unit: USD per 1M tokens, free of the noise that binary fractions leave."""

from __future__ import annotations

from decimal import Context, Decimal, InvalidOperation
from typing import Any

_TWELVE = Context(prec=12)


def per_million(value: Any, factor: int = 1) -> float | None:
    """Convert a listed price to USD per 1M tokens.

    The shortest decimal that reads back as the listed number is multiplied exactly and rounded to 12 significant
    digits, half to even: 1.5e-07 a token gives 0.15, not 0.15000000000000002.

    Parameters
    ----------
    value
        the listed number; anything else (a string such as ``"free"``, a bool, NaN, infinity) gives ``None``
    factor
        1 for a price per million tokens, 1,000,000 for a price per token
    """
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return None
    try:
        exact = value if isinstance(value, Decimal) else Decimal(repr(value))
        if not exact.is_finite():
            return None
        return float(_TWELVE.multiply(exact, Decimal(factor))) + 0.0
    except InvalidOperation:
        return None
