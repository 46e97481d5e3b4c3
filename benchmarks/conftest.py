"""How large the work is: small where benchmarks are disabled and only answers count."""

from __future__ import annotations

from functools import cache

import pytest

from tenantrank.bench.answers import Answers
from tenantrank.bench.implementations import expected_answers
from tenantrank.bench.workload import Workload

SMALL, FULL = (128, 24), (600, 60)
"""Offers and policies of a smoke test; most policies of a benchmark, of the engine and of others."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "offers" in metafunc.fixturenames:
        sizes = (512, 2048, 8192) if measuring(metafunc.config) else (SMALL[0],)
        metafunc.parametrize("offers", sizes, ids=lambda size: f"{size} offers", scope="module")


def measuring(config: pytest.Config) -> bool:
    return bool(config.getoption("benchmark_enable")) or bool(config.getoption("benchmark_only"))


@cache
def work_of(mix: str, offers: int, policies: int) -> tuple[Workload, Answers]:
    """Give a workload with the answers expected, made once."""
    work = Workload.make(mix, offers, policies)
    return work, expected_answers(work)


@pytest.fixture(scope="module")
def work(request: pytest.FixtureRequest, offers: int) -> tuple[Workload, Answers]:
    """The six shapes over so many offers, with the answers expected."""
    return work_of("six shapes", offers, FULL[0] if measuring(request.config) else SMALL[1])
