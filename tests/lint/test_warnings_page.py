"""The page on warnings: its examples run, and it explains every code there is and no other."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from tenantrank.lint import CODES, Finding
from tenantrank.lint.clauses import FEW, READ_WHERE_UNSTATED
from tenantrank.lint.linting import MOST

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "docs" / "warnings.md"
PAGE = SOURCE.read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^### (TR\d+)\n\n(.*?)(?=^##|\Z)", PAGE, re.MULTILINE | re.DOTALL))


def test_page__explains_every_code_and_no_other() -> None:
    assert list(SECTIONS) == list(CODES)
    assert set(re.findall(r"\bTR\d+\b", PAGE)) == set(CODES)


def test_page__says_what_each_code_is_about_in_the_same_words() -> None:
    for code, about in CODES.items():
        begin = f"**{about[0].upper()}{about[1:]}.**"
        assert SECTIONS[code].startswith(begin), code


def test_page__is_where_findings_point() -> None:
    # A heading's anchor is its text in small letters.
    anchors = {heading.lower() for heading in re.findall(r"^### (\S+)$", PAGE, re.MULTILINE)}
    for code in CODES:
        path, anchor = Finding(code, "words").page.split("#")
        assert ROOT / path == SOURCE
        assert anchor in anchors


def test_page__examples_run() -> None:
    names: dict[str, Any] = {}
    blocks = list(re.finditer(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
    assert len(blocks) == 2
    for block in blocks:
        line = PAGE.count("\n", 0, block.start(1))
        exec(compile("\n" * line + block.group(1), str(SOURCE), "exec"), names)


def test_page__names_the_limits_that_hold() -> None:
    assert FEW == 0.5
    assert "known for less than half of the catalog" in SECTIONS["TR203"]
    assert f"At most {MOST} findings of one code" in PAGE
    assert (
        set(re.findall(r"`(\w+)`", SECTIONS["TR206"].split("Nothing is said of")[1].split(".")[0]))
        == READ_WHERE_UNSTATED
    )


def test_page__lists_the_members_of_a_finding() -> None:
    table = PAGE.split("## A finding")[1].split("## ")[0]
    listed = {name for row in re.findall(r"^\| (.*?) \|", table, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)}

    assert listed == set(Finding("TR401", "words").to_json())
