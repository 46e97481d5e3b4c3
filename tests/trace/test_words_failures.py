"""What an offer failed, in words: bounds and values of clauses that are not about one field."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import tenantrank as tr
from tenantrank.trace.log import TraceLog
from tenantrank.trace.words import failures_of
from tests.engine.samples import ABC, policy_of
from tests.trace.decided import logging


@pytest.fixture
def log(tmp_path: Path) -> Iterator[TraceLog]:
    with logging(tmp_path) as log:
        yield log


def test_failures_of__lists_of_names_and_needs_have_their_values(log: TraceLog) -> None:
    policy = policy_of(ABC, ["and", ["or", ["provider_eq", "p"], ["provider_eq", "r"]], ["meets_req"]])
    decision = tr.Engine(ABC).rank(policy, {"requirements": {"min_context": 500, "privacy": "no_log"}})
    log.submit(decision, "tr_1").result(120)
    found = failures_of(log.store, log.store.find("tr_1"), "b")

    assert [(failed.reason, failed.bound, failed.observed, failed.source) for failed in found] == [
        ("min_context", "500.0", "", ""),
        ("no_log", "", "", ""),
        ("or", "p, r", "q", ""),
    ]
