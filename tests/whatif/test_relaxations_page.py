"""The page on what could give way: its examples run, its tables name what is there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import tenantrank as tr
from tenantrank.whatif.relax import relax
from tests.engine.samples import catalog_of, offer, policy_of

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "relaxations.md").read_text(encoding="utf-8")


def keys_of(name: str) -> set[str]:
    (body,) = re.findall(rf"^\| key of `{name}` \|.*\n\|[-|]+\|\n((?:\|.*\|\n)+)", PAGE, re.MULTILINE)
    return {key for row in body.splitlines() for key in re.findall(r"`(\w+)`", row.split("|")[1])}


def test_relaxations_page__examples_run() -> None:
    names: dict[str, Any] = {}
    blocks = list(re.finditer(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
    assert len(blocks) == 3
    for block in blocks:
        # Blank lines before a block give a failure the line of the page.
        exec(compile("\n" * PAGE.count("\n", 0, block.start(1)) + block.group(1), "relaxations.md", "exec"), names)


def test_relaxations_page__lists_the_keys_that_there_are() -> None:
    catalog = catalog_of(offer("a", price_out=3))
    document = relax(tr.Engine(catalog), policy_of(catalog, ["cmp", "price_out", "le", 1])).document
    assert set(document) == keys_of("relaxations")
    assert set(document["alternatives"][0]["changes"][0]) == keys_of("changes")
    assert set(document["tokens"]) == {"input", "output", "cached_share", "residency"}
