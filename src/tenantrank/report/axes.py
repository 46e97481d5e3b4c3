"""The axes of price against quality: where a value is, and the lines and numbers that say so."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from tenantrank.report.markup import text

LEFT, RIGHT, LANE = 9.0, 97.5, 12.0
"""In percent of the width: where the axis begins and ends, and the lane of costs of 0."""
TOP, BOTTOM = 34.0, 372.0
"""In pixels: where the axis of quality ends and begins."""

_LABELS = 6  # on the axis of costs

Doubles = NDArray[np.float64]


class Across:
    """The axis of costs: a log scale over those above 0, and a lane left of it where there are costs of 0."""

    def __init__(self, costs: Doubles) -> None:
        above = costs[costs > 0]
        self._zero = bool((costs == 0).any())
        self._left = LANE + 9.0 if self._zero else LEFT + 1.0
        low, high = (float(above.min()), float(above.max())) if len(above) else (0.1, 10.0)
        self._low, self._high = math.log10(_step(low, -1)), math.log10(_step(high, 1))
        if self._high - self._low < 0.5:
            self._low, self._high = self._low - 0.5, self._high + 0.5

    def places(self, costs: Doubles) -> Doubles:
        """Give where costs are, in percent of the width."""
        with np.errstate(divide="ignore"):
            part = (np.log10(costs) - self._low) / (self._high - self._low)
        return np.where(costs > 0, self._left + part * (RIGHT - self._left), LANE)

    def axis(self) -> str:
        """Draw the axis, its lines and what they stand for."""
        lines = [f'<line class="edge" x1="{LEFT:g}%" x2="100%" y1="{BOTTOM:g}" y2="{BOTTOM:g}"/>']
        for value in _decades(self._low, self._high):
            place = float(self.places(np.array([value]))[0])
            at = f"{place:.2f}%"
            lines.append(f'<line class="grid" x1="{at}" x2="{at}" y1="{TOP:g}" y2="{BOTTOM:g}"/>')
            lines.append(_tick(at, BOTTOM + 18, f"${value:,.12g}", "end" if place > 94 else "middle"))
        if self._zero:
            cut = f"{(LANE + self._left - 3) / 2:g}%"
            lines.append(f'<line class="lane" x1="{cut}" x2="{cut}" y1="{TOP:g}" y2="{BOTTOM:g}"/>')
            lines.append(_tick(f"{LANE:g}%", BOTTOM + 18, "$0", "middle"))
        lines.append(
            f'<text class="axis" x="100%" y="{BOTTOM + 40:g}" text-anchor="end">USD per 1M tokens, log scale →</text>'
        )
        return "".join(lines)


class Up:
    """The axis of quality: even steps that hold every value."""

    def __init__(self, qualities: Doubles) -> None:
        low, high = float(qualities.min()), float(qualities.max())
        span = high - low or abs(high) or 1.0
        self._by = next(
            step
            for step in (factor * 10.0 ** math.floor(math.log10(span / 5)) for factor in (1, 2, 2.5, 5, 10))
            if span / step <= 5
        )
        self._low = math.floor(low / self._by + 1e-9) * self._by
        self._high = max(math.ceil(high / self._by - 1e-9) * self._by, self._low + self._by)

    def places(self, qualities: Doubles) -> Doubles:
        """Give where qualities are, in pixels from the top."""
        return np.asarray(BOTTOM - (qualities - self._low) / (self._high - self._low) * (BOTTOM - TOP))

    def axis(self, field: str) -> str:
        """Draw the axis, its lines and what they stand for, under the field's name."""
        lines = [f'<text class="axis" x="0" y="14">↑ {text(field, 40)}</text>']
        for at in range(round((self._high - self._low) / self._by) + 1):
            value = self._low + at * self._by
            y = float(self.places(np.array([value]))[0])
            lines.append(f'<line class="grid" x1="{LEFT:g}%" x2="100%" y1="{y:.1f}" y2="{y:.1f}"/>')
            lines.append(_tick(f"{LEFT - 1:g}%", y + 4, f"{value:.6g}", "end"))
        return "".join(lines)


def _tick(x: str, y: float, words: str, anchor: str) -> str:
    return f'<text class="tick" x="{x}" y="{y:g}" text-anchor="{anchor}">{words}</text>'


def _step(value: float, direction: int) -> float:
    """Give the nearest of 1, 2 and 5 times a power of ten, below or above."""
    power = 10.0 ** math.floor(math.log10(value))
    steps = [factor * power for factor in (1, 2, 5, 10)]
    return (
        max(s for s in steps if s <= value * (1 + 1e-9))
        if direction < 0
        else min(s for s in steps if s >= value * (1 - 1e-9))
    )


def _decades(low: float, high: float) -> list[float]:
    """Give the powers of ten of a log scale, or 1, 2 and 5 times them where there would be few."""
    factors = (1,) if high - low >= 2 else (1, 2, 5)
    powers = range(math.floor(low), math.ceil(high) + 1)
    values = [factor * 10.0**power for power in powers for factor in factors]
    shown = [value for value in values if low - 1e-9 <= math.log10(value) <= high + 1e-9]
    return shown[:: max(1, -(-len(shown) // _LABELS))] if factors == (1,) else shown
