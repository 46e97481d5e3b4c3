"""Part ``rank``: what one policy costs, in a batch and in a call of its own, beside every other way to rank."""

from __future__ import annotations

from collections.abc import Callable

from tenantrank.bench.answers import difference
from tenantrank.bench.implementations import BATCH, C_SCAN, NUMPY, RANKERS, expected_answers
from tenantrank.bench.measuring import interleaved
from tenantrank.bench.optional import AbsentError
from tenantrank.bench.parts import single_calls
from tenantrank.bench.parts.timing import MICRO, time_implementations
from tenantrank.bench.peers import numpy_columns
from tenantrank.bench.ready import Role
from tenantrank.bench.results import Log, Row
from tenantrank.bench.settings import Settings
from tenantrank.bench.workload import K, Workload
from tenantrank.engine import Engine

PART = "rank"
UNIT = "µs per policy"
FIRST_TIME = "engine, batch, first time"


def measure(settings: Settings, log: Log) -> None:
    """Time all on the six shapes, engine and baselines on each kind of shape, distinct policies, and single calls."""
    baselines = [each for each in RANKERS.values() if each.role != "peer"]
    for offers in settings.sizes:
        for mix in ("six shapes", "monotone", "blends"):
            work = Workload.make(mix, offers, settings.pick(6000, 60), settings.seed)
            chosen = list(RANKERS.values()) if mix == "six shapes" else baselines
            time_implementations(settings, log, PART, mix, chosen, work, UNIT)
    _distinct(settings, log)
    single_calls.measure(settings, log)


def _distinct(settings: Settings, log: Log) -> None:
    """Time a hundred thousand policies of which no two are equal: met for the first time, and again."""
    offers, count = settings.pick((2048, 100_000), (512, 300))
    settings.on_step(f"{PART}: {count:,} distinct policies, {offers:,} offers")
    work = Workload.make("distinct", offers, count, settings.seed)
    some = work.first(600)
    expected = expected_answers(some)
    ready = {BATCH: RANKERS[BATCH].prepare(work), NUMPY: numpy_columns.prepare(some)}
    try:
        ready[C_SCAN] = RANKERS[C_SCAN].prepare(work)
    except AbsentError as error:
        log.skip(PART, C_SCAN, str(error))
    runs: dict[str, Callable[[], object]] = {}
    for name, each in ready.items():
        wrong = difference(each.answers().first(len(expected), K), expected)
        if wrong is None:
            runs[name] = each.run
        else:
            log.fail(PART, f"{name}, distinct policies", wrong)
    if BATCH in runs:
        runs[FIRST_TIME] = lambda: Engine(work.catalog, threads=1).rank_rows(work.policies, k=K)
    repeats = settings.pick(3, 1)
    timings = interleaved(runs, repeats, 0.0)
    for name in runs:
        policies = len(some.policies) if name == NUMPY else count
        values = timings[name].values(MICRO / policies)
        role: Role = "engine" if name in (BATCH, FIRST_TIME) else "baseline"
        note = "a new engine, which lowers every policy; they were admitted beforehand" if name == FIRST_TIME else ""
        log.add(Row(PART, "distinct", name, role, UNIT, values, offers, policies, len(some.policies), repeats, note))
