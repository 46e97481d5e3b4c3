"""Bounds of blends against scoring all: what may be among the best is never left out."""

from __future__ import annotations

import math
from collections.abc import Callable
from random import Random

import numpy as np
import pytest

from tenantrank_kernels import JIT_DISABLED
from tenantrank_kernels import frames as at_
from tenantrank_kernels import opcodes as op
from tenantrank_kernels.blends import blend_scores, candidates
from tenantrank_kernels.machine import EIGHT
from tenantrank_kernels.scores import find_ends
from tests.kernels import reference
from tests.kernels.bound import PARTS, bound, with_mask
from tests.kernels.reference import Offers, Program
from tests.kernels.samples import SEEDS, draw_column, offers_of, part_of

INF = math.inf
SIZES = (1, 63, 65, 130, 513) if JIT_DISABLED else (1, 63, 64, 65, 130, 511, 512, 513, 1025, 2000)
FACTORS = (0.1, 0.5, 2.0, -1.0, -0.1, 0.3333333333333333, 1e-3, 1e5, 1e20, -1e-20)
# A part of a blend: its field, or a constant where that is no integer; whether it is normalized; factors, None for neg.
Part = tuple[int | float, bool, list[float | None]]

COLUMNS: dict[str, Callable[[Random], float]] = {
    "few values": lambda rng: rng.choice((0.1, 0.2, 0.3)),
    "one value": lambda _: 0.1,
    "zeros": lambda _: 0.0,
    "ordinary": lambda rng: rng.uniform(0.0, 30.0),
    "skewed": lambda rng: 10.0 ** rng.uniform(-3.0, 3.0),
    "huge offset, tiny span": lambda rng: 1e9 + rng.randrange(9) * 1e-6,
    "huge offset, few steps": lambda rng: 2.0**53 + 2.0 * rng.randrange(5),
    "next to each other": lambda rng: 1.0 + rng.randrange(6) * 2.0**-52,
    "closer than singles tell": lambda rng: 1.0 + rng.random() * 2.0**-30,
    "around 1e30": lambda rng: rng.choice((1e30, -1e30, 9.99e29, 1.01e30, 1e29, 5e29)) * rng.uniform(0.9, 1.1),
    "just below 1e30": lambda rng: rng.uniform(1e28, 4e29),
    "beyond singles": lambda rng: rng.uniform(-1e39, 1e39),
    "beyond doubles": lambda rng: rng.choice((1e308, -1e308, 1.7976931348623157e308, 0.0, 1.0)),
    "denormal singles": lambda rng: rng.randrange(9) * 1e-45,
    "denormal doubles": lambda rng: rng.randrange(9) * 5e-324,
    "tiny": lambda rng: rng.uniform(1e-40, 1e-38),
    "both signs": lambda rng: rng.uniform(-1.0, 1.0),
    "unknown now and then": lambda rng: INF if rng.random() < 0.1 else rng.uniform(0.0, 9.0),
    "mostly unknown": lambda rng: INF if rng.random() < 0.9 else rng.uniform(0.0, 9.0),
    "unknown": lambda _: INF,
    "endless both ways": lambda rng: rng.choice((INF, -INF, 1.0, 2.0)),
    "nothing below": lambda rng: rng.choice((-INF, 1.0, 2.0)),
}


def program_of(parts: list[Part]) -> Program:
    """A blend of parts, without a filter."""
    numbers = [0.0]
    places: dict[int, int] = {}
    score = [step for part in parts for step in part_of(*part, numbers, places)]
    return Program([], score, numbers, op.BLEND, ends=[(field, -1, -1) for field in places])


class Blend:
    """A blend over the rows that pass."""

    def __init__(self, parts: list[Part], offers: Offers, passed: set[int]) -> None:
        program = program_of(parts)
        self.passed = passed
        self._at = with_mask(bound(offers, [program], parts=len(parts)), passed)
        find_ends(self._at.frame.handle, self._at.scratch.handle, 0, self._at.level(0))
        self._scores = reference.scores(program, offers, 0, sorted(passed))

    def candidates(self, wanted: int) -> list[int] | None:
        """The rows found; ``None`` where no bound can be given."""
        count = candidates(self._at.frame.handle, self._at.scratch.handle, 0, wanted)
        assert reference.rows_of(self._at.level(0)) == self.passed  # the mask is as it was
        if count < 0:
            assert count == -1
            return None
        found: list[int] = self._at.spaces[at_.SURVIVORS][:count].tolist()
        assert found == sorted(found)
        assert set(found) <= self.passed
        return found

    def scores(self, rows: list[int]) -> list[float]:
        """What `blend_scores` makes of rows."""
        chosen = self._at.spaces[at_.SURVIVORS]
        chosen[: len(rows)] = rows
        blend_scores(self._at.frame.handle, self._at.scratch.handle, 0, chosen, len(rows))
        assert chosen[: len(rows)].tolist() == rows
        # What fills the last eight is read as well, and must be rows.
        assert set(chosen[: -(-len(rows) // EIGHT) * EIGHT].tolist()) == set(rows)
        found: list[float] = self._at.spaces[at_.VECTORS][: len(rows)].tolist()
        return found

    def exact(self, rows: list[int]) -> list[float]:
        """What the reference makes of them."""
        known = dict(zip(sorted(self.passed), self._scores, strict=True))
        return [known[row] for row in rows]

    def missing(self, wanted: int) -> set[int]:
        """The rows that are among the best, or tie with them, and are no candidates."""
        found = self.candidates(wanted)
        if found is None:
            return set()
        last = sorted(self._scores, reverse=True)[wanted - 1]
        best = zip(sorted(self.passed), self._scores, strict=True)
        return {row for row, score in best if score >= last} - set(found)


def draw_part(rng: Random, fields: int) -> Part:
    """A part with at most one neg: `test_candidates__of_two_negs` has those with two."""
    factors: list[float | None] = [rng.choice(FACTORS) for _ in range(rng.randrange(3))]
    if rng.random() < 0.5:
        factors.insert(rng.randint(0, len(factors)), None)
    if rng.random() < 0.1:
        return rng.choice((0.0, 1.0, -3.5, 1e9)), False, factors
    return rng.randrange(fields), rng.random() < 0.7, factors


@pytest.mark.parametrize("kind", COLUMNS)
def test_candidates__of_one_nasty_column_and_others_hold_the_best_and_their_ties(kind: str) -> None:
    bounded = 0
    for seed in range(5 * len(SEEDS)):
        rng = Random(f"{kind}/{seed}")
        size = rng.choice(SIZES)
        draws = [COLUMNS[kind], *(COLUMNS[rng.choice(list(COLUMNS))] for _ in range(2))]
        offers = offers_of(*([draw(rng) for _ in range(size)] for draw in draws))
        passed = {row for row in range(size) if rng.random() < 0.8} or {0}
        parts = [draw_part(rng, rng.choice((1, 2, 3))) for _ in range(rng.randint(1, 4))]
        blend = Blend(parts, offers, passed)
        for wanted in (1, 2, 5, 32, 48):
            if wanted <= len(passed):
                assert not blend.missing(wanted), (parts, wanted)
                bounded += blend.candidates(wanted) is not None
    assert bounded or "endless" in kind or "below" in kind


@pytest.mark.parametrize("size", SIZES)
def test_candidates__of_random_offers_hold_the_best_and_their_ties(size: int) -> None:
    for seed in range(3 * len(SEEDS)):
        rng = Random(f"{size}/{seed}")
        offers = offers_of(*(draw_column(rng, size) for _ in range(4)))
        share = rng.choice((0.1, 0.6, 1.0))
        passed = {row for row in range(size) if rng.random() < share} or {size - 1}
        parts = [draw_part(rng, 4) for _ in range(rng.randint(1, PARTS))]
        wanted = rng.randint(1, min(48, len(passed)))
        assert not Blend(parts, offers, passed).missing(wanted), (parts, wanted)


@pytest.mark.parametrize("factor", [1.0, 0.3, 1e3, 1e-6])
def test_candidates__where_parts_nearly_cancel(factor: float) -> None:
    """What is left of a sum is less than what single precision loses of its parts, whose errors have either sign."""
    for seed in range(4 * len(SEEDS)):
        rng = Random(seed)
        first = [rng.uniform(1.0, 2.0) for _ in range(300)]
        second = [3.0 - value + rng.random() * 10.0 ** rng.uniform(-9.0, -6.0) for value in first]
        parts: list[Part] = [(0, False, [factor]), (1, False, [factor])]
        blend = Blend(parts, offers_of(first, second), set(range(300)))
        assert not any(blend.missing(wanted) for wanted in (1, 2, 8))
        apart = [-value for value in second]
        between = Blend([(0, True, [factor]), (1, True, [-factor])], offers_of(first, apart), set(range(300)))
        assert not any(between.missing(wanted) for wanted in (1, 2, 8))


@pytest.mark.parametrize("few", [1, 2, 3])
@pytest.mark.parametrize("scale", [1.0, 1e-9, 1e9])
def test_candidates__of_values_that_differ_by_less_than_16_bits_tell(few: int, scale: float) -> None:
    """All that matters is rounded away: the best rows lie within some steps of one another, and between two steps."""
    columns = few + 1
    bounded = 0
    for seed in range(4 * len(SEEDS)):
        rng = Random(seed)
        step = scale / 65534.0
        middle = [scale * rng.uniform(0.4, 0.6) for _ in range(columns)]
        near = 4.0 ** rng.randrange(-3, 3)
        rows = [[value + rng.uniform(-near, near) * step for value in middle] for _ in range(200)]
        ends = [[scale if at == column else 0.0 for at in range(columns)] for column in range(few)]
        rows += [*ends, [0.0] * columns]
        parts: list[Part] = [(column, True, [rng.uniform(0.3, 0.7)]) for column in range(few)]
        if rng.random() < 0.5:
            # The other way about: the least is best.
            rows = [[scale - value for value in row] for row in rows]
            parts = [(field, pinned, [None, *factors]) for field, pinned, factors in parts]
        blend = Blend(parts, offers_of(*(list(column) for column in zip(*rows, strict=True))), set(range(len(rows))))
        for wanted in (1, 5, 40):
            found = blend.candidates(wanted)
            assert not blend.missing(wanted), (parts, wanted)
            bounded += found is not None and len(found) < len(rows)
    assert bounded


def test_candidates__of_a_row_that_16_bits_put_behind_one_that_scores_less() -> None:
    """Two columns round the best row down and the other up, and it is better by the third, which rounds both alike."""
    step = 1.0 / 65534.0
    for seed in range(8 * len(SEEDS)):
        rng = Random(seed)
        first, second, third = (rng.randrange(20000, 40000) for _ in range(3))
        best = [(first - 0.51) * step, (second - 0.51) * step, (third + 0.2) * step]
        other = [(first - 0.49) * step, (second - 0.49) * step, (third - 0.2) * step]
        rows = [best, other, [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [0.0, 0.0, 0.0]]
        # Far enough that no one of the three is the best.
        parts: list[Part] = [(field, True, [rng.uniform(0.9, 1.1)]) for field in range(3)]
        blend = Blend(parts, offers_of(*(list(column) for column in zip(*rows, strict=True))), set(range(6)))
        if max(blend.exact(list(range(6)))) == blend.exact([0])[0]:
            assert not blend.missing(1), parts


def test_candidates__of_fields_whose_values_are_mostly_far_apart() -> None:
    """The rows that pass are within a part of their columns, at either end, or even within a few of the steps."""
    column = [float(row % 100) for row in range(300)]
    for last in (150.0, -150.0, 1e3, -1e3, 4e3, -4e3, 1e5, -1e5, 1e8, 1e300):
        offers = offers_of(*([*turned[:-1], last] for turned in (column, column[::-1], column[3:] + column[:3])))
        for weights in ([2.0, 0.001, 0.003], [2.0, 1.5, 1.1]):
            blend = Blend([(field, True, [weight]) for field, weight in enumerate(weights)], offers, set(range(299)))
            for wanted in (1, 2, 5):
                found = blend.candidates(wanted)
                assert found is not None
                assert not blend.missing(wanted)
                assert len(found) < 20


@pytest.mark.parametrize("factor", [1e10, 1e25])
def test_candidates__of_values_that_are_nothing_in_single_precision(factor: float) -> None:
    """Row 40 has three values that round to 0, which together are more than the one of the others that does not."""
    one = [6.9e-46 if row == 40 else 7.1e-46 for row in range(100)]
    others = [6.9e-46 if row == 40 else 0.0 for row in range(100)]
    parts: list[Part] = [(0, False, [factor]), (1, False, [factor]), (2, False, [factor])]
    assert not Blend(parts, offers_of(one, others, others), set(range(100))).missing(1)


@pytest.mark.parametrize(
    "parts",
    [
        [(0, True, [0.7]), (0, True, [0.3])],
        [(0, True, [2.0]), (0, True, [None, -1.0]), (0, False, [-0.5])],
        [(0, False, [1.0]), (0, False, [-1.0])],
        [(0, True, []), (0, True, [-1.0]), (1, True, [1e-3])],
        [(1.0, False, []), (2.5, False, [None, -1.0])],
        [(-1e9, False, []), (0, True, []), (1e9, False, [])],
    ],
)
def test_candidates__where_a_field_comes_twice_or_nothing_varies(parts: list[Part]) -> None:
    for seed in SEEDS:
        rng = Random(seed)
        offers = offers_of(*([rng.choice((0.1, 0.7, rng.random())) for _ in range(200)] for _ in range(2)))
        blend = Blend(parts, offers, set(range(200)))
        for wanted in (1, 7, 48):
            assert blend.candidates(wanted) is not None
            assert not blend.missing(wanted)


def test_candidates__of_equal_scores_are_all_rows() -> None:
    offers = offers_of([4.0] * 300, [1.0] * 300)
    passed = set(range(0, 300, 2))
    for parts in ([(0, True, []), (1, True, [])], [(0, False, [0.1]), (1, False, [])]):
        assert Blend(parts, offers, passed).candidates(3) == sorted(passed)


def test_candidates__of_rows_with_an_unknown_value_are_bounded_apart() -> None:
    """One unknown value makes every known one normalize to 0, and its own row to 1."""
    prices = [float(row % 50) for row in range(300)]
    prices[123] = prices[299] = INF
    offers = offers_of(prices, [float(row) for row in range(300)])
    everyone = set(range(300))
    dear: list[Part] = [(0, True, [5.0]), (1, True, [])]
    # The bound does not know which of the two rows an unknown value puts first: both stay, whatever is known of others.
    found = Blend(dear, offers, everyone).candidates(1)
    assert found is not None
    assert {123, 299} <= set(found)
    cheap: list[Part] = [(0, True, [None]), (1, True, [0.1])]
    found = Blend(cheap, offers, everyone).candidates(1)
    assert found is not None
    assert 298 in found
    assert len(found) < 5
    turned: list[Part] = [(0, True, [None, -1.0]), (1, True, [])]
    for parts in (dear, cheap, turned, [*turned, *turned]):
        for passed in (everyone, everyone - {123, 299}, {123, 299}, {5, 123}):
            for wanted in (1, 2, 5, 48):
                assert wanted > len(passed) or not Blend(parts, offers, passed).missing(wanted)


def test_candidates__behind_the_first_stretch_of_words_are_found() -> None:
    """Words that may hold a candidate are found 64 at a time: the best stand in the second stretch, some apart."""
    size = 4200
    rows = [*range(4090, 4105), 63, 64, 4199]
    column = [float(row % 7) for row in range(size)]
    for best in ({row: 50.0 + row for row in rows}, dict.fromkeys(rows, INF)):
        offers = offers_of([best.get(row, value) for row, value in enumerate(column)], column)
        few: list[Part] = [(0, True, [2.0]), (1, True, [])]
        for parts in (few, [*few, *few]):
            blend = Blend(parts, offers, set(range(size)))
            for wanted in (1, 5, 18):
                found = blend.candidates(wanted)
                assert found is not None
                assert not blend.missing(wanted)
                assert set(rows) & set(found)


def test_candidates__give_no_bound_where_a_sum_may_not_fit_single_precision() -> None:
    plain = [float(row) for row in range(100)]
    for column in ([*plain[:-1], INF], [*plain[:-1], 1e31], [row * 5e-324 for row in plain]):
        offers = offers_of(column, plain)
        parts: list[Part] = [(0, column[1] == 5e-324, []), (1, False, [])]
        assert Blend(parts, offers, set(range(100))).candidates(1) is None
    grown = Blend([(0, False, [1e29]), (1.0, False, [])], offers_of(plain), set(range(100)))
    assert grown.candidates(1) is None


@pytest.mark.parametrize("size", [1025] if JIT_DISABLED else [1025, 5000])
def test_candidates__of_ordinary_offers_are_few(size: int) -> None:
    counts = []
    of_many = []
    for seed in SEEDS:
        rng = Random(seed)
        offers = offers_of(
            [round(10.0 ** rng.uniform(-2.0, 2.0), 2) for _ in range(size)],
            [rng.uniform(20.0, 70.0) for _ in range(size)],
            [float(rng.randrange(100, 5000)) for _ in range(size)],
        )
        parts: list[Part] = [(0, True, [None, 0.5]), (1, True, [0.3]), (2, True, [None, 0.2])]
        blend = Blend(parts, offers, {row for row in range(size) if row % 3})
        found, many = blend.candidates(8), blend.candidates(32)
        assert found is not None
        assert many is not None
        counts.append(len(found))
        of_many.append(len(many))
    assert sum(counts) / len(counts) < 20
    assert max(counts) < 40
    assert max(of_many) < 64


def test_candidates__of_two_negs() -> None:
    """1 - (1 - s) keeps 16 digits behind the point of a small s; scaled up, scores tie that the sum tells apart."""
    offers = offers_of([0.6 + 0.004 * row for row in range(100)], [0.0] * 100)
    parts: list[Part] = [(0, False, [1e-16, None, None, 1e16]), (1, False, [1e-300])]
    assert not Blend(parts, offers, set(range(100))).missing(3)


def test_candidates__of_scores_that_were_denormal() -> None:
    offers = offers_of([1.0 + 0.0001 * row for row in range(100)], [0.0] * 100)
    parts: list[Part] = [(0, False, [1e-160, 1e-160, 1e300]), (1, False, [1e-300])]
    assert not Blend(parts, offers, set(range(100))).missing(1)


def test_candidates__of_many_parts_that_are_denormal_in_single_precision() -> None:
    """Each part of row 99 rounds to 0 in single precision, all 300 together exceed the others'."""
    offers = offers_of(
        [1e-22 if row == 99 else 0.0 for row in range(100)], [1e-22 if row < 70 else 0.0 for row in range(100)]
    )
    parts: list[Part] = [(0, False, [6.5e-24])] * 300 + [(1, False, [1.9e-21])]
    assert not Blend(parts, offers, set(range(100))).missing(1)


@pytest.mark.parametrize("kind", COLUMNS)
def test_blend_scores__are_those_of_the_reference_to_the_bit(kind: str) -> None:
    for seed in range(len(SEEDS)):
        rng = Random(f"scores/{kind}/{seed}")
        size = rng.choice((1, 7, 8, 9, 64, 130))
        draws = [COLUMNS[kind], *(COLUMNS[rng.choice(list(COLUMNS))] for _ in range(2))]
        offers = offers_of(*([draw(rng) for _ in range(size)] for draw in draws))
        passed = {row for row in range(size) if rng.random() < 0.8} or {0}
        blend = Blend([draw_part(rng, 3) for _ in range(rng.randint(1, 4))], offers, passed)
        rows = sorted(rng.sample(sorted(passed), rng.randint(1, len(passed))))
        found, wanted = (np.array(scores) for scores in (blend.scores(rows), blend.exact(rows)))
        assert np.array_equal(found, wanted, equal_nan=True)
        assert (np.signbit(found) == np.signbit(wanted))[~np.isnan(wanted)].all()
