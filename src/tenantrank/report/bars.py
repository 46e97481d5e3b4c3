"""Who wins, as bars: each a picture of its own, whose parts differ in pattern and letter as well as in colour."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tenantrank.report.counts import Group
from tenantrank.report.markup import Markup, element, text
from tenantrank.report.numerals import counted, share

LETTERS = "ABCDEFGH"
_ROOM = 4.5  # percent of a bar from which on its letter fits on a phone
_NAME = 80  # characters of a name in a tip
_MARKS = {"other": "", "none": "×", "refused": "!"}


@dataclass(frozen=True)
class Keys:
    """The letters of the offers that win most, by catalog row in the order of letters, and the ids of all offers."""

    letters: dict[int, str]
    offer_ids: Sequence[str]

    @classmethod
    def of(cls, everybody: Group, offer_ids: Sequence[str]) -> Keys:
        """Give letters to the first winners of all tenants together."""
        pairs = zip(everybody.winners, LETTERS, strict=False)
        return cls({row: letter for (row, _), letter in pairs}, offer_ids)

    def parts(self, group: Group) -> list[tuple[str, str, int]]:
        """Part a group as a bar shows it: mark, words and tenants, in the order of the letters, none of them 0."""
        tenants = dict(group.winners)
        found = [(letter, self.offer_ids[row], tenants.pop(row, 0)) for row, letter in self.letters.items()]
        others = counted(len(tenants), "other offer")
        found.append(("other", others, sum(tenants.values())))
        found.append(("none", "none left", group.none_left))
        found.append(("refused", "refused", group.refused))
        return [part for part in found if part[2]]


def swatch(mark: str) -> Markup:
    """Give the small picture of a mark that keys and tables show beside its name."""
    letter = _MARKS.get(mark, mark)
    return Markup(
        f'<svg class="swatch" aria-hidden="true" focusable="false"><rect width="30" height="20" '
        f'fill="url(#k{mark})"/>{_badge("15", 10, letter) if letter else ""}</svg>'
    )


def _badge(x: str, y: int, letter: str) -> str:
    """Put a letter on a ground of its own, so that no pattern crosses it."""
    return (
        f'<circle class="badge" cx="{x}" cy="{y}" r="7.5"/>'
        f'<text class="in" x="{x}" y="{y + 4}" aria-hidden="true">{letter}</text>'
    )


def bars(groups: Iterable[Group], keys: Keys, name: str, long: bool = False) -> Markup:
    """Give a list of bars, a row each: label, how many tenants, and what they get as shares of them.

    Parameters
    ----------
    groups
        the rows
    keys
        the letters
    name
        begins the ids of the bars; no two lists of a page share one
    long
        whether labels are too long to stand beside their bar
    """
    rows = []
    for at, group in enumerate(groups):
        alarm = f" · <b>{text(group.none_left)} none left</b>" if group.none_left else ""
        refused = f" · {text(group.refused)} refused" if group.refused else ""
        label = element("span", group.label, class_="name-of long" if long else "name-of")
        said = f'<span class="of">{counted(group.tenants, "tenant")}{alarm}{refused}</span>'
        rows.append(f"<li>{label}{said}{bar(group, keys, f'{name}-{at}')}</li>")
    return Markup('<ol class="bars">\n' + "\n".join(rows) + "\n</ol>")


def bar(group: Group, keys: Keys, name: str) -> Markup:
    """Give one group as a bar as wide as there is room, its parts as shares."""
    parts = keys.parts(group)
    drawn, begun, done = [], 0.0, 0
    for mark, words, tenants in parts:
        done += tenants
        end = round(100 * done / group.tenants, 2)
        width, middle = round(end - begun, 2), round((begun + end) / 2, 2)
        tip = f"<title>{text(words, _NAME)}: {text(tenants)}</title>"
        drawn.append(
            f'<rect class="cut" x="{begun:g}%" y="0" width="{width:g}%" height="22" fill="url(#k{mark})">{tip}</rect>'
        )
        letter = _MARKS.get(mark, mark)
        if letter and width >= _ROOM:
            drawn.append(_badge(f"{middle:g}%", 11, letter))
        begun = end
    told = "; ".join(
        f"{text(words, _NAME)} {tenants:,} ({share(tenants, group.tenants)})" for _, words, tenants in parts
    )
    return Markup(
        f'<svg class="bar" role="img" aria-labelledby="{name}-t {name}-d"><title id="{name}-t">'
        f'{text(group.label, _NAME)}</title><desc id="{name}-d">{told}</desc>{"".join(drawn)}</svg>'
    )


def amounts(rows: Sequence[tuple[str, str, float]], name: str) -> Markup:
    """Give amounts as bars on one scale: label, the amount in words, and the amount; below zero a bar is hollow."""
    largest = max((abs(amount) for _, _, amount in rows), default=0.0) or 1.0
    lines = []
    for at, (label, words, amount) in enumerate(rows):
        width = max(0.4, round(100 * abs(amount) / largest, 2)) if amount else 0
        kind = "cost" if amount > 0 else "less"
        lines.append(
            f'<li>{element("span", label, class_="name-of")}<span class="of">{text(words)}</span>'
            f'<svg class="amount" role="img" aria-labelledby="{name}-{at}-t {name}-{at}-d"><title id="{name}-{at}-t">'
            f'{text(label)}</title><desc id="{name}-{at}-d">{text(words)}</desc>'
            f'<rect class="{kind}" x="0" y="2" width="{width:g}%" height="18"/>'
            '<line class="base" x1=".5" x2=".5" y1="0" y2="22"/></svg></li>'
        )
    return Markup('<ol class="bars">\n' + "\n".join(lines) + "\n</ol>")
