"""Compiled policies: one program a policy, whoever asks, and a set that is made anew when it has grown too large."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import tenantrank as tr
from tenantrank.catalog.health import Health
from tenantrank.engine import compiled as module
from tenantrank.engine.compiled import Compiled
from tenantrank.engine.envelope import Envelope
from tenantrank.engine.index import CatalogIndex
from tenantrank.engine.view import View
from tenantrank.policy.signature import V2
from tests.engine.samples import ABC, FIELDS, policy_of, same


def compiled_of(catalog: tr.Catalog) -> tuple[Compiled, View]:
    compiled = Compiled(CatalogIndex(catalog), Envelope(None, catalog))
    return compiled, View(compiled.index, Health(), V2)


def policies(count: int) -> list[tr.Policy]:
    return [policy_of(ABC, ["cmp", "price_out", "le", 1 + at / 100], ["field", "price_out"]) for at in range(count)]


def test_program__is_compiled_once_for_all_spellings() -> None:
    compiled, view = compiled_of(ABC)
    one = policy_of(ABC, ["and", ["provider_eq", "q"], ["is", "region_eu"]])
    other = policy_of(ABC, ["and", ["is", "region_eu"], ["and", ["provider_eq", "q"], ["top"]]])
    assert compiled.program(one, view) == compiled.program(other, view)
    assert compiled.programs[V2].count == 1


def test_starts__are_those_of_each_policy_known_or_new() -> None:
    compiled, view = compiled_of(ABC)
    chosen = policies(20)
    known = {policy.identity: compiled.program(policy, view)[1] for policy in chosen[::3]}
    programs, starts = compiled.starts(chosen + chosen, view)
    assert programs is compiled.programs[V2]
    assert starts[:20].tolist() == starts[20:].tolist()
    assert programs.count == 20
    assert all(starts[at] == known[chosen[at].identity] for at in range(0, 20, 3))


def test_program__a_set_that_has_grown_too_large_is_made_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = tr.Engine(ABC, threads=1)
    chosen = policies(60)
    before = [engine.rank(policy) for policy in chosen]
    batch = engine.rank_many(chosen, k=3)
    monkeypatch.setattr(module, "_PROGRAM_BYTES", 3000)
    fresh = tr.Engine(ABC, threads=1)
    for policy, decision in zip(chosen + chosen, before + before, strict=True):
        assert same(fresh.rank(policy), decision)
    assert fresh._now.compiled.programs[V2].count < 60
    monkeypatch.setattr(module, "_PROGRAM_BYTES", 2**30)
    assert fresh.rank_many(chosen, k=3).equals(batch)


def test_rank__from_several_threads_is_the_same_while_programs_come_and_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PROGRAM_BYTES", 6000)
    chosen = policies(80)
    wanted = [tr.Engine(ABC).rank(policy).offer_ids for policy in chosen]
    engine = tr.Engine(ABC)

    def work(_: int) -> Any:
        return [engine.rank(policy).offer_ids for policy in chosen]

    with ThreadPoolExecutor(4) as pool:
        assert all(found == wanted for found in pool.map(work, range(8)))


def test_starts__of_a_batch_larger_than_a_set_comes_to_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PROGRAM_BYTES", 3000)
    chosen = policies(60)
    compiled, view = compiled_of(ABC)
    programs, starts = compiled.starts(chosen, view)
    assert programs.count == 60
    assert [programs.at_of[policy.identity] for policy in chosen] == starts.tolist()
    # The next that comes finds no room, and begins a set of its own.
    assert compiled.starts(policies(61)[60:], view)[0] is not programs


def test_program__of_a_policy_that_equal_fields_admitted_is_not_checked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise AssertionError("checked again")

    other = tr.Catalog.from_records(ABC.table.to_pylist(), FIELDS)
    assert other.fields is not ABC.fields
    monkeypatch.setattr(module.admission, "check", refuse)
    engine = tr.Engine(other)
    for policy in (*policies(3), policy_of(other, ["top"]), policy_of(ABC, ["is", "trains"])):
        assert engine.rank(policy).offer_ids == tr.Engine(ABC).rank(policy).offer_ids
    richer = tr.admit(policies(1)[0].term, {**FIELDS, "price_new": {"sort": "Num"}})
    with pytest.raises(AssertionError, match="checked again"):
        engine.rank(tr.admit(["policy", ["cmp", "price_new", "le", 1], *richer.term[2:]], richer.fields))
