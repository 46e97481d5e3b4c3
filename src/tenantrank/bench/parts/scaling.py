"""Part ``scaling``: cost against the number of offers and the number of tenants, on one thread and on two."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tenantrank.bench.alone import AloneError, call_alone
from tenantrank.bench.implementations import C_SCAN, NUMPY, RANKERS, TOGETHER
from tenantrank.bench.parts import many_tenants
from tenantrank.bench.parts.timing import MICRO, time_implementations
from tenantrank.bench.ready import Role
from tenantrank.bench.results import Log, Row
from tenantrank.bench.settings import Settings
from tenantrank.bench.workload import Workload

PART = "scaling"
BY_OFFERS, BY_TENANTS, TABLES = "by offers", "by tenants", "tables of tenants"

_SLICE = 50_000


def measure(settings: Settings, log: Log) -> None:
    """Time over offers up to 100,000, over up to a million policies of one catalog, and over tables of a million."""
    for offers in settings.pick((512, 2048, 8192, 32_768, 100_000), (256, 512)):
        count = settings.pick(3000 if offers <= 8192 else 600, 60)
        work = Workload.make("six shapes", offers, count, settings.seed)
        # Sixty policies say enough of NumPy, which takes long over many offers.
        chosen = [
            replace(each, most=60) if each.name == NUMPY else each for each in (*TOGETHER.values(), RANKERS[C_SCAN])
        ]
        some = [each for each in chosen if each.role != "peer"]
        time_implementations(settings, log, PART, BY_OFFERS, some, work, "µs per policy")
    counts = settings.pick((1000, 10_000, 100_000, 1_000_000), (200, 400))
    slice_ = settings.pick(_SLICE, 150)
    given: dict[str, Any] = {"slice_": slice_, "seed": settings.seed}
    given |= {"repeats": settings.repeats, "least_s": settings.least_s}
    for case, function, more in (
        (BY_TENANTS, "rank_slices", {"counts": counts, "offers": settings.pick(2048, 512)}),
        (TABLES, "rank_tables", {"counts": counts[1:]}),
    ):
        settings.on_step(f"{PART}: {case}, up to {counts[-1]:,}")
        try:
            found = call_alone(many_tenants.__name__, function, **given, **more)
        except AloneError as error:
            log.fail(PART, case, str(error))
            continue
        for why in found["failures"]:
            log.fail(PART, case, why)
        for each in found["rows"]:
            _add(log, case, each, slice_)


def _add(log: Log, case: str, found: dict[str, Any], slice_: int) -> None:
    role: Role = "engine" if found["name"].startswith("engine") else "baseline"
    count = found["count"]
    values = {"min": found["least_s"] * MICRO / count, "median": found["median_s"] * MICRO / count}
    values |= {"seconds": found["least_s"], "peak MB": found["peak_mb"]}
    note = f"in slices of {slice_:,} at most, whose answers are dropped"
    log.add(
        Row(
            PART,
            f"{case}: {count:,} tenants",
            found["name"],
            role,
            "µs per tenant",
            values,
            found["offers"],
            count,
            found["checked"],
            found["repeats"],
            note,
        )
    )
