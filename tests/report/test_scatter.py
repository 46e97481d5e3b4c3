"""Price against quality: every place is where the value is, whatever the values; nothing is drawn twice or lost."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenantrank.report.axes import BOTTOM, LANE, LEFT, RIGHT, TOP, Across, Up
from tenantrank.report.scatter import Plotted, scatter
from tests.report.reading import Reader

COSTS = st.one_of(st.floats(1e-9, 1e9), st.just(0.0), st.just(math.nan))
QUALITIES = st.one_of(st.floats(-1e6, 1e6), st.just(math.nan), st.just(math.inf))


def plotted(costs: list[float], qualities: list[float], wins: int = 0, letters: int = 0) -> Plotted:
    count = len(costs)
    return Plotted(
        np.array(costs),
        np.array(qualities),
        np.arange(count) % 2 == 0,
        {row: row + 1 for row in range(wins)},
        {row: "ABCDEFGH"[row] for row in range(letters)},
        [f"o{row}" for row in range(count)],
        "bench_x",
    )


@given(st.lists(st.tuples(COSTS, QUALITIES), min_size=1, max_size=30))
def test_scatter__holds_every_offer_that_has_a_place(pairs: list[tuple[float, float]]) -> None:
    data = plotted(
        [cost for cost, _ in pairs], [quality for _, quality in pairs], min(4, len(pairs)), min(2, len(pairs))
    )
    drawn = [not math.isnan(cost) and math.isfinite(quality) for cost, quality in pairs]
    assert data.drawn.tolist() == drawn
    if not any(drawn):
        return
    page = Reader(f"<p>{scatter(data, 'plot')}</p>")
    (picture,) = page.pictures

    assert picture[1].startswith(f"{sum(drawn):,} offers by cost and bench_x; {sum(drawn[:4])} of them win.")
    for row, letter in data.letters.items():
        assert (f"{letter}: o{row}, " in picture[1]) is drawn[row]


def test_scatter__draws_each_kind_by_a_shape_of_its_own() -> None:
    shown = scatter(plotted([1.0, 2.0, 3.0, 4.0, 5.0], [0.1, 0.2, 0.3, 0.4, 0.5], wins=2, letters=1), "plot")
    points = {kind: re.findall(rf'<path class="{kind}" d="([^"]*)"', shown) for kind in ("dot", "ring", "hole", "win")}

    assert [path.count("M") for path in points["ring"]] == [path.count("M") for path in points["hole"]] == [2]
    assert [path.count("M") for path in points["dot"]] == [1]
    assert len(set(points["win"])) == 2


def test_scatter__offers_at_one_place_share_a_mark() -> None:
    shown = scatter(plotted([1.0, 1.0, 2.0], [0.5, 0.5, 0.1], wins=2, letters=2), "plot")

    assert ">A B</text>" in shown
    assert shown.count('class="win"') == 1


def test_scatter__many_points_stay_few_bytes() -> None:
    random = np.random.default_rng(5)
    costs, qualities = 10 ** random.uniform(-2, 2, 100_000), random.uniform(0, 1, 100_000)
    shown = scatter(plotted(costs.tolist(), qualities.tolist(), wins=50_000, letters=8), "plot")

    assert len(shown) < 400_000
    assert shown.count("<title>") == 208
    assert shown.count('class="mark"') <= 1_208


def test_across__a_decade_is_a_step_wherever_it_is() -> None:
    axis = Across(np.array([0.02, 30.0]))
    places = axis.places(np.array([0.1, 1.0, 10.0]))

    assert np.allclose(np.diff(places), np.diff(places)[0])
    assert LEFT < places[0] < places[-1] < RIGHT
    assert ">$0.1<" in axis.axis()
    assert ">$0<" not in axis.axis()


def test_across__zero_has_a_lane_of_its_own() -> None:
    axis = Across(np.array([0.0, 0.02, 30.0]))
    places = axis.places(np.array([0.0, 0.02]))

    assert places[0] == LANE < places[1] - 3
    assert ">$0<" in axis.axis()
    assert 'class="lane"' in axis.axis()


@given(st.lists(st.floats(1e-11, 1e11), min_size=1, max_size=9))
def test_across__keeps_the_order_and_the_room(costs: list[float]) -> None:
    axis = Across(np.array([*costs, 0.0]))
    places = axis.places(np.array(sorted(costs)))

    assert (np.diff(places) >= 0).all()
    assert places.min() > LANE
    assert places.max() <= RIGHT + 1e-6
    assert 1 <= axis.axis().count('class="tick"') <= 8


@given(st.lists(st.floats(-1e12, 1e12), min_size=1, max_size=9))
def test_up__keeps_the_order_and_the_room(qualities: list[float]) -> None:
    axis = Up(np.array(qualities))
    places = axis.places(np.array(sorted(qualities)))

    assert (np.diff(places) <= 0).all()
    assert TOP - 1e-6 <= places.min() <= places.max() <= BOTTOM + 1e-6
    assert 2 <= axis.axis("bench_x").count('class="tick"') <= 8


@pytest.mark.parametrize(
    ("values", "ticks"), [([0.0, 1.0], ["0", "0.2", "1"]), ([3.0, 3.0], ["3"]), ([0.0, 0.0], ["0"])]
)
def test_up__steps_are_round(values: list[float], ticks: list[str]) -> None:
    shown = Up(np.array(values)).axis("f")

    assert all(f">{tick}</text>" in shown for tick in ticks)
