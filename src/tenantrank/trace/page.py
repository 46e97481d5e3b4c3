"""One decision as a page: plain HTML that needs no script, no style sheet, no picture and no network.

Everything shown is text: what a client or a catalog may have chosen is escaped, and control characters are written out,
so that no name can end an element, hide another, or turn the reading direction of what follows.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from tenantrank.report.markup import printable as printable
from tenantrank.trace.words import Failed, Told

CONTENT_SECURITY_POLICY = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'"
"""What a server should send with the page: it loads nothing."""

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:72rem;margin:2rem auto;padding:0 1rem;color:#1a1a1a;"
    "background:#fff}table{border-collapse:collapse;width:100%;margin:.5rem 0 1.5rem}th,td{text-align:left;"
    "padding:.3rem .6rem;border-bottom:1px solid #ccc;vertical-align:top}td{overflow-wrap:anywhere}"
    "td.n,th.n{text-align:right;white-space:nowrap}code{font-size:.9em;overflow-wrap:anywhere}"
)


def page(told: Told, offer: str | None = None, failures: Sequence[Failed] = ()) -> str:
    """Give the page of one decision.

    Parameters
    ----------
    told
        as `words.tell` gives it
    offer, failures
        an offer that was asked about, and what it failed, as `words.failures_of` gives it
    """
    who = [("tenant", told.tenant), ("caller", told.caller), ("label", told.label)]
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>Decision {_text(told.id)}</title><style>{_STYLE}</style></head><body><main>",
        f"<h1>Decision <code>{_text(told.id)}</code></h1>",
        f"<p>{_text(told.summary)}</p>",
        f"<p>Record {told.seq}, {_text(told.time)}; {_text(told.replayed)}.</p>",
        _facts([(name, value) for name, value in who if value is not None]),
        _applied(told),
        _offer(offer, failures),
        "<h2>Ranked</h2>",
        _table(("place", "offer", "score"), ((at, *entry) for at, entry in enumerate(told.ranked, 1)), {0, 2}),
        "<h2>Attempts</h2>" if told.attempts else "",
        _attempts(told),
        "<h2>Where every number comes from</h2>",
        _table(("number", "what it is", "where it comes from"), told.numbers, {0}),
        "<h2>What went into it</h2>",
        _facts(told.ids.items()),
        f"<p>Left out of the record: {_text(', '.join(told.masked))}.</p>" if told.masked else "",
        "</main></body></html>",
    ]
    return "\n".join(part for part in parts if part) + "\n"


def _applied(told: Told) -> str:
    applied = ", ".join(told.applied)
    lines = [
        "<h2>What decided</h2>",
        f"<p>Rules that applied: {_text(applied)}.</p>" if applied else "<p>No rulebook made this policy.</p>",
        _table(("condition", "whose it is", "offers turned away first"), (rule[:3] for rule in told.clauses), {2}),
        _table(("what follows", "whose it is"), ((rule.words, rule.whose) for rule in told.then), set()),
    ]
    if told.needs:
        lines += ["<h2>What the request asked for</h2>", *(f"<p>{_text(need)}</p>" for need in told.needs)]
    return "\n".join(lines)


def _offer(offer: str | None, failures: Sequence[Failed]) -> str:
    if offer is None:
        return ""
    heading = f"<h2>Why not {_text(offer)}</h2>"
    if not failures:
        return f"{heading}\n<p>It passed every condition.</p>"
    columns = ("condition", "whose it is", "reason", "bound", "observed", "where that comes from")
    return f"{heading}\n{_table(columns, failures, set())}"


def _attempts(told: Told) -> str:
    if not told.attempts:
        return ""
    columns = ("offer", "provider", "number", "started", "ended", "outcome", "status", "tokens_in", "tokens_out")
    rows = [[_ended(attempt[name], name) for name in columns] for attempt in told.attempts]
    cost = "" if told.cost_usd is None else f"<p>Cost in all: {_text(told.cost_usd)} USD.</p>"
    return _table([name.replace("_", " ") for name in columns], rows, {2, 6, 7, 8}) + cost


def _ended(value: Any, name: str) -> Any:
    return "answered" if name == "outcome" and value is None else value


def _facts(facts: Iterable[tuple[str, Any]]) -> str:
    rows = [f'<tr><th scope="row">{_text(name)}</th><td>{_text(value)}</td></tr>' for name, value in facts]
    return "<table>" + "".join(rows) + "</table>" if rows else ""


def _table(columns: Sequence[str], rows: Iterable[Sequence[Any]], numbers: set[int]) -> str:
    kinds = [' class="n"' if at in numbers else "" for at in range(len(columns))]
    head = "".join(f'<th scope="col"{kind}>{_text(name)}</th>' for name, kind in zip(columns, kinds, strict=True))
    body = "".join(
        "<tr>" + "".join(f"<td{kind}>{_text(cell)}</td>" for cell, kind in zip(row, kinds, strict=True)) + "</tr>\n"
        for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>\n{body}</tbody></table>"


def _text(value: Any) -> str:
    return "–" if value is None else escape(printable(str(value)))
