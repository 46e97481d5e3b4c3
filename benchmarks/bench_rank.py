"""Ranking many policies: the engine in batch and one by one, against NumPy and the reference evaluator.

``pytest benchmarks`` runs each once and checks it; ``pytest benchmarks --benchmark-enable`` measures.
"""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.implementations import IMPLEMENTATIONS, Workload, workload
from tenantrank_kernels import JIT_DISABLED

SIZES = [(512, 60)] if JIT_DISABLED else [(512, 60), (2048, 60)]


@pytest.fixture(scope="module", params=SIZES, ids=lambda size: f"{size[0]} offers, {size[1]} policies")
def load(request: pytest.FixtureRequest) -> Workload:
    return workload(*request.param)


@pytest.fixture(scope="module")
def expected(load: Workload) -> list[list[str]]:
    return IMPLEMENTATIONS["pure python reference"](load)()


@pytest.mark.parametrize("name", IMPLEMENTATIONS)
def bench_rank(benchmark: Any, load: Workload, expected: list[list[str]], name: str) -> None:
    benchmark.group = f"rank | {len(load.records)} offers, {len(load.policies)} policies"
    run = IMPLEMENTATIONS[name](load)
    assert run() == expected
    assert any(expected)
    benchmark(run)
