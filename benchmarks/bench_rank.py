"""Every implementation of the table on the six shapes: nothing is timed that is not checked."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.conftest import FULL
from tenantrank.bench.answers import Answers
from tenantrank.bench.implementations import RANKERS, TOGETHER, check
from tenantrank.bench.optional import AbsentError
from tenantrank.bench.ready import Implementation
from tenantrank.bench.workload import Workload


@pytest.mark.parametrize("name", RANKERS)
def bench_rank(benchmark: Any, work: tuple[Workload, Answers], name: str) -> None:
    measure(benchmark, "rank", RANKERS[name], *work)


@pytest.mark.parametrize("name", TOGETHER)
def bench_all_tenants(benchmark: Any, work: tuple[Workload, Answers], name: str) -> None:
    measure(benchmark, "all tenants", TOGETHER[name], *work)


def measure(benchmark: Any, what: str, implementation: Implementation, work: Workload, expected: Answers) -> None:
    part = work.first(min(implementation.most, FULL[0] if implementation.most > FULL[1] else FULL[1]))
    benchmark.group = f"{what} | {len(work.catalog)} offers"
    benchmark.extra_info["policies"] = len(part.policies)
    try:
        ready = implementation.prepare(part)
    except AbsentError as error:
        pytest.skip(str(error))
    try:
        assert check(implementation, ready, part, expected) is None
        benchmark(ready.run)
    finally:
        ready.close()
