"""Numbers as a page says them."""

from __future__ import annotations

import math


def usd(value: float | None) -> str:
    """Say an amount of dollars: three digits that count below 1, cents above, whole dollars from 1,000 on."""
    if value is None or not math.isfinite(value):
        return "unknown"
    size, sign = abs(value), "−" if value < 0 else ""
    if size == 0:
        return "$0"
    if size >= 999.995:
        return f"{sign}${size:,.0f}"
    return f"{sign}${size:.2f}" if size >= 0.9995 else f"{sign}${_three(size)}"


def number(value: float | None) -> str:
    """Say an observed value with at most three digits that count behind the point."""
    return "unknown" if value is None or not math.isfinite(value) else f"{value:,.3f}".rstrip("0").rstrip(".")


def share(part: int, whole: int) -> str:
    """Say a part in percent of a whole; what is some but rounds to none or all is said to be so."""
    if not whole:
        return "0 %"
    percent = 100 * part / whole
    if 0 < percent < 0.5:
        return "under 1 %"
    return "over 99 %" if 99.5 <= percent < 100 else f"{percent:.0f} %"


def counted(count: int, one: str, many: str | None = None) -> str:
    """Say how many there are of something, ``many`` being ``one`` with an s unless given."""
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"


def _three(value: float) -> str:
    places = min(12, 2 - math.floor(math.log10(value)))
    return f"{value:.{places}f}"
