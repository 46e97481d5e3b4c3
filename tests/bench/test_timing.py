"""Implementations of one group: wrong ones are failures without a time, absent ones are left out with a line."""

from __future__ import annotations

import sys
from dataclasses import replace

import pytest

from tenantrank.bench.answers import Answers
from tenantrank.bench.implementations import BATCH, DICTS, NUMPY, RANKERS
from tenantrank.bench.parts.timing import time_implementations
from tenantrank.bench.peers import numpy_columns
from tenantrank.bench.ready import Ready
from tenantrank.bench.results import Log
from tenantrank.bench.settings import Settings
from tenantrank.bench.workload import Workload


def reversed_order(work: Workload) -> Ready:
    ready = numpy_columns.prepare(work)
    return Ready(ready.call, ready.given, lambda results: Answers.of((rows[::-1], scores) for rows, scores in results))


def test_time_implementations__only_what_agrees_is_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "polars", None)
    wrong = replace(RANKERS[NUMPY], name="wrong", prepare=reversed_order)
    few = replace(RANKERS[DICTS], most=6)
    log = Log()
    chosen = [RANKERS[BATCH], RANKERS[NUMPY], few, wrong, RANKERS["Polars, eager"]]
    time_implementations(Settings(quick=True), log, "rank", "six shapes", chosen, Workload.make("free", 64, 12), "µs")

    assert [(row.implementation, row.count, row.checked) for row in log.rows] == [
        (BATCH, 12, 12),
        (NUMPY, 12, 12),
        (DICTS, 6, 6),
    ]
    assert [row.role for row in log.rows] == ["engine", "baseline", "peer"]
    (failure,) = log.failures
    assert failure.what == "wrong, six shapes, 64 offers"
    assert "policies differ" in failure.why
    assert [(each.what, each.why.split(":")[0]) for each in log.skipped] == [
        ("Polars, eager", "polars is not installed")
    ]
