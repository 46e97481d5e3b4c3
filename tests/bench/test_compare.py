"""Two runs are compared by the ratios inside each, and a ratio that worsened makes the exit code 1."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from tenantrank.bench.compare import compare, main, ratios
from tenantrank.bench.results import Row, Run
from tenantrank.errors import InputError
from tests.bench.works import row, run


def of(engine: float, numpy: float, scan: float = 3.0, more: Sequence[Row] = ()) -> Run:
    rows = [row("engine, batch", engine, "engine"), row("NumPy", numpy, "baseline"), row("C", scan, "baseline")]
    return run([*rows, row("DuckDB", 700.0), *more])


@pytest.fixture
def written(tmp_path: Path) -> object:
    def write(name: str, made: Run) -> str:
        path = tmp_path / name
        path.write_text(json.dumps(made.to_json()))
        return str(path)

    return write


def test_ratios__the_engine_against_each_baseline_of_its_group() -> None:
    other_size = row("NumPy", 90.0, "baseline", offers=2048)

    assert ratios(of(1.5, 30.0, more=[other_size])) == {
        ("rank", "six shapes", 512, "engine, batch", "NumPy"): 0.05,
        ("rank", "six shapes", 512, "engine, batch", "C"): 0.5,
    }


def test_compare__a_slower_machine_is_no_regression() -> None:
    changes, lost = compare(of(1.0, 20.0), of(3.0, 60.0, 9.0))

    assert [change.factor for change in changes] == pytest.approx([1.0, 1.0])
    assert lost == []


def test_compare__the_worst_comes_first() -> None:
    changes, _ = compare(of(1.0, 20.0), of(1.5, 20.0, 6.0))

    assert [(change.baseline, round(change.factor, 3)) for change in changes] == [("NumPy", 1.5), ("C", 0.75)]
    assert [change.worse(0.25) for change in changes] == [True, False]
    assert not changes[0].worse(0.6)


@pytest.mark.parametrize(("engine", "code"), [(0.7, 0), (1.2, 0), (1.3, 1)])
def test_main__exit_code_is_1_where_a_ratio_worsened(
    written: object, capsys: pytest.CaptureFixture[str], engine: float, code: int
) -> None:
    paths = [written("old.json", of(1.0, 20.0)), written("new.json", of(engine, 20.0))]  # type: ignore[operator]

    assert main(paths) == code
    said = capsys.readouterr().out
    assert said.endswith(f"2 ratios compared, {2 * code} worse by more than 25%\n")
    assert ("engine, batch" in said) == bool(code)


def test_main__tolerance_and_all(written: object, capsys: pytest.CaptureFixture[str]) -> None:
    paths = [written("old.json", of(1.0, 20.0)), written("new.json", of(1.3, 20.0))]  # type: ignore[operator]

    assert main([*paths, "--tolerance", "0.5", "--all"]) == 0
    assert "| rank | six shapes | 512 | engine, batch | NumPy | 0.05 | 0.065 | 1.3 |" in capsys.readouterr().out


def test_main__what_is_no_longer_measured_is_told(written: object, capsys: pytest.CaptureFixture[str]) -> None:
    more = [row("engine, batch", 1.0, "engine", case="blends"), row("NumPy", 9.0, "baseline", case="blends")]
    paths = [written("old.json", of(1.0, 20.0, more=more)), written("new.json", of(1.0, 20.0))]  # type: ignore[operator]

    assert main(paths) == 0
    assert "no longer measured: rank, blends, 512 offers: engine, batch against NumPy" in capsys.readouterr().out


def test_compare__a_part_that_was_not_run_is_not_lost() -> None:
    more = [row("engine", 1.0, "engine", part="cold"), row("imports", 1.0, "baseline", part="cold")]

    assert compare(of(1.0, 20.0, more=more), of(1.0, 20.0))[1] == []


def test_compare__quick_and_full_runs_are_not_comparable() -> None:
    with pytest.raises(InputError, match="quick"):
        compare(of(1.0, 20.0), run(of(1.0, 20.0).rows, quick=True))


def test_main__nothing_in_common_is_exit_code_2(written: object, capsys: pytest.CaptureFixture[str]) -> None:
    paths = [written("old.json", of(1.0, 20.0)), written("new.json", run([]))]  # type: ignore[operator]

    assert main(paths) == 2
    assert capsys.readouterr().err == "the runs have no ratio in common\n"
    assert main([paths[0], "none.json"]) == 2
