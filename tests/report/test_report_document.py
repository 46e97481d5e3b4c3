"""The document on the report: examples run, options, risks and keys are those there are."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from tenantrank.cli.commands import load
from tenantrank.report import figures_of
from tests.cli.running import command
from tests.report import fleets

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "report.md").read_text(encoding="utf-8")


def first_cells(header: str) -> set[str]:
    """Give what stands in code in the first column of a table."""
    (body,) = re.findall(rf"^\| {re.escape(header)} \|.*\n\|[-|]+\|\n((?:\|.*\|\n)+)", PAGE, re.MULTILINE)
    return {name for line in body.splitlines() for name in re.findall(r"`([^`]+)`", line.split(" | ")[0])}


def test_document__examples_run() -> None:
    names: dict[str, Any] = {}
    blocks = list(re.finditer(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
    for block in blocks:
        line = PAGE.count("\n", 0, block.start(1))
        exec(compile("\n" * line + block.group(1), "report.md", "exec"), names)

    assert len(blocks) == 2


def test_document__lists_every_option() -> None:
    options = {option for parameter in load("report").params for option in parameter.opts}

    assert first_cells("option") == options - {"--help"}


def test_document__lists_every_risk() -> None:
    figures = figures_of(fleets.engine(), fleets.rulebook(), fleets.TABLE)

    assert first_cells("risk") == {risk.key for risk in figures.risks}


def test_document__lists_every_key(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("tenant_id,plan\nt1,free\n")
    (tmp_path / "envelope.json").write_text('["top"]')
    (tmp_path / "rules.json").write_text(json.dumps(fleets.RULEBOOK))
    fleets.catalog().save(tmp_path / "c.parquet")
    done = command(
        "report", "--tenants", tmp_path / "t.csv", "--rulebook", tmp_path / "rules.json",
        "--catalog", tmp_path / "c.parquet", "--envelope", tmp_path / "envelope.json",
        "-o", tmp_path / "o.html", "--json",
    )  # fmt: skip

    assert set(json.loads(done.stdout)) == first_cells("key of `report`")
