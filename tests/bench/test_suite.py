"""Every part runs alone and can be shrunk; what fails as a whole is a failure of the run, not its end."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tenantrank.bench import machine, suite
from tenantrank.bench.alone import AloneError, call_alone, peak_mb
from tenantrank.bench.parts import single_calls
from tenantrank.bench.parts.hot_path import zipf
from tenantrank.bench.ready import Ready
from tenantrank.bench.results import Log, Run
from tenantrank.bench.settings import Settings
from tenantrank.bench.suite import PARTS, chosen_parts, run_suite
from tenantrank.errors import InputError

QUICK = Settings(quick=True)
CASES = {
    "rank": {"six shapes", "monotone", "blends", "distinct", "one call, k=1", "one call, k=5"},
    "all-tenants": {"six shapes"},
    "admission": {
        "new bytes",
        "the same bytes again",
        "new bytes, to the plan",
        "new bytes, through the first ranking",
    },
    "explain": {
        "the filter alone",
        "first failing clause of every offer",
        "counts per clause",
        "reasons in words, by offer",
        "every failing clause",
        "every failing clause, in words, with those alone and unknown",
    },
    "updates": {"a new catalog", "a new engine over a new catalog", "one breaker changed", "one price changed"},
    "hot-path": {
        "nothing changes",
        "health changes five times a second",
        "the catalog changes five times a second",
        "the same, by with_catalog",
    },
}


@pytest.mark.slow
@pytest.mark.parametrize("part", CASES)
def test_parts__run_alone_and_measure_what_they_say(part: str) -> None:
    run = run_suite([part], QUICK)

    assert run.failures == []
    assert {row.case for row in run.rows} >= CASES[part]
    assert {row.part for row in run.rows} == {part}
    assert {"engine", "baseline"} <= {row.role for row in run.rows}
    assert all(np.isfinite(row.main) and row.main > 0 for row in run.rows)
    assert Run.from_json(json.loads(json.dumps(run.to_json()))).rows == run.rows


@pytest.mark.slow
@pytest.mark.parametrize("part", ["tenants", "scaling", "cold"])
def test_parts__those_in_processes_of_their_own_run_too(part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    run = run_suite([part], QUICK)

    assert run.failures == []
    assert {row.part for row in run.rows} == {part}
    assert "engine" in {row.role for row in run.rows}


def test_about__says_where_when_and_on_what_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suite, "PARTS", {"rank": lambda settings, log: None, "cold": lambda settings, log: None})
    about = run_suite(["cold"], Settings(quick=True, seed=7)).about

    assert about["command"] == "tenantrank bench --parts cold --quick --seed 7"
    assert about["machine"]["cpu"] == machine.cpu_model()
    assert {"python", "tenantrank", "numpy", "numba", "pyarrow"} <= set(about["versions"])
    assert set(about["seeds"].values()) == {7}
    assert all(len(digest) == 64 for digest in about["work"].values())
    assert about["date"] <= about["ended"]
    assert "/" not in json.dumps({**about, "machine": {}, "versions": {}})


def test_run_suite__a_part_that_fails_is_told_and_the_others_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(settings: Settings, log: Log) -> None:
        raise AssertionError("NumPy and plain Python disagree:\n 1 of 2")

    ran: list[str] = []
    monkeypatch.setattr(suite, "PARTS", {"a": broken, "b": lambda settings, log: ran.append("b")})
    run = run_suite([], QUICK)

    assert ran == ["b"]
    assert [(each.part, each.why) for each in run.failures] == [
        ("a", "AssertionError: NumPy and plain Python disagree: 1 of 2")
    ]


def test_chosen_parts__order_is_the_suites_and_unknown_ones_are_named() -> None:
    assert chosen_parts(["cold", "rank"]) == ["rank", "cold"]
    assert chosen_parts([]) == list(PARTS)
    with pytest.raises(InputError, match="no part is called 'warm'; there are rank, all-tenants"):
        chosen_parts(["warm"])


def test_call_alone__gives_the_result_or_the_last_line_of_the_failure() -> None:
    assert call_alone("math", "hypot") == 0.0
    with pytest.raises(AloneError, match=r"^TypeError: .*unexpected|^TypeError: .*takes no keyword"):
        call_alone("math", "sqrt", wrong=1)


def test_peak_mb__grows_with_what_is_held() -> None:
    before = peak_mb()
    if np.isnan(before):
        pytest.skip("the platform does not tell")
    held = np.ones(40 << 20, dtype=np.uint8)

    assert peak_mb() >= before
    assert held.nbytes


def test_zipf__few_policies_are_most_calls() -> None:
    draws = zipf(1000, 20_000, 3)
    counts = np.sort(np.bincount(draws, minlength=1000))[::-1]

    assert draws.tolist() == zipf(1000, 20_000, 3).tolist()
    assert 0.05 < counts[0] / 20_000 < 0.35
    assert counts[:100].sum() > 0.5 * 20_000
    assert (draws >= 0).all()
    assert (draws < 1000).all()


def test_single_calls__each_is_timed_whatever_makes_it() -> None:
    made: list[int] = []
    took, rate = single_calls._from_threads(Ready(made.append, range(10)), 2)

    assert len(took) == len(made) == 4 * 2 * 10
    assert rate > 0


def test_commit__of_installed_code_is_nobodys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_output", lambda *command, folder=None: "/somewhere/else")

    assert machine.commit() == {}
