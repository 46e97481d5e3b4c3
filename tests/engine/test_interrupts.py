"""A ranking that is interrupted leaves an engine that answers as a fresh one does, and so do engines made from it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import tenantrank as tr
from tenantrank.engine.orders import Order
from tenantrank.engine.programs import Programs
from tenantrank_kernels import Frame
from tests.engine.samples import catalog_of, offer, policy_of, same

OFFERS = [
    offer(
        f"o{row}", "pqr"[row % 3], "m", price_out=float(row % 5), context=float(1000 * row), latency_ms=float(90 - row)
    )
    for row in range(40)
]
CONDITIONS: list[Any] = [
    ["and", ["cmp", "price_out", "le", 3.0], ["provider_eq", "p"]],
    ["and", ["cmp", "context", "ge", 9000.0], ["cmp", "latency_ms", "lt", 80.0], ["provider_eq", "q"]],
    ["provider_eq", "r"],
]


def interrupted(monkeypatch: pytest.MonkeyPatch, kind: type, name: str, nth: int) -> Callable[[], bool]:
    """Have the n-th call of a method end in an interrupt; gives what says whether it did."""
    plain, calls = getattr(kind, name), [0]

    def call(*given: Any) -> Any:
        calls[0] += 1
        if calls[0] == nth:
            raise KeyboardInterrupt
        return plain(*given)

    monkeypatch.setattr(kind, name, call)
    return lambda: calls[0] >= nth


class _FullOnce(dict[Any, Any]):
    """A mapping that has no memory for its first item."""

    full = False

    def __setitem__(self, key: Any, value: Any) -> None:
        if not self.full:
            self.full = True
            raise MemoryError
        super().__setitem__(key, value)


def check(engine: tr.Engine, catalog: tr.Catalog) -> None:
    """The engine, and those made from it, against fresh ones."""
    health = {"ema": {"p|m": {"price_out": 9.0}}}
    policies = [policy_of(catalog, condition) for condition in CONDITIONS]
    for found, fresh in (
        (engine, tr.Engine(catalog)),
        (engine.with_health(health), tr.Engine(catalog, health)),
        (engine.with_catalog(catalog), tr.Engine(catalog)),
    ):
        for policy in policies:
            assert same(found.rank(policy), fresh.rank(policy))
            assert found.rank(policy).rejected == fresh.rank(policy).rejected
        assert found.rank_many(policies).equals(fresh.rank_many(policies))


@pytest.mark.parametrize("nth", [1, 2, 3, 5, 8, 9, 15, 20])
@pytest.mark.parametrize("name", ["replaced", "_bind", "__init__"])
def test_rank__may_be_interrupted_while_frames_are_made(monkeypatch: pytest.MonkeyPatch, name: str, nth: int) -> None:
    catalog = catalog_of(*OFFERS)
    engine = tr.Engine(catalog)
    with monkeypatch.context() as patch:
        was = interrupted(patch, Frame, name, nth)
        for condition in CONDITIONS:
            try:
                engine.rank(policy_of(catalog, condition))
            except KeyboardInterrupt:
                assert was()
    check(engine, catalog)


@pytest.mark.parametrize("nth", [1, 2, 3])
@pytest.mark.parametrize("batch", [False, True])
def test_rank__may_be_interrupted_before_a_program_is_known(
    monkeypatch: pytest.MonkeyPatch, nth: int, batch: bool
) -> None:
    catalog = catalog_of(*OFFERS)
    engine = tr.Engine(catalog)
    policies = [policy_of(catalog, condition) for condition in CONDITIONS]
    with monkeypatch.context() as patch:
        was = interrupted(patch, Programs, "_publish", nth)
        for each in [policies] if batch else [[policy] for policy in policies]:
            try:
                engine.rank_many(each) if batch else engine.rank(each[0])
            except KeyboardInterrupt:
                assert was()
    engine.rank(policy_of(catalog, ["top"]))
    (programs,) = (each for each in engine._now.compiled.programs.values() if each.count)
    assert programs.count == programs._starts.used == len(programs.at_of)
    check(engine, catalog)


def test_with_catalog__numbers_conditions_as_before_where_one_had_no_room() -> None:
    catalog = catalog_of(*OFFERS)
    engine = tr.Engine(catalog)
    engine._now.compiled.index._row_of = _FullOnce()
    with pytest.raises(MemoryError):
        engine.rank(policy_of(catalog, CONDITIONS[0]))
    check(engine, catalog)


@pytest.mark.parametrize("nth", [1, 2, 3, 4])
@pytest.mark.parametrize(
    ("kind", "name"), [(Order, "mend"), (Order, "copied"), (Order, "__init__"), (Frame, "replaced"), (Frame, "parts")]
)
def test_with_health__may_be_interrupted_at_any_step(
    monkeypatch: pytest.MonkeyPatch, kind: type, name: str, nth: int
) -> None:
    catalog = catalog_of(*OFFERS)
    engine = tr.Engine(catalog)
    policies = [policy_of(catalog, condition) for condition in CONDITIONS]
    for policy in policies:
        engine.rank(policy)
    for step in range(6):
        health = engine.health.updated({f"{'pqr'[step % 3]}|m": {"price_out": 1.0 + step}})
        with monkeypatch.context() as patch:
            was = interrupted(patch, kind, name, nth + step % 2)
            try:
                engine = engine.with_health(health)
            except KeyboardInterrupt:
                assert was()
        # By either engine, the next ones are right.
        for found, fresh in (
            (engine, tr.Engine(catalog, engine.health)),
            (engine.with_health(health), tr.Engine(catalog, health)),
        ):
            for policy in policies:
                assert same(found.rank(policy), fresh.rank(policy))
