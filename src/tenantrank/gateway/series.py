"""Series of numbers by label values, shown to Prometheus when it asks.

The client library's own counters take a lock at every step, for threads that are not there: they cost a request three
times as much as all of this.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import TypeAlias

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

MOST = 1000
"""Series of one family; what would be a further one is counted in one with the value ``other`` for every label."""

Values: TypeAlias = tuple[str | int, ...]


class _Family(Collector):
    def __init__(self, name: str, documentation: str, *labels: str) -> None:
        self._name = f"tenantrank_{name}"
        self._documentation = documentation
        self._labels = labels


class _Numbers(_Family):
    def __init__(self, name: str, documentation: str, *labels: str) -> None:
        super().__init__(name, documentation, *labels)
        self._numbers: dict[Values, float] = {} if labels else {(): 0}

    def add(self, amount: float, *values: str | int) -> None:
        """Add to the number of these label values."""
        numbers = self._numbers
        if values in numbers:
            numbers[values] += amount
        else:
            values = _within(values, len(numbers))
            numbers[values] = numbers.get(values, 0) + amount

    def collect(self) -> Iterator[CounterMetricFamily | GaugeMetricFamily]:
        """Give the family."""
        shown = self._shown()
        for values, number in self._numbers.items():
            shown.add_metric([str(value) for value in values], number)
        yield shown

    def _shown(self) -> CounterMetricFamily | GaugeMetricFamily:
        raise NotImplementedError


class Counters(_Numbers):
    """Numbers that only grow.

    Parameters
    ----------
    name, documentation, labels
        of the family; ``tenantrank_`` comes before the name and ``_total`` after it
    """

    def _shown(self) -> CounterMetricFamily:
        return CounterMetricFamily(self._name, self._documentation, labels=self._labels)


class Gauges(_Numbers):
    """Numbers as they are now; parameters as of `Counters`."""

    def set(self, number: float, *values: str | int) -> None:
        """Set the number of these label values."""
        if values not in self._numbers:
            values = _within(values, len(self._numbers))
        self._numbers[values] = number

    def clear(self) -> None:
        """Set every number to 0."""
        self._numbers = dict.fromkeys(self._numbers, 0)

    def _shown(self) -> GaugeMetricFamily:
        return GaugeMetricFamily(self._name, self._documentation, labels=self._labels)


class Histograms(_Family):
    """How often values fell between bounds.

    Parameters
    ----------
    name, documentation, labels
        as of `Counters`
    bounds
        upper bounds, ascending; a value counts below the first that it does not exceed
    """

    def __init__(self, name: str, documentation: str, bounds: Sequence[float], *labels: str) -> None:
        super().__init__(name, documentation, *labels)
        self._bounds = tuple(bounds)
        self._counts: dict[Values, list[int]] = {}
        self._sums: dict[Values, float] = {}

    def observe(self, value: float, *values: str | int) -> None:
        """Count a value under these label values."""
        counts = self._counts.get(values)
        if counts is None:
            values = _within(values, len(self._counts))
            counts = self._counts.setdefault(values, [0] * (len(self._bounds) + 1))
            self._sums.setdefault(values, 0.0)
        counts[bisect_left(self._bounds, value)] += 1
        self._sums[values] += value

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """Give the family."""
        shown = HistogramMetricFamily(self._name, self._documentation, labels=self._labels)
        for values, counts in self._counts.items():
            buckets, total = [], 0
            for bound, count in zip((*map(str, self._bounds), "+Inf"), counts, strict=True):
                total += count
                buckets.append((bound, float(total)))
            shown.add_metric([str(value) for value in values], buckets, self._sums[values])
        yield shown


def _within(values: Values, series: int) -> Values:
    """Give label values, or those that stand for all beyond the bound."""
    return values if series < MOST else ("other",) * len(values)
