"""The page of a fleet run: its head, its sections in order, and how to read it."""

from __future__ import annotations

from tenantrank.report.bars import Keys, bars, swatch
from tenantrank.report.counts import Group, segment_fields
from tenantrank.report.figures import MOST, FleetFigures
from tenantrank.report.markup import Markup, element, facts, joined, more, paragraph, table, text
from tenantrank.report.numerals import counted, number, share, usd
from tenantrank.report.pictures import price_against_quality, rule_costs
from tenantrank.report.risk_tables import at_risk
from tenantrank.report.style import CONTENT_SECURITY_POLICY, SHEET, patterns

_NAMED = 20  # winners that are named


def page(figures: FleetFigures) -> str:
    """Give the page of a fleet's figures."""
    outcomes, document = figures.outcomes, figures.rulebook.document
    catalog = outcomes.engine.catalog
    keys = Keys.of(figures.everybody, catalog.offer_ids)
    day = "no day stated" if catalog.judged_at is None else catalog.judged_at.isoformat()
    title = Markup(f"Fleet report: {text(document.name or 'a rulebook without a name', 80)}, {day}")
    body = joined(
        [
            Markup(patterns()),
            element("h1", title),
            _lead(figures),
            _tiles(figures),
            _winners(figures, keys),
            _by_rule(figures, keys),
            _by_segment(figures, keys),
            price_against_quality(figures, keys),
            rule_costs(figures),
            at_risk(figures),
            _refused(figures),
            _about(figures, day),
        ]
    )
    head = joined(
        [
            Markup('<meta charset="utf-8">'),
            Markup(f'<meta http-equiv="Content-Security-Policy" content="{CONTENT_SECURITY_POLICY}">'),
            Markup('<meta name="viewport" content="width=device-width, initial-scale=1">'),
            element("title", title),
            Markup(f"<style>{SHEET}</style>"),
        ]
    )
    return f'<!doctype html>\n<html lang="en"><head>{head}</head><body><main>\n{body}\n</main></body></html>\n'


def _lead(figures: FleetFigures) -> Markup:
    everybody = figures.everybody
    if not everybody.winners:
        return paragraph(f"None of {counted(everybody.tenants, 'tenant')} has an offer.")
    row, tenants = everybody.winners[0]
    catalog = figures.outcomes.engine.catalog
    first = text(catalog.offer_ids[row], 120)
    said = (
        f"{everybody.ranked:,} of {counted(everybody.tenants, 'tenant')} have an offer. {len(everybody.winners):,} of "
        f"{len(catalog):,} offers win, {first} most often: for {counted(tenants, 'tenant')} "
        f"({share(tenants, everybody.tenants)})."
    )
    return paragraph(Markup(said))


def _tiles(figures: FleetFigures) -> Markup:
    everybody = figures.everybody
    catalog = figures.outcomes.engine.catalog
    providers = {catalog.strings("provider_id")[0][row] for row, _ in everybody.winners}
    tiles = [
        ("tenants", everybody.tenants, False),
        ("ranked", everybody.ranked, False),
        ("left with none", everybody.none_left, everybody.none_left > 0),
        ("refused", everybody.refused, everybody.refused > 0),
        ("at some risk", figures.at_risk, False),
        ("distinct policies", len(figures.outcomes.fleet.by_identity()[0]), False),
        ("offers that win", len(everybody.winners), False),
        ("their providers", len(providers), False),
    ]
    inside = "".join(
        element("div", Markup(element("dt", name) + element("dd", value)), class_="alarm" if alarm else None)
        for name, value, alarm in tiles
    )
    return Markup(f'<dl class="tiles">{inside}</dl>')


def _winners(figures: FleetFigures, keys: Keys) -> Markup:
    everybody = figures.everybody
    catalog = figures.outcomes.engine.catalog
    codes, providers = catalog.strings("provider_id")
    rows = []
    for row, tenants in everybody.winners[:_NAMED]:
        offer = catalog.offer_ids[row]
        mark = swatch(keys.letters[row]) if row in keys.letters else swatch("other")
        cells = [
            Markup(f'<span class="who">{mark}<span>{text(offer)}</span></span>'),
            tenants,
            share(tenants, everybody.tenants),
            usd(float(figures.costs[row])),
        ]
        cells += [number(float(figures.qualities[row]))] if figures.quality else []
        rows.append([*cells, providers[codes[row]]])
    numbers = ["tenants", "share", "USD per 1M tokens", *([figures.quality] if figures.quality else [])]
    columns = ["offer", *numbers, "provider"]
    return joined(
        [
            element("h2", "Who wins"),
            paragraph("The offers that come first for most tenants. Their letters are the same all over this page."),
            bars([everybody], keys, "all"),
            table("offers by the tenants who get them", columns, rows, numbers) if rows else "",
            more(len(rows), len(everybody.winners), "offers that win"),
            _key(figures),
        ]
    )


def _key(figures: FleetFigures) -> Markup:
    words = (("other", "other offers"), ("none", "no offer left"), ("refused", "state refused"))
    items = "".join(f"<li>{swatch(mark)}{text(said)}</li>" for mark, said in words)
    return Markup(f'<ul class="key">{items}</ul>')


def _by_rule(figures: FleetFigures, keys: Keys) -> Markup:
    shown = figures.rules[: 3 * MOST]
    return joined(
        [
            element("h2", "Winners by rule"),
            paragraph(
                "A bar for each rule, over the tenants to whom it applies; a tenant is under every one of its rules.",
            ),
            bars(shown, keys, "rule"),
            more(len(shown), len(figures.rules), "rules"),
            _figures(figures, "winners by rule", "rule", shown),
            element("h3", "By all the rules that apply together"),
            bars(figures.rule_sets, keys, "set", long=True),
            more(len(figures.rule_sets), figures.rule_sets_in_all, "sets of rules"),
            _figures(figures, "winners by set of rules", "rules", figures.rule_sets),
        ]
    )


def _by_segment(figures: FleetFigures, keys: Keys) -> Markup:
    parts = [
        element("h2", "Winners by tenant segment"),
        paragraph("A bar for each value of the fields that the rulebook declares with few values."),
    ]
    for at, segments in enumerate(figures.segments):
        parts += [
            element("h3", segments.field),
            bars(segments.groups, keys, f"segment-{at}"),
            text(more(len(segments.groups), segments.values, "values")),
            _figures(figures, f"winners by {segments.field}", segments.field, segments.groups),
        ]
    if not figures.segments:
        parts.append(paragraph("The rulebook declares no such field.", note=True))
    left_out = len(segment_fields(figures.rulebook.document)) - len(figures.segments)
    if left_out > 0:
        parts.append(paragraph(f"and {left_out:,} more fields.", note=True))
    return joined(parts)


def _figures(figures: FleetFigures, caption: str, head: str, groups: tuple[Group, ...]) -> Markup:
    """Give the numbers behind bars as a table, folded away."""
    offer_ids = figures.outcomes.engine.catalog.offer_ids
    rows = []
    for group in groups:
        row, wins = group.winners[0] if group.winners else (-1, 0)
        low, high = group.survivors or (None, None)
        span = text(low) if low == high else Markup(f"{text(low)}–{text(high)}")
        best = None if row < 0 else Markup(f'<span class="wide">{text(offer_ids[row])}</span>')
        label = Markup(f'<span class="wide">{text(group.label)}</span>')
        rows.append((label, group.tenants, group.ranked, group.none_left, group.refused, span, best, wins,
                     None if row < 0 else usd(float(figures.costs[row]))))  # fmt: skip
    columns = [head, "tenants", "ranked", "none left", "refused", "offers that pass", "wins most", "wins", "USD per 1M"]
    numbers = [name for name in columns[1:] if name != "wins most"]
    inside = table(caption, columns, rows, numbers)
    return Markup(f"<details><summary>The figures as a table: {text(caption)}</summary>{inside}</details>")


def _refused(figures: FleetFigures) -> Markup:
    errors = figures.outcomes.fleet.errors
    if not errors:
        return Markup()
    rows = [
        (error.tenant or None, error.row, Markup(f'<span class="wide">{text(error.message)}</span>'))
        for error in errors[:MOST]
    ]
    return joined(
        [
            element("h2", "Tenants refused"),
            paragraph(
                "Their state is not what the rulebook declares, so that they have no policy and are ranked nowhere.",
            ),
            table("tenants refused", ["tenant", "row", "why"], rows, ["row"]),
            more(len(rows), len(errors), "tenants"),
        ]
    )


def _about(figures: FleetFigures, day: str) -> Markup:
    engine, rulebook = figures.outcomes.engine, figures.rulebook
    health = engine.health
    live = [
        f"{counted(len(health.disabled), 'provider')} disabled" if health.disabled else "",
        f"{counted(sum(map(bool, health.breakers.values())), 'breaker')} open" if any(health.breakers.values()) else "",
        f"observed metrics under {counted(len(health.ema), 'key')}" if health.ema else "",
        f"credits at {counted(len(health.credits), 'provider')}" if health.credits else "",
    ]
    remarks = [*engine.catalog.warnings, *rulebook.warnings]
    rows = [
        ("rulebook", rulebook.document.name or None),
        ("rulebook id", element("code", rulebook.rulebook_id)),
        ("catalog id", element("code", engine.catalog.catalog_id)),
        ("offers in it", len(engine.catalog)),
        ("day", day),
        ("envelope", "none" if engine.envelope is None else element("code", engine.envelope.identity)),
        ("live state", ", ".join(filter(None, live)) or "none"),
        ("mix for costs", f"{figures.tokens.words}; USD per 1M of these tokens"),
        ("quality", figures.quality or "no field is known for any offer"),
        ("columns ignored", ", ".join(figures.outcomes.fleet.ignored) or "none"),
    ]
    return joined(
        [
            element("h2", "What this was worked out from"),
            facts(rows),
            *(paragraph(f"Warning: {remark}", note=True) for remark in remarks[:MOST]),
            paragraph(f"and {len(remarks) - MOST:,} more warnings", note=True) if len(remarks) > MOST else "",
            paragraph(
                "No request is involved: each tenant is ranked as for a call that asks for nothing. Costs are list "
                "prices times the mix; a price that no source states makes a cost unknown, and a price of 0 is 0.",
                note=True,
            ),
        ]
    )
