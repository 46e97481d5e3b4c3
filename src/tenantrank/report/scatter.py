"""Price against quality as a picture: every offer of which both are known, those that anybody may use, those that win.

Positions across are shares of the width, so that text and marks keep their size on any screen; the offers nobody chose
are two paths of points, so that a page stays small whatever the catalog.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tenantrank.report.axes import Across, Doubles, Up
from tenantrank.report.markup import Markup, text
from tenantrank.report.numerals import counted, number, usd

HEIGHT = 420
_NARROW = 3.3  # pixels of a percent on a phone, where labels collide first
_POINTS = 8_000  # drawn at most, of each kind; above that nearby ones are drawn as one
_TIPS, _MARKS = 200, 1_000  # winners without a letter that have a tip, and marks for those that have none
_LARGEST = 1e12
_NAME = 80  # characters of a name in a tip
_DIAMOND = "M0 -8 8 0 0 8 -8 0Z"
_SMALL = "M0 -5.5 5.5 0 0 5.5 -5.5 0Z"

Bools = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Plotted:
    """What is drawn.

    Attributes
    ----------
    costs, qualities : (offers,) USD per 1M tokens of the mix, and quality; NaN where unknown
    usable : (offers,) whether any tenant's filter lets the offer pass
    tenants : catalog row to how many tenants choose it, of every offer that wins
    letters : catalog row to letter, of those that have one
    offer_ids, field : names, of the offers and of the quality
    """

    costs: Doubles
    qualities: Doubles
    usable: Bools
    tenants: Mapping[int, int]
    letters: Mapping[int, str]
    offer_ids: Sequence[str]
    field: str

    @property
    def drawn(self) -> Bools:
        """Which offers have a place, (offers,): both values are known and not off any scale."""
        with np.errstate(invalid="ignore"):
            cost = (self.costs == 0) | ((self.costs >= 1 / _LARGEST) & (self.costs <= _LARGEST))
            return np.asarray(cost & (np.abs(self.qualities) <= _LARGEST))


def scatter(plotted: Plotted, name: str) -> Markup:
    """Draw offers by cost, on a log axis with a lane of its own for 0, and quality; some offer has a place."""
    drawn = plotted.drawn
    costs, qualities = plotted.costs[drawn], plotted.qualities[drawn]
    across = Across(costs)
    up = Up(qualities)
    x, y = np.full(len(drawn), np.nan), np.full(len(drawn), np.nan)
    x[drawn], y[drawn] = across.places(costs), up.places(qualities)
    wins = np.zeros(len(drawn), dtype=bool)
    wins[[row for row in plotted.tenants if drawn[row]]] = True
    dots = _points(x, y, drawn & ~plotted.usable & ~wins)
    rings = _points(x, y, drawn & plotted.usable & ~wins)
    layer = (
        f'<svg x="0" y="0" width="100%" height="{HEIGHT}" viewBox="0 0 1000 {HEIGHT}" preserveAspectRatio="none">'
        + (f'<path class="dot" d="{dots}"/>' if dots else "")
        + (f'<path class="ring" d="{rings}"/><path class="hole" d="{rings}"/>' if rings else "")
        + "</svg>"
    )
    told = (
        f"{int(drawn.sum()):,} offers by cost and {text(plotted.field)}; {int(wins.sum()):,} of them win. "
        + "; ".join(_words(plotted, row) for row in plotted.letters if drawn[row])
    )
    return Markup(
        f'<svg class="plot" role="img" aria-labelledby="{name}-t {name}-d"><title id="{name}-t">Price against quality'
        f'</title><desc id="{name}-d">{told}</desc>{up.axis(plotted.field)}{across.axis()}{layer}'
        f"{_winners(plotted, x, y, drawn)}</svg>"
    )


def key() -> Markup:
    """Say what the marks mean."""
    marks = (
        ('<circle class="spot" cx="11" cy="11" r="1.75"/>', "passes for no tenant"),
        ('<circle class="edge" cx="11" cy="11" r="3.75" stroke-width="1.5"/>', "passes for some tenant"),
        (f'<svg x="11" y="11" class="mark"><path class="win" d="{_SMALL}"/></svg>', "wins for some tenant"),
        (
            f'<svg x="9" y="12" class="mark"><path class="win" d="{_DIAMOND}"/><text class="name" x="9" y="3">A</text>'
            "</svg>",
            "wins for most, lettered as in the tables",
        ),
    )
    items = "".join(
        f'<li><svg aria-hidden="true"{extra}>{mark}</svg>{text(words)}</li>'
        for (mark, words), extra in zip(marks, ("", "", "", ' class="lettered"'), strict=True)
    )
    return Markup(f'<ul class="key">{items}</ul>')


def _points(x: Doubles, y: Doubles, chosen: Bools) -> str:
    """Give points as one path; those too close to tell apart are one."""
    return "".join(f"M{left} {top}h0" for left, top in _apart(x[chosen], y[chosen], _POINTS))


def _apart(x: Doubles, y: Doubles, most: int) -> list[list[int]]:
    """Give the places of points, in tenths of a percent and pixels, nearby ones as one where there are many."""
    at = np.stack([np.rint(10 * x), np.rint(y)]).astype(np.int64)
    step, places = 1, np.unique(at, axis=1)
    while places.shape[1] > most:
        step *= 2
        places = np.unique(at // step * step, axis=1)
    return [[int(left), int(top)] for left, top in places.T]


def _winners(plotted: Plotted, x: Doubles, y: Doubles, drawn: Bools) -> str:
    """Draw the offers that win: those without a letter first, and lettered ones at one place as one mark."""
    rows = [row for row in plotted.tenants if drawn[row] and row not in plotted.letters]
    rest = rows[_TIPS:]
    marks = [_mark(left / 10, top, _SMALL) for left, top in _apart(x[rest], y[rest], _MARKS)]
    marks += [_mark(x[row], y[row], _SMALL, "", [_words(plotted, row)]) for row in rows[:_TIPS]]
    places: dict[tuple[float, float], list[int]] = {}
    for row in plotted.letters:
        if drawn[row]:
            places.setdefault((round(float(x[row]), 1), round(float(y[row]))), []).append(row)
    taken = [_box(left, top, 0, 0, 16) for left, top in places]
    for (left, top), members in places.items():
        letters = " ".join(plotted.letters[row] for row in members)
        label = _label(left, top, letters, taken)
        marks.append(_mark(left, top, _DIAMOND, label, [_words(plotted, row) for row in members]))
    return "".join(marks)


def _mark(x: float, y: float, shape: str, label: str = "", words: Sequence[str] = ()) -> str:
    tip = f"<title>{'; '.join(words)}</title>" if words else ""
    return f'<svg class="mark" x="{x:.1f}%" y="{y:.0f}"><path class="win" d="{shape}">{tip}</path>{label}</svg>'


def _label(x: float, y: float, letters: str, taken: list[tuple[float, float, float, float]]) -> str:
    """Put letters beside a mark where nothing stands yet, and take that place."""
    wide = 8.0 * len(letters)
    offsets = [(10, 5, "start"), (0, -11, "middle"), (0, 21, "middle"), (-10, 5, "end")]
    offsets += [(12, -9, "start"), (12, 18, "start"), (-12, -9, "end"), (-12, 18, "end"), (0, -25, "middle")]
    boxes = []
    for across, down, anchor in offsets:
        shift = {"start": wide / 2, "middle": 0.0, "end": -wide / 2}[anchor]
        boxes.append(_box(x, y, across + shift, down - 5, wide, 12))
    free = [at for at, box in enumerate(boxes) if not any(_meet(box, other) for other in taken)]
    chosen = free[0] if free else 0
    taken.append(boxes[chosen])
    across, down, anchor = offsets[chosen]
    return f'<text class="name" x="{across}" y="{down}" text-anchor="{anchor}">{letters}</text>'


def _box(
    x: float, y: float, across: float, down: float, wide: float, high: float = 16
) -> tuple[float, float, float, float]:
    left, top = x * _NARROW + across, y + down
    return left - wide / 2, top - high / 2, left + wide / 2, top + high / 2


def _meet(one: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _words(plotted: Plotted, row: int) -> str:
    letter = f"{plotted.letters[row]}: " if row in plotted.letters else ""
    tenants = plotted.tenants[row]
    return (
        f"{letter}{text(plotted.offer_ids[row], _NAME)}, {counted(tenants, 'tenant')}, "
        f"{usd(float(plotted.costs[row]))}, {number(float(plotted.qualities[row]))}"
    )
