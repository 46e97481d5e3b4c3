"""What the kernels' machine offers, instruction by instruction, against NumPy.

A block never leaves compiled code: each test runs it between two places of memory.
"""

from __future__ import annotations

import math
from random import Random
from typing import Any

import numpy as np
import pytest

from tenantrank_kernels import double_lanes, handle_of, machine, short_lanes, single_lanes
from tenantrank_kernels._compile import part
from tenantrank_kernels.frames import PLAIN
from tenantrank_kernels.machine import EIGHT, LANES, PIECE, WORDS
from tenantrank_kernels.scores import normalize

LARGEST = 3.4028235e38
SHORTS = (0, 1, 2, 0x7FFE, 0x7FFF, 0x8000, 0x8001, 0xFFFE, 0xFFFF)
SINGLES = (0.0, -0.0, 1.0, -1.0, 0.1, 1e-45, -1e-45, 1.1754944e-38, LARGEST, -LARGEST, math.inf, -math.inf)
REAL = (0, 1, 2**63, 2**64 - 1, 0xAAAA_AAAA_AAAA_AAAA, 5)
memory = pytest.mark.parametrize("given", [lambda array: array, handle_of], ids=["array", "handle"])
"""What stands for memory: an array, or what a kernel takes in its place."""


@part
def move_singles(source: Any, target: Any, at: int, to: int) -> None:
    single_lanes.store_singles(machine.singles(target), to, single_lanes.load_singles(machine.singles(source), at))


@part
def move_shorts(source: Any, target: Any, at: int, to: int) -> None:
    short_lanes.store_shorts(machine.shorts(target), to, short_lanes.load_shorts(machine.shorts(source), at))


@part
def move_bits(source: Any, target: Any, at: int, to: int) -> None:
    machine.store_bits(machine.words(target), to, machine.load_bits(machine.words(source), at))


@part
def fill_singles(target: Any, value: np.float32) -> None:
    single_lanes.store_singles(target, 0, single_lanes.in_all(value))


@part
def fill_shorts(target: Any, value: np.uint16) -> None:
    short_lanes.store_shorts(target, 0, short_lanes.short_in_all(value))


@part
def mark_bytes(first: Any, second: Any, marks: Any, target: Any) -> None:
    block = short_lanes.marked(first, marks[0], short_lanes.byte_in_all(marks[2]))
    short_lanes.store_shorts(target, 0, short_lanes.widened(short_lanes.marked(second, marks[1], block)))


@part
def add_product(a: Any, b: Any, c: Any, target: Any) -> None:
    product = single_lanes.joined(
        single_lanes.load_singles(a, 0), single_lanes.load_singles(b, 0), single_lanes.load_singles(c, 0)
    )
    single_lanes.store_singles(target, 0, product)


@part
def combine(values: Any, rows: Any, at: int, other: float, sums: Any, differences: Any, products: Any) -> None:
    block = double_lanes.gathered(machine.doubles(values), machine.integers(rows), at)
    others = double_lanes.double_in_all(other)
    double_lanes.store_doubles(machine.doubles(sums), 0, double_lanes.added(block, others))
    double_lanes.store_doubles(machine.doubles(differences), 0, double_lanes.minus(block, others))
    double_lanes.store_doubles(machine.doubles(products), 0, double_lanes.times(block, others))


@part
def rescale(values: Any, rows: Any, low: float, high: float, target: Any) -> None:
    double_lanes.store_doubles(target, 0, double_lanes.rescaled(double_lanes.gathered(values, rows, 0), low, high))


@part
def clamp(values: Any, rows: Any, low: float, high: float, target: Any) -> None:
    double_lanes.store_doubles(target, 0, double_lanes.clamped(double_lanes.gathered(values, rows, 0), low, high))


@part
def take_greater(a: Any, b: Any, target: Any) -> None:
    single_lanes.store_singles(
        target, 0, single_lanes.greater(single_lanes.load_singles(a, 0), single_lanes.load_singles(b, 0))
    )


@part
def keep(words: Any, at: int, a: Any, target: Any) -> None:
    single_lanes.store_singles(target, 0, single_lanes.only(machine.words(words), at, single_lanes.load_singles(a, 0)))


@part
def lower(a: Any, bound: np.float32, value: np.float32, target: Any) -> None:
    single_lanes.store_singles(target, 0, single_lanes.lowered(single_lanes.load_singles(a, 0), bound, value))


@part
def choose_shorts(bits: Any, a: Any, b: Any, target: Any) -> None:
    short_lanes.store_shorts(
        target, 0, short_lanes.chosen_shorts(bits, short_lanes.load_shorts(a, 0), short_lanes.load_shorts(b, 0))
    )


@part
def add_shorts(a: Any, b: Any, target: Any) -> None:
    short_lanes.store_shorts(
        target, 0, short_lanes.plus_shorts(short_lanes.load_shorts(a, 0), short_lanes.load_shorts(b, 0))
    )


@part
def multiply_shorts(a: Any, b: Any, target: Any) -> None:
    short_lanes.store_shorts(
        target, 0, short_lanes.times_short(short_lanes.load_shorts(a, 0), short_lanes.load_shorts(b, 0))
    )


@part
def take_lesser(a: Any, b: Any, target: Any) -> None:
    short_lanes.store_shorts(
        target, 0, short_lanes.lesser_shorts(short_lanes.load_shorts(a, 0), short_lanes.load_shorts(b, 0))
    )


@part
def fill(words: Any, at: int, a: Any, target: Any) -> None:
    short_lanes.store_shorts(target, 0, short_lanes.filled(machine.words(words), at, short_lanes.load_shorts(a, 0)))


@part
def drop(a: Any, value: np.uint16, target: Any) -> None:
    short_lanes.store_shorts(target, 0, short_lanes.dropped(short_lanes.load_shorts(a, 0), value))


@part
def least_of(a: Any) -> Any:
    return short_lanes.least_short(short_lanes.load_shorts(a, 0))


@part
def lanes_at_most(a: Any, bound: np.uint16) -> Any:
    return short_lanes.at_most(short_lanes.load_shorts(a, 0), bound)


@part
def reaching(a: Any, b: Any, c: Any, d: Any, bound: np.float32) -> Any:
    first, second = single_lanes.load_singles(a, 0), single_lanes.load_singles(b, 0)
    return single_lanes.reaching(first, second, single_lanes.load_singles(c, 0), single_lanes.load_singles(d, 0), bound)


@part
def reaches(a: Any, bound: np.float32) -> Any:
    return single_lanes.reaches(single_lanes.load_singles(a, 0), bound)


@part
def greatest_of(a: Any) -> Any:
    return single_lanes.greatest(single_lanes.load_singles(a, 0))


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


@part
def count_in(word: np.uint64) -> Any:
    return machine.counted_in(word)


def singles(seed: int, *more: float) -> np.ndarray[Any, Any]:
    rng = Random(seed)
    values = [rng.choice((*SINGLES, *more, rng.uniform(-9.0, 9.0))) for _ in range(PIECE)]
    return np.array(values, dtype=np.float32)


def bits(seed: int) -> np.ndarray[Any, Any]:
    rng = Random(seed)
    return np.array([rng.choice((*REAL, rng.randrange(2**64))) for _ in range(WORDS)], dtype=np.uint64)


def word_of(holds: Any) -> int:
    return sum(1 << at for at, one in enumerate(holds) if one)


@memory
@pytest.mark.parametrize(
    ("move", "kind", "lanes"), [(move_singles, "f4", PIECE), (move_shorts, "u2", LANES), (move_bits, "u8", WORDS)]
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
    found = np.zeros(PIECE + 1, dtype=np.float32)
    fill_singles(found, np.float32(value))
    assert found[:PIECE].tobytes() == np.full(PIECE, value, dtype=np.float32).tobytes()
    assert found[PIECE] == 0.0


@pytest.mark.parametrize("value", [0, 1, 40000, 65535])
def test_short_in_all__is_one_value_in_every_lane(value: int) -> None:
    found = np.zeros(LANES, dtype=np.uint16)
    fill_shorts(found, np.uint16(value))
    assert found.tolist() == [value] * LANES


@pytest.mark.parametrize("word", [*REAL, 0x0123_4567_89AB_CDEF])
@pytest.mark.parametrize("marks", [(1, 2, 0), (128, 64, 1), (255, 0, 129), (3, 6, 12)])
def test_marked__sets_bits_in_the_lanes_whose_bit_is_set(word: int, marks: tuple[int, int, int]) -> None:
    other = word ^ 0xF0F0_F0F0_F0F0_F0F0
    first, second = (np.array([bits >> at & 1 for at in range(LANES)], dtype=bool) for bits in (word, other))
    found = np.zeros(LANES + 1, dtype=np.uint16)
    mark_bytes(np.uint64(word), np.uint64(other), np.array(marks, dtype=np.uint8), found)
    assert found.tolist() == [*(first * marks[0] | second * marks[1] | marks[2]).tolist(), 0]


@pytest.mark.parametrize("seed", range(10))
def test_joined__is_off_by_no_more_than_two_roundings(seed: int) -> None:
    rng = Random(seed)
    a, b, c = (np.array([rng.uniform(-9.0, 9.0) for _ in range(PIECE)], dtype=np.float32) for _ in range(3))
    found = np.zeros(PIECE, dtype=np.float32)
    add_product(a, b, c, found)
    exact = a.astype(float) + b.astype(float) * c
    off = np.abs(found - exact)
    assert (off <= 2.0**-24 * (np.abs(b.astype(float) * c) + np.abs(exact)) * 1.001).all()


def test_joined__keeps_what_is_less_than_the_least_normal_number() -> None:
    tiny, found = np.full(PIECE, 1e-45, dtype=np.float32), np.zeros(PIECE, dtype=np.float32)
    add_product(tiny, tiny, np.full(PIECE, 3.0, dtype=np.float32), found)
    assert found.tolist() == [float(np.float32(1e-45)) * 4] * PIECE


def doubles(rng: Random, count: int) -> np.ndarray[Any, Any]:
    special = (0.0, -0.0, 1.0, 0.1, 5e-324, 1e308, -1e308, math.inf, -math.inf)
    return np.array([rng.choice((*special, rng.uniform(-9.0, 9.0))) for _ in range(count)])


@memory
@pytest.mark.parametrize("seed", range(10))
def test_blocks_of_doubles__are_gathered_by_rows_and_computed_to_the_bit(given: Any, seed: int) -> None:
    rng = Random(seed)
    values, other = doubles(rng, 40), float(doubles(rng, 1)[0])
    rows = np.array([rng.randrange(40) for _ in range(3 * EIGHT)], dtype=np.int32)
    found = [np.zeros(EIGHT) for _ in range(3)]
    at = rng.randrange(2 * EIGHT)
    combine(given(values), given(rows), at, other, *map(given, found))
    block = values[rows[at : at + EIGHT]]
    with np.errstate(all="ignore"):
        for one, wanted in zip(found, (block + other, block - other, block * other), strict=True):
            assert np.array_equal(one, wanted, equal_nan=True)
            assert (np.signbit(one) == np.signbit(wanted))[~np.isnan(wanted)].all()


@pytest.mark.parametrize("seed", range(200))
def test_rescaled__is_normalize_lane_by_lane(seed: int) -> None:
    rng = Random(seed)
    values = doubles(rng, EIGHT)
    low, high = sorted(doubles(rng, 2).tolist())
    low, high = rng.choice(((low, high), (high, low), (values.min(), values.max()), (low, math.inf), (1.0, 1.0)))
    wanted, found = values.copy(), np.zeros(EIGHT)
    normalize(wanted, 0, EIGHT, low, high, True)
    rescale(values, np.arange(EIGHT, dtype=np.int32), low, high, found)
    assert found.tobytes() == wanted.tobytes()


@pytest.mark.parametrize("seed", range(50))
def test_clamped__holds_each_lane_and_looks_at_the_low_end_first(seed: int) -> None:
    rng = Random(seed)
    values, found = doubles(rng, EIGHT), np.zeros(EIGHT)
    low, high = rng.choice((doubles(rng, 2).tolist(), (values[0], values[1]), (-0.0, 0.0), (0.0, -0.0)))
    clamp(values, np.arange(EIGHT, dtype=np.int32), low, high, found)
    wanted = [low if value < low else (high if value > high else value) for value in values.tolist()]
    assert found.tobytes() == np.array(wanted).tobytes()


@pytest.mark.parametrize("seed", range(10))
def test_greater__is_the_second_where_either_is_no_number(seed: int) -> None:
    a, b, found = singles(seed, math.nan), singles(seed + 100, math.nan), np.zeros(PIECE, dtype=np.float32)
    take_greater(a, b, found)
    assert np.array_equal(found, np.where(a > b, a, b), equal_nan=True)


@memory
@pytest.mark.parametrize("word", [*REAL, 0x0123_4567_89AB_CDEF])
def test_only__follows_the_bits_of_a_piece_of_a_word(given: Any, word: int) -> None:
    for where in range(3):
        bitset = np.array([2**64 - 1, 0, 0x5555_5555_5555_5555], dtype=np.uint64)
        bitset[where] = word
        for quarter in range(LANES // PIECE):
            holds = np.array([word >> at & 1 for at in range(quarter * PIECE, (quarter + 1) * PIECE)], dtype=bool)
            a, found = singles(quarter, math.nan), np.zeros(PIECE, dtype=np.float32)
            keep(given(bitset), where * LANES // PIECE + quarter, a, found)
            assert np.array_equal(found, np.where(holds, a, -np.inf), equal_nan=True)


@pytest.mark.parametrize("word", [*REAL, 0x0123_4567_89AB_CDEF])
def test_chosen__follow_the_bits_of_a_word(word: int) -> None:
    holds = np.array([word >> at & 1 for at in range(LANES)], dtype=bool)
    ones, others = np.arange(LANES, dtype=np.uint16), np.arange(500, 500 + LANES, dtype=np.uint16)
    kept = np.zeros(LANES, dtype=np.uint16)
    choose_shorts(np.uint64(word), ones, others, kept)
    assert kept.tolist() == np.where(holds, ones, others).tolist()


@pytest.mark.parametrize("bound", [*SINGLES, math.nan])
def test_reaching_reaches_and_lowered__see_the_lanes_that_reach_a_bound(bound: float) -> None:
    for seed in range(5):
        blocks = [singles(4 * seed + at, math.nan) for at in range(4)]
        wanted = np.concatenate(blocks) >= np.float32(bound)
        assert int(reaching(*blocks, np.float32(bound))) == word_of(wanted)
        found = np.zeros(PIECE, dtype=np.float32)
        lower(blocks[0], np.float32(bound), np.float32(-7.0), found)
        assert np.array_equal(found, np.where(wanted[:PIECE], -7.0, blocks[0]), equal_nan=True)
        for lane in range(PIECE):
            block = np.full(PIECE, -np.inf, dtype=np.float32)
            block[lane] = blocks[1][lane] if blocks[1][lane] == blocks[1][lane] else 0.5
            assert int(reaches(block, np.float32(bound))) == (block >= np.float32(bound)).any()


def test_greatest__is_the_greatest_lane() -> None:
    for seed in range(20):
        block = singles(seed)
        assert greatest_of(block) == block.max()
    nothing = np.full(PIECE, -np.inf, dtype=np.float32)
    assert greatest_of(nothing) == -np.inf
    for lane in range(PIECE):
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
    for word in REAL:
        assert count_in(np.uint64(word)) == word.bit_count()
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


@pytest.mark.parametrize("seed", range(6))
def test_blocks_of_short_integers__are_computed_lane_by_lane(seed: int) -> None:
    rng = Random(seed)
    a, b = (np.array([rng.choice((*SHORTS, rng.randrange(65536))) for _ in range(LANES)], np.uint16) for _ in range(2))
    found = np.zeros((3, LANES), dtype=np.uint16)
    add_shorts(a, b, found[0])
    multiply_shorts(a, b, found[1])
    take_lesser(a, b, found[2])
    pairs = list(zip(a.tolist(), b.tolist(), strict=True))
    assert found[0].tolist() == [(x + y) % 65536 for x, y in pairs]
    assert found[1].tolist() == [(signed(x) * signed(y) >> 16) % 65536 for x, y in pairs]
    assert found[2].tolist() == [min(pair) for pair in pairs]
    assert least_of(a) == min(a.tolist())


def signed(value: int) -> int:
    return value - 65536 if value >= 32768 else value


@memory
@pytest.mark.parametrize("word", REAL)
def test_filled__has_the_greatest_where_a_bit_is_not_set(given: Any, word: int) -> None:
    rng = Random(word)
    values = np.array([rng.randrange(65535) for _ in range(LANES)], dtype=np.uint16)
    words, found = np.array([7, word, 9], dtype=np.uint64), np.zeros(LANES, dtype=np.uint16)
    fill(given(words), LANES // PIECE, values, found)
    assert found.tolist() == [value if word >> at & 1 else 0xFFFF for at, value in enumerate(values.tolist())]


@pytest.mark.parametrize("bound", SHORTS)
def test_at_most_and_dropped__see_each_lane(bound: int) -> None:
    rng = Random(bound)
    values = np.array([rng.choice(SHORTS) for _ in range(LANES)], dtype=np.uint16)
    found = np.zeros(LANES, dtype=np.uint16)
    assert lanes_at_most(values, np.uint16(bound)) == sum(
        1 << at for at, value in enumerate(values.tolist()) if value <= bound
    )
    drop(values, np.uint16(bound), found)
    assert found.tolist() == [0xFFFF if value == bound else value for value in values.tolist()]
