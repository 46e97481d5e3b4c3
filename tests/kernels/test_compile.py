"""How functions are compiled, where their machine code is kept, and the plain bodies behind them."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tenantrank_kernels
from tenantrank_kernels import JIT_DISABLED, _compile, compiled_before, entry_point, fill_order, python_body
from tenantrank_kernels._compile import BOUNDS_CHECKED, brief_kernel, kernel, part, small_part

MAKERS = pytest.mark.parametrize("make", [part, small_part, kernel, brief_kernel])


def test_cache_folder__is_where_the_environment_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TENANTRANK_CACHE_DIR", str(tmp_path / "own"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    own = Path(_compile._cache_folder() or "")
    assert own.parent == tmp_path / "own"
    monkeypatch.delenv("TENANTRANK_CACHE_DIR")
    assert Path(_compile._cache_folder() or "") == tmp_path / "xdg" / "tenantrank" / own.name
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert Path(_compile._cache_folder() or "") == tmp_path / "home" / ".cache" / "tenantrank" / own.name


def test_cache_folder__is_another_one_after_any_edit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sources = tmp_path / "sources"
    shutil.copytree(Path(tenantrank_kernels.__file__).parent, sources, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setenv("TENANTRANK_CACHE_DIR", str(tmp_path / "cache"))
    here = _compile._cache_folder()
    monkeypatch.setattr(_compile, "__file__", str(sources / "_compile.py"))
    assert _compile._cache_folder() == here
    with (sources / "opcodes.py").open("a") as module:
        module.write("# one more line\n")
    edited = _compile._cache_folder()
    assert edited not in (None, here)
    (sources / "opcodes.py").rename(sources / "codes.py")
    assert _compile._cache_folder() not in (None, here, edited)


def test_cache_folder__is_done_without_where_none_can_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("TENANTRANK_CACHE_DIR", str(tmp_path / "file" / "below"))
    with caplog.at_level(logging.WARNING, "tenantrank.kernels"):
        assert _compile._cache_folder() is None
    (record,) = caplog.records
    assert "compiled in memory" in record.message


def test_cache_folder__is_another_one_where_bounds_are_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TENANTRANK_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(_compile._config, "BOUNDSCHECK", 1)
    checked = _compile._cache_folder()
    monkeypatch.setattr(_compile._config, "BOUNDSCHECK", None)
    assert _compile._cache_folder() not in (None, checked)


@MAKERS
@pytest.mark.parametrize("cached", [True, False])
def test_makers__run_with_and_without_a_cache_folder(
    make: Any, cached: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_compile, "_FOLDER", str(tmp_path) if cached else None)
    before = _compile._config.CACHE_DIR
    twice = make(_doubled)
    after = _compile._config.CACHE_DIR
    assert after == before
    assert twice(21.0) == 42.0
    assert python_body(twice)(21.0) == 42.0
    # Parts are compiled into the kernels that call them; none is kept by itself.
    assert bool(os.listdir(tmp_path)) == (cached and not JIT_DISABLED and make in (kernel, brief_kernel))


def _doubled(value: float) -> float:
    return 2.0 * value


@pytest.mark.skipif(JIT_DISABLED, reason="nothing is compiled")
def test_makers__only_brief_kernels_keep_the_interpreter_lock() -> None:
    released = {make: dict(make(_doubled).targetoptions).get("nogil", False) for make in (part, kernel, brief_kernel)}
    assert released == {part: True, kernel: True, brief_kernel: False}


@pytest.mark.skipif(JIT_DISABLED, reason="nothing is compiled")
@MAKERS
def test_makers__change_no_arithmetic(make: Any) -> None:
    options = make(_doubled).targetoptions
    assert not options.get("fastmath")
    assert not options.get("parallel")
    assert options["error_model"] == "numpy"  # a division by zero is no error


KNOWN_NUMBA = pytest.mark.parametrize("known", [True, False])


@KNOWN_NUMBA
def test_part__answers_within_a_kernel_as_it_does_by_itself(known: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Called with constants, integers of several types and bools, through two levels."""
    monkeypatch.setattr(_compile, "NUMBA_IS_KNOWN", known and _compile.NUMBA_IS_KNOWN)
    shifted: Any = small_part(_shifted)

    def summed(values: Any, count: int) -> float:
        total = 0.0
        for i in range(count):
            total += shifted(values[i], i, i % 2 == 0)
        return total + shifted(values[0], 3, True)

    inner = part(summed)

    def outer(values: Any, short: Any) -> float:
        return inner(values, 2) + inner(values, short) + shifted(1 << 40, 1, False)

    values = np.array([7, -(2**30)], dtype=np.int32)
    expected = 2.0 * ((7 << 1) + (-(2**30) - 1) + (7 << 4)) + ((1 << 40) - 1)
    for run in (brief_kernel(outer), python_body(kernel(outer))):
        assert run(values, np.int32(2)) == expected
    assert shifted(7, 3, True) == 7 << 4


def _shifted(value: Any, by: Any, up: bool) -> float:
    return float(np.int64(value) << (by + 1)) if up else float(value - by)


@pytest.mark.skipif(JIT_DISABLED or BOUNDS_CHECKED or not _compile.NUMBA_IS_KNOWN, reason="parts are Numba's own")
def test_part__is_compiled_once_whatever_integers_it_is_called_with() -> None:
    shifted: Any = part(_shifted)

    def outer(values: Any, short: Any) -> float:
        last = 0
        total = 0.0
        for i in range(2):
            total += shifted(values[i], last, True) + shifted(i, short, False) + shifted(5, 3, True)
            last = values[i]
        return total

    with _compile.numba.core.event.install_recorder("numba:compile") as recorder:
        kernel(outer)(np.array([7, 9], dtype=np.int32), np.int16(2))
    begun = [each.data for _, each in recorder.buffer if each.is_start and each.data["dispatcher"].py_func is _shifted]
    assert [tuple(map(str, data["args"])) for data in begun] == [("int64", "int64", "bool")]


def _grown(value: float, other: float) -> float:
    return value / other * 1e308


@MAKERS
def test_makers__are_silent_about_infinities(make: Any, recwarn: pytest.WarningsRecorder) -> None:
    grown = make(_grown)
    for run in (grown, python_body(grown)):
        assert run(np.float64(1e308), np.float64(0.5)) == np.inf
        assert run(np.float64(-3.0), np.float64(0.0)) == -np.inf
        assert np.isnan(run(np.float64(0.0), np.float64(0.0)))
    assert not list(recwarn)


def _packed(a: int, b: int, c: int) -> int:
    return a + 100 * b + 10000 * c


def test_entry_point__answers_as_the_kernel_does() -> None:
    compiled = brief_kernel(_packed)
    call = entry_point(compiled, 3)
    assert call(1, 2, 3) == compiled(1, 2, 3) == 30201
    assert (call is compiled) == (JIT_DISABLED or BOUNDS_CHECKED)


@pytest.mark.skipif(JIT_DISABLED or BOUNDS_CHECKED, reason="there is none")
def test_entry_point__is_the_kernel_where_there_is_none() -> None:
    class Compiled:
        def __init__(self) -> None:
            self.overloads: dict[Any, object] = {}

        def compile(self, signature: Any) -> None:
            self.overloads[signature] = object()

    compiled = Compiled()
    assert entry_point(compiled, 2) is compiled
    assert [len(signature) for signature in compiled.overloads] == [2]


def test_compiled_before__says_whether_machine_code_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_compile, "_FOLDER", str(tmp_path))
    assert compiled_before() == JIT_DISABLED
    kernel(_doubled)(1.0)
    assert compiled_before()
    monkeypatch.setattr(_compile, "_FOLDER", None)
    assert compiled_before() == JIT_DISABLED


def test_jit_disabled__says_what_the_kernels_are() -> None:
    assert hasattr(fill_order, "py_func") != JIT_DISABLED
    assert hasattr(python_body(fill_order), "py_func") is False


_CACHED = """
import sys
from tenantrank_kernels._compile import kernel

@kernel
def doubled(value):
    return 2 * value

assert doubled(21) == 42
print(sum(doubled.stats.cache_hits.values()), "numba.np.npyimpl" in sys.modules)
assert doubled(float(sys.argv[1])) == 1.0
assert sys.argv[1] == "0.5" or doubled(1.5j) == 3j
"""


@pytest.mark.skipif(
    JIT_DISABLED or BOUNDS_CHECKED or not _compile.NUMBA_IS_KNOWN, reason="nothing is loaded the short way"
)
def test_kernel__is_loaded_from_the_cache_without_what_compiling_needs(tmp_path: Path) -> None:
    """The same script twice: the second process loads what the first compiled, and can compile for other types."""
    (tmp_path / "script.py").write_text(_CACHED)
    environment = os.environ | {"TENANTRANK_CACHE_DIR": str(tmp_path / "cache")}
    told = [
        subprocess.run(
            [sys.executable, "script.py", half],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for half in ("0.5", "0.50")
    ]
    assert told == ["0 True\n", "1 False\n"]
