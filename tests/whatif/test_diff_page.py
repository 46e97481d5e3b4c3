"""The page on `tenantrank diff`: its example runs, and its tables say what the code does."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import tenantrank as tr
from tenantrank.cli.commands import load
from tenantrank.whatif.impact_limits import COST_INCREASE, COUNTED
from tenantrank.whatif.impact_table import SCHEMA, STATUSES
from tenantrank.whatif.impact_words import FATES
from tests.cli.running import OFFERS, RULEBOOK, TENANTS, command

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "diff.md").read_text(encoding="utf-8")
NAMED = re.compile(r"`([^`]+)`")


def rows(first: str) -> list[list[str]]:
    (body,) = re.findall(rf"^\| {re.escape(first)} \|.*\n\|[-|]+\|\n((?:\|.*\|\n)+)", PAGE, re.MULTILINE)
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in body.splitlines()]


def options() -> set[str]:
    return {name for parameter in load("diff").params for name in parameter.opts if name.startswith("--")}


def test_page__example_runs() -> None:
    blocks = list(re.finditer(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
    assert blocks
    for block in blocks:
        line = PAGE.count("\n", 0, block.start(1))
        exec(compile("\n" * line + block.group(1), "diff.md", "exec"), {})


def test_page__columns_are_those_of_the_table() -> None:
    def type_name(kind: pa.DataType) -> str:
        if pa.types.is_list(kind):
            return f"list of {type_name(kind.value_type)}"
        if pa.types.is_dictionary(kind):
            return f"{type_name(kind.value_type)}, {kind.index_type} codes"
        return str(kind)

    told = {name: row[1] for row in rows("column") for name in NAMED.findall(row[0])}
    assert told == {field.name: type_name(field.type) for field in SCHEMA}
    (statuses,) = [row[2] for row in rows("column") if "`status_before`" in row[0]]
    assert set(NAMED.findall(statuses)) == set(STATUSES)


def test_page__kinds_and_limits_are_those_there_are() -> None:
    assert {row[0].strip("`") for row in rows("kind")} == set(FATES) - {"no_offer", "one_left"}
    limits = {row[0].strip("`") for row in rows("option")}
    assert limits == {f"--max-{name}" for name in (*COUNTED, COST_INCREASE)}
    assert limits == {name for name in options() if name.startswith("--max-")}


def test_page__options_of_the_sides_are_those_there_are() -> None:
    told = {name for row in rows("before") for cell in row[:2] for name in NAMED.findall(cell)}
    assert told <= options()
    assert {name for name in options() if name.startswith(("--to-", "--without-"))} <= told
    named = set(re.findall(r"(?<![\w|-])--[a-z-]+", PAGE)) - {"--to-"}
    assert named <= options()


@pytest.fixture
def document(tmp_path: Path) -> dict[str, Any]:
    tr.Catalog.from_records(OFFERS).save(tmp_path / "catalog.json")
    (tmp_path / "rules.yaml").write_text(RULEBOOK)
    (tmp_path / "tenants.csv").write_text(TENANTS)
    (tmp_path / "envelope.json").write_text('["not", ["provider_eq", "b"]]')
    files = ("--tenants", tmp_path / "tenants.csv", "--rulebook", tmp_path / "rules.yaml")
    more = ("--catalog", tmp_path / "catalog.json", "--to-envelope", tmp_path / "envelope.json", "--max-stranded", "5")
    done = command("diff", *files, *more, "--json")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_page__keys_of_the_json_are_those_printed(document: dict[str, Any]) -> None:
    told = {name: NAMED.findall(row[1]) for row in rows("key of `diff`") for name in NAMED.findall(row[0])}
    assert set(document) == set(told)
    assert set(document["after"]) == set(told["after"])
    assert set(document["cost"]) == set(told["cost"])
    for key in ("changed", "moves", "reasons", "rule_sets", "limits"):
        assert set(document[key][0]) == set(told[key]), key
    for key in ("stranded", "one_left", "refused"):
        for entry in document[key]:
            assert set(entry) == set(told["reasons"])
