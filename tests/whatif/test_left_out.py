"""One thing left out: what it says of two winners, and the order by what things cost."""

from __future__ import annotations

from tenantrank.catalog.costs import USUAL
from tenantrank.whatif.left_out import LeftOut, dearest
from tenantrank.whatif.winner import Winner

NOTHING = Winner(None, None, 0)


def left_out(now: Winner, without: Winner | None) -> LeftOut:
    return LeftOut(now, without, USUAL)


def test_left_out__tells_a_change_from_none_and_a_gain_from_a_loss() -> None:
    one, other = Winner("a", 3.0, 1), Winner("b", 1.0, 4)
    said = [
        (found.changes, found.gains, found.more, found.difference, found.difference_per_million)
        for found in (
            left_out(one, other),
            left_out(one, Winner("a", 3.0, 2)),
            left_out(NOTHING, other),
            left_out(one, NOTHING),
            left_out(NOTHING, NOTHING),
            left_out(one, None),
            left_out(NOTHING, None),
        )
    ]
    assert said == [
        (True, False, 3, 2.0, 500.0),
        (False, False, 1, 0.0, 0.0),
        (True, True, 4, None, None),
        (True, False, -1, None, None),
        (False, False, 0, None, None),
        (False, False, None, None, None),
        (False, False, None, None, None),
    ]


def test_dearest__has_gains_then_known_differences_then_unknown_ones_then_the_rest() -> None:
    now = Winner("a", 5.0, 1)
    unknown, kept = left_out(now, Winner("b", None, 1)), left_out(now, None)
    saved, first, second = (left_out(now, Winner(name, cost, 1)) for name, cost in (("c", 9.0), ("d", 2.0), ("e", 2.0)))
    gain = left_out(NOTHING, now)

    assert dearest([kept, unknown, saved, first, second, gain]) == [gain, first, second, saved, unknown, kept]
    assert dearest([second, first]) == [second, first]
