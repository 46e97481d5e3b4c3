"""Reading a page as a program does: its elements, its tables, and whether it is well formed."""

from __future__ import annotations

from html.parser import HTMLParser

VOID = {"meta", "br", "hr", "img", "input", "link"}


class Reader(HTMLParser):
    """Notes what a page has, and that every element is closed in turn.

    Attributes
    ----------
    open : elements that are not closed yet; seen, attributes : names of all there were
    ids, headings : in order, a heading as its level; text : all of it
    tables : caption to rows of cells, the first row being the headings; heads : caption to (columns, rows) with a scope
    pictures : text of each svg's own title, with the text of its desc
    """

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()
        self.attributes: set[str] = set()
        self.ids: list[str] = []
        self.headings: list[int] = []
        self.text = ""
        self.tables: dict[str, list[list[str]]] = {}
        self.scopes: dict[str, list[str | None]] = {}
        self.pictures: list[tuple[str, str]] = []
        self.unnamed: list[dict[str, str | None]] = []
        self._caption = ""
        self._into: list[str] = []
        self._rows: list[list[str]] = []
        self._scopes: list[str | None] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        self.attributes |= {name for name, _ in attributes}
        given = dict(attributes)
        if given.get("id"):
            self.ids.append(str(given["id"]))
        if tag in ("h1", "h2", "h3", "h4", "h5", "h6"):
            self.headings.append(int(tag[1]))
        if tag == "svg" and "svg" not in self.open:
            if given.get("role") == "img":
                self.pictures.append(("", ""))
            elif given.get("aria-hidden") != "true":
                self.unnamed.append(given)
        if tag == "table":
            self._caption, self._rows, self._scopes = "", [], []
        if tag == "tr":
            self._rows.append([])
        if tag in ("td", "th"):
            self._rows[-1].append("")
            if tag == "th":
                self._scopes.append(given.get("scope"))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attributes)
        if tag not in VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, tag
        if tag == "table":
            assert self._caption not in self.tables, self._caption
            self.tables[self._caption] = self._rows
            self.scopes[self._caption] = self._scopes

    def handle_data(self, data: str) -> None:
        if "style" in self.open:
            return
        self.text += data
        if "caption" in self.open:
            self._caption += data
        elif ("td" in self.open or "th" in self.open) and "svg" not in self.open:
            self._rows[-1][-1] += data
        elif self.open[-2:] == ["svg", "title"]:
            self.pictures[-1] = (self.pictures[-1][0] + data, self.pictures[-1][1])
        elif self.open[-2:] == ["svg", "desc"]:
            self.pictures[-1] = (self.pictures[-1][0], self.pictures[-1][1] + data)

    def rows(self, caption: str) -> list[dict[str, str]]:
        """Give a table's rows by the headings of its columns."""
        head, *rows = self.tables[caption]
        return [dict(zip(head, row, strict=True)) for row in rows]
