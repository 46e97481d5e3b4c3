"""Measuring: implementations in turn inside one process, and single calls one by one."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median
from time import perf_counter, perf_counter_ns
from typing import Any, TypeVar

import numpy as np

Name = TypeVar("Name")

_MOST_PASSES = 10_000


@dataclass(frozen=True)
class Timing:
    """Seconds a pass took: the least and the median of ``repeats`` measurements of ``passes`` passes each."""

    least: float
    median: float
    repeats: int
    passes: int

    def values(self, scale: float = 1.0) -> dict[str, float]:
        """Give minimum and median times a scale, as a result's values."""
        return {"min": self.least * scale, "median": self.median * scale}


def interleaved(runs: Mapping[Name, Callable[[], object]], repeats: int, least_s: float = 0.02) -> dict[Name, Timing]:
    """Time calls in turn: A, B, A, B and so on, so that a slower spell of the machine falls on all of them.

    Parameters
    ----------
    runs
        what is timed, by name; each is called once beforehand
    repeats
        how many rounds; each starts one name later than the last
    least_s
        how long one measurement takes at least, in seconds: short calls are repeated within it
    """
    passes = {name: _passes(run, least_s) for name, run in runs.items()}
    took: dict[Name, list[float]] = {name: [] for name in runs}
    names = list(runs)
    for round_ in range(repeats):
        gc.collect()
        start = round_ % len(names) if names else 0
        for name in names[start:] + names[:start]:
            took[name].append(_time(runs[name], passes[name]))
    return {name: Timing(min(times), median(times), repeats, passes[name]) for name, times in took.items()}


def _passes(run: Callable[[], object], least_s: float) -> int:
    run()
    once = _time(run, 1)
    return max(1, min(_MOST_PASSES, round(least_s / max(once, 1e-7))))


def _time(run: Callable[[], object], passes: int) -> float:
    with no_collection():
        started = perf_counter()
        for _ in range(passes):
            run()
        return (perf_counter() - started) / passes


@contextmanager
def no_collection() -> Iterator[None]:
    """Collect no garbage within; what there was before is best collected by the caller."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def timed_calls(call: Callable[[Any], Any], given: Sequence[Any], rounds: int = 1) -> list[int]:
    """Time the call with each thing given by itself, in ns, the clock's cost included; the collector stays as it is."""
    clock = perf_counter_ns
    took: list[int] = []
    for _ in range(rounds):
        for each in given:
            started = clock()
            call(each)
            took.append(clock() - started)
    return took


def percentiles(took_ns: Sequence[int]) -> dict[str, float]:
    """Give p50, p99, p99.9 and the greatest of calls' times, in microseconds."""
    found = np.percentile(np.asarray(took_ns, dtype=np.float64) / 1e3, [50, 99, 99.9, 100])
    return dict(zip(("p50", "p99", "p99.9", "max"), map(float, found), strict=True))
