"""The language's random numbers against the reference and against the generator's published check value."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenantrank.policy.randomness import MODULUS, Rng, text_hash
from tests.reference.evaluate import random_draws
from tests.reference.generate import HUGE_SEEDS, SEEDS
from tests.reference.transform import text_hash as reference_hash


def drawn(seed: int, count: int = 20) -> list[float]:
    rng = Rng(seed)
    return [rng.draw() for _ in range(count)]


def test_rng__reaches_the_published_state_after_ten_thousand_steps() -> None:
    # Park and Miller, Random number generators: good ones are hard to find, CACM 31 (1988): from 1, the 10,000th state.
    assert drawn(1, 10_000 - 4)[-1] == 1043618065 / 2147483647


def test_rng__throws_four_draws_away() -> None:
    state = 42
    for _ in range(5):
        state = state * 16807 % 2147483647
    assert drawn(42, 1) == [state / 2147483647]


@pytest.mark.parametrize("seed", [*SEEDS, *HUGE_SEEDS])
def test_rng__equals_the_reference(seed: int) -> None:
    draw = random_draws(seed)
    assert drawn(seed) == [draw() for _ in range(20)]


@given(st.integers())
def test_rng__draws_lie_within_0_and_1_and_depend_on_the_seed_by_its_modulus(seed: int) -> None:
    draws = drawn(seed)
    assert all(0.0 < draw < 1.0 for draw in draws)
    assert draws == drawn(seed + MODULUS) == drawn(seed - 3 * MODULUS)
    draw = random_draws(seed)
    assert draws == [draw() for _ in range(20)]


def test_rng__zero_stands_for_the_last_seed() -> None:
    assert drawn(0) == drawn(MODULUS) == drawn(MODULUS - 1) != drawn(1)


def test_text_hash__is_polynomial_over_utf8() -> None:
    assert text_hash("") == 0
    assert text_hash("ab") == 97 * 31 + 98
    assert text_hash("é") == 0xC3 * 31 + 0xA9


@given(st.text(st.characters(codec="utf-8")))
def test_text_hash__equals_the_reference(text: str) -> None:
    assert text_hash(text) == reference_hash(text)
    assert 0 <= text_hash(text) < MODULUS
