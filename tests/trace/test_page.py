"""The page of one decision: everything on it is text, it loads nothing, and a browser shows it without scripts."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest

import tenantrank as tr
from tenantrank.trace.log import TraceLog
from tenantrank.trace.page import page
from tenantrank.trace.words import failures_of, tell
from tests.engine.samples import catalog_of, offer, policy_of
from tests.trace.decided import logging

NASTY = "<script>document.title='owned'</script>\"'&\u202e\x00\x1b[31m"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
LOADING = {"script", "img", "link", "iframe", "object", "embed", "form", "base", "svg", "video", "audio"}


@pytest.fixture
def log(tmp_path: Path) -> Iterator[TraceLog]:
    with logging(tmp_path) as log:
        yield log


def made(log: TraceLog) -> str:
    name = "<b>bold</b>|x"
    catalog = catalog_of(offer(name, "p&q", price_out=1.0), offer("z", "<i>", price_out=9.0))
    policy = policy_of(catalog, ["and", ["cmp", "price_out", "le", 3], ["not", ["provider_eq", NASTY]]])
    decision = tr.Engine(catalog).rank(policy, {"scope": NASTY})
    log.submit(decision, "tr_1", NASTY, NASTY, NASTY).result(10)
    log.attempts("tr_1", [{"offer": name, "provider": NASTY, "number": 1, "outcome": NASTY}])
    log.flush()
    stored = log.store.find("tr_1")
    return page(tell(log.store, stored), "z", failures_of(log.store, stored, "z"))


class Reader(HTMLParser):
    """Notes elements and attributes, and that every element is closed in turn."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        self.attributes |= {name for name, _ in attributes}
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_page__is_well_formed_and_loads_nothing(log: TraceLog) -> None:
    text = made(log)
    reader = Reader()
    reader.feed(text)
    reader.close()

    assert reader.open == []
    assert not reader.seen & (LOADING | {"b", "i"})
    assert not reader.attributes & {"src", "href", "style", "onclick", "onload", "action"}
    assert "<b>bold</b>|x" in reader.text
    assert "url(" not in text
    assert "@import" not in text


def test_page__writes_out_what_would_not_show(log: TraceLog) -> None:
    text = made(log)

    assert "\u202e" not in text
    assert "\x00" not in text
    assert "\\u202e" in text
    assert all(mark.isprintable() or mark == "\n" for mark in text)


def test_page__says_what_was_asked(log: TraceLog) -> None:
    text = made(log)

    assert "Why not z" in text
    assert "price_out is at most 3" in text
    assert "computed again it comes to the same, to the bit" in text
    assert "Why not" not in page(tell(log.store, log.store.find("tr_1")))
    assert "It passed every condition." in page(tell(log.store, log.store.find("tr_1")), "a")


def test_page__a_browser_shows_it_without_scripts(log: TraceLog, tmp_path: Path) -> None:
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        pytest.skip(f"no browser is installed: one of {', '.join(BROWSERS)} is needed")
    path = tmp_path / "page.html"
    path.write_text(made(log), encoding="utf-8")
    line = [
        browser,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        f"--user-data-dir={tmp_path / 'browser'}",
        "--dump-dom",
        path.as_uri(),
    ]
    done = subprocess.run(line, capture_output=True, text=True, timeout=60, check=False)
    reader = Reader()
    reader.feed(done.stdout)

    assert done.returncode == 0, done.stderr
    assert "<title>Decision tr_1</title>" in done.stdout
    assert "owned" not in done.stdout.split("</title>")[0]
    assert not reader.seen & LOADING
    for words in ("Decision", "What decided", "Where every number comes from", "price_out is at most 3"):
        assert words in reader.text
