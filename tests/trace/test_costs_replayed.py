"""Decisions that read what calls cost come to the same from the store alone."""

from __future__ import annotations

from pathlib import Path

import tenantrank as tr
from tenantrank.trace.reader import Reader
from tenantrank.trace.replay import replay
from tests.trace.decided import logging, small_catalog


def test_replay__of_expected_costs(tmp_path: Path) -> None:
    catalog = small_catalog()
    plan = ["always", {"action": "next_candidate"}]
    cost = ["field", "expected_cost_usd"]
    condition = ["cmp", "expected_cost_usd", "le", 0.02]
    policy = tr.admit(["policy", condition, ["neg", cost], ["argmax"], ["id"], plan], catalog.fields)
    engine = tr.Engine(catalog)
    rest = {"estimated_output_tokens": 900, "estimated_residency": "eu"}
    with logging(tmp_path) as log:
        kept = []
        for at, share in enumerate((0.0, 0.25, 1.0)):
            wanted = {"estimated_input_tokens": 2000 * at, "estimated_cached_share": share, **rest}
            decision = engine.rank(policy, {"requirements": wanted})
            log.record(decision, f"tr_{at}")
            kept.append(decision.scores)
        log.record(engine.rank(policy), "tr_none")
        log.flush()
        assert len(set(kept)) == 3
        with Reader.open(log.store.path) as reader:
            found = replay(reader, reader.records())
            assert (found.count, found.same, found.failed) == (4, 4, 0)
            recorded = [stored.record["request"] for stored in reader.records(kind="decision")]
    assert [request.get("estimated_cached_share") for request in recorded] == [0.0, 0.25, 1.0, None]
    assert recorded[0]["estimated_residency"] == "eu"


def test_rejections__are_those_of_each_requests_own_costs(tmp_path: Path) -> None:
    catalog = small_catalog()
    plan = ["always", {"action": "next_candidate"}]
    policy = tr.admit(
        ["policy", ["cmp", "expected_cost_usd", "le", 0.004], ["zero"], ["argmax"], ["id"], plan], catalog.fields
    )
    engine = tr.Engine(catalog)
    counts = []
    with logging(tmp_path) as log:
        for at, taken in enumerate((10, 1000, 100_000)):
            wanted = {"estimated_input_tokens": taken, "estimated_output_tokens": 0}
            decision = engine.rank(policy, {"requirements": wanted})
            log.record(decision, f"tr_{at}")
            counts.append(engine.rejections(policy, decision.request).counts.tolist())
        log.flush()
        assert len({str(each) for each in counts}) > 1
        with Reader.open(log.store.path) as reader:
            stored = list(reader.records(kind="decision"))
            assert [each.record["rejections"]["counts"] for each in stored] == counts
            for each in stored:
                alone = replay(reader, [each])
                assert (alone.count, alone.same) == (1, 1), [str(mismatch) for mismatch in alone.mismatches]
