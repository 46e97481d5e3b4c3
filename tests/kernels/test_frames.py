"""Frames: what a kernel takes for arrays, and that a frame keeps them alive."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import numpy as np
import pytest

from tenantrank_kernels import Frame, handle_of, machine
from tenantrank_kernels._compile import part
from tenantrank_kernels.frames import PLAIN


class Numbers(np.ndarray):  # type: ignore[type-arg]
    """An array that can be watched going away."""


def numbers(*values: float) -> Any:
    return np.array(values, dtype=np.float64)


@part
def first_and_plain(frame: Any) -> Any:
    entries = machine.table(frame)
    return machine.doubles(entries[0])[0] + entries[1]


@part
def nested(frame: Any, table: int, at: int) -> Any:
    entries = machine.table(frame)
    return machine.doubles(machine.longs(entries[0])[table])[at]


def test_handle_of__an_array_is_its_address_or_itself() -> None:
    array = numbers(1, 2)
    assert handle_of(array) is array if PLAIN else handle_of(array) == array.ctypes.data
    assert handle_of(7) == 7
    frame = Frame([array, 3])
    assert handle_of(frame) is frame.handle


def test_handle_of__is_the_address_of_any_array() -> None:
    sealed = numbers(1, 2)
    sealed.flags.writeable = False
    square = np.arange(6.0).reshape(2, 3)
    days = np.array(["2026-01-01"], dtype="M8[D]")
    for array in (sealed, numbers(), square[:, 1], numbers(1, 2, 3)[1:], days):
        assert handle_of(array) is array if PLAIN else handle_of(array) == array.ctypes.data
    for array in (square, square.T):
        handle = handle_of(array)
        assert handle.tolist() == array.ravel().tolist() if PLAIN else handle == array.ctypes.data


def test_frame__holds_arrays_and_integers() -> None:
    array = numbers(2.5, 0.0)
    frame = Frame([array, 40])
    assert first_and_plain(frame.handle) == 42.5
    array[0] = 1.0  # the frame shows the array as it is now
    assert first_and_plain(frame.handle) == 41.0
    assert tuple(frame.entries) == (handle_of(array), 40)
    assert frame.handle == frame.entries if PLAIN else isinstance(frame.handle, int)


def test_frame__holds_frames_of_arrays() -> None:
    inner = Frame([numbers(1, 2), numbers(3, 4)])
    outer = Frame([inner, 0])
    assert [nested(outer.handle, table, at) for table in (0, 1) for at in (0, 1)] == [1.0, 2.0, 3.0, 4.0]


def test_replaced__is_another_frame_that_shares_the_rest() -> None:
    tables = Frame([numbers(1), numbers(2)])
    array = numbers(5)
    other = tables.replaced((1, array, handle_of(array)))
    before, after = Frame([tables, 0]), Frame([other, 0])
    assert [nested(before.handle, table, 0) for table in (0, 1)] == [1.0, 2.0]
    assert [nested(after.handle, table, 0) for table in (0, 1)] == [1.0, 5.0]
    assert other.entries[0] == tables.entries[0]
    array = numbers(7)
    first = tables.replaced((0, array, handle_of(array)))
    outer = Frame([first, 0])
    assert nested(outer.handle, 0, 0) == 7.0


def test_replaced__several_entries_at_once() -> None:
    arrays = [numbers(at) for at in range(6)]
    tables = Frame(arrays)
    others = [numbers(10), numbers(11)]
    every_third = slice(1, None, 3), others, [handle_of(array) for array in others]
    other = tables.replaced(every_third, (0, arrays[2], tables.entries[2]))
    before, after = Frame([tables, 0]), Frame([other, 0])
    assert [nested(before.handle, at, 0) for at in range(6)] == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
    assert [nested(after.handle, at, 0) for at in range(6)] == [2.0, 10.0, 2.0, 3.0, 11.0, 5.0]


def test_parts__are_tables_one_behind_the_other() -> None:
    tables = Frame([numbers(at) for at in range(6)])
    outer = Frame([0, 0, 0]).replaced((slice(0, 3), [tables] * 3, tables.parts(3)))
    for which in range(3):
        one = outer.replaced((0, tables, outer.entries[which]))
        assert [nested(one.handle, at, 0) for at in (0, 1)] == [2.0 * which, 2.0 * which + 1]


@pytest.mark.parametrize("replaced", [False, True])
def test_frame__keeps_what_it_names_alive(replaced: bool) -> None:
    array = numbers(8).view(Numbers)
    watched = weakref.ref(array)
    inner = Frame([numbers(1), array])
    if replaced:
        inner = Frame([numbers(1), numbers(2)]).replaced((1, array, handle_of(array)))
    outer = Frame([inner, 0])
    del array, inner
    gc.collect()
    assert watched() is not None
    assert nested(outer.handle, 1, 0) == 8.0
    other = outer.replaced((0, 0, 0))
    del outer
    gc.collect()
    assert watched() is None
    assert tuple(other.entries) == (0, 0)
