"""Running programs: the arrays that come back, whatever the threads."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

import tenantrank as tr
from tenantrank.engine import crew, running
from tenantrank.engine import programs as programs_module
from tenantrank.engine.observations import Observations
from tenantrank.engine.running import Prepared, Ranked
from tenantrank.policy.signature import V1, V2
from tenantrank_kernels import opcodes as op
from tests.engine.samples import catalog_of, offer, policy_of, same

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


def test_ready_for__is_good_for_all_programs_that_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """A new policy makes no new frame; one of another field, or one more than there is room for, does."""
    monkeypatch.setattr(programs_module, "_FIRST_CAPACITY", 64)
    engine = tr.Engine(CATALOG)
    kept: list[Any] = []  # so that no two frames have one id
    for at in range(60):
        field = ("price_in", "price_out", "context")[at // 20]
        policy = policy_of(CATALOG, ["cmp", field, "ge", at / 8], ["field", field])
        fresh = tr.Engine(CATALOG).rank(policy)
        assert same(engine.rank(policy), fresh)
        ready = engine._now.plain(V2).ready
        assert ready is not None
        kept.append(ready.frame)
    assert 3 <= len({id(frame) for frame in kept}) < 25


def test_ready_for__grows_in_place_as_long_as_its_frame_and_scratch_serve() -> None:
    engine = tr.Engine(CATALOG)
    plain = engine._now.plain(V2)
    shallow = [policy_of(CATALOG, ["cmp", "price_in", "le", at], ["field", "price_in"]) for at in (1.0, 2.0, 3.0)]
    engine.rank(shallow[0])
    first = plain.ready
    assert first is not None
    last, call, desk = first.last, first.call, first.desk
    engine.rank(shallow[1])
    assert plain.ready is first
    assert first.last > last
    assert (first.call, first.desk, first.held.programs) == (call, desk, 2)
    grown = first.last
    parts = [["and", ["is", "has_tee"], ["or", ["is", "no_log"], ["and", ["is", "trains"], ["is", "region_eu"]]]]] * 2
    deep = policy_of(CATALOG, ["or", *parts, ["and", ["not", ["provider_eq", "p"]], ["or", *parts, ["top"]]]])
    wide = policy_of(CATALOG, ["top"], ["add", *(["scale", at, ["field", "price_in"]] for at in (1, 2, 3, 4))])
    for needy in (deep, wide):
        engine.rank(needy)
    assert plain.ready is not first
    assert (first.last, first.held.programs) == (grown, 2)
    # The engine that still has the first one ranks on with what is good for all.
    engine._ready = first
    for policy in [*shallow, deep, wide]:
        assert engine.rank(policy, k=2).offer_ids == tr.Engine(CATALOG).rank(policy, k=2).offer_ids


def test_ready_at__of_a_new_policy_takes_no_more_than_its_cuts(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = tr.Engine(CATALOG)
    plain = engine._now.plain(V2)
    made: list[Any] = []
    right = Observations.frame_of

    def watched(*arguments: Any) -> Any:
        made.append(arguments)
        return right(*arguments)

    monkeypatch.setattr(Observations, "frame_of", watched)
    policies = [policy_of(CATALOG, ["cmp", "price_in", "le", at / 8], ["field", "price_in"]) for at in range(90)]
    found = [engine.rank(policy, k=2) for policy in policies]
    assert len(made) == 1
    first = plain.ready
    assert first is not None
    assert (first.held.programs, first.last) == (90, policies[-1].placed[1])
    # A policy of another field needs an order, one that is a row needs the row: both take a frame.
    engine.rank(policy_of(CATALOG, ["cmp", "context", "ge", 1], ["field", "price_in"]))
    assert len(made) == 2
    assert plain.ready is not first
    for policy, decision in zip(policies, found, strict=True):
        wanted = tr.Engine(CATALOG).rank(policy, k=2)
        assert same(decision, wanted)
        assert same(engine.rank(policy, k=2), wanted)


def test_ready_for__of_several_threads_lets_one_after_the_other_say_what_it_is_good_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Who was overtaken would take back what the other bound, while a batch counts on it."""
    engine = tr.Engine(CATALOG)
    plain = engine._now.plain(V2)
    inside: dict[str, list[bool]] = {"frame_of": [], "extended": []}

    def watch(name: str) -> None:
        right = getattr(Observations, name)

        def watched(*arguments: Any) -> Any:
            inside[name].append(plain._lock.locked())
            return right(*arguments)

        monkeypatch.setattr(Observations, name, watched)

    for name in inside:
        watch(name)
    policies = [policy_of(CATALOG, ["cmp", "price_in", "le", at / 8], ["field", "price_in"]) for at in range(200)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda policy: engine.rank(policy, k=2).offer_ids, policies))
    for calls in inside.values():
        assert calls
        assert all(calls)
    assert plain.ready is not None
    assert plain.ready_for(engine._now.compiled.programs[V2]).held.programs == 200
    assert found == [tr.Engine(CATALOG).rank(policy, k=2).offer_ids for policy in policies]


def test_several__requests_are_laid_end_to_end() -> None:
    engine = tr.Engine(CATALOG)
    requests = [tr.Request(), tr.Request(needs=("tools",)), tr.Request(scope="s")]
    for version, columns in ((V1, op.REQUEST_COLUMNS), (V2, 0)):
        parts = [engine._now.prepared(version, request) for request in requests]
        whole = Prepared.several(parts)
        assert whole.live_rows.shape == (3 * op.LIVE_ROWS, 8)
        assert len(whole.request_columns) == 3 * columns
        for at, part in enumerate(parts):
            assert np.array_equal(whole.live_rows[at * op.LIVE_ROWS :][: op.LIVE_ROWS], part.live_rows)
        assert Prepared.several(parts[:1]) is parts[0]


def test_run__a_failure_reaches_the_caller_after_the_other_threads_have_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory that threads write to is given back only when none of them runs any more."""
    policies = [policy_of(CATALOG, ["cmp", "price_in", "le", at / 8], ["field", "price_in"]) for at in range(64)]
    running_now: list[int] = []
    right = running.rank_programs

    def fail_once(frame: Any, scratch: Any, *rest: Any) -> None:
        begin = rest[3]
        running_now.append(begin)
        try:
            if begin == 0:
                raise MemoryError("no more")
            right(frame, scratch, *rest)
        finally:
            running_now.remove(begin)

    monkeypatch.setattr(running, "_WORTH_A_THREAD", 2)
    monkeypatch.setattr(running, "rank_programs", fail_once)
    engine = tr.Engine(CATALOG, threads=5)
    for _ in range(10):
        with pytest.raises(MemoryError, match="no more"):
            engine.rank_rows(policies)
        assert running_now == []
        ours = [thread for thread in threading.enumerate() if thread.name == "tenantrank"]
        assert all(thread in crew._idle for thread in ours)


def test_run__after_a_failure_other_threads_begin_no_further_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    policies = [policy_of(CATALOG, ["cmp", "price_in", "le", at / 8], ["field", "price_in"]) for at in range(64)]
    crews: list[crew.Crew] = []
    enter, own = crew.Crew.__enter__, threading.current_thread()
    begun: list[int] = []

    def entered(self: crew.Crew) -> crew.Crew:
        crews.append(self)
        return enter(self)

    def fail_elsewhere(*rest: Any) -> None:
        if threading.current_thread() is not own:
            raise MemoryError("no more")
        begun.append(rest[5])
        while not crews[0].failed:
            pass

    monkeypatch.setattr(crew.Crew, "__enter__", entered)
    monkeypatch.setattr(running, "_WORTH_A_THREAD", 2)
    monkeypatch.setattr(running, "_LEAST_PIECE", 1)
    monkeypatch.setattr(running, "rank_programs", fail_elsewhere)
    with pytest.raises(MemoryError, match="no more"):
        tr.Engine(CATALOG, threads=2).rank_rows(policies)
    assert len(begun) <= 1


@pytest.mark.parametrize("threads", [1, 2])
def test_run__leaves_no_place_of_an_answer_unwritten(threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever lay in the memory that answers are written to."""
    plain = np.empty

    def used(*given: Any, **named: Any) -> Any:
        array = plain(*given, **named)
        array.fill(77)
        return array

    policies = [policy_of(CATALOG, ["cmp", "price_in", "le", at / 4], ["field", "price_in"]) for at in range(12)]
    monkeypatch.setattr(running, "_WORTH_A_THREAD", 2)
    with monkeypatch.context() as patch:
        patch.setattr(running.np, "empty", used)
        found = tr.Engine(CATALOG, threads=threads).rank_rows(policies, k=3)
    assert found.ranked.tolist() == [0] * 4 + [1] * 4 + [2] * 4
    for rows, scores, ranked in zip(found.rows, found.scores, found.ranked, strict=True):
        assert (rows[ranked:] == -1).all()
        assert np.isnan(scores[ranked:]).all()
        assert (rows[:ranked] >= 0).all()


def test_asked__nothing_is_the_first_request_and_seed_0() -> None:
    for count in (0, 5, 40_000):
        asked = running.Asked.nothing(count)
        assert (asked.requests.dtype, asked.seeds.dtype) == (np.int32, np.int64)
        assert min(map(len, asked)) >= count
        assert not any(array.any() for array in asked)


@pytest.mark.parametrize("threads", [1, 2, 3, 16])
@pytest.mark.parametrize("total", [0, 1, 63, 64, 65, 1000, 16384])
@pytest.mark.parametrize("behind", [0, 300, 100_000])
def test_pieces__cover_all_programs_in_order_and_shrink(total: int, threads: int, behind: int) -> None:
    pieces = list(running._pieces(total, threads, behind))
    assert [at for begin, end in pieces for at in range(begin, end)] == list(range(total))
    sizes = [end - begin for begin, end in pieces]
    assert sizes == sorted(sizes, reverse=True)
    if threads == 1:
        assert len(pieces) <= 1
    else:
        assert all(size <= max(64, (total + behind) // threads) for size in sizes)
        assert all(size >= 64 for size in sizes[:-1])


def test_ranked__is_put_together_from_parts_by_position() -> None:
    whole = Ranked.empty(3, 2)
    whole.rows[:], whole.scores[:], whole.ranked[:], whole.survived[:] = -1, np.nan, 0, 0
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
    middle = whole.part(slice(1, 2))
    middle.rows[:] = 4
    assert whole.rows.tolist() == [[7, -1], [4, 4], [5, 6]]
    assert whole.like(4).rows.shape == (4, 2)
