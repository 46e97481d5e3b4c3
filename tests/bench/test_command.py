"""`tenantrank bench`: where results go, and what is refused before any work is done."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tenantrank.bench import suite
from tenantrank.bench.results import FORMAT, Log
from tenantrank.bench.settings import Settings
from tests.bench.works import row
from tests.cli.running import command, refused


@pytest.fixture(autouse=True)
def parts(monkeypatch: pytest.MonkeyPatch) -> None:
    def rank(settings: Settings, log: Log) -> None:
        log.add(row("engine, batch", 2.0, "engine"))
        log.add(row("NumPy", 1.0 if settings.quick else 9.0, "baseline"))

    def cold(settings: Settings, log: Log) -> None:
        log.fail("cold", "imports", "no such module")
        log.skip("cold", "empty cache", "not part of a quick run")

    monkeypatch.setattr(suite, "PARTS", {"rank": rank, "cold": cold})


def test_bench__prints_tables_for_people() -> None:
    done = command("bench", "--parts", "rank")

    assert done.returncode == 0
    assert "| engine, batch | 2 |" in done.stdout
    assert done.stderr == ""


def test_bench__a_failure_is_exit_code_1_and_losses_are_told() -> None:
    done = command("bench", "--quick")

    assert done.returncode == 1
    assert "failed: cold, imports: no such module" in done.stderr
    assert "left out: cold, empty cache: not part of a quick run" in done.stderr
    assert "losses: 1; see the table" in done.stderr


def test_bench__json_on_standard_output_is_one_line_and_nothing_else() -> None:
    done = command("bench", "--parts", "rank", "--json", "-")

    assert done.stdout.count("\n") == 1
    assert json.loads(done.stdout)["format"] == FORMAT


def test_bench__json_and_report_go_to_files(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    done = command("bench", "--parts", "rank", "--json", tmp_path / "run.json", "--report", tmp_path / "out")

    assert done.returncode == 0
    assert json.loads((tmp_path / "run.json").read_text())["about"]["parts"] == ["rank"]
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"benchmarks.md", "rank.svg"}


@pytest.mark.parametrize(
    ("options", "what"),
    [
        (["--parts", "rank,warm"], "no part is called 'warm'; there are rank, cold"),
        (["--json", "none/run.json"], "--json none/run.json: there is no folder none"),
        (["--json", "."], "--json .: is a folder"),
        (["--report", __file__], "is not a folder"),
    ],
)
def test_bench__what_cannot_be_done_is_refused_first(options: list[str], what: str) -> None:
    assert what in refused(command("bench", *options))
