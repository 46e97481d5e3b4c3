"""Up to a million tenants in slices, in a process of its own: what `tenantrank.bench.parts.scaling` runs there.

Memory stays bounded, since a slice's answers are dropped before the next is ranked; the results say how much was held.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from tenantrank.bench.alone import peak_mb
from tenantrank.bench.implementations import C_SCAN, TOGETHER, check, expected_answers
from tenantrank.bench.measuring import interleaved
from tenantrank.bench.optional import AbsentError
from tenantrank.bench.peers import c_files
from tenantrank.bench.sample import sample_catalog, sample_rulebook, sample_tenants
from tenantrank.bench.workload import K, Workload
from tenantrank.engine import Engine

ONE, TWO = "engine, one thread", "engine, two threads"
THREADS = {ONE: 1, TWO: 2}

_DISTINCT = 10_000
_FEW = 100_000


def rank_slices(
    offers: int, counts: Sequence[int], slice_: int, seed: int, repeats: int, least_s: float
) -> dict[str, Any]:
    """Rank up to a million policies of a synthetic catalog, of which some thousand are distinct."""
    work = Workload.make("six shapes", offers, min(_DISTINCT, max(counts)), seed)
    some = work.first(600)
    expected = expected_answers(some)
    failures = _failures(some, expected)
    distinct = len(work.policies)
    cycled = work.policies * (2 + slice_ // distinct)

    def rank(engine: Engine, first: int, size: int) -> None:
        start = first % distinct
        engine.rank_rows(cycled[start : start + size], k=K)

    engines = {name: Engine(work.catalog, threads=threads) for name, threads in THREADS.items()}
    rows = []
    for count in counts:
        runs: dict[str, Callable[[], object]] = {
            name: partial(_in_turn, partial(rank, engine), count, slice_) for name, engine in engines.items()
        }
        try:
            part = work.first(min(count, _DISTINCT))
            runs[C_SCAN] = partial(_repeated, c_files.batch(C_SCAN)(part).run, max(1, count // _DISTINCT))
        except AbsentError:
            pass  # the first curve has said so
        rows += _timed(runs, count, offers, len(some.policies), repeats, least_s)
    return {"rows": rows, "failures": failures}


def rank_tables(counts: Sequence[int], slice_: int, seed: int, repeats: int, least_s: float) -> dict[str, Any]:
    """Rank tables of up to a million tenants of the sample rulebook over the bundled catalog."""
    try:
        catalog, rulebook = sample_catalog(), sample_rulebook()
    except AbsentError as error:
        return {"rows": [], "failures": [str(error)]}

    def rank(engine: Engine, first: int, size: int) -> Any:
        return engine.rank_tenants(rulebook, sample_tenants(size, seed + first, first=first), k=K)

    engines = {name: Engine(catalog, threads=threads) for name, threads in THREADS.items()}
    failures = []
    for first, size in _spans(max(counts), slice_):
        statuses = rank(engines[TWO], first, size)["status"].to_pylist()
        if len(statuses) != size or "error" in statuses:
            failures.append(f"the slice from tenant {first:,} has rows missing or refused")
    rows = []
    for count in counts:
        runs = {name: partial(_in_turn, partial(rank, engine), count, slice_) for name, engine in engines.items()}
        rows += _timed(runs, count, len(catalog), count, repeats, least_s)
    return {"rows": rows, "failures": failures}


def _failures(some: Workload, expected: Any) -> list[str]:
    """Check everything that `rank_slices` times, as far as it is here."""
    found = []
    for implementation in (TOGETHER[ONE], TOGETHER[TWO], TOGETHER[f"{C_SCAN}, two threads"]):
        try:
            ready = implementation.prepare(some)
        except AbsentError:
            continue
        wrong = check(implementation, ready, some, expected)
        ready.close()
        if wrong is not None:
            found.append(f"{implementation.name}: {wrong}")
    return found


def _spans(count: int, size: int) -> list[tuple[int, int]]:
    return [(first, min(size, count - first)) for first in range(0, count, size)]


def _in_turn(rank: Callable[[int, int], object], count: int, slice_: int) -> None:
    for first, size in _spans(count, slice_):
        rank(first, size)


def _repeated(run: Callable[[], None], times: int) -> None:
    for _ in range(times):
        run()


def _timed(
    runs: Mapping[str, Callable[[], object]], count: int, offers: int, checked: int, repeats: int, least_s: float
) -> list[dict[str, Any]]:
    timings = interleaved(runs, repeats, least_s) if count <= _FEW else interleaved(runs, 1, 0.0)
    peak = peak_mb()
    return [
        {
            "name": name,
            "count": count,
            "offers": offers,
            "least_s": timing.least,
            "median_s": timing.median,
            "repeats": timing.repeats,
            "peak_mb": peak,
            "checked": checked,
        }
        for name, timing in timings.items()
    ]
