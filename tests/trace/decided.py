"""Decisions of small worlds, and stores that hold them, for the tests of recording and replaying."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import tenantrank as tr
from tenantrank.trace.log import TraceLog
from tenantrank.trace.rows import Stored
from tests.cli.running import OFFERS, RULEBOOK
from tests.engine.samples import world_catalog
from tests.fuzz.differential import draw_world

BEGAN = datetime(2026, 11, 25, 12, tzinfo=UTC)
STATE = {"plan": "paid", "most": 3.0}


def ticking() -> Callable[[], datetime]:
    """A clock that goes on by a second each time it is looked at."""
    seconds = itertools.count()
    return lambda: BEGAN + timedelta(seconds=next(seconds))


def counted_bits(count: int) -> bytes:
    return bytes(range(count))


@contextmanager
def logging(path: Path, **options: Any) -> Iterator[TraceLog]:
    with TraceLog.open(path / "trace.db", wall=ticking(), log_id_bits=counted_bits, **options) as log:
        yield log


def small_catalog(**changes: Any) -> tr.Catalog:
    """The three offers of the tests of commands; ``changes`` are members of the second."""
    first, second, third = OFFERS
    return tr.Catalog.from_records([first, {**second, **changes}, third])


def small_rulebook(tmp_path: Path) -> tr.Rulebook:
    path = tmp_path / "rules.yaml"
    path.write_text(RULEBOOK)
    return tr.Rulebook.load(path)


def decisions(seed: int, worlds: int, first: int = 0) -> Iterator[tr.Decision]:
    """Decisions on random worlds, each once in full and once cut: both versions, envelopes, health, huge seeds."""
    for number in range(first, first + worlds):
        world = draw_world(seed, number)
        catalog = world_catalog(world)
        engine = tr.Engine(catalog, world.state, world.envelope)
        for case in world.cases:
            policy = tr.admit(case.term, catalog.fields)
            for k in (None, case.k):
                yield engine.rank(policy, case.request, case.seed, k)


def altered(stored: Stored, change: Callable[[dict[str, Any]], None]) -> Stored:
    """The record as somebody would have it who altered it; its hash is not that of the text any more."""
    record = json.loads(stored.body)
    change(record)
    return Stored(stored.seq, stored.hash, json.dumps(record).encode())
