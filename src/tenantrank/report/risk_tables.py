"""The section on tenants at risk: how many at which, then each kind with what its tenants have in common."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from tenantrank.report.figures import FleetFigures
from tenantrank.report.markup import Markup, element, joined, more, paragraph, table, text
from tenantrank.report.numerals import counted, share
from tenantrank.report.risks import FEW, Risk, RiskGroup


class _Kind(NamedTuple):
    """How one kind of risk is told: in a word, in a sentence, and what its columns show."""

    name: str
    means: str
    why: str
    state: str = ""
    rules: bool = False


_KINDS = {
    "none_left": _Kind("no offer left", "No offer passes. What decides is what keeps the nearest out.", "what decides"),
    "few_left": _Kind(
        f"{FEW} offers or fewer pass", "When these fail, nothing is left.", "winner", "passing", rules=True
    ),
    "ending": _Kind(
        "the winner ends", "The winner is deprecated, or the day on which it ends is announced.", "winner", "end"
    ),
    "unpriced": _Kind("the winner's price is unknown", "A price that no source states.", "winner", "price"),
    "zero_listed": _Kind(
        "the winner is listed at 0",
        "Listed at price 0: a free tier, a subscription or a local runner, not a known cost of nothing.",
        "winner",
    ),
    "one_provider": _Kind("one provider only", "All that passes is served by one provider.", "provider"),
}


def at_risk(figures: FleetFigures) -> Markup:
    """Give the section."""
    tenants = figures.everybody.tenants
    rows = [(_KINDS[risk.key].name, risk.tenants, share(risk.tenants, tenants)) for risk in figures.risks]
    said = f"{figures.at_risk:,} of {counted(tenants, 'tenant')} are at one of these risks or more."
    return joined(
        [
            element("h2", "Tenants at risk"),
            paragraph(said),
            table("tenants by risk", ["risk", "tenants", "share"], rows, ["tenants", "share"]),
            *(_kind(risk) for risk in figures.risks if risk.tenants),
        ]
    )


def _kind(risk: Risk) -> Markup:
    kind = _KINDS[risk.key]
    columns: list[tuple[str, Callable[[RiskGroup], object]]] = [
        (kind.why, lambda group: _wide(group.why)),
        ("tenants", lambda group: group.tenants),
    ]
    if kind.state:
        columns.append((kind.state, lambda group: Markup(f'<span class="some">{text(group.state)}</span>')))
    if kind.rules:
        columns.append(("rules", lambda group: _wide(group.rules)))
    columns.append(("for example", _examples))
    rows = [[give(group) for _, give in columns] for group in risk.kept]
    return joined(
        [
            element("h3", f"{kind.name[:1].upper()}{kind.name[1:]}: {risk.tenants:,}"),
            paragraph(kind.means),
            table(kind.name, [name for name, _ in columns], rows, ["tenants"]),
            more(len(risk.kept), risk.groups, "groups of tenants"),
        ]
    )


def _wide(value: str) -> Markup:
    return Markup(f'<span class="wide">{text(value, 600)}</span>')


def _examples(group: RiskGroup) -> Markup:
    names = ", ".join(text(name, 60) for name in group.examples)
    left = group.tenants - len(group.examples)
    return Markup(f'<span class="some">{names}{f" and {text(left)} more" if left else ""}</span>')
