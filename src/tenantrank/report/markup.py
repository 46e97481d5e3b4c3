"""Text to HTML: everything that a client, a catalog or a rulebook may have chosen is escaped, clipped and made visible.

What is HTML already is `Markup`; anything else that is put into a page goes through `text`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

LONGEST = 240
"""Characters of one value that a page shows."""

DASH = "–"


class Markup(str):
    """HTML that may stand in a page as it is."""

    __slots__ = ()


def printable(text: str) -> str:
    """Write out what would not show: control characters, and marks that turn the direction of what follows."""
    return "".join(mark if mark.isprintable() else f"\\u{ord(mark):04x}" for mark in text)


def text(value: Any, longest: int = LONGEST) -> Markup:
    """Give a value as text of a page: a dash for ``None``, whole numbers with their thousands, clipped where long."""
    if isinstance(value, Markup):
        return value
    if value is None:
        return Markup(DASH)
    if type(value) is int:
        return Markup(f"{value:,}")
    shown = printable(str(value)[: longest + 1])
    return Markup(escape(shown if len(shown) <= longest else shown[: longest - 1] + "…"))


def joined(parts: Iterable[str]) -> Markup:
    """Put parts of a page one after the other; those that are empty are left out."""
    return Markup("\n".join(text(part) for part in parts if part))


def element(name: str, content: Any = "", **attributes: Any) -> Markup:
    """Give an element; ``class_`` is the attribute class, ``_`` in a name a hyphen, and ``None`` leaves one out."""
    said = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{text(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    return Markup(f"<{name}{said}>{text(content)}</{name}>")


def paragraph(words: str, note: bool = False) -> Markup:
    """Give sentences of the page's own, whole; a note is set apart from what it is about."""
    return element("p", text(words, 4000), class_="note" if note else None)


def table(
    caption: str, columns: Sequence[str], rows: Iterable[Sequence[Any]], numbers: Sequence[str] = (), head: int = 0
) -> Markup:
    """Give a table that scrolls inside its own box.

    Parameters
    ----------
    caption
        what it shows; also the name of the box
    columns
        their headings
    rows
        values or markup, one for each column
    numbers
        the columns that are set to the right
    head
        the column whose cells head their rows
    """
    kinds = ["n" if name in numbers else None for name in columns]
    top = "".join(element("th", name, scope="col", class_=kind) for name, kind in zip(columns, kinds, strict=True))
    lines = []
    for row in rows:
        cells = [
            element("th", cell, scope="row", class_=kind) if at == head else element("td", cell, class_=kind)
            for at, (cell, kind) in enumerate(zip(row, kinds, strict=True))
        ]
        lines.append(f"<tr>{''.join(cells)}</tr>")
    body = "\n".join(lines)
    inside = f"<caption>{text(caption)}</caption><thead><tr>{top}</tr></thead><tbody>\n{body}\n</tbody>"
    # A box that scrolls has to be reachable by keyboard, and then needs a name.
    return Markup(
        f'<div class="box" role="region" tabindex="0" aria-label="{text(caption)}"><table>{inside}</table></div>'
    )


def facts(rows: Iterable[tuple[str, Any]]) -> Markup:
    """Give names with their values as a list of definitions."""
    pairs = "".join(f"<div>{element('dt', name)}{element('dd', value)}</div>" for name, value in rows)
    return Markup(f'<dl class="facts">{pairs}</dl>')


def more(kept: int, in_all: int, what: str) -> Markup | str:
    """Say how many more there are than a list shows, and where they are; nothing where it shows all."""
    if in_all <= kept:
        return ""
    return Markup(
        f'<p class="note">and {text(in_all - kept)} more {text(what)}; '
        "<code>tenantrank tenants … -o FILE</code> writes a row for every tenant.</p>"
    )
