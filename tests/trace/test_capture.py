"""Capturing: equal things once, and with each record the snapshots that its replay needs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import tenantrank as tr
from tenantrank.trace.capture import Capture
from tenantrank.trace.forms import health_id
from tenantrank.trace.record import About
from tests.engine.samples import ABC, policy_of
from tests.trace.decided import STATE, small_catalog, small_rulebook


def test_capture__gives_the_snapshots_that_a_record_names(tmp_path: Path) -> None:
    book = small_rulebook(tmp_path)
    compiled = book.compile(STATE, "t2")
    engine = tr.Engine(small_catalog(), {"credits": {"a": 2.0}})
    record, snapshots = Capture("1").decision(engine.rank(compiled), About("tr_1"), compiled, book)
    made = {(kind, name): make() for kind, name, make in snapshots}

    assert list(made) == [
        ("catalog", record["catalog_id"]),
        ("health", record["health_id"]),
        ("rulebook", book.rulebook_id),
    ]
    assert health_id(made["health", record["health_id"]]) == record["health_id"]
    rules = json.loads(made["rulebook", book.rulebook_id])
    assert tr.Rulebook.from_value(rules).rulebook_id == book.rulebook_id


def test_capture__counts_clauses_once_for_equal_policies_and_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    engine, capture = tr.Engine(ABC), Capture("1")
    policy = policy_of(ABC, ["is", "region_eu"])
    decisions = [engine.rank(policy, request, seed) for request in (None, {"scope": "s"}) for seed in range(3)]
    # What scorers alone look at does not change what a filter turns away.
    decisions.append(engine.rank(policy, {"scope": "s", "requirements": {"estimated_input_tokens": 9}}, 3))
    asked: list[object] = []
    plain = tr.Engine.rejections

    def counted(*arguments: object) -> object:
        asked.append(arguments)
        return plain(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(tr.Engine, "rejections", counted)
    records = [capture.decision(decision, About(f"tr_{at}"))[0] for at, decision in enumerate(decisions)]

    assert len(asked) == 2
    assert [record["seed"] for record in records] == [0, 1, 2, 0, 1, 2, 3]


def test_capture__engines_under_another_health_are_told_apart() -> None:
    capture, engine = Capture("1"), tr.Engine(ABC)
    policy = policy_of(ABC, ["not", ["is", "disabled"]])
    first = capture.decision(engine.rank(policy), About("tr_1"))[0]
    second = capture.decision(engine.with_health({"disabled": {"q": 1}}).rank(policy), About("tr_2"))[0]

    assert first["health_id"] != second["health_id"]
    assert (first["survivors"], second["survivors"]) == (4, 2)
    assert first["rejections"] != second["rejections"]
