"""Batches: chunks of one version, and tuples that are remembered."""

from __future__ import annotations

import numpy as np
import pytest

import tenantrank as tr
from tenantrank.engine import batches
from tenantrank.engine.batches import admitted_of, chunks_of
from tests.engine.samples import ABC, policy_of


def policies(count: int) -> tuple[tr.Policy, ...]:
    return tuple(policy_of(ABC, ["cmp", "price_out", "le", 1 + at / 8], ["field", "price_out"]) for at in range(count))


def older(count: int) -> list[tr.Policy]:
    plan = ["always", {"action": "abort"}]
    filters = [["cmp", "price_out", "le", 1 + at / 8] for at in range(count)]
    return [
        tr.admit(["policy", ["ev_zero"], each, ["field", "price_out"], ["argmax"], ["id"], plan], ABC.fields)
        for each in filters
    ]


def same(first: object, second: object) -> bool:
    return all(np.array_equal(a, b, equal_nan=True) for a, b in zip(first, second, strict=True))  # type: ignore[call-overload]


def test_chunks__cover_each_policy_once_by_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "_CHUNK", 3)
    now = tr.Engine(ABC)._now
    mixed = [*policies(4), *older(4), *policies(3)]
    for varied in (False, True, False):  # the last time all are known
        found: list[int] = []
        for chunk in chunks_of(mixed, now, varied):
            positions = chunk.positions
            places = list(range(len(mixed)))[positions] if isinstance(positions, slice) else positions
            assert len(places) == len(chunk.starts) <= 3
            assert {mixed[at].version for at in places} == {chunk.version}
            programs = now.compiled.programs[chunk.version]
            assert [programs.at_of[mixed[at].identity] for at in places] == chunk.starts.tolist()
            found += places
        assert sorted(found) == list(range(len(mixed)))
    assert list(chunks_of([], now, False)) == []


def test_rank_rows__of_the_same_tuple_looks_nothing_up_and_answers_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = policies(7)
    engine = tr.Engine(ABC, threads=1)
    first = engine.rank_rows(chosen, k=2)
    health = {"breakers": {"p": True}, "ema": {"q|m-1": {"price_out": 0.01}}}
    wanted = tr.Engine(ABC, health).rank_rows(list(chosen), k=2)

    def refused(*_: object) -> None:
        raise AssertionError("a policy was looked up")

    monkeypatch.setattr(type(engine._now.compiled), "starts", refused)
    monkeypatch.setattr(batches, "_CHUNK", 3)
    assert same(engine.rank_rows(chosen, k=2), first)
    assert engine.rank_many(chosen, k=2)["scores"].to_pylist() == [
        scores[:ranked].tolist() for scores, ranked in zip(first.scores, first.ranked, strict=True)
    ]
    assert same(engine.with_health(health).rank_rows(chosen, k=2), wanted)
    assert same(engine.rank_rows(list(chosen), k=2), first)
    monkeypatch.setattr(type(engine._now.compiled), "found", refused)
    for others in (chosen[:-1], chosen[::-1], [*chosen[:-1], policies(7)[-1]]):
        with pytest.raises(AssertionError, match="looked up"):
            engine.rank_rows(others, k=2)


def test_rank_rows__a_tuple_with_an_equal_is_not_the_same() -> None:
    engine = tr.Engine(ABC, threads=1)
    first = policies(5)
    engine.rank_rows(first)
    other = (*first[:4], policy_of(ABC, ["bot"]))
    assert engine.rank_rows(other).survived[-1] == 0
    assert engine._now.compiled.remembered(first) is not None
    assert engine._now.compiled.remembered(policies(5)) is None


def test_admitted_of__takes_compiled_policies_and_refuses_the_rest() -> None:
    assert admitted_of(policies(2)) == list(policies(2))
    with pytest.raises(tr.RequestError, match="admitted policy"):
        admitted_of([["policy"]])
    with pytest.raises(tr.RequestError, match="must be a list"):
        admitted_of({"a": 1})
