"""A comparison of two sides as Markdown, short enough for a pull request."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from tenantrank.whatif.impact import Impact
from tenantrank.whatif.impact_limits import Check
from tenantrank.whatif.impact_words import NO_WINNER, Section, cost_words, counts_section, headline, sections

_ROWS = 4
_LONGEST = 200
_PLAIN = re.compile(r"[^`\\\s](?:[^`\\\r\n]*[^`\\\s])?")


def markdown(impact: Impact, compared: Sequence[tuple[str, str, str]], checks: Sequence[Check] = ()) -> str:
    """Summarize a comparison in GitHub's Markdown, in about sixty lines at most.

    Names from catalogs, rulebooks and tables stand in code spans, where they can neither break a table nor become
    markup, a link or a mention.

    Parameters
    ----------
    impact
        the comparison
    compared
        what differs between the sides: what it is, the one before and the one after
    checks
        limits held against it
    """
    lines = [f"### {headline(impact)[:1].upper()}{headline(impact)[1:]}", ""]
    if checks:
        exceeded = [check for check in checks if check.exceeded]
        lines.append(f"**{len(exceeded)} of {len(checks)} limits exceeded**" if exceeded else "All limits are kept.")
        lines += ["", *(f"- {check.words} (`{option_of(check)}`)" for check in exceeded)]
        lines += [""] if exceeded else []
    told = [f"{what} {code(one)} → {code(other)}" for what, one, other in compared]
    if told:
        lines += [f"Compared: {'; '.join(told)}.", ""]
    lines += [*_table(counts_section(impact)), "", f"{cost_words(impact)[:1].upper()}{cost_words(impact)[1:]}.", ""]
    for section in sections(impact, _ROWS):
        lines += [f"#### {section.heading[:1].upper()}{section.heading[1:]}", *_table(section), ""]
    return "\n".join(lines).rstrip("\n") + "\n"


def option_of(check: Check) -> str:
    """Give the option of the command line that sets a limit."""
    return f"--max-{check.limit.name}"


def code(text: str) -> str:
    """Give foreign text as code, on one line, that stays itself in a cell of a table.

    Text with a backtick or a backslash, whose meaning in a cell differs from renderer to renderer, and text without
    anything to see at an end, is written as HTML with every mark of Markdown as a character reference.
    """
    shown = "".join(mark if mark.isprintable() else f"\\u{{{ord(mark):x}}}" for mark in text)
    if len(shown) > _LONGEST:
        shown = f"{shown[: _LONGEST - 1]}…"
    if _PLAIN.fullmatch(shown):
        return f"`{shown}`".replace("|", "\\|")
    safe = "".join(mark if mark.isalnum() or mark == " " else f"&#{ord(mark)};" for mark in shown)
    return f"<code>{safe or '&nbsp;'}</code>"


def _table(section: Section) -> list[str]:
    rule = "|".join("---:" if column in section.numbers else "---" for column in section.columns)
    rows = [
        [_cell(value, column in section.foreign) for value, column in zip(row, section.columns, strict=True)]
        for row in section.rows
    ]
    return [f"| {' | '.join(section.columns)} |", f"|{rule}|", *(f"| {' | '.join(row)} |" for row in rows)]


def _cell(value: Any, foreign: bool) -> str:
    if value is None:
        return "–"
    if foreign and value != NO_WINNER:
        return code(str(value))
    return f"{value:,}" if isinstance(value, int) else str(value)
