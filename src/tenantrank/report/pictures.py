"""The sections on money: price against quality, and what rules cost."""

from __future__ import annotations

import numpy as np

from tenantrank.report.bars import Keys, amounts
from tenantrank.report.figures import FleetFigures
from tenantrank.report.markup import Markup, element, joined, paragraph, table
from tenantrank.report.numerals import counted, usd
from tenantrank.report.scatter import Plotted, key, scatter
from tenantrank.whatif.rule_price import FleetRule


def price_against_quality(figures: FleetFigures, keys: Keys) -> Markup:
    """Draw every offer by cost and quality, with those that win marked; what has no place is counted below."""
    heading = element("h2", "Price against quality")
    if figures.quality is None:
        return joined([heading, paragraph("No quality field is known for any offer.", note=True)])
    catalog = figures.outcomes.engine.catalog
    tenants = dict(figures.everybody.winners)
    plotted = Plotted(
        figures.costs, figures.qualities, figures.usable, tenants, keys.letters, catalog.offer_ids, figures.quality
    )
    field = catalog.fields[figures.quality]
    what = f"{figures.quality}: {field.description}." if field.description else f"{figures.quality}."
    if not plotted.drawn.any():
        said = f"No offer has both a known cost and a known {figures.quality}."
        return joined([heading, paragraph(said, note=True)])
    return joined(
        [
            heading,
            paragraph(f"Up is better, left is cheaper. {what} Costs are for {figures.tokens.words}."),
            key(),
            element("figure", scatter(plotted, "plot")),
            paragraph(_left_out(figures, plotted), note=True),
        ]
    )


def _left_out(figures: FleetFigures, plotted: Plotted) -> str:
    """Say how many offers the picture lacks, and which zeros it holds."""
    drawn = plotted.drawn
    no_quality, no_cost = np.isnan(plotted.qualities), np.isnan(plotted.costs)
    said = [f"{int(drawn.sum()):,} of {len(drawn):,} offers are drawn."]
    missing = [
        (int((no_quality & ~no_cost).sum()), f"a known {plotted.field}"),
        (int((no_cost & ~no_quality).sum()), "a known cost"),
        (int((no_cost & no_quality).sum()), "either"),
        (int((~drawn & ~no_cost & ~no_quality).sum()), "a place on the scale"),
    ]
    told = [f"{count:,} without {what}" for count, what in missing if count]
    if told:
        said.append(f"Left out: {', '.join(told)}.")
    absent = [row for row in plotted.tenants if not drawn[row]]
    if absent:
        for_whom = sum(plotted.tenants[row] for row in absent)
        said.append(f"Of those left out {len(absent):,} win, for {counted(for_whom, 'tenant')}.")
    zero = drawn & (plotted.costs == 0)
    if zero.any():
        listed = zero & (figures.outcomes.engine.catalog.flags("price_zero_listed") == 1)
        said.append(
            f"At $0, beside the log scale: {int(zero.sum()):,}; {int(listed.sum()):,} of them are listed at price 0, "
            "as free tiers, subscriptions and local runners are, which is not a known cost of nothing."
        )
    return " ".join(said)


def rule_costs(figures: FleetFigures) -> Markup:
    """Say which rules cost most: the winner's cost with the rule less that without it, over its tenants."""
    dearest = figures.dearest
    heading = element("h2", "What rules cost")
    scale = 1e6 / figures.tokens.total
    said = (
        "For each tenant to whom a rule applies: what the winner costs, less what would win without the rule. The bars "
        "add that up over those tenants, at 1M tokens each; a hollow bar is a rule that makes winners cheaper. A rule "
        "that ranks may well be worth its price."
    )
    moved = [rule for rule in dearest.rules if rule.changed]
    if not moved:
        return joined([heading, paragraph("No rule changes what wins.", note=True)])
    bars = [(rule.rule, _total(rule, scale), rule.total * scale) for rule in moved]
    columns = ["rule", "adds", "tenants", "other winner", "dearer", "cheaper", "cost unknown", "none left by it",
               "mean per 1M", "at 1M tokens each"]  # fmt: skip
    rows = [
        (rule.rule, ", ".join(rule.adds), rule.tenants, rule.changed, rule.dearer, rule.cheaper, rule.unknown,
         rule.gained, None if rule.mean_per_million is None else usd(rule.mean_per_million), usd(rule.total * scale))
        for rule in moved
    ]  # fmt: skip
    inside = table("what rules cost", columns, rows, columns[2:])
    return joined(
        [
            heading,
            paragraph(said),
            amounts(bars, "cost"),
            Markup(f"<details><summary>The figures as a table: what rules cost</summary>{inside}</details>"),
        ]
    )


def _total(rule: FleetRule, scale: float) -> str:
    parts = [usd(rule.total * scale), counted(rule.tenants, "tenant")]
    parts += [f"{rule.gained:,} left with none"] if rule.gained else []
    parts += [f"{rule.unknown:,} of unknown cost"] if rule.unknown else []
    return " · ".join(parts)
