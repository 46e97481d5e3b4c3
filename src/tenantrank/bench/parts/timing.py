"""Timing implementations of the table against each other: checked first, then in turn, each result a row."""

from __future__ import annotations

from collections.abc import Iterable

from tenantrank.bench.implementations import check, expected_answers, make_ready
from tenantrank.bench.measuring import interleaved
from tenantrank.bench.ready import Implementation
from tenantrank.bench.results import Log, Row
from tenantrank.bench.settings import Settings
from tenantrank.bench.workload import Workload

MICRO = 1e6


def time_implementations(
    settings: Settings, log: Log, part: str, case: str, chosen: Iterable[Implementation], work: Workload, unit: str
) -> None:
    """Check implementations on a workload and time in turn those that agree, in microseconds a policy."""
    table = {each.name: each for each in chosen}
    settings.on_step(f"{part}: {case}, {len(work.catalog):,} offers")
    ready, absent = make_ready(table.values(), work, settings.pick(None, 60))
    for name, why in absent.items():
        log.skip(part, name, why)
    expected = expected_answers(work.first(max((len(own.policies) for _, own in ready.values()), default=0)))
    good = {}
    for name, (each, own) in ready.items():
        wrong = check(table[name], each, own, expected)
        if wrong is None:
            good[name] = each, own
        else:
            log.fail(part, f"{name}, {case}, {len(work.catalog):,} offers", wrong)
            each.close()
    timings = interleaved({name: each.run for name, (each, _) in good.items()}, settings.repeats, settings.least_s)
    for name, (each, own) in good.items():
        each.close()
        count = len(own.policies)
        values = timings[name].values(MICRO / count)
        log.add(
            Row(
                part,
                case,
                name,
                table[name].role,
                unit,
                values,
                len(work.catalog),
                count,
                count,
                settings.repeats,
                table[name].how,
            )
        )
