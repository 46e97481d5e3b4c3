"""Batches that are ranked while others are looked up: the same bits as without, and failures told."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tenantrank as tr
from tenantrank.engine import batches, chunk_runs, compiled, crew, running
from tests.engine.samples import catalog_of, offer, old_term_of, policy_of

CATALOG = catalog_of(*(offer(f"o{at}", price_in=float(at % 5), provider="pq"[at % 2]) for at in range(70)))


def policies(count: int) -> list[tr.Policy]:
    new = [policy_of(CATALOG, ["cmp", "price_in", "le", at / 8], ["field", "price_in"]) for at in range(count)]
    old = [
        tr.admit(old_term_of(["cmp", "price_in", "ge", at / 8], ["field", "price_in"]), CATALOG.fields)
        for at in range(count // 3)
    ]
    return [*new, *old, *new[:5]]


@pytest.fixture
def ahead(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Small pieces and chunks, and how many threads each batch was worth."""
    seen: list[int] = []
    right = running.worth_threads

    def counted(*given: int) -> int:
        seen.append(right(*given))
        return seen[-1]

    monkeypatch.setattr(chunk_runs, "worth_threads", counted)
    monkeypatch.setattr(chunk_runs, "_LOOKED_UP", 7)
    monkeypatch.setattr(running, "_WORTH_A_THREAD", 5)
    monkeypatch.setattr(running, "_LEAST_PIECE", 3)
    monkeypatch.setattr(compiled, "WORTH_A_TABLE", 4)
    monkeypatch.setattr(batches, "_CHUNK", 10)
    return seen


@pytest.mark.parametrize("threads", [2, 3, 5])
@pytest.mark.parametrize("kind", [list, tuple])
def test_rank_plain__gives_the_same_bits(threads: int, kind: Any, ahead: list[int]) -> None:
    mixed = kind(policies(31))
    one = tr.Engine(CATALOG, threads=1).rank_rows(mixed, k=4)
    apart = [tr.Engine(CATALOG, threads=1).rank_rows([policy], k=4) for policy in mixed]
    assert [b"".join(answers) for answers in zip(*(map(np.ndarray.tobytes, each) for each in apart), strict=True)] == [
        array.tobytes() for array in one
    ]
    ahead.clear()
    engine = tr.Engine(CATALOG, threads=threads)
    for _ in range(2):  # the second time all are known
        many = engine.rank_rows(mixed, k=4)
        assert all(a.tobytes() == b.tobytes() for a, b in zip(one, many, strict=True))
    assert ahead == [threads] * 2


def test_rank_plain__of_nothing(ahead: list[int]) -> None:
    assert len(tr.Engine(CATALOG, threads=2).rank_rows([]).ranked) == 0
    assert ahead == [1]


def test_rank_plain__a_failure_is_told(ahead: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise MemoryError("no more")

    engine = tr.Engine(CATALOG, threads=3)
    monkeypatch.setattr(running, "rank_programs", fail)
    with pytest.raises(MemoryError, match="no more"):
        engine.rank_rows(policies(31))
    with pytest.raises(tr.RequestError):
        engine.rank_rows([*policies(31), "no policy"])  # type: ignore[list-item]


def test_small_batches_call_no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused() -> None:
        raise AssertionError("called a thread")

    monkeypatch.setattr(crew, "_free_helper", refused)
    engine = tr.Engine(CATALOG, threads=2)
    assert len(engine.rank_rows(policies(31)).ranked) == 46
    with pytest.raises(AssertionError, match="called a thread"):
        engine.rank_rows(policies(31) * 12)
