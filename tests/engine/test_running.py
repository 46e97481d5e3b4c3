"""Running programs: the arrays that come back, whatever the threads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

import tenantrank as tr
from tenantrank.engine import running
from tenantrank.engine.running import Ranked
from tests.engine.samples import catalog_of, offer, policy_of

CATALOG = catalog_of(
    offer("a", price_in=1.0, capabilities={"supports_tools": True}),
    offer("b", price_in=3.0),
    offer("c", price_in=2.0, capabilities={"supports_tools": True}),
)


def test_run__ranks_each_program_for_its_own_request_and_seed() -> None:
    dear = policy_of(CATALOG, ["meets_req"], ["field", "price_in"])
    drawn = policy_of(CATALOG, ["top"], ["field", "price_in"], ["sample", 50])
    tools = {"requirements": {"needs": ["tools"]}}
    engine = tr.Engine(CATALOG, threads=1)
    result = engine.rank_rows([dear, dear, drawn, drawn], [None, tools, None, None], 2, [None, None, 1, 4])
    assert result.rows[0].tolist() == [1, 2]
    assert result.rows[1].tolist() == [2, 0]
    assert result.scores[1].tolist() == [2.0, 1.0]
    assert result.survived.tolist() == [3, 2, 3, 3]
    assert result.ranked.tolist() == [2, 2, 2, 2]
    alone = engine.rank_rows([drawn], None, 2, [4])
    assert alone.rows[0].tolist() == result.rows[3].tolist()


@pytest.mark.parametrize("threads", [2, 3, 5])
def test_run__gives_the_same_bits_with_any_number_of_threads(threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "_WORTH_A_THREAD", 3)
    policies = [policy_of(CATALOG, ["cmp", "price_in", "le", at / 8], ["field", "price_in"]) for at in range(31)]
    one = tr.Engine(CATALOG, threads=1).rank_rows(policies, k=2)
    many = tr.Engine(CATALOG, threads=threads).rank_rows(policies, k=2)
    assert all(a.tobytes() == b.tobytes() for a, b in zip(one, many, strict=True))


def test_run__a_failure_in_a_thread_reaches_the_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise MemoryError("no more")

    engine = tr.Engine(CATALOG, threads=2)
    policies = [policy_of(CATALOG, ["top"], ["field", "price_in"])] * 8
    monkeypatch.setattr(running, "_WORTH_A_THREAD", 2)
    monkeypatch.setattr(running, "rank_programs", fail)
    with pytest.raises(MemoryError, match="no more"):
        engine.rank_rows(policies)


def test_run_one__takes_more_places_than_are_kept_and_calls_from_many_threads() -> None:
    offers = [offer(f"o{at}", price_in=float(at % 13)) for at in range(150)]
    catalog = catalog_of(*offers)
    policy = policy_of(catalog, ["top"], ["field", "price_in"])
    engine = tr.Engine(catalog)
    whole = engine.rank(policy)
    assert len(whole.offer_ids) == 150
    assert list(whole.scores) == sorted(whole.scores, reverse=True)

    def work(k: int) -> bool:
        decision = engine.rank(policy, k=k)
        return decision.offer_ids == whole.offer_ids[:k] and decision.scores == whole.scores[:k]

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(work, [1, 5, 64, 65, 149] * 20))


def test_ranked__is_put_together_from_parts_by_position() -> None:
    whole = Ranked.empty(3, 2)
    assert whole.rows.tolist() == [[-1, -1]] * 3
    assert np.isnan(whole.scores).all()
    part = Ranked(
        np.array([[5, 6], [7, -1]], dtype=np.int32),
        np.array([[1.0, 0.5], [2.0, np.nan]]),
        np.array([2, 1], dtype=np.int32),
        np.array([9, 1], dtype=np.int32),
    )
    whole.put([2, 0], part)
    assert whole.rows.tolist() == [[7, -1], [-1, -1], [5, 6]]
    assert whole.ranked.tolist() == [1, 0, 2]
    assert whole.survived.tolist() == [1, 0, 9]
    assert whole.scores[2].tolist() == [1.0, 0.5]
    middle = whole.part(1, 2)
    middle.rows[:] = 4
    assert whole.rows.tolist() == [[7, -1], [4, 4], [5, 6]]
    assert whole.like(4).rows.shape == (4, 2)
