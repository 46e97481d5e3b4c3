"""The report: tables with machine and command, losses and failures shown, written between markers; and plots."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tenantrank.bench.optional import AbsentError
from tenantrank.bench.plots import draw
from tenantrank.bench.report import BEGIN, END, SUMMARY_BEGIN, SUMMARY_END, main, write_between, write_report
from tenantrank.bench.results import Row, Run
from tenantrank.bench.tables import figure, losses, markdown, summary, table
from tenantrank.errors import InputError
from tests.bench.works import row, run


def rows() -> list[Row]:
    found = [row("engine, batch", 0.5 * n / 512, "engine", offers=n) for n in (512, 2048)]
    found += [row("engine, one call, k=1", 1.25 * n / 512, "engine", offers=n) for n in (512, 2048)]
    found += [row("C, column scan", 0.4, "baseline"), row("DuckDB", 761.4), row("DuckDB", 772.0, offers=2048)]
    found += [
        row("engine, batch", 1.0, "engine", case="blends"),
        row("C, column scan", 2.0, "baseline", case="blends"),
    ]
    calls = {"p50": 1.5, "p99": 2.25, "p99.9": 60.123, "max": 1234.5, "calls per second": 5e3}
    found += [Row("rank", "one call, k=1", "engine, one call, k=1", "engine", "µs per call", calls, 512, 600, 600)]
    for count in (1000, 100_000):
        values = {"value": 0.3, "seconds": count * 3e-7, "peak MB": 210.0}
        case = f"by tenants: {count:,} tenants"
        found += [Row("scaling", case, "engine, one thread", "engine", "µs per tenant", values, 2048, count)]
    found += [row("engine, one thread", 0.5 * n, "engine", "scaling", "by offers", n) for n in (512, 2048)]
    found += [row("engine", 0.8, "engine", "cold", "warm cache", None)]
    found += [row("import numpy, numba, pyarrow", 0.4, "baseline", "cold", "warm cache", None)]
    return found


@pytest.fixture
def made() -> Run:
    return run(rows())


def test_markdown__machine_versions_commit_and_command(made: Run) -> None:
    text = markdown(made)

    assert "A CPU, 2 cores; load 0.5 at the start; python 3.12.0, numpy 2.1.0." in text
    assert "Commit 0123456789ab with changes; 2026-01-02T03:04:05+00:00; `tenantrank bench`." in text
    assert "rough" not in text
    assert "**A quick run: its figures are rough.**" in markdown(run(rows(), quick=True))


def test_markdown__a_table_a_case_with_sizes_across(made: Run) -> None:
    text = markdown(made)

    assert "| six shapes, µs per policy | 512 offers | 2,048 offers |\n|---|---:|---:|\n" in text
    assert "| engine, batch | 0.5 | 2 |\n" in text
    assert "| DuckDB | 761 | 772 |\n" in text
    assert "| C, column scan | 0.4 |  |\n" in text
    assert "| by tenants, µs per tenant | 1,000 tenants | 100,000 tenants |" in text
    assert "| µs per call | p50 1.5, p99 2.25, p99.9 60.1, max 1,234; calls per second 5,000 |" in text


def test_markdown__losses_failures_and_omissions_are_shown(made: Run) -> None:
    text = markdown(made)

    assert "| rank, six shapes, 512 offers | C, column scan is 1.2 times as fast as engine, batch |" in text
    assert "goal 4.5 times, reached 2 |" in text
    assert "- **failed**: rank, Wrong | one: 3 of 10 policies differ" in text
    assert "- left out: rank, DuckDB: duckdb is not installed" in text
    assert "- DuckDB: a note" in text


def test_losses__yardsticks_and_bare_imports_are_no_peers(made: Run) -> None:
    assert not any("import numpy" in what for _, what in losses(made))


def test_losses__none_is_said() -> None:
    assert "None: the engine is the fastest in every group" in markdown(run([row("engine, batch", 1.0, "engine")]))


def test_table__a_bar_in_a_cell_is_escaped() -> None:
    assert table(["a", "b"], [["x|y", "1"]]).endswith("| x\\|y | 1 |")


@pytest.mark.parametrize(
    ("value", "text"), [(0.123456, "0.123"), (12.345, "12.3"), (99.96, "100"), (1234.5, "1,234"), (float("nan"), "–")]
)
def test_figure__three_digits(value: float, text: str) -> None:
    assert figure(value) == text


def test_write_between__replaces_what_is_between_the_markers_only(tmp_path: Path, made: Run) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nwhat was there\n{END}\nafter\n")
    write_between(page, made)
    once = page.read_text()
    write_between(page, made)

    assert page.read_text() == once
    assert once.startswith(f"before\n{BEGIN}\n\nA CPU")
    assert once.endswith(f"\n{END}\nafter\n")
    assert "what was there" not in once


def test_write_between__a_page_with_the_markers_of_the_summary_gets_that(tmp_path: Path, made: Run) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{SUMMARY_BEGIN}\nwhat was there\n{SUMMARY_END}\nafter\n")
    write_between(page, made)
    text = page.read_text()

    assert text.startswith(f"before\n{SUMMARY_BEGIN}\n\n| six shapes, µs per policy | 512 offers | 2,048 offers |\n")
    assert "| DuckDB | 761 | 772 |\n\nA CPU. Commit 0123456789ab with changes; " in text
    assert f"Losses and goals missed in the whole run: {len(losses(made))}.\n\n{SUMMARY_END}\nafter\n" in text
    assert "blends" not in text


def test_summary__needs_the_rankings() -> None:
    with pytest.raises(InputError, match="no rankings of the six shapes"):
        summary(run([row("engine", 0.8, "engine", "cold", "warm cache", None)]))


@pytest.mark.parametrize("text", ["nothing", BEGIN, f"{END} {BEGIN}", f"{BEGIN}{BEGIN}{END}"])
def test_write_between__a_page_without_markers_is_refused_and_left(tmp_path: Path, made: Run, text: str) -> None:
    page = tmp_path / "page.md"
    page.write_text(text)

    with pytest.raises(InputError, match="needs the line"):
        write_between(page, made)
    assert page.read_text() == text


def test_draw__writes_the_same_files_each_time(tmp_path: Path, made: Run) -> None:
    pytest.importorskip("matplotlib")
    first, second = draw(made, tmp_path / "a"), draw(made, tmp_path / "b")

    assert [path.name for path in first] == ["rank.svg", "scaling-offers.svg", "scaling-tenants.svg"]
    for one, other in zip(first, second, strict=True):
        assert one.read_bytes() == other.read_bytes()
        assert "A CPU · commit 0123456789ab with changes · 2026-01-02 · tenantrank bench" in one.read_text()
    assert "C, column scan" not in first[0].read_text()  # not measured at the size that is drawn
    assert "DuckDB" in first[0].read_text()


def test_draw__a_run_without_those_parts_draws_nothing(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")

    assert draw(run([row("engine", 1.0, "engine", "cold", "c", None)]), tmp_path) == []


def test_write_report__a_page_and_plots(tmp_path: Path, made: Run) -> None:
    pytest.importorskip("matplotlib")
    written = write_report(tmp_path / "out", made)

    assert [path.name for path in written][:2] == ["benchmarks.md", "rank.svg"]
    assert markdown(made) in written[0].read_text()


def test_write_report__without_matplotlib_the_page_is_there(
    tmp_path: Path, made: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)

    with pytest.raises(AbsentError, match="matplotlib is not installed"):
        write_report(tmp_path, made)
    assert (tmp_path / "benchmarks.md").exists()


def test_main__writes_into_a_document_and_says_what_is_wrong(
    tmp_path: Path, made: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    results, page = tmp_path / "run.json", tmp_path / "page.md"
    results.write_text(json.dumps(made.to_json()))
    page.write_text(f"{BEGIN}{END}")

    assert main([str(results), "--into", str(page)]) == 0
    assert "### Losses" in page.read_text()
    assert main([str(results), "--into", str(tmp_path / "none.md")]) == 2
    assert capsys.readouterr().err == f"{tmp_path / 'none.md'}: No such file or directory\n"
    with pytest.raises(SystemExit):
        main([str(results)])
