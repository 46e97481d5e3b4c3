"""Numbers by object: exact whatever the addresses, and each object kept for as long as it is known by its own."""

from __future__ import annotations

import weakref

import numpy as np
import pytest

from tenantrank.engine import by_object
from tenantrank.engine.by_object import ByObject, addresses_of


class Thing:
    """Equal to all others."""

    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return 0


def test_addresses_of__are_read_as_they_are_told() -> None:
    for count in (0, 1, 2, 1000):
        things = tuple(Thing() for _ in range(count))
        assert addresses_of(things).tolist() == by_object._ask(things).tolist() == [id(thing) for thing in things]
    assert by_object._can_read()
    assert addresses_of is by_object._read


def test_find__knows_each_object_and_no_other() -> None:
    first, second, others = (tuple(Thing() for _ in range(count)) for count in (700, 3000, 500))
    none = ByObject()
    one = none.extended(first, np.arange(700))
    both = one.extended(second, np.arange(700, 3700))
    assert none.find(addresses_of(first)).tolist() == [-1] * 700
    assert one.find(addresses_of(first + second)).tolist() == [*range(700)] + [-1] * 3000
    assert both.find(addresses_of(second + others + first)).tolist() == [*range(700, 3700), *[-1] * 500, *range(700)]
    assert both.find(addresses_of(())).tolist() == []


def test_extended__objects_may_repeat() -> None:
    a, b = Thing(), Thing()
    table = ByObject().extended((a, b, a), np.array([5, 6, 5]))
    assert table.find(addresses_of((b, a))).tolist() == [6, 5]
    assert table._count == 2
    assert table.extended((a,), np.array([7])).find(addresses_of((a, b))).tolist() == [7, 6]


def test_extended__objects_live_as_long_as_a_table_that_knows_them() -> None:
    things = tuple(Thing() for _ in range(50))
    kept = [weakref.ref(thing) for thing in things]
    one = ByObject().extended(things, np.arange(50))
    two = one.extended((Thing(),), np.array([50]))
    del things, one
    assert all(ref() is not None for ref in kept)
    del two
    assert all(ref() is None for ref in kept)


def test_find__with_addresses_that_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a tuple cannot be read."""
    things = tuple(Thing() for _ in range(300))
    monkeypatch.setattr(by_object, "addresses_of", by_object._ask)
    table = ByObject().extended(things, np.arange(300))
    assert table.find(by_object._ask(things[::-1])).tolist() == [*range(300)][::-1]
