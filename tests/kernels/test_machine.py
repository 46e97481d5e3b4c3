"""What the kernels' machine offers, instruction by instruction, against NumPy.

A block never leaves compiled code: each test runs it between two places of memory.
"""

from __future__ import annotations

import math
from random import Random
from typing import Any

import numpy as np
import pytest

from tenantrank_kernels import handle_of, machine
from tenantrank_kernels._compile import part
from tenantrank_kernels.frames import PLAIN
from tenantrank_kernels.machine import LANES, WORDS

LARGEST = 3.4028235e38
SINGLES = (0.0, -0.0, 1.0, -1.0, 0.1, 1e-45, -1e-45, 1.1754944e-38, LARGEST, -LARGEST, math.inf, -math.inf)
REAL = (0, 1, 2**63, 2**64 - 1, 0xAAAA_AAAA_AAAA_AAAA, 5)
memory = pytest.mark.parametrize("given", [lambda array: array, handle_of], ids=["array", "handle"])
"""What stands for memory: an array, or what a kernel takes in its place."""


@part
def move_singles(source: Any, target: Any, at: int, to: int) -> None:
    machine.store_singles(machine.singles(target), to, machine.load_singles(machine.singles(source), at))


@part
def move_shorts(source: Any, target: Any, at: int, to: int) -> None:
    machine.store_shorts(machine.shorts(target), to, machine.load_shorts(machine.shorts(source), at))


@part
def move_bits(source: Any, target: Any, at: int, to: int) -> None:
    machine.store_bits(machine.words(target), to, machine.load_bits(machine.words(source), at))


@part
def fill_singles(target: Any, value: np.float32) -> None:
    machine.store_singles(target, 0, machine.in_all(value))


@part
def fill_shorts(target: Any, value: np.uint16) -> None:
    machine.store_shorts(target, 0, machine.short_in_all(value))


@part
def add(a: Any, b: Any, target: Any) -> None:
    machine.store_singles(target, 0, machine.added(machine.load_singles(a, 0), machine.load_singles(b, 0)))


@part
def multiply(a: Any, b: Any, target: Any) -> None:
    machine.store_singles(target, 0, machine.times(machine.load_singles(a, 0), machine.load_singles(b, 0)))


@part
def take_greater(a: Any, b: Any, target: Any) -> None:
    machine.store_singles(target, 0, machine.greater(machine.load_singles(a, 0), machine.load_singles(b, 0)))


@part
def choose(bits: Any, a: Any, b: Any, target: Any) -> None:
    machine.store_singles(target, 0, machine.chosen(bits, machine.load_singles(a, 0), machine.load_singles(b, 0)))


@part
def choose_shorts(bits: Any, a: Any, b: Any, target: Any) -> None:
    machine.store_shorts(target, 0, machine.chosen_shorts(bits, machine.load_shorts(a, 0), machine.load_shorts(b, 0)))


@part
def reaching(a: Any, bound: np.float32) -> Any:
    return machine.at_least(machine.load_singles(a, 0), bound)


@part
def greatest_of(a: Any) -> Any:
    return machine.greatest(machine.load_singles(a, 0))


@part
def meet(a: Any, b: Any, target: Any) -> None:
    machine.store_bits(target, 0, machine.both(machine.load_bits(a, 0), machine.load_bits(b, 0)))


@part
def join(a: Any, b: Any, target: Any) -> None:
    machine.store_bits(target, 0, machine.either(machine.load_bits(a, 0), machine.load_bits(b, 0)))


@part
def take_without(a: Any, b: Any, target: Any) -> None:
    machine.store_bits(target, 0, machine.without(machine.load_bits(a, 0), machine.load_bits(b, 0)))


@part
def invert(a: Any, target: Any) -> None:
    machine.store_bits(target, 0, machine.inverted(machine.load_bits(a, 0)))


@part
def any_of(a: Any) -> Any:
    return machine.any_set(machine.load_bits(a, 0))


@part
def count_of(a: Any) -> Any:
    return machine.counted(machine.load_bits(a, 0))


@part
def lowest_of(word: np.uint64) -> Any:
    return machine.lowest(word)


def singles(seed: int, *more: float) -> np.ndarray[Any, Any]:
    rng = Random(seed)
    values = [rng.choice((*SINGLES, *more, rng.uniform(-9.0, 9.0))) for _ in range(LANES)]
    return np.array(values, dtype=np.float32)


def bits(seed: int) -> np.ndarray[Any, Any]:
    rng = Random(seed)
    return np.array([rng.choice((*REAL, rng.randrange(2**64))) for _ in range(WORDS)], dtype=np.uint64)


def word_of(holds: Any) -> int:
    return sum(1 << at for at, one in enumerate(holds) if one)


@memory
@pytest.mark.parametrize(
    ("move", "kind", "lanes"), [(move_singles, "f4", LANES), (move_shorts, "u2", LANES), (move_bits, "u8", WORDS)]
)
def test_load_and_store__move_one_block_at_any_place(given: Any, move: Any, kind: str, lanes: int) -> None:
    source = np.arange(1, 3 * lanes + 1).astype(kind)
    for at, to in ((0, 0), (1, 0), (lanes - 1, 3), (2 * lanes, lanes), (5, 2 * lanes)):
        target = np.zeros(3 * lanes, dtype=kind)
        wanted = target.copy()
        wanted[to : to + lanes] = source[at : at + lanes]
        move(given(source), given(target), at, to)
        assert target.tolist() == wanted.tolist(), (at, to)


@memory
@pytest.mark.parametrize(
    ("view", "kind"),
    [
        (machine.doubles, np.float64),
        (machine.singles, np.float32),
        (machine.integers, np.int32),
        (machine.words, np.uint64),
        (machine.shorts, np.uint16),
        (machine.longs, np.int64),
    ],
)
def test_memory__is_read_and_written_as_numbers_of_its_type(given: Any, view: Any, kind: Any) -> None:
    @part
    def doubled(source: Any, target: Any, at: int) -> None:
        view(target)[at] = view(source)[at] + view(source)[at]

    source, target = np.array([1, 2, 30], dtype=kind), np.zeros(3, dtype=kind)
    for at in range(3):
        doubled(given(source), given(target), at)
    assert target.tolist() == [2, 4, 60]


def test_table__is_the_entries_behind_a_handle() -> None:
    @part
    def second(handle: Any) -> Any:
        return machine.table(handle)[1]

    assert second((3, 8)) == 8
    if not PLAIN:
        assert second(np.array([3, 8])) == second(handle_of(np.array([3, 8]))) == 8


@pytest.mark.parametrize("value", [*SINGLES, math.nan])
def test_in_all__is_one_value_in_every_lane(value: float) -> None:
    found = np.zeros(LANES + 1, dtype=np.float32)
    fill_singles(found, np.float32(value))
    assert found[:LANES].tobytes() == np.full(LANES, value, dtype=np.float32).tobytes()
    assert found[LANES] == 0.0


@pytest.mark.parametrize("value", [0, 1, 40000, 65535])
def test_short_in_all__is_one_value_in_every_lane(value: int) -> None:
    found = np.zeros(LANES, dtype=np.uint16)
    fill_shorts(found, np.uint16(value))
    assert found.tolist() == [value] * LANES


@pytest.mark.parametrize("seed", range(10))
def test_added_and_times__round_each_lane_to_single_precision(seed: int) -> None:
    a, b, found = singles(seed), singles(seed + 100), np.zeros(LANES, dtype=np.float32)
    with np.errstate(all="ignore"):
        for run, wanted in ((add, a + b), (multiply, a * b)):
            run(a, b, found)
            assert np.array_equal(found, wanted, equal_nan=True)
            numbers = ~np.isnan(wanted)
            assert (np.signbit(found) == np.signbit(wanted))[numbers].all()


def test_added_and_times__keep_what_is_less_than_the_least_normal_number() -> None:
    tiny, found = np.full(LANES, 1e-45, dtype=np.float32), np.zeros(LANES, dtype=np.float32)
    add(tiny, tiny, found)
    assert found.tolist() == [float(np.float32(1e-45)) * 2] * LANES
    multiply(tiny, np.full(LANES, 3.0, dtype=np.float32), found)
    assert found.tolist() == [float(np.float32(1e-45)) * 3] * LANES


@pytest.mark.parametrize("seed", range(10))
def test_greater__is_the_second_where_either_is_no_number(seed: int) -> None:
    a, b, found = singles(seed, math.nan), singles(seed + 100, math.nan), np.zeros(LANES, dtype=np.float32)
    take_greater(a, b, found)
    assert np.array_equal(found, np.where(a > b, a, b), equal_nan=True)


@pytest.mark.parametrize("word", [*REAL, 0x0123_4567_89AB_CDEF])
def test_chosen__follows_the_bits_of_a_word(word: int) -> None:
    holds = np.array([word >> at & 1 for at in range(LANES)], dtype=bool)
    a, b, found = singles(1, math.nan), singles(2), np.zeros(LANES, dtype=np.float32)
    choose(np.uint64(word), a, b, found)
    assert np.array_equal(found, np.where(holds, a, b), equal_nan=True)
    ones, others = np.arange(LANES, dtype=np.uint16), np.arange(500, 500 + LANES, dtype=np.uint16)
    kept = np.zeros(LANES, dtype=np.uint16)
    choose_shorts(np.uint64(word), ones, others, kept)
    assert kept.tolist() == np.where(holds, ones, others).tolist()


@pytest.mark.parametrize("bound", [*SINGLES, math.nan])
def test_at_least__is_the_word_of_the_lanes_that_reach_a_bound(bound: float) -> None:
    for seed in range(5):
        block = singles(seed, math.nan)
        assert int(reaching(block, np.float32(bound))) == word_of(block >= np.float32(bound))


def test_greatest__is_the_greatest_lane() -> None:
    for seed in range(20):
        block = singles(seed)
        assert greatest_of(block) == block.max()
    nothing = np.full(LANES, -np.inf, dtype=np.float32)
    assert greatest_of(nothing) == -np.inf
    for lane in range(LANES):
        block = nothing.copy()
        block[lane] = -3.0
        assert greatest_of(block) == -3.0


@pytest.mark.parametrize("seed", range(10))
def test_blocks_of_bits__are_joined_word_by_word(seed: int) -> None:
    a, b, found = bits(seed), bits(seed + 100), np.zeros(WORDS + 1, dtype=np.uint64)
    for run, wanted in ((meet, a & b), (join, a | b), (take_without, a & ~b)):
        run(a, b, found)
        assert found.tolist() == [*wanted.tolist(), 0]
    invert(a, found)
    assert found.tolist() == [*(~a).tolist(), 0]


def test_any_set_and_counted__see_every_bit() -> None:
    for word in range(WORDS):
        for bit in (0, 1, 31, 32, 62, 63):
            block = np.zeros(WORDS, dtype=np.uint64)
            block[word] = 1 << bit
            assert any_of(block)
            assert count_of(block) == 1
    assert not any_of(np.zeros(WORDS, dtype=np.uint64))
    for seed in range(10):
        block = bits(seed)
        assert bool(any_of(block)) == bool(block.any())
        assert count_of(block) == sum(int(word).bit_count() for word in block)
    assert count_of(np.full(WORDS, 2**64 - 1, dtype=np.uint64)) == 512


def test_lowest__is_the_place_of_the_lowest_set_bit() -> None:
    for bit in range(64):
        for above in (0, 2**64 - 1):
            word = (above << bit | 1 << bit) & (2**64 - 1)
            assert lowest_of(np.uint64(word)) == bit
