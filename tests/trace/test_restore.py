"""Restoring: what equals is made once, and what is missing or damaged is named."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import tenantrank as tr
from tenantrank.errors import TraceError
from tenantrank.trace.log import TraceLog
from tenantrank.trace.restore import Restored, world_of
from tests.engine.samples import ABC, policy_of
from tests.trace.decided import logging, small_catalog

ENVELOPE = ["not", ["provider_eq", "r"]]


@pytest.fixture
def log(tmp_path: Path) -> Iterator[TraceLog]:
    engine = tr.Engine(ABC, {"breakers": {"q": True}}, ENVELOPE)
    policy = policy_of(ABC, ["is", "region_eu"])
    with logging(tmp_path) as log:
        for at, one in enumerate([engine, engine.with_health(None), engine]):
            log.record(one.rank(policy, {"scope": "s"}), f"tr_{at}")
        log.flush()
        yield log


def records(log: TraceLog) -> list[dict[str, Any]]:
    return [each.record for each in log.store.records(kind="decision")]


def test_restored__engines_are_those_of_the_worlds(log: TraceLog) -> None:
    restored, (first, second, third) = Restored(log.store), records(log)
    engine = restored.engine(world_of(first))

    assert engine.catalog.catalog_id == ABC.catalog_id
    assert engine.health.breakers == {"q": True}
    assert engine.envelope == tr.admit_term(ENVELOPE, ABC.fields)
    assert restored.engine(world_of(third)) is engine
    assert restored.engine(world_of(second)).catalog is engine.catalog


def test_restored__policies_and_requests_are_made_once(log: TraceLog) -> None:
    restored, (first, second, _) = Restored(log.store), records(log)
    fields = restored.engine(world_of(first)).catalog.fields

    assert restored.policy(first, fields) == policy_of(ABC, ["is", "region_eu"])
    assert restored.policy(first, fields) is restored.policy(second, fields)
    assert restored.request(first) == tr.Request(scope="s")
    assert restored.request(first) is restored.request(second)


def test_restored__another_catalog_takes_the_place_of_all(log: TraceLog) -> None:
    catalog = small_catalog()
    restored, (first, *_) = Restored(log.store, catalog), records(log)
    engine = restored.engine(world_of(first))

    assert engine.catalog is catalog
    assert engine.health.breakers == {"q": True}


class Damaged:
    """A store whose snapshots are not what they are called."""

    def __init__(self, store: Any) -> None:
        self._store = store

    def snapshot(self, kind: str, name: str) -> bytes:
        content: bytes = self._store.snapshot(kind, name)
        return content.replace(b"true", b"false") if kind == "health" else content[:-100]


def test_restored__what_is_damaged_is_named(log: TraceLog) -> None:
    damaged: Any = Damaged(log.store)
    (first, *_) = records(log)
    with pytest.raises(TraceError, match=r"the recorded live state .* has the content of"):
        Restored(damaged).health(first["health_id"])
    with pytest.raises(TraceError, match=r"the recorded catalog .* cannot be read"):
        Restored(damaged).catalog(first["catalog_id"], None)
    with pytest.raises(TraceError) as missing:
        Restored(log.store).catalog("0" * 64, None)
    assert missing.value.why == "missing"


def test_restored__an_envelope_that_cannot_be_admitted_is_told(log: TraceLog) -> None:
    (first, *_) = records(log)
    catalog, day, health, _ = world_of(first)
    with pytest.raises(TraceError, match="cannot be admitted"):
        Restored(log.store).engine((catalog, day, health, 'sigma-pol/v2:(is "blessed")'))
    with pytest.raises(TraceError, match=r"cannot be admitted|no engine"):
        Restored(log.store).engine((catalog, day, health, "sigma-pol/v2:(zero)"))
