"""What the engine is meant to reach, as ratios to others in the same run; the report shows those that are missed.

A goal compares two rows of one group: how many times longer the other takes than the engine at least, or, where less is
asked than equality, how much longer the engine may take.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tenantrank.bench.results import Row, Run


@dataclass(frozen=True)
class Goal:
    """One ratio to reach.

    Attributes
    ----------
    what : what it says, for people
    part, case : of both rows; ``other_case`` where the other row is of another case
    ours, other : implementations
    least : the other's figure divided by ours, at least
    offers : sizes that it holds for; of none named, every size measured
    """

    what: str
    part: str
    case: str
    ours: str
    other: str
    least: float
    offers: tuple[int, ...] = ()
    other_case: str = ""


@dataclass(frozen=True)
class Outcome:
    """A goal as one run has it at one size; ``ratio`` is the other's figure divided by ours."""

    goal: Goal
    offers: int | None
    ratio: float

    @property
    def met(self) -> bool:
        """Whether the goal is reached."""
        return self.ratio >= self.goal.least


_C, _BY_HAND = "C, column scan", "C, engine's algorithm"

GOALS: tuple[Goal, ...] = (
    Goal("a batch against NumPy", "rank", "six shapes", "engine, batch", "NumPy", 100, (2048,)),
    Goal("a single call against NumPy", "rank", "six shapes", "engine, one call, k=1", "NumPy", 25),
    Goal("blends, engine against a column scan in C", "rank", "blends", "engine, batch", _C, 4.5),
    Goal("blends, engine against the same by hand in C", "rank", "blends", "engine, batch", _BY_HAND, 0.95),
    Goal("all tenants against Polars", "all-tenants", "six shapes", "engine, two threads",
         "Polars, a query a shape", 250, (2048,)),
    Goal("all tenants against DuckDB", "all-tenants", "six shapes", "engine, two threads",
         "DuckDB, a statement a shape", 250, (2048,)),
    Goal("two threads against one, 100,000 tenants", "scaling", "by tenants: 100,000 tenants", "engine, two threads",
         "engine, one thread", 1.6),
    Goal("new bytes to the plan, at most 10.6 times json.loads", "admission", "new bytes, to the plan", "engine",
         "json.loads", 0.094),
    Goal("the same bytes again against json.loads", "admission", "the same bytes again", "engine", "json.loads", 8.5),
    Goal("counts per clause at most twice the filter alone", "explain", "counts per clause", "engine", "engine", 0.5,
         other_case="the filter alone"),
)  # fmt: skip
"""The goals. The figures were set before the suite's peers were written, which are faster than those of that time;
those of admission as microseconds, 45 and 0.5, on a machine whose json.loads took 4.25 for such a policy."""


def outcomes(run: Run, goals: Sequence[Goal] = GOALS) -> list[Outcome]:
    """Give each goal's outcome at each size that a run has measured it at."""
    rows: dict[tuple[str, str, int | None, str], Row] = {}
    for row in run.rows:
        rows[(*row.group, row.implementation)] = row
    found = []
    for goal in goals:
        for (part, case, offers, name), row in rows.items():
            if (part, case, name) != (goal.part, goal.case, goal.ours) or (goal.offers and offers not in goal.offers):
                continue
            other = rows.get((part, goal.other_case or case, offers, goal.other))
            if other is not None and row.main > 0:
                found.append(Outcome(goal, offers, other.main / row.main))
    return found
