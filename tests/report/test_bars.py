"""Bars: parts add up to the whole, in the order of the letters, each told in words as well."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from tenantrank.report.bars import Keys, amounts, bar, bars, swatch
from tenantrank.report.counts import Group
from tests.report.reading import Reader

IDS = [f"p|m{row}" for row in range(12)]


def group(wins: list[int], none_left: int = 0, refused: int = 0, label: str = "label") -> Group:
    winners = tuple(sorted(((row, count) for row, count in enumerate(wins) if count), key=lambda pair: -pair[1]))
    return Group(label, sum(wins) + none_left + refused, none_left, refused, winners, None)


def widths(shown: str) -> list[tuple[float, float, str]]:
    found = re.findall(
        r'<rect class="cut" x="([\d.]+)%" y="0" width="([\d.]+)%" height="22" fill="url\(#k(\w+)\)"', shown
    )
    return [(float(x), float(width), mark) for x, width, mark in found]


@given(st.lists(st.integers(0, 50), min_size=12, max_size=12), st.integers(0, 9), st.integers(0, 9))
def test_bar__parts_follow_one_another_and_fill_it(wins: list[int], none_left: int, refused: int) -> None:
    made = group(wins, none_left, refused)
    keys = Keys.of(made, IDS)
    parts = widths(bar(made, keys, "b"))
    if not made.tenants:
        assert parts == []
        return
    expected = keys.parts(made)

    assert [mark for _, _, mark in parts] == [mark for mark, _, _ in expected]
    assert sum(tenants for _, _, tenants in expected) == made.tenants
    assert parts[0][0] == 0
    assert abs(sum(width for _, width, _ in parts) - 100) < 0.05
    for (x, width, _), (_, _, tenants) in zip(parts, expected, strict=True):
        assert abs(width - 100 * tenants / made.tenants) < 0.02
        assert x + width <= 100.01


def test_bar__letters_are_those_of_everybody() -> None:
    keys = Keys.of(group([5, 9, 1]), IDS)
    (mark, words, tenants), *rest = keys.parts(group([0, 0, 2, 4]))

    assert keys.letters == {1: "A", 0: "B", 2: "C"}
    assert (mark, words, tenants) == ("C", "p|m2", 2)
    assert rest == [("other", "1 other offer", 4)]


def test_bars__say_in_words_what_they_show() -> None:
    made = group([3, 0, 1], none_left=4, refused=2, label="<i>&")
    page = Reader(bars([made], Keys.of(made, IDS), "b"))

    assert page.pictures == [("<i>&", "p|m0 3 (30 %); p|m2 1 (10 %); none left 4 (40 %); refused 2 (20 %)")]
    assert "10 tenants · 4 none left · 2 refused" in page.text
    assert len(set(page.ids)) == len(page.ids) == 2


def test_amounts__share_one_scale_and_less_than_zero_is_hollow() -> None:
    shown = amounts([("a", "x", 10.0), ("b", "y", -5.0), ("c", "z", 0.0)], "c")

    assert re.findall(r'<rect class="(\w+)" x="0" y="2" width="([\d.]+)%"', shown) == [
        ("cost", "100"),
        ("less", "50"),
        ("less", "0"),
    ]


def test_swatch__shows_letter_and_pattern() -> None:
    assert "url(#kC)" in swatch("C")
    assert ">C</text>" in swatch("C")
    assert "<text" not in swatch("other")
