"""Where compiled kernels are kept, and the plain bodies behind them."""

from __future__ import annotations

import logging
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

import tenantrank_kernels
from tenantrank_kernels import JIT_DISABLED, _compile, normalize, python_body


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


@pytest.mark.parametrize("cached", [True, False])
def test_kernel__runs_with_and_without_a_cache_folder(
    cached: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_compile, "_FOLDER", str(tmp_path) if cached else None)
    before = _compile._config.CACHE_DIR
    twice = _compile.kernel(_doubled)
    after = _compile._config.CACHE_DIR
    assert after == before
    assert twice(21.0) == 42.0
    assert python_body(twice)(21.0) == 42.0
    assert bool(os.listdir(tmp_path)) == (cached and not JIT_DISABLED)


def _doubled(value: float) -> float:
    return 2.0 * value


def test_python_body__is_silent_about_infinities(recwarn: pytest.WarningsRecorder) -> None:
    values = np.array([-1.7e308, np.inf, np.nan])
    python_body(normalize)(values, 3, False)
    assert not list(recwarn)
    assert np.isnan(values).tolist() == [False, True, True]


def test_jit_disabled__says_what_the_kernels_are() -> None:
    assert hasattr(normalize, "py_func") != JIT_DISABLED
