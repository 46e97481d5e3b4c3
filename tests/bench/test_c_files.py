"""Implementations in C: what is compiled, and what is said where it cannot be."""

from __future__ import annotations

import platform
import re
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tenantrank.bench.answers import difference
from tenantrank.bench.implementations import RANKERS, check, expected_answers
from tenantrank.bench.optional import AbsentError
from tenantrank.bench.peers import c_files
from tenantrank.bench.workload import Workload

FOLDER = Path(c_files.__file__).parent.parent / "c"
HEADER = (FOLDER / "rank.h").read_text(encoding="utf-8")
BY_HAND = "C, engine's algorithm"


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


@pytest.mark.parametrize("machine", ["x86-64-v3", "skylake-avx512"])
def test_by_hand__compiles_for_every_vector_unit_without_a_warning(machine: str) -> None:
    if platform.machine() != "x86_64":
        pytest.skip("another machine's compiler")
    try:
        path = c_files.compiler()
    except AbsentError as error:
        pytest.skip(str(error))
    flags = [flag for flag in c_files.FLAGS if not flag.startswith("-march")]
    line = [path, *flags, f"-march={machine}", "-Wall", "-Wextra", "-Werror", "-S", "-o", "/dev/null"]

    done = subprocess.run([*line, str(FOLDER / "engine_algorithm.c")], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr


def test_by_hand__a_machine_without_vectors_is_one_line(monkeypatch: pytest.MonkeyPatch, work: Workload) -> None:
    plain = replace(c_files.FILES[BY_HAND], needs=(), flags=("-mno-fma", "-mno-avx512f"))
    monkeypatch.setattr(c_files, "FILES", {BY_HAND: plain})

    with pytest.raises(AbsentError, match=r"^(no C compiler|engine_algorithm\.c does not compile here): "):
        c_files.batch(BY_HAND)(work)


@pytest.mark.parametrize("wanted", [5, 8, 9, 48, 60])
@pytest.mark.parametrize("flags", [(), ("-mno-avx512f",)], ids=["widest", "AVX2"])
@pytest.mark.parametrize("mix", ["six shapes", "distinct"])
def test_by_hand__any_number_of_places(
    monkeypatch: pytest.MonkeyPatch, mix: str, flags: tuple[str, ...], wanted: int
) -> None:
    work = Workload.make(mix, 1500, 60, seed=3)
    monkeypatch.setattr(c_files, "K", wanted)
    files = {BY_HAND: replace(c_files.FILES[BY_HAND], flags=flags), "scan": c_files.FILES["C, column scan"]}
    monkeypatch.setattr(c_files, "FILES", files)
    try:
        ready = [c_files.batch(name)(work) for name in files]
    except AbsentError as error:
        pytest.skip(str(error))

    by_hand, scanned = (each.answers() for each in ready)

    assert difference(by_hand, scanned) is None
    for each in ready:
        each.close()


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
