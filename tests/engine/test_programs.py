"""Programs: an arena that grows under those who read it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from tenantrank.engine.plan import Plan
from tenantrank.engine.programs import Laid, Programs
from tenantrank.policy.signature import V2
from tenantrank_kernels import frames, handle_of
from tenantrank_kernels import opcodes as op


def plan_of(length: int, mark: int, bits: int = 1) -> Plan:
    return Plan(V2, [mark] * (op.HEADER + length), [float(mark)] * (length + 1), frozenset({mark % 7}), bits, 2, 1)


def test_add__lays_programs_end_to_end_and_tells_each_where_its_numbers_begin() -> None:
    programs = Programs()
    plans = [plan_of(3 * (number % 40), number) for number in range(500)]
    starts = [programs.add(str(number), plan) for number, plan in enumerate(plans)]
    held = programs.held
    assert programs.count == held.programs == 500
    assert held.starts[:500].tolist() == starts
    assert programs.at_of == {str(number): at for number, at in enumerate(starts)}
    for at, plan in zip(starts, plans, strict=True):
        first = held.code[at + op.NUMBERS]
        code = held.code[at : at + len(plan.code)].tolist()
        assert code[: op.NUMBERS] + code[op.NUMBERS + 1 :] == list(plan.code)[1:]
        assert held.numbers[first : first + len(plan.numbers)].tolist() == list(plan.numbers)
    assert held.fields == set(range(7))
    assert held.begins is held.starts if frames.PLAIN else held.begins == handle_of(held.starts)
    assert programs.nbytes > 4 * sum(len(plan.code) for plan in plans)


def test_extend__says_where_the_last_program_begins_as_add_does() -> None:
    programs = Programs()
    assert programs.held.last == -1
    assert programs.add("a", plan_of(3, 1)) == programs.held.last == 0
    nothing = np.zeros(0, dtype=np.int64)
    laid = Laid(np.zeros(30, np.int32), np.zeros(2), np.array([0, 15]), frozenset({2}), 1, 2, 1)
    begins = programs.extend(laid, ("b", "c"))
    assert programs.held.last == begins[-1] == programs.at_of["c"]
    programs.extend(laid._replace(code=nothing.astype(np.int32), numbers=np.zeros(0), starts=nothing))
    assert programs.held.last == begins[-1]
    assert programs.copy().held.last == begins[-1]
    assert programs.add("d", plan_of(3, 1)) == programs.held.last > begins[-1]


def test_add__leaves_what_others_hold_as_it_is() -> None:
    programs = Programs()
    programs.add("a", plan_of(9, 3))
    before = programs.held
    seen = before.code.copy()
    for number in range(2000):
        programs.add(str(number), plan_of(30, 5, bits=4))
    assert before.programs == 1
    assert np.array_equal(before.code[: op.HEADER + 9], seen[: op.HEADER + 9])
    assert len(programs.held.code) > len(before.code)
    assert (before.bits, programs.held.bits) == (2, 4)


def test_add__longer_tables_are_found_by_kernels_too() -> None:
    programs = Programs()
    for number in range(5000):
        programs.add(str(number), plan_of(3, number))
    held = programs.held
    assert len(held.starts) >= held.programs == 5000
    assert held.begins is held.starts if frames.PLAIN else held.begins == handle_of(held.starts)
    assert held.starts[:5000].tolist() == list(programs.at_of.values())


def test_add__from_several_threads_loses_nothing() -> None:
    programs = Programs()

    def work(number: int) -> tuple[int, int]:
        return number, programs.add(str(number), plan_of(number % 50, number))

    with ThreadPoolExecutor(4) as pool:
        placed = dict(pool.map(work, range(800)))
    held = programs.held
    assert held.programs == 800
    assert all(held.code[at] == number for number, at in placed.items())


def test_scratch_for__is_kept_until_programs_need_more() -> None:
    programs = Programs()
    programs.add("a", plan_of(3, 1))
    scratch = programs.scratch_for(8)
    programs.add("b", plan_of(3, 1))
    assert programs.scratch_for(8) is scratch
    programs.add("c", plan_of(3, 1, bits=9))
    assert programs.scratch_for(8) is not scratch
