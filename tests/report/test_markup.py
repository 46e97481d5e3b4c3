"""Text to HTML: nothing that was chosen by others ends an element, hides, or turns what follows."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenantrank.report.markup import Markup, element, more, table, text
from tenantrank.report.numerals import number, share, usd
from tests.report.reading import Reader

ANYTHING = st.text(st.characters(), max_size=60)


class Words(HTMLParser):
    """All text of some HTML, and how many elements it has."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.words, self.elements = "", 0
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements += 1

    def handle_data(self, data: str) -> None:
        self.words += data


@given(ANYTHING)
def test_text__is_one_text_and_can_be_written(value: str) -> None:
    shown = text(value)
    read = Words(f"<p>{shown}</p>")

    assert read.elements == 1
    assert all(mark.isprintable() for mark in read.words)
    assert shown.encode("utf-8").decode() == shown
    if value.isprintable():
        assert read.words == value


@given(ANYTHING, ANYTHING)
def test_element__holds_any_text_and_attribute(value: str, attribute: str) -> None:
    read = Words(element("p", value, title=attribute, class_=attribute))

    assert read.elements == 1
    assert '"' not in text(attribute)


def test_text__is_clipped_and_says_so() -> None:
    assert text("x" * 300) == "x" * 239 + "…"
    assert text("x" * 240) == "x" * 240
    assert len(text("\x00" * 10**6)) == 240
    assert (text(None), text(12345), text(True)) == ("–", "12,345", "True")
    assert text(Markup("<b>")) == "<b>"


def test_table__heads_columns_and_rows() -> None:
    page = Reader(table("what <it> is", ["name", "n"], [("<a>", 1), ("b", None)], ["n"]))

    assert page.tables == {"what <it> is": [["name", "n"], ["<a>", "1"], ["b", "–"]]}
    assert page.scopes["what <it> is"] == ["col", "col", "row", "row"]


def test_more__is_said_only_where_there_is() -> None:
    assert more(3, 3, "things") == ""
    assert "and 1,234 more things" in more(3, 1237, "things")


@pytest.mark.parametrize(
    ("value", "words"),
    [(0.0, "$0"), (0.09975, "$0.0998"), (0.9999, "$1.00"), (5.5, "$5.50"), (999.999, "$1,000"), (-12.5, "−$12.50"),
     (0.000012345, "$0.0000123"), (None, "unknown"), (float("nan"), "unknown"), (float("inf"), "unknown")],
    ids=str,
)  # fmt: skip
def test_usd__keeps_what_counts(value: float | None, words: str) -> None:
    assert usd(value) == words


@pytest.mark.parametrize(
    ("part", "words"),
    [(0, "0 %"), (1, "under 1 %"), (500, "50 %"), (999, "over 99 %"), (1000, "100 %")],
)
def test_share__says_neither_none_nor_all_of_some(part: int, words: str) -> None:
    assert share(part, 1000) == words
    assert share(0, 0) == "0 %"


def test_number__is_short() -> None:
    assert [number(v) for v in (0.74, 1200.0, 0.12345, None)] == ["0.74", "1,200", "0.123", "unknown"]
