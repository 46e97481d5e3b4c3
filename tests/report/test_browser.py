"""A page of hostile names in a browser: it says its figures, fits a phone, and asks nobody for anything."""

from __future__ import annotations

import json
import re
from html import escape
from pathlib import Path
from typing import Any

import pytest

import tenantrank as tr
from tenantrank.report import fleet_report
from tests.report import fleets
from tests.report.browsing import OWN_HOSTS, browser, host_of, proxy, run
from tests.report.reading import Reader

NASTY = (
    '"><img src="http://report.test/x.png" onerror="document.title=1"><script>document.title=\'owned\'</script>\u202e'
)
"""Also part of a name that does not break anywhere."""
LOADING = {"script", "img", "link", "iframe", "object", "embed", "form", "base", "video", "audio", "image", "use"}
WIDTHS = (360, 1280)


@pytest.fixture(scope="module")
def text() -> str:
    """The page of a fleet whose every name is hostile, and as long as names may be."""
    long = "w" * 200
    more = [{"id": f"{NASTY}{long}", "provider_id": f"a{NASTY}", "price_in": 0.1, "price_out": 0.1, "bench_x": 0.6}]
    catalog = tr.Catalog.from_records(fleets.offers(*more), as_of=fleets.DAY)
    document: dict[str, Any] = json.loads(json.dumps(fleets.RULEBOOK))
    document["name"] = NASTY + long
    document["fields"]["region"]["values"] += [NASTY, long]
    document["rules"][0]["require"] = [["top"]]
    document["rules"].append({"id": "r" * 100, "description": NASTY, "require": [["top"]]})
    rows = fleets.TABLE.to_pylist()
    rows += [
        {**rows[3], "tenant_id": f"{NASTY}1", "region": NASTY},
        {**rows[3], "tenant_id": long, "region": long},
        {**rows[3], "tenant_id": f"{NASTY}2", "plan": NASTY},
        {**rows[3], "tenant_id": f"{NASTY}3", "providers": [NASTY, long]},
    ]
    return fleet_report(tr.Engine(catalog), tr.Rulebook.from_value(document), fleets.table_of(rows))


def test_page__is_well_formed_and_loads_nothing(text: str) -> None:
    page = Reader(text)

    assert page.open == []
    assert not page.seen & LOADING
    assert not page.attributes & {"src", "href", "xlink:href", "style", "onclick", "onload", "onerror", "action"}
    assert NASTY[:-1] in page.text
    assert "\\u202e" in page.text
    assert all(mark.isprintable() or mark == "\n" for mark in text)
    assert set(re.findall(r"url\(([^)]*)\)", text)) <= {
        f"#k{name}" for name in (*"ABCDEFGH", "other", "none", "refused")
    }


def test_page__can_be_read_without_seeing_it(text: str) -> None:
    page = Reader(text)

    assert text.startswith('<!doctype html>\n<html lang="en">')
    assert page.headings[0] == 1
    assert page.headings.count(1) == 1
    assert all(later - level <= 1 for level, later in zip(page.headings, page.headings[1:], strict=False))
    assert all(title and told for title, told in page.pictures)
    assert page.unnamed == []
    assert len(set(page.ids)) == len(page.ids)
    for caption, scopes in page.scopes.items():
        columns = len(page.tables[caption][0])
        assert caption
        assert scopes == ["col"] * columns + ["row"] * (len(page.tables[caption]) - 1)


def test_page__a_browser_shows_the_figures_without_scripts(text: str, tmp_path: Path) -> None:
    browser()
    path = tmp_path / "report.html"
    path.write_text(text, encoding="utf-8")
    shown, written = Reader(run(path, "--dump-dom")), Reader(text)

    assert shown.tables == written.tables
    assert shown.pictures == written.pictures
    assert not shown.seen & LOADING
    for words in ("Fleet report:", "Who wins", "Price against quality", "What rules cost", "Tenants at risk"):
        assert words in shown.text


def test_page__fits_a_phone_and_a_desk_and_asks_nobody(text: str, tmp_path: Path) -> None:
    """Without its own policy, so that it is the page which asks for nothing, and not the browser which refuses."""
    browser()
    bare = re.sub(r"<meta http-equiv=[^>]*>", "", text).replace("<details>", "<details open>")
    assert "Content-Security-Policy" not in bare
    frames = "".join(f'<iframe width="{width}" height="800" srcdoc="{escape(bare)}"></iframe>' for width in WIDTHS)
    measuring = """
    addEventListener("load", () => {
      const found = [...document.querySelectorAll("iframe")].map(frame => {
        const page = frame.contentDocument, wide = page.documentElement.clientWidth;
        const out = [...page.querySelectorAll("main *")].filter(
          part => !part.closest(".box table, svg svg, .bar *, .plot *")
            && part.getBoundingClientRect().right > wide + .5);
        return {
          wide, scrolled: page.documentElement.scrollWidth, high: page.documentElement.scrollHeight,
          title: page.title, out: out.map(part => part.tagName + "." + part.className),
          columns: getComputedStyle(page.querySelector(".bars li")).gridTemplateColumns.split(" ").length,
        };
      });
      document.getElementById("found").textContent = JSON.stringify(found);
    });"""
    path = tmp_path / "frames.html"
    path.write_text(
        f'<!doctype html><meta charset="utf-8">{frames}<img src="http://control.test/x.png"><pre id="found"></pre>'
        f"<script>{measuring}</script>",
        encoding="utf-8",
    )
    with proxy() as (option, asked):
        shown = run(path, "--dump-dom", "--window-size=1400,900", option)
    hosts = {host_of(each) for each in asked}
    measured = re.search(r'<pre id="found">(.*?)</pre>', shown)
    assert measured is not None
    phone, desk = json.loads(measured[1].replace("&gt;", ">").replace("&lt;", "<").replace("&amp;", "&"))

    assert "control.test" in hosts
    assert {host for host in hosts if not host.endswith(OWN_HOSTS)} == {"control.test"}
    assert (phone["wide"], desk["wide"]) == WIDTHS
    for page in (phone, desk):
        assert page["scrolled"] == page["wide"]
        assert page["out"] == []
        assert page["title"].startswith("Fleet report: ")
    assert (phone["columns"], desk["columns"]) == (1, 2)
    assert phone["high"] > desk["high"]


@pytest.mark.parametrize("width", WIDTHS)
def test_page__is_drawn(text: str, tmp_path: Path, width: int) -> None:
    browser()
    image = pytest.importorskip("PIL.Image", reason="Pillow reads the screenshot")
    path, shot = tmp_path / "report.html", tmp_path / "shot.png"
    path.write_text(text, encoding="utf-8")
    run(path, f"--window-size={width},1600", f"--screenshot={shot}")
    with image.open(shot) as picture:
        colours = picture.convert("RGB").getcolors(picture.width * picture.height)
        assert picture.width == width
    counts = {colour: count for count, colour in colours}
    ground = max(counts, key=lambda colour: counts[colour])

    # Paper, ink, and the fills of bars beside one another.
    assert ground == (255, 255, 255)
    assert 0.3 < counts[ground] / sum(counts.values()) < 0.97
    assert len(counts) > 50
    assert counts[(0x17, 0x4E, 0xA6)] > 200
