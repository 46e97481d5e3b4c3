"""Implementations in C: what is compiled, and what is said where it cannot be."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tenantrank.bench.implementations import RANKERS, check, expected_answers
from tenantrank.bench.optional import AbsentError
from tenantrank.bench.peers import c_files
from tenantrank.bench.workload import Workload

HEADER = (Path(c_files.__file__).parent.parent / "c" / "rank.h").read_text(encoding="utf-8")


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    c_files._library.cache_clear()
    yield
    c_files._library.cache_clear()


@pytest.fixture
def work() -> Workload:
    return Workload.make("six shapes", 64, 12)


def test_compiler__none_is_one_line(monkeypatch: pytest.MonkeyPatch, work: Workload) -> None:
    monkeypatch.setenv("CC", "no-such-compiler")

    with pytest.raises(AbsentError, match=r"^no C compiler: 'no-such-compiler' is not on the path \(set CC\)$"):
        RANKERS["C, column scan"].prepare(work)


def test_compiler__one_that_fails_is_one_line(monkeypatch: pytest.MonkeyPatch, work: Workload) -> None:
    monkeypatch.setenv("CC", "false")

    with pytest.raises(AbsentError, match=r"column_scan\.c does not compile here: no message"):
        RANKERS["C, column scan"].prepare(work)


def test_file__one_that_needs_another_cpu_is_one_line() -> None:
    if not Path("/proc/cpuinfo").exists():
        pytest.skip("the CPU's features cannot be told here")
    try:
        c_files.compiler()
    except AbsentError as error:
        pytest.skip(str(error))

    with pytest.raises(AbsentError, match=r"column_scan\.c needs a CPU with warp_drive"):
        c_files._library(c_files.CFile("column_scan.c", ("warp_drive",)))


def test_batch__threads_agree(work: Workload) -> None:
    implementation = RANKERS["C, column scan"]
    try:
        ready = c_files.batch("C, column scan", 3)(work)
    except AbsentError as error:
        pytest.skip(str(error))

    assert check(implementation, ready, work, expected_answers(work)) is None
    ready.close()


def test_header__says_what_the_arrays_are() -> None:
    for dtype, name in ((c_files._STEP, "step"), (c_files._PART, "part"), (c_files._POLICY, "policy")):
        assert dtype.names is not None
        body = next(
            text for text, found in re.findall(r"typedef struct \{(.*?)\} (\w+);", HEADER, re.S) if found == name
        )
        plain = re.sub(r"/\*.*?\*/", "", body, flags=re.S)
        assert re.findall(r"(\w+)[,;]", plain) == list(dtype.names)


def test_flags__keep_every_rounding() -> None:
    assert "-ffp-contract=off" in c_files.FLAGS
    assert not any("fast" in flag for flag in c_files.FLAGS)
