"""Results go into JSON and come out of it; what is no such file is refused in one line."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from tenantrank.bench.results import FORMAT, Log, Row, Run, read_run
from tenantrank.errors import InputError
from tests.bench.works import row, run


def test_run__comes_back_as_it_was(tmp_path: Path) -> None:
    made = run([row("engine, batch", 1.5, "engine"), row("NumPy", 30.0, "baseline", offers=None)])
    path = tmp_path / "run.json"
    path.write_text(json.dumps(made.to_json(), allow_nan=False))
    found = read_run(path)

    assert found == made
    assert json.loads(path.read_text())["format"] == FORMAT


def test_run__what_is_no_number_is_null() -> None:
    made = run([Row("rank", "c", "engine", "engine", "MB", {"value": math.nan})])
    text = json.dumps(made.to_json(), allow_nan=False)

    assert '"value": null' in text
    assert math.isnan(Run.from_json(json.loads(text)).rows[0].main)


def test_row__main_figure_is_the_minimum_else_the_median_else_the_value() -> None:
    def main(**values: float) -> float:
        return Row("p", "c", "i", "peer", "u", values).main

    assert main(median=2.0, min=1.0) == 1.0
    assert main(p99=9.0, p50=3.0) == 3.0
    assert main(value=7.0, seconds=1.0) == 7.0


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("[]", f"expected results of the form {FORMAT}"),
        ('{"format": "other/1"}', f"expected results of the form {FORMAT}"),
        (f'{{"format": "{FORMAT}"}}', "cannot be read: KeyError"),
        (f'{{"format": "{FORMAT}", "rows": [{{"values": 1}}]}}', "cannot be read: AttributeError"),
        ("{", "not JSON"),
    ],
)
def test_read_run__other_files_are_refused_in_one_line(tmp_path: Path, text: str, what: str) -> None:
    path = tmp_path / "run.json"
    path.write_text(text)

    with pytest.raises(InputError) as refused:
        read_run(path)
    assert str(refused.value).startswith(f"{path}: ")
    assert what in str(refused.value)
    assert "\n" not in str(refused.value)


def test_read_run__a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        read_run(tmp_path / "none.json")


def test_log__an_omission_is_told_once() -> None:
    log = Log()
    for _ in range(2):
        log.skip("rank", "DuckDB", "not installed")

    assert len(log.skipped) == 1
