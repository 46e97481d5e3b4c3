"""Observations: orders made when they are needed, and what did not change shared."""

from __future__ import annotations

from random import Random
from typing import Any

import numpy as np
import pytest

import tenantrank as tr
from tenantrank.engine import observations as module
from tenantrank.engine.lines import LINE
from tenantrank.engine.observations import _UNMADE, Framed, Observations
from tenantrank.engine.plan import Plan
from tenantrank.engine.programs import Programs
from tenantrank.policy.signature import V2
from tenantrank_kernels import frames
from tenantrank_kernels import opcodes as op
from tests.engine.samples import catalog_of, offer, policy_of, same

ROWS, LIVE_ROWS, NONE = np.zeros((2, 8), np.uint64), np.zeros((op.LIVE_ROWS, 8), np.uint64), np.zeros((0, 0))


def made(columns: list[list[float]]) -> Observations:
    size = len(columns[0])
    words = max(8, -(-size // 512) * 8)
    padded = [np.array(column + [0.0] * (words * 64 - size)) for column in columns]
    return Observations(padded, size, words)


def test_make_order__is_by_value_then_by_row() -> None:
    values = [2.0, 1.0, 2.0, float("inf"), 1.0, -5.0]
    observations = made([values])
    observations._make_orders([0])
    order = observations._orders[0]
    singles, _, _, rising, falling, ordered, run_first, run_end, _ = order.parts
    assert rising.tolist() == [5, 1, 4, 0, 2, 3]
    assert falling.tolist() == [3, 0, 2, 1, 4, 5]
    assert ordered.tolist() == sorted(values)
    assert run_first.tolist() == [0, 1, 1, 3, 3, 5]
    assert run_end.tolist() == [1, 3, 3, 5, 5, 6]
    assert singles[:6].tolist() == values


def test_make_order__what_is_read_by_blocks_begins_at_a_line_of_the_cache() -> None:
    for size in (3, 600, 1100):
        observations = made([[float(row % 7) for row in range(size)]] * 3)
        for field in range(3):
            observations._make_orders([field])
            mended = observations.changed({field: {1: 8.0}})
            for order in (observations._orders[field], mended._orders[field]):
                assert all(order.parts[at].ctypes.data % LINE == 0 for at in (0, 1, -1))


@pytest.mark.parametrize("size", [1, 2, 40, 700])
def test_changed__mends_an_order_to_what_sorting_anew_gives(size: int) -> None:
    rng = Random(size)
    for _ in range(20):
        few = [rng.choice((0.0, 1.0, 2.5, float("inf"))) for _ in range(3)]
        values = [rng.choice(few) if rng.random() < 0.7 else rng.random() for _ in range(size)]
        before = made([values, values])
        before._make_orders([0])
        rows = sorted(rng.sample(range(size), min(size, rng.choice((1, 2, 8, 9)))))
        now = [rng.choice(few) if rng.random() < 0.5 else rng.random() for _ in rows]
        after = before.changed({0: dict(zip(rows, now, strict=True))})
        for row, value in zip(rows, now, strict=True):
            values[row] = value
        anew = made([values, values])
        anew._make_orders([0])
        for found, wanted in zip(after._orders[0].parts, anew._orders[0].parts, strict=True):
            assert np.array_equal(found, wanted)
        assert after.columns[0][:size].tolist() == values
        assert after.columns[1] is before.columns[1]
        assert after._orders[1] is _UNMADE


def comparing(field: int, bounds: list[float]) -> Plan:
    """A plan that compares one field with several bounds: at most the first, less than the others."""
    code = [op.LE, field, 1]
    for at in range(1, len(bounds)):
        code += [op.LT | op.AND, field, at + 1]
    header = [0] * op.HEADER
    header[op.FILTER] = len(bounds)
    return Plan(V2, header + code, [0.0, *bounds], frozenset({field}), 2, 2, 1)


def framed(observations: Observations, programs: Programs, before: Framed | None = None) -> Framed:
    return observations.frame_of(programs, lambda: ROWS, LIVE_ROWS, NONE, before)


def cuts_of(frame: Framed, numbers: int) -> list[int]:
    cuts: list[int] = frame.frame._kept[frames.CUTS][:numbers].tolist()
    return cuts


def test_frame_of__makes_the_orders_that_programs_need_and_no_other() -> None:
    observations = made([[3.0, 1.0, 2.0], [9.0, 8.0, 7.0], [0.0, 0.0, 0.0]])
    programs = Programs()
    framed(observations, programs)
    assert all(order is _UNMADE for order in observations._orders)
    programs.add("a", comparing(1, [8.0]))
    framed(observations, programs)
    assert [order is _UNMADE for order in observations._orders] == [True, False, True]
    one = observations._orders[1]
    programs.add("b", comparing(0, [1.0, 2.0]))
    found = framed(observations, programs)
    assert [order is _UNMADE for order in observations._orders] == [False, False, True]
    assert observations._orders[1] is one
    assert found.held is programs.held
    assert cuts_of(found, 5) == [0, 2, 0, 1, 1]


def test_frame_of__is_kept_until_an_array_that_it_binds_had_to_grow() -> None:
    observations = made([[3.0, 1.0, 2.0], [9.0, 8.0, 7.0]])
    programs = Programs()
    programs.add("first", comparing(0, [2.0]))
    before = framed(observations, programs)
    programs.add("second", comparing(0, [1.0]))
    again = framed(observations, programs, before)
    assert again.frame is before.frame
    assert cuts_of(again, 4) == [0, 2, 0, 1]
    programs.add("of another field", comparing(1, [8.0]))
    third = framed(observations, programs, again)
    assert third.frame is not again.frame
    for number in range(3000):
        programs.add(str(number), comparing(0, [2.0, 3.0]))
    fourth = framed(observations, programs, third)
    assert fourth.frame is not third.frame
    assert len(fourth.held.numbers) > len(third.held.numbers)
    assert cuts_of(fourth, 9) == [0, 2, 0, 1, 0, 2, 0, 2, 2]
    assert cuts_of(fourth, 6 + 9000)[-3:] == [0, 2, 2]
    # What was given before still holds for the programs of then.
    assert cuts_of(before, 4) == [0, 2, 0, 1]
    assert framed(observations, programs, fourth).frame is fourth.frame


def test_extended__is_for_programs_that_take_no_more_than_their_cuts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tenantrank.engine.observations._BOUND_AT_ONCE", 8)
    observations = made([[3.0, 1.0, 2.0], [9.0, 8.0, 7.0]])
    programs = Programs()
    rows = ROWS
    programs.add("first", comparing(0, [2.0]))
    before = framed(observations, programs)
    programs.add("second", comparing(0, [1.0]))
    assert observations.extended(before, programs, rows) is programs.held
    assert cuts_of(before, 4) == [0, 2, 0, 1]
    assert observations.extended(before, programs, rows) is programs.held  # with none since
    # Another set, other rows, an order to make, too many at once, longer arrays: all of these take more.
    other = Programs()
    other.add("first", comparing(0, [2.0]))
    assert observations.extended(before, other, rows) is None
    assert observations.extended(before, programs, rows.copy()) is None
    programs.add("of another field", comparing(1, [8.0]))
    assert observations.extended(before, programs, rows) is None
    second = framed(observations, programs)
    assert observations.extended(before, programs, rows) is None
    for number in range(9):
        programs.add(str(number), comparing(0, [3.0]))
    assert observations.extended(second, programs, rows) is None
    third = framed(observations, programs)
    for number in range(8):
        programs.add(f"further {number}", comparing(0, [2.5]))
    assert observations.extended(third, programs, rows) is programs.held
    assert cuts_of(third, 40)[-16:] == [0, 2] * 8
    for number in range(3000):
        programs.add(f"many {number}", comparing(0, [2.0, 3.0]))
    monkeypatch.undo()
    assert observations.extended(third, programs, rows) is None
    # After a change, the cuts of its column have to be found anew.
    fourth = framed(observations, programs)
    after = observations.changed({0: {0: 1.5}})
    assert observations.extended(fourth, programs, rows) is programs.held
    assert after.extended(fourth, programs, rows) is None


def test_frame_of__finds_the_cuts_anew_for_another_set_of_programs_and_after_a_change() -> None:
    observations = made([[3.0, 1.0, 2.0]])
    one, other = Programs(), Programs()
    one.add("a", comparing(0, [2.0]))
    other.add("b", comparing(0, [1.0, 3.0]))
    first = framed(observations, one)
    assert [cuts_of(framed(observations, programs), 3) for programs in (other, one, other)] == [
        [0, 1, 2],
        [0, 2, 0],
        [0, 1, 2],
    ]
    assert cuts_of(first, 2) == [0, 2]
    after = observations.changed({0: {1: 7.0, 2: 0.5}})
    assert cuts_of(framed(after, other), 3) == [0, 1, 1]
    assert cuts_of(framed(observations, other), 3) == [0, 1, 2]


def test_changed__finds_the_cuts_of_what_moved_and_keeps_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    observations = made([[3.0, 1.0, 2.0], [9.0, 8.0, 7.0], [0.0, 0.0, 0.0]])
    programs = Programs()
    for number, (field, bound) in enumerate([(0, 2.0), (1, 8.0), (0, 1.0)]):
        programs.add(str(number), comparing(field, [bound]))
    before = framed(observations, programs)
    assert cuts_of(before, 6) == [0, 2, 0, 2, 0, 1]
    bound_now: list[tuple[int, int, int]] = []
    right = module.binder()

    def noted(frame: Any, begins: Any, begin: int, end: int, field: int) -> None:
        bound_now.append((begin, end, field))
        right(frame, begins, begin, end, field)

    monkeypatch.setattr(module, "binder", lambda: noted)
    once = observations.changed({1: {0: 1.0}})
    twice = once.changed({0: {1: 5.0}})  # what moved before is found too
    programs.add("later", comparing(1, [9.0]))
    assert cuts_of(framed(twice, programs), 8) == [0, 1, 0, 3, 0, 0, 0, 3]
    assert sorted(bound_now) == [(0, 3, 0), (0, 3, 1), (3, 4, -1)]
    bound_now.clear()
    framed(twice, programs)
    assert bound_now == []
    assert cuts_of(framed(once, programs), 8) == [0, 2, 0, 3, 0, 1, 0, 3]
    assert cuts_of(before, 6) == [0, 2, 0, 2, 0, 1]
    whole = twice.with_column(1, np.array([7.0, 8.0, 9.0] + [0.0] * 509))
    assert cuts_of(framed(whole, programs), 8) == [0, 1, 0, 2, 0, 0, 0, 3]


def test_frame_of__binds_some_programs_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_BOUND_AT_ONCE", 7)
    observations, programs = made([[3.0, 1.0, 2.0]]), Programs()
    for number in range(30):
        programs.add(str(number), comparing(0, [number / 8]))
    wanted = [sum(value <= number / 8 for value in (3.0, 1.0, 2.0)) for number in range(30)]
    assert cuts_of(framed(observations, programs), 60)[1::2] == wanted


def test_frame__is_for_code_that_is_no_program() -> None:
    observations = made([[3.0, 1.0, 2.0], [9.0, 8.0, 7.0]])
    code, numbers = np.array([op.LE, 1, 0], dtype=np.int32), np.array([8.0])
    frame = observations.frame(code, numbers, [1], ROWS, LIVE_ROWS)
    assert [order is _UNMADE for order in observations._orders] == [True, False]
    kept = frame._kept
    assert (kept[frames.WORDS], kept[frames.WIDTH], kept[frames.SIZE], kept[frames.FIELDS]) == (8, 512, 3, 2)
    assert kept[frames.CODE].tolist() == [op.LE, 1, 0]


@pytest.mark.parametrize("size", [0, 1, 511, 512, 513, 9000, 70000])
def test_observations__have_some_hundred_marks_whatever_the_size(size: int) -> None:
    words = max(8, -(-size // 512) * 8)
    observations = Observations([np.zeros(64 * words)], size, words)
    layout = observations._layout
    assert 1 <= layout.marks <= 513
    # As many as take little memory; more than some hundred are never needed.
    marked = layout.marks * words * 8
    assert layout.shift == 0 or marked > 1 << 15
    assert marked < 1 << 17 or layout.marks <= 257
    assert (layout.marks - 1) << layout.shift >= size
    observations._make_orders([0])
    assert len(observations._orders[0].parts[-1]) == layout.marks * words


def test_with_health__shares_all_that_did_not_change_and_answers_as_a_new_engine() -> None:
    rng = Random(5)
    names = [f"o{at}" for at in range(90)]
    catalog = catalog_of(
        *(
            offer(name, f"p{at % 7}", f"m{at % 9}", **({} if at % 3 else {"price_out": rng.random() * 9}))
            for at, name in enumerate(names)
        )
    )
    policies = [
        policy_of(catalog, ["not", ["is", "breaker_open"]], ["neg", ["normalize", ["field", "price_out"]]]),
        policy_of(catalog, ["cmp", "price_out", "le", 6], ["field", "price_out"]),
        policy_of(catalog, ["cmp", "credits", "ge", 1], ["neg", ["field", "price_in"]]),
    ]
    health = tr.Health.of({"ema": {f"p{at}|m{at}": {"price_out": 1.0 + at} for at in range(7)}})
    engine = tr.Engine(catalog, health, threads=1)
    for step in range(40):
        for policy in policies:
            assert same(engine.rank(policy), tr.Engine(catalog, health).rank(policy))
        key = f"p{rng.randrange(7)}|m{rng.randrange(9)}"
        change = rng.randrange(4)
        if change == 0:
            health = health.updated(ema={key: {"price_out": rng.random() * 9, "price_in": rng.random()}})
        elif change == 1:
            health = health.updated(credits={f"p{step % 7}": rng.random() * 3})
        elif change == 2:
            health = tr.Health(dict(list(health.ema.items())[1:]), health.breakers, health.disabled, health.credits)
        else:
            health = health.updated(breakers={f"p{step % 7}": rng.random() < 0.5})
        before, engine = engine, engine.with_health(health)
        if change == 3:
            assert engine._now.view(V2).observations is before._now.view(V2).observations


def drawn(rng: Random, size: int) -> dict[int, float]:
    """Other values of a few rows."""
    return {
        row: rng.choice((0.0, 2.5, float("inf"), rng.random()))
        for row in rng.sample(range(size), rng.choice((1, 2, 5)))
    }


@pytest.mark.parametrize("counted", [True, False])
def test_changed__reuses_the_memory_that_nobody_has_and_no_other(
    counted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_COUNTED", counted and module._COUNTED)
    rng, size = Random(3), 90
    now = made([[float(row % 7) for row in range(size)]] * 2)
    now._make_orders([0])
    memories: list[int] = []
    kept: list[tuple[Any, Any]] = []  # what somebody still has, and what was in it
    for step in range(60):
        if rng.random() < 0.3:
            tables = now._tables
            things: list[Any] = [now.columns[0][3:9], now._orders[0].parts[-1], tables._kept[2], now]
            thing = rng.choice(things)
            seen = thing.columns[0] if isinstance(thing, Observations) else thing
            kept.append((thing, seen.copy()))
        change = {0: drawn(rng, size), 1: drawn(rng, size)} if step % 3 else {0: drawn(rng, size)}
        after = now.changed(change)
        values = [column[:size].tolist() for column in now.columns]
        for field, rows in change.items():
            for row, value in rows.items():
                values[field][row] = value
        assert [column[:size].tolist() for column in after.columns] == values
        anew = made(values)
        anew._make_orders([0])
        for found, wanted in zip(after._orders[0].parts, anew._orders[0].parts, strict=True):
            assert np.array_equal(found, wanted)
        assert after._orders[1] is _UNMADE
        memories.append(after._orders[0].handles[1] if not frames.PLAIN else after._orders[0].memory.ctypes.data)
        for thing, content in kept:
            assert np.array_equal(thing.columns[0] if isinstance(thing, Observations) else thing, content)
        del kept[: len(kept) // 3]
        if rng.random() < 0.8:  # else from the same once more
            now = after
        del after, anew
    assert len(set(memories)) < len(memories)


def test_changed__takes_turns_between_two_pieces_of_memory() -> None:
    now = made([[float(row % 7) for row in range(90)]])
    now._make_orders([0])
    seen = []
    for step in range(12):
        now = now.changed({0: {step: 0.5 * step}})
        seen.append(id(now._orders[0]))
    if module._COUNTED and not frames.PLAIN:
        assert len(set(seen[2:])) == 2


def test_take_orders__of_columns_that_are_the_same_or_nearly() -> None:
    before = made([[3.0, 1.0, 2.0, 1.0] * 5, [9.0, 8.0] * 10, [float(row) for row in range(20)], [0.0] * 20])
    before._make_orders([0, 1, 2])
    values = [column[:20].tolist() for column in before.columns]
    values[1][4] = 7.0
    values[2].reverse()
    after = made(values)
    after.take_orders(before, range(4))
    assert after._orders[0] is before._orders[0]
    assert [order is _UNMADE for order in after._orders] == [False, False, True, True]
    anew = made(values)
    for each in (after, anew):
        each._make_orders(range(4))
    for mine, wanted in zip(after._orders, anew._orders, strict=True):
        assert all(map(np.array_equal, mine.parts, wanted.parts))
    assert before.columns[1][4] == 9.0
    smaller = made([column[:19] for column in values])
    smaller.take_orders(before, range(4))
    assert all(order is _UNMADE for order in smaller._orders)
