"""Part ``tenants``: the main job, a table of tenants in and a table of rankings out, with the memory it takes."""

from __future__ import annotations

from collections import Counter
from time import perf_counter
from typing import Any

from tenantrank.bench.alone import AloneError, call_alone, peak_mb
from tenantrank.bench.measuring import interleaved
from tenantrank.bench.optional import AbsentError
from tenantrank.bench.parts.timing import MICRO
from tenantrank.bench.results import Log, Row
from tenantrank.bench.sample import sample_catalog, sample_rulebook, sample_tenants
from tenantrank.bench.settings import Settings
from tenantrank.bench.workload import K
from tenantrank.bench.yardstick import YARDSTICK, yardstick
from tenantrank.engine import Engine

PART = "tenants"


def measure(settings: Settings, log: Log) -> None:
    """Time the sample's proportions, and every tenant with a policy of its own; each in a process of its own."""
    count = settings.pick(100_000, 500)
    try:
        sample_rulebook()
    except AbsentError as error:
        log.skip(PART, "rank_tenants", str(error))
        return
    for distinct in (False, True):
        case = f"{count:,} tenants, " + ("every policy its own" if distinct else "the sample's proportions")
        settings.on_step(f"{PART}: {case}")
        try:
            found = call_alone(__name__, "job", count=count, seed=settings.seed, distinct=distinct)
        except AloneError as error:
            log.fail(PART, case, str(error))
            continue
        if found["rows"] != count or found["errors"]:
            log.fail(PART, case, f"{found['rows']} rows, {found['errors']} refused: {found['statuses']}")
            continue
        _add(log, case, found, count)


def _add(log: Log, case: str, found: dict[str, Any], count: int) -> None:
    offers = found["offers"]
    note = f"{found['policies']:,} distinct policies; compiled, ranked, explained where no offer is left"
    for suffix, seconds in (("", found["first_s"]), (", again", found["again_s"])):
        rows = (("engine", "engine", seconds), (YARDSTICK, "baseline", found["yardstick_s"]))
        for name, role, took in rows:
            values = {"value": took * MICRO / count, "seconds": took}
            kind: Any = role
            log.add(Row(PART, case + suffix, name, kind, "µs per tenant", values, offers, count, count, 1, note))
    memory = {"value": found["peak_mb"], "before the table": found["before_mb"], "result": found["result_mb"]}
    log.add(Row(PART, f"{case}, peak memory", "engine", "engine", "MB", memory, offers, count, count, 1, note))


def job(count: int, seed: int, distinct: bool) -> dict[str, Any]:
    """Rank a table of tenants, twice, and say what it took; run by `call_alone`."""
    engine, rulebook = Engine(sample_catalog()), sample_rulebook()
    engine.rank_tenants(rulebook, sample_tenants(50, seed + 1), k=K)  # compiles or loads the kernels
    table = sample_tenants(count, seed, distinct)
    before = peak_mb()
    times = []
    for _ in range(2):
        started = perf_counter()
        ranked = engine.rank_tenants(rulebook, table, k=K)
        times.append(perf_counter() - started)
    statuses = Counter(ranked["status"].to_pylist())
    measure_of_work = interleaved({YARDSTICK: yardstick()}, 9)[YARDSTICK].least
    return {
        "rows": ranked.num_rows,
        "errors": statuses.get("error", 0),
        "statuses": dict(statuses),
        "policies": len(ranked["identity"].combine_chunks().dictionary),
        "offers": len(engine.catalog),
        "first_s": times[0],
        "again_s": times[1],
        "yardstick_s": measure_of_work,
        "before_mb": before,
        "peak_mb": peak_mb(),
        "result_mb": ranked.nbytes / 2**20,
    }
