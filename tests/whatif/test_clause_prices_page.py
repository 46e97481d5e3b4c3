"""The page on clause prices: its examples run, and its tables name what there is."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from tenantrank.whatif.left_out import LeftOut
from tenantrank.whatif.rule_price import SCHEMA

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "clause-prices.md").read_text(encoding="utf-8")


def first_cells(header: str) -> list[str]:
    """Give the names in the first column of the table whose first column is headed so."""
    (body,) = re.findall(rf"^\| {header} \|.*\n\|[-|]+\|\n((?:\|.*\|\n)+)", PAGE, re.MULTILINE)
    return [name for line in body.splitlines() for name in re.findall(r"`(\w+)`", line.split(" | ")[0])]


def test_page__examples_run() -> None:
    names: dict[str, Any] = {}
    blocks = list(re.finditer(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
    assert len(blocks) == 3
    for block in blocks:
        # Blank lines before a block give a failure the line of the page.
        line = PAGE.count("\n", 0, block.start(1))
        exec(compile("\n" * line + block.group(1), "clause-prices.md", "exec"), names)


def test_page__lists_what_there_is_of_one_thing_left_out() -> None:
    own = {name for name in vars(LeftOut) if not name.startswith("_")}
    assert set(first_cells("attribute")) == own - {"tokens"}


def test_page__lists_every_column_in_order() -> None:
    assert first_cells("column") == SCHEMA.names
