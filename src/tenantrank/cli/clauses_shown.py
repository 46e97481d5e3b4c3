"""What `tenantrank clauses` shows: what was left out, what wins then, and the difference, as tables and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tenantrank.catalog.costs import Tokens
from tenantrank.cli.output import console, note, table
from tenantrank.whatif.clause_price import ClausePrice, ClausePrices, RulePrice
from tenantrank.whatif.left_out import LeftOut
from tenantrank.whatif.rule_price import DearestRules
from tenantrank.whatif.winner import Winner, per_million

_FIGURES = ["more pass", "adds $/call", "adds $/M"]


def print_prices(heading: str, prices: ClausePrices, top: int | None) -> None:
    """Print a heading, and the prices of one tenant's clauses and rules, dearest first, at most ``top`` of each."""
    out = console()
    for line in [heading, f"costs are for a call of {prices.tokens.words}", _wins(prices)]:
        out.print(line, markup=False, highlight=False, soft_wrap=True)
    asked = [
        (f"{clause.words}{_instead(clause)}", "; ".join(map(str, clause.origins)), *_figures(clause))
        for clause in prices.dearest_clauses()[:top]
    ]
    columns = ["clause", "rule", "wins then", *_FIGURES]
    out.print(table("without one clause, the dearest first", columns, asked, _FIGURES))
    applied = [(rule.rule, ", ".join(rule.gives), *_figures(rule)) for rule in prices.dearest_rules()[:top]]
    columns = ["rule", "gives the", "wins then", *_FIGURES]
    out.print(table("without one rule, the dearest first", columns, applied, _FIGURES))
    for rule in prices.rules:
        if rule.refused is not None:
            note(f"without {rule.rule} there is no policy: {rule.refused}")


def _wins(prices: ClausePrices) -> str:
    now = prices.now
    if now.offer_id is None:
        return f"{now.survivors} offers pass, and nothing wins" if now.survivors else "no offer passes"
    cost = "an unknown amount" if now.cost is None else f"${now.cost:.6g} a call"
    per = per_million(now.cost, prices.tokens)
    return f"{now.survivors} offers pass; {now.offer_id} wins, at {cost}" + ("" if per is None else f", ${per:.6g}/M")


def _instead(clause: ClausePrice) -> str:
    return f" [without it: {'; '.join(map(str, clause.returns))}]" if clause.returns else ""


def _figures(left_out: LeftOut) -> tuple[Any, ...]:
    """Give what wins then, how many more pass, and the differences, in the columns of a table."""
    without = left_out.without
    if without is None:
        wins = "(no policy)" if isinstance(left_out, RulePrice) else "(not left out)"
        return wins, None, None, None
    wins = "(nothing)" if without.offer_id is None else without.offer_id
    differences: list[Any] = [left_out.difference, left_out.difference_per_million]
    if left_out.difference is None and None not in (without.offer_id, left_out.now.offer_id):
        differences = ["unknown", "unknown"]
    return wins if left_out.changes else "(the same)", left_out.more, *differences


def _mix(tokens: Tokens) -> dict[str, Any]:
    names = ("input", "output", "cached_share", "residency")
    return {name: getattr(tokens, name) for name in names}


def prices_document(prices: ClausePrices, top: int | None) -> dict[str, Any]:
    """Give the prices of one tenant's clauses and rules as a JSON value, dearest first, at most ``top`` of each."""
    return {
        "tokens": _mix(prices.tokens),
        "now": _winner(prices.now),
        "clauses": [
            {
                "clause": clause.encoding,
                "words": clause.words,
                "origins": _origins(clause.origins),
                "enveloped": clause.enveloped,
                "returns": [
                    {"clause": back.encoding, "words": back.words, "origins": _origins(back.origins)}
                    for back in clause.returns
                ],
                **_effect(clause),
            }
            for clause in prices.dearest_clauses()[:top]
        ],
        "rules": [
            {"rule": rule.rule, "gives": list(rule.gives), "refused": rule.refused, **_effect(rule)}
            for rule in prices.dearest_rules()[:top]
        ],
    }


def _effect(left_out: LeftOut) -> dict[str, Any]:
    return {
        "without": None if left_out.without is None else _winner(left_out.without),
        "changes": left_out.changes,
        "gains": left_out.gains,
        "more": left_out.more,
        "difference": left_out.difference,
        "difference_per_million": left_out.difference_per_million,
    }


def _winner(winner: Winner) -> dict[str, Any]:
    return {"offer_id": winner.offer_id, "cost": winner.cost, "survivors": winner.survivors}


def _origins(origins: Sequence[Any]) -> list[dict[str, Any]]:
    return [{"rule": origin.rule, "field": origin.field, "value": origin.value} for origin in origins]


def rules_document(found: DearestRules, count: int) -> dict[str, Any]:
    """Give the dearest rules as a JSON value, at most so many."""
    totals = {name: getattr(found, name) for name in ("tenants", "refused", "stranded", "unknown", "total")}
    return {
        **found.provenance,
        "tokens": _mix(found.tokens),
        **totals,
        "rules": found.table().slice(0, count).to_pylist(),
    }


def print_rules(found: DearestRules, count: int, out: Path | None) -> None:
    """Print the dearest rules of a fleet, at most so many, and where all of them were written to."""
    screen = console()
    columns = ["rule", "tenants", "other winner", "dearer", "cheaper", "unknown", "leaves none", "adds $", "mean $/M"]
    rows = [
        (
            f"{rule.rule} *" if rule.ranks else rule.rule,
            rule.tenants,
            rule.changed,
            rule.dearer,
            rule.cheaper,
            rule.unknown,
            rule.gained,
            rule.total,
            rule.mean_per_million,
        )
        for rule in found.rules[:count]
    ]
    screen.print(table(f"the dearest of {len(found.rules)} rules", columns, rows, columns[1:]))
    screen.print(
        "* ranks the offers too: some of what it costs may be meant; adds $: with one call of each tenant\n"
        f"{found.tenants} tenants, a call of {found.tokens.words} each: ${found.total:.6g} in all; "
        f"{found.unknown} winners of unknown cost, {found.stranded} tenants with no offer, {found.refused} refused"
        + (f"\nevery rule written to {out}" if out is not None else ""),
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
