"""Batches: chunks of one version, and tuples that are remembered."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from random import Random
from typing import Any

import numpy as np
import pytest

import tenantrank as tr
from tenantrank.engine import batches, chunk_runs, compiled, known, running
from tenantrank.engine.batches import chunks_of, given_of, taken
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
        for chunk in chunks_of(tuple(mixed), now, varied):
            places = list(taken(range(len(mixed)), chunk.positions))
            assert len(places) == len(chunk.starts) <= 3
            assert {mixed[at].version for at in places} == {chunk.version}
            programs = now.compiled.programs[chunk.version]
            assert [programs.at_of[mixed[at].identity] for at in places] == chunk.starts.tolist()
            found += places
        assert sorted(found) == list(range(len(mixed)))
    assert list(chunks_of((), now)) == []


def test_rank_rows__of_the_same_tuple_looks_nothing_up_and_answers_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = policies(7)
    engine = tr.Engine(ABC, threads=1)
    first = engine.rank_rows(chosen, k=2)
    health = {"breakers": {"p": True}, "ema": {"q|m-1": {"price_out": 0.01}}}
    wanted = tr.Engine(ABC, health).rank_rows(list(chosen), k=2)

    def refused(*_: object) -> None:
        raise AssertionError("a policy was looked up")

    monkeypatch.setattr(type(engine._now.compiled), "located", refused)
    monkeypatch.setattr(batches, "_CHUNK", 3)
    assert same(engine.rank_rows(chosen, k=2), first)
    assert engine.rank_many(chosen, k=2)["scores"].to_pylist() == [
        scores[:ranked].tolist() for scores, ranked in zip(first.scores, first.ranked, strict=True)
    ]
    assert same(engine.with_health(health).rank_rows(chosen, k=2), wanted)
    assert same(engine.rank_rows(list(chosen), k=2), first)
    for others in (chosen[:-1], chosen[::-1], [*chosen[:-1], policies(7)[-1]]):
        with pytest.raises(AssertionError, match="looked up"):
            engine.rank_rows(others, k=2)


def test_rank_rows__a_tuple_with_an_equal_is_not_the_same() -> None:
    engine = tr.Engine(ABC, threads=1)
    first = policies(5)
    engine.rank_rows(first)
    other = (*first[:4], policy_of(ABC, ["bot"]))
    assert engine.rank_rows(other).survived[-1] == 0
    remembered = engine._now.compiled.remembered
    for again in (first, (*first[:4], *first[4:])):
        batch, addresses = remembered(again)
        assert batch is not None
        assert addresses.tolist() == [id(policy) for policy in first]
    equal = policies(5)
    batch, addresses = remembered(equal)
    assert batch is None
    assert addresses.tolist() == [id(policy) for policy in equal]


def items(count: int) -> list[Any]:
    """Policies of every kind, most of them twice: two versions, of a rulebook alone and with their origins, and equals
    that are other objects.
    """
    rules = [{"id": "base", "require": [["cmp", "price_out", "le", {"tenant": "most"}]]}]
    fields = {"most": {"type": "number"}}
    rulebook = tr.Rulebook.from_value({"version": 1, "fields": fields, "rules": rules}).bind(ABC.fields)
    of_rulebook = [rulebook.compile({"most": 1 + at / 4}) for at in range(count)]
    composed = [each.policy for each in of_rulebook]
    return [*policies(count), *older(count), *of_rulebook, *composed, *policies(count), *older(3), *of_rulebook[:5]]


def test_rank_rows__of_all_kinds_of_policies_in_every_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled, "WORTH_A_TABLE", 2)
    monkeypatch.setattr(batches, "_CHUNK", 20)
    chosen, rng = items(12), Random(5)
    wanted = [tr.Engine(ABC, threads=1).rank(policy, k=2) for policy in chosen]
    engine = tr.Engine(ABC, threads=1)
    for turn in range(12):
        order = rng.choices(range(len(chosen)), k=len(chosen))
        given = [chosen[at] for at in order]
        health = {"breakers": {"p": True}} if turn == 6 else None
        engine = engine.with_health(health)
        if turn == 9:  # the sets are made anew
            monkeypatch.setattr(compiled, "_PROGRAM_BYTES", 100)
        if health is not None:
            assert same(engine.rank_rows(given, k=2), tr.Engine(ABC, health, threads=1).rank_rows(given[:], k=2))
            continue
        table = engine.rank_many(given if turn % 2 else tuple(given), k=2)
        assert table["offer_ids"].to_pylist() == [list(wanted[at].offer_ids) for at in order]
        assert table["scores"].to_pylist() == [list(wanted[at].scores) for at in order]
        assert table["survivors"].to_pylist() == [wanted[at].survivors for at in order]
        assert table["identity"].to_pylist() == [wanted[at].policy.identity for at in order]
    with pytest.raises(tr.RequestError, match="admitted policy"):
        engine.rank_rows([*chosen, "x"])


def test_rank_rows__from_several_threads_while_sets_are_made_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """Policies known by their object are forgotten and kept again, while others come to lie where they lay."""
    monkeypatch.setattr(compiled, "WORTH_A_TABLE", 2)
    monkeypatch.setattr(known, "_FEW", 5)
    monkeypatch.setattr(known, "_MOST", 70)
    monkeypatch.setattr(compiled, "_PROGRAM_BYTES", 6000)
    monkeypatch.setattr(batches, "_CHUNK", 16)
    monkeypatch.setattr(running, "_WORTH_A_THREAD", 4)
    monkeypatch.setattr(running, "_LEAST_PIECE", 2)
    monkeypatch.setattr(chunk_runs, "_LOOKED_UP", 9)
    shared = items(10)
    healths = [None, {"breakers": {"p": True}}]
    wanted = [tr.Engine(ABC, health, threads=1).rank_rows(shared, k=2) for health in healths]
    first = tr.Engine(ABC, threads=3)

    def work(name: int) -> None:
        rng, engine, which = Random(name), first, 0
        own = items(10)  # equal to the shared ones
        for turn in range(60):
            if turn % 7 == 0:
                which = rng.randrange(2)
                engine = engine.with_health(healths[which])
            if turn % 5 == 0:
                own = items(10)
            order = rng.choices(range(len(shared)), k=rng.choice([3, 20, 40, 60]))
            given = [rng.choice([shared, own])[at] for at in order]
            found = engine.rank_rows(rng.choice([list, tuple])(given), k=2)
            assert all(a.tobytes() == b[order].tobytes() for a, b in zip(found, wanted[which], strict=True)), (
                name,
                turn,
            )

    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(work, name) for name in range(4)]:
            done.result()


def test_given_of__takes_lists_and_refuses_the_rest() -> None:
    chosen = policies(2)
    assert given_of(chosen) is chosen
    assert given_of(iter(chosen)) == given_of(list(chosen)) == chosen
    with pytest.raises(tr.RequestError, match="must be a list"):
        given_of({"a": 1})
