"""A comparison of two sides in words and in short tables, for terminals and for Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tenantrank.catalog.costs import Tokens
from tenantrank.whatif.impact import Impact
from tenantrank.whatif.impact_figures import Cost, Counts, Move, RuleSet
from tenantrank.whatif.impact_limits import percent_words, tenants_words

FATES = {
    "not_offered": "no longer in the catalog",
    "rejected": "no longer passes",
    "unselected": "no longer listed by the selector",
    "outranked": "outranked",
    "refused": "the tenant's state is refused",
    "no_offer": "no offer left",
    "one_left": "one offer left",
}
"""Kinds of `Reason` in words."""
NO_WINNER = "no offer"
"""What stands in the place of a winner where there is none."""

_PER = 1_000_000.0


@dataclass(frozen=True, slots=True)
class Section:
    """A short table.

    Attributes
    ----------
    title, columns, rows : its text; ``None`` stands for what is not there
    total : how many rows there would be
    numbers : columns of figures
    foreign : columns whose text comes from catalogs, rulebooks and tables of tenants
    """

    title: str
    columns: tuple[str, ...]
    rows: Sequence[Sequence[Any]]
    total: int
    numbers: tuple[str, ...] = ("tenants",)
    foreign: tuple[str, ...] = ()

    @property
    def heading(self) -> str:
        """The title, with how many rows are shown where not all are."""
        cut = len(self.rows) < self.total
        return f"{self.title} ({len(self.rows)} of {self.total:,})" if cut else self.title


def headline(impact: Impact) -> str:
    """Say in a line what matters most."""
    counts = impact.counts
    if not counts.compared:
        return "there are no tenants to compare" if not counts.tenants else "no tenant is in both tables"
    hits = (
        (counts.winner, "has", "have", "another winner or none"),
        (counts.stranded, "is", "are", "newly left with no offer"),
        (counts.refused, "is", "are", "newly refused"),
    )
    told = [f"{found:,} {one if found == 1 else many} {words}" for found, one, many, words in hits if found]
    if not told and counts.order:
        told = [f"{counts.order:,} {'has' if counts.order == 1 else 'have'} another order, none another winner"]
    if told:
        *most, last = told
        return f"of {tenants_words(counts.compared)}, {', '.join(most)}{' and ' if most else ''}{last}"
    if _unchanged(counts, impact.cost):
        return f"nothing changes for {tenants_words(counts.compared)}"
    return f"no winner and no order changes for {tenants_words(counts.compared)}"


def _unchanged(counts: Counts, cost: Cost) -> bool:
    other = counts.survivors, counts.policy, counts.accepted, counts.only_before, counts.only_after, counts.one_left
    return not any((*other, cost.dearer, cost.cheaper, cost.newly_unknown))


def counts_section(impact: Impact) -> Section:
    """Tabulate how many tenants are hit; rows that need not be told are left out where nothing is."""
    c = impact.counts
    places = f"the first {impact.k}" if impact.k > 1 else "the first"
    rows: list[tuple[str, int, int | None, int | None, bool]] = [
        ("another winner, or none on one side", c.winner, None, None, True),
        (f"another order of {places}", c.order, None, None, True),
        ("another number of offers that pass", c.survivors, None, None, True),
        ("another policy", c.policy, None, None, True),
        ("newly left with no offer", c.stranded, c.none_before, c.none_after, True),
        ("newly with an offer", c.gained, None, None, False),
        ("newly left with one offer that passes", c.one_left, c.one_before, c.one_after, True),
        ("newly refused", c.refused, c.refused_before, c.refused_after, bool(c.refused_before or c.refused_after)),
        ("no longer refused", c.accepted, None, None, False),
        ("only in the table before", c.only_before, None, None, False),
        ("only in the table after", c.only_after, None, None, False),
    ]
    shown = [
        (label, f"{found:,}", _share(found, c.compared), _count(before), _count(after))
        for label, found, before, after, always in rows
        if found or always
    ]
    columns = ("what changes", "tenants", "share", "before", "after")
    return Section(f"{c.compared:,} tenants compared", columns, shown, len(shown), columns[1:])


def sections(impact: Impact, most: int) -> list[Section]:
    """Tabulate the biggest moves, why winners changed, who is at risk, and which rules those have that are hit.

    Each of at most ``most`` rows; who is at risk may take twice as many. Empty ones are left out.
    """
    tokens = impact.tokens
    moves = [
        (move.tenants, move.old or NO_WINNER, move.new or NO_WINNER, _span(move, tokens))
        for move in impact.moves[:most]
    ]
    reasons = [
        (r.tenants, FATES[r.what], f"fails: {r.why}" if r.what == "rejected" else r.why, r.example)
        for r in impact.reasons[:most]
    ]
    risks = [*impact.stranded, *impact.one_left, *impact.refused]
    # Each kind gets its share of the rows before any gets more.
    chosen = [*impact.stranded[:most], *impact.one_left[: most // 2], *impact.refused[: most // 2]]
    at_risk = [(r.tenants, FATES[r.what], r.why, r.example) for r in chosen]
    hit = [group for group in impact.rule_sets if group.winner or group.order or group.stranded or group.one_left]
    hit.sort(key=lambda group: -group.winner)
    groups = [
        (group.tenants, group.winner, group.stranded, _change(group.cost), rules_words(group)) for group in hit[:most]
    ]
    signed = any(group.before != group.after for group in hit[:most])
    found = [
        Section(
            "biggest moves",
            ("tenants", "winner before", "winner after", "USD per 1M tokens"),
            moves,
            len(impact.moves),
            ("tenants", "USD per 1M tokens"),
            ("winner before", "winner after"),
        ),
        Section(
            "why the old winner wins no longer",
            ("tenants", "what became of it", "because", "for example"),
            reasons,
            len(impact.reasons),
            foreign=("because", "for example"),
        ),
        Section(
            "tenants at risk",
            ("tenants", "risk", "what keeps the nearest out, or the last offer", "for example"),
            at_risk,
            len(risks),
            foreign=("what keeps the nearest out, or the last offer", "for example"),
        ),
        Section(
            "rules of the tenants that are hit" + (" (- only before, + only after)" if signed else ""),
            ("tenants", "another winner", "no offer", "cost", "rules"),
            groups,
            len(hit),
            ("tenants", "another winner", "no offer", "cost"),
            ("rules",),
        ),
    ]
    return [section for section in found if section.rows]


def cost_words(impact: Impact) -> str:
    """Say what a call of each tenant costs on both sides, for which mix of tokens, and for how many it is unknown."""
    cost, tokens = impact.cost, impact.tokens
    unknown = f"unknown on a side for {tenants_words(cost.unknown)}, not counted" if cost.unknown else ""
    if cost.newly_unknown:
        unknown += f" ({cost.newly_unknown:,} of them known before)"
    if not cost.known:
        return f"cost: known on both sides for no tenant{'; ' * bool(unknown)}{unknown}"
    said = (
        f"cost of one call of each of {tenants_words(cost.known)} ({tokens.words}): {cost.before:.6g} USD before, "
        f"{cost.after:.6g} after ({percent_words(cost.percent)})"
    )
    if tokens.total:
        before, after = (_per_million(side / cost.known, tokens) for side in (cost.before, cost.after))
        said += f"; on average {before:.6g} and {after:.6g} USD per 1M tokens"
    said += f"; dearer for {cost.dearer:,}, cheaper for {cost.cheaper:,}"
    return f"{said}; {unknown}" if unknown else said


def rules_words(group: RuleSet) -> str:
    """Say which rules apply: those of both sides, then with a sign those of one."""
    if group.before == group.after or group.before is None or group.after is None:
        return (group.after if group.before is None else group.before) or "no rule"
    before, after = group.before.split(", "), group.after.split(", ")
    both = [rule for rule in before if rule in after]
    gone = [f"-{rule}" for rule in before if rule not in after]
    return ", ".join([*both, *gone, *(f"+{rule}" for rule in after if rule not in before)])


def _span(move: Move, tokens: Tokens) -> str:
    """Say what both winners of a move cost; a dash where there is no winner."""
    shown = [
        "–" if offer is None or not tokens.total else "unknown" if cost is None else f"{_per_million(cost, tokens):.4g}"
        for offer, cost in ((move.old, move.cost_before), (move.new, move.cost_after))
    ]
    return shown[0] if shown[0] == shown[1] else " → ".join(shown)


def _per_million(cost: float, tokens: Tokens) -> float:
    return cost * _PER / tokens.total


def _change(cost: Cost) -> str | None:
    return percent_words(cost.percent) if cost.known or cost.unknown else None


def _share(count: int, of: int) -> str | None:
    return f"{count / of:.1%}" if of else None


def _count(value: int | None) -> str | None:
    return None if value is None else f"{value:,}"
