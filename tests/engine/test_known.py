"""Policies known by their object: how many are kept, and for how long."""

from __future__ import annotations

import gc
import threading
import weakref
from typing import Any

import numpy as np
import pytest

import tenantrank as tr
from tenantrank.engine import compiled, known
from tenantrank.engine.by_object import addresses_of
from tenantrank.engine.known import Known
from tests.engine.samples import ABC, policy_of


class Thing:
    pass


def things(count: int) -> tuple[Any, ...]:
    return tuple(Thing() for _ in range(count))


def extended(before: Known, some: tuple[Any, ...], batch: int, first: int = 0) -> Known:
    names = [f"{first + at:064d}" for at in range(len(some))]
    return before.extended(some, np.arange(first, first + len(some)), names, batch)


def test_known__tells_places_and_identities() -> None:
    some, others = things(200), things(10)
    now = extended(extended(Known(), some[:150], 200), some[150:], 200, 150)
    assert now.places(addresses_of(some + others)).tolist() == [*range(200)] + [-1] * 10
    assert Known().places(addresses_of(some)).tolist() == [-1] * 200
    found = now.identities(addresses_of(some))
    assert found is not None
    assert found.tolist() == [f"{at:064d}".encode() for at in range(200)]
    assert now.identities(addresses_of(some + others)) is None


def test_extended__keeps_no_more_than_twice_the_largest_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known, "_FEW", 10)
    now, kept = Known(), []
    for at in range(20):
        some = things(40)
        kept.append([weakref.ref(thing) for thing in some])
        now = extended(now, some, 40)
        assert now.places(addresses_of(some)).tolist() == [*range(40)]
        del some
        alive = [sum(ref() is not None for ref in refs) for refs in kept]
        assert alive[-1] == 40
        assert sum(alive) <= 80, at


def test_extended__keeps_no_more_than_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known, "_FEW", 10)
    monkeypatch.setattr(known, "_MOST", 100)
    some = things(250)
    now = Known()
    for first in range(0, 250, 50):
        now = extended(now, some[first : first + 50], 250, first)
    assert int((now.places(addresses_of(some)) >= 0).sum()) in (50, 100)
    assert (extended(now, things(101), 101).places(addresses_of(some)) == -1).all()


def test_extended__a_few_new_ones_are_not_worth_a_copy() -> None:
    some = things(1000)
    now = extended(Known(), some, 1000)
    assert extended(now, things(5), 1000) is now
    more = things(100)
    assert extended(now, more, 1000).places(addresses_of(more)).tolist() == [*range(100)]


def test_rank_rows__of_ever_new_policies_keeps_no_more_than_two_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """New objects lie where forgotten ones lay."""
    monkeypatch.setattr(known, "_FEW", 1)
    monkeypatch.setattr(compiled, "WORTH_A_TABLE", 1)
    engine = tr.Engine(ABC, threads=1)
    wanted = [engine.rank(policy_of(ABC, ["cmp", "price_out", "le", 1 + at / 8])).survivors for at in range(12)]
    assert len(set(wanted)) > 1
    kept: list[weakref.ref[tr.Policy]] = []
    seen: set[int] = set()
    again = 0
    for turn in range(60):
        numbers = [(5 * at + turn) % 12 for at in range(9)]
        source = [["cmp", "price_out", "le", 1 + at / 8] for at in numbers]
        policies = [policy_of(ABC, each) for each in source]
        again += len(seen.intersection(map(id, policies)))
        seen.update(map(id, policies))
        assert engine.rank_rows(policies).survived.tolist() == [wanted[at] for at in numbers]
        kept += [weakref.ref(policy) for policy in policies]
        del policies
        gc.collect()
        assert sum(ref() is not None for ref in kept) <= 2 * 9
    assert again


def test_rank_rows__waits_for_no_other_that_is_keeping_its_policies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Or a child that is forked meanwhile would wait for ever."""
    engine = tr.Engine(ABC, threads=1)
    batches = [
        tuple(policy_of(ABC, ["cmp", "bench", "ge", float(at)]) for at in range(first, first + 200))
        for first in (0, 200)
    ]
    keep = Known.extended
    ranked: list[int] = []
    waits: list[bool] = []

    def meanwhile(self: Known, *arguments: Any) -> Known:
        monkeypatch.setattr(Known, "extended", keep)
        other = threading.Thread(target=lambda: ranked.append(len(engine.rank_rows(batches[1]).ranked)), daemon=True)
        other.start()
        other.join(20)
        waits.append(other.is_alive())
        return keep(self, *arguments)

    monkeypatch.setattr(Known, "extended", meanwhile)
    assert engine.rank_rows(batches[0]).ranked[:2].tolist() == [4, 0]
    assert (waits, ranked) == ([False], [200])
    for batch in batches:
        again = engine.rank_rows(batch)
        assert again.survived.tolist() == [engine.rank(policy).survivors for policy in batch]
