"""Recomputing: in order, each with its own error, whatever the mix of worlds, places and records."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import tenantrank as tr
from tenantrank.errors import TraceError
from tenantrank.trace import recompute
from tenantrank.trace.log import TraceLog
from tenantrank.trace.recompute import Answer, Recorded, decisions_of, recomputed
from tenantrank.trace.restore import Restored
from tests.engine.samples import ABC, catalog_of, offer, policy_of
from tests.trace.decided import decisions, logging

MANY = catalog_of(*(offer(f"o{at}", price_out=float(at % 7)) for at in range(100)))


@pytest.fixture
def log(tmp_path: Path) -> Iterator[TraceLog]:
    with logging(tmp_path) as log:
        yield log


def test_recomputed__answers_come_in_order_with_what_they_are_made_of(
    log: TraceLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recompute, "_BLOCK", 7)
    monkeypatch.setattr(recompute, "_PLACES", 300)
    engine = tr.Engine(MANY)
    policy = policy_of(MANY, ["cmp", "price_out", "ge", 2], ["field", "price_out"])
    made = [engine.rank(policy, k=k) for k in (1, None, 99, 3, 64, 65, None, 100)] + list(decisions(3, 2))
    for at, decision in enumerate(made):
        log.record(decision, f"tr_{at}")
    log.flush()
    found = list(recomputed(decisions_of(log.store.records()), Restored(log.store)))

    assert [decision.id for decision, _ in found] == [f"tr_{at}" for at in range(len(made))]
    for decision, (_, answer) in zip(made, found, strict=True):
        assert isinstance(answer, Answer)
        assert (answer.offer_ids, answer.survivors) == (decision.offer_ids, decision.survivors)
        assert answer.policy == decision.policy


def test_recomputed__one_that_cannot_be_does_not_stop_the_others(log: TraceLog) -> None:
    for at in range(3):
        log.record(tr.Engine(ABC).rank(policy_of(ABC, ["top"])), f"tr_{at}")
    log.flush()
    stored = list(decisions_of(log.store.records()))
    broken: list[Recorded] = [
        stored[0],
        Recorded(91, {}),
        Recorded(92, {**stored[1].record, "k": -3}),
        Recorded(93, {**stored[1].record, "seed": "many"}),
        Recorded(94, {**stored[1].record, "request": []}),
        Recorded(95, {**stored[1].record, "policy": None}),
        Recorded(96, {**stored[1].record, "envelope": {"encoding": 1}}),
        stored[2],
    ]
    found = [answer for _, answer in recomputed(broken, Restored(log.store))]

    assert isinstance(found[0], Answer)
    assert isinstance(found[-1], Answer)
    for decision, answer in zip(broken[1:-1], found[1:-1], strict=True):
        assert isinstance(answer, TraceError) or answer.offer_ids == (), decision.seq


def test_recomputed__another_policy_takes_the_place_of_the_recorded(log: TraceLog) -> None:
    log.submit(tr.Engine(ABC).rank(policy_of(ABC, ["top"])), "tr_1").result(10)
    stored = list(decisions_of(log.store.records()))
    other = policy_of(ABC, ["provider_eq", "r"])
    ((_, answer),) = recomputed(stored, Restored(log.store), 1, lambda decision, engine: other)

    assert isinstance(answer, Answer)
    assert answer.offer_ids == ("c",)
