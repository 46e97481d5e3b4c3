"""The page on explanations: its examples run, and its tables are those of the code."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, get_args

import pyarrow as pa
import pytest

import tenantrank as tr
from tenantrank.engine.observed import Kind
from tenantrank.engine.offers_table import SCHEMA
from tests.cli.running import OFFERS, RULEBOOK, TENANTS, command

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "explain.md").read_text(encoding="utf-8")
NAMED = re.compile(r"`([^`]+)`")


def rows(first: str) -> list[list[str]]:
    (body,) = re.findall(rf"^\| {first} \|.*\n\|[-|]+\|\n((?:\|.*\|\n)+)", PAGE, re.MULTILINE)
    return [line.strip("| ").split(" | ") for line in body.splitlines()]


def test_page__examples_run() -> None:
    names: dict[str, Any] = {}
    blocks = list(re.finditer(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
    for block in blocks:
        line = PAGE.count("\n", 0, block.start(1))
        exec(compile("\n" * line + block.group(1), "explain.md", "exec"), names)
    assert len(blocks) >= 4


def test_page__lists_every_kind_and_column() -> None:
    assert {row[0].strip("`") for row in rows("kind")} == set(get_args(Kind))
    spelled = {pa.string(): "string", pa.bool_(): "bool", pa.int32(): "int32", pa.uint64(): "uint64"}
    spelled |= {pa.float64(): "double", pa.dictionary(pa.int32(), pa.string()): "string, int32 codes"}
    listed = [(row[0].strip("`"), row[1]) for row in rows("column")]
    assert listed == [(field.name, spelled[field.type]) for field in SCHEMA]


@pytest.fixture
def printed(tmp_path: Path) -> dict[str, Any]:
    tr.Catalog.from_records(OFFERS).save(tmp_path / "catalog.json")
    (tmp_path / "rules.yaml").write_text(RULEBOOK)
    (tmp_path / "tenants.csv").write_text(TENANTS)
    (tmp_path / "envelope.json").write_text('["top"]')
    rest = ("--tenants", tmp_path / "tenants.csv", "--rulebook", tmp_path / "rules.yaml", "--as-of", "2026-11-23")
    rest += ("--catalog", tmp_path / "catalog.json", "--envelope", tmp_path / "envelope.json")
    more = ("--offer", "b|y", "--clause", "base", "--all", "--json")
    found: dict[str, Any] = json.loads(command("explain", "t2", *rest, *more).stdout)
    return found


def test_page__keys_are_those_printed(printed: dict[str, Any]) -> None:
    told = {key: NAMED.findall(row[1]) for row in rows("key of `explain`") for key in NAMED.findall(row[0])}
    assert set(printed) == set(told)
    assert set(printed["clauses"][0]) == set(told["clauses"])
    assert set(printed["selection"]) == set(told["selection"])
    assert set(printed["ranked"][0]) == set(told["ranked"]) - {"-k"}
    offer, failed = printed["offer"], printed["offer"]["failed"][0]
    assert set(offer) | set(failed) == set(told["offer"]) - {"--offer", "ranked"}
    clause = printed["failing"][0]
    assert set(clause) - set(printed["clauses"][0]) == {"offers"}
    assert set(clause["offers"][0]) == set(told["failing"]) - {"--clause", "clauses", "offers"}
    assert set(printed["offers"][0]) == set(SCHEMA.names)


def test_page__options_are_those_of_the_command() -> None:
    shown = command("explain", "--help").stdout
    for row in rows("option"):
        for option in NAMED.findall(row[0]):
            assert option.split()[0] in shown
