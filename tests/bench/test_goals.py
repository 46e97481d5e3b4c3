"""Goals are ratios between rows of one run, and each names rows that the suite measures."""

from __future__ import annotations

import pytest

from tenantrank.bench.goals import GOALS, Goal, outcomes
from tenantrank.bench.implementations import RANKERS, TOGETHER
from tenantrank.bench.suite import PARTS
from tests.bench.works import row, run

GOAL = Goal("ten times", "rank", "six shapes", "engine", "NumPy", 10, (512, 2048))


def test_outcomes__a_ratio_at_each_size_that_the_goal_names() -> None:
    rows = [row("engine", 2.0, "engine", offers=n) for n in (512, 2048, 8192)]
    rows += [row("NumPy", figure, "baseline", offers=n) for n, figure in ((512, 30.0), (2048, 19.0), (8192, 9.0))]
    found = outcomes(run(rows), [GOAL])

    assert [(each.offers, each.ratio, each.met) for each in found] == [(512, 15.0, True), (2048, 9.5, False)]


def test_outcomes__what_was_not_measured_has_none() -> None:
    assert outcomes(run([row("engine", 2.0, "engine")]), [GOAL]) == []


def test_outcomes__another_case_of_the_same_size() -> None:
    goal = Goal("twice", "explain", "counts", "engine", "engine", 0.5, other_case="filter")
    rows = [row("engine", 30.0, "engine", "explain", "counts"), row("engine", 10.0, "engine", "explain", "filter")]
    (found,) = outcomes(run(rows), [goal])

    assert found.ratio == pytest.approx(1 / 3)
    assert not found.met


@pytest.mark.parametrize("goal", GOALS, ids=lambda goal: f"{goal.what} {goal.offers}")
def test_goals__name_what_is_measured(goal: Goal) -> None:
    assert goal.part in PARTS
    known = {*RANKERS, *TOGETHER, "engine", "json.loads"}
    assert {goal.ours, goal.other} <= known
