"""Replay: random worlds come to the same to the bit from the store alone; what is altered is found and named."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st

import tenantrank as tr
from tenantrank.trace.log import TraceLog
from tenantrank.trace.reader import Reader
from tenantrank.trace.replay import replay
from tenantrank.trace.rows import Stored
from tests.engine.samples import policy_of
from tests.trace.decided import altered, decisions, logging, small_catalog

WORLDS = 16


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TraceLog]:
    with logging(tmp_path_factory.mktemp("replay")) as log:
        for at, decision in enumerate(decisions(11, WORLDS)):
            log.record(decision, f"tr_{at}", tenant=f"t{at % 7}")
        log.flush()
        yield log


def test_replay__random_worlds_come_to_the_same(log: TraceLog) -> None:
    # By a reader of its own: nothing is used but the file.
    with Reader.open(log.store.path) as reader:
        found = replay(reader, reader.records())

    assert found.count == 20 * WORLDS
    assert found.same == found.count, [str(mismatch) for mismatch in found.mismatches]
    assert found.failed == 0


@pytest.mark.parametrize("changed", [{"NUMBA_DISABLE_JIT": "1", "PYTHONHASHSEED": "7"}])
def test_replay__another_machine_comes_to_the_same(changed: dict[str, str], log: TraceLog) -> None:
    # Kernels as plain Python are as far from this process as another processor would be.
    line = [sys.executable, "-m", "tenantrank.cli", "trace", "replay", "--all", "--json"]
    given = {**os.environ, **changed, "TENANTRANK_TRACE": str(log.store.path)}
    done = subprocess.run(line, capture_output=True, text=True, timeout=120, check=False, env=given)

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"count": 20 * WORLDS, "same": 20 * WORLDS, "failed": 0, "mismatches": []}


def test_replay__tells_how_far_it_is(log: TraceLog) -> None:
    told: list[int] = []
    replay(log.store, list(log.store.records(until_seq=200)) * 8, told.append)

    assert sum(told) == 1024


@limits(max_examples=12)
@given(seed=st.integers(0, 2**32), number=st.integers(0, 40))
def test_replay__any_world_comes_to_the_same(seed: int, number: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    with logging(tmp_path_factory.mktemp("any")) as log:
        for at, decision in enumerate(decisions(seed, 1, number)):
            log.record(decision, f"tr_{at}")
        log.flush()
        found = replay(log.store, log.store.records())

    assert (found.count, found.mismatches) == (20, [])


def larger(record: dict[str, Any]) -> bool:
    """Whether there are offers to alter something of, with plain scores that differ."""
    scores = [entry[1] for entry in record["ranked"]]
    return len(scores) >= 3 and all(isinstance(score, float) for score in scores) and len(set(scores)) == len(scores)


def swap(record: dict[str, Any]) -> None:
    ranked = record["ranked"]
    ranked[0], ranked[1] = ranked[1], ranked[0]


def nudge(record: dict[str, Any]) -> None:
    record["ranked"][2][1] += abs(record["ranked"][2][1]) * 2.3e-16 or 5e-324


def count(record: dict[str, Any]) -> None:
    record["rejections"]["counts"][-1] += 1


def let_through(record: dict[str, Any]) -> None:
    bits = bytearray(base64.b64decode(record["rejections"]["bits"]))
    bits[0] ^= 1
    record["rejections"]["bits"] = base64.b64encode(bits).decode()


def forget(record: dict[str, Any]) -> None:
    record["ranked"].pop()


def other_first(record: dict[str, Any]) -> None:
    record["rejections"]["first"] = "0" * 64


def fewer(record: dict[str, Any]) -> None:
    record["survivors"] -= 1


def other_policy(record: dict[str, Any]) -> None:
    record["policy"]["identity"] = "0" * 64


def other_text(record: dict[str, Any]) -> None:
    record["policy"]["encoding"] = record["policy"]["encoding"][:-1]


def other_print(record: dict[str, Any]) -> None:
    record["policy"]["fingerprint"] = "1-1"


def other_day(record: dict[str, Any]) -> None:
    record["as_of"] = "yesterday"


def gone(record: dict[str, Any]) -> None:
    record["catalog_id"] = "0" * 64


def other_health(record: dict[str, Any]) -> None:
    record["health_id"] = "0" * 64


def no_request(record: dict[str, Any]) -> None:
    record["request"] = {"needs": ["telepathy"]}


def no_member(record: dict[str, Any]) -> None:
    del record["seed"]


def no_envelope(record: dict[str, Any]) -> None:
    record["envelope"] = "all"


@pytest.fixture(scope="module")
def larger_ones(log: TraceLog) -> list[Stored]:
    found = [each for each in log.store.records(kind="decision") if larger(each.record)]
    assert len(found) > 10
    return found[:9]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (swap, "the offer at place 1: recorded"),
        (nudge, "at place 3: recorded"),
        (count, "is the first to turn away"),
        (let_through, "when recorded and"),
        (forget, "the number of offers named"),
        (other_first, "the digest of the first clause that each offer fails"),
        (fewer, "the number of offers that pass"),
        (other_policy, "the recorded policy's identity"),
        (other_text, "no canonical text"),
        (other_print, "the policy's fingerprint"),
        (other_day, "is no date"),
        (gone, "catalog"),
        (other_health, "health"),
        (no_request, "the recorded request cannot be read"),
        (no_member, "'seed'"),
        (no_envelope, "not that of a decision"),
    ],
)
def test_replay__one_altered_thing_is_found_and_named(
    change: Callable[[dict[str, Any]], None], named: str, log: TraceLog, larger_ones: list[Stored]
) -> None:
    stored, at = larger_ones, 4
    found = replay(log.store, [*stored[:at], altered(stored[at], change), *stored[at + 1 :]])

    assert found.failed == 1
    assert found.mismatches[0].seq == stored[at].seq
    assert found.mismatches[0].id == stored[at].record["id"]
    assert named in found.mismatches[0].what


def test_replay__what_lies_beyond_the_places_shown_counts_too(log: TraceLog) -> None:
    (stored, *_) = [each for each in log.store.records(kind="decision") if each.record["places"] > 16]
    spoiled = altered(stored, lambda record: record.update(order_digest="0" * 64))

    assert "beyond place 16" in replay(log.store, [spoiled]).mismatches[0].what


def test_replay__an_altered_price_is_found(tmp_path: Path) -> None:
    catalog = small_catalog()
    policy = policy_of(catalog, ["is", "priced"], ["neg", ["normalize", ["field", "price_out"]]])
    with logging(tmp_path) as log:
        log.record(tr.Engine(catalog).rank(policy), "tr_a")
        log.record(tr.Engine(small_catalog(price_out=5.0)).rank(policy_of(small_catalog(), ["top"])), "tr_b")
        log.flush()
        (first,), (second,) = log.store.find("tr_a"), log.store.find("tr_b")
        moved = altered(first, lambda record: record.update(catalog_id=second.record["catalog_id"]))
        found = replay(log.store, [moved])

    assert found.mismatches[0].what == "the offer at place 1: recorded 'b|x', now 'a|x'"


@pytest.mark.parametrize("built", [None, date(2026, 1, 5), date(2026, 6, 1)])
@pytest.mark.parametrize("as_of", [None, date(2026, 11, 25)])
def test_replay__each_decision_is_judged_by_its_own_day(built: date | None, as_of: date | None, tmp_path: Path) -> None:
    # One id, several days: what is deprecated and how old it is depends on the day alone.
    table = tr.Catalog.from_records(
        [
            {"id": "a", "provider_id": "p", "model_family": "m", "release_date": date(2026, 1, 1)},
            {"id": "b", "provider_id": "p", "model_family": "m", "deprecation_date": date(2026, 5, 1)},
        ]
    ).table
    with logging(tmp_path) as log:
        for at, days in enumerate([(as_of, built), (date(2027, 1, 1), None), (date(2026, 4, 30), built)]):
            catalog = tr.Catalog.from_table(table, as_of=days[0], built=days[1])
            policy = policy_of(catalog, ["not", ["is", "deprecated"]], ["field", "age_days"])
            log.record(tr.Engine(catalog).rank(policy), f"tr_{at}")
        log.flush()
        found = replay(log.store, log.store.records())
        catalogs = [entry for entry in log.store.snapshots() if entry[0] == "catalog"]

    assert len(catalogs) == 1
    assert (found.same, found.mismatches) == (3, [])


def test_replay__an_overlay_is_part_of_the_catalog(tmp_path: Path) -> None:
    attestation = {
        "match": {"provider_id": "b"},
        "set": {"no_log": True},
        "contract": "dpa-7",
        "verified_at": "2026-01-01",
        "valid_until": "2026-12-31",
    }
    laid = small_catalog().with_overlay({"name": "o", "attestations": [attestation]}, date(2026, 11, 25))
    policy = policy_of(laid, ["is", "no_log"])
    decision = tr.Engine(laid).rank(policy)
    with logging(tmp_path) as log:
        log.record(decision, "tr_a")
        log.flush()
        found = replay(log.store, log.store.records())

    assert decision.offer_ids == ("b|x", "b|y")
    assert (found.same, found.mismatches) == (1, [])


def test_replay__notes_and_attempts_are_no_decisions(log: TraceLog) -> None:
    others: list[Stored] = [each for each in log.store.records() if each.record["kind"] != "decision"]

    assert others
    assert replay(log.store, others).count == 0
